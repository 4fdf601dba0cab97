"""Address ranges: their addresses, and which are taken. Pure functions on AR vectors; the network that owns them is in
vnets.py.

A stored AR is its vector in alphabetical order plus ALLOCATED, a dict from index (as a string) to "VM 7", "VM -1" for a
held address, or "VNET 4"; `shown` turns it into what oned shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from zonebox.errors import Refused
from zonebox.trees import Tree, put_listed, text

TYPES = ("ETHER", "IP4", "IP6", "IP4_6", "IP6_STATIC", "IP4_6_STATIC")
MAC_PREFIX = "02:00"
"""MAC_PREFIX of oned.conf; an address's MAC is this and its IPv4 bytes."""
_OWN = frozenset(
    {"AR_ID", "ALLOCATED", "USED_LEASES", "LEASES", "PARENT_NETWORK_AR_ID", "MAC_END", "IP_END", "IP6_END"}
)


def has_ip4(tree: Tree) -> bool:
    """Whether a range hands out IPv4 addresses."""
    return text(tree, "TYPE") in {"IP4", "IP4_6", "IP4_6_STATIC"}


def mac_number(mac: str) -> int:
    """A MAC as a number. Raises Refused."""
    parts = mac.split(":")
    try:
        if len(parts) != 6:
            raise ValueError(mac)
        return int.from_bytes(bytes(int(part, 16) for part in parts), "big")
    except ValueError as error:
        raise Refused("Wrong format for MAC attribute") from error


def mac_text(number: int) -> str:
    """A number as a MAC."""
    return ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))


def mac_of(ip: str) -> str:
    """The MAC that OpenNebula derives from an IPv4 address."""
    return f"{MAC_PREFIX}:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(ip).packed)


def new(given: Tree, ar_id: int, random_hex: Callable[[int], str]) -> Tree:
    """A range as stored, from what the caller gave.

    Raises:
        Refused: with oned's texts, where TYPE, SIZE, IP or MAC is wrong.
    """
    tree = {key: value for key, value in given.items() if key not in _OWN}
    kind = text(tree, "TYPE").upper()
    if kind not in TYPES:
        raise Refused("Unknown or missing address range TYPE.")
    tree["TYPE"] = kind
    size = text(tree, "SIZE")
    if not size.isdecimal() or int(size) <= 0:
        raise Refused("Wrong SIZE for address range")
    if has_ip4(tree):
        _ip4(text(tree, "IP"))
    else:
        tree.pop("IP", None)
    if text(tree, "MAC"):
        tree["MAC"] = mac_text(mac_number(text(tree, "MAC")))
    elif has_ip4(tree):
        tree["MAC"] = mac_of(text(tree, "IP"))
    else:
        random = random_hex(4)
        tree["MAC"] = f"{MAC_PREFIX}:" + ":".join(random[i : i + 2] for i in range(0, 8, 2))
    tree["AR_ID"] = str(ar_id)
    _check_ends(tree)
    ordered = dict(sorted(tree.items()))
    return {**ordered, "ALLOCATED": {}}


def _check_ends(tree: Tree) -> None:
    """Raise Refused where the first or last address is none: no pool that the network is in could be shown then."""
    for key in ("IP6", "GLOBAL_PREFIX", "ULA_PREFIX"):
        try:
            ipaddress.IPv6Address(text(tree, key) or "::")
        except ValueError as error:
            raise Refused(f"Wrong format for {key} attribute") from error
    try:
        address(tree, int(text(tree, "SIZE")) - 1)
    except (ValueError, OverflowError) as error:
        raise Refused("Wrong SIZE for address range") from error


