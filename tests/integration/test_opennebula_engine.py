"""The provider through the real engine, against the zone of the environment or a zonebox of the test's own.

One project a test; the names in it carry a tag, so that tests can share a zone with others.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.opennebula_support import Project, TestZone, project, zone
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.engine, pytest.mark.slow]
__all__ = ["project", "zone"]

FEDERATION = """
group = one.SecurityGroup(
    "group",
    name=f"group-{TAG}",
    description="for tests",
    tags={"Project": "flower"},
    rules=[
        one.SecurityGroupRuleArgs(protocol="ALL", rule_type="OUTBOUND"),
        {"protocol": "TCP", "rule_type": "INBOUND", "range": "22,9092:9093"},
    ],
)
network = one.VirtualNetwork(
    "network",
    name=f"network-{TAG}",
    type="dummy",
    bridge="br0",
    gateway="10.66.0.1",
    dns="10.66.0.1",
    network_address="10.66.0.0",
    network_mask="255.255.255.0",
    security_groups=[group.id],
    mtu=1500,
)
addresses = one.VirtualNetworkAddressRange(
    "addresses", virtual_network_id=network.id, ar_type="IP4", ip4="10.66.0.10", size=20
)
image = one.Image("image", name=f"image-{TAG}", datastore_id=DATASTORE, type="DATABLOCK", size=16)
machine = one.Template(
    "machine",
    name=f"machine-{TAG}",
    cpu=0.1,
    vcpu=1,
    memory=64,
    context={
        "TOKEN": "YES",
        "NETWORK": "YES",
        "fl_role": "supernode",
        "FL_SERVER_KEY": pulumi.Output.secret("cHJpdmF0ZSBrZXk="),
    },
    disks=[one.TemplateDiskArgs(image_id=image.id)],
    tags={"Project": "flower"},
)
gpu = one.Template(
    "gpu",
    name=f"gpu-{TAG}",
    cpu=1,
    memory=64,
    nics=[{"network_id": network.id, "model": "virtio"}, {"networkId": network.id, "model": "e1000"}],
    template_sections=[
        {"name": "PCI", "elements": {"SHORT_ADDRESS": "01:00.0"}},
        {"name": "PCI", "elements": {"SHORT_ADDRESS": "01:00.1"}},
    ],
)
network_id = network.id
number = machine.id.apply(int)
card = {"NIC": [{"NETWORK_ID": "$fl", "NAME": "NIC0"}]}
blueprint = one.ServiceTemplate(
    "blueprint",
    name=f"blueprint-{TAG}",
    template=pulumi.Output.json_dumps({
        "deployment": "straight",
        "networks": {"fl": network_id.apply(lambda i: f"M|network|FL network||id:{i}")},
        "ready_status_gate": False,
        "roles": [
            {"name": "superlink", "cardinality": 1, "template_id": number, "template_contents": card},
            {"name": "supernode", "cardinality": 1, "min_vms": 1, "max_vms": 5, "cooldown": 1,
             "parents": ["superlink"], "template_id": number, "template_contents": card},
        ],
    }),
)
service = one.Service(
    "service",
    name=f"service-{TAG}",
    template_id=blueprint.id,
    extra_template=pulumi.Output.json_dumps({
        "networks_values": [{"fl": {"id": network_id}}],
        "roles": [{"name": "supernode", "cardinality": SUPERNODES}],
    }),
    opts=pulumi.ResourceOptions(depends_on=[addresses]),
)
machines = one.get_virtual_machines_output(
    name_regex=service.id.apply(lambda i: rf"_\\(service_{i}\\)$"),
    sort_on="name",
    opts=pulumi.InvokeOutputOptions(depends_on=[service]),
)
pulumi.export("names", machines.virtual_machines.apply(lambda found: [one_.name for one_ in found]))
pulumi.export("ids", machines.virtual_machines.apply(lambda found: [one_.id for one_ in found]))
pulumi.export("roles", service.roles)
pulumi.export("image", one.get_image_output(name=image.name).id)
"""
POOLS = ("secgrouppool", "vnpool", "imagepool", "templatepool")
EVERY = (-2, -1, -1)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, zone: TestZone) -> Project:
    """A project in which nothing is ever made."""
    return Project(folder=tmp_path_factory.mktemp("empty") / "project", zone=zone).prepare()


def leftovers(project: Project) -> list[str]:
    """Objects of the zone that carry the project's tag in their names."""
    text = "".join(str(project.zone.call(f"{pool}.info", *EVERY)) for pool in POOLS)
    text += str(project.zone.call("vmpool.info", *EVERY, -1))
    text += json.dumps(project.zone.flow("GET", "/service")) + json.dumps(project.zone.flow("GET", "/service_template"))
    return re.findall(rf"\w+-{project.tag}", text)


def services(project: Project) -> set[str]:
    """Ids of the zone's services that are there; one that is DONE is in no list."""
    return {item["ID"] for item in project.zone.flow("GET", "/service")["DOCUMENT_POOL"].get("DOCUMENT", [])}


