"""What the appliance needs of whatever runs it and its services. Two answers exist: a process VM, and a machine of its
own with systemd. It holds no behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from flower_appliance.machine import Machine
from flower_appliance.planned import File, Plan
from flower_appliance.supervisor import Finished, Listener, Program, UnitStatus
from flower_appliance.unit import Unit


class Host(Protocol):
    """Where the appliance runs: `guest.Guest` or `machine_guest.MachineGuest`."""

    def machine(self, vm_name: str) -> Machine:
        """The facts that a plan needs."""
        ...

    def context_values(self) -> dict[str, str]:
        """Variables of the CONTEXT as it is now; raises ContextError or OSError."""
        ...

    def token(self) -> str:
        """The OneGate token; empty where the VM has none."""
        ...

    def base_environment(self) -> dict[str, str]:
        """What every service gets in its environment."""
        ...


class Services(Protocol):
    """What keeps services running: `supervisor.Supervisor`, or `systemd.Systemd`."""

    def begin(self) -> None:
        """Start watching; called once, in the event loop."""
        ...

    def set_log_level(self, level: str) -> None:
        """Level below which lines are not written to the logs."""
        ...

    async def reconcile(self, units: Sequence[Unit], *, changed: Sequence[str]) -> None:
        """Make exactly these units run: start new ones, restart the changed, stop those that are gone."""
        ...

    async def restart(self, name: str) -> None:
        """Stop a unit and start it again."""
        ...

    async def reload(self, name: str) -> bool:
        """Let a running unit take its changed files; False: it could not, and works with the old ones."""
        ...

    async def mount(self, name: str) -> str:
        """Bring a mount unit up as its file says; what went wrong, or nothing."""
        ...

    async def run_once(self, program: Program) -> Finished:
        """Run a program to its end; raises OSError or subprocess.SubprocessError where that fails."""
        ...

    async def stop(self) -> None:
        """The appliance ends."""
        ...

    def status(self, name: str) -> UnitStatus:
        """What is known of a unit."""
        ...

    def has_child(self, name: str, program: str) -> bool:
        """Whether a unit has a living process that runs `program`."""
        ...


MakeServices = Callable[[Path, Listener], Services]
"""From the folder of the logs and who is told what happens."""


def no_files(_: Plan) -> tuple[File, ...]:
    """A process VM's services are nowhere but in memory."""
    return ()
