"""What certificates that were signed elsewhere must be: chain, names, lifetime, usage and key of the server's.

It needs no CA key and asks for none. Name constraints are left to the handshake that the SuperLink's VM makes with
itself before it says READY; everything else that would stop a SuperNode is refused here, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from components.errors import RefusalError
from components.pki_rules import MAX_LEAF_VALIDITY, ServerIdentities

T = TypeVar("T", bound=x509.ExtensionType)

MIN_LEAF_VALIDITY = timedelta(days=1)
"""What an operator renews by hand must outlive a night; a CA that renews by machine issues for a day."""
WEAK_HASHES = ("md5", "sha1")
MIN_RSA_BITS = 2048

_WHERE = "in the central stack's file"


def read_chain(pem: str, *, where: str, least: int = 1, most: int | None = None) -> tuple[x509.Certificate, ...]:
    """Certificates in the order in which they stand in a file.

    Args:
        pem: The file's content.
        where: The setting that names it.
        least: How many there must be.
        most: How many there may be; None is any number.

    Raises:
        RefusalError: It holds something else, or another number of them.
    """
    try:
        found = tuple(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        found = ()
    if "PRIVATE KEY" in pem or len(found) < least or (most is not None and len(found) > most):
        raise RefusalError(
            value=f"{where}: {len(pem)} characters with {len(found)} certificates"
            + (" and a private key (not shown)" if "PRIVATE KEY" in pem else ""),
            rule=f"it holds {least if most == least else f'{least} or more'} certificate(s) in PEM and no key",
            reason="it is public: SuperNodes and stack outputs get it as it is",
            remedy=f"correct the file that {where} names {_WHERE}",
        )
    return found


def issuing_authority(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> x509.Certificate:
    """The root that signed a certificate; where none did, the first, for the refusal to name."""
    return next((each for each in authorities if _signed_by(certificate, each)), authorities[0])


def check_authority(authority: x509.Certificate, *, now: datetime) -> None:
    """Refuse a root that clients would not build a chain to.

    Raises:
        RefusalError: It is no self-signed CA, or not valid now.
    """
    where = "ca.certificate"
    if not _signed_by(authority, authority):
        raise _refusal(
            where,
            f"{_name(authority)}, issued by {authority.issuer.rfc4514_string()}",
            "it is a root: a CA's certificate that is signed by its own key",
            "Flower's TLS trusts a chain only up to a root",
            "put the root there, and certificates between it and the server's into ca.chain,",
        )
    _check_may_sign(authority, where=where, below=None)
    _check_now(authority, where=where, now=now)


def check_server_chain(
    chain: Sequence[x509.Certificate], authority: x509.Certificate, *, identities: ServerIdentities, now: datetime
) -> None:
    """Refuse a server certificate that SuperNodes, the gateway or the SuperLink's own children would refuse.

    Args:
        chain: The server's certificate first, then its issuers without the root.
        authority: The root.
        identities: Every name and address under which the SuperLink is dialled, loopback included.
        now: The current instant, aware.

    Raises:
        RefusalError: The first rule that does not hold.
    """
    leaf, issuers = chain[0], chain[1:]
    _check_links(chain, authority)
    for depth, issuer in enumerate((*issuers, authority)):
        _check_may_sign(issuer, where="ca.chain" if issuer is not authority else "ca.certificate", below=depth)
    for certificate in chain:
        where = "ca.serverCertificate" if certificate is leaf else "ca.chain"
        _check_now(certificate, where=where, now=now)
        _check_hash(certificate, where=where)
    _check_identifiers(chain, authority)
    _check_leaf_usage(leaf, purpose=ExtendedKeyUsageOID.SERVER_AUTH, where="ca.serverCertificate")
    _check_lifetime(leaf, authority, where="ca.serverCertificate")
    _check_key_kind(leaf)
    _check_names(leaf, identities)


def check_key(certificate: x509.Certificate, key_pem: str, *, where: str, certificate_where: str) -> None:
    """Refuse a private key that is not the one of a certificate. The key is quoted nowhere.

    Raises:
        RefusalError: It is another key's, or no key at all.
    """
    try:
        key = load_pem_private_key(key_pem.encode(), None)
        fits = key.public_key() == certificate.public_key()
    except (ValueError, TypeError):
        fits = False
    if not fits:
        raise RefusalError(
            value=f"{where}: {len(key_pem)} characters (not shown)",
            rule=f"it is the private key of {certificate_where}, in PEM and without a password",
            reason="no TLS handshake and no signature succeeds with another one",
            remedy=f"pulumi config set --secret {where} < KEYFILE, with the key that the request was made with",
        )


def check_signer(signer: x509.Certificate, authority: x509.Certificate, *, name: str, now: datetime) -> None:
    """Refuse a certificate that must not sign join bundles.

    Args:
        signer: The certificate.
        authority: The root, which must have signed it itself: a zone has nothing else to check it with.
        name: The common name that it must have.
        now: The current instant, aware.

    Raises:
        RefusalError: It is certified for something else, by somebody else, or not valid now.
    """
    where = "ca.bundleCertificate"
    _check_links((signer,), authority, where=where)
    _check_now(signer, where=where, now=now)
    _check_hash(signer, where=where)
    _check_leaf_usage(signer, purpose=ExtendedKeyUsageOID.CODE_SIGNING, where=where)
    _check_lifetime(signer, authority, where=where)
    purposes = _extension(signer, x509.ExtendedKeyUsage)
    common_names = [str(part.value) for part in signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    only = purposes is not None and list(purposes) == [ExtendedKeyUsageOID.CODE_SIGNING]
    if not only or common_names != [name] or not isinstance(signer.public_key(), ec.EllipticCurvePublicKey):
        raise _refusal(
            where,
            f"{_name(signer)} for {[oid.dotted_string for oid in purposes or ()]}",
            f"it has the common name {name}, the extended key usage codeSigning alone, and an ECDSA key",
            "zones take a bundle from no other certificate of the CA, least of all from the SuperLink's own",
            "have it signed again, or remove ca.bundleCertificate and bundleKey,",
        )


def _check_links(chain: Sequence[x509.Certificate], authority: x509.Certificate, *, where: str = "ca.chain") -> None:
    for certificate, issuer in zip(chain, (*chain[1:], authority), strict=True):
        if not _signed_by(certificate, issuer):
            raise _refusal(
                where,
                f"{_name(certificate)}, followed by {_name(issuer)}",
                "each certificate is signed by the next one, and the last by ca.certificate",
                "SuperNodes know the root alone and follow the chain to it",
                "put the certificates between the server's and the root into ca.chain, nearest to the server first,",
            )


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_identifiers(chain: Sequence[x509.Certificate], authority: x509.Certificate) -> None:
    """Refuse a chain that OpenSSL takes on one machine of the federation and refuses on the next.

    Python verifies with VERIFY_X509_STRICT since 3.13: RFC 5280, 4.2.1.1 and 4.2.1.2.
    """
    for certificate, issuer in zip(chain, (*chain[1:], authority), strict=True):
        lacking = [
            f"{_name(owner)} has no {what}"
            for owner, what, kind in (
                (certificate, "authority key identifier", x509.AuthorityKeyIdentifier),
                (issuer, "subject key identifier", x509.SubjectKeyIdentifier),
            )
            if _extension(owner, kind) is None
        ]
        if lacking:
            raise _refusal(
                "ca.serverCertificate" if certificate is chain[0] else "ca.chain",
                " and ".join(lacking),
                "a certificate names its issuer's key, and a CA its own (authority and subject key identifier)",
                "Python 3.13 and later refuse a chain without them, and not every machine of a federation is older",
                "have it signed again by a CA that sets them, and correct the file",
            )


def _check_may_sign(certificate: x509.Certificate, *, where: str, below: int | None) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    too_deep = (
        constraints is not None
        and below is not None
        and constraints.path_length is not None
        and below > constraints.path_length
    )
    if constraints is None or not constraints.ca or too_deep or (usage is not None and not usage.key_cert_sign):
        raise _refusal(
            where,
            f"{_name(certificate)}, which may not sign this chain",
            "an issuer has basic constraints CA:TRUE with room for the certificates below it, and key usage "
            "keyCertSign",
            "TLS clients refuse a chain through a certificate that may not sign",
            "ask your CA for the certificates that belong to this chain, and correct the file",
        )


def _check_now(certificate: x509.Certificate, *, where: str, now: datetime) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= now < end:
        raise _refusal(
            where,
            f"{_name(certificate)}, valid from {begin.isoformat()} to {end.isoformat()}",
            f"it is valid now, {now.isoformat(timespec='seconds')}",
            "every TLS client refuses it otherwise, so no node can connect",
            "have it signed again, and put the new certificate into the file",
        )


def _check_hash(certificate: x509.Certificate, *, where: str) -> None:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None and algorithm.name in WEAK_HASHES:
        raise _refusal(
            where,
            f"{_name(certificate)}, signed with {algorithm.name}",
            f"no certificate of the chain is signed with {' or '.join(WEAK_HASHES)}",
            "such signatures can be forged, and OpenSSL refuses them",
            "have it signed again with sha256 or better, and correct the file",
        )


def _check_leaf_usage(leaf: x509.Certificate, *, purpose: ObjectIdentifier, where: str) -> None:
    usage, purposes = _extension(leaf, x509.KeyUsage), _extension(leaf, x509.ExtendedKeyUsage)
    constraints = _extension(leaf, x509.BasicConstraints)
    signs = usage is None or usage.digital_signature
    allowed = purposes is None or purpose in purposes
    if not signs or not allowed or (constraints is not None and constraints.ca):
        wanted = "serverAuth" if purpose == ExtendedKeyUsageOID.SERVER_AUTH else "codeSigning"
        raise _refusal(
            where,
            f"{_name(leaf)}, with the wrong usage"
            + (" (it is a CA)" if constraints is not None and constraints.ca else ""),
            f"it is no CA, and key usage and extended key usage, where they are, hold digitalSignature and {wanted}",
            "TLS clients refuse a certificate that was made for something else",
            "have it signed again for this use, and correct the file",
        )


def _check_lifetime(leaf: x509.Certificate, authority: x509.Certificate, *, where: str) -> None:
    span = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if span < MIN_LEAF_VALIDITY:
        raise _refusal(
            where,
            f"{_name(leaf)}, valid for {span}",
            f"it is valid for at least {MIN_LEAF_VALIDITY.days} day",
            "its renewal is a new file and a pulumi up, and no node can connect once it has ended",
            "have it signed again for a longer time, and correct the file",
        )
    if span > MAX_LEAF_VALIDITY:
        raise _refusal(
            where,
            f"{_name(leaf)}, valid for {span}",
            f"it is valid for at most {MAX_LEAF_VALIDITY.days} days",
            "nothing here revokes a certificate, so a stolen key must expire soon",
            "have it signed again for a shorter time, and correct the file",
        )
    if leaf.not_valid_after_utc > authority.not_valid_after_utc:
        raise _refusal(
            where,
            f"{_name(leaf)}, valid until {leaf.not_valid_after_utc.isoformat()}",
            f"it ends before its root, which ends at {authority.not_valid_after_utc.isoformat()}",
            "a certificate is worthless once the CA that signed it has expired",
            "have it signed again for a shorter time, and correct the file",
        )


def _check_key_kind(leaf: x509.Certificate) -> None:
    key = leaf.public_key()
    good = (
        (isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS)
        or (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"))
        or isinstance(key, ed25519.Ed25519PublicKey)
    )
    if not good:
        raise _refusal(
            "ca.serverCertificate",
            f"{_name(leaf)}, with a key of the kind {type(key).__name__}",
            f"its key is ECDSA on P-256 or P-384, RSA with {MIN_RSA_BITS} bits or more, or Ed25519",
            "Flower 1.41.0 was seen to serve TLS with these (2026-11-24)",
            "make a key of another kind, have it signed, and correct the file",
        )


def _check_names(leaf: x509.Certificate, identities: ServerIdentities) -> None:
    names = _extension(leaf, x509.SubjectAlternativeName)
    dns = () if names is None else tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    addresses = () if names is None else tuple(str(each) for each in names.get_values_for_type(x509.IPAddress))
    missing = [
        *(name for name in identities.dns_names if name not in dns),
        *(address for address in identities.addresses if address not in addresses),
    ]
    if missing:
        raise _refusal(
            "ca.serverCertificate",
            f"{_name(leaf)}, for {', '.join((*dns, *addresses)) or 'no name at all'}",
            f"its subject alternative names hold {', '.join(missing)}, too, word for word",
            "SuperNodes verify the name that they dial, Flower's own children dial loopback, and a wildcard's key "
            "serves other machines as well",
            "have it signed again with these names (superlink.host, superlink.names, superlink.address and loopback), "
            "and correct the file",
        )


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"certificate {certificate.serial_number:x}"


def _refusal(where: str, given: str, rule: str, reason: str, remedy: str) -> RefusalError:
    return RefusalError(
        value=f"{where}: {given}",
        rule=rule,
        reason=reason,
        remedy=f"{remedy} that {where} names {_WHERE}" if remedy.endswith("the file") else f"{remedy} {_WHERE}",
    )
