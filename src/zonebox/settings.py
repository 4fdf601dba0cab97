"""How a zone is set up, and how long its fake work takes. It reads no file and no environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.model.hosts import DUMMY_PCI, HostSpec


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Seconds between a request and what it leads to; a real front-end takes 1-10 s for each (recorded)."""

    image_s: float = 0.1
    vnet_s: float = 0.05
    schedule_s: float = 0.05
    prolog_s: float = 0.02
    boot_s: float = 0.02
    stop_s: float = 0.02
    hotplug_s: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A zone's settings."""

    name: str
    state: Path
    """Folder of everything the zone keeps."""
    address: str
    """IPv4 address of the three endpoints."""
    driver: str = "process"
    shares: Mapping[str, Path] = field(default_factory=dict)
    """Guest path -> host folder, for the process driver."""
    plain_http: bool = False
    """Serve without TLS; loopback addresses only."""
    switch: str = DEFAULT_SWITCH
    """Network namespace with the bridges of guests, for drivers with real networks."""
    onegate_host: str = ""
    """Host name or address that VMs reach OneGate at; empty for `address`."""
    ports: tuple[int, int, int] = (2633, 2474, 5030)
    """oned, OneFlow, OneGate."""
    hosts: tuple[HostSpec, ...] = ()
    """Hosts of a new zone; empty for one with 64 cores, 256 GiB and the recorded PCI devices."""
    datastore_mb: int = 1_048_576
    """Size that each datastore claims to have, in MiB."""
    delays: Delays = field(default_factory=Delays)
    control: bool = False
    """Serve the control API for tests on STATE/control.sock."""
    clock: str = "system"
    """system, or manual: time stands still until the control API advances it."""

    @property
    def scheme(self) -> str:
        """http or https."""
        return "http" if self.plain_http else "https"

    @property
    def onegate_endpoint(self) -> str:
        """URL of OneGate as VMs see it (CONTEXT's ONEGATE_ENDPOINT)."""
        return f"{self.scheme}://{self.onegate_host or self.address}:{self.ports[2]}"

    @property
    def first_hosts(self) -> tuple[HostSpec, ...]:
        """The hosts that a new zone gets."""
        return self.hosts or (HostSpec(name=f"{self.name}-host", pci=DUMMY_PCI),)
