"""The HTTP servers of a zone on one address: oned's XML-RPC beside OneFlow's and OneGate's applications.

It decodes, calls, encodes; it decides nothing.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence

from aiohttp import web

from zonebox.errors import ConfigError, OneError, Refused
from zonebox.model.zone_model import Model
from zonebox.rpc import codec
from zonebox.rpc.registry import Registry

_log = logging.getLogger("zonebox.server")
_MAX_REQUEST_BYTES = 16 * 1024 * 1024


def create_oned_app(model: Model, registry: Registry) -> web.Application:
    """oned's application: POST /RPC2."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(body=reply(model, registry, body), headers={"Content-Type": codec.CONTENT_TYPE})

    app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    app.router.add_post("/RPC2", answer)
    return app


def reply(model: Model, registry: Registry, body: bytes) -> bytes:
    """The reply to one XML-RPC request; a defect of zonebox becomes an internal error, never a dropped connection."""
    method = "unknown"
    try:
        method, params = codec.decode(body)
        return codec.success(registry.call(model, method, params))
    except OneError as error:
        return codec.failure(method, error)
    except Exception:
        _log.exception("%s failed", method)
        return codec.failure(method, Refused("Internal error of zonebox; its log has the traceback."))


class Server:
    """Applications on ports of one address.

    Args:
        address: IPv4 address.
        context: TLS, or None for plain HTTP.
    """

    def __init__(self, address: str, context: ssl.SSLContext | None) -> None:
        self._address = address
        self._context = context
        self._runners: list[web.AppRunner] = []

    async def serve(self, apps: Sequence[tuple[int, web.Application]]) -> None:
        """Listen. Raises ConfigError where a port is taken; nothing listens then."""
        for port, app in apps:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            self._runners.append(runner)
            try:
                await web.TCPSite(runner, self._address, port, ssl_context=self._context).start()
            except OSError as error:
                await self.stop()
                raise ConfigError(
                    f"{self._address}:{port}",
                    "the zone's address and ports must be free on this machine",
                    f"listening failed: {error.strerror or error}",
                    "Stop what listens there (`zonebox down --state FOLDER`), or choose another --address.",
                ) from error

    async def stop(self) -> None:
        """Listen no longer."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
