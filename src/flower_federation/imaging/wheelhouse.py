"""A disk image with the wheels of a locked list, for `packages.volume`: what a zone's VMs have beyond Flower.

The wheels are those for the guest's Python, whatever this machine's is; each must have a hash of the list. It resolves
nothing and locks nothing, and what the appliance's image has already is left out by the guest, not here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flower_federation.console import Console
from flower_federation.errors import InputError
from flower_federation.imaging.checksums import sha256_of
from flower_federation.imaging.payload import plain_modes
from flower_federation.processes import Runner, require

STEPS = 2
LABEL = "wheels"
"""Of the file system, by default; the guest finds the disk by it (`packages.volume`)."""
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""What the image's libc takes; the same as the image's own wheels."""
_SPARE_MIB = 16
_MIB = 1 << 20


def build_wheelhouse(
    lock: Path,
    output: Path,
    *,
    label: str,
    python: Path,
    python_version: str,
    sources: Sequence[str],
    run: Runner,
    env: Mapping[str, str],
    console: Console,
) -> dict[str, Any]:
    """Download a list's wheels and put them into a file system of their own.

    Args:
        lock: A pip requirements file, every entry with version and hashes.
        output: The disk image.
        label: Of its file system.
        python: An interpreter that has pip.
        python_version: The guest's Python, such as 3.13.
        sources: pip's options that say where wheels come from; none: its usual index.
        run: Starts pip and mkfs.ext4.
        env: Their environment.
        console: Shows the steps.

    Returns:
        For `--json`.

    Raises:
        InputError: There is no such list.
        ToolError: A wheel is not there, has another hash, or the file system could not be made.
    """
    if not lock.is_file():
        raise InputError(
            given=f"{lock}: no file",
            rule="it is a locked pip requirements file",
            reason="its entries are what the disk holds",
            remedy="lock your list with uv pip compile --generate-hashes (docs/operations/layers.md)",
        )
    with tempfile.TemporaryDirectory(prefix="flower-wheels-") as name:
        wheels = Path(name) / "wheels"
        with console.step("wheels") as step:
            argv: list[str | Path] = [
                *(python, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"),
                *("--require-hashes", "--only-binary=:all:", f"--python-version={python_version}"),
                *(f"--platform={platform}" for platform in _PLATFORMS),
                *sources,
                *("--dest", wheels, "--requirement", lock),
            ]
            require(
                run(argv, env=env, timeout_s=3600, progress=lambda seconds, _: step.note(f"{seconds:.0f} s")),
                what="pip, which downloads the list's wheels,",
                reason="a wheel that is not exactly the list's would be refused by every VM",
                remedy="see its message; lock the list for the image's Python and platform",
            )
            # The folder's own mode becomes that of the disk's top folder.
            plain_modes(wheels)
            files = sorted(wheels.iterdir())
            total = sum(file.stat().st_size for file in files)
            step.done(f"{len(files)} files, {total / 1e6:.1f} MB")
        with console.step("disk") as step:
            size_mib = total * 11 // 10 // _MIB + _SPARE_MIB
            output.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(name) / "disk"
            require(
                run(
                    ["mkfs.ext4", "-q", "-m", "0", "-L", label, "-d", wheels, partial, f"{size_mib}M"],
                    env={**env, "PATH": f"{env.get('PATH', '')}:/usr/sbin:/sbin"},
                    timeout_s=600,
                ),
                what="mkfs.ext4, which makes the file system,",
                reason="the guest mounts the disk by its label",
                remedy="scripts/image tools says what this machine lacks",
            )
            shutil.move(partial, output)
            step.done(f"{size_mib} MiB, label {label}")
    return {
        "image": str(output),
        "label": label,
        "sha256": sha256_of(output),
        "wheels": [file.name for file in files],
    }
