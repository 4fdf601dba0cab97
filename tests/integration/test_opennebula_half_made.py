"""An object that was made, and whose next step failed: it is in the state, and the next `up` mends it. Every type."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pulumi_opennebula.provider.resources.ranges import held_in, ranges_in
from pulumi_opennebula.provider.templates import body_of
from tests.integration.test_opennebula_every_type import PROGRAM
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, EngineError, Program, SmallEngine

STEPS = {
    "group": "one.secgroup.chmod",
    "island": "one.vn.chmod",
    "shore": "one.vn.hold",
    "disk": "one.image.chmod",
    "small": "one.template.chmod",
    "blueprint": "oneflow POST /service_template/*/action",
    "service": "oneflow POST /service/*/action",
    "affinity": "one.vmgroup.chmod",
    "single": "one.vm.chmod",
    "market": "one.market.chmod",
    "appliance": "one.marketapp.chmod",
}
"""Resource of the program -> the call that comes after the one that made it."""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        yield running


def program_for(name: str) -> Program:
    """A resource with what it needs, and an input that takes a second step."""
    needed, waiting = {name}, [name]
    while waiting:
        for other in PROGRAM[waiting.pop()].needs - needed:
            needed.add(other)
            waiting.append(other)
    second = {"holdIps": ["10.67.0.11"]} if name == "shore" else {"permissions": "640"}
    found = {other: PROGRAM[other] for other in PROGRAM if other in needed}
    found[name] = Declared(
        kind=PROGRAM[name].kind, inputs={**PROGRAM[name].inputs, **second}, after=PROGRAM[name].after
    )
    return found


def test_every_type_that_takes_more_than_one_call_is_here() -> None:
    # A ServiceContext makes no object, so that there is nothing that could be half made.
    assert {PROGRAM[name].kind for name in STEPS} == {found.kind for found in PROGRAM.values()} - {"serviceContext"}


@pytest.mark.parametrize("effect", ["fail", "lose"])
@pytest.mark.parametrize("name", sorted(STEPS))
def test_what_is_half_made_is_in_the_state_and_mended_by_the_next_up(zone: InProcess, name: str, effect: str) -> None:
    engine, program = SmallEngine(zone.connect), program_for(name)
    getattr(zone.zone.control, effect)(STEPS[name], times=1)
    with pytest.raises(EngineError, match=rf"^{name}: "):
        asyncio.run(engine.up(program))
    assert not engine.state[name].ready
    made = engine.state[name].id
    assert asyncio.run(engine.preview(program))[name] == "update"
    assert asyncio.run(engine.up(program))[name] == "update"
    assert (engine.state[name].id, engine.state[name].ready) == (made, True)
    assert set(asyncio.run(engine.preview(program)).values()) == {"same"}
    asyncio.run(engine.destroy())
    zone.zone.control.clear()


@pytest.mark.parametrize("name", sorted(STEPS))
def test_what_is_half_made_is_removed_where_the_program_gives_it_up(zone: InProcess, name: str) -> None:
    engine, program = SmallEngine(zone.connect), program_for(name)
    zone.zone.control.fail(STEPS[name], times=1)
    with pytest.raises(EngineError):
        asyncio.run(engine.up(program))
    del program[name]
    assert asyncio.run(engine.up(program))[name] == "delete"
    assert name not in engine.state
    asyncio.run(engine.destroy())
    zone.zone.control.clear()


@pytest.mark.parametrize("kind", ["range", "network"])
@pytest.mark.parametrize("after", [[], ["10.67.0.12"]], ids=["none", "another"])
def test_an_address_whose_release_failed_is_released_by_the_next_up_and_keeps_nothing_from_being_removed(
    zone: InProcess, kind: str, after: list[str]
) -> None:
    def holding(addresses: list[str]) -> Program:
        if kind == "range":
            found = program_for("shore")
            found["shore"] = Declared(kind=found["shore"].kind, inputs={**found["shore"].inputs, "holdIps": addresses})
            return found
        ranges = [{"arType": "IP4", "ip4": "10.67.0.10", "size": 4}]
        inputs = {"name": "holding", "type": "dummy", "bridge": "br0", "ars": ranges, "holdIps": addresses}
        return {"holding": Declared(kind="virtualNetwork", inputs=inputs)}

    engine = SmallEngine(zone.connect)
    asyncio.run(engine.up(holding(["10.67.0.11"])))
    zone.zone.control.fail("one.vn.release", times=1)
    with pytest.raises(EngineError):
        asyncio.run(engine.up(holding(after)))
    asyncio.run(engine.up(holding(after)))
    network = engine.state["island" if kind == "range" else "holding"].id
    assert held_in(ranges_in(body_of(zone.oned("vn.info", int(network))))) == after
    asyncio.run(engine.destroy())
    zone.zone.control.clear()


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize(
    ("kind", "step", "method"),
    [("template", "one.template.update", "template.info"), ("virtualMachine", "one.vm.update*", "vm.info")],
)
def test_what_an_update_that_failed_had_to_take_away_is_not_forgotten(
    zone: InProcess, kind: str, step: str, method: str, refreshed: bool
) -> None:
    first = {
        "name": "it",
        "cpu": 0.1,
        "memory": 16,
        "tags": {"stays": "1", "goes": "1"},
        "context": {"STAYS": "1", "GOES": "1"},
        "templateSections": [{"name": "GONE", "elements": {"A": "1"}}],
    }
    second = {**first, "tags": {"stays": "1"}, "context": {"STAYS": "2"}}
    del second["templateSections"]
    engine = SmallEngine(zone.connect)
    asyncio.run(engine.up({"it": Declared(kind=kind, inputs=first)}))
    number = int(engine.state["it"].id)
    zone.zone.control.fail(step, times=1)
    wanted = {"it": Declared(kind=kind, inputs=second)}
    with pytest.raises(EngineError):
        asyncio.run(engine.up(wanted))
    if refreshed:
        asyncio.run(engine.refresh())
    assert asyncio.run(engine.up(wanted)) == {"it": "update"}
    body = zone.oned(method, number)
    assert "<STAYS>" in body and "GOES" not in body and "GONE" not in body
    assert asyncio.run(engine.preview(wanted)) == {"it": "same"}
    asyncio.run(engine.destroy())
    zone.zone.control.clear()
