"""Which tls plugin goes into the engine's cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flower_federation.engine_plugin import (
    ANSWER_TIMEOUT_S,
    DOWNLOAD_TIMEOUT_S,
    PluginInstaller,
    TlsPlugin,
    installed,
    launcher,
)
from flower_federation.errors import ToolError
from flower_federation.processes import Finished
from tests.setup_support import TableRunner, finished

VERSION = "5.6.2"


def plugin_file(home: Path) -> Path:
    return home / "plugins" / f"resource-tls-v{VERSION}" / "pulumi-resource-tls"


def deliver(_argv: list[str], env: Mapping[str, str]) -> Finished:
    """Act as an engine that could download the official plugin."""
    file = plugin_file(Path(env["PULUMI_HOME"]))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\x7fELF official")
    return finished()


def take_launcher(argv: list[str], env: Mapping[str, str]) -> Finished:
    """Act as an engine that is given a file."""
    file = plugin_file(Path(env["PULUMI_HOME"]))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(Path(argv[argv.index("--file") + 1]).read_text())
    return finished()


def refuse(_argv: list[str], env: Mapping[str, str]) -> Finished:
    """Act as an engine whose download was cut off halfway."""
    file = plugin_file(Path(env["PULUMI_HOME"]))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    return finished("killed", returncode=-9, timed_out=True)


class Place:
    """A PULUMI_HOME, and an installer for a clone's Python."""

    def __init__(self, tmp_path: Path, *, python: str = "/clones/a/.venv/bin/python") -> None:
        self.home = tmp_path / "pulumi-home"
        self.python = Path(python)
        self.run = TableRunner()
        self.notes: list[str] = []
        self.installer = PluginInstaller(
            pulumi=Path("/opt/pulumi"),
            home=self.home,
            python=self.python,
            environ={"PATH": "/usr/bin"},
            run=self.run,
            note=self.notes.append,
        )


def test_the_official_plugin_is_taken_where_it_can_be_downloaded(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("install", answer=deliver)
    assert place.installer.install(VERSION, offline=False, vendor_answered=True) is TlsPlugin.OFFICIAL
    assert plugin_file(place.home).read_bytes().startswith(b"\x7fELF")
    assert [path.name for path in place.home.iterdir()] == ["plugins"]


def test_our_launcher_is_taken_where_the_download_is_cut_off_and_nothing_of_it_stays(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("--file", answer=take_launcher).on("install", answer=refuse)
    assert place.installer.install(VERSION, offline=False, vendor_answered=False) is TlsPlugin.OWN
    assert plugin_file(place.home).read_text() == launcher(place.python)
    assert [path.name for path in place.home.iterdir()] == ["plugins"]
    assert any("official  no: no answer within" in note for note in place.notes)


def test_offline_asks_the_vendor_for_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("--file", answer=take_launcher)
    assert place.installer.install(VERSION, offline=True, vendor_answered=True) is TlsPlugin.OWN
    assert len(place.run.calls) == 1


@pytest.mark.parametrize(("answered", "limit_s"), [(False, ANSWER_TIMEOUT_S), (True, DOWNLOAD_TIMEOUT_S)])
def test_a_vendor_that_has_just_answered_gets_time_for_a_slow_line(
    tmp_path: Path, answered: bool, limit_s: float
) -> None:
    limits: list[float | None] = []
    place = Place(tmp_path)
    place.run.on("install", answer=deliver)

    def measured(argv: list[str], *, env: Mapping[str, str], timeout_s: float | None = None) -> Finished:
        limits.append(timeout_s)
        return place.run(argv, env=env, timeout_s=timeout_s)

    installer = PluginInstaller(
        pulumi=Path("/opt/pulumi"),
        home=place.home,
        python=place.python,
        environ={},
        run=measured,  # type: ignore[arg-type]
        note=place.notes.append,
    )
    installer.install(VERSION, offline=False, vendor_answered=answered)
    assert limits == [limit_s]


def test_an_installed_plugin_is_left_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("install", answer=deliver)
    place.installer.install(VERSION, offline=False, vendor_answered=True)
    place.run.calls.clear()
    assert place.installer.install(VERSION, offline=False, vendor_answered=True) is TlsPlugin.OFFICIAL
    assert place.run.calls == []


def test_asked_again_the_official_plugin_replaces_ours_once_it_can_be_had(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("--file", answer=take_launcher).on("install", answer=deliver)
    place.installer.install(VERSION, offline=True, vendor_answered=False)
    assert place.installer.install(VERSION, offline=False, vendor_answered=False) is TlsPlugin.OWN
    assert place.installer.install(VERSION, offline=False, vendor_answered=False, again=True) is TlsPlugin.OFFICIAL
    assert plugin_file(place.home).read_bytes().startswith(b"\x7fELF")


def test_a_launcher_of_another_clones_python_does_not_count_as_installed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("--file", answer=take_launcher)
    place.installer.install(VERSION, offline=True, vendor_answered=False)
    assert installed(place.home, VERSION, place.python) is TlsPlugin.OWN
    assert installed(place.home, VERSION, Path("/clones/b/.venv/bin/python")) is None
    assert installed(place.home, "5.7.0", place.python) is None


def test_the_launcher_quotes_a_path_with_blanks_and_passes_arguments_on() -> None:
    text = launcher(Path("/my clones/it's/.venv/bin/python"))
    assert text.startswith("#!/bin/sh\n")
    assert """'/my clones/it'"'"'s/.venv/bin/python' -m pulumi_resource_tls "$@\"""" in text


def test_an_engine_that_refuses_the_launcher_is_an_error_with_its_words(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.run.on("--file", answer=finished("no space left", returncode=1))
    with pytest.raises(ToolError, match="no space left") as refusal:
        place.installer.install(VERSION, offline=True, vendor_answered=False)
    assert str(place.home) in refusal.value.remedy
