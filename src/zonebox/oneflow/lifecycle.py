"""What callers do with services: instantiate, scale, recover, release, delete, and the rest. It waits for nothing.

Each call reads the document, decides, acts on VMs and stores the document once. What follows from it later is
`watchdog`'s work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zonebox.errors import OneError
from zonebox.oneflow import roles as order
from zonebox.oneflow.deploy import deploy_role, deploy_roles, end_vms, release_roles, remove_roles
from zonebox.oneflow.errors import FlowError, NetworksFailed, Refused, RoleFailed, Unexpected
from zonebox.oneflow.networks import make_networks
from zonebox.oneflow.recover import recover
from zonebox.oneflow.scale import check_limits, read_force
from zonebox.oneflow.service import FlowSettings, Role, Service
from zonebox.oneflow.states import SCALABLE, UNDEPLOYABLE, UPDATABLE, RoleState, ServiceState
from zonebox.oneflow.templates import fill
from zonebox.oneflow.update import check_appended, check_replaced
from zonebox.oneflow.zone import SERVICE, FlowZone, now_s, read_document, together
from zonebox.ports import Body, Caller
from zonebox.trees import clone

SCALE_UP = 0
SCALE_DOWN = 1

ACTIONS = frozenset(
    {
        "terminate",
        "terminate-hard",
        "undeploy",
        "undeploy-hard",
        "hold",
        "release",
        "stop",
        "suspend",
        "resume",
        "reboot",
        "reboot-hard",
        "poweroff",
        "poweroff-hard",
        "snapshot-create",
        "snapshot-revert",
        "snapshot-delete",
        "disk-snapshot-create",
        "disk-snapshot-revert",
        "disk-snapshot-delete",
    }
)
"""Actions that can be scheduled on the VMs of a role (OneFlow 7.0.1)."""


class Lifecycle:
    """The services of a zone.

    Args:
        zone: the zone's ports.
        settings: defaults of the front-end.
    """

    def __init__(self, zone: FlowZone, settings: FlowSettings | None = None) -> None:
        self.zone = zone
        self.settings = settings or FlowSettings()

    def read(self, caller: Caller, service_id: int) -> Service:
        """A service.

        Raises:
            NotFound, NotAuthorized: from oned.
        """
        return Service(read_document(self.zone, caller, service_id, SERVICE), self.settings)

    def store(self, caller: Caller, service: Service) -> None:
        """Write the document where it changed."""
        if service.changed:
            self.zone.documents.update(caller, service.id, service.body)

    @contextmanager
    def _editing(self, caller: Caller, service_id: int) -> Iterator[Service]:
        """A service that is stored at the end, also where a role failed meanwhile; not where the call was refused."""
        service = self.read(caller, service_id)
        try:
            yield service
        except FlowError:
            raise
        except RoleFailed as error:
            self.store(caller, service)
            raise Refused(str(error)) from error
        self.store(caller, service)

    def instantiate(self, caller: Caller, body: Body) -> Body:
        """Make a service from a validated BODY and start its deployment.

        Returns:
            The document as it was when it was made (state PENDING), as OneFlow answers.
        """
        new = clone(body)
        new["state"] = int(ServiceState.PENDING)
        for role in new["roles"]:
            role.setdefault("state", int(RoleState.PENDING))
        new["start_time"] = now_s(self.zone)
        with together(self.zone):
            id_ = self.zone.documents.allocate(caller, SERVICE, str(new["name"]), new)
            document: Body = clone(read_document(self.zone, caller, id_, SERVICE))
        service = Service(document, self.settings)
        self.start(service, caller)
        self.store(caller, service)
        return document

    def start(self, service: Service, caller: Caller) -> None:
        """PENDING -> DEPLOYING_NETS, making the service's networks."""
        try:
            make_networks(self.zone, service, caller)
        except NetworksFailed:
            service.set_state(ServiceState.FAILED_DEPLOYING, now_s(self.zone))
            return
        service.set_state(ServiceState.DEPLOYING_NETS, now_s(self.zone))

    def scale(self, caller: Caller, service_id: int, role_name: str, cardinality: int, force: object) -> None:
        """Change how many VMs a role has.

        Args:
            caller: on whose behalf.
            service_id: the service.
            role_name: the role.
            cardinality: VMs wanted.
            force: True to pass the role's `min_vms` and `max_vms`; it must be there.

        Raises:
            Refused: state, role, limits, or nothing to change.
            Unexpected: `force` is missing.
        """
        with self._editing(caller, service_id) as service:
            if service.state not in SCALABLE:
                raise Refused(f"Service cannot be scaled in state: {service.state.name}")
            role = service.role(role_name)
            if role is None:
                raise Refused(f"Role {role_name} not found")
            if not read_force(cardinality, force):
                try:
                    check_limits(role, cardinality)
                except Refused as error:
                    raise Refused(f"Can't scale service {service_id}: {error}") from None
            if cardinality == role.cardinality:
                raise Refused(f"Cardinality of {role_name} is already at {cardinality}")
            self._scale(service, role, max(0, cardinality), caller)

    def _scale(self, service: Service, role: Role, cardinality: int, caller: Caller) -> None:
        grows = cardinality > role.cardinality
        service.set_cardinality(role, cardinality, now_s(self.zone))
        role.body["scale_way"] = SCALE_UP if grows else SCALE_DOWN
        # Before the first VM: should the zone be killed now, its next process goes on from here.
        service.set_state(ServiceState.SCALING, now_s(self.zone))
        role.state = RoleState.SCALING
        try:
            if grows:
                deploy_role(self.zone, service, role, service.owner)
            else:
                self.store(caller, service)
                end_vms(self.zone, service, role, role.surplus_ids, caller, recovering=False)
        except RoleFailed:
            role.state = RoleState.FAILED_SCALING
            service.set_state(ServiceState.FAILED_SCALING, now_s(self.zone))
            raise

    def undeploy(self, caller: Caller, service_id: int, *, anyway: bool = False) -> None:
        """End a service's VMs, children first; the document goes with the last of them.

        Args:
            caller: on whose behalf.
            service_id: the service.
            anyway: also in a state that forbids it (`recover` with `delete`).

        Raises:
            Refused: the state forbids it.
        """
        service = self.read(caller, service_id)
        if service.state not in UNDEPLOYABLE and not anyway:
            raise Refused(f"Service cannot be undeployed in state: {service.state.name}")
        service.forget_private("recover", "remove", "actions")
        for role in service.roles:
            if anyway and role.state is RoleState.FAILED_UNDEPLOYING:
                # Its VMs are asked to end once more.
                role.state = RoleState.WARNING
        candidates = order.removable(service)
        if order.all_in(service, RoleState.DONE):
            # Only its networks are left, which the next round removes.
            service.set_state(ServiceState.UNDEPLOYING_NETS, now_s(self.zone))
            self.store(caller, service)
            return
        if not candidates and not any(role.state is RoleState.UNDEPLOYING for role in service.roles):
            # Roles that are each other's parents: none could go first.
            candidates = [role for role in service.roles if role.state is not RoleState.DONE]
        service.set_state(ServiceState.UNDEPLOYING, now_s(self.zone))
        self.store(caller, service)
        try:
            remove_roles(self.zone, service, candidates, caller)
        except RoleFailed as error:
            service.set_state(ServiceState.FAILED_UNDEPLOYING, now_s(self.zone))
            raise Refused(str(error)) from error
        finally:
            self.store(caller, service)

    def recover(self, caller: Caller, service_id: int, *, delete: bool = False) -> None:
        """Try again what failed, or with `delete` end the service whatever its state.

        Raises:
            Refused: there is nothing to recover in this state.
        """
        if delete:
            self.undeploy(caller, service_id, anyway=True)
            return
        with self._editing(caller, service_id) as service:
            recover(self.zone, service, caller)

    def release(self, caller: Caller, service_id: int) -> None:
        """Let the VMs of roles on hold go on.

        Raises:
            Refused: no role is on hold.
        """
        with self._editing(caller, service_id) as service:
            releasable = order.releasable(service)
            if not releasable:
                raise Refused("Service has no roles in HOLD")
            state = ServiceState.DEPLOYING
            try:
                release_roles(self.zone, service, releasable, caller)
            except RoleFailed:
                state = ServiceState.FAILED_DEPLOYING
                raise
            finally:
                service.set_state(state, now_s(self.zone))

    def schedule(
        self, caller: Caller, service_id: int, role_name: str | None, action: str, options: dict[str, Any]
    ) -> None:
        """Schedule an action on the VMs of one role, or of all.

        Args:
            caller: on whose behalf.
            service_id: the service.
            role_name: the role, None for all roles.
            action: one of ACTIONS.
            options: `period` (seconds between groups of VMs) and `number` (VMs a group).

        Raises:
            Refused: there is no such role.
            Unexpected: a period or number that is none.
        """
        period_s = max(0, whole_number(options.get("period"))) or self.settings.action_period_s
        number = max(0, whole_number(options.get("number"))) or self.settings.action_number
        with self._editing(caller, service_id) as service:
            chosen = service.roles if role_name is None else [role for role in service.roles if role.name == role_name]
            if role_name is not None and not chosen:
                raise Refused(f"Role '{role_name}' not found")
            queue = service.private.setdefault("actions", [])
            for role in chosen:
                for index, vm_id in enumerate(role.node_ids):
                    due_s = now_s(self.zone) + index // number * period_s
                    queue.append({"vm": vm_id, "action": action, "due": due_s})
            if not queue:
                service.forget_private("actions")

    def update(self, caller: Caller, service_id: int, document: Body, *, append: bool) -> None:
        """Replace the document of a service that rests, or add to it.

        Raises:
            BadRequest: what is added has not the form of a service's.
            Refused: the state forbids it, or a value would change that must not.
        """
        with self._editing(caller, service_id) as service:
            if service.state not in UPDATABLE:
                raise Refused(f"Service cannot be updated in state: {service.state.name}")
            if append:
                check_appended(service, document)
                service.body.update(clone(document))
            else:
                check_replaced(service, document)
                service.body.clear()
                service.body.update(clone(document))
                service.load_roles()

    def add_role(self, caller: Caller, service_id: int, role_body: Body) -> None:
        """Add a role to a running service and deploy it.

        Raises:
            Refused: the state forbids it, the role exists, or its VMs could not be made.
        """
        with self._editing(caller, service_id) as service:
            self._must_run(service)
            if service.role(str(role_body["name"])) is not None:
                raise Refused(f"Role {role_body['name']} already exists")
            service.body["roles"].append(clone(role_body))
            service.load_roles()
            fill(service.body)
            # Before the first VM: should the zone be killed now, its next process goes on from here.
            service.set_state(ServiceState.DEPLOYING, now_s(self.zone))
            try:
                deploy_roles(
                    self.zone,
                    service,
                    service.roles[-1:],
                    caller,
                    success=RoleState.DEPLOYING,
                    failure=RoleState.FAILED_DEPLOYING,
                )
            except RoleFailed:
                service.set_state(ServiceState.FAILED_DEPLOYING, now_s(self.zone))
                raise

    def remove_role(self, caller: Caller, service_id: int, role_name: str) -> None:
        """End a role of a running service and drop it.

        Raises:
            Refused: the state forbids it, there is no such role, or its VMs could not be ended.
        """
        with self._editing(caller, service_id) as service:
            self._must_run(service)
            role = service.role(role_name)
            if role is None:
                raise Refused(f"Role {role_name} does not exist")
            # Also where that fails: who recovers the service wants this role to go, and none of the others.
            service.private["remove"] = role_name
            state = ServiceState.UNDEPLOYING
            try:
                remove_roles(self.zone, service, [role], caller)
            except RoleFailed:
                state = ServiceState.FAILED_UNDEPLOYING
                raise
            finally:
                service.set_state(state, now_s(self.zone))

    def _must_run(self, service: Service) -> None:
        if service.state is not ServiceState.RUNNING:
            raise Refused(f"Cannot modify roles in state: {service.state.name}")

    def automatic_scale(self, service: Service, role: Role, cardinality: int) -> None:
        """Scale on behalf of a policy; what a limit or oned refuses is left for the next look."""
        try:
            self.scale(service.owner, service.id, role.name, cardinality, False)
        except (FlowError, OneError):
            return


def whole_number(value: object) -> int:
    """A number as Ruby's `to_i` reads it: leading digits, else 0.

    Raises:
        Unexpected: a value that has no `to_i`.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unexpected(f"undefined method `to_i' for {value!r}")
    if isinstance(value, str):
        digits = value.strip()
        sign = digits[:1] if digits[:1] in {"-", "+"} else ""
        length = next(
            (at for at, char in enumerate(digits[len(sign) :]) if not char.isdecimal()), len(digits) - len(sign)
        )
        number = digits[: len(sign) + length]
        return int(number) if number.strip("+-") else 0
    return int(value)
