"""The federation's ports, and which of them a security group has to open. It opens nothing itself.

Two groups exist, one a role. A SuperNode has no inbound port at all: it dials out to the SuperLink's Fleet port and
to its own zone's OneGate, and gets neither SSH nor anything else from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def superlink_rules(admin_networks: Sequence[IPv4Network]) -> tuple[Rule, ...]:
    """Rules for the SuperLink's VM.

    Args:
        admin_networks: Who may reach the Control API. None at all closes it.

    Returns:
        Inbound Fleet for everybody and Control for the admin networks; outbound OneGate, DNS and NTP.
    """
    return (
        Rule(direction="INBOUND", protocol="TCP", port=FLEET_PORT),
        *(Rule(direction="INBOUND", protocol="TCP", port=CONTROL_PORT, network=network) for network in admin_networks),
        *_outbound_basics(),
    )


def supernode_rules() -> tuple[Rule, ...]:
    """Rules for the SuperNodes' VMs: nothing inbound; outbound Fleet, OneGate, DNS and NTP."""
    return (Rule(direction="OUTBOUND", protocol="TCP", port=FLEET_PORT), *_outbound_basics())


def _outbound_basics() -> tuple[Rule, ...]:
    return (
        Rule(direction="OUTBOUND", protocol="TCP", port=ONEGATE_PORT),
        Rule(direction="OUTBOUND", protocol="UDP", port=DNS_PORT),
        Rule(direction="OUTBOUND", protocol="TCP", port=DNS_PORT),
        Rule(direction="OUTBOUND", protocol="UDP", port=NTP_PORT),
    )
