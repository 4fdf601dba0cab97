"""Where a VM goes: capacity, PCI devices, requirements, VM groups."""

from __future__ import annotations

from typing import Any

import pytest

from zonebox.errors import Refused
from zonebox.model import placement
from zonebox.model.requirements import met

NOWHERE_ELSE = placement.Neighbours()


def _host(id_: int, *, cpu: int = 800, memory_mb: int = 1024, pci: Any = ()) -> dict[str, Any]:
    devices: Any = [
        {"SHORT_ADDRESS": address, "VENDOR": vendor, "DEVICE": "0863", "CLASS": "0302", "VMID": vm}
        for address, vendor, vm in pci
    ]
    share = {"MAX_CPU": str(cpu), "CPU_USAGE": "0", "MAX_MEM": str(memory_mb * 1024), "MEM_USAGE": "0"}
    share_tree: dict[str, Any] = {**share, "PCI_DEVICES": {"PCI": devices} if devices else {}}
    return {
        "ID": str(id_),
        "NAME": f"h{id_}",
        "STATE": "2",
        "CLUSTER_ID": "0",
        "TEMPLATE": {},
        "HOST_SHARE": share_tree,
    }


def _vm(cpu: str = "1", memory_mb: str = "64", *, user: Any = None, **template: Any) -> dict[str, Any]:
    tree = {"CPU": cpu, "MEMORY": memory_mb, **template}
    return {"ID": "7", "STATE": "1", "TEMPLATE": tree, "USER_TEMPLATE": user or {}}


def test_the_emptiest_host_that_fits_is_taken() -> None:
    busy, free = _host(0), _host(1)
    busy["HOST_SHARE"]["CPU_USAGE"] = "500"
    choice = placement.choose(_vm(), [busy, free], NOWHERE_ELSE)
    assert isinstance(choice, placement.Choice)
    assert choice.host_id == 1


@pytest.mark.parametrize("vm", [_vm(cpu="9"), _vm(memory_mb="2048")])
def test_a_vm_that_fits_nowhere_gets_the_recorded_message(vm: dict[str, Any]) -> None:
    message = placement.choose(vm, [_host(0)], NOWHERE_ELSE)
    assert message == "Cannot allocate VM. Not enough capacity in hosts 0"


def test_disabled_hosts_are_not_used() -> None:
    host = _host(0)
    host["STATE"] = "4"
    assert placement.choose(_vm(), [host], NOWHERE_ELSE) == "Cannot allocate VM. No hosts are enabled to run VMs"


def test_every_pci_vector_gets_a_device_of_its_own() -> None:
    host = _host(0, pci=[("01:00.0", "10de", "-1"), ("01:00.1", "10de", "-1"), ("02:00.0", "8086", "-1")])
    vm = _vm(PCI=[{"VENDOR": "10de"}, {"SHORT_ADDRESS": "01:00.0"}])
    choice = placement.choose(vm, [host], NOWHERE_ELSE)
    assert isinstance(choice, placement.Choice)
    assert choice.pci == ("01:00.1", "01:00.0")


def test_a_device_that_a_vm_has_is_not_given_again() -> None:
    host = _host(0, pci=[("01:00.0", "10de", "3")])
    vm = _vm(PCI={"VENDOR": "10de"})
    assert placement.choose(vm, [host], NOWHERE_ELSE) == "Cannot allocate VM. Not enough capacity in hosts 0"


def _group(policy: str) -> dict[str, Any]:
    role = {"ID": "0", "NAME": "node", "POLICY": policy, "VMS": "5,7"}
    return {"ID": "1", "ROLES": {"ROLE": role}, "TEMPLATE": {}}


def test_a_role_with_anti_affinity_keeps_its_vms_on_different_hosts() -> None:
    vm = _vm(VMGROUP={"VMGROUP_ID": "1", "ROLE": "node"})
    near = placement.neighbours(vm, [_group("ANTI_AFFINED")], {5: 0})
    choice = placement.choose(vm, [_host(0), _host(1)], near)
    assert isinstance(choice, placement.Choice)
    assert choice.host_id == 1
    message = placement.choose(vm, [_host(0)], near)
    assert message == "Cannot allocate VM. No host meets its requirements and affinity rules"


def test_a_role_with_affinity_keeps_its_vms_together() -> None:
    vm = _vm(VMGROUP={"VMGROUP_ID": "1", "ROLE": "node"})
    near = placement.neighbours(vm, [_group("AFFINED")], {5: 0})
    choice = placement.choose(vm, [_host(0), _host(1)], near)
    assert isinstance(choice, placement.Choice)
    assert choice.host_id == 0


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", True),
        ('CLUSTER_ID!="123"', True),
        ("FREE_CPU > 50", True),
        ("FREE_CPU < 50", False),
        ('NAME = "h*" & !(ID = 4)', True),
        ('ID = "4" | (NAME = h0 & CLUSTER_ID = 0)', True),
        ('GPU = "yes"', False),
        ('"CLUSTERS" @> 0', False),
    ],
)
def test_requirements_are_evaluated_on_the_hosts_attributes(expression: str, expected: bool) -> None:
    assert met(expression, {"NAME": "h0", "ID": "0", "CLUSTER_ID": "0", "FREE_CPU": "700"}) is expected


@pytest.mark.parametrize("expression", ["NAME =", "(NAME = a", "NAME = a ) b", "= 3 &"])
def test_unreadable_requirements_are_refused_with_the_expression(expression: str) -> None:
    with pytest.raises(Refused, match="Error parsing requirements"):
        met(expression, {})
