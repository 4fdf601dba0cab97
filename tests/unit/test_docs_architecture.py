"""docs/architecture.md says what the code does: variables, attributes, outputs, ports, units and types."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes

from components import join_bundle, zone_answer
from components.zone_link import CentralFacts
from flower_appliance import data, machine, plan
from infra import central, zone
from infra.central_settings import CentralSettings
from infra.zone_settings import ZoneSettings
from pulumi_flower.registration import INPUTS, RESOURCE_TYPE
from tests.components_support import LIVE, TEMPLATE, RecordingCloud, run_and_resolve
from tests.infra_support import load_stack
from tests.join_support import NOW, bundle_text, pem, root
from tests.unit.test_components_trusted_entities import key
from zonebox.loopback import PORTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
APPLIANCE = ROOT / "src" / "flower_appliance"
NAME = re.compile(r"FL_[A-Z_]*[A-Z]|READY")
WITHOUT_THE_PROGRAM = {"FL_PARTITION_ID"}


def rows(heading: str) -> list[list[str]]:
    """Cells of the table below a heading, its own head left out."""
    section = PAGE.partition(f"\n{heading}")[2].partition("\n## ")[0].partition("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def named(heading: str, *, role: str | None = None) -> set[str]:
    """What the first column names, in code font; of one role, and of both, where a role is given."""
    chosen = [row for row in rows(heading) if role is None or row[1] in (role, "both")]
    return {name for row in chosen for name in re.findall(r"`(\w+)`", row[0])}


def contract(thing: str) -> str:
    """The value beside a thing in the table of contracts."""
    (value,) = (row[1] for row in rows("## Contracts") if row[0] == thing)
    return value


def constants(files: Iterable[Path]) -> set[str]:
    """Names of variables and attributes that stand in code as texts of their own."""
    found: set[str] = set()
    for file in files:
        for part in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and NAME.fullmatch(part.value):
                found.add(part.value)
    return found


def test_the_table_of_context_variables_is_what_a_guest_reads() -> None:
    ways_of_data = {f"FL_DATA_{name}" for name in (*data._NAMES, *data._BESIDE)}
    read = constants([APPLIANCE / "context.py", APPLIANCE / "requirements.py"])
    assert named("### Context variables") == read | ways_of_data


def test_the_table_of_attributes_is_what_a_guest_writes() -> None:
    attributes = named("### OneGate attributes")
    written = constants(path for path in APPLIANCE.glob("*.py") if path.name != "context.py")

    assert attributes - written == set()
    assert written - attributes - named("### Context variables") == set()


def packages(folder: Path, **place: Any) -> dict[str, Any]:
    """The section `packages` of a stack file."""
    (folder / "extra.lock").write_text(f"extra==1.0 --hash=sha256:{'ab' * 32}\n")
    (folder / "index-ca.crt").write_text(pem(root()))
    index = {"index": "https://index.example/simple", "indexCaFile": "index-ca.crt"}
    return {"requirements": "extra.lock", **(place or index)}


PLACES_OF_WHEELS: tuple[dict[str, Any], ...] = (
    {},
    {"wheelhouse": "/srv/wheels"},
    {"volume": "wheels", "volumeImage": 8},
)


def run_central(cloud: RecordingCloud, folder: Path, *, server_key: str = "vm", **place: Any) -> dict[str, Any]:
    superlink = {"address": "127.10.1.10", "appHub": "https://hub.example", "serverKey": server_key}
    settings = load_stack(
        "madrid-central",
        folder,
        numClients=2,
        packages=packages(folder, **place),
        stateImage=9,
        projectUrl="https://flower.example",
        superlink=superlink,
    )
    assert isinstance(settings, CentralSettings)
    return run_and_resolve(cloud, lambda: central.declare(settings, now=datetime(2026, 11, 24, tzinfo=UTC)))


def run_zone(
    cloud: RecordingCloud, folder: Path, *, place: dict[str, Any] | None = None, **way_of_data: Any
) -> dict[str, Any]:
    """A zone that joins by a bundle, with everything set that may be left out."""
    (folder / "join.json").write_text(bundle_text())
    pin = root().fingerprint(hashes.SHA256()).hex()
    settings = load_stack(
        "berlin-hospital",
        folder,
        central={"bundle": "join.json", "caFingerprint": pin},
        nodeKeyEpochs=["supernode-0:1"],
        trustedEntities=[{"id": "board", "key": key()}],
        data=way_of_data or {"path": "/srv/flower/data"},
        packages=packages(folder, **(place or {})),
        stateImage=9,
        supernode={"memoryMb": 512, "cpu": 0.25, "gpu": {"profile": "nvidia-t4", "cards": 1}},
        projectUrl="https://flower.example",
    )
    assert isinstance(settings, ZoneSettings)
    return run_and_resolve(cloud, lambda: zone.declare(settings, now=NOW))


def given(cloud: RecordingCloud) -> set[str]:
    """Variables of VMs that run: those of the only VM template, and what is made for a key of the VM's own."""
    template = cloud.one(TEMPLATE).inputs["context"]
    (live,) = (
        each.inputs["variables"] for each in cloud.of(LIVE) if each.inputs["acknowledgement"] == "FL_CONTEXT_REVISION"
    )
    # The version of its image reaches a VM with the image.
    names = {name for name in live if name.startswith("FL_")} | {"FL_FLOWER_VERSION"}
    later = {"FL_SERVER_CERT"} if "FL_SERVER_NAMES" in template else set()
    assert names - later == {name for name in template if name.startswith("FL_")}
    return names


