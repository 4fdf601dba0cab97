"""A range as a resource of its own: it grows and goes without a change of the network, which has no `ars` then."""

import pulumi

import pulumi_opennebula as one

campus = one.VirtualNetwork("campus", type="bridge", bridge="br-campus")
lecture_hall = one.VirtualNetworkAddressRange(
    "lecture-hall",
    virtual_network_id=campus.id.apply(int),
    ar_type="IP4",
    ip4="10.21.0.10",
    size=40,
    hold_ips=["10.21.0.11"],
    custom={"ROOM": "4.02"},
)
pulumi.export("lecture_hall_range", lecture_hall.id)
