"""What every test gets. Fixtures of one area live in `<area>_support.py` beside this file."""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.opennebula_endpoints import REASON, is_skipped

# Property tests try the same examples in every run, and no example fails for being slow on a busy machine: a run says
# what a change has broken. `--hypothesis-profile=default` looks for new examples.
settings.load_profile("ci")


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
    loop.set_exception_handler(_handle)
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let go of futures whose exception nobody asked for: Pulumi's mocks leave some behind where a program is refused.

    They are told of when they are collected, which may be in the middle of any later test. The line's traceback parses
    source, and Python 3.11.7 cannot do that within another `ast.parse` (observed 2026-11-24: SystemError).
    """
    if "exception was never retrieved" not in str(context.get("message")):
        loop.default_exception_handler(context)
