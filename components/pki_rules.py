"""What FederationPKI allows: names, lifetimes, fingerprints and expiry. Makes no key, signs nothing, reads no clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from components.authorities import fingerprints_of, load_authorities
from components.contextualization import check_fingerprint
from components.errors import RefusalError

DEFAULT_CA_VALIDITY = timedelta(days=5 * 365)
DEFAULT_LEAF_VALIDITY = timedelta(days=90)
DEFAULT_EARLY_RENEWAL = timedelta(days=30)
MAX_LEAF_VALIDITY = timedelta(days=90)
"""A certificate cannot be revoked here, so a stolen server key must become worthless by itself."""
MAX_CA_VALIDITY = timedelta(days=10 * 365)
"""Above the default's double; whoever needs more should roll the CA over instead."""
EXPIRY_WARNING = timedelta(days=30)
"""How long before the end `expiry_warning` starts to speak."""

# The SuperLink's own executor, and the gateway in front of it, dial it on loopback and verify the name
# (flwr 1.41.0 with Caddy 2.11.7, observed 2026-11-24): without these two the executor dies while /health answers.
LOOPBACK_NAME = "localhost"
LOOPBACK_ADDRESS = "127.0.0.1"

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_MAX_DNS_NAME = 253  # RFC 1035, 2.3.4, without the root's dot
_MAX_ORGANIZATION = 64  # RFC 5280, appendix A.1, ub-organization-name
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class ServerIdentities:
    """What the server's certificate vouches for, in order and without repetition."""

    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    """IPv4 and IPv6, in their canonical text."""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """Lifetimes as the certificate resources take them."""

    ca_hours: int
    ca_early_renewal_hours: int
    """The CA is renewed while its rest still covers a whole leaf, so that no leaf outlives it."""
    leaf_hours: int
    leaf_early_renewal_hours: int


def check_federation(federation: str) -> str:
    """Return the federation's name if certificates can carry it.

    Raises:
        RefusalError: It is empty, longer than 64 characters, or holds characters that do not print.
    """
    if not federation.strip() or len(federation) > _MAX_ORGANIZATION or not federation.isprintable():
        raise RefusalError(
            value=f"federation: {federation!r}",
            rule=f"1 to {_MAX_ORGANIZATION} printable characters",
            reason="it is the organization in the certificates' subjects, which X.509 limits",
            remedy="shorten or correct federation in the central stack's file",
        )
    return federation


def server_identities(names: Sequence[str], addresses: Iterable[str]) -> ServerIdentities:
    """What the server's certificate must vouch for: the given names and addresses, and always loopback.

    Args:
        names: DNS names under which the SuperLink is reached; an IP address among them is moved to the addresses.
        addresses: The SuperLink's own addresses.

    Raises:
        RefusalError: A name is neither a DNS name nor an address, an address is none, or nothing but loopback is left.
    """
    given = [*addresses]
    dns = [_dns_name(name) for name in names if not _is_address(name)]
    listed = [name for name in names if _is_address(name)]
    numbers = [_address(value) for value in (*listed, *given)]
    if not [name for name in dns if name != LOOPBACK_NAME] and not [a for a in numbers if a != LOOPBACK_ADDRESS]:
        raise RefusalError(
            value=f"server_names: {list(names)}, server_addresses: {given}",
            rule="at least one name or address under which zones reach the SuperLink",
            reason="SuperNodes verify the name that they dial, and none of them dials loopback",
            remedy="set superlink.address or superlink.host in the central stack's file",
        )
    return ServerIdentities(
        dns_names=tuple(dict.fromkeys((*dns, LOOPBACK_NAME))),
        addresses=tuple(dict.fromkeys((*numbers, LOOPBACK_ADDRESS))),
    )


def lifetimes(*, ca_validity: timedelta, leaf_validity: timedelta, early_renewal: timedelta) -> Lifetimes:
    """Lifetimes that fit together.

    Args:
        ca_validity: Of the CA's certificate.
        leaf_validity: Of the server's certificate.
        early_renewal: How long before its end the server's certificate is replaced by the next `pulumi up`.

    Raises:
        RefusalError: One is no whole number of hours, the CA lives longer than ten years, the leaf longer than 90 days
            or than its CA, or renewal would be due from the first day.
    """
    ca = _hours("ca_validity", ca_validity)
    leaf = _hours("leaf_validity", leaf_validity)
    early = _hours("early_renewal", early_renewal)
    if leaf_validity > MAX_LEAF_VALIDITY:
        raise RefusalError(
            value=f"leaf_validity: {leaf_validity}",
            rule=f"at most {MAX_LEAF_VALIDITY.days} days",
            reason="nothing here revokes a certificate, so a stolen server key must expire soon",
            remedy="shorten certificates.serverDays (leaf_validity of FederationPKI) in the central stack's file",
        )
    if ca_validity > MAX_CA_VALIDITY:
        raise RefusalError(
            value=f"ca_validity: {ca_validity}",
            rule=f"at most {MAX_CA_VALIDITY.days} days",
            reason="whoever steals the CA's key has the federation until the CA ends",
            remedy="shorten certificates.caDays (ca_validity of FederationPKI) in the central stack's file",
        )
    if leaf_validity >= ca_validity:
        raise RefusalError(
            value=f"leaf_validity: {leaf_validity}",
            rule=f"shorter than ca_validity, which is {ca_validity}",
            reason="a certificate is worthless once the CA that signed it has expired",
            remedy="lengthen certificates.caDays (ca_validity of FederationPKI), or shorten certificates.serverDays, "
            "in the central stack's file",
        )
    if early_renewal >= leaf_validity:
        raise RefusalError(
            value=f"early_renewal: {early_renewal}",
            rule=f"shorter than leaf_validity, which is {leaf_validity}",
            reason="every pulumi up would replace the certificate and restart the SuperLink",
            remedy="shorten certificates.renewBeforeDays (early_renewal of FederationPKI) in the central stack's file; "
            "a third of serverDays is usual",
        )
    return Lifetimes(ca_hours=ca, ca_early_renewal_hours=leaf, leaf_hours=leaf, leaf_early_renewal_hours=early)


