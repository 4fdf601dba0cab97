"""What the appliance itself does that belongs into the audit, as lines of a file for the audit service.

The appliance has no certificate: these lines have no actor, and the zone's operator stands behind them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from flower_appliance import pem
from flower_appliance.audit_chain import Head
from flower_appliance.files import Owner, write_if_changed
from flower_appliance.machine import AUDIT_HEAD, CA_CERT, GATEWAY_CONFIG, LOGS, SERVER_CERT, STATE, Machine

EVENTS_LOG = f"{LOGS}/appliance-events.log"
ANNOUNCED = f"{STATE}/announced.json"
"""`fingerprints` that the audit was told last. What was written is compared with these, and not with what was on the
disk before: whatever ends the appliance between writing and telling, the next boot tells it (at worst twice)."""
_CERTIFICATES = {SERVER_CERT: "server certificate", CA_CERT: "CA certificate"}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that the appliance did."""

    action: str
    reason: str


def fingerprints(machine: Machine) -> dict[str, str]:
    """sha256 of the certificates and of the gateway's rules that are on the disk now, by guest path."""
    found: dict[str, str] = {}
    for path in _CERTIFICATES:
        try:
            chain = pem.load_certificates(machine.path(path).read_bytes())
        except (OSError, ValueError):
            continue
        found[path] = pem.fingerprint(chain[0])
    with contextlib.suppress(OSError):
        found[GATEWAY_CONFIG] = sha256(machine.path(GATEWAY_CONFIG).read_bytes()).hexdigest()
    return found


def announced(machine: Machine) -> dict[str, str]:
    """`fingerprints` that the audit was told last; those of now where nobody kept any."""
    try:
        kept = json.loads(machine.path(ANNOUNCED).read_bytes())
    except (OSError, ValueError):
        return fingerprints(machine)
    if not isinstance(kept, dict):
        return fingerprints(machine)
    return {str(path): str(digest) for path, digest in kept.items()}


def keep_announced(machine: Machine, told: Mapping[str, str]) -> None:
    """Keep what the audit has been told.

    Raises:
        OSError: the file system refuses.
    """
    write_if_changed(machine.path(ANNOUNCED), json.dumps(dict(told), indent=1, sort_keys=True).encode(), mode=0o600)


def events_of(before: Mapping[str, str], after: Mapping[str, str]) -> list[Event]:
    """What applying a plan means for the audit.

    Args:
        before: `fingerprints` of before.
        after: and of now.
    """
    events = [
        Event(action="rotate", reason=f"{what}: sha256 {before[path]} -> {after[path]}")
        for path, what in _CERTIFICATES.items()
        if path in before and path in after and before[path] != after[path]
    ]
    if after.get(GATEWAY_CONFIG, "") not in ("", before.get(GATEWAY_CONFIG)):
        events.append(
            Event(action="configure", reason="the gateway's rules were written: networks, roles or log level")
        )
    return events


def write_events(path: Path, events: Sequence[Event], *, now: datetime, owner: Owner | None = None) -> None:
    """Append events, to the disk; the file is `owner`'s, so that the audit service can read it.

    Raises:
        OSError: the file system refuses. Nothing, or everything, or a part of it that ends within a line is there then.
    """
    if not events:
        return
    time = now.astimezone(UTC).isoformat(timespec="microseconds")
    lines = [json.dumps({"time": time, "action": event.action, "reason": event.reason}) for event in events]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o640)
    try:
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        raw = "".join(f"{line}\n" for line in lines).encode("ascii")
        if _ends_within_a_line(path):
            raw = b"\n" + raw
        while raw:
            raw = raw[os.write(descriptor, raw) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_within_a_line(path: Path) -> bool:
    """Whether a disk that was full cut the last line off; it must not spoil the next one, too."""
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


def read_head(machine: Machine) -> str:
    """The head of the audit as it is now, for OneGate; empty where there is none yet."""
    try:
        return str(Head.parse(machine.path(AUDIT_HEAD).read_text()))
    except (OSError, ValueError):
        return ""
