"""The newest Flower before ours whose database differs from ours, and an appliance's image that has it. For tests.

It needs the same packages as ours (the wheels' metadata agree in all that is no extra, 2026-11-24), so its environment
is one wheel, held against its hash, before the packages of `.flower-env`. It is kept in the user's cache; where it is
not there yet and the package index cannot be reached, the test is skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from flower_appliance.image import process_image
from flower_appliance.version import FLOWER_VERSION
from flower_federation.caches import Cache, cache_root, digest
from flower_federation.packages import pip_options, uv_environment
from tests.appliance_support import FLOWER_BIN, REPOSITORY

VERSION: Final = "1.40.0"
REVISION: Final = "8f4785e2dc47"
"""Of its database: what the first of our version's further migrations (2026-10-13) revises."""
OUR_REVISION: Final = "d90a2f91f23c"
"""The newest migration in the wheel of flwr 1.41.0."""
LOCK: Final = (
    f"flwr=={VERSION} --hash=sha256:81d2676da574a0091d0255e90283d80f3cce14ed13faed09668d55796d9a4c12\n"
)  # fmt: skip
"""The wheel's SHA-256 on the package index (2026-11-24)."""
_TIMEOUT_S: Final = 900.0
_UNREACHABLE: Final = re.compile(r"Failed to fetch|error sending request|dns error|Connection refused|timed out")
"""What uv 0.12 says where it gets no answer."""


def earlier_image(folder: Path) -> dict[str, Any]:
    """A process image as it was with that Flower: its programs, and this appliance, which knows itself to have them.

    Args:
        folder: for the appliance's code.
    """
    source = folder / "earlier"
    shutil.copytree(REPOSITORY / "src" / "flower_appliance", source / "flower_appliance")
    version = source / "flower_appliance" / "version.py"
    version.write_text(version.read_text().replace(FLOWER_VERSION, VERSION))
    return process_image(bin_dir=_environment() / "bin", source=source)


def _environment() -> Path:
    ours = FLOWER_BIN.resolve().parent
    cache = Cache(cache_root(os.environ, Path.home()), say=print)

    def make(folder: Path) -> None:
        python = folder / "bin" / "python"
        _uv("venv", "--relocatable", "--allow-existing", "--no-project", "--python", ours / "bin/python", folder)
        lock = folder / "flwr.lock"
        lock.write_text(LOCK)
        _uv("pip", "install", "--python", python, "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", lock)
        (packages,) = folder.glob("lib/python*/site-packages")
        (shared,) = ours.glob("lib/python*/site-packages")
        (packages / "shared.pth").write_text(f"{shared}\n")
        (folder / "bin" / "caddy").symlink_to(ours / "bin" / "caddy")

    def usable(folder: Path) -> bool:
        return (folder / "bin" / "flower-superlink").exists() and (folder / "bin" / "caddy").exists()

    return cache.get("earlier-flower", digest([LOCK, str(ours)]), make, usable=usable)


def _uv(*arguments: str | Path) -> None:
    environment: Mapping[str, str] = uv_environment(os.environ, pip_options(os.environ, Path.home()))
    done = subprocess.run(
        [str(part) for part in (FLOWER_BIN / "uv", *arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0 and (found := _UNREACHABLE.search(done.stderr)):
        pytest.skip(f"needs flwr {VERSION} from the package index, which cannot be reached ({found[0]})")
    assert done.returncode == 0, done.stderr
