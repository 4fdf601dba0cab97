"""Which of the three ways to an engine is taken, and what is said about the others."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from flower_federation.caches import Cache
from flower_federation.engine import (
    EngineFinder,
    EngineLock,
    Source,
    install,
    locate,
    platform_of,
    read_lock,
    search_folders,
    version_of,
)
from flower_federation.engine_build import PROGRAMS, Build
from flower_federation.engine_release import Release
from flower_federation.errors import InputError, MachineError
from flower_federation.setup import project_folder
from tests.patience import PATIENCE_S
from tests.setup_support import TableRunner, finished, put_programs

SOURCES = project_folder() / "src" / "flower_federation" / "engine_sources"


def archive(names: tuple[str, ...] = PROGRAMS) -> bytes:
    """A release archive in the vendor's layout."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            data = f"program {name}".encode()
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class Site:
    """The vendor's site: sends some bytes, or raises."""

    def __init__(self, content: bytes | Exception) -> None:
        self.content = content
        self.asked: list[str] = []

    def __call__(self, url: str, *, timeout_s: float) -> BinaryIO:
        self.asked.append(url)
        if isinstance(self.content, Exception):
            raise self.content
        return io.BytesIO(self.content)


class World:
    """A machine: what is on PATH, what the vendor's site does, and a Go that "builds" at once."""

    def __init__(
        self,
        tmp_path: Path,
        *,
        site: Callable[..., BinaryIO],
        sha256: str | None,
        platform: str,
        answer_timeout_s: float,
    ) -> None:
        self.notes: list[str] = []
        self.path = tmp_path / "usr-bin"
        self.path.mkdir()
        module = tmp_path / "module" / "python" / "cmd"
        put_programs(module, ["pulumi-language-python-exec"])
        put_programs(self.path, ["go"])
        self.run = (
            TableRunner()
            .on("go", "version", answer=finished("go version go1.26.8 linux/amd64"))
            .on("go", "build", answer=self._build)
            .on("go", "list", answer=finished(f"{tmp_path / 'module'}\n"))
        )
        self.cache = Cache(tmp_path / "cache", say=self.notes.append)
        environ = {"PATH": str(self.path)}
        self.build = Build(
            sources=SOURCES,
            platform=platform,
            environ=environ,
            run=self.run,
            go_from_wheel=lambda: pytest.fail("PATH has a Go"),
            note=self.notes.append,
        )
        self.finder = EngineFinder(
            lock=EngineLock(
                minimum=(3, 255, 0),
                release_version="3.255.0",
                site="https://vendor.example/sdk",
                sha256={platform: sha256} if sha256 else {},
            ),
            platform=platform,
            release=Release(
                version="3.255.0",
                site="https://vendor.example/sdk",
                open_url=site,
                note=self.notes.append,
                answer_timeout_s=answer_timeout_s,
            ),
            build=self.build,
            cache=self.cache,
            run=self.run,
            environ=environ,
            own_bin=tmp_path / "clone" / ".venv" / "bin",
            note=self.notes.append,
        )

    @staticmethod
    def _build(argv: list[str], _env: object) -> object:
        Path(argv[argv.index("-o") + 1]).write_text("built")
        return finished()

    def has_pulumi(self, version: str, names: tuple[str, ...] = PROGRAMS) -> None:
        """Put a user's own engine on PATH."""
        put_programs(self.path, names)
        self.run.on(str(self.path / "pulumi"), "version", answer=finished(f"v{version}\n"))


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    """Makes a machine; by default the vendor's site refuses every connection."""

    def make(
        site: Callable[..., BinaryIO] | None = None,
        *,
        sha256: str | None = "0" * 64,
        platform: str = "linux-x64",
        answer_timeout_s: float = PATIENCE_S,
    ) -> World:
        return World(
            tmp_path,
            site=site or Site(OSError("refused")),
            sha256=sha256,
            platform=platform,
            answer_timeout_s=answer_timeout_s,
        )

    return make


