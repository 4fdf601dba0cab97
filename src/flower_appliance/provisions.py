"""What has to be brought to a machine before its services start, as data. It brings nothing: `provisioning` does."""

from __future__ import annotations

from dataclasses import dataclass, field

from flower_appliance.data import Data, Download, NfsExport, Volume
from flower_appliance.machine import CERTS, STATE
from flower_appliance.requirements import Entry, Requirements

MOUNT_OPTIONS = "ro,nosuid,nodev,noexec"
NFS_OPTIONS = f"{MOUNT_OPTIONS},nfsvers=4.1,soft,timeo=100,retrans=3"
"""An answer that does not come for 30 s ends as an error that training sees, instead of hanging for ever.

Not 4.2, which for reading brings nothing but READ_PLUS: with it Linux 6.12 read zeros from NFS-Ganesha 4.3, without an
error (Debian 13 and 12, 2026-11-24). With 4.1 it read what was there.
"""
DEVICE_TIMEOUT_S = 20


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A file system, mounted read-only by systemd."""

    what: str
    where: str
    """Guest path of the folder."""
    type: str = ""
    options: str = MOUNT_OPTIONS
    subject: str
    """What it is, for messages."""

    @property
    def unit(self) -> str:
        """Name of its unit: systemd derives it from the path (systemd.unit(5), "string escaping for paths")."""
        return f"{escape_path(self.where)}.mount"


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """A download that is compared with its checksum."""

    url: str = field(repr=False)
    sha256: str
    ca_pem: str = field(repr=False)
    folder: str
    """Guest path of the folder that holds it, or what the archive held."""
    user: str
    """User that reads it; empty: whoever runs the appliance."""


@dataclass(frozen=True, kw_only=True)
class Install:
    """Python packages in a folder of their own."""

    entries: tuple[Entry, ...]
    wheelhouse: str
    """Guest path of a folder with wheels; empty: from the index."""
    index_url: str
    index_ca_pem: str = field(default="", repr=False)
    folder: str
    """Guest path."""
    user: str


Provision = Mount | Fetch | Install


def data_provisions(data: Data, *, user: str) -> tuple[Provision, ...]:
    """What brings the data in; nothing where it is there already."""
    match data.way:
        case Volume(label=label):
            subject = f"the volume with the label {label}"
            return (Mount(what=f"/dev/disk/by-label/{label}", where=data.path, subject=subject),)
        case NfsExport(host=host, export=export):
            what = f"{host}:{export}"
            subject = f"the NFS export {what}"
            return (Mount(what=what, where=data.path, type="nfs", options=NFS_OPTIONS, subject=subject),)
        case Download() as way:
            return (Fetch(url=way.url, sha256=way.sha256, ca_pem=way.ca_pem, folder=data.path, user=user),)
        case _:
            return ()


def state_mounts(label: str) -> tuple[Mount, ...]:
    """The volume that keeps keys and database, where the state and the certificates are; none: the image's disk does.

    Not noexec: the shared libraries of a zone's own packages are loaded from it. systemd makes the folder that is bound
    where the volume has none yet (systemd.mount(5), bind mounts).
    """
    if not label:
        return ()
    what, subject = f"/dev/disk/by-label/{label}", f"the volume for the state with the label {label}"
    state = Mount(what=what, where=STATE, options="nosuid,nodev", subject=subject)
    keys = f"the folder for keys on {subject}"
    return (state, Mount(what=f"{STATE}/certs", where=CERTS, type="none", options="bind,nosuid,nodev", subject=keys))


def requirement_provisions(wanted: Requirements | None, *, user: str) -> tuple[Provision, ...]:
    """What brings the zone's own packages."""
    if wanted is None:
        return ()
    install = Install(
        entries=wanted.entries,
        wheelhouse=wanted.wheelhouse,
        index_url=wanted.index_url,
        index_ca_pem=wanted.index_ca_pem,
        folder=wanted.folder,
        user=user,
    )
    if not wanted.volume:
        return (install,)
    what, subject = f"/dev/disk/by-label/{wanted.volume}", f"the wheelhouse with the label {wanted.volume}"
    return (Mount(what=what, where=wanted.wheelhouse, subject=subject), install)


def render_mount(mount: Mount) -> str:
    """The unit file of a mount."""
    network = mount.type == "nfs"
    return "\n".join(
        [
            "[Unit]",
            f"Description=Flower: {mount.subject}",
            *(["After=network-online.target", "Wants=network-online.target"] if network else []),
            # A disk that is not attached would be waited for much longer.
            f"JobTimeoutSec={DEVICE_TIMEOUT_S}s",
            "",
            "[Mount]",
            f"What={_specifiers(mount.what)}",
            f"Where={_specifiers(mount.where)}",
            *([f"Type={mount.type}"] if mount.type else []),
            f"Options={mount.options}",
            f"TimeoutSec={DEVICE_TIMEOUT_S}s",
            "",
        ]
    )


def escape_path(path: str) -> str:
    """A path as systemd spells it in a unit's name."""
    trimmed = "/".join(part for part in path.split("/") if part)
    escaped = []
    for index, character in enumerate(trimmed):
        if character == "/":
            escaped.append("-")
        elif (character.isascii() and character.isalnum()) or character in ":_" or (character == "." and index):
            escaped.append(character)
        else:
            escaped += [f"\\x{byte:02x}" for byte in character.encode()]
    return "".join(escaped) or "-"


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")
