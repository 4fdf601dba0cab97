"""What every test gets. Fixtures of one area live in `<area>_support.py` beside this file."""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections.abc import Iterator

import pytest

from tests.opennebula_endpoints import REASON, is_skipped


def pytest_configure() -> None:
    """Let an interrupt interrupt.

    A shell starts background jobs with SIGINT ignored, and whatever they start inherits that (POSIX, 2.11 of the shell
    language): tests of Ctrl-C would wait for ever there.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run against the OpenNebula that the environment names."""
    for item in items:
        if is_skipped(item.path):
            item.add_marker(pytest.mark.skip(reason=REASON))


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
