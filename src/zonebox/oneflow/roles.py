"""Which roles may go next, by deployment strategy: pure selections over a service's roles. They change no state.

`straight` deploys a role when all its parents run and removes it when no other role needs it; `none` takes all at
once. Rules: OneFlow 7.0.1.
"""

from __future__ import annotations

from zonebox.oneflow.service import Role, Service
from zonebox.oneflow.states import RoleState

_LEAVING = frozenset({RoleState.UNDEPLOYING, RoleState.DONE, RoleState.FAILED_UNDEPLOYING})


def _names_in(service: Service, state: RoleState) -> set[str]:
    return {role.name for role in service.roles if role.state is state}


def _waiting_for(service: Service, waiting: RoleState, parents_in: RoleState) -> list[Role]:
    ready = _names_in(service, parents_in)
    return [role for role in service.roles if role.state is waiting and set(role.parents) <= ready]


def deployable(service: Service) -> list[Role]:
    """Roles whose VMs can be made now."""
    if service.straight:
        return _waiting_for(service, RoleState.PENDING, RoleState.RUNNING)
    return [role for role in service.roles if role.state in {RoleState.PENDING, RoleState.SCALING}]


def removable(service: Service) -> list[Role]:
    """Roles whose VMs can be ended now: children before parents."""
    candidates = [role for role in service.roles if role.state not in _LEAVING]
    if not service.straight:
        return candidates
    needed = {parent for role in service.roles if role.state is not RoleState.DONE for parent in role.parents}
    return [role for role in candidates if role.name not in needed]


def holdable(service: Service) -> list[Role]:
    """Roles that can be made on hold now."""
    if service.straight:
        return _waiting_for(service, RoleState.PENDING, RoleState.HOLD)
    return [role for role in service.roles if role.state is RoleState.PENDING]


def releasable(service: Service) -> list[Role]:
    """Roles on hold that can be released now."""
    if service.straight:
        return _waiting_for(service, RoleState.HOLD, RoleState.RUNNING)
    return [role for role in service.roles if role.state is RoleState.HOLD]


def parent_on_hold(service: Service, role: Role) -> bool:
    """Whether a parent of the role was made on hold: then the role is, too."""
    parents = set(role.parents)
    return any(other.on_hold for other in service.roles if other.name in parents)


def all_in(service: Service, state: RoleState) -> bool:
    """Whether every role is in this state; so also where there is none."""
    return all(role.state is state for role in service.roles)
