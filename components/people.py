"""Who may use the Control API: names, roles and lifetimes of client certificates. Makes no key and signs nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from components.errors import RefusalError

ROLES = ("operator", "researcher", "auditor")
"""What the gateway knows (flower_appliance.roles; tests/unit/test_control_certificates.py compares them)."""
STACK_NAME = "central stack"
"""Common name of the certificate that the stack itself registers nodes with."""

DEFAULT_CLIENT_VALIDITY = timedelta(days=7)
MAX_CLIENT_VALIDITY = timedelta(days=30)
"""Nothing revokes a client certificate, so a stolen one must become worthless by itself."""
STACK_VALIDITY = MAX_CLIENT_VALIDITY
"""Of the stack's own certificate, which never leaves the state: long, so that a stack that is left alone for weeks can
still be refreshed."""

_RESERVED = ("ca", "stack")
"""What `control_certificates` calls its own resources where it puts a person's name."""
_MAX_NAME = 64  # RFC 5280, appendix A.1, ub-common-name
# Separators in the text that the gateway reads names from, and in paths.
_FORBIDDEN = ',+="\\<>;#/'
_HOUR = timedelta(hours=1)
_PLACE = "in people in the central stack's file"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone, or some service, that gets a client certificate."""

    name: str
    """Common name; what the audit calls them."""
    role: str


def check_people(people: Sequence[Person]) -> tuple[Person, ...]:
    """Return the people, in order, if certificates can carry them.

    Raises:
        RefusalError: A name or a role is not allowed, or a name is there twice or taken.
    """
    seen: dict[str, str] = {STACK_NAME: STACK_NAME}
    for person in people:
        name = person.name
        if (
            not 1 <= len(name) <= _MAX_NAME
            or not name.isprintable()
            or name != name.strip()
            or set(name) & set(_FORBIDDEN)
        ):
            raise RefusalError(
                value=f"people.name: {name!r}",
                rule=f"1 to {_MAX_NAME} printable characters without spaces at its ends, and none of {_FORBIDDEN}",
                reason="it is the common name of a certificate, and the gateway reads it from the subject as text",
                remedy=f"spell the name without them {_PLACE}",
            )
        if person.role not in ROLES:
            raise RefusalError(
                value=f"people.role: {person.role!r} of {name}",
                rule=f"one of {', '.join(ROLES)}",
                reason="the gateway knows these roles and refuses every other",
                remedy=f"correct the role of {name} {_PLACE}",
            )
        if name in _RESERVED:
            raise RefusalError(
                value=f"people.name: {name!r}",
                rule=f"none of {', '.join(_RESERVED)}",
                reason="the Control API's own CA and the stack's own certificate have these names in the stack",
                remedy=f"write the person's or the service's full name {_PLACE}",
            )
        alike = unicodedata.normalize("NFKC", name).casefold()
        if alike in seen:
            raise RefusalError(
                value=f"people.name: {name!r}",
                rule=f"each name once; {seen[alike]!r} is there already, whatever its capitals and code points",
                reason="runs belong to names, and the audit tells people apart by nothing else that a reader sees",
                remedy=f"add something that tells the two apart, such as a department, {_PLACE}",
            )
        seen[alike] = name
    return tuple(people)


def client_hours(validity: timedelta) -> tuple[int, int]:
    """Lifetime of a client certificate, and how long before its end the next `pulumi up` replaces it, in hours.

    Raises:
        RefusalError: It is longer than 30 days, or no whole number of hours from 3 on.
    """
    if validity > MAX_CLIENT_VALIDITY:
        raise RefusalError(
            value=f"client validity: {validity}",
            rule=f"at most {MAX_CLIENT_VALIDITY.days} days",
            reason="nothing revokes a client certificate, so a stolen one must expire soon",
            remedy="shorten clientCertificateDays in the central stack's file",
        )
    if validity < 3 * _HOUR or validity % _HOUR:
        raise RefusalError(
            value=f"client validity: {validity}",
            rule="a whole number of hours, at least 3",
            reason="a third of it is left when it is renewed, and the certificate resources count in hours",
            remedy="lengthen clientCertificateDays in the central stack's file",
        )
    hours = validity // _HOUR
    return hours, hours // 3
