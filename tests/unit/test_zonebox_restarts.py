"""A zone whose process died, whatever it did, and that starts again: nothing is lost, each VM is accounted for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.zonebox_model_support import Caller, StillZone
from zonebox.drivers.base import DriverError, GuestSpec, GuestState
from zonebox.drivers.fake import FakeDriver
from zonebox.faults import Effect, Spec
from zonebox.model.hosts import HostSpec
from zonebox.trees import listed
from zonebox.zone import Zone

VM = 'NAME="v"\nCPU="1"\nMEMORY="64"\nCONTEXT=[A="1"]'
RUNNING, POWEROFF, DONE, UNKNOWN = ("3", "3"), ("8", "0"), ("6", "0"), ("3", "16")
STOPPED, SUSPENDED, UNDEPLOYED = ("4", "0"), ("5", "0"), ("9", "0")


class Rediscovering(FakeDriver):
    """Finds guests in a state that the test says."""

    def __init__(self, found: GuestState) -> None:
        super().__init__()
        self.found = found

    async def reattach(self, spec: GuestSpec, on_exit: object) -> GuestState:
        if self.found is GuestState.RUNNING:
            return await super().reattach(spec, on_exit)  # type: ignore[arg-type]
        return self.found


class Restarted:
    """What a zone is after its process died and another one took its folder."""

    def __init__(self, before: StillZone, found: GuestState) -> None:
        self.clock = before.clock
        self.driver = Rediscovering(found)
        before.zone.store.close()
        self.zone = Zone(before.zone.settings, clock=before.clock, driver=self.driver)
        self.root = Caller(self.zone, self.zone.session)

    async def resume(self) -> None:
        """Take up what was left, and let time pass."""
        self.zone.work.start(self.zone.executor.handle)
        await self.zone.executor.resume()
        for _ in range(20):
            await self.clock.advance(0.05)

    def state(self, vm_id: int) -> tuple[str, str]:
        vm = self.root("vm.info", vm_id)
        return vm["STATE"], vm["LCM_STATE"]


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    return StillZone(tmp_path, HostSpec(name="h0", cores=2, memory_mb=256))


async def restarted(before: StillZone, found: GuestState) -> Restarted:
    await before.zone.work.stop()
    after = Restarted(before, found)
    await after.resume()
    return after


@pytest.mark.parametrize("phase", ["prolog", "boot"])
async def test_a_vm_that_was_being_started_runs(zone: StillZone, phase: str) -> None:
    zone.zone.faults.add(Spec(pattern=f"{phase} *", effect=Effect.HANG))
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    assert zone.state(0) != RUNNING
    after = await restarted(zone, GuestState.LOST)
    assert after.state(0) == RUNNING
    assert after.driver.started[0].name == "v"


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        ("terminate", DONE),
        ("terminate-hard", DONE),
        ("poweroff", POWEROFF),
        ("suspend", SUSPENDED),
        ("stop", STOPPED),
        ("undeploy", UNDEPLOYED),
    ],
)
async def test_a_vm_that_was_being_stopped_is(zone: StillZone, action: str, ends: tuple[str, str]) -> None:
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.zone.faults.add(Spec(pattern="stop *", effect=Effect.HANG))
    zone.root("vm.action", action, 0)
    await zone.pass_time()
    assert zone.state(0)[0] == "3"
    after = await restarted(zone, GuestState.RUNNING)
    assert (after.state(0), after.driver.started) == (ends, {})
    used = after.root("host.info", 0)["HOST_SHARE"]["CPU_USAGE"]
    assert used == ("0" if ends in {DONE, STOPPED, UNDEPLOYED} else "100")


@pytest.mark.parametrize(
    ("found", "state"),
    [(GuestState.RUNNING, RUNNING), (GuestState.STOPPED, POWEROFF), (GuestState.LOST, UNKNOWN)],
)
async def test_a_vm_that_ran_is_found_again_or_reported(
    zone: StillZone, found: GuestState, state: tuple[str, str]
) -> None:
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    before = zone.vm(0)["TEMPLATE"]
    after = await restarted(zone, found)
    assert after.state(0) == state
    assert after.root("vm.info", 0)["TEMPLATE"] == before


async def test_a_guest_that_was_lost_and_turns_up_again_runs(zone: StillZone) -> None:
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    after = await restarted(zone, GuestState.LOST)
    assert after.state(0) == UNKNOWN
    await after.zone.work.stop()
    after.driver.found = GuestState.RUNNING
    await after.resume()
    assert after.state(0) == RUNNING


async def test_networks_and_images_that_were_on_their_way_are_ready_and_those_that_went_are_gone(
    zone: StillZone,
) -> None:
    gone = zone.network()
    await zone.pass_time()
    zone.root("vn.delete", gone)
    made = zone.root("vn.allocate", 'NAME="made"\nVN_MAD="dummy"\nBRIDGE="b"', -1)
    image = zone.root("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    assert zone.root("vn.info", made)["STATE"] == "2"
    assert zone.root("image.info", image)["STATE"] == "4"
    after = await restarted(zone, GuestState.RUNNING)
    assert after.root("vn.info", made)["STATE"] == "1"
    # Its file is made by a thread, which this clock does not move.
    await eventually(lambda: after.root("image.info", image)["STATE"] == "1", "the image")
    assert [net["NAME"] for net in listed(after.root("vnpool.info", -2, -1, -1), "VNET")] == ["made"]


async def test_a_vm_that_waited_for_a_host_is_placed(zone: StillZone) -> None:
    first = zone.root("vm.allocate", VM.replace('CPU="1"', 'CPU="2"'))
    waiting = zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.root("vm.recover", first, 3)
    assert zone.state(waiting) == ("1", "0")
    after = await restarted(zone, GuestState.RUNNING)
    assert (after.state(first), after.state(waiting)) == (DONE, RUNNING)


async def test_a_vm_that_was_being_made_anew_is(zone: StillZone) -> None:
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.zone.faults.add(Spec(pattern="stop *", effect=Effect.HANG))
    zone.root("vm.recover", 0, 4)
    await zone.pass_time()
    after = await restarted(zone, GuestState.RUNNING)
    assert after.state(0) == RUNNING


class Troubled(Rediscovering):
    """Cannot look for guests, as when the host lacks a program or a right."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__(GuestState.RUNNING)
        self.trouble = trouble

    async def reattach(self, spec: GuestSpec, on_exit: object) -> GuestState:
        raise self.trouble


