"""Fetches one file over https, compares it with its checksum and puts it in place whole, or not at all.

The folder's name comes from the checksum: no second boot fetches it again.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import requests

from flower_appliance.archives import unpack
from flower_appliance.errors import Problem
from flower_appliance.files import Owner
from flower_appliance.places import whole_folder
from flower_appliance.provisions import Fetch

CHUNK_BYTES = 1 << 20
CONNECT_S, SILENCE_S = 10.0, 60.0
MOST_REDIRECTS = 5
_REASON = "a node that trained on other data than its zone chose would spoil the model without a word"


class _RefusedError(Exception):
    """Carries the problem out of the steps."""

    def __init__(self, given: str, rule: str, remedy: str) -> None:
        super().__init__(given)
        self.problem = Problem(given=given, rule=rule, reason=_REASON, remedy=remedy)


def fetch(wanted: Fetch, folder: Path, *, owner: Owner | None, stop: threading.Event) -> Problem | None:
    """Bring the download into `folder`; blocking. None: it is there.

    Args:
        wanted: what to fetch.
        folder: where it shall be.
        owner: the services' user, whose group may read it; None where they run as this process does.
        stop: ends the download early.
    """
    if folder.is_dir():
        return None
    try:
        with whole_folder(folder, owner=owner) as work:
            _download(wanted, work, work / "content", stop)
    except _RefusedError as error:
        return error.problem
    # ValueError: a server may answer with a redirect to what is no URL.
    except (OSError, ValueError, requests.RequestException, tarfile.TarError) as error:
        return Problem(
            given=f"{_shown(wanted.url)} could not be fetched ({_cause(error)})",
            rule="it must be a file that can be downloaded and unpacked",
            reason=_REASON,
            remedy="Check FL_DATA_URL, that the security group lets this VM reach it, and the room on its disk; it is "
            "tried again",
        )
    return None


def _download(wanted: Fetch, incoming: Path, content: Path, stop: threading.Event) -> None:
    file = incoming / "file"
    found = hashlib.sha256()
    with file.open("wb") as stream:
        for chunk in _chunks(wanted, incoming):
            if stop.is_set():
                raise OSError("this machine is stopping")
            found.update(chunk)
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    if found.hexdigest() != wanted.sha256:
        raise _RefusedError(
            f"the SHA-256 of {_shown(wanted.url)} is {found.hexdigest()}",
            f"it must be {wanted.sha256}, as FL_DATA_SHA256 says",
            "Nothing of it was kept. Put the right file there, or correct FL_DATA_SHA256 in the pool's stack if the "
            "data was meant to change",
        )
    if tarfile.is_tarfile(file):
        with tarfile.open(file) as archive:
            unpack(archive, content)
    else:
        file.rename(content / _file_name(wanted.url))


def _chunks(wanted: Fetch, incoming: Path) -> Iterator[bytes]:
    verify: bool | str = True
    if wanted.ca_pem:
        with tempfile.NamedTemporaryFile("w", dir=incoming, suffix=".pem", delete=False) as ca:
            ca.write(wanted.ca_pem)
        verify = ca.name
    url = wanted.url
    with requests.Session() as session:
        session.trust_env = False  # no proxy, no .netrc: the CONTEXT says everything
        for _ in range(MOST_REDIRECTS + 1):
            if urlsplit(url).scheme != "https":
                raise _RefusedError(
                    f"{_shown(wanted.url)} leads to {_shown(url)}",
                    "every step must be https",
                    "Give the URL of the file itself as FL_DATA_URL",
                )
            answer = session.get(
                url, stream=True, verify=verify, timeout=(CONNECT_S, SILENCE_S), allow_redirects=False,
                headers={"Accept-Encoding": "identity"},
            )  # fmt: skip
            with answer:
                if answer.is_redirect:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                answer.raise_for_status()
                yield from answer.iter_content(CHUNK_BYTES)
                return
    raise requests.TooManyRedirects(f"more than {MOST_REDIRECTS} redirects")


def _file_name(url: str) -> str:
    """The last part of a URL's path, without what no file name should hold."""
    name = "".join(letter if letter.isprintable() else "-" for letter in Path(unquote(urlsplit(url).path)).name)
    return name if name.strip(".") else "data"


def _shown(url: str) -> str:
    """A URL without its query, which may be a signature, and without the name and password that a redirect may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _cause(error: Exception) -> str:
    """What went wrong, without the URL that `requests` puts into its messages."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate does not verify; FL_DATA_CA names a CA of its own"
    if isinstance(error, requests.RequestException):
        return type(error).__name__
    return str(getattr(error, "strerror", None) or error)
