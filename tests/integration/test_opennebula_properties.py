"""Every property of the implemented resources through the real engine: no drift, and changes in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.opennebula_support import Project, project, zone

pytestmark = [pytest.mark.engine, pytest.mark.slow]
__all__ = ["project", "zone"]

FIRST = {"LOCK": "USE", "HOLDS": ["10.7.0.12", "10.7.0.11"], "SIZE": 10, "PERSISTENT": True, "TEXT": "first"}
SECOND = {"LOCK": None, "HOLDS": ["10.7.0.11", "10.7.0.14"], "SIZE": 12, "PERSISTENT": False, "TEXT": "second"}
PROGRAM = """
net = one.VirtualNetwork(
    "net",
    name=f"net-{TAG}",
    description="wide",
    type="dummy",
    bridge="br0",
    mtu=1450,
    guest_mtu=1400,
    gateway="10.7.0.1",
    network_address="10.7.0.0",
    network_mask="255.255.255.0",
    dns="10.7.0.1 10.7.0.2",
    search_domain="example.org",
    security_groups=[0],
    cluster_ids=[0],
    permissions="640",
    group="users",
    user="oneadmin",
    hold_ips=HOLDS,
    tags={"Env": "test"},
    template_sections=[{"name": "Extra", "elements": {"key": "v"}}],
    ars=[
        one.VirtualNetworkArArgs(ar_type="IP4", ip4="10.7.0.10", size=SIZE),
        {"ar_type": "IP4", "ip4": "10.7.0.100", "size": 5, "mac": "02:00:0A:07:00:64"},
        {"ar_type": "ETHER", "size": 3},
        {"ar_type": "IP6_STATIC", "ip6": "FD00:0::10", "prefix_length": "64", "size": 4},
    ],
)
res = one.VirtualNetwork(
    "res",
    name=f"res-{TAG}",
    reservation_vnet=net.id,
    reservation_size=3,
    reservation_ar_id=1,
    description="reserved",
    tags={"a": "b"},
)
net2 = one.VirtualNetwork("net2", name=f"net2-{TAG}", type="dummy", bridge="br1")
rng = one.VirtualNetworkAddressRange(
    "rng",
    virtual_network_id=net2.id,
    ar_type="IP4_6",
    ip4="10.8.0.1",
    ula_prefix="fd00:1::",
    size=4,
    custom={"key1": "v1"},
    hold_ips=["10.8.0.2"],
    shared=False,
)
img = one.Image(
    "img",
    name=f"img-{TAG}",
    description="an image",
    datastore_id=DATASTORE,
    type="DATABLOCK",
    size=20,
    persistent=PERSISTENT,
    dev_prefix="vd",
    driver="raw",
    format="raw",
    permissions="600",
    group="users",
    tags={"X": "y"},
)
clone = one.Image(
    "clone",
    name=f"clone-{TAG}",
    datastore_id=DATASTORE,
    clone_from_image=img.id,
    description="a copy",
    lock=LOCK,
    tags={"X": "z"},
)
tpl = one.Template(
    "tpl",
    name=f"tpl-{TAG}",
    description=TEXT,
    cpu=0.25,
    vcpu=2,
    memory=128,
    context={"NETWORK": True, "ssh_key": 'ssh-rsa AAAA"x" [a,b]', "EMPTY": "", "MULTI": "line1\\nline2"},
    nics=[
        {"network_id": net.id, "model": "virtio", "security_groups": [0], "name": "n0", "virtio_queues": "2"},
        {"network_mode_auto": True, "sched_requirements": 'NAME = "x"'},
    ],
    nic_aliases=[{"parent": "n0", "network_id": net.id}],
    disks=[
        {"image_id": clone.id, "target": "vda", "cache": "none"},
        {"volatile_type": "fs", "volatile_format": "raw", "size": 10},
    ],
    os={"arch": "x86_64", "boot": "", "machine": "q35", "firmware_secure": True},
    features=[{"acpi": "YES", "guest_agent": "no"}],
    graphics={"type": "VNC", "listen": "0.0.0.0", "passwd": "geheim"},
    cpumodel={"model": "host-passthrough"},
    raw={"type": "kvm", "data": "<cpu mode='x'/>"},
    sched_requirements="FREE_CPU > 50",
    sched_ds_requirements="ID = 0",
    user_inputs={"BLOG": "M|text|Blog Title| |x"},
    permissions="640",
    lock=LOCK,
    tags={"Customer": "test"},
    template_sections=[
        {"name": "PCI", "elements": {"VENDOR": "10de"}},
        {"name": "PCI", "elements": {"VENDOR": "10df"}},
        {"name": "other", "elements": {"a": "b"}},
    ],
)
stpl = one.ServiceTemplate(
    "stpl",
    name=f"stpl-{TAG}",
    permissions="640",
    uid=0,
    gname="users",
    template=json.dumps(
        {
            "name": "inner",
            "description": TEXT,
            "roles": [
                {
                    "name": "a",
                    "cardinality": 0,
                    "vm_template": 0,
                    "vm_template_contents": 'NIC=[NAME="NIC0",NETWORK_ID="0"]\\nCONTEXT=[A="b"]',
                }
            ],
        }
    ),
)
"""


def program(values: dict[str, object]) -> str:
    return "".join(f"{name} = {value!r}\n" for name, value in values.items()) + PROGRAM


def test_every_property_is_without_drift_changes_in_place_and_is_imported_as_it_is(
    project: Project, tmp_path: Path
) -> None:
    project.program(program(FIRST))
    project.up()
    project.refresh()
    assert "9 unchanged" in project.preview()
    before = {name: entry.get("id") for name, entry in project.state().items()}

    project.program(program(SECOND))
    assert "~ 5 to update" in project.preview()
    project.up()
    project.refresh()
    assert "9 unchanged" in project.preview()
    state = project.state()
    assert {name: entry.get("id") for name, entry in state.items()} == before
    assert "geheim" not in project.pulumi("stack", "export")

    other = Project(folder=tmp_path / "other", zone=project.zone, tag=project.tag).prepare()
    for name, entry in state.items():
        if entry["type"].startswith("opennebula:"):
            said = other.pulumi(
                "import", entry["type"], name, entry["id"], "--yes", "--generate-code=false", "--protect=false",
                "--skip-preview",
            )  # fmt: skip
            assert "failed to validate" not in said
    other.program(program(SECOND))
    assert "9 unchanged" in other.preview()
