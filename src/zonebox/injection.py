"""Where faults meet requests: one middleware for the three servers, which counts every request on the way.

Which fault meets what, faults.py decides.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from zonebox.clock import Clock
from zonebox.errors import Injected
from zonebox.faults import INTERNAL, ONED_CODES, UNAVAILABLE, Effect, Fault, FaultTable
from zonebox.rpc import codec
from zonebox.traffic import Traffic

_log = logging.getLogger("zonebox.faults")
_METHOD: Final = re.compile(rb"<methodName>\s*([\w.]+)\s*</methodName>")
_FIRST_BAD_STATUS: Final = 400
_LAST_HTTP_STATUS: Final = 599
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def middleware(endpoint: str, faults: FaultTable, traffic: Traffic, clock: Clock) -> Middleware:
    """The middleware of a server.

    Args:
        endpoint: oned, oneflow or onegate.
        faults: the zone's faults.
        traffic: counts every request.
        clock: what delays are measured on.
    """

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = await _name(endpoint, request)
        traffic.note(name)
        for fault in faults.take(name):
            _log.info("fault %d (%s) meets %s", fault.id, fault.spec.effect, name)
            match fault.spec.effect:
                case Effect.FAIL:
                    return _failure(endpoint, name, fault)
                case Effect.DROP:
                    return _hang_up(request)
                case Effect.LOSE:
                    await handler(request)
                    return _hang_up(request)
                case _:
                    await fault.wait(clock)
        return await handler(request)

    return gate


async def _name(endpoint: str, request: web.Request) -> str:
    if endpoint != "oned":
        return f"{endpoint} {request.method} {request.path}"
    found = _METHOD.search(await request.read())
    return found.group(1).decode() if found else "unknown"


def _failure(endpoint: str, name: str, fault: Fault) -> web.Response:
    code, text = fault.spec.code, fault.spec.text
    if endpoint == "oned" and (not code or code in ONED_CODES):
        body = codec.failure(name, Injected(text, code or INTERNAL))
        return web.Response(body=body, headers={"Content-Type": codec.CONTENT_TYPE})
    # oned's codes are no statuses of HTTP: 256 would be taken for a success.
    status = code if _FIRST_BAD_STATUS <= code <= _LAST_HTTP_STATUS else UNAVAILABLE
    return web.Response(status=status, text=text)


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection under the answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
