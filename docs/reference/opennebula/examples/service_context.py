"""A new value reaches the VMs of a role while they run, one VM after the other. With `acknowledgement` the next VM
waits until the guest has written the value back through OneGate.
"""

import pulumi

import pulumi_opennebula as one

machine = one.Template("probe-machine", cpu=0.1, memory=64, context={"PROBE_INTERVAL": "60"})
blueprint = one.ServiceTemplate(
    "probes",
    template=pulumi.Output.json_dumps(
        {"roles": [{"name": "probe", "cardinality": 2, "template_id": machine.id.apply(int)}]}
    ),
)
probes = one.Service("probes", template_id=blueprint.id.apply(int))
interval = one.ServiceContext(
    "probe-interval",
    service_id=probes.id.apply(int),
    role="probe",
    variables={"PROBE_INTERVAL": "30"},
)
pulumi.export("probes_told", interval.vm_ids)
