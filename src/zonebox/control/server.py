"""The control API's server: decode, call, encode, on a unix socket in the zone's folder. It owns no behaviour."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from aiohttp import web

from zonebox import sockets
from zonebox.clock import Clock
from zonebox.control import operations
from zonebox.control.client import SOCKET_NAME
from zonebox.drivers.base import Driver
from zonebox.errors import BadFault, ControlError
from zonebox.faults import Effect, Fault, FaultTable, Spec
from zonebox.model.zone_model import Model
from zonebox.traffic import Traffic

_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "pattern": (str,),
    "count": (int,),
    "skip": (int,),
    "text": (str,),
    "code": (int,),
    "delay_s": (int, float),
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Controlled(Protocol):
    """What the control API needs of a zone."""

    model: Model
    driver: Driver
    clock: Clock
    faults: FaultTable
    traffic: Traffic


class ControlServer:
    """Serves the control API of a zone.

    Args:
        zone: the zone.
        state: its folder, which gets the socket (mode 0600: whoever may use it, may break the zone).
    """

    def __init__(self, zone: Controlled, state: Path) -> None:
        self._zone = zone
        self._path = state / SOCKET_NAME
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError where the socket cannot be made; nothing is left to stop then."""
        listening = sockets.listening(self._path)
        self._runner = web.AppRunner(create_app(self._zone), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Listen no longer."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._path.unlink(missing_ok=True)


def create_app(zone: Controlled) -> web.Application:
    """The control API's application."""
    routes = _Routes(zone)
    app = web.Application(middlewares=[_refusals])
    app.add_routes(
        [
            web.get("/faults", routes.faults),
            web.post("/faults", routes.add),
            web.delete("/faults", routes.clear),
            web.delete(r"/faults/{id:\d+}", routes.clear),
            web.post(r"/vms/{id:\d+}/{action:kill|freeze|thaw}", routes.act_on_guest),
            web.post(r"/datastores/{id:\d+}/fill", routes.fill),
            web.post(r"/datastores/{id:\d+}/empty", routes.empty),
            web.get("/clock", routes.clock),
            web.post("/clock/advance", routes.advance),
            web.get("/traffic", routes.traffic),
            web.delete("/traffic", routes.reset),
        ]
    )
    return app


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ControlError as error:
        return web.json_response({"error": [error.value, error.rule, error.reason, error.remedy]}, status=400)
    except web.HTTPNotFound:
        words = (f"{request.method} {request.path}", "it must be a route of the control API", "there is no such route")
        return web.json_response({"error": [*words, "See docs/reference/zonebox.md."]}, status=404)


class _Routes:
    def __init__(self, zone: Controlled) -> None:
        self.zone = zone

    async def faults(self, request: web.Request) -> web.Response:
        return web.json_response({"faults": [_shown(fault) for fault in self.zone.faults.all()]})

    async def add(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self.zone.faults.add(_spec(await _object(request)))), status=201)

    async def clear(self, request: web.Request) -> web.Response:
        number = request.match_info.get("id")
        return web.json_response({"cleared": self.zone.faults.clear(None if number is None else int(number))})

    async def act_on_guest(self, request: web.Request) -> web.Response:
        operations.act_on_guest(
            self.zone.model, self.zone.driver, int(request.match_info["id"]), request.match_info["action"]
        )
        return web.json_response({})

    async def fill(self, request: web.Request) -> web.Response:
        free_mb = _number(await _object(request), "free_mb")
        operations.fill(self.zone.model, int(request.match_info["id"]), int(free_mb))
        return web.json_response({})

    async def empty(self, request: web.Request) -> web.Response:
        operations.empty(self.zone.model, int(request.match_info["id"]))
        return web.json_response({})

    async def clock(self, request: web.Request) -> web.Response:
        return web.json_response({"now": self.zone.clock.now()})

    async def advance(self, request: web.Request) -> web.Response:
        await operations.advance(self.zone.clock, _number(await _object(request), "seconds"))
        return await self.clock(request)

    async def traffic(self, request: web.Request) -> web.Response:
        traffic = self.zone.traffic
        return web.json_response({"counts": traffic.counts(), "busiest_second": traffic.busiest_second})

    async def reset(self, request: web.Request) -> web.Response:
        self.zone.traffic.reset()
        return web.json_response({})


def _shown(fault: Fault) -> dict[str, Any]:
    spec = fault.spec
    return {
        "id": fault.id,
        "pattern": spec.pattern,
        "effect": spec.effect,
        "count": spec.count,
        "skip": spec.skip,
        "seen": fault.seen,
        "met": fault.met,
        "spent": fault.spent,
    }


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ControlError(
            "the request's content", "it must be a JSON object", "it is something else", "Correct the content."
        )
    return body


def _number(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ControlError(f"{name} {value!r}", "it must be a number", "it counts something", f"Correct {name}.")
    return value


def _spec(body: dict[str, Any]) -> Spec:
    given = {name: value for name, value in body.items() if value is not None}
    effect = given.pop("effect", "fail")
    if effect not in set(Effect):
        raise BadFault(
            f"effect {effect!r}",
            f"it must be one of {', '.join(Effect)}",
            "a zone can break in no other way",
            "Correct effect.",
        )
    for name, value in given.items():
        kind = _FIELDS.get(name)
        if kind is None or isinstance(value, bool) or not isinstance(value, kind):
            raise BadFault(
                f"{name} {value!r}",
                f"a fault has {', '.join(_FIELDS)} and effect",
                "this is none of them, or has another type",
                f"Correct or remove {name}.",
            )
    return Spec(effect=Effect(effect), **{"pattern": "", **given})
