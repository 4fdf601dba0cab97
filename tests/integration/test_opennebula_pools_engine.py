"""VM groups, marketplaces, appliances and every function, through the real engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.opennebula_support import Project, project, squeezed, zone

pytestmark = [pytest.mark.engine, pytest.mark.slow]
__all__ = ["project", "zone"]

OBJECTS = """
group = one.VirtualMachineGroup(
    "group",
    name=f"group-{TAG}",
    roles=[
        {"name": "supernode", "policy": "ANTI_AFFINED"},
        {"name": "pinned", "host_affineds": [0]},
    ],
    tags={"Project": "flower"},
)
market = one.Marketplace(
    "market",
    name=f"market-{TAG}",
    description="for tests",
    s3s=[{
        "type": "minio", "access_key_id": "testkey", "secret_access_key": "c2VjcmV0LWtleQ==", "bucket": "bucket1",
        "region": "somewhere", "endpoint_url": "https://s3.example.org", "total_size": 1024, "read_block_length": 100,
    }],
    tags={"Project": "flower"},
)
appliance = one.MarketplaceAppliance(
    "appliance",
    name=f"appliance-{TAG}",
    market_id=market.id,
    type="VMTEMPLATE",
    description="for tests",
    version="1.0.0",
    apptemplate64="TkFNRT0ieCI=",
    tags={"Project": "flower"},
)
"""
FUNCTIONS = """
image = one.Image("image", name=f"image-{TAG}", datastore_id=DATASTORE, type="DATABLOCK", size=16)
network = one.VirtualNetwork("network", name=f"network-{TAG}", type="dummy", bridge="br0", mtu=1400)
small = one.Template("small", name=f"small-{TAG}", cpu=0.1, memory=32, disks=[{"image_id": image.id}],
                     tags={"purpose": TAG})
large = one.Template("large", name=f"large-{TAG}", cpu=0.2, vcpu=2, memory=64, tags={"purpose": TAG})
firewall = one.SecurityGroup("firewall", name=f"firewall-{TAG}", rules=[{"protocol": "ALL", "rule_type": "INBOUND"}])
market = one.Marketplace("market", name=f"market-{TAG}", ones=[{}])
vm = one.VirtualMachine("vm", name=f"vm-{TAG}", template_id=small.id, hard_shutdown=True)
after = pulumi.InvokeOutputOptions(depends_on=[small, large, vm])
for name, found, made in (
    ("image", one.get_image_output(name=image.name), image),
    ("network", one.get_virtual_network_output(name=network.name), network),
    ("firewall", one.get_security_group_output(name=firewall.name), firewall),
    ("market", one.get_marketplace_output(name=market.name), market),
    ("template", one.get_template_output(name=large.name, has_vcpu=True), large),
):
    pulumi.export(name, pulumi.Output.all(found.id, made.id).apply(lambda pair: str(pair[0]) == pair[1]))
pulumi.export("mtu", one.get_virtual_network_output(id=network.id.apply(int)).mtu)
sized = one.get_template_output(name=small.name)
pulumi.export("sized", pulumi.Output.all(sized.cpu, sized.memory, sized.disks.apply(len)))
found = one.get_templates_output(tags={"purpose": TAG}, sort_on="memory", order="DESC", opts=after)
pulumi.export("templates", found.templates.apply(lambda items: [item.name for item in items]))
without = one.get_templates_output(name_regex=TAG, has_vcpu=False, opts=after)
pulumi.export("without", without.templates.apply(lambda items: [item.name for item in items]))
machines = one.get_virtual_machines_output(name_regex=f"^vm-{TAG}$", opts=after)
pulumi.export("machines", pulumi.Output.all(machines.virtual_machines.apply(lambda items: [item.id for item in items]),
                                            vm.id.apply(int)).apply(lambda pair: pair[0] == [pair[1]]))
