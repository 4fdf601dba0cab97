"""The zone that is measured: a zonebox in a process of its own, fake driver, TLS, with its control API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zonebox import background
from zonebox.control import Control
from zonebox.loopback import free_address
from zonebox.settings import Settings

START_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class BenchZone:
    """How to reach the zone."""

    oned: str
    oneflow: str
    ca: str
    username: str
    password: str
    control: Control

    @property
    def session(self) -> str:
        """`user:password`."""
        return f"{self.username}:{self.password}"

    @property
    def environment(self) -> dict[str, str]:
        """The provider's environment variables."""
        return {
            "OPENNEBULA_ENDPOINT": self.oned,
            "OPENNEBULA_FLOW_ENDPOINT": self.oneflow,
            "OPENNEBULA_USERNAME": self.username,
            "OPENNEBULA_PASSWORD": self.password,
            "OPENNEBULA_CA_FILE": self.ca,
        }


def zone_settings(state: Path) -> Settings:
    """Settings of the measured zone; delays are zonebox's own."""
    return Settings(name="bench", state=state, address=free_address(), driver="fake", control=True)


@contextmanager
def running_zone(state: Path) -> Iterator[BenchZone]:
    """A zone that is stopped at the end."""
    facts = background.up(zone_settings(state), START_TIMEOUT_S)
    try:
        username, _, password = (state / "one_auth").read_text(encoding="utf-8").strip().partition(":")
        yield BenchZone(
            oned=str(facts["oned"]),
            oneflow=str(facts["oneflow"]),
            ca=str(facts["ca"]),
            username=username,
            password=password,
            control=Control(state),
        )
    finally:
        background.down(state, START_TIMEOUT_S, keep_vms=False)
