"""The schema as the engine gets it from the plugin, for generators of SDKs in other languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES
from tests.opennebula_support import BIN, engine_environment, ran


@pytest.mark.engine
def test_the_engine_takes_the_schema_without_a_complaint_and_without_a_zone(tmp_path: Path) -> None:
    result = ran(
        *("pulumi", "package", "get-schema", BIN / "pulumi-resource-opennebula"),
        folder=tmp_path,
        environment=engine_environment(tmp_path, {}),
    )
    assert (result.returncode, result.stderr) == (0, "")
    schema = json.loads(result.stdout)
    assert set(schema["resources"]) == {resource.token for resource in RESOURCES}
    assert set(schema["functions"]) == {function.token for function in FUNCTIONS}
