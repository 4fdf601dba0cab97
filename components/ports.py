"""The federation's ports, and what a rule of a security group is. Which rules there are is decided in `egress`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

SUPERLINK_PORT = 9091
"""Where flower-superlink itself listens, on loopback only."""
FLEET_PORT = 9092
"""The gateway's port for SuperNodes: any network, TLS, node keys."""
CONTROL_PORT = 9093
"""The gateway's port for operators: the admin networks only."""
RUNTIME_PORT = 9094
"""A SuperNode's runtime API, on loopback only."""
ONEGATE_PORT = 5030
"""OneGate, where a VM publishes its readiness and its public key."""
DNS_PORT = 53
NTP_PORT = 123
"""Flower refuses messages whose clocks differ by more than seconds, so VMs need time (flwr 1.41.0, 2026-11-24)."""

Direction = Literal["INBOUND", "OUTBOUND"]
Protocol = Literal["TCP", "UDP"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a security group."""

    direction: Direction
    protocol: Protocol
    port: int
    network: IPv4Network | None = None
    """The other side's network; None is any address."""
