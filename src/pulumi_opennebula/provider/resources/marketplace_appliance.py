"""MarketplaceAppliance: attributes to template text and back, waiting until it is ready, and its calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pulumi_opennebula.definitions.marketplace import MARKETPLACE_APPLIANCE
from pulumi_opennebula.errors import FailedObjectError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import Attribute, Body, render, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import OwnedTemplate, scalar_attributes, scalar_properties, tag_attributes
from pulumi_opennebula.provider.waiting import Object

STATES: Final = ("INIT", "READY", "LOCKED", "ERROR", "DISABLED")
"""States of an appliance by number: pyone.MARKETPLACEAPP_STATES (7.3.80)."""
TYPES: Final = ("UNKNOWN", "IMAGE", "VMTEMPLATE", "SERVICE_TEMPLATE")
"""Types of an appliance by number: OpenNebula 7.0's XML schema; VMTEMPLATE is in the recordings."""
USABLE: Final = frozenset({"READY", "DISABLED"})
NO_ORIGIN: Final = -1
IN_TEMPLATE: Final = ("description", "version", "apptemplate64", "vmtemplate64")
OWNED: Final = OwnedTemplate(
    scalars=("DESCRIPTION", "VERSION", "APPTEMPLATE64", "VMTEMPLATE64"),
    vectors=(),
    foreign=("NAME", "TYPE", "ORIGIN_ID", "ORIGIN", "MARKETPLACE_ID", "SIZE", "FORMAT", "MD5", "SOURCE", "PUBLISHER"),
)


class MarketplaceApplianceHandler(Handler):
    """The resource type MarketplaceAppliance."""

    definition = MARKETPLACE_APPLIANCE
    owned = OWNED
    replaced_where_failed = True

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse an appliance that would publish nothing."""
        shared.check_common(inputs, findings, OWNED)
        if str(inputs.get("type", "")).upper() == "IMAGE" and inputs.get("originId") == NO_ORIGIN:
            findings.refuse(
                ("originId",),
                NO_ORIGIN,
                "an appliance of type IMAGE needs the image that it publishes",
                "the marketplace's driver copies it when the appliance is made",
                "Give origin_id the id of an Image, or choose another type",
            )

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the appliance in its marketplace."""
        text = render(
            [
                ("NAME", inputs["name"]),
                ("ORIGIN_ID", str(inputs.get("originId", NO_ORIGIN))),
                ("TYPE", str(inputs["type"]).upper()),
                *attributes(inputs, call.zone.settings.default_tags),
            ]
        )
        return str(await call.zone.oned.call("marketapp.allocate", text, int(inputs["marketId"])))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Wait until the marketplace has it, then set owner and lock."""
        number = int(id_)
        await self._ready(call, id_, inputs)
        await shared.set_owner(call, "marketapp", number, {}, inputs)
        await shared.set_enabled(call, "marketapp", number, {}, inputs)
        await shared.lock(call, "marketapp", number, inputs)

    async def has_failed(self, call: Call, id_: str) -> bool:
        """Whether it still cannot be used."""
        return state_of(await call.zone.object("marketapp", int(id_))) not in USABLE

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The appliance's properties."""
        body = await call.zone.object("marketapp", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace what is ours in the template, owner, lock, and whether it may be used."""
        number = int(id_)
        await self._ready(call, id_, new)
        await shared.unlock(call, "marketapp", number, old)
        await shared.rename(call, "marketapp", number, old, new)
        body = await call.zone.object("marketapp", number) or {}
        kept = OWNED.kept(body.get("TEMPLATE"), old)
        text = render([*kept, *attributes(new, call.zone.settings.default_tags)])
        await call.zone.oned.call("marketapp.update", number, text, 0)
        await shared.set_owner(call, "marketapp", number, old, new)
        await shared.set_enabled(call, "marketapp", number, old, new)
        await shared.lock(call, "marketapp", number, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the appliance and wait until its marketplace has let it go."""
        if await shared.delete_object(call, "marketapp", int(id_), old):
            await call.zone.appliances.until(
                id_,
                _is_gone,
                what=f"the deletion of appliance {id_}",
                timeout_s=call.timeout_of(old),
                describe=state_of,
            )

    async def _ready(self, call: Call, id_: str, values: Values) -> None:
        call.progress(f"appliance {values.get('name')}: waiting for the marketplace")
        await call.zone.appliances.until(
            id_, is_ready, what=f"appliance {id_}", timeout_s=call.timeout_of(values), describe=state_of
        )


def attributes(inputs: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """Template attributes that an update can change."""
    return scalar_attributes(MARKETPLACE_APPLIANCE.record, IN_TEMPLATE, inputs) + tag_attributes(inputs, default_tags)


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.marketapp.info` says."""
    template = body.get("TEMPLATE")
    before = old or {}
    owner = shared.owner_outputs(body)
    found: Values = {name: owner[name] for name in ("name", "permissions")} | OWNED.tags(template, old, default_tags)
    found |= scalar_properties(MARKETPLACE_APPLIANCE.record, IN_TEMPLATE, template, old)
    kind = text_at(body, "TYPE")
    return found | {
        "marketplaceApplianceId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "marketId": int(text_at(body, "MARKETPLACE_ID") or -1),
        "originId": int(text_at(body, "ORIGIN_ID") or NO_ORIGIN),
        "type": TYPES[int(kind)] if kind.isdigit() and int(kind) < len(TYPES) else kind,
        "disabled": state_of(body) == "DISABLED",
        "lock": shared.lock_of(body) or (before.get("lock") if not shared.is_locked(before) else None),
    }


def is_ready(found: Object | None) -> bool:
    """Whether an appliance can be used (or is disabled on purpose); raises where it never will be."""
    state = state_of(found)
    if state in {"ERROR", "gone"}:
        reason = (
            text_at(found or {}, "TEMPLATE", "ERROR") or "the marketplace could not take it, or somebody deleted it"
        )
        raise FailedObjectError(
            f"appliance {text_at(found or {}, 'NAME')!r} is {state}",
            "it must become READY",
            reason,
            "Correct origin_id or market_id; the next `pulumi up` replaces the appliance",
        )
    return state in USABLE


def state_of(found: Object | None) -> str:
    """An appliance's state in words."""
    if found is None:
        return "gone"
    number = text_at(found, "STATE")
    return STATES[int(number)] if number.isdigit() and int(number) < len(STATES) else number


def _is_gone(found: Object | None) -> bool:
    if state_of(found) == "ERROR":
        raise FailedObjectError(
            f"appliance {text_at(found or {}, 'NAME')!r} is ERROR",
            "it must be gone",
            text_at(found or {}, "TEMPLATE", "ERROR") or "the marketplace could not delete it",
            "Repair the marketplace and run `pulumi destroy` again",
        )
    return found is None
