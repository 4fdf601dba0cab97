"""An image's SHA-256, checked before the datastore is asked to copy it. It imports nothing and changes no file.

The datastore's driver copies the file itself, later and from another machine. So the SHA-1 of the very bytes whose
SHA-256 was right goes along in the image's template, where OpenNebula's drivers (`downloader.sh --sha1`, 7.0) check it
against what they copy: a file exchanged in between ends as an image in ERROR.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import requests

from pulumi_opennebula.errors import InputError

CHECKSUM: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
CHUNK_BYTES: Final = 1 << 20
SAY_EVERY_BYTES: Final = 256 << 20
"""Between lines of progress."""
READERS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="checksum")
"""Threads of their own: an image is read for minutes, and the zone's calls must not wait for a thread until then."""
CONNECT_S, SILENCE_S = 10.0, 60.0
"""Longest waits for a connection and between two parts of a download, in seconds."""


def wanted_of(text: str) -> str | None:
    """The SHA-256 of a `checksum` as lower-case hex, or None where it is not one."""
    found = CHECKSUM.fullmatch(text.strip())
    return found[1].lower() if found else None


def is_url(path: str) -> bool:
    """Whether the datastore would download it."""
    return path.lower().startswith(("http://", "https://"))


async def verified(path: str, checksum: str, progress: Callable[[str], None]) -> str:
    """Read a file or URL to its end and compare.

    Args:
        path: What the image's `path` says.
        checksum: The SHA-256 that it must have, as hex.
        progress: Gets a line now and then.

    Returns:
        SHA-1 of the same bytes, hex, for the datastore's own check.

    Raises:
        InputError: It differs, or cannot be read from here.
    """
    loop = asyncio.get_running_loop()

    def say(line: str) -> None:
        # Whoever shows it needs the event loop, and this is called in a thread.
        loop.call_soon_threadsafe(progress, line)

    return await loop.run_in_executor(READERS, _verified, path, checksum, say)


def verify_file(path: Path, checksum: str) -> InputError | None:
    """What is wrong with a file of this machine; None where it is right or another machine's."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return None if found == checksum else tampered(str(path), found, checksum)


def tampered(path: str, found: str, wanted: str) -> InputError:
    """The refusal of a file with another checksum."""
    return InputError(
        "checksum",
        f"the SHA-256 of {path} is {found}",
        f"it must be {wanted}, as checksum says",
        "another file than the one that was vouched for would run with every right of the VMs made from it",
        "Fetch or build the image again and compare with its SHA256SUMS; correct checksum only if the image was "
        "meant to change",
    )


def _verified(path: str, wanted: str, progress: Callable[[str], None]) -> str:
    # SHA-1 is what OpenNebula's drivers know; a file with both another content and the same SHA-1 would need a second
    # preimage, which nobody can make.
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    read = said = 0
    progress("checksum: reading the image")
    try:
        for chunk in _chunks(path):
            sha256.update(chunk)
            sha1.update(chunk)
            read += len(chunk)
            if read - said >= SAY_EVERY_BYTES:
                said = read
                progress(f"checksum: {read >> 20} MiB read")
    except (OSError, requests.RequestException) as error:
        raise InputError(
            "checksum",
            f"path is {path}, which could not be read here: {getattr(error, 'strerror', None) or error}",
            "an image with checksum must be readable where Pulumi runs, too",
            "its SHA-256 is compared before the zone is asked to import anything",
            "Give a URL that both reach, run Pulumi where the file is, or take checksum away and verify it there",
        ) from error
    if sha256.hexdigest() != wanted:
        raise tampered(path, sha256.hexdigest(), wanted)
    return sha1.hexdigest()


def _chunks(path: str) -> Iterator[bytes]:
    if not is_url(path):
        with Path(path).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        return
    # Identity: the datastore's driver hashes what the server sends without compression.
    headers = {"Accept-Encoding": "identity"}
    with closing(requests.get(path, stream=True, timeout=(CONNECT_S, SILENCE_S), headers=headers)) as answer:
        answer.raise_for_status()
        yield from answer.iter_content(CHUNK_BYTES)