def certificate_fingerprint(pem: str) -> str:
    """The sha256 of one certificate's DER, in lower-case hex; of two, while a CA takes over, with a space between.

    Raises:
        RefusalError: The text is not one or two certificates in PEM.
    """
    return fingerprints_of(pem)


def verify_fingerprint(ca_pem: str, fingerprint: str) -> None:
    """Check that CA certificates are those that fingerprints were told for, all of them and no other.

    Args:
        ca_pem: One certificate in PEM, or two while a CA takes over from another.
        fingerprint: sha256 of each DER in hex; colons and capitals, as openssl prints them, do not matter.

    Raises:
        RefusalError: They are not, or one of the two is malformed.
    """
    expected = check_fingerprint(fingerprint, where="ca_fingerprint")
    actual = fingerprints_of(ca_pem)
    if set(actual.split()) != set(expected.split()):
        raise RefusalError(
            value=f"ca_certificate: has the fingerprint {actual}",
            rule=f"it is the CA with the fingerprint {expected}",
            reason="a zone that trusts another CA would send its model updates to whoever holds that CA's key",
            remedy="read ca_certificate and ca_fingerprint from the centre's stack again; if they still differ, "
            "ask the centre's operator by another way before going on",
        )


def expiry_warning(
    certificate_pem: str,
    *,
    what: str,
    now: datetime,
    warn_within: timedelta = EXPIRY_WARNING,
    remedy: str = "Run pulumi up on the central stack and then on every zone's stack before that.",
    ended: str = "let the centre's operator renew it (federation rotate ca --renew; with a CA of their own by its "
    "files), and run pulumi up here with what the centre then says",
) -> str | None:
    """A sentence to show once a certificate nears its end; None before that.

    Args:
        certificate_pem: One certificate in PEM; of two, while a CA takes over from another, the later end counts.
        what: Its name for the message, for example "CA certificate of the federation hospitals".
        now: The current instant, aware.
        warn_within: How long before the end the warning starts.
        remedy: What to do before the end, a sentence.
        ended: What to do after it, for the refusal.

    Raises:
        RefusalError: It has expired, or the text is no certificate.
    """
    end = max(each.not_valid_after_utc for each in load_authorities(certificate_pem, what=what))
    if now >= end:
        raise RefusalError(
            value=f"{what}: expired at {end.isoformat()}",
            rule="a certificate is used before its end only",
            reason="every TLS client refuses it, so no node can connect",
            remedy=ended,
        )
    left = end - now
    if left > warn_within:
        return None
    return f"{what}: expires at {end.isoformat()}, in {left // timedelta(days=1)} days. {remedy}"


def _hours(name: str, span: timedelta) -> int:
    if span < _HOUR or span % _HOUR:
        raise RefusalError(
            value=f"{name}: {span}",
            rule="a whole number of hours, at least one",
            reason="the certificate resources count in hours, and rounding would shift an expiry in silence",
            remedy=f"set {name} of FederationPKI in the central stack to whole hours or days",
        )
    return span // _HOUR


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str) -> str:
    if not _is_address(text):
        raise RefusalError(
            value=f"server_addresses: {text!r}",
            rule="each entry is one IPv4 or IPv6 address",
            reason="TLS clients compare an address bit by bit, never as a name",
            remedy="move host names to server_names (superlink.host in the central stack's file)",
        )
    return str(ip_address(text))


def _dns_name(name: str) -> str:
    labels = name.split(".")
    well_formed = len(name) <= _MAX_DNS_NAME and all(_LABEL.fullmatch(label) for label in labels)
    if not well_formed or labels[-1].isdigit():
        raise RefusalError(
            value=f"server_names: {name!r}",
            rule="an IP address or a DNS name: letters, digits and hyphens between dots, no wildcard, no final dot",
            reason="TLS clients match the name that they dial against exactly these names",
            remedy="correct superlink.host or superlink.names in the central stack's file; "
            "write an international name in its punycode form",
        )
    return name.lower()
