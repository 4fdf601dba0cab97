"""Settings of a centre's certificates: how long they live, or which ones of an operator's own CA take their place.

It reads files, and judges nothing of what is in them: FederationPKI does. A CA's key has no setting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from components.centre_certificates import RENEW_VALUE, RENEW_VARIABLE
from components.errors import RefusalError
from components.pki_rules import DEFAULT_CA_VALIDITY, DEFAULT_EARLY_RENEWAL, DEFAULT_LEAF_VALIDITY, lifetimes
from infra.cloud_settings import Surroundings
from infra.config_reader import Problems, Section

CERTIFICATE_KEYS = ("certificates", "ca", "serverKey", "bundleKey")
_LIFETIME_KEYS = ("caDays", "serverDays", "renewBeforeDays")
_CA_KEYS = ("certificate", "chain", "serverCertificate", "bundleCertificate")
_MOST_DAYS = 100_000
"""Beyond any certificate's, and short of what a timedelta holds; the bounds that matter are FederationPKI's."""
_SECRET_KEYS = ("serverKey", "bundleKey")


@dataclass(frozen=True, kw_only=True)
class OwnCaSettings:
    """What an operator's own CA signed: texts of files, unchecked."""

    ca_certificate: str
    chain: str
    server_certificate: str
    server_key: str = field(repr=False)
    bundle_certificate: str | None
    bundle_key: str | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CertificateSettings:
    """Lifetimes of our own CA's certificates, or another CA's certificates."""

    ca_validity: timedelta
    server_validity: timedelta
    renew_before: timedelta
    own: OwnCaSettings | None
    """None: the federation has a CA of its own, made by its stack."""
    renews: bool
    """Whether this update may renew certificates that have ended; the environment says so, for this once."""


def read_certificates(
    section: Section, problems: Problems, machine: Surroundings, *, secret_keys: frozenset[str], file: str
) -> CertificateSettings:
    """Read lifetimes and an own CA; `problems` collects what is refused.

    Args:
        section: The stack's own level.
        problems: Collects what is refused.
        machine: For files and environment.
        secret_keys: Keys that the configuration encrypts.
        file: The stack file, for remedies.
    """
    spans = problems.attempt(lambda: section.section("certificates", known=_LIFETIME_KEYS))
    ca = problems.attempt(lambda: section.section("ca", known=_CA_KEYS))
    for key in _SECRET_KEYS:
        problems.attempt(lambda key=key: _refuse_plain(section, key, secret_keys, file))  # type: ignore[misc]
    own = problems.attempt(lambda: _read_own(section, ca, spans, problems, machine), given=(spans, ca))
    ca_days, server_days, renew_days = (
        problems.attempt(
            lambda name=name, default=default: timedelta(
                days=spans.integer(name, default // timedelta(days=1), least=1, most=_MOST_DAYS)
            ),  # type: ignore[misc]
            given=(spans,),
        )
        for name, default in zip(
            _LIFETIME_KEYS, (DEFAULT_CA_VALIDITY, DEFAULT_LEAF_VALIDITY, DEFAULT_EARLY_RENEWAL), strict=True
        )
    )
    problems.attempt(
        lambda: lifetimes(ca_validity=ca_days, leaf_validity=server_days, early_renewal=renew_days),
        given=(ca_days, server_days, renew_days),
    )
    return CertificateSettings(
        ca_validity=ca_days,
        server_validity=server_days,
        renew_before=renew_days,
        own=own,
        renews=machine.environment.get(RENEW_VARIABLE) == RENEW_VALUE,
    )


def _read_own(
    section: Section, ca: Section, spans: Section, problems: Problems, machine: Surroundings
) -> OwnCaSettings | None:
    if not section.has("ca"):
        left = [key for key in _SECRET_KEYS if section.has(key)]
        if left:
            raise section.wrong(
                left[0], "set (not shown)", "set together with ca", reason="only an own CA's certificate has such a key"
            )
        return None
    if any(spans.has(key) for key in _LIFETIME_KEYS):
        raise section.wrong(
            "certificates",
            [key for key in _LIFETIME_KEYS if spans.has(key)],
            "left out where ca is set",
            reason="your own CA decides how long its certificates live",
        )
    return OwnCaSettings(
        ca_certificate=problems.attempt(lambda: _file(ca, "certificate", machine)),
        chain=problems.attempt(lambda: _file(ca, "chain", machine) if ca.has("chain") else ""),
        server_certificate=problems.attempt(lambda: _file(ca, "serverCertificate", machine)),
        server_key=problems.attempt(lambda: section.text("serverKey")),
        bundle_certificate=problems.attempt(
            lambda: _file(ca, "bundleCertificate", machine) if ca.has("bundleCertificate") else None
        ),
        bundle_key=problems.attempt(lambda: section.text("bundleKey") if section.has("bundleKey") else None),
    )


def _file(section: Section, key: str, machine: Surroundings) -> str:
    path: Path = machine.path(section.text(key))
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise section.wrong(
            key, str(path), f"a PEM file that can be read ({type(error).__name__})", reason="the federation presents it"
        ) from error


def _refuse_plain(section: Section, key: str, secret_keys: frozenset[str], file: str) -> None:
    if section.has(key) and key not in secret_keys:
        raise RefusalError(
            value=f"{key}: in plain text (not shown)",
            rule="a private key in the configuration is encrypted",
            reason="stack files are committed",
            remedy=f"make a new key and request, have it signed, and give it by standard input: "
            f"pulumi config set --secret {key} < KEYFILE (the one in {file} is known to whoever has seen the file)",
        )
