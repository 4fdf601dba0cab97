"""A zone inside a program that has no event loop of its own to spare: it runs in a thread, its clients block.

For tests and notebooks. What a zone does is zone.py's; a zone that must survive this process is background.py's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from zonebox.clock import Clock
from zonebox.control import Control
from zonebox.drivers.base import Driver
from zonebox.settings import Delays, Settings
from zonebox.zone import Endpoints, Zone

QUICK: Final = Delays(image_s=0.01, vnet_s=0.01, schedule_s=0.01, prolog_s=0.0, boot_s=0.0, stop_s=0.0, hotplug_s=0.0)
"""Delays for tests: objects are on their way for a moment only."""
_START_TIMEOUT_S: Final = 30.0
_Result = TypeVar("_Result")


class EmbeddedZone:
    """A zone in a thread of this process; a context manager that starts and stops it.

    Args:
        settings: the zone's settings; the control API is on, whatever they say.
        clock: None for the one that the settings name.
        driver: None for the one that the settings name.

    Attributes:
        zone: the zone itself, to be touched through `run` and `call` only: it belongs to its thread.
        control: the control API: faults, guests, datastores, time, counts.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, driver: Driver | None = None) -> None:
        self.settings = settings
        self.control = Control(settings.state)
        self._clock = clock
        self._driver = driver
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"zonebox {settings.name}", daemon=True)
        self.zone: Zone

    def __enter__(self) -> Self:
        """Start; the zone answers when this returns. Raises ConfigError."""
        self._thread.start()
        try:
            self.run(self._start(), _START_TIMEOUT_S)
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the zone and its guests."""
        try:
            self.run(self.zone.stop(keep_vms=False))
        finally:
            self._end_thread()

    @property
    def endpoints(self) -> Endpoints:
        """Where the zone answers."""
        return self.zone.endpoints

    @property
    def session(self) -> str:
        """oneadmin's credentials, `user:password`."""
        return self.zone.session

    @property
    def username(self) -> str:
        """The administrator's name."""
        return self.session.partition(":")[0]

    @property
    def password(self) -> str:
        """The administrator's password."""
        return self.session.partition(":")[2]

    @property
    def ca_file(self) -> Path | None:
        """The CA certificate that clients verify the zone with; None with plain HTTP."""
        return self.endpoints.ca

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for clients of the zone: OpenNebula's own, and those of Pulumi's provider."""
        ends = self.endpoints
        found = {
            "ONE_XMLRPC": ends.oned,
            "ONEFLOW_URL": ends.oneflow,
            "OPENNEBULA_ENDPOINT": ends.oned,
            "OPENNEBULA_FLOW_ENDPOINT": ends.oneflow,
            "OPENNEBULA_USERNAME": self.username,
            "OPENNEBULA_PASSWORD": self.password,
        }
        return found if ends.ca is None else {**found, "OPENNEBULA_CA_FILE": str(ends.ca)}

    def run(self, coroutine: Coroutine[Any, Any, _Result], timeout_s: float | None = None) -> _Result:
        """Run a coroutine in the zone's thread; its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def call(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call a function in the zone's thread; its result."""

        async def called() -> _Result:
            return function(*arguments)

        return self.run(called())

    async def _start(self) -> None:
        self.zone = Zone(self.settings, clock=self._clock, driver=self._driver)
        await self.zone.start()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
