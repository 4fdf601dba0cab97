"""A VM of its own. Cards, disks, CONTEXT, tags and size change while it runs; a change of the size restarts it."""

import pulumi

import pulumi_opennebula as one

store = one.get_datastore(name="default")
lan = one.VirtualNetwork(
    "lan",
    type="bridge",
    bridge="br-lan",
    ars=[one.VirtualNetworkArArgs(ar_type="IP4", ip4="10.22.0.10", size=20)],
)
disk = one.Image("gateway-disk", datastore_id=store.id, type="DATABLOCK", size=16)
gateway = one.VirtualMachine(
    "gateway",
    cpu=0.5,
    vcpu=1,
    memory=256,
    context={"NETWORK": "YES", "START_SCRIPT": "systemctl start gateway"},
    nics=[one.VirtualMachineNicArgs(network_id=lan.id.apply(int), ip="10.22.0.20", model="virtio")],
    disks=[
        one.VirtualMachineDiskArgs(image_id=disk.id.apply(int), target="vda"),
        one.VirtualMachineDiskArgs(volatile_type="swap", size=64),
    ],
    hard_shutdown=True,
    tags={"project": "docs"},
)
pulumi.export("gateway_address", gateway.ip)
