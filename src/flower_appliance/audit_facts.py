"""What a line of the gateway's log, or an event of the appliance, says in the audit's words. It touches no file.

Nothing is left out because it cannot be understood: a line that cannot be read is a fact of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flower_appliance.roles import CALLS, CONNECT, CONTROL_PREFIX, Call, person_of
from flower_appliance.wire import read_integer

DONE, REFUSED, FAILED = "done", "refused", "failed"
MOST_TEXT = 300
_CALL_NAME = re.compile(r"[a-z0-9-]{1,64}")
# The first port ends the address: the reason may quote names out of a stranger's certificate, and whatever they hold is
# no part of an address, nor can it turn a refusal into another message.
_HANDSHAKE = re.compile(r"http: TLS handshake error from (?P<address>\S+?):\d+: (?P<reason>.*)", re.DOTALL)
# How crypto/tls (Go, in Caddy 2.11.7) begins where the client's certificate is at fault, or its key is not the
# certificate's. The Fleet port asks for none, so these are of the Control port; a SuperNode that does not like the
# server's certificate reads otherwise.
_CERTIFICATE = re.compile(
    r"tls: (failed to verify certificate"
    r"|failed to parse client certificate"
    r"|client didn't provide a certificate"
    r"|client certificate "
    r"|client sent certificate "
    r"|invalid (certificate )?signature by the client certificate)"
)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did it, as the client certificate says."""

    name: str
    role: str
    """Empty where the certificate is of no role of this federation."""
    serial: str
    """Upper-case hex, as openssl prints it."""
    fingerprint: str
    """sha256 of the certificate's DER, lower-case hex."""

    def content(self) -> dict[str, str]:
        """As it stands in a line."""
        return {"name": self.name, "role": self.role, "serial": self.serial, "fingerprint": self.fingerprint}


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that happened."""

    time: datetime
    """When it was over, UTC."""
    action: str
    outcome: str
    actor: Actor | None = None
    source: str = ""
    """Address that it came from; empty for the machine's own."""
    route: str = ""
    status: int | None = None
    reason: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    """`run` and `node`, decimal text because they exceed 2^53."""

    def content(self) -> dict[str, Any]:
        """As it stands in a line, less the links of the chain."""
        content: dict[str, Any] = {
            "time": self.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "action": self.action,
            "outcome": self.outcome,
            "actor": None if self.actor is None else self.actor.content(),
            "source": self.source,
            "route": self.route,
            **self.ids,
        }
        if self.status is not None:
            content["status"] = self.status
        if self.reason:
            content["reason"] = self.reason
        return content


def gateway_fact(line: bytes, *, federation: str, now: datetime) -> Fact | None:
    """What a line of the gateway's control log says; None for what is of no interest.

    Args:
        line: without its line end.
        federation: organization in the certificates' subjects.
        now: for a line that has no time of its own.
    """
    try:
        record = json.loads(line)
        time = datetime.fromtimestamp(float(record["ts"]), UTC)
        logger = str(record["logger"])
        if logger == "http.stdlib":
            return _handshake(str(record["msg"]), time)
        if logger.startswith("http.log.access"):
            return _request(record, time, federation)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        shown = line[:MOST_TEXT].decode("utf-8", errors="replace")
        return Fact(time=now, action="unreadable", outcome=FAILED, reason=f"a line of the gateway's log: {shown}")
    return None


def event_fact(line: bytes, *, now: datetime) -> Fact | None:
    """What an event that the appliance wrote says."""
    try:
        record = json.loads(line)
        return Fact(
            time=datetime.fromisoformat(str(record["time"])),
            action=str(record["action"]),
            outcome=DONE,
            reason=str(record["reason"])[:MOST_TEXT],
        )
    except (ValueError, TypeError, KeyError):
        shown = line[:MOST_TEXT].decode("utf-8", errors="replace")
        return Fact(time=now, action="unreadable", outcome=FAILED, reason=f"an event of the appliance: {shown}")


def _handshake(message: str, time: datetime) -> Fact | None:
    match = _HANDSHAKE.match(message)
    if match is None or not _CERTIFICATE.match(match["reason"]):
        return None
    address = match["address"].strip("[]")
    return Fact(time=time, action="connect", outcome=REFUSED, source=address, reason=match["reason"][:MOST_TEXT])


def _request(record: Mapping[str, Any], time: datetime, federation: str) -> Fact:
    request = record["request"]
    uri, status = str(request["uri"]), int(record["status"])
    call = _call(uri)
    refused = str(record.get("refused") or "")
    answer = _decoded(record.get("answer_body"))
    ids = _ids(call.request_ids, _decoded(record.get("request_body"))) if call is not None else {}
    if call is not None and status < 400:
        ids |= _ids(call.answer_ids, answer)
    outcome = REFUSED if refused or status in (401, 403) else DONE if 200 <= status < 400 else FAILED
    reason = refused or (_detail(answer) if status >= 400 else "")
    if outcome == DONE and call is not None and any(name not in ids for name in call.answer_ids):
        # flwr 1.41.0 answers 200 with an empty message to an app that it does not take.
        outcome, reason = FAILED, "the answer names none, so nothing was made"
        if record.get("duration") == 0:
            # Only a request that its caller broke off has no duration (Caddy 2.11.7): its answer was not kept.
            reason = "the caller left before the answer: whether anything was made is not known from here"
    return Fact(
        time=time,
        action=_action(uri, call),
        outcome=outcome,
        actor=_actor(record, federation),
        source=str(request["remote_ip"]),
        route=uri[:MOST_TEXT],
        status=status,
        reason=reason[:MOST_TEXT],
        ids=ids,
    )


def _actor(record: Mapping[str, Any], federation: str) -> Actor | None:
    subject = str(record.get("subject") or "")
    if not subject:
        return None
    person = person_of(subject, federation)
    serial = int(record["request"]["tls"]["client_serial"])
    return Actor(
        name=person.name if person is not None else subject[:MOST_TEXT],
        role=person.role.value if person is not None else "",
        serial=f"{serial:X}",
        fingerprint=str(record.get("fingerprint") or ""),
    )


def _call(uri: str) -> Call | None:
    return CALLS.get(uri.removeprefix(CONTROL_PREFIX)) if uri.startswith(CONTROL_PREFIX) else None


def _action(uri: str, call: Call | None) -> str:
    if call is not None:
        return call.action
    if uri == CONNECT:
        return "connect"
    name = uri.removeprefix(CONTROL_PREFIX)
    return name if uri.startswith(CONTROL_PREFIX) and _CALL_NAME.fullmatch(name) else "request"


def _ids(wanted: Mapping[str, int], message: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, number in wanted.items():
        try:
            value = read_integer(message, number)
        except ValueError:
            continue
        if value is not None:
            found[name] = str(value)
    return found


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=True)
    except (binascii.Error, ValueError):
        return b""  # Caddy puts the reason here where a body could not be read


def _detail(answer: bytes) -> str:
    try:
        content = json.loads(answer)
    except ValueError:
        return ""
    return str(content.get("detail") or "") if isinstance(content, dict) else ""
