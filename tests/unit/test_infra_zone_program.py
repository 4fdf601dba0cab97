"""The program of a zone's stack, run against a cloud that records: what it declares, exports and refuses."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from components import join_bundle
from components.errors import RefusalError
from infra import zone
from infra.zone_settings import ZoneSettings
from tests.components_support import (
    GET_VMS,
    IMAGE,
    LIVE,
    NETWORK,
    RANGE,
    READ_OUTPUTS,
    SECURITY_GROUP,
    SERVICE,
    TEMPLATE,
    RecordingCloud,
    authority,
    published_vm,
    run_and_resolve,
)
from tests.infra_support import BERLIN, MADRID, centre, load_stack, rules, run_zone
from tests.join_support import NOW as BUNDLE_NOW
from tests.join_support import bundle_text, root

PIN = root().fingerprint(hashes.SHA256()).hex()
JOINING = BUNDLE_NOW + timedelta(days=1)


def test_a_zone_lets_its_nodes_out_to_the_superlink_its_own_services_and_named_hosts_only(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    mirror = {"name": "mirror", "address": "10.1.2.3", "port": 443}
    run_zone(cloud, tmp_path, egress={"onegate": "127.20.0.1", "dns": "10.1.0.53", "hosts": [mirror]})

    out = [(rule["protocol"], rule["range"], rule.get("ip"), rule.get("size")) for rule in rules(cloud, "OUTBOUND")]
    assert out == [
        ("TCP", "9092", "127.10.1.10", "1"),
        ("TCP", "5030", "127.20.0.1", "1"),
        ("UDP", "53", "10.1.0.53", "1"),
        ("TCP", "53", "10.1.0.53", "1"),
        ("UDP", "123", None, None),
        ("TCP", "443", "10.1.2.3", "1"),
    ]


def test_a_node_that_is_told_to_make_a_new_key_is_told_in_every_vms_context(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, nodeKeyEpochs=["supernode-1:2"])

    assert cloud.one(TEMPLATE).inputs["context"]["FL_NODE_KEY_EPOCHS"] == "supernode-1:2"
    assert cloud.one(LIVE).inputs["variables"]["FL_NODE_KEY_EPOCHS"] == "supernode-1:2"


def test_a_zone_makes_group_network_range_image_and_pool_and_exports_its_nodes(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()}, vms=[published_vm(0), published_vm(1)])
    outputs = run_zone(cloud, tmp_path)

    for type_ in (SECURITY_GROUP, NETWORK, RANGE, IMAGE, TEMPLATE, SERVICE):
        assert len(cloud.of(type_)) == 1
    assert outputs["zone"] == "berlin"
    assert outputs["pool_size"] == 2
    assert [entry["name"] for entry in outputs["nodes"]] == ["berlin/supernode-0", "berlin/supernode-1"]
    assert [entry["partition_id"] for entry in outputs["nodes"]] == [0, 1]
    assert outputs["service_id"].isdigit()


def test_the_address_range_is_the_networks_and_guests_wait_for_it(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path)

    range_inputs = cloud.one(RANGE).inputs
    assert (range_inputs["ip4"], range_inputs["size"], range_inputs["arType"]) == ("127.20.1.10", 20, "IP4")
    order = [resource.type for resource in cloud.declared]
    assert order.index(RANGE) < order.index(TEMPLATE)


def test_a_supernode_has_no_inbound_port(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path)

    assert {rule["ruleType"] for rule in cloud.one(SECURITY_GROUP).inputs["rules"]} == {"OUTBOUND"}


def test_an_existing_network_and_image_are_used_and_the_group_goes_on_the_cards(tmp_path: Path) -> None:
    network = {"id": 12, "cidr": "127.20.1.0/24", "first": "127.20.1.10", "size": 20}
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, network=network, image={"name": "flower"})

    assert cloud.of(NETWORK) == cloud.of(RANGE) == cloud.of(IMAGE) == []
    template = cloud.one(TEMPLATE).inputs
    (nic,) = template["nics"]
    assert nic["networkId"] == 12
    assert len(nic["securityGroups"]) == 1
    assert template["disks"] == [{"imageId": 7}]


@pytest.mark.parametrize("image", [{"name": "flower"}, {"id": 7}])
def test_an_existing_image_must_say_that_it_carries_the_stacks_flower_version(
    tmp_path: Path, image: dict[str, Any]
) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, image=image)

    (asked,) = [arguments for token, arguments in cloud.calls if token.endswith(":getImage")]
    assert dict(asked) == {**image, "tags": {"FL_FLOWER_VERSION": "1.41.0"}}


def test_the_provider_is_told_where_user_and_password_are_from(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path)

    inputs = cloud.one("pulumi:providers:opennebula").inputs
    assert inputs["credentialsFrom"] == "the file that oneAuthFile in stacks/Pulumi.berlin-hospital.yaml names"


def test_the_checksum_of_an_uploaded_image_reaches_the_provider(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, image={"path": "dist/flower.qcow2", "checksum": "ab" * 32})

    assert cloud.one(IMAGE).inputs["checksum"] == "ab" * 32
    assert cloud.one(IMAGE).inputs["tags"] == {"FL_FLOWER_VERSION": "1.41.0"}


@pytest.mark.parametrize(
    ("stacks", "changes", "value", "remedy"),
    [
        ({}, {}, "does not exist", "run pulumi up on the centre's stack first"),
        ({MADRID: centre(ca_fingerprint="ab" * 32)}, {}, authority().fingerprint, "ask the centre's operator"),
        ({MADRID: centre(flower_version="1.40.0")}, {}, "flowerVersion: 1.41.0", "set flowerVersion to 1.40.0"),
        (
            {MADRID: centre()},
            {"central": {"stack": "madrid-central", "caFingerprint": "cd" * 32}},
            "central.caFingerprint",
            "ask the centre's operator",
        ),
    ],
)
def test_a_zone_refuses_a_centre_that_it_cannot_trust_and_declares_nothing(
    tmp_path: Path, stacks: dict[str, dict[str, Any]], changes: dict[str, Any], value: str, remedy: str
) -> None:
    cloud = RecordingCloud(stacks=stacks)

    with pytest.raises(RefusalError) as refusal:
        run_zone(cloud, tmp_path, **changes)

    assert value in refusal.value.value
    assert remedy in refusal.value.remedy
    assert cloud.declared == []


def test_a_zone_reads_its_centre_and_its_own_vms_and_nothing_else(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, stack="paris-lab")

    assert [(token, asked.get("name")) for token, asked in cloud.calls if token == READ_OUTPUTS] == [
        (READ_OUTPUTS, MADRID)
    ]
    assert {token for token, _ in cloud.calls} == {READ_OUTPUTS, GET_VMS}


def join_by_bundle(cloud: RecordingCloud, folder: Path, *, now: datetime) -> tuple[dict[str, Any], str]:
    """What berlin exports as an organisation of its own, with a file and no stack of anybody else's; its bundle."""
    file = folder / "join.json"
    if not file.exists():
        file.write_text(bundle_text())
    settings = load_stack("berlin-hospital", folder, central={"bundle": "join.json", "caFingerprint": PIN})
    assert isinstance(settings, ZoneSettings)
    outputs = run_and_resolve(cloud, lambda: zone.declare(settings, now=now), stack="berlin-hospital")
    return outputs, join_bundle.read(file.read_text()).digest


