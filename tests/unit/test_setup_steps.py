"""scripts/setup as a whole, over a machine whose programs are stand-ins: what is done, again, and after a cut."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flower_federation.console import Console
from flower_federation.engine import Source
from flower_federation.engine_build import PROGRAMS
from flower_federation.environment import Layout
from flower_federation.errors import MachineError, ToolError
from flower_federation.processes import Finished
from flower_federation.setup import Machine, Options, Setup, is_offline, project_folder
from tests.setup_support import TableRunner, finished, put_programs

ACTIVATE = "deactivate () {\n    true\n}\n"


class Fresh:
    """An empty clone on a machine that has a usable engine on PATH."""

    def __init__(self, tmp_path: Path) -> None:
        self.layout = Layout(project=tmp_path / "clone")
        self.layout.project.mkdir()
        shutil.copytree(project_folder() / "requirements", self.layout.project / "requirements")
        (self.layout.project / "pyproject.toml").write_text("")
        self.path = put_programs(tmp_path / "usr-bin")
        self.run = (
            TableRunner()
            .on("-m", "venv", answer=self._bootstrap)
            .on("uv", "venv", answer=self._venv)
            .on("uv", "sync", answer=self._sync)
            .on("uv", "install", answer=finished())
            .on("python", "pip", answer=finished())
            .on("python", "-c", answer=finished("3.12.1\n"))
            .on("pulumi", "version", answer=finished("v3.300.0\n"))
            .on("plugin", "--file", answer=self._plugin)
            .on("plugin", answer=finished("no network", returncode=1))
        )
        self.machine = Machine(
            environ={"PATH": str(self.path)},
            home=tmp_path / "home",
            python=Path("/usr/bin/python3.12"),
            python_version="3.12.1",
            platform="linux-x64",
            run=self.run,
        )
        self.printed = io.StringIO()

    def prepare(self, **options: Any) -> dict[str, Any]:
        console = Console(stream=self.printed, clock=lambda: 0.0, total=7)
        return Setup(layout=self.layout, machine=self.machine, console=console, options=Options(**options)).prepare()

    @staticmethod
    def _bootstrap(argv: list[str], _env: Mapping[str, str]) -> Finished:
        put_programs(Path(argv[-1]) / "bin", ["uv", "python"])
        return finished()

    @staticmethod
    def _venv(argv: list[str], _env: Mapping[str, str]) -> Finished:
        folder = put_programs(Path(argv[-1]) / "bin", ["python"])
        (folder / "activate").write_text(ACTIVATE)
        return finished()

    @staticmethod
    def _sync(argv: list[str], _env: Mapping[str, str]) -> Finished:
        python = Path(argv[argv.index("--python") + 1])
        put_programs(python.parent, ["flwr"] if argv[-1].endswith("flower.lock") else ["pytest"])
        return finished()

    @staticmethod
    def _plugin(argv: list[str], env: Mapping[str, str]) -> Finished:
        folder = Path(env["PULUMI_HOME"]) / "plugins" / "resource-tls-v5.6.2"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(argv[argv.index("--file") + 1], folder / "pulumi-resource-tls")
        return finished()


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    return Fresh(tmp_path)


def test_a_fresh_clone_gets_environments_engine_plugin_and_activation(fresh: Fresh) -> None:
    report = fresh.prepare()
    layout = fresh.layout
    assert report["engine"]["source"] == "path"
    assert report["tls_plugin"] == "own"
    assert {(layout.bin / name).readlink() for name in PROGRAMS} == {fresh.path / name for name in PROGRAMS}
    assert layout.flower_env.is_symlink()
    assert (layout.bin / "flwr").exists()
    assert str(layout.backend) in (layout.bin / "activate").read_text()
    assert report["steps"][0]["title"] == "Python"
    assert len(report["steps"]) == 7


def test_the_second_run_starts_no_program_but_the_check_of_python(fresh: Fresh) -> None:
    fresh.prepare()
    fresh.run.calls.clear()
    report = fresh.prepare()
    assert all("-c" in call for call in fresh.run.calls)
    assert {step["outcome"] for step in report["steps"][2:6]} == {
        "up to date",
        "up to date: 3.300.0 (path)",
        "up to date: own 5.6.2",
    }


def test_a_run_that_was_cut_off_goes_on_where_it_was(fresh: Fresh) -> None:
    fresh.run.answers.insert(0, (("plugin", "--file"), lambda _argv, _env: finished("disk full", returncode=1)))
    with pytest.raises(ToolError, match="disk full"):
        fresh.prepare()
    del fresh.run.answers[0]
    fresh.run.calls.clear()
    fresh.prepare()
    assert fresh.run.asked("sync") == 0
    assert fresh.run.asked("plugin", "--file") == 1


def test_a_changed_lock_is_installed_and_nothing_else_is_done_again(fresh: Fresh) -> None:
    fresh.prepare()
    fresh.run.calls.clear()
    lock = fresh.layout.project / "requirements" / "control.lock"
    lock.write_text(lock.read_text() + "\n")
    fresh.prepare()
    assert fresh.run.asked("sync") == 1
    assert fresh.run.asked("plugin") == 0


def test_an_engine_that_has_gone_is_found_anew(fresh: Fresh) -> None:
    fresh.prepare()
    (fresh.layout.bin / "pulumi").unlink()
    assert fresh.prepare()["engine"]["programs"]["pulumi"] == str(fresh.path / "pulumi")
    assert (fresh.layout.bin / "pulumi").exists()


def test_scripts_engine_looks_again_even_where_everything_is_in_place(fresh: Fresh) -> None:
    fresh.prepare()
    fresh.run.calls.clear()
    fresh.prepare(engine_again=True, engine=Source.PATH)
    assert fresh.run.asked("pulumi", "version") == 1


def test_a_way_that_was_asked_for_stays_until_another_is_asked_for(fresh: Fresh) -> None:
    fresh.prepare(engine=Source.PATH)
    fresh.run.calls.clear()
    assert fresh.prepare()["engine"]["source"] == "path"
    assert fresh.run.asked("pulumi", "version") == 0
    with pytest.raises(MachineError, match=r"path: not asked for \(only release was\)"):
        fresh.prepare(engine=Source.RELEASE, offline=True)


def test_a_machine_that_cannot_reach_the_vendor_is_remembered_as_offline(fresh: Fresh) -> None:
    assert not is_offline(fresh.layout)
    report = fresh.prepare(offline=True)
    assert is_offline(fresh.layout)
    assert report["environment"]["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_passphrase_is_in_no_report_stamp_or_printed_line(fresh: Fresh) -> None:
    report = fresh.prepare()
    secret = fresh.layout.passphrase_file.read_text()
    assert len(secret) == 64
    seen = [json.dumps(report), fresh.printed.getvalue(), (fresh.layout.venv / "flower-federation.json").read_text()]
    assert not any(secret in text for text in seen)


def test_the_report_names_every_path_that_was_made(fresh: Fresh) -> None:
    paths = fresh.prepare()["paths"]
    assert set(paths) == {"venv", "flower_env", "cache", "activate"}
    assert all(os.path.exists(path) for path in paths.values())  # noqa: PTH110 - values of JSON
