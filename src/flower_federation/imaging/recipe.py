"""The image's recipe: one TOML file that names the base, its packages, the variants and the disk. It builds nothing.

A change of the recipe changes its digest, by which every stage is cached.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from flower_federation.errors import InputError

_KEYS = {"name", "base", "variants", "disk"}
_VARIANT_KEYS = {"leave_out", "replace", "add", "system_python", "imports"}


@dataclass(frozen=True, kw_only=True)
class Base:
    """The distribution below everything else."""

    suite: str
    architecture: str
    python: str
    """Python's version in that suite, such as 3.13: wheels are chosen for it."""
    packages: tuple[str, ...]
    leave_out: tuple[str, ...]
    """Guest paths (glob patterns) that no service needs: manuals, translations."""
    masked_units: tuple[str, ...]
    """systemd units of the packages that must never start."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What one variant carries on top of the base."""

    name: str
    leave_out: tuple[str, ...]
    """Distributions of requirements/flower.lock that this variant does not install."""
    replace: Mapping[str, str] = field(default_factory=dict)
    """Debian package of the base -> the one that this variant has in its place."""
    add: tuple[str, ...] = ()
    """Debian packages that this variant has beside the base's."""
    system_python: bool = False
    """Flower's environment also sees the distribution's Python packages, after its own."""
    imports: tuple[str, ...] = ()
    """Modules that the image's own Python must be able to import together with Flower's, or there is no image."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Identity and layout of the disk; constants, so that two builds are the same to the bit."""

    seed: uuid.UUID
    """Partition and file system identifiers are derived from it."""
    esp_mib: int
    free_mib: int
    """Room that the root file system has before it is grown on first boot."""
    kernel_arguments: str
    epoch_s: int
    """Unix seconds that every time stamp in the image is set to."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what the image holds, besides the lock and the appliance's own code."""

    name: str
    base: Base
    variants: Mapping[str, Variant]
    disk: Disk

    def base_of(self, variant: Variant) -> Base:
        """The base with the packages that a variant has in place of others."""
        packages = (variant.replace.get(package, package) for package in self.base.packages)
        return replace(self.base, packages=(*packages, *variant.add))

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            InputError: There is none.
        """
        if name not in self.variants:
            raise InputError(
                given=f"variant {name!r}",
                rule=f"the recipe has {', '.join(sorted(self.variants))}",
                reason="each variant names what it leaves out of the lock",
                remedy="choose one of these, or add it to [variants] of the recipe",
            )
        return self.variants[name]


def load() -> Recipe:
    """The recipe that the repository ships."""
    return parse(resources.files("flower_federation.imaging").joinpath("appliance.toml").read_text(encoding="utf-8"))


def parse(text: str) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: It is no TOML, or a key is missing, unknown or of another type.
    """
    try:
        document = tomllib.loads(text)
        if unknown := set(document) - _KEYS:
            raise KeyError(f"unknown section {sorted(unknown)[0]}")
        return Recipe(
            name=str(document["name"]),
            base=_base(document["base"]),
            variants={name: _variant(name, body) for name, body in document["variants"].items()},
            disk=Disk(
                seed=uuid.UUID(document["disk"]["seed"]),
                esp_mib=int(document["disk"]["esp_mib"]),
                free_mib=int(document["disk"]["free_mib"]),
                kernel_arguments=str(document["disk"]["kernel_arguments"]),
                epoch_s=int(document["disk"]["epoch"].timestamp()),
            ),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            given=f"image recipe: {error}",
            rule="it has name, [base], [variants.NAME] and [disk], as the one in this repository",
            reason="what the recipe does not say cannot be built the same twice",
            remedy="compare it with src/flower_federation/imaging/appliance.toml",
        ) from error


def _base(section: Mapping[str, Any]) -> Base:
    return Base(
        suite=str(section["suite"]),
        architecture=str(section["architecture"]),
        python=str(section["python"]),
        packages=_texts(section["packages"]),
        leave_out=_texts(section["leave_out"]),
        masked_units=_texts(section["masked_units"]),
    )


def _variant(name: str, section: Mapping[str, Any]) -> Variant:
    if unknown := set(section) - _VARIANT_KEYS:
        raise KeyError(f"unknown key {sorted(unknown)[0]} of variant {name}")
    system_python = section.get("system_python", False)
    if not isinstance(system_python, bool):
        raise TypeError(f"system_python of variant {name} is {system_python!r}, not true or false")
    return Variant(
        name=name,
        leave_out=_texts(section.get("leave_out", [])),
        replace=_names(section.get("replace", {})),
        add=_texts(section.get("add", [])),
        system_python=system_python,
        imports=_texts(section.get("imports", [])),
    )


def _names(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise TypeError(f"{values!r} is not a table of texts")
    return values


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{values!r} is not a list of texts")
    return tuple(values)
