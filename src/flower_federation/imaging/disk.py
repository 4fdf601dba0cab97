"""A root file system becomes a disk: GPT, BIOS and UEFI boot, ext4, then QCOW2. It mounts nothing.

Every identifier is derived from the recipe's seed and every time stamp is its epoch, so that the same tree gives the
same bytes.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from flower_federation.errors import MachineError
from flower_federation.imaging.bootsector import SECTOR_BYTES, boot_code, core_image
from flower_federation.imaging.recipe import Disk
from flower_federation.imaging.surroundings import of_tools
from flower_federation.processes import Runner, require

MIB = 1024 * 1024
ROOT_LABEL = "flower-root"
_BOOT_MIB = 1  # BIOS boot partition, from 1 MiB
_TYPES = {
    "bios": "21686148-6449-6E6F-744E-656564454649",
    "esp": "C12A7328-F81F-11D2-BA4B-00C04F93C93B",
    "root": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
}
"""GPT partition types: BIOS boot, EFI system, Linux file system (UEFI and GRUB specifications)."""
_CORE_MODULES = ("biosdisk", "part_gpt", "ext2", "normal", "linux", "search", "search_label", "configfile")
_SHIM = "usr/lib/shim/shimx64.efi.signed"
_GRUB_EFI = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"


def grub_config(root: Path, disk: Disk) -> str:
    """The boot menu without a menu: the newest kernel, started at once.

    Raises:
        MachineError: There is none.
    """
    kernels = sorted((path.name for path in (root / "boot").glob("vmlinuz-*")), key=_by_version)
    if not kernels:
        raise MachineError(
            given=f"{root / 'boot'}: no vmlinuz-*",
            rule="the image has a kernel",
            reason="it could not boot",
            remedy="name a kernel's package in the recipe; if it names one, see what mmdebstrap said about it",
        )
    kernel = kernels[-1]
    initrd = kernel.replace("vmlinuz-", "initrd.img-")
    return "\n".join(
        [
            "set timeout=0",
            f"search --no-floppy --label {ROOT_LABEL} --set root",
            f"linux /boot/{kernel} root=LABEL={ROOT_LABEL} {disk.kernel_arguments}",
            f"initrd /boot/{initrd}",
            "boot",
            "",
        ]
    )


def _by_version(name: str) -> list[tuple[int, str]]:
    """6.12.10 is newer than 6.12.9."""
    return [(int(number or 0), text) for text, number in re.findall(r"(\D*)(\d*)", name)]


def derived(disk: Disk, purpose: str) -> uuid.UUID:
    """An identifier that depends on the recipe's seed and its purpose only."""
    return uuid.uuid5(disk.seed, purpose)


def partition_table(disk: Disk, *, root_mib: int) -> str:
    """The GPT as sfdisk reads it."""
    boot_start = MIB // SECTOR_BYTES
    esp_start = (1 + _BOOT_MIB) * MIB // SECTOR_BYTES
    root_start = esp_start + disk.esp_mib * MIB // SECTOR_BYTES
    rows = [
        ("bios", boot_start, _BOOT_MIB),
        ("esp", esp_start, disk.esp_mib),
        ("root", root_start, root_mib),
    ]
    lines = ["label: gpt", f"label-id: {derived(disk, 'disk')}", f"first-lba: {boot_start}"]
    for name, start, size_mib in rows:
        size = size_mib * MIB // SECTOR_BYTES
        lines.append(f"start={start}, size={size}, type={_TYPES[name]}, uuid={derived(disk, name)}")
    return "\n".join(lines) + "\n"


