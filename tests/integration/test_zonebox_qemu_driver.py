"""One emulated boot of the real QCOW2 in a real zone: registered, instantiated and READY by XML-RPC and OneGate alone.

Boot loader, kernel, CONTEXT CD-ROM, volumes and power button take part. A boot without KVM takes minutes, so there is
one a run. Which one depends on the day (`boot_of`): firmware alternates daily between BIOS and UEFI, and within four
days each boots each role. FL_TEST_BOOT=uefi/superlink asks for another.

A SuperNode has its data on an attached volume, a SuperLink its keys and database on a persistent one.
"""

from __future__ import annotations

import base64
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from flower_appliance.data import MOUNT_PATH
from pulumi_flower.keys import parse_openssh
from tests.appliance_support import superlink_values
from tests.emulated_support import (
    ADDRESS,
    DISK_MB,
    GATEWAY,
    MEMORY_MB,
    NO_ANSWER_S,
    Disk,
    EmulatedVm,
    emulated_vm,
    volume,
)
from tests.image_support import MARKS, Appliance, Guests, appliance, guests_of, record, require_programs, tool
from tests.nfs_support import PACKAGES, nfs_export
from zonebox.drivers.nspawn import NspawnDriver

pytestmark = MARKS
__all__ = ["appliance"]

BOOTS = ("bios/superlink", "uefi/supernode", "bios/supernode", "uefi/superlink")
READY_S = 3000.0
"""Emulated, READY took 190-300 s on an idle machine with two cores (2026-11-24)."""
CHANGED_S = 900.0
AS_SERVICE = "setpriv --reuid flower --regid flower --clear-groups"
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


class Role(ABC):
    """What the boot of a role differs in: its CONTEXT, its volume, and what both must have come to."""

    name: str
    """Of the VM; a SuperNode's partition follows from it."""
    first_state: str
    """FL_STATE with which it becomes READY."""
    at_9092: str
    """What a connection to a port meets that its security group lets in."""

    def __init__(self, guests: Guests, vm: EmulatedVm, folder: Path) -> None:
        self.guests, self.vm, self.folder = guests, vm, folder

    @abstractmethod
    async def prepare(self) -> None:
        """Before the zone makes the VM."""

    @abstractmethod
    def context(self) -> dict[str, str]: ...

    @abstractmethod
    def volume(self) -> Disk: ...

    @abstractmethod
    async def go_online(self) -> None: ...

    @abstractmethod
    async def look_at_volume(self) -> None: ...

    @abstractmethod
    async def look_at_image(self) -> None:
        """After the VM was shut down."""

    async def change(self) -> None:
        """Give the running guest another CONTEXT, wait until it works with it, and shut it down."""
        await self.vm.change_context(FL_CONTEXT_REVISION="renewed")
        await self.vm.until(CHANGED_S, FL_CONTEXT_REVISION="renewed")
        await self.vm.power_off()


class SuperNode(Role):
    """With its data on a volume; its SuperLink is a container on the same switch."""

    name, first_state, at_9092 = "supernode_0_(service_1)", "waiting", "closed"

    async def prepare(self) -> None:
        require_programs(tuple(PACKAGES.items()))
        await self.guests.start(self.guests.spec(1, self.guests.superlink(), name="superlink_0_(service_1)"))

    def context(self) -> dict[str, str]:
        return {**without(self.guests.supernode(), "FL_DATA_PATH"), "FL_DATA_VOLUME": "rows"}

    def volume(self) -> Disk:
        return Disk(path=volume(self.folder, "rows", 4, {"rows.csv": "1,2\n"}))

    async def go_online(self) -> None:
        raw = base64.b64decode((await self.vm.attributes())["FL_NODE_PUBKEY"]).decode()
        await self.guests.control(lambda client: client.register_node(parse_openssh(raw), "berlin/emulated"))
        await self.vm.until(READY_S, FL_STATE="online")

    async def look_at_volume(self) -> None:
        device, kind = await self.look_at_data("1,2")
        assert (device, kind) == ("/dev/vdb", "ext4")

    async def change(self) -> None:
        """Another CONTEXT takes the data from an NFS server instead, at the same place."""
        files = {"rows.csv": "3,4\n"}
        async with nfs_export(self.folder / "nfs", self.vm.switch, "/rows", files):
            await self.vm.change_context(
                FL_DATA_VOLUME="", FL_DATA_NFS=f"{GATEWAY}:/rows", FL_CONTEXT_REVISION="renewed"
            )
            await self.vm.until(CHANGED_S, FL_CONTEXT_REVISION="renewed", FL_STATE="online")
            device, kind = await self.look_at_data("3,4")
            assert (device, kind) == (f"{GATEWAY}:/rows", "nfs4")
            await self.vm.power_off()

    async def look_at_data(self, rows: str) -> tuple[str, str]:
        """Device and kind of what the running service has as its data, which it can read and nobody can write."""
        service = "/proc/$(systemctl show --property=MainPID --value flower-supernode.service)"
        writing = f"{MOUNT_PATH}/new 2>&1"
        seen = await self.vm.run(
            f"grep ' {MOUNT_PATH} ' {service}/mounts | tail -1; grep ' {MOUNT_PATH} ' /proc/mounts | tail -1;"
            f" cat {service}/root{MOUNT_PATH}/rows.csv; {AS_SERVICE} cat {MOUNT_PATH}/rows.csv;"
            f" {AS_SERVICE} touch {writing}; touch {writing}; true"
        )
        *mounts, for_service, for_user, first, second = seen.splitlines()
        assert (for_service, for_user) == (rows, rows)
        assert [line.rpartition(": ")[2] for line in (first, second)] == ["Read-only file system"] * 2
        devices = {tuple(line.split()[:3:2]) for line in mounts}
        assert all({"ro", "nosuid", "nodev", "noexec"} <= set(line.split()[3].split(",")) for line in mounts)
        assert len(mounts) == 2 and len(devices) == 1, "the service has what the machine has"
        return devices.pop()

    async def look_at_image(self) -> None:
        assert "rows.csv" in listed(self.vm, 1, "/")


