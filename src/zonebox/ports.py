"""The model as OneFlow and OneGate see it: the few calls they make on oned. Decides nothing itself.

An object is a nested dict that mirrors OpenNebula's XML: {"ID": "3", "NAME": "...", "TEMPLATE": {"CONTEXT": {...}}};
every leaf is a string, repeated elements are lists, key order is element order. The same dict renders as XML (XML-RPC)
and as JSON (OneGate, OneFlow).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Body = dict[str, Any]


@dataclass(frozen=True)
class Caller:
    """Who makes a call: a user of the zone."""

    uid: int
    gid: int
    uname: str
    gname: str


class Documents(Protocol):
    """oned's document pool: services (type 100) and service templates (type 101), with one id sequence."""

    def allocate(self, caller: Caller, type_: int, name: str, body: Body) -> int:
        """Store a document; its TEMPLATE is {"BODY": body}."""
        ...

    def info(self, caller: Caller, id_: int) -> Body:
        """The whole DOCUMENT dict, with TEMPLATE.BODY as stored. Raises errors.NotFound, errors.NotAuthorized."""
        ...

    def update(self, caller: Caller, id_: int, body: Body) -> None:
        """Replace the BODY in one transaction."""
        ...

    def rename(self, caller: Caller, id_: int, name: str) -> None:
        """Change the document's name."""
        ...

    def chmod(self, caller: Caller, id_: int, octet: str) -> None:
        """Set permissions from an octet string such as "600"."""
        ...

    def chown(self, caller: Caller, id_: int, uid: int, gid: int) -> None:
        """Change owner and group; -1 keeps one."""
        ...

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove the document."""
        ...

    def list(self, caller: Caller, type_: int) -> list[Body]:
        """All documents of a type that the caller may see, by id."""
        ...


class Machines(Protocol):
    """oned's VMs as OneFlow and OneGate use them."""

    def instantiate(
        self, caller: Caller, template_id: int, name: str, *, extra_template: Mapping[str, Any], on_hold: bool = False
    ) -> int:
        """Instantiate a VM template, merging `extra_template` (nested dict as in ports.Body) over it; the VM id."""
        ...

    def info(self, vm_id: int) -> Body:
        """The VM dict (STATE, LCM_STATE, TEMPLATE, USER_TEMPLATE, ...). Raises errors.NotFound."""
        ...

    def action(self, caller: Caller, vm_id: int, action: str) -> None:
        """terminate, terminate-hard, poweroff, resume, release, ... as in one.vm.action."""
        ...

    def recover(self, caller: Caller, vm_id: int, operation: int) -> None:
        """one.vm.recover: 0 failure, 1 success, 2 retry, 3 delete, 4 delete-recreate."""
        ...

    def update_user_template(self, vm_id: int, attributes: Mapping[str, str], *, delete: tuple[str, ...] = ()) -> None:
        """Merge attributes into USER_TEMPLATE and drop the keys in `delete`."""
        ...

    def token_password(self, uid: int) -> str:
        """TOKEN_PASSWORD of a user: the OneGate token key is its first 32 characters."""
        ...

    def shares_service(self, vm_id: int, other_vm_id: int) -> bool:
        """Whether both VMs carry the same SERVICE_ID."""
        ...


class Networks(Protocol):
    """oned's virtual networks as OneFlow uses them for service networks."""

    def reserve(self, caller: Caller, parent_id: int, name: str, size: int) -> int:
        """Reserve addresses from a network into a new one; its id."""
        ...

    def instantiate_template(self, caller: Caller, template_id: int, name: str, extra: Mapping[str, Any]) -> int:
        """Instantiate a virtual network template."""
        ...

    def delete(self, caller: Caller, id_: int) -> None:
        """Delete a network; refused while it has leases."""
        ...

    def info(self, caller: Caller, id_: int) -> Body:
        """The VNET dict."""
        ...


class Users(Protocol):
    """Authentication, for the two REST servers."""

    def authenticate(self, username: str, password: str) -> Caller | None:
        """The caller, or None where the credentials are wrong."""
        ...
