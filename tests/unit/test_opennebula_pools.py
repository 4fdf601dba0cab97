"""VM groups, marketplaces, appliances and look-ups, as a real OpenNebula 7.0.1 showed them and as they are sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_opennebula.definitions import RESOURCES
from pulumi_opennebula.definitions.marketplace import MARKETPLACE
from pulumi_opennebula.errors import FailedObjectError
from pulumi_opennebula.provider.checks import Findings, checked
from pulumi_opennebula.provider.diffs import changes
from pulumi_opennebula.provider.functions.lookup import LOOKUPS, admins_of, endpoint_of, found_in, mtu_of
from pulumi_opennebula.provider.functions.templates import matches, template_of
from pulumi_opennebula.provider.resources import marketplace, marketplace_appliance, virtual_machine_group
from pulumi_opennebula.provider.states import imported_inputs, secret_paths, settled
from pulumi_opennebula.provider.templates import Body, body_of, children
from pulumi_opennebula.provider.values import Values

RECORDED: dict[str, str] = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "opennebula_machines.json").read_text()
)["oned"]
DEFINITIONS = {resource.name: resource for resource in RESOURCES}
READERS: dict[str, tuple[Any, str]] = {
    "VirtualMachineGroup": (virtual_machine_group.properties, "vm_group"),
    "Marketplace": (marketplace.properties, "market"),
    "MarketplaceAppliance": (marketplace_appliance.properties, "appliance"),
}
S3 = {"accessKeyId": "a", "secretAccessKey": "s", "bucket": "b", "region": "r"}


def recorded(name: str) -> Body:
    return body_of(RECORDED[name])


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_is_imported_from_a_real_cloud_shows_no_difference_to_itself(name: str) -> None:
    read, sample = READERS[name]
    state = settled(DEFINITIONS[name], {}, read(recorded(sample), None, {}))
    findings = Findings(owner=name)
    inputs = checked(DEFINITIONS[name].record, imported_inputs(DEFINITIONS[name], state), findings)
    assert findings.refusals == [] and inputs["name"]
    assert changes(DEFINITIONS[name].record, state, inputs) == []


def test_roles_show_policy_hosts_and_numbers_and_no_policy_has_a_word() -> None:
    roles = virtual_machine_group.properties(recorded("vm_group"), None, {})["roles"]
    assert roles == [
        {"name": "anti-aff", "policy": "ANTI_AFFINED", "id": 0},
        {"name": "host-aff", "policy": "NONE", "hostAffineds": [0], "id": 1},
    ]


def test_roles_are_removed_changed_and_added_by_name_with_one_call_each() -> None:
    new = {
        "roles": [{"name": "more", "policy": "none"}, {"name": "host-aff", "policy": "affined", "hostAffineds": [1]}]
    }
    found = virtual_machine_group.role_changes(recorded("vm_group"), new)
    assert [(change.method, change.arguments) for change in found] == [
        ("roledelete", (0,)),
        ("roleupdate", (1, 'ROLE=[\n    NAME="host-aff",\n    POLICY="AFFINED",\n    HOST_AFFINED="1" ]')),
        ("roleadd", ('ROLE=[\n    NAME="more" ]',)),
    ]
    same = {"roles": [{"name": "host-aff", "hostAffineds": [0]}, {"name": "anti-aff", "policy": "anti_affined"}]}
    assert virtual_machine_group.role_changes(recorded("vm_group"), same) == []


def test_a_bucket_shows_its_settings_and_its_key_is_a_secret_whatever_the_program_says() -> None:
    state = settled(MARKETPLACE, {}, marketplace.properties(recorded("market"), None, {}))
    assert state["s3s"] == [
        {
            "accessKeyId": "testkey",
            "secretAccessKey": "testsecretkey",
            "bucket": "bucket1",
            "region": "somewhere",
            "totalSize": 1048576,
            "readBlockLength": 100,
        }
    ]
    secrets = secret_paths(MARKETPLACE, state, {}, frozenset(), imported=False)
    assert ("s3s", 0, "secretAccessKey") in secrets


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ({"ones": [{}]}, {"MARKET_MAD": "one"}),
        ({"dockerhub": True}, {"MARKET_MAD": "dockerhub"}),
        (
            {"https": [{"endpointUrl": "http://a", "path": "/b", "storageBridgeLists": ["h1", "h2"]}]},
            {"MARKET_MAD": "http", "BASE_URL": "http://a", "PUBLIC_DIR": "/b", "BRIDGE_LIST": "h1 h2"},
        ),
        (
            {"lxcs": [{"roofsImageSize": 512, "skipUntested": True, "privileged": False}]},
            {"MARKET_MAD": "linuxcontainers", "IMAGE_SIZE_MB": "512", "SKIP_UNTESTED": "YES", "PRIVILEGED": "NO"},
        ),
        ({"turnkeys": [{"filesystem": "ext4"}]}, {"MARKET_MAD": "turnkeylib", "FILESYSTEM": "ext4"}),
        ({"s3s": [{**S3, "type": "minio"}]}, {"MARKET_MAD": "s3", "AWS": "no", "ACCESS_KEY_ID": "a",
                                             "SECRET_ACCESS_KEY": "s", "BUCKET": "b", "REGION": "r"}),
    ],
    ids=["one", "dockerhub", "http", "lxc", "turnkey", "s3"],
)  # fmt: skip
def test_each_kind_of_marketplace_is_sent_as_its_driver_wants_it_and_read_back(inputs: Values, sent: Any) -> None:
    text = marketplace.attributes(inputs, {})
    assert dict(text) == sent
    body: Body = {"ID": "100", "NAME": "m", "STATE": "0", "MARKET_MAD": sent["MARKET_MAD"], "TEMPLATE": dict(text)}
    given = {"name": "m", **inputs}
    assert (
        changes(MARKETPLACE.record, settled(MARKETPLACE, given, marketplace.properties(body, given, {})), given) == []
    )


def test_another_driver_replaces_a_marketplace_and_other_settings_do_not() -> None:
    handler = marketplace.MarketplaceHandler()
    old: Values = {"ones": [{}]}
    other: Values = {"s3s": [S3]}
    assert all(item.replace for item in handler.refine(changes(MARKETPLACE.record, old, other), old, other))
    moved: Values = {"s3s": [{**S3, "bucket": "c"}]}
    assert not any(item.replace for item in handler.refine(changes(MARKETPLACE.record, other, moved), other, moved))


def test_an_appliance_shows_its_type_and_marketplace_and_its_states_have_words() -> None:
    found = marketplace_appliance.properties(recorded("appliance"), None, {})
    assert (found["type"], found["marketId"], found["originId"], found["version"]) == ("VMTEMPLATE", 100, -1, "0.2.0")
    assert marketplace_appliance.is_ready(recorded("appliance"))
    assert not marketplace_appliance.is_ready({**recorded("appliance"), "STATE": "2"})
    with pytest.raises(FailedObjectError, match="is ERROR: it must become READY, because no space"):
        marketplace_appliance.is_ready({"NAME": "a", "STATE": "3", "TEMPLATE": {"ERROR": "no space"}})


def test_a_zone_has_an_endpoint_a_group_administrators_and_a_network_an_mtu() -> None:
    zone, values = found_in(children(recorded("zones"), "ZONE"), {"id": 0}, "zone")
    assert values["name"] == "OpenNebula"
    assert endpoint_of(zone) == {"endpoint": "http://localhost:2633/RPC2"}
    assert admins_of({"ADMINS": {"ID": ["3", "4"]}}) == {"admins": [3, 4]}
    assert admins_of({"ADMINS": ""}) == {"admins": []}
    assert mtu_of({"TEMPLATE": {"MTU": "1400"}}) == {"mtu": 1400}
    assert mtu_of({"TEMPLATE": {}}) == {"mtu": 0}


def test_each_look_up_has_a_function_of_its_own() -> None:
    assert len({item.definition.token for item in LOOKUPS}) == len({item.pool for item in LOOKUPS}) == len(LOOKUPS)


def test_templates_are_matched_by_sizes_that_they_set_or_leave_open() -> None:
    entry = template_of({"ID": "1", "NAME": "a", "TEMPLATE": {"CPU": "0.5", "ENV": "x", "NIC": {"NETWORK_ID": "3"}}})
    assert (entry["cpu"], entry["memory"], entry["tags"]) == (0.5, None, {"ENV": "x"})
    assert entry["nics"] == [{"networkId": 3}]
    assert matches(entry, {"cpu": 0.5, "hasMemory": False, "tags": {"env": "x"}}, None)
    assert not matches(entry, {"hasMemory": True}, None)
    assert not matches(entry, {"hasCpu": False}, None)
    assert not matches(entry, {"cpu": 1}, None)
