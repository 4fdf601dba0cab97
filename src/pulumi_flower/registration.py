"""What may be declared of a SuperNodeRegistration, and what a change of it means: pure decisions, no SuperLink.

It refuses a changed name on an unchanged key. Flower cannot rename a registration, and replacing it would unregister
the key, which locks the node out for good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pulumi_flower.errors import InvalidInputError
from pulumi_flower.keys import parse_openssh

RESOURCE_TYPE: Final = "flower:index:SuperNodeRegistration"
INPUTS: Final = ("name", "publicKey")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}/[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Change(Enum):
    """What a difference between the registered and the declared node asks for."""

    NONE = "none"
    REPLACE = "replace"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The inputs of one registration as far as they are known; None stands for a value that is not known yet.

    Attributes:
        name: `<zone>/<vm>`.
        public_key: an OpenSSH public key line.
    """

    name: str | None
    public_key: str | None


def check_name(name: str) -> str:
    """Return the name if it is `<zone>/<vm>`.

    Raises:
        InvalidInputError: it is not.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidInputError(
            property_name="name",
            value=f"name is {name!r}",
            rule=(
                "must be <zone>/<vm>: a zone of at most 31 lower-case letters, digits and hyphens, and a VM name of at "
                "most 63 letters, digits, dots, underscores and hyphens"
            ),
            reason="the centre sees by its name which zone answers for a node",
            remedy="Set `name` to the name in the zone's output nodes, such as 'berlin/supernode-0'",
        )
    return name


def normalise(declared: Declared) -> Declared:
    """The declaration with its key's comment dropped, so that a comment that changes changes nothing.

    Raises:
        InvalidInputError: name or key break their rule.
    """
    return Declared(
        name=None if declared.name is None else check_name(declared.name),
        public_key=None if declared.public_key is None else parse_openssh(declared.public_key).openssh,
    )


def refuse_rename(old: Declared, new: Declared) -> None:
    """Refuse a changed name on an unchanged key. Both declarations are normalised.

    Raises:
        InvalidInputError: the name differs and the key does not.
    """
    known = None not in (old.name, old.public_key, new.name, new.public_key)
    if known and old.public_key == new.public_key and old.name != new.name:
        raise InvalidInputError(
            property_name="name",
            value=f"name changes from {old.name!r} to {new.name!r} while publicKey stays the same",
            rule="must stay as it is for as long as the key does",
            reason="Flower renames no registration, and a key that is unregistered to make way never comes back",
            remedy=f"Set `name` back to {old.name!r}, or give the node a new key and set that one as `publicKey`",
        )


def diff(old: Mapping[str, str | None], new: Mapping[str, str | None]) -> dict[str, Change]:
    """What each input's difference asks for; an unknown new value counts as different.

    A registration is never changed in place. It is replaced by first registering the new key and then unregistering
    the old one: Flower 1.41.0 requires keys to be unique and names not (flwr.server.superlink.linkstate, table node),
    and if the new key is refused, the node that works keeps its registration.
    """
    return {
        name: Change.NONE if new.get(name) is not None and old.get(name) == new.get(name) else Change.REPLACE
        for name in INPUTS
    }
