"""Datastores: where images lie, and how much room is left. It copies no files (files.py does)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import permissions
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, id_set, text

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

DATASTORE = Kind(
    key="datastore",
    tag="DATASTORE",
    pool_tag="DATASTORE_POOL",
    noun="datastore",
    acl="DATASTORE",
    taken="DATASTORE",
    first_id=100,
    unique="zone",
)
SYSTEM, DEFAULT, FILES = 0, 1, 2
_TYPES = {"IMAGE_DS": "0", "SYSTEM_DS": "1", "FILE_DS": "2", "BACKUP_DS": "3"}
_COMMON = {
    "ALLOW_ORPHANS": "NO",
    "CLONE_TARGET": "SYSTEM",
    "DISK_TYPE": "FILE",
    "DS_MAD": "fs",
    "LN_TARGET": "NONE",
    "PERSISTENT_SNAPSHOTS": "YES",
    "RESTRICTED_DIRS": "/",
    "SAFE_DIRS": "/var/tmp",  # noqa: S108 - OpenNebula's own default, shown and not used
    "TM_MAD": "local",
    "TYPE": "IMAGE_DS",
}


class DatastorePool(Pool):
    """The zone's datastores."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, DATASTORE)

    def create_first(self) -> None:
        """The three datastores of a new zone."""
        system = {"TYPE": "SYSTEM_DS", "DS_MIGRATE": "YES", "SHARED": "YES"}
        kernels = {"ALLOW_ORPHANS": "FORMAT", "LN_TARGET": "SYSTEM", "TYPE": "FILE_DS"}
        lacking = {SYSTEM: ("CLONE_TARGET", "DS_MAD", "LN_TARGET"), FILES: ("DISK_TYPE",)}
        for id_, name, own in ((SYSTEM, "system", system), (DEFAULT, "default", {}), (FILES, "files", kernels)):
            tree = template.merge(_COMMON, own)
            for key in lacking.get(id_, ()):
                del tree[key]
            self._store_datastore(permissions.ROOT, id_, name, tree, 0)

    def allocate(self, caller: Caller, source: str, cluster_id: int) -> int:
        """one.datastore.allocate. Raises Refused: an attribute is missing or wrong."""
        self.require_create(caller)
        tree = template.parse(source)
        name = text(tree, "NAME")
        tree.pop("NAME", None)
        self.free_name(name, caller.uid)
        for required in ("TM_MAD", *(("DS_MAD",) if text(tree, "TYPE") != "SYSTEM_DS" else ())):
            if not text(tree, required):
                raise Refused(f"No {required} in template.")
        if text(tree, "TYPE", "IMAGE_DS") not in _TYPES:
            raise Refused(f"Unknown datastore type {text(tree, 'TYPE')}.")
        id_ = self.store.next_id(DATASTORE.key, DATASTORE.first_id)
        cluster = self.model.clusters.resolve(cluster_id)
        self._store_datastore(caller, id_, name, template.merge(_COMMON, tree), cluster)
        return id_

    def _store_datastore(self, caller: Caller, id_: int, name: str, tree: Tree, cluster_id: int) -> None:
        total = str(self.model.settings.datastore_mb)
        self.save(
            {
                **permissions.head(caller, id_, name, "110100000"),
                "DS_MAD": text(tree, "DS_MAD") or "-",
                "TM_MAD": text(tree, "TM_MAD"),
                "BASE_PATH": f"/var/lib/one//datastores/{id_}",
                "TYPE": _TYPES[text(tree, "TYPE", "IMAGE_DS")],
                "DISK_TYPE": "0",
                "STATE": "0",
                "CLUSTERS": id_set([cluster_id]),
                "TOTAL_MB": total,
                "FREE_MB": total,
                "USED_MB": "0",
                "IMAGES": {},
                "TEMPLATE": tree,
            }
        )

    def shown(self, tree: Tree) -> Tree:
        """The datastore with its images and the room they take."""
        images = [image for image in self.model.images.everything() if image["DATASTORE_ID"] == tree["ID"]]
        used = int(tree["USED_MB"]) + sum(int(image["SIZE"]) for image in images)
        return {
            **tree,
            "FREE_MB": str(max(0, int(tree["TOTAL_MB"]) - used)),
            "USED_MB": str(used),
            "IMAGES": id_set(int(image["ID"]) for image in images),
        }

    def free_mb(self, id_: int) -> int:
        """Room left, in MiB."""
        return int(self.shown(self.peek(id_))["FREE_MB"])

    def fill(self, id_: int, used_mb: int) -> None:
        """Make a datastore look used by others, for tests of a full one."""
        tree = self.find(id_)
        tree["USED_MB"] = str(used_mb)
        self.save(tree)

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Replace the template; what a datastore cannot be without stays."""
        kept = {key: tree["TEMPLATE"][key] for key in ("DS_MAD", "TM_MAD", "TYPE") if key in tree["TEMPLATE"]}
        new.pop("NAME", None)
        tree["TEMPLATE"] = template.merge(kept, new)

    def enable(self, caller: Caller, id_: int, enabled: bool) -> None:
        """Let a datastore be used, or not."""
        tree = self.get(caller, id_, "MANAGE")
        tree["STATE"] = "0" if enabled else "1"
        self.save(tree)

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove an empty datastore. Raises ActionRefused: it has images."""
        tree = self.shown(self.get(caller, id_, "ADMIN"))
        if tree["IMAGES"]:
            raise ActionRefused(f"Cannot delete datastore. Datastore {id_} is not empty.")
        self.store.drop(DATASTORE.key, id_)
