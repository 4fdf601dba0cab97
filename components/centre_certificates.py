"""What the certificates that a centre has mean for its next update: nothing, a warning, or a refusal.

Pure. It judges the public outputs of the update before, since the certificates of this one are not known in a preview
that is about to renew them. It renews nothing, and judges no certificate of an operator's own CA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from components.authorities import made_by_stack
from components.errors import RefusalError
from components.pki_rules import EXPIRY_WARNING

RENEW_VARIABLE, RENEW_VALUE = "FEDERATION_RENEW", "yes"
"""Environment variable, and its value, that tell the program that an update is there to renew what has ended;
`federation rotate` sets it."""
RENEW_SERVER = "federation rotate server-certificate"
RENEW_CA = "federation rotate ca --renew"


@dataclass(frozen=True, kw_only=True)
class CentreCertificate:
    """One certificate of a centre."""

    what: str
    """Its name for messages."""
    end: datetime
    """Aware."""
    due: datetime
    """From here on `pulumi up` replaces it."""
    command: str
    """What replaces it at once, and proves it."""
    elsewhere: str = ""
    """What its replacement asks of others, for messages; empty: nothing."""

    def refusal(self) -> RefusalError:
        """Of an update that goes on as if it had not ended."""
        return RefusalError(
            value=f"{self.what}: expired at {self.end.isoformat()}",
            rule="a centre is changed while its certificates are valid, or renewed",
            reason="every TLS client refuses it, so nodes lose the centre; an update about something else would renew "
            "it by the way, without a proof that they are back",
            remedy=f"run {self.command}, which makes it anew{self.elsewhere} and ends when every node is online "
            f"(without that command: pulumi up with {RENEW_VARIABLE}={RENEW_VALUE} in the environment)",
        )

    def warning(self, now: datetime) -> str | None:
        """A sentence from 30 days before its end; None before that."""
        if now >= self.end:
            return f"{self.what}: expired at {self.end.isoformat()}. This update renews it."
        left = self.end - now
        if left > EXPIRY_WARNING:
            return None
        when = "pulumi up replaces it" if now >= self.due else f"pulumi up replaces it from {self.due.isoformat()} on"
        return (
            f"{self.what}: expires at {self.end.isoformat()}, in {left // timedelta(days=1)} days. {when}; "
            f"{self.command} does so at once{self.elsewhere}."
        )


def is_moving(outputs: Mapping[str, Any]) -> bool:
    """Whether a centre whose stack is about to make its CA was left with an operator's own by the update before."""
    return "ca_certificate" in outputs and not made_by_stack(str(outputs["ca_certificate"]))


def centre_certificates(
    outputs: Mapping[str, Any], *, federation: str, server_early: timedelta, ca_early: timedelta
) -> tuple[CentreCertificate, ...]:
    """The certificates that a centre's outputs hold, the CA's before those that it signed.

    Args:
        outputs: Of the centre's stack, as its last update left them; none, or without certificates, gives nothing.
        federation: The federation's name.
        server_early: How long before their end `pulumi up` replaces what the CA signs.
        ca_early: How long before its end it replaces the CA.

    Raises:
        ValueError: One of them is no certificate in PEM; no such stack is this program's.
    """
    zones = ", and tells every zone whose stack is in this backend"
    # Of an operator's own CA that the stack's takes over from, no certificate can be made without telling the zones.
    moves = is_moving(outputs)
    leaf = (RENEW_CA, zones) if moves else (RENEW_SERVER, "")
    kinds = (
        ("ca_certificate", f"CA certificate of the federation {federation}", ca_early, RENEW_CA, zones),
        ("server_certificate", "server certificate of the SuperLink", server_early, *leaf),
        ("bundle_certificate", "certificate for join bundles", server_early, *leaf),
    )
    return tuple(
        CentreCertificate(
            what=what,
            end=certificate.not_valid_after_utc,
            due=certificate.not_valid_after_utc - early,
            command=command,
            elsewhere=elsewhere,
        )
        for output, what, early, command, elsewhere in kinds
        if output in outputs
        for certificate in x509.load_pem_x509_certificates(str(outputs[output]).encode())
    )


def judge(certificates: Sequence[CentreCertificate], *, now: datetime, renews: bool) -> tuple[str, ...]:
    """Warnings of an update.

    Args:
        certificates: From `centre_certificates`.
        now: The current instant, aware.
        renews: Whether the update is there to renew what has ended.

    Raises:
        RefusalError: One has ended, and the update is about something else.
    """
    ended = [each for each in certificates if now >= each.end]
    if ended and not renews:
        raise ended[0].refusal()
    return tuple(text for each in certificates if (text := each.warning(now)) is not None)
