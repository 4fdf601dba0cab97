"""What a VM may do through OneGate: see and change itself, its service and its siblings. It decodes no request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from zonebox.errors import OneError
from zonebox.oneflow.errors import FlowError
from zonebox.oneflow.lifecycle import Lifecycle, whole_number
from zonebox.oneflow.zone import SERVICE, FlowZone, read_document, vm_or_none
from zonebox.onegate import attributes, token, views
from zonebox.onegate.errors import Broken, Forbidden, Misdirected, Missing, NotTrusted
from zonebox.ports import Body, Caller

MERGE: Final = 1
DELETE: Final = 2

RESTRICTED_ACTIONS: Final = frozenset({"reboot"})
"""OpenNebula's default for `restricted_actions`."""

_PLAIN_ACTIONS: Final = frozenset({"hold", "resume", "release", "stop", "suspend", "resched", "unresched"})
_HARD_ACTIONS: Final = frozenset({"terminate", "poweroff", "undeploy", "reboot"})


class Gate:
    """OneGate over a zone.

    Args:
        zone: the zone's ports.
        lifecycle: scales services.
    """

    def __init__(self, zone: FlowZone, lifecycle: Lifecycle) -> None:
        self.zone = zone
        self.lifecycle = lifecycle

    def authenticate(self, sent_token: str | None, sent_vm_id: str | None) -> Body:
        """The VM that calls.

        Raises:
            NotTrusted: token or id are missing, wrong, or not of one VM.
        """
        if not sent_token or not sent_vm_id or not sent_vm_id.isdecimal():
            raise NotTrusted
        vm = vm_or_none(self.zone, int(sent_vm_id))
        if vm is None:
            raise NotTrusted
        maker = (vm.get("TEMPLATE") or {}).get("CREATED_BY") or vm["UID"]
        try:
            password = self.zone.machines.token_password(int(maker))
        except OneError:
            raise NotTrusted from None
        if not token.proves(sent_token, int(vm["ID"]), int(vm["STIME"]), password):
            raise NotTrusted
        return vm

    def service(self, vm: Body, *, extended: bool) -> Body:
        """The view of the VM's service.

        Raises:
            Misdirected: the VM is in no service, or not in the one it claims.
            Missing: the service is gone.
        """
        return self._service_with(int(vm["ID"]), vm, extended=extended)

    def _service_with(self, wanted_id: int, vm: Body, *, extended: bool) -> Body:
        service_id = str((vm.get("USER_TEMPLATE") or {}).get("SERVICE_ID") or "")
        if not service_id.isdecimal():
            raise Misdirected("Empty or invalid SERVICE_ID")
        try:
            document = read_document(self.zone, owner_of(vm), int(service_id), SERVICE)
        except OneError:
            raise Missing(f"Service {service_id} not found") from None
        try:
            view = views.service_view(document, self.zone.machines.info if extended else None)
        except (KeyError, OneError):
            raise Misdirected(f"Service {service_id} is empty.") from None
        # A VM's SERVICE_ID is only a claim: the service itself says which VMs it has. OpenNebula's OneGate asks that of
        # the wanted VM alone (its source, read on 2026-11-24), and believes the caller.
        for vm_id in (wanted_id, int(vm["ID"])):
            if vm_id not in views.vm_ids(view):
                raise Misdirected(f"Service {service_id} does not contain VM {vm_id}.")
        return view

    def sibling(self, vm: Body, wanted_id: int) -> Body:
        """Another VM of the caller's service, or the caller itself.

        Raises:
            Misdirected: they share no service.
            Missing: the VM is gone.
        """
        if wanted_id == int(vm["ID"]):
            return vm
        if not (vm.get("USER_TEMPLATE") or {}).get("SERVICE_ID"):
            raise Misdirected(
                "This VM does not belong to any Virtual Router or Service, so it cannot retrieve information from "
                "other VMs"
            )
        self._service_with(wanted_id, vm, extended=False)
        other = vm_or_none(self.zone, wanted_id)
        if other is None:
            raise Missing(f"[one.vm.info] Error getting virtual machine [{wanted_id}].")
        return other

    def write(self, vm: Body, text: str, kind: int) -> None:
        """Change attributes of a VM.

        Args:
            vm: the VM that is changed.
            text: `KEY=VALUE` lines, or for DELETE one key.
            kind: MERGE or DELETE.

        Raises:
            Forbidden: a restricted attribute.
            Broken: the text does not parse, or there is no attribute to delete.
        """
        escaped = attributes.quoted(text)
        attributes.check_restricted(escaped, "modified" if kind == MERGE else "deleted")
        try:
            if kind == MERGE:
                changes = attributes.parse(escaped)
                attributes.check_names(changes)
                if changes:
                    self.zone.machines.update_user_template(int(vm["ID"]), changes)
            elif escaped in (vm.get("USER_TEMPLATE") or {}):
                self.zone.machines.update_user_template(int(vm["ID"]), {}, delete=(escaped,))
            else:
                raise Broken
        except OneError as error:
            raise Broken from error

    def scale(self, vm: Body, role: str, cardinality: object) -> None:
        """Change how many VMs a role of the caller's service has, within its limits.

        Raises:
            Misdirected: OneFlow refused.
        """
        self.service(vm, extended=False)
        service_id = int(vm["USER_TEMPLATE"]["SERVICE_ID"])
        try:
            self.lifecycle.scale(owner_of(vm), service_id, role, whole_number(cardinality), False)
        except (FlowError, OneError):
            raise Misdirected(f"Error performing action on service {service_id} role {role}") from None

    def act(self, vm: Body, action: Mapping[str, Any]) -> None:
        """Perform an action on a VM of the caller's service.

        Raises:
            Forbidden: the action is restricted.
            Broken: there is no such action, or oned refused.
        """
        name = str(action.get("perform") or "")
        if name.lower() in RESTRICTED_ACTIONS:
            raise Forbidden(f"Action ({name}) is not allowed on this resource")
        if name in {"delete", "shutdown"}:
            name, hard = "terminate", name == "delete" or action.get("params") is True
        else:
            hard = action.get("params") is True
        if name not in _PLAIN_ACTIONS | _HARD_ACTIONS:
            raise Broken
        full = f"{name}-hard" if hard and name in _HARD_ACTIONS else name
        try:
            self.zone.machines.action(owner_of(vm), int(vm["ID"]), full)
        except OneError as error:
            raise Broken from error


def owner_of(vm: Body) -> Caller:
    """The user that OneGate acts as: the VM's owner."""
    return Caller(uid=int(vm["UID"]), gid=int(vm["GID"]), uname=str(vm["UNAME"]), gname=str(vm["GNAME"]))
