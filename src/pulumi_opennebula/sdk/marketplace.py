"""Marketplace: a marketplace: where a zone's users find appliances and publish them. Only administrators make one.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "Marketplace",
    "MarketplaceArgs",
    "MarketplaceHttp",
    "MarketplaceHttpArgs",
    "MarketplaceLxc",
    "MarketplaceLxcArgs",
    "MarketplaceOne",
    "MarketplaceOneArgs",
    "MarketplaceS3",
    "MarketplaceS3Args",
    "MarketplaceTemplateSection",
    "MarketplaceTemplateSectionArgs",
    "MarketplaceTimeouts",
    "MarketplaceTimeoutsArgs",
    "MarketplaceTurnkey",
    "MarketplaceTurnkeyArgs",
]


@arguments
class MarketplaceOneArgs:
    """The public marketplace of OpenNebula, or one like it."""

    endpoint_url: pulumi.Input[str] | None = pulumi.property("endpointUrl", default=None)
    """URL of the catalogue; the manager's own where absent."""


@arguments
class MarketplaceHttpArgs:
    """A folder that an HTTP server publishes."""

    endpoint_url: pulumi.Input[str] = pulumi.property("endpointUrl")
    """URL under which the folder is published."""
    path: pulumi.Input[str] = pulumi.property("path")
    """The folder, on the front-end or on the hosts of the bridge list."""
    storage_bridge_lists: pulumi.Input[list[pulumi.Input[str]]] | None = pulumi.property(
        "storageBridgeLists", default=None
    )
    """Hosts through which the front-end reaches the folder."""


@arguments
class MarketplaceS3Args:
    """A bucket of an S3 service."""

    access_key_id: pulumi.Input[str] = pulumi.property("accessKeyId")
    """Access key of the user."""
    secret_access_key: pulumi.Input[str] = pulumi.property("secretAccessKey")
    """Secret key of the user."""
    bucket: pulumi.Input[str] = pulumi.property("bucket")
    """Bucket that holds the files."""
    region: pulumi.Input[str] = pulumi.property("region")
    """Region of the service; any text for Ceph."""
    type: pulumi.Input[str] | None = pulumi.property("type", default=None)
    """Kind of service: `aws` (where absent), `ceph` or `minio`."""
    endpoint_url: pulumi.Input[str] | None = pulumi.property("endpointUrl", default=None)
    """URL of a service other than Amazon's."""
    total_size: pulumi.Input[int] | None = pulumi.property("totalSize", default=None)
    """Size of the marketplace in MB."""
    read_block_length: pulumi.Input[int] | None = pulumi.property("readBlockLength", default=None)
    """Size in MB of the pieces that files are sent in; at most 100."""


@arguments
class MarketplaceLxcArgs:
    """The public server of Linux container images."""

    endpoint_url: pulumi.Input[str] | None = pulumi.property("endpointUrl", default=None)
    """URL of the catalogue; the manager's own where absent."""
    roofs_image_size: pulumi.Input[int] | None = pulumi.property("roofsImageSize", default=None)
    """Size in MB of the image for the root file system."""
    filesystem: pulumi.Input[str] | None = pulumi.property("filesystem", default=None)
    """File system of that image, such as `ext4`."""
    image_block_file_format: pulumi.Input[str] | None = pulumi.property("imageBlockFileFormat", default=None)
    """Format of that image: `raw` or `qcow2`."""
    skip_untested: pulumi.Input[bool] | None = pulumi.property("skipUntested", default=None)
    """Leave out appliances without contextualization."""
    cpu: pulumi.Input[float] | None = pulumi.property("cpu", default=None)
    """CPU share in the VM templates made of appliances."""
    vcpu: pulumi.Input[int] | None = pulumi.property("vcpu", default=None)
    """CPUs in those VM templates."""
    memory: pulumi.Input[int] | None = pulumi.property("memory", default=None)
    """Memory in MB in those VM templates."""
    privileged: pulumi.Input[bool] | None = pulumi.property("privileged", default=None)
    """Whether the containers are privileged."""


