"""Keeps this VM's OneGate attributes equal to what is known, and beats the heart. It decides no attribute's value.

Losing OneGate stops nothing: what could not be written is written with the next beat. What it holds is read when it
is met, and again after every failure, so that nothing of an earlier boot stays and only what is there is withdrawn.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping

from flower_appliance.errors import OneGateError
from flower_appliance.onegate import OneGate, is_publishable

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
        self._met = False
        """Whether `_present` is what OneGate holds; otherwise it is what has been written since."""
        self.vm_name = ""
        """Of this VM, as OneGate gave it first; empty until then."""
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    async def meet(self) -> None:
        """Learn what OneGate holds of this VM, and take back what an earlier boot claimed.

        Raises:
            OneGateError: no answer, or one that is no VM.
        """
        if self._onegate is None:
            return
        vm = await asyncio.to_thread(self._onegate.own_vm)
        self._present, self._met = dict(vm.attributes), True
        self.vm_name = self.vm_name or vm.name
        if vm.attributes.get("READY") == "YES" and "READY" not in self._wanted:
            self.set({"READY": "NO"})

    def set(self, attributes: Mapping[str, str]) -> None:
        """Want these values; an empty one withdraws the attribute. Written soon, by `run`."""
        changed = {key: value for key, value in attributes.items() if self._wanted.get(key) != value}
        if changed:
            self._wanted.update(changed)
            shown = {key: value if len(value) <= 60 else f"{value[:60]}..." for key, value in changed.items()}
            LOG.info("attributes: %s", ", ".join(f"{key}={value}" for key, value in shown.items()))
            for key in (key for key, value in changed.items() if not is_publishable(key, value)):
                LOG.error("%s is not published: OneGate would mangle its value", key)
            self._changed.set()

    async def run(self) -> None:
        """Write changes as they come, and a heartbeat at least every HEARTBEAT_S, until cancelled."""
        while True:
            await self.flush()
            # Not wait_for: that of Python 3.11 forgets that it was cancelled where a change comes at that very moment.
            waiting = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({waiting}, timeout=HEARTBEAT_S)
            finally:
                waiting.cancel()

    async def flush(self) -> None:
        """Write what differs, with a heartbeat."""
        if self._onegate is None:
            self._changed.clear()
            return
        async with self._writing:
            self._changed.clear()
            try:
                await self._write(self._onegate)
                if not self._met:
                    await self.meet()
                    await self._write(self._onegate)
            except OneGateError as error:
                self._present, self._met = {}, False
                LOG.warning("attributes not written, the next heartbeat tries again: %s", error)

    async def _write(self, onegate: OneGate) -> None:
        write, withdraw = difference(self._publishable(), self._present)
        write["FL_HEARTBEAT"] = str(int(self._unix_time_s()))
        await asyncio.to_thread(onegate.publish, write)
        self._present.update(write)
        for key in withdraw:
            await asyncio.to_thread(onegate.withdraw, key)
            self._present.pop(key, None)

    def _publishable(self) -> dict[str, str]:
        """What is wanted, without what OneGate would mangle: one such value must not keep the others from it."""
        return {key: value for key, value in self._wanted.items() if is_publishable(key, value)}
