"""Cards, aliases and disks of a VM: which of them the program means, and what to attach, detach and grow. Pure.

OpenNebula gives devices numbers and fills in what the program left open. A device of the cloud is the one that the
program means where everything that the program says of it is true of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pulumi_opennebula.definitions.model import Property, Record
from pulumi_opennebula.definitions.virtual_machine import COMPUTED_PREFIX, DISK, NIC, NIC_ALIAS
from pulumi_opennebula.provider.diffs import same
from pulumi_opennebula.provider.templates import Vector, children
from pulumi_opennebula.provider.values import Unknown, Values, is_unknown
from pulumi_opennebula.provider.vectors import record_of, vector_of

GROWS: Final = "size"
VOLATILE: Final = frozenset({"volatileType", "volatileFormat"})
"""Properties that mean something of volatile disks only: TYPE and FORMAT of an image's disk are the image's."""
KEPT_WHEN_DROPPED: Final = frozenset({"ip", "ip6", "ip6Global", "ip6Link", "ip6Ula", "mac", "name", "target", "size"})
"""What a device keeps when the program stops saying it: the cloud would choose another for no reason."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of device."""

    name: str
    """The VM's property: `nics`."""
    template_name: str
    """The output with the template's devices: `templateNics`."""
    vector: str
    record: Record
    number: str
    """Property with the device's number: `nicId`."""


NICS: Final = Kind(name="nics", template_name="templateNics", vector="NIC", record=NIC, number="nicId")
ALIASES: Final = Kind(
    name="nicAliases", template_name="templateNicAliases", vector="NIC_ALIAS", record=NIC_ALIAS, number="nicId"
)
DISKS: Final = Kind(name="disks", template_name="templateDisks", vector="DISK", record=DISK, number="diskId")
KINDS: Final = (NICS, ALIASES, DISKS)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do with the devices of one kind, in this order."""

    detach: tuple[int, ...] = ()
    grow: tuple[tuple[int, int], ...] = ()
    """Number of a disk and its new size in MB."""
    attach: tuple[Vector, ...] = ()


def seen_devices(kind: Kind, template: Any) -> list[Values]:
    """The devices of a VM's (or a VM template's) TEMPLATE, everything that is known of them."""
    return [_device(kind, vector) for vector in children(template, kind.vector) if isinstance(vector, Mapping)]


def from_state(kind: Kind, entries: Any) -> list[Values]:
    """The devices of a state as `seen_devices` has them."""
    found = []
    for entry in entries or []:
        full = {_plain_name(name): value for name, value in entry.items() if name.startswith(COMPUTED_PREFIX) and value}
        full |= {name: value for name, value in entry.items() if value is not None}
        names = {item.name for item in kind.record.properties}
        found.append({name: value for name, value in full.items() if name in names})
    return found


def paired(kind: Kind, wanted: list[Values], seen: list[Values], last: frozenset[int] = frozenset()) -> dict[int, int]:
    """Index in `wanted` -> index in `seen` of the device that is meant.

    What is described most exactly chooses first, so that a card with an address of its own is not taken for another.

    Args:
        kind: The kind of device.
        wanted: What the program says.
        seen: What the cloud has.
        last: Numbers of devices that are chosen only where no other fits: the template's.
    """
    order = sorted(range(len(wanted)), key=lambda index: -len(_said(kind, wanted[index])))
    candidates = sorted(range(len(seen)), key=lambda index: seen[index].get(kind.number) in last)
    found: dict[int, int] = {}
    for grown in (False, True) if kind is DISKS else (False,):
        for index in order:
            if index in found:
                continue
            match = next(
                (
                    other
                    for other in candidates
                    if other not in found.values() and means(kind, wanted[index], seen[other], grown=grown)
                ),
                None,
            )
            if match is not None:
                found[index] = match
    return found


def means(kind: Kind, wanted: Values, seen: Values, *, grown: bool = False) -> bool:
    """Whether everything that the program says of a device is true of one; its size may differ where `grown`."""
    if kind is DISKS and (wanted.get("imageId") is None) != (seen.get("imageId") is None):
        return False
    return all(
        _true_of(item, wanted[item.name], seen.get(item.name))
        for item in _said(kind, wanted)
        if not (grown and item.name == GROWS)
    )


def state_devices(
    kind: Kind, template: Any, given: list[Values] | None, of_template: Callable[[Values], bool]
) -> tuple[list[Values] | None, list[Values]]:
    """What the state has of the devices: the program's own, and the template's.

    Args:
        kind: The kind of device.
        template: The VM's TEMPLATE.
        given: What the program says; None where it says nothing.
        of_template: Whether a device is one that the VM's template brought.
    """
    seen = seen_devices(kind, template)
    brought = frozenset(device[kind.number] for device in seen if of_template(device))
    pairs = paired(kind, given or [], seen, brought)
    own = [_shown(kind, seen[pairs[index]], entry) for index, entry in enumerate(given or []) if index in pairs]
    rest = [device for index, device in enumerate(seen) if index not in pairs.values()]
    own += [device for device in rest if device[kind.number] not in brought]
    outputs = [_outputs(kind, device) for device in rest if device[kind.number] in brought]
    return (own or ([] if given == [] else None)), outputs


def plan(
    kind: Kind, template: Any, old: Values, new: Values, *, in_order: bool = False, recreate: bool = False
) -> Plan:
    """What brings a VM's devices to what the program says.

    Devices that the VM's template brought stay, unless the program describes them itself. Where the program names no
    devices and never did, nothing is done.

    Args:
        kind: The kind of device.
        template: The VM's TEMPLATE.
        old: The state.
        new: The new inputs.
        in_order: Whether the cards' order in the VM must be the program's.
        recreate: Whether everything is attached again.
    """
    if new.get(kind.name) is None and old.get(kind.name) is None:
        return Plan()
    wanted: list[Values] = list(new.get(kind.name) or [])
    seen = seen_devices(kind, template)
    brought = frozenset(int(entry[kind.number]) for entry in old.get(kind.template_name) or [] if kind.number in entry)
    pairs = {} if recreate else paired(kind, wanted, seen, brought)
    before = {entry.get(kind.number): entry for entry in old.get(kind.name) or []}
    pairs = {
        index: other
        for index, other in pairs.items()
        if not _dropped(kind, before.get(seen[other].get(kind.number)), wanted[index])
    }
    moved: dict[int, int] = {}
    if in_order:
        moved, pairs = pairs, _leading(pairs, len(wanted))
    stays = set(pairs.values())
    return Plan(
        detach=tuple(
            int(device[kind.number])
            for index, device in enumerate(seen)
            if index not in stays and device[kind.number] not in brought
        ),
        grow=tuple(
            (int(seen[other][kind.number]), int(wanted[index][GROWS]))
            for index, other in sorted(pairs.items())
            if kind is DISKS and int(wanted[index].get(GROWS) or 0) > int(seen[other].get(GROWS) or 0)
        ),
        attach=tuple(
            vector_of(kind.record, _again(seen[moved[index]], entry) if index in moved else entry)
            for index, entry in enumerate(wanted)
            if index not in pairs
        ),
    )


def lost_disks(old: Values, new: Values) -> list[int]:
    """Indexes of disks of the state that new inputs change or drop; larger and further ones are none."""
    wanted: list[Values] = [entry for entry in new.get("disks") or [] if not is_unknown(entry)]
    pairs = paired(DISKS, wanted, from_state(DISKS, old.get("disks")))
    return [index for index in range(len(old.get("disks") or [])) if index not in pairs.values()]


def shrunk_disks(old: Values, new: Values) -> list[tuple[int, int, int]]:
    """Index in the inputs, size wanted and size of disks that would have to shrink, which no disk can."""
    wanted: list[Values] = [dict(entry) if isinstance(entry, Mapping) else {} for entry in new.get("disks") or []]
    seen = from_state(DISKS, old.get("disks"))
    found = []
    for index, other in paired(DISKS, wanted, seen).items():
        size, before = wanted[index].get(GROWS), seen[other].get(GROWS)
        if isinstance(size, int) and isinstance(before, int) and size < before:
            found.append((index, size, before))
    return found


def _device(kind: Kind, vector: Mapping[str, str]) -> Values:
    found = record_of(kind.record, vector)
    if kind is DISKS and "imageId" in found:
        found = {name: value for name, value in found.items() if name not in VOLATILE}
    return found


def _said(kind: Kind, entry: Values) -> list[Property]:
    """Properties that the program gives a value that says something."""
    return [
        item
        for item in kind.record.properties
        if not item.output
        and entry.get(item.name) not in (None, "", [])
        and not isinstance(entry.get(item.name), Unknown)
    ]


def _true_of(item: Property, wanted: Any, seen: Any) -> bool:
    if item.name == "securityGroups":
        # A card has the groups of its network besides its own (recorded).
        return set(wanted) <= set(seen or [])
    if item.name == "networkModeAuto":
        return bool(seen) or not wanted
    return seen is not None and same(item, item.type, seen, wanted)


def _shown(kind: Kind, device: Values, entry: Values) -> Values:
    """A device under the program's description: what it says (as the cloud has it), and the outputs."""
    found = {name: value for name, value in entry.items() if value is not None}
    for item in _said(kind, entry):
        if item.name in device and item.name != "securityGroups":
            same_ = same(item, item.type, device[item.name], entry[item.name])
            found[item.name] = entry[item.name] if same_ else device[item.name]
    return found | _outputs_only(kind, device)


