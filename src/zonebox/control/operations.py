"""What the control API can do to a zone, beside faults. It decodes no requests."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from zonebox.clock import Clock
from zonebox.drivers.base import Driver
from zonebox.errors import ControlError, OneError
from zonebox.model.states import state_name
from zonebox.model.zone_model import Model

GUEST_ACTIONS = ("kill", "freeze", "thaw")
LONGEST_LEAP_S = 3_155_760_000
"""A hundred years of 365.25 days."""


@runtime_checkable
class _Moves(Protocol):
    async def advance(self, seconds: float) -> None: ...


def act_on_guest(model: Model, driver: Driver, vm_id: int, action: str) -> None:
    """Kill, freeze or thaw the guest of a running VM.

    Raises:
        ControlError: the VM does not run, or its driver has no such action.
    """
    try:
        vm = model.vms.peek(vm_id)
    except OneError as error:
        raise ControlError(
            f"VM {vm_id}", "it must exist", error.text, "Give the id of a VM that runs (`one.vmpool.info`)."
        ) from error
    if state_name(vm) != "RUNNING":
        raise ControlError(
            f"{action} of VM {vm_id}",
            "its guest must run",
            f"the VM is {state_name(vm)}",
            "Wait until it is RUNNING, or resume it.",
        )
    function = getattr(driver, action, None)
    if function is None:
        raise ControlError(
            f"{action} of VM {vm_id}",
            f"the zone's driver must be able to {action} guests",
            f"driver {driver.name} is not",
            "Start the zone with --driver process or --driver fake.",
        )
    function(vm_id)


def fill(model: Model, datastore_id: int, free_mb: int) -> None:
    """Leave a datastore that much room, in MiB.

    Raises:
        ControlError: there is no such datastore, or not that much room.
    """
    with model.store.transaction():
        model.datastores.fill(_known(model, datastore_id), 0)
        room = model.datastores.free_mb(datastore_id)
        if not 0 <= free_mb <= room:
            raise ControlError(
                f"{free_mb} MiB of datastore {datastore_id}",
                f"it must be 0 to {room}",
                "a datastore cannot get more room than it has",
                "Correct free_mb.",
            )
        model.datastores.fill(datastore_id, room - free_mb)


def empty(model: Model, datastore_id: int) -> None:
    """Take back what `fill` did. Raises ControlError: there is no such datastore."""
    with model.store.transaction():
        model.datastores.fill(_known(model, datastore_id), 0)


def _known(model: Model, datastore_id: int) -> int:
    if model.store.view("datastore", datastore_id) is None:
        ids = ", ".join(store["ID"] for store in model.datastores.everything())
        raise ControlError(
            f"datastore {datastore_id}", f"it must be one of {ids}", "the zone has no other", "Correct the number."
        )
    return datastore_id


async def advance(clock: Clock, seconds: float) -> None:
    """Move a zone's clock ahead.

    Raises:
        ControlError: time does not run backwards, nor for ever; or the clock cannot be moved.
    """
    if not 0 < seconds <= LONGEST_LEAP_S:
        raise ControlError(
            f"{seconds:g} s",
            f"it must be more than 0, and at most {LONGEST_LEAP_S} (a hundred years)",
            "time does not run backwards, and dates end somewhere",
            "Correct the number of seconds.",
        )
    if not isinstance(clock, _Moves):
        raise ControlError(
            f"clock {type(clock).__name__}",
            "it must be one that can be moved",
            "this zone was given the machine's own",
            "Make the zone with a LeapingClock or a ManualClock, or start it with --control.",
        )
    await clock.advance(seconds)
