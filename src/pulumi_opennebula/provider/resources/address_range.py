"""VirtualNetworkAddressRange: one range of a network that is managed elsewhere. Its id is `<network>:<range>`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from pulumi_opennebula.definitions.virtual_network import VIRTUAL_NETWORK_ADDRESS_RANGE
from pulumi_opennebula.errors import CloudError, FailedObjectError, InputError, OpenNebulaError, RefusedError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import same_address
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.resources.ranges import check_range, held_in, held_like, ranges_in, set_held
from pulumi_opennebula.provider.resources.virtual_network import is_ready, state_of
from pulumi_opennebula.provider.templates import Attribute, Body, render, text_at
from pulumi_opennebula.provider.values import IMPORTED, Values
from pulumi_opennebula.provider.vectors import scalar_attributes, scalar_properties, spelled_like

PLAIN: Final = (
    "arType",
    "size",
    "ip4",
    "ip6",
    "mac",
    "globalPrefix",
    "ulaPrefix",
    "prefixLength",
    "shared",
)
LOOKS_FOR_NUMBER: Final = 5
FIRST_LOOK_S: Final = 0.5
"""How often to look for the number of a range that was added, and the first pause, which doubles: 7.5 s at most."""
OWN_ATTRIBUTES: Final = frozenset(
    {
        "AR_ID",
        "TYPE",
        "SIZE",
        "IP",
        "IP6",
        "MAC",
        "GLOBAL_PREFIX",
        "ULA_PREFIX",
        "PREFIX_LENGTH",
        "SHARED",
        "IPAM_MAD",
        "IP_END",
        "IP6_END",
        "MAC_END",
        "IP6_GLOBAL",
        "IP6_GLOBAL_END",
        "IP6_ULA",
        "IP6_ULA_END",
        "USED_LEASES",
        "LEASES",
        "ALLOCATED",
        "PARENT_NETWORK_AR_ID",
    }
)
"""Attributes of a range that are not `custom`: what oned computes, and what the properties cover."""


class AddressRangeHandler(Handler):
    """The resource type VirtualNetworkAddressRange."""

    definition = VIRTUAL_NETWORK_ADDRESS_RANGE

    def check_id(self, id_: str) -> None:
        """Refuse what is not the number of a network and of a range in it."""
        network, _, number = id_.partition(":")
        if not (network.isdecimal() and number.isdecimal()):
            raise self.no_id(id_)

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse ranges that oned would refuse."""
        shared.check_common(inputs, findings)
        check_range(inputs, findings, ())
        for name, value in (inputs.get("custom") or {}).items():
            if name.upper() in OWN_ATTRIBUTES:
                findings.refuse(
                    ("custom", name),
                    value,
                    "a further attribute may not have that name",
                    "a property covers it, or OpenNebula sets it itself",
                    "Use that property, or rename the attribute",
                )

    async def create(self, call: Call, inputs: Values) -> str:
        """Add the range, and find the number that it got."""
        network = int(inputs["virtualNetworkId"])
        await call.zone.networks.until(
            str(network),
            is_ready,
            what=f"virtual network {network}",
            timeout_s=call.timeout_of(inputs),
            describe=state_of,
        )
        async with call.zone.networks_changing[str(network)]:
            there = await _ranges(call, network)
            _refuse_twin(network, there, inputs)
            await call.zone.oned.call("vn.add_ar", network, render([("AR", _vector(inputs))]))
            after = await self._ranges_after(call, network)
        before = {text_at(item, "AR_ID") for item in there}
        added = [item for item in after if text_at(item, "AR_ID") not in before]
        mine = next((item for item in added if _is_mine(item, inputs)), None)
        if mine is None:
            raise _lost(network, "the network does not show it")
        return f"{network}:{text_at(mine, 'AR_ID')}"

    async def _ranges_after(self, call: Call, network: int) -> list[Body]:
        """The ranges once one was added: its number is only there, so that a failure is worth more than one try."""
        for attempt in range(LOOKS_FOR_NUMBER):
            try:
                return await _ranges(call, network)
            except CloudError as err:
                if attempt + 1 == LOOKS_FOR_NUMBER:
                    raise _lost(network, f"asking for its number failed: {err.reason}") from err
                await call.zone.pause(FIRST_LOOK_S * 2**attempt)
        raise AssertionError("the loop returns or raises")

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Hold addresses."""
        await set_held(call, _numbers(id_)[0], {}, inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The range's properties."""
        network, number = _numbers(id_)
        body = await call.zone.object("vn", network)
        found = next((item for item in ranges_in(body or {}) if text_at(item, "AR_ID") == str(number)), None)
        return None if found is None else properties(network, found, old)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Resize the range, or change what else oned lets change."""
        network, number = _numbers(id_)
        body = await self.read(call, id_, old) or {}
        vector = {**_vector({**{name: body.get(name) for name in ("mac", "ip6")}, **new}), "AR_ID": str(number)}
        await set_held(
            call, network, old, {"holdIps": list(set(old.get("holdIps") or []) & set(new.get("holdIps") or []))}
        )
        await call.zone.oned.call("vn.update_ar", network, render([("AR", vector)]))
        await set_held(
            call, network, {"holdIps": list(set(old.get("holdIps") or []) & set(new.get("holdIps") or []))}, new
        )

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Release the program's holds and free the range; oned refuses while anybody else has an address of it."""
        network, number = _numbers(id_)
        found = await self.read(call, id_, old)
        if found is None:
            return
        held = set(found.get("heldIps") or [])
        # A range that was imported may have more on hold than its program ever said.
        taken_over = old.get("heldIps") or [] if old.get(IMPORTED) else []
        known = dict.fromkeys([*(old.get("holdIps") or []), *taken_over])
        ours = {"holdIps": [ip for ip in known if ip in held]}
        try:
            await set_held(call, network, ours, {})
            async with call.zone.networks_changing[str(network)]:
                await call.zone.oned.call("vn.free_ar", network, number)
        except RefusedError:
            # Its network may go at the same time, and all ranges with it: oned says then that there is no such range.
            found = await self.read(call, id_, old)
            if found is None:
                return
            with suppress(OpenNebulaError):
                still = found.get("heldIps") or []
                await set_held(call, network, {}, {"holdIps": [ip for ip in ours["holdIps"] if ip not in still]})
            raise


