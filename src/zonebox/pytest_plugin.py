"""pytest's plugin: the fixtures `zonebox` and `zonebox_factory`, a zone of its own for every test that asks for one.

    def test_a_new_image_is_ready(zonebox):
        one = pyone.OneServer(zonebox.endpoints.oned, session=zonebox.session, https_verify=str(zonebox.ca_file))
        ...

It loads nothing of a zone before a test asks for one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from zonebox.embedded import EmbeddedZone

ZoneFactory = Callable[..., "EmbeddedZone"]


@pytest.fixture
def zonebox_factory(tmp_path: Path) -> Iterator[ZoneFactory]:
    """Makes zones that run until the test ends.

    Each call starts one, in a thread of this process: fake driver, TLS, an address that nobody else has, a folder below
    `tmp_path`, the control API on. Keywords are fields of `zonebox.settings.Settings`, for example
    `driver="process"`, `clock="manual"` (time stands still until `control.advance`), `plain_http=True`, `hosts=(...)`;
    and `zone_driver=`, `zone_clock=` for objects of the test's own.
    """
    with ExitStack() as running:
        count = 0

        def make(**changes: Any) -> EmbeddedZone:
            nonlocal count
            count += 1
            return running.enter_context(_zone(tmp_path / f"zonebox-{count}", f"zone{count}", changes))

        yield make


@pytest.fixture
def zonebox(zonebox_factory: ZoneFactory) -> EmbeddedZone:
    """A zone of the test's own: `endpoints`, `session`, `ca_file`, `environment`, and `control` to break it."""
    return zonebox_factory()


def _zone(state: Path, name: str, changes: dict[str, Any]) -> EmbeddedZone:
    # A test session without zones does not pay for loading a zone's modules.
    embedded = importlib.import_module("zonebox.embedded")
    settings = importlib.import_module("zonebox.settings")
    loopback = importlib.import_module("zonebox.loopback")
    clock, driver = changes.pop("zone_clock", None), changes.pop("zone_driver", None)
    fields = {"name": name, "state": state, "driver": "fake", "delays": embedded.QUICK, **changes, "control": True}
    fields.setdefault("address", loopback.free_address())
    found: EmbeddedZone = embedded.EmbeddedZone(settings.Settings(**fields), clock=clock, driver=driver)
    return found
