"""The disks of an emulated machine: files made for them, and the emulator's options. It starts no emulator.

The disk that boots is always the VM's own, on top of its image. A further disk is the image itself where that is
persistent, and otherwise the VM's own as well, so that one data volume serves many VMs.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from zonebox.drivers.base import DiskSpec, DriverError, GuestSpec
from zonebox.drivers.commands import Run
from zonebox.drivers.nspawn_disks import forget_detached, place_of, root_and_others
from zonebox.drivers.nspawn_image import is_qcow2


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A disk as the emulator opens it."""

    path: Path
    format: str = "qcow2"
    read_only: bool = False
    kept: bool = False
    """It outlives the VM, so what the guest flushes must be on the host's disk."""


async def make_disks(image: Path, spec: GuestSpec, run_program: Run) -> tuple[Attached, ...]:
    """The VM's disks, the one that boots first; what an earlier start wrote to them is still there.

    Args:
        image: what boots.
        spec: the VM.
        run_program: runs qemu-img.

    Raises:
        DriverError: an image cannot be read, or a program refuses.
    """
    booted, others = root_and_others(spec.disks)
    await asyncio.to_thread(forget_detached, spec.folder, spec.disks)
    root = await _on_top_of(image, "qcow2", spec.folder / place_of(booted), run_program)
    described = json.loads(await run_program("qemu-img", "info", "--output=json", str(root.path)))
    if spec.root_mb is not None and spec.root_mb << 20 > int(described["virtual-size"]):
        await run_program("qemu-img", "resize", "-q", str(root.path), f"{spec.root_mb}M")
    return (root, *[await _other(disk, spec.folder, run_program) for disk in others])


async def _other(disk: DiskSpec, folder: Path, run_program: Run) -> Attached:
    try:
        form = "qcow2" if await asyncio.to_thread(is_qcow2, disk.image) else "raw"
    except OSError as error:
        raise DriverError(
            f"image {disk.image}: {error.strerror}; a VM's disks must be readable to start it; delete the image and "
            "register it again"
        ) from error
    if disk.readonly or disk.persistent:
        return Attached(path=disk.image, format=form, read_only=disk.readonly, kept=True)
    return await _on_top_of(disk.image, form, folder / place_of(disk), run_program)


async def _on_top_of(image: Path, form: str, disk: Path, run_program: Run) -> Attached:
    if not await asyncio.to_thread(disk.exists):
        backing = str(await asyncio.to_thread(image.absolute))
        await run_program("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", form, str(disk))
    return Attached(path=disk)


def disk_options(disks: tuple[Attached, ...]) -> list[str]:
    """The emulator's options; the guest has the first disk, which boots, as vda and the others as vdb, vdc, ...

    Args:
        disks: from `make_disks`.
    """
    argv: list[str] = []
    for number, disk in enumerate(disks):
        how = "readonly=on" if disk.read_only else f"discard=unmap,cache={'writeback' if disk.kept else 'unsafe'}"
        # Told apart, since firmware would try them in an order of its own.
        boots = "" if number else ",bootindex=0"
        argv += ["-drive", f"file={disk.path},format={disk.format},{how},if=none,id=disk{number}"]
        argv += ["-device", f"virtio-blk-pci,drive=disk{number}{boots}"]
    return argv
