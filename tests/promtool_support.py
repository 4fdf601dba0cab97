"""promtool, from PATH or out of Debian's package `prometheus`, which is taken apart and not installed: nothing starts.

The program lies in the user's cache under the package's own SHA-256. Where there is no such package, tests are skipped.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from flower_federation.caches import Cache, cache_root, digest

PACKAGE = "prometheus"
PROGRAM = "usr/bin/promtool"
_TIMEOUT_S = 900


@cache
def promtool() -> Path:
    """The program; skips the test where this machine cannot have it."""
    installed = shutil.which("promtool")
    if installed is not None:
        return Path(installed)
    missing = [name for name in ("apt-get", "dpkg-deb", "tar") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs promtool on PATH, or {', '.join(missing)} to take Debian's package {PACKAGE} apart")
    expected = _sha256_of_the_package()
    place = Cache(cache_root(os.environ, Path.home()), say=print).get(
        "promtool", digest([expected]), lambda folder: _take_apart(folder, expected), usable=_usable
    )
    return place / PROGRAM


def _usable(folder: Path) -> bool:
    return os.access(folder / PROGRAM, os.X_OK)


def _sha256_of_the_package() -> str:
    """What apt's signed lists say of the package; the lists are fetched where there are none and this user may."""
    found = _listed()
    if found is None and os.geteuid() == 0:
        _run("apt-get", "update", "--quiet")
        found = _listed()
    if found is None:
        pytest.skip(f"apt knows no package {PACKAGE}: run apt-get update as root, or install promtool")
    return found


def _listed() -> str | None:
    ended = _run("apt-get", "download", "--print-uris", PACKAGE)
    match = re.search(r" SHA256:([0-9a-f]{64})$", ended.stdout, re.MULTILINE)
    return match[1] if match else None


def _take_apart(folder: Path, expected: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        ended = _run("apt-get", "download", "--quiet", PACKAGE, cwd=temporary)
        packages = list(Path(temporary).glob("*.deb"))
        if len(packages) != 1:
            pytest.skip(f"Debian's package {PACKAGE} cannot be had: {ended.stderr.strip()[-300:]}")
        found = hashlib.sha256(packages[0].read_bytes()).hexdigest()
        assert found == expected, f"{packages[0].name}: sha256 {found}, and apt's lists say {expected}"
        whole = Path(temporary) / "whole.tar"
        with whole.open("wb") as file:
            subprocess.run(("dpkg-deb", "--fsys-tarfile", packages[0]), stdout=file, check=True, timeout=_TIMEOUT_S)
        subprocess.run(("tar", "-xf", whole, "-C", folder, f"./{PROGRAM}"), check=True, timeout=_TIMEOUT_S)


def _run(*argv: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
