"""VMs of one role are kept on different hosts, VMs of the other together. A VM joins when it is made."""

import pulumi

import pulumi_opennebula as one

spread = one.VirtualMachineGroup(
    "spread",
    roles=[
        one.VirtualMachineGroupRoleArgs(name="replica", policy="ANTI_AFFINED"),
        one.VirtualMachineGroupRoleArgs(name="cache", policy="AFFINED"),
    ],
)
replica = one.VirtualMachine(
    "replica",
    cpu=0.1,
    memory=64,
    vmgroup=one.VirtualMachineVmgroupArgs(vmgroup_id=spread.id.apply(int), role="replica"),
    hard_shutdown=True,
)
pulumi.export("replica_state", replica.lcmstate)
