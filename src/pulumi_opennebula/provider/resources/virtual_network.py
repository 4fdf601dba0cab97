"""VirtualNetwork: attributes to template text and back, clusters, ranges, holds, reservations, and its calls."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pulumi_opennebula.definitions.virtual_network import AR, VIRTUAL_NETWORK
from pulumi_opennebula.errors import FailedObjectError, OpenNebulaError, RefusedError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.resources.ranges import (
    check_range,
    held_in,
    held_like,
    ranges_in,
    set_held,
    set_ranges,
)
from pulumi_opennebula.provider.templates import Attribute, Body, children, render, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import (
    OwnedTemplate,
    record_of,
    scalar_attributes,
    scalar_properties,
    tag_attributes,
    vector_of,
)
from pulumi_opennebula.provider.waiting import Object

PLAIN: Final = ("description", "mtu", "guestMtu", "gateway", "networkAddress", "networkMask", "dns", "searchDomain")
CHOSEN: Final = ("type", "bridge", "physicalDevice", "vlanId", "automaticVlanId", "securityGroups")
"""Properties that OpenNebula chooses where the program does not; an update sends the cloud's value back."""
RESERVATION: Final = ("reservationSize", "reservationArId", "reservationFirstIp", "reservationFirstIp6")
STATES: Final = {
    "0": "INIT",
    "1": "READY",
    "2": "LOCK_CREATE",
    "3": "LOCK_DELETE",
    "4": "DONE",
    "5": "ERROR",
    "6": "UPDATE_FAILURE",
}
"""States of a virtual network: OpenNebula 7.0's XML schema; 1, 2 and 3 seen in the recordings."""
OWNED: Final = OwnedTemplate(
    scalars=tuple(
        item.attribute_name for name in (*PLAIN, *CHOSEN) if (item := VIRTUAL_NETWORK.record.get(name)) is not None
    ),
    vectors=(),
    foreign=(
        "NAME",
        "BRIDGE_TYPE",
        "OUTER_VLAN_ID",
        "AUTOMATIC_OUTER_VLAN_ID",
        "VLAN_ID_AUTOMATIC",
        "OUTER_VLAN_ID_AUTOMATIC",
        "AR",
    ),
)


