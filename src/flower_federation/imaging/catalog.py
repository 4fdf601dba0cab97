"""What a published image is called, what it says of itself, and which one a zone needs no more. It asks no zone.

An image never changes under its name: the name ends with the first digits of its SHA-256. The VM template and the
service template of a variant keep their names and point to the image that was published last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flower_federation.errors import InputError
from pulumi_opennebula.provider.templates import Body, children, text_at

APPLIANCE = "flower-appliance"
DIGITS = 8
"""Of the SHA-256 in an image's name: enough to tell builds of one version apart."""
IS_ONE = "FL_APPLIANCE"
VERSION, VARIANT, SHA256 = "FL_FLOWER_VERSION", "FL_VARIANT", "FL_SHA256"
_FILE = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*?)-(?P<version>\d+\.\d+\.\d+)-(?P<variant>[a-z0-9-]+)\.qcow2")

PUBLIC_FACTS = {
    "FL_FEDERATION": "Name of the federation",
    "FL_ZONE": "Name of this zone",
    "FL_SUPERLINK_ADDRESS": "The SuperLink as host:9092",
    "FL_CA_CERT": "The federation's CA, PEM in base64",
    "FL_CA_FINGERPRINT": "SHA-256 of the CA, hex",
    "FL_NUM_PARTITIONS": "Into how many shards this zone's data divides",
    "FL_PARTITION_BASE": "Partition of the first node; 0 or a multiple of 1000, different in each zone",
    "FL_DATA_PATH": "Folder with the data in the guest",
}
"""What a pool of SuperNodes is asked for. All of it is public: OneFlow hands it to every VM of the service."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One image file and what is known of it."""

    name: str
    version: str
    """The Flower version that it carries."""
    variant: str
    sha256: str

    @property
    def image_name(self) -> str:
        """Name of the image in a zone."""
        return f"{self.name}-{self.version}-{self.variant}-{self.sha256[:DIGITS]}"

    @property
    def template_name(self) -> str:
        """Name of the VM template, and the beginning of the service template's."""
        return f"{self.name}-{self.variant}"

    @property
    def tags(self) -> dict[str, str]:
        """Attributes of everything that is published."""
        return {IS_ONE: self.name, VERSION: self.version, VARIANT: self.variant, SHA256: self.sha256}


@dataclass(frozen=True, kw_only=True)
class Published:
    """An image of ours in a zone."""

    id: int
    name: str
    version: str
    variant: str
    sha256: str
    state: str
    """OpenNebula's number of the state."""
    vms: tuple[int, ...]
    """Ids of the VMs that use it."""

    @property
    def summary(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "id": self.id,
            "name": self.name,
            "flower_version": self.version,
            "variant": self.variant,
            "sha256": self.sha256,
            "vms": list(self.vms),
        }


def release_of(file_name: str, sha256: str) -> Release:
    """What an image file's name says.

    Raises:
        InputError: It is named in another way.
    """
    found = _FILE.fullmatch(file_name)
    if found is None:
        raise InputError(
            given=f"image file {file_name!r}",
            rule="it is named NAME-FLOWER_VERSION-VARIANT.qcow2",
            reason="version and variant become attributes of the image, by which stacks and upgrades choose it",
            remedy="give the file as scripts/image build named it",
        )
    return Release(**found.groupdict(), sha256=sha256)


def published_in(pool: Body) -> tuple[Published, ...]:
    """The images of ours in `one.imagepool.info`, newest first."""
    found = [_published(item) for item in children(pool, "IMAGE") if text_at(item, "TEMPLATE", IS_ONE)]
    return tuple(sorted(found, key=lambda image: -image.id))


def _published(item: Mapping[str, Any]) -> Published:
    return Published(
        id=int(text_at(item, "ID")),
        name=text_at(item, "NAME"),
        version=text_at(item, "TEMPLATE", VERSION),
        variant=text_at(item, "TEMPLATE", VARIANT),
        sha256=text_at(item, "TEMPLATE", SHA256),
        state=text_at(item, "STATE"),
        vms=tuple(int(number) for number in children(item, "VMS", "ID")),
    )


def check_version(wanted: str | None, baked: str, published: Sequence[Published], *, what: str) -> None:
    """Refuse an image that carries another Flower version than the wanted one.

    Args:
        wanted: The version asked for; None: any.
        baked: The image's.
        published: The zone's images, for the message.
        what: The image, for the message.

    Raises:
        InputError: They differ; the message lists the zone's images that have the wanted one.
    """
    if wanted in {None, baked}:
        return
    having = ", ".join(f"{image.name} ({image.id})" for image in published if image.version == wanted)
    raise InputError(
        given=f"Flower {wanted} and {what}, which carries Flower {baked}",
        rule="a VM's FL_FLOWER_VERSION is the version in its image",
        reason="nothing is downloaded at boot, and Flower takes a mismatch without a word and fails later",
        remedy=f"use an image with Flower {wanted}; this zone has: "
        + (having or f"none, so publish one first (scripts/image publish), or ask for Flower {baked}"),
    )


