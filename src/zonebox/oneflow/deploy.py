"""Making and ending the VMs of roles, on hold too. It waits for nothing: `watchdog` looks at what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec

from zonebox.errors import OneError
from zonebox.oneflow import roles as order
from zonebox.oneflow.errors import RoleFailed, oned_text
from zonebox.oneflow.nodes import condition
from zonebox.oneflow.service import Role, Service
from zonebox.oneflow.states import Condition, RoleState
from zonebox.oneflow.substitution import substitute
from zonebox.oneflow.templates import deep_merge
from zonebox.oneflow.zone import ADMIN, FlowZone, now_s, template_of, together, vm_or_none
from zonebox.ports import Body, Caller

P = ParamSpec("P")
RETRY: Final = 2
"""one.vm.recover: retry."""

DELETE: Final = 3
"""one.vm.recover: delete."""


def vm_name(service: Service, role: Role, number: int) -> str:
    """The name of a role's VM, as the recorded front-end builds it."""
    return f"{role.name}_{number}_(service_{service.id})"


def extra_template(service: Service, role: Role, template: Body, vm_of: Callable[[int], Body | None]) -> Body:
    """What a role adds to its VM template: its contents with references resolved, and the service's marks.

    Sections that both have are merged, arrays are replaced: CONTEXT keeps what the template has in it.

    Args:
        service: the service.
        role: the role.
        template: the VM template.
        vm_of: gives a VM by id, or None.
    """

    def nodes_of(name: str) -> Iterable[Body] | None:
        parent = service.role(name) if name in role.parents else None
        return None if parent is None else (vm for id_ in parent.node_ids if (vm := vm_of(id_)) is not None)

    contents: Body = _texts(substitute(role.body.get("template_contents") or {}, nodes_of))
    merged = {
        key: deep_merge(template[key], value) if _sections(template.get(key), value) else value
        for key, value in contents.items()
    }
    return {**merged, "SERVICE_ID": str(service.id), "ROLE_NAME": role.name}


def _sections(*values: object) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def _texts(value: Any) -> Any:
    """The same tree with text leaves, as a template in text syntax would carry them."""
    if isinstance(value, Mapping):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def deploy_role(zone: FlowZone, service: Service, role: Role, caller: Caller) -> list[int]:
    """Make the VMs that a role lacks; their ids.

    Raises:
        RoleFailed: oned refused one; those made before it stay with the role, and the service's log has oned's text.
    """
    made: list[int] = []
    missing = role.cardinality - len(role.nodes)
    if missing <= 0:
        return made
    role.body.setdefault("last_vmname", 0)
    template_id = int(role.body["template_id"])
    template = template_of(zone, caller, template_id)
    extra = extra_template(service, role, template, lambda vm_id: vm_or_none(zone, vm_id))
    for _ in range(missing):
        name = vm_name(service, role, role.take_vm_number())
        try:
            with together(zone):
                vm_id = zone.machines.instantiate(caller, template_id, name, extra_template=extra, on_hold=role.on_hold)
                role.add_node(zone.machines.info(vm_id))
                zone.documents.update(ADMIN, service.id, service.body)
        except OneError as error:
            text = oned_text("one.template.instantiate", error)
            message = f"Role {role.name} : Instantiate failed for template {template_id}; {text}"
            service.log("E", message, now_s(zone))
            raise RoleFailed(message) from error
        made.append(vm_id)
    return made


def deploy_roles(
    zone: FlowZone,
    service: Service,
    roles: Iterable[Role],
    caller: Caller,
    *,
    success: RoleState,
    failure: RoleState,
) -> None:
    """Make the VMs of several roles and set the roles' states; a role on hold gets HOLD.

    Raises:
        RoleFailed: at the first role that failed, which is in state `failure` then.
    """
    for role in roles:
        pending = role.state is RoleState.PENDING
        if pending and (service.on_hold or order.parent_on_hold(service, role)):
            role.on_hold = True
        try:
            deploy_role(zone, service, role, caller)
        except RoleFailed:
            role.state = failure
            raise
        role.state = RoleState.HOLD if role.on_hold and pending else success


def shutdown_action(service: Service, role: Role) -> str:
    """`terminate` or `terminate-hard`: what the role says, else the service, else the front-end."""
    action = role.body.get("shutdown_action") or service.body.get("shutdown_action")
    return str(action or service.settings.shutdown_action)


