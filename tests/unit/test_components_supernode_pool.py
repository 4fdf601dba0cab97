"""FlowerSupernodePool: what it declares, how its size travels, which nodes it reads, what it refuses."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

import pulumi_opennebula as opennebula
from components.data_source import DataSource
from components.errors import RefusalError
from components.gpu import passthrough
from components.package_source import PackageSource
from components.sizing import plan_addresses
from components.supernode_pool import FlowerSupernodePool, FlowerSupernodePoolArgs
from tests.components_support import (
    GET_VMS,
    LIVE,
    SERVICE,
    SERVICE_TEMPLATE,
    TEMPLATE,
    RecordingCloud,
    authority,
    mock_id,
    node_key,
    published_vm,
    run_and_resolve,
    run_program,
)

LIST = f"extra==1.0 --hash=sha256:{'ab' * 32}\n"


def arguments(**changes: Any) -> FlowerSupernodePoolArgs:
    ca = authority()
    return replace(
        FlowerSupernodePoolArgs(
            provider=opennebula.Provider("zone", endpoint="http://one:2633/RPC2", username="u", password="p"),
            zone="berlin",
            federation="demo",
            flower_version="1.41.0",
            supernodes=2,
            addresses=plan_addresses(cidr=IPv4Network("10.66.0.0/24"), first=IPv4Address("10.66.0.10"), size=20),
            network_id=3,
            image_id=4,
            superlink_fleet_endpoint="10.65.0.10:9092",
            ca_certificate=ca.pem,
            ca_fingerprint=ca.fingerprint,
            partition_base=1000,
            num_partitions=3,
            data=DataSource(path="/srv/flower/data"),
        ),
        **changes,
    )


def declare(**changes: Any) -> RecordingCloud:
    cloud = RecordingCloud()
    run_program(cloud, lambda: FlowerSupernodePool("berlin", arguments(**changes)))
    return cloud


def nodes_of(vms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    cloud = RecordingCloud(vms=vms)
    found: list[dict[str, Any]] = run_and_resolve(
        cloud, lambda: {"nodes": FlowerSupernodePool("berlin", arguments()).nodes}
    )["nodes"]
    return found


def test_the_size_is_in_the_service_alone_so_that_scaling_is_one_update() -> None:
    two, three = declare(supernodes=2), declare(supernodes=3)

    assert json.loads(two.one(SERVICE).inputs["extraTemplate"]) == {"roles": [{"name": "supernode", "cardinality": 2}]}
    # Which resource is declared first is up to the engine's threads.
    before, after = ({(r.type, r.name): r.inputs for r in cloud.declared} for cloud in (two, three))
    changed = [type_ for (type_, name), inputs in before.items() if after[(type_, name)] != inputs]
    assert len(before) == len(after)
    assert changed == [SERVICE]


@pytest.mark.parametrize(("supernodes", "at_once"), [(2, 1), (49, 1), (50, 2), (200, 8)])
def test_one_in_twenty_five_nodes_takes_a_new_context_at_a_time_however_wide_the_network_is(
    supernodes: int, at_once: int
) -> None:
    wide = plan_addresses(cidr=IPv4Network("10.65.0.0/16"), first=IPv4Address("10.65.1.0"), size=1000)
    assert declare(supernodes=supernodes, addresses=wide).one(LIVE).inputs["atOnce"] == at_once


def test_the_role_may_grow_to_the_networks_addresses() -> None:
    (role,) = json.loads(declare().one(SERVICE_TEMPLATE).inputs["template"])["roles"]

    assert (role["cardinality"], role["min_vms"], role["max_vms"]) == (1, 0, 20)


def test_the_context_says_where_the_superlink_and_the_data_are() -> None:
    context = declare().one(TEMPLATE).inputs["context"]

    assert context["FL_ROLE"] == "supernode"
    assert context["FL_SUPERLINK_ADDRESS"] == "10.65.0.10:9092"
    assert (context["FL_PARTITION_BASE"], context["FL_NUM_PARTITIONS"]) == ("1000", "3")
    assert context["FL_DATA_PATH"] == "/srv/flower/data"


def test_no_supernode_is_told_a_secret() -> None:
    cloud = declare()
    declared = json.dumps([resource.inputs for resource in cloud.declared])

    assert cloud.one(TEMPLATE).secrets == ()
    assert "SERVER_KEY" not in declared
    assert "PRIVATE KEY" not in declared


def test_gpu_cards_become_one_pci_section_each() -> None:
    sections = declare(gpu=passthrough("nvidia-t4", cards=2)).one(TEMPLATE).inputs["templateSections"]

    card = {"name": "PCI", "elements": {"VENDOR": "10de", "DEVICE": "1eb8", "CLASS": "0302"}}
    assert sections == [card, card]


def test_nodes_are_the_vms_of_this_service_with_the_keys_that_they_published() -> None:
    cloud = RecordingCloud(vms=[published_vm(2), published_vm(0)])
    nodes = run_and_resolve(cloud, lambda: {"nodes": FlowerSupernodePool("berlin", arguments()).nodes})["nodes"]

    assert [(node["name"], node["partition_id"]) for node in nodes] == [
        ("berlin/supernode-0", 1000),
        ("berlin/supernode-2", 1002),
    ]
    assert nodes[0]["public_key"] == node_key(0)
    assert nodes[0]["fingerprint"].startswith("SHA256:")
    ((_, asked),) = [call for call in cloud.calls if call[0] == GET_VMS]
    service_id = mock_id(SERVICE, "berlin-service")
    assert asked["nameRegex"] == rf"_\(service_{service_id}\)$"


def test_a_vm_without_a_key_is_left_out() -> None:
    silent = {"id": 1, "name": "supernode_1_(service_15)", "tags": {}}

    assert [node["name"] for node in nodes_of([published_vm(0), silent])] == ["berlin/supernode-0"]


@pytest.mark.parametrize(
    ("vm", "value"),
    [
        ({"id": 1, "name": "renamed", "tags": {"FL_NODE_PUBKEY": "x"}}, "VM name: renamed"),
        ({"id": 1, "name": "supernode_1_(service_15)", "tags": {"FL_NODE_PUBKEY": "not base64"}}, "FL_NODE_PUBKEY"),
        ({"id": 1, "name": "supernode_1_(service_15)", "tags": {"FL_NODE_PUBKEY": "äöü="}}, "FL_NODE_PUBKEY"),
        (
            {"id": 1, "name": "supernode_1_(service_15)", "tags": {"FL_NODE_PUBKEY": "aGVsbG8="}},
            "public key of berlin/",
        ),
        (published_vm(1000), "VM number: 1000"),
    ],
)
def test_a_vm_that_cannot_be_enrolled_is_refused_with_its_name(vm: dict[str, Any], value: str) -> None:
    with pytest.raises(RefusalError, match="remedy") as refusal:
        nodes_of([vm])

    assert value in refusal.value.value


def test_a_volume_is_a_second_disk_and_its_label_is_in_the_context() -> None:
    template = declare(data=DataSource(volume="rows", volume_image=9)).one(TEMPLATE).inputs
    assert template["disks"] == [{"imageId": 4}, {"imageId": 9}]
    assert template["context"]["FL_DATA_VOLUME"] == "rows"
    assert "FL_DATA_PATH" not in template["context"]


def test_state_wheels_and_data_are_disks_behind_the_appliance() -> None:
    packages = PackageSource(requirements=LIST, volume="wheels", volume_image=8)
    data = DataSource(volume="rows", volume_image=9)
    template = declare(packages=packages, data=data, state_image=7).one(TEMPLATE).inputs
    assert template["disks"] == [{"imageId": 4}, {"imageId": 7}, {"imageId": 8}, {"imageId": 9}]
    assert template["context"]["FL_STATE_VOLUME"] == "flower-state"
    assert base64.b64decode(template["context"]["FL_REQUIREMENTS"]).decode() == LIST


def test_a_download_has_its_checksum_and_its_servers_ca_and_its_url_is_a_secret() -> None:
    url = "https://data.example/rows.tar.gz?signature=hush"
    source = DataSource(url=url, sha256="ab" * 32, ca_certificate=authority().pem)
    template = declare(data=source).one(TEMPLATE)
    assert template.inputs["context"]["FL_DATA_URL"] == url
    assert template.inputs["context"]["FL_DATA_SHA256"] == "ab" * 32
    assert template.inputs["context"]["FL_DATA_CA"] == template.inputs["context"]["FL_CA_CERT"]
    assert any(path.startswith("context") for path in template.secrets)
    assert not any(path.startswith("context") for path in declare().one(TEMPLATE).secrets)


@pytest.mark.parametrize(
    ("changes", "value", "remedy"),
    [
        ({"supernodes": 0}, "supernodes: 0", "change supernodes"),
        ({"supernodes": 21}, "supernodes: 21", "network.size"),
        ({"flower_version": "2.0.0"}, "2.0.0", "1.41.0"),
        ({"partition_base": 500}, "partitionBase: 500", "multiple of 1000"),
        ({"num_partitions": 0}, "partitions: 0", "change partitions"),
        ({"data": DataSource(path="data")}, "data.path: 'data'", "/srv/flower/data"),
        ({"data": DataSource()}, "data: nothing", "give one of them"),
        ({"packages": PackageSource(requirements=LIST)}, "packages: no place", "give one of them"),
        (
            {"packages": PackageSource(requirements=LIST, wheelhouse="/a", index="https://b")},
            "packages.wheelhouse, packages.index",
            "give one of them",
        ),
        ({"packages": PackageSource(requirements=LIST, volume="a")}, "packages.volumeImage: None", "give both"),
        ({"packages": PackageSource(requirements=LIST, index="http://b")}, "packages.index: http://b", "https URL"),
        ({"packages": PackageSource(requirements="a==1", wheelhouse="/a")}, "4 characters", "--generate-hashes"),
        ({"data": DataSource(demo=True, nfs="a:/b")}, "data: data.demo, data.nfs", "give one of them"),
        ({"data": DataSource(demo=True, path="/srv/x")}, "data.path: /srv/x beside data.demo", "remove data.path"),
        ({"data": DataSource(volume="rows")}, "data.volume: rows, data.volumeImage: None", "give both"),
        ({"data": DataSource(url="https://x/y")}, "data.sha256: None", "sha256sum"),
        ({"data": DataSource(url="http://x/y?hush", sha256="ab" * 32)}, "data.url (not shown", "https"),
        ({"memory_mb": 1}, "supernode.memoryMb: 1", "raise supernode.memoryMb"),
        ({"superlink_fleet_endpoint": "https://x:9092"}, "https://x:9092", "correct what the centre exports"),
        ({"zone": "Berlin"}, "'Berlin'", "change zone"),
    ],
)
def test_a_bad_argument_is_refused_before_anything_is_declared(
    changes: dict[str, Any], value: str, remedy: str
) -> None:
    cloud = RecordingCloud()

    with pytest.raises(RefusalError) as refusal:
        run_program(cloud, lambda: FlowerSupernodePool("berlin", arguments(**changes)))

    assert value in refusal.value.value
    assert remedy in refusal.value.remedy
    assert [resource.type for resource in cloud.declared if resource.type.startswith(("flower:", "opennebula:"))] == []
