"""The gate before each phase of a VM, where faults meet it. It starts and stops nothing (the executor does)."""

from __future__ import annotations

import logging

from zonebox.clock import Clock
from zonebox.faults import Effect, FaultTable

_log = logging.getLogger("zonebox.faults")


class Phases:
    """The gate before each phase of a VM.

    Args:
        faults: the zone's faults.
        clock: what delays are measured on.
    """

    def __init__(self, faults: FaultTable, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock

    async def enter(self, phase: str, vm_name: str) -> str:
        """Let a phase begin, late where a fault says so; the reason why it fails, or ""."""
        name = f"{phase} {vm_name}"
        for fault in self._faults.take(name):
            _log.info("fault %d (%s) meets %s", fault.id, fault.spec.effect, name)
            if fault.spec.effect is Effect.FAIL:
                return fault.spec.text
            await fault.wait(self._clock)
        return ""
