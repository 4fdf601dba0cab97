"""Files of images: copying them in, making empty ones, removing them. It knows no image object."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class FileError(Exception):
    """A file could not be brought into the datastore; the image's ERROR says why."""


def target(root: Path, datastore_id: int, image_id: int) -> Path:
    """Where an image's file lies."""
    return root / "datastores" / str(datastore_id) / f"image-{image_id}"


def bring_in(source: str, size_mb: int, goal: Path) -> None:
    """Copy a file in, or make an empty (sparse) one where there is no source. A half copy never has the final name.

    Args:
        source: absolute path, "" for an empty image.
        size_mb: size of an empty image, in MiB.
        goal: where the file goes.

    Raises:
        FileError: missing, unreadable, a URL, or no room.
    """
    if source.startswith(("http://", "https://")):
        raise FileError(
            f"Error copying image in the datastore: {source} is a URL, zonebox downloads nothing. Download it and give "
            "its absolute path as PATH."
        )
    partial = goal.with_name(goal.name + ".partial")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        if source:
            shutil.copyfile(source, partial)
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


def remove(path: str, root: Path) -> None:
    """Delete an image's file, if it is in the zone's own folder."""
    file = Path(path)
    if (root / "datastores") in file.parents:
        file.unlink(missing_ok=True)
