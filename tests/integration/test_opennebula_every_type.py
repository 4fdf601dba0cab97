"""Every resource type on a zonebox: unchanged, found changed, found gone and made again, adopted, removed.

`test_opennebula_sequences` meets types at random; here each has its turn in every run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_opennebula.errors import RefusedError
from pulumi_opennebula.provider.registry import HANDLERS
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_programs import change_behind_the_back, delete_behind_the_back
from tests.opennebula_small_engine import Declared, Json, Program, Ref, SmallEngine, bare
from tests.patience import PATIENCE_S

MACHINE = {"template_id": Ref("machine"), "template_contents": {"NIC": [{"NETWORK_ID": Ref("network")}]}}
PROGRAM: Program = {
    "group": Declared(
        kind="securityGroup",
        inputs={"name": "group", "description": "a", "rules": [{"protocol": "ALL", "ruleType": "OUTBOUND"}]},
    ),
    "network": Declared(
        kind="virtualNetwork", inputs={"name": "network", "type": "dummy", "bridge": "br0", "description": "a"}
    ),
    "addresses": Declared(
        kind="virtualNetworkAddressRange",
        inputs={"virtualNetworkId": Ref("network"), "arType": "IP4", "ip4": "10.66.0.10", "size": 40},
    ),
    "island": Declared(
        kind="virtualNetwork",
        inputs={"name": "island", "type": "dummy", "bridge": "br1", "description": "a"},
    ),
    "shore": Declared(
        kind="virtualNetworkAddressRange",
        inputs={"virtualNetworkId": Ref("island"), "arType": "IP4", "ip4": "10.67.0.10", "size": 4},
    ),
    "disk": Declared(
        kind="image",
        inputs={"name": "disk", "datastoreId": 1, "type": "DATABLOCK", "size": 8, "description": "a"},
    ),
    "machine": Declared(
        kind="template",
        inputs={
            "name": "machine",
            "cpu": 0.1,
            "memory": 64,
            "context": {"NETWORK": "YES", "fl_word": "first"},
            "templateSections": [
                {"name": "PCI", "elements": {"SHORT_ADDRESS": "01:00.0"}},
                {"name": "PCI", "elements": {"SHORT_ADDRESS": "01:00.1"}},
            ],
        },
    ),
    "small": Declared(
        kind="template", inputs={"name": "small", "cpu": 0.1, "memory": 64, "context": {"fl_word": "first"}}
    ),
    "blueprint": Declared(
        kind="serviceTemplate",
        inputs={
            "name": "blueprint",
            "template": Json(
                {
                    "deployment": "straight",
                    "roles": [
                        {"name": "front", "cardinality": 1, **MACHINE, "template_id": Ref("small")},
                        {
                            "name": "node",
                            "cardinality": 1,
                            "max_vms": 5,
                            "min_vms": 0,
                            "cooldown": 1,
                            "parents": ["front"],
                            **MACHINE,
                            "template_id": Ref("small"),
                        },
                    ],
                }
            ),
        },
    ),
    "service": Declared(
        kind="service",
        inputs={
            "name": "service",
            "templateId": Ref("blueprint"),
            "extraTemplate": Json({"roles": [{"name": "node", "cardinality": 2}]}),
        },
        after=("addresses",),
    ),
    "words": Declared(
        kind="serviceContext",
        inputs={"serviceId": Ref("service"), "role": "node", "variables": {"FL_WORD": "first", "FL_OTHER": "a b"}},
    ),
    "affinity": Declared(
        kind="virtualMachineGroup", inputs={"name": "affinity", "roles": [{"name": "x", "policy": "ANTI_AFFINED"}]}
    ),
    "single": Declared(
        kind="virtualMachine",
        inputs={
            "name": "single",
            "cpu": 0.1,
            "memory": 64,
            "hardShutdown": True,
            "context": {"NETWORK": "YES", "fl_word": "first"},
            "nics": [{"networkId": Ref("network"), "model": "virtio"}],
            "disks": [{"imageId": Ref("disk")}],
        },
        after=("addresses",),
    ),
    "market": Declared(
        kind="marketplace",
        inputs={"name": "market", "https": [{"endpointUrl": "http://a.example.org", "path": "/srv/a"}]},
    ),
    "appliance": Declared(
        kind="marketplaceAppliance",
        inputs={"name": "appliance", "marketId": Ref("market"), "type": "VMTEMPLATE", "version": "1"},
    ),
}
KEPT_BY_USE = {"network", "addresses", "disk", "small", "market"}
"""What OpenNebula does not delete while others use it, or whose end others would not survive."""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        yield running


class Stack:
    """A program that is up."""

    def __init__(self, zone: InProcess) -> None:
        self.zone = zone
        self.engine = SmallEngine(zone.connect)

    def run(self, coroutine: Any) -> Any:
        return asyncio.run(asyncio.wait_for(coroutine, PATIENCE_S))

    def up(self) -> dict[str, str]:
        return dict(self.run(self.engine.up(PROGRAM)))

    def preview(self) -> dict[str, str]:
        return dict(self.run(self.engine.preview(PROGRAM)))

    def refresh(self) -> dict[str, str]:
        return dict(self.run(self.engine.refresh()))


@pytest.fixture(scope="module")
def stack(zone: InProcess) -> Iterator[Stack]:
    found = Stack(zone)
    assert set(found.up().values()) == {"create"}
    yield found
    found.up()
    found.run(found.engine.destroy())


def test_the_program_has_every_resource_type() -> None:
    assert {declared.token for declared in PROGRAM.values()} == set(HANDLERS)


def test_what_is_up_is_unchanged_and_refreshing_finds_nothing(stack: Stack) -> None:
    assert set(stack.preview().values()) == {"same"}
    stack.refresh()
    assert set(stack.refresh().values()) == {"same"}
    assert set(stack.preview().values()) == {"same"}


@pytest.mark.parametrize("name", sorted(PROGRAM))
def test_a_change_behind_its_back_is_found_by_refresh_and_taken_back_by_up(stack: Stack, name: str) -> None:
    entry = stack.engine.state[name]
    change_behind_the_back(PROGRAM[name].kind, entry.id, bare(entry.inputs), stack.zone.oned, stack.zone.flow)
    assert stack.refresh()[name] == "changed"
    assert stack.preview()[name] == "update"
    assert stack.up()[name] == "update"
    assert stack.engine.state[name].id == entry.id
    assert set(stack.preview().values()) == {"same"}


@pytest.mark.parametrize("name", sorted(set(PROGRAM) - KEPT_BY_USE - {"words"}))
def test_what_vanished_is_found_gone_and_made_again(stack: Stack, name: str) -> None:
    before = stack.engine.state[name].id
    delete_behind_the_back(PROGRAM[name].kind, before, stack.zone.oned, stack.zone.flow)
    end = time.monotonic() + PATIENCE_S
    while stack.refresh().get(name, "gone") != "gone":
        assert time.monotonic() < end, f"{name} {before} is not gone"
    assert stack.preview()[name] == "create"
    assert stack.up()[name] == "create"
    assert set(stack.preview().values()) == {"same"}


@pytest.mark.parametrize("name", sorted(KEPT_BY_USE - {"small", "addresses"}))
def test_what_others_use_is_not_deleted_behind_anybodys_back(stack: Stack, name: str) -> None:
    """So there is nothing for a refresh to find: OpenNebula refuses."""
    entry = stack.engine.state[name]
    with pytest.raises(RefusedError):
        delete_behind_the_back(PROGRAM[name].kind, entry.id, stack.zone.oned, stack.zone.flow)


def test_everything_is_imported_and_the_preview_after_it_is_empty(stack: Stack) -> None:
    stack.up()
    before = {name: bare(entry.outputs) for name, entry in stack.engine.state.items()}
    other = Stack(stack.zone)
    for name, declared in PROGRAM.items():
        stack.run(other.engine.import_(name, declared, stack.engine.state[name].id))
    assert set(other.preview().values()) == {"same"}
    assert set(other.up().values()) == {"same"}
    other.refresh()
    assert set(other.preview().values()) == {"same"}
    after = {name: bare(entry.outputs) for name, entry in other.engine.state.items()}
    for name, key in (
        ("machine", "templateSections"),
        ("machine", "context"),
        ("single", "nics"),
        ("words", "variables"),
    ):
        assert after[name][key] == before[name][key], name


READS = {"info", "infoextended", "version"}


def changing(zone: InProcess) -> list[str]:
    """Requests since the last reset that are no reads."""
    asked = zone.counts()
    found = [name for name in asked if name.startswith("one.") and name.rsplit(".", 1)[1] not in READS]
    return found + [name for name in asked if name.startswith("oneflow ") and not name.startswith("oneflow GET")]


def test_no_preview_changes_anything_whatever_it_previews(stack: Stack) -> None:
    control = stack.zone.zone.control
    control.reset_counts()
    fresh = Stack(stack.zone)
    assert set(fresh.run(fresh.engine.preview(other_program())).values()) == {"create"}
    moved = {name: _with(declared, description="b", name="moved") for name, declared in PROGRAM.items()}
    steps = stack.run(stack.engine.preview(moved))
    assert set(steps.values()) >= {"update"} and len(steps) == len(PROGRAM)
    smaller = {"group": _with(PROGRAM["group"])}
    assert set(stack.run(stack.engine.preview(smaller)).values()) == {"same", "delete"}
    assert stack.zone.counts(), "they asked"
    assert changing(stack.zone) == []


def test_what_is_gone_already_is_deleted_as_done(zone: InProcess) -> None:
    stack = Stack(zone)
    stack.run(stack.engine.up(other_program()))
    # Users before what they use; a network's ranges go with it, a ServiceContext is nothing that could be deleted.
    first = ("service", "single", "appliance")
    with_others = {"addresses", "shore", "words"}
    for name in (*first, *(name for name in PROGRAM if name not in {*first, *with_others})):
        entry = stack.engine.state[name]
        delete_behind_the_back(PROGRAM[name].kind, entry.id, zone.oned, zone.flow)
        if name in {"service", "single"}:
            end = time.monotonic() + PATIENCE_S
            while _is_there(zone, name, entry.id):
                assert time.monotonic() < end, f"{name} is not gone"
    stack.run(stack.engine.destroy())
    assert stack.engine.state == {}


def _is_there(zone: InProcess, name: str, id_: str) -> bool:
    if name == "service":
        return any(item["ID"] == id_ for item in zone.flow("GET", "/service")["DOCUMENT_POOL"].get("DOCUMENT", []))
    return any(vm["ID"] == id_ for vm in zone.zone.call(zone.zone.zone.model.vms.alive))


def test_a_program_that_is_destroyed_leaves_nothing(zone: InProcess) -> None:
    model = zone.zone.zone.model
    pools = (model.secgroups, model.vnets, model.images, model.templates, model.vmgroups, model.markets, model.apps)

    def objects() -> dict[str, list[str]]:
        found = {pool.kind.key: pool.everything for pool in (*pools, model.documents)} | {"vm": model.vms.alive}
        return {key: sorted(tree["ID"] for tree in zone.zone.call(every)) for key, every in found.items()}

    before = objects()
    stack = Stack(zone)
    stack.run(stack.engine.up(other_program()))
    assert objects() != before
    stack.run(stack.engine.destroy())
    assert objects() == before


def other_program() -> Program:
    """The same under other names."""
    return {
        name: _with(declared, name=f"other-{declared.inputs.get('name')}", ip4="10.99.0.10")
        for name, declared in PROGRAM.items()
    }


def _with(declared: Declared, **changes: Any) -> Declared:
    """The same with other inputs, of those that it has."""
    inputs = {key: changes.get(key, value) for key, value in declared.inputs.items()}
    return Declared(kind=declared.kind, inputs=inputs, after=declared.after)
