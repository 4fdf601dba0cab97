"""What every test gets. Fixtures of one area live in `<area>_support.py` beside this file."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _event_loop_for_sync_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """A current event loop for tests that are not coroutines.

    pytest-asyncio 1.5 leaves none behind after a coroutine test, and Pulumi's mocks ask for one (SDK 3.272).
    """
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
