"""The Flower environment of the image: wheels for the guest's Python in one folder, and this appliance's own code.

It runs none of them: the guest's Python is another one than this machine's.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from flower_federation.caches import Cache, digest
from flower_federation.console import Step
from flower_federation.imaging.recipe import Base, Variant
from flower_federation.imaging.surroundings import plain_umask
from flower_federation.processes import Runner, require

PREFIX = "opt/flower"
DEMO = "usr/share/flower/demo"
"""Where the guest finds the demo set (flower_appliance.data.DEMO_PATH)."""
_TO_PREFIX = "../../../"
"""From site-packages, which is lib/pythonX.Y/site-packages below the prefix."""
_PREPARE = Path("examples") / "breast_cancer" / "prepare.py"
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def without(lock: str, names: tuple[str, ...]) -> str:
    """A hashed lock less some distributions; the rest stays as it is, hashes included."""
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    left_out = {_normal(name) for name in names}

    def keep(entry: str) -> bool:
        match = _REQUIREMENT.match(entry)
        return match is None or _normal(match[1]) not in left_out

    return "".join(entry for entry in entries if keep(entry))


def build_payload(
    base: Base, variant: Variant, *, lock: Path, uv: Path, cache: Cache, run: Runner, env: Mapping[str, str], step: Step
) -> Path:
    """A folder with `site-packages`, `bin` and `demo`, from the cache or freshly installed.

    Raises:
        ToolError: uv failed, for instance because a wheel's hash is not the locked one; or the demo set's program did.
    """
    project = lock.parent.parent
    requirements = without(lock.read_text(encoding="utf-8"), variant.leave_out)

    def build(folder: Path) -> None:
        wanted = folder / "requirements.txt"
        wanted.write_text(requirements, encoding="utf-8")
        packages = folder / "site-packages"
        argv: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-deps",  # the lock is complete, and what the variant leaves out must stay out
            "--require-hashes",
            "--only-binary=:all:",
            "--no-compile",
            f"--python-version={base.python}",
            "--python-platform=x86_64-manylinux_2_28",
            f"--target={packages}",
            f"--requirement={wanted}",
        ]
        with plain_umask():
            finished = run(argv, env=env, timeout_s=600, progress=lambda seconds, _: step.note(f"{seconds:.0f} s"))
        require(
            finished,
            what="uv, which installs the Flower environment of the image,",
            reason="the appliance downloads nothing when it boots",
            remedy="check that requirements/flower.lock is up to date (scripts/lock) and that the index answers",
        )
        (packages / "bin").rename(folder / "bin")
        for program in (folder / "bin").iterdir():
            _point_to_guest(program)
        correct_records(packages, folder / "bin")
        # One zone: the whole table, which FL_NUM_PARTITIONS shards.
        demo: list[str | Path] = [
            project / ".flower-env" / "bin" / "python",
            project / _PREPARE,
            "--folder",
            folder,
            "demo",
        ]
        require(
            run(demo, env=env, timeout_s=120),
            what=f"{_PREPARE}, which writes the demo set of the image,",
            reason="FL_DATA_DEMO names it",
            remedy="run scripts/setup, which makes the environment that it runs in",
        )

    # Of this program, too: what it makes of the wheels is in the folder.
    key = digest([requirements, base.python, (project / _PREPARE).read_bytes(), Path(__file__).read_bytes()])
    return cache.get("image-payload", key, build, usable=lambda folder: (folder / "demo" / "data").is_dir())


def lay_out(payload: Path, root: Path, *, appliance: Path, python: str, system_python: bool = False) -> None:
    """Put the environment and the appliance's code into a root file system.

    Args:
        payload: From `build_payload`.
        root: The guest's root folder.
        appliance: Folder of the package flower_appliance.
        python: The guest's Python version, such as 3.13.
        system_python: Let the environment see the distribution's Python packages; its own come first.
    """
    with plain_umask():
        _lay_out(payload, root, appliance=appliance, python=python, system_python=system_python)
    for folder in (root / PREFIX, root / DEMO):
        plain_modes(folder)


def _lay_out(payload: Path, root: Path, *, appliance: Path, python: str, system_python: bool) -> None:
    prefix = root / PREFIX
    packages = prefix / "lib" / f"python{python}" / "site-packages"
    # uv's lock on its target folder stays behind, for everybody to write to.
    ignore = shutil.ignore_patterns(".lock")
    shutil.copytree(payload / "site-packages", packages, symlinks=True, ignore=ignore)
    shutil.copytree(payload / "bin", prefix / "bin", symlinks=True)
    shutil.copytree(appliance, packages / "flower_appliance", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(payload / "demo" / "data", root / DEMO)
    for name in ("python", "python3"):
        (prefix / "bin" / name).symlink_to("/usr/bin/python3")
    shown = "true" if system_python else "false"
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {shown}\n", encoding="utf-8")


def plain_modes(folder: Path) -> None:
    """Modes as a package has them, whatever umask made the clone or the cache: read by everybody, written by root."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or bool(path.stat().st_mode & stat.S_IXUSR)
            path.chmod(0o755 if runs else 0o644)


def correct_records(packages: Path, programs: Path) -> None:
    """Have each wheel's RECORD say where its programs are in the guest, and what they are there.

    The installer wrote down where it put them and with which interpreter's path: both are this machine's.
    """
    for record in sorted(packages.glob("*.dist-info/RECORD")):
        rows = list(csv.reader(record.read_text(encoding="utf-8").splitlines()))
        for row in rows:
            program = programs / row[0].removeprefix("bin/")
            if row[0].startswith("bin/") and program.is_file():
                content = program.read_bytes()
                checksum = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                row[:] = [f"{_TO_PREFIX}{row[0]}", f"sha256={checksum}", str(len(content))]
        with record.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def _point_to_guest(program: Path) -> None:
    """Console scripts carry the installing interpreter's path; the guest's environment has its own."""
    content = program.read_bytes()
    if not content.startswith(b"#!"):
        return
    first, _, rest = content.partition(b"\n")
    if first == b"#!/bin/sh" and rest.startswith(b"'''exec'"):
        # A path that is too long for a first line: the interpreter is in the second, and the third ends the text.
        rest = rest.split(b"\n", 2)[2]
    program.write_bytes(f"#!/{PREFIX}/bin/python\n".encode() + rest)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
