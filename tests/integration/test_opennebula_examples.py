"""The examples of the reference pages, all in one stack: they come up, show no drift, and leave nothing behind.

Their objects have the names that the pages print, so this stack is a zone's only one at a time.
"""

from __future__ import annotations

import json
import re

import pytest

from pulumi_opennebula.definitions import RESOURCES
from tests.opennebula_support import REPOSITORY, Project, TestZone, project, zone

pytestmark = [pytest.mark.engine, pytest.mark.slow]
__all__ = ["project", "zone"]

EXAMPLES = sorted((REPOSITORY / "docs" / "reference" / "opennebula" / "examples").glob("*.py"))
PROGRAM = "import runpy\n" + "".join(f"runpy.run_path({str(path)!r})\n" for path in EXAMPLES)


def test_every_example_comes_up_shows_no_drift_and_is_gone_afterwards(project: Project) -> None:
    before = objects(project.zone)
    shapes = {resource.token: re.sub(r"\w+", r"\\w+", resource.import_example) for resource in RESOURCES}
    project.program(PROGRAM)
    project.up()

    made = [entry for entry in project.state().values() if entry["type"].startswith("opennebula:")]
    assert {entry["type"] for entry in made} == {resource.token for resource in RESOURCES}
    for entry in made:
        assert re.fullmatch(shapes[entry["type"]], entry["id"]), entry["id"]
    outputs = project.outputs()
    assert outputs["small_machine_tags"] == {"owner": "platform-team", "purpose": "docs"}
    assert outputs["gateway_address"] == "10.22.0.20"
    assert outputs["replica_state"] == 3
    assert outputs["scratch_image"] == int(project.state()["scratch"]["id"])
    assert {role: len(nodes) for role, nodes in outputs["render_farm_vms"].items()} == {"scheduler": 1, "renderer": 2}
    assert len(outputs["probes_told"]) == 2
    assert "an API key from the configuration" not in project.pulumi("stack", "export")

    said = project.pulumi("preview", "--refresh", "--suppress-progress", "--diff")
    assert not re.search(r"to (create|update|replace|delete)", said), said

    project.destroy()
    assert objects(project.zone) == before


def objects(zone: TestZone) -> dict[str, list[str]]:
    """Names of the zone's objects that live, by pool."""
    pools = ("secgrouppool", "vnpool", "imagepool", "templatepool", "vmgrouppool", "marketpool", "marketapppool")
    found = {pool: str(zone.call(f"{pool}.info", -2, -1, -1)) for pool in pools}
    found["vmpool"] = str(zone.call("vmpool.info", -2, -1, -1, -1))
    found |= {path: json.dumps(zone.flow("GET", path)) for path in ("/service", "/service_template")}
    return {name: sorted(re.findall(r"<NAME>.*?</NAME>|\"NAME\": \"[^\"]*\"", text)) for name, text in found.items()}
