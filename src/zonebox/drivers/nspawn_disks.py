"""The disks of a container besides its root: loop devices on its own copies of their images. It mounts no file system.

A container has no udev, so a disk's nodes are put where udev would have them: /dev/<TARGET> and, where the disk is one
file system with a label, /dev/disk/by-label/<LABEL>. What mounts them is the guest's own systemd, through the host's
kernel. Partitions of such a disk have no nodes. As OpenNebula does it, a disk is a copy of its image which the VM has
from the disk's attachment to its detachment; a persistent image is the disk itself.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from zonebox.drivers.base import DiskSpec, DriverError
from zonebox.drivers.commands import Run
from zonebox.drivers.nspawn_image import is_qcow2, root_of

_FOLDERS: Final = "disk.[0-9]*"
_PROBE: Final = ("sh", "-c", 'blkid -p -o udev -- "$1" || [ $? -eq 2 ]', "sh")
"""blkid(8): 2 where it knows nothing of what is there."""


def root_and_others(disks: Iterable[DiskSpec]) -> tuple[DiskSpec | None, tuple[DiskSpec, ...]]:
    """The disk that a guest boots, and the others. Raises DriverError: an image cannot be read."""
    given = tuple(disks)
    root = next((disk for disk in given if root_of(disk.image) is not None), None)
    return root, tuple(disk for disk in given if disk is not root)


def place_of(disk: DiskSpec | None) -> str:
    """Name of what the VM's folder holds of a disk; a disk number may come back with another image."""
    return "disk.0" if disk is None else f"disk.{disk.disk_id}-{disk.image_id}"


def forget_detached(folder: Path, disks: Iterable[DiskSpec]) -> None:
    """Delete what was written to disks that the VM no longer has."""
    kept = {place_of(None), *(place_of(disk) for disk in disks)}
    for path in folder.glob(_FOLDERS):
        if path.name in kept:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


async def make_devices(disks: Sequence[DiskSpec], folder: Path, run: Run) -> list[str]:
    """Give each disk a loop device.

    Args:
        disks: those that the guest does not boot.
        folder: the VM's.
        run: runs losetup and its like.

    Returns:
        HOST:GUEST of device nodes, as --bind takes them.

    Raises:
        DriverError: a persistent image is of a format that no loop device has, or a program refuses.
    """
    nodes: dict[str, str] = {}
    for disk in disks:
        file = await _file_of(disk, folder, run)
        options = ("--read-only",) if disk.readonly else ()
        device = (await run("losetup", "--find", "--show", *options, str(file))).strip()
        names = [f"/dev/{disk.target}"] if re.fullmatch(r"[A-Za-z0-9]+", disk.target) else []
        if label := label_in(await run(*_PROBE, str(file))):
            names.append(f"/dev/disk/by-label/{label}")
        for name in names:
            nodes.setdefault(name, device)
    return [f"{device}:{escaped(name)}" for name, device in nodes.items()]


async def drop_devices(disks: Iterable[DiskSpec], folder: Path, run: Run) -> None:
    """Give a guest's loop devices back; their contents stay. Idempotent. Raises DriverError."""
    for file in await asyncio.to_thread(_files, tuple(disks), folder):
        listed = await run("losetup", "--associated", str(file), "--noheadings", "--output", "NAME")
        for device in listed.split():
            await run("losetup", "--detach", device)


def label_in(probed: str) -> str:
    """Label of a file system as udev spells it in a path, from what `blkid -o udev` prints; empty without one."""
    found = re.search(r"^ID_FS_LABEL_ENC=(.+)$", probed, re.MULTILINE)
    return found[1] if found else ""


def escaped(path: str) -> str:
    """A path for --bind: colons separate and backslashes escape there."""
    return re.sub(r"([\\:])", r"\\\1", path)


def _files(disks: Iterable[DiskSpec], folder: Path) -> list[Path]:
    """What a guest's loop devices are on, also those of disks that it has no longer."""
    own = [path for path in folder.glob(_FOLDERS) if path.is_file()]
    return [*own, *(disk.image for disk in disks if disk.persistent and disk.image.exists())]


async def _file_of(disk: DiskSpec, folder: Path, run: Run) -> Path:
    packed = await asyncio.to_thread(is_qcow2, disk.image)
    if disk.persistent:
        if packed:
            raise DriverError(
                f"image {disk.image}: persistent and QCOW2, a container's persistent disk must be a raw image, its "
                "loop device writes to the image itself; convert it with qemu-img convert -O raw and register it again"
            )
        return disk.image
    file = folder / place_of(disk)
    if not await asyncio.to_thread(file.exists):
        partial = folder / f".{file.name}.{secrets.token_hex(4)}"
        # Nobody but the host's root reads what a guest keeps on it.
        await asyncio.to_thread(partial.touch, 0o600)
        if packed:
            await run("qemu-img", "convert", "-O", "raw", str(disk.image), str(partial))
        else:
            await run("cp", "--sparse=always", "--reflink=auto", "--no-preserve=mode", str(disk.image), str(partial))
        await asyncio.to_thread(partial.rename, file)
    return file
