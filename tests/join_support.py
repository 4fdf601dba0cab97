"""A centre's CA with what it signs, real join bundles and answers, for tests of joining and of an own CA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components import join_bundle, zone_answer
from components.join_bundle import SIGNER_NAME, JoinFacts
from components.roster import make_node
from tests.components_support import node_key

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CODE_SIGNING = (ExtendedKeyUsageOID.CODE_SIGNING,)
NAMES = ("superlink.example", "localhost")
ADDRESSES = ("127.10.1.10", "127.0.0.1")


@cache
def ec_key(number: int) -> ec.EllipticCurvePrivateKey:
    """A key; the same for the same number."""
    return ec.derive_private_key(number + 4242, ec.SECP384R1())


def pem(certificate: x509.Certificate) -> str:
    """A certificate's text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key's text."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key_usage(*bits: str) -> x509.KeyUsage:
    """A key usage with these bits."""
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in bits for name in names})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a certificate should be; the defaults are a good server's."""

    name: str = "Flower SuperLink"
    key: Any = field(default_factory=lambda: ec_key(2))
    ca: bool = False
    path_length: int | None = None
    begin: datetime = NOW - timedelta(days=1)
    end: datetime = NOW + timedelta(days=80)
    usage: x509.KeyUsage | None = field(default_factory=lambda: key_usage("digital_signature"))
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    names: Sequence[str] = ()
    addresses: Sequence[str] = ()
    hash: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    without: Sequence[type[x509.ExtensionType]] = ()
    """Identifiers of keys that are left out."""


def issue(wish: Wish, *, issuer: str, issuer_key: CertificateIssuerPrivateKeyTypes) -> x509.Certificate:
    """A certificate as wished."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(wish.name))
        .issuer_name(common_name(issuer))
        .public_key(wish.key.public_key())
        .serial_number(7)
        .not_valid_before(wish.begin)
        .not_valid_after(wish.end)
        .add_extension(x509.BasicConstraints(ca=wish.ca, path_length=wish.path_length), critical=True)
    )
    identifiers = (
        x509.SubjectKeyIdentifier.from_public_key(wish.key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),  # type: ignore[arg-type]
    )
    for identifier in identifiers:
        if type(identifier) not in wish.without:
            builder = builder.add_extension(identifier, critical=False)
    if wish.usage is not None:
        builder = builder.add_extension(wish.usage, critical=True)
    if wish.purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(wish.purposes)), critical=False)
    general = [x509.DNSName(name) for name in wish.names]
    general += [x509.IPAddress(ip_address(address)) for address in wish.addresses]
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return builder.sign(issuer_key, wish.hash)


def common_name(name: str) -> x509.Name:
    """A subject of one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def root(number: int = 1, **wish: Any) -> x509.Certificate:
    """A self-signed CA; the same for the same number and wishes, though ECDSA never signs twice alike."""
    return _root(number, tuple(sorted(wish.items())))


@cache
def _root(number: int, wishes: tuple[tuple[str, Any], ...]) -> x509.Certificate:
    usage = key_usage("key_cert_sign", "crl_sign")
    life = {"begin": NOW - timedelta(days=10), "end": NOW + timedelta(days=1000)}
    wished = {"name": "root", "key": ec_key(number), "ca": True, "usage": usage, "purposes": (), **life, **dict(wishes)}
    return issue(Wish(**wished), issuer=wished["name"], issuer_key=ec_key(number))


def signer(number: int = 1, **wish: Any) -> x509.Certificate:
    """A certificate for join bundles, by the root of that number; its key is number 3."""
    wished = {"name": SIGNER_NAME, "key": ec_key(3), "purposes": (ExtendedKeyUsageOID.CODE_SIGNING,), **wish}
    return issue(Wish(**wished), issuer="root", issuer_key=ec_key(number))


def server(number: int = 1, *, issuer: str = "root", **wish: Any) -> x509.Certificate:
    """A server's certificate, by the key of that number; its key is number 2."""
    return issue(Wish(**{"names": NAMES, "addresses": ADDRESSES, **wish}), issuer=issuer, issuer_key=ec_key(number))


def facts(number: int = 1, **changes: str) -> JoinFacts:
    """Facts of a bundle for berlin by the centre with the root of that number."""
    authority = root(number)
    outputs = {
        "federation": "demo",
        "superlink_fleet_endpoint": "127.10.1.10:9092",
        "ca_certificate": pem(authority),
        "ca_fingerprint": authority.fingerprint(hashes.SHA256()).hex(),
        "flower_version": "1.41.0",
        **{name: text for name, text in changes.items() if name != "zone"},
    }
    return join_bundle.make_facts(
        outputs=outputs,
        zone=changes.get("zone", "berlin"),
        now=NOW,
        validity=timedelta(days=14),
        signer_pem=pem(signer(number)),
    )


def bundle_text(number: int = 1, **changes: str) -> str:
    """A signed bundle for berlin."""
    return join_bundle.sign(facts(number, **changes), signer_pem=pem(signer(number)), key_pem=key_pem(ec_key(3)))


def node(zone: str, number: int, *, key: int | None = None, partition: int | None = None) -> dict[str, Any]:
    """A node as a stack exports it."""
    made = make_node(
        name=f"{zone}/supernode-{number}",
        public_key=node_key(number if key is None else key),
        partition_id=number if partition is None else partition,
    )
    return made.exported()


def answer_text(zone: str = "berlin", nodes: Sequence[dict[str, Any]] | None = None, **changes: str) -> str:
    """The answer of a zone with two nodes."""
    given = {
        "federation": "demo",
        "flower_version": "1.41.0",
        "ca_fingerprint": root().fingerprint(hashes.SHA256()).hex(),
        **changes,
    }
    return zone_answer.write(
        zone=zone, nodes=[node(zone, 0), node(zone, 1)] if nodes is None else nodes, now=NOW, **given
    )
