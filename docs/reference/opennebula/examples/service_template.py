"""Two roles, the second started when the first runs, and a rule that adds a worker while the workers are busy."""

import pulumi

import pulumi_opennebula as one

machine = one.Template("queue-machine", cpu=0.1, memory=64, context={"TOKEN": "YES"})
queue = one.ServiceTemplate(
    "queue",
    template=pulumi.Output.json_dumps(
        {
            "deployment": "straight",
            "ready_status_gate": True,
            "roles": [
                {"name": "broker", "cardinality": 1, "template_id": machine.id.apply(int)},
                {
                    "name": "worker",
                    "parents": ["broker"],
                    "cardinality": 2,
                    "min_vms": 1,
                    "max_vms": 6,
                    "cooldown": 120,
                    "template_id": machine.id.apply(int),
                    "elasticity_policies": [
                        {
                            "expression": "CPU > 90",
                            "type": "CHANGE",
                            "adjust": 1,
                            "period": 30,
                            "period_number": 3,
                        }
                    ],
                },
            ],
        }
    ),
)
pulumi.export("queue_template", queue.id)