@arguments
class MarketplaceTurnkeyArgs:
    """The public server of TurnKey Linux."""

    endpoint_url: pulumi.Input[str] | None = pulumi.property("endpointUrl", default=None)
    """URL of the catalogue; the manager's own where absent."""
    roofs_image_size: pulumi.Input[int] | None = pulumi.property("roofsImageSize", default=None)
    """Size in MB of the image for the root file system."""
    filesystem: pulumi.Input[str] | None = pulumi.property("filesystem", default=None)
    """File system of that image, such as `ext4`."""
    image_block_file_format: pulumi.Input[str] | None = pulumi.property("imageBlockFileFormat", default=None)
    """Format of that image: `raw` or `qcow2`."""
    skip_untested: pulumi.Input[bool] | None = pulumi.property("skipUntested", default=None)
    """Leave out appliances without contextualization."""


@arguments
class MarketplaceTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class MarketplaceTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: pulumi.Input[str] | None = pulumi.property("update", default=None)
    """Longest wait of update, such as `10m`."""


@outputs
class MarketplaceOne(dict[str, Any]):
    """The public marketplace of OpenNebula, or one like it."""

    endpoint_url: str | None = pulumi.property("endpointUrl", default=None)
    """URL of the catalogue; the manager's own where absent."""


@outputs
class MarketplaceHttp(dict[str, Any]):
    """A folder that an HTTP server publishes."""

    endpoint_url: str = pulumi.property("endpointUrl")
    """URL under which the folder is published."""
    path: str = pulumi.property("path")
    """The folder, on the front-end or on the hosts of the bridge list."""
    storage_bridge_lists: list[str] | None = pulumi.property("storageBridgeLists", default=None)
    """Hosts through which the front-end reaches the folder."""


@outputs
class MarketplaceS3(dict[str, Any]):
    """A bucket of an S3 service."""

    access_key_id: str = pulumi.property("accessKeyId")
    """Access key of the user."""
    secret_access_key: str = pulumi.property("secretAccessKey")
    """Secret key of the user."""
    bucket: str = pulumi.property("bucket")
    """Bucket that holds the files."""
    region: str = pulumi.property("region")
    """Region of the service; any text for Ceph."""
    type: str | None = pulumi.property("type", default=None)
    """Kind of service: `aws` (where absent), `ceph` or `minio`."""
    endpoint_url: str | None = pulumi.property("endpointUrl", default=None)
    """URL of a service other than Amazon's."""
    total_size: int | None = pulumi.property("totalSize", default=None)
    """Size of the marketplace in MB."""
    read_block_length: int | None = pulumi.property("readBlockLength", default=None)
    """Size in MB of the pieces that files are sent in; at most 100."""


@outputs
class MarketplaceLxc(dict[str, Any]):
    """The public server of Linux container images."""

    endpoint_url: str | None = pulumi.property("endpointUrl", default=None)
    """URL of the catalogue; the manager's own where absent."""
    roofs_image_size: int | None = pulumi.property("roofsImageSize", default=None)
    """Size in MB of the image for the root file system."""
    filesystem: str | None = pulumi.property("filesystem", default=None)
    """File system of that image, such as `ext4`."""
    image_block_file_format: str | None = pulumi.property("imageBlockFileFormat", default=None)
    """Format of that image: `raw` or `qcow2`."""
    skip_untested: bool | None = pulumi.property("skipUntested", default=None)
    """Leave out appliances without contextualization."""
    cpu: float | None = pulumi.property("cpu", default=None)
    """CPU share in the VM templates made of appliances."""
    vcpu: int | None = pulumi.property("vcpu", default=None)
    """CPUs in those VM templates."""
    memory: int | None = pulumi.property("memory", default=None)
    """Memory in MB in those VM templates."""
    privileged: bool | None = pulumi.property("privileged", default=None)
    """Whether the containers are privileged."""


@outputs
class MarketplaceTurnkey(dict[str, Any]):
    """The public server of TurnKey Linux."""

    endpoint_url: str | None = pulumi.property("endpointUrl", default=None)
    """URL of the catalogue; the manager's own where absent."""
    roofs_image_size: int | None = pulumi.property("roofsImageSize", default=None)
    """Size in MB of the image for the root file system."""
    filesystem: str | None = pulumi.property("filesystem", default=None)
    """File system of that image, such as `ext4`."""
    image_block_file_format: str | None = pulumi.property("imageBlockFileFormat", default=None)
    """Format of that image: `raw` or `qcow2`."""
    skip_untested: bool | None = pulumi.property("skipUntested", default=None)
    """Leave out appliances without contextualization."""


