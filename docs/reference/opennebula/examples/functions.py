"""A function looks something up while the program runs. Its second form, `..._output`, takes outputs of resources and
waits for them.
"""

import pulumi

import pulumi_opennebula as one

store = one.get_datastore(name="default")
cluster = one.get_cluster(id=0)
scratch = one.Image("scratch", datastore_id=store.id, type="DATABLOCK", size=16)
again = one.get_image_output(name=scratch.name)
machines = one.get_virtual_machines(name_regex=r"^supernode_", sort_on="name")
pulumi.export("cluster", cluster.name)
pulumi.export("scratch_image", again.id)
pulumi.export("supernodes", [machine.name for machine in machines.virtual_machines])
