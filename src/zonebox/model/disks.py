"""DISK vectors of a VM: from what a template asks to what oned shows. Image states change through images.py only."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zonebox.errors import Refused
from zonebox.ports import Caller
from zonebox.trees import Tree, text

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

_SYSTEM_TYPES = {"swap", "fs"}


def build(model: Model, caller: Caller, vm_id: int, given: Tree, *, disk_id: int, taken: Iterable[str]) -> Tree:
    """A DISK with its image acquired, or a volatile one.

    Args:
        model: the zone's objects.
        caller: who needs USE on the image.
        vm_id: the VM.
        given: the template's DISK.
        disk_id: number of the disk.
        taken: targets of the VM's other disks.

    Raises:
        Refused: no such image by name, or it is not usable.
    """
    image_id = _image_id(model, caller, given)
    if image_id is None:
        return _volatile(model, given, disk_id, taken)
    model.images.get(caller, image_id, "USE")
    image = model.images.acquire(image_id, vm_id)
    size = text(given, "SIZE") or image["SIZE"]
    if not size.isdecimal():
        raise Refused(f"Wrong SIZE {size} of a disk, a number of MB is expected.")
    persistent = image["PERSISTENT"] == "1"
    store = model.datastores.peek(int(image["DATASTORE_ID"]))
    prefix = text(given, "DEV_PREFIX") or text(image["TEMPLATE"], "DEV_PREFIX") or "sd"
    disk = {
        **{key: value for key, value in given.items() if key not in {"IMAGE_UNAME", "IMAGE_UID"}},
        "ALLOW_ORPHANS": text(store["TEMPLATE"], "ALLOW_ORPHANS", "NO"),
        "CLONE": "NO" if persistent else "YES",
        "CLONE_TARGET": text(store["TEMPLATE"], "CLONE_TARGET", "SYSTEM"),
        "CLUSTER_ID": ",".join(_clusters(store)),
        "DATASTORE": image["DATASTORE"],
        "DATASTORE_ID": image["DATASTORE_ID"],
        "DEV_PREFIX": prefix,
        "DISK_ID": str(disk_id),
        "DISK_SNAPSHOT_TOTAL_SIZE": "0",
        "DISK_TYPE": "FILE",
        "DRIVER": text(given, "DRIVER") or text(image["TEMPLATE"], "DRIVER") or image["FORMAT"] or "raw",
        "FORMAT": image["FORMAT"] or "raw",
        "IMAGE": image["NAME"],
        "IMAGE_ID": image["ID"],
        "IMAGE_STATE": image["STATE"],
        "LN_TARGET": text(store["TEMPLATE"], "LN_TARGET", "NONE"),
        "ORIGINAL_SIZE": image["SIZE"],
        "PERSISTENT_SNAPSHOTS": "YES",
        "READONLY": "YES" if image["TYPE"] == "1" else "NO",
        "SAVE": "YES" if persistent else "NO",
        "SIZE": size,
        "SOURCE": image["SOURCE"],
        "TARGET": text(given, "TARGET") or next_target(prefix, taken),
        "TM_MAD": text(store["TEMPLATE"], "TM_MAD"),
        "TYPE": "CDROM" if image["TYPE"] == "1" else "FILE",
    }
    if persistent:
        disk["PERSISTENT"] = "YES"
    return dict(sorted(disk.items()))


def _image_id(model: Model, caller: Caller, given: Tree) -> int | None:
    number = text(given, "IMAGE_ID")
    if number:
        if not number.isdecimal():
            raise Refused(f"Wrong IMAGE_ID {number}: a number is expected.")
        return int(number)
    name = text(given, "IMAGE")
    if not name:
        return None
    owner = text(given, "IMAGE_UNAME")
    uid = int(model.users.find_by_name(owner)["ID"]) if owner else caller.uid
    return int(model.images.find_by_name(name, uid)["ID"])


def _volatile(model: Model, given: Tree, disk_id: int, taken: Iterable[str]) -> Tree:
    kind, size = text(given, "TYPE"), text(given, "SIZE")
    if kind.lower() not in _SYSTEM_TYPES:
        raise Refused("Unknown disk type or missing IMAGE_ID: TYPE must be swap or fs for a volatile disk.")
    if not size.isdecimal():
        raise Refused("Wrong or missing SIZE attribute of a volatile disk, a number of MB is expected.")
    store = model.datastores.peek(0)
    prefix = text(given, "DEV_PREFIX", "sd")
    form = text(given, "FORMAT") or "raw"
    disk = {
        **given,
        "ALLOW_ORPHANS": "NO",
        "CLUSTER_ID": ",".join(_clusters(store)),
        "DATASTORE": store["NAME"],
        "DATASTORE_ID": store["ID"],
        "DEV_PREFIX": prefix,
        "DISK_ID": str(disk_id),
        "DISK_TYPE": "FILE",
        "DRIVER": text(given, "DRIVER") or form,
        "FORMAT": form,
        "PERSISTENT_SNAPSHOTS": "YES",
        "TARGET": text(given, "TARGET") or next_target(prefix, taken),
        "TM_MAD": text(store["TEMPLATE"], "TM_MAD"),
    }
    return dict(sorted(disk.items()))


def _clusters(tree: Tree) -> list[str]:
    value = tree["CLUSTERS"].get("ID", [])
    return [value] if isinstance(value, str) else list(value)


def next_target(prefix: str, taken: Iterable[str]) -> str:
    """The first device name of a prefix that no disk has: sda, sdb, ... Raises Refused: none is left."""
    used = set(taken)
    for first in ("", *string.ascii_lowercase):
        for letter in string.ascii_lowercase:
            name = f"{prefix}{first}{letter}"
            if name not in used:
                return name
    raise Refused("Too many disks: no device name is left.")