def _ip4(value: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(value)
    except ValueError as error:
        raise Refused("Wrong or empty IP attribute") from error


def updated(stored: Tree, given: Tree) -> Tree:
    """A range after update_ar: type, first addresses and id stay; SIZE may change unless a lease falls outside.

    Raises:
        Refused.
    """
    tree = {key: value for key, value in given.items() if key not in _OWN}
    for key in ("TYPE", "MAC", "IP", "AR_ID", "PARENT_NETWORK_AR_ID"):
        if key in stored:
            tree[key] = stored[key]
        else:
            tree.pop(key, None)
    size = text(tree, "SIZE") or text(stored, "SIZE")
    if not size.isdecimal() or int(size) <= 0:
        raise Refused("Wrong SIZE for address range")
    if "PARENT_NETWORK_AR_ID" in stored and size != stored["SIZE"]:
        raise Refused("The SIZE of a reservation cannot be changed.")
    if any(int(index) >= int(size) for index in stored["ALLOCATED"]):
        raise Refused("New SIZE cannot be applied. There are used leases that would fall outside the range.")
    tree["SIZE"] = size
    _check_ends(tree)
    return {**dict(sorted(tree.items())), "ALLOCATED": stored["ALLOCATED"]}


def address(tree: Tree, index: int) -> Tree:
    """IP (where the range has one), IP6 and MAC of the address at an index."""
    found: Tree = {}
    if has_ip4(tree):
        found["IP"] = str(ipaddress.IPv4Address(tree["IP"]) + index)
    if text(tree, "IP6"):
        found["IP6"] = str(ipaddress.IPv6Address(tree["IP6"]) + index)
    mac = mac_text(mac_number(tree["MAC"]) + index)
    for prefix, name in (("GLOBAL_PREFIX", "IP6_GLOBAL"), ("ULA_PREFIX", "IP6_ULA")):
        if text(tree, prefix):
            found[name] = _eui64(text(tree, prefix), mac)
    found["MAC"] = mac
    return dict(sorted(found.items()))


def _eui64(prefix: str, mac: str) -> str:
    """An IPv6 address from a /64 prefix and a MAC, with the universal bit flipped (as recorded)."""
    octets = mac_number(mac).to_bytes(6, "big")
    low = bytes([octets[0] ^ 0x02]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    high = int(ipaddress.IPv6Address(prefix)) >> 64 << 64
    return str(ipaddress.IPv6Address(high | int.from_bytes(low, "big")))


def index_of(tree: Tree, ip: str, mac: str = "", ip6: str = "") -> int | None:
    """Where an address lies in a range, or None."""
    if ip and has_ip4(tree):
        try:
            index = int(ipaddress.IPv4Address(ip)) - int(ipaddress.IPv4Address(tree["IP"]))
        except ValueError:
            return None
    elif ip6 and text(tree, "IP6"):
        try:
            index = int(ipaddress.IPv6Address(ip6)) - int(ipaddress.IPv6Address(tree["IP6"]))
        except ValueError:
            return None
    elif mac and not ip:
        index = mac_number(mac) - mac_number(tree["MAC"])
    else:
        return None
    return index if 0 <= index < int(tree["SIZE"]) else None


def free_indexes(tree: Tree) -> Iterator[int]:
    """Indexes that nobody has, lowest first."""
    taken = tree["ALLOCATED"]
    return (index for index in range(int(tree["SIZE"])) if str(index) not in taken)


def free_run(tree: Tree, length: int, first: int | None = None) -> int | None:
    """Start of `length` free addresses in a row, at `first` where given; None where there are none."""
    taken = {int(index) for index in tree["ALLOCATED"]}
    size = int(tree["SIZE"])
    for start in range(size - length + 1) if first is None else [first]:
        if start + length <= size and not any(index in taken for index in range(start, start + length)):
            return start
    return None


def shown(stored: Tree) -> Tree:
    """A range as oned shows it, with its end, and its leases."""
    last = address(stored, int(stored["SIZE"]) - 1)
    first = address(stored, 0)
    tree = {key: value for key, value in stored.items() if key != "ALLOCATED"}
    tree["MAC_END"] = last["MAC"]
    if "IP" in last:
        tree["IP_END"] = last["IP"]
    if "IP6" in last:
        tree["IP6_END"] = last["IP6"]
    for name in ("IP6_ULA", "IP6_GLOBAL"):
        if name in first:
            tree[name], tree[f"{name}_END"] = first[name], last[name]
    allocated = stored["ALLOCATED"]
    tree["USED_LEASES"] = str(len(allocated))
    leases: Tree = {}
    rows = []
    for index in sorted(allocated, key=int):
        kind, owner = allocated[index].split(" ")
        rows.append(dict(sorted({**address(stored, int(index)), kind: owner}.items())))
    put_listed(leases, "LEASE", rows)
    tree["LEASES"] = leases
    return tree
