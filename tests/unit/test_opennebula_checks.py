"""What is refused before anything is asked of the cloud, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_opennebula.provider.checks import Findings, checked
from pulumi_opennebula.provider.durations import seconds
from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.values import UNKNOWN, Secrets, Values

BY_NAME = {handler.definition.name: handler for handler in HANDLERS.values()}


def check(resource: str, inputs: Values, secrets: Secrets = frozenset()) -> tuple[Values, dict[str, str]]:
    """Normal inputs, and message by path."""
    handler = BY_NAME[resource]
    findings = Findings(owner=f"{resource} x", secrets=secrets)
    normal = checked(handler.definition.record, inputs, findings)
    if not findings.refusals:
        handler.check(normal, findings)
    return normal, {err.path: str(err) for err in findings.refusals}


def refusals(resource: str, inputs: Values) -> dict[str, str]:
    return check(resource, inputs)[1]


def test_ids_that_arrive_as_texts_become_numbers_and_switches_booleans() -> None:
    normal, refused = check("Image", {"name": "a", "datastoreId": "1", "persistent": "yes", "size": 16.0})
    assert refused == {}
    assert normal == {"name": "a", "datastoreId": 1, "persistent": True, "size": 16}
    assert isinstance(normal["size"], int)


def test_numbers_and_switches_in_texts_become_texts() -> None:
    normal, refused = check("Template", {"name": "a", "context": {"PORT": 22, "NETWORK": True}})
    assert refused == {}
    assert normal["context"] == {"PORT": "22", "NETWORK": "YES"}


def test_unknown_values_are_taken_on_trust() -> None:
    normal, refused = check("Service", {"name": "a", "templateId": UNKNOWN, "extraTemplate": UNKNOWN})
    assert refused == {}
    assert normal["templateId"] is UNKNOWN


@pytest.mark.parametrize(
    ("resource", "inputs"),
    [
        ("Image", {"name": "a", "datastoreId": 1, "type": UNKNOWN, "size": 8}),
        ("SecurityGroup", {"rules": [{"protocol": UNKNOWN, "ruleType": "INBOUND", "range": "22"}]}),
        ("SecurityGroup", {"rules": [{"protocol": UNKNOWN, "ruleType": "INBOUND", "icmpType": "8"}]}),
        ("Template", {"templateSections": [{"name": UNKNOWN, "elements": UNKNOWN}], "tags": UNKNOWN}),
    ],
)
def test_what_an_unknown_value_may_turn_out_to_be_is_not_refused(resource: str, inputs: Values) -> None:
    assert refusals(resource, inputs) == {}


def test_what_a_virtual_machine_may_have_beside_its_template_is_a_tag() -> None:
    assert refusals("VirtualMachine", {"cpu": 1, "memory": 1, "tags": {"SCHED_RANK": "FREE_CPU"}}) == {}


@pytest.mark.parametrize(
    ("resource", "inputs", "path", "says"),
    [
        ("Image", {"name": "a"}, "datastoreId", "is missing: it is required, because id of the datastore that holds"),
        ("Image", {"datastoreId": "one"}, "datastoreId", 'is "one": it must be a whole number'),
        ("Image", {"datastoreId": 1, "type": "DISK"}, "type", "it must be one of OS, CDROM, DATABLOCK"),
        ("Image", {"datastoreId": 1, "type": "OS"}, "path", "an image of type OS needs it"),
        ("Image", {"datastoreId": 1, "type": "DATABLOCK"}, "size", "an empty data block needs it"),
        ("Image", {"datastoreId": 1, "path": "/a", "cloneFromImage": "b"}, "cloneFromImage", "it excludes path"),
        (
            "Image",
            {"datastoreId": 1, "size": 1, "imageId": "7"},
            "imageId",
            "to adopt an object that exists use `pulumi",
        ),
        ("Image", {"datastoreId": 1, "size": 1, "permission": "600"}, "permission", "Did you mean permissions."),
        (
            "Image",
            {"datastoreId": 1, "size": 1, "timeouts": {"create": "10 minutes"}},
            "timeouts.create",
            "be a duration",
        ),
        ("Template", {"permissions": "999"}, "permissions", "it must be three octal digits"),
        ("Template", {"name": " "}, "name", "it must not be empty"),
        ("Template", {"memory": 0}, "memory", "is 0: it must be more than 0"),
        ("Template", {"nics": {"networkId": 1}}, "nics", "it must be a list"),
        ("Template", {"nics": [{"networkId": 1, "network": "a"}]}, "nics[0].network", "it excludes networkId"),
        ("Template", {"nics": ["a"]}, "nics[0]", "it must be an object"),
        ("Template", {"context": "A=B"}, "context", "it must be a map"),
        ("Template", {"context": {"A-B": "x"}}, 'context["A-B"]', "letters, digits and underscores only"),
        ("Template", {"context": {"a": "1", "A": "2"}}, "context.A", "the name is given twice, as 'a' and 'A'"),
        ("Template", {"context": {"A": "x\\"}}, "context.A", "Send it in base64"),
        ("Template", {"features": [{}, {}]}, "features", "there may be one entry"),
        (
            "Template",
            {"templateSections": [{"name": "nic", "elements": {"A": "1"}}]},
            "templateSections[0].name",
            "Use that property",
        ),
        (
            "Template",
            {"templateSections": [{"name": "my-part", "elements": {"A": "1"}}]},
            "templateSections[0].name",
            "Rename the section",
        ),
        ("Template", {"templateSections": [{"name": "P"}]}, "templateSections[0].elements", "or remove the section"),
        ("Template", {"tags": {"description": "x"}}, "tags.description", "rename the tag"),
        ("Template", {"tags": {"Memory": "x"}}, "tags.Memory", "rename the tag"),
        ("VirtualMachine", {"cpu": 1, "memory": 1, "tags": {"cpu": "2"}}, "tags.cpu", "rename the tag"),
        ("Image", {"datastoreId": 1, "size": 1, "tags": {"type": "x"}}, "tags.type", "rename the tag"),
        ("Template", {"description": "a\r\nb"}, "description", "turns a carriage return into a line feed"),
        ("Template", {"context": {"A": "bell\x07"}}, "context.A", "cannot carry the character U+0007"),
        ("Template", {"description": "half \ud800"}, "description", "cannot carry the character U+D800"),
        ("Template", {"os": {"arch": "x86_64"}}, "os.boot", "it is required"),
        ("SecurityGroup", {"rules": [{"protocol": "TCP"}]}, "rules[0].ruleType", "it is required"),
        (
            "SecurityGroup",
            {"rules": [{"protocol": "ICMP", "ruleType": "inbound", "range": "22"}]},
            "rules[0].range",
            "protocol ICMP has none",
        ),
        (
            "SecurityGroup",
            {"rules": [{"protocol": "TCP", "ruleType": "inbound", "ip": "10.0.0.1"}]},
            "rules[0].ip",
            "ip and size go together",
        ),
        (
            "SecurityGroup",
            {"rules": [{"protocol": "TCP", "ruleType": "inbound", "icmpType": "8"}]},
            "rules[0].icmpType",
            "protocol TCP has no ICMP types",
        ),
        ("VirtualNetwork", {"reservationSize": 4}, "reservationSize", "it goes with reservationVnet"),
        ("VirtualNetwork", {"reservationVnet": 4}, "reservationSize", "a reservation needs it"),
        ("VirtualNetwork", {"reservationVnet": 4, "reservationSize": 1, "bridge": "b"}, "bridge", "from its parent"),
        ("VirtualNetwork", {"vlanId": "7", "automaticVlanId": True}, "automaticVlanId", "it excludes vlanId"),
        ("VirtualNetworkAddressRange", {"virtualNetworkId": 1, "size": 4}, "ip4", "a range of type IP4 needs it"),
        (
            "VirtualNetworkAddressRange",
            {"virtualNetworkId": 1, "size": 4, "arType": "IP6_STATIC", "ip6": "fd00::1"},
            "prefixLength",
            "a range of type IP6_STATIC needs it",
        ),
        (
            "VirtualNetworkAddressRange",
            {"virtualNetworkId": 1, "size": 4, "ip4": "10.0.0.1", "custom": {"size": "9"}},
            "custom.size",
            "or rename the attribute",
        ),
        ("Service", {"templateId": 1, "extraTemplate": "[]"}, "extraTemplate", "it is a list"),
        ("Service", {"templateId": 1, "extraTemplate": "{nope"}, "extraTemplate", "Build it with json.dumps"),
        (
            "Service",
            {"templateId": 1, "extraTemplate": '{"roles": [{"cardinality": 2}]}'},
            "extraTemplate",
            "roles are matched by name",
        ),
        ("ServiceTemplate", {"template": "{}"}, "template", "roles must be a list that is not empty"),
    ],
)
def test_bad_inputs_are_refused_with_path_rule_reason_and_remedy(
    resource: str, inputs: Values, path: str, says: str
) -> None:
    found = refusals(resource, inputs)
    assert list(found) == [path]
    assert says in found[path]
    assert found[path].startswith(f"{resource} x: {path} is ")
    assert ", because " in found[path]


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ([{"name": "super-link", "template_id": 1}], "Correct the name of role 1"),
        ([{"name": "a", "template_id": 1}, {"name": "a", "template_id": 1}], "Rename one of the roles a"),
        ([{"name": "a"}], "Give template_id in role a"),
        ([{"name": "a", "template_id": 1, "parents": ["b"]}], "Correct parents of role a; roles are a"),
        ([{"name": "a", "template_id": 1, "cardinality": -1}], "Correct the cardinality of role a"),
    ],
)
def test_roles_that_oneflow_refuses_or_would_never_deploy_are_refused(roles: list[dict[str, Any]], says: str) -> None:
    found = refusals("ServiceTemplate", {"template": json.dumps({"roles": roles})})
    assert says in found["template"]


def test_the_older_form_of_a_role_and_the_wrapped_document_are_taken() -> None:
    body = {"roles": [{"name": "a", "vm_template": 7}]}
    assert refusals("ServiceTemplate", {"template": json.dumps({"TEMPLATE": {"BODY": body}})}) == {}


def test_a_secret_value_is_not_in_the_message() -> None:
    _, found = check("Template", {"context": {"KEY": "hush\\"}}, frozenset({("context", "KEY")}))
    assert "hush" not in found["context.KEY"]
    assert "[secret]" in found["context.KEY"]


def test_defaults_of_the_definition_are_filled_in_and_none_is_dropped() -> None:
    normal, _ = check("VirtualNetworkAddressRange", {"virtualNetworkId": 1, "size": 4, "ip4": "10.0.0.1", "mac": None})
    assert normal == {"virtualNetworkId": 1, "size": 4, "ip4": "10.0.0.1", "arType": "IP4"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("1.5m", 90), ("10", None), ("", None), ("m", None)],
)
def test_durations_are_go_s(text: str, expected: float | None) -> None:
    assert seconds(text) == expected
