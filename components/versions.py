"""Which Flower versions this program can stand up. It never falls back to another version.

The constant is `flower_appliance.version.FLOWER_VERSION`: the image bakes it, and SuperLink and SuperNodes of different
versions would talk to each other without a warning (flwr 1.41.0, 2026-11-24), so equality is checked here.
"""

from __future__ import annotations

from components.errors import RefusalError
from flower_appliance.version import FLOWER_VERSION

SUPPORTED_VERSIONS = (FLOWER_VERSION,)
"""Versions whose ports, options and Control API the appliance and the provider were run against."""


def check_version(version: str, *, where: str) -> str:
    """Return the version if this program supports it.

    Args:
        version: Flower version such as "1.41.0".
        where: Which setting holds it, for the message.

    Raises:
        RefusalError: It is not supported.
    """
    if version not in SUPPORTED_VERSIONS:
        raise RefusalError(
            value=f"{where}: {version}",
            rule=f"the Flower version is one of {', '.join(SUPPORTED_VERSIONS)}",
            reason="ports, options and the Control API differ between releases, and the image carries exactly one",
            remedy=f"set {where} to {FLOWER_VERSION}, or remove it: that is the default",
        )
    return version


def check_same_version(ours: str, centres: str) -> None:
    """Refuse a zone whose Flower version is not the centre's.

    Args:
        ours: The zone's version.
        centres: What the centre exports as `flower_version`.

    Raises:
        RefusalError: They differ.
    """
    if ours != centres:
        raise RefusalError(
            value=f"flowerVersion: {ours}",
            rule=f"a zone runs the centre's Flower version, {centres}",
            reason="Flower accepts a mismatch silently and fails later, in the middle of a run",
            remedy=f"set flowerVersion to {centres} in this zone's stack file, or upgrade the centre first",
        )
