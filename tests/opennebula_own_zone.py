"""A zonebox for tests of the provider. Loaded only where the environment names no other zone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.zonebox_support import zone_process


@contextmanager
def own_zone(folder: Path) -> Iterator[dict[str, str]]:
    """A zone in a process of its own; the provider's environment variables for it."""
    with zone_process(folder, driver="fake") as zone:
        username, password = zone.session.split(":", 1)
        yield {
            "OPENNEBULA_ENDPOINT": zone.endpoints.oned,
            "OPENNEBULA_FLOW_ENDPOINT": zone.endpoints.oneflow,
            "OPENNEBULA_USERNAME": username,
            "OPENNEBULA_PASSWORD": password,
            **({"OPENNEBULA_CA_FILE": str(zone.endpoints.ca)} if zone.endpoints.ca else {}),
        }