class SuperLink(Role):
    """With keys and database on a persistent volume, which another machine could take over."""

    name, first_state, at_9092 = "superlink_0_(service_1)", "online", "open"

    async def prepare(self) -> None:
        """It needs nobody."""

    def context(self) -> dict[str, str]:
        values = superlink_values(self.guests.authority, "localhost", "127.0.0.1", ADDRESS)
        return {**without(values), "FL_ADMIN_NETWORKS": f"{GATEWAY}/32", "FL_STATE_VOLUME": "flower-state"}

    def volume(self) -> Disk:
        return Disk(path=volume(self.folder, "flower-state", 64, {}), persistent=True)

    async def go_online(self) -> None:
        """It is, once it is READY."""

    async def look_at_volume(self) -> None:
        seen = await self.vm.run("grep -E ' /(var/lib/flower|etc/flower/certs) ' /proc/self/mounts")
        mounts = {line.split()[1]: line.split() for line in seen.splitlines()}
        assert {words[0] for words in mounts.values()} == {"/dev/vdb"}
        assert all({"rw", "nosuid", "nodev"} <= set(words[3].split(",")) for words in mounts.values())
        assert len(mounts) == 2

    async def look_at_image(self) -> None:
        assert "state.db" in listed(self.vm, 1, "/superlink")
        assert "server.key" in listed(self.vm, 1, "/certs")


def without(values: Mapping[str, str], *names: str) -> dict[str, str]:
    """A CONTEXT less what the zone says itself, and some more."""
    return {name: value for name, value in values.items() if name not in {"VMID", "ETH0_IP", *names}}


def listed(vm: EmulatedVm, image: int, folder: str) -> str:
    """Names in a folder of an image's file in the zone's datastore."""
    path = vm.zone.settings.state / "datastores" / "1" / f"image-{image}"
    return tool("/usr/sbin/debugfs", "-R", f"ls -p {folder}", path)


@pytest.mark.timeout(2 * READY_S + 2 * CHANGED_S)
@pytest.mark.parametrize("boot", [boot_of(datetime.now(UTC).date(), os.environ)])
async def test_a_zone_boots_the_qcow2_to_ready_shows_it_a_new_context_and_shuts_it_down(
    tmp_path: Path, appliance: Appliance, boot: str
) -> None:
    firmware, role = boot.split("/")
    key = tmp_path / "key"
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    beside = appliance.document(tmp_path / "beside")
    async with (
        guests_of(
            tmp_path / "beside", beside, lambda gate, switch: NspawnDriver(onegate=gate, switch=switch)
        ) as guests,
        emulated_vm(tmp_path, guests.switch, key) as vm,
    ):
        part = SuperNode(guests, vm, tmp_path) if role == "supernode" else SuperLink(guests, vm, tmp_path)
        await part.prepare()
        started = time.monotonic()
        root = Disk(path=appliance.image, kind="OS", size_mb=DISK_MB)
        await vm.create(part.name, part.context(), firmware=firmware, disks=(root, part.volume()))
        await vm.until(READY_S, READY="YES", FL_STATE=part.first_state)
        ready_s = time.monotonic() - started
        await part.go_online()

        seen = await vm.run(
            "hostname; test -d /sys/firmware/efi && echo uefi || echo bios; df --output=size -BM / | tail -1;"
            f" systemctl is-active flower-{role}; grep -c FL_ROLE /run/flower/context/context.sh;"
            " awk '/^MemTotal/ {a = $2} /^MemAvailable/ {b = $2} END {print int((a - b) / 1024)}' /proc/meminfo;"
            " systemctl list-units --failed --no-legend --plain"
        )
        hostname, started_by, root_mb, active, roles, used_mib, *failed = seen.split()
        assert (hostname, started_by, active, roles, failed) == ("emulated", firmware, "active", "1", [])
        assert int(root_mb.rstrip("M")) > DISK_MB * 0.85, "the root file system grew with its disk"
        assert int(used_mib) < MEMORY_MB
        record("qemu", role, ready_s, firmware=firmware, memory_mib=int(used_mib))

        assert [await vm.answer_at(port) for port in (22, 9092)] == ["open", part.at_9092]
        assert await vm.answer_at(8080, wait_s=NO_ANSWER_S) == "dropped"
        await part.look_at_volume()
        await part.change()
        assert POWERED_OFF in vm.console(), "the guest shut itself down, and was not ended"
        await part.look_at_image()
