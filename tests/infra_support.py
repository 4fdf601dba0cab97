"""Stack files as the engine would hand them to the program, and the programs run with them, for tests of infra."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from infra import central, zone
from infra.central_settings import CentralSettings
from infra.cloud_settings import Surroundings
from infra.settings import RawConfig, Settings, load
from infra.zone_settings import ZoneSettings
from tests.components_support import SECURITY_GROUP, RecordingCloud, authority, node_key, run_and_resolve

PROJECT = Path(__file__).resolve().parent.parent
STACKS = ("madrid-central", "berlin-hospital", "paris-lab")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
BERLIN = "organization/flower-federation/berlin-hospital"
PARIS = "organization/flower-federation/paris-lab"
MADRID = "organization/flower-federation/madrid-central"


def stack_values(stack: str) -> dict[str, Any]:
    """The configuration in a stack's file, without the project's prefix."""
    document = yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    return {key.removeprefix("flower-federation:"): value for key, value in document["config"].items()}


def as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as Pulumi hands them out: texts, objects and lists as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def machine(folder: Path, environment: Mapping[str, str] | None = None, *, zones: tuple[str, ...] = ()) -> Surroundings:
    """A machine whose project folder is `folder`, with credentials and CA of the embedded zones named."""
    for name in zones:
        path = folder / ".federation" / "zones" / name / "one_auth"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"oneadmin:password of {name}\n")
        path.with_name("ca.crt").write_text(authority().pem)
    return Surroundings(root=folder, environment=environment or {})


def load_stack(stack: str, folder: Path, **changes: Any) -> Settings:
    """Settings of a committed stack with some keys changed; None removes a key."""
    values = {key: value for key, value in {**stack_values(stack), **changes}.items() if value is not None}
    raw = RawConfig(stack=stack, values=as_texts(values), secret_keys=frozenset())
    return load(raw, machine(folder, zones=("madrid", "berlin", "paris")))


def node(name: str, number: int, partition: int) -> dict[str, Any]:
    return {"name": name, "public_key": node_key(number), "fingerprint": "f", "partition_id": partition}


def run_central(cloud: RecordingCloud, folder: Path, **changes: Any) -> dict[str, Any]:
    settings = load_stack("madrid-central", folder, **changes)
    assert isinstance(settings, CentralSettings)
    return run_and_resolve(cloud, lambda: central.declare(settings, now=NOW))


def run_zone(cloud: RecordingCloud, folder: Path, stack: str = "berlin-hospital", **changes: Any) -> dict[str, Any]:
    settings = load_stack(stack, folder, **changes)
    assert isinstance(settings, ZoneSettings)
    return run_and_resolve(cloud, lambda: zone.declare(settings, now=NOW))


def centre(**changes: Any) -> dict[str, Any]:
    ca = authority()
    return {
        "superlink_fleet_endpoint": "127.10.1.10:9092",
        "ca_certificate": ca.pem,
        "ca_fingerprint": ca.fingerprint,
        "flower_version": "1.41.0",
        "federation": "demo",
        **changes,
    }


def rules(cloud: RecordingCloud, direction: str) -> list[dict[str, Any]]:
    return [rule for rule in cloud.one(SECURITY_GROUP).inputs["rules"] if rule["ruleType"] == direction]
