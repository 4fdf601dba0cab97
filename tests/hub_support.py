"""A hub of signed apps on loopback, as far as flwr 1.41.0 asks one: where an app is, and who has signed it.

`POST /v1/hub/fetch-fab` with `app_id` and `app_version` answers `fab_url` and `verifications`; the rest is a download.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.small_server import SmallServer


@dataclass(frozen=True)
class Reviewer:
    """Somebody who signs apps."""

    id: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)

    @property
    def line(self) -> str:
        """The public key, OpenSSH."""
        return self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def verification(self, fab: bytes, *, signed_at: int = 1_790_000_000) -> dict[str, Any]:
        """A signature of an app as a hub hands it out.

        Args:
            fab: the app.
            signed_at: Unix seconds; part of what is signed, eight bytes before the digest.
        """
        signature = self.key.sign(signed_at.to_bytes(8, "big") + sha256(fab).digest())
        encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        return {"public_key_id": self.id, "signature": encoded, "signed_at": signed_at}


@dataclass
class Hub(SmallServer):
    """Apps by id and version, each with what vouches for it."""

    apps: dict[tuple[str, str], tuple[bytes, list[dict[str, Any]]]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The answer of the hub itself, or a download."""
        if method == "GET":
            app_id, _, version = path.removeprefix("/").rpartition("/")
            return 200, self.apps[app_id, version][0]
        asked = json.loads(body)
        self.asked.append(asked)
        found = self.apps.get((asked.get("app_id"), asked.get("app_version")))
        if path != "/v1/hub/fetch-fab" or found is None:
            return 404, json.dumps({"detail": "no such app"}).encode()
        where = f"{self.address}/{asked['app_id']}/{asked['app_version']}"
        return 200, json.dumps({"fab_url": where, "verifications": found[1]}).encode()

    @property
    def url(self) -> str:
        """What a SuperLink is told."""
        return f"{self.address}/v1"