def federation(supernodes: int) -> str:
    return f"SUPERNODES = {supernodes}\n{FEDERATION}"


def ids(project: Project) -> dict[str, str]:
    return {name: entry["id"] for name, entry in project.state().items() if "id" in entry}


def test_a_federation_comes_up_is_unchanged_scales_in_place_and_leaves_nothing(project: Project) -> None:
    project.program(federation(2))
    assert "+ 9 to create" in project.preview()
    assert leftovers(project) == []
    up = project.up()
    assert "role supernode: 2 of 2 running" in up
    service = ids(project)["service"]
    assert project.outputs()["names"] == [
        f"{name}_(service_{service})" for name in ("superlink_0", "supernode_0", "supernode_1")
    ]
    assert "9 unchanged" in project.up()

    project.program(federation(3))
    preview = project.preview()
    assert "~ 1 to update" in preview and "8 unchanged" in preview
    assert "cardinality: 2 => 3" in preview
    project.up()
    outputs = project.outputs()
    assert outputs["ids"][1:] == outputs["roles"][1]["nodes"]
    assert len(outputs["ids"]) == 4
    assert ids(project)["service"] == service

    project.program(federation(1))
    project.up()
    assert project.outputs()["names"] == [f"superlink_0_(service_{service})", f"supernode_2_(service_{service})"]

    exported = project.pulumi("stack", "export")
    assert "cHJpdmF0ZSBrZXk=" not in exported
    project.destroy()
    assert leftovers(project) == []


def test_refresh_finds_what_was_changed_behind_its_back_and_up_mends_it(project: Project) -> None:
    zone = project.zone
    project.program(federation(2))
    project.up()
    number = ids(project)
    network, range_ = number["addresses"].split(":")
    zone.call("secgroup.update", int(number["group"]), 'DESCRIPTION="changed"', 1)
    zone.call("image.update", int(number["image"]), 'DESCRIPTION="changed"', 1)
    zone.call("vn.update", int(number["network"]), 'MTU="9000"', 1)
    zone.call("vn.update_ar", int(network), f'AR=[AR_ID="{range_}",SIZE="21"]')
    zone.call("template.update", int(number["machine"]), 'MEMORY="128"', 1)
    zone.call("template.rename", int(number["gpu"]), f"renamed-{project.tag}")
    path = f"/service_template/{number['blueprint']}"
    body = zone.flow("GET", path)["DOCUMENT"]["TEMPLATE"]["BODY"]
    body["roles"][1]["max_vms"] = 9
    zone.flow("PUT", path, body)
    zone.flow(
        "POST", f"/service/{number['service']}/scale", {"role_name": "supernode", "cardinality": 1, "force": False}
    )

    refreshed = project.refresh()
    for found in (
        'description: "for tests" => "changed"',
        '+ description: "changed"',
        "mtu: 1500 => 9000",
        "size: 20 => 21",
        "memory: 64 => 128",
        f'"gpu-{project.tag}" => "renamed-{project.tag}"',
        "max_vms: 5 => 9",
        "cardinality: 2 => 1",
    ):
        assert re.sub(r" +", "", found) in re.sub(r" +", "", refreshed)
    assert "~ 8 updated" in project.up()
    project.refresh()
    assert "9 unchanged" in project.preview()


def test_what_vanished_is_made_again(project: Project) -> None:
    project.program(federation(1))
    project.up()
    number = ids(project)
    project.zone.call("template.delete", int(number["gpu"]), False)
    project.zone.flow("DELETE", f"/service/{number['service']}")
    end = time.monotonic() + PATIENCE_S
    while number["service"] in services(project):
        assert time.monotonic() < end, "the service is not gone"
    assert "- 2 deleted" in re.sub(r" +", " ", project.refresh())
    assert "+ 2 created" in project.up()
    assert ids(project)["gpu"] != number["gpu"]


def test_everything_can_be_imported_and_the_preview_after_it_is_empty(project: Project, tmp_path: Path) -> None:
    project.program(federation(2))
    project.up()
    other = Project(folder=tmp_path / "other", zone=project.zone, tag=project.tag).prepare()
    for name, entry in project.state().items():
        if entry["type"].startswith("opennebula:"):
            other.pulumi("import", entry["type"], name, entry["id"], "--yes", "--generate-code=false",
                         "--protect=false", "--skip-preview")  # fmt: skip
    assert "cHJpdmF0ZSBrZXk=" not in other.pulumi("stack", "export")
    other.program(federation(2))
    assert "9 unchanged" in other.preview()
    other.up()
    other.refresh()
    assert "9 unchanged" in other.preview()


