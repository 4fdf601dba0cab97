"""Marketplace: each kind of it to template text and back, and its calls. Waits for nothing and downloads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_opennebula.definitions.marketplace import MARKETPLACE
from pulumi_opennebula.definitions.model import ListOf, Record
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import Attribute, Body, Vector, render, text_at
from pulumi_opennebula.provider.values import Unknown, Values
from pulumi_opennebula.provider.vectors import OwnedTemplate, record_of, tag_attributes, vector_of

DRIVERS: Final = {
    "ones": "one",
    "https": "http",
    "s3s": "s3",
    "lxcs": "linuxcontainers",
    "turnkeys": "turnkeylib",
    "dockerhub": "dockerhub",
}
"""MARKET_MAD of each kind, from OpenNebula's manual (Apps marketplace, 7.0); s3 is in the recordings."""
S3_TYPES: Final[dict[str, Vector]] = {
    "aws": {},
    "ceph": {"SIGNATURE_VERSION": "s3", "FORCE_PATH_STYLE": "YES", "AWS": "no"},
    "minio": {"AWS": "no"},
}
"""What tells the S3 services apart, as the bridged package sends it."""


def _record(kind: str) -> Record:
    item = MARKETPLACE.record.get(kind)
    assert item is not None and isinstance(item.type, ListOf) and isinstance(item.type.item, Record), kind
    return item.type.item


RECORDS: Final = {kind: _record(kind) for kind in DRIVERS if kind != "dockerhub"}
ATTRIBUTES: Final = {
    *(item.attribute_name for record in RECORDS.values() for item in record.properties if item.name != "type"),
    *(name for vector in S3_TYPES.values() for name in vector),
}
OWNED: Final = OwnedTemplate(scalars=("DESCRIPTION", "MARKET_MAD", *sorted(ATTRIBUTES)), vectors=(), foreign=("NAME",))


class MarketplaceHandler(Handler):
    """The resource type Marketplace."""

    definition = MARKETPLACE
    owned = OWNED

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse a marketplace of no kind, or of several."""
        shared.check_common(inputs, findings, OWNED)
        kinds = kinds_of(inputs)
        if any(isinstance(inputs.get(kind), Unknown) for kind in DRIVERS):
            return
        if len(kinds) != 1:
            findings.refuse(
                (kinds[1] if kinds else "ones",),
                ", ".join(kinds) or "missing",
                f"exactly one of {', '.join(DRIVERS)} is needed",
                "a marketplace has one driver",
                "Remove all but one" if kinds else "Give one of them; ones=[{}] is OpenNebula's own",
            )
        for kind in kinds:
            if kind != "dockerhub" and len(inputs[kind]) != 1:
                findings.refuse(
                    (kind,),
                    len(inputs[kind]),
                    "there may be one entry",
                    "a marketplace has one driver",
                    "Remove all but one entry, or make another marketplace",
                )
        block = (inputs.get("s3s") or [{}])[0]
        length = block.get("readBlockLength") if isinstance(block, dict) else None
        if isinstance(length, int) and not 0 < length <= 100:
            findings.refuse(
                ("s3s", 0, "readBlockLength"),
                length,
                "it must be from 1 to 100",
                "OpenNebula's S3 driver takes no larger pieces",
                "Give 100 or less, in MB",
            )

    def refine(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        """Another driver is another marketplace; settings of the same driver change in place."""
        if kinds_of(old) == kinds_of(new) or not kinds_of(new):
            return changes
        return [change.replacing() if change.path[0] in DRIVERS else change for change in changes]

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the marketplace."""
        text = render([("NAME", inputs["name"]), *attributes(inputs, call.zone.settings.default_tags)])
        return str(await call.zone.oned.call("market.allocate", text))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Set permissions, and disable it where that is wanted."""
        await shared.set_owner(call, "market", int(id_), {}, inputs)
        await shared.set_enabled(call, "market", int(id_), {}, inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The marketplace's properties."""
        body = await call.zone.object("market", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace what is ours in the template."""
        number = int(id_)
        await shared.rename(call, "market", number, old, new)
        body = await call.zone.object("market", number) or {}
        kept = OWNED.kept(body.get("TEMPLATE"), old)
        text = render([*kept, *attributes(new, call.zone.settings.default_tags)])
        await call.zone.oned.call("market.update", number, text, 0)
        await shared.set_owner(call, "market", number, old, new)
        await shared.set_enabled(call, "market", number, old, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the marketplace; oned refuses while it has appliances."""
        await shared.delete_object(call, "market", int(id_), old)


def kinds_of(values: Values) -> list[str]:
    """Which kinds of marketplace are given."""
    return [kind for kind in DRIVERS if values.get(kind)]


def attributes(inputs: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """Template attributes of the inputs."""
    found: list[Attribute] = []
    if inputs.get("description") is not None:
        found.append(("DESCRIPTION", inputs["description"]))
    for kind in kinds_of(inputs):
        found.append(("MARKET_MAD", DRIVERS[kind]))
        if kind != "dockerhub":
            found += settings_of(kind, inputs[kind][0]).items()
    return found + tag_attributes(inputs, default_tags)


def settings_of(kind: str, block: Mapping[str, Any]) -> Vector:
    """Attributes of one kind's settings."""
    vector = vector_of(RECORDS[kind], {name: value for name, value in block.items() if name != "type"})
    # The list is separated by spaces, unlike every other list of OpenNebula (manual of the HTTP marketplace).
    if "BRIDGE_LIST" in vector:
        vector["BRIDGE_LIST"] = " ".join(block["storageBridgeLists"])
    return vector | S3_TYPES[str(block.get("type") or "aws").lower()] if kind == "s3s" else vector


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.market.info` says."""
    template = body.get("TEMPLATE")
    found = shared.owner_outputs(body) | OWNED.tags(template, old, default_tags)
    driver = text_at(body, "MARKET_MAD")
    kind = next((name for name, value in DRIVERS.items() if value == driver), None)
    found |= {
        "marketplaceId": text_at(body, "ID"),
        "description": text_at(body, "TEMPLATE", "DESCRIPTION") or None,
        "disabled": text_at(body, "STATE") == "1",
    }
    if kind == "dockerhub":
        found["dockerhub"] = True
    elif kind is not None and isinstance(template, dict):
        before = next(iter((old or {}).get(kind) or []), None)
        found[kind] = [block_of(kind, template, before)]
    return found


def block_of(kind: str, template: Mapping[str, Any], old: Values | None) -> Values:
    """One kind's settings as the TEMPLATE has them."""
    scalars = {name: value for name, value in template.items() if isinstance(value, str)}
    block = record_of(RECORDS[kind], {name: value for name, value in scalars.items() if name != "TYPE"}, old)
    if "BRIDGE_LIST" in scalars:
        block["storageBridgeLists"] = scalars["BRIDGE_LIST"].split()
    if kind == "s3s":
        marks = {name for vector in S3_TYPES.values() for name in vector}
        seen = {name: value for name, value in scalars.items() if name in marks}
        block["type"] = next((name for name, vector in S3_TYPES.items() if vector == seen), None)
        if block["type"] == "aws" and not (old or {}).get("type"):
            del block["type"]
    return {name: value for name, value in block.items() if value is not None}
