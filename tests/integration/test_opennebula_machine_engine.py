"""VirtualMachine through the real engine: made, changed in place, replaced only where it must be, mended, adopted."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from pulumi_opennebula.provider.templates import body_of, children, text_at
from tests.opennebula_support import Project, TestZone, project, squeezed, zone
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.engine, pytest.mark.slow]
__all__ = ["project", "zone"]

BASE = """
network = one.VirtualNetwork("network", name=f"network-{TAG}", type="dummy", bridge="br0")
addresses = one.VirtualNetworkAddressRange(
    "addresses", virtual_network_id=network.id, ar_type="IP4", ip4="10.77.0.10", size=20
)
image = one.Image("image", name=f"image-{TAG}", datastore_id=DATASTORE, type="DATABLOCK", size=16)
after = pulumi.ResourceOptions(depends_on=[addresses])
"""
INLINE = """
vm = one.VirtualMachine(
    "vm",
    name=f"vm-{TAG}",
    description="for tests",
    cpu=0.1,
    vcpu=1,
    memory=64,
    context={
        "NETWORK": "YES",
        "hostname": "$NAME",
        "SERVER_KEY": pulumi.Output.secret("cHJpdmF0ZQ=="),
    },
    graphics={"type": "VNC", "listen": "0.0.0.0"},
    os={"arch": "x86_64", "boot": ""},
    nics=[
        {"network_id": network.id, "ip": "10.77.0.20", "model": "virtio"},
        {"network_id": network.id, "name": "second"},
    ],
    nic_aliases=[{"parent": "second", "network_id": network.id}],
    disks=[{"image_id": image.id, "target": "vda"}, {"volatile_type": "swap", "size": 16}],
    tags={"Project": "flower"},
    hard_shutdown=True,
    opts=after,
)
pulumi.export("ip", vm.ip)
pulumi.export("nics", vm.nics)
pulumi.export("disks", vm.disks)
"""
TEMPLATED = """
template = one.Template(
    "template",
    name=f"template-{TAG}",
    cpu=0.1,
    memory=64,
    context={"NETWORK": "YES", "ROLE": "base"},
    nics=[{"network_id": network.id}],
    disks=[{"image_id": image.id}],
    tags={"environment": "test"},
    opts=after,
)
vm = one.VirtualMachine(
    "vm", name=f"vm-{TAG}", template_id=template.id, memory=96, context={"ROLE": "mine"}, hard_shutdown=True
)
"""


def number(project: Project, name: str = "vm") -> int:
    return int(project.state()[name]["id"])


def machine(project: Project, name: str = "vm") -> dict[str, Any]:
    """The VM as oned shows it."""
    return body_of(project.zone.call("vm.info", number(project, name)))


def rests(zone: TestZone, vm: int, name: str = "LCM_STATE", wanted: str = "3") -> None:
    """Come back when a VM is where it is on its way to: oned does one thing after the other, and shows it meanwhile."""
    end = time.monotonic() + PATIENCE_S
    while text_at(body_of(zone.call("vm.info", vm)), name) != wanted:
        assert time.monotonic() < end, "the VM does not come to rest"


def vectors(body: dict[str, Any], name: str) -> list[dict[str, str]]:
    return [item for item in children(body, "TEMPLATE", name) if isinstance(item, dict)]


def test_a_vm_runs_is_unchanged_and_leaves_nothing(project: Project) -> None:
    project.program(BASE + INLINE)
    assert "+ 5 to create" in squeezed(project.preview())
    assert f"vm-{project.tag}" not in str(project.zone.call("vmpool.info", -2, -1, -1, -1))
    up = project.up()
    assert f"VM vm-{project.tag}" in up
    outputs = project.outputs()
    assert outputs["ip"] == "10.77.0.20"
    assert [card["nicId"] for card in outputs["nics"]] == [0, 1]
    assert [disk["diskId"] for disk in outputs["disks"]] == [0, 1]
    assert "5 unchanged" in project.preview()
    project.refresh()
    assert "to update" not in project.preview()
    assert "cHJpdmF0ZQ==" not in project.pulumi("stack", "export")
    vm = number(project)
    project.destroy()
    assert text_at(body_of(project.zone.call("vm.info", vm)), "STATE") == "6"


def test_cards_disks_context_tags_and_capacity_change_without_a_new_vm(project: Project) -> None:
    project.program(BASE + INLINE)
    project.up()
    before = machine(project)
    changed = (
        INLINE.replace('"ip": "10.77.0.20", "model": "virtio"', '"ip": "10.77.0.21", "model": "virtio"')
        .replace('{"volatile_type": "swap", "size": 16}', '{"volatile_type": "swap", "size": 32}')
        .replace('"hostname": "$NAME",', '"EXTRA": "1",')
        .replace('tags={"Project": "flower"}', 'tags={"Owner": "berlin"}')
        .replace("memory=64", "memory=128")
        .replace('description="for tests"', 'description="changed"')
        .replace('"target": "vda"},', '"target": "vda"}, {"image_id": image.id, "target": "vdb"},')
    )
    project.program(BASE + changed)
    preview = project.preview()
    assert "~ 1 to update" in squeezed(preview)
    assert "replace" not in preview
    project.up()
    body = machine(project)
    assert text_at(body, "ID") == text_at(before, "ID")
    assert text_at(body, "LCM_STATE") == "3"
    addresses = {text_at(card, "IP") for card in vectors(body, "NIC")}
    assert len(addresses) == 2 and "10.77.0.21" in addresses and "10.77.0.20" not in addresses
    assert [text_at(disk, "TARGET") for disk in vectors(body, "DISK") if text_at(disk, "IMAGE_ID")] == ["vda", "vdb"]
    assert {text_at(disk, "SIZE") for disk in vectors(body, "DISK") if text_at(disk, "TYPE") == "swap"} == {"32"}
    (context,) = vectors(body, "CONTEXT")
    assert context["EXTRA"] == "1" and "HOSTNAME" not in context and context["SERVER_KEY"] == "cHJpdmF0ZQ=="
    assert (text_at(body, "TEMPLATE", "MEMORY"), text_at(body, "USER_TEMPLATE", "OWNER")) == ("128", "berlin")
    assert text_at(body, "USER_TEMPLATE", "PROJECT") == ""
    assert text_at(body, "USER_TEMPLATE", "DESCRIPTION") == "changed"
    assert "to update" not in project.preview()
    project.refresh()
    assert "to update" not in project.preview()


def test_a_vm_of_a_template_shows_what_the_template_brought_and_keeps_it(project: Project) -> None:
    project.program(BASE + TEMPLATED)
    project.up()
    outputs = project.state()["vm"]["outputs"]
    assert outputs["templateTags"] == {"ENVIRONMENT": "test"}
    assert len(outputs["templateNics"]) == len(outputs["templateDisks"]) == 1
    body = machine(project)
    (context,) = vectors(body, "CONTEXT")
    assert (context["NETWORK"], context["ROLE"], text_at(body, "TEMPLATE", "MEMORY")) == ("YES", "mine", "96")

    project.program(
        BASE + TEMPLATED.replace("memory=96,", 'memory=96, nics=[{"network_id": network.id, "name": "b"}],')
    )
    project.up()
    assert [text_at(card, "NAME") for card in vectors(machine(project), "NIC")] == ["NIC0", "b"]
    assert "to update" not in project.preview()
    project.program(BASE + TEMPLATED)
    project.up()
    assert [text_at(card, "NAME") for card in vectors(machine(project), "NIC")] == ["NIC0"]
    project.refresh()
    assert "to update" not in project.preview()


def test_refresh_finds_what_was_changed_behind_its_back_and_up_mends_it(project: Project) -> None:
    project.program(BASE + INLINE)
    project.up()
    vm = number(project)
    zone = project.zone
    zone.call("vm.detachnic", vm, 0)
    rests(zone, vm)
    zone.call("vm.attach", vm, 'DISK=[TYPE="fs",SIZE="8"]')
    rests(zone, vm)
    zone.call("vm.update", vm, 'PROJECT="other"\nREADY="YES"', 1)
    zone.call("vm.rename", vm, f"renamed-{project.tag}")
    refreshed = squeezed(project.refresh())
    for found in ('"10.77.0.20"', 'volatileType: "fs"', '"flower" => "other"', f'"renamed-{project.tag}"'):
        assert found in refreshed, refreshed
    project.up()
    body = machine(project)
    assert (text_at(body, "ID"), text_at(body, "NAME")) == (str(vm), f"vm-{project.tag}")
    assert "10.77.0.20" in {text_at(card, "IP") for card in vectors(body, "NIC")}
    assert {text_at(disk, "TYPE") for disk in vectors(body, "DISK")} == {"FILE", "swap"}
    assert (text_at(body, "USER_TEMPLATE", "PROJECT"), text_at(body, "USER_TEMPLATE", "READY")) == ("flower", "YES")
    project.refresh()
    assert "to update" not in project.preview()


def test_what_vanished_is_made_again(project: Project) -> None:
    project.program(BASE + INLINE)
    project.up()
    vm = number(project)
    project.zone.call("vm.action", "terminate-hard", vm)
    rests(project.zone, vm, "STATE", "6")
    project.refresh()
    project.up()
    assert number(project) != vm


@pytest.mark.parametrize("program", [INLINE, TEMPLATED], ids=["inline", "templated"])
def test_a_vm_can_be_imported_and_the_preview_after_it_is_empty(project: Project, tmp_path: Path, program: str) -> None:
    project.program(BASE + program)
    project.up()
    other = Project(folder=tmp_path / "other", zone=project.zone, tag=project.tag).prepare()
    for name, entry in project.state().items():
        if entry["type"].startswith("opennebula:"):
            other.pulumi("import", entry["type"], name, entry["id"], "--yes", "--generate-code=false",
                         "--protect=false", "--skip-preview")  # fmt: skip
    assert "cHJpdmF0ZQ==" not in other.pulumi("stack", "export")
    other.program(BASE + program)
    preview = other.preview()
    assert "to update" not in preview and "to replace" not in preview, preview
    other.up()
    other.refresh()
    assert "to update" not in other.preview()


def test_a_vm_that_no_host_takes_stays_in_the_state_and_the_next_up_goes_on_with_it(project: Project) -> None:
    waits = INLINE.replace("hard_shutdown=True,", "hard_shutdown=True, sched_requirements='NAME = \"nowhere\"',")
    project.program(BASE + waits.replace("opts=after", 'timeouts={"create": "3s"}, opts=after'))
    said = project.up(fails=True)
    assert re.search(r"VM \d+ is PENDING.* after 3 s: it must be ready by then", said)
    vm = number(project)
    project.program(BASE + INLINE)
    project.up()
    assert number(project) == vm
    assert text_at(machine(project), "LCM_STATE") == "3"


def test_what_opennebula_cannot_change_replaces_the_vm_and_frees_its_address_first(project: Project) -> None:
    project.program(BASE + INLINE.replace("hard_shutdown=True,", 'hard_shutdown=True, on_disk_change="RECREATE",'))
    project.up()
    vm = number(project)
    grown = INLINE.replace("hard_shutdown=True,", 'hard_shutdown=True, on_disk_change="RECREATE",').replace(
        '"target": "vda"}', '"target": "vda", "size": 32}'
    )
    project.program(BASE + grown)
    project.up()
    assert number(project) == vm
    project.program(BASE + grown.replace('"target": "vda"', '"target": "vdc"'))
    assert "+-1 to replace" in project.preview().replace("+- 1", "+-1").replace("+-  1", "+-1")
    project.up()
    assert number(project) != vm
    assert project.outputs()["ip"] == "10.77.0.20"


def test_a_disk_that_would_have_to_shrink_is_refused_at_preview(project: Project) -> None:
    grown = INLINE.replace('"target": "vda"}', '"target": "vda", "size": 32}')
    project.program(BASE + grown)
    project.up()
    project.program(BASE + grown.replace('"size": 32', '"size": 24'))
    said = project.preview(fails=True)
    assert "disks[0].size is 24 and the disk has 32 MB: a disk cannot shrink" in said


def test_a_vm_on_hold_is_released_and_cards_keep_their_order_where_that_is_asked_for(project: Project) -> None:
    held = INLINE.replace("hard_shutdown=True,", "hard_shutdown=True, pending=True, keep_nic_order=True,")
    project.program(BASE + held)
    project.up()
    vm = number(project)
    assert text_at(machine(project), "STATE") == "2"
    first = '{"network_id": network.id, "name": "first", "ip": "10.77.0.25"},\n        {"network_id": network.id, "ip"'
    released = held.replace("pending=True, ", "").replace('{"network_id": network.id, "ip"', first, 1)
    project.program(BASE + released)
    project.up()
    assert number(project) == vm
    cards = vectors(machine(project), "NIC")
    assert [text_at(card, "NAME") for card in cards] == ["first", text_at(cards[1], "NAME"), "second"]
    assert [text_at(card, "IP") for card in cards][:2] == ["10.77.0.25", "10.77.0.20"]
    assert len(vectors(machine(project), "NIC_ALIAS")) == 1
    assert "to update" not in project.preview()


def test_vms_of_an_anti_affine_role_are_on_hosts_of_their_own(project: Project) -> None:
    """On a zone of one host the second VM waits, and OpenNebula says so."""
    project.program(
        """
group = one.VirtualMachineGroup("group", name=f"group-{TAG}", roles=[{"name": "node", "policy": "ANTI_AFFINED"}])
for index in range(2):
    one.VirtualMachine(
        f"vm{index}", name=f"vm{index}-{TAG}", cpu=0.1, memory=32, hard_shutdown=True,
        vmgroup={"vmgroup_id": group.id.apply(int), "role": "node"}, timeouts={"create": "4s"},
    )
"""
    )
    hosts = len(list(children(body_of(project.zone.call("hostpool.info")), "HOST")))
    said = project.up(fails=hosts < 2)
    assert ("is PENDING" in said) == (hosts < 2)
