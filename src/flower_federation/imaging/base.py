"""The distribution's part of the image, as a tar from mmdebstrap in the cache. It adds nothing of ours.

The package mirror is mmdebstrap's own choice for the suite: no mirror is named here. What mmdebstrap copies from this
machine for its own work (name servers, host name) is in the tar; `rootfs.forget_host` takes it out of every image.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from flower_federation.caches import Cache, digest
from flower_federation.console import Step
from flower_federation.errors import MachineError
from flower_federation.imaging.recipe import Base
from flower_federation.processes import Runner, require

TOOLS: Mapping[str, str] = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "sfdisk": "fdisk",
    "qemu-img": "qemu-utils",
    "chroot": "coreutils",
}
"""Program -> Debian package that has it."""

_TAR = "base.tar"
# Drivers of the hypervisors that OpenNebula has (KVM's virtio, and AHCI for imported disks) and the file systems that
# a boot touches; the default would be every driver of the kernel package.
_INITRD_MODULES = "virtio_pci virtio_blk virtio_scsi ahci sd_mod sr_mod ext4 isofs"


def check_tools(which: Mapping[str, str | None] | None = None, *, user_id: int | None = None) -> None:
    """Refuse to start where a build could not end.

    Args:
        which: Program -> path, for tests; by default PATH is searched.
        user_id: Of this process, for tests.

    Raises:
        MachineError: Not root, another architecture, or a tool is missing.
    """
    user = os.geteuid() if user_id is None else user_id
    if user != 0:
        raise MachineError(
            given=f"user id {user}",
            rule="scripts/image build runs as root",
            reason="files of the image belong to root and to service users, and the initial RAM disk is made inside it",
            remedy="run it with sudo, or in a container as root",
        )
    found = which if which is not None else {tool: shutil.which(tool) for tool in TOOLS}
    missing = sorted({TOOLS[tool] for tool in TOOLS if found.get(tool) is None})
    if missing:
        raise MachineError(
            given=f"not installed: {', '.join(missing)}",
            rule="building an image needs them on PATH",
            reason="each makes a part of the disk, and none is worth writing again",
            remedy=f"apt-get install {' '.join(missing)}",
        )
    if platform.machine() != "x86_64":
        raise MachineError(
            given=f"this machine's architecture {platform.machine()}",
            rule="the recipe builds amd64 images on x86_64",
            reason="maintainer scripts of the image's packages run during the build",
            remedy="build on an x86_64 machine",
        )


def build_base(base: Base, *, cache: Cache, run: Runner, env: Mapping[str, str], epoch_s: int, step: Step) -> Path:
    """The base system's tar, from the cache or freshly made.

    Raises:
        ToolError: mmdebstrap failed.
    """
    key = digest([base.suite, base.architecture, *base.packages, _INITRD_MODULES, str(epoch_s)])

    def build(folder: Path) -> None:
        modules = f'printf "%s\\n" {_INITRD_MODULES} > "$1/etc/initramfs-tools/modules"'
        argv = [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--architectures={base.architecture}",
            f"--include={','.join(base.packages)}",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            # Before initramfs-tools makes the first one: only the drivers that a VM can have.
            '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"',
            f"--essential-hook={modules}",
            '--essential-hook=echo MODULES=list > "$1/etc/initramfs-tools/conf.d/modules"',
            base.suite,
            str(folder / _TAR),
        ]
        finished = run(
            argv,
            env={**env, "SOURCE_DATE_EPOCH": str(epoch_s), "DEBIAN_FRONTEND": "noninteractive"},
            timeout_s=1200,
            progress=lambda seconds, lines: step.note(f"{seconds:.0f} s, {lines} lines of output"),
        )
        require(
            finished,
            what="mmdebstrap, which installs the base system,",
            reason="everything else is laid over it",
            remedy="check that apt-get update works on this machine and that the suite of the recipe exists",
        )

    return cache.get("image-base", key, build, usable=lambda folder: (folder / _TAR).is_file()) / _TAR
