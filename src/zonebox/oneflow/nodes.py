"""What became of the VMs that a role waits for: facts of VMs turned into one outcome. It asks and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from zonebox.oneflow.states import SETTLED, Condition, condition_of
from zonebox.ports import Body


class Outcome(Enum):
    """The end of a wait, or none yet."""

    WAITING = "waiting"
    REACHED = "reached"
    FAILED = "failed"


def condition(vm: Body | None) -> Condition:
    """The condition of a VM; one that oned does not know is gone."""
    if vm is None:
        return Condition.GONE
    return condition_of(int(vm.get("STATE", 0)), int(vm.get("LCM_STATE", 0)))


def says_ready(vm: Body | None) -> bool:
    """Whether the VM published READY=YES about itself."""
    user_template = (vm or {}).get("USER_TEMPLATE") or {}
    return str(user_template.get("READY", "")).strip() == "YES"


def came_up(vms: Iterable[Body | None], *, ready_gate: bool) -> Outcome:
    """Whether VMs are deployed.

    Args:
        vms: the VMs waited for, None for one that oned does not know.
        ready_gate: whether a running VM must also say READY=YES.
    """
    outcome = Outcome.REACHED
    for vm in vms:
        state = condition(vm)
        if ready_gate and says_ready(vm):
            continue
        if state is Condition.FAILED:
            return Outcome.FAILED
        waits = state is Condition.RUNNING if ready_gate else False
        if waits or state not in SETTLED:
            outcome = Outcome.WAITING
    return outcome


def went_away(vms: Mapping[int, Body | None]) -> tuple[Outcome, list[int]]:
    """Whether VMs have ended, and which have.

    Args:
        vms: the VMs waited for by id.
    """
    gone = [vm_id for vm_id, vm in vms.items() if condition(vm) is Condition.GONE]
    if any(condition(vm) is Condition.FAILED for vm in vms.values()):
        return Outcome.FAILED, gone
    return (Outcome.REACHED if len(gone) == len(vms) else Outcome.WAITING), gone
