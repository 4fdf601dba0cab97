"""Settings that central and zone stacks share besides their cloud: names, the virtual network, the appliance's image.

It looks at no cloud: whether an image or a network exists is the provider's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from components.package_source import PackageSource
from components.sizing import AddressPlan, check_gateway, plan_addresses
from infra.cloud_settings import Surroundings
from infra.config_reader import Problems, Section
from infra.setting_files import read_certificates_file, read_file

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
_OF_NEW_NETWORKS = ("type", "bridge", "physicalDevice", "vlanId", "gateway", "dns")
_IMAGE_KEYS = ("path", "name", "id", "checksum", "datastoreId", "sizeMb")
_PACKAGE_KEYS = ("requirements", "wheelhouse", "volume", "volumeImage", "index", "indexCaFile")
_MOST_VLAN, _MOST_VXLAN = 4094, 2**24 - 1  # IEEE 802.1Q, 9.6; RFC 7348, section 5
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
        state_image=problems.attempt(
            lambda: section.integer("stateImage", least=0) if section.has("stateImage") else None
        ),
        packages=problems.attempt(lambda: _read_packages(section, machine)),
    )


def _read_packages(section: Section, machine: Surroundings) -> PackageSource | None:
    if not section.has("packages"):
        return None
    packages = section.section("packages", known=_PACKAGE_KEYS)
    ca_file = packages.optional_text("indexCaFile")
    source = PackageSource(
        requirements=read_file(
            packages, "requirements", machine.path(packages.text("requirements")), reason="VMs install what it lists"
        ),
        wheelhouse=packages.optional_text("wheelhouse"),
        volume=packages.optional_text("volume"),
        volume_image=packages.integer("volumeImage", least=0) if packages.has("volumeImage") else None,
        index=packages.url("index"),
        index_ca=None
        if ca_file is None
        else read_certificates_file(
            packages, "indexCaFile", machine.path(ca_file), reason="the index is verified with it"
        ),
    )
    source.variables()
    return source


def _read_network(section: Section, problems: Problems) -> NetworkSettings:
    cidr = problems.attempt(lambda: section.network("cidr"))
    first = problems.attempt(lambda: section.address("first"))
    size = problems.attempt(lambda: section.integer("size"))
    gateway = problems.attempt(lambda: section.address("gateway") if section.has("gateway") else None)
    addresses = problems.attempt(lambda: plan_addresses(cidr=cidr, first=first, size=size), given=(cidr, first, size))
    problems.attempt(lambda: None if gateway is None else check_gateway(gateway, addresses), given=(gateway, addresses))
    problems.attempt(lambda: _refuse_idle(section))
    return NetworkSettings(
        addresses=addresses,
        existing_id=problems.attempt(lambda: section.integer("id", least=0) if section.has("id") else None),
        type=problems.attempt(lambda: section.text("type", "bridge")),
        bridge=problems.attempt(lambda: section.optional_text("bridge")),
        physical_device=problems.attempt(lambda: section.optional_text("physicalDevice")),
        vlan_id=problems.attempt(lambda: _read_vlan(section)),
        gateway=None if gateway is None else str(gateway),
        dns=problems.attempt(lambda: _read_dns(section)),
    )


def _refuse_idle(section: Section) -> None:
    idle = [key for key in _OF_NEW_NETWORKS if section.has(key)]
    if section.has("id") and idle:
        raise section.wrong(
            idle[0],
            f"set beside {section.name('id')}",
            f"left out beside {section.name('id')}",
            reason="a network that exists is used as it is, so nothing would be done with it",
        )


def _read_vlan(section: Section) -> str | None:
    if not section.has("vlanId"):
        return None
    most = _MOST_VXLAN if "vxlan" in section.text("type", "bridge") else _MOST_VLAN
    return str(section.integer("vlanId", least=1, most=most))


def _read_dns(section: Section) -> str | None:
    text = section.optional_text("dns")
    if text is None:
        return None
    try:
        return " ".join(str(ip_address(word)) for word in text.split())
    except ValueError as error:
        reason = "guests write them into resolv.conf as they are"
        raise section.wrong("dns", text, "addresses of name servers, with spaces between", reason=reason) from error


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
    idle = [key for key in ("checksum", "datastoreId", "sizeMb") if section.has(key)]
    if path is None and idle:
        raise section.wrong(
            idle[0],
            section.text(idle[0]) if idle[0] == "checksum" else section.integer(idle[0]),
            f"set beside {section.name('path')} only",
            reason=f"an image that is found by {ways[0]} is uploaded no more, so nothing would be done with it",
        )
    return ImageSettings(
        path=None if path is None else machine.path(path),
        name=section.optional_text("name"),
        existing_id=section.integer("id", least=0) if section.has("id") else None,
        datastore_id=section.integer("datastoreId", _DEFAULT_DATASTORE, least=0),
        size_mb=section.integer("sizeMb", least=1) if section.has("sizeMb") else None,
        checksum=section.optional_text("checksum"),
    )
