"""Unpacks a tar archive that comes from elsewhere: nothing of it may land outside of its folder. It fetches nothing."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive into a folder, which need not exist.

    Absolute paths, paths and links that lead out, and devices are refused; set-uid bits and owners are taken away.

    Raises:
        tarfile.TarError: it is damaged, or has such a member.
        OSError: the folder cannot be written.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
    else:
        _files_only(archive, folder)


def _files_only(archive: tarfile.TarFile, folder: Path) -> None:
    """For Python 3.11 before 3.11.4 (Debian 12 has 3.11.2), whose tarfile has no filters."""
    base = folder.resolve()
    base.mkdir(parents=True, exist_ok=True)
    for member in archive:
        # No link is ever made in there, so what resolves to a place inside is inside.
        goal = (base / member.name).resolve()
        if not goal.is_relative_to(base):
            raise tarfile.TarError(f"{member.name} would be extracted outside of the folder")
        if member.isdir():
            goal.mkdir(parents=True, exist_ok=True)
        elif member.isfile() and (content := archive.extractfile(member)) is not None:
            goal.parent.mkdir(parents=True, exist_ok=True)
            with goal.open("wb") as stream:
                shutil.copyfileobj(content, stream)
            goal.chmod(member.mode & 0o755 | 0o600)
        else:
            raise tarfile.TarError(f"{member.name} is no file and no folder, which takes Python 3.11.4 or newer")
