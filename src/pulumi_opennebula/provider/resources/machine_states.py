"""States of a VM: their names, and what each means to one who waits for it. Asks nothing of the cloud."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NoReturn

import pyone

from pulumi_opennebula.errors import FailedObjectError, NotRunningError
from pulumi_opennebula.provider.templates import text_at
from pulumi_opennebula.provider.waiting import Object

ACTIVE: Final = "ACTIVE"
HELD: Final = frozenset({"HOLD"})
OFF: Final = frozenset({"POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED"})
RESIZABLE: Final = frozenset({"POWEROFF", "UNDEPLOYED", "HOLD"})
"""States in which capacity changes without a stop (OpenNebula 7.0, one.vm.resize)."""

CHANGING: Final = frozenset(
    {"HOTPLUG", "HOTPLUG_NIC", "HOTPLUG_SNAPSHOT", "HOTPLUG_SAVEAS", "HOTPLUG_RESIZE", "DISK_RESIZE"}
)
"""LCM states of a VM that runs while its devices or its CONTEXT change; they pass by themselves."""

LOOKS_BEFORE_IT_STOPS: Final = 10
"""How often a VM may look as if nobody had asked it to stop, about 10 s: oned passes the request on to its life-cycle
manager, and a shutdown that fails at once is over between two looks."""


class Phase(Enum):
    """What a VM's state means to one who waits for it."""

    RUNNING = "running"
    HELD = "held"
    OFF = "off"
    FAILED = "failed"
    GONE = "gone"
    BUSY = "busy"
    """On its way to another state; UNKNOWN is among these, because the host may answer again."""


def phase_of(found: Object | None) -> Phase:
    """The phase of a VM; None is one that oned does not know."""
    name = state_of(found)
    if name in {"gone", "DONE"}:
        return Phase.GONE
    if name == "RUNNING":
        return Phase.RUNNING
    if name in HELD:
        return Phase.HELD
    if name in OFF:
        return Phase.OFF
    return Phase.FAILED if name == "FAILURE" or name.endswith("_FAILURE") else Phase.BUSY


def state_of(found: Object | None) -> str:
    """The state in OpenNebula's words: of an ACTIVE VM its LCM state."""
    if found is None:
        return "gone"
    state = _name(pyone.VM_STATE, text_at(found, "STATE"))
    return _name(pyone.LCM_STATE, text_at(found, "LCM_STATE")) if state == ACTIVE else state


def described(found: Object | None) -> str:
    """The state, and what the scheduler says of a VM that waits for a host."""
    message = text_at(found or {}, "USER_TEMPLATE", "SCHED_MESSAGE")
    return f"{state_of(found)} ({message})" if message and state_of(found) == "PENDING" else state_of(found)


def comes_up(progress: Callable[[str], None], *, held: bool) -> Callable[[Object | None], bool]:
    """Judge whether a new VM runs (or is on hold, where that is wanted), reporting each change of its state.

    Raises (when called):
        FailedObjectError: it ended in a failure, stopped by itself or is gone.
    """
    shown = _Shown(progress)

    def decide(found: Object | None) -> bool:
        shown.report(found)
        phase = phase_of(found)
        if phase in {Phase.FAILED, Phase.GONE, Phase.OFF}:
            raise FailedObjectError(
                f"VM {text_at(found or {}, 'NAME')!r} is {state_of(found)}",
                "it must get to HOLD" if held else "it must get to RUNNING",
                error_of(found),
                "Correct what the message names (image, network, host); the next `pulumi up` replaces the VM",
            )
        return phase is (Phase.HELD if held else Phase.RUNNING)

    return decide


def comes_to_rest(progress: Callable[[str], None], *names: str) -> Callable[[Object | None], bool]:
    """Judge whether a VM that exists is in a state in which it can be changed.

    Args:
        progress: Takes each change of the state.
        names: The states to wait for; RUNNING, on hold or off where none is given.

    Raises (when called):
        NotRunningError: it ended in a failure, or is gone.
    """
    shown, stopping = _Shown(progress), _Stopping()

    def decide(found: Object | None) -> bool:
        shown.report(found)
        phase = phase_of(found)
        if phase in {Phase.FAILED, Phase.GONE}:
            _not_running(found)
        if names and "RUNNING" not in names:
            stopping.look(found, "it must stop to be changed")
        if names:
            return state_of(found) in names
        return phase in {Phase.RUNNING, Phase.HELD, Phase.OFF}

    return decide


def goes(progress: Callable[[str], None]) -> Callable[[Object | None], bool]:
    """Judge whether a VM is terminated.

    Raises (when called):
        NotRunningError: it runs again after the guest was asked to stop, or it could not be cleaned up.
    """
    shown, stopping = _Shown(progress), _Stopping()

    def decide(found: Object | None) -> bool:
        shown.report(found)
        phase, name = phase_of(found), state_of(found)
        stopping.look(found, "it must be terminated")
        if name.startswith("EPILOG") and phase is Phase.FAILED:
            _not_running(found)
        return phase is Phase.GONE

    return decide


class _Stopping:
    """Notices a guest that was asked to stop and runs on."""

    def __init__(self) -> None:
        self._stopping = False
        self._looks = 0

    def look(self, found: Object | None, rule: str) -> None:
        """Look at the VM once more.

        Raises:
            NotRunningError: it runs again, or it never began to stop.
        """
        self._stopping = self._stopping or "SHUTDOWN" in state_of(found)
        if phase_of(found) is not Phase.RUNNING:
            return
        self._looks += 1
        if self._stopping or self._looks > LOOKS_BEFORE_IT_STOPS:
            error = text_at(found or {}, "USER_TEMPLATE", "ERROR")
            raise NotRunningError(
                f"VM {text_at(found or {}, 'NAME')!r} runs again",
                rule,
                f"the guest did not stop when it was asked to, and OpenNebula gave up{f' ({error})' if error else ''}",
                "Set hard_shutdown=True on the VM, run `pulumi up`, then go on",
            )


def error_of(found: Object | None) -> str:
    """What oned wrote about a VM's failure, or why there is nothing."""
    state = state_of(found)
    if state in {"gone", "DONE"}:
        return "somebody terminated it"
    error = text_at(found or {}, "USER_TEMPLATE", "ERROR")
    return error or ("the guest stopped by itself" if state in OFF else "oned gave no reason; the VM's log has it")


class _Shown:
    """Reports each change of a state once."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._last = ""

    def report(self, found: Object | None) -> None:
        line = f"VM {text_at(found or {}, 'NAME')}: {described(found)}"
        if line != self._last:
            self._last = line
            self._progress(line)


def _not_running(found: Object | None) -> NoReturn:
    raise NotRunningError(
        f"VM {text_at(found or {}, 'NAME')!r} is {state_of(found)}",
        "it must be in a state in which it can be changed",
        error_of(found),
        "Repair the cause; the next `pulumi up` tries to recover it. "
        "`pulumi up --replace URN` makes a new VM, and loses what its disks hold",
    )


def _name(states: type[pyone.VM_STATE] | type[pyone.LCM_STATE], number: str) -> str:
    try:
        return str(states(int(number)).name)
    except ValueError:
        return number or "of no state"
