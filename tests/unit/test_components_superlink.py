"""FlowerSuperLink: what it declares, what it keeps secret, what it refuses before it declares anything."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

import pulumi_opennebula as opennebula
from components.errors import RefusalError
from components.superlink import FlowerSuperLink, FlowerSuperLinkArgs, GivenServerKey
from tests.components_support import (
    LIVE,
    SERVICE,
    SERVICE_TEMPLATE,
    TEMPLATE,
    RecordingCloud,
    authority,
    run_and_resolve,
    run_program,
)


def arguments(**changes: Any) -> FlowerSuperLinkArgs:
    ca = authority()
    return replace(
        FlowerSuperLinkArgs(
            provider=opennebula.Provider("zone", endpoint="http://one:2633/RPC2", username="u", password="p"),
            zone="madrid",
            federation="demo",
            flower_version="1.41.0",
            address=IPv4Address("10.66.0.10"),
            network_id=3,
            image_id=4,
            ca_certificate=ca.pem,
            ca_fingerprint=ca.fingerprint,
            server=GivenServerKey(certificate=ca.pem, key=ca.key_pem),
            control_ca=ca.pem,
            admin_networks=(IPv4Network("10.0.0.0/8"), IPv4Network("192.168.7.0/24")),
        ),
        **changes,
    )


def declare(**changes: Any) -> RecordingCloud:
    cloud = RecordingCloud()
    run_program(cloud, lambda: FlowerSuperLink("madrid", arguments(**changes)))
    return cloud


def test_one_vm_template_one_service_template_and_one_service_are_declared_with_the_given_provider() -> None:
    cloud = declare()

    declared = [cloud.one(type_) for type_ in (TEMPLATE, SERVICE_TEMPLATE, SERVICE)]
    assert all("pulumi:providers:opennebula::zone" in resource.provider for resource in declared)


def test_the_vm_gets_its_fixed_address_and_its_image() -> None:
    template = declare().one(TEMPLATE).inputs

    assert template["nics"] == [{"networkId": 3, "ip": "10.66.0.10"}]
    assert template["disks"] == [{"imageId": 4}]
    assert template["permissions"] == "600"


def test_the_context_carries_what_the_appliance_needs() -> None:
    context = declare(num_clients=3).one(TEMPLATE).inputs["context"]

    ca = authority()
    assert context["FL_ROLE"] == "superlink"
    assert context["FL_TLS_ENABLED"] == context["FL_NODE_AUTH_ENABLED"] == "YES"
    assert context["FL_ADMIN_NETWORKS"] == "10.0.0.0/8 192.168.7.0/24"
    assert context["FL_NUM_CLIENTS"] == "3"
    assert context["FL_CA_FINGERPRINT"] == ca.fingerprint
    assert base64.b64decode(context["FL_SERVER_KEY"]).decode() == ca.key_pem
    assert base64.b64decode(context["FL_CA_CERT"]).decode() == ca.pem


def test_the_server_key_makes_both_contexts_secret_and_nothing_else_of_the_stack() -> None:
    # Pulumi's mocks lift a secret to the property that holds it; the engine keeps it at the key (integration tests).
    assert {(resource.type, resource.secrets) for resource in declare().declared if resource.secrets} == {
        ("pulumi:providers:opennebula", ("password",)),
        (TEMPLATE, ("context",)),
        (LIVE, ("variables",)),
    }


def test_the_private_key_is_in_the_vm_template_and_the_running_vms_context_and_nowhere_else() -> None:
    cloud = declare()

    encoded = base64.b64encode(authority().key_pem.encode()).decode()
    holders = {resource.type for resource in cloud.declared if encoded in json.dumps(resource.inputs)}
    assert holders == {TEMPLATE, LIVE}


def test_a_renewed_certificate_changes_the_template_and_the_running_vm_and_nothing_else() -> None:
    before, after = declare(), declare(server=GivenServerKey(certificate=authority(1).pem, key=authority().key_pem))

    changed = {
        old.type
        for old in before.declared
        for new in after.declared
        if (old.type, old.name) == (new.type, new.name) and old.inputs != new.inputs
    }
    assert changed == {TEMPLATE, LIVE}


def test_the_running_vm_is_told_what_the_template_says_and_acknowledges_its_revision() -> None:
    cloud = declare()
    template, live = cloud.one(TEMPLATE).inputs["context"], cloud.one(LIVE).inputs

    of_the_image = {"NETWORK": "YES", "TOKEN": "YES", "FL_FLOWER_VERSION": "1.41.0"}
    assert not set(of_the_image) & set(live["variables"])
    assert {**live["variables"], **of_the_image} == template
    assert (live["role"], live["acknowledgement"]) == ("superlink", "FL_CONTEXT_REVISION")


def test_the_revision_follows_the_certificate_and_does_not_depend_on_the_key() -> None:
    def revision(**changes: Any) -> str:
        found: str = declare(**changes).one(TEMPLATE).inputs["context"]["FL_CONTEXT_REVISION"]
        return found

    assert revision() != revision(server=GivenServerKey(certificate=authority(1).pem, key=authority().key_pem))
    assert revision() == revision(server=GivenServerKey(certificate=authority().pem, key=authority(1).key_pem))


def test_the_service_waits_for_readiness_and_has_exactly_one_vm() -> None:
    cloud = declare()

    document = json.loads(cloud.one(SERVICE_TEMPLATE).inputs["template"])
    assert document["deployment"] == "straight"
    assert document["ready_status_gate"] is True
    (role,) = document["roles"]
    assert (role["name"], role["cardinality"], role["min_vms"], role["max_vms"]) == ("superlink", 1, 1, 1)
    assert "FL_" not in cloud.one(SERVICE_TEMPLATE).inputs["template"]


@pytest.mark.parametrize(("host", "expected"), [(None, "10.66.0.10"), ("fl.example.org", "fl.example.org")])
def test_endpoints_name_the_host_and_the_gateways_ports(host: str | None, expected: str) -> None:
    def program() -> dict[str, Any]:
        link = FlowerSuperLink("madrid", arguments(endpoint_host=host))
        return {"fleet": link.fleet_endpoint, "control": link.control_endpoint, "address": link.address}

    assert run_and_resolve(RecordingCloud(), program) == {
        "fleet": f"{expected}:9092",
        "control": f"{expected}:9093",
        "address": "10.66.0.10",
    }


@pytest.mark.parametrize(
    ("changes", "value", "remedy"),
    [
        ({"flower_version": "1.30.0"}, "1.30.0", "set flowerVersion to 1.41.0"),
        ({"memory_mb": 100}, "superlink.memoryMb: 100", "raise superlink.memoryMb"),
        ({"cpu": 0.0}, "superlink.cpu: 0.0", "raise superlink.cpu"),
        ({"federation": "it's"}, "FL_FEDERATION", "remove"),
        ({"log_level": "LOUD"}, "logLevel: LOUD", "change logLevel"),
    ],
)
def test_a_bad_argument_is_refused_before_anything_is_declared(
    changes: dict[str, Any], value: str, remedy: str
) -> None:
    cloud = RecordingCloud()

    with pytest.raises(RefusalError) as refusal:
        run_program(cloud, lambda: FlowerSuperLink("madrid", arguments(**changes)))

    assert value in refusal.value.value
    assert remedy in refusal.value.remedy
    assert [resource.type for resource in cloud.declared if resource.type.startswith(("flower:", "opennebula:"))] == []


def test_a_server_key_that_is_no_key_is_refused_without_being_shown() -> None:
    with pytest.raises(RefusalError) as refusal:
        run_program(
            RecordingCloud(),
            lambda: FlowerSuperLink(
                "madrid", arguments(server=GivenServerKey(certificate=authority().pem, key="sesame opens everything"))
            ),
        )

    assert "sesame" not in str(refusal.value)