def end_vms(
    zone: FlowZone, service: Service, role: Role, vm_ids: Iterable[int], caller: Caller, *, recovering: bool
) -> None:
    """Terminate VMs of a role; a VM that refuses is terminated hard, then deleted.

    Args:
        zone: the zone.
        service: the service, for its log.
        role: the role.
        vm_ids: which of its VMs.
        caller: on whose behalf.
        recovering: whether failed VMs are to be retried instead.

    Raises:
        RoleFailed: a VM refused all of it.
    """
    hard = shutdown_action(service, role) in {"terminate-hard", "shutdown-hard"}
    refused: list[int] = []
    for vm_id in vm_ids:
        state = condition(vm_or_none(zone, vm_id))
        if state is Condition.GONE:
            continue
        if recovering and state is Condition.FAILED and _try(zone.machines.recover, caller, vm_id, RETRY) is None:
            continue
        if not _end_vm(zone, service, role, vm_id, caller, hard=hard):
            refused.append(vm_id)
    if refused:
        raise RoleFailed(f"Error undeploying nodes for role `{role.name}`")


def _end_vm(zone: FlowZone, service: Service, role: Role, vm_id: int, caller: Caller, *, hard: bool) -> bool:
    action = "terminate-hard" if hard else "terminate"
    error = _try(zone.machines.action, caller, vm_id, action)
    if error is None:
        return True
    text = oned_text("one.vm.action", error)
    service.log("E", f"Role {role.name} : Terminate failed for VM {vm_id}, will perform a Delete; {text}", now_s(zone))
    if not hard and _try(zone.machines.action, caller, vm_id, "terminate-hard") is None:
        return True
    error = _try(zone.machines.recover, caller, vm_id, DELETE)
    if error is None:
        return True
    text = oned_text("one.vm.recover", error)
    service.log("E", f"Role {role.name} : Delete failed for VM {vm_id}; {text}", now_s(zone))
    return False


def remove_roles(zone: FlowZone, service: Service, roles: Iterable[Role], caller: Caller) -> None:
    """End all VMs of several roles, which become UNDEPLOYING.

    Raises:
        RoleFailed: at the first role that failed, which is FAILED_UNDEPLOYING then.
    """
    for role in roles:
        role.state = RoleState.UNDEPLOYING
        try:
            end_vms(zone, service, role, role.node_ids, caller, recovering=False)
        except RoleFailed:
            role.state = RoleState.FAILED_UNDEPLOYING
            raise


def release_roles(zone: FlowZone, service: Service, roles: Iterable[Role], caller: Caller) -> None:
    """Let the VMs of roles on hold go on; the roles become DEPLOYING.

    Raises:
        RoleFailed: at the first role whose VMs could not all be released.
    """
    for role in roles:
        failed = False
        for vm_id in role.node_ids:
            error = _try(zone.machines.action, caller, vm_id, "release")
            if error is not None:
                failed = True
                text = oned_text("one.vm.action", error)
                service.log("E", f"Role {role.name}: Release failed for VM {vm_id}, {text}", now_s(zone))
        if failed:
            role.state = RoleState.FAILED_DEPLOYING
            raise RoleFailed(f"Error releasing role {role.name}")
        role.state = RoleState.DEPLOYING


def retry_role(zone: FlowZone, service: Service, role: Role, caller: Caller) -> None:
    """Recover a role's VMs: retry failed ones, resume parked ones, make missing ones.

    Raises:
        RoleFailed: a VM that is missing could not be made.
    """
    for vm_id in role.node_ids:
        state = condition(vm_or_none(zone, vm_id))
        if state is Condition.FAILED:
            error = _try(zone.machines.recover, caller, vm_id, RETRY)
            if error is not None:
                text = oned_text("one.vm.recover", error)
                service.log("E", f"Role {role.name} : Retry failed for VM {vm_id}; {text}", now_s(zone))
        elif state in {Condition.POWEROFF, Condition.PARKED}:
            _try(zone.machines.action, caller, vm_id, "resume")
    deploy_role(zone, service, role, caller)


def _try(call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> OneError | None:
    """Make a call; oned's refusal, or None."""
    try:
        call(*args, **kwargs)
    except OneError as error:
        return error
    return None
