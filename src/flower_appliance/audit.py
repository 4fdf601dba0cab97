"""The audit service: turns the gateway's log and the appliance's events into the chain, and says whose a run is.

It sees no request before it happened and stops none, with one exception: the gateway asks it whether a researcher may
stop a run, and takes silence for no.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flower_appliance.audit_facts import FAILED, Fact, event_fact, gateway_fact
from flower_appliance.audit_file import AuditFile, Origin
from flower_appliance.audit_tail import LogTail, PlaceLostError
from flower_appliance.control_routes import QUESTION, REQUEST_HEADER, SUBJECT_HEADER
from flower_appliance.roles import CALLS, person_of
from flower_appliance.wire import read_integer

LOG = logging.getLogger(__name__)

POLL_S = 0.25
BATCH_LINES = 500
"""Lines that become durable together."""
WAIT_FOR_START_S = 2.0
"""How long a question about a run waits for the line that says who started it: the gateway writes that line just after
the answer that told its caller the run's number."""
_MOST_QUESTION_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether a person may stop a run."""

    allowed: bool
    reason: str = ""
    known: bool = True
    """False where it is not known yet who started the run."""


def may_stop(file: AuditFile, subject: str, request: bytes, *, federation: str) -> Answer:
    """Whether the holder of a certificate started the run that a StopRun request names.

    Args:
        file: the audit; it remembers who started what.
        subject: of the certificate, as the gateway prints it.
        request: the protobuf message.
        federation: organization in the certificates' subjects.
    """
    person = person_of(subject, federation)
    try:
        run = read_integer(request, CALLS["stop-run"].request_ids["run"])
    except ValueError:
        run = None
    if person is None or run is None:
        return Answer(allowed=False, reason="The request names no run, or the certificate names no person.")
    starter = file.starter(str(run))
    if starter == person.name:
        return Answer(allowed=True)
    whose = f"{starter} did" if starter else "the audit does not say who did"
    reason = f"Your role, {person.role.value}, stops your own runs only: you did not start run {run}; {whose}."
    return Answer(allowed=False, reason=f"{reason} An operator may stop it.", known=bool(starter))


class AuditService:
    """Reads, writes and answers, from `run` until it is cancelled."""

    def __init__(
        self,
        file: AuditFile,
        *,
        federation: str,
        gateway_log: Path,
        events_log: Path,
        now: Callable[[], datetime],
        show: Callable[[str], None],
    ) -> None:
        """Keep `file`.

        Args:
            federation: organization in the certificates' subjects.
            gateway_log: the gateway's log of the Control port.
            events_log: what the appliance writes.
            now: the clock.
            show: is given every line of the audit, for the log pipeline.
        """
        self._file = file
        self._federation = federation
        self._now = now
        self._show = show
        self._failure: OSError | None = None
        """What went wrong while a question was answered; nothing is written after it."""
        self._tails = {
            "appliance": LogTail(events_log, file.place("appliance")),
            "gateway": LogTail(gateway_log, file.place("gateway")),
        }

    async def run(self, host: str, port: int) -> None:
        """Serve until cancelled.

        Raises:
            OSError: the port cannot be bound, or the disk does not take the audit.
        """
        server = await asyncio.start_server(self._serve, host, port, limit=_MOST_QUESTION_BYTES)
        async with server:
            while self._failure is None:
                self.catch_up()
                await asyncio.sleep(POLL_S)
        raise self._failure

    def catch_up(self) -> None:
        """Put everything that the logs hold into the chain.

        Raises:
            OSError: the disk does not take it.
        """
        for name, tail in self._tails.items():
            try:
                self._read(name, tail)
            except PlaceLostError:
                reason = (
                    f"the {name}'s log was rotated away, or cut off, where it was read last: lines may be missing, and "
                    "lines of before may follow a second time"
                )
                self._append([(Fact(time=self._now(), action="gap", outcome=FAILED, reason=reason), None)])
                self._read(name, tail)

    def _read(self, name: str, tail: LogTail) -> None:
        batch: list[tuple[Fact, Origin | None]] = []
        for line, place in tail.read():
            fact = self._fact(name, line)
            if fact is not None:
                batch.append((fact, Origin(log=name, place=place)))
            if len(batch) >= BATCH_LINES:
                self._append(batch)
                batch = []
        self._append(batch)

    def _fact(self, name: str, line: bytes) -> Fact | None:
        if name == "gateway":
            return gateway_fact(line, federation=self._federation, now=self._now())
        return event_fact(line, now=self._now())

    def _append(self, batch: list[tuple[Fact, Origin | None]]) -> None:
        for line in self._file.append(batch):
            self._show(line)

    async def answer(self, subject: str, request: bytes) -> Answer:
        """`may_stop`, after a short wait where the run is not known yet.

        Raises:
            OSError: the disk does not take the audit.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_FOR_START_S
        while True:
            self.catch_up()
            found = may_stop(self._file, subject, request, federation=self._federation)
            if found.allowed or found.known or asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(POLL_S / 2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question a connection, in the little HTTP that the gateway speaks to it."""
        try:
            raw = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            writer.write(response(await self._decide(raw)))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            LOG.warning("a question was not understood: %s", error)
        except OSError as error:
            self._failure = error
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _decide(self, raw: bytes) -> Answer:
        subject, request = read_question(raw)
        return await self.answer(subject, request)


def read_question(raw: bytes) -> tuple[str, bytes]:
    """Subject and request of a question; both empty where it is none."""
    first, *lines = raw.decode("utf-8", errors="replace").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if first.split(" ")[:2] != ["GET", QUESTION]:
        return "", b""
    try:
        request = base64.b64decode(headers.get(REQUEST_HEADER.lower(), ""), validate=True)
    except (binascii.Error, ValueError):
        request = b""
    return headers.get(SUBJECT_HEADER.lower(), ""), request


def response(answer: Answer) -> bytes:
    """The answer in HTTP; a refusal's text is what flwr's CLI shows."""
    if answer.allowed:
        return b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    body = json.dumps({"detail": answer.reason}).encode("ascii")
    # A header holds ASCII, and a person's name may be anything.
    reason = answer.reason.encode("ascii", errors="replace").decode("ascii")
    head = (
        f"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Refused: {reason}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
