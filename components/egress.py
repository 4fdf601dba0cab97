"""Which connections a role's security group lets through: decided here, declared by infra/network.py, opened by nobody.

A SuperNode dials its SuperLink's Fleet port, OneGate, DNS and NTP, and whatever hosts its zone's operator names. Nobody
dials it. The SuperLink is dialled on 9092 by the zones' networks and on 9093 by the admin networks. Security groups
know addresses only: a name would be resolved once, at `up`, and be wrong after the next change of its address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from components.errors import RefusalError
from components.ports import CONTROL_PORT, DNS_PORT, FLEET_PORT, NTP_PORT, ONEGATE_PORT, Protocol, Rule

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}")
_MAX_PORT = 65535
_WIDEST_PREFIX = 8


@dataclass(frozen=True, kw_only=True)
class NamedHost:
    """Something else that a zone's VMs may dial, such as a mirror or a log collector."""

    name: str
    """What it is, for people."""
    network: IPv4Network
    port: int
    protocol: Protocol = "TCP"


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """Where a zone's own services are; None leaves their address open, and only their port is fixed."""

    onegate: IPv4Network | None = None
    dns: IPv4Network | None = None
    ntp: IPv4Network | None = None


def supernode_rules(
    superlink_host: str, *, services: Infrastructure | None = None, hosts: Sequence[NamedHost] = ()
) -> tuple[Rule, ...]:
    """Rules for the SuperNodes' VMs: nothing inbound.

    Args:
        superlink_host: Host of the Fleet endpoint. An address is the only one let through; behind a name every address
            is, on the Fleet port: TLS and the CA say whether it is the SuperLink.
        services: The zone's OneGate, DNS and NTP.
        hosts: What the zone's operator named.
    """
    return _different(
        _out("TCP", FLEET_PORT, _network_of(superlink_host)),
        *_basics(services or Infrastructure()),
        *(_out(host.protocol, host.port, host.network) for host in hosts),
    )


def superlink_rules(
    *,
    zone_networks: Sequence[IPv4Network],
    admin_networks: Sequence[IPv4Network],
    services: Infrastructure | None = None,
    hosts: Sequence[NamedHost] = (),
) -> tuple[Rule, ...]:
    """Rules for the SuperLink's VM.

    Args:
        zone_networks: Who may reach the Fleet API; none given means everybody, since nodes prove who they are.
        admin_networks: Who may reach the Control API; none given means nobody.
        services: The zone's OneGate, DNS and NTP.
        hosts: What the centre's operator named.
    """
    fleet = [_in(FLEET_PORT, network) for network in zone_networks] or [_in(FLEET_PORT, None)]
    return _different(
        *fleet,
        *(_in(CONTROL_PORT, network) for network in admin_networks),
        *_basics(services or Infrastructure()),
        *(_out(host.protocol, host.port, host.network) for host in hosts),
    )


def check_host(*, name: str, address: str, port: int, protocol: str, where: str) -> NamedHost:
    """A named host out of settings.

    Raises:
        RefusalError: It is no address, port or protocol, or so wide that it names nothing.
    """
    network = check_network(address, where=f"{where}.address")
    problem = None
    if _NAME.fullmatch(name) is None:
        problem = (f"{where}.name: {name!r}", "a name says what the host is, in 1 to 63 plain characters")
    elif not 1 <= port <= _MAX_PORT:
        problem = (f"{where}.port: {port}", f"a port is 1 to {_MAX_PORT}")
    elif protocol not in ("TCP", "UDP"):
        problem = (f"{where}.protocol: {protocol!r}", "a protocol is TCP or UDP")
    elif network.prefixlen < _WIDEST_PREFIX:
        problem = (f"{where}.address: {address}", f"a host or a network of at most /{_WIDEST_PREFIX}")
    if problem is not None:
        raise RefusalError(
            value=problem[0],
            rule=problem[1],
            reason="whatever is let out of a SuperNode's VM could carry patients' data",
            remedy=f"correct {where} in the stack file, or leave it out",
        )
    return NamedHost(name=name, network=network, port=port, protocol="TCP" if protocol == "TCP" else "UDP")


def check_admin_networks(networks: Sequence[IPv4Network], *, where: str) -> tuple[IPv4Network, ...]:
    """Return the networks that may reach the Control API, if each of them is one.

    Raises:
        RefusalError: One is so wide that it names nobody.
    """
    for network in networks:
        if network.prefixlen < _WIDEST_PREFIX:
            raise RefusalError(
                value=f"{where}: {network}",
                rule=f"networks of at most /{_WIDEST_PREFIX}",
                reason="who reaches the Control API with a certificate of its CA can start runs and let nodes in",
                remedy=f"list the networks that operators sit in under {where} in the stack file",
            )
    return tuple(networks)


def check_network(text: str, *, where: str) -> IPv4Network:
    """An address or a network.

    Raises:
        RefusalError: It is a name, or has bits beside its mask.
    """
    try:
        return IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise RefusalError(
            value=f"{where}: {text!r}",
            rule="an IPv4 address, or a network such as 10.1.0.0/16 without host bits",
            reason="security groups compare addresses and know no names",
            remedy=f"write the address that stands behind it into {where} in the stack file",
        ) from error


def _basics(services: Infrastructure) -> tuple[Rule, ...]:
    return (
        _out("TCP", ONEGATE_PORT, services.onegate),
        _out("UDP", DNS_PORT, services.dns),
        _out("TCP", DNS_PORT, services.dns),
        _out("UDP", NTP_PORT, services.ntp),
    )


def _network_of(host: str) -> IPv4Network | None:
    try:
        return IPv4Network(IPv4Address(host))
    except AddressValueError:
        return None


def _different(*rules: Rule) -> tuple[Rule, ...]:
    """Without repetition, in the order given: two equal rules are an error to OpenNebula."""
    return tuple(dict.fromkeys(rules))


def _in(port: int, network: IPv4Network | None) -> Rule:
    return Rule(direction="INBOUND", protocol="TCP", port=port, network=network)


def _out(protocol: Protocol, port: int, network: IPv4Network | None) -> Rule:
    return Rule(direction="OUTBOUND", protocol=protocol, port=port, network=network)
