"""Definition of Image. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import Property, Resource

IMAGE = Resource(
    module="image",
    description="A disk image, kernel, file or empty data block in a datastore.",
    id_property="imageId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        Property(
            name="datastoreId",
            type="integer",
            required=True,
            replace=True,
            description="Id of the datastore that holds the image.",
        ),
        Property(
            name="type",
            type="string",
            computed=True,
            choices=("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT"),
            description="`OS`, `CDROM`, `DATABLOCK`, `KERNEL`, `RAMDISK` or `CONTEXT`.",
        ),
        Property(
            name="path",
            type="string",
            computed=True,
            replace=True,
            description="Path on the front-end or URL that the datastore driver copies the image from.",
        ),
        Property(
            name="checksum",
            type="string",
            bridged=False,
            local=True,
            replace=True,
            description="SHA-256 of the file at `path` (64 hex digits, `sha256:` before them or not), compared before "
            "anything is imported; an addition to the bridged package. The file must be readable where Pulumi runs.",
        ),
        Property(
            name="size",
            type="integer",
            computed=True,
            replace=True,
            description="Size in MB; a data block needs it.",
        ),
        Property(
            name="cloneFromImage",
            type="string",
            replace=True,
            description="Id or name of an image to copy instead of giving `path`.",
        ),
        Property(name="persistent", type="boolean", default=False, description="Whether a VM's changes are kept."),
        Property(name="devPrefix", type="string", computed=True, description="Device prefix: `hd`, `sd`, `vd`, ..."),
        Property(name="target", type="string", computed=True, description="Device that the disk appears as."),
        Property(name="driver", type="string", computed=True, description="Image mapping driver of the hypervisor."),
        Property(
            name="format",
            type="string",
            computed=True,
            replace=True,
            description="`raw`, `qcow2`, ...; the datastore's driver finds it where absent.",
        ),
        Property(
            name="timeout",
            type="integer",
            local=True,
            description="Longest wait for the image in minutes; `timeouts` wins over it.",
        ),
        common.PERMISSIONS,
        common.GROUP,
        common.LOCK,
        common.TAGS,
        common.template_sections("Image"),
        common.timeouts("Image", "create", "delete"),
        common.object_id("imageId", "image"),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)
