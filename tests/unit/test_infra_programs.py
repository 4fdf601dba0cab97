"""The program of each committed stack, run against a cloud that records: what it declares, exports and refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography.hazmat.primitives import hashes

from components import join_bundle
from components.errors import RefusalError, StackReadError
from components.roster import make_node
from infra import central, zone
from infra.central_settings import CentralSettings
from infra.zone_settings import ZoneSettings
from tests.components_support import (
    GET_VMS,
    IMAGE,
    LIVE,
    NETWORK,
    RANGE,
    READ_OUTPUTS,
    REGISTRATION,
    SECURITY_GROUP,
    SERVICE,
    TEMPLATE,
    RecordingCloud,
    authority,
    node_key,
    published_vm,
    run_and_resolve,
)
from tests.infra_support import load_stack
from tests.join_support import NOW as BUNDLE_NOW
from tests.join_support import bundle_text, root

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BERLIN = "organization/flower-federation/berlin-hospital"
PARIS = "organization/flower-federation/paris-lab"
MADRID = "organization/flower-federation/madrid-central"
PIN = root().fingerprint(hashes.SHA256()).hex()
JOINING = BUNDLE_NOW + timedelta(days=1)


def node(name: str, number: int, partition: int) -> dict[str, Any]:
    return {"name": name, "public_key": node_key(number), "fingerprint": "f", "partition_id": partition}


def run_central(cloud: RecordingCloud, folder: Path, **changes: Any) -> dict[str, Any]:
    settings = load_stack("madrid-central", folder, **changes)
    assert isinstance(settings, CentralSettings)
    return run_and_resolve(cloud, lambda: central.declare(settings, now=NOW))


def run_zone(cloud: RecordingCloud, folder: Path, stack: str = "berlin-hospital", **changes: Any) -> dict[str, Any]:
    settings = load_stack(stack, folder, **changes)
    assert isinstance(settings, ZoneSettings)
    return run_and_resolve(cloud, lambda: zone.declare(settings, now=NOW))


def centre(**changes: Any) -> dict[str, Any]:
    ca = authority()
    return {
        "superlink_fleet_endpoint": "127.10.1.10:9092",
        "ca_certificate": ca.pem,
        "ca_fingerprint": ca.fingerprint,
        "flower_version": "1.41.0",
        "federation": "demo",
        **changes,
    }


def test_a_centre_whose_zones_do_not_exist_yet_comes_up_without_nodes(tmp_path: Path) -> None:
    cloud = RecordingCloud()
    outputs = run_central(cloud, tmp_path)

    assert outputs["registered_nodes"] == []
    assert outputs["superlink_fleet_endpoint"] == "127.10.1.10:9092"
    assert outputs["superlink_control_endpoint"] == "127.10.1.10:9093"
    assert outputs["flower_version"] == "1.41.0"
    assert outputs["federation"] == "demo"
    assert "BEGIN CERTIFICATE" in outputs["ca_certificate"]
    assert len(outputs["ca_fingerprint"]) == 64
    assert cloud.of(REGISTRATION) == []


def test_a_centre_exports_the_keys_of_bundles_and_of_control_clients_only_and_as_secrets(tmp_path: Path) -> None:
    secret: list[bool] = []

    def program() -> dict[str, Any]:
        settings = load_stack("madrid-central", tmp_path)
        assert isinstance(settings, CentralSettings)
        outputs = central.declare(settings, now=NOW)

        async def look() -> str:
            for name in ("bundle_signing_key", "operator_certificate", "control_certificates"):
                secret.append(await outputs[name].is_secret())
            return "looked"

        return {**outputs, "looked": look()}

    outputs = run_and_resolve(RecordingCloud(), program)
    with_keys = {name for name, value in outputs.items() if "PRIVATE KEY" in str(value)}
    assert with_keys == {"bundle_signing_key", "operator_certificate"}
    assert secret == [True, True, True]


def test_each_node_of_the_trusted_zones_gets_one_registration_under_its_name(tmp_path: Path) -> None:
    cloud = RecordingCloud(
        stacks={
            BERLIN: {"zone": "berlin", "nodes": [node("berlin/supernode-0", 0, 0), node("berlin/supernode-1", 1, 1)]},
            PARIS: {"zone": "paris", "nodes": [node("paris/supernode-0", 2, 1000)]},
        }
    )
    outputs = run_central(cloud, tmp_path)

    names = ["berlin/supernode-0", "berlin/supernode-1", "paris/supernode-0"]
    assert sorted(resource.name for resource in cloud.of(REGISTRATION)) == names
    assert all(resource.inputs["name"] == resource.name for resource in cloud.of(REGISTRATION))
    assert [entry["name"] for entry in outputs["registered_nodes"]] == names
    assert all(entry["node_id"] == "12345678901234567890" for entry in outputs["registered_nodes"])


@pytest.mark.parametrize(
    ("nodes", "value", "remedy"),
    [
        ([node(f"berlin/supernode-{n}", n, n) for n in range(6)], "nodes of berlin: 6", "maxNodes"),
        ([node("berlin/supernode-0", 0, 0), node("berlin/supernode-1", 0, 1)], "key SHA256:", "terminate one"),
        ([node("berlin/supernode-0", 0, 0), node("berlin/supernode-1", 1, 0)], "partition 0", "partitionBase"),
    ],
)
def test_a_zone_that_brings_what_it_may_not_stops_the_centre_before_anything_is_declared(
    tmp_path: Path, nodes: list[dict[str, Any]], value: str, remedy: str
) -> None:
    cloud = RecordingCloud(stacks={BERLIN: {"zone": "berlin", "nodes": nodes}})

    with pytest.raises(RefusalError) as refusal:
        run_central(cloud, tmp_path)

    assert value in refusal.value.value
    assert remedy in refusal.value.remedy
    assert cloud.declared == []


def test_a_backend_that_fails_revokes_nobody(tmp_path: Path) -> None:
    cloud = RecordingCloud(backend_error="no route to host")

    with pytest.raises(StackReadError, match="no route to host"):
        run_central(cloud, tmp_path)

    assert cloud.declared == []


def rules(cloud: RecordingCloud, direction: str) -> list[dict[str, Any]]:
    return [rule for rule in cloud.one(SECURITY_GROUP).inputs["rules"] if rule["ruleType"] == direction]


def test_the_superlinks_network_opens_fleet_for_the_zones_and_control_for_the_admins(tmp_path: Path) -> None:
    cloud = RecordingCloud()
    run_central(cloud, tmp_path)

    assert rules(cloud, "INBOUND") == [
        {"protocol": "TCP", "ruleType": "INBOUND", "range": "9092", "ip": "127.20.1.0", "size": "256"},
        {"protocol": "TCP", "ruleType": "INBOUND", "range": "9092", "ip": "127.30.1.0", "size": "256"},
        {"protocol": "TCP", "ruleType": "INBOUND", "range": "9093", "ip": "127.0.0.0", "size": "16777216"},
    ]


def test_fleet_is_open_to_all_while_one_zones_networks_are_not_known(tmp_path: Path) -> None:
    cloud = RecordingCloud()
    zones = [{"name": "berlin", "stack": "berlin-hospital", "maxNodes": 5, "networks": ["127.20.1.0/24"]}]
    run_central(cloud, tmp_path, zones=[*zones, {"name": "paris", "stack": "paris-lab", "maxNodes": 5}])

    fleet = [rule for rule in rules(cloud, "INBOUND") if rule["range"] == "9092"]
    assert fleet == [{"protocol": "TCP", "ruleType": "INBOUND", "range": "9092"}]


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


def test_a_revoked_node_is_registered_no_longer_and_the_others_are(tmp_path: Path) -> None:
    nodes = [node("berlin/supernode-0", 0, 0), node("berlin/supernode-1", 1, 1)]
    cloud = RecordingCloud(stacks={BERLIN: {"zone": "berlin", "nodes": nodes}})
    berlin = {"name": "berlin", "stack": "berlin-hospital", "maxNodes": 5, "revoked": ["berlin/supernode-1"]}
    outputs = run_central(cloud, tmp_path, zones=[berlin])

    assert [declared.name for declared in cloud.of(REGISTRATION)] == ["berlin/supernode-0"]
    assert [entry["name"] for entry in outputs["registered_nodes"]] == ["berlin/supernode-0"]


def test_a_revoked_key_stays_out_whichever_zone_brings_it(tmp_path: Path) -> None:
    stolen = make_node(name="berlin/supernode-0", public_key=node_key(0), partition_id=0)
    cloud = RecordingCloud(stacks={PARIS: {"zone": "paris", "nodes": [node("paris/supernode-3", 0, 1003)]}})
    zones = [
        {"name": "berlin", "stack": "berlin-hospital", "maxNodes": 5, "revoked": [stolen.fingerprint]},
        {"name": "paris", "stack": "paris-lab", "maxNodes": 5},
    ]
    run_central(cloud, tmp_path, zones=zones)

    assert cloud.of(REGISTRATION) == []


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine is told to warn of."""
    found: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: found.append(text))
    return found


