"""What a VM looks like as properties, and properties as the text it is made from or changed with. Pure.

oned keeps a VM in two parts: TEMPLATE, the machine, and USER_TEMPLATE, everything else. What the program does not
mention belongs to the VM's template, to OpenNebula or to the guest (OneGate), and is neither drift nor removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from pulumi_opennebula.definitions.model import Property, Record
from pulumi_opennebula.definitions.virtual_machine import VIRTUAL_MACHINE
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.machine_devices import KINDS, Kind, means, seen_devices, state_devices
from pulumi_opennebula.provider.templates import Attribute, Body, Vector, attributes_of, children, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import (
    OwnedTemplate,
    number_of,
    record_of,
    scalar_attributes,
    scalar_properties,
    spelled_like,
    tag_attributes,
    unknown_keys,
    upper_keys,
    vector_of,
)

CAPACITY: Final = ("cpu", "vcpu", "memory")
USER: Final = ("description", "schedRequirements", "schedDsRequirements")
"""Properties that are in USER_TEMPLATE."""
CONFIG: Final = ("os", "graphics", "cpumodel", "raw")
"""Vectors that `one.vm.updateconf` changes, beside CONTEXT."""
OTHER_CONFIG: Final = ("FEATURES", "INPUT", "VIDEO")
"""Vectors that `one.vm.updateconf` changes and no property covers; a replacement must send them, too."""
MADE_CONTEXT: Final = re.compile(r"ETH\d+_\w+|DISK_ID|TARGET|VMID|ONEGATE_ENDPOINT|ONEGATE_TOKEN|PCI\d+_\w+")
"""CONTEXT keys that oned makes (recorded on 7.0.1)."""
SENT_AGAIN: Final = frozenset({"DISK_ID", "TARGET"})
"""Made keys that the bridged package sends back with a new CONTEXT (recorded): the CONTEXT disk keeps its place."""
_VARIABLE: Final = re.compile(r"\$\w")
ADDRESSES: Final = {"ip": "IP", "ip6": "IP6", "ip6Global": "IP6_GLOBAL", "ip6Link": "IP6_LINK", "ip6Ula": "IP6_ULA"}


def _property(name: str) -> Property:
    found = VIRTUAL_MACHINE.record.get(name)
    assert found is not None, name
    return found


def _record(name: str) -> Record:
    record = _property(name).type
    assert isinstance(record, Record), name
    return record


MACHINE: Final = ("NAME", *(_property(name).attribute_name for name in (*CAPACITY, *CONFIG, "context", "vmgroup")))
OWNED: Final = OwnedTemplate(
    scalars=tuple(_property(name).attribute_name for name in USER),
    vectors=(),
    foreign=("ERROR", "SCHED_MESSAGE", *MACHINE, *(kind.vector for kind in KINDS)),
    elsewhere=("SCHED_RANK", "SCHED_DS_RANK", "USER_INPUTS", "INPUTS_ORDER", "HYPERVISOR"),
)


def creation(inputs: Values, default_tags: Mapping[str, str], source: Body | None) -> list[Attribute]:
    """Template text of a new VM.

    Args:
        inputs: The program's.
        default_tags: The provider's.
        source: The VM template that it is made from; its CONTEXT is under the program's.
    """
    found = scalar_attributes(VIRTUAL_MACHINE.record, (*CAPACITY, *USER), inputs)
    context = wanted_context({}, {}, inputs, _vector(source or {}, "CONTEXT"))
    if context and inputs.get("context"):
        found.append(("CONTEXT", context))
    for name in (*CONFIG, "vmgroup"):
        if inputs.get(name):
            found.append((_property(name).attribute_name, vector_of(_record(name), inputs[name])))
    for kind in KINDS:
        found += [(kind.vector, vector_of(kind.record, entry)) for entry in inputs.get(kind.name) or []]
    return found + tag_attributes(inputs, default_tags)


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str], source: Body | None) -> Values:
    """Properties of what `one.vm.info` says.

    Args:
        body: The answer.
        old: What the program says and the state knew; None on import.
        default_tags: The provider's.
        source: The VM template that it was made from, or None where there is none (any more).
    """
    machine, user = body.get("TEMPLATE"), body.get("USER_TEMPLATE")
    before = old or {}
    found = shared.owner_outputs(body) | OWNED.tags(user, old, default_tags)
    found |= _mentioned(USER, scalar_properties(VIRTUAL_MACHINE.record, USER, user, old), old)
    found |= {name: number_of(text_at(body, "TEMPLATE", _property(name).attribute_name)) for name in CAPACITY}
    found |= {
        "virtualMachineId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "state": int(text_at(body, "STATE") or -1),
        "lcmstate": int(text_at(body, "LCM_STATE") or -1),
        "pending": before.get("pending") if old is not None else text_at(body, "STATE") == "2",
        "lock": shared.lock_of(body) or (before.get("lock") if not shared.is_locked(before) else None),
        "templateId": before.get("templateId") if old is not None else number_of(text_at(machine or {}, "TEMPLATE_ID")),
        "context": shown_context(_vector(body, "CONTEXT"), old),
    }
    for name in (*CONFIG, "vmgroup"):
        found[name] = _block(name, machine, old)
    for kind in KINDS:
        given = before.get(kind.name)
        found[kind.name], found[kind.template_name] = state_devices(
            kind, machine, given, partial(_brought, kind, old=old, template_id=found["templateId"], source=source)
        )
    return found | addresses(machine) | _of_template(user, before, source)


def addresses(machine: Any) -> Values:
    """The first address of each kind."""
    cards = [card for name in ("NIC", "PCI") for card in children(machine, name) if isinstance(card, Mapping)]
    return {
        name: next((text_at(card, attribute) for card in cards if text_at(card, attribute)), "")
        for name, attribute in ADDRESSES.items()
    }


def shown_context(seen: Mapping[str, Any], old: Values | None) -> Values | None:
    """CONTEXT as the state has it: what the program mentions, or on import what oned did not make itself."""
    if old is None:
        return {key: value for key, value in seen.items() if not MADE_CONTEXT.fullmatch(key.upper())} or None
    given = old.get("context")
    if not given:
        return {} if given == {} else None
    mentioned = spelled_like({k: v for k, v in seen.items() if k.upper() in upper_keys(given)}, given)
    # oned puts values in place of $NAME, $USER[...] and the like, so what it shows cannot be compared.
    return {key: given[key] if _VARIABLE.search(str(given.get(key, ""))) else value for key, value in mentioned.items()}


def wanted_context(seen: Vector, old: Values, new: Values, base: Vector | None = None) -> Vector:
    """CONTEXT after a change: what others put there, and over it what the program says now."""
    given = {key.upper(): str(value) for key, value in (new.get("context") or {}).items()}
    gone = upper_keys(old.get("context")) - set(given)
    kept = {key: value for key, value in {**(base or {}), **seen}.items() if key.upper() not in gone | set(given)}
    return kept | given


def conf_change(body: Body, old: Values, new: Values, changed: frozenset[str]) -> tuple[list[Attribute], bool]:
    """What `one.vm.updateconf` has to be sent, and whether it may extend what is there instead of replacing all of it.

    Args:
        body: The VM.
        old: The state.
        new: The new inputs.
        changed: Names of the properties that differ.
    """
    machine = body.get("TEMPLATE")
    context = _vector(body, "CONTEXT")
    gone = set(upper_keys(old.get("context")) - upper_keys(new.get("context")))
    wanted = {name: _conf_vector(name, machine, new) for name in CONFIG if name in changed}
    for name, vector in wanted.items():
        gone |= {key for key, value in _vector(body, _attribute(name)).items() if value and key not in vector}
    if not gone:
        found: list[Attribute] = [(_attribute(name), vector) for name, vector in wanted.items()]
        given = {key.upper(): str(value) for key, value in (new.get("context") or {}).items()}
        return found + ([("CONTEXT", given)] if "context" in changed and given else []), True
    kept: list[Attribute] = [
        (_attribute(name), wanted[name] if name in wanted else _vector(body, _attribute(name))) for name in CONFIG
    ]
    kept += [item for item in attributes_of(machine) if item[0] in OTHER_CONFIG]
    after = wanted_context(context, old, new) if "context" in changed else context
    given_keys = upper_keys(new.get("context")) | SENT_AGAIN
    own = {key: value for key, value in after.items() if key in given_keys or not MADE_CONTEXT.fullmatch(key)}
    return [item for item in [*kept, ("CONTEXT", own)] if item[1]], False


def user_change(body: Body, old: Values, new: Values, default_tags: Mapping[str, str]) -> tuple[list[Attribute], bool]:
    """What `one.vm.update` has to be sent, and whether it may extend what is there.

    A guest writes attributes through OneGate at any time: extending leaves those that arrive in between alone.
    """
    wanted = [*scalar_attributes(VIRTUAL_MACHINE.record, USER, new), *tag_attributes(new, default_tags)]
    names = {name for name, _ in wanted}
    sections = [name for name, value in wanted if isinstance(value, dict)]
    ours = {_attribute(name) for name in USER if old.get(name) is not None}
    ours |= upper_keys(old.get("tagsAll")) | upper_keys(old.get("tags"))
    ours |= {str(item.get("name", "")).upper() for item in old.get("templateSections") or []}
    if ours <= names and not sections:
        return wanted, True
    kept = [item for item in attributes_of(body.get("USER_TEMPLATE")) if item[0].upper() not in ours | names]
    return [*kept, *wanted], False


def capacity_of(body: Body) -> Values:
    """CPU, VCPU and memory as a VM has them."""
    return {name: number_of(text_at(body, "TEMPLATE", _attribute(name))) for name in CAPACITY}


def capacity_attributes(wanted: Values) -> list[Attribute]:
    """CPU, VCPU and memory as `one.vm.resize` takes them."""
    return scalar_attributes(VIRTUAL_MACHINE.record, CAPACITY, wanted)


def template_content(source: Body | None) -> Mapping[str, Any]:
    """The TEMPLATE of a VM template."""
    content = (source or {}).get("TEMPLATE")
    return content if isinstance(content, Mapping) else {}


def _mentioned(names: tuple[str, ...], found: Values, old: Values | None) -> Values:
    return {name: found.get(name) if old is None or old.get(name) is not None else None for name in names}


def _block(name: str, machine: Any, old: Values | None) -> Values | None:
    """A vector as a record, where the program mentions it or there is none."""
    given = (old or {}).get(name)
    vectors = [vector for vector in children(machine, _attribute(name)) if isinstance(vector, dict) and vector]
    if not vectors or (old is not None and not given):
        return None
    found = record_of(_record(name), vectors[-1], given if isinstance(given, dict) else None)
    if name == "graphics" and given and given.get("passwd") is None:
        # RANDOM_PASSWD makes oned choose one, which is nobody's difference.
        found.pop("passwd", None)
    return found


def _conf_vector(name: str, machine: Any, new: Values) -> Vector:
    """A vector after a change: keys that no property covers and that oned chose stay."""
    seen = next((item for item in children(machine, _attribute(name)) if isinstance(item, dict)), {})
    record, given = _record(name), new.get(name)
    if not given:
        return {}
    chosen = {item.attribute_name for item in record.properties if item.computed and given.get(item.name) is None}
    return {
        **unknown_keys(record, seen),
        **{key: value for key, value in seen.items() if key in chosen},
        **vector_of(record, given),
    }


def _brought(kind: Kind, device: Values, *, old: Values | None, template_id: Any, source: Body | None) -> bool:
    """Whether a device is one that the VM's template brought."""
    if template_id is None:
        return False
    before = (old or {}).get(kind.template_name)
    if before is not None:
        return device[kind.number] in {entry.get(kind.number) for entry in before}
    if old is not None and old.get(kind.name) is None:
        return True
    entries = seen_devices(kind, template_content(source))
    # The program's own list took the place of the template's when the VM was made.
    return old is None and any(means(kind, entry, device, grown=True) for entry in entries)


def _of_template(user: Any, before: Values, source: Body | None) -> Values:
    """Tags and names of sections that the VM's template brought."""
    if before.get("templateTags") is not None and before.get("templateSectionNames") is not None:
        return {name: before[name] for name in ("templateTags", "templateSectionNames")}
    mine = upper_keys(before.get("tags")) | OWNED.taken | OWNED.elsewhere
    present = {name for name, _ in attributes_of(user)}
    brought = [item for item in attributes_of(template_content(source)) if item[0] in present - mine]
    return {
        "templateTags": {name: value for name, value in brought if isinstance(value, str)},
        "templateSectionNames": {name: "" for name, value in brought if isinstance(value, dict)},
    }


def _vector(body: Mapping[str, Any], name: str) -> Vector:
    found = next((item for item in children(body, "TEMPLATE", name) if isinstance(item, dict)), {})
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _attribute(name: str) -> str:
    return _property(name).attribute_name