def _outputs_only(kind: Kind, device: Values) -> Values:
    return {item.name: device[item.name] for item in kind.record.properties if item.output and item.name in device}


def _outputs(kind: Kind, device: Values) -> Values:
    names = {"nics": ("network", "networkId"), "nicAliases": ("network", "networkId", "parent"), "disks": ("imageId",)}
    return _outputs_only(kind, device) | {name: device[name] for name in names[kind.name] if name in device}


def _dropped(kind: Kind, before: Values | None, entry: Values) -> bool:
    """Whether the program stopped saying something that only another device can be without."""
    names = {item.name for item in _said(kind, before or {})} - {item.name for item in _said(kind, entry)}
    network = names & {"network", "networkId"}
    return bool(names - KEPT_WHEN_DROPPED - (network if len(network) == 1 else set()))


def _again(device: Values, entry: Values) -> Values:
    """A card that is attached again only for its place: it asks for the address that it had."""
    name = next((item for item in ("ip", "ip6Global", "mac") if device.get(item)), None)
    return entry if name is None else {name: device[name], **entry}


def _leading(pairs: dict[int, int], size: int) -> dict[int, int]:
    """The pairs up to the first card that is not in its place."""
    kept: dict[int, int] = {}
    for index in range(size):
        if index not in pairs or (kept and pairs[index] < max(kept.values())):
            break
        kept[index] = pairs[index]
    return kept


def _plain_name(computed: str) -> str:
    name = computed.removeprefix(COMPUTED_PREFIX)
    return name[:1].lower() + name[1:]
