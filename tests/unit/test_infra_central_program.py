"""The central stack's program, run against a cloud that records: what it declares, exports and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.errors import RefusalError, StackReadError
from components.roster import make_node
from infra import central
from infra.central_settings import CentralSettings
from tests.components_support import (
    REGISTRATION,
    RecordingCloud,
    node_key,
    run_and_resolve,
)
from tests.infra_support import BERLIN, MADRID, NOW, PARIS, load_stack, node, rules, run_central


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
