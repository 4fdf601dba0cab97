"""ports.Machines and ports.Networks over the model: what OneFlow and OneGate call. Each call is a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zonebox import template, trees
from zonebox.model.zone_model import Model
from zonebox.ports import Body, Caller
from zonebox.trees import clone, text
from zonebox.xmltree import check_names


class Machines:
    """The zone's VMs.

    Args:
        model: the zone's objects.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def instantiate(
        self, caller: Caller, template_id: int, name: str, *, extra_template: Mapping[str, Any], on_hold: bool = False
    ) -> int:
        """Instantiate a VM template, merging `extra_template` over it; the VM id. Raises errors.OneError."""
        check_names(extra_template)
        extra = trees.ordered(extra_template)
        with self._model.store.transaction():
            return self._model.templates.instantiate_vm(caller, template_id, name, extra, hold=on_hold)

    def info(self, vm_id: int) -> Body:
        """The VM dict, a copy. Raises errors.NotFound."""
        copy: Body = clone(self._model.vms.peek(vm_id))
        return copy

    def action(self, caller: Caller, vm_id: int, action: str) -> None:
        """As one.vm.action."""
        with self._model.store.transaction():
            self._model.lifecycle.act(caller, vm_id, action)

    def recover(self, caller: Caller, vm_id: int, operation: int) -> None:
        """As one.vm.recover."""
        with self._model.store.transaction():
            self._model.lifecycle.recover(caller, vm_id, operation)

    def update_user_template(self, vm_id: int, attributes: Mapping[str, str], *, delete: tuple[str, ...] = ()) -> None:
        """Merge attributes into USER_TEMPLATE and drop the keys in `delete`. Raises errors.OneError."""
        check_names(attributes)
        with self._model.store.transaction():
            self._model.vms.set_user_attributes(vm_id, dict(attributes), delete)

    def token_password(self, uid: int) -> str:
        """TOKEN_PASSWORD of a user."""
        return self._model.users.token_password(uid)

    def shares_service(self, vm_id: int, other_vm_id: int) -> bool:
        """Whether both VMs carry the same SERVICE_ID."""
        mine, other = (text(self._model.vms.peek(id_)["USER_TEMPLATE"], "SERVICE_ID") for id_ in (vm_id, other_vm_id))
        return bool(mine) and mine == other


class Networks:
    """The zone's virtual networks.

    Args:
        model: the zone's objects.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def reserve(self, caller: Caller, parent_id: int, name: str, size: int) -> int:
        """Reserve addresses from a network into a new one; its id."""
        with self._model.store.transaction():
            source = template.render({"NAME": name, "SIZE": str(size)})
            return self._model.vnets.reserve(caller, parent_id, source)

    def instantiate_template(self, caller: Caller, template_id: int, name: str, extra: Mapping[str, Any]) -> int:
        """Instantiate a virtual network template."""
        with self._model.store.transaction():
            return self._model.vntemplates.instantiate_network(caller, template_id, name, trees.ordered(extra))

    def delete(self, caller: Caller, id_: int) -> None:
        """Delete a network; refused while it has leases."""
        with self._model.store.transaction():
            self._model.vnets.delete(caller, id_)

    def info(self, caller: Caller, id_: int) -> Body:
        """The VNET dict."""
        copy: Body = clone(self._model.vnets.info(caller, id_))
        return copy
