"""A zone that runs only what somebody it trusts has signed: its operator's settings, `pulumi up`, and what runs say.

Paris demands signatures, berlin does not. Apps that are run by name come from a small hub on loopback, which hands out
signatures as Flower's own does; nobody signs an app that is sent from a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.zone_view import ZoneView
from tests.e2e_support import CENTRAL, PARIS, REPOSITORY, Ended, Measured, Project
from tests.flower_support import FLOWER_BIN
from tests.hub_support import Hub, Reviewer

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

NAME = "@flower-federation/breast-cancer"
BOARD, STRANGER = Reviewer("review-board"), Reviewer("somebody-else")
SIGNED, FOREIGN = "0.1.0", "0.1.1"
"""Versions at the hub."""

TRUSTED_FILE = "etc/flower/trusted-entities.yaml"
SUPERNODE_LOG = "var/log/flower/flower-supernode.log"
DEMAND = f"""\
  flower-federation:trustedEntities:
    - id: {BOARD.id}
      key: {BOARD.line}
"""


@pytest.fixture(scope="module")
def apps(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """The hub with the example, signed by the board among others, and with a stranger's, signed also as the board."""
    with ThreadPoolExecutor() as pool:
        folders = [tmp_path_factory.mktemp("fab"), tmp_path_factory.mktemp("fab")]
        signed, foreign = pool.map(build, folders, (SIGNED, FOREIGN))
    forged = {**STRANGER.verification(foreign), "public_key_id": BOARD.id}
    hub.apps[NAME, SIGNED] = signed, [STRANGER.verification(signed), BOARD.verification(signed)]
    hub.apps[NAME, FOREIGN] = foreign, [STRANGER.verification(foreign), forged]
    return hub


def build(folder: Path, version: str) -> bytes:
    """The example as Flower packs it, under a version: flwr 1.41.0 keeps one set of signatures for the same bytes."""
    # It builds no app whose folder has an underscore in its name, though it runs one.
    app = REPOSITORY / "examples" / "breast_cancer"
    named = shutil.copytree(app, folder / "breast-cancer", ignore=shutil.ignore_patterns("__pycache__"))
    project = named / "pyproject.toml"
    text, changed = re.subn(r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text())
    assert changed == 1
    project.write_text(text)
    command = [FLOWER_BIN / "flwr", "build", "--app", named]
    subprocess.run(command, cwd=folder, env={**os.environ, "FLWR_HOME": str(folder)}, check=True, capture_output=True)
    (built,) = folder.glob("*.fab")
    return built.read_bytes()


@pytest.fixture(scope="module")
def demanding(federation: Project) -> Iterator[Project]:
    """The federation, with paris demanding the board's signature; as it was in the end."""
    file = federation.stack_file(PARIS)
    before = file.read_text()
    file.write_text(re.sub(r"(?m)^config:\n", f"config:\n{DEMAND}", before))
    federation.up(PARIS)
    yield federation
    withdraw(federation)
    assert file.read_text() == before


def withdraw(project: Project) -> None:
    """Paris demands nothing any more; nothing happens where it did not."""
    file = project.stack_file(PARIS)
    text = file.read_text()
    if DEMAND in text:
        file.write_text(text.replace(DEMAND, ""))
        project.up(PARIS)


def node_of(project: Project, zone: str) -> tuple[Path, str]:
    """Folder of one of a zone's VMs, and the command line of its SuperNode."""
    view = ZoneView(project.zones[zone])
    vm_id = max(view.vms())
    (command,) = view.processes(vm_id, "/flower-supernode ").values()
    return view.guest(vm_id), command


def online(project: Project) -> int:
    """How many nodes the federation has."""
    return sum(node.state.value == "online" for node in project.control().list_nodes())


def run(project: Project, *app: str) -> tuple[Mapping[str, Any], Ended]:
    """One round on every node; what `federation run` reported and said."""
    settings = ("--config", "num-server-rounds=1", "--config", f"min-nodes={online(project)}")
    ended = project.federation("run", *app, "--json", *settings, stack=CENTRAL)
    assert ended.returncode == 0, ended.text
    return json.loads(ended.stdout), ended


def assert_refused_in_paris(project: Project, result: Mapping[str, Any], ended: Ended) -> None:
    """All nodes but the one in paris trained, and the operator is told why that one did not."""
    nodes = online(project)
    assert [each["nodes"] for each in result["rounds"]] == [nodes - 1]
    reason = "The FAB could not be verified."
    assert result["refusals"] == [{"number": 1, "nodes": 1, "asked": nodes, "code": 7, "reason": reason}]
    assert f"round 1: 1 of {nodes} nodes sent no result: {reason}" in ended.stderr
    assert "Their zones run only apps that somebody on their list trustedEntities has signed" in ended.stderr


def test_a_zones_settings_reach_its_nodes_and_no_other_zones(demanding: Project) -> None:
    guest, command = node_of(demanding, "paris")
    assert f"--trusted-entities {guest / TRUSTED_FILE}" in command
    assert json.loads((guest / TRUSTED_FILE).read_text()) == {BOARD.id: BOARD.line}
    berlins, command = node_of(demanding, "berlin")
    assert "--trusted-entities" not in command
    assert not (berlins / TRUSTED_FILE).exists()


def test_apps_that_nobody_or_only_strangers_signed_are_refused_there_and_their_runs_say_so(
    demanding: Project, apps: Hub, measured: Measured
) -> None:
    with ThreadPoolExecutor() as pool:
        unsigned, foreign = pool.map(lambda app: run(demanding, *app), ((), (f"{NAME}=={FOREIGN}",)))

    for result, ended in (unsigned, foreign):
        assert_refused_in_paris(demanding, result, ended)
    guest, _ = node_of(demanding, "paris")
    log = (guest / SUPERNODE_LOG).read_text()
    # Once for each message, to train and to evaluate.
    assert log.count("App verification is not supported") == 2, "the one from a folder"
    assert log.count("FAB verification failed") == 2, "the strangers', also under the board's name"
    measured("an unsigned app, another beside it: refused by one zone, run by the other", unsigned[1].seconds)
    measured("an app that strangers signed, another beside it: the same", foreign[1].seconds)


def test_an_app_that_a_listed_key_has_signed_runs_everywhere(demanding: Project, apps: Hub, measured: Measured) -> None:
    result, ended = run(demanding, f"{NAME}=={SIGNED}")

    assert [each["nodes"] for each in result["rounds"]] == [online(demanding)]
    assert result["refusals"] == []
    assert {"app_id": NAME, "app_version": SIGNED}.items() <= apps.asked[-1].items()
    measured("a signed app: run by every zone", ended.seconds)


def test_a_zone_that_demands_nothing_any_more_runs_everything_again(demanding: Project, measured: Measured) -> None:
    withdraw(demanding)

    guest, command = node_of(demanding, "paris")
    assert "--trusted-entities" not in command
    assert not (guest / TRUSTED_FILE).exists()
    result, ended = run(demanding)
    assert [each["nodes"] for each in result["rounds"]] == [online(demanding)]
    assert result["refusals"] == []
    measured("an unsigned app after the demand was withdrawn: run by every zone", ended.seconds)
