"""GPU profiles: how a VM template asks OpenNebula for whole cards by PCI passthrough. It checks no host.

Sections are returned as `template_sections`, one a vector: the Terraform provider keeps only the last of repeated PCI
vectors that come another way (its issue 644), and cards with several functions need all of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.errors import RefusalError

MAX_CARDS = 8


@dataclass(frozen=True, kw_only=True)
class GpuProfile:
    """A card as PCI knows it; ids from the PCI ID database, lower-case hex without prefix."""

    vendor: str
    device: str
    pci_class: str = "0302"
    """0302 is a 3D controller: data-centre cards without a display."""


PROFILES: Mapping[str, GpuProfile] = {
    "nvidia-t4": GpuProfile(vendor="10de", device="1eb8"),
    "nvidia-a100-pcie-40g": GpuProfile(vendor="10de", device="20f1"),
    "nvidia-l40s": GpuProfile(vendor="10de", device="26b9"),
    "nvidia-h100-pcie-80g": GpuProfile(vendor="10de", device="2331"),
}


@dataclass(frozen=True, kw_only=True)
class TemplateSection:
    """One vector of a VM template."""

    name: str
    elements: Mapping[str, str]


def passthrough(profile: str, *, cards: int) -> tuple[TemplateSection, ...]:
    """The PCI vectors that give a VM whole cards.

    Args:
        profile: A name in `PROFILES`.
        cards: How many cards each VM gets, 1 to 8.

    Raises:
        RefusalError: The profile is unknown, or the number is out of range.
    """
    found = PROFILES.get(profile)
    if found is None:
        raise RefusalError(
            value=f"supernode.gpu.profile: {profile}",
            rule=f"a GPU profile is one of {', '.join(sorted(PROFILES))}",
            reason="OpenNebula matches cards by PCI vendor, device and class, which the profile names",
            remedy="choose a profile of that list in the stack file, or add one to components/gpu.py",
        )
    if not 1 <= cards <= MAX_CARDS:
        raise RefusalError(
            value=f"supernode.gpu.cards: {cards}",
            rule=f"a VM gets 1 to {MAX_CARDS} cards",
            reason="each card is one PCI vector of the VM template, and hosts carry no more of them",
            remedy="change supernode.gpu.cards in the stack file, or remove supernode.gpu for nodes without GPU",
        )
    vector = TemplateSection(
        name="PCI", elements={"VENDOR": found.vendor, "DEVICE": found.device, "CLASS": found.pci_class}
    )
    return (vector,) * cards
