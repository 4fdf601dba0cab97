"""Template: the VM template's attributes to template text and back, and its calls. Starts no VM.

Order of NIC, DISK and PCI vectors and the program's case of CONTEXT keys survive the round trip. Keys of a NIC or DISK
that no property covers are sent back by an update, as long as the vector keeps its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_opennebula.definitions.model import ListOf, Property, Record
from pulumi_opennebula.definitions.template import TEMPLATE
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import Attribute, Body, Vector, children, render, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import (
    OwnedTemplate,
    record_of,
    scalar_attributes,
    scalar_properties,
    spelled_like,
    tag_attributes,
    unknown_keys,
    vector_of,
)

SCALARS: Final = ("description", "cpu", "vcpu", "memory", "schedRequirements", "schedDsRequirements")
MAPS: Final = ("context", "userInputs")
VECTORS: Final = ("os", "features", "graphics", "cpumodel", "raw", "vmgroup", "nics", "nicAliases", "disks")


def _property(name: str) -> Property:
    found = TEMPLATE.record.get(name)
    assert found is not None, name
    return found


def _record(item: Property) -> Record:
    record = item.type.item if isinstance(item.type, ListOf) else item.type
    assert isinstance(record, Record), item.name
    return record


OWNED: Final = OwnedTemplate(
    scalars=tuple(_property(name).attribute_name for name in SCALARS),
    vectors=tuple(_property(name).attribute_name for name in (*MAPS, *VECTORS)),
    foreign=("NAME",),
)


class TemplateHandler(Handler):
    """The resource type Template."""

    definition = TEMPLATE
    owned = OWNED

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse what no VM could be made from."""
        shared.check_common(inputs, findings, OWNED)
        for name in ("cpu", "vcpu", "memory"):
            value = inputs.get(name)
            if isinstance(value, int | float) and value <= 0:
                findings.refuse((name,), value, "it must be more than 0", "a VM needs some of it", f"Correct {name}")
        if len(inputs.get("features") or []) > 1:
            findings.refuse(
                ("features",),
                len(inputs["features"]),
                "there may be one entry",
                "a template has one FEATURES vector",
                "Put everything into one entry",
            )
        for list_name in ("nics", "nicAliases"):
            for index, nic in enumerate(inputs.get(list_name) or []):
                if isinstance(nic, dict) and nic.get("network") is not None and nic.get("networkId") is not None:
                    findings.refuse(
                        (list_name, index, "network"),
                        nic["network"],
                        "it excludes networkId",
                        "a card is on one network",
                        "Remove one of the two",
                    )

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the template."""
        text = render([("NAME", inputs["name"]), *attributes(inputs, call.zone.settings.default_tags)])
        return str(await call.zone.oned.call("template.allocate", text))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Set owner and lock."""
        # The last argument of chmod: not the images of the template, too.
        await shared.set_owner(call, "template", int(id_), {}, inputs, False)
        await shared.lock(call, "template", int(id_), inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The template's properties."""
        body = await call.zone.object("template", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace what is ours in the template; VMs that run are not touched."""
        number = int(id_)
        await shared.unlock(call, "template", number, old)
        await shared.rename(call, "template", number, old, new)
        body = await call.zone.object("template", number) or {}
        text = render(updated(body, old, new, call.zone.settings.default_tags))
        await call.zone.oned.call("template.update", number, text, 0)
        await shared.set_owner(call, "template", number, old, new, False)
        await shared.lock(call, "template", number, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the template, not its images."""
        await shared.delete_object(call, "template", int(id_), old, False)


def attributes(
    inputs: Values, default_tags: Mapping[str, str], current: Mapping[str, Any] | None = None
) -> list[Attribute]:
    """Template attributes of the inputs; `current` is the TEMPLATE whose unknown keys are kept."""
    found = scalar_attributes(TEMPLATE.record, SCALARS, inputs)
    for name in MAPS:
        if inputs.get(name):
            vector = {key.upper(): str(value) for key, value in inputs[name].items()}
            found.append((_property(name).attribute_name, vector))
    for name in VECTORS:
        item = _property(name)
        found += [(item.attribute_name, vector) for vector in _vectors(item, inputs.get(name), current or {})]
    return found + tag_attributes(inputs, default_tags)


def updated(body: Body, old: Values, new: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """The whole template after an update."""
    template = body.get("TEMPLATE")
    chosen = [name for name in ("cpu", "vcpu", "memory") if new.get(name) is None]
    seen = scalar_properties(TEMPLATE.record, chosen, template, None)
    return [
        *OWNED.kept(template, old),
        *scalar_attributes(TEMPLATE.record, chosen, seen),
        *attributes(new, default_tags, template if isinstance(template, Mapping) else None),
    ]


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.template.info` says."""
    template = body.get("TEMPLATE")
    before = old or {}
    found = shared.owner_outputs(body) | OWNED.tags(template, old, default_tags)
    found |= scalar_properties(TEMPLATE.record, SCALARS, template, old)
    found |= {
        "templateId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "regTime": int(text_at(body, "REGTIME") or 0),
        "lock": shared.lock_of(body) or (before.get("lock") if not shared.is_locked(before) else None),
    }
    for name in MAPS:
        vector = next((item for item in children(template, _property(name).attribute_name) if item), None)
        found[name] = spelled_like(vector, before.get(name)) if isinstance(vector, dict) else None
        if not found[name] and before.get(name) == {}:
            found[name] = {}
    for name in VECTORS:
        found[name] = _records(_property(name), template, before.get(name))
    return found


def _vectors(item: Property, value: Any, current: Mapping[str, Any]) -> list[Vector]:
    if not value:
        return []
    record = _record(item)
    values = value if isinstance(item.type, ListOf) else [value]
    seen = [vector for vector in children(current, item.attribute_name) if isinstance(vector, dict)]
    return [
        {**(unknown_keys(record, seen[index]) if index < len(seen) else {}), **vector_of(record, entry)}
        for index, entry in enumerate(values)
    ]


def _records(item: Property, template: Any, before: Any) -> Any:
    record = _record(item)
    vectors = [vector for vector in children(template, item.attribute_name) if isinstance(vector, dict)]
    if not isinstance(item.type, ListOf):
        return record_of(record, vectors[-1], before if isinstance(before, dict) else None) if vectors else None
    olds = before if isinstance(before, list) else []
    found = [
        record_of(record, vector, olds[index] if index < len(olds) else None) for index, vector in enumerate(vectors)
    ]
    return found or ([] if before == [] else None)
