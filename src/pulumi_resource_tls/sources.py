"""Where time and randomness come from: a provider is given one `Sources`; nothing else here looks at a clock.

`system_sources()` is what the plugin runs with. Tests pass fixed times, serial numbers and keys.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

SigningKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

# RFC 5280, 4.1.2.2: positive and at most 20 octets. The official provider draws 128 bits too (read 2026-11-24).
SERIAL_NUMBER_BITS = 128


@dataclass(frozen=True, kw_only=True)
class KeySpec:
    """Which key to make."""

    algorithm: str
    """RSA, ECDSA or ED25519."""
    rsa_bits: int
    """Modulus size; used for RSA only."""
    ecdsa_curve: str
    """P224, P256, P384 or P521; used for ECDSA only."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Clock and randomness."""

    now: Callable[[], datetime]
    """The current instant, aware, UTC."""
    serial_number: Callable[[], int]
    """A fresh positive certificate serial number."""
    generate_key: Callable[[KeySpec], SigningKey]
    """A fresh private key."""


CURVES: dict[str, ec.EllipticCurve] = {
    "P224": ec.SECP224R1(),
    "P256": ec.SECP256R1(),
    "P384": ec.SECP384R1(),
    "P521": ec.SECP521R1(),
}


def generate_key(spec: KeySpec) -> SigningKey:
    """Make a key with the operating system's randomness."""
    if spec.algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=spec.rsa_bits)
    if spec.algorithm == "ECDSA":
        return ec.generate_private_key(CURVES[spec.ecdsa_curve])
    return ed25519.Ed25519PrivateKey.generate()


def system_sources() -> Sources:
    """The machine's clock and randomness."""
    return Sources(
        now=lambda: datetime.now(UTC),
        serial_number=lambda: secrets.randbits(SERIAL_NUMBER_BITS) or 1,
        generate_key=generate_key,
    )
