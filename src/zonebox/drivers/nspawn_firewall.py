"""Security groups as an nftables ruleset. Pure: rules in, text for `nft -f` out; it loads nothing.

As in OpenNebula, groups only allow: what no rule lets pass is dropped, except for answers to what one let pass.
The rules are enforced outside of the guest, where the bridge is, so that root in the guest cannot lift them. Traffic
from the guest to the bridge's own machine is not filtered: there OneGate is, as with OpenNebula's OneGate proxy.
"""

from __future__ import annotations

import ipaddress
import re

from zonebox.drivers.base import DriverError
from zonebox.drivers.nics import NicSpec, SecurityRule

_RANGE = re.compile(r"\s*(\d{1,5})(?:\s*:\s*(\d{1,5}))?\s*")
_PROTOCOLS = {
    "ALL": "",
    "TCP": "meta l4proto tcp",
    "UDP": "meta l4proto udp",
    "ICMP": "meta l4proto icmp",
    "ICMPV6": "meta l4proto ipv6-icmp",
    "IPSEC": "meta l4proto { esp, ah }",
}


def ruleset(table: str, port: str, nic: NicSpec) -> str:
    """Replace the tables of a NIC in one transaction.

    Args:
        table: name of the NIC's own two tables.
        port: the bridge port that its traffic comes out of.
        nic: addresses and rules.

    Raises:
        DriverError: a rule that cannot be enforced as it is written.
    """
    inbound = [_statement(rule, peer="saddr") for rule in nic.rules if rule.direction == "INBOUND"]
    outbound = [_statement(rule, peer="daddr") for rule in nic.rules if rule.direction == "OUTBOUND"]
    lines = [
        removal(table),
        f"table inet {table} {{",
        *_chain("inbound", ["ct state established,related return", *inbound, "drop"]),
        *_chain("outbound", ["ct state established,related return", *outbound, "drop"]),
        *_hook("forward", [f"ip saddr {nic.ip} jump outbound", f"ip daddr {nic.ip} jump inbound"]),
        *_hook("output", [f"ip daddr {nic.ip} jump inbound"]),
        "}",
        f"table bridge {table} {{",
        # Rules go by address, so a guest may use no other. ARP and IPv6's neighbour discovery are not IPv4.
        *_hook("prerouting", [f'iifname "{port}" ip saddr != {nic.ip} drop']),
        "}",
        "",
    ]
    return "\n".join(lines)


def removal(table: str) -> str:
    """Remove a NIC's tables, whether they exist or not."""
    return "\n".join(f"table {family} {table}\ndelete table {family} {table}" for family in ("inet", "bridge"))


def _chain(name: str, statements: list[str]) -> list[str]:
    return [f" chain {name} {{", *(f"  {statement}" for statement in statements), " }"]


def _hook(name: str, statements: list[str]) -> list[str]:
    return _chain(name, [f"type filter hook {name} priority 0; policy accept;", *statements])


def _statement(rule: SecurityRule, *, peer: str) -> str:
    if rule.network_id and not rule.first_ip:
        raise DriverError(
            f"security group rule with NETWORK_ID {rule.network_id}: this driver takes IP and SIZE, a rule that is "
            "ignored would let too much or too little pass; write the network's first address and size into the rule"
        )
    if rule.protocol not in _PROTOCOLS:
        raise DriverError(
            f"security group rule with PROTOCOL {rule.protocol}: it must be one of {', '.join(_PROTOCOLS)}, no other "
            "has a meaning in OpenNebula; correct the security group"
        )
    parts = [_PROTOCOLS[rule.protocol]]
    if rule.first_ip:
        first = ipaddress.IPv4Address(rule.first_ip)
        last = first + (rule.size - 1)
        parts.append(f"ip {peer} {first}" if first == last else f"ip {peer} {first}-{last}")
    if rule.ports:
        parts.append(f"th dport {{ {_ports(rule.ports)} }}")
    return " ".join([*filter(None, parts), "return"])


def _ports(given: str) -> str:
    ranges = []
    for part in given.split(","):
        found = _RANGE.fullmatch(part)
        numbers = [int(number) for number in found.groups() if number] if found else []
        if not numbers or max(numbers) > 65535 or numbers != sorted(numbers):
            raise DriverError(
                f"security group rule with RANGE {given}: it must be ports and ranges such as 22,9000:9010, nothing "
                "else says which traffic may pass; correct the security group"
            )
        ranges.append("-".join(str(number) for number in numbers))
    return ", ".join(ranges)
