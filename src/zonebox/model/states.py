"""States of a VM and which action is allowed in which, as tables. It changes nothing.

Names and numbers: VmState and LcmState of OpenNebula 7.0 (as in pyone); which action is allowed where: OpenNebula's
"Virtual machine states reference", checked against the recorded refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from zonebox.errors import ActionRefused
from zonebox.trees import Tree


class Vm(IntEnum):
    """STATE."""

    INIT = 0
    PENDING = 1
    HOLD = 2
    ACTIVE = 3
    STOPPED = 4
    SUSPENDED = 5
    DONE = 6
    POWEROFF = 8
    UNDEPLOYED = 9
    CLONING = 10
    CLONING_FAILURE = 11


class Lcm(IntEnum):
    """LCM_STATE of an ACTIVE VM, as far as zonebox has them."""

    LCM_INIT = 0
    PROLOG = 1
    BOOT = 2
    RUNNING = 3
    SAVE_STOP = 5
    SAVE_SUSPEND = 6
    PROLOG_RESUME = 9
    EPILOG = 11
    SHUTDOWN = 12
    UNKNOWN = 16
    HOTPLUG = 17
    SHUTDOWN_POWEROFF = 18
    BOOT_POWEROFF = 20
    BOOT_SUSPENDED = 21
    BOOT_STOPPED = 22
    CLEANUP_DELETE = 23
    HOTPLUG_NIC = 25
    SHUTDOWN_UNDEPLOY = 29
    BOOT_UNDEPLOY = 32
    BOOT_FAILURE = 36
    PROLOG_FAILURE = 39
    DISK_RESIZE = 62


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an action does first, and where it ends.

    `job` is what the executor has to do in between: "stop", "stop-hard", "boot", "reboot", "reboot-hard", or "" for
    nothing.
    """

    lcm: Lcm = Lcm.LCM_INIT
    job: str = ""
    ends: Vm = Vm.ACTIVE
    keeps_host: bool = True
    history_action: int = 0


UNDER_WAY: dict[Vm, frozenset[str]] = {
    Vm.DONE: frozenset({"SHUTDOWN", "CLEANUP_DELETE"}),
    Vm.PENDING: frozenset({"CLEANUP_DELETE"}),
    Vm.POWEROFF: frozenset({"SHUTDOWN_POWEROFF"}),
    Vm.SUSPENDED: frozenset({"SAVE_SUSPEND"}),
    Vm.STOPPED: frozenset({"SAVE_STOP"}),
    Vm.UNDEPLOYED: frozenset({"SHUTDOWN_UNDEPLOY"}),
}
"""Where a VM is on its way to: the states in which stopping its guest leads there."""
RUNNING = ("RUNNING",)
HOTPLUGGED = frozenset({"HOTPLUG", "HOTPLUG_NIC", "DISK_RESIZE"})
"""States of a VM that runs while its devices or its CONTEXT change; they pass by themselves."""
_STARTABLE = ("POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED", "UNKNOWN")
_NOT_PLACED = ("PENDING", "HOLD", "STOPPED", "UNDEPLOYED", "CLONING", "CLONING_FAILURE")
_ON_HOST = ("RUNNING", "UNKNOWN", "POWEROFF", "SUSPENDED", "BOOT_FAILURE", "PROLOG_FAILURE")

# Action -> (states it is allowed in, step). History action numbers: pyone.HISTORY_ACTION.
ACTIONS: dict[str, tuple[tuple[str, ...], Step]] = {
    "hold": (("PENDING",), Step(ends=Vm.HOLD, history_action=7)),
    "release": (("HOLD",), Step(ends=Vm.PENDING, history_action=8)),
    "stop": (
        ("RUNNING", "SUSPENDED"),
        Step(lcm=Lcm.SAVE_STOP, job="stop", ends=Vm.STOPPED, keeps_host=False, history_action=9),
    ),
    "suspend": (RUNNING, Step(lcm=Lcm.SAVE_SUSPEND, job="stop", ends=Vm.SUSPENDED, history_action=10)),
    "resume": (_STARTABLE, Step(lcm=Lcm.BOOT_POWEROFF, job="boot", history_action=11)),
    "reboot": (RUNNING, Step(lcm=Lcm.RUNNING, job="reboot", history_action=15)),
    "reboot-hard": (RUNNING, Step(lcm=Lcm.RUNNING, job="reboot-hard", history_action=16)),
    "resched": (("RUNNING", "POWEROFF"), Step(history_action=17)),
    "unresched": (("RUNNING", "POWEROFF"), Step(history_action=18)),
    "poweroff": (
        ("RUNNING", "SUSPENDED", "UNKNOWN"),
        Step(lcm=Lcm.SHUTDOWN_POWEROFF, job="stop", ends=Vm.POWEROFF, history_action=19),
    ),
    "poweroff-hard": (
        ("RUNNING", "SUSPENDED", "UNKNOWN", "SHUTDOWN_POWEROFF"),
        Step(lcm=Lcm.SHUTDOWN_POWEROFF, job="stop-hard", ends=Vm.POWEROFF, history_action=20),
    ),
    "undeploy": (
        ("RUNNING", "POWEROFF", "UNKNOWN"),
        Step(lcm=Lcm.SHUTDOWN_UNDEPLOY, job="stop", ends=Vm.UNDEPLOYED, keeps_host=False, history_action=5),
    ),
    "undeploy-hard": (
        ("RUNNING", "POWEROFF", "UNKNOWN", "SHUTDOWN_UNDEPLOY"),
        Step(lcm=Lcm.SHUTDOWN_UNDEPLOY, job="stop-hard", ends=Vm.UNDEPLOYED, keeps_host=False, history_action=6),
    ),
    "terminate": (
        (*_ON_HOST, *_NOT_PLACED),
        Step(lcm=Lcm.SHUTDOWN, job="stop", ends=Vm.DONE, keeps_host=False, history_action=27),
    ),
    "terminate-hard": (
        (*_ON_HOST, *_NOT_PLACED, "SHUTDOWN", "SHUTDOWN_POWEROFF", "SHUTDOWN_UNDEPLOY"),
        Step(lcm=Lcm.SHUTDOWN, job="stop-hard", ends=Vm.DONE, keeps_host=False, history_action=28),
    ),
}


def state_name(vm: Tree) -> str:
    """The name that oned's refusals use: the LCM state of an ACTIVE VM, otherwise its state."""
    state, lcm = int(vm["STATE"]), int(vm["LCM_STATE"])
    if state != Vm.ACTIVE:
        return Vm(state).name
    try:
        return Lcm(lcm).name
    except ValueError:
        return str(lcm)


def step_for(vm: Tree, action: str) -> Step:
    """The step of an action in a VM's state. Raises ActionRefused with oned's text."""
    if action not in ACTIONS:
        raise ActionRefused(f'Error performing action "{action}": This action is not supported')
    allowed, step = ACTIONS[action]
    refuse_unless(vm, action, allowed)
    return step


def refuse_unless(vm: Tree, action: str, allowed: tuple[str, ...]) -> None:
    """Raise ActionRefused unless a VM is in one of the named states."""
    name = state_name(vm)
    if name not in allowed:
        raise ActionRefused(f'Error performing action "{action}": This action is not available for state {name}')
