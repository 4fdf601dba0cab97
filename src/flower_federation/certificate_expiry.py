"""When a federation's certificates end, out of the centre's public outputs. Pure; it judges none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

OUTPUTS = {"server_certificate": "server", "ca_certificate": "ca", "bundle_certificate": "bundle"}
"""What a centre exports, and the name under which it is shown; the appliance's metric uses the same names."""
WARN_WITHIN_DAYS = 30
"""From here on a preview warns; `components.pki_rules.EXPIRY_WARNING` is the same time, held to it by a test."""


@dataclass(frozen=True, kw_only=True)
class CertificateEnd:
    """One certificate and its end."""

    certificate: str
    """server, chain (between the server's and an own CA's root), ca or bundle."""
    sha256: str
    """Of its DER, lower-case hex."""
    expires_at: datetime
    """Aware, UTC."""
    days_left: int
    """Whole days; negative once it has ended."""

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "certificate": self.certificate,
            "sha256": self.sha256,
            "expires_at": self.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "days_left": self.days_left,
        }


def certificate_ends(outputs: Mapping[str, Any] | None, *, now: datetime) -> tuple[CertificateEnd, ...]:
    """Ends of all certificates that a centre exports, the nearest first.

    Args:
        outputs: Of the centre's stack; none, or without certificates, gives nothing.
        now: The current instant, aware.

    Raises:
        ValueError: One of them is no certificate in PEM; no such stack is this program's.
    """
    found = []
    for output, kind in OUTPUTS.items():
        text = (outputs or {}).get(output)
        for place, certificate in enumerate(x509.load_pem_x509_certificates(str(text).encode()) if text else ()):
            found.append(
                CertificateEnd(
                    certificate="chain" if place and kind == "server" else kind,
                    sha256=certificate.fingerprint(hashes.SHA256()).hex(),
                    expires_at=certificate.not_valid_after_utc,
                    days_left=(certificate.not_valid_after_utc - now) // timedelta(days=1),
                )
            )
    return tuple(sorted(found, key=lambda end: end.expires_at))