@pytest.mark.parametrize(
    ("zone_outputs", "revoked", "told"),
    [
        ({}, [], True),
        ({"zone": "berlin", "nodes": []}, [], True),
        ({"zone": "berlin", "nodes": [node("berlin/supernode-1", 1, 1)]}, [], False),
        ({"zone": "berlin", "nodes": [node("berlin/supernode-0", 0, 0)]}, ["berlin/supernode-0"], False),
    ],
    ids=["no stack any more", "no node any more", "another node", "put out by name"],
)
def test_a_zone_that_brings_nobody_any_more_is_told_before_its_keys_are_unregistered(
    tmp_path: Path, warned: list[str], zone_outputs: dict[str, Any], revoked: list[str], told: bool
) -> None:
    stacks = {MADRID: {"registered_nodes": [{"name": "berlin/supernode-0"}]}}
    cloud = RecordingCloud(stacks=stacks | ({BERLIN: zone_outputs} if zone_outputs else {}))
    berlin = {"name": "berlin", "stack": "berlin-hospital", "maxNodes": 5, "revoked": revoked}
    settings = load_stack("madrid-central", tmp_path, zones=[berlin])
    assert isinstance(settings, CentralSettings)
    run_and_resolve(cloud, lambda: central.declare(settings, now=NOW), stack="madrid-central")

    assert [text.partition(":")[0] for text in warned] == (["berlin brings no nodes any more"] if told else [])
    assert all("berlin/supernode-0 for good" in text and "under zones" in text for text in warned)