pulumi.export("datastore", one.get_datastore(id=DATASTORE).id)
pulumi.export("cluster", one.get_cluster(id=0).name)
pulumi.export("host", one.get_host(id=0).name)
pulumi.export("group", one.get_group(name="oneadmin").id)
pulumi.export("zone", one.get_zone(id=0).endpoint)
"""


def numbers(project: Project) -> dict[str, int]:
    return {name: int(entry["id"]) for name, entry in project.state().items() if entry.get("id", "").isdigit()}


def leftovers(project: Project) -> list[str]:
    text = "".join(str(project.zone.call(f"{pool}.info", -2, -1, -1)) for pool in ("vmgrouppool", "marketpool"))
    text += str(project.zone.call("marketapppool.info", -2, -1, -1))
    return re.findall(rf"\w+-{project.tag}", text)


def test_groups_markets_and_appliances_come_up_change_in_place_and_leave_nothing(project: Project) -> None:
    project.program(OBJECTS)
    project.up()
    before = numbers(project)
    assert "to update" not in project.preview()
    assert "c2VjcmV0LWtleQ==" not in project.pulumi("stack", "export")
    changed = (
        OBJECTS.replace('{"name": "pinned", "host_affineds": [0]}', '{"name": "extra", "host_anti_affineds": [0]}')
        .replace('"policy": "ANTI_AFFINED"', '"policy": "AFFINED"')
        .replace('"bucket": "bucket1"', '"bucket": "bucket2"')
        .replace('version="1.0.0",', 'version="1.0.1", disabled=True,')
    )
    project.program(changed)
    preview = project.preview()
    assert "~ 3 to update" in squeezed(preview) and "replace" not in preview
    project.up()
    assert numbers(project) == before
    roles = project.state()["group"]["outputs"]["roles"]
    assert [(role["name"], role["policy"]) for role in roles] == [("supernode", "AFFINED"), ("extra", "NONE")]
    assert roles[0]["id"] == 0
    project.refresh()
    assert "to update" not in project.preview()
    project.destroy()
    assert leftovers(project) == []


def test_refresh_finds_changes_of_groups_markets_and_appliances(project: Project) -> None:
    project.program(OBJECTS)
    project.up()
    number = numbers(project)
    zone = project.zone
    zone.call("vmgroup.roleadd", number["group"], 'ROLE=[NAME="intruder"]')
    zone.call("market.update", number["market"], 'BUCKET="other"', 1)
    zone.call("marketapp.update", number["appliance"], 'VERSION="9"', 1)
    refreshed = squeezed(project.refresh())
    for found in ('name: "intruder"', '"bucket1" => "other"', '"1.0.0" => "9"'):
        assert found in refreshed, refreshed
    assert "~ 3 updated" in squeezed(project.up())
    project.refresh()
    assert "to update" not in project.preview()
    zone.call("marketapp.delete", number["appliance"])
    assert "- 1 deleted" in squeezed(project.refresh())
    project.up()
    assert numbers(project)["appliance"] != number["appliance"]


def test_groups_markets_and_appliances_can_be_imported(project: Project, tmp_path: Path) -> None:
    project.program(OBJECTS)
    project.up()
    other = Project(folder=tmp_path / "other", zone=project.zone, tag=project.tag).prepare()
    for name, entry in project.state().items():
        if entry["type"].startswith("opennebula:"):
            other.pulumi("import", entry["type"], name, entry["id"], "--yes", "--generate-code=false",
                         "--protect=false", "--skip-preview")  # fmt: skip
    assert "c2VjcmV0LWtleQ==" not in other.pulumi("stack", "export")
    other.program(OBJECTS)
    preview = other.preview()
    assert "to update" not in preview and "to replace" not in preview, preview


def test_every_function_finds_what_the_program_made_or_the_zone_has(project: Project) -> None:
    project.program(FUNCTIONS)
    project.up()
    outputs = project.outputs()
    matched = ("image", "network", "firewall", "market", "template", "machines")
    assert {name: outputs[name] for name in matched} == dict.fromkeys(matched, True)
    assert outputs["mtu"] == 1400
    assert outputs["sized"] == [0.1, 32, 1]
    assert outputs["templates"] == [f"large-{project.tag}", f"small-{project.tag}"]
    assert outputs["without"] == [f"small-{project.tag}"]
    assert (outputs["datastore"], outputs["cluster"], outputs["group"]) == (project.zone.datastore, "default", 0)
    assert outputs["host"]
    assert outputs["zone"].startswith("http")


def test_a_look_up_that_finds_nothing_fails_the_preview_and_says_so(project: Project) -> None:
    project.program('one.get_cluster(name="nowhere")')
    said = project.preview(fails=True)
    assert "cluster with {'name': 'nowhere'}: exactly one must match" in said
    assert "are: none" in said
