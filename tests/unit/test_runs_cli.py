"""How Flower's CLI is configured and called, and what of its answers counts."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flower_federation.errors import InputError
from flower_federation.processes import Finished, Progress
from flower_federation.runs_cli import flwr_environment, format_run_config, read_run_id, submit, write_flwr_home
from flower_federation.runs_errors import SubmitError


@dataclass
class Answering:
    """A runner that answers and keeps what it was asked."""

    output: str
    argv: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout_s: float | None = None,
        progress: Progress | None = None,
    ) -> Finished:
        self.argv, self.env = [str(part) for part in argv], env
        return Finished(returncode=0, output=self.output, seconds=1.0)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.flwr.app]\n")
    return folder


def test_the_configuration_names_an_absolute_certificate_and_is_its_owners_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_flwr_home(Path("home"), endpoint="127.0.0.1:9093", ca_certificate="PEM")
    config = tomllib.loads((tmp_path / "home" / "config.toml").read_text())
    connection = config["superlink"][config["superlink"]["default"]]
    assert connection["address"] == "127.0.0.1:9093"
    assert Path(connection["root-certificates"]).is_absolute()
    assert Path(connection["root-certificates"]).read_text() == "PEM"
    for file in ("config.toml", "ca.crt"):
        assert stat.S_IMODE((tmp_path / "home" / file).stat().st_mode) == 0o600


def test_a_configuration_that_others_could_read_is_replaced_and_not_just_written_to(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("old")
    (tmp_path / "config.toml").chmod(0o644)
    write_flwr_home(tmp_path, endpoint="127.0.0.1:9093", ca_certificate="PEM")
    assert stat.S_IMODE((tmp_path / "config.toml").stat().st_mode) == 0o600


def test_telemetry_and_update_checks_are_off_and_flowers_programs_are_found_first(tmp_path: Path) -> None:
    environment = flwr_environment(tmp_path / "bin" / "flwr", tmp_path, {"PATH": "/usr/bin", "LANG": "C"})
    assert environment["FLWR_TELEMETRY_ENABLED"] == "0"
    assert environment["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert environment["PATH"].split(os.pathsep) == [str(tmp_path / "bin"), "/usr/bin"]
    assert environment["LANG"] == "C"


def test_overrides_are_written_as_flower_reads_them() -> None:
    config = {
        "min-nodes": 3,
        "learning-rate": 0.5,
        "verbose": True,
        "note": "two words",
        "a_b": 2,
        "opt.Lr": 1,
    }
    expected = 'min-nodes=3 learning-rate=0.5 verbose=true note="two words" a_b=2 opt.Lr=1'
    assert format_run_config(config) == expected


@pytest.mark.parametrize(
    "config", [{"Min Nodes": 3}, {"a=b": 1}, {"a..b": 1}, {"note": 'a "quote"'}, {"note": "two\nlines"}]
)
def test_an_override_that_flower_would_misread_is_refused(config: dict[str, int | str]) -> None:
    with pytest.raises(InputError):
        format_run_config(config)


def test_a_submitted_run_is_known_by_all_digits_of_its_id(app: Path, tmp_path: Path) -> None:
    runner = Answering(json.dumps({"success": True, "run-id": "18446744073709551557"}))
    run_id = submit(
        app=app, flwr=Path("flwr"), home=tmp_path, run_config={"min-nodes": 3}, environment={}, runner=runner
    )
    assert run_id == 18446744073709551557
    assert runner.argv == ["flwr", "run", str(app), "federation", "--format", "json", "--run-config", "min-nodes=3"]
    assert runner.env["FLWR_HOME"] == str(tmp_path)


@pytest.mark.parametrize(
    "output",
    [
        '{"success": false, "error-message": "Connection refused"}',
        '{"success": false, "run-id": "5"}',
        '{"success": true, "run-id": null}',
        '{"success": true, "run-id": 1.8446744073709552e+19}',
        "Traceback: no JSON at all",
        "",
    ],
)
def test_an_exit_status_of_0_without_a_run_is_an_error_that_shows_the_output(
    app: Path, tmp_path: Path, output: str
) -> None:
    assert read_run_id(output) is None
    with pytest.raises(SubmitError) as error:
        submit(app=app, flwr=Path("flwr"), home=tmp_path, run_config={}, environment={}, runner=Answering(output))
    assert output in str(error.value)


def test_an_app_of_a_hub_is_submitted_by_its_name(tmp_path: Path) -> None:
    runner = Answering(json.dumps({"success": True, "run-id": "5"}))
    submit(app="@board/app==1.0.0", flwr=Path("flwr"), home=tmp_path, run_config={}, environment={}, runner=runner)
    assert runner.argv == ["flwr", "run", "@board/app==1.0.0", "federation", "--format", "json"]


def test_a_folder_without_an_app_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    runner = Answering("")
    with pytest.raises(InputError, match="examples/breast_cancer"):
        submit(app=tmp_path, flwr=Path("flwr"), home=tmp_path, run_config={}, environment={}, runner=runner)
    assert runner.argv == []
