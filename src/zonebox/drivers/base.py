"""The contract between a zone and what runs its VMs. It holds no state of the zone's and touches no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from zonebox.drivers.nics import NicSpec


class GuestState(Enum):
    """What a driver knows of a guest after a restart of the zone."""

    RUNNING = "running"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class DiskSpec:
    """One disk with an image."""

    disk_id: int
    image_id: int
    image: Path
    """The image's file, which no driver changes unless the disk is persistent."""
    target: str
    """Device that OpenNebula named for it: vdb."""
    persistent: bool = False
    """Whether the image itself is the disk, and not a copy that the VM has from attaching to detaching."""
    readonly: bool = False


@dataclass(frozen=True, kw_only=True)
class GuestSpec:
    """What a driver needs to start one VM."""

    vm_id: int
    zone: str
    """Name of the zone, for marking processes."""
    uuid: str
    name: str
    folder: Path
    """The VM's own folder; the driver may write anything below it."""
    context: Mapping[str, str]
    """CONTEXT as OpenNebula would put it on the CONTEXT disk, keys upper case, in order."""
    token: str | None
    """Content of token.txt, where TOKEN="YES"."""
    address: str | None
    """First NIC's IPv4 address."""
    images: tuple[Path, ...]
    """Files of the VM's image disks, first disk first."""
    disks: tuple[DiskSpec, ...] = ()
    """The same disks in the same order, for drivers that give guests their disks one by one."""
    shares: Mapping[str, Path]
    """Guest path -> host folder."""
    firmware: str = ""
    """FIRMWARE of the template's OS: empty, BIOS, or what says UEFI; for drivers that start a machine."""
    root_mb: int | None = None
    """SIZE of the first image disk, MiB, for drivers whose disks can be larger than their image."""
    nics: tuple[NicSpec, ...] = ()
    """NICs with an address, for drivers with real networks."""
    memory_mb: int = 1024
    """MEMORY, for drivers that start a machine."""
    vcpus: int = 1
    """VCPU, or CPU rounded up."""


class DriverError(Exception):
    """The guest could not be started or stopped; the VM becomes BOOT_FAILURE with this text."""


class Driver(Protocol):
    """Starts, stops and finds guests. All methods are coroutines and idempotent."""

    name: str

    async def start(self, spec: GuestSpec, on_exit: Callable[[int], None]) -> None:
        """Start the guest; call `on_exit(vm_id)` when it ends by itself. Raises DriverError."""
        ...

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        """Stop the guest and everything it started; `hard` skips asking it first."""
        ...

    async def reattach(self, spec: GuestSpec, on_exit: Callable[[int], None]) -> GuestState:
        """Find the guest again after the zone was restarted."""
        ...

    async def renew_context(self, spec: GuestSpec) -> None:
        """Show a running guest the CONTEXT and the token of `spec` instead of what it was started with."""
        ...

    async def close(self) -> None:
        """Let go of guests without stopping them."""
        ...
