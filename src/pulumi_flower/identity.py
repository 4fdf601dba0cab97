"""The certificate and key that a client shows to the gateway of the Control API. It keeps no key on any disk."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pulumi_flower.errors import InvalidInputError

CERTIFICATE_PROPERTY: Final = "clientCertificate"
KEY_PROPERTY: Final = "clientKey"


@dataclass(frozen=True, kw_only=True)
class ClientIdentity:
    """What proves who a client is, and its role.

    Attributes:
        certificate: PEM, issued by the federation CA for one of its roles.
        key: the certificate's private key in PEM, without a password.
    """

    certificate: str
    key: str = field(repr=False)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let connections of this context show the certificate.

        Raises:
            InvalidInputError: the two are no certificate and its key.
        """
        try:
            with _as_file(f"{self.certificate}\n{self.key}\n") as path:
                context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError) as err:
            raise InvalidInputError(
                property_name=KEY_PROPERTY,
                value=f"{CERTIFICATE_PROPERTY} and {KEY_PROPERTY} are texts of {len(self.certificate)} and "
                f"{len(self.key)} characters that are not a certificate and its key",
                rule="must be a certificate in PEM and the private key that belongs to it, without a password",
                reason="the gateway lets nobody reach the Control API who cannot prove a role",
                remedy=f"Take `{CERTIFICATE_PROPERTY}` and `{KEY_PROPERTY}` from one and the same FederationPKI",
            ) from err


def _no_password() -> str:
    # Otherwise OpenSSL asks whoever sits at the terminal.
    raise ValueError("the key has a password")


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path that OpenSSL can read a secret from, once: Python gives it no other way in."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-identity")
        try:
            os.write(descriptor, text.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:  # 0600 from the start
        file.write(text.encode())
        file.flush()
        yield file.name
