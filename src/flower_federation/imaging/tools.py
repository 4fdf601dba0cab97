"""Programs of other packages that building and booting images needs, and the Debian packages that have them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from flower_federation.imaging.base import TOOLS as BUILD_TOOLS
from zonebox.drivers.nspawn import TOOLS as NSPAWN_TOOLS
from zonebox.drivers.qemu import OVMF
from zonebox.drivers.qemu import TOOLS as QEMU_TOOLS

BOOT_TOOLS: Mapping[str, str] = {**NSPAWN_TOOLS, **QEMU_TOOLS}
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def find_program(name: str) -> str | None:
    """A program of PATH, or of where root has more: a user's PATH on Debian lacks the folders of system programs."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)


def missing_packages(which: Callable[[str], str | None] = find_program, *, ovmf: Path = OVMF) -> list[str]:
    """Debian packages that this machine lacks.

    Args:
        which: Finds a program, for tests.
        ovmf: Where UEFI for virtual machines is, which has no program.
    """
    wanted = {**BUILD_TOOLS, **BOOT_TOOLS}
    missing = {package for program, package in wanted.items() if which(program) is None}
    return sorted(missing | ({"ovmf"} if not ovmf.is_dir() else set()))


def install_command(packages: list[str]) -> tuple[str, ...]:
    """What installs them, and nothing that they merely recommend."""
    return ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)
