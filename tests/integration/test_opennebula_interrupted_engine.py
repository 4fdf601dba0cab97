"""What stops half way, through the real engine: time is over, Ctrl-C, VMs of a service that do not boot.

The zone is a zonebox whatever the environment says: a real OpenNebula does not hang when it is asked to.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_support import Project, TestZone
from tests.patience import AT_ONCE_S, PATIENCE_S

pytestmark = [pytest.mark.engine, pytest.mark.slow]

MACHINES = """
for index in range(3):
    one.VirtualMachine(
        f"vm{index}", name=f"vm{index}-{TAG}", cpu=0.1, memory=16, hard_shutdown=True,
        opts=pulumi.ResourceOptions(custom_timeouts=TIMEOUTS),
    )
"""
SERVICE = """
machine = one.Template("machine", name=f"machine-{TAG}", cpu=0.1, memory=16)
number = machine.id.apply(int)
blueprint = one.ServiceTemplate("blueprint", name=f"blueprint-{TAG}", template=pulumi.Output.json_dumps({
    "deployment": "straight",
    "roles": [
        {"name": "front", "cardinality": 1, "template_id": number},
        {"name": "node", "cardinality": 2, "template_id": number, "parents": ["front"], "cooldown": 1},
    ],
}))
service = one.Service(
    "service", name=f"service-{TAG}", template_id=blueprint.id,
    extra_template=json.dumps({"roles": [{"name": "node", "cardinality": NODES}]}),
)
"""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, zone: InProcess) -> Iterator[Project]:
    test_zone = TestZone(environment=zone.zone.environment, datastore=1)
    project = Project(folder=tmp_path / "project", zone=test_zone).prepare()
    yield project
    zone.zone.control.clear()
    project.destroy()


def entries(project: Project) -> dict[str, dict[str, Any]]:
    """Resources of the state that are OpenNebula's."""
    return {name: entry for name, entry in project.state().items() if entry["type"].startswith("opennebula:")}


def ids(project: Project) -> dict[str, str]:
    return {name: entry["id"] for name, entry in entries(project).items()}


def interrupted(project: Project, zone: InProcess, *, met: int) -> tuple[str, float]:
    """Run `up` and send it SIGINT once a fault was met this often; what it said, and how long it went on after."""
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--suppress-progress", "--non-interactive", "--color", "never"],
        cwd=project.folder,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            end = time.monotonic() + PATIENCE_S
            while (report := zone.zone.control.faults()[0]).met < met:
                assert time.monotonic() < end and process.poll() is None, report
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return said, time.monotonic() - began


def test_vms_that_are_not_ready_in_time_and_then_interrupted_are_mended_by_the_next_up(
    project: Project, zone: InProcess
) -> None:
    zone.zone.control.hang("boot *")
    project.program('TIMEOUTS = pulumi.CustomTimeouts(create="2s", update="2s")\n' + MACHINES)
    said = project.up(fails=True)
    assert len(re.findall(r"VM \d+ is BOOT.* after 2 s: it must be ready by then", said)) >= 3, said
    first = entries(project)
    assert sorted(first) == ["vm0", "vm1", "vm2"]
    assert all(entry.get("initErrors") for entry in first.values())

    project.program("TIMEOUTS = None\n" + MACHINES.replace("range(3)", "range(4)"))
    said, went_on_s = interrupted(project, zone, met=4)
    assert went_on_s < AT_ONCE_S, said
    assert "it asked to stop" in said, said
    second = ids(project)
    assert {name: number for name, number in second.items() if name != "vm3"} == {
        name: entry["id"] for name, entry in first.items()
    }
    alive = zone.zone.call(zone.zone.zone.model.vms.alive)
    assert sorted(vm["ID"] for vm in alive) == sorted(second.values()), "nothing is orphaned"
    assert len(alive) == 4

    zone.zone.control.clear()
    project.up()
    third = entries(project)
    assert {name: entry["id"] for name, entry in third.items()} == second
    assert not any(entry.get("initErrors") for entry in third.values())
    assert {vm["LCM_STATE"] for vm in zone.zone.call(zone.zone.zone.model.vms.alive)} == {"3"}
    assert "5 unchanged" in project.preview()


def test_a_service_whose_vms_do_not_boot_says_what_oneflow_logged_and_is_recovered(
    project: Project, zone: InProcess
) -> None:
    control = zone.zone.control
    control.fail("boot node_*", text="no such bridge")
    project.program("NODES = 2\n" + SERVICE)
    said = project.up(fails=True)
    assert "is FAILED_DEPLOYING: it must be RUNNING" in said
    assert "OneFlow logged: I: New state: DEPLOYING_NETS; I: New state: DEPLOYING; I: New state: FAILED" in said
    assert re.search(r"VM 'node_0_\(service_\d+\)' is BOOT_FAILURE: .*no such bridge", said), said
    number = ids(project)["service"]

    control.clear()
    project.up()
    service = entries(project)["service"]
    assert service["id"] == number
    assert [len(role["nodes"]) for role in service["outputs"]["roles"]] == [1, 2]

    control.fail("boot node_*", text="no such bridge")
    project.program("NODES = 3\n" + SERVICE)
    said = project.up(fails=True)
    assert "is FAILED_SCALING: it must be RUNNING" in said
    control.clear()
    project.destroy()
    assert zone.flow("GET", "/service") == {"DOCUMENT_POOL": {}}
    assert zone.zone.call(zone.zone.zone.model.vms.alive) == [], "a service that failed is removed with its VMs"
