"""Whatever is under way when the engine asks to stop: it ends at once, stays in the state, the next `up` goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, EngineError, Json, Program, Ref, SmallEngine
from tests.patience import AT_ONCE_S, PATIENCE_S

_FEW = 12
"""Requests after a cancel: what is under way is read once more, for the state. Nothing waits, so nothing polls."""
ROLE = {"name": "node", "template_id": Ref("machine"), "cooldown": 1}


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path / "zone", rushing=False) as running:
        yield running


def machine(disks: int = 0) -> Program:
    inputs = {"name": "vm", "cpu": 0.1, "memory": 16, "disks": [{"volatileType": "fs", "size": 8}] * disks}
    return {"it": Declared(kind="virtualMachine", inputs=inputs)}


def service(nodes: int = 2) -> Program:
    extra = Json({"roles": [{"name": "node", "cardinality": nodes}]})
    return {
        "machine": Declared(kind="template", inputs={"name": "machine", "cpu": 0.1, "memory": 16}),
        "blueprint": Declared(
            kind="serviceTemplate",
            inputs={"name": "b", "template": Json({"deployment": "none", "roles": [{**ROLE, "cardinality": 2}]})},
        ),
        "it": Declared(
            kind="service", inputs={"name": "service", "templateId": Ref("blueprint"), "extraTemplate": extra}
        ),
    }


async def cancelled(zone: InProcess, engine: SmallEngine, program: Program | None, *, met: int) -> None:
    """Run `up` (None: `destroy`) until a fault was met this often, cancel it, and see it end."""
    going = asyncio.create_task(engine.destroy() if program is None else engine.up(program))
    end = time.monotonic() + PATIENCE_S
    while (await asyncio.to_thread(zone.zone.control.faults))[0].met < met:
        assert time.monotonic() < end and not going.done(), "nothing hangs"
        await asyncio.sleep(0.01)
    assert engine.provider is not None
    await asyncio.to_thread(zone.zone.control.reset_counts)
    await engine.provider.cancel()
    with pytest.raises(EngineError, match="it asked to stop"):
        await asyncio.wait_for(going, AT_ONCE_S)
    counts = await asyncio.to_thread(zone.counts)
    assert sum(counts.values()) <= _FEW, counts


@pytest.mark.parametrize(
    ("before", "after", "fault", "met"),
    [
        (None, machine(), "boot *", 1),
        (machine(), machine(disks=1), "hotplug *", 1),
        (machine(), None, "stop *", 1),
        (None, service(), "boot *", 2),
        (service(), service(3), "boot *", 1),
        (service(), None, "stop *", 2),
    ],
    ids=["a VM's start", "a VM's change", "a VM's end", "a service's start", "its scaling", "its end"],
)
def test_what_is_cancelled_stays_in_the_state_and_the_next_command_goes_on(
    zone: InProcess, before: Program | None, after: Program | None, fault: str, met: int
) -> None:
    engine = SmallEngine(zone.connect)
    if before is not None:
        asyncio.run(engine.up(before))
    zone.zone.control.hang(fault)
    asyncio.run(cancelled(zone, engine, after, met=met))
    kept = engine.state["it"].id
    zone.zone.control.clear()
    if after is not None:
        assert asyncio.run(engine.up(after))["it"] in {"update", "same"}
        assert engine.state["it"].id == kept
        assert set(asyncio.run(engine.preview(after)).values()) == {"same"}
    asyncio.run(engine.destroy())
    assert engine.state == {}
    assert zone.zone.call(zone.zone.zone.model.vms.alive) == []


@pytest.mark.parametrize("what", ["end", "resize"])
def test_a_guest_that_does_not_stop_is_an_error_with_its_reason_and_the_next_command_asks_again(
    tmp_path: Path, what: str
) -> None:
    with in_process(tmp_path / "zone") as zone:
        engine = SmallEngine(zone.connect)
        asyncio.run(engine.up(machine()))
        zone.zone.control.fail("stop vm", times=1, text="the guest does not react")
        larger = {"it": Declared(kind="virtualMachine", inputs={**machine()["it"].inputs, "memory": 32})}
        with pytest.raises(EngineError, match=r"runs again.*the guest does not react.*hard_shutdown=True"):
            asyncio.run(engine.destroy() if what == "end" else engine.up(larger))
        assert engine.state["it"].id == "0"
        if what == "resize":
            assert asyncio.run(engine.up(larger)) == {"it": "update"}
            assert "<MEMORY><![CDATA[32]]></MEMORY>" in zone.oned("vm.info", 0)
        asyncio.run(engine.destroy())
        assert zone.zone.call(zone.zone.zone.model.vms.alive) == []
