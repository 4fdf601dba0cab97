"""Files of images: copying them in, making empty ones, removing them. It knows no image object."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


class FileError(Exception):
    """A file could not be brought into the datastore; the image's ERROR says why."""


def target(root: Path, datastore_id: int, image_id: int) -> Path:
    """Where an image's file lies."""
    return root / "datastores" / str(datastore_id) / f"image-{image_id}"


def bring_in(source: str, size_mb: int, goal: Path, *, sha1: str = "") -> None:
    """Copy a file in, or make an empty (sparse) one where there is no source. A half copy never has the final name.

    Args:
        source: absolute path, "" for an empty image.
        size_mb: size of an empty image, in MiB.
        goal: where the file goes.
        sha1: what the copy's SHA-1 must be, hex; "" for any.

    Raises:
        FileError: missing, unreadable, a URL, a folder or device, no room, or another SHA-1.
    """
    if source.startswith(("http://", "https://")):
        raise FileError(
            f"Error copying image in the datastore: {source} is a URL, zonebox downloads nothing. Download it and give "
            "its absolute path as PATH."
        )
    if source and Path(source).exists() and not Path(source).is_file():
        raise FileError(
            f"Error copying image in the datastore: {source} is no regular file. A device would be copied without end; "
            "correct PATH and register the image again."
        )
    partial = goal.with_name(goal.name + ".partial")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        if source:
            shutil.copyfile(source, partial)
            _check_sha1(source, partial, sha1)
        else:
            with partial.open("wb") as handle:
                handle.truncate(size_mb * 1_048_576)
        os.replace(partial, goal)  # noqa: PTH105 - atomic, and on paths already
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FileError(
            f"Error copying image in the datastore: {source or goal}: {error.strerror or error}. PATH must be a file "
            "that the zone's process can read; correct it and register the image again."
        ) from error


def _check_sha1(source: str, copy: Path, sha1: str) -> None:
    """Compare what was copied, as OpenNebula's datastore drivers do with the template's SHA1."""
    if not sha1:
        return
    with copy.open("rb") as handle:
        found = hashlib.file_digest(handle, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
    if found != sha1.lower():
        copy.unlink()
        raise FileError(
            f"Error copying image in the datastore: Hash mismatch: the SHA-1 of {source} is {found}, SHA1 of the "
            f"template says {sha1}. The file was exchanged after it was checked; fetch it again and register it anew."
        )


def remove(path: str, root: Path) -> None:
    """Delete an image's file, if it is in the zone's own folder."""
    file = Path(path)
    if (root / "datastores") in file.parents:
        file.unlink(missing_ok=True)
