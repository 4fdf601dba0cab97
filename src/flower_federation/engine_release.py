"""The vendor's release archive: fetched with a deadline, compared with a pinned checksum, three programs taken out.

It never unpacks, let alone runs, an archive whose checksum differs, and writes only into the folder that it is given.
Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from flower_federation.errors import ReleaseUnavailableError

ANSWER_TIMEOUT_S = 10.0
"""How long the vendor's site has to answer, name look-up included; and how long it may fall silent while sending."""

CHUNK_BYTES = 1 << 20


class Open(Protocol):
    """Opens a URL for reading."""

    def __call__(self, url: str, *, timeout_s: float) -> BinaryIO:
        """Raises OSError or http.client.HTTPException where the site cannot be reached or refuses."""
        ...


def open_url(url: str, *, timeout_s: float) -> BinaryIO:
    """Open an https URL; proxies come from the environment, as Python's standard library reads them."""
    if not url.startswith("https://"):
        raise OSError(f"{url} is not https")
    return cast(BinaryIO, urllib.request.urlopen(url, timeout=timeout_s))  # noqa: S310 - the scheme is checked above


def archive_name(version: str, platform: str) -> str:
    """The vendor's file name of a release."""
    return f"pulumi-v{version}-{platform}.tar.gz"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One version of the vendor's releases.

    Args:
        version: Without a leading "v".
        site: The folder URL that the archives lie in.
        open_url: Opens URLs.
        note: Prints a line.
        answer_timeout_s: Seconds that the site has to answer.
    """

    version: str
    site: str
    open_url: Open
    note: Callable[[str], None]
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    def fetch(self, folder: Path, platform: str, sha256: str, *, programs: Sequence[str]) -> None:
        """Put the named programs of the release into `folder`.

        Raises:
            ReleaseUnavailableError: The site did not answer in time, refused, sent other bytes than were pinned, or an
                archive without one of the programs.
        """
        url = f"{self.site}/{archive_name(self.version, platform)}"
        archive = folder / "archive.tar.gz"
        try:
            answer = self._answer(url)
            self.note(f"downloading {url}")
            received = _receive(answer, archive)
        except (OSError, http.client.HTTPException) as error:
            raise unavailable(f"{url} cannot be fetched: {error}") from error
        if received != sha256:
            raise unavailable(f"{url} has SHA-256 {received}, not {sha256} as pinned: REFUSED, nothing of it was run")
        _take_out(archive, folder, programs)
        archive.unlink()

    def _answer(self, url: str) -> BinaryIO:
        # In a thread, since a name look-up has no time limit of its own and may hang far longer than ours.
        outcome: list[BinaryIO | BaseException] = []

        def ask() -> None:
            try:
                outcome.append(self.open_url(url, timeout_s=self.answer_timeout_s))
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.answer_timeout_s)
        if not outcome:
            raise TimeoutError(f"no answer within {self.answer_timeout_s:.0f} s")
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]


def unavailable(given: str) -> ReleaseUnavailableError:
    """The error that says that the release cannot be used, and why."""
    return ReleaseUnavailableError(
        given=given,
        rule=f"the vendor's site must answer within {ANSWER_TIMEOUT_S:.0f} s and send the archive that is pinned",
        reason="the engine sees every secret of a stack, so that only a known program may run",
        remedy="open the way to the vendor's site or set https_proxy; for another release, change "
        "requirements/engine.lock",
    )


def _receive(answer: BinaryIO, archive: Path) -> str:
    """Write the answer to a file; its SHA-256."""
    total = hashlib.sha256()
    with answer, archive.open("wb") as file:
        while chunk := answer.read(CHUNK_BYTES):
            total.update(chunk)
            file.write(chunk)
    return total.hexdigest()


def _take_out(archive: Path, folder: Path, programs: Sequence[str]) -> None:
    """Copy the programs out of `pulumi/` in the archive by name: no path in it decides where anything goes."""
    with tarfile.open(archive, "r:gz") as tar:
        for name in programs:
            try:
                source = tar.extractfile(f"pulumi/{name}")
            except KeyError:
                source = None
            if source is None:
                raise unavailable(f"the archive has no program pulumi/{name}")
            target = folder / name
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            target.chmod(0o755)
