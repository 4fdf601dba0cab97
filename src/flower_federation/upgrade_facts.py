"""What a rolling upgrade has to know of a VM, and what it decides from that. It asks no zone and changes nothing.

A VM keeps its number, name, addresses, CONTEXT and every other disk; only the disk with its image is exchanged. So its
key, its partition and its registration are what they were, wherever they lie on another disk (`stateImage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_opennebula.provider.resources.machine_states import Phase, phase_of
from pulumi_opennebula.provider.templates import children, text_at

MARK = "FL_UPGRADE"
"""User attribute of a VM whose upgrade is under way: id of the image that it came from."""
KEPT = ("DEV_PREFIX", "TARGET", "CACHE", "IO", "DISCARD")
"""Attributes of a disk that its successor has, too."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The image that VMs shall have."""

    image_id: int
    name: str
    version: str
    """The Flower version that it carries; empty where it does not say."""


@dataclass(frozen=True, kw_only=True)
class Vm:
    """One VM of a role, as it is."""

    id: int
    name: str
    phase: Phase
    image_id: int | None
    """Of the disk with its image; None: it has none, an upgrade was interrupted."""
    disk_id: int | None
    disk: Mapping[str, str]
    """What the disk's successor keeps."""
    came_from: int | None
    """The image that it had before an upgrade that is not finished."""
    version: str
    """FL_FLOWER_VERSION of its CONTEXT."""
    state: str
    """FL_STATE, as it said last."""
    ready: bool
    error: str
    """FL_ERROR as it is, in base64."""
    boot: str
    """OS/BOOT."""

    @property
    def previous(self) -> int | None:
        """The image to go back to."""
        return self.came_from if self.came_from is not None else self.image_id


def vm_of(body: Mapping[str, Any]) -> Vm:
    """The facts of `one.vm.info`."""
    disks = [disk for disk in children(body, "TEMPLATE", "DISK") if isinstance(disk, Mapping)]
    came_from = text_at(body, "USER_TEMPLATE", MARK)
    system = _system_disk(disks, marked=came_from)
    return Vm(
        id=int(text_at(body, "ID")),
        name=text_at(body, "NAME"),
        phase=phase_of(body),
        image_id=None if system is None else int(system["IMAGE_ID"]),
        disk_id=None if system is None else int(system["DISK_ID"]),
        disk={} if system is None else {name: str(system[name]) for name in KEPT if system.get(name)},
        came_from=int(came_from.split("|")[0]) if came_from else None,
        version=text_at(body, "TEMPLATE", "CONTEXT", "FL_FLOWER_VERSION"),
        state=text_at(body, "USER_TEMPLATE", "FL_STATE"),
        ready=text_at(body, "USER_TEMPLATE", "READY") == "YES",
        error=text_at(body, "USER_TEMPLATE", "FL_ERROR"),
        boot=text_at(body, "TEMPLATE", "OS", "BOOT"),
    )


def _system_disk(disks: list[Mapping[str, Any]], *, marked: str) -> Mapping[str, Any] | None:
    """The disk with the image: the first that has one, or, once an upgrade has begun, the one at the same target."""
    images = [disk for disk in disks if disk.get("IMAGE_ID")]
    if marked:
        target = marked.partition("|")[2]
        return next((disk for disk in images if disk.get("TARGET") == target), None)
    return min(images, key=lambda disk: int(disk["DISK_ID"]), default=None)


def mark_of(vm: Vm) -> str:
    """The mark of a VM whose upgrade begins: where it came from, and where its image's disk is."""
    return f"{vm.image_id}|{vm.disk.get('TARGET', '')}"


def target_of_mark(body: Mapping[str, Any]) -> str:
    """The device that the mark names."""
    return text_at(body, "USER_TEMPLATE", MARK).partition("|")[2]


def order(vms: Iterable[Vm], target: Target) -> tuple[Vm, ...]:
    """VMs that are not done: interrupted ones first, then those that do not work anyway, then by number."""

    def rank(vm: Vm) -> tuple[bool, bool, int]:
        return vm.came_from is None, vm.ready, vm.id

    left = (vm for vm in vms if vm.phase is not Phase.GONE and needs(vm, target))
    return tuple(sorted(left, key=rank))


def needs(vm: Vm, target: Target) -> bool:
    """Whether anything of an upgrade is left to do."""
    outdated = bool(target.version) and vm.version not in {"", target.version}
    return vm.image_id != target.image_id or vm.came_from is not None or outdated


def attach_attributes(image_id: int, kept: Mapping[str, str], device: str) -> dict[str, str]:
    """The DISK vector of the new disk."""
    return {"IMAGE_ID": str(image_id), **kept, **({"TARGET": device} if device else {})}


def boot_order(boot: str, old_disk: int | None, new_disk: int) -> str:
    """OS/BOOT with the new disk where the old one was, and first where nothing was said.

    Disks are booted in the order of their numbers otherwise, and the new one has the highest.
    """
    devices = [device for device in boot.split(",") if device]
    if old_disk is not None and f"disk{old_disk}" in devices:
        return ",".join(f"disk{new_disk}" if device == f"disk{old_disk}" else device for device in devices)
    return ",".join([f"disk{new_disk}", *(device for device in devices if not device.startswith("disk"))])
