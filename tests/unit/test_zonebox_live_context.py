"""one.vm.updateconf on machines that run: what of the CONTEXT changes, what stays, and what the guest is shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.zonebox_model_support import StillZone
from tests.zonebox_process_support import driver_for, processes_of, spec_for, write_image
from zonebox.drivers.base import GuestState
from zonebox.model.hosts import HostSpec

VM = 'NAME="v"\nCPU="1"\nMEMORY="64"\nCONTEXT=[TOKEN="YES",A="1",B="2",TARGET="hdb"]'
REPLACE, MERGE = 0, 1


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    return StillZone(tmp_path, HostSpec(name="h0", cores=2, memory_mb=256))


async def test_a_running_guest_is_shown_the_new_context_with_its_token(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    before = zone.driver.started[vm_id]

    zone.root("vm.updateconf", vm_id, 'CONTEXT=[A="9"]', MERGE)
    await zone.pass_time()

    shown = zone.driver.started[vm_id]
    assert shown.context["A"] == "9"
    assert shown.context["B"] == "2"
    assert shown.token == before.token
    assert shown.context["VMID"] == str(vm_id)
    assert zone.state(vm_id) == ("3", "3")


async def test_replacing_the_context_drops_what_is_not_named_but_keeps_the_disks_place(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    before = zone.vm(vm_id)["TEMPLATE"]["CONTEXT"]

    zone.root("vm.updateconf", vm_id, 'CONTEXT=[A="9",TARGET="hdz",DISK_ID="77"]', REPLACE)

    after = zone.vm(vm_id)["TEMPLATE"]["CONTEXT"]
    assert "B" not in after
    assert (after["TARGET"], after["DISK_ID"]) == (before["TARGET"], before["DISK_ID"])


async def test_a_machine_that_is_off_reads_its_new_context_at_the_next_start(zone: StillZone) -> None:
    vm_id = zone.root("vm.allocate", VM)
    await zone.pass_time()
    zone.root("vm.action", "poweroff", vm_id)
    await zone.pass_time()

    zone.root("vm.updateconf", vm_id, 'CONTEXT=[A="9"]', MERGE)
    await zone.pass_time()
    assert vm_id not in zone.driver.started
    zone.root("vm.action", "resume", vm_id)
    await zone.pass_time()

    assert zone.driver.started[vm_id].context["A"] == "9"


async def test_a_suspended_machine_and_one_without_context_are_refused(zone: StillZone) -> None:
    suspended = zone.root("vm.allocate", VM)
    without = zone.root("vm.allocate", 'NAME="w"\nCPU="1"\nMEMORY="64"')
    await zone.pass_time()
    zone.root("vm.action", "suspend", suspended)
    await zone.pass_time()

    code, text = zone.root.refused("vm.updateconf", suspended, 'CONTEXT=[A="9"]', MERGE)
    assert (code, "configuration cannot be updated in state SUSPENDED" in text) == (8192, True)
    code, text = zone.root.refused("vm.updateconf", without, 'CONTEXT=[A="9"]', MERGE)
    assert (code, "does not have context" in text) == (8192, True)


async def test_the_process_driver_rewrites_context_and_token_of_a_running_guest_and_restarts_nothing(
    tmp_path: Path,
) -> None:
    image = write_image(tmp_path / "image", "import time; time.sleep(60)")
    spec = spec_for(tmp_path / "vm", image=image, context={"A": "1"}, token="old")
    renewed = spec_for(tmp_path / "vm", image=image, context={"A": "it's 2"}, token="new")
    async with driver_for(spec) as driver:
        await driver.start(spec, lambda _: None)
        # Between fork and exec a guest does not carry its mark yet.
        await eventually(lambda: processes_of(spec), "the guest runs")
        running = processes_of(spec)

        await driver.renew_context(renewed)

        folder = tmp_path / "vm" / "context"
        assert "A='it'\\''s 2'" in (folder / "context.sh").read_text()
        assert (folder / "token.txt").read_text() == "new"
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert processes_of(spec) == running
        assert await driver.reattach(spec, lambda _: None) is GuestState.RUNNING


async def test_the_process_driver_leaves_the_folder_of_a_guest_alone_that_it_does_not_run(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", context={"A": "1"})
    async with driver_for(spec) as driver:
        await driver.renew_context(spec)
    assert not (tmp_path / "vm").exists()
