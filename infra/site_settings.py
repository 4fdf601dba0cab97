"""Settings that central and zone stacks share besides their cloud: names, the virtual network, the appliance's image.

It looks at no cloud: whether an image or a network exists is the provider's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.package_source import PackageSource
from components.sizing import AddressPlan, plan_addresses
from infra.cloud_settings import Surroundings
from infra.config_reader import Problems, Section

SITE_KEYS = ("network", "image", "packages", "stateImage")
_NETWORK_KEYS = (
    "cidr",
    "first",
    "size",
    "id",
    "type",
    "bridge",
    "physicalDevice",
    "vlanId",
    "gateway",
    "dns",
)
_IMAGE_KEYS = ("path", "name", "id", "checksum", "datastoreId", "sizeMb")
_PACKAGE_KEYS = ("requirements", "wheelhouse", "volume", "volumeImage", "index", "indexCaFile")
_DEFAULT_DATASTORE = 1  # "default", the image datastore that a new OpenNebula creates


@dataclass(frozen=True, kw_only=True)
class Common:
    """Names and choices that every stack has."""

    stack: str
    zone: str
    federation: str
    flower_version: str
    log_level: str
    project_url: str | None


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """A virtual network: one that the stack makes, or, with `existing_id`, one that it finds."""

    addresses: AddressPlan
    existing_id: int | None
    type: str
    """OpenNebula's network driver; `bridge` where nothing is set."""
    bridge: str | None
    physical_device: str | None
    vlan_id: str | None
    gateway: str | None
    dns: str | None


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """The appliance's image: exactly one of a file to upload, the name of one, or its id."""

    path: Path | None
    name: str | None
    existing_id: int | None
    datastore_id: int
    size_mb: int | None
    """Only for a file whose size the front-end cannot tell."""
    checksum: str | None = None
    """SHA-256 that the file at `path` must have; the provider compares before it imports."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Network, image, and what the zone adds to it."""

    network: NetworkSettings
    image: ImageSettings
    state_image: int | None = None
    """Id of an empty data block with the label `flower-state`: each VM keeps key and database on a copy of it."""
    packages: PackageSource | None = None
    """Python packages that VMs install at boot; None: the image's alone."""


def read_site(section: Section, problems: Problems, machine: Surroundings) -> Site:
    """Read network and image; `problems` collects what is refused."""
    network = problems.attempt(lambda: section.section("network", known=_NETWORK_KEYS))
    image = problems.attempt(lambda: section.section("image", known=_IMAGE_KEYS))
    return Site(
        network=problems.attempt(lambda: _read_network(network, problems), given=(network,)),
        image=problems.attempt(lambda: _read_image(image, machine), given=(image,)),
        state_image=problems.attempt(lambda: section.integer("stateImage") if section.has("stateImage") else None),
        packages=problems.attempt(lambda: _read_packages(section, machine)),
    )


def _read_packages(section: Section, machine: Surroundings) -> PackageSource | None:
    if not section.has("packages"):
        return None
    packages = section.section("packages", known=_PACKAGE_KEYS)
    ca_file = packages.optional_text("indexCaFile")
    source = PackageSource(
        requirements=_text_of(packages, "requirements", packages.text("requirements"), machine),
        wheelhouse=packages.optional_text("wheelhouse"),
        volume=packages.optional_text("volume"),
        volume_image=packages.integer("volumeImage") if packages.has("volumeImage") else None,
        index=packages.optional_text("index"),
        index_ca=None if ca_file is None else _text_of(packages, "indexCaFile", ca_file, machine),
    )
    source.variables()
    return source


def _text_of(section: Section, key: str, name: str, machine: Surroundings) -> str:
    path = machine.path(name)
    if not path.is_file():
        raise section.wrong(key, name, f"an existing file, and {path} is none", reason="its text goes into CONTEXT")
    return path.read_text(encoding="utf-8")


def _read_network(section: Section, problems: Problems) -> NetworkSettings:
    cidr = problems.attempt(lambda: section.network("cidr"))
    first = problems.attempt(lambda: section.address("first"))
    size = problems.attempt(lambda: section.integer("size"))
    addresses = problems.attempt(lambda: plan_addresses(cidr=cidr, first=first, size=size), given=(cidr, first, size))
    return NetworkSettings(
        addresses=addresses,
        existing_id=problems.attempt(lambda: section.integer("id") if section.has("id") else None),
        type=problems.attempt(lambda: section.text("type", "bridge")),
        bridge=problems.attempt(lambda: section.optional_text("bridge")),
        physical_device=problems.attempt(lambda: section.optional_text("physicalDevice")),
        vlan_id=problems.attempt(lambda: str(section.integer("vlanId")) if section.has("vlanId") else None),
        gateway=problems.attempt(lambda: str(section.address("gateway")) if section.has("gateway") else None),
        dns=problems.attempt(lambda: section.optional_text("dns")),
    )


def _read_image(section: Section, machine: Surroundings) -> ImageSettings:
    ways = [key for key in ("path", "name", "id") if section.has(key)]
    if len(ways) != 1:
        raise section.wrong(
            "path, name or id",
            ways,
            "exactly one of the three",
            reason="an image is uploaded from a file, or found by its name or its id",
        )
    path = section.optional_text("path")
    return ImageSettings(
        path=None if path is None else machine.path(path),
        name=section.optional_text("name"),
        existing_id=section.integer("id") if section.has("id") else None,
        datastore_id=section.integer("datastoreId", _DEFAULT_DATASTORE),
        size_mb=section.integer("sizeMb") if section.has("sizeMb") else None,
        checksum=section.optional_text("checksum"),
    )
