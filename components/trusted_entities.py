"""Whose signature an app needs to run on a zone's data: names and ed25519 keys. Signs nothing and verifies nothing.

flower-supernode 1.41.0 takes a mapping from names to keys and verifies every app against it. An empty mapping switches
the verification off there, so none is ever handed on.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from components.errors import RefusalError

VARIABLE = "FL_TRUSTED_ENTITIES"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+=-]{0,127}")
_RESERVED = "valid_license"
"""flwr keeps the mark that an app has been through a hub under this name, among the names of keys."""
_PLACE = "in trustedEntities of the zone's stack file"


@dataclass(frozen=True, kw_only=True)
class TrustedEntity:
    """Somebody whose signature lets an app run."""

    id: str
    """What the hub calls the key (`public_key_id`)."""
    key: str
    """OpenSSH line, `ssh-ed25519 ...`."""


def check_trusted(entities: Sequence[TrustedEntity], *, where: str = "trustedEntities") -> tuple[TrustedEntity, ...]:
    """Return the entities, in order, with their keys without comments.

    Args:
        entities: What the settings list.
        where: Their name, for messages.

    Raises:
        RefusalError: There is none, a name is malformed or there twice, or a key is no ed25519 key.
    """
    if not entities:
        raise RefusalError(
            value=f"{where}: an empty list",
            rule="at least one name and key",
            reason="flower-supernode takes an empty list for none, and would run every app, signed or not",
            remedy=f"list whom you trust, or leave {where} out to run every app that the centre sends",
        )
    found: dict[str, TrustedEntity] = {}
    for entity in entities:
        if _ID.fullmatch(entity.id) is None or entity.id == _RESERVED:
            raise RefusalError(
                value=f"{where}.id: {entity.id!r}",
                rule="1 to 128 letters, digits or ._:@/+=-, beginning with a letter or digit",
                reason="the SuperLink names the keys of an app's signatures so, and the two are compared as they are",
                remedy=f"give the name under which the hub shows this key, {_PLACE}",
            )
        if entity.id in found:
            raise RefusalError(
                value=f"{where}.id: {entity.id!r}",
                rule="each name once",
                reason="one of the two keys would be ignored",
                remedy=f"remove one of them {_PLACE}",
            )
        found[entity.id] = TrustedEntity(id=entity.id, key=_check_key(entity, where))
    return tuple(found.values())


def encode_trusted(entities: Sequence[TrustedEntity]) -> str:
    """The entities as CONTEXT carries them: base64 of a JSON object from names to keys, sorted by name."""
    document = {entity.id: entity.key for entity in entities}
    return base64.b64encode(json.dumps(document, sort_keys=True).encode("ascii")).decode("ascii")


def _check_key(entity: TrustedEntity, where: str) -> str:
    try:
        key = load_ssh_public_key(entity.key.strip().encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise RefusalError(
            value=f"{where}.key of {entity.id}: {entity.key[:48]!r}",
            rule="an OpenSSH line of an ed25519 public key, `ssh-ed25519 AAAA...`",
            reason="flwr signs and verifies apps with such keys only, and its SuperNodes end at any other",
            remedy=f"make one with `ssh-keygen -t ed25519` and give the content of its .pub file {_PLACE}",
        )
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
