"""One emulated boot of the real QCOW2, from firmware to READY: boot loader, kernel, CONTEXT CD-ROM, power button.

A boot without KVM takes minutes, so there is one a run. Which one depends on the day (`boot_of`): firmware alternates
daily between BIOS and UEFI, and within four days each boots each role. FL_TEST_BOOT=uefi/superlink asks for another.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.image_support import MARKS, Appliance, Guests, appliance, eventually, guests_of, record, tool
from zonebox.drivers.nspawn import NspawnDriver
from zonebox.drivers.qemu import QemuDriver

pytestmark = MARKS
__all__ = ["appliance"]

BOOTS = ("bios/superlink", "uefi/supernode", "bios/supernode", "uefi/superlink")
READY_S = 600.0
"""Emulated, READY took 190-300 s on an idle machine with two cores (2026-11-24)."""
DISK_MB = 3072
LEAST_MEMORY_MB = 1024
"""What the guests of the test have; the committed stacks give a SuperLink as much."""
DATA = "/srv/data"
POWERED_OFF = "reboot: Power down"
"""The kernel's last line."""


def boot_of(day: date, environment: Mapping[str, str]) -> str:
    """Firmware and role of the boot that a day's runs do."""
    return environment.get("FL_TEST_BOOT") or BOOTS[day.toordinal() % len(BOOTS)]


def test_firmware_alternates_daily_and_every_boot_has_its_turn() -> None:
    days = [boot_of(date.fromordinal(739_000 + day), {}) for day in range(8)]
    assert {tuple(day.split("/")[0] for day in pair) for pair in pairwise(days)} == {
        ("bios", "uefi"),
        ("uefi", "bios"),
    }
    assert set(days[:4]) == set(days[4:]) == set(BOOTS)


class Ssh:
    """Commands in a guest, as its administrator gives them: over SSH, with the key that its CONTEXT names."""

    def __init__(self, guests: Guests, vm_id: int, key: Path) -> None:
        self.vm_id = vm_id
        self._argv = [
            *("ip", "netns", "exec", guests.switch, "ssh", "-i", str(key), "-o", "BatchMode=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
            f"root@{guests.address(vm_id)}",
        ]

    async def run(self, command: str) -> str:
        """What a command in the guest prints."""
        done = await asyncio.to_thread(
            subprocess.run, [*self._argv, command], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


@asynccontextmanager
async def superlink_beside(guests: Guests) -> AsyncIterator[None]:
    """VM 1, a SuperLink in a container on the network of the emulated guests: it boots in seconds."""
    # It reaches OneGate through the emulated guest's relay, as both are on one switch.
    driver = NspawnDriver(onegate=None, switch=guests.switch)
    try:
        await driver.start(guests.spec(1, guests.superlink(), name="superlink_0_(service_1)"), guests.ended.append)
        yield
    finally:
        await driver.stop(1, hard=True)
        await driver.close()


async def boot_to_ready(guests: Guests, role: str, key: Path) -> Ssh:
    """Boot a machine of a role and wait until it is READY; a SuperNode gets its data only after it has missed them."""
    own = {"SSH_PUBLIC_KEY": key.with_suffix(".pub").read_text().strip()}
    if role == "superlink":
        await guests.start(guests.spec(1, guests.superlink(**own), name="superlink_0_(service_1)", root_mb=DISK_MB))
        await guests.eventually(1, READY_S, READY="YES", FL_STATE="online")
        return Ssh(guests, 1, key)
    await guests.start(guests.spec(2, guests.supernode(**own), root_mb=DISK_MB))
    await eventually(lambda: DATA in guests.error_of(2), "FL_ERROR tells that there are no data", READY_S)
    assert guests.onegate.of(2).get("READY") != "YES"
    ssh = Ssh(guests, 2, key)
    await ssh.run(f"mkdir -p {DATA} && echo 1,2 > {DATA}/rows.csv")
    await guests.eventually(2, READY_S, READY="YES", FL_STATE="waiting")
    return ssh


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("boot", [boot_of(datetime.now(UTC).date(), os.environ)])
async def test_the_qcow2_boots_to_ready_takes_a_new_context_and_shuts_down(
    tmp_path: Path, appliance: Appliance, boot: str
) -> None:
    firmware, role = boot.split("/")
    key = tmp_path / "key"
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)

    def make(gate: tuple[str, int], switch: str) -> QemuDriver:
        return QemuDriver(onegate=gate, switch=switch, firmware="uefi" if firmware == "uefi" else "bios")

    async with guests_of(tmp_path, appliance.image, make) as guests, AsyncExitStack() as others:
        if role == "supernode":
            await others.enter_async_context(superlink_beside(guests))
        started = time.monotonic()
        ssh = await boot_to_ready(guests, role, key)
        ready_s = time.monotonic() - started
        if role == "supernode":
            await guests.register(2)
            await guests.eventually(2, READY_S, FL_STATE="online")
        vm_id = ssh.vm_id
        seen = await ssh.run(
            "hostname; test -d /sys/firmware/efi && echo uefi || echo bios; df --output=size -BM / | tail -1;"
            f" systemctl is-active flower-{role}; grep -c FL_ROLE /run/flower/context/context.sh;"
            " systemctl list-units --failed --no-legend --plain"
        )
        hostname, started_by, root_mb, active, roles, *failed = seen.split()
        assert (hostname, started_by, active, roles, failed) == (f"vm{vm_id}", firmware, "active", "1", [])
        assert int(root_mb.rstrip("M")) > DISK_MB * 0.85, "the root file system grew with its disk"

        memory = "awk '/^MemTotal/ {a = $2} /^MemAvailable/ {b = $2} END {print int((a - b) / 1024)}' /proc/meminfo"
        used_mib = int(await ssh.run(memory))
        assert used_mib < LEAST_MEMORY_MB
        record("qemu", role, ready_s, firmware=firmware, memory_mib=used_mib)

        await guests.renew(vm_id, FL_TEST_MARK="renewed")
        renewed = "grep FL_TEST_MARK /run/flower/context/context.sh"
        wanted = f"for second in $(seq 60); do {renewed} && exit; sleep 1; done; exit 1"
        assert await ssh.run(wanted) == "FL_TEST_MARK='renewed'"

        await guests.driver.stop(vm_id, hard=False)
        assert POWERED_OFF in guests.console(vm_id), "the guest shut itself down, and was not ended"
