"""Answers of a real OpenNebula 7.0.1, reduced (tests/data/opennebula_objects.json), for tests of the mappings."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_opennebula.provider.templates import Body, body_of

DATA = Path(__file__).resolve().parent / "data"


@cache
def _objects() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / "opennebula_objects.json").read_text())
    return loaded


def recorded(name: str) -> Body:
    """What oned said of an object."""
    return body_of(_objects()["oned"][name])


def document(name: str) -> dict[str, Any]:
    """A OneFlow document."""
    copy: dict[str, Any] = json.loads(json.dumps(_objects()["oneflow"][name]))
    return copy


def posted() -> list[dict[str, Any]]:
    """Service templates as posted (`request`) and as OneFlow answered (`document`)."""
    found: list[dict[str, Any]] = _objects()["posted"]
    return found


def bridged_schema() -> dict[str, Any]:
    """The bridged package's schema, reduced."""
    loaded: dict[str, Any] = json.loads((DATA / "opennebula_schema.json").read_text())
    return loaded
