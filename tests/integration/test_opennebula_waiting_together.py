"""Many objects that are waited for at once, on a zonebox: few polls, and everyone is told what is his."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.provider.engine import OpenNebulaProvider, PartialError
from pulumi_opennebula.provider.values import wrapped
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, EngineError, Json, Ref, SmallEngine
from tests.patience import PATIENCE_S

MANY = 50
URN = "urn:pulumi:test::project::opennebula:index/virtualMachine:VirtualMachine::{}"


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path / "zone", rushing=False) as running:
        yield running


async def create(provider: OpenNebulaProvider, name: str) -> sdk.CreateResponse:
    checked = await provider.check(
        sdk.CheckRequest(URN.format(name), {}, wrapped({"name": name, "cpu": 0.01, "memory": 16}, frozenset()), b"")
    )
    return await provider.create(sdk.CreateRequest(URN.format(name), checked.inputs or {}, 0, False))


async def asked(zone: InProcess, method: str, times: int) -> None:
    """Come back when a method was called this often."""
    end = time.monotonic() + PATIENCE_S
    while (await asyncio.to_thread(zone.counts)).get(method, 0) < times:
        assert time.monotonic() < end, f"{method} was not called {times} times"
        await asyncio.sleep(0.05)


async def test_fifty_vms_share_their_polls_and_each_is_read_once(zone: InProcess) -> None:
    pausing = most = 0

    async def pause(seconds: float) -> None:
        nonlocal pausing, most
        pausing += 1
        most = max(most, pausing)
        try:
            await asyncio.sleep(seconds)
        finally:
            pausing -= 1

    zone.pause = pause
    provider = await zone.connect()
    zone.zone.control.hang("boot *")
    making = [asyncio.create_task(create(provider, f"vm{index}")) for index in range(MANY)]
    await asked(zone, "one.vm.allocate", MANY)
    # Polls begin every 0.1 s again whenever a VM joins, and back off to one in 2 s once none does.
    await asyncio.to_thread(zone.zone.control.reset_counts)
    await asked(zone, "one.vmpool.infoextended", 6)
    while_waiting = await asyncio.to_thread(zone.counts)
    assert while_waiting.get("one.vm.info", 0) == 0
    assert sum(while_waiting.values()) < MANY, while_waiting
    assert most == 1, "one loop of polls for all of them, not one for each"
    assert not any(task.done() for task in making)

    await asyncio.to_thread(zone.zone.control.clear)
    made = await asyncio.gather(*making)
    assert len({answer.resource_id for answer in made}) == MANY
    counts = await asyncio.to_thread(zone.counts)
    assert counts["one.vm.info"] <= MANY + 2, "each is read once when it runs, and one may have been waited for alone"


async def test_vms_that_fail_together_each_say_why(zone: InProcess) -> None:
    provider = await zone.connect()
    zone.zone.control.fail("boot vm*", text="no bridge of that name")
    found = await asyncio.gather(*(create(provider, f"vm{index}") for index in range(3)), return_exceptions=True)
    assert all(isinstance(error, PartialError) for error in found), found
    assert all("no bridge of that name" in str(error) for error in found)
    assert len({error.id for error in found if isinstance(error, PartialError)}) == 3


def test_guests_of_several_vms_are_heard_when_they_acknowledge_at_once(zone: InProcess) -> None:
    """What guests write is not in the short form of the VM pool."""
    role = {"name": "node", "cardinality": 3, "template_id": Ref("machine"), "template_contents": {}}
    program = {
        "machine": Declared(
            kind="template", inputs={"name": "machine", "cpu": 0.1, "memory": 16, "context": {"FL_WORD": "first"}}
        ),
        "blueprint": Declared(
            kind="serviceTemplate",
            inputs={"name": "blueprint", "template": Json({"deployment": "none", "roles": [role]})},
        ),
        "service": Declared(kind="service", inputs={"name": "service", "templateId": Ref("blueprint")}),
    }
    engine = SmallEngine(zone.connect)
    asyncio.run(engine.up(program))
    words: dict[str, Any] = {
        "serviceId": Ref("service"),
        "role": "node",
        "variables": {"FL_WORD": "second"},
        "acknowledgement": "FL_WORD",
        "atOnce": 3,
        "timeouts": {"create": "90s"},
    }
    nodes = [0, 1, 2]
    guests = threading.Thread(target=_acknowledge, args=(zone, nodes))
    guests.start()
    steps = asyncio.run(engine.up({**program, "words": Declared(kind="serviceContext", inputs=words)}))
    guests.join()
    assert steps["words"] == "create"
    assert zone.counts()["one.vmpool.infoextended"] > 0, "they were waited for together"


def _acknowledge(zone: InProcess, nodes: list[int]) -> None:
    """Every guest has its new CONTEXT before the first of them says so."""
    end = time.monotonic() + PATIENCE_S
    while not all("<![CDATA[second]]>" in zone.oned("vm.info", node) for node in nodes):
        assert time.monotonic() < end
    for node in nodes:
        zone.oned("vm.update", node, 'FL_WORD="second"', 1)


async def test_a_vm_whose_devices_change_is_terminated_when_they_have(zone: InProcess) -> None:
    provider = await zone.connect()
    made = await create(provider, "vm0")
    assert made.resource_id is not None
    number = int(made.resource_id)
    zone.zone.control.hang("hotplug vm0")
    await zone.call("vm.attach", number, 'DISK=[TYPE="fs",SIZE="8"]')
    ending = asyncio.create_task(
        provider.delete(sdk.DeleteRequest(URN.format("vm0"), made.resource_id, made.properties or {}, 0))
    )
    await asked(zone, "one.vm.action", 1)
    await asyncio.to_thread(zone.zone.control.clear)
    await ending
    counts = await asyncio.to_thread(zone.counts)
    assert (counts["one.vm.action"], counts.get("one.vm.recover", 0)) == (2, 0)


async def test_a_device_that_the_host_cannot_attach_is_an_error_with_its_reason_and_the_next_up_tries_again(
    zone: InProcess,
) -> None:
    engine = SmallEngine(zone.connect)
    machine = {"name": "vm0", "cpu": 0.1, "memory": 16, "hardShutdown": True}
    await engine.up({"vm": Declared(kind="virtualMachine", inputs=machine)})
    zone.zone.control.fail("hotplug vm0", times=1, text="no free slot")
    wider = {"vm": Declared(kind="virtualMachine", inputs={**machine, "disks": [{"volatileType": "fs", "size": 8}]})}
    with pytest.raises(EngineError, match="no free slot"):
        await engine.up(wider)
    assert await engine.up(wider) == {"vm": "update"}
    assert await engine.preview(wider) == {"vm": "same"}
