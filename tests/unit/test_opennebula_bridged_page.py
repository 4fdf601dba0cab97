"""What docs/opennebula-bridged.md says of the two packages is what their schemas have."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import snake_case
from tests.opennebula_data import DATA, bridged_schema

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "opennebula-bridged.md").read_text(encoding="utf-8")
NAMES = json.loads((DATA / "opennebula_bridged_names.json").read_text(encoding="utf-8"))
EXAMPLES = sorted((ROOT / "docs" / "reference" / "opennebula" / "examples").glob("*.py"))
OURS_ONLY = {"provider.py": {"request_timeout_s"}, "service_context.py": {"ServiceContext"}}
"""What examples use that the bridged package does not have."""
BRIDGED = bridged_schema()


def section(heading: str) -> str:
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def short(tokens: list[str]) -> set[str]:
    return {token.rpartition(":")[2] for token in tokens}


def test_what_is_missing_is_listed() -> None:
    row = section("What this package does not have").splitlines()[3]
    resources, functions = (set(cell.strip().split(", ")) for cell in row.strip("| ").split("|"))
    assert resources == short(NAMES["resources"]) - {resource.name for resource in RESOURCES}
    assert functions == short(NAMES["functions"]) - {function.name for function in FUNCTIONS}


def test_tokens_of_what_both_have_are_the_same() -> None:
    assert {resource.token for resource in RESOURCES if resource.bridged} <= set(NAMES["resources"])
    assert {function.token for function in FUNCTIONS} <= set(NAMES["functions"])


def test_provider_arguments_and_environment_are_listed() -> None:
    same = section("What is the same")
    for setting in SETTINGS:
        if setting.bridged:
            assert f"`{setting.definition.name}`" in same
            assert setting.environment is None or f"`{setting.environment}`" in same
    added = section("What it adds")
    own = [setting.definition.name for setting in SETTINGS if not setting.bridged]
    own += [item.name for resource in RESOURCES for item in resource.properties if not item.bridged]
    own += [resource.name for resource in RESOURCES if not resource.bridged]
    assert [name for name in own if name not in added] == []
    back = section("From this package")
    assert [name for name in own if name not in back] == []


def used(path: Path) -> Iterator[tuple[str, str | None]]:
    """Classes and functions of the package that an example calls, with each keyword."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ) and node.func.value.id == "one":
            yield node.func.attr, None
            yield from ((node.func.attr, keyword.arg) for keyword in node.keywords if keyword.arg != "opts")


def allowed() -> dict[str, set[str]]:
    """What the bridged package's generated SDK takes, by class or function."""
    found = {token.rpartition(":")[2]: item["inputs"] for token, item in BRIDGED["resources"].items()}
    found |= {f"{name}Args": item["properties"] for name, item in BRIDGED["types"].items()}
    for token, item in BRIDGED["functions"].items():
        name = snake_case(token.rpartition(":")[2])
        found |= {name: item["inputs"], f"{name}_output": item["inputs"]}
    found["Provider"] = BRIDGED["provider"]
    return {name: {snake_case(key) for key in keys} for name, keys in found.items()}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_uses_only_names_that_the_bridged_package_has(path: Path) -> None:
    known = allowed()
    strange = {
        keyword or name
        for name, keyword in used(path)
        if name not in known or (keyword is not None and keyword not in known[name])
    }
    strange -= {keyword for name, keyword in used(path) if name == "ServiceContext" and keyword is not None}
    assert strange == OURS_ONLY.get(path.name, set())


def test_the_page_says_which_inputs_are_refused() -> None:
    refused = section("What it does otherwise")
    for function in FUNCTIONS:
        for item in function.inputs:
            if item.unsupported:
                assert item.name == "id" and function.name in refused
    assert re.search(r"`\.\.\.Id`\s+of a resource", refused)
    assert all(resource.id_property.endswith("Id") for resource in RESOURCES)
