"""How the engine is built: which Go, in which environment, keyed by what, and what a failure says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flower_federation.caches import Cache
from flower_federation.engine_build import (
    CLI_MODULE,
    HOST_MODULE,
    PROGRAMS,
    Build,
    go_environment,
    go_minimum,
    go_version,
    module_version,
)
from flower_federation.errors import InputError, ToolError
from flower_federation.processes import Finished
from flower_federation.setup import project_folder
from tests.setup_support import TableRunner, finished, put_programs

SOURCES = project_folder() / "src" / "flower_federation" / "engine_sources"


def compile_to(argv: list[str], _env: object) -> Finished:
    """Act as `go build`."""
    Path(argv[argv.index("-o") + 1]).write_text("built")
    return finished()


class Workshop:
    """A Go of some version on PATH, or none, and a wheel's Go."""

    def __init__(self, tmp_path: Path, *, version: str | None) -> None:
        self.notes: list[str] = []
        self.wheel_used = 0
        self.wheel_go = put_programs(tmp_path / "wheel", ["go"]) / "go"
        self.cache = Cache(tmp_path / "cache", say=self.notes.append)
        put_programs(tmp_path / "module" / "python" / "cmd", ["pulumi-language-python-exec"])
        path = put_programs(tmp_path / "path", ["go"] if version else [])
        self.run = (
            TableRunner()
            .on("version", answer=finished(f"go version {version} linux/amd64"))
            .on("build", answer=compile_to)
            .on("list", answer=finished(str(tmp_path / "module")))
        )
        self.sources = tmp_path / "sources"
        shutil.copytree(SOURCES, self.sources)
        self.build = Build(
            sources=self.sources,
            platform="linux-x64",
            environ={"PATH": str(path), "HTTPS_PROXY": "proxy"},
            run=self.run,
            go_from_wheel=self._wheel,
            note=self.notes.append,
        )

    def _wheel(self) -> Path:
        self.wheel_used += 1
        return self.wheel_go


def test_a_new_enough_go_on_path_builds_both_programs_and_the_script_comes_from_the_pinned_module(
    tmp_path: Path,
) -> None:
    shop = Workshop(tmp_path, version="go1.26.8")
    folder = shop.build.get(shop.cache)
    assert sorted(path.name for path in folder.iterdir()) == sorted(PROGRAMS)
    assert shop.wheel_used == 0
    assert (folder / "pulumi-language-python-exec").stat().st_mode & 0o111


@pytest.mark.parametrize("version", ["go1.19.8", None, "devel"])
def test_the_wheel_is_used_where_go_is_too_old_missing_or_unknown(tmp_path: Path, version: str | None) -> None:
    shop = Workshop(tmp_path, version=version)
    shop.build.get(shop.cache)
    assert shop.wheel_used == 1
    builds = [call for call in shop.run.calls if "build" in call]
    assert {call[0] for call in builds} == {str(shop.wheel_go)}


def test_caches_of_a_wheels_go_stay_out_of_the_users_folders_and_are_removed(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, version=None)
    folder = shop.build.get(shop.cache)
    used = [Path(env["GOPATH"]) for env in shop.run.environments if "GOPATH" in env]
    assert used
    assert all(shop.cache.root in path.parents for path in used)
    assert not any(path.exists() for path in used)
    assert sorted(path.name for path in folder.iterdir()) == sorted(PROGRAMS)


def test_the_build_takes_versions_and_hashes_as_committed() -> None:
    env = go_environment({"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "auto", "GOARCH": "arm", "GOPROXY": "p"}, private=None)
    assert "-mod=readonly" in env["GOFLAGS"]
    assert "-mod=mod" not in env["GOFLAGS"]
    assert env["GOTOOLCHAIN"] == "local"
    assert env["GOPROXY"] == "p"
    assert "GOARCH" not in env


@pytest.mark.parametrize("file", ["pulumi-cli/go.sum", "pulumi-cli/go.mod", "python-host/go.sum"])
def test_a_changed_pin_or_hash_gives_another_cache_folder(tmp_path: Path, file: str) -> None:
    shop = Workshop(tmp_path, version="go1.26.8")
    before = shop.build.key()
    path = shop.sources / file
    path.write_text(path.read_text() + "\n")
    assert shop.build.key() != before


def test_a_failed_build_shows_gos_last_words_and_leaves_no_folder(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, version="go1.26.8")
    shop.run.answers.insert(0, (("build",), lambda _argv, _env: finished("checksum mismatch", returncode=1)))
    with pytest.raises(ToolError) as refusal:
        shop.build.get(shop.cache)
    assert "checksum mismatch" in refusal.value.given
    assert "GOPROXY" in refusal.value.remedy
    assert not list((shop.cache.root / "engine-build").iterdir())


def test_progress_is_printed_while_go_works(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, version="go1.26.8")
    shop.build.get(shop.cache)
    assert any("building pulumi 3." in note for note in shop.notes)
    assert any("pulumi-language-python: built in" in note for note in shop.notes)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.19 linux/arm64", (1, 19)),
        ("sh: go: not found", None),
    ],
)
def test_go_versions_are_read(text: str, version: tuple[int, ...] | None) -> None:
    assert go_version(text) == version


def test_the_committed_modules_pin_the_two_programs() -> None:
    cli = (SOURCES / "pulumi-cli" / "go.mod").read_text()
    host = (SOURCES / "python-host" / "go.mod").read_text()
    assert module_version(cli, CLI_MODULE).startswith("3.")
    # The last version whose module holds the host: later ones are a nested module that the Go proxy does not serve.
    assert module_version(host, HOST_MODULE) == "3.79.0"
    assert go_minimum(cli) >= (1, 25)


def test_a_go_mod_without_the_module_is_refused() -> None:
    with pytest.raises(InputError, match=r"does not require example\.org/x") as refusal:
        module_version("module m\n\ngo 1.25\n", "example.org/x")
    assert "git checkout" in refusal.value.remedy
