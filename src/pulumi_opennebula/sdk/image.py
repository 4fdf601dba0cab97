"""Image: a disk image, kernel, file or empty data block in a datastore.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "Image",
    "ImageArgs",
    "ImageTemplateSection",
    "ImageTemplateSectionArgs",
    "ImageTimeouts",
    "ImageTimeoutsArgs",
]


@arguments
class ImageTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class ImageTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    delete: pulumi.Input[str] | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@outputs
class ImageTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class ImageTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    delete: str | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@arguments
class ImageArgs:
    """What a Image is made of."""

    datastore_id: pulumi.Input[int] = pulumi.property("datastoreId")
    """Id of the datastore that holds the image."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    type: pulumi.Input[str] | None = pulumi.property("type", default=None)
    """`OS`, `CDROM`, `DATABLOCK`, `KERNEL`, `RAMDISK` or `CONTEXT`."""
    path: pulumi.Input[str] | None = pulumi.property("path", default=None)
    """Path on the front-end or URL that the datastore driver copies the image from."""
    checksum: pulumi.Input[str] | None = pulumi.property("checksum", default=None)
    """SHA-256 of the file at `path` (64 hex digits, `sha256:` before them or not), compared before anything is
    imported; an addition to the bridged package. The file must be readable where Pulumi runs.
    """
    size: pulumi.Input[int] | None = pulumi.property("size", default=None)
    """Size in MB; a data block needs it."""
    clone_from_image: pulumi.Input[str] | None = pulumi.property("cloneFromImage", default=None)
    """Id or name of an image to copy instead of giving `path`."""
    persistent: pulumi.Input[bool] | None = pulumi.property("persistent", default=None)
    """Whether a VM's changes are kept."""
    dev_prefix: pulumi.Input[str] | None = pulumi.property("devPrefix", default=None)
    """Device prefix: `hd`, `sd`, `vd`, ..."""
    target: pulumi.Input[str] | None = pulumi.property("target", default=None)
    """Device that the disk appears as."""
    driver: pulumi.Input[str] | None = pulumi.property("driver", default=None)
    """Image mapping driver of the hypervisor."""
    format: pulumi.Input[str] | None = pulumi.property("format", default=None)
    """`raw`, `qcow2`, ...; the datastore's driver finds it where absent."""
    timeout: pulumi.Input[int] | None = pulumi.property("timeout", default=None)
    """Longest wait for the image in minutes; `timeouts` wins over it."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Input[str] | None = pulumi.property("lock", default=None)
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[ImageTemplateSectionArgs]]] | None = pulumi.property(
        "templateSections", default=None
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Input[pulumi.InputType[ImageTimeoutsArgs]] | None = pulumi.property("timeouts", default=None)
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class Image(OpenNebulaResource):
    """A disk image, kernel, file or empty data block in a datastore.

    Arguments are those of `ImageArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/image:Image"
    arguments_type = ImageArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    datastore_id: pulumi.Output[int] = pulumi.property("datastoreId")
    """Id of the datastore that holds the image."""
    type: pulumi.Output[str] = pulumi.property("type")
    """`OS`, `CDROM`, `DATABLOCK`, `KERNEL`, `RAMDISK` or `CONTEXT`."""
    path: pulumi.Output[str] = pulumi.property("path")
    """Path on the front-end or URL that the datastore driver copies the image from."""
    checksum: pulumi.Output[str | None] = pulumi.property("checksum")
    """SHA-256 of the file at `path` (64 hex digits, `sha256:` before them or not), compared before anything is
    imported; an addition to the bridged package. The file must be readable where Pulumi runs.
    """
    size: pulumi.Output[int] = pulumi.property("size")
    """Size in MB; a data block needs it."""
    clone_from_image: pulumi.Output[str | None] = pulumi.property("cloneFromImage")
    """Id or name of an image to copy instead of giving `path`."""
    persistent: pulumi.Output[bool] = pulumi.property("persistent")
    """Whether a VM's changes are kept."""
    dev_prefix: pulumi.Output[str] = pulumi.property("devPrefix")
    """Device prefix: `hd`, `sd`, `vd`, ..."""
    target: pulumi.Output[str] = pulumi.property("target")
    """Device that the disk appears as."""
    driver: pulumi.Output[str] = pulumi.property("driver")
    """Image mapping driver of the hypervisor."""
    format: pulumi.Output[str] = pulumi.property("format")
    """`raw`, `qcow2`, ...; the datastore's driver finds it where absent."""
    timeout: pulumi.Output[int | None] = pulumi.property("timeout")
    """Longest wait for the image in minutes; `timeouts` wins over it."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Output[str | None] = pulumi.property("lock")
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[ImageTemplateSection] | None] = pulumi.property("templateSections")
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Output[ImageTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    image_id: pulumi.Output[str] = pulumi.property("imageId")
    """Number of the image in its zone, as a string."""
    uid: pulumi.Output[int] = pulumi.property("uid")
    """Id of the user that owns the object."""
    gid: pulumi.Output[int] = pulumi.property("gid")
    """Id of the group that owns the object."""
    uname: pulumi.Output[str] = pulumi.property("uname")
    """Name of the user that owns the object."""
    gname: pulumi.Output[str] = pulumi.property("gname")
    """Name of the group that owns the object."""
    default_tags: pulumi.Output[dict[str, str]] = pulumi.property("defaultTags")
    """The provider's default tags that apply to this object."""
    tags_all: pulumi.Output[dict[str, str]] = pulumi.property("tagsAll")
    """`tags` and the provider's default tags together."""

    @overload
    def __init__(self, resource_name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        datastore_id: pulumi.Input[int],
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        type: pulumi.Input[str] | None = None,
        path: pulumi.Input[str] | None = None,
        checksum: pulumi.Input[str] | None = None,
        size: pulumi.Input[int] | None = None,
        clone_from_image: pulumi.Input[str] | None = None,
        persistent: pulumi.Input[bool] | None = None,
        dev_prefix: pulumi.Input[str] | None = None,
        target: pulumi.Input[str] | None = None,
        driver: pulumi.Input[str] | None = None,
        format: pulumi.Input[str] | None = None,
        timeout: pulumi.Input[int] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        lock: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[ImageTemplateSectionArgs]]] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[ImageTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
