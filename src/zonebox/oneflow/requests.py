"""Requests and refusals of OneFlow's REST interface: credentials, JSON, status codes. It knows no route."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from zonebox.errors import NotAuthenticated, NotAuthorized, NotFound, OneError
from zonebox.oneflow.errors import BadJson, BadRequest, FlowError, Unexpected, oned_text
from zonebox.oneflow.zone import FlowZone
from zonebox.ports import Caller

_LOG = logging.getLogger(__name__)
CONTENT_TYPE: Final = "text/html;charset=utf-8"
"""Of every answer with a body, JSON too (recorded)."""

CALLER: Final = web.RequestKey("caller", Caller)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reply(status: int, text: str = "") -> web.Response:
    """An answer; one without content has no content type (recorded)."""
    response = web.Response(status=status, body=text.encode())
    if status == 204:
        response.headers.pop("Content-Type", None)
    else:
        response.headers["Content-Type"] = CONTENT_TYPE
    return response


def parse_json(text: str) -> Any:
    """The JSON in a request.

    Raises:
        BadJson: with the text, as Ruby's parser complains.
    """
    try:
        value = json.loads(text, parse_constant=_no_number)
        if "\\u" in text:
            # Half a character, which JSON can spell and no text can hold.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadJson(text) from None
    return value


def _no_number(name: str) -> float:
    """NaN and Infinity are Python's, not JSON's. Raises ValueError."""
    raise ValueError(name)


async def action_of(request: web.Request) -> tuple[str, Any]:
    """`perform` and `params` of an action request.

    Raises:
        Unexpected: it has another form; OneFlow stumbles over it.
    """
    try:
        body = parse_json(await request.text())
    except BadJson as error:
        raise Unexpected(str(error), brief=error.brief) from error
    action = body.get("action") if isinstance(body, dict) else None
    if not isinstance(action, dict):
        raise Unexpected("undefined method `[]' for nil:NilClass")
    return str(action.get("perform") or ""), action.get("params")


def credentials(request: web.Request) -> tuple[str, str] | None:
    """User and password of HTTP basic authentication, or None."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def refusal(error: Exception) -> web.Response:
    """The answer to a refusal. Raises what is no refusal."""
    if isinstance(error, Unexpected):
        # Ruby's generator puts no blanks; the reason is the message of what OneFlow stumbled over (recorded).
        body = {"message": "Internal server error", "reason": str(error)}
        return reply(500, json.dumps(body, separators=(",", ":"), ensure_ascii=False))
    if isinstance(error, BadRequest):
        return reply(400, str(error))
    if isinstance(error, FlowError):
        return reply(500, str(error))
    if isinstance(error, OneError):
        return reply(_oned_status(error), oned_text("one.document.info", error))
    raise error


def _oned_status(error: OneError) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, NotAuthorized):
        return 401
    return 403 if isinstance(error, NotAuthenticated) else 500


def guard(zone: FlowZone) -> Any:
    """Middleware: who calls, and what a refusal looks like."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = credentials(request)
        if given is None:
            return reply(401, "A username and password must be provided")
        caller = zone.users.authenticate(*given)
        if caller is None:
            return reply(401, "Invalid credentials")
        request[CALLER] = caller
        try:
            return await handler(request)
        except (FlowError, OneError) as error:
            words = error.brief if isinstance(error, FlowError) else error.text
            _LOG.info("%s %s refused: %s", request.method, request.path, words)
            return refusal(error)
        except UnicodeDecodeError:
            return refusal(BadJson("(bytes that are no UTF-8)"))
        except web.HTTPException:
            raise
        except Exception as error:
            # What a handler stumbles over, OneFlow's Ruby does too: an internal error with a reason, as recorded.
            _LOG.exception("%s %s failed", request.method, request.path)
            return refusal(Unexpected(f"{type(error).__name__} in zonebox; its log has the traceback"))

    return middleware