def reasons(engine_or_error: object) -> dict[str, str]:
    considered = engine_or_error.considered  # type: ignore[attr-defined]
    return {entry.source.value: entry.why for entry in considered}


def test_a_new_enough_engine_on_path_is_taken_and_nothing_is_downloaded_or_built(world: Callable[..., World]) -> None:
    site = Site(archive())
    machine = world(site)
    machine.has_pulumi("3.260.1")
    engine = machine.finder.find()
    assert (engine.source, engine.version) == (Source.PATH, "3.260.1")
    assert engine.programs["pulumi-language-python"] == machine.path / "pulumi-language-python"
    assert site.asked == []
    assert machine.run.asked("build") == 0


def test_an_engine_on_path_that_is_too_old_is_named_with_both_versions(world: Callable[..., World]) -> None:
    machine = world()
    machine.has_pulumi("3.100.0")
    engine = machine.finder.find()
    assert engine.source is Source.BUILD
    assert "3.100.0, older than 3.255.0" in reasons(engine)["path"]


def test_an_engine_on_path_without_its_python_host_is_not_taken(world: Callable[..., World]) -> None:
    machine = world()
    machine.has_pulumi("3.260.0", ("pulumi",))
    engine = machine.finder.find()
    assert engine.source is Source.BUILD
    assert "not pulumi-language-python" in reasons(engine)["path"]


def test_the_release_is_taken_where_its_checksum_is_the_pinned_one_and_kept_for_the_next_clone(
    world: Callable[..., World],
) -> None:
    content = archive()
    site = Site(content)
    machine = world(site, sha256=hashlib.sha256(content).hexdigest())
    engine = machine.finder.find()
    assert (engine.source, engine.version) == (Source.RELEASE, "3.255.0")
    assert engine.programs["pulumi"].read_text() == "program pulumi"
    assert engine.programs["pulumi"].stat().st_mode & 0o111
    assert machine.finder.find().programs == engine.programs
    assert site.asked == ["https://vendor.example/sdk/pulumi-v3.255.0-linux-x64.tar.gz"]


def test_a_release_with_another_checksum_is_refused_and_leaves_nothing(world: Callable[..., World]) -> None:
    content = archive()
    machine = world(Site(content), sha256="f" * 64)
    engine = machine.finder.find()
    assert engine.source is Source.BUILD
    why = reasons(engine)["release"]
    assert hashlib.sha256(content).hexdigest() in why
    assert "f" * 64 in why
    assert "REFUSED" in why
    assert not list((machine.cache.root / "engine-release").iterdir())


def test_a_release_without_one_of_the_programs_is_refused(world: Callable[..., World]) -> None:
    content = archive(("pulumi",))
    machine = world(Site(content), sha256=hashlib.sha256(content).hexdigest())
    assert "no program pulumi/pulumi-language-python" in reasons(machine.finder.find())["release"]


def test_a_platform_without_a_pinned_checksum_is_never_asked_for(world: Callable[..., World]) -> None:
    site = Site(archive())
    engine = world(site, sha256=None).finder.find()
    assert engine.source is Source.BUILD
    assert site.asked == []
    assert "pins no checksum" in reasons(engine)["release"]


def test_a_site_that_hangs_is_given_up_after_its_limit(world: Callable[..., World]) -> None:
    released = threading.Event()

    def hang(url: str, *, timeout_s: float) -> BinaryIO:
        released.wait(PATIENCE_S)
        raise OSError("too late")

    try:
        engine = world(hang, answer_timeout_s=0.1).finder.find()
    finally:
        released.set()
    assert engine.source is Source.BUILD
    assert "no answer within" in reasons(engine)["release"]


def test_offline_asks_no_site(world: Callable[..., World]) -> None:
    site = Site(archive())
    engine = world(site).finder.find(offline=True)
    assert engine.source is Source.BUILD
    assert site.asked == []


