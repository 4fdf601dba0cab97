"""An object that was made, and whose next step failed: it is in the state, and the next `up` mends it. Every type."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

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
