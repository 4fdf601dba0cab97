"""A loopback port that leads to a Control API and shows a client certificate there. It reads nothing that passes.

flwr's CLI cannot show a client certificate, so it speaks to this port instead. Only processes of the same user are let
in, because the port lends out its owner's role. Where the gateway cannot be reached, the CLI is told why in the form
that it prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flower_federation.control_certificate import ControlCertificate, check_lifetime
from flower_federation.errors import FederationError
from flower_federation.loopback_identity import LoopbackIdentity, make_loopback_identity
from pulumi_flower.transport import Endpoint, tls_context

LOOPBACK = "127.0.0.1"
CONNECT_TIMEOUT_S = 10.0
_CHUNK_BYTES = 1 << 16
_NO_ANSWER = "it closed the connection without an answer, as it does where it does not take the certificate"
_CONNECTIONS = Path("/proc/net/tcp")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A tunnel that is open."""

    endpoint: str
    """`host:port` on loopback."""
    ca_certificate: str
    """PEM; what its clients trust."""


def user_of(table: str, client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """Who owns the client's end of a connection over IPv4, from the text of /proc/net/tcp; None where it is not there.

    Args:
        table: columns `sl local_address rem_address st tx:rx tr:when retrnsmt uid …`, addresses in hex, little-endian.
        client: address and port.
        server: address and port.
    """
    wanted = [_hex_address(*client), _hex_address(*server)]
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1:3] == wanted:
            return int(fields[7])
    return None


def _hex_address(address: str, port: int) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split("."))) + f":{port:04X}"


class Tunnel:
    """One loopback port for one client certificate."""

    def __init__(
        self,
        certificate: ControlCertificate,
        *,
        now: Callable[[], datetime],
        user: int | None = None,
        connections: Path = _CONNECTIONS,
    ) -> None:
        """Lead to the gateway of `certificate`.

        Args:
            now: the clock; an expired certificate is not shown any more.
            user: whose processes are let in; this process's user by default.
            connections: the kernel's table of connections; where there is none, nobody is asked who he is.

        Raises:
            pulumi_flower.InvalidInputError: the endpoint, the CA or the key cannot be read.
        """
        self._facts = certificate.facts
        self._now = now
        self._user = os.getuid() if user is None else user
        self._connections = connections
        self._endpoint = Endpoint.parse(certificate.endpoint)
        self._upstream = tls_context(certificate.ca_certificate, identity=certificate.identity)
        self._identity: LoopbackIdentity = make_loopback_identity(
            [LOOPBACK], now=now(), end=certificate.facts.not_after
        )
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, port: int = 0) -> Opened:
        """Listen.

        Args:
            port: 0 takes a free one.

        Raises:
            OSError: the port cannot be had.
        """
        self._server = await asyncio.start_server(self._accept, LOOPBACK, port, ssl=self._identity.context)
        number = self._server.sockets[0].getsockname()[1]
        return Opened(endpoint=f"{LOOPBACK}:{number}", ca_certificate=self._identity.ca_certificate)

    async def close(self) -> None:
        """Stop listening and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or the tunnel is closed
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_own(writer):
            await _tell(writer, reader, "This port belongs to another user of this machine.")
            return
        try:
            check_lifetime(self._facts, now=self._now())
            upstream_reader, upstream = await asyncio.wait_for(
                asyncio.open_connection(
                    self._endpoint.host, self._endpoint.port, ssl=self._upstream, server_hostname=self._endpoint.host
                ),
                CONNECT_TIMEOUT_S,
            )
        except (OSError, TimeoutError, FederationError) as error:
            await _tell(writer, reader, self._explain(error))
            return
        sending = asyncio.create_task(_pump(reader, upstream))
        try:
            passed, broken = await _pump(upstream_reader, writer)
            if not passed:
                # In TLS 1.3 a server says only now that it does not take the client's certificate, and asyncio may
                # report its alert as a plain end of the stream.
                await _tell(writer, None, self._explain(broken or ConnectionResetError(_NO_ANSWER)))
        finally:
            sending.cancel()
            upstream.close()

    def _is_own(self, writer: asyncio.StreamWriter) -> bool:
        try:
            table = self._connections.read_text()
        except OSError:
            return True
        client, server = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        return user_of(table, client[:2], server[:2]) == self._user

    def _explain(self, error: BaseException) -> str:
        if isinstance(error, FederationError):
            return f"{error.given}. {error.remedy}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"The gateway at {self._endpoint} is not vouched for by the federation's CA ({error.verify_message}); "
                "nothing was sent to it. Compare the CA's fingerprint with the centre's operator."
            )
        if isinstance(error, ssl.SSLError):
            return (
                f"The gateway at {self._endpoint} does not take the certificate of {self._facts.name} "
                f"({error.reason or error}). Ask the centre's operator for a new one: federation certificate export"
            )
        reason = "it does not answer" if isinstance(error, TimeoutError) else str(error)
        return f"The gateway at {self._endpoint} cannot be reached: {reason}. See that this machine may reach it."


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, BaseException | None]:
    """Pass on until the end; how many bytes passed, and what broke it off."""
    passed = 0
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
            passed += len(chunk)
    except OSError as error:
        return passed, error
    return passed, None


async def _tell(writer: asyncio.StreamWriter, reader: asyncio.StreamReader | None, detail: str) -> None:
    """Answer as the gateway would: flwr's CLI prints `detail` (1.41.0)."""
    if reader is not None:
        # An answer before the request was read is lost with the connection.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(_CHUNK_BYTES), CONNECT_TIMEOUT_S)
    body = json.dumps({"detail": detail}).encode("ascii")
    head = f"HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    writer.write(head.encode("ascii") + b"connection: close\r\n\r\n" + body)
    with contextlib.suppress(OSError):
        await writer.drain()


@contextlib.contextmanager
def opened_tunnel(certificate: ControlCertificate, *, now: Callable[[], datetime]) -> Iterator[Opened]:
    """A tunnel in a thread of its own, for as long as the block lasts."""
    tunnel = Tunnel(certificate, now=now)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tunnel", daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(tunnel.open(), loop).result(CONNECT_TIMEOUT_S)
    finally:
        asyncio.run_coroutine_threadsafe(tunnel.close(), loop).result(CONNECT_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CONNECT_TIMEOUT_S)
        loop.close()
