"""A person's way to the Control API as a folder: certificate, key, the federation's CA, and where the gateway listens.

`federation certificate export` writes it and `federation connect` reads it. It issues nothing: FederationPKI does. A
key that others can read is refused, as ssh does.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from flower_appliance.roles import Role
from flower_federation.errors import InputError
from pulumi_flower.identity import ClientIdentity

CERTIFICATE, KEY, CA, CONNECTION = "certificate.pem", "key.pem", "ca.crt", "connection.json"
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


@dataclass(frozen=True, kw_only=True)
class ControlCertificate:
    """A client certificate with its key, and the gateway that it is for."""

    certificate: str
    """PEM."""
    key: str = field(repr=False)
    ca_certificate: str
    """PEM of the federation CA, which vouches for the gateway."""
    endpoint: str
    """`host:port` of the Control API."""

    @property
    def identity(self) -> ClientIdentity:
        """Certificate and key, to show to the gateway."""
        return ClientIdentity(certificate=self.certificate, key=self.key)

    @property
    def facts(self) -> CertificateFacts:
        """What the certificate says."""
        return certificate_facts(self.certificate)


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """What a client certificate says of its holder."""

    name: str
    role: str
    federation: str
    not_after: datetime
    serial: str
    """Upper-case hex."""
    fingerprint: str
    """sha256 of the DER, hex."""


def certificate_facts(pem: str) -> CertificateFacts:
    """Read a client certificate.

    Raises:
        InputError: it is none of this project's.
    """
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise _unusable(f"{len(pem)} characters that are no certificate in PEM") from None

    def one(oid: x509.ObjectIdentifier) -> str:
        values = found.subject.get_attributes_for_oid(oid)
        return str(values[0].value) if len(values) == 1 else ""

    role = one(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if role not in tuple(Role):
        raise _unusable(f"a certificate for {found.subject.rfc4514_string()}")
    return CertificateFacts(
        name=one(NameOID.COMMON_NAME),
        role=role,
        federation=one(NameOID.ORGANIZATION_NAME),
        not_after=found.not_valid_after_utc,
        serial=f"{found.serial_number:X}",
        fingerprint=found.fingerprint(hashes.SHA256()).hex(),
    )


def check_lifetime(facts: CertificateFacts, *, now: datetime) -> None:
    """See that a certificate has not expired.

    Raises:
        InputError: it has.
    """
    if now >= facts.not_after:
        raise InputError(
            given=f"the certificate of {facts.name} ({facts.role}): expired at {facts.not_after.isoformat()}",
            rule="a certificate is used before its end only",
            reason="certificates for the Control API are short-lived, because nothing revokes them",
            remedy="ask the centre's operator for a new one: pulumi up, then federation certificate export",
        )


def write_folder(folder: Path, certificate: ControlCertificate) -> tuple[Path, ...]:
    """Write everything, each file readable by its owner only from its first byte; the files written.

    Raises:
        InputError: the folder cannot be made, or is there and open to others.
    """
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            given=f"{folder}: {error.strerror or error}",
            rule="it is a folder that can be made",
            reason="certificate and key are written there",
            remedy="name a folder that is not there yet, where you may write",
        ) from error
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        raise InputError(
            given=f"{folder} has mode {stat.S_IMODE(folder.stat().st_mode):04o}",
            rule="its owner alone may enter it",
            reason="a private key is written there",
            remedy=f"name a folder that is not there yet, or run chmod 700 {folder}",
        )
    contents: Mapping[str, str] = {
        CERTIFICATE: certificate.certificate,
        KEY: certificate.key,
        CA: certificate.ca_certificate,
        CONNECTION: json.dumps({"endpoint": certificate.endpoint}) + "\n",
    }
    for name, text in contents.items():
        write_private(folder / name, text)
    return tuple(folder / name for name in contents)


def read_folder(folder: Path) -> ControlCertificate:
    """What `write_folder` wrote.

    Raises:
        InputError: something is missing, or the key is open to others.
    """
    try:
        mode = stat.S_IMODE((folder / KEY).stat().st_mode)
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in (CERTIFICATE, KEY, CA, CONNECTION)}
        endpoint = str(json.loads(texts[CONNECTION])["endpoint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            given=f"certificate folder {folder}: {type(error).__name__}: {error}",
            rule=f"it holds {CERTIFICATE}, {KEY}, {CA} and {CONNECTION}",
            reason="all four are needed to reach the Control API",
            remedy="have it written again: federation certificate export NAME --output DIRECTORY",
        ) from error
    if mode & 0o077:
        raise InputError(
            given=f"{folder / KEY} has mode {mode:04o}",
            rule="it is 0600",
            reason="who can read the key is, for the SuperLink, its owner",
            remedy=f"run chmod 600 {folder / KEY}, and ask for a new certificate if others could read it",
        )
    return ControlCertificate(
        certificate=texts[CERTIFICATE], key=texts[KEY], ca_certificate=texts[CA], endpoint=endpoint
    )


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, in place of what was there."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "w", encoding="utf-8") as opened:
        opened.write(text)


def _unusable(given: str) -> InputError:
    return InputError(
        given=given,
        rule=f"must be a client certificate of this federation, with a role: {', '.join(Role)}",
        reason="the gateway of the Control API lets in nobody else",
        remedy="ask the centre's operator: federation certificate export NAME --output DIRECTORY",
    )
