"""A hub of signed apps on loopback, as far as flwr 1.41.0 asks one: where an app is, and who has signed it.

`POST /v1/hub/fetch-fab` with `app_id` and `app_version` answers `fab_url` and `verifications`; the rest is a download.
"""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


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
class Hub:
    """Apps by id and version, each with what vouches for it."""

    apps: dict[tuple[str, str], tuple[bytes, list[dict[str, Any]]]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Hub:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                hub.asked.append(body)
                found = hub.apps.get((body.get("app_id"), body.get("app_version")))
                if self.path != "/v1/hub/fetch-fab" or found is None:
                    self._answer(404, json.dumps({"detail": "no such app"}).encode())
                    return
                where = f"http://127.0.0.1:{hub._server.server_port}/{body['app_id']}/{body['app_version']}"
                self._answer(200, json.dumps({"fab_url": where, "verifications": found[1]}).encode())

            def do_GET(self) -> None:
                app_id, _, version = self.path.removeprefix("/").rpartition("/")
                self._answer(200, hub.apps[app_id, version][0])

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What a SuperLink is told."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"
