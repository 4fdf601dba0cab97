"""The example app on a real SuperLink with two real SuperNodes: TLS, node authentication, keys registered by us."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flower_federation.runs import RunRequest, run_app
from flower_federation.runs_cli import flwr_environment, write_flwr_home
from flower_federation.runs_errors import RunFailedError, RunTimeoutError, SubmitError
from flower_federation.runs_report import Round
from pulumi_flower.control import NodeState
from pulumi_flower.keys import parse_openssh
from tests.flower_support import FLOWER_BIN, REPOSITORY, Superlink, loopback_address, node_key, running_superlink
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.flower, pytest.mark.slow]

APP = REPOSITORY / "examples" / "breast_cancer"
ZONES = ("berlin", "paris")


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superlink]:
    data = tmp_path_factory.mktemp("data")
    subprocess.run([FLOWER_BIN / "python", APP / "prepare.py", "--folder", data, *ZONES], check=True)
    with running_superlink(tmp_path_factory.mktemp("superlink")) as superlink:
        for number, zone in enumerate(ZONES):
            private, public = node_key()
            superlink.client().register_node(parse_openssh(public), f"{zone}/supernode-0")
            superlink.start_supernode(
                zone,
                loopback_address(superlink.folder, 10 + number),
                private,
                f"partition-id={1000 * (number + 1)} num-partitions=2 data-path='{data / zone / 'data'}'",
            )
        superlink.wait_for(
            lambda nodes: [node.state for node in nodes] == [NodeState.ONLINE] * len(ZONES), what="both nodes online"
        )
        yield superlink


def request(superlink: Superlink, home: Path, *, timeout_s: float = PATIENCE_S, **run_config: int | str) -> RunRequest:
    return RunRequest(
        app=APP,
        endpoint=superlink.endpoint,
        ca_certificate=superlink.authority.pem,
        flwr=FLOWER_BIN / "flwr",
        home=home,
        run_config={name.replace("_", "-"): value for name, value in run_config.items()},
        timeout_s=timeout_s,
    )


def test_three_rounds_complete_and_are_told_as_they_come_and_the_model_is_good(
    federation: Superlink, tmp_path: Path
) -> None:
    states_when_told: list[tuple[int, bool]] = []

    def note(reported: Round) -> None:
        states_when_told.append((reported.number, federation.client().list_runs(limit=1)[0].finished))

    result = run_app(request(federation, tmp_path / "flwr"), environment=os.environ, on_round=note)

    assert result.status == "finished:completed"
    assert [each.number for each in result.rounds] == [1, 2, 3]
    # Not asked of the second: where this process had to wait for a CPU, the third may have ended before the answer.
    assert states_when_told[0] == (1, False)
    assert {each.nodes for each in result.rounds} == {2}
    assert result.rounds[-1].accuracy > 0.93
    assert result.rounds[-1].loss < result.rounds[0].loss
    assert federation.client().find_run(int(result.run_id)) is not None
    assert stat.S_IMODE((tmp_path / "flwr" / "config.toml").stat().st_mode) == 0o600


def test_a_run_whose_nodes_all_fail_is_an_error_with_the_end_of_its_log(federation: Superlink, tmp_path: Path) -> None:
    # A text where the ClientApp wants a number of steps.
    with pytest.raises(RunFailedError) as failure:
        run_app(
            request(federation, tmp_path / "flwr", local_steps="none"),
            environment=os.environ,
            on_round=lambda reported: pytest.fail(f"no round can succeed: {reported}"),
        )
    assert "finished:failed" in str(failure.value)
    assert "no node sent trained weights" in str(failure.value)


def test_a_run_that_waits_for_nodes_that_do_not_come_is_stopped_in_time(federation: Superlink, tmp_path: Path) -> None:
    with pytest.raises(RunTimeoutError, match="min-nodes"):
        run_app(
            request(federation, tmp_path / "flwr", timeout_s=20, min_nodes=3),
            environment=os.environ,
            on_round=lambda reported: pytest.fail(f"no round can start: {reported}"),
        )
    run = federation.client().list_runs(limit=1)[0]
    assert run.label == "finished:stopped"


def test_every_status_is_the_one_that_flowers_own_cli_prints(federation: Superlink, tmp_path: Path) -> None:
    runs = federation.client().list_runs()
    write_flwr_home(tmp_path, endpoint=federation.endpoint, ca_certificate=federation.authority.pem)
    flwr = FLOWER_BIN / "flwr"
    printed = subprocess.run(
        [flwr, "ls", "federation", "--format", "json"],
        env=flwr_environment(flwr, tmp_path, os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = {run["run-id"]: run["status"] for run in json.loads(printed.stdout)["runs"]}
    assert theirs
    assert {str(run.run_id): run.label for run in runs} == theirs


def test_a_folder_that_is_no_app_is_refused_by_flower_and_no_run_is_made(federation: Superlink, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'nothing'\nversion = '1.0.0'\n")
    before = len(federation.client().list_runs())
    wrong = RunRequest(
        app=tmp_path,
        endpoint=federation.endpoint,
        ca_certificate=federation.authority.pem,
        flwr=FLOWER_BIN / "flwr",
        home=tmp_path / "flwr",
    )
    with pytest.raises(SubmitError, match="flwr build"):
        run_app(wrong, environment=os.environ, on_round=lambda reported: None)
    assert len(federation.client().list_runs()) == before
