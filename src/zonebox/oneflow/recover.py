"""`recover` of a service: what each failed or stuck state tries again. It waits for nothing."""

from __future__ import annotations

from zonebox.oneflow.deploy import end_vms, retry_role
from zonebox.oneflow.errors import Refused, RoleFailed
from zonebox.oneflow.service import Role, Service
from zonebox.oneflow.states import RECOVERY, Recovery, RoleState, ServiceState
from zonebox.oneflow.zone import FlowZone, now_s
from zonebox.ports import Caller

_DEPLOYING = frozenset({RoleState.FAILED_DEPLOYING, RoleState.DEPLOYING})
_SCALING = frozenset({RoleState.FAILED_SCALING, RoleState.SCALING})
_UNDEPLOYING = frozenset({RoleState.FAILED_UNDEPLOYING, RoleState.UNDEPLOYING})


def recover(zone: FlowZone, service: Service, caller: Caller) -> None:
    """Try again what the service's state says has failed.

    The state stays until the retry has come to an end (recorded: 7, then 2), so a note in the document says that one
    is under way.

    Raises:
        Refused: nothing can be recovered in this state, or oned refused the retry.
    """
    recovery = RECOVERY.get(service.state)
    if recovery is None:
        raise Refused(f"Service cannot be recovered in state: {service.state.name}")
    if recovery is Recovery.COOLDOWN:
        service.set_state(ServiceState.RUNNING, now_s(zone))
        for role in service.roles:
            role.state = RoleState.RUNNING
        return
    service.private["recover"] = recovery.value
    if recovery is Recovery.DEPLOY:
        _recover_deploy(zone, service, caller)
    elif recovery is Recovery.SCALE:
        _recover_scale(zone, service, caller)
    elif recovery is Recovery.UNDEPLOY:
        _recover_undeploy(zone, service, caller)


def _recover_deploy(zone: FlowZone, service: Service, caller: Caller) -> None:
    running = {role.name for role in service.roles if role.state is RoleState.RUNNING}
    for role in service.roles:
        known = {parent for parent in role.parents if service.role(parent) is not None}
        if role.state in _DEPLOYING or (role.state is RoleState.PENDING and known <= running):
            _retry(zone, service, role, caller, RoleState.FAILED_DEPLOYING)
            if role.state is RoleState.PENDING:
                role.state = RoleState.DEPLOYING


def _recover_scale(zone: FlowZone, service: Service, caller: Caller) -> None:
    for role in service.roles:
        if role.state not in _SCALING:
            continue
        if role.body.get("scale_way") == 0:
            _retry(zone, service, role, service.owner, RoleState.FAILED_SCALING)
        else:
            end_vms(zone, service, role, role.surplus_ids, caller, recovering=True)


def _recover_undeploy(zone: FlowZone, service: Service, caller: Caller) -> None:
    for role in service.roles:
        if role.state in _UNDEPLOYING:
            end_vms(zone, service, role, role.node_ids, caller, recovering=True)


def _retry(zone: FlowZone, service: Service, role: Role, caller: Caller, failure: RoleState) -> None:
    try:
        retry_role(zone, service, role, caller)
    except RoleFailed:
        role.state = failure
        service.forget_private("recover")
        raise
