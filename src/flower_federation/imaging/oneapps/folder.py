"""The whole folder for a checkout of the marketplace's repository: every file's content first, then written at once.

    appliances/<name>/                           what the marketplace shows and tests, and what the image is made of
    apps-code/community-apps/packer/<name>/      the recipe

The payload in it (flower/) is what our own image holds, too: lock, appliance and overlay, under one SHA256SUMS.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

import flower_appliance
from flower_appliance.version import FLOWER_VERSION
from flower_federation.errors import InputError
from flower_federation.imaging import payload, rootfs
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.oneapps import marketplace, pages, publication, testing, variables
from flower_federation.imaging.oneapps import settings as settings_module
from flower_federation.imaging.oneapps.marketplace import Facts
from flower_federation.imaging.oneapps.settings import Settings
from flower_federation.imaging.recipe import Recipe

PACKER = "apps-code/community-apps/packer"
PAYLOAD = "flower"
_UNITS = "etc/systemd/system/"


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of the folder."""

    content: bytes
    executable: bool = False


def files(project: Path, facts: Facts = publication.MARKS) -> Mapping[str, File]:
    """Every file by its path in the folder.

    Args:
        project: The clone.
        facts: From `publication.facts`; by default marks.

    Raises:
        InputError: The clone is not whole, or the settings contradict it.
    """
    recipe = recipes.load()
    settings = settings_module.load(recipe)
    table = variables.read_table(project)
    questions = variables.questions(table)
    own = Path(str(resources.files(__package__))) / "files"
    found: dict[str, File] = {}

    def text(name: str, content: str, *, executable: bool = False) -> None:
        found[f"appliances/{settings.name}/{name}"] = File(content=content.encode(), executable=executable)

    def document(name: str, content: Any) -> None:
        text(f"{name}.yaml", yaml.dump(content, Dumper=_Dumper, sort_keys=False, explicit_start=True, width=110))

    document(str(settings.identifier("image")), marketplace.image(settings, facts))
    document(str(settings.identifier("vm-template")), marketplace.machine(settings, facts, questions))
    document(str(settings.identifier("service-template")), marketplace.pool(settings, facts))
    document("metadata", testing.metadata(settings))
    document("context", testing.context(settings))
    document("tests", testing.tests(own / "appliance" / "tests"))
    text("README.md", pages.readme(settings, table))
    text("CHANGELOG.md", pages.changelog(settings))
    text("help.txt", pages.help_text(settings, table))
    for path in _below(own / "appliance"):
        text(
            path,
            (own / "appliance" / path).read_text(encoding="utf-8"),
            executable=_runs((own / "appliance" / path).read_bytes()),
        )
    content = _payload(project, recipe, settings)
    sums = "".join(f"{hashlib.sha256(raw).hexdigest()}  {path}\n" for path, raw in sorted(content.items()))
    text("facts.sh", _facts(recipe, settings, content))
    text(f"{PAYLOAD}/SHA256SUMS", sums)
    for path, raw in content.items():
        found[f"appliances/{settings.name}/{PAYLOAD}/{path}"] = File(content=raw, executable=_runs(raw))
    found |= _recipe(own / "packer", settings)
    return found


def write(folder: Path, content: Mapping[str, File]) -> None:
    """Write the files into a folder that is empty or not there.

    Raises:
        InputError: It is a file, or something is in it that would be mixed with ours.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(
            given=f"{folder}, which is not an empty folder",
            rule="--output is a folder that is empty or not there yet",
            reason="a file of an older version would stay among the new ones",
            remedy="name another folder, or remove this one",
        )
    for path, file in content.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(0o755 if file.executable else 0o644)


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: long texts as blocks, lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists, too."""
        super().increase_indent(flow, False)


def _text_of(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text_of)


def _payload(project: Path, recipe: Recipe, settings: Settings) -> dict[str, bytes]:
    """What the image is made of, by path: the variant's lock, the appliance's code, the overlay."""
    lock = (project / "requirements" / "flower.lock").read_text(encoding="utf-8")
    content = {"requirements.lock": payload.without(lock, recipe.variant(settings.variant).leave_out).encode()}
    code = Path(flower_appliance.__file__).parent
    content |= {f"flower_appliance/{path}": (code / path).read_bytes() for path in _below(code)}
    overlay = Path(str(resources.files("flower_federation.imaging"))) / "overlay"
    there = _below(overlay)
    if unknown := set(settings.leave_out) - set(there):
        raise InputError(
            given=f"overlay.leave_out {sorted(unknown)[0]!r}",
            rule="it is a file of the overlay",
            reason="what was renamed there would come into the image after all",
            remedy=f"correct {settings_module.FILE}",
        )
    return content | {
        f"overlay/{path}": (overlay / path).read_bytes() for path in there if path not in settings.leave_out
    }


def _facts(recipe: Recipe, settings: Settings, content: Mapping[str, bytes]) -> str:
    """facts.sh: what appliance.sh needs to know, from where the code has it."""
    units = f"overlay/{_UNITS}"
    enabled = [
        path.removeprefix(units) for path, raw in content.items() if path.startswith(units) and b"[Install]" in raw
    ]
    values = {
        "FLOWER_VERSION": FLOWER_VERSION,
        "FLOWER_PREFIX": f"/{payload.PREFIX}",
        "FLOWER_USER": rootfs.SERVICE_USER,
        "FLOWER_ID": str(rootfs.SERVICE_ID),
        "FLOWER_FOLDERS": " ".join(f"/{folder}" for folder in rootfs.EXTRA_FOLDERS),
        "FLOWER_UNITS": " ".join(enabled),
        "FLOWER_MASKED": " ".join((*recipe.base.masked_units, *settings.masked_units)),
        "FLOWER_PACKAGES": " ".join(settings.packages),
        "FLOWER_UBUNTU": settings.release,
        "FLOWER_BASE": settings.base,
        "FLOWER_PYTHON_VERSION": settings.python,
    }
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return "# Generated by scripts/image one-apps.\n# shellcheck shell=sh disable=SC2034\n" + lines


def _recipe(folder: Path, settings: Settings) -> dict[str, File]:
    values = {
        "@NAME@": settings.name,
        "@BASE@": settings.base,
        "@UBUNTU@": settings.release,
        "@MEMORY_MIB@": str(settings.memory_mib),
        "@DISK_MIB@": str(settings.disk_mib),
    }
    found = {}
    for path in _below(folder):
        text = (folder / path).read_text(encoding="utf-8")
        for mark, value in values.items():
            text = text.replace(mark, value)
        name = path.replace("appliance.pkr.hcl", f"{settings.name}.pkr.hcl")
        found[f"{PACKER}/{settings.name}/{name}"] = File(content=text.encode(), executable=_runs(text.encode()))
    return found


def _below(folder: Path) -> list[str]:
    """Relative paths of the files, sorted; without what Python leaves behind."""
    paths: Iterable[Path] = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _runs(content: bytes) -> bool:
    """Whether it is a program: a wheel keeps no modes, so the first line says it."""
    return content.startswith(b"#!")
