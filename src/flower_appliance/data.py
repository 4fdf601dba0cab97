"""The five ways in which a zone's data gets into a SuperNode, as CONTEXT says. It looks at no disk, fetches nothing.

FL_DATA_PATH     a folder that is there already (the zone mounts or shares it); with the two mounts, where they go
FL_DATA_DEMO     YES: the demo set that the image carries
FL_DATA_VOLUME   label of a file system on an attached disk
FL_DATA_NFS      HOST:/EXPORT
FL_DATA_URL      https; with FL_DATA_SHA256, and FL_DATA_CA where its server has a CA of its own

Whichever it is, the service can only read it, and a folder that is absent or empty keeps the node from READY.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from flower_appliance import pem
from flower_appliance.fields import CONTEXT_PLACE, Fields, split_url

DEMO_PATH = "/usr/share/flower/demo"
"""Where the image keeps the demo set."""
MOUNT_PATH = "/srv/flower/data"
"""Where a mount goes if FL_DATA_PATH does not say."""
DOWNLOAD_PATH = "/var/lib/flower/data"
"""Downloads lie below it, each in a folder named by its checksum."""
_NAMES = ("DEMO", "VOLUME", "NFS", "URL")
_BESIDE = ("PATH", "SHA256", "CA")
_MOUNTABLE = ("/srv/", "/mnt/", "/media/")
_NFS = re.compile(r"(?P<host>[A-Za-z0-9.-]{1,253}):(?P<export>/[A-Za-z0-9._/+@-]*)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASS|USER")
_WHY = "a node without data has nothing to train on"


@dataclass(frozen=True, kw_only=True)
class Present:
    """A folder that is there, or that the image carries."""


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A file system on an attached disk."""

    label: str


@dataclass(frozen=True, kw_only=True)
class NfsExport:
    """A folder of an NFS server."""

    host: str
    export: str


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file or tar archive that is fetched and compared once."""

    url: str = field(repr=False)
    """It may carry a signature in its query, so it is not shown."""
    sha256: str
    ca_pem: str


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where the data will be, and how it gets there."""

    path: str
    way: Present | Volume | NfsExport | Download


def read_data(fields: Fields) -> Data:
    """The zone's choice; `fields` collects what is refused."""
    given = [name for name in _NAMES if _is_given(fields, name)]
    for name in fields.names():
        if name.startswith("FL_DATA_") and name.removeprefix("FL_DATA_") not in {*_NAMES, *_BESIDE}:
            fields.refuse(
                name,
                f"this appliance takes {', '.join(f'FL_DATA_{each}' for each in (*_BESIDE, *_NAMES))}",
                "a way of bringing in data that is ignored would train on nothing, or on something else",
                f"Correct or remove {name} in {CONTEXT_PLACE}",
                secret=bool(_SECRET.search(name)),
            )
    for name in given[1:]:
        fields.refuse(
            f"FL_DATA_{name}",
            f"it excludes FL_DATA_{given[0]}",
            "data comes in one way, and which of two was used would be anybody's guess",
            f"Remove one of the two from {CONTEXT_PLACE}",
            secret=name == "URL",
        )
    way = given[0] if given else ""
    for name in ("SHA256", "CA") if way != "URL" else ():
        if fields.text(f"FL_DATA_{name}"):
            fields.refuse(
                f"FL_DATA_{name}",
                "it belongs to FL_DATA_URL",
                "there is nothing else that it could be compared with",
                f"Give FL_DATA_URL, or remove FL_DATA_{name} from {CONTEXT_PLACE}",
            )
    match way:
        case "DEMO":
            fields.choice("FL_DATA_DEMO", ("YES",), "the image carries one demo set")
            return Data(path=_own_path(fields, "FL_DATA_DEMO", DEMO_PATH), way=Present())
        case "VOLUME":
            return Data(path=_mount_path(fields), way=Volume(label=fields.label("FL_DATA_VOLUME")))
        case "NFS":
            return Data(path=_mount_path(fields), way=_nfs(fields))
        case "URL":
            download = _download(fields)
            return Data(path=_own_path(fields, "FL_DATA_URL", f"{DOWNLOAD_PATH}/{download.sha256[:16]}"), way=download)
        case _:
            return Data(path=fields.guest_path("FL_DATA_PATH", _WHY), way=Present())


def _is_given(fields: Fields, name: str) -> bool:
    text = fields.text(f"FL_DATA_{name}")
    return bool(text) and not (name == "DEMO" and text.upper() == "NO")


def _own_path(fields: Fields, way: str, path: str) -> str:
    """The path that a way has by itself; another one is refused."""
    if fields.text("FL_DATA_PATH") not in {"", path}:
        fields.refuse(
            "FL_DATA_PATH",
            f"it is {path} with {way}",
            "the appliance chooses this folder itself, so that nothing else is overwritten",
            f"Remove FL_DATA_PATH from {CONTEXT_PLACE}",
        )
    return path


def _mount_path(fields: Fields) -> str:
    if not fields.text("FL_DATA_PATH"):
        return MOUNT_PATH
    path = fields.guest_path("FL_DATA_PATH", _WHY)
    if path and not path.startswith(_MOUNTABLE):
        fields.refuse(
            "FL_DATA_PATH",
            f"a mount goes below {', '.join(_MOUNTABLE)}",
            "mounted anywhere else it would hide a part of the system",
            f"Choose a folder such as {MOUNT_PATH}, or remove FL_DATA_PATH from {CONTEXT_PLACE}",
        )
    return path.rstrip("/") or MOUNT_PATH


def _nfs(fields: Fields) -> NfsExport:
    found = _NFS.fullmatch(fields.text("FL_DATA_NFS"))
    if found is None or ".." in found["export"].split("/"):
        fields.refuse(
            "FL_DATA_NFS",
            "it must be HOST:/EXPORT",
            "it is mounted as it is, with NFS 4.1 and read-only",
            f"Set FL_DATA_NFS to something like files.hospital.example:/export/data in {CONTEXT_PLACE}",
        )
        return NfsExport(host="", export="/")
    return NfsExport(host=found["host"], export=found["export"])


def _download(fields: Fields) -> Download:
    url = fields.text("FL_DATA_URL")
    parts = split_url(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        fields.refuse(
            "FL_DATA_URL",
            "it must be an https URL without a user name",
            "what is sent in clear, others read on the way; a name and password would stand in every log",
            f"Give an https URL, for object storage a signed one, as FL_DATA_URL in {CONTEXT_PLACE}",
            secret=True,
        )
    sha256 = fields.required("FL_DATA_SHA256", "data that was changed on the way would train a changed model")
    if sha256 and not _SHA256.fullmatch(sha256):
        fields.refuse(
            "FL_DATA_SHA256",
            "it must be 64 hex digits",
            "the downloaded file is compared with it",
            f"Run sha256sum on the file and set FL_DATA_SHA256 in {CONTEXT_PLACE}",
        )
    raw = fields.decoded("FL_DATA_CA", why="", required=False)
    fields.parsed("FL_DATA_CA", raw, pem.load_certificates, "CA certificates")
    return Download(url=url, sha256=sha256.lower(), ca_pem=raw.decode("ascii", errors="replace"))
