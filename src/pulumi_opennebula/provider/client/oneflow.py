"""OneFlow's REST: one request, its JSON, its errors as this package's. Knows paths, not resources.

Reads are repeated when the connection breaks; what changes something is sent once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

import requests
from requests.auth import HTTPBasicAuth

from pulumi_opennebula.errors import CredentialsError, NotFoundError, RefusedError, UnreachableError
from pulumi_opennebula.provider.client.oned import READ_ATTEMPTS, READ_PAUSE_S, unreachable
from pulumi_opennebula.provider.settings import ZoneSettings

UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
OF_A_PROXY: Final = frozenset({502, 503, 504})
"""HTTP statuses that OneFlow itself has no use for: a proxy before it does not reach it."""


class OneFlow:
    """OneFlow of one zone."""

    def __init__(
        self,
        settings: ZoneSettings,
        url: str,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._url = url
        self._pause = pause
        self._local = threading.local()

    async def get(self, path: str) -> Any:
        """The JSON at a path.

        Raises:
            NotFoundError: there is no such document.
            UnreachableError: no usable answer.
        """
        for attempt in range(READ_ATTEMPTS):
            try:
                return await asyncio.to_thread(self._request, "GET", path, None)
            except UnreachableError:
                if attempt + 1 == READ_ATTEMPTS:
                    raise
                await self._pause(READ_PAUSE_S * 2**attempt)
        raise AssertionError("the loop returns or raises")

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that changes something, once."""
        return await asyncio.to_thread(self._request, method, path, body)

    async def action(self, path: str, perform: str, **params: Any) -> Any:
        """Perform an action on a document."""
        return await self.send("POST", f"{path}/action", {"action": {"perform": perform, "params": params}})

    def _request(self, method: str, path: str, body: Any) -> Any:
        try:
            response = self._session(method).request(
                method,
                f"{self._url}{path}",
                json=body,
                # As bytes: `requests` would encode them in Latin-1, which oned's other clients do not.
                auth=HTTPBasicAuth(self._settings.username.encode(), self._settings.password.encode()),
                verify=self._settings.verify,
                timeout=self._settings.request_timeout_s,
                allow_redirects=False,
            )
            if response.is_redirect or response.status_code in OF_A_PROXY:
                raise requests.HTTPError(response=response)
        except OSError as err:
            change = "" if method == "GET" else f"{method} {path}"
            raise unreachable("flowEndpoint", self._url, err, change=change) from err
        if response.ok:
            if not response.content.strip():
                return None
            try:
                return response.json()
            except ValueError as err:
                raise UnreachableError(
                    f"flowEndpoint {self._url} answered {response.text[:100]!r} to {method} {path}",
                    "it must speak OneFlow's JSON",
                    "the answer is no JSON",
                    "Check that opennebula:flowEndpoint names OneFlow (port 2474), not another server",
                ) from err
        raise self._refusal(method, path, response.status_code, response.text.strip()[:500])

    def _session(self, method: str) -> requests.Session:
        """A kept connection for reads, a new one for what must not be repeated."""
        if method != "GET":
            return requests.Session()
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def _refusal(self, method: str, path: str, status: int, answer: str) -> RefusedError:
        if status == UNAUTHORIZED:
            return CredentialsError(
                f"user {self._settings.username!r} at {self._url}",
                "user and password must be those of a user of the zone",
                f"OneFlow answered: {answer}",
                f"Correct {self._settings.credentials_from}",
                code=status,
                answer=answer,
            )
        kind = NotFoundError if status == NOT_FOUND else RefusedError
        return kind(
            f"{method} {path}",
            "OneFlow must accept the request",
            f"OneFlow answered {status}: {answer}",
            "Change what the message names, in `template` or `extra_template`",
            code=status,
            answer=answer,
        )