def test_a_finished_build_in_the_cache_is_used_before_the_site_is_asked_again(world: Callable[..., World]) -> None:
    site = Site(OSError("refused"))
    machine = world(site)
    machine.finder.find()
    second = machine.finder.find()
    assert second.source is Source.BUILD
    assert len(site.asked) == 1
    assert machine.run.asked("go", "build") == 2  # the CLI and the host, once each


def test_the_caller_can_insist_on_one_way(world: Callable[..., World]) -> None:
    machine = world()
    machine.has_pulumi("3.260.0")
    assert machine.finder.find(only=Source.BUILD).source is Source.BUILD
    with pytest.raises(MachineError, match=r"release: https://vendor\.example") as refusal:
        machine.finder.find(only=Source.RELEASE)
    assert "install Pulumi from its vendor" in refusal.value.remedy


def test_where_no_way_is_open_the_error_says_why_for_each(world: Callable[..., World]) -> None:
    with pytest.raises(MachineError) as refusal:
        world(platform="linux-riscv64", sha256=None).finder.find()
    for part in ("path: no pulumi on PATH", "release: requirements/engine.lock pins no", "build: builds are tried on"):
        assert part in refusal.value.given


def test_the_choice_is_printed_for_each_way(world: Callable[..., World]) -> None:
    machine = world()
    machine.finder.find()
    printed = "\n".join(machine.notes)
    assert "path     no:" in printed
    assert "release  no:" in printed
    assert "build    TAKEN:" in printed


def test_folders_of_python_environments_are_not_searched(tmp_path: Path) -> None:
    own, other, usual = tmp_path / "own" / "bin", tmp_path / "other" / "bin", tmp_path / "usr" / "bin"
    for folder in (own, other, usual):
        folder.mkdir(parents=True)
    (tmp_path / "other" / "pyvenv.cfg").touch()
    assert search_folders(f"{own}:{other}:{usual}:", own_bin=own) == [usual]


def test_hosts_beside_the_real_file_of_a_linked_engine_are_found(tmp_path: Path) -> None:
    real = put_programs(tmp_path / "opt")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").symlink_to(real / "pulumi")
    assert set(locate([tmp_path / "bin"])) == set(PROGRAMS)


def test_installing_replaces_what_stood_in_bin(tmp_path: Path, world: Callable[..., World]) -> None:
    engine = world().finder.find()
    target = put_programs(tmp_path / "bin")
    install(engine, target)
    assert {name: (target / name).readlink() for name in PROGRAMS} == dict(engine.programs)


@pytest.mark.parametrize(
    ("system", "machine", "platform"),
    [("Linux", "x86_64", "linux-x64"), ("Linux", "aarch64", "linux-arm64"), ("Linux", "riscv64", "linux-riscv64")],
)
def test_platforms_are_named_as_the_vendor_names_them(system: str, machine: str, platform: str) -> None:
    assert platform_of(system, machine) == platform


def test_the_committed_lock_can_be_read_and_its_minimum_accepts_release_and_build() -> None:
    lock = read_lock((project_folder() / "requirements" / "engine.lock").read_text())
    built = Build(
        sources=SOURCES, platform="linux-x64", environ={}, run=TableRunner(), go_from_wheel=Path, note=print
    ).cli_version
    assert lock.minimum <= version_of(lock.release_version)
    assert lock.minimum <= version_of(built)
    assert set(lock.sha256) >= {"linux-x64"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('minimum = "3.1.0"', "release"),
        ("minimum = ", "requirements/engine.lock cannot be read"),
        ('minimum = "x"\n[release]\nversion = "3.1.0"\nsite = "s"', "no version number"),
        ('minimum = "3.1.0"\n[release]\nversion = "3.1.0"\nsite = "s"\n[release.sha256]\nlinux-x64 = "ABC"', "'ABC'"),
    ],
)
def test_a_broken_engine_lock_is_refused_with_the_part_that_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_lock(text)
    assert said in refusal.value.given
    assert "requirements/engine.lock" in f"{refusal.value.given} {refusal.value.remedy}"
