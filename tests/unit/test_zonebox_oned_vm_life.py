"""The life of a VM: states, refusals, failures, what the driver is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.patience import eventually
from tests.zonebox_model_support import StillZone
from zonebox.model.hosts import DUMMY_PCI, HostSpec

VM = 'NAME="v"\nCPU="1"\nMEMORY="64"'
RUNNING, PENDING, DONE, POWEROFF = ("3", "3"), ("1", "0"), ("6", "0"), ("8", "0")


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    return StillZone(tmp_path, HostSpec(name="h0", cores=2, memory_mb=256, pci=DUMMY_PCI))


async def test_a_vm_goes_from_pending_to_running_and_the_driver_has_it(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM)
    assert zone.state(vm_id) == PENDING
    await zone.pass_time()
    assert zone.state(vm_id) == RUNNING
    assert zone.driver.started[vm_id].name == "v"
    host = zone.root("host.info", 0)
    assert (host["HOST_SHARE"]["CPU_USAGE"], host["HOST_SHARE"]["RUNNING_VMS"], host["VMS"]["ID"]) == ("100", "1", "0")


async def test_a_vm_that_fits_nowhere_waits_with_a_message_and_runs_when_there_is_room(zone: StillZone) -> None:
    first, second = zone.root("vm.allocate", VM.replace("1", "2", 1)), zone.root("vm.allocate", VM)
    await zone.pass_time()
    assert (zone.state(first), zone.state(second)) == (RUNNING, PENDING)
    assert "Not enough capacity in hosts 0" in zone.vm(second)["USER_TEMPLATE"]["SCHED_MESSAGE"]
    zone.root("vm.action", "terminate", first)
    await zone.pass_time()
    assert zone.state(second) == RUNNING
    assert zone.vm(second)["USER_TEMPLATE"] == ""


async def test_a_guest_that_does_not_start_is_a_boot_failure_that_can_be_retried(zone: StillZone) -> None:
    zone.driver.refusals["v"] = "no such command"
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    assert zone.state(vm_id) == ("3", "36")
    assert zone.vm(vm_id)["USER_TEMPLATE"]["ERROR"].endswith("DEPLOY: no such command")
    del zone.driver.refusals["v"]
    zone.root("vm.recover", vm_id, 2)
    await zone.pass_time()
    assert zone.state(vm_id) == RUNNING
    assert zone.vm(vm_id)["USER_TEMPLATE"] == ""


async def test_a_guest_that_ends_by_itself_is_powered_off_and_can_be_resumed(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.driver.exit(vm_id)
    await zone.pass_time()
    assert zone.state(vm_id) == POWEROFF
    zone.root("vm.action", "resume", vm_id)
    await zone.pass_time()
    assert zone.state(vm_id) == RUNNING
    records = zone.vm(vm_id)["HISTORY_RECORDS"]["HISTORY"]
    assert [record["SEQ"] for record in records] == ["0", "1"]


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("poweroff", POWEROFF),
        ("poweroff-hard", POWEROFF),
        ("suspend", ("5", "0")),
        ("stop", ("4", "0")),
        ("undeploy", ("9", "0")),
        ("terminate", DONE),
        ("terminate-hard", DONE),
        ("reboot", RUNNING),
    ],
)
async def test_actions_on_a_running_vm_end_where_oned_ends_them(
    zone: StillZone, action: str, state: tuple[str, str]
) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.root("vm.action", action, vm_id)
    await zone.pass_time()
    assert zone.state(vm_id) == state
    assert (vm_id in zone.driver.started) == (state == RUNNING)
    if state not in {RUNNING, DONE}:
        zone.root("vm.action", "resume", vm_id)
        await zone.pass_time()
        assert zone.state(vm_id) == RUNNING


@pytest.mark.parametrize("action", ["release", "resume"])
async def test_an_action_that_the_state_forbids_is_refused_with_the_states_name(zone: StillZone, action: str) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    code, text = zone.root.refused("vm.action", action, vm_id)
    reason = f'Error performing action "{action}": This action is not available for state RUNNING'
    assert (code, text) == (2048, f"[one.vm.action] {reason}")


async def test_a_held_vm_is_not_placed_until_it_is_released(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM, True)
    await zone.pass_time()
    assert zone.state(vm_id) == ("2", "0")
    zone.root("vm.action", "release", vm_id)
    await zone.pass_time()
    assert zone.state(vm_id) == RUNNING


async def test_pci_devices_are_given_to_one_vm_and_come_back(zone: StillZone) -> None:
    gpu = VM + '\nPCI=[VENDOR="10de",CLASS="0302"]\nPCI=[SHORT_ADDRESS="00:06.0"]'
    first, second = zone.root("vm.allocate", gpu), zone.root("vm.allocate", gpu)
    await zone.pass_time()
    assert (zone.state(first), zone.state(second)) == (RUNNING, PENDING)
    devices = zone.vm(first)["TEMPLATE"]["PCI"]
    assert [device["SHORT_ADDRESS"] for device in devices] == ["02:00.0", "00:06.0"]
    zone.root("vm.action", "terminate-hard", first)
    await zone.pass_time()
    assert zone.state(second) == RUNNING


async def test_a_done_vm_leaves_the_pool_and_is_still_shown(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.root("vm.recover", vm_id, 3)
    await zone.pass_time()
    assert zone.state(vm_id) == DONE
    assert zone.root("vmpool.info", -2, -1, -1, -1) == {}
    assert zone.root("vmpool.info", -2, -1, -1, 6)["VM"]["ID"] == str(vm_id)
    assert zone.root("host.info", 0)["HOST_SHARE"]["CPU_USAGE"] == "0"


async def test_an_image_that_cannot_be_read_is_in_error_with_the_path_and_the_remedy(zone: StillZone) -> None:
    number = zone.root("image.allocate", 'NAME="i"\nPATH="/no/such/file"', 1)

    async def failed() -> bool:
        await zone.pass_time()
        return bool(zone.root("image.info", number)["STATE"] == "5")

    await eventually(failed, "the image in state ERROR")
    image = zone.root("image.info", number)
    assert "/no/such/file" in image["TEMPLATE"]["ERROR"]
    assert "register the image again" in image["TEMPLATE"]["ERROR"]


async def test_a_relative_image_path_is_refused_at_once(zone: StillZone) -> None:
    code, text = zone.root.refused("image.allocate", 'NAME="i"\nPATH="disk.img"', 1)
    assert code == 16384
    assert "PATH disk.img is relative" in text


async def test_a_full_datastore_refuses_images(zone: StillZone) -> None:
    zone.zone.model.datastores.fill(1, zone.zone.settings.datastore_mb)
    code, text = zone.root.refused("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    assert (code, text) == (8192, "[one.image.allocate] Not enough space in datastore")


@pytest.mark.parametrize(("template", "text"), [("CPU=0\nMEMORY=1", "CPU attribute"), ("CPU=1", "MEMORY attribute")])
async def test_a_vm_without_capacity_is_refused(zone: StillZone, template: str, text: str) -> None:
    assert text in zone.root.refused("vm.allocate", template)[1]
