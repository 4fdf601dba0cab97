"""What a driver with real networks needs to know of a VM's NICs and their security groups. It configures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zonebox.trees import text

DEFAULT_SWITCH = "zonebox"
"""Network namespace with the bridges of containers and emulated machines."""
_DEFAULT_MASK = "255.255.255.0"


@dataclass(frozen=True, kw_only=True)
class SecurityRule:
    """One rule of a security group: traffic that may pass. What no rule lets pass is dropped."""

    direction: Literal["INBOUND", "OUTBOUND"]
    protocol: str
    """ALL, TCP, UDP, ICMP, ICMPV6 or IPSEC."""
    ports: str = ""
    """RANGE as OpenNebula writes it: `22,9000:9010`; empty for all."""
    first_ip: str = ""
    """First address of the peers that it is about; empty for all."""
    size: int = 1
    """Number of these addresses."""
    network_id: str = ""
    """A virtual network whose addresses are the peers."""


@dataclass(frozen=True, kw_only=True)
class NicSpec:
    """One NIC."""

    nic_id: int
    bridge: str
    """BRIDGE of its network: NICs with the same one are on the same link."""
    mac: str
    ip: str
    mask: str
    gateway: str
    """Empty where the network has none."""
    rules: tuple[SecurityRule, ...]
    """Rules of its security groups."""


def nics_of(
    tree: Mapping[str, Any], nics: Iterable[Mapping[str, Any]], rules: Iterable[Mapping[str, Any]]
) -> tuple[NicSpec, ...]:
    """The NICs of a VM that have an address.

    Args:
        tree: the VM's CONTEXT, which has mask and gateway of each NIC as the guest is told them.
        nics: the VM's NIC vectors.
        rules: its SECURITY_GROUP_RULE vectors.
    """
    every = list(rules)
    return tuple(
        NicSpec(
            nic_id=int(nic["NIC_ID"]),
            bridge=text(nic, "BRIDGE"),
            mac=text(nic, "MAC"),
            ip=text(nic, "IP"),
            mask=text(tree, f"ETH{nic['NIC_ID']}_MASK") or _DEFAULT_MASK,
            gateway=text(tree, f"ETH{nic['NIC_ID']}_GATEWAY") or text(nic, "GATEWAY"),
            rules=_rules_of(nic, every),
        )
        for nic in nics
        if text(nic, "IP") and text(nic, "BRIDGE")
    )


def _rules_of(nic: Mapping[str, Any], rules: Iterable[Mapping[str, Any]]) -> tuple[SecurityRule, ...]:
    groups = {part.strip() for part in text(nic, "SECURITY_GROUPS").split(",")}
    return tuple(
        SecurityRule(
            direction="OUTBOUND" if text(rule, "RULE_TYPE").upper() == "OUTBOUND" else "INBOUND",
            protocol=text(rule, "PROTOCOL").upper(),
            ports=text(rule, "RANGE"),
            first_ip=text(rule, "IP"),
            size=int(text(rule, "SIZE") or 1),
            network_id=text(rule, "NETWORK_ID"),
        )
        for rule in rules
        if text(rule, "SECURITY_GROUP_ID") in groups
    )