def test_a_zone_that_joins_by_a_bundle_reads_no_stack_but_its_own_and_remembers_the_bundle(tmp_path: Path) -> None:
    cloud = RecordingCloud(vms=[published_vm(0)])
    outputs, digest = join_by_bundle(cloud, tmp_path, now=JOINING)

    assert (outputs["join_bundle"], outputs["ca_fingerprint"]) == (digest, PIN)
    assert {str(asked["name"]) for token, asked in cloud.calls if token == READ_OUTPUTS} == {BERLIN}
    (rule,) = [each for each in cloud.one(SECURITY_GROUP).inputs["rules"] if each["range"] == "9092"]
    assert rule["ip"] == "127.10.1.10"


def test_an_expired_bundle_is_refused_unless_the_zone_has_joined_with_this_very_one(tmp_path: Path) -> None:
    _, digest = join_by_bundle(RecordingCloud(), tmp_path, now=JOINING)
    late = JOINING + timedelta(days=99)
    for before in (None, {"zone": "berlin"}, {"zone": "berlin", "join_bundle": "ab" * 32}):
        cloud = RecordingCloud(stacks={} if before is None else {BERLIN: before})
        with pytest.raises(RefusalError, match="expired at"):
            join_by_bundle(cloud, tmp_path, now=late)
        assert cloud.declared == []

    cloud = RecordingCloud(stacks={BERLIN: {"zone": "berlin", "join_bundle": digest}})
    assert join_by_bundle(cloud, tmp_path, now=late)[0]["join_bundle"] == digest
