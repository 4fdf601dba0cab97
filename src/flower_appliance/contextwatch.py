"""Notices that the CONTEXT of a running machine has changed. It reads no variable and configures nothing.

OpenNebula makes the CONTEXT disk of a running VM anew when its configuration is updated. Guests with udev may be told;
a process VM, and a container with a bound folder, see files change and are told nothing, so somebody has to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from flower_appliance.errors import ApplianceError

LOG = logging.getLogger(__name__)

POLL_S = 2.0
"""Between looks; each reads one small file."""

Read = Callable[[], Mapping[str, str]]


class ContextWatch:
    """Looks at the CONTEXT every few seconds.

    Args:
        read: the variables as they are now; may fail while the file is being replaced or its disk changed.
        pause: sleeps for some seconds.
    """

    def __init__(self, read: Read, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._read = read
        self._pause = pause
        self._seen = self._look()

    async def run(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change, until cancelled."""
        while True:
            await self._pause(POLL_S)
            found = await asyncio.to_thread(self._look)
            if found is not None and found != self._seen:
                LOG.info("the CONTEXT has changed")
                self._seen = found
                changed()

    def _look(self) -> Mapping[str, str] | None:
        """None where it cannot be read: that is no change, and whoever configures the machine says what is wrong."""
        try:
            return dict(self._read())
        except (ApplianceError, OSError, ValueError):
            LOG.debug("the CONTEXT cannot be read", exc_info=True)
            return None
