"""Keeps this VM's OneGate attributes equal to what is known, and beats the heart. It decides no attribute's value.

Losing OneGate stops nothing: what could not be written is written with the next beat.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping

from flower_appliance.errors import OneGateError
from flower_appliance.onegate import OneGate

LOG = logging.getLogger(__name__)

HEARTBEAT_S = 15.0


def encoded(text: str) -> str:
    """Base64 of UTF-8 text, the only form in which free text survives OneGate."""
    return base64.b64encode(text.encode()).decode("ascii")


def difference(wanted: Mapping[str, str], present: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What to write and what to withdraw; an empty wanted value means that the attribute must not be there."""
    write = {key: value for key, value in wanted.items() if value and present.get(key) != value}
    withdraw = tuple(key for key, value in wanted.items() if not value and key in present)
    return write, withdraw


class Publisher:
    """The attributes of one VM."""

    def __init__(self, onegate: OneGate | None, *, unix_time_s: Callable[[], float]) -> None:
        """Publish through `onegate`; None: the zone has none, and attributes are only logged."""
        self._onegate = onegate
        self._unix_time_s = unix_time_s
        self._wanted: dict[str, str] = {}
        self._present: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    def found(self, present: Mapping[str, str]) -> None:
        """Attributes that OneGate already holds, from an earlier boot."""
        self._present = dict(present)

    def set(self, attributes: Mapping[str, str]) -> None:
        """Want these values; an empty one withdraws the attribute. Written soon, by `run`."""
        changed = {key: value for key, value in attributes.items() if self._wanted.get(key) != value}
        if changed:
            self._wanted.update(changed)
            shown = {key: value if len(value) <= 60 else f"{value[:60]}..." for key, value in changed.items()}
            LOG.info("attributes: %s", ", ".join(f"{key}={value}" for key, value in shown.items()))
            self._changed.set()

    async def run(self) -> None:
        """Write changes as they come, and a heartbeat at least every HEARTBEAT_S, until cancelled."""
        while True:
            await self.flush()
            try:
                await asyncio.wait_for(self._changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                continue

    async def flush(self) -> None:
        """Write what differs, with a heartbeat."""
        if self._onegate is None:
            self._changed.clear()
            return
        async with self._writing:
            self._changed.clear()
            write, withdraw = difference(self._wanted, self._present)
            write["FL_HEARTBEAT"] = str(int(self._unix_time_s()))
            try:
                await asyncio.to_thread(self._onegate.publish, write)
                self._present.update(write)
                for key in withdraw:
                    await asyncio.to_thread(self._onegate.withdraw, key)
                    self._present.pop(key, None)
            except OneGateError as error:
                LOG.warning("attributes not written, the next heartbeat tries again: %s", error)
