"""A network with a range of addresses of its own, and a second network that reserves four of them."""

import pulumi

import pulumi_opennebula as one

office = one.VirtualNetwork(
    "office",
    type="bridge",
    bridge="br-office",
    network_address="10.20.0.0",
    network_mask="255.255.255.0",
    gateway="10.20.0.1",
    dns="10.20.0.1",
    mtu=1500,
    ars=[one.VirtualNetworkArArgs(ar_type="IP4", ip4="10.20.0.10", size=100)],
    hold_ips=["10.20.0.15"],
    security_groups=[0],
    tags={"site": "berlin"},
)
reserved = one.VirtualNetwork("office-lab", reservation_vnet=office.id.apply(int), reservation_size=4)
pulumi.export("office_network", office.id)
pulumi.export("office_lab_network", reserved.id)
