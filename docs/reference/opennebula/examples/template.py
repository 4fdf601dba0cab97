"""A VM template with a network card, a disk, two PCI devices and a CONTEXT; its secret is encrypted in the state."""

import pulumi

import pulumi_opennebula as one

store = one.get_datastore(name="default")
backbone = one.VirtualNetwork("backbone", type="bridge", bridge="br-backbone")
system = one.Image("system-disk", datastore_id=store.id, type="DATABLOCK", size=32)
trainer = one.Template(
    "trainer",
    description="What a training node looks like",
    cpu=2,
    vcpu=4,
    memory=8192,
    context={
        "NETWORK": "YES",
        "TOKEN": "YES",
        "SET_HOSTNAME": "$NAME",
        "API_KEY": pulumi.Output.secret("an API key from the configuration"),
    },
    nics=[one.TemplateNicArgs(network_id=backbone.id.apply(int), model="virtio")],
    disks=[one.TemplateDiskArgs(image_id=system.id.apply(int), target="vda")],
    os=one.TemplateOsArgs(arch="x86_64", boot="disk0"),
    graphics=one.TemplateGraphicsArgs(type="VNC", listen="127.0.0.1"),
    sched_requirements="FREE_CPU > 100",
    template_sections=[
        {"name": "PCI", "elements": {"VENDOR": "10de", "CLASS": "0302"}},
        {"name": "PCI", "elements": {"VENDOR": "15b3", "CLASS": "0207"}},
    ],
    tags={"project": "docs"},
)
pulumi.export("trainer_template", trainer.id)
