"""The nspawn driver's networks for real: bridges, routes, security groups and the relay, between empty namespaces.

Every address is inside a namespace that the test makes and removes; the host's own network is not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from components.egress import NamedHost, superlink_rules, supernode_rules
from components.ports import Rule
from tests.image_support import MARKS, OPEN, require_tools, tool
from tests.patience import PATIENCE_S
from zonebox.drivers.base import DriverError
from zonebox.drivers.nics import NicSpec, SecurityRule
from zonebox.drivers.nspawn_network import NETNS, NspawnNetwork
from zonebox.drivers.nspawn_relay import Relay, socket_in

pytestmark = MARKS
DROPPED_S = 1.0
"""After which a connection that must not succeed counts as dropped."""


def nic(vm_id: int, *rules: SecurityRule, network: int = 1) -> NicSpec:
    return NicSpec(
        nic_id=0,
        bridge=f"onebr{network}",
        mac=f"02:00:0a:0a:{network:02x}:{vm_id:02x}",
        ip=f"10.10.{network}.{10 + vm_id}",
        mask="255.255.255.0",
        gateway=f"10.10.{network}.1",
        rules=rules,
    )


@asynccontextmanager
async def network(zone: str = "lab") -> AsyncIterator[NspawnNetwork]:
    """A switch of the test's own; guests' namespaces go with it."""
    require_tools()
    made = NspawnNetwork(zone, switch=f"zbt{uuid.uuid4().hex[:6]}")
    try:
        yield made
    finally:
        for entry in NETNS.glob(f"{made.switch}*"):
            tool("ip", "netns", "delete", entry.name)


@contextlib.contextmanager
def listening(net: NspawnNetwork, vm_id: int, interface: NicSpec, port: int) -> Iterator[None]:
    with contextlib.closing(socket_in(net.namespace_path(vm_id), (interface.ip, port))):
        yield


def reaches(namespace: str, address: str, port: int, *, wait_s: float = PATIENCE_S) -> bool:
    """Whether a TCP connection from a namespace succeeds in time. A lost packet is sent again after a second."""
    program = f"import socket; socket.create_connection(('{address}', {port}), {wait_s})"
    command = ["ip", "netns", "exec", namespace, "python3", "-c", program]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def test_guests_of_two_networks_reach_each_other_through_the_gateways() -> None:
    async with network() as net:
        one, two, far = nic(1, *OPEN), nic(2, *OPEN), nic(3, *OPEN, network=2)
        for vm_id, interface in ((1, one), (2, two), (3, far)):
            await net.connect(vm_id, (interface,))
        with listening(net, 1, one, 9092):
            assert reaches(net.namespace(2), one.ip, 9092)
            assert reaches(net.namespace(3), one.ip, 9092)
            assert reaches(net.switch, one.ip, 9092)


async def test_only_what_a_security_group_names_gets_in_from_siblings_and_from_the_switch() -> None:
    fleet = SecurityRule(direction="INBOUND", protocol="TCP", ports="9092")
    control = SecurityRule(direction="INBOUND", protocol="TCP", ports="9093", first_ip="10.10.1.1")
    outbound = SecurityRule(direction="OUTBOUND", protocol="ALL")
    async with network() as net:
        server, client = nic(1, fleet, control, outbound), nic(2, *OPEN)
        await net.connect(1, (server,))
        await net.connect(2, (client,))
        with listening(net, 1, server, 9092), listening(net, 1, server, 9093), listening(net, 1, server, 22):
            wanted = {
                (net.namespace(2), 9092): True,
                (net.namespace(2), 9093): False,
                (net.namespace(2), 22): False,
                (net.switch, 9092): True,
                (net.switch, 9093): True,
                (net.switch, 22): False,
            }
            seen = {
                (source, port): reaches(source, server.ip, port, wait_s=PATIENCE_S if passes else DROPPED_S)
                for (source, port), passes in wanted.items()
            }
    assert seen == wanted


def declared(rules: Sequence[Rule]) -> tuple[SecurityRule, ...]:
    """A stack's rules as OpenNebula hands them to a driver: a network is its first address and how many there are."""
    return tuple(
        SecurityRule(direction=rule.direction, protocol=rule.protocol, ports=str(rule.port))
        if rule.network is None
        else SecurityRule(
            direction=rule.direction,
            protocol=rule.protocol,
            ports=str(rule.port),
            first_ip=str(rule.network.network_address),
            size=rule.network.num_addresses,
        )
        for rule in rules
    )


