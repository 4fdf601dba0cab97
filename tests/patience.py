"""How long tests wait for what is under way. A test that passes waits no longer.

A limit that a product promises is no patience: it stands in the test, with where it comes from.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

PATIENCE_S: Final = 300.0
"""Seconds. What takes ten on an idle machine took a minute on two cores that had a load of twelve (2026-11-24)."""
AT_ONCE_S: Final = 60.0
"""Seconds for what must not wait for a limit of ten minutes: a request or two on such a machine."""


async def eventually(condition: Callable[[], Any], what: str = "the condition", deadline_s: float = PATIENCE_S) -> Any:
    """Wait until `condition` (plain or async) is true; its value. Fails with `what` at the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {deadline_s:g} s")
        await asyncio.sleep(0.01)


def wait_for(condition: Callable[[], Any], what: str = "the condition", deadline_s: float = PATIENCE_S) -> Any:
    """`eventually` for tests without an event loop."""
    return asyncio.run(eventually(condition, what, deadline_s))
