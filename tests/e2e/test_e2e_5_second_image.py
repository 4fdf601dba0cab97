"""Another image for a federation that runs: the centre and a zone get it, and one that does not work goes back.

Both images are process images of the same appliance, published as images of the zone. What is in the environment of a
VM's first process tells which of them it runs.
"""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.version import FLOWER_VERSION
from pulumi_flower.control import ControlClient, NodeState
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, PARIS, REPOSITORY, STACKS, Measured, Project, wait_until
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

SECOND, MISLABELLED = "flower-appliance-second", "flower-appliance-mislabelled"
"""The latter says that it carries the stacks' Flower version, and carries another one."""
MARK = "IMAGE_OF_THIS_TEST"
OTHER_VERSION = "1.99.0"
ZONES = {CENTRAL: "madrid", BERLIN: "berlin", PARIS: "paris"}


@dataclass(frozen=True)
class Node:
    """What a registered node is known by."""

    name: str
    node_id: int
    fingerprint: str


def registered(client: ControlClient) -> frozenset[Node]:
    return frozenset(
        Node(str(node.name), node.node_id, node.key.fingerprint)
        for node in client.list_nodes()
        if node.key is not None and node.state is not NodeState.UNREGISTERED
    )


def publish(project: Project, stack: str, name: str, **environment: str) -> None:
    """A second process image in a stack's zone, which says that it carries the stack's Flower version."""
    folder = project.layout.state / "images"
    document = json.loads((folder / "flower-appliance.json").read_text())
    document["environment"] |= {MARK: name, **environment}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document))
    view = ZoneView(project.zones[ZONES[stack]])
    text = f'NAME="{name}"\nTYPE="OS"\nPATH="{path}"\nFL_FLOWER_VERSION="{FLOWER_VERSION}"'
    number = int(view.call("image.allocate", text, 1))
    wait_until(lambda: "<STATE>1</STATE>" in view.call("image.info", number), timeout_s=PATIENCE_S, what=lambda: name)
    project.published.append((view.zone.name, number))


def name_image(project: Project, stack: str, name: str) -> str:
    """Edit image.name of a stack, as an operator does; the file's text before."""
    before = project.stack_file(stack).read_text()
    text, changed = re.subn(r"(flower-federation:image:\n    )\w+: .*", rf"\1name: {name}", before)
    assert changed == 1
    project.stack_file(stack).write_text(text)
    return before


def image_of(project: Project, stack: str) -> dict[int, str]:
    """The image that each VM of a stack runs, by what its first process was started with; empty for the first one."""
    view = ZoneView(project.zones[ZONES[stack]])
    found = {}
    for vm_id in view.vms():
        (pid,) = view.processes(vm_id, "-m flower_appliance boot")
        variables = dict(
            part.split(b"=", 1) for part in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in part
        )
        found[vm_id] = variables.get(MARK.encode(), b"").decode()
    return found


def upgrade(project: Project, stack: str, *options: str, status: int = 0) -> tuple[dict[str, Any], float]:
    """What the command reports of a stack, and the seconds that it took."""
    ended = project.federation("upgrade", stack, "--json", *options, stack=stack)
    assert ended.returncode == status, ended.text
    return json.loads(ended.stdout)[stack], ended.seconds


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """What came of it: the centre before berlin, and paris at the same time, by an operator who waits for nobody."""

    project: Project
    before: frozenset[Node]
    outputs: Any
    """Of berlin's nodes, before."""
    centre: dict[str, Any]
    berlin: dict[str, Any]
    paris: dict[str, Any]


@pytest.fixture(scope="module")
def upgraded(federation: Project, measured: Measured) -> Upgraded:
    client = federation.control()
    before, outputs = registered(client), federation.stack_outputs(BERLIN)["nodes"]
    federation.wait_online(client, {node.name for node in before})
    assert {image for stack in STACKS for image in image_of(federation, stack).values()} == {""}
    other = federation.layout.state / "images" / "mislabelled"
    other.mkdir()
    shutil.copytree(REPOSITORY / "src" / "flower_appliance", other / "flower_appliance")
    version = other / "flower_appliance" / "version.py"
    version.write_text(version.read_text().replace(FLOWER_VERSION, OTHER_VERSION))
    publish(federation, CENTRAL, SECOND)
    publish(federation, BERLIN, SECOND)
    publish(federation, PARIS, MISLABELLED, PYTHONPATH=str(other))
    for stack in (CENTRAL, BERLIN):
        name_image(federation, stack, SECOND)
    file_before = name_image(federation, PARIS, MISLABELLED)

    with ThreadPoolExecutor() as pool:
        bad = pool.submit(upgrade, federation, PARIS, "--timeout", "60", status=1)
        centre, centre_s = upgrade(federation, CENTRAL)
        berlin, berlin_s = upgrade(federation, BERLIN)
        paris, paris_s = bad.result()
    measured("another image for the SuperLink, pulumi up before and after it included", centre_s)
    measured("another image for a pool of one SuperNode, the same", berlin_s)
    measured("an image that does not get READY in 60 s, and the way back, both beside it", paris_s)
    federation.stack_file(PARIS).write_text(file_before)
    return Upgraded(
        project=federation, before=before, outputs=outputs, centre=centre, berlin=berlin, paris=paris
    )  # fmt: skip


def test_centre_and_zone_run_the_image_that_their_stacks_name_now(upgraded: Upgraded) -> None:
    for stack, report in ((CENTRAL, upgraded.centre), (BERLIN, upgraded.berlin)):
        images = image_of(upgraded.project, stack)
        assert set(images.values()) == {SECOND}
        assert (len(report["upgraded"]), report["rolled_back"]) == (len(images), {})
        (left,) = ZoneView(upgraded.project.zones[ZONES[stack]]).pool("imagepool", -2, -1, -1)
        assert left.findtext("NAME") == SECOND, "the stack's own is gone with its last VM"


def test_an_image_that_does_not_get_ready_gives_way_to_the_one_before(upgraded: Upgraded) -> None:
    ((vm, why),) = upgraded.paris["rolled_back"].items()
    assert upgraded.paris["upgraded"] == []
    assert why.startswith("it says: ") and OTHER_VERSION in why
    assert vm in ZoneView(upgraded.project.zones["paris"]).vms().values()
    assert set(image_of(upgraded.project, PARIS).values()) == {""}


def test_every_node_is_who_it_was(upgraded: Upgraded) -> None:
    """That they train, too, is seen in test_e2e_5_signed_apps.py, whose runs come next in this federation."""
    project, client = upgraded.project, upgraded.project.control()
    project.wait_online(client, {node.name for node in upgraded.before})
    assert registered(client) == upgraded.before, "same keys, names and numbers"
    assert project.stack_outputs(BERLIN)["nodes"] == upgraded.outputs, "same partitions"
