"""GRUB's BIOS boot code on a GPT disk, written without mounting or a loop device. Pure: bytes in, bytes out.

What `grub-bios-setup` would do with a block device, for the case of a BIOS boot partition that begins with the core
image. Offsets are those of GRUB 2's boot.S and diskboot.S (include/grub/i386/pc/boot.h, release 2.12).
"""

from __future__ import annotations

import struct

SECTOR_BYTES = 512
_BOOT_CODE_BYTES = 440  # what precedes the disk signature in a protective MBR
_KERNEL_SECTOR = 0x5C
_BOOT_DRIVE = 0x64
_DRIVE_CHECK = 0x66
_FIRST_BLOCKLIST = SECTOR_BYTES - 12
_LOAD_SEGMENT = 0x820


class BootCodeError(ValueError):
    """The files are not GRUB's boot.img and core.img."""


def boot_code(boot_img: bytes, *, core_sector: int) -> bytes:
    """The first 440 bytes of the disk: loads the core image's first sector.

    Args:
        boot_img: GRUB's i386-pc/boot.img.
        core_sector: Sector of the disk at which the core image begins.

    Raises:
        BootCodeError: It has not the size of a boot sector.
    """
    if len(boot_img) != SECTOR_BYTES:
        raise BootCodeError(f"boot.img has {len(boot_img)} bytes; a boot sector has {SECTOR_BYTES}")
    code = bytearray(boot_img)
    struct.pack_into("<Q", code, _KERNEL_SECTOR, core_sector)
    code[_BOOT_DRIVE] = 0xFF  # the drive that the BIOS booted from
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"  # no-ops: the workaround for floppy numbering is not wanted
    return bytes(code[:_BOOT_CODE_BYTES])


def core_image(core_img: bytes, *, core_sector: int, room_bytes: int) -> bytes:
    """The core image as it lies in the BIOS boot partition: padded, its first sector pointing to the rest.

    Raises:
        BootCodeError: It does not fit, or is too short to be one.
    """
    sectors = -(-len(core_img) // SECTOR_BYTES)
    if sectors < 2 or sectors * SECTOR_BYTES > room_bytes:
        raise BootCodeError(f"core.img has {len(core_img)} bytes; it must have more than a sector and fit {room_bytes}")
    core = bytearray(core_img.ljust(sectors * SECTOR_BYTES, b"\0"))
    struct.pack_into("<QHH", core, _FIRST_BLOCKLIST, core_sector + 1, sectors - 1, _LOAD_SEGMENT)
    return bytes(core)
