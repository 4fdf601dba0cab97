"""An empty data block, and a copy of it. An operating system's image has `type="OS"` and a `path`: a URL, or a file on
the front-end.
"""

import pulumi

import pulumi_opennebula as one

store = one.get_datastore(name="default")
data = one.Image(
    "measurements",
    description="Empty at first; what a VM writes is kept",
    datastore_id=store.id,
    type="DATABLOCK",
    size=64,
    persistent=True,
    dev_prefix="vd",
    format="raw",
    tags={"project": "docs"},
)
copy = one.Image("measurements-copy", datastore_id=store.id, clone_from_image=data.id)
pulumi.export("measurements_image", data.id)
pulumi.export("measurements_copy_image", copy.id)
