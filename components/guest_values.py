"""What a VM's guest takes for a folder, a file system's label and an NFS export; refused before a VM is made.

The appliance checks every value again and is the judge: tests/property/test_components_pure_rules.py holds both to each
other. Without this, a slip would be told by FL_ERROR of a VM that never gets READY.
"""

from __future__ import annotations

import re

from components.errors import RefusalError

_PATH = re.compile(r"/[A-Za-z0-9._/+@ -]*")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_NFS = re.compile(r"[A-Za-z0-9.-]{1,253}:(?P<export>/[A-Za-z0-9._/+@-]*)")
_CONTEXT_DISK = "CONTEXT"  # label of OpenNebula's own disk
MOUNTABLE = ("/srv/", "/mnt/", "/media/")
"""Where the appliance mounts (flower_appliance.data)."""


def check_guest_path(path: str, *, where: str, mounted: bool = False) -> str:
    """Return a folder of the guest if Flower's settings can carry it.

    Args:
        path: Absolute.
        where: Its name, for messages.
        mounted: Whether the guest mounts something there itself.

    Raises:
        RefusalError: It is not absolute, has other characters or `..`, or would hide a part of the system.
    """
    if _PATH.fullmatch(path) is None or ".." in path.split("/"):
        raise RefusalError(
            value=f"{where}: {path!r}",
            rule="an absolute path of letters, digits, spaces and ._+@- without '..'",
            reason="it is a folder of the guest, and goes into Flower's node configuration, which cannot escape quotes",
            remedy=f"change {where} in the stack file, for example to /srv/flower/data",
        )
    if mounted and not path.startswith(MOUNTABLE):
        raise RefusalError(
            value=f"{where}: {path!r}",
            rule=f"a mount goes below {', '.join(MOUNTABLE)}",
            reason="mounted anywhere else it would hide a part of the guest's system",
            remedy=f"change {where} in the stack file, for example to /srv/flower/data, or leave it out",
        )
    return path


def check_label(label: str, *, where: str) -> str:
    """Return the label of a file system on an attached disk.

    Raises:
        RefusalError: It is longer than 16 characters, has others than letters, digits and ._-, or is OpenNebula's own.
    """
    if _LABEL.fullmatch(label) is None or label == _CONTEXT_DISK:
        raise RefusalError(
            value=f"{where}: {label!r}",
            rule=f"1 to 16 letters, digits and ._- with a letter or digit first, and not {_CONTEXT_DISK}",
            reason="the guest finds the disk by its label, and ext4 and OpenNebula leave no others",
            remedy=f"label the file system (e2label, xfs_admin -L), and give that label as {where} in the stack file",
        )
    return label


def check_nfs(export: str, *, where: str) -> str:
    """Return an NFS export as the guest mounts it.

    Raises:
        RefusalError: It is not HOST:/EXPORT.
    """
    found = _NFS.fullmatch(export)
    if found is None or ".." in found["export"].split("/"):
        raise RefusalError(
            value=f"{where}: {export!r}",
            rule="HOST:/EXPORT, without quotes, spaces and '..'",
            reason="the guest mounts it as it is, with NFS 4.1 and read-only",
            remedy=f"set {where} in the stack file to something like files.hospital.example:/export/data",
        )
    return export
