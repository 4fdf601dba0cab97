"""The schema as the engine gets it from the plugin, for generators of SDKs in other languages."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES
from tests.opennebula_support import BIN, VARIABLES


@pytest.mark.engine
def test_the_engine_takes_the_schema_without_a_complaint_and_without_a_zone(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in VARIABLES},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": tmp_path.as_uri(),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    result = subprocess.run(
        ["pulumi", "package", "get-schema", str(BIN / "pulumi-resource-opennebula")],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    schema = json.loads(result.stdout)
    assert set(schema["resources"]) == {resource.token for resource in RESOURCES}
    assert set(schema["functions"]) == {function.token for function in FUNCTIONS}
