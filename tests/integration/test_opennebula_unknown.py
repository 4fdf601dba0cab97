"""Any property, or any part of one, that is not known yet: a preview says what will happen and never breaks."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.values import UNKNOWN
from tests.integration.test_opennebula_every_type import PROGRAM
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, Json, Program, SmallEngine

MORE: dict[str, dict[str, Any]] = {
    "group": {"tags": {"A": "1"}, "permissions": "640"},
    "network": {"tags": {"A": "1"}, "holdIps": [], "securityGroups": [0], "templateSections": []},
    "island": {"ars": [{"arType": "IP4", "ip4": "10.68.0.1", "size": 4}], "holdIps": ["10.68.0.2"], "clusterIds": [0]},
    "shore": {"holdIps": ["10.67.0.11"], "custom": {"A": "1"}, "shared": False},
    "disk": {"tags": {"A": "1"}, "lock": "UNLOCK", "templateSections": [{"name": "P", "elements": {"A": "1"}}]},
    "machine": {
        "graphics": {"type": "VNC", "listen": "0.0.0.0", "passwd": "x"},
        "os": {"arch": "x86_64", "boot": ""},
        "features": [{"acpi": "YES"}],
        "disks": [{"volatileType": "fs", "size": 8}],
        "tags": {"A": "1"},
    },
    "affinity": {"roles": [{"name": "x", "policy": "ANTI_AFFINED"}, {"name": "y", "hostAffineds": [0]}]},
    "single": {
        "tags": {"A": "1"},
        "graphics": {"type": "VNC", "listen": "0.0.0.0"},
        "templateSections": [{"name": "P", "elements": {"A": "1"}}],
        "timeouts": {"create": "5m"},
    },
}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        yield running


def program() -> Program:
    return {
        name: Declared(kind=found.kind, inputs={**found.inputs, **MORE.get(name, {})}, after=found.after)
        for name, found in PROGRAM.items()
    }


def variants(value: Any) -> Iterator[Any]:
    """The value with one part of it unknown, for each part; all of it, first."""
    yield UNKNOWN
    if isinstance(value, Json):
        return
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for other in variants(part):
            changed = copy.copy(value)
            changed[key] = other
            yield changed


@pytest.fixture(scope="module", params=["made", "adopted"])
def engine(request: pytest.FixtureRequest, zone: InProcess) -> Iterator[SmallEngine]:
    found = SmallEngine(zone.connect)
    asyncio.run(found.up(program()))
    made = dict(found.state)
    if request.param == "adopted":
        for name, declared in program().items():
            asyncio.run(found.import_(name, declared, made[name].id))
    yield found
    found.state = made
    asyncio.run(found.destroy())


@pytest.mark.parametrize("name", sorted(PROGRAM))
def test_a_preview_takes_any_part_that_is_not_known_yet(engine: SmallEngine, name: str) -> None:
    declared = program()[name]
    replacing = {item.name for item in HANDLERS[declared.token].definition.properties if item.replace}

    async def previewed() -> None:
        engine.provider = await engine.connect()
        ids = {known: entry.id for known, entry in engine.state.items()}
        for item, value in declared.inputs.items():
            for variant in variants(value):
                changed = Declared(kind=declared.kind, inputs={**declared.inputs, item: variant})
                step = await engine.previewed(name, changed, ids)
                assert step == ("replace" if item in replacing else "update"), (item, variant)

    asyncio.run(previewed())
