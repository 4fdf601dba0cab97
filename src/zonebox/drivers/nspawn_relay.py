"""Lets guests in a network namespace reach one service of the host, such as OneGate. It reads nothing of what passes.

The listening socket belongs to the namespace, the rest of the relay to the host: no route and no address is needed
between the two. TLS goes through untouched, from the guest to the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import threading
from pathlib import Path

from zonebox.drivers.base import DriverError

_CLONE_NEWNET = 0x40000000
_CHUNK_BYTES = 65_536


class Relay:
    """One listening address in a namespace, and the service behind it.

    Args:
        namespace: path of the namespace, such as /run/netns/zonebox.
        listen: address and port there.
        target: address and port on the host.
    """

    def __init__(self, namespace: Path, *, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self.namespace = namespace
        self.listen = listen
        self.target = target
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises DriverError where another program does already."""
        try:
            listening = await asyncio.to_thread(socket_in, self.namespace, self.listen)
        except OSError as error:
            raise DriverError(
                f"{self.listen[0]}:{self.listen[1]} in {self.namespace}: {error.strerror}; guests reach OneGate there; "
                "give each zone of this machine another --onegate-host"
            ) from error
        self._server = await asyncio.start_server(self._serve, sock=listening)

    async def close(self) -> None:
        """Listen no longer; connections that are open end with the loop."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))


async def _copy(source: asyncio.StreamReader, goal: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK_BYTES):
            goal.write(chunk)
            await goal.drain()
    with contextlib.suppress(OSError):
        goal.close()


def socket_in(namespace: Path, address: tuple[str, int]) -> socket.socket:
    """A socket that listens in a network namespace.

    Raises:
        OSError: no such namespace, no right to enter it, or the address is taken.
    """
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def make() -> None:
        # setns moves this thread only, and the thread ends here: the rest of the process stays where it was.
        try:
            enter(namespace)
            listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(128)
            except OSError:
                listening.close()
                raise
            made.append(listening)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def enter(namespace: Path) -> None:
    """Move the calling thread into a network namespace, for good: sockets that it makes belong there.

    Raises:
        OSError: no such namespace, or no right to enter it.
    """
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
