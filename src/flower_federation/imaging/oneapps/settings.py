"""oneapps.toml as a typed value, refused where it contradicts the appliance. It decides nothing else."""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

from flower_appliance.version import FLOWER_VERSION
from flower_federation.errors import InputError
from flower_federation.imaging.recipe import Recipe

FILE = "src/flower_federation/imaging/oneapps/oneapps.toml"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One published version of the appliance."""

    flower: str
    revision: int
    """Counts publications of one Flower version, from 1."""
    day: date
    changes: Mapping[str, tuple[str, ...]]
    """Added, changed, fixed: sentences for the change log."""

    @property
    def version(self) -> str:
        """The appliance's version in a marketplace."""
        return f"{self.flower}-{self.revision}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the marketplace's form has of its own."""

    name: str
    """The appliance's name, as the recipe of our own image has it."""
    variant: str
    opennebula: tuple[str, ...]
    """Releases that are offered the appliance."""
    disk_mib: int
    memory_mib: int
    release: str
    """Ubuntu's."""
    python: str
    """Python's version in that release."""
    base: str
    """The base image, as one-apps names it."""
    packages: tuple[str, ...]
    """Ubuntu's packages that the appliance needs on top."""
    masked_units: tuple[str, ...]
    """Ubuntu's units that must never start, beside those of the recipe."""
    leave_out: tuple[str, ...]
    """Files of the overlay that this form does not have."""
    releases: tuple[Revision, ...]
    """Newest first."""
    namespace: uuid.UUID
    """The appliance's ids in a marketplace are derived from it."""

    @property
    def version(self) -> str:
        """The version that is generated now."""
        return self.releases[0].version

    def identifier(self, kind: str) -> uuid.UUID:
        """The id of one marketplace appliance; the same for every version, so that a new one replaces the old."""
        return uuid.uuid5(self.namespace, f"one-apps/{self.name}/{kind}")


def load(recipe: Recipe) -> Settings:
    """The settings that the repository ships."""
    return parse(resources.files(__package__).joinpath("oneapps.toml").read_text(encoding="utf-8"), recipe)


def parse(text: str, recipe: Recipe) -> Settings:
    """Read settings.

    Args:
        text: TOML.
        recipe: Of our own image; gives name and variants.

    Raises:
        InputError: A key is missing or of another type, the variant does not exist, or the newest release is of
            another Flower version than this repository's.
    """
    try:
        document = tomllib.loads(text)
        ubuntu = document["ubuntu"]
        settings = Settings(
            name=recipe.name,
            variant=recipe.variant(str(document["variant"])).name,
            opennebula=tuple(map(str, document["opennebula"])),
            disk_mib=int(document["disk_mib"]),
            memory_mib=int(document["memory_mib"]),
            release=str(ubuntu["release"]),
            python=str(ubuntu["python"]),
            base=str(ubuntu["base"]),
            packages=tuple(map(str, ubuntu["packages"])),
            masked_units=tuple(map(str, ubuntu["masked_units"])),
            leave_out=tuple(map(str, document["overlay"]["leave_out"])),
            releases=tuple(_revision(entry) for entry in document["releases"]),
            namespace=recipe.disk.seed,
        )
        newest = settings.releases[0]
    except (tomllib.TOMLDecodeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            given=f"settings of the marketplace's appliance: {error!r}",
            rule="they have variant, opennebula, disk_mib, memory_mib, [ubuntu], [overlay] and [[releases]]",
            reason="a folder of the marketplace cannot be written from less",
            remedy=f"compare them with {FILE} as it was committed last",
        ) from error
    if newest.flower != FLOWER_VERSION:
        raise InputError(
            given=f"newest release with Flower {newest.flower}",
            rule=f"it has Flower {FLOWER_VERSION}, as the appliance",
            reason="the change log would tell of another version than the one that is installed",
            remedy=f"add a [[releases]] entry on top of {FILE}",
        )
    return settings


def _revision(entry: Mapping[str, Any]) -> Revision:
    kinds = ("added", "changed", "fixed")
    if not isinstance(entry["date"], date):
        raise TypeError("date is no date")
    return Revision(
        flower=str(entry["flower"]),
        revision=int(entry["revision"]),
        day=entry["date"],
        changes={kind: tuple(map(str, entry[kind])) for kind in kinds if kind in entry},
    )
