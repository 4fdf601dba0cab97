"""tls:index/selfSignedCert:SelfSignedCert and tls:index/locallySignedCert:LocallySignedCert; revokes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pulumi_resource_tls import pem
from pulumi_resource_tls.cert_request import name_problems
from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.issuing import Blank, Issuer, is_authority, issue, key_id_of
from pulumi_resource_tls.names import NAME_PROPERTIES, alternative_names, copied_names, distinguished_name
from pulumi_resource_tls.properties import (
    Output,
    Property,
    Type,
    flag,
    known,
    text,
    texts,
    whole,
    within,
    write_only,
)
from pulumi_resource_tls.renewal import instant_text
from pulumi_resource_tls.resource_kind import Created, ResourceKind
from pulumi_resource_tls.sources import Sources
from pulumi_resource_tls.usages import check_uses
from pulumi_resource_tls.values import Inputs

# The longest span that the official provider can count: 2**63 nanoseconds, about 292 years.
_HOURS = range(0, 2_562_047 + 1)
_PATH_LENGTHS = range(-1, 255 + 1)

_COMMON: tuple[Property, ...] = (
    Property(name="allowedUses", type=Type.TEXTS, required=True),
    Property(name="validityPeriodHours", type=Type.WHOLE, required=True),
    Property(name="earlyRenewalHours", type=Type.WHOLE, default=0, replaces=False),
    Property(name="isCaCertificate", type=Type.FLAG, default=False),
    Property(name="maxPathLength", type=Type.WHOLE, keeps=True),
    Property(name="setSubjectKeyId", type=Type.FLAG, default=False),
)

SELF_SIGNED_PROPERTIES: tuple[Property, ...] = (
    Property(name="privateKeyPem", type=Type.TEXT, required=True, secret=True),
    *write_only("privateKeyPem"),
    *_COMMON,
    Property(name="setAuthorityKeyId", type=Type.FLAG, default=False),
    *NAME_PROPERTIES,
)

LOCALLY_SIGNED_PROPERTIES: tuple[Property, ...] = (
    Property(name="certRequestPem", type=Type.TEXT, required=True),
    Property(name="caCertPem", type=Type.TEXT, required=True),
    Property(name="caPrivateKeyPem", type=Type.TEXT, required=True, secret=True),
    *write_only("caPrivateKeyPem"),
    *_COMMON,
)

_COMMON_OUTPUTS: tuple[Output, ...] = (
    Output(name="certPem", type=Type.TEXT),
    Output(name="validityStartTime", type=Type.TEXT),
    Output(name="validityEndTime", type=Type.TEXT),
    Output(name="readyForRenewal", type=Type.FLAG),
)


def _common_problems(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    yield from check_uses(texts(inputs, "allowedUses"))
    end = "a certificate ends after it starts, and before the year 10000, where X.509 time stops"
    yield from within(inputs, "validityPeriodHours", _HOURS, reason=end)
    yield from within(inputs, "earlyRenewalHours", _HOURS, reason="renewal after expiry would leave a gap in service")
    yield from within(inputs, "maxPathLength", _PATH_LENGTHS, reason="-1 means no limit, and no chain is that long")


def _key_problems(inputs: Inputs, name: str) -> Iterator[InvalidPropertyError]:
    if known(inputs, name):
        try:
            pem.signing_key(name, text(inputs, name))
        except InvalidPropertyError as problem:
            yield problem


def _self_signed_rules(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    yield from _common_problems(inputs)
    yield from _key_problems(inputs, "privateKeyPem")
    yield from name_problems(inputs)
    subject_settled = "subject" not in inputs or known(inputs, "subject")
    if flag(inputs, "isCaCertificate") and subject_settled and not inputs.get("subject"):
        yield InvalidPropertyError(
            "subject",
            value="empty",
            rule="a certificate authority has a subject",
            reason="RFC 5280, 4.1.2.6: the certificates that it signs name it by its subject",
            remedy="set subject, for example common_name, on this certificate",
        )
    names_itself = flag(inputs, "setAuthorityKeyId") and not flag(inputs, "isCaCertificate")
    if names_itself and not flag(inputs, "setSubjectKeyId"):
        yield InvalidPropertyError(
            "setAuthorityKeyId",
            value="true",
            rule="it needs setSubjectKeyId or isCaCertificate",
            reason="a self-signed certificate's authority key identifier repeats its subject key identifier",
            remedy="set set_subject_key_id on this certificate",
        )


def _request_problems(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    if not known(inputs, "certRequestPem"):
        return
    try:
        request = pem.certificate_request("certRequestPem", text(inputs, "certRequestPem"))
        _certified_key(request)
    except InvalidPropertyError as problem:
        yield problem


def _authority_problems(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    if not known(inputs, "caCertPem"):
        return
    try:
        authority = pem.certificate("caCertPem", text(inputs, "caCertPem"))
    except InvalidPropertyError as problem:
        yield problem
        return
    owner = authority.subject.rfc4514_string() or "an empty subject"
    if not is_authority(authority):
        yield InvalidPropertyError(
            "caCertPem",
            value=f"the certificate of {owner}",
            rule="its basic constraints say CA",
            reason="no client accepts what another certificate signs",
            remedy="pass the certificate of the authority, made with is_ca_certificate=True",
        )
    if not known(inputs, "caPrivateKeyPem"):
        return
    try:
        key = pem.signing_key("caPrivateKeyPem", text(inputs, "caPrivateKeyPem"))
    except InvalidPropertyError:
        return  # reported by _key_problems
    if not pem.same_public_key(key, authority):
        yield InvalidPropertyError(
            "caPrivateKeyPem",
            value=f"a key that does not belong to the certificate of {owner}",
            rule="it is the private key of caCertPem",
            reason="the signature would not verify with the authority's certificate",
            remedy="pass certificate and key of the same authority as ca_cert_pem and ca_private_key_pem",
        )


def _locally_signed_rules(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    yield from _common_problems(inputs)
    yield from _key_problems(inputs, "caPrivateKeyPem")
    yield from _request_problems(inputs)
    yield from _authority_problems(inputs)


def _certified_key(
    request: x509.CertificateSigningRequest,
) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return key
    raise InvalidPropertyError(
        "certRequestPem",
        value=f"a request for a {type(key).__name__}",
        rule="a request for an RSA, ECDSA or Ed25519 key",
        reason="TLS servers take no other",
        remedy="make a new key and request, for example with `openssl req -new -newkey ec`",
    )


def _path_length(inputs: Inputs) -> int | None:
    value = inputs.get("maxPathLength")
    return value if isinstance(value, int) and value >= 0 else None


def _created(issued: x509.Certificate, *, algorithm_name: str, algorithm: str) -> Created:
    return Created(
        id=str(issued.serial_number),
        outputs={
            "certPem": pem.encode(issued),
            "validityStartTime": instant_text(issued.not_valid_before_utc),
            "validityEndTime": instant_text(issued.not_valid_after_utc),
            "readyForRenewal": False,
            algorithm_name: algorithm,
        },
    )


def _make_self_signed(inputs: Inputs, sources: Sources) -> Created:
    key = pem.signing_key("privateKeyPem", text(inputs, "privateKeyPem"))
    subject = distinguished_name(inputs)
    blank = Blank(
        subject=subject,
        public_key=key.public_key(),
        names=alternative_names(inputs),
        uses=texts(inputs, "allowedUses"),
        validity_hours=whole(inputs, "validityPeriodHours"),
        is_ca=flag(inputs, "isCaCertificate"),
        max_path_length=_path_length(inputs),
        subject_key_id=flag(inputs, "setSubjectKeyId"),
    )
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    issuer = Issuer(name=subject, key=key, key_id=own_id if flag(inputs, "setAuthorityKeyId") else None)
    issued = issue(blank, issuer, now=sources.now(), serial_number=sources.serial_number())
    return _created(issued, algorithm_name="keyAlgorithm", algorithm=pem.algorithm_of(key))


def _make_locally_signed(inputs: Inputs, sources: Sources) -> Created:
    request = pem.certificate_request("certRequestPem", text(inputs, "certRequestPem"))
    authority = pem.certificate("caCertPem", text(inputs, "caCertPem"))
    key = pem.signing_key("caPrivateKeyPem", text(inputs, "caPrivateKeyPem"))
    blank = Blank(
        subject=request.subject,
        public_key=_certified_key(request),
        names=copied_names(request),
        uses=texts(inputs, "allowedUses"),
        validity_hours=whole(inputs, "validityPeriodHours"),
        is_ca=flag(inputs, "isCaCertificate"),
        max_path_length=_path_length(inputs),
        subject_key_id=flag(inputs, "setSubjectKeyId"),
    )
    issuer = Issuer(name=authority.subject, key=key, key_id=key_id_of(authority))
    issued = issue(blank, issuer, now=sources.now(), serial_number=sources.serial_number())
    return _created(issued, algorithm_name="caKeyAlgorithm", algorithm=pem.algorithm_of(key))


SELF_SIGNED_CERT = ResourceKind(
    token="tls:index/selfSignedCert:SelfSignedCert",  # noqa: S106 - a type token, not a password
    properties=SELF_SIGNED_PROPERTIES,
    outputs=(*_COMMON_OUTPUTS, Output(name="keyAlgorithm", type=Type.TEXT)),
    rules=_self_signed_rules,
    make=_make_self_signed,
    renews=True,
)

LOCALLY_SIGNED_CERT = ResourceKind(
    token="tls:index/locallySignedCert:LocallySignedCert",  # noqa: S106 - a type token, not a password
    properties=LOCALLY_SIGNED_PROPERTIES,
    outputs=(*_COMMON_OUTPUTS, Output(name="caKeyAlgorithm", type=Type.TEXT)),
    rules=_locally_signed_rules,
    make=_make_locally_signed,
    renews=True,
)
