"""For tests of the marketplace's folder: its schemas, and the facts of a publication that never was."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from flower_federation.imaging.oneapps import folder, publication
from flower_federation.imaging.oneapps.publication import Publisher

PROJECT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PUBLISHER = Publisher(
    name="Example hospitals",
    email="cloud@hospitals.example",
    url="https://files.example/flower-appliance.qcow2",
    one_apps_version="7.0.0-0",
)
APPLIANCE = "appliances/flower-appliance"
RECIPE = "apps-code/community-apps/packer/flower-appliance"
DISK_BYTES = 8 << 30


def write_qcow2(path: Path, *, size: int = DISK_BYTES, backing: int = 0, magic: bytes = b"QFI\xfb") -> Path:
    """A file that begins as a QCOW2 does."""
    path.write_bytes(struct.pack(">4sIQIIQ", magic, 3, backing, 0, 16, size) + b"\0" * 100)
    return path


def published(folder_for_image: Path) -> Mapping[str, folder.File]:
    """Every file of a folder that is published."""
    facts = publication.facts(write_qcow2(folder_for_image / "image.qcow2"), PUBLISHER, now=NOW)
    return folder.files(PROJECT, facts)


def document(files: Mapping[str, folder.File], path: str) -> Any:
    """A YAML document of the folder."""
    return yaml.safe_load(files[path].content)


def of_kind(files: Mapping[str, folder.File], kind: str | None) -> tuple[str, dict[str, Any]]:
    """Path and content of the only marketplace appliance of a type; None: the image."""
    names = [name for name in files if name.count("/") == 2 and name.endswith(".yaml")]
    documents = [(name, document(files, name)) for name in names]
    (found,) = [
        (name, each)
        for name, each in documents
        if isinstance(each, dict) and "version" in each and each.get("type") == kind
    ]
    return found


def problems(schema: str, value: Any) -> list[str]:
    """What a committed schema has against a value."""
    text = resources.files("flower_federation.imaging.oneapps").joinpath(f"schemas/{schema}.json").read_text()
    validator = Draft202012Validator(json.loads(text))
    validator.check_schema(validator.schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
