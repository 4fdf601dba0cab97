"""Unix sockets in folders whose paths are longer than a socket's may be (108 bytes on Linux). It speaks no protocol.

The folder is opened, and the socket named relative to it through /proc, so that the length of its path does not matter.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def listening(path: Path) -> socket.socket:
    """A socket that listens at a path, for its owner only; one that was left there is replaced."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The file gets its mode when it is bound: nobody else could connect in between.
    before = os.umask(0o177)
    try:
        with _short(path) as name:
            server.bind(name)
    except BaseException:
        server.close()
        raise
    finally:
        os.umask(before)
    server.listen(16)
    return server


def connected(path: Path, timeout_s: float) -> socket.socket:
    """A socket that is connected to a path. Raises OSError."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout_s)
    try:
        with _short(path) as name:
            client.connect(name)
    except BaseException:
        client.close()
        raise
    return client


@contextmanager
def _short(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
