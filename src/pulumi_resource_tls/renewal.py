"""When a certificate is due: arithmetic on the recorded end time; it looks at no clock and renews nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pulumi_resource_tls.errors import BrokenStateError
from pulumi_resource_tls.properties import whole
from pulumi_resource_tls.values import Inputs


def instant_text(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC, whole seconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(name: str, value: str) -> datetime:
    """An RFC 3339 instant out of the state (the official plugin writes local zones and nanoseconds).

    Raises:
        BrokenStateError: the text is no RFC 3339 instant.
    """
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise BrokenStateError(
            name,
            value=repr(value),
            rule="an RFC 3339 instant with a time zone",
            reason="whether the certificate is due cannot be told",
            remedy="replace the certificate: `pulumi up --replace` with its URN",
        )
    return parsed.astimezone(UTC)


def is_due(state: Inputs, *, early_renewal_hours: int, now: datetime) -> bool:
    """Whether a certificate's early-renewal time has come; one without a recorded end is not due.

    Args:
        state: its outputs.
        early_renewal_hours: hours before expiry from which it counts as due.
        now: the current instant.

    Raises:
        BrokenStateError: the recorded end is unreadable.
    """
    end = state.get("validityEndTime")
    if not isinstance(end, str):
        return False
    return now >= instant("validityEndTime", end) - timedelta(hours=early_renewal_hours)


def is_due_by_state(state: Inputs, *, now: datetime) -> bool:
    """`is_due` with the early-renewal hours that the state records."""
    return is_due(state, early_renewal_hours=whole(state, "earlyRenewalHours"), now=now)
