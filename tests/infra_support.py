"""Stack files as the engine would hand them to the program, for tests of infra."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.cloud_settings import Surroundings
from infra.settings import RawConfig, Settings, load
from tests.components_support import authority

PROJECT = Path(__file__).resolve().parent.parent
STACKS = ("madrid-central", "berlin-hospital", "paris-lab")


def stack_values(stack: str) -> dict[str, Any]:
    """The configuration in a stack's file, without the project's prefix."""
    document = yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    return {key.removeprefix("flower-federation:"): value for key, value in document["config"].items()}


def as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as Pulumi hands them out: texts, objects and lists as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def machine(folder: Path, environment: Mapping[str, str] | None = None, *, zones: tuple[str, ...] = ()) -> Surroundings:
    """A machine whose project folder is `folder`, with credentials and CA of the embedded zones named."""
    for zone in zones:
        path = folder / ".federation" / "zones" / zone / "one_auth"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"oneadmin:password of {zone}\n")
        path.with_name("ca.crt").write_text(authority().pem)
    return Surroundings(root=folder, environment=environment or {})


def load_stack(stack: str, folder: Path, **changes: Any) -> Settings:
    """Settings of a committed stack with some keys changed; None removes a key."""
    values = {key: value for key, value in {**stack_values(stack), **changes}.items() if value is not None}
    raw = RawConfig(stack=stack, values=as_texts(values), secret_keys=frozenset())
    return load(raw, machine(folder, zones=("madrid", "berlin", "paris")))