async def test_the_rules_of_both_roles_pass_what_they_need_and_what_was_named_and_drop_the_rest() -> None:
    addresses = {name: f"10.10.1.{10 + number}" for name, number in (("superlink", 1), ("node", 2), ("other", 3))}
    mirror = NamedHost(name="mirror", network=IPv4Network(addresses["other"]), port=443)
    rules = {
        "superlink": declared(
            superlink_rules(
                zone_networks=[IPv4Network(addresses["node"])], admin_networks=[IPv4Network("10.10.1.1/32")]
            )
        ),
        "node": declared(supernode_rules(addresses["superlink"], hosts=[mirror])),
        "other": OPEN,
    }
    passes = {
        ("node", "superlink", 9092),
        ("admin", "superlink", 9093),
        ("node", "other", 443),
        ("node", "other", 5030),
        ("node", "other", 53),
    }
    dropped = {
        ("node", "superlink", 9093),
        ("node", "superlink", 22),
        ("node", "other", 9092),
        ("node", "other", 22),
        ("other", "superlink", 9092),
        ("other", "superlink", 9093),
        ("admin", "superlink", 22),
        ("superlink", "node", 9094),
        ("other", "node", 9094),
        ("admin", "node", 9094),
    }
    async with network() as net:
        namespaces = {"admin": net.switch}
        with contextlib.ExitStack() as sockets:
            for vm_id, name in enumerate(addresses, 1):
                await net.connect(vm_id, (nic(vm_id, *rules[name]),))
                namespaces[name] = net.namespace(vm_id)
                for port in {port for _, target, port in passes | dropped if target == name}:
                    sockets.enter_context(listening(net, vm_id, nic(vm_id), port))

            def look(way: tuple[str, str, int]) -> bool:
                source, target, port = way
                wait_s = PATIENCE_S if way in passes else DROPPED_S
                return reaches(namespaces[source], addresses[target], port, wait_s=wait_s)

            with ThreadPoolExecutor(4) as pool:
                ways = sorted(passes | dropped)
                seen = dict(zip(ways, pool.map(look, ways), strict=True))
    assert {way for way, reached in seen.items() if reached} == passes


async def test_a_guest_without_outbound_rules_reaches_no_other_guest_even_as_root_with_another_address() -> None:
    async with network() as net:
        server, jailed = nic(1, *OPEN), nic(2, SecurityRule(direction="INBOUND", protocol="ALL"))
        await net.connect(1, (server,))
        await net.connect(2, (jailed,))
        with listening(net, 1, server, 9092):
            assert not reaches(net.namespace(2), server.ip, 9092, wait_s=DROPPED_S)
            guest = ["ip", "-n", net.namespace(2)]
            tool(*guest, "address", "flush", "dev", "eth0")
            tool(*guest, "address", "add", "10.10.1.77/24", "dev", "eth0")
            assert not reaches(net.namespace(2), server.ip, 9092, wait_s=DROPPED_S)


async def test_connecting_again_replaces_rules_and_disconnecting_leaves_nothing() -> None:
    async with network() as net:
        server, client = nic(1), nic(2, *OPEN)
        await net.connect(1, (server,))
        await net.connect(2, (client,))
        await net.connect(1, (replace(server, rules=OPEN),))
        with listening(net, 1, server, 9092):
            assert reaches(net.namespace(2), server.ip, 9092)
        for vm_id, interface in ((1, server), (2, client)):
            await net.disconnect(vm_id, (interface,))
            await net.disconnect(vm_id, (interface,))
        inside = ["ip", "netns", "exec", net.switch]
        assert tool(*inside, "nft", "list", "ruleset") == ""
        assert tool(*inside, "ip", "-o", "link", "show", "type", "veth") == ""
        assert {entry.name for entry in NETNS.glob(f"{net.switch}*")} == {net.switch}


async def test_a_rule_that_cannot_be_enforced_leaves_the_guest_unplugged() -> None:
    async with network() as net:
        with pytest.raises(DriverError, match="RANGE x"):
            await net.connect(1, (nic(1, SecurityRule(direction="INBOUND", protocol="TCP", ports="x")),))
        assert not net.namespace_path(1).exists()


async def test_the_relay_carries_both_ways_between_a_namespace_and_the_host() -> None:
    async with network() as net:
        await net.give_address("169.254.16.9")

        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        service = await asyncio.start_server(upper, "127.0.0.1", 0)
        port = service.sockets[0].getsockname()[1]
        relay = Relay(NETNS / net.switch, listen=("169.254.16.9", 5030), target=("127.0.0.1", port))
        await relay.start()
        program = (
            "import socket; s = socket.create_connection(('169.254.16.9', 5030), 300); s.sendall(b'ready\\n'); "
            "print(s.makefile().read())"
        )
        command = ["ip", "netns", "exec", net.switch, "python3", "-c", program]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "READY"
        second = Relay(NETNS / net.switch, listen=("169.254.16.9", 5030), target=("127.0.0.1", port))
        with pytest.raises(DriverError, match=r"169\.254\.16\.9:5030[\s\S]*another --onegate-host"):
            await second.start()
        await relay.close()
        service.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
