"""The qemu driver: a VM is an emulated machine that boots its image's QCOW2, with the CONTEXT on a CD-ROM.

Everything of the image takes part: boot loader, kernel, initial RAM disk, growing of the disk. Further image disks of
the VM are attached when it starts; volatile disks are not. KVM is used where a probe guest really runs on it, otherwise
instructions are emulated, which is 20-50 times slower. Networks, OneGate and security groups are those of the nspawn
driver. Needs root, qemu-system-x86, xorriso, ip and nft. Host folders cannot be shared.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from zonebox.drivers import process_table as table
from zonebox.drivers.base import DriverError, GuestSpec
from zonebox.drivers.commands import Run, run
from zonebox.drivers.guest_folder import GuestFolder
from zonebox.drivers.machine_driver import Guest, MachineDriver
from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.drivers.nspawn import check_tools, spawn
from zonebox.drivers.nspawn_image import RootDisk, find_root
from zonebox.drivers.nspawn_wiring import Wiring
from zonebox.drivers.qemu_disks import Attached, disk_options, make_disks
from zonebox.drivers.qemu_probe import kvm_runs

Firmware = Literal["bios", "uefi"]

TOOLS: Final[Mapping[str, str]] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "xorriso": "xorriso",
    "ip": "iproute2",
    "nft": "nftables",
    "sysctl": "procps",
}
"""Program -> Debian package that has it."""
OVMF: Final = Path("/usr/share/OVMF")
"""Where Debian's package `ovmf` has UEFI for virtual machines."""
DEFAULT_GRACE_S: Final = 300.0
"""An emulated guest needs 5-60 s to shut down where the machine does nothing else (observed 2026-11-24)."""
_QMP_TIMEOUT_S: Final = 30.0
_CONTEXT_DRIVE: Final = "context"


class QemuDriver(MachineDriver):
    """Runs VMs as emulated machines.

    Args:
        onegate: address and port of the zone's OneGate on the host; see the nspawn driver.
        firmware: what guests boot with whose VM template has no OS/FIRMWARE.
        switch: network namespace that holds the bridges.
        grace_s: seconds that a guest has to shut down before it is ended.
        run_program: runs system programs.
    """

    name = "qemu"

    def __init__(
        self,
        *,
        onegate: tuple[str, int] | None = None,
        firmware: Firmware = "bios",
        switch: str = DEFAULT_SWITCH,
        grace_s: float = DEFAULT_GRACE_S,
        run_program: Run = run,
    ) -> None:
        super().__init__(grace_s=grace_s)
        self._firmware: Firmware = firmware
        self._run = run_program
        self._wiring = Wiring(onegate=onegate, switch=switch, taps=True, run_program=run_program)
        self._kvm: bool | None = None

    def check(self) -> None:
        """Refuse where no guest could start. Raises DriverError."""
        check_tools("qemu", TOOLS)

    async def launch(self, spec: GuestSpec, mark: str) -> subprocess.Popen[bytes]:
        """Make disk and CONTEXT CD-ROM, connect, and start the emulator. Raises DriverError."""
        folder = GuestFolder(spec.folder)
        image = find_root(spec.images)
        if not isinstance(image, RootDisk) or spec.shares:
            raise DriverError(
                f"image {image.path}, shares {sorted(spec.shares)}: an emulated machine boots a QCOW2 disk and sees no "
                "folder of the host; use the image that scripts/image build makes, and no --share"
            )
        if self._kvm is None:
            self._kvm = await asyncio.to_thread(kvm_runs)
        disks = await make_disks(image.path, spec, self._run)
        firmware = firmware_of(spec.firmware, self._firmware)
        if firmware == "uefi":
            await asyncio.to_thread(_copy_once, OVMF / "OVMF_VARS_4M.fd", folder.path / "vars.fd")
        await write_context_disk(folder, self._run)
        await self._wiring.connect(spec)
        taps = [self._wiring.network(spec).port(spec.vm_id, nic) for nic in spec.nics]
        argv = qemu_command(spec, taps=taps, firmware=firmware, kvm=self._kvm, disks=disks)
        return spawn(["ip", "netns", "exec", self._wiring.switch, *argv], folder, {table.MARK: mark})

    async def found(self, spec: GuestSpec) -> None:
        """A running guest was found again: OneGate is relayed to it once more."""
        await self._wiring.relay_onegate(spec)

    async def show_context(self, spec: GuestSpec) -> None:
        """Put a new CD-ROM in: the guest's kernel tells of the change."""
        folder = GuestFolder(spec.folder)
        await write_context_disk(folder, self._run)
        medium = {"id": _CONTEXT_DRIVE, "filename": str(folder.path / "context.iso"), "force": True}
        await qmp(folder.path, "blockdev-change-medium", medium)

    async def ask(self, guest: Guest) -> None:
        """Press the power button."""
        await qmp(guest.spec.folder, "system_powerdown", {})

    async def clean(self, spec: GuestSpec) -> None:
        """Remove links, rules and sockets. Idempotent."""
        await self._wiring.disconnect(spec)
        (spec.folder / "qmp").unlink(missing_ok=True)

    async def close(self) -> None:
        """Let go of all guests without stopping them."""
        await super().close()
        await self._wiring.close()