def properties(network: int, body: Body, old: Values | None) -> Values:
    """Properties of an AR element of what `one.vn.info` says."""
    record = VIRTUAL_NETWORK_ADDRESS_RANGE.record
    custom = {key: value for key, value in body.items() if key not in OWN_ATTRIBUTES and isinstance(value, str)}
    held = held_in([body])
    found = scalar_properties(record, PLAIN, body, old)
    found |= {
        "virtualNetworkId": network,
        "virtualNetworkAddressRangeId": text_at(body, "AR_ID"),
        "heldIps": held,
        "holdIps": held_like(old, held),
        "custom": spelled_like(custom, (old or {}).get("custom")) or None,
        "ipam": text_at(body, "IPAM_MAD") or None,
    }
    return found


def _vector(inputs: Values) -> dict[str, str]:
    attributes: list[Attribute] = scalar_attributes(VIRTUAL_NETWORK_ADDRESS_RANGE.record, PLAIN, inputs)
    if inputs.get("ipam") is not None:
        attributes.append(("IPAM_MAD", inputs["ipam"]))
    attributes += [(key.upper(), str(value)) for key, value in (inputs.get("custom") or {}).items()]
    return {name: value for name, value in attributes if isinstance(value, str)}


def _is_mine(body: Body, inputs: Values) -> bool:
    """Whether a range that appeared is the one asked for: another client may have added one at the same time."""
    wanted = {"SIZE": inputs["size"], "IP": inputs.get("ip4"), "IP6": inputs.get("ip6")}
    seen = {key: text_at(body, key) for key in wanted}
    return all(value is None or not seen[key] or _is_at(seen[key], value) for key, value in wanted.items())


def _is_at(seen: str, wanted: Any) -> bool:
    """Whether oned's text is the one given: IPv6 addresses it writes in its own way."""
    return seen == str(wanted) or same_address(seen, wanted)


def _refuse_twin(network: int, there: list[Body], inputs: Values) -> None:
    """Refuse a range whose first address is that of another one: it may be the same, added by an `up` cut off."""
    for attribute, name in (("IP", "ip4"), ("IP6", "ip6")):
        first = inputs.get(name)
        twin = next((item for item in there if first is not None and _is_at(text_at(item, attribute), first)), None)
        if twin is not None:
            number = f"{network}:{text_at(twin, 'AR_ID')}"
            raise InputError(
                name,
                f"{name} is {first}",
                f"no other range of virtual network {network} may begin there",
                f"range {number} does, and both would lease the same addresses",
                f"If it is this resource's, from an `up` that was cut off, `pulumi import` it as {number}; "
                "otherwise correct the addresses or remove that range",
            )


def _lost(network: int, reason: str) -> FailedObjectError:
    return FailedObjectError(
        f"the new range of virtual network {network}",
        "its number must be known to go into the state",
        f"oned accepted the range, and {reason}",
        f"Look at the ranges of network {network} and `pulumi import` the new one or remove it, then run `pulumi up`",
    )


def _numbers(id_: str) -> tuple[int, int]:
    network, _, number = id_.partition(":")
    return int(network), int(number)


async def _ranges(call: Call, network: int) -> list[Body]:
    return ranges_in(await call.zone.oned.info("vn.info", network))