class DiskBuilder:
    """Makes the disk's parts in a scratch folder and joins them.

    Args:
        disk: Identity and layout.
        root: The finished root file system.
        scratch: A folder that is thrown away afterwards.
        run: Starts the tools.
        env: Their environment; the epoch is added.
    """

    def __init__(self, disk: Disk, root: Path, scratch: Path, *, run: Runner, env: Mapping[str, str]) -> None:
        self._disk = disk
        self._root = root
        self._scratch = scratch
        self._run = run
        epoch = str(disk.epoch_s)
        # mtools writes local time: the time zone is in the bytes, too.
        own = {"SOURCE_DATE_EPOCH": epoch, "E2FSPROGS_FAKE_TIME": epoch, "MTOOLS_SKIP_CHECK": "1"}
        self._env = of_tools(env) | own

    def build(self, target: Path, *, used_mib: int) -> None:
        """Write the QCOW2.

        Args:
            target: The file; must not exist.
            used_mib: What the root file system's files occupy.

        Raises:
            ToolError: A tool failed.
            BootCodeError: GRUB's files are not what they should be.
        """
        root_mib = used_mib + self._disk.free_mib
        raw = self._scratch / "disk.raw"
        total_mib = 2 + _BOOT_MIB + self._disk.esp_mib + root_mib
        with raw.open("wb") as disk_file:
            disk_file.truncate(total_mib * MIB)
        (self._scratch / "table").write_text(partition_table(self._disk, root_mib=root_mib), encoding="utf-8")
        self._tool("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", raw, stdin=self._scratch / "table")
        self._write_boot(raw)
        esp_offset_mib = 1 + _BOOT_MIB
        self._copy_into(raw, self._esp(), esp_offset_mib)
        self._copy_into(raw, self._ext4(root_mib), esp_offset_mib + self._disk.esp_mib)
        # One coroutine: with more, the order of clusters in the file depends on timing.
        self._tool("qemu-img", "convert", "-c", "-m", "1", "-O", "qcow2", "-o", "compression_type=zstd", raw, target)

    def _write_boot(self, raw: Path) -> None:
        core_path = "boot/grub/core.img"
        self._tool(
            "chroot", self._root, "grub-mkimage", "-O", "i386-pc", "-p", "(hd0,gpt3)/boot/grub",
            "-o", f"/{core_path}", *_CORE_MODULES,
        )  # fmt: skip
        core = (self._root / core_path).read_bytes()
        (self._root / core_path).unlink()
        os.utime(self._root / "boot/grub", (self._disk.epoch_s, self._disk.epoch_s))
        boot = (self._root / "usr/lib/grub/i386-pc/boot.img").read_bytes()
        sector = MIB // SECTOR_BYTES
        with raw.open("r+b") as disk_file:
            disk_file.write(boot_code(boot, core_sector=sector))
            disk_file.seek(MIB)
            disk_file.write(core_image(core, core_sector=sector, room_bytes=_BOOT_MIB * MIB))

    def _esp(self) -> Path:
        image, config = self._scratch / "esp.img", self._scratch / "esp.cfg"
        with image.open("wb") as file:
            file.truncate(self._disk.esp_mib * MIB)
        config.write_text(
            f"search --no-floppy --label {ROOT_LABEL} --set root\nconfigfile ($root)/boot/grub/grub.cfg\n",
            encoding="utf-8",
        )
        volume_id = derived(self._disk, "esp-volume").hex[:8]
        self._tool("mkfs.vfat", "--invariant", "-i", volume_id, "-n", "ESP", image)
        self._tool("mmd", "-i", image, "::EFI", "::EFI/BOOT", "::EFI/debian")
        for source, name in (
            (self._root / _SHIM, "EFI/BOOT/BOOTX64.EFI"),
            (self._root / _GRUB_EFI, "EFI/BOOT/grubx64.efi"),
            (config, "EFI/debian/grub.cfg"),
        ):
            self._tool("mcopy", "-i", image, source, f"::{name}")
        return image

    def _ext4(self, root_mib: int) -> Path:
        image = self._scratch / "root.ext4"
        options = f"hash_seed={derived(self._disk, 'hash')},lazy_itable_init=0,lazy_journal_init=0"
        # The guest's own mke2fs (1.47.2), through its own loader: Debian 12's 1.47.0 copies change and access times of
        # the build's files into the image, whatever SOURCE_DATE_EPOCH says, and no two builds are the same then.
        libraries = self._root / "usr/lib/x86_64-linux-gnu"
        self._tool(
            self._root / "lib64/ld-linux-x86-64.so.2", "--library-path", libraries,
            self._root / "usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", self._root, "-L", ROOT_LABEL,
            "-U", str(derived(self._disk, "root-file-system")), "-E", options, image, f"{root_mib}M",
        )  # fmt: skip
        return image

    def _copy_into(self, raw: Path, part: Path, offset_mib: int) -> None:
        self._tool("dd", f"if={part}", f"of={raw}", "bs=1M", f"seek={offset_mib}", "conv=notrunc,sparse", "status=none")

    def _tool(self, *argv: str | Path, stdin: Path | None = None) -> None:
        command: list[str | Path] = list(argv)
        if stdin is not None:
            command = ["sh", "-c", 'input=$1; shift; exec "$@" < "$input"', "sh", stdin, *argv]
        require(
            self._run(command, env=self._env, timeout_s=600),
            what=f"{argv[0]}, which makes a part of the disk,",
            reason="a disk with a part missing would not boot",
            remedy="look at its message; a full disk is the usual cause (an image needs about 4 GiB while it is built)",
        )