def image_inputs(release: Release, *, source: str, datastore: int, sha1: str) -> dict[str, Any]:
    """Properties of the Image; OpenNebula's datastore drivers compare what they copy with SHA1."""
    return {
        "name": release.image_name,
        "description": f"Flower {release.version} appliance, {release.variant}; its role comes from CONTEXT",
        "datastoreId": datastore,
        "type": "OS",
        "path": source,
        "persistent": False,
        "devPrefix": "vd",
        "tags": {**release.tags, "SHA1": sha1},
    }


def template_inputs(release: Release, image_id: int) -> dict[str, Any]:
    """Properties of the VM template: what VMs of either role have in common."""
    fixed = {
        "NETWORK": "YES",
        "TOKEN": "YES",
        "SSH_PUBLIC_KEY": "$USER[SSH_PUBLIC_KEY]",
        "FL_FLOWER_VERSION": release.version,
        "FL_TLS_ENABLED": "YES",
        "FL_NODE_AUTH_ENABLED": "YES",
    }
    return {
        "name": release.template_name,
        "description": f"Flower {release.version} appliance, {release.variant}, image {release.image_name}",
        "cpu": 1,
        "vcpu": 2,
        "memory": 2048,
        "context": fixed,
        "disks": [{"imageId": image_id}],
        "os": {"arch": "x86_64", "boot": ""},
        "graphics": {"type": "VNC", "listen": "127.0.0.1"},
        "tags": release.tags,
    }


def service_inputs(release: Release, template_id: int) -> dict[str, Any]:
    """Properties of the service template: a pool of SuperNodes. A SuperLink has secrets, which no such form may ask."""
    document = {
        "name": f"{release.template_name}-supernodes",
        "description": f"SuperNodes, Flower {release.version}, image {release.image_name}, SHA-256 {release.sha256}",
        "deployment": "straight",
        "ready_status_gate": True,
        "user_inputs": {name: f"M|text|{meaning}||" for name, meaning in PUBLIC_FACTS.items()},
        "networks": {"network": "M|network|Network of the SuperNodes||"},
        "roles": [
            {
                "name": "supernode",
                "type": "vm",
                "template_id": template_id,
                "cardinality": 1,
                "min_vms": 0,
                "cooldown": 5,
                "template_contents": {
                    "NIC": [{"NAME": "NIC0", "NETWORK_ID": "$network"}],
                    "CONTEXT": {"FL_ROLE": "supernode"},
                },
            }
        ],
    }
    return {"name": document["name"], "template": json.dumps(document, sort_keys=True)}


def appliance_inputs(release: Release, *, image_id: int, market_id: int, apptemplate64: str) -> dict[str, Any]:
    """Properties of the marketplace appliance."""
    return {
        "name": release.image_name,
        "description": f"Flower {release.version} appliance, {release.variant}",
        "marketId": market_id,
        "type": "IMAGE",
        "originId": image_id,
        "version": release.version,
        "apptemplate64": apptemplate64,
        "tags": release.tags,
    }


def referred_images(templates: Body) -> frozenset[str]:
    """Ids and names of the images that the VM templates of `one.templatepool.info` name in their disks."""
    disks = children(templates, "VMTEMPLATE", "TEMPLATE", "DISK")
    return frozenset(
        text
        for disk in disks
        if isinstance(disk, Mapping)
        for text in (disk.get("IMAGE_ID"), disk.get("IMAGE"))
        if text
    )


def judge_old(
    images: Iterable[Published],
    *,
    name: str,
    variant: str,
    current: str,
    referred: frozenset[str],
    awaited: Mapping[int, Sequence[int]],
) -> tuple[tuple[Published, ...], tuple[tuple[Published, str], ...]]:
    """Which older images of a variant may go, and which stay and why.

    Args:
        images: The zone's.
        name: Of the appliance.
        variant: The variant that was published.
        current: Name of its newest image.
        referred: Ids and names of images that VM templates name.
        awaited: Id of an image -> VMs that go back to it where their upgrade fails.
    """
    gone: list[Published] = []
    kept: list[tuple[Published, str]] = []
    for image in images:
        if image.variant != variant or image.name == current or not image.name.startswith(f"{name}-"):
            continue
        if image.vms:
            kept.append((image, f"used by VM {', '.join(map(str, image.vms))}"))
        elif image.id in awaited:
            numbers = ", ".join(map(str, awaited[image.id]))
            kept.append((image, f"VM {numbers} goes back to it if its upgrade, which is not finished, fails"))
        elif referred & {str(image.id), image.name}:
            kept.append((image, "named by a VM template, from which more VMs may be made"))
        else:
            gone.append(image)
    return tuple(gone), tuple(kept)
