"""Objects as a real OpenNebula 7.0.1 showed them, as properties; and properties as the text it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_opennebula.definitions import RESOURCES
from pulumi_opennebula.definitions.model import Resource
from pulumi_opennebula.errors import FailedObjectError
from pulumi_opennebula.provider.diffs import changes
from pulumi_opennebula.provider.functions.lookup import found_in
from pulumi_opennebula.provider.functions.machines import machine_of, matches, sorted_by
from pulumi_opennebula.provider.resources import address_range, image, security_group, template, virtual_network
from pulumi_opennebula.provider.resources.ranges import held_in, ranges_in
from pulumi_opennebula.provider.states import imported_inputs, settled
from pulumi_opennebula.provider.templates import children, parse, render
from tests.opennebula_data import recorded

DEFINITIONS = {resource.name: resource for resource in RESOURCES}
READERS = {
    "SecurityGroup": (security_group.properties, "security_group"),
    "VirtualNetwork": (virtual_network.properties, "network"),
    "Image": (image.properties, "image"),
    "Template": (template.properties, "template"),
}


def definition(name: str) -> Resource:
    return DEFINITIONS[name]


def test_a_security_group_shows_rules_owner_and_the_programs_spelling_of_tags() -> None:
    old = {"tags": {"Customer": "test", "env": "prod"}, "rules": []}
    found = security_group.properties(recorded("security_group"), old, {"version": "1"})
    assert found["rules"] == [
        {"protocol": "ALL", "ruleType": "OUTBOUND"},
        {"protocol": "TCP", "ruleType": "INBOUND", "range": "80"},
        {"protocol": "ICMP", "ruleType": "INBOUND"},
    ]
    assert found["tags"] == {"Customer": "test", "env": "dev"}
    assert found["defaultTags"] == {"version": "2"}
    assert (found["permissions"], found["gname"], found["securityGroupId"]) == ("660", "oneadmin", "101")


def test_a_network_shows_ranges_holds_and_addresses() -> None:
    found = virtual_network.properties(recorded("network"), None, {})
    assert found["type"] == "dummy"
    assert found["networkMask"] == "255.255.0.0"
    assert found["securityGroups"] == [0]
    assert found["clusterIds"] == [0]
    assert found["ars"][2]["prefixLength"] == "127"
    assert [entry["id"] for entry in found["ars"]][:5] == ["0", "1", "2", "4", "5"]
    assert "172.16.100.2" in found["holdIps"]
    assert "172.16.100.3" not in found["holdIps"]
    assert found["tags"] == {"APP": "test_app", "ENVIRONMENT": "example"}


def test_only_holds_of_the_program_are_reported_where_there_is_one() -> None:
    found = virtual_network.properties(recorded("network"), {"holdIps": ["172.16.100.112", "172.16.100.9"]}, {})
    assert found["holdIps"] == ["172.16.100.112"]


def test_a_reservation_knows_its_parent() -> None:
    found = virtual_network.properties(recorded("reservation"), None, {})
    assert (found["reservationVnet"], found["reservationSize"], found["reservationArId"]) == (3, 5, 5)


def test_a_range_shows_the_cloud_s_mac_and_attributes_of_the_programs_own() -> None:
    body = {**ranges_in(recorded("network"))[4], "KEY1": "value1"}
    found = address_range.properties(3, body, {"custom": {"key1": "x"}, "holdIps": ["172.16.100.112"]})
    assert found["mac"] == "02:00:ac:10:64:6e"
    assert found["custom"] == {"key1": "value1"}
    assert found["holdIps"] == ["172.16.100.112"] == held_in([body])
    assert found["virtualNetworkAddressRangeId"] == "5"


def test_an_image_shows_type_lock_and_state_by_name() -> None:
    found = image.properties(recorded("image"), None, {})
    assert (found["type"], found["lock"], found["persistent"], found["permissions"]) == (
        "DATABLOCK",
        "USE",
        True,
        "742",
    )
    assert image.state_of(recorded("image_locked")) == "LOCKED"
    assert image.is_ready(recorded("image")) and not image.is_ready(recorded("image_locked"))


def test_the_size_of_a_copied_image_stays_as_the_program_gave_it() -> None:
    given = {"path": "http://example/disk.qcow2", "size": 10, "format": "qcow2"}
    found = image.properties(recorded("image"), given, {})
    assert (found["size"], found["path"], found["format"]) == (10, given["path"], "qcow2")


def test_an_image_in_error_is_an_error_with_what_the_datastore_said() -> None:
    body: dict[str, Any] = {
        **recorded("image"),
        "STATE": "5",
        "TEMPLATE": {"ERROR": "Error copying image: no such file"},
    }
    with pytest.raises(FailedObjectError, match=r"is ERROR.*no such file.*Correct path") as caught:
        image.is_ready(body)
    assert caught.value.reason == "Error copying image: no such file"


def test_a_template_shows_vectors_maps_and_sections() -> None:
    found = template.properties(recorded("template"), None, {})
    assert found["context"] == {"DNS_HOSTNAME": "yes", "NETWORK": "YES"}
    assert found["disks"] == [{"size": 16, "target": "vda", "volatileType": "swap"}]
    assert found["nics"] == [{"networkId": 2, "ip": "172.16.100.131"}]
    assert found["features"] == [{"acpi": "YES", "virtioScsiQueues": "1"}]
    assert found["os"] == {"arch": "x86_64", "boot": "", "firmwareSecure": False}
    assert found["templateSections"] == [
        {"name": "TEST_VEC_KEY", "elements": {"TESTKEY1": "testvalue1", "TESTKEY2": "testvalue2"}}
    ]
    assert found["userInputs"] == {"BLOG_TITLE": "M|text|Blog Title"}
    assert (found["cpu"], found["vcpu"], found["memory"]) == (0.5, 1, 512)


def test_case_of_context_keys_is_the_programs() -> None:
    found = template.properties(recorded("template"), {"context": {"dns_hostname": "yes", "Network": "YES"}}, {})
    assert found["context"] == {"dns_hostname": "yes", "Network": "YES"}


def test_attributes_that_nobody_declared_belong_to_others() -> None:
    found = template.properties(recorded("template"), {"tags": {"env": "prod"}}, {})
    assert found["tags"] == {"env": "prod"}
    assert "templateSections" not in found


def test_an_update_keeps_keys_of_a_card_that_no_property_covers() -> None:
    body = {"TEMPLATE": {"NIC": {"NETWORK": "private", "NETWORK_UNAME": "oneadmin"}}}
    text = render(template.updated(body, {}, {"nics": [{"network": "private", "model": "virtio"}]}, {}))
    assert parse(text) == [("NIC", {"NETWORK_UNAME": "oneadmin", "NETWORK": "private", "MODEL": "virtio"})]


def test_a_network_is_asked_for_with_the_default_driver_and_its_ranges() -> None:
    inputs = {"bridge": "br0", "securityGroups": [0, 101], "ars": [{"arType": "IP4", "size": 4, "ip4": "10.0.0.1"}]}
    assert parse(render(virtual_network.attributes(inputs, {"owner": "x"}, with_ranges=True))) == [
        ("VN_MAD", "bridge"),
        ("BRIDGE", "br0"),
        ("SECURITY_GROUPS", "0,101"),
        ("OWNER", "x"),
        ("AR", {"TYPE": "IP4", "SIZE": "4", "IP": "10.0.0.1"}),
    ]


def test_an_update_of_a_network_sends_back_what_opennebula_chose() -> None:
    text = render(virtual_network.updated(recorded("network"), {}, {"mtu": 9000}, {}))
    sent = dict(parse(text))
    assert sent["VN_MAD"] == "dummy"
    assert sent["BRIDGE"] == "onebr"
    assert sent["MTU"] == "9000"
    assert "GATEWAY" not in sent
    assert sent["APP"] == "test_app"


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_is_imported_from_a_real_cloud_shows_no_difference_to_itself(name: str) -> None:
    read, sample = READERS[name]
    state = settled(definition(name), {}, read(recorded(sample), None, {}))
    inputs = imported_inputs(definition(name), state)
    assert inputs["name"]
    assert changes(definition(name).record, state, inputs) == []


def test_machines_show_names_addresses_and_attributes_that_they_published() -> None:
    found = [machine_of(item) for item in children(recorded("machines"), "VM")]
    pool = [machine for machine in found if "service_21" in machine["name"]]
    assert pool
    assert pool[0]["nics"][0]["ip"].startswith("10.66.0.")
    assert pool[0]["tags"]["ROLE_NAME"] in {"supernode", "superlink"}
    assert pool[0]["tags"]["SERVICE_ID"] == "21"
    assert all(disk.get("imageId") is not None for disk in pool[0]["disks"])


def test_machines_are_matched_by_every_criterion_and_sorted() -> None:
    small = {"id": 2, "name": "b", "cpu": 0.1, "vcpu": None, "memory": 64, "tags": {"READY": "YES"}}
    large = {"id": 1, "name": "a", "cpu": 2, "vcpu": 4, "memory": 4096, "tags": {}}
    assert matches(small, {"tags": {"ready": "YES"}, "memory": 64}, None)
    assert not matches(small, {"tags": {"ready": "YES"}, "memory": 65}, None)
    assert [item["id"] for item in sorted_by([small, large], None, None)] == [1, 2]
    assert [item["id"] for item in sorted_by([large, small], "vcpu", "ASC")] == [2, 1]
    assert [item["id"] for item in sorted_by([small, large], "memory", "DESC")] == [1, 2]


def test_a_look_up_that_finds_none_or_several_says_what_there_is() -> None:
    pool = [{"ID": "1", "NAME": "a", "TEMPLATE": {"ENV": "x"}}, {"ID": "2", "NAME": "a", "TEMPLATE": {}}]
    with pytest.raises(Exception, match=r"image with \{'name': 'a'\}: exactly one must match.*1 \(a\), 2 \(a\)"):
        found_in(pool, {"name": "a"}, "image")
    with pytest.raises(Exception, match=r"exactly one must match.*none"):
        found_in(pool, {"name": "b"}, "image")
    with pytest.raises(Exception, match=r"are: none; with these tags there are: 1 \(a\)\."):
        found_in(pool, {"name": "b", "tags": {"env": "x"}}, "image")
    with pytest.raises(Exception, match="no argument is given"):
        found_in(pool, {}, "image")
    assert found_in(pool, {"tags": {"env": "x"}}, "image")[1] == {"id": 1, "name": "a", "tags": {"env": "x"}}
