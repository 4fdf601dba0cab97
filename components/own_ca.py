"""A federation's certificates from a CA that is not ours: read, checked, passed on. The CA's key is never given.

Renewal is the operator's: a new certificate in the file, and `pulumi up`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from components.authorities import MOST, load_authorities
from components.errors import RefusalError
from components.join_bundle import SIGNER_NAME
from components.own_ca_rules import (
    check_authority,
    check_key,
    check_server_chain,
    check_signer,
    issuing_authority,
    read_chain,
)
from components.pki_rules import ServerIdentities, expiry_warning


@dataclass(frozen=True, kw_only=True)
class OwnCertificates:
    """Certificates and keys that an operator brings."""

    ca_certificate: str
    """The root, PEM; two of them while one takes over from the other."""
    chain: str = ""
    """Certificates between the server's and the root, PEM, nearest to the server first; may be empty."""
    server_certificate: str
    """PEM."""
    server_key: str = field(repr=False)
    """PEM without a password; becomes a secret."""
    bundle_certificate: str | None = None
    """Certificate for signing join bundles, PEM, signed by a root; None: this centre invites nobody."""
    bundle_key: str | None = field(default=None, repr=False)
    """Its key, PEM; becomes a secret."""
    checked_at: datetime
    """The instant at which they must be valid, aware."""

    @property
    def server_chain(self) -> str:
        """What the server presents: its certificate and those that lead to the root."""
        return "\n".join(part.strip() for part in (self.server_certificate, self.chain) if part.strip()) + "\n"


def check_own_certificates(own: OwnCertificates, identities: ServerIdentities) -> tuple[str, ...]:
    """Refuse certificates that could not work.

    Args:
        own: What the operator brings.
        identities: Every name and address under which the SuperLink is dialled, loopback included.

    Returns:
        Warnings about those that near their end.

    Raises:
        RefusalError: A rule does not hold; nothing has been declared then.
    """
    now = own.checked_at
    authorities = read_chain(own.ca_certificate, where="ca.certificate", most=MOST)
    (leaf,) = read_chain(own.server_certificate, where="ca.serverCertificate", most=1)
    issuers = read_chain(own.chain, where="ca.chain") if own.chain.strip() else ()
    for authority in authorities:
        check_authority(authority, now=now)
    # The same one twice would be told as two fingerprints that people compare.
    load_authorities(own.ca_certificate, what="ca.certificate")
    chain = (leaf, *issuers)
    check_server_chain(chain, issuing_authority(chain[-1], authorities), identities=identities, now=now)
    check_key(leaf, own.server_key, where="serverKey", certificate_where="ca.serverCertificate")
    named = [("CA certificate", own.ca_certificate), ("server certificate of the SuperLink", own.server_certificate)]
    if (own.bundle_certificate is None) != (own.bundle_key is None):
        raise RefusalError(
            value="ca.bundleCertificate and bundleKey: only one of them is set",
            rule="a certificate for join bundles comes with its key",
            reason="one signs with the key, and the other proves the signature",
            remedy="set both in the central stack's file (the key with pulumi config set --secret bundleKey), or none",
        )
    if own.bundle_certificate is not None and own.bundle_key is not None:
        (signer,) = read_chain(own.bundle_certificate, where="ca.bundleCertificate", most=1)
        check_signer(signer, issuing_authority(signer, authorities), name=SIGNER_NAME, now=now)
        check_key(signer, own.bundle_key, where="bundleKey", certificate_where="ca.bundleCertificate")
        named.append(("certificate for join bundles", own.bundle_certificate))
    warnings = (
        expiry_warning(
            pem, what=what, now=now, remedy="Have it signed again, put it into its file, and run pulumi up before that."
        )
        for what, pem in named
    )
    return tuple(warning for warning in warnings if warning is not None)
