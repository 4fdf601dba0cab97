"""How a zone's data gets into its SuperNodes, as a stack says it, and the CONTEXT variables that say it to a VM.

Data itself is in no setting and no state: these are names of places. The appliance checks every value again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from components.errors import RefusalError
from components.guest_values import check_guest_path, check_label, check_nfs

_URL = re.compile(r"https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?([/?#][^\s'\"\\`$]*)?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """One of: a folder that is there, the image's demo set, a volume, an NFS export, a download."""

    path: str | None = None
    """Folder of the guest; beside `volume` and `nfs`, where they are mounted."""
    demo: bool = False
    volume: str | None = None
    """Label of the file system on the disk `volume_image`."""
    volume_image: int | None = None
    """Id of the image that is attached to each VM, and mounted read-only in it."""
    nfs: str | None = None
    """HOST:/EXPORT."""
    url: str | None = field(default=None, repr=False)
    """https; it may be signed, and is handled as a secret."""
    sha256: str | None = None
    ca_certificate: str | None = None
    """PEM of the CA behind `url`; None: the guest's own CAs."""

    def variables(self) -> dict[str, str]:
        """The CONTEXT variables, the certificate apart.

        Raises:
            RefusalError: It is none or several of the ways, or half of one.
        """
        self._check()
        values = {
            "FL_DATA_PATH": self.path,
            "FL_DATA_DEMO": "YES" if self.demo else None,
            "FL_DATA_VOLUME": self.volume,
            "FL_DATA_NFS": self.nfs,
            "FL_DATA_URL": self.url,
            "FL_DATA_SHA256": self.sha256,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _check(self) -> None:
        ways = {"demo": self.demo or None, "volume": self.volume, "nfs": self.nfs, "url": self.url}
        given = [f"data.{name}" for name, value in ways.items() if value is not None]
        if len(given) > 1 or not (given or self.path is not None):
            raise RefusalError(
                value=f"data: {', '.join(given) or 'nothing'}",
                rule="it is one of path, demo, volume, nfs and url",
                reason="a node without data has nothing to train on, and which of two was used would be a guess",
                remedy="give one of them under data in the stack file, for example path: /srv/flower/data",
            )
        if self.path is not None and (self.demo or self.url is not None):
            raise RefusalError(
                value=f"data.path: {self.path} beside {given[0]}",
                rule=f"{given[0]} has a folder of its own",
                reason="the appliance chooses it, so that nothing else is overwritten",
                remedy="remove data.path from the stack file",
            )
        if self.path is not None:
            check_guest_path(self.path, where="data.path", mounted=bool(given))
        if self.nfs is not None:
            check_nfs(self.nfs, where="data.nfs")
        if (self.volume is None) != (self.volume_image is None):
            raise RefusalError(
                value=f"data.volume: {self.volume}, data.volumeImage: {self.volume_image}",
                rule="a volume has an image to attach and the label of the file system on it",
                reason="the guest finds the disk by its label, whatever its device is called",
                remedy="give both under data in the stack file",
            )
        if self.volume is not None:
            check_label(self.volume, where="data.volume")
        if (self.url is None) != (self.sha256 is None) or (self.sha256 and not _SHA256.fullmatch(self.sha256)):
            raise RefusalError(
                value=f"data.sha256: {self.sha256}",
                rule="a download has the SHA-256 (64 hex digits) of its file, and nothing else has one",
                reason="data that was changed on the way would train a changed model",
                remedy="run sha256sum on the file and set data.sha256 beside data.url in the stack file",
            )
        if self.url is not None and _URL.fullmatch(self.url) is None:
            raise RefusalError(
                value="data.url (not shown: it may be signed)",
                rule="it begins with https:// and a host, and has no user name, spaces or quotes",
                reason="what is sent in clear, others read on the way; a name and password would stand in every log",
                remedy="give an https URL, for object storage a signed one, as data.url in the stack file",
            )
