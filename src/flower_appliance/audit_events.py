"""What the appliance itself does that belongs into the audit, as lines of a file for the audit service.

The appliance has no certificate: these lines have no actor, and the zone's operator stands behind them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flower_appliance import pem
from flower_appliance.audit_chain import Head
from flower_appliance.files import Owner
from flower_appliance.machine import AUDIT_HEAD, CA_CERT, GATEWAY_CONFIG, LOGS, SERVER_CERT, Machine

EVENTS_LOG = f"{LOGS}/appliance-events.log"
_CERTIFICATES = {SERVER_CERT: "server certificate", CA_CERT: "CA certificate"}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that the appliance did."""

    action: str
    reason: str


def fingerprints(machine: Machine) -> dict[str, str]:
    """sha256 of the certificates that are on the disk now, by guest path."""
    found: dict[str, str] = {}
    for path in _CERTIFICATES:
        try:
            chain = pem.load_certificates(machine.path(path).read_bytes())
        except (OSError, ValueError):
            continue
        found[path] = pem.fingerprint(chain[0])
    return found


def events_of(before: Mapping[str, str], after: Mapping[str, str], written: Sequence[str]) -> list[Event]:
    """What applying a plan means for the audit.

    Args:
        before: `fingerprints` of before.
        after: and of now.
        written: guest paths that were written.
    """
    events = [
        Event(action="rotate", reason=f"{what}: sha256 {before[path]} -> {after[path]}")
        for path, what in _CERTIFICATES.items()
        if path in before and path in after and before[path] != after[path]
    ]
    if GATEWAY_CONFIG in written:
        events.append(
            Event(action="configure", reason="the gateway's rules were written: networks, roles or log level")
        )
    return events


def write_events(path: Path, events: Sequence[Event], *, now: datetime, owner: Owner | None = None) -> None:
    """Append events; the file is `owner`'s, so that the audit service can read it.

    Raises:
        OSError: the file system refuses.
    """
    if not events:
        return
    time = now.astimezone(UTC).isoformat(timespec="microseconds")
    lines = [json.dumps({"time": time, "action": event.action, "reason": event.reason}) for event in events]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o640)
    try:
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        os.write(descriptor, "".join(f"{line}\n" for line in lines).encode("ascii"))
    finally:
        os.close(descriptor)


def read_head(machine: Machine) -> str:
    """The head of the audit as it is now, for OneGate; empty where there is none yet."""
    try:
        return str(Head.parse(machine.path(AUDIT_HEAD).read_text()))
    except (OSError, ValueError):
        return ""
