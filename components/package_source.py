"""A zone's own Python packages for its VMs, as a stack says it, and the CONTEXT variables that say it to a VM.

The list is locked, with hashes; the guest checks every entry again, and every wheel.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi

from components.contextualization import encode_certificates
from components.errors import RefusalError
from components.guest_values import check_guest_path, check_label

MOST_BYTES = 48_000
"""Of a list: OpenNebula keeps it in the VM's template, whose text is limited to 64 KiB in some databases."""

STATE_LABEL = "flower-state"
"""Label of the file system on a volume for the state."""


def disk_images(
    image_id: pulumi.Input[int], state_image: int | None, packages: PackageSource | None
) -> list[pulumi.Input[int]]:
    """Images of a VM's disks: the appliance, the volume for its state, and the one with wheels, where there are any."""
    volume = None if packages is None else packages.volume_image
    return [image_id, *(number for number in (state_image, volume) if number is not None)]


def state_variables(state_image: int | None) -> dict[str, str]:
    """The CONTEXT variable of a VM with a volume for its state."""
    return {} if state_image is None else {"FL_STATE_VOLUME": STATE_LABEL}


@dataclass(frozen=True, kw_only=True)
class PackageSource:
    """A list, and one place where its wheels are."""

    requirements: str
    """Text of a pip requirements file, every entry with version and hashes."""
    wheelhouse: str | None = None
    """Folder of the guest with wheels."""
    volume: str | None = None
    """Label of the file system with wheels on the disk `volume_image`."""
    volume_image: int | None = None
    """Id of the image that is attached to each VM."""
    index: str | None = None
    """https URL of a simple index: the only place that is downloaded from."""
    index_ca: str | None = None
    """PEM of the CA behind `index`; None: the guest's own CAs."""

    def variables(self) -> dict[str, str]:
        """The CONTEXT variables.

        Raises:
            RefusalError: There is none or more than one place, or the list is empty, unlocked or too long.
        """
        self._check()
        values = {
            "FL_REQUIREMENTS": base64.b64encode(self.requirements.encode()).decode(),
            "FL_WHEELHOUSE_PATH": self.wheelhouse,
            "FL_WHEELHOUSE_VOLUME": self.volume,
            "FL_INDEX_URL": self.index,
            "FL_INDEX_CA": None if self.index_ca is None else encode_certificates(self.index_ca),
        }
        return {name: value for name, value in values.items() if value is not None}

    def _check(self) -> None:
        places = {"wheelhouse": self.wheelhouse, "volume": self.volume, "index": self.index}
        given = [f"packages.{name}" for name, value in places.items() if value is not None]
        if len(given) != 1:
            raise RefusalError(
                value=f"packages: {', '.join(given) or 'no place'}",
                rule="wheels come from one of wheelhouse, volume and index",
                reason="nothing is downloaded unless the zone names an index, and one place is enough",
                remedy="give one of them under packages in the stack file",
            )
        if (self.volume is None) != (self.volume_image is None):
            raise RefusalError(
                value=f"packages.volume: {self.volume}, packages.volumeImage: {self.volume_image}",
                rule="a volume has an image to attach and the label of the file system on it",
                reason="the guest finds the disk by its label, whatever its device is called",
                remedy="give both under packages in the stack file",
            )
        if self.volume is not None:
            check_label(self.volume, where="packages.volume")
        if self.wheelhouse is not None:
            check_guest_path(self.wheelhouse, where="packages.wheelhouse")
        if self.index is not None and not self.index.startswith("https://"):
            raise RefusalError(
                value=f"packages.index: {self.index}",
                rule="it begins with https://",
                reason="what is installed is asked for there",
                remedy="give an https URL as packages.index in the stack file",
            )
        if "--hash=sha256:" not in self.requirements or len(self.requirements) > MOST_BYTES:
            raise RefusalError(
                value=f"packages.requirements: {len(self.requirements)} characters",
                rule=f"it is a list with hashes, of at most {MOST_BYTES} characters",
                reason="a package without a hash could be another one tomorrow; longer lists do not fit into CONTEXT",
                remedy="lock it with `uv pip compile --generate-hashes`, for the image's Python and without what the "
                "image has",
            )
