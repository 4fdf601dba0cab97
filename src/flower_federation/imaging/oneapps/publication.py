"""The facts of one publication, which only the finished image and its publisher know. Without them, marks stand there.

A folder with marks is good for reading, for building and for tests; a marketplace must not get it. So publishing takes
all facts or none: those of the image are read from the file itself, the others are options, and each is checked.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from flower_federation.errors import InputError

MARKS: Mapping[str, str] = {
    name: f"@{name}@"
    for name in ("URL", "SIZE", "MD5", "SHA256", "CREATION_TIME", "PUBLISHER", "PUBLISHER_EMAIL", "ONE_APPS_VERSION")
}
"""What stands for a fact as long as it is not known."""
_MARK = re.compile(rb"@[A-Z][A-Z0-9_]*@")
_QCOW2 = struct.Struct(">4sIQIIQ")
"""Head of the format: magic, version, backing file's offset and length, cluster bits, virtual size in bytes."""
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """What the publisher says of himself and of the build."""

    name: str
    email: str
    url: str
    """https URL that everybody fetches the image from."""
    one_apps_version: str
    """Version of the one-apps that the image was built with."""


def facts(image: Path, publisher: Publisher, *, now: datetime) -> Mapping[str, str | int]:
    """Every fact of a publication, by the name of its mark.

    Args:
        image: The QCOW2 as it will lie behind the URL.
        publisher: The rest.
        now: Aware instant of the publication.

    Raises:
        InputError: A fact is empty or cannot be one, or the file is no QCOW2 that stands alone.
    """
    _check(publisher)
    size = virtual_size(image)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with image.open("rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
    return {
        "URL": publisher.url,
        "SIZE": size,
        "MD5": md5.hexdigest(),
        "SHA256": sha256.hexdigest(),
        "CREATION_TIME": int(now.timestamp()),
        "PUBLISHER": publisher.name,
        "PUBLISHER_EMAIL": publisher.email,
        "ONE_APPS_VERSION": publisher.one_apps_version,
    }


def virtual_size(image: Path) -> int:
    """Bytes of the disk that a QCOW2 file holds, which is what a marketplace calls its size.

    Raises:
        InputError: The file is none, or needs another file below it.
    """
    try:
        with image.open("rb") as file:
            head = file.read(_QCOW2.size)
    except OSError as error:
        raise _no_image(f"{image}: {error.strerror}") from error
    if len(head) < _QCOW2.size:
        raise _no_image(f"{image}: {len(head)} bytes")
    magic, version, backing, _, _, size = _QCOW2.unpack(head)
    if magic != b"QFI\xfb" or version not in (2, 3) or backing:
        what = "it needs a backing file" if magic == b"QFI\xfb" and backing else f"it begins with {magic!r}"
        raise _no_image(f"{image}: {what}")
    return int(size)


def open_marks(folder: Path) -> tuple[str, ...]:
    """Marks that still stand in a folder's YAML documents, each with its file."""
    return tuple(
        f"{path.name}: {mark.decode()}"
        for path in sorted(folder.rglob("*.yaml"))
        for mark in sorted(set(_MARK.findall(path.read_bytes())))
    )


def _check(publisher: Publisher) -> None:
    for option, value, rule in (
        ("--publisher", publisher.name.strip(), "the name of whoever answers for the appliance"),
        (
            "--publisher-email",
            publisher.email if re.fullmatch(r"[^@\s]+@[^@\s]+", publisher.email) else "",
            "an address",
        ),
        ("--url", publisher.url if _is_https(publisher.url) else "", "an https URL without a query"),
        ("--one-apps-version", publisher.one_apps_version.strip(), "the version of the one-apps that built the image"),
    ):
        if not value or _MARK.search(value.encode()):
            shown = {"--publisher-email": publisher.email, "--url": publisher.url}.get(option, value)
            raise InputError(
                given=f"{option} {shown!r}",
                rule=f"it is {rule}",
                reason="a marketplace shows it to everybody, and clouds import what lies there",
                remedy=f"give {option} with --publish, or leave --publish out for a folder with marks",
            )


def _is_https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def _no_image(given: str) -> InputError:
    return InputError(
        given=given,
        rule="it is a QCOW2 file that needs no other file",
        reason="size and checksums in the marketplace are those of this file",
        remedy="give the file that the Packer recipe left in export/, as it will be uploaded",
    )
