"""Address ranges and held addresses of a network: what two resource types share. Decides in pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from pulumi_opennebula.definitions.model import ListOf, Record
from pulumi_opennebula.definitions.virtual_network import VIRTUAL_NETWORK
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import paired, same
from pulumi_opennebula.provider.resources.base import Call
from pulumi_opennebula.provider.resources.shared import known
from pulumi_opennebula.provider.templates import Body, children, render, text_at
from pulumi_opennebula.provider.values import Path, Values
from pulumi_opennebula.provider.vectors import vector_of

HELD_BY_NOBODY = "-1"
"""VM of a lease that is on hold (recorded on 7.0.1)."""
NEEDS = {
    "IP4": ("ip4",),
    "IP4_6": ("ip4",),
    "IP6_STATIC": ("ip6", "prefixLength"),
    "IP4_6_STATIC": ("ip4", "ip6", "prefixLength"),
}
"""What oned refuses a range without, by its type."""


def check_range(values: Values, findings: Findings, path: Path) -> None:
    """Refuse a range that oned would refuse, or that holds no addresses."""
    kind = str(values.get("arType", "IP4")).upper()
    for name in NEEDS.get(kind, ()):
        if values.get(name) is None:
            findings.refuse(
                (*path, name),
                "missing",
                f"a range of type {kind} needs it",
                "OpenNebula cannot number the addresses without",
                f"Give {name}, or another ar_type",
            )
    for name in ("ip4", "ip6"):
        if known(values.get(name)) and not _is_address(str(values[name]), 4 if name == "ip4" else 6):
            findings.refuse(
                (*path, name),
                values[name],
                f"it must be an IPv{name[-1]} address",
                "it is the first address of the range",
                f"Correct {name}",
            )
    size = values.get("size")
    if isinstance(size, int) and size < 1:
        findings.refuse((*path, "size"), size, "it must be at least 1", "a range holds addresses", "Correct size")


def ranges_in(body: Body) -> list[Body]:
    """The ranges of what `one.vn.info` says."""
    return [item for item in children(body, "AR_POOL", "AR") if isinstance(item, dict)]


def held_in(ranges: Iterable[Body]) -> list[str]:
    """Addresses on hold, in the order of the ranges."""
    return [
        text_at(lease, "IP") or text_at(lease, "IP6") or text_at(lease, "MAC")
        for item in ranges
        for lease in children(item, "LEASES", "LEASE")
        if isinstance(lease, Mapping) and text_at(lease, "VM") == HELD_BY_NOBODY
    ]


def held_like(old: Values | None, held: list[str]) -> list[str] | None:
    """`holdIps` of the state: what the program holds and is held; every held address on import."""
    if old is None:
        return held or None
    wanted = old.get("holdIps")
    return None if wanted is None else [address for address in wanted if address in held]


async def set_held(call: Call, network: int, old: Values, new: Values) -> None:
    """Hold and release what differs."""
    before, after = set(old.get("holdIps") or []), set(new.get("holdIps") or [])
    for address in sorted(before - after):
        await call.zone.oned.call("vn.release", network, render([("LEASES", {"IP": address})]))
    for address in sorted(after - before):
        await call.zone.oned.call("vn.hold", network, render([("LEASES", {"IP": address})]))


async def set_ranges(call: Call, network: int, old: Values, new: Values) -> None:
    """Add, resize and free ranges so that the network has those of the program; nothing where it names none."""
    if new.get("ars") is None:
        return
    item = VIRTUAL_NETWORK.record.get("ars")
    assert item is not None and isinstance(item.type, ListOf) and isinstance(item.type.item, Record)
    record = item.type.item
    before: list[Values] = old.get("ars") or []
    _, added, removed = paired(item, item.type, before, new["ars"])
    for index in added:
        values = new["ars"][index]
        twin = next((other for other in removed if _same_start(record, before[other], values)), None)
        if twin is None:
            continue
        removed.remove(twin)
        text = render([("AR", {**vector_of(record, values), "AR_ID": str(before[twin]["id"])})])
        await call.zone.oned.call("vn.update_ar", network, text)
        added = [other for other in added if other != index]
    for index in removed:
        await call.zone.oned.call("vn.free_ar", network, int(before[index]["id"]))
    for index in added:
        await call.zone.oned.call("vn.add_ar", network, render([("AR", vector_of(record, new["ars"][index]))]))


def _same_start(record: Record, old: Values, new: Values) -> bool:
    """Whether only the size or the like differs, which `vn.update_ar` can change."""
    fixed = ("arType", "ip4", "ip6", "globalPrefix", "ulaPrefix", "mac")
    items = [item for item in record.properties if item.name in fixed]
    return all(same(item, item.type, old.get(item.name), new.get(item.name)) for item in items)


def _is_address(text: Any, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
