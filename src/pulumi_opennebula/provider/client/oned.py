"""oned's XML-RPC through pyone: one call, its answer as text or number, its errors as this package's.

Calls run in threads, because pyone blocks. A call that only reads is repeated when the connection breaks; one that
changes something is sent once, over a connection of its own, because nobody can tell whether a broken one had arrived.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import warnings
import xmlrpc.client
from collections.abc import Awaitable, Callable
from typing import Any, Final
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

import pyone
import requests
from pyone.server_xrpc import OneServerXRPC, RequestsTransport

from pulumi_opennebula.errors import (
    CloudError,
    CredentialsError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.templates import Body, body_of

READ_ATTEMPTS: Final = 3
READ_PAUSE_S: Final = 0.3
READS: Final = frozenset({"info", "infoextended", "version", "monitoring"})
"""Last parts of the names of methods that change nothing."""

OK: Final = 200
SERVER_FAILED: Final = 500
"""HTTP statuses: the only one that oned answers with, and the first of those after which nobody knows what was done."""
SAID_CHARACTERS: Final = 200
MAKES: Final = frozenset({"allocate", "instantiate", "clone", "reserve", "add_ar"})
"""Last parts of the names of methods that make something which is in no state yet."""

AUTHENTICATION: Final = 0x0100
AUTHORIZATION: Final = 0x0200
NO_EXISTS: Final = 0x0400
"""Error codes of OpenNebula's XML-RPC reference; seen in the recordings of 7.0.1."""
_TAKEN: Final = re.compile(r"NAME is already taken by \D*(\d+)")
"""What oned says of a second object of the same name (recorded on 7.0.1)."""


class _Transport(RequestsTransport):  # type: ignore[misc] # pyone ships no types
    """pyone's transport with a timeout, a CA file, and kept connections for reads.

    pyone 7.3 sets the process-wide socket default as a timeout, which `requests` overrides: its calls wait for ever.
    """

    def __init__(self, settings: ZoneSettings) -> None:
        super().__init__()
        self._settings = settings
        self._sessions = threading.local()

    def request(self, host: str, handler: str, request_body: bytes, verbose: bool = False) -> Any:
        """Post one call; the session is kept for reads only."""
        reading = getattr(self._sessions, "reading", False)
        if not reading:
            return self._post(requests.Session(), request_body, close=True)
        if not hasattr(self._sessions, "session"):
            self._sessions.session = requests.Session()
        return self._post(self._sessions.session, request_body, close=False)

    def reading(self, reading: bool) -> None:
        """Say whether the next call of this thread only reads."""
        self._sessions.reading = reading

    def _post(self, session: requests.Session, body: bytes, *, close: bool) -> Any:
        try:
            response = session.post(
                self._settings.endpoint,
                data=body,
                headers=self.headers,
                verify=self._settings.verify,
                timeout=self._settings.request_timeout_s,
                # A redirected POST becomes a GET, and credentials would follow it to another server.
                allow_redirects=False,
            )
            if response.status_code != OK:
                raise requests.HTTPError(response=response)
            return self.parse_response(response)
        finally:
            if close:
                session.close()


class _Server(OneServerXRPC):  # type: ignore[misc] # pyone ships no types
    """pyone's proxy, answering with OpenNebula's own text instead of generated classes that drop unknown elements."""

    def __init__(self, settings: ZoneSettings) -> None:
        super().__init__(settings.endpoint, session=f"{settings.username}:{settings.password}")
        self.transport = _Transport(settings)
        xmlrpc.client.ServerProxy.__init__(self, settings.endpoint, transport=self.transport)

    def answer(self, method: str, arguments: tuple[Any, ...]) -> list[Any]:
        """The three parts of an answer: success, value, error code."""
        reply = self._do_request(f"one.{method}", self._cast_parms(arguments))
        return list(reply)


