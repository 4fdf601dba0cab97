"""A driver without guests: VMs run in memory only, at once, thousands of them. They die with it."""

from __future__ import annotations

from collections.abc import Callable

from zonebox.drivers.base import DriverError, GuestSpec, GuestState


class FakeDriver:
    """Starts nothing and says that it runs.

    Attributes:
        refusals: name of a VM -> reason that `start` gives as DriverError; tests fill it.
        started: specifications of what runs, by VM id; tests read it.
        frozen: ids of guests that are frozen; tests read it.
    """

    name = "fake"

    def __init__(self) -> None:
        self.refusals: dict[str, str] = {}
        self.started: dict[int, GuestSpec] = {}
        self.frozen: set[int] = set()
        self._exits: dict[int, Callable[[int], None]] = {}

    async def start(self, spec: GuestSpec, on_exit: Callable[[int], None]) -> None:
        """Note that the guest runs. Raises DriverError where `refusals` says so."""
        if spec.name in self.refusals:
            raise DriverError(self.refusals[spec.name])
        self.started[spec.vm_id] = spec
        self._exits[spec.vm_id] = on_exit

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        """Note that the guest runs no longer."""
        self.started.pop(vm_id, None)
        self._exits.pop(vm_id, None)

    async def reattach(self, spec: GuestSpec, on_exit: Callable[[int], None]) -> GuestState:
        """A guest in memory is as good as found: it is noted again, so that a restart loses no VM."""
        self.started[spec.vm_id] = spec
        self._exits[spec.vm_id] = on_exit
        return GuestState.RUNNING

    async def renew_context(self, spec: GuestSpec) -> None:
        """Note what the guest is shown."""
        if spec.vm_id in self.started:
            self.started[spec.vm_id] = spec

    async def close(self) -> None:
        """Forget everything."""
        self.started.clear()
        self._exits.clear()

    def exit(self, vm_id: int) -> None:
        """Make a guest end by itself."""
        self.started.pop(vm_id, None)
        self._exits.pop(vm_id)(vm_id)

    def kill(self, vm_id: int) -> None:
        """End a guest as a crash would. For fault injection."""
        self.frozen.discard(vm_id)
        self.exit(vm_id)

    def freeze(self, vm_id: int) -> None:
        """Note that a guest is frozen. For fault injection."""
        self.frozen.add(vm_id)

    def thaw(self, vm_id: int) -> None:
        """Note that a guest goes on. For fault injection."""
        self.frozen.discard(vm_id)
