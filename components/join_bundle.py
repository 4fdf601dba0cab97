"""The join bundle: what a zone must know of its centre, as a signed file. Public facts only; no key, no credential.

The signature is made by a key of its own, which the federation's CA certifies for this purpose alone, so a stolen
SuperLink cannot write bundles. The bundle's CA proves nothing by itself: whoever writes a false bundle writes a false
CA into it. What proves it is the CA's fingerprint, told by another way (a telephone) and pinned by the zone.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components.authorities import check_fingerprints, covers, load_authorities
from components.contextualization import check_fleet_endpoint
from components.errors import RefusalError
from components.exchange_files import (
    canonical,
    check_keys,
    digest,
    in_groups,
    malformed,
    read_instant,
    read_object,
    write_instant,
)
from components.node_names import check_zone_name
from components.pki_rules import verify_fingerprint

FORMAT = "flower-federation-join-bundle/1"
SIGNER_NAME = "Flower join bundles"
"""Common name of the certificate whose key signs bundles."""
DEFAULT_VALIDITY = timedelta(days=14)
MAX_VALIDITY = timedelta(days=30)
"""A bundle is for joining, not for keeping: its signer's certificate is renewed 30 days before its end."""
MIN_VALIDITY = timedelta(hours=1)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of the two organisations may differ."""

_PURPOSE = ExtendedKeyUsageOID.CODE_SIGNING
_HASH = hashes.SHA384()


@dataclass(frozen=True, kw_only=True)
class JoinFacts:
    """What a bundle says, all of it text."""

    federation: str
    zone: str
    """The zone that is invited; no other may use the bundle."""
    superlink_fleet_endpoint: str
    ca_certificate: str
    ca_fingerprint: str
    flower_version: str
    issued_at: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class JoinBundle:
    """A bundle whose signature holds."""

    facts: JoinFacts
    digest: str
    """sha256 of its canonical form, to recognise the bundle that a zone joined with."""


def make_facts(*, outputs: dict[str, str], zone: str, now: datetime, validity: timedelta, signer_pem: str) -> JoinFacts:
    """The facts of a new bundle.

    Args:
        outputs: The centre's outputs `federation`, `superlink_fleet_endpoint`, `ca_certificate`, `ca_fingerprint` and
            `flower_version`.
        zone: Who is invited.
        now: The current instant, aware.
        validity: How long the invitation holds.
        signer_pem: The certificate that will vouch for it.

    Raises:
        RefusalError: The time is too short or too long, or the signer's certificate ends before it.
    """
    if not MIN_VALIDITY <= validity <= MAX_VALIDITY:
        raise RefusalError(
            value=f"expires: {validity}",
            rule=f"a bundle is valid for {MIN_VALIDITY // timedelta(hours=1)} hour to {MAX_VALIDITY.days} days",
            reason="an invitation that lies around is taken up by somebody whom nobody has in mind any more",
            remedy="choose another time with --expires, such as 14d or 12h",
        )
    end = now + validity
    signer = _certificate(signer_pem, what="signer's certificate")
    if end > signer.not_valid_after_utc:
        raise RefusalError(
            value=f"expires: {write_instant(end)}",
            rule=f"a bundle ends before its signer's certificate, which ends at "
            f"{write_instant(signer.not_valid_after_utc)}",
            reason="nobody could check its signature after that",
            remedy="run federation up on the central stack, which renews the certificate, or shorten --expires",
        )
    return JoinFacts(
        zone=check_zone_name(zone, where="zone"),
        issued_at=write_instant(now),
        expires_at=write_instant(end),
        **outputs,
    )


def sign(facts: JoinFacts, *, signer_pem: str, key_pem: str) -> str:
    """The bundle's text.

    Args:
        facts: What it says.
        signer_pem: Certificate of the signing key.
        key_pem: The signing key; it is quoted nowhere.

    Raises:
        RefusalError: The key is not the one of the certificate.
    """
    key = _private_key(key_pem)
    signer = _certificate(signer_pem, what="signer's certificate")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != signer.public_key():
        raise RefusalError(
            value="signing key of the federation (not shown)",
            rule="it is an ECDSA key, and the one of the signer's certificate",
            reason="zones check the signature with that certificate",
            remedy="run federation up on the central stack; with a CA of your own correct ca.bundleCertificate and "
            "bundleKey",
        )
    signature = key.sign(_signed(facts), ec.ECDSA(_HASH))
    document = {
        "format": FORMAT,
        "facts": asdict(facts),
        "signer": signer_pem,
        "signature": base64.b64encode(signature).decode(),
    }
    return json.dumps(document, indent=2) + "\n"


def read(text: str, *, what: str = "join bundle") -> JoinBundle:
    """A bundle whose parts fit together: CA and fingerprint, signer and CA, signature and facts.

    Args:
        text: The file's content.
        what: Its name, for messages.

    Raises:
        RefusalError: It is malformed, or was changed after it was signed. Whether it is meant for this zone, still
            valid and from the right centre, is for `check` to say.
    """
    document = read_object(
        text, what=what, format_=FORMAT, keys=("facts", "signer", "signature"), of_lines=("ca_certificate", "signer")
    )
    found = document["facts"]
    names = tuple(JoinFacts.__dataclass_fields__)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise malformed(what, "facts that are no texts", f"its facts are the texts {', '.join(names)}")
    check_keys(found, what=f"facts of {what}", keys=names)
    facts = JoinFacts(**found)
    signer_pem, signature = document["signer"], document["signature"]
    if not isinstance(signer_pem, str) or not isinstance(signature, str):
        raise malformed(what, "signer or signature that is no text", "both are texts")
    check_fleet_endpoint(facts.superlink_fleet_endpoint)
    verify_fingerprint(facts.ca_certificate, facts.ca_fingerprint)
    signer = _certificate(signer_pem, what=f"signer of {what}")
    _check_signer(signer, facts, what=what)
    _check_signature(signer, signature, facts, what=what)
    return JoinBundle(facts=facts, digest=digest(document))


def check(bundle: JoinBundle, *, zone: str, pin: str | None, now: datetime, joined: bool, what: str) -> None:
    """Refuse a bundle that is not for this zone, not from the pinned centre, or no longer valid.

    Args:
        bundle: From `read`.
        zone: The zone that wants to join.
        pin: The CA's fingerprint as the centre's operator told it by another way; None where nobody asked yet.
        now: The current instant, aware.
        joined: Whether the zone has joined with this very bundle: an invitation that was taken up does not end.
        what: The bundle's name, for messages.

    Raises:
        RefusalError: Something of this does not hold.
    """
    facts = bundle.facts
    fingerprint = check_fingerprints(facts.ca_fingerprint, where=f"ca_fingerprint of {what}")
    if pin is None:
        raise RefusalError(
            value=f"central.caFingerprint: not set, and {what} says {in_groups(fingerprint)}",
            rule="a zone that joins with a bundle pins the fingerprint of the federation's CA",
            reason="the bundle brings its own CA, so whoever forged it made its signature fit, too",
            remedy="telephone the centre's operator, let them read the fingerprint out, and only if it is the one "
            "above set central.caFingerprint in this zone's stack file",
        )
    pinned = check_fingerprints(pin, where="central.caFingerprint")
    if not covers(pinned, fingerprint):
        raise RefusalError(
            value=f"central.caFingerprint: {in_groups(pinned)}",
            rule=f"{what} has the pinned CA, but its CA is {in_groups(fingerprint)}",
            reason="somebody else's CA would see every model update of this zone",
            remedy="do not use this bundle; telephone the centre's operator and ask for a new one. While a CA takes "
            "over from another, the pin names both",
        )
    if facts.zone != zone:
        raise RefusalError(
            value=f"zone: {zone}",
            rule=f"{what} invites {facts.zone} and nobody else",
            reason="the centre lets each zone bring its own nodes, under its own name",
            remedy=f"ask the centre's operator for a bundle of your own: federation invite {zone}",
        )
    if read_instant(facts.issued_at, what=f"issued_at of {what}") > now + CLOCK_TOLERANCE:
        raise RefusalError(
            value=f"{what}: issued at {facts.issued_at}, which is still to come at {write_instant(now)}",
            rule="a bundle is used after it was issued",
            reason="one of the two clocks is wrong, and expiry means nothing then",
            remedy="correct this machine's clock (NTP); if it is right, ask the centre's operator to check theirs",
        )
    if read_instant(facts.expires_at, what=f"expires_at of {what}") <= now and not joined:
        raise RefusalError(
            value=f"{what}: expired at {facts.expires_at}",
            rule="a zone joins before its bundle's end",
            reason="an invitation is not for ever, and the centre may have changed since",
            remedy=f"ask the centre's operator for a new bundle: federation invite {zone}",
        )


def _private_key(pem: str) -> object:
    try:
        return load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        return None


def _signed(facts: JoinFacts) -> bytes:
    return canonical({"format": FORMAT, "facts": asdict(facts)})


def _check_signer(signer: x509.Certificate, facts: JoinFacts, *, what: str) -> None:
    authorities = load_authorities(facts.ca_certificate, what=f"CA of {what}")
    try:
        if not any(_issued(signer, authority) for authority in authorities):
            raise _forged(what, "its signer is not certified by its CA")
        purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise _forged(what, "its signer is certified for nothing") from error
    names = [str(name.value) for name in signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if list(purposes) != [_PURPOSE] or names != [SIGNER_NAME]:
        raise _forged(what, f"its signer {names} is certified for something else")
    issued, expires = (read_instant(text, what=what) for text in (facts.issued_at, facts.expires_at))
    # The certificate's own instants are whole seconds, as the bundle's are.
    if not signer.not_valid_before_utc - CLOCK_TOLERANCE <= issued < expires <= signer.not_valid_after_utc:
        raise _forged(what, "it is not issued and ended while its signer's certificate is valid")


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_signature(signer: x509.Certificate, signature: str, facts: JoinFacts, *, what: str) -> None:
    key = signer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _forged(what, "its signer has no ECDSA key")
    try:
        key.verify(base64.b64decode(signature, validate=True), _signed(facts), ec.ECDSA(_HASH))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise _forged(what, "its signature does not fit what it says") from error


def _forged(what: str, found: str) -> RefusalError:
    return RefusalError(
        value=f"{what}: {found}",
        rule="a bundle is signed, as it stands, by a key that its CA certifies for bundles",
        reason="it was changed on its way, or somebody else wrote it",
        remedy="do not use it; ask the centre's operator for the bundle again, by another way",
    )


def _certificate(pem: str, *, what: str) -> x509.Certificate:
    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise malformed(
            what, f"{len(pem)} characters that are not one certificate", "it is one certificate in PEM"
        ) from error
    return found
