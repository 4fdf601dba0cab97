"""Brings a plan's provisions to the machine, in their order. Which they are is decided elsewhere; it starts no service.

What failed is tried again after a pause that grows, so that a server with the wrong file is not asked every second.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from flower_appliance.apply import owner_of
from flower_appliance.errors import Problem
from flower_appliance.fetch import fetch
from flower_appliance.install import install, pip_program
from flower_appliance.machine import Machine
from flower_appliance.provisions import Fetch, Install, Mount, Provision
from flower_appliance.services import Services
from flower_appliance.supervisor import Finished

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0


class Provisioning:
    """What has been brought to this machine, and when the next try is due.

    Args:
        services: Mounts, and runs programs.
        clock: Monotonic seconds.
    """

    def __init__(self, *, services: Services, clock: Callable[[], float]) -> None:
        self._services = services
        self._clock = clock
        self._stop = threading.Event()
        self._done: tuple[Provision, ...] | None = None
        self._failed: tuple[Provision, ...] | None = None
        self._problem: Problem | None = None
        self._due = 0.0
        self._pause_s = FIRST_PAUSE_S

    def stop(self) -> None:
        """End what is under way."""
        self._stop.set()

    def is_done(self, provisions: tuple[Provision, ...]) -> bool:
        """Whether all of it is there."""
        return not provisions or self._done == provisions

    async def bring(self, provisions: tuple[Provision, ...], machine: Machine) -> Problem | None:
        """Bring what is not there yet; the first problem, also while the next try is not due."""
        if self.is_done(provisions):
            return None
        if self._failed == provisions and self._clock() < self._due:
            return self._problem
        if self._failed != provisions:
            self._pause_s = FIRST_PAUSE_S
        for provision in provisions:
            problem = await self._one(provision, machine)
            if problem is not None:
                self._failed, self._problem = provisions, problem
                self._due = self._clock() + self._pause_s
                self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
                return problem
        self._done, self._failed, self._problem = provisions, None, None
        return None

    async def _one(self, provision: Provision, machine: Machine) -> Problem | None:
        match provision:
            case Mount():
                text = await self._services.mount(provision.unit)
                return not_mounted(provision, text) if text else None
            case Fetch():
                folder, owner = machine.path(provision.folder), owner_of(provision.user)
                return await asyncio.to_thread(fetch, provision, folder, owner=owner, stop=self._stop)
            case Install():
                loop = asyncio.get_running_loop()

                def run(argv: Sequence[str], folder: Path) -> Finished:
                    program = pip_program(argv, folder)
                    return asyncio.run_coroutine_threadsafe(self._services.run_once(program), loop).result()

                return await asyncio.to_thread(
                    install,
                    provision,
                    machine.path(provision.folder),
                    wheelhouse=machine.path(provision.wheelhouse) if provision.wheelhouse else None,
                    python=machine.bin_dir / "python",
                    owner=owner_of(provision.user),
                    run=run,
                )


def not_mounted(mount: Mount, text: str) -> Problem:
    """What to say of a mount that systemd could not make."""
    return Problem(
        given=f"{mount.subject} could not be mounted at {mount.where} ({text})",
        rule="it must be mounted",
        reason="without it this machine lacks what its zone gave it to work with",
        remedy="Attach the disk with that label, or let this VM reach the server and its export; it is tried again",
    )
