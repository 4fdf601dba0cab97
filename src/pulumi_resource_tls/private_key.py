"""tls:index/privateKey:PrivateKey: makes a key and writes it in every form of the SDK; never reads one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.properties import Output, Property, Type, known, text, whole, with_defaults
from pulumi_resource_tls.resource_kind import Created, ResourceKind
from pulumi_resource_tls.sources import CURVES, KeySpec, SigningKey, Sources
from pulumi_resource_tls.values import Inputs, Plain

ALGORITHMS = ("RSA", "ECDSA", "ED25519")
# cryptography 50 makes no smaller RSA key; OpenSSL 3 refuses to use larger moduli (OPENSSL_RSA_MAX_MODULUS_BITS).
RSA_BITS = range(1024, 16384 + 1)

PROPERTIES: tuple[Property, ...] = (
    Property(name="algorithm", type=Type.TEXT, required=True),
    Property(name="ecdsaCurve", type=Type.TEXT, default="P224"),
    Property(name="rsaBits", type=Type.WHOLE, default=2048),
)

OUTPUTS: tuple[Output, ...] = (
    Output(name="privateKeyPem", type=Type.TEXT, secret=True),
    Output(name="privateKeyOpenssh", type=Type.TEXT, secret=True),
    Output(name="privateKeyPemPkcs8", type=Type.TEXT, secret=True),
    Output(name="publicKeyPem", type=Type.TEXT),
    Output(name="publicKeyOpenssh", type=Type.TEXT),
    Output(name="publicKeyFingerprintMd5", type=Type.TEXT),
    Output(name="publicKeyFingerprintSha256", type=Type.TEXT),
)


def encode(key: SigningKey) -> dict[str, Plain]:
    """A key in all forms.

    The OpenSSH forms of a P-224 key are empty: OpenSSH has no name for that curve.
    """
    traditional = (
        PrivateFormat.PKCS8 if isinstance(key, ed25519.Ed25519PrivateKey) else PrivateFormat.TraditionalOpenSSL
    )
    public = key.public_key()
    return {
        "privateKeyPem": _private(key, traditional),
        "privateKeyPemPkcs8": _private(key, PrivateFormat.PKCS8),
        "privateKeyOpenssh": _private(key, PrivateFormat.OpenSSH) if _has_openssh_form(key) else "",
        "publicKeyPem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        **_openssh_public(key),
    }


def identifier(key: SigningKey) -> str:
    """The resource id: SHA-1 of the public key's DER, in hexadecimal, as in the official provider."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def _private(key: SigningKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _has_openssh_form(key: SigningKey) -> bool:
    return not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1))


def _openssh_public(key: SigningKey) -> dict[str, Plain]:
    if not _has_openssh_form(key):
        return {"publicKeyOpenssh": "", "publicKeyFingerprintMd5": "", "publicKeyFingerprintSha256": ""}
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        "publicKeyOpenssh": f"{line}\n",
        "publicKeyFingerprintMd5": ":".join(md5[at : at + 2] for at in range(0, len(md5), 2)),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }


def _rules(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    if known(inputs, "algorithm") and text(inputs, "algorithm") not in ALGORITHMS:
        yield InvalidPropertyError(
            "algorithm",
            value=repr(text(inputs, "algorithm")),
            rule=f"one of {', '.join(ALGORITHMS)}",
            reason="no other kind of key is made",
            remedy="correct algorithm on this key; names are in capitals",
        )
    if known(inputs, "ecdsaCurve") and text(inputs, "ecdsaCurve") not in CURVES:
        yield InvalidPropertyError(
            "ecdsaCurve",
            value=repr(text(inputs, "ecdsaCurve")),
            rule=f"one of {', '.join(CURVES)}",
            reason="no other curve is made",
            remedy="correct ecdsa_curve on this key",
        )
    if known(inputs, "rsaBits") and whole(inputs, "rsaBits") not in RSA_BITS:
        yield InvalidPropertyError(
            "rsaBits",
            value=str(whole(inputs, "rsaBits")),
            rule=f"{RSA_BITS.start} to {RSA_BITS.stop - 1}",
            reason="smaller keys can be factored, larger ones are refused by OpenSSL",
            remedy="set rsa_bits to 2048, 3072 or 4096 on this key",
        )


def _make(inputs: Inputs, sources: Sources) -> Created:
    filled = with_defaults(PROPERTIES, inputs)
    key = sources.generate_key(
        KeySpec(
            algorithm=text(filled, "algorithm"),
            rsa_bits=whole(filled, "rsaBits"),
            ecdsa_curve=text(filled, "ecdsaCurve"),
        )
    )
    return Created(id=identifier(key), outputs=encode(key))


PRIVATE_KEY = ResourceKind(
    token="tls:index/privateKey:PrivateKey",  # noqa: S106 - a type token, not a password
    properties=PROPERTIES,
    outputs=OUTPUTS,
    rules=_rules,
    make=_make,
)
