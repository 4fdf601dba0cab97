"""tls:index/certRequest:CertRequest: a signing request for names and a key; it grants nothing and contacts nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pulumi_resource_tls import pem
from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.issuing import digest_for
from pulumi_resource_tls.names import NAME_PROPERTIES, alternative_names, distinguished_name
from pulumi_resource_tls.properties import Output, Property, Type, known, text, write_only
from pulumi_resource_tls.resource_kind import Created, ResourceKind
from pulumi_resource_tls.sources import Sources
from pulumi_resource_tls.values import Inputs

PROPERTIES: tuple[Property, ...] = (
    Property(name="privateKeyPem", type=Type.TEXT, required=True, secret=True),
    *write_only("privateKeyPem"),
    *NAME_PROPERTIES,
)

OUTPUTS: tuple[Output, ...] = (
    Output(name="certRequestPem", type=Type.TEXT),
    Output(name="keyAlgorithm", type=Type.TEXT),
)


def name_problems(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    """Problems of subject, dnsNames, ipAddresses and uris, as far as they are known."""
    if known(inputs, "subject"):
        try:
            distinguished_name(inputs)
        except InvalidPropertyError as problem:
            yield problem
    try:
        alternative_names(inputs)
    except InvalidPropertyError as problem:
        yield problem


def _rules(inputs: Inputs) -> Iterator[InvalidPropertyError]:
    yield from name_problems(inputs)
    if known(inputs, "privateKeyPem"):
        try:
            pem.signing_key("privateKeyPem", text(inputs, "privateKeyPem"))
        except InvalidPropertyError as problem:
            yield problem


def _make(inputs: Inputs, _sources: Sources) -> Created:
    key = pem.signing_key("privateKeyPem", text(inputs, "privateKeyPem"))
    subject = distinguished_name(inputs)
    builder = x509.CertificateSigningRequestBuilder(subject)
    if names := alternative_names(inputs):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not list(subject))
    request = builder.sign(key, digest_for(key))
    der = request.public_bytes(Encoding.DER)
    return Created(
        id=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        outputs={"certRequestPem": pem.encode(request), "keyAlgorithm": pem.algorithm_of(key)},
    )


CERT_REQUEST = ResourceKind(
    token="tls:index/certRequest:CertRequest",  # noqa: S106 - a type token, not a password
    properties=PROPERTIES,
    outputs=OUTPUTS,
    rules=_rules,
    make=_make,
)