def test_a_superlink_gets_from_the_program_what_the_table_says(tmp_path: Path) -> None:
    found: set[str] = set()
    for server_key, place in [("stack", {}), *(("vm", place) for place in PLACES_OF_WHEELS)]:
        cloud = RecordingCloud()
        run_central(cloud, tmp_path, server_key=server_key, **place)
        found |= given(cloud)
    assert found == named("### Context variables", role="superlink")


def test_supernodes_get_from_the_program_what_the_table_says_by_one_way_of_data_or_another(tmp_path: Path) -> None:
    (tmp_path / "server-ca.crt").write_text(pem(root()))
    file = {"url": "https://files.example/rows.csv", "sha256": "ab" * 32, "caFile": "server-ca.crt"}
    found: set[str] = set()
    for way in ({}, {"demo": "yes"}, {"volume": "rows", "volumeImage": 7}, {"nfs": "files.example:/export"}, file):
        cloud = RecordingCloud()
        run_zone(cloud, tmp_path, **way)
        found |= given(cloud)
    for place in PLACES_OF_WHEELS:
        cloud = RecordingCloud()
        run_zone(cloud, tmp_path, place=place)
        found |= given(cloud)
    assert found == named("### Context variables", role="supernode") - WITHOUT_THE_PROGRAM


def test_a_centre_exports_what_the_table_says(tmp_path: Path) -> None:
    assert set(run_central(RecordingCloud(), tmp_path)) == named("### Outputs of a central stack")


def test_a_zone_exports_what_the_table_says(tmp_path: Path) -> None:
    assert set(run_zone(RecordingCloud(), tmp_path)) == named("### Outputs of a zone's stack")


def test_the_first_outputs_of_a_centre_are_all_that_a_zone_and_a_bundle_take() -> None:
    names = [name for row in rows("### Outputs of a central stack") for name in re.findall(r"`(\w+)`", row[0])]
    facts = set(CentralFacts.__dataclass_fields__)
    assert set(names[: len(facts)]) == facts
    assert facts | {"zone", "issued_at", "expires_at"} == set(join_bundle.JoinFacts.__dataclass_fields__)


def test_ports_are_those_of_the_code() -> None:
    ours = {value for name, value in vars(machine).items() if name.endswith("_PORT")}
    shown = {int(number) for number in re.findall(r"\b\d{4}\b", contract("ports"))}
    assert shown == ours | set(PORTS)


def test_units_types_and_formats_are_those_of_the_code() -> None:
    units = {value for name, value in vars(plan).items() if name.endswith("_UNIT")}
    assert set(re.findall(r"`([\w.-]+)`", contract("units in a VM"))) == units
    assert RESOURCE_TYPE in contract("resource of the flower provider")
    assert all(f"`{name}`" in contract("resource of the flower provider") for name in INPUTS)
    assert LIVE in contract("resource of ours beside `Service`")
    declared = constants_like(r"flower:index:\w+", ROOT / "components")
    assert set(re.findall(r"`(flower:index:\w+)`", contract("component types"))) == declared
    for format_ in (join_bundle.FORMAT, zone_answer.FORMAT):
        assert f"`{format_}`" in contract("files between organisations")


def constants_like(pattern: str, folder: Path) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    return {found for text in texts for found in re.findall(rf'"({pattern})"', text)}
