"""Helpers for tests of the tls plugin: fixed sources, keys made once, and calls to the provider in plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.property_value import PropertyValue

from pulumi_resource_tls.provider import TlsProvider
from pulumi_resource_tls.sources import CURVES, KeySpec, SigningKey, Sources
from pulumi_resource_tls.values import Plain, plain_map, wrap

PRIVATE_KEY = "tls:index/privateKey:PrivateKey"
CERT_REQUEST = "tls:index/certRequest:CertRequest"
SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert"
LOCALLY_SIGNED = "tls:index/locallySignedCert:LocallySignedCert"

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, instant: datetime = NOON) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def advance(self, **span: float) -> None:
        self.instant += timedelta(**span)


@cache
def key(name: str) -> SigningKey:
    """A key that is made once per test run: `RSA`, `ED25519`, a curve, or `<curve>-<anything>` for another one."""
    if name == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if name == "ED25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(CURVES[name.split("-", maxsplit=1)[0]])


def cached_key(spec: KeySpec) -> SigningKey:
    return key(spec.ecdsa_curve if spec.algorithm == "ECDSA" else spec.algorithm)


def serial_numbers() -> Iterator[int]:
    return count(1001)


def fixed_sources(clock: Clock | None = None) -> Sources:
    """Sources with a clock of the test's, serial numbers 1001, 1002, ... and keys from `key`."""
    serials = serial_numbers()
    return Sources(now=(clock or Clock()).now, serial_number=lambda: next(serials), generate_key=cached_key)


class Plugin:
    """A provider that takes and gives plain values, as a program and the engine's display see them."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.provider = TlsProvider(fixed_sources(self.clock))

    async def check(self, token: str, inputs: Mapping[str, Plain]) -> engine.CheckResponse:
        return await self.provider.check(engine.CheckRequest(urn(token), {}, wrapped(inputs), b""))

    async def problems(self, token: str, inputs: Mapping[str, Plain]) -> dict[str, str]:
        """The reason per property that `check` refuses."""
        response = await self.check(token, inputs)
        return {failure.property: failure.reason for failure in response.failures or ()}

    async def create(
        self, token: str, inputs: Mapping[str, Plain], *, preview: bool = False
    ) -> tuple[str | None, dict[str, Plain]]:
        response = await self.raw_create(token, inputs, preview=preview)
        return response.resource_id, plain_map(response.properties)

    async def raw_create(
        self, token: str, inputs: Mapping[str, Plain], *, preview: bool = False
    ) -> engine.CreateResponse:
        return await self.provider.create(engine.CreateRequest(urn(token), wrapped(inputs), 0.0, preview))

    async def made(self, token: str, inputs: Mapping[str, Plain]) -> dict[str, Plain]:
        """The outputs of a new resource."""
        _, outputs = await self.create(token, inputs)
        return outputs

    async def diff(self, token: str, state: Mapping[str, Plain], inputs: Mapping[str, Plain]) -> engine.DiffResponse:
        request = engine.DiffRequest(urn(token), "1", wrapped(state), wrapped(inputs), [])
        return await self.provider.diff(request)

    async def update(self, token: str, state: Mapping[str, Plain], inputs: Mapping[str, Plain]) -> dict[str, Plain]:
        request = engine.UpdateRequest(urn(token), "1", wrapped(state), wrapped(inputs), 0.0, [], preview=False)
        return plain_map((await self.provider.update(request)).properties)

    async def read(self, token: str, state: Mapping[str, Plain]) -> dict[str, Plain]:
        request = engine.ReadRequest(urn(token), "1", wrapped(state), {})
        return plain_map((await self.provider.read(request)).properties)


def urn(token: str) -> str:
    return f"urn:pulumi:test::test::{token}::thing"


def wrapped(values: Mapping[str, Plain]) -> dict[str, PropertyValue]:
    return {name: wrap(value) for name, value in values.items()}


async def key_pem(plugin: Plugin, curve: str = "P256") -> str:
    return str((await plugin.made(PRIVATE_KEY, {"algorithm": "ECDSA", "ecdsaCurve": curve}))["privateKeyPem"])


def ca_inputs(pem: str) -> dict[str, Plain]:
    return {
        "privateKeyPem": pem,
        "subject": {"commonName": "Test CA", "organization": "Tests"},
        "isCaCertificate": True,
        "setSubjectKeyId": True,
        "allowedUses": ["cert_signing", "crl_signing"],
        "validityPeriodHours": 1000,
    }


async def authority(plugin: Plugin, curve: str = "P384") -> tuple[str, str]:
    """Key and certificate, in PEM, of a CA; another curve makes another authority of the same name."""
    pem = await key_pem(plugin, curve)
    return pem, str((await plugin.made(SELF_SIGNED, ca_inputs(pem)))["certPem"])


async def leaf_inputs(plugin: Plugin) -> dict[str, Plain]:
    """Complete inputs of a LocallySignedCert for localhost and 127.0.0.1."""
    ca_key, ca_cert = await authority(plugin)
    request = await plugin.made(
        CERT_REQUEST,
        {
            "privateKeyPem": await key_pem(plugin),
            "subject": {"commonName": "server"},
            "dnsNames": ["localhost"],
            "ipAddresses": ["127.0.0.1"],
        },
    )
    return {
        "certRequestPem": request["certRequestPem"],
        "caCertPem": ca_cert,
        "caPrivateKeyPem": ca_key,
        "allowedUses": ["digital_signature", "server_auth"],
        "validityPeriodHours": 100,
        "earlyRenewalHours": 10,
    }


def parsed(outputs: Mapping[str, Plain]) -> x509.Certificate:
    """The certificate among a resource's outputs."""
    return x509.load_pem_x509_certificate(str(outputs["certPem"]).encode())
