"""What is a difference, and what replaces."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_opennebula.definitions import RESOURCES
from pulumi_opennebula.provider.diffs import Change, Kind, changes
from pulumi_opennebula.provider.values import UNKNOWN, path_text

RECORDS = {resource.name: resource.record for resource in RESOURCES}


def found(resource: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Kind, bool]]:
    result: list[Change] = changes(RECORDS[resource], old, new)
    return {path_text(change.path): (change.kind, change.replace) for change in result}


def test_nothing_differs_from_itself_and_absence_of_what_the_cloud_chooses_is_no_difference() -> None:
    state = {"name": "a", "permissions": "600", "group": "oneadmin", "cpu": 1, "context": {"A": "b"}, "uid": 0}
    assert found("Template", state, {"name": "a", "context": {"a": "b"}}) == {}


def test_each_changed_place_is_named() -> None:
    old = {"context": {"A": "1", "B": "2"}, "nics": [{"networkId": 1}, {"networkId": 2}], "description": "x"}
    new = {"context": {"A": "1", "B": "3", "C": "4"}, "nics": [{"networkId": 1, "model": "virtio"}]}
    assert found("Template", old, new) == {
        "description": (Kind.DELETE, False),
        "context.B": (Kind.UPDATE, False),
        "context.C": (Kind.ADD, False),
        "nics[0].model": (Kind.ADD, False),
        "nics[1]": (Kind.DELETE, False),
    }


def test_order_of_cards_is_a_difference_and_order_of_rules_is_none() -> None:
    one, two = {"networkId": 1}, {"networkId": 2}
    assert set(found("Template", {"nics": [one, two]}, {"nics": [two, one]})) == {
        "nics[0].networkId",
        "nics[1].networkId",
    }
    tcp = {"protocol": "TCP", "ruleType": "INBOUND", "range": "22"}
    icmp = {"protocol": "ICMP", "ruleType": "INBOUND"}
    assert found("SecurityGroup", {"rules": [tcp, icmp]}, {"rules": [icmp, {**tcp, "protocol": "tcp"}]}) == {}


def test_a_rule_that_lost_its_ports_is_a_difference() -> None:
    tcp = {"protocol": "TCP", "ruleType": "INBOUND"}
    assert found("SecurityGroup", {"rules": [{**tcp, "range": "22"}]}, {"rules": [tcp]}) == {
        "rules[0].range": (Kind.DELETE, False)
    }


def test_a_range_differs_in_what_the_program_gives_only() -> None:
    state = [{"arType": "IP4", "size": 4, "ip4": "10.0.0.1", "mac": "02:00:0a:00:00:01", "id": "0", "computedMac": "x"}]
    given = {"arType": "IP4", "size": 4, "ip4": "10.0.0.1"}
    assert found("VirtualNetwork", {"ars": state}, {"ars": [given]}) == {}
    assert found("VirtualNetwork", {"ars": state}, {}) == {}
    assert found("VirtualNetwork", {"ars": state}, {"ars": []}) == {"ars[0]": (Kind.DELETE, False)}
    assert found("VirtualNetwork", {"ars": state}, {"ars": [{**given, "size": 5}]}) == {
        "ars[0].size": (Kind.UPDATE, False)
    }
    second = {**given, "ip4": "10.0.1.1"}
    assert found("VirtualNetwork", {"ars": state}, {"ars": [second, given]}) == {"ars[0]": (Kind.ADD, False)}
    assert found("VirtualNetwork", {"ars": state}, {"ars": [given, second]}) == {"ars[1]": (Kind.ADD, False)}


@pytest.mark.parametrize(
    ("old", "new"),
    [("FD00:0::1", "fd00::1"), ("02:00:AC:10:64:82", "02:00:ac:10:64:82")],
)
def test_spellings_of_one_address_are_no_difference(old: str, new: str) -> None:
    assert found("VirtualNetworkAddressRange", {"ip6": old, "size": 1}, {"ip6": new, "size": 1}) == {}


def test_what_opennebula_cannot_change_replaces_and_the_rest_does_not() -> None:
    assert found("Image", {"size": 1, "name": "a"}, {"size": 2, "name": "b"}) == {
        "size": (Kind.UPDATE, True),
        "name": (Kind.UPDATE, False),
    }


def test_an_unknown_value_may_be_a_difference() -> None:
    assert found("Service", {"templateId": 1}, {"templateId": UNKNOWN}) == {"templateId": (Kind.UPDATE, True)}
    assert found("Template", {}, {"context": {"A": UNKNOWN}}) == {"context": (Kind.ADD, False)}
    assert found("Template", {"context": {"A": "1"}}, {"context": {"A": UNKNOWN}}) == {
        "context.A": (Kind.UPDATE, False)
    }


def test_white_space_and_order_of_keys_in_json_are_no_difference() -> None:
    assert found("Service", {"extraTemplate": '{"a":1,"b":2}'}, {"extraTemplate": '{ "b": 2, "a": 1 }'}) == {}
    assert found("Service", {"extraTemplate": '{"a":1}'}, {"extraTemplate": '{"a":2}'}) == {
        "extraTemplate": (Kind.UPDATE, False)
    }


def test_empty_says_as_much_as_absent() -> None:
    assert found("Template", {"tags": {}, "lock": None}, {"nics": [], "description": ""}) == {}
