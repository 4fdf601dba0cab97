"""Without a provider of its own a resource uses the stack's configuration or the environment. An explicit provider is
for a second zone, or for settings that the program computes.
"""

import pulumi

import pulumi_opennebula as one

zone = one.Provider("tagging-zone", default_tags=[{"tags": {"owner": "platform-team"}}], request_timeout_s=20)
small = one.Template(
    "small-machine", cpu=0.5, vcpu=1, memory=512, tags={"purpose": "docs"}, opts=pulumi.ResourceOptions(provider=zone)
)
pulumi.export("small_machine_tags", small.tags_all)
