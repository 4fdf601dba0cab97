"""A running service. Another `cardinality` in `extra_template` scales the role of that name in place."""

import pulumi

import pulumi_opennebula as one

machine = one.Template("render-machine", cpu=0.1, memory=64)
blueprint = one.ServiceTemplate(
    "render-farm",
    template=pulumi.Output.json_dumps(
        {
            "deployment": "straight",
            "roles": [
                {"name": "scheduler", "cardinality": 1, "template_id": machine.id.apply(int)},
                {
                    "name": "renderer",
                    "parents": ["scheduler"],
                    "cardinality": 1,
                    "max_vms": 10,
                    "template_id": machine.id.apply(int),
                },
            ],
        }
    ),
)
farm = one.Service(
    "render-farm",
    template_id=blueprint.id.apply(int),
    extra_template=pulumi.Output.json_dumps({"roles": [{"name": "renderer", "cardinality": 2}]}),
    timeouts=one.ServiceTimeoutsArgs(create="15m"),
)
pulumi.export("render_farm_vms", farm.roles.apply(lambda roles: {role.name: role.nodes for role in roles}))