@outputs
class MarketplaceTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class MarketplaceTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: str | None = pulumi.property("update", default=None)  # type: ignore[assignment]
    """Longest wait of update, such as `10m`."""


@arguments
class MarketplaceArgs:
    """What a Marketplace is made of."""

    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    ones: pulumi.Input[list[pulumi.InputType[MarketplaceOneArgs]]] | None = pulumi.property("ones", default=None)
    """The public marketplace of OpenNebula, or one like it. At most one entry."""
    https: pulumi.Input[list[pulumi.InputType[MarketplaceHttpArgs]]] | None = pulumi.property("https", default=None)
    """A folder that an HTTP server publishes. At most one entry."""
    s3s: pulumi.Input[list[pulumi.InputType[MarketplaceS3Args]]] | None = pulumi.property("s3s", default=None)
    """A bucket of an S3 service. At most one entry."""
    lxcs: pulumi.Input[list[pulumi.InputType[MarketplaceLxcArgs]]] | None = pulumi.property("lxcs", default=None)
    """The public server of Linux container images. At most one entry."""
    turnkeys: pulumi.Input[list[pulumi.InputType[MarketplaceTurnkeyArgs]]] | None = pulumi.property(
        "turnkeys", default=None
    )
    """The public server of TurnKey Linux. At most one entry."""
    dockerhub: pulumi.Input[bool] | None = pulumi.property("dockerhub", default=None)
    """Whether it is Docker Hub's official images."""
    disabled: pulumi.Input[bool] | None = pulumi.property("disabled", default=None)
    """Whether nobody may use it for now."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[MarketplaceTemplateSectionArgs]]] | None = pulumi.property(
        "templateSections", default=None
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Input[pulumi.InputType[MarketplaceTimeoutsArgs]] | None = pulumi.property("timeouts", default=None)
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class Marketplace(OpenNebulaResource):
    """A marketplace: where a zone's users find appliances and publish them. Only administrators make one.

    Arguments are those of `MarketplaceArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/marketplace:Marketplace"
    arguments_type = MarketplaceArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    ones: pulumi.Output[list[MarketplaceOne] | None] = pulumi.property("ones")
    """The public marketplace of OpenNebula, or one like it. At most one entry."""
    https: pulumi.Output[list[MarketplaceHttp] | None] = pulumi.property("https")
    """A folder that an HTTP server publishes. At most one entry."""
    s3s: pulumi.Output[list[MarketplaceS3] | None] = pulumi.property("s3s")
    """A bucket of an S3 service. At most one entry."""
    lxcs: pulumi.Output[list[MarketplaceLxc] | None] = pulumi.property("lxcs")
    """The public server of Linux container images. At most one entry."""
    turnkeys: pulumi.Output[list[MarketplaceTurnkey] | None] = pulumi.property("turnkeys")
    """The public server of TurnKey Linux. At most one entry."""
    dockerhub: pulumi.Output[bool | None] = pulumi.property("dockerhub")
    """Whether it is Docker Hub's official images."""
    disabled: pulumi.Output[bool | None] = pulumi.property("disabled")
    """Whether nobody may use it for now."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[MarketplaceTemplateSection] | None] = pulumi.property("templateSections")
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Output[MarketplaceTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    marketplace_id: pulumi.Output[str] = pulumi.property("marketplaceId")
    """Number of the marketplace in its zone, as a string."""
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
    def __init__(
        self, resource_name: str, args: MarketplaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        ones: pulumi.Input[list[pulumi.InputType[MarketplaceOneArgs]]] | None = None,
        https: pulumi.Input[list[pulumi.InputType[MarketplaceHttpArgs]]] | None = None,
        s3s: pulumi.Input[list[pulumi.InputType[MarketplaceS3Args]]] | None = None,
        lxcs: pulumi.Input[list[pulumi.InputType[MarketplaceLxcArgs]]] | None = None,
        turnkeys: pulumi.Input[list[pulumi.InputType[MarketplaceTurnkeyArgs]]] | None = None,
        dockerhub: pulumi.Input[bool] | None = None,
        disabled: pulumi.Input[bool] | None = None,
        permissions: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[MarketplaceTemplateSectionArgs]]] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[MarketplaceTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