def test_a_change_that_opennebula_cannot_make_replaces_and_frees_the_name_first(project: Project) -> None:
    program = 'one.Image("data", name=f"data-{{TAG}}", datastore_id=DATASTORE, type="DATABLOCK", size={})\n'
    project.program(program.format(16))
    project.up()
    before = ids(project)["data"]
    project.program(program.format(32))
    assert "+-1 to replace" in re.sub(r" +", "", project.preview()).replace("+-1toreplace", "+-1 to replace")
    project.up()
    replaced = project.state()["data"]
    assert replaced["id"] != before
    # The engine does not ask the provider about this one: the resource's options say it.
    project.up("--replace", replaced["urn"])
    assert ids(project)["data"] != replaced["id"]
    assert leftovers(project) == [f"data-{project.tag}"]


def test_an_image_that_cannot_be_made_stays_in_the_state_and_the_next_up_replaces_it(project: Project) -> None:
    program = 'one.Image("base", name=f"base-{{TAG}}", datastore_id=DATASTORE, type="{}", {})\n'
    project.program(program.format("OS", 'path="/does/not/exist.raw"'))
    said = project.up(fails=True)
    assert f"image 'base-{project.tag}' is ERROR: it must become READY" in said
    assert "provider/engine.py" not in said
    failed = ids(project)["base"]
    project.program(program.format("DATABLOCK", "size=16"))
    project.up()
    assert ids(project)["base"] != failed
    assert leftovers(project) == [f"base-{project.tag}"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"OPENNEBULA_PASSWORD": "wrong"}, "Correct OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD"),
        ({"OPENNEBULA_ENDPOINT": "http://127.0.0.1:9/RPC2"}, "Check the URL, the network and that the zone runs"),
        ({"OPENNEBULA_ENDPOINT": "front-end:2633"}, "it must be an http or https URL"),
        ({"OPENNEBULA_USERNAME": ""}, "username is missing"),
        ({"OPENNEBULA_FLOW_ENDPOINT": ""}, "flowEndpoint is missing"),
        ({"OPENNEBULA_FLOW_ENDPOINT": "http://127.0.0.1:9"}, "flowEndpoint http://127.0.0.1:9: it must answer"),
    ],
)
def test_wrong_settings_are_refused_at_preview(empty: Project, change: dict[str, str], says: str) -> None:
    empty.program('one.ServiceTemplate("a", template=json.dumps({"roles": [{"name": "a", "template_id": 1}]}))')
    empty.extra.update(change)
    said = empty.preview(fails=True)
    empty.extra.clear()
    assert says in said
    assert "provider/engine.py" not in said
    assert leftovers(empty) == []


def test_every_bad_property_of_a_resource_is_refused_at_preview_with_value_rule_reason_and_remedy(
    empty: Project,
) -> None:
    empty.program(
        """
one.VirtualNetwork(
    "bad", name="bad", gateway="10.0.0", mtu=10, permissions="999",
    ars=[{"arType": "IP4", "size": 0, "ip4": "10.0.0.300"}],
)
"""
    )
    said = empty.preview(fails=True)
    for message in (
        'VirtualNetwork bad: gateway is "10.0.0": it must be an IP address, because guests configure their network',
        "VirtualNetwork bad: mtu is 10: it must be at least 68, because IP needs that much",
        'VirtualNetwork bad: permissions is "999": it must be three octal digits',
        "VirtualNetwork bad: ars[0].size is 0: it must be at least 1, because a range holds addresses. Correct size.",
        'VirtualNetwork bad: ars[0].ip4 is "10.0.0.300": it must be an IPv4 address',
    ):
        assert message in said


def test_a_service_whose_vm_was_powered_off_says_so_and_goes_on_when_the_vm_is_resumed(project: Project) -> None:
    zone = project.zone
    project.program(federation(1))
    project.up()
    machine = project.outputs()["roles"][1]["nodes"][0]
    zone.call("vm.action", "poweroff-hard", machine)
    project.program(federation(2))
    said = project.up(fails=True)
    assert "is WARNING: it must be RUNNING" in said
    assert "Resume or remove the VM that is not running" in said
    zone.call("vm.action", "resume", machine)
    project.up()
    assert len(project.outputs()["roles"][1]["nodes"]) == 2


def test_default_tags_of_an_explicit_provider_are_on_every_object_and_a_change_of_them_is_one(project: Project) -> None:
    program = """
zone = one.Provider("zone", default_tags=[{"tags": {"owner": "OWNER"}}])
one.Template("tagged", name=f"tagged-{TAG}", memory=64, cpu=1, tags={"role": "test"},
             opts=pulumi.ResourceOptions(provider=zone))
"""
    project.program(program.replace("OWNER", "berlin"))
    project.up()
    outputs = project.state()["tagged"]["outputs"]
    assert outputs["tagsAll"] == {"owner": "berlin", "role": "test"}
    project.program(program.replace("OWNER", "paris"))
    project.up()
    body = project.zone.call("template.info", int(ids(project)["tagged"]))
    assert "<OWNER><![CDATA[paris]]></OWNER>" in body
    assert "<ROLE><![CDATA[test]]></ROLE>" in body
