"""What happens to a VM at the same time: actions that overtake each other, guests that end, hosts in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import AT_ONCE_S, eventually
from tests.zonebox_model_support import StillZone
from zonebox.drivers.base import GuestSpec
from zonebox.drivers.fake import FakeDriver
from zonebox.faults import Effect, Spec

VM = 'NAME="v"\nCPU="1"\nMEMORY="64"'
RUNNING, DONE, POWEROFF = ("3", "3"), ("6", "0"), ("8", "0")
BOOT_FAILURE, PROLOG_FAILURE = ("3", "36"), ("3", "39")


class FullDisk(FakeDriver):
    """A driver on a machine whose disk is full for the calls that a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.full_for: set[str] = set()

    def _write(self, call: str) -> None:
        if call in self.full_for:
            raise OSError(28, "No space left on device")

    async def start(self, spec: GuestSpec, on_exit: Callable[[int], None]) -> None:
        self._write("start")
        await super().start(spec, on_exit)

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        self._write("stop")
        await super().stop(vm_id, hard=hard)

    async def renew_context(self, spec: GuestSpec) -> None:
        self._write("renew_context")
        await super().renew_context(spec)


class Stubborn(FakeDriver):
    """Guests that end only when they are killed."""

    def __init__(self) -> None:
        super().__init__()
        self.killed = asyncio.Event()

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        if not hard:
            await self.killed.wait()
        await super().stop(vm_id, hard=hard)

    def kill(self, vm_id: int) -> None:
        self.killed.set()


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    return StillZone(tmp_path)


@pytest.fixture
async def driver(zone: StillZone) -> FullDisk:
    driver = FullDisk()
    zone.driver = zone.zone.driver = zone.zone.executor.driver = driver
    return driver


async def running(zone: StillZone, more: str = "") -> int:
    number: int = zone.root("vm.allocate", VM + more)
    await zone.pass_time()
    assert zone.state(number) == RUNNING
    return number


@pytest.mark.parametrize(
    ("first", "second", "params"),
    [
        ("poweroff", "vm.action", ("terminate-hard", 0)),
        ("undeploy", "vm.action", ("terminate-hard", 0)),
        ("suspend", "vm.recover", (0, 3)),
        ("poweroff", "vm.recover", (0, 3)),
    ],
)
async def test_a_vm_that_is_ended_while_it_is_being_stopped_is_done(
    zone: StillZone, first: str, second: str, params: tuple[object, ...]
) -> None:
    number = await running(zone)
    zone.zone.faults.add(Spec(pattern="stop v", effect=Effect.HANG, count=1))
    zone.root("vm.action", first, number)
    await zone.pass_time(0.1)
    zone.root(second, *params)
    zone.zone.faults.clear()
    await zone.pass_time()
    assert (zone.state(number), zone.driver.started) == (DONE, {})
    assert zone.root("host.info", 0)["HOST_SHARE"]["CPU_USAGE"] == "0"


async def test_a_stop_that_fails_late_does_not_undo_the_deletion_asked_for_meanwhile(
    zone: StillZone, driver: FullDisk
) -> None:
    number = await running(zone)
    zone.zone.faults.add(Spec(pattern="stop v", effect=Effect.HANG, count=1))
    zone.root("vm.action", "poweroff", number)
    await zone.pass_time(0.1)
    zone.root("vm.recover", number, 3)
    driver.full_for.add("stop")
    zone.zone.faults.clear()
    await zone.pass_time()
    assert zone.state(number) == DONE


@pytest.mark.parametrize(
    ("first", "second", "params", "ends"),
    [
        ("poweroff", "vm.action", ("poweroff-hard", 0), POWEROFF),
        ("poweroff", "vm.action", ("terminate-hard", 0), DONE),
        ("terminate", "vm.action", ("terminate-hard", 0), DONE),
        ("terminate", "vm.recover", (0, 3), DONE),
    ],
)
async def test_what_is_to_end_hard_does_not_wait_for_a_guest_that_does_not_end_by_itself(
    zone: StillZone, first: str, second: str, params: tuple[object, ...], ends: tuple[str, str]
) -> None:
    stubborn = zone.zone.driver = zone.zone.executor.driver = Stubborn()
    number = await running(zone)
    zone.root("vm.action", first, number)
    await zone.pass_time()
    assert zone.state(number)[0] == "3", "the guest does not end"
    zone.root(second, *params)
    await zone.pass_time()
    assert (zone.state(number), stubborn.started) == (ends, {})


async def test_the_end_of_a_guest_that_was_rebooted_meanwhile_is_not_the_new_ones(zone: StillZone) -> None:
    number = await running(zone)
    zone.root("vm.action", "reboot", number)
    zone.driver.exit(number)
    await zone.pass_time()
    assert (zone.state(number), list(zone.driver.started)) == (RUNNING, [number])
    zone.driver.exit(number)
    await zone.pass_time()
    assert zone.state(number) == POWEROFF


async def test_trouble_of_the_host_is_a_failure_that_can_be_retried_and_not_a_vm_that_hangs(
    zone: StillZone, driver: FullDisk
) -> None:
    driver.full_for.add("start")
    number = zone.root("vm.allocate", VM)
    await zone.pass_time()
    assert zone.state(number) == BOOT_FAILURE
    assert "OSError: [Errno 28] No space left on device" in zone.vm(number)["USER_TEMPLATE"]["ERROR"]
    driver.full_for.clear()
    zone.root("vm.recover", number, 2)
    await zone.pass_time()
    assert zone.state(number) == RUNNING


@pytest.mark.parametrize(
    ("call", "method", "params"),
    [
        ("stop", "vm.action", ("poweroff", 0)),
        ("stop", "vm.action", ("reboot", 0)),
        ("renew_context", "vm.updateconf", (0, 'CONTEXT=[A="2"]', 0)),
    ],
)
async def test_a_vm_that_the_host_cannot_stop_or_change_runs_on_and_says_why(
    zone: StillZone, driver: FullDisk, call: str, method: str, params: tuple[object, ...]
) -> None:
    number = await running(zone, '\nCONTEXT=[A="1"]')
    driver.full_for.add(call)
    zone.root(method, *params)
    await zone.pass_time()
    assert (zone.state(number), list(driver.started)) == (RUNNING, [number])
    assert "No space left on device" in zone.vm(number)["USER_TEMPLATE"]["ERROR"]


async def test_a_vm_whose_image_could_not_be_brought_in_says_which(zone: StillZone) -> None:
    zone.root("image.allocate", 'NAME="i"\nTYPE="OS"\nPATH="/nowhere/at/all"', 1)
    number = zone.root("vm.allocate", f"{VM}\nDISK=[IMAGE_ID=0]")

    async def failed() -> bool:
        await zone.pass_time()
        return zone.state(number) == PROLOG_FAILURE

    await eventually(failed, "the copy of the image fails, and the VM with it", AT_ONCE_S)
    assert "image 0 (i) could not be registered" in zone.vm(number)["USER_TEMPLATE"]["ERROR"]


async def test_limits_of_what_runs_count_again_when_a_vm_is_resumed(zone: StillZone) -> None:
    ann = zone.user("ann")
    zone.root("user.quota", 2, 'VM=[RUNNING_VMS="1"]')
    first = ann("vm.allocate", VM)
    await zone.pass_time()
    ann("vm.action", "poweroff", first)
    await zone.pass_time()
    ann("vm.allocate", VM)
    await zone.pass_time()
    code, text = ann.refused("vm.action", "resume", first)
    assert (code, "limit of 1 reached for RUNNING_VMS quota" in text) == (512, True)
    assert zone.state(first) == POWEROFF
