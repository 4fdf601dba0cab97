"""What is rare and must be right all the same: odd values, holds beside new ranges, answers lost at a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_opennebula.provider.resources.ranges import held_in, ranges_in
from pulumi_opennebula.provider.templates import body_of
from pulumi_opennebula.provider.values import UNKNOWN, plain
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, EngineError, Program, Ref, SmallEngine

FIRST = {"arType": "IP4", "ip4": "10.1.0.1", "size": 4}
SECOND = {"arType": "IP4", "ip4": "10.2.0.1", "size": 4}
MACHINE = {"name": "it", "cpu": 0.1, "memory": 16}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        yield running


@pytest.fixture
def engine(zone: InProcess) -> Iterator[SmallEngine]:
    found = SmallEngine(zone.connect)
    yield found
    zone.zone.control.clear()
    asyncio.run(found.destroy())


def network(**inputs: Any) -> Program:
    return {"net": Declared(kind="virtualNetwork", inputs={"name": "net", "type": "dummy", "bridge": "br0", **inputs})}


def with_range() -> Program:
    return network() | {
        "range": Declared(
            kind="virtualNetworkAddressRange", inputs={"virtualNetworkId": Ref("net"), **FIRST, "holdIps": ["10.1.0.2"]}
        )
    }


def ranges(zone: InProcess, engine: SmallEngine) -> list[Any]:
    return ranges_in(body_of(zone.oned("vn.info", int(engine.state["net"].id))))


@pytest.mark.parametrize("kind", ["template", "virtualMachine"])
@pytest.mark.parametrize(
    "given",
    [
        {"tags": {"empty": "", "full": "\ttab and end \n"}},
        {"description": " before and after \n"},
        {"context": {"EMPTY": "", "SPACES": "  "}},
        {"templateSections": [{"name": "PART", "elements": {"EMPTY": ""}}]},
    ],
    ids="-".join,
)
def test_an_odd_value_is_no_difference_once_it_is_there(engine: SmallEngine, kind: str, given: dict[str, Any]) -> None:
    program = {"it": Declared(kind=kind, inputs=MACHINE | given)}
    asyncio.run(engine.up(program))
    assert asyncio.run(engine.preview(program)) == {"it": "same"}
    asyncio.run(engine.refresh())
    assert asyncio.run(engine.preview(program)) == {"it": "same"}


def test_an_empty_attribute_of_somebody_else_survives_an_update(zone: InProcess, engine: SmallEngine) -> None:
    asyncio.run(engine.up({"it": Declared(kind="template", inputs=MACHINE)}))
    number = int(engine.state["it"].id)
    zone.oned("template.update", number, 'THEIRS=""', 1)
    asyncio.run(engine.up({"it": Declared(kind="template", inputs={**MACHINE, "description": "b"})}))
    assert "<THEIRS>" in zone.oned("template.info", number)


def test_a_range_and_an_address_on_hold_in_it_come_and_go_together(zone: InProcess, engine: SmallEngine) -> None:
    asyncio.run(engine.up(network(ars=[FIRST])))
    for program, held in (
        (network(ars=[FIRST, SECOND], holdIps=["10.2.0.2"]), ["10.2.0.2"]),
        (network(ars=[FIRST], holdIps=["10.1.0.2"]), ["10.1.0.2"]),
    ):
        asyncio.run(engine.up(program))
        assert held_in(ranges(zone, engine)) == held
        assert asyncio.run(engine.preview(program)) == {"net": "same"}


def test_a_range_that_grows_is_resized_however_its_type_is_spelled(zone: InProcess, engine: SmallEngine) -> None:
    spelled = {**FIRST, "arType": "ip4"}
    asyncio.run(engine.up(network(ars=[spelled])))
    zone.zone.control.reset_counts()
    asyncio.run(engine.up(network(ars=[{**spelled, "size": 8}])))
    assert {name: zone.counts().get(name, 0) for name in ("one.vn.update_ar", "one.vn.free_ar")} == {
        "one.vn.update_ar": 1,
        "one.vn.free_ar": 0,
    }
    assert asyncio.run(engine.preview(network(ars=[{**spelled, "size": 8}]))) == {"net": "same"}


@pytest.mark.parametrize("effect", ["fail", "drop"])
def test_the_number_of_a_new_range_is_asked_for_until_oned_says_it(
    zone: InProcess, engine: SmallEngine, effect: str
) -> None:
    asyncio.run(engine.up(network()))
    # Before the range is added the network is looked at twice.
    getattr(zone.zone.control, effect)("one.vn.info", times=2, skip=2)
    asyncio.run(engine.up(with_range()))
    assert len(ranges(zone, engine)) == 1
    assert asyncio.run(engine.preview(with_range())) == {"net": "same", "range": "same"}


@pytest.mark.parametrize("lost", [("one.vn.add_ar", "lose", 0), ("one.vn.info", "fail", 2)])
def test_a_range_whose_number_was_lost_is_not_made_twice_and_can_be_imported(
    zone: InProcess, engine: SmallEngine, lost: tuple[str, str, int]
) -> None:
    asyncio.run(engine.up(network()))
    pattern, effect, skip = lost
    getattr(zone.zone.control, effect)(pattern, skip=skip)
    with pytest.raises(EngineError, match=r"^range: .*`pulumi import`"):
        asyncio.run(engine.up(with_range()))
    zone.zone.control.clear()
    number = f"{engine.state['net'].id}:0"
    with pytest.raises(EngineError, match=rf"range {number} does.*`pulumi import` it as {number}"):
        asyncio.run(engine.up(with_range()))
    asyncio.run(engine.import_("range", with_range()["range"], number))
    asyncio.run(engine.up(with_range()))
    assert len(ranges(zone, engine)) == 1


def test_a_range_that_changes_what_cannot_change_is_deleted_before_its_successor_is_made(engine: SmallEngine) -> None:
    asyncio.run(engine.up(with_range()))
    program = with_range()
    program["range"] = Declared(
        kind="virtualNetworkAddressRange", inputs={**program["range"].inputs, "mac": "02:00:00:00:00:09"}
    )
    assert asyncio.run(engine.up(program))["range"] == "replace"


@pytest.mark.parametrize("kind", ["network", "range"])
def test_what_cannot_be_deleted_because_it_is_in_use_keeps_its_holds_and_its_lock(
    zone: InProcess, engine: SmallEngine, kind: str
) -> None:
    locked = network(ars=[FIRST], holdIps=["10.1.0.2"], lock="USE")
    asyncio.run(engine.up(with_range() if kind == "range" else locked))
    number = int(engine.state["net"].id)
    if kind == "network":
        zone.oned("vn.unlock", number)
    # oned leases an address when it makes a VM, also one on hold.
    machine = zone.oned("vm.allocate", f'NAME="user"\nCPU=0.1\nMEMORY=16\nNIC=[NETWORK_ID={number}]', True)
    if kind == "network":
        zone.oned("vn.lock", number, 1, False)
    with pytest.raises(EngineError, match=r"one\.vn\.(delete|free_ar)"):
        asyncio.run(engine.destroy())
    assert held_in(ranges(zone, engine)) == ["10.1.0.2"]
    assert ("<LOCKED>1</LOCKED>" in zone.oned("vn.info", number)) == (kind == "network")
    zone.oned("vm.recover", machine, 3)


def test_an_image_that_somebody_disabled_changes_all_the_same(zone: InProcess, engine: SmallEngine) -> None:
    inputs = {"name": "image", "datastoreId": 1, "type": "DATABLOCK", "size": 8}
    asyncio.run(engine.up({"it": Declared(kind="image", inputs=inputs)}))
    zone.oned("image.enable", int(engine.state["it"].id), False)
    program = {"it": Declared(kind="image", inputs={**inputs, "description": "b"})}
    assert asyncio.run(engine.up(program)) == {"it": "update"}
    assert asyncio.run(engine.preview(program)) == {"it": "same"}


@pytest.mark.parametrize("disks", [UNKNOWN, [UNKNOWN], [{"imageId": UNKNOWN, "size": UNKNOWN}]], ids=str)
def test_a_preview_with_disks_that_are_not_known_yet_is_an_update(engine: SmallEngine, disks: Any) -> None:
    asyncio.run(
        engine.up(
            {"it": Declared(kind="virtualMachine", inputs={**MACHINE, "disks": [{"volatileType": "fs", "size": 8}]})}
        )
    )
    later = {"it": Declared(kind="virtualMachine", inputs={**MACHINE, "disks": disks})}
    assert asyncio.run(engine.preview(later)) == {"it": "update"}


def test_what_a_template_gives_a_vm_under_a_secret_name_is_a_secret_in_the_vms_state(engine: SmallEngine) -> None:
    asyncio.run(
        engine.up(
            {
                "template": Declared(kind="template", inputs={**MACHINE, "tags": {"ROOT_PASSWORD": "hush", "A": "b"}}),
                "vm": Declared(kind="virtualMachine", inputs={"name": "vm", "templateId": Ref("template")}),
            }
        )
    )
    state, secrets = plain(engine.state["vm"].outputs)
    assert state["templateTags"] == {"ROOT_PASSWORD": "hush", "A": "b"}
    assert secrets == {("templateTags", "ROOT_PASSWORD")}


@pytest.mark.parametrize(
    "later",
    [
        {"disks": UNKNOWN},
        {"disks": [UNKNOWN]},
        {"disks": [{"volatileType": "fs", "size": UNKNOWN}]},
        {"templateSections": UNKNOWN},
        {"templateSections": [UNKNOWN]},
        {"tags": UNKNOWN},
        {"context": UNKNOWN},
        {"context": {"A": UNKNOWN}},
    ],
    ids=str,
)
def test_an_adopted_vm_has_a_preview_also_where_its_program_is_not_known_yet(
    engine: SmallEngine, later: dict[str, Any]
) -> None:
    made = MACHINE | {
        "disks": [{"volatileType": "fs", "size": 8}],
        "templateSections": [{"name": "PART", "elements": {"A": "1"}}],
        "tags": {"A": "1"},
        "context": {"A": "1"},
    }
    declared = Declared(kind="virtualMachine", inputs=made)
    asyncio.run(engine.up({"it": declared}))
    number = engine.state.pop("it").id
    asyncio.run(engine.import_("it", declared, number))
    assert asyncio.run(engine.preview({"it": declared})) == {"it": "same"}
    changed = Declared(kind="virtualMachine", inputs=made | later)
    assert asyncio.run(engine.preview({"it": changed})) == {"it": "update"}
