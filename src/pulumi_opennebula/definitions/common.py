"""Properties that several resources share: owner, permissions, tags, template sections, timeouts.

Only definitions: how each is written to the cloud is in `provider/resources/shared.py`.
"""

from __future__ import annotations

from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record

PERMISSIONS = Property(
    name="permissions",
    type="string",
    computed=True,
    description="Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`.",
)
GROUP = Property(
    name="group",
    type="string",
    computed=True,
    description="Name of the group that owns the object; the user's primary group where absent.",
)
DESCRIPTION = Property(name="description", type="string", description="Free text, the DESCRIPTION attribute.")
TAGS = Property(
    name="tags",
    type=MapOf("string"),
    description="Attributes added to the object's template. OpenNebula keeps names in upper case.",
)
LOCK = Property(
    name="lock",
    type="string",
    choices=("USE", "MANAGE", "ADMIN", "ALL", "UNLOCK"),
    nothing="UNLOCK",
    description="Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock.",
)

OWNER_OUTPUTS = (
    Property(
        name="uid", type="integer", output=True, follows=("user",), description="Id of the user that owns the object."
    ),
    Property(
        name="gid", type="integer", output=True, follows=("group",), description="Id of the group that owns the object."
    ),
    Property(
        name="uname",
        type="string",
        output=True,
        follows=("user",),
        description="Name of the user that owns the object.",
    ),
    Property(
        name="gname",
        type="string",
        output=True,
        follows=("group",),
        description="Name of the group that owns the object.",
    ),
)
TAG_OUTPUTS = (
    Property(
        name="defaultTags",
        type=MapOf("string"),
        output=True,
        description="The provider's default tags that apply to this object.",
    ),
    Property(
        name="tagsAll",
        type=MapOf("string"),
        output=True,
        description="`tags` and the provider's default tags together.",
    ),
)
OWNER_INPUTS = (
    Property(
        name="uid",
        type="integer",
        computed=True,
        follows=("uname",),
        description="Id of the user that owns the object.",
    ),
    Property(
        name="gid",
        type="integer",
        computed=True,
        follows=("gname",),
        description="Id of the group that owns the object.",
    ),
    Property(
        name="uname",
        type="string",
        computed=True,
        follows=("uid",),
        description="Name of the user that owns the object.",
    ),
    Property(
        name="gname",
        type="string",
        computed=True,
        follows=("gid",),
        description="Name of the group that owns the object.",
    ),
)


def object_id(name: str, what: str) -> Property:
    """The output that repeats the object's number as a string."""
    return Property(
        name=name, type="string", output=True, description=f"Number of the {what} in its zone, as a string."
    )


def template_sections(owner: str) -> Property:
    """Vectors of the object's template that no property covers."""
    record = Record(
        name=f"{owner}TemplateSection",
        description='One vector attribute of the template: `NAME = [ KEY = "value" ]`.',
        properties=(
            Property(
                name="name", type="string", required=True, nocase=True, description="Name of the vector, such as `PCI`."
            ),
            Property(name="elements", type=MapOf("string"), description="The vector's keys and values."),
        ),
    )
    return Property(
        name="templateSections",
        type=ListOf(record),
        sorted_by="name",
        description="Vectors that no other property covers. Several of the same name are all kept, in order.",
    )


def timeouts(owner: str, *operations: str) -> Property:
    """How long each operation may wait, as Go-style durations."""
    record = Record(
        name=f"{owner}Timeouts",
        description="How long operations wait for the cloud, as durations such as `90s` or `10m`.",
        properties=tuple(
            Property(name=operation, type="string", description=f"Longest wait of {operation}, such as `10m`.")
            for operation in operations
        ),
    )
    return Property(
        name="timeouts",
        type=record,
        local=True,
        description="Longest waits; the resource option `custom_timeouts` wins over it.",
    )
