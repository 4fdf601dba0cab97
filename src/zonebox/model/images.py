"""Images: registration, states, who uses them. Copying their files is files.py's; this one says what to copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, NotAllocated, Refused
from zonebox.model import permissions, quotas
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, clone, id_set, ids, text

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

IMAGE = Kind(key="image", tag="IMAGE", pool_tag="IMAGE_POOL", noun="image", acl="IMAGE", taken="IMAGE")
READY, USED, DISABLED, LOCKED, ERROR, USED_PERS, LOCKED_USED, LOCKED_USED_PERS = 1, 2, 3, 4, 5, 8, 9, 10
TYPES = {"OS": 0, "CDROM": 1, "DATABLOCK": 2, "KERNEL": 3, "RAMDISK": 4, "CONTEXT": 5, "FILESYSTEM": 6}
_HEAD = ("NAME", "TYPE", "PERSISTENT", "PATH", "SIZE", "FORMAT", "FS", "SOURCE", "DISK_TYPE")
_ERROR = "Error allocating a new image. "


class ImagePool(Pool):
    """The zone's images."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, IMAGE)

    def allocate(self, caller: Caller, source: str, datastore_id: int) -> int:
        """one.image.allocate: the image is LOCKED until its file is copied or made. Raises OneError."""
        self.require_create(caller)
        store = self.model.datastores.get(caller, datastore_id, "USE")
        tree = template.parse(source)
        kind = text(tree, "TYPE", "OS").upper()
        if kind not in TYPES:
            raise Refused(f"Unknown TYPE {kind}: one of {', '.join(TYPES)} is expected.")
        path = text(tree, "PATH")
        size = self._size_mb(tree, path)
        self.free_name(text(tree, "NAME"), caller.uid, error=NotAllocated, prefix=_ERROR)
        if path and not path.startswith("/") and not re.match(r"https?://", path):
            raise NotAllocated(
                f"{_ERROR}PATH {path} is relative; an absolute path is expected, because the zone has a working "
                "folder of its own. Give the file's absolute path."
            )
        if size > self.model.datastores.free_mb(datastore_id):
            raise Refused("Not enough space in datastore")
        quotas.check(self.model, caller.uid, caller.gid, [_demand(datastore_id, size)])
        id_ = self.store.next_id(IMAGE.key)
        own = {key: value for key, value in tree.items() if key not in _HEAD}
        self._store_image(
            caller,
            id_,
            text(tree, "NAME"),
            {
                "TYPE": str(TYPES[kind]),
                "PERSISTENT": "1" if text(tree, "PERSISTENT").upper() == "YES" else "0",
                "PATH": path,
                "FORMAT": "" if path else text(tree, "FORMAT") or "raw",
                "FS": text(tree, "FS"),
                "SIZE": str(size),
                "DATASTORE_ID": store["ID"],
                "DATASTORE": store["NAME"],
                "TEMPLATE": template.merge({"DEV_PREFIX": "sd"}, own),
            },
        )
        return id_

    def _size_mb(self, tree: Tree, path: str) -> int:
        if path:
            return self.model.file_size_mb(path)
        size = text(tree, "SIZE")
        if not size.isdecimal() or int(size) == 0:
            raise Refused("Cannot parse image SIZE: Wrong number or missing SIZE attribute.")
        return int(size)

    def _store_image(self, caller: Caller, id_: int, name: str, own: Tree) -> None:
        now = str(self.model.now())
        self.save(
            {
                **permissions.head(caller, id_, name),
                "TYPE": own["TYPE"],
                "DISK_TYPE": "0",
                "PERSISTENT": own["PERSISTENT"],
                "REGTIME": now,
                "MODTIME": now,
                "SOURCE": "",
                "PATH": own["PATH"],
                "FORMAT": own["FORMAT"],
                "FS": own["FS"],
                "SIZE": own["SIZE"],
                "STATE": str(LOCKED),
                "PREV_STATE": "0",
                "RUNNING_VMS": "0",
                "CLONING_OPS": "0",
                "CLONING_ID": "-1",
                "TARGET_SNAPSHOT": "-1",
                "DATASTORE_ID": own["DATASTORE_ID"],
                "DATASTORE": own["DATASTORE"],
                "VMS": {},
                "CLONES": {},
                "APP_CLONES": {},
                "TEMPLATE": own["TEMPLATE"],
                "SNAPSHOTS": {"ALLOW_ORPHANS": "NO", "CURRENT_BASE": "-1", "NEXT_SNAPSHOT": "0"},
                "BACKUP_INCREMENTS": {},
                "BACKUP_DISK_IDS": {},
            }
        )
        self.model.later("image_ready", id_, self.model.settings.delays.image_s)

    def clone(self, caller: Caller, id_: int, name: str, datastore_id: int) -> int:
        """one.image.clone, into a datastore or (-1) the same. Raises OneError."""
        source = self.get(caller, id_, "USE")
        self.require_create(caller)
        self.free_name(name, caller.uid, error=NotAllocated, prefix=_ERROR)
        if source["STATE"] not in {str(READY), str(USED)}:
            raise ActionRefused(f"Cannot clone image in state: {source['STATE']}")
        place = int(source["DATASTORE_ID"]) if datastore_id < 0 else datastore_id
        target = self.model.datastores.get(caller, place, "USE")
        if int(source["SIZE"]) > self.model.datastores.free_mb(place):
            raise Refused("Not enough space in datastore")
        quotas.check(self.model, caller.uid, caller.gid, [_demand(int(target["ID"]), int(source["SIZE"]))])
        new = self.store.next_id(IMAGE.key)
        own: Tree = {**clone(source), "PATH": source["SOURCE"], "PERSISTENT": "0"}
        own.update(DATASTORE_ID=target["ID"], DATASTORE=target["NAME"])
        self._store_image(caller, new, name, own)
        return new

    def registered(self, id_: int, source: str, error: str = "") -> None:
        """Finish a registration: READY (or USED by VMs that wait for it), or ERROR with a message."""
        tree = self.store.get(IMAGE.key, id_)
        if tree is None or int(tree["STATE"]) not in {LOCKED, LOCKED_USED, LOCKED_USED_PERS}:
            return
        if error:
            stamp = self.model.time_text()
            tree["TEMPLATE"] = template.merge(tree["TEMPLATE"], {"ERROR": f"{stamp}: {error}"})
            self._set_state(tree, ERROR)
        else:
            tree["SOURCE"] = source
            tree["FORMAT"] = tree["FORMAT"] or "raw"
            waiting = {LOCKED: READY, LOCKED_USED: USED, LOCKED_USED_PERS: USED_PERS}
            self._set_state(tree, waiting[int(tree["STATE"])])
        self.save(tree)
        self.model.wake_scheduler()

    @staticmethod
    def _set_state(tree: Tree, state: int) -> None:
        tree["STATE"] = tree["PREV_STATE"] = str(state)

    # -- use by VMs ------------------------------------------------------------------------------------------------

    def acquire(self, id_: int, vm_id: int) -> Tree:
        """Note that a VM uses an image; the image as it is now. Raises Refused where its state forbids it."""
        tree = self.find(id_)
        state, persistent = int(tree["STATE"]), tree["PERSISTENT"] == "1"
        if state in {USED_PERS, LOCKED_USED_PERS}:
            raise Refused(f"Cannot acquire image {id_}, it is persistent and already in use.")
        if state in {ERROR, DISABLED} or state not in {READY, USED, LOCKED, LOCKED_USED}:
            raise Refused(f"Cannot acquire image {id_}, it is not ready (state {state}).")
        locked = state in {LOCKED, LOCKED_USED}
        used = (LOCKED_USED_PERS if locked else USED_PERS) if persistent else (LOCKED_USED if locked else USED)
        self._set_state(tree, used)
        if vm_id not in ids(tree["VMS"]):
            tree["VMS"] = id_set([*ids(tree["VMS"]), vm_id])
        tree["RUNNING_VMS"] = str(len(ids(tree["VMS"])))
        self.save(tree)
        return tree

    def release(self, id_: int, vm_id: int) -> None:
        """Note that a VM uses an image no longer."""
        tree = self.store.get(IMAGE.key, id_)
        if tree is None:
            return
        left = [number for number in ids(tree["VMS"]) if number != vm_id]
        tree["VMS"] = id_set(left)
        tree["RUNNING_VMS"] = str(len(left))
        state = int(tree["STATE"])
        if not left and state in {USED, USED_PERS}:
            if state == USED_PERS:
                tree["MODTIME"] = str(self.model.now())
                tree["SNAPSHOTS"] = {}
            self._set_state(tree, READY)
        elif not left and state in {LOCKED_USED, LOCKED_USED_PERS}:
            self._set_state(tree, LOCKED)
        self.save(tree)

    # -- operator's actions ----------------------------------------------------------------------------------------

    def persistent(self, caller: Caller, id_: int, value: bool) -> None:
        """one.image.persistent. Raises ActionRefused: VMs use it."""
        tree = self.get(caller, id_, "MANAGE")
        if ids(tree["VMS"]):
            raise ActionRefused(f"Cannot change the persistent state. There are {len(ids(tree['VMS']))} VMs using it.")
        tree["PERSISTENT"] = "1" if value else "0"
        self.save(tree)

    def chtype(self, caller: Caller, id_: int, kind: str) -> None:
        """one.image.chtype. Raises Refused: no such type."""
        tree = self.get(caller, id_, "MANAGE")
        if kind.upper() not in TYPES:
            raise Refused(f"Unknown type {kind}: one of {', '.join(TYPES)} is expected.")
        tree["TYPE"] = str(TYPES[kind.upper()])
        self.save(tree)

    def enable(self, caller: Caller, id_: int, enabled: bool) -> None:
        """one.image.enable. Raises ActionRefused: its state forbids it."""
        tree = self.get(caller, id_, "MANAGE")
        if int(tree["STATE"]) not in {READY, DISABLED, ERROR}:
            raise ActionRefused(f"Cannot enable or disable image. It is in state {tree['STATE']}.")
        self._set_state(tree, READY if enabled else DISABLED)
        self.save(tree)

    def resize(self, id_: int, size_mb: int) -> None:
        """Note a persistent image's new size."""
        tree = self.find(id_)
        tree["SIZE"] = str(size_mb)
        self.save(tree)

    def delete(self, caller: Caller, id_: int) -> None:
        """one.image.delete. Raises ActionRefused: VMs use it."""
        tree = self.get(caller, id_, "MANAGE")
        used = len(ids(tree["VMS"]))
        if used:
            raise ActionRefused(f"Cannot delete image. There are {used} VMs using it.")
        self.store.drop(IMAGE.key, id_)
        self.model.remove_file(tree["SOURCE"])


def _demand(datastore_id: int, size_mb: int) -> quotas.Demand:
    return quotas.Demand(section="DATASTORE", key=str(datastore_id), amounts={"IMAGES": 1, "SIZE": size_mb})
