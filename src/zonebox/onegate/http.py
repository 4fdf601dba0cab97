"""OneGate's HTTP interface: decode, call, encode. It owns no behaviour."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from zonebox.oneflow.lifecycle import Lifecycle
from zonebox.oneflow.service import FlowSettings
from zonebox.oneflow.zone import FlowZone
from zonebox.onegate import views
from zonebox.onegate.errors import Broken, Forbidden, GateError, Misdirected, Missing, NotTrusted
from zonebox.onegate.gate import Gate
from zonebox.ports import Body

_LOG = logging.getLogger(__name__)
CONTENT_TYPE: Final = "application/json;charset=utf-8"
"""Of every answer, plain text too (recorded)."""

_STATUS: Final = {NotTrusted: 401, Forbidden: 403, Misdirected: 400, Missing: 404, Broken: 500}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(zone: FlowZone, settings: FlowSettings | None = None) -> web.Application:
    """The OneGate server of a zone.

    Args:
        zone: the zone's ports.
        settings: OneFlow's, for scaling.
    """
    routes = _Routes(Gate(zone, Lifecycle(zone, settings)))
    app = web.Application(middlewares=[_refusals])
    app.add_routes(
        [
            web.get("/", routes.index),
            web.get("/vm", routes.show_self),
            web.put("/vm", routes.update_self),
            web.get("/service", routes.service),
            web.put("/service/role/{role}", routes.scale),
            web.get(r"/vms/{id:\d+}", routes.show_sibling),
            web.put(r"/vms/{id:\d+}", routes.update_sibling),
            web.post(r"/vms/{id:\d+}/action", routes.act),
            web.get("/vrouter", routes.no_router),
            web.get(r"/vnet/{id:\d+}", routes.no_network),
            web.route("*", "/{rest:.*}", routes.unknown),
        ]
    )
    return app


def _reply(status: int, content: Body | str = "") -> web.Response:
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    response = web.Response(status=status, body=text.encode())
    response.headers["Content-Type"] = CONTENT_TYPE
    return response


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except GateError as error:
        _LOG.info("%s %s refused: %s", request.method, request.path, error)
        return _reply(_STATUS[type(error)], str(error))
    except UnicodeDecodeError:
        return _reply(500, str(Broken()))
    except web.HTTPException:
        raise
    except Exception:
        _LOG.exception("%s %s failed", request.method, request.path)
        return _reply(500, str(Broken()))


class _Routes:
    """The routes, in OneGate's order of checks: who calls, then what."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def _caller(self, request: web.Request) -> Body:
        return self.gate.authenticate(
            request.headers.get("X-ONEGATE-TOKEN"), request.headers.get("X-ONEGATE-VMID") or request.query.get("id")
        )

    def _sibling(self, request: web.Request) -> Body:
        return self.gate.sibling(self._caller(request), int(request.match_info["id"]))

    async def index(self, request: web.Request) -> web.Response:
        self._caller(request)
        base = f"{request.scheme}://{request.host}"
        return _reply(200, {"vm_info": f"{base}/vm", "service_info": f"{base}/service"})

    async def show_self(self, request: web.Request) -> web.Response:
        return _reply(200, views.vm_view(self._caller(request)))

    async def show_sibling(self, request: web.Request) -> web.Response:
        return _reply(200, views.vm_view(self._sibling(request)))

    async def update_self(self, request: web.Request) -> web.Response:
        return await self._update(request, self._caller(request))

    async def update_sibling(self, request: web.Request) -> web.Response:
        return await self._update(request, self._sibling(request))

    async def _update(self, request: web.Request, vm: Body) -> web.Response:
        kind = request.query.get("type", "1")
        text = request.query.get("data")
        if text is None:
            text = await request.text()
        self.gate.write(vm, text, int(kind) if kind.isdecimal() else 0)
        return _reply(200)

    async def service(self, request: web.Request) -> web.Response:
        # Any value of `extended`, "false" too, asks for the whole (OneGate 7.0.1).
        return _reply(200, self.gate.service(self._caller(request), extended="extended" in request.query))

    async def scale(self, request: web.Request) -> web.Response:
        vm = self._caller(request)
        body = _object(await request.text())
        self.gate.scale(vm, request.match_info["role"], body.get("cardinality"))
        return _reply(200)

    async def act(self, request: web.Request) -> web.Response:
        vm = self._sibling(request)
        action = _object(await request.text()).get("action")
        if not isinstance(action, dict):
            raise Misdirected("Error parsing JSON: Wrong resource type")
        self.gate.act(vm, action)
        return _reply(204)

    async def no_router(self, request: web.Request) -> web.Response:
        self._caller(request)
        raise Misdirected("Empty or invalid VROUTER_ID")

    async def no_network(self, request: web.Request) -> web.Response:
        self._caller(request)
        raise Misdirected("Virtual networks information can only be retrieved from Virtual Routers.")

    async def unknown(self, request: web.Request) -> web.Response:
        raise Misdirected("OneGate server doesn't support this feature")


def _object(text: str) -> dict[str, Any]:
    """The JSON object in a request.

    Raises:
        Broken: it is none.
    """
    try:
        body = json.loads(text)
    except ValueError:
        raise Broken from None
    if not isinstance(body, dict):
        raise Broken
    return body
