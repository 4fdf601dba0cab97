"""Limits of users and groups, and what counts against them. Usage is counted from the objects each time, so that it
cannot drift; where no limit is set nothing is counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import NotAuthorized, Refused
from zonebox.trees import Tree, add_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "DATASTORE": ("IMAGES", "SIZE"),
    "NETWORK": ("LEASES",),
    "VM": ("CPU", "MEMORY", "RUNNING_CPU", "RUNNING_MEMORY", "RUNNING_VMS", "SYSTEM_DISK_SIZE", "VMS"),
    "IMAGE": ("RVMS",),
}
SECTIONS = ("DATASTORE", "NETWORK", "VM", "IMAGE")
"""Order of the *_QUOTA elements in USER and GROUP."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a request would add: section, the object it is limited for ("" for VM), and amounts by field."""

    section: str
    key: str
    amounts: Mapping[str, float]


def empty() -> Tree:
    """The four sections without a limit."""
    return {f"{section}_QUOTA": {} for section in SECTIONS}


def number(value: float) -> str:
    """A quantity as oned writes it: no decimals where it has none."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def changed(owner: Tree, source: str) -> None:
    """Apply a quota template to a user or group: fields given replace, entries of only -1 vanish (as recorded).

    Raises:
        Refused: a limit is no number.
    """
    for section, fields in _FIELDS.items():
        entries = vectors(owner[f"{section}_QUOTA"], section)
        for given in vectors(template.parse(source), section):
            key = text(given, "ID")
            entry = next((item for item in entries if text(item, "ID") == key), None)
            if entry is None:
                entry = {"ID": key} if section != "VM" else {}
                entries.append(entry)
            for field in fields:
                entry[field] = number(_limit(field, text(given, field) or text(entry, field) or "-1"))
                entry[f"{field}_USED"] = "0"
        kept = [item for item in entries if any(item.get(field) not in {"-1", None} for field in fields)]
        tree: Tree = {}
        for item in kept:
            add_listed(tree, section, item)
        owner[f"{section}_QUOTA"] = tree


def _limit(field: str, value: str) -> float:
    try:
        limit = float(value)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise Refused(f"Wrong {field} {value} in quota template: a number is expected.")
    return limit


def of_machine(tree: Tree) -> list[Demand]:
    """What a VM with this template adds."""
    amounts = {"VMS": 1.0, "CPU": float(tree["CPU"]), "MEMORY": float(tree["MEMORY"]), **of_running(tree).amounts}
    return [
        Demand(section="VM", key="", amounts=amounts),
        *of_devices(vectors(tree, "NIC"), vectors(tree, "DISK")),
    ]


def of_running(tree: Tree) -> Demand:
    """What a VM with this template adds when it runs again: RUNNING_* counts it only while it does."""
    amounts = {"VMS": 1.0, "CPU": float(tree["CPU"]), "MEMORY": float(tree["MEMORY"])}
    return Demand(section="VM", key="", amounts={f"RUNNING_{name}": value for name, value in amounts.items()})


def of_devices(nics: Iterable[Tree], disks: Iterable[Tree]) -> list[Demand]:
    """What NICs and disks of a VM add, each network and image once."""
    leases = Counter(text(nic, "NETWORK_ID") for nic in nics)
    found = [Demand(section="NETWORK", key=key, amounts={"LEASES": count}) for key, count in leases.items()]
    known = list(disks)
    copies = Counter(text(disk, "IMAGE_ID") for disk in known if text(disk, "IMAGE_ID"))
    found += [Demand(section="IMAGE", key=key, amounts={"RVMS": count}) for key, count in copies.items()]
    size_mb = sum(float(text(disk, "SIZE", "0")) for disk in known)
    return [*found, Demand(section="VM", key="", amounts={"SYSTEM_DISK_SIZE": size_mb})]


def check(model: Model, uid: int, gid: int, demands: Iterable[Demand]) -> None:
    """Raise NotAuthorized where a demand passes a limit of the user or the group.

    Administrators have none, nor have users and groups that were deleted: what was theirs goes on.
    """
    wanted = list(demands)
    owners = [("user", uid, model.store.view("user", uid))] if uid != 0 else []
    if gid != 0:
        owners.append(("group", gid, model.store.view("group", gid)))
    for noun, id_, owner in owners:
        if owner is None:
            continue
        for demand in wanted:
            for entry in vectors(owner[f"{demand.section}_QUOTA"], demand.section):
                if text(entry, "ID") == demand.key:
                    _check_entry(model, noun, id_, entry, demand)


def _check_entry(model: Model, noun: str, id_: int, entry: Tree, demand: Demand) -> None:
    used = usage(model, noun, id_, demand.section, demand.key)
    for field, amount in demand.amounts.items():
        limit = float(text(entry, field, "-1"))
        if limit >= 0 and used.get(field, 0.0) + amount > limit:
            raise NotAuthorized(
                f"{noun} [{id_}] limit of {number(limit)} reached for {field} quota in {demand.section} "
                f"[{demand.key or id_}]."
            )


def shown(model: Model, noun: str, owner: Tree) -> Tree:
    """The owner with *_USED counted."""
    tree = dict(owner)
    for section, fields in _FIELDS.items():
        filled: Tree = {}
        for entry in vectors(owner[f"{section}_QUOTA"], section):
            used = usage(model, noun, int(owner["ID"]), section, text(entry, "ID"))
            full = dict(entry)
            for field in fields:
                full[f"{field}_USED"] = number(used.get(field, 0.0))
            add_listed(filled, section, full)
        tree[f"{section}_QUOTA"] = filled
    return tree


def usage(model: Model, noun: str, id_: int, section: str, key: str) -> dict[str, float]:
    """What an owner uses of one entry."""
    mine = "UID" if noun == "user" else "GID"
    if section == "DATASTORE":
        images = [i for i in model.images.everything() if i[mine] == str(id_) and i["DATASTORE_ID"] == key]
        return {"IMAGES": len(images), "SIZE": sum(float(image["SIZE"]) for image in images)}
    machines = [vm for vm in model.vms.everything() if vm[mine] == str(id_) and vm["STATE"] != "6"]
    if section == "NETWORK":
        leases = sum(text(nic, "NETWORK_ID") == key for vm in machines for nic in vectors(vm["TEMPLATE"], "NIC"))
        return {"LEASES": float(leases)}
    if section == "IMAGE":
        disks = sum(text(disk, "IMAGE_ID") == key for vm in machines for disk in vectors(vm["TEMPLATE"], "DISK"))
        return {"RVMS": float(disks)}
    running = [vm for vm in machines if vm["STATE"] in {"1", "2", "3"}]
    return {
        "VMS": float(len(machines)),
        "CPU": sum(float(text(vm["TEMPLATE"], "CPU", "0")) for vm in machines),
        "MEMORY": sum(float(text(vm["TEMPLATE"], "MEMORY", "0")) for vm in machines),
        "RUNNING_VMS": float(len(running)),
        "RUNNING_CPU": sum(float(text(vm["TEMPLATE"], "CPU", "0")) for vm in running),
        "RUNNING_MEMORY": sum(float(text(vm["TEMPLATE"], "MEMORY", "0")) for vm in running),
        "SYSTEM_DISK_SIZE": sum(
            float(text(disk, "SIZE", "0")) for vm in machines for disk in vectors(vm["TEMPLATE"], "DISK")
        ),
    }