class Oned:
    """oned of one zone."""

    def __init__(self, settings: ZoneSettings, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._settings = settings
        self._server = _Server(settings)
        self._pause = pause

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method (`vn.allocate`) and return its value.

        Raises:
            UnreachableError: no usable answer.
            RefusedError: oned's error, by its code.
        """
        reading = method.rsplit(".", 1)[-1] in READS
        attempts = READ_ATTEMPTS if reading else 1
        for attempt in range(attempts):
            try:
                return await asyncio.to_thread(self._call, method, arguments, reading)
            except UnreachableError:
                if attempt + 1 == attempts:
                    raise
                await self._pause(READ_PAUSE_S * 2**attempt)
        raise AssertionError("the loop returns or raises")

    async def info(self, method: str, *arguments: Any) -> Body:
        """Call a method that answers with XML, and return its root element."""
        answer = str(await self.call(method, *arguments))
        try:
            return body_of(answer)
        except ParseError as err:
            raise self._not_oned(method, err) from err

    def _not_oned(self, method: str, err: Exception) -> UnreachableError:
        return UnreachableError(
            f"endpoint {self._settings.endpoint} gave no answer to one.{method} that can be read",
            "it must speak OpenNebula's XML-RPC",
            f"reading the answer failed: {str(err)[:200]}",
            "Check that opennebula:endpoint names oned (port 2633, path /RPC2), not another server",
        )

    def _call(self, method: str, arguments: tuple[Any, ...], reading: bool) -> Any:
        self._server.transport.reading(reading)
        try:
            success, value, code = self._server.answer(method, arguments)[:3]
            number = 0 if success else int(code)
        except OSError as err:
            raise unreachable(
                "endpoint", self._settings.endpoint, err, change="" if reading else f"one.{method}"
            ) from err
        except (xmlrpc.client.Error, ExpatError, TypeError, ValueError, pyone.OneException) as err:
            raise self._not_oned(method, err) from err
        if success:
            return value
        raise refusal(method, str(value), number, self._settings)


def say_unverified(settings: ZoneSettings) -> None:
    """Say once that certificates go unverified: urllib3 would say it with every request, in lines of the engine's."""
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    if settings.endpoint.startswith("https:"):
        logging.getLogger(__name__).warning(
            "opennebula:insecure is true: nobody checks whether it is the zone that answers at %s and gets the "
            "password. Set opennebula:caFile to the zone's CA instead.",
            settings.endpoint,
        )


def refusal(method: str, message: str, code: int, settings: ZoneSettings) -> RefusedError:
    """The error for an answer of oned."""
    if code == AUTHENTICATION:
        return CredentialsError(
            f"user {settings.username!r} at {settings.endpoint}",
            "user and password must be those of a user of the zone",
            f"oned answered: {message}",
            f"Correct {settings.credentials_from}",
            code=code,
            answer=message,
        )
    kind = {AUTHORIZATION: NotAllowedError, NO_EXISTS: NotFoundError}.get(code, RefusedError)
    remedy = {
        AUTHORIZATION: f"Give user {settings.username!r} the right (ACL, group or permissions), or use another user",
        NO_EXISTS: "Check the id; `pulumi refresh` drops what is gone from the state",
    }.get(code, "Change the property that the message names")
    if taken := _TAKEN.search(message):
        remedy = (
            f"Choose another name; or, if that object is this program's, left by an `up` that was cut off, "
            f"`pulumi import` it as {taken[1]}"
        )
    return kind(
        f"one.{method}", "oned must accept the call", f"oned answered: {message}", remedy, code=code, answer=message
    )


def unreachable(name: str, url: str, err: OSError, *, change: str = "") -> CloudError:
    """The error for an endpoint that gives no answer.

    Args:
        name: Name of the endpoint's setting.
        url: Its URL.
        err: What happened: of `requests`, or of the system where a file of certificates is gone.
        change: What was asked for, where it changes something: nobody knows then whether it was done.
    """
    if isinstance(err, requests.exceptions.SSLError):
        return UnreachableError(
            f"{name} {url}",
            "its certificate must be valid",
            f"TLS says: {_root(err)}",
            "Set opennebula:caFile (OPENNEBULA_CA_FILE) to the CA of the zone, or correct the host name",
        )
    response = getattr(err, "response", None)
    if isinstance(response, requests.Response):
        return _answered_by_another(name, url, response, change)
    timeout = isinstance(err, requests.exceptions.Timeout)
    return UnreachableError(
        f"{name} {url}",
        "it must answer",
        "it did not answer in time" if timeout else f"the connection failed: {_root(err)}",
        "Check the URL, the network and that the zone runs"
        + ("; opennebula:requestTimeoutS makes it wait longer" if timeout else "")
        + ("" if _never_sent(err) else _doubt(change)),
    )


def _answered_by_another(name: str, url: str, response: requests.Response, change: str) -> CloudError:
    """The error for an answer with a status that OpenNebula's own servers do not give."""
    status = f"HTTP {response.status_code} {response.reason or ''}".rstrip()
    location = response.headers.get("Location")
    if response.is_redirect and location:
        return UnreachableError(
            f"{name} {url} answered {status}",
            "it must answer itself",
            f"it sends callers on to {location}, and credentials go to no address that nobody set",
            f"Set opennebula:{name} to the address that answers",
        )
    said = " ".join(response.text.split())[:SAID_CHARACTERS]
    return UnreachableError(
        f"{name} {url} answered {status}",
        "it must be OpenNebula that answers",
        f"a proxy in between, or another server, says {said or 'nothing more'}",
        "Check that the zone runs, what stands between, and the URL (oned: port 2633, path /RPC2; OneFlow: port 2474)"
        + (_doubt(change) if response.status_code >= SERVER_FAILED else ""),
    )


def _doubt(change: str) -> str:
    if not change:
        return ""
    makes = change.rsplit(".", 1)[-1] in MAKES or change.startswith("POST /service_template")
    then = "look for what it makes, and `pulumi import` or remove it" if makes else "`pulumi refresh` finds out"
    return f". Whether {change} was done nobody knows: {then}"


def _never_sent(err: OSError) -> bool:
    """Whether there was no connection that a request could have gone through."""
    return isinstance(err, requests.exceptions.ConnectTimeout) or "NewConnectionError" in repr(err)


def _root(err: BaseException) -> str:
    """The innermost cause, which says more than the wrappers around it."""
    seen = err
    for _ in range(8):
        inner = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return str(seen).split(": ", 1)[-1][:200]
