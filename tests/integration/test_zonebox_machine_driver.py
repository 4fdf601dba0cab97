"""What drivers of whole machines have in common, with a process of this machine in the place of the machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.zonebox_process_support import processes_of, spec_for
from zonebox.drivers.base import DriverError, GuestSpec
from zonebox.drivers.guest_folder import GuestFolder
from zonebox.drivers.machine_driver import Guest, MachineDriver
from zonebox.drivers.nspawn import spawn
from zonebox.drivers.process_table import MARK


class Sleepers(MachineDriver):
    """Guests are processes that sleep; they can be asked for nothing while `deaf`."""

    name = "sleepers"

    def __init__(self) -> None:
        super().__init__(grace_s=10.0)
        self.deaf = True

    def check(self) -> None:
        """Every machine can sleep."""

    async def launch(self, spec: GuestSpec, mark: str) -> subprocess.Popen[bytes]:
        return spawn(["sleep", "600"], GuestFolder(spec.folder), {MARK: mark})

    async def found(self, spec: GuestSpec) -> None:
        """Nothing serves a sleeper."""

    async def show_context(self, spec: GuestSpec) -> None:
        """A sleeper looks at nothing."""

    async def ask(self, guest: Guest) -> None:
        if self.deaf:
            raise DriverError("guest: it does not answer")
        assert guest.process is not None
        self.kill(guest.spec.vm_id)

    async def clean(self, spec: GuestSpec) -> None:
        """A sleeper has nothing outside of its folder."""


async def test_a_guest_that_could_not_be_stopped_is_watched_on(tmp_path: Path) -> None:
    driver, spec, ended = Sleepers(), spec_for(tmp_path / "vm"), list[int]()
    await driver.start(spec, ended.append)
    try:
        with pytest.raises(DriverError, match="it does not answer"):
            await driver.stop(spec.vm_id, hard=False)
        assert processes_of(spec)
        driver.kill(spec.vm_id)
        await eventually(lambda: ended == [spec.vm_id], "the zone hears of the guest's end")
    finally:
        await driver.stop(spec.vm_id, hard=True)
        await driver.close()


async def test_a_guest_that_is_stopped_on_purpose_is_not_told_of_as_one_that_ended(tmp_path: Path) -> None:
    driver, spec, ended = Sleepers(), spec_for(tmp_path / "vm"), list[int]()
    driver.deaf = False
    await driver.start(spec, ended.append)
    await driver.stop(spec.vm_id, hard=False)
    await driver.close()
    assert (processes_of(spec), ended) == ([], [])
