"""Devices and CONTEXT of a VM that runs: on their way in a state of its own, and as before where the host fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.patience import eventually
from tests.zonebox_model_support import StillZone
from zonebox.drivers.base import DriverError, GuestSpec
from zonebox.faults import Spec
from zonebox.model.hosts import HostSpec
from zonebox.trees import vectors
from zonebox.zone import Zone

VM = 'NAME="v"\nCPU="1"\nMEMORY="64"\nCONTEXT=[NETWORK="YES",A="1"]'
RUNNING, POWEROFF = ("3", "3"), ("8", "0")
HOTPLUG, HOTPLUG_NIC, DISK_RESIZE = ("3", "17"), ("3", "25"), ("3", "62")
MERGE = 1


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    zone = StillZone(tmp_path, HostSpec(name="h0", cores=2, memory_mb=256))
    zone.network()
    zone.root("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="8"\nPERSISTENT="YES"', 1)
    await zone.pass_time()
    # Its file is made by a thread, which this clock does not move.
    await eventually(lambda: image_state(zone) == "1", "the image")
    zone.root("vm.allocate", VM)
    await zone.pass_time()
    assert zone.state(0) == RUNNING
    return zone


def devices(zone: StillZone, name: str) -> list[dict[str, Any]]:
    return vectors(zone.vm(0)["TEMPLATE"], name)


def leases(zone: StillZone) -> str:
    return str(zone.root("vn.info", 0)["USED_LEASES"])


def image_state(zone: StillZone) -> str:
    return str(zone.root("image.info", 0)["STATE"])


async def test_a_nic_is_on_its_way_until_the_guest_has_been_shown_its_address(zone: StillZone) -> None:
    zone.root("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')
    assert zone.state(0) == HOTPLUG_NIC
    assert devices(zone, "NIC")[0]["ATTACH"] == "YES"
    assert "ETH0_IP" not in zone.driver.started[0].context
    code, text = zone.root.refused("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')
    assert (code, "This action is not available for state HOTPLUG_NIC" in text) == (2048, True)
    code, text = zone.root.refused("vm.updateconf", 0, 'CONTEXT=[A="2"]', MERGE)
    assert "configuration cannot be updated in state HOTPLUG_NIC" in text
    await zone.pass_time()
    assert zone.state(0) == RUNNING
    assert "ATTACH" not in devices(zone, "NIC")[0]
    assert zone.driver.started[0].context["ETH0_IP"] == "10.0.0.1"
    assert zone.driver.started[0].address == "10.0.0.1"


async def test_a_nic_that_is_detached_keeps_its_lease_until_it_is_gone(zone: StillZone) -> None:
    zone.root("vm.attachnic", 0, 'NIC=[NETWORK_ID="0",NAME="a"]')
    await zone.pass_time()
    zone.root("vm.attachnic", 0, 'NIC_ALIAS=[NETWORK_ID="0",PARENT="a"]')
    await zone.pass_time()
    zone.root("vm.detachnic", 0, 0)
    assert (zone.state(0), leases(zone)) == (HOTPLUG_NIC, "2")
    await zone.pass_time()
    assert (zone.state(0), leases(zone), devices(zone, "NIC"), devices(zone, "NIC_ALIAS")) == (RUNNING, "0", [], [])
    assert "ETH0_IP" not in zone.driver.started[0].context


async def test_a_disk_comes_grows_and_goes_while_the_vm_runs(zone: StillZone) -> None:
    zone.root("vm.attach", 0, 'DISK=[IMAGE_ID="0"]')
    assert (zone.state(0), image_state(zone)) == (HOTPLUG, "8"), "USED_PERS"
    await zone.pass_time()
    disk_id = int(devices(zone, "DISK")[0]["DISK_ID"])
    zone.root("vm.diskresize", 0, disk_id, "16")
    assert zone.state(0) == DISK_RESIZE
    await zone.pass_time()
    (disk,) = devices(zone, "DISK")
    assert (zone.state(0), disk["SIZE"]) == (RUNNING, "16")
    assert {"ATTACH", "RESIZE", "SIZE_PREV"} & set(disk) == set()
    assert zone.root("image.info", 0)["SIZE"] == "16"
    zone.root("vm.detach", 0, disk_id)
    assert (zone.state(0), image_state(zone)) == (HOTPLUG, "8")
    await zone.pass_time()
    assert (zone.state(0), image_state(zone), devices(zone, "DISK")) == (RUNNING, "1", [])


@pytest.mark.parametrize(
    ("before", "call"),
    [
        ([], ("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')),
        ([], ("vm.attach", 0, 'DISK=[IMAGE_ID="0"]')),
        ([("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')], ("vm.detachnic", 0, 0)),
        ([("vm.attach", 0, 'DISK=[IMAGE_ID="0"]')], ("vm.detach", 0, 1)),
        ([("vm.attach", 0, 'DISK=[IMAGE_ID="0"]')], ("vm.diskresize", 0, 1, "32")),
    ],
    ids=["attach a NIC", "attach a disk", "detach a NIC", "detach a disk", "grow a disk"],
)
async def test_what_the_host_cannot_do_is_as_before_and_the_vm_says_why(
    zone: StillZone, before: list[tuple[Any, ...]], call: tuple[Any, ...]
) -> None:
    for earlier in before:
        zone.root(*earlier)
        await zone.pass_time()

    def seen() -> tuple[Any, ...]:
        return devices(zone, "NIC"), devices(zone, "DISK"), leases(zone), image_state(zone)

    as_before = seen()
    zone.zone.faults.add(Spec(pattern="hotplug v", count=1, text="no such bridge"))
    zone.root(*call)
    assert seen() != as_before
    await zone.pass_time()
    assert (zone.state(0), seen()) == (RUNNING, as_before)
    assert zone.vm(0)["USER_TEMPLATE"]["ERROR"].endswith("no such bridge")
    zone.root(*call)
    await zone.pass_time()
    assert seen() != as_before


async def test_a_new_context_is_shown_before_the_vm_is_running_again(zone: StillZone) -> None:
    zone.root("vm.updateconf", 0, 'CONTEXT=[A="2"]', MERGE)
    assert (zone.state(0), zone.driver.started[0].context["A"]) == (HOTPLUG, "1")
    await zone.pass_time()
    assert (zone.state(0), zone.driver.started[0].context["A"]) == (RUNNING, "2")


async def test_a_guest_that_cannot_be_shown_its_context_is_in_a_vm_that_runs_and_says_why(
    zone: StillZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(spec: GuestSpec) -> None:
        raise DriverError("the CD-ROM is locked")

    monkeypatch.setattr(zone.driver, "renew_context", refuses)
    zone.root("vm.updateconf", 0, 'CONTEXT=[A="2"]', MERGE)
    await zone.pass_time()
    assert zone.state(0) == RUNNING
    assert zone.vm(0)["USER_TEMPLATE"]["ERROR"].endswith("the CD-ROM is locked")


async def test_a_vm_that_is_off_is_changed_at_once(zone: StillZone) -> None:
    zone.root("vm.action", "poweroff", 0)
    await zone.pass_time()
    zone.root("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')
    assert (zone.state(0), "ATTACH" in devices(zone, "NIC")[0]) == (POWEROFF, False)


@pytest.mark.parametrize("detach", [False, True])
async def test_a_guest_that_ends_meanwhile_leaves_a_vm_that_is_off_and_whose_change_was_made(
    zone: StillZone, detach: bool
) -> None:
    zone.root("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')
    if detach:
        await zone.pass_time()
        zone.root("vm.detachnic", 0, 0)
    zone.zone.faults.add(Spec(pattern="hotplug v", count=1, text="too late"))
    with zone.zone.store.transaction():
        zone.zone.model.lifecycle.exited(0)
    await zone.pass_time()
    assert zone.state(0) == POWEROFF
    assert ["ATTACH" in nic for nic in devices(zone, "NIC")] == ([] if detach else [False])
    assert leases(zone) == ("0" if detach else "1")


async def test_a_vm_on_its_way_is_not_terminated_and_gives_everything_back_when_it_is_deleted(zone: StillZone) -> None:
    zone.root("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')
    code, text = zone.root.refused("vm.action", "terminate-hard", 0)
    assert (code, "not available for state HOTPLUG_NIC" in text) == (2048, True)
    zone.root("vm.recover", 0, 3)
    await zone.pass_time()
    assert (zone.state(0), leases(zone)) == (("6", "0"), "0")


async def test_a_zone_that_died_meanwhile_finishes_the_change_when_it_starts_again(zone: StillZone) -> None:
    zone.root("vm.attachnic", 0, 'NIC=[NETWORK_ID="0"]')
    await zone.zone.work.stop()
    zone.zone.store.close()
    again = Zone(zone.zone.settings, clock=zone.clock, driver=zone.driver)
    again.work.start(again.executor.handle)
    await again.executor.resume()
    for _ in range(20):
        await zone.clock.advance(0.05)
    vm = again.model.vms.peek(0)
    assert (vm["STATE"], vm["LCM_STATE"]) == RUNNING
    assert "ATTACH" not in vectors(vm["TEMPLATE"], "NIC")[0]
    assert zone.driver.started[0].context["ETH0_IP"] == "10.0.0.1"


async def test_the_driver_is_told_of_each_disk_with_its_image_number_and_device(zone: StillZone) -> None:
    zone.root("vm.attach", 0, 'DISK=[IMAGE_ID="0", DEV_PREFIX="vd"]')
    await zone.pass_time()
    (disk,) = (disk for disk in devices(zone, "DISK"))
    zone.root("vm.action", "poweroff-hard", 0)
    await zone.pass_time()
    zone.root("vm.action", "resume", 0)
    await zone.pass_time()
    spec = zone.driver.started[0]
    (told,) = spec.disks
    assert (told.disk_id, told.image_id, told.target) == (int(disk["DISK_ID"]), 0, disk["TARGET"])
    assert (told.persistent, told.readonly) == (True, False)
    assert (told.image,) == spec.images
    assert told.image.stat().st_size == 8 << 20
