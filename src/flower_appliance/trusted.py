"""Keys whose signature an app needs to run on this node. It verifies no app: flower-supernode does.

flower-supernode 1.41.0 takes a file that is empty, or holds an empty mapping, for "run every app", and ends with a
traceback at a key that does not parse; so both are refused before it is started.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key


def parse_trusted(raw: bytes) -> Mapping[str, str]:
    """Keys by name.

    Args:
        raw: a JSON object from names to OpenSSH lines.

    Raises:
        ValueError: it is none, it is empty, or a key is no ed25519 key.
    """
    found = json.loads(raw)
    if not isinstance(found, dict) or not found:
        raise ValueError("not an object with at least one key")
    for name, line in found.items():
        try:
            key = load_ssh_public_key(str(line).encode("ascii"))
        except UnsupportedAlgorithm as error:
            raise ValueError(f"{name}: {error}") from error
        if not name or not isinstance(line, str) or not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{name}: not an ed25519 key")
    return found


def render_trusted(entities: Mapping[str, str]) -> str:
    """The file for `--trusted-entities`: YAML, of which JSON is a part, so that no name needs another escape."""
    return json.dumps(dict(entities), indent=1, sort_keys=True) + "\n"
