"""A zone in a thread of this process, and the provider on it without an engine's process: tests of many calls, cheap.

The zone's time and the provider's pauses pass faster than real time, so that cooldowns cost nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.provider.client.oned import Oned
from pulumi_opennebula.provider.engine import OpenNebulaProvider
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.values import wrapped
from pulumi_opennebula.provider.zone import Zone
from tests.patience import PATIENCE_S
from zonebox.embedded import QUICK, EmbeddedZone
from zonebox.loopback import free_address
from zonebox.settings import Settings

RUSH = 20
"""How much faster than real time the zone's time and the provider's pauses pass."""


class RushingClock:
    """Time that passes RUSH times as fast."""

    def __init__(self) -> None:
        self._start = time.time()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._start + (time.time() - self._start) * RUSH

    async def sleep(self, seconds: float) -> None:
        """Wait the RUSHth part."""
        await asyncio.sleep(max(0.0, seconds) / RUSH)


async def hurried(seconds: float) -> None:
    """The provider's pauses."""
    await asyncio.sleep(seconds / RUSH)


class InProcess:
    """A zone, and providers and clients for it.

    Args:
        zone: the zone.
        rushing: whether the provider's pauses pass as fast as the zone's time.
    """

    def __init__(self, zone: EmbeddedZone, *, rushing: bool) -> None:
        self.zone = zone
        self.pause: Callable[[float], Awaitable[None]] = hurried if rushing else asyncio.sleep
        """The provider's."""
        self.lines: list[str] = []
        """Lines of progress."""
        self.values: dict[str, Any] = {
            "endpoint": zone.endpoints.oned,
            "flowEndpoint": zone.endpoints.oneflow,
            "username": zone.username,
            "password": zone.password,
        }
        self.settings = ZoneSettings(
            endpoint=zone.endpoints.oned,
            flow_endpoint=zone.endpoints.oneflow,
            username=zone.username,
            password=zone.password,
        )

    async def connect(self) -> OpenNebulaProvider:
        """A configured provider, as a command's own process would have it."""
        provider = OpenNebulaProvider(
            environment={},
            progress=lambda _, line: self.lines.append(line),
            make_zone=lambda found: Zone(found, pause=self.pause),
        )
        await provider.configure(sdk.ConfigureRequest({}, wrapped(self.values, frozenset()), True, True))
        return provider

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call `one.<method>` behind the provider's back."""
        return await Oned(self.settings).call(method, *arguments)

    def oned(self, method: str, *arguments: Any) -> Any:
        """The same, for callers without an event loop; not from a coroutine of this thread."""
        return asyncio.run(self.call(method, *arguments))

    def flow(self, method: str, path: str, body: Any = None) -> Any:
        """Send OneFlow a request behind the provider's back."""
        credentials = (self.zone.username, self.zone.password)
        answer = requests.request(
            method, f"{self.zone.endpoints.oneflow}{path}", json=body, auth=credentials, timeout=PATIENCE_S
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def counts(self) -> dict[str, int]:
        """Requests since the last reset, by name."""
        return self.zone.control.counts()


@contextmanager
def in_process(state: Path, *, rushing: bool = True, **changes: Any) -> Iterator[InProcess]:
    """A zone that is stopped at the end; `changes` are fields of zonebox's settings."""
    settings = Settings(
        **{
            "name": "inproc",
            "state": state,
            "address": free_address(),
            "driver": "fake",
            "plain_http": True,
            "delays": QUICK,
            "control": True,
            **changes,
        }
    )
    with EmbeddedZone(settings, clock=RushingClock() if rushing else None) as zone:
        yield InProcess(zone, rushing=rushing)