def firmware_of(wanted: str, default: Firmware) -> Firmware:
    """What a VM boots with.

    Args:
        wanted: FIRMWARE of its template's OS section: BIOS, UEFI, or the path of a UEFI firmware on the host, which
            stands for the one that is installed here.
        default: for VMs that say nothing.
    """
    if not wanted:
        return default
    return "bios" if wanted.upper() == "BIOS" else "uefi"


def qemu_command(
    spec: GuestSpec, *, taps: Sequence[str], firmware: Firmware, kvm: bool, disks: tuple[Attached, ...]
) -> list[str]:
    """What starts a guest; it runs in the switch's namespace, where the taps are.

    Args:
        spec: the VM; its folder holds context.iso and, for UEFI, vars.fd.
        taps: one interface for each NIC.
        firmware: SeaBIOS on a PC, or UEFI on a Q35 chipset, as OpenNebula has them.
        kvm: use it.
        disks: the one that boots first.
    """
    folder = spec.folder
    argv = [
        "qemu-system-x86_64",
        *("-name", f"one-{spec.vm_id}"),
        *("-uuid", spec.uuid),
        *("-machine", "pc" if firmware == "bios" else "q35"),
        *("-accel", "kvm" if kvm else "tcg,thread=multi"),
        # The emulated model has what numerical wheels (x86-64-v2) ask for.
        *("-cpu", "host" if kvm else "max"),
        *("-smp", str(spec.vcpus)),
        *("-m", f"{spec.memory_mb}M"),
        *("-nodefaults", "-no-user-config", "-nographic", "-vga", "none"),
        *("-serial", "stdio", "-monitor", "none"),
        *("-qmp", f"unix:{folder}/qmp,server=on,wait=off"),
        *("-device", "virtio-rng-pci"),
        *disk_options(disks),
        *("-drive", f"file={folder}/context.iso,media=cdrom,format=raw,if=none,readonly=on,id=cd0"),
        *("-device", f"ide-cd,drive=cd0,id={_CONTEXT_DRIVE}"),
    ]
    if firmware == "uefi":
        argv += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF}/OVMF_CODE_4M.fd"]
        argv += ["-drive", f"if=pflash,format=raw,unit=1,file={folder}/vars.fd"]
    for nic, tap in zip(spec.nics, taps, strict=True):
        argv += ["-netdev", f"tap,id=net{nic.nic_id},ifname={tap},script=no,downscript=no"]
        argv += ["-device", f"virtio-net-pci,netdev=net{nic.nic_id},mac={nic.mac}"]
    return argv


async def write_context_disk(folder: GuestFolder, run_program: Run) -> None:
    """The CONTEXT as OpenNebula puts it on a CD-ROM: ISO 9660, label CONTEXT.

    Raises:
        DriverError: it cannot be made.
    """
    # Readable by its owner alone, from the first byte on: token and keys are in it. xorriso leaves the mode alone.
    draft = folder.path / "context.iso.new"
    await asyncio.to_thread(_touch_secret, draft)
    await run_program(
        "xorriso", "-outdev", f"stdio:{draft}", "-volid", "CONTEXT", "-joliet", "on", "-rockridge", "on",
        "-map", str(folder.context), "/", "-commit", "-end",
    )  # fmt: skip
    draft.replace(folder.path / "context.iso")


async def qmp(folder: Path, command: str, arguments: Mapping[str, object]) -> None:
    """One command to a running emulator.

    Raises:
        DriverError: it does not answer, or refuses.
    """
    try:
        async with asyncio.timeout(_QMP_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(str(folder / "qmp"))
            try:
                await reader.readline()
                for execute, given in (("qmp_capabilities", {}), (command, arguments)):
                    writer.write(json.dumps({"execute": execute, "arguments": given}).encode() + b"\n")
                    await writer.drain()
                    answer = json.loads(await reader.readline() or b"{}")
                    while "event" in answer:
                        answer = json.loads(await reader.readline() or b"{}")
                    if "return" not in answer:
                        raise DriverError(
                            f"{execute}: {answer.get('error', {}).get('desc', 'no answer')}; the emulator must do it "
                            "for the guest to be as the zone says; see the VM's console.log"
                        )
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        raise DriverError(
            f"emulator in {folder}: {type(error).__name__} for {command}, it must answer at {folder}/qmp, a guest that "
            "hangs cannot be asked; stop the VM hard"
        ) from error


def _touch_secret(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)


def _copy_once(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise DriverError(
            f"UEFI firmware {source}: {error.strerror}; a VM with UEFI boots from it; apt-get install ovmf, or give "
            "its template FIRMWARE=BIOS"
        ) from error