def test_a_zone_that_was_renamed_is_refused_before_anything_is_declared(tmp_path: Path) -> None:
    brought = make_node(name="berlin/supernode-0", public_key=node_key(0), partition_id=0)
    before = {"registered_nodes": [{"name": "spree/supernode-0", "fingerprint": brought.fingerprint}]}
    cloud = RecordingCloud(stacks={MADRID: before, BERLIN: {"zone": "berlin", "nodes": [brought.exported()]}})
    settings = load_stack("madrid-central", tmp_path)
    assert isinstance(settings, CentralSettings)
    with pytest.raises(RefusalError, match="is registered as spree/supernode-0"):
        run_and_resolve(cloud, lambda: central.declare(settings, now=NOW), stack="madrid-central")
    assert cloud.declared == []


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["no text", "a folder"])
def test_an_accepted_answer_that_cannot_be_read_revokes_nobody(tmp_path: Path, content: bytes | None) -> None:
    answer = tmp_path / "answer.json"
    answer.write_bytes(content or b"{}")
    settings = load_stack(
        "madrid-central", tmp_path, zones=[{"name": "berlin", "maxNodes": 1, "answer": "answer.json"}]
    )
    assert isinstance(settings, CentralSettings)
    if content is None:
        answer.unlink()
        answer.mkdir()
    cloud = RecordingCloud()
    with pytest.raises(RefusalError) as refusal:
        run_and_resolve(cloud, lambda: central.declare(settings, now=NOW))

    assert "answer answer.json" in refusal.value.value
    assert "federation accept" in refusal.value.remedy
    assert cloud.declared == []


def test_a_node_that_is_told_to_make_a_new_key_is_told_in_every_vms_context(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, nodeKeyEpochs=["supernode-1:2"])

    assert cloud.one(TEMPLATE).inputs["context"]["FL_NODE_KEY_EPOCHS"] == "supernode-1:2"
    assert cloud.one(LIVE).inputs["variables"]["FL_NODE_KEY_EPOCHS"] == "supernode-1:2"


@pytest.mark.parametrize(
    ("rollover", "authorities", "signer"),
    [
        (None, ["demo-ca"], "demo-ca"),
        ({"generation": 1, "stage": "trust-both"}, ["demo-ca", "demo-ca-2"], "demo-ca"),
        ({"generation": 1, "stage": "switch"}, ["demo-ca", "demo-ca-2"], "demo-ca-2"),
        ({"generation": 2}, ["demo-ca-2"], "demo-ca-2"),
        ({"generation": 2, "stage": "trust-both"}, ["demo-ca-2", "demo-ca-3"], "demo-ca-2"),
    ],
)
def test_each_stage_of_a_rollover_has_its_cas_and_its_signer(
    tmp_path: Path, rollover: dict[str, Any] | None, authorities: list[str], signer: str
) -> None:
    cloud = RecordingCloud()
    outputs = run_central(cloud, tmp_path, caRollover=rollover)

    made = [declared.name for declared in cloud.of("tls:index/selfSignedCert:SelfSignedCert")]
    assert sorted(name for name in made if "control" not in name) == authorities
    assert outputs["ca_certificate"].count("BEGIN CERTIFICATE") == len(authorities)
    assert len(outputs["ca_fingerprint"].split()) == len(authorities)
    (server,) = [
        each for each in cloud.of("tls:index/locallySignedCert:LocallySignedCert") if each.name == "demo-server"
    ]
    presented = outputs["ca_certificate"].split("-----BEGIN CERTIFICATE-----")[1:]
    assert server.inputs["caCertPem"].split("-----BEGIN CERTIFICATE-----")[1].strip() == (
        presented[authorities.index(signer)].strip()
    )


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
