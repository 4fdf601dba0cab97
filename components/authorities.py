"""One federation CA, or two while one takes over from the other: as a bundle in PEM and as fingerprints in a line.

Pure. It decides which generation of the CA signs and which are trusted at each stage of a rollover; it makes no
certificate, and judges no fingerprint that nobody gave it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from components.errors import RefusalError

MOST = 2
"""More than the old and the new CA is never needed, and each one that is trusted can speak for the SuperLink."""

AUTHORITY_NAME = "Flower federation CA"
"""Common name of the CA that a central stack makes; from the second generation on with its number."""

Stage = Literal["steady", "trust-both", "switch"]
STAGES: tuple[Stage, ...] = get_args(Stage)

_OWN_NAME = re.compile(rf"{AUTHORITY_NAME}( [0-9]+)?")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class CaPlan:
    """Where a federation stands in the life of its CAs, which are numbered from 1."""

    generation: int = 1
    """The CA that signs before a rollover."""
    stage: Stage = "steady"
    """`trust-both`: the next CA exists and everybody learns of it; `switch`: it signs, and both are trusted."""

    @property
    def trusted(self) -> tuple[int, ...]:
        """Generations that everybody trusts."""
        return (self.generation,) if self.stage == "steady" else (self.generation, self.generation + 1)

    @property
    def signer(self) -> int:
        """The generation that signs."""
        return self.generation + 1 if self.stage == "switch" else self.generation

    def next(self) -> CaPlan:
        """The next stage of a rollover; after the last one the next generation is alone."""
        if self.stage == "switch":
            return CaPlan(generation=self.generation + 1)
        return CaPlan(generation=self.generation, stage=STAGES[STAGES.index(self.stage) + 1])


def made_by_stack(ca_pem: str) -> bool:
    """Whether a centre's CA certificates are those that its own stack makes, and not an operator's own.

    It tells a centre that has moved from one to the other; nothing is trusted for it.

    Raises:
        RefusalError: The text is not one or two certificates.
    """
    names = [
        [str(part.value) for part in each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        for each in load_authorities(ca_pem)
    ]
    return all(len(name) == 1 and _OWN_NAME.fullmatch(name[0]) for name in names)


def load_authorities(pem: str, *, what: str = "CA certificate") -> tuple[x509.Certificate, ...]:
    """The certificates of a bundle, different from each other.

    Raises:
        RefusalError: The text is not one or two certificates.
    """
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        found = []
    if not 1 <= len(found) <= MOST or len(set(found)) != len(found):
        raise RefusalError(
            value=f"{what}: {len(pem)} characters with {len(found)} certificates",
            rule=f"one X.509 certificate in PEM, or {MOST} different ones while a CA takes over from another",
            reason="a zone trusts each of them with all that it sends",
            remedy="pass the text between and with BEGIN CERTIFICATE and END CERTIFICATE, once for each CA",
        )
    return tuple(found)


def fingerprints_of(pem: str) -> str:
    """sha256 of each certificate's DER in lower-case hex, in the bundle's order, separated by a space.

    Raises:
        RefusalError: The text is not one or two certificates.
    """
    return " ".join(each.fingerprint(hashes.SHA256()).hex() for each in load_authorities(pem))


def check_fingerprints(text: str, *, where: str) -> str:
    """Return fingerprints in the form that CONTEXT carries: lower-case hex, a space between two.

    Args:
        text: One fingerprint, also in groups as people read it to each other, or two of them; colons and capitals do
            not matter.
        where: Its name, for messages.

    Raises:
        RefusalError: It is neither one sha256 nor two, in hex.
    """
    plain = text.replace(":", "").lower().split()
    digits = "".join(plain)
    words = [digits[at : at + 64] for at in range(0, len(digits), 64)]
    if len(digits) % 64 or not 1 <= len(words) <= MOST or not all(_FINGERPRINT.fullmatch(word) for word in words):
        raise RefusalError(
            value=f"{where}: {text}",
            rule="a CA fingerprint is the sha256 of the certificate's DER: 64 hexadecimal digits, or twice 64 while a "
            "CA takes over from another",
            reason="it is compared digit by digit with the CA that the centre presents",
            remedy="take it from the centre by another way than the CA itself: "
            "openssl x509 -in ca.crt -noout -fingerprint -sha256",
        )
    return " ".join(words)


def covers(pinned: str, presented: str) -> bool:
    """Whether every CA that a centre presents is one that was pinned; both as `check_fingerprints` returns them."""
    return set(presented.split()) <= set(pinned.split())


def check_plan(generation: int, stage: str, *, where: str) -> CaPlan:
    """A plan out of settings.

    Raises:
        RefusalError: There is no such generation or stage.
    """
    found = next((each for each in STAGES if each == stage), None)
    if generation < 1 or found is None:
        raise RefusalError(
            value=f"{where}: generation {generation}, stage {stage!r}",
            rule=f"generation is 1 or more, and stage one of {', '.join(STAGES)}",
            reason="CAs are numbered from 1, and a rollover goes through these stages in this order",
            remedy=f"correct {where} in the central stack's file, or let federation rotate ca write it",
        )
    return CaPlan(generation=generation, stage=found)


def bundle(pems: Sequence[str]) -> str:
    """Certificates in one text."""
    return "".join(f"{pem.strip()}\n" for pem in pems)