class VirtualNetworkHandler(Handler):
    """The resource type VirtualNetwork."""

    definition = VIRTUAL_NETWORK
    owned = OWNED

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse addresses that are none and properties that exclude each other."""
        shared.check_common(inputs, findings, OWNED)
        _check_addresses(inputs, findings)
        for index, values in enumerate(inputs.get("ars") or []):
            if isinstance(values, dict):
                check_range(values, findings, ("ars", index))
        if shared.known(inputs.get("vlanId")) and inputs.get("automaticVlanId") is True:
            findings.refuse(
                ("automaticVlanId",),
                True,
                "it excludes vlanId",
                f"the VLAN is set to {inputs['vlanId']}",
                "Remove one of the two",
            )
        _check_reservation(inputs, findings)

    def adopted(self, old: Values, new: Values) -> Values:
        """How a reservation was asked for nobody can read; what it has from its parent is nobody's wish."""
        if old.get("reservationVnet") is None:
            return old
        inherited = [name for name in PLAIN if new.get(name) is None]
        return {name: value for name, value in old.items() if name not in inherited} | {
            name: new[name] for name in RESERVATION if new.get(name) is not None
        }

    def imported(self, inputs: Values) -> Values:
        """A reservation has addresses, bridge and the like from its parent."""
        if inputs.get("reservationVnet") is None:
            return inputs
        own = {"name", "reservationVnet", "reservationSize", "reservationArId"}
        return {name: value for name, value in inputs.items() if name in own}

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the network with its ranges, or reserve it from its parent."""
        if inputs.get("reservationVnet") is not None:
            text = render(reservation_attributes(inputs))
            return str(await call.zone.oned.call("vn.reserve", int(inputs["reservationVnet"]), text))
        clusters = inputs.get("clusterIds") or [-1]
        text = render(
            [("NAME", inputs["name"]), *attributes(inputs, call.zone.settings.default_tags, with_ranges=True)]
        )
        return str(await call.zone.oned.call("vn.allocate", text, int(clusters[0])))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Wait until the network is ready, then set owner, clusters, holds and lock."""
        number = int(id_)
        await self._ready(call, id_, inputs)
        if inputs.get("reservationVnet") is not None:
            text = render(attributes(inputs, call.zone.settings.default_tags, with_ranges=False))
            if text:
                await call.zone.oned.call("vn.update", number, text, 1)
        await shared.set_owner(call, "vn", number, {}, inputs)
        await self._set_clusters(call, number, inputs)
        await set_held(call, number, {}, inputs)
        await shared.lock(call, "vn", number, inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The network's properties."""
        body = await call.zone.object("vn", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace what is ours in the template; add, resize and free ranges."""
        number = int(id_)
        await self._ready(call, id_, new)
        await shared.unlock(call, "vn", number, old)
        await shared.rename(call, "vn", number, old, new)
        body = await call.zone.object("vn", number) or {}
        text = render(updated(body, old, new, call.zone.settings.default_tags))
        await call.zone.oned.call("vn.update", number, text, 0)
        # A range with an address on hold cannot be freed, and an address can be held only in a range that is there.
        stays = {"holdIps": [ip for ip in old.get("holdIps") or [] if ip in (new.get("holdIps") or [])]}
        await set_held(call, number, old, stays)
        async with call.zone.networks_changing[id_]:
            await set_ranges(call, number, old, new)
        await set_held(call, number, stays, new)
        await self._set_clusters(call, number, new)
        await shared.set_owner(call, "vn", number, old, new)
        await shared.lock(call, "vn", number, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Release holds, delete the network and wait until it is gone; in use, it keeps holds and lock."""
        body = await call.zone.object("vn", int(id_))
        if body is None:
            return
        held = set(held_in(ranges_in(body)))
        ours = {"holdIps": [ip for ip in old.get("holdIps") or [] if ip in held]}
        await shared.unlock(call, "vn", int(id_), old)
        await set_held(call, int(id_), ours, {})
        try:
            deleted = await shared.delete_object(call, "vn", int(id_), {})
        except RefusedError:
            with suppress(OpenNebulaError):
                await set_held(call, int(id_), {}, ours)
                await shared.lock(call, "vn", int(id_), old)
            raise
        if deleted:
            await call.zone.networks.until(
                id_,
                lambda found: found is None,
                what=f"the deletion of virtual network {id_}",
                timeout_s=call.timeout_of(old),
                describe=state_of,
            )

    async def _ready(self, call: Call, id_: str, values: Values) -> None:
        await call.zone.networks.until(
            id_,
            is_ready,
            what=f"virtual network {id_}",
            timeout_s=call.timeout_of(values),
            describe=state_of,
        )

    async def _set_clusters(self, call: Call, number: int, new: Values) -> None:
        if new.get("clusterIds") is None:
            return
        body = await call.zone.object("vn", number) or {}
        before, after = set(_clusters(body)), set(new["clusterIds"])
        for cluster in sorted(after - before):
            await call.zone.oned.call("cluster.addvnet", cluster, number)
        for cluster in sorted(before - after):
            await call.zone.oned.call("cluster.delvnet", cluster, number)


def attributes(inputs: Values, default_tags: Mapping[str, str], *, with_ranges: bool) -> list[Attribute]:
    """Template attributes of the inputs."""
    record = VIRTUAL_NETWORK.record
    found = scalar_attributes(record, (*CHOSEN, *PLAIN), inputs)
    if inputs.get("type") is None and with_ranges:
        found.insert(0, ("VN_MAD", "bridge"))
    found += tag_attributes(inputs, default_tags)
    if with_ranges:
        found += [("AR", vector_of(AR, item)) for item in inputs.get("ars") or []]
    return found


def reservation_attributes(inputs: Values) -> list[Attribute]:
    """What `one.vn.reserve` takes."""
    names = {
        "SIZE": "reservationSize",
        "AR_ID": "reservationArId",
        "IP": "reservationFirstIp",
        "IP6": "reservationFirstIp6",
    }
    found: list[Attribute] = [("NAME", inputs["name"])]
    return found + [(key, str(inputs[name])) for key, name in names.items() if inputs.get(name) is not None]


def updated(body: Body, old: Values, new: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """The whole template after an update: what others put there, what OpenNebula chose, and what the program says."""
    template = body.get("TEMPLATE")
    chosen = [name for name in CHOSEN if new.get(name) is None]
    seen = scalar_properties(VIRTUAL_NETWORK.record, chosen, template, None)
    return [
        *OWNED.kept(template, old),
        *scalar_attributes(VIRTUAL_NETWORK.record, chosen, seen),
        *attributes(new, default_tags, with_ranges=False),
    ]


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.vn.info` says."""
    template = body.get("TEMPLATE")
    before = old or {}
    ranges = ranges_in(body)
    found = shared.owner_outputs(body) | OWNED.tags(template, old, default_tags)
    found |= scalar_properties(VIRTUAL_NETWORK.record, (*PLAIN, "securityGroups"), template, old)
    found |= {
        "virtualNetworkId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "user": text_at(body, "UNAME"),
        "lock": shared.lock_of(body) or (before.get("lock") if not shared.is_locked(before) else None),
        "type": text_at(body, "VN_MAD"),
        "bridge": text_at(body, "BRIDGE"),
        "physicalDevice": text_at(body, "PHYDEV"),
        "vlanId": text_at(body, "VLAN_ID"),
        "automaticVlanId": text_at(body, "VLAN_ID_AUTOMATIC") == "1",
        "clusterIds": _clusters(body),
        "ars": [record_of(AR, item) for item in ranges],
        "holdIps": held_like(old, held_in(ranges)),
    }
    parent = text_at(body, "PARENT_NETWORK_ID")
    if parent not in {"", "-1"}:
        size = sum(int(text_at(item, "SIZE") or 0) for item in ranges)
        first = ranges[0] if ranges else {}
        found |= {"reservationVnet": int(parent), "reservationSize": before.get("reservationSize", size)}
        if old is None and text_at(first, "PARENT_NETWORK_AR_ID"):
            found["reservationArId"] = int(text_at(first, "PARENT_NETWORK_AR_ID"))
        found |= {name: before[name] for name in RESERVATION if before.get(name) is not None}
        if old is not None:
            inherited = [name for name in PLAIN if before.get(name) is None]
            found = {name: value for name, value in found.items() if name not in inherited}
    return found


def is_ready(found: Object | None) -> bool:
    """Whether a network can be used; raises where it never will."""
    state = text_at(found or {}, "STATE")
    if found is None or STATES.get(state) in {"ERROR", "UPDATE_FAILURE", "DONE"}:
        raise FailedObjectError(
            f"virtual network {text_at(found or {}, 'NAME')!r} is {state_of(found)}",
            "it must become READY",
            "its network driver failed on a host, or somebody deleted it",
            "See oned's log, repair the host or the driver, and run `pulumi up` again",
        )
    return STATES.get(state) == "READY"


def state_of(found: Object | None) -> str:
    """A network's state in words."""
    return "gone" if found is None else STATES.get(text_at(found, "STATE"), text_at(found, "STATE"))


def _clusters(body: Body) -> list[int]:
    return [int(item) for item in children(body, "CLUSTERS", "ID") if isinstance(item, str) and item]


def _check_addresses(inputs: Values, findings: Findings) -> None:
    for name in ("gateway", "networkAddress", "networkMask"):
        value = inputs.get(name)
        if shared.known(value) and not _is_ip(value):
            findings.refuse(
                (name,), value, "it must be an IP address", "guests configure their network with it", f"Correct {name}"
            )
    for name in ("mtu", "guestMtu"):
        value = inputs.get(name)
        if isinstance(value, int) and value < 68:
            findings.refuse((name,), value, "it must be at least 68", "IP needs that much (RFC 791)", f"Correct {name}")


def _check_reservation(inputs: Values, findings: Findings) -> None:
    if inputs.get("reservationVnet") is None:
        for name in RESERVATION:
            if inputs.get(name) is not None:
                findings.refuse(
                    (name,),
                    inputs[name],
                    "it goes with reservationVnet",
                    "a reservation is made from a network",
                    "Give reservation_vnet, or remove it",
                )
        return
    if inputs.get("reservationSize") is None:
        findings.refuse(
            ("reservationSize",),
            "missing",
            "a reservation needs it",
            "OpenNebula must know how many addresses to reserve",
            "Give reservation_size",
        )
    for name in ("ars", "bridge", "vlanId", "automaticVlanId"):
        if inputs.get(name) not in (None, False):
            findings.refuse(
                (name,),
                inputs[name],
                "a reservation has it from its parent",
                "OpenNebula takes addresses and bridge from the network reserved from",
                f"Remove {name}, or reservation_vnet",
            )


def _is_ip(value: Any) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True
