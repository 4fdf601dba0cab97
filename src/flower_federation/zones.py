"""The embedded zones of a clone: one zonebox a zone that its stack files place on a loopback address.

It starts and stops them through the `zonebox` command, and touches no zone elsewhere: a stack whose endpoint is not in
127.0.0.0/8 belongs to a real cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from flower_federation.environment import Layout
from flower_federation.processes import Runner, require
from flower_federation.stacks import StackFile

ZONES_FOLDER = "zones"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class EmbeddedZone:
    """A zone on this machine."""

    name: str
    address: IPv4Address
    """Address of its endpoints."""
    state: Path
    """Its folder."""
    data_path: str | None
    """Where its guests see `data`; None: they see none."""
    options: tuple[str, ...] = ()
    """Further options of `zonebox up`."""

    @property
    def data(self) -> Path:
        """The folder with the zone's training data."""
        return self.state / "data"


def embedded_zones(stacks: Sequence[StackFile], layout: Layout) -> tuple[EmbeddedZone, ...]:
    """The zones that stack files place on this machine, each once, in the order of the stacks."""
    zones: dict[str, EmbeddedZone] = {}
    for stack in stacks:
        address = _loopback(stack.endpoint)
        if address is None:
            continue
        known = zones.get(stack.zone)
        zones[stack.zone] = EmbeddedZone(
            name=stack.zone,
            address=address,
            state=layout.state / ZONES_FOLDER / stack.zone,
            data_path=stack.data_path or (known.data_path if known else None),
        )
    return tuple(zones.values())


def is_embedded(stack: StackFile) -> bool:
    """Whether the stack's zone is on this machine; any other belongs to a cloud that somebody else runs."""
    return _loopback(stack.endpoint) is not None


def _loopback(endpoint: str) -> IPv4Address | None:
    try:
        address = IPv4Address(urlsplit(endpoint).hostname or "")
    except (AddressValueError, ValueError):
        return None
    return address if address.is_loopback else None


class Zones:
    """Starts and stops embedded zones.

    Args:
        layout: The clone.
        environment: Whole environment of the zones.
        run: Starts programs.
        say: Prints one line of progress.
    """

    def __init__(
        self, *, layout: Layout, environment: Mapping[str, str], run: Runner, say: Callable[[str], None]
    ) -> None:
        self._zonebox = layout.bin / "zonebox"
        self._environment = environment
        self._run = run
        self._say = say

    def start(self, zone: EmbeddedZone) -> None:
        """Start a zone, or leave it as it is where it runs.

        Raises:
            ToolError: It does not answer in time; its log's last lines are in the error.
        """
        if zone.data_path is not None:
            zone.data.mkdir(parents=True, exist_ok=True)
        zone.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        require(
            self._run(start_arguments(self._zonebox, zone), env=self._environment, timeout_s=START_TIMEOUT_S),
            what=f"zonebox up of {zone.name}",
            reason=f"the stacks of {zone.name} talk to its endpoints on {zone.address}",
            remedy=f"see {zone.state}, or what else listens on {zone.address} (ss -ltnp), and run again",
        )

    def stop(self, zone: EmbeddedZone) -> None:
        """Stop a zone and its VMs; one that does not run is no mistake.

        Raises:
            ToolError: It does not end.
        """
        if not zone.state.is_dir():
            return
        require(
            self._run(stop_arguments(self._zonebox, zone), env=self._environment, timeout_s=STOP_TIMEOUT_S),
            what=f"zonebox down of {zone.name}",
            reason="its VMs are processes of this machine and must not outlive it",
            remedy=f"look at {zone.state} for its processes and run again",
        )
        self._say(f"zone {zone.name}: stopped")


def start_arguments(zonebox: Path, zone: EmbeddedZone) -> list[str | Path]:
    """The command that starts a zone in the background and ends when its endpoints answer."""
    share: list[str | Path] = [] if zone.data_path is None else ["--share", f"{zone.data_path}={zone.data}"]
    return [
        zonebox,
        "up",
        "--name",
        zone.name,
        "--state",
        zone.state,
        "--address",
        str(zone.address),
        *share,
        *zone.options,
    ]


def stop_arguments(zonebox: Path, zone: EmbeddedZone) -> list[str | Path]:
    """The command that stops a zone with its VMs."""
    return [zonebox, "down", "--state", zone.state]