@pytest.mark.parametrize("trouble", [DriverError("program nft: not found"), OSError(5, "Input/output error")])
async def test_a_guest_that_cannot_be_looked_for_keeps_no_zone_from_starting(
    zone: StillZone, trouble: Exception
) -> None:
    zone.root("vm.allocate", VM)
    zone.root("vm.allocate", VM.replace('"v"', '"stopping"'))
    await zone.pass_time()
    zone.zone.faults.add(Spec(pattern="stop stopping", effect=Effect.HANG))
    zone.root("vm.action", "poweroff", 1)
    await zone.pass_time()
    await zone.zone.work.stop()
    after = Restarted(zone, GuestState.RUNNING)
    after.zone.executor.driver = Troubled(trouble)
    await after.resume()
    assert (after.state(0), after.state(1)) == (UNKNOWN, POWEROFF)


class Slow(Rediscovering):
    """Finds guests when the test lets it."""

    def __init__(self, found: GuestState) -> None:
        super().__init__(found)
        self.looks, self.may_find = asyncio.Event(), asyncio.Event()

    async def reattach(self, spec: GuestSpec, on_exit: object) -> GuestState:
        self.looks.set()
        await self.may_find.wait()
        return await super().reattach(spec, on_exit)


@pytest.mark.parametrize("found", list(GuestState))
async def test_what_is_asked_of_a_vm_while_its_guest_is_looked_for_is_done_to_that_guest(
    zone: StillZone, found: GuestState
) -> None:
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    await zone.zone.work.stop()
    after = Restarted(zone, found)
    slow = after.zone.executor.driver = Slow(found)
    resuming = asyncio.get_running_loop().create_task(after.resume())
    await slow.looks.wait()
    after.root("vm.action", "terminate", 0)
    await after.clock.advance(1.0)
    slow.may_find.set()
    await resuming
    assert (after.state(0), slow.started) == (DONE, {})


async def test_what_the_last_process_had_no_time_to_delete_is_deleted(zone: StillZone) -> None:
    for name in ("done", "kept"):
        zone.root("vm.allocate", VM.replace('"v"', f'"{name}"'))
    zone.root("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    await zone.pass_time()
    await eventually(lambda: zone.root("image.info", 0)["STATE"] == "1", "the image")
    zone.root("vm.action", "terminate", 0)
    await zone.pass_time()
    state = zone.zone.settings.state
    folders = [state / "vms" / name / "context" for name in ("0", "1", "9", "notes")]
    files = [state / "datastores/1" / name for name in ("image-0", "image-7", "image-7.partial", "notes")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    files[0].parent.mkdir(parents=True, exist_ok=True)
    for file in files:
        file.touch()
    await restarted(zone, GuestState.RUNNING)
    assert [folder.name for folder in sorted((state / "vms").iterdir())] == ["1", "notes"]
    assert [file.name for file in sorted((state / "datastores/1").iterdir())] == ["image-0", "notes"]
