"""VM templates, and network templates beside them: stored as given. What a VM makes of one is vms.py's business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import Refused
from zonebox.model import permissions
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

TEMPLATE = Kind(
    key="template",
    tag="VMTEMPLATE",
    pool_tag="VMTEMPLATE_POOL",
    noun="virtual machine template",
    acl="TEMPLATE",
    taken="TEMPLATE",
)
VNTEMPLATE = Kind(
    key="vntemplate",
    tag="VNTEMPLATE",
    pool_tag="VNTEMPLATE_POOL",
    noun="virtual network template",
    acl="VNTEMPLATE",
    taken="VNTEMPLATE",
)


class TemplatePool(Pool):
    """Templates of one kind.

    Args:
        model: the zone's objects.
        kind: TEMPLATE or VNTEMPLATE.
    """

    def __init__(self, model: Model, kind: Kind = TEMPLATE) -> None:
        super().__init__(model, kind)

    def allocate(self, caller: Caller, source: str) -> int:
        """one.template.allocate and one.vntemplate.allocate."""
        self.require_create(caller)
        tree = template.parse(source)
        name = text(tree, "NAME")
        tree.pop("NAME", None)
        return self._store_template(caller, name, tree)

    def _store_template(self, caller: Caller, name: str, tree: Tree) -> int:
        self.free_name(name, caller.uid)
        id_ = self.store.next_id(self.kind.key)
        self.save({**permissions.head(caller, id_, name), "REGTIME": str(self.model.now()), "TEMPLATE": tree})
        return id_

    def clone(self, caller: Caller, id_: int, name: str, *, images: bool = False) -> int:
        """one.template.clone; `images` clones its images too and points the copy at them."""
        source = self.get(caller, id_, "USE")
        self.require_create(caller)
        tree = source["TEMPLATE"]
        if images:
            for number, disk in enumerate(vectors(tree, "DISK")):
                if text(disk, "IMAGE_ID"):
                    copy = self.model.images.clone(caller, int(disk["IMAGE_ID"]), f"{name}-disk-{number}", -1)
                    disk["IMAGE_ID"] = str(copy)
        return self._store_template(caller, name, tree)

    def delete(self, caller: Caller, id_: int, *, images: bool = False) -> None:
        """one.template.delete; `images` deletes its images too."""
        tree = self.get(caller, id_, "MANAGE")
        if images:
            for disk in vectors(tree["TEMPLATE"], "DISK"):
                if text(disk, "IMAGE_ID"):
                    self.model.images.delete(caller, int(disk["IMAGE_ID"]))
        self.store.drop(self.kind.key, id_)

    def instantiate_vm(self, caller: Caller, id_: int, name: str, extra: Tree, *, hold: bool) -> int:
        """A VM from a template, `extra` merged over it; its id."""
        source = self.get(caller, id_, "USE")
        merged = template.merge(source["TEMPLATE"], extra)
        chosen = name or text(merged, "NAME")
        merged["NAME"] = chosen or f"{source['NAME']}-%i"
        return self.model.vms.create(caller, merged, hold=hold, template_id=id_)

    def instantiate_network(self, caller: Caller, id_: int, name: str, extra: Tree) -> int:
        """A network from a template; its id. Raises Refused: no VN_MAD."""
        source = self.get(caller, id_, "USE")
        merged = template.merge(source["TEMPLATE"], extra)
        merged["NAME"] = name or text(merged, "NAME") or f"{source['NAME']}-vnet"
        if "VN_MAD" not in merged:
            raise Refused("No VN_MAD in template for Virtual Network.")
        return self.model.vnets.create(caller, merged, self.model.clusters.resolve(-1))
