"""States of services, roles and VMs as OneFlow sees them, and what each allows, as tables. It changes nothing.

Numbers and names: OpenNebula 7.0 (the recordings show 0-4, 7, 8, 10 and 11). The VM states that count as failures and
the states that allow an action: OneFlow 7.0.1's behaviour.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class ServiceState(IntEnum):
    """`state` of a service document."""

    PENDING = 0
    DEPLOYING = 1
    RUNNING = 2
    UNDEPLOYING = 3
    WARNING = 4
    DONE = 5
    FAILED_UNDEPLOYING = 6
    FAILED_DEPLOYING = 7
    SCALING = 8
    FAILED_SCALING = 9
    COOLDOWN = 10
    DEPLOYING_NETS = 11
    UNDEPLOYING_NETS = 12
    FAILED_DEPLOYING_NETS = 13
    FAILED_UNDEPLOYING_NETS = 14
    HOLD = 15


class RoleState(IntEnum):
    """`state` of a role."""

    PENDING = 0
    DEPLOYING = 1
    RUNNING = 2
    UNDEPLOYING = 3
    WARNING = 4
    DONE = 5
    FAILED_UNDEPLOYING = 6
    FAILED_DEPLOYING = 7
    SCALING = 8
    FAILED_SCALING = 9
    COOLDOWN = 10
    HOLD = 11


TRANSIENT: Final = frozenset(
    {
        ServiceState.DEPLOYING,
        ServiceState.UNDEPLOYING,
        ServiceState.SCALING,
        ServiceState.COOLDOWN,
        ServiceState.DEPLOYING_NETS,
        ServiceState.UNDEPLOYING_NETS,
    }
)
"""States that pass by themselves."""

FAILED: Final = frozenset(
    {
        ServiceState.FAILED_DEPLOYING,
        ServiceState.FAILED_UNDEPLOYING,
        ServiceState.FAILED_SCALING,
        ServiceState.FAILED_DEPLOYING_NETS,
        ServiceState.FAILED_UNDEPLOYING_NETS,
    }
)
"""States that wait for `recover`."""

UNDEPLOYABLE: Final = frozenset(ServiceState) - TRANSIENT - FAILED - {ServiceState.DONE} | {ServiceState.UNDEPLOYING}
"""States in which DELETE is accepted."""

UPDATABLE: Final = frozenset(ServiceState) - TRANSIENT - FAILED
"""States in which the document may be changed."""

SCALABLE: Final = frozenset({ServiceState.RUNNING})
"""States in which a role may be scaled."""


class Recovery(Enum):
    """What `recover` does."""

    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    SCALE = "scale"
    DEPLOY_NETS = "deploy_nets"
    UNDEPLOY_NETS = "undeploy_nets"
    COOLDOWN = "cooldown"


RECOVERY: Final = {
    ServiceState.PENDING: Recovery.DEPLOY,
    ServiceState.DEPLOYING: Recovery.DEPLOY,
    ServiceState.FAILED_DEPLOYING: Recovery.DEPLOY,
    ServiceState.UNDEPLOYING: Recovery.UNDEPLOY,
    ServiceState.FAILED_UNDEPLOYING: Recovery.UNDEPLOY,
    ServiceState.SCALING: Recovery.SCALE,
    ServiceState.FAILED_SCALING: Recovery.SCALE,
    ServiceState.DEPLOYING_NETS: Recovery.DEPLOY_NETS,
    ServiceState.FAILED_DEPLOYING_NETS: Recovery.DEPLOY_NETS,
    ServiceState.UNDEPLOYING_NETS: Recovery.UNDEPLOY_NETS,
    ServiceState.FAILED_UNDEPLOYING_NETS: Recovery.UNDEPLOY_NETS,
    ServiceState.COOLDOWN: Recovery.COOLDOWN,
}
"""What `recover` means in a state; it is refused in any other."""


class Condition(Enum):
    """What a VM's STATE and LCM_STATE mean to a role that waits for it or watches it."""

    BUSY = "busy"
    RUNNING = "running"
    POWEROFF = "poweroff"
    PARKED = "parked"
    HELD = "held"
    UNKNOWN = "unknown"
    FAILED = "failed"
    GONE = "gone"


_BY_STATE: Final = {
    2: Condition.HELD,
    4: Condition.PARKED,
    5: Condition.PARKED,
    6: Condition.GONE,
    7: Condition.FAILED,
    8: Condition.POWEROFF,
    9: Condition.PARKED,
    11: Condition.FAILED,
}
_ACTIVE: Final = 3
_LCM_RUNNING: Final = 3
_LCM_UNKNOWN: Final = 16
LCM_FAILURES: Final = frozenset({36, 37, 38, 39, 40, 41, 42, 44, 46, 47, 48, 49, 50, 61})
"""LCM states of a VM that has failed: BOOT_FAILURE (36) to PROLOG_MIGRATE_UNKNOWN_FAILURE (61)."""

ALARMING: Final = frozenset({Condition.POWEROFF, Condition.UNKNOWN, Condition.FAILED})
"""What turns a running service into WARNING."""

SETTLED: Final = frozenset({Condition.RUNNING, Condition.POWEROFF, Condition.PARKED, Condition.GONE})
"""What ends the wait for a VM to come up: OneFlow takes a VM that somebody parked meanwhile as deployed."""


def condition_of(state: int, lcm_state: int) -> Condition:
    """The condition of a VM.

    Args:
        state: the VM's STATE.
        lcm_state: the VM's LCM_STATE.
    """
    if state != _ACTIVE:
        return _BY_STATE.get(state, Condition.BUSY)
    if lcm_state == _LCM_RUNNING:
        return Condition.RUNNING
    if lcm_state == _LCM_UNKNOWN:
        return Condition.UNKNOWN
    return Condition.FAILED if lcm_state in LCM_FAILURES else Condition.BUSY
