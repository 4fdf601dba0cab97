"""Definitions of Marketplace and MarketplaceAppliance. Calls nothing.

Attributes of each kind of marketplace are those of OpenNebula's manual (Apps marketplace, 7.0).
"""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, Property, Record, Resource


def _text(
    name: str, description: str, *, required: bool = False, secret: bool = False, attribute: str = ""
) -> Property:
    return Property(
        name=name, type="string", description=description, required=required, secret=secret, attribute=attribute
    )


_ENDPOINT = _text("endpointUrl", "URL of the catalogue; the manager's own where absent.", attribute="ENDPOINT")
_ROOT_IMAGE = (
    Property(
        name="roofsImageSize",
        type="integer",
        attribute="IMAGE_SIZE_MB",
        description="Size in MB of the image for the root file system.",
    ),
    _text("filesystem", "File system of that image, such as `ext4`."),
    _text("imageBlockFileFormat", "Format of that image: `raw` or `qcow2`.", attribute="FORMAT"),
    Property(name="skipUntested", type="boolean", description="Leave out appliances without contextualization."),
)
ONE = Record(
    name="MarketplaceOne", description="The public marketplace of OpenNebula, or one like it.", properties=(_ENDPOINT,)
)
HTTP = Record(
    name="MarketplaceHttp",
    description="A folder that an HTTP server publishes.",
    properties=(
        _text("endpointUrl", "URL under which the folder is published.", required=True, attribute="BASE_URL"),
        _text(
            "path",
            "The folder, on the front-end or on the hosts of the bridge list.",
            required=True,
            attribute="PUBLIC_DIR",
        ),
        Property(
            name="storageBridgeLists",
            type=ListOf("string"),
            attribute="BRIDGE_LIST",
            unordered=True,
            description="Hosts through which the front-end reaches the folder.",
        ),
    ),
)
S3 = Record(
    name="MarketplaceS3",
    description="A bucket of an S3 service.",
    properties=(
        Property(
            name="type",
            type="string",
            choices=("aws", "ceph", "minio"),
            description="Kind of service: `aws` (where absent), `ceph` or `minio`.",
        ),
        _text("accessKeyId", "Access key of the user.", required=True),
        _text("secretAccessKey", "Secret key of the user.", required=True, secret=True),
        _text("bucket", "Bucket that holds the files.", required=True),
        _text("region", "Region of the service; any text for Ceph.", required=True),
        _text("endpointUrl", "URL of a service other than Amazon's.", attribute="ENDPOINT"),
        Property(name="totalSize", type="integer", attribute="TOTAL_MB", description="Size of the marketplace in MB."),
        Property(
            name="readBlockLength",
            type="integer",
            attribute="READ_LENGTH",
            description="Size in MB of the pieces that files are sent in; at most 100.",
        ),
    ),
)
LXC = Record(
    name="MarketplaceLxc",
    description="The public server of Linux container images.",
    properties=(
        _ENDPOINT,
        *_ROOT_IMAGE,
        Property(name="cpu", type="number", description="CPU share in the VM templates made of appliances."),
        Property(name="vcpu", type="integer", description="CPUs in those VM templates."),
        Property(name="memory", type="integer", description="Memory in MB in those VM templates."),
        Property(name="privileged", type="boolean", description="Whether the containers are privileged."),
    ),
)
TURNKEY = Record(
    name="MarketplaceTurnkey",
    description="The public server of TurnKey Linux.",
    properties=(_ENDPOINT, *_ROOT_IMAGE),
)


def _kind(name: str, record: Record) -> Property:
    return Property(name=name, type=ListOf(record), description=f"{record.description} At most one entry.")


MARKETPLACE = Resource(
    module="marketplace",
    description="A marketplace: where a zone's users find appliances and publish them. Only administrators make one.",
    id_property="marketplaceId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        _kind("ones", ONE),
        _kind("https", HTTP),
        _kind("s3s", S3),
        _kind("lxcs", LXC),
        _kind("turnkeys", TURNKEY),
        Property(name="dockerhub", type="boolean", description="Whether it is Docker Hub's official images."),
        Property(name="disabled", type="boolean", description="Whether nobody may use it for now."),
        common.PERMISSIONS,
        common.TAGS,
        common.template_sections("Marketplace"),
        common.timeouts("Marketplace", "create", "update"),
        common.object_id("marketplaceId", "marketplace"),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)

MARKETPLACE_APPLIANCE = Resource(
    module="marketplaceAppliance",
    description="An appliance of a marketplace: an image, VM template or service template that others can import.",
    id_property="marketplaceApplianceId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        Property(
            name="marketId", type="integer", required=True, replace=True, description="Id of the marketplace it is in."
        ),
        Property(
            name="type",
            type="string",
            required=True,
            replace=True,
            choices=("IMAGE", "VMTEMPLATE", "SERVICE_TEMPLATE"),
            description="`IMAGE`, `VMTEMPLATE` or `SERVICE_TEMPLATE`.",
        ),
        Property(
            name="originId",
            type="integer",
            replace=True,
            default=-1,
            description="Id of the object that is published; -1 for none. An `IMAGE` needs one.",
        ),
        _text("version", "Version of the appliance."),
        Property(
            name="apptemplate64",
            type="string",
            attribute="APPTEMPLATE64",
            description="Template, in base64, of the object that an import makes.",
        ),
        Property(
            name="vmtemplate64",
            type="string",
            attribute="VMTEMPLATE64",
            description="Template, in base64, of the VM template that an import makes.",
        ),
        Property(name="disabled", type="boolean", description="Whether nobody may use it for now."),
        common.PERMISSIONS,
        common.GROUP,
        common.LOCK,
        common.TAGS,
        common.template_sections("MarketplaceAppliance"),
        common.timeouts("MarketplaceAppliance", "create", "update", "delete"),
        common.object_id("marketplaceApplianceId", "appliance"),
        *common.TAG_OUTPUTS,
    ),
)
