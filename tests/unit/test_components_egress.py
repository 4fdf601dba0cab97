"""What security groups let through: each role's rules, and hosts that operators name."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.egress import Infrastructure, NamedHost, check_host, check_network, superlink_rules, supernode_rules
from components.errors import RefusalError
from components.ports import Rule

LAN = IPv4Network("10.7.0.0/16")


def outbound(rules: tuple[Rule, ...]) -> set[tuple[str, int, str]]:
    return {(rule.protocol, rule.port, str(rule.network or "any")) for rule in rules if rule.direction == "OUTBOUND"}


def test_a_supernode_dials_its_superlink_onegate_dns_and_ntp_and_nothing_dials_it() -> None:
    rules = supernode_rules(
        "192.0.2.7",
        services=Infrastructure(onegate=IPv4Network("10.7.0.1"), dns=IPv4Network("10.7.0.2"), ntp=LAN),
    )

    assert outbound(rules) == {
        ("TCP", 9092, "192.0.2.7/32"),
        ("TCP", 5030, "10.7.0.1/32"),
        ("UDP", 53, "10.7.0.2/32"),
        ("TCP", 53, "10.7.0.2/32"),
        ("UDP", 123, "10.7.0.0/16"),
    }
    assert all(rule.direction == "OUTBOUND" for rule in rules)


def test_behind_a_name_only_the_port_can_be_fixed() -> None:
    assert ("TCP", 9092, "any") in outbound(supernode_rules("superlink.example.org"))


def test_a_named_host_is_one_more_rule() -> None:
    mirror = NamedHost(name="mirror", network=IPv4Network("10.1.2.3"), port=443)

    with_host, without = supernode_rules("192.0.2.7", hosts=[mirror]), supernode_rules("192.0.2.7")
    assert outbound(with_host) - outbound(without) == {("TCP", 443, "10.1.2.3/32")}


def test_a_host_that_is_named_twice_or_is_a_service_already_makes_no_second_equal_rule() -> None:
    """OpenNebula refuses a group with two equal rules, in the middle of an update."""
    mirror, dns = (
        NamedHost(name=name, network=IPv4Network("10.7.0.2"), port=port) for name, port in (("a", 443), ("d", 53))
    )
    services = Infrastructure(dns=IPv4Network("10.7.0.2"))
    hosts = [mirror, NamedHost(name="again", network=mirror.network, port=443), dns]

    for rules in (
        supernode_rules("192.0.2.7", services=services, hosts=hosts),
        superlink_rules(zone_networks=[LAN, LAN], admin_networks=[LAN], services=services, hosts=hosts),
    ):
        assert len(set(rules)) == len(rules)
        assert ("TCP", 443, "10.7.0.2/32") in outbound(rules)


def test_a_superlink_is_reached_by_the_zones_on_fleet_and_by_the_admins_on_control() -> None:
    rules = superlink_rules(
        zone_networks=[IPv4Network("10.20.0.0/24"), IPv4Network("10.30.0.0/24"), IPv4Network("10.20.0.0/24")],
        admin_networks=[IPv4Network("10.9.0.0/24")],
    )

    assert [(rule.port, str(rule.network)) for rule in rules if rule.direction == "INBOUND"] == [
        (9092, "10.20.0.0/24"),
        (9092, "10.30.0.0/24"),
        (9093, "10.9.0.0/24"),
    ]


def test_a_superlink_dials_onegate_dns_and_ntp_and_no_node() -> None:
    rules = superlink_rules(zone_networks=[], admin_networks=[])

    assert outbound(rules) == {("TCP", 5030, "any"), ("UDP", 53, "any"), ("TCP", 53, "any"), ("UDP", 123, "any")}
    assert [(rule.port, rule.network) for rule in rules if rule.direction == "INBOUND"] == [(9092, None)]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"address": "mirror.example.org"}, "know no names"),
        ({"address": "10.1.2.3/16"}, "without host bits"),
        ({"address": "0.0.0.0/0"}, "at most /8"),
        ({"port": 0}, "1 to 65535"),
        ({"port": 65536}, "1 to 65535"),
        ({"protocol": "ICMP"}, "TCP or UDP"),
        ({"name": ""}, "plain characters"),
    ],
)
def test_a_host_that_names_nothing_definite_is_refused_with_its_place(changes: dict[str, object], word: str) -> None:
    given_host: dict[str, object] = {"name": "mirror", "address": "10.1.2.3", "port": 443, "protocol": "TCP", **changes}
    with pytest.raises(RefusalError) as refusal:
        check_host(**given_host, where="egress.hosts[0]")  # type: ignore[arg-type]
    assert word in str(refusal.value)
    assert "egress.hosts[0]" in refusal.value.value


@given(st.integers(8, 32), st.integers(0, 2**32 - 1), st.integers(1, 65535), st.sampled_from(["TCP", "UDP"]))
def test_every_host_that_is_let_out_is_exactly_the_one_that_was_named(
    prefix: int, number: int, port: int, protocol: str
) -> None:
    network = IPv4Network((number, prefix), strict=False)
    host = check_host(name="x", address=str(network), port=port, protocol=protocol, where="w")
    assert (host.network, host.port, host.protocol) == (network, port, protocol)
    assert check_network(str(network), where="w") == network
