"""The root file system that an image of the nspawn driver has. It boots nothing and changes no image.

An image is a QCOW2 disk, whose Linux root partition is used, or, for trying things out, a JSON document that names a
folder: {"format": "zonebox-nspawn/1", "root": "/folder/with/a/root/file/system"}. A guest's root is an overlay on it:
what the guest writes stays in the VM's folder and the image is shared, unchanged.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonebox.drivers.base import DriverError
from zonebox.drivers.commands import Run

FORMAT: Final = "zonebox-nspawn/1"
_QCOW2_MAGIC: Final = b"QFI\xfb"
_LINUX_FILESYSTEM: Final = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_SECTOR_BYTES: Final = 512


@dataclass(frozen=True, kw_only=True)
class RootFolder:
    """A folder of this machine."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class RootDisk:
    """A QCOW2 file with a root partition in it."""

    path: Path


def find_root(files: Iterable[Path]) -> RootFolder | RootDisk:
    """The first bootable image among a VM's disks.

    Raises:
        DriverError: none is one.
    """
    given = list(files)
    for file in given:
        if (found := root_of(file)) is not None:
            return found
    raise DriverError(
        f"disks {', '.join(str(file) for file in given) or '(none)'}: one must be a QCOW2 disk or a {FORMAT} document, "
        "a guest boots the root file system of its image; give the VM template a DISK with the appliance's image"
    )


def root_of(file: Path) -> RootFolder | RootDisk | None:
    """The root file system that a disk's image has, or None for one that is not bootable.

    Raises:
        DriverError: it cannot be read, or names a root that is none.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(1 << 16)
    except OSError as error:
        raise DriverError(
            f"image {file}: {error.strerror}; a VM's disks must be readable to start it; delete the image and "
            "register it again"
        ) from error
    if head.startswith(_QCOW2_MAGIC):
        return RootDisk(path=file)
    return _folder(file, head) if head.lstrip().startswith(b"{") else None


def is_qcow2(file: Path) -> bool:
    """Whether a disk's image is in that format. Raises OSError."""
    with file.open("rb") as stream:
        return stream.read(len(_QCOW2_MAGIC)) == _QCOW2_MAGIC


def _folder(file: Path, head: bytes) -> RootFolder | None:
    try:
        document = json.loads(head)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    root = Path(str(document.get("root", "")))
    if not root.is_absolute() or not (root / "usr").is_dir():
        raise DriverError(
            f"image {file}: root {root}, it must be the absolute path of a folder with a root file system, the guest "
            "boots it; build it with scripts/image build --keep-root"
        )
    return RootFolder(path=root)


async def mount_root(root: RootFolder | RootDisk, folder: Path, cache: Path, run: Run, *, writes: str) -> Path:
    """Make the guest's root below `folder` and return it; what the guest wrote to this disk before is in it.

    Args:
        root: the image.
        folder: the VM's folder.
        writes: name of the folder in it for what the guest writes to this disk.
        cache: where unpacked disks are kept, one for all guests.
        run: runs mount and its like.

    Raises:
        DriverError: a program refuses.
    """
    upper, work, merged = folder / writes / "upper", folder / writes / "work", folder / "merged"
    for path in (upper, work, merged):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    await unmount_root(folder, run)
    lower = root.path
    if isinstance(root, RootDisk):
        lower = folder / "lower"
        lower.mkdir(mode=0o755, exist_ok=True)
        raw = _unpacked_place(root.path, cache)
        if not await asyncio.to_thread(raw.exists):
            await _unpack(root.path, raw, run)
        await mount_partition(raw, lower, run)
    try:
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        await run("mount", "-t", "overlay", "overlay", "-o", options, str(merged))
    finally:
        if isinstance(root, RootDisk):
            # The overlay keeps the file system; its loop device goes when the overlay does, however this process ends.
            await run("umount", "--lazy", str(lower))
    return merged


async def unmount_root(folder: Path, run: Run) -> None:
    """Take the guest's root away; its writes stay in the VM's folder."""
    for name in ("merged", "lower"):
        while (folder / name).is_mount():
            await run("umount", "--lazy", str(folder / name))


def _unpacked_place(image: Path, cache: Path) -> Path:
    """Where the raw disk of a QCOW2 file is, or goes: one place for each version of the file."""
    cache.mkdir(parents=True, exist_ok=True)
    status = image.stat()
    key = hashlib.sha256(f"{image}/{status.st_size}/{status.st_mtime_ns}".encode()).hexdigest()[:20]
    return cache / f"{key}.raw"


async def _unpack(image: Path, raw: Path, run: Run) -> None:
    await asyncio.to_thread(_drop_orphans, raw.parent)
    partial = raw.with_suffix(f".{secrets.token_hex(4)}.partial")
    await run("qemu-img", "convert", "-O", "raw", str(image), str(partial))
    await asyncio.to_thread(raw.with_suffix(".source").write_text, str(image))
    await asyncio.to_thread(partial.rename, raw)


def _drop_orphans(cache: Path) -> None:
    """Unpacked disks whose image is gone."""
    for source in cache.glob("*.source"):
        if not Path(source.read_text()).exists():
            source.with_suffix(".raw").unlink(missing_ok=True)
            source.unlink()


async def mount_partition(raw: Path, target: Path, run: Run) -> None:
    """Mount the Linux root partition of a raw disk, read-only.

    Args:
        raw: the disk.
        target: an empty folder.
        run: runs sfdisk and mount.

    Raises:
        DriverError: there is none, or more than one, or a program refuses.
    """
    table = json.loads(await run("sfdisk", "--json", str(raw)))["partitiontable"]
    found = [part for part in table["partitions"] if part["type"].upper() == _LINUX_FILESYSTEM]
    if len(found) != 1:
        raise DriverError(
            f"image {raw}: {len(found)} Linux partitions, there must be one, the guest's root; build the image with "
            "scripts/image build"
        )
    start, size = (int(found[0][key]) * _SECTOR_BYTES for key in ("start", "size"))
    options = f"ro,noload,loop,offset={start},sizelimit={size}"
    await run("mount", "-t", "ext4", "-o", options, str(raw), str(target))
