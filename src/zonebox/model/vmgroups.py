"""VM groups: roles whose VMs are kept together or apart. placement.py reads them; nothing is enforced here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import permissions
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, listed, put_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

VMGROUP = Kind(key="vmgroup", tag="VM_GROUP", pool_tag="VM_GROUP_POOL", noun="vm group", acl="VMGROUP", taken="VMGROUP")


class VmGroupPool(Pool):
    """The zone's VM groups."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, VMGROUP)

    def allocate(self, caller: Caller, source: str) -> int:
        """one.vmgroup.allocate. Raises Refused: a role is missing or wrong."""
        self.require_create(caller)
        tree = template.parse(source)
        name = text(tree, "NAME")
        self.free_name(name, caller.uid)
        roles = [_role(item, number) for number, item in enumerate(vectors(tree, "ROLE"))]
        names = [role["NAME"] for role in roles]
        for key in ("AFFINED", "ANTI_AFFINED"):
            for value in listed(tree, key):
                missing = [part.strip() for part in str(value).split(",") if part.strip() not in names]
                if missing:
                    raise Refused(f"Some roles used in {key} attribute ({missing[0]}) are not defined")
        for key in ("NAME", "ROLE"):
            tree.pop(key, None)
        id_ = self.store.next_id(VMGROUP.key)
        box: Tree = {}
        put_listed(box, "ROLE", roles)
        self.save({**permissions.head(caller, id_, name), "ROLES": box, "TEMPLATE": tree})
        return id_

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Replace the template; roles are changed by their own methods only."""
        new.pop("ROLE", None)
        super().update_template(tree, new)

    def add_role(self, caller: Caller, id_: int, source: str) -> None:
        """one.vmgroup.roleadd."""
        tree = self.get(caller, id_, "MANAGE")
        roles = vectors(tree["ROLES"], "ROLE")
        number = max((int(role["ID"]) for role in roles), default=-1) + 1
        for given in vectors(template.parse(source), "ROLE"):
            roles.append(_role(given, number))
            number += 1
        put_listed(tree["ROLES"], "ROLE", roles)
        self.save(tree)

    def delete_role(self, caller: Caller, id_: int, role_id: int) -> None:
        """one.vmgroup.roledelete. Raises OneError."""
        tree = self.get(caller, id_, "MANAGE")
        roles = vectors(tree["ROLES"], "ROLE")
        gone = [role for role in roles if role["ID"] == str(role_id)]
        if not gone:
            raise Refused(f"Cannot delete role. Role {role_id} does not exist.")
        if text(gone[0], "VMS"):
            raise ActionRefused("Cannot delete role. The role has virtual machines.")
        put_listed(tree["ROLES"], "ROLE", [role for role in roles if role is not gone[0]])
        self.save(tree)

    def update_role(self, caller: Caller, id_: int, role_id: int, source: str) -> None:
        """one.vmgroup.roleupdate: name, id and members stay."""
        tree = self.get(caller, id_, "MANAGE")
        given = next(iter(vectors(template.parse(source), "ROLE")), {})
        for role in vectors(tree["ROLES"], "ROLE"):
            if role["ID"] == str(role_id):
                kept: Tree = {key: role[key] for key in ("ID", "NAME", "VMS") if key in role}
                new = _role({**given, **kept}, role_id)
                role.clear()
                role.update(new)
        self.save(tree)

    def join(self, id_: int, role_name: str, vm_id: int) -> None:
        """Note that a VM belongs to a role. Raises Refused for an unknown one."""
        tree = self.find(id_)
        for role in vectors(tree["ROLES"], "ROLE"):
            if role["NAME"] == role_name:
                members = [item for item in text(role, "VMS").split(",") if item]
                role["VMS"] = ",".join([*members, str(vm_id)])
                self.save(tree)
                return
        raise Refused(f"VM Role {role_name} does not exist in VM Group {id_}")

    def leave(self, id_: int, vm_id: int) -> None:
        """Note that a VM is gone."""
        tree = self.store.get(VMGROUP.key, id_)
        if tree is None:
            return
        for role in vectors(tree["ROLES"], "ROLE"):
            members = [item for item in text(role, "VMS").split(",") if item and item != str(vm_id)]
            if members:
                role["VMS"] = ",".join(members)
            else:
                role.pop("VMS", None)
        self.save(tree)

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove a group without VMs. Raises ActionRefused: it has VMs."""
        tree = self.get(caller, id_, "MANAGE")
        if any(text(role, "VMS") for role in vectors(tree["ROLES"], "ROLE")):
            raise ActionRefused("Cannot delete vm group. The VM group has virtual machines.")
        self.store.drop(VMGROUP.key, id_)


def _role(given: Tree, number: int) -> Tree:
    if not text(given, "NAME"):
        raise Refused("Missing role NAME in VM group template.")
    policy = text(given, "POLICY").upper()
    if policy not in {"", "AFFINED", "ANTI_AFFINED", "NONE"}:
        raise Refused(f"Wrong POLICY {policy}: AFFINED, ANTI_AFFINED or none is expected.")
    for key in ("HOST_AFFINED", "HOST_ANTI_AFFINED"):
        if not all(part.strip().isdecimal() for part in text(given, key).split(",") if part):
            raise Refused(f"Wrong {key} {text(given, key)}: ids of hosts, separated by commas, are expected.")
    return dict(sorted({**given, "ID": str(number)}.items()))
