"""The Pulumi programs that are measured: ten resources with a service of three VMs, fifty VMs, and none. Text only."""

from __future__ import annotations

from typing import Final

RESOURCES: Final = (
    "SecurityGroup",
    "VirtualNetwork",
    "VirtualNetworkAddressRange",
    "Image (system)",
    "Image (data)",
    "VirtualMachineGroup",
    "Template (front)",
    "Template (node)",
    "ServiceTemplate",
    "Service",
)
"""What the program has, in the order in which the bare calls make it."""
NODES: Final = 2
"""VMs of the role `node` at first; with the one of `front` they are three."""
MORE_NODES: Final = 4
SERVICE_ROLES: Final = ("front", "node")
EMPTY: Final = ""

_TEN: Final = """
import pulumi
import pulumi_opennebula as one

group = one.SecurityGroup(
    "bench-group",
    rules=[{"protocol": "ALL", "rule_type": "OUTBOUND"}, {"protocol": "TCP", "rule_type": "INBOUND", "range": "22"}],
)
network = one.VirtualNetwork("bench-network", type="dummy", bridge="br0", security_groups=[group.id.apply(int)])
addresses = one.VirtualNetworkAddressRange(
    "bench-addresses", virtual_network_id=network.id.apply(int), ar_type="IP4", ip4="10.66.0.10", size=50
)
system = one.Image("bench-system", datastore_id=1, type="DATABLOCK", size=16)
data = one.Image("bench-data", datastore_id=1, type="DATABLOCK", size=16)
placement = one.VirtualMachineGroup("bench-placement", roles=[{"name": "node", "policy": "NONE"}])
templates = {
    role: one.Template(
        f"bench-{role}",
        cpu=0.1,
        vcpu=1,
        memory=64,
        context={"NETWORK": "YES", "ROLE": role},
        disks=[{"image_id": image.id.apply(int)}],
        nics=[{"network_id": network.id.apply(int)}],
        opts=pulumi.ResourceOptions(depends_on=[addresses]),
    )
    for role, image in (("front", system), ("node", data))
}
roles = [
    {"name": "front", "cardinality": 1, "template_id": templates["front"].id.apply(int)},
    {"name": "node", "cardinality": 1, "min_vms": 0, "max_vms": 9, "cooldown": 1, "parents": ["front"],
     "template_id": templates["node"].id.apply(int)},
]
blueprint = one.ServiceTemplate(
    "bench-service", template=pulumi.Output.json_dumps({"deployment": "straight", "roles": roles})
)
service = one.Service(
    "bench-service",
    template_id=blueprint.id.apply(int),
    extra_template=pulumi.Output.json_dumps({"roles": [{"name": "node", "cardinality": NODES}]}),
)
"""
_MANY: Final = """
import pulumi_opennebula as one

for index in range(COUNT):
    one.VirtualMachine(f"bench-vm{index}", cpu=0.01, memory=8, hard_shutdown=True)
"""


def ten_resources(nodes: int) -> str:
    """The program of ten resources, with so many VMs in the role `node`."""
    return f"NODES = {nodes}\n{_TEN}"


def many_machines(count: int) -> str:
    """A program of VMs only."""
    return f"COUNT = {count}\n{_MANY}"
