"""A zone that runs only what somebody it trusts has signed: real SuperLink, SuperNode and example, and a small hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flower_federation.control_certificate import ControlCertificate
from flower_federation.runs import RunRequest, run_app
from flower_federation.runs_errors import RunFailedError
from flower_federation.tunnel import opened_tunnel
from pulumi_flower.control import ControlClient, Run
from tests.appliance_support import CLIENTS, FLOWER_BIN, REPOSITORY, FakeOneGate, b64, wait_until
from tests.control_support import issue_client, operator
from tests.hub_support import Hub, Reviewer
from tests.integration.test_appliance_vms import Lab

pytestmark = [pytest.mark.flower, pytest.mark.slow, pytest.mark.timeout(180)]

APP = REPOSITORY / "examples/breast_cancer"
NAME = "@flower-federation/breast-cancer"
CONFIG = "num-server-rounds=1 min-nodes=1"
BOARD, STRANGER = Reviewer("review-board"), Reviewer("somebody-else")
SIGNED, FOREIGN, FORGED = "0.1.0", "0.1.1", "0.1.2"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Offers the example: signed by the board, by a stranger, and by a stranger under the board's name."""
    folder = tmp_path_factory.mktemp("fab")
    # flwr 1.41.0 builds no app whose folder has an underscore in its name, though it runs one.
    named = shutil.copytree(APP, folder / "breast-cancer", ignore=shutil.ignore_patterns("__pycache__"))
    command = [FLOWER_BIN / "flwr", "build", "--app", named]
    subprocess.run(command, cwd=folder, env={**os.environ, "FLWR_HOME": str(folder)}, check=True, capture_output=True)
    (built,) = folder.glob("*.fab")
    fab = built.read_bytes()
    forged = {**STRANGER.verification(fab), "public_key_id": BOARD.id}
    with Hub() as hub:
        hub.apps[NAME, SIGNED] = fab, [STRANGER.verification(fab), BOARD.verification(fab)]
        hub.apps[NAME, FOREIGN] = fab, [STRANGER.verification(fab)]
        hub.apps[NAME, FORGED] = fab, [forged]
        yield hub


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Lab]:
    """A SuperLink that knows the hub, and a node with data that trusts the board."""
    folder = tmp_path_factory.mktemp("signed")
    with FakeOneGate() as onegate:
        lab = Lab(folder, onegate)
        lab.superlink.write_context({**lab.superlink_values, "FL_APP_HUB": hub.url})
        lab.superlink.start(lab.image)
        try:
            lab.superlink.wait_for(READY="YES", FL_STATE="online")
            prepare = [FLOWER_BIN / "python", APP / "prepare.py", "--folder", folder, "berlin"]
            subprocess.run(prepare, check=True, capture_output=True)
            node = lab.supernode(FL_TRUSTED_ENTITIES=b64(json.dumps({BOARD.id: BOARD.line})))
            rows = folder / "berlin/data/breast_cancer.csv"
            (node.root / "srv/data" / rows.name).write_bytes(rows.read_bytes())
            node.wait_for(READY="YES", FL_STATE="waiting")
            lab.enrol(node)
            node.wait_for(FL_STATE="online")
            yield lab
        finally:
            for vm in (*lab.vms, lab.superlink):
                vm.stop()


def client(lab: Lab) -> ControlClient:
    return ControlClient(f"{lab.address}:9093", lab.ca.pem, identity=operator(), timeout_s=10)


def submit(lab: Lab, version: str) -> int:
    answer = lab.flwr("run", f"{NAME}=={version}", "--run-config", CONFIG)
    assert answer["success"], answer
    return int(answer["run-id"])


def ended(lab: Lab, run_id: int) -> Run:
    def look() -> Run | None:
        run = client(lab).find_run(run_id)
        return run if run is not None and run.finished else None

    return wait_until(look, f"the end of run {run_id}", timeout_s=90.0)


def log_of(lab: Lab, run_id: int) -> str:
    return "".join(piece.text for piece in client(lab).stream_logs(run_id))


def test_an_app_that_a_trusted_key_has_signed_runs(lab: Lab, hub: Hub) -> None:
    run_id = submit(lab, SIGNED)

    assert ended(lab, run_id).label == "finished:completed"
    assert '"nodes": 1' in log_of(lab, run_id)
    assert {"app_id": NAME, "app_version": SIGNED}.items() <= hub.asked[0].items()


def test_an_app_without_a_signature_is_refused_on_the_node_and_federation_run_says_so(lab: Lab, tmp_path: Path) -> None:
    certificate, key = issue_client(CLIENTS, "operator", "operator")
    way = ControlCertificate(
        certificate=certificate, key=key, ca_certificate=lab.ca.pem, endpoint=f"{lab.address}:9093"
    )
    with opened_tunnel(way, now=lambda: datetime.now(UTC)) as tunnel, pytest.raises(RunFailedError) as failure:
        run_app(
            RunRequest(
                app=APP,
                endpoint=tunnel.endpoint,
                ca_certificate=tunnel.ca_certificate,
                flwr=FLOWER_BIN / "flwr",
                home=tmp_path,
                run_config={"num-server-rounds": 1, "min-nodes": 1},
                timeout_s=90.0,
            ),
            environment=os.environ,
            on_round=lambda reported: pytest.fail(f"it ran: {reported}"),
        )
    assert "1 of 1 nodes: The FAB could not be verified. (code 7)" in str(failure.value)


def test_apps_that_others_have_signed_are_refused_whatever_name_they_give(lab: Lab) -> None:
    runs = [submit(lab, version) for version in (FOREIGN, FORGED)]

    for run_id in runs:
        assert ended(lab, run_id).label == "finished:failed"
        assert "The FAB could not be verified. (code 7)" in log_of(lab, run_id)
    (node,) = lab.vms
    log = (node.root / "var/log/flower/flower-supernode.log").read_text()
    assert log.count("FAB verification failed") == len(runs)
