"""Images of the process driver: JSON documents that say what to run. It runs nothing.

    {"format": "zonebox-process/1", "command": ["/usr/bin/python3", "-m", "guest"], "environment": {"KEY": "value"}}

A disk whose file is no JSON object with a `format` is a data disk, which this driver ignores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonebox.drivers.base import DriverError

FORMAT: Final = "zonebox-process/1"
_PREFIX: Final = "zonebox-process/"
_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ProcessImage:
    """What a guest runs."""

    command: tuple[str, ...]
    """Program and arguments; no shell reads them."""
    environment: Mapping[str, str]
    """Added to the guest's small environment."""


def find_image(files: Iterable[Path]) -> ProcessImage | None:
    """The first process image among a VM's disks, or None where all are data disks.

    Raises:
        DriverError: an image is of another version, or not of the format's form.
    """
    for file in files:
        document = _document(file)
        if document is not None:
            return _image(file, document)
    return None


def _document(file: Path) -> dict[str, object] | None:
    """The JSON object in a file that claims to be a process image."""
    try:
        with file.open("rb") as stream:
            head = stream.read(_MAX_BYTES)
    except OSError as error:
        raise DriverError(
            f"image {file}: {error.strerror}; a VM's disks must be readable to start it; "
            "delete the image and register it again"
        ) from error
    if not head.lstrip().startswith(b"{"):
        return None
    try:
        document = json.loads(head)
    except ValueError:
        return None
    if not isinstance(document, dict) or not str(document.get("format", "")).startswith(_PREFIX):
        return None
    return document


def _image(file: Path, document: dict[str, object]) -> ProcessImage:
    command, environment = document.get("command"), document.get("environment", {})
    if document["format"] != FORMAT:
        raise DriverError(
            f"image {file}: format {document['format']}, this driver runs {FORMAT}, formats differ in meaning; "
            "build the image with the zonebox that runs it"
        )
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise DriverError(
            f"image {file}: command {command!r}, it must be a list of texts with the program first, no shell splits "
            "it; change command in the image"
        )
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        names = sorted(environment) if isinstance(environment, dict) else environment
        raise DriverError(
            f"image {file}: environment {names!r}, it must map names to texts, processes know no other; "
            "change environment in the image"
        )
    return ProcessImage(command=tuple(command), environment=dict(environment))
