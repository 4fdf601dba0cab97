"""Installs a zone's packages with pip into a folder of their own, which services find after it is complete.

The folder may outlive the image, on a volume for the state: what was installed for another Python, or beside other
packages of an image, is installed anew.

The image's environment is not touched, and nothing in it is replaced: a list that names a package of the image in
another version is refused. Wheels only, so that no code of a package runs at installation.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from flower_appliance.errors import Problem
from flower_appliance.files import Owner
from flower_appliance.places import remove, whole_folder
from flower_appliance.provisions import Install
from flower_appliance.requirements import Entry
from flower_appliance.supervisor import Finished, Program

TIMEOUT_S = 1800.0
"""Longest time for one installation; a large framework is copied from a slow disk in minutes."""
STAMP = ".installed-for"
"""File that says for which image the packages around it were installed."""
_SHOWN_LINES = 4
_REASON = "code that the zone did not name would run beside its data"

RunPip = Callable[[Sequence[str], Path], Finished]


def install(
    wanted: Install, folder: Path, *, wheelhouse: Path | None, python: Path, owner: Owner | None, run: RunPip
) -> Problem | None:
    """Bring the packages into `folder`; blocking. None: they are there.

    Args:
        wanted: what to install.
        folder: where it shall be.
        wheelhouse: folder with wheels; None: from the index of `wanted`.
        python: the services' interpreter.
        owner: the services' user.
        run: runs pip in a folder.
    """
    missing, problem = not_in_image(wanted.entries, image_packages())
    stamp = _stamp(missing)
    if problem is not None or _installed(folder) == stamp:
        return problem
    if wheelhouse is not None and not wheelhouse.is_dir():
        return _failed(f"the wheelhouse {wheelhouse} is no folder", "Attach the volume, or correct FL_WHEELHOUSE_PATH")
    try:
        with whole_folder(folder, owner=owner) as work:
            listed = work / "requirements.txt"
            listed.write_text("".join(f"{entry.text}\n" for entry in missing), encoding="utf-8")
            (work / "ca.pem").write_text(wanted.index_ca_pem, encoding="ascii")
            if missing:
                finished = run(pip_command(wanted, python, work, wheelhouse), work)
                if finished.status != 0:
                    raise _PipError(finished.output)
            (work / "content" / STAMP).write_text(stamp, encoding="utf-8")
            remove(folder)
    except _PipError as error:
        remedy = "Put the wheels of the list, for this Python, into the wheelhouse or index, or correct FL_REQUIREMENTS"
        return _failed(f"FL_REQUIREMENTS could not be installed: {error}", remedy)
    except (OSError, subprocess.SubprocessError) as error:
        return _failed(f"FL_REQUIREMENTS could not be installed ({error})", "Look for room on this VM's disk")
    return None


def pip_command(wanted: Install, python: Path, work: Path, wheelhouse: Path | None) -> list[str]:
    """pip's command line: nothing of the machine's configuration counts, and without an index nothing is asked."""
    source = ["--no-index", "--find-links", str(wheelhouse)]
    if wheelhouse is None:
        source = ["--index-url", wanted.index_url]
        source += ["--cert", str(work / "ca.pem")] if wanted.index_ca_pem else []
    return [
        *(str(python), "-I", "-m", "pip", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "--no-input"),
        *("install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--ignore-installed"),
        *source,
        *("--target", str(work / "content"), "--requirement", str(work / "requirements.txt")),
    ]


def pip_program(argv: Sequence[str], folder: Path) -> Program:
    """pip with an environment of its own, in its folder."""
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    return Program(argv=tuple(argv), environment=environment, folder=str(folder), timeout_s=TIMEOUT_S)


def not_in_image(entries: Sequence[Entry], image: Mapping[str, str]) -> tuple[tuple[Entry, ...], Problem | None]:
    """The entries that the image has not got; and what is wrong, where it has one in another version."""
    for entry in entries:
        if image.get(entry.name, entry.version) != entry.version:
            return (), _failed(
                f"FL_REQUIREMENTS names {entry.name} {entry.version}, and the image has {image[entry.name]}",
                f"Lock the list with {entry.name}=={image[entry.name]}, or without it",
            )
    return tuple(entry for entry in entries if entry.name not in image), None


def image_packages() -> dict[str, str]:
    """Name -> version of what the image's environment has."""
    return {
        str(found.metadata["Name"]).lower().replace("_", "-").replace(".", "-"): found.version
        for found in metadata.distributions()
    }


def _stamp(missing: Sequence[Entry]) -> str:
    """For which Python, and what of the list the image has not got; the appliance runs in the services' environment."""
    return "".join(
        f"{line}\n" for line in (sys.implementation.cache_tag, *(f"{each.name}=={each.version}" for each in missing))
    )


def _installed(folder: Path) -> str | None:
    try:
        return (folder / STAMP).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


class _PipError(Exception):
    """What pip said, its last lines."""

    def __init__(self, output: str) -> None:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        super().__init__(" | ".join(lines[-_SHOWN_LINES:]) or "pip said nothing")


def _failed(given: str, remedy: str) -> Problem:
    return Problem(
        given=given,
        rule="every package of the list must be installed, exactly as its version and hash say",
        reason=_REASON,
        remedy=f"{remedy}; it is tried again",
    )
