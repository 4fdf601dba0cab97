"""What services do by themselves: each round moves every service at most one state on. It answers no caller.

A round looks at the VMs of a service and does what OneFlow's event manager, watchdog and autoscaler do on theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from zonebox.errors import OneError
from zonebox.oneflow import roles as order
from zonebox.oneflow.deploy import deploy_role, deploy_roles, end_vms, release_roles, remove_roles
from zonebox.oneflow.elasticity import wish
from zonebox.oneflow.errors import BadRequest, RoleFailed
from zonebox.oneflow.lifecycle import SCALE_DOWN, Lifecycle
from zonebox.oneflow.networks import networks_up, remove_networks
from zonebox.oneflow.nodes import Outcome, came_up, condition, went_away
from zonebox.oneflow.service import FlowSettings, Role, Service
from zonebox.oneflow.states import ALARMING, TRANSIENT, Condition, RoleState, ServiceState
from zonebox.oneflow.templates import fill
from zonebox.oneflow.zone import ADMIN, SERVICE, FlowZone, now_s, vm_or_none
from zonebox.ports import Body

_LOG = logging.getLogger(__name__)
_BUSY_PAUSE_S: Final = 0.1
_IDLE_PAUSE_S: Final = 0.3


class Watchdog:
    """The rounds.

    Args:
        zone: the zone's ports.
        settings: defaults of the front-end.
    """

    def __init__(self, zone: FlowZone, settings: FlowSettings | None = None) -> None:
        self.zone = zone
        self.settings = settings or FlowSettings()
        self.lifecycle = Lifecycle(zone, self.settings)
        self._autoscaled_at = float("-inf")
        self._failures: dict[str, str] = {}
        self._handlers: dict[ServiceState, Callable[[Service], None]] = {
            ServiceState.PENDING: self._pending,
            ServiceState.DEPLOYING_NETS: self._deploying_nets,
            ServiceState.FAILED_DEPLOYING_NETS: self._deploying_nets,
            ServiceState.DEPLOYING: self._deploying,
            ServiceState.FAILED_DEPLOYING: self._deploying,
            ServiceState.HOLD: self._holding,
            ServiceState.RUNNING: self._watching,
            ServiceState.WARNING: self._watching,
            ServiceState.SCALING: self._scaling,
            ServiceState.FAILED_SCALING: self._scaling,
            ServiceState.COOLDOWN: self._cooling,
            ServiceState.UNDEPLOYING: self._undeploying,
            ServiceState.FAILED_UNDEPLOYING: self._undeploying,
            ServiceState.UNDEPLOYING_NETS: self._undeploying_nets,
            ServiceState.FAILED_UNDEPLOYING_NETS: self._undeploying_nets,
        }

    async def run(self) -> None:
        """Rounds without end, closer together while a service is on its way; ends when it is cancelled."""
        while True:
            try:
                busy = self.step()
            except Exception:
                # Services of a zone without a watchdog would hang for ever, and nobody would be told.
                _LOG.exception("a round of the services failed")
                busy = True
            await self.zone.clock.sleep(_BUSY_PAUSE_S if busy else _IDLE_PAUSE_S)

    def step(self) -> bool:
        """One round over all services.

        Returns:
            Whether a service is on its way from one state to another.
        """
        busy = False
        for document in self.zone.documents.list(ADMIN, SERVICE):
            try:
                service = Service(document, self.settings)
                busy = self._step(service) or busy
            except Exception as error:
                # Whoever may store documents can store one that is no service: the others go on.
                self._failed(document, error)
        now = self.zone.clock.now()
        if now - self._autoscaled_at >= self.settings.autoscaler_interval_s:
            self._autoscaled_at = now
            self._autoscale()
        return busy

    def _failed(self, document: Body, error: Exception) -> None:
        """Log a round of a service that failed; once, as long as it fails in the same way."""
        id_, words = str(document.get("ID")), f"{type(error).__name__}: {error}"
        if self._failures.get(id_) != words:
            self._failures[id_] = words
            _LOG.error("a round of service %s failed", id_, exc_info=error)

    def _step(self, service: Service) -> bool:
        """One round of a service; whether it is on its way from one state to another."""
        if service.state.name.startswith("FAILED") and service.note("recover") is None:
            return False
        self._perform_scheduled(service)
        handler = self._handlers.get(service.state)
        if handler is not None:
            handler(service)
        if service.state is not ServiceState.DONE:
            self.lifecycle.store(ADMIN, service)
        return service.state in TRANSIENT or service.note("recover") is not None

    def _now(self) -> int:
        return now_s(self.zone)

    def _vms(self, vm_ids: list[int]) -> dict[int, Body | None]:
        return {vm_id: vm_or_none(self.zone, vm_id) for vm_id in vm_ids}

    def _enter(self, service: Service, state: ServiceState) -> None:
        service.set_state(state, self._now())
        service.forget_private("recover")

    def _pending(self, service: Service) -> None:
        self.lifecycle.start(service, service.owner)

    def _deploying_nets(self, service: Service) -> None:
        outcome = networks_up(self.zone, service)
        if outcome is Outcome.FAILED:
            self._enter(service, ServiceState.FAILED_DEPLOYING_NETS)
        if outcome is not Outcome.REACHED:
            return
        try:
            fill(service.body)
        except BadRequest as error:
            service.log("E", str(error), self._now())
            self._enter(service, ServiceState.FAILED_DEPLOYING)
            return
        ready = order.deployable(service)
        if not ready:
            # With roles that wait for a parent that does not exist, OneFlow stays here, too.
            if order.all_in(service, RoleState.RUNNING):
                self._enter(service, ServiceState.RUNNING)
            return
        if self._deploy(service, ready):
            self._enter(service, ServiceState.HOLD if service.on_hold else ServiceState.DEPLOYING)

    def _deploy(self, service: Service, roles: list[Role]) -> bool:
        """Make the VMs of roles; False where that failed, and the service has failed with it."""
        try:
            deploy_roles(
                self.zone,
                service,
                roles,
                service.owner,
                success=RoleState.DEPLOYING,
                failure=RoleState.FAILED_DEPLOYING,
            )
        except RoleFailed:
            self._enter(service, ServiceState.FAILED_DEPLOYING)
            return False
        return True

    def _deploying(self, service: Service) -> None:
        waiting = {RoleState.DEPLOYING, RoleState.FAILED_DEPLOYING}
        for role in [role for role in service.roles if role.state in waiting]:
            outcome = came_up(self._vms(role.node_ids).values(), ready_gate=service.ready_gate)
            if outcome is Outcome.FAILED:
                role.state = RoleState.FAILED_DEPLOYING
                self._enter(service, ServiceState.FAILED_DEPLOYING)
                return
            if outcome is Outcome.REACHED:
                role.state = RoleState.RUNNING
                if role.on_hold and service.straight and not self._release_children(service):
                    return
        if order.all_in(service, RoleState.RUNNING):
            self._enter(service, ServiceState.RUNNING)
        elif self._deploy(service, order.deployable(service)):
            self._hold_children(service)

    def _release_children(self, service: Service) -> bool:
        """Release what waited for a role that was released itself; False where that failed."""
        try:
            release_roles(self.zone, service, order.releasable(service), service.owner)
        except RoleFailed:
            self._enter(service, ServiceState.FAILED_DEPLOYING)
            return False
        return True

    def _holding(self, service: Service) -> None:
        self._hold_children(service)

    def _hold_children(self, service: Service) -> None:
        """Make the children of roles on hold, on hold themselves, once their parents' VMs are."""
        on_hold = [role for role in service.roles if role.state is RoleState.HOLD]
        vms = [vm for role in on_hold for vm in self._vms(role.node_ids).values()]
        if not on_hold or any(condition(vm) is not Condition.HELD for vm in vms):
            return
        if order.all_in(service, RoleState.HOLD):
            if service.state is not ServiceState.HOLD:
                self._enter(service, ServiceState.HOLD)
        elif service.straight:
            self._deploy(service, order.holdable(service))

    def _watching(self, service: Service) -> None:
        for role in service.roles:
            vms = self._vms(role.node_ids)
            for vm_id, vm in vms.items():
                if condition(vm) is Condition.GONE:
                    if role.cardinality > 0:
                        service.set_cardinality(role, role.cardinality - 1, self._now())
                    role.drop_nodes([vm_id])
            states = [condition(vm) for vm in vms.values() if condition(vm) is not Condition.GONE]
            if any(state in ALARMING for state in states):
                if service.state is not ServiceState.WARNING:
                    service.set_state(ServiceState.WARNING, self._now())
                role.state = RoleState.WARNING
            elif all(state is Condition.RUNNING for state in states):
                role.state = RoleState.RUNNING
        if order.all_in(service, RoleState.RUNNING) and service.state is not ServiceState.RUNNING:
            service.set_state(ServiceState.RUNNING, self._now())
        if service.body.get("automatic_deletion") and not any(role.nodes for role in service.roles):
            self._start_undeploying(service)

    def _start_undeploying(self, service: Service) -> None:
        try:
            remove_roles(self.zone, service, order.removable(service), service.owner)
        except RoleFailed:
            self._enter(service, ServiceState.FAILED_UNDEPLOYING)
            return
        self._enter(service, ServiceState.UNDEPLOYING)

    def _scaling(self, service: Service) -> None:
        waiting = {RoleState.SCALING, RoleState.FAILED_SCALING}
        for role in [role for role in service.roles if role.state in waiting]:
            gone: list[int] = []
            if role.body.get("scale_way") == SCALE_DOWN:
                outcome, gone = self._going(service, role, role.surplus_ids)
            elif not self._complete(service, role):
                return
            else:
                outcome = came_up(self._vms(role.node_ids).values(), ready_gate=service.ready_gate)
            if outcome is Outcome.FAILED:
                role.drop_nodes(gone)
                role.state = RoleState.FAILED_SCALING
                self._enter(service, ServiceState.FAILED_SCALING)
            elif outcome is Outcome.REACHED:
                role.drop_nodes(gone)
                role.body.pop("scale_way", None)
                role.state = RoleState.COOLDOWN
                self._enter(service, ServiceState.COOLDOWN)

    def _going(self, service: Service, role: Role, vm_ids: list[int]) -> tuple[Outcome, list[int]]:
        """Whether VMs have ended; those that nobody asked to, as after a kill of the zone, are asked now."""
        vms = self._vms(vm_ids)
        unasked = [vm_id for vm_id, vm in vms.items() if condition(vm) in {Condition.RUNNING, Condition.HELD}]
        try:
            end_vms(self.zone, service, role, unasked, service.owner, recovering=False)
        except RoleFailed:
            return Outcome.FAILED, [vm_id for vm_id, vm in vms.items() if condition(vm) is Condition.GONE]
        return went_away(vms)

    def _complete(self, service: Service, role: Role) -> bool:
        """Make the VMs that a growing role still lacks, as after a kill of the zone; False where that failed."""
        try:
            deploy_role(self.zone, service, role, service.owner)
        except RoleFailed:
            role.state = RoleState.FAILED_SCALING
            self._enter(service, ServiceState.FAILED_SCALING)
            return False
        return True

    def _cooling(self, service: Service) -> None:
        cooling = [role for role in service.roles if role.state is RoleState.COOLDOWN]
        if self._now() < service.state_since_s() + max((role.cooldown_s for role in cooling), default=0):
            return
        for role in cooling:
            role.state = RoleState.RUNNING
        self._enter(service, ServiceState.RUNNING)

    def _undeploying(self, service: Service) -> None:
        waiting = {RoleState.UNDEPLOYING, RoleState.FAILED_UNDEPLOYING}
        for role in [role for role in service.roles if role.state in waiting]:
            outcome, gone = self._going(service, role, role.node_ids)
            if outcome is Outcome.FAILED:
                role.drop_nodes(gone)
                role.state = RoleState.FAILED_UNDEPLOYING
                self._enter(service, ServiceState.FAILED_UNDEPLOYING)
                return
            if outcome is Outcome.REACHED:
                role.drop_nodes(gone)
                role.state = RoleState.DONE
        removed = service.note("remove")
        if removed is not None:
            self._role_removed(service, str(removed))
        elif order.all_in(service, RoleState.DONE):
            self._enter(service, ServiceState.UNDEPLOYING_NETS)
        else:
            try:
                remove_roles(self.zone, service, order.removable(service), service.owner)
            except RoleFailed:
                self._enter(service, ServiceState.FAILED_UNDEPLOYING)

    def _role_removed(self, service: Service, name: str) -> None:
        role = service.role(name)
        if role is not None and role.state is not RoleState.DONE:
            return
        service.forget_private("remove")
        service.body["roles"] = [body for body in service.body["roles"] if body["name"] != name]
        self._enter(service, ServiceState.RUNNING if service.body["roles"] else ServiceState.UNDEPLOYING_NETS)

    def _undeploying_nets(self, service: Service) -> None:
        if remove_networks(self.zone, service, service.owner):
            self.zone.documents.delete(ADMIN, service.id)
            service.body["state"] = int(ServiceState.DONE)
        else:
            self._enter(service, ServiceState.FAILED_UNDEPLOYING_NETS)

    def _perform_scheduled(self, service: Service) -> None:
        """Do the actions on VMs that are due."""
        queue = service.note("actions") or []
        due = [item for item in queue if item["due"] <= self._now()]
        for item in due:
            try:
                self.zone.machines.action(service.owner, int(item["vm"]), str(item["action"]))
            except OneError as error:
                service.log("E", f"Action {item['action']} failed for VM {item['vm']}; {error.text}", self._now())
        if due:
            service.private["actions"] = [item for item in queue if item not in due]
            if not service.private["actions"]:
                service.forget_private("actions")

    def _autoscale(self) -> None:
        """Look at the policies of every running service; at most one role of a service is scaled at a time."""
        for document in self.zone.documents.list(ADMIN, SERVICE):
            try:
                self._autoscale_one(Service(document, self.settings))
            except Exception as error:
                self._failed(document, error)

    def _autoscale_one(self, service: Service) -> None:
        if service.state is not ServiceState.RUNNING:
            return
        for role in service.roles:
            vms = [vm for vm in self._vms(role.node_ids).values() if vm is not None]
            wanted = wish(role, vms, self._now())
            if wanted.difference and wanted.cooldown_s is not None:
                role.body["cooldown"] = wanted.cooldown_s
            self.lifecycle.store(ADMIN, service)
            if wanted.difference:
                self.lifecycle.automatic_scale(service, role, role.cardinality + wanted.difference)
                return
