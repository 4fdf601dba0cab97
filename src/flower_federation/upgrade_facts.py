"""What a rolling upgrade has to know of a VM, and what it decides from that. It asks no zone and changes nothing.

A VM keeps its number, name, addresses, CONTEXT and every other disk; only the disk with its image is exchanged. So its
key, its partition and its registration are what they were, wherever they lie on another disk (`stateImage`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flower_federation.errors import InputError
from pulumi_opennebula.provider.resources.machine_states import Phase, phase_of
from pulumi_opennebula.provider.templates import Body, children, text_at

MARK = "FL_UPGRADE"
"""User attribute of a VM whose upgrade is under way: the image that it came from, and what else has to be as it was."""
KEPT = ("DEV_PREFIX", "TARGET", "CACHE", "IO", "DISCARD")
"""Attributes of a disk that its successor has, too."""
_ONLINE = "online"
_MARK = re.compile(
    r"(?P<image>\d+)\|(?P<target>\w*)(?:\|(?P<version>[^|]*)\|(?P<state>\w*)\|(?P<kept>(?:[A-Z_]+=[^|,]*,?)*))?"
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """The image that VMs shall have."""

    image_id: int
    name: str
    version: str
    """The Flower version that it carries; empty where it does not say."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How a VM was before an upgrade that is not finished: its mark says it, since the VM itself no longer does."""

    image_id: int
    target: str
    """Device of the disk with its image."""
    version: str | None
    """FL_FLOWER_VERSION of its CONTEXT; None: the mark does not say."""
    online: bool
    kept: Mapping[str, str]
    """What the disk's successor keeps."""


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
    disk_ids: frozenset[int]
    """Of all its disks."""
    came_from: Origin | None
    """How it was before an upgrade that is not finished."""
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
    def origin(self) -> Origin | None:
        """What to go back to: how it was, or is where no upgrade is under way; None: it has no image."""
        if self.came_from is not None or self.image_id is None:
            return self.came_from
        return Origin(
            image_id=self.image_id,
            target=self.disk.get("TARGET", ""),
            version=self.version,
            online=self.state == _ONLINE,
            kept=self.disk,
        )


def vm_of(body: Mapping[str, Any]) -> Vm:
    """The facts of `one.vm.info`.

    Raises:
        InputError: Its mark is none of an upgrade.
    """
    disks = [disk for disk in children(body, "TEMPLATE", "DISK") if isinstance(disk, Mapping)]
    came_from = origin_of(text_at(body, "USER_TEMPLATE", MARK), name=text_at(body, "NAME"))
    boot = text_at(body, "TEMPLATE", "OS", "BOOT")
    system = _system_disk(disks, came_from, boot)
    return Vm(
        id=int(text_at(body, "ID")),
        name=text_at(body, "NAME"),
        phase=phase_of(body),
        image_id=None if system is None else int(system["IMAGE_ID"]),
        disk_id=None if system is None else int(system["DISK_ID"]),
        disk={} if system is None else {name: str(system[name]) for name in KEPT if system.get(name)},
        disk_ids=frozenset(int(disk["DISK_ID"]) for disk in disks),
        came_from=came_from,
        version=text_at(body, "TEMPLATE", "CONTEXT", "FL_FLOWER_VERSION"),
        state=text_at(body, "USER_TEMPLATE", "FL_STATE"),
        ready=text_at(body, "USER_TEMPLATE", "READY") == "YES",
        error=text_at(body, "USER_TEMPLATE", "FL_ERROR"),
        boot=boot,
    )


def _system_disk(disks: list[Mapping[str, Any]], came_from: Origin | None, boot: str) -> Mapping[str, Any] | None:
    """The disk with the image: once an upgrade has begun the one at the same target, else the one that is booted.

    Which is the first that has an image, where OS/BOOT names none. It does after an upgrade: the disk has a higher
    number then than the state's, which must not be taken for it.
    """
    images = {f"disk{disk['DISK_ID']}": disk for disk in disks if disk.get("IMAGE_ID")}
    if came_from is not None:
        return next((disk for disk in images.values() if disk.get("TARGET") == came_from.target), None)
    booted = next((images[device] for device in boot.split(",") if device in images), None)
    return booted or min(images.values(), key=lambda disk: int(disk["DISK_ID"]), default=None)


def mark_of(origin: Origin) -> str:
    """The mark of a VM whose upgrade begins: image|device|version|state|disk's attributes."""
    kept = ",".join(f"{name}={value}" for name, value in origin.kept.items())
    state = _ONLINE if origin.online else ""
    return f"{origin.image_id}|{origin.target}|{origin.version or ''}|{state}|{kept}"


def origin_of(mark: str, *, name: str) -> Origin | None:
    """What a mark says; None where there is none.

    Args:
        mark: FL_UPGRADE of a VM.
        name: The VM's, for the message.

    Raises:
        InputError: It is not one that `mark_of` writes. Guests can write it, too.
    """
    if not mark:
        return None
    found = _MARK.fullmatch(mark)
    if found is None:
        raise InputError(
            given=f"VM {name}: {MARK} is {mark[:80]!r}",
            rule="it is as an upgrade writes it: image|device|version|state|attributes of the disk",
            reason="it says which image the VM goes back to, and another program or the guest wrote this",
            remedy=f"see which image the VM has and shall have, and remove {MARK} from its attributes",
        )
    pairs = (pair.partition("=") for pair in (found["kept"] or "").split(",") if pair)
    return Origin(
        image_id=int(found["image"]),
        target=found["target"],
        version=found["version"],
        online=found["state"] == _ONLINE,
        kept={key: value for key, _, value in pairs if key in KEPT},
    )


def images_to_go_back_to(machines: Body) -> dict[int, tuple[int, ...]]:
    """Image -> VMs of `one.vmpool.infoextended` whose mark names it: nothing else says that they may need it again."""
    found: dict[int, tuple[int, ...]] = {}
    for vm in children(machines, "VM"):
        image = text_at(vm, "USER_TEMPLATE", MARK).partition("|")[0]
        if image.isdecimal():
            found[int(image)] = (*found.get(int(image), ()), int(text_at(vm, "ID")))
    return found


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


def without_image(vms: Iterable[Vm]) -> tuple[Vm, ...]:
    """VMs that have no disk with an image, and never had one that an upgrade took away."""
    return tuple(vm for vm in vms if vm.phase is not Phase.GONE and vm.origin is None)


def attach_attributes(image_id: int, origin: Origin) -> dict[str, str]:
    """The DISK vector of the new disk."""
    target = {"TARGET": origin.target} if origin.target else {}
    return {"IMAGE_ID": str(image_id), **origin.kept, **target}


def boot_order(boot: str, disks: frozenset[int], new_disk: int) -> str:
    """OS/BOOT with the new disk where the one was that is gone, and first where nothing was said.

    Disks are booted in the order of their numbers otherwise, and the new one mostly has the highest.

    Args:
        boot: As it is. A run that was interrupted may have changed it already, or not yet.
        disks: The VM's, by number.
        new_disk: Number of the one with the new image.
    """
    devices = [device for device in boot.split(",") if device]
    new = f"disk{new_disk}"
    if new in devices:
        return boot
    there = {f"disk{number}" for number in disks}
    gone = [device for device in devices if device.startswith("disk") and device not in there]
    if not gone and new_disk == min(disks):
        return boot
    if gone:
        return ",".join(new if device == gone[0] else device for device in devices if device not in gone[1:])
    return ",".join([new, *(device for device in devices if not device.startswith("disk"))])
