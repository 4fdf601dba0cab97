"""The table of supported and refused properties is the bridged package's schema, and what it says is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import Function, Property, Record, Resource, records_of
from pulumi_opennebula.generate.support import HEADING
from pulumi_opennebula.provider.checks import Findings, checked
from pulumi_opennebula.provider.values import UNKNOWN
from tests.opennebula_data import bridged_schema

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "opennebula.md"
BRIDGED = bridged_schema()
OURS_ALONE = {item.token: [part.name for part in item.properties if not part.bridged] for item in RESOURCES}
NAME = re.compile(r"`(\w+)`")


def rows() -> dict[str, tuple[list[str], list[str], str]]:
    """Label -> names that can be given, names that are reported, the text of what is refused."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition(HEADING)
    found = {}
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("| of "):
            label, given, reported, refused = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            assert label not in found, label
            found[label] = (NAME.findall(given), NAME.findall(reported), refused)
    return found


def refused_names(text: str) -> set[str]:
    return set(re.findall(r"(?:^|; )`(\w+)`: ", text))


def nested() -> dict[str, Record]:
    every = [item for resource in RESOURCES for item in resource.properties]
    every += [item for function in FUNCTIONS for item in function.outputs]
    return {record.name: record for item in every for record in records_of(item.type)}


def findings_for(record: Record, inputs: dict[str, Any]) -> dict[str, str]:
    findings = Findings(owner=f"{record.name} x")
    checked(record, inputs, findings)
    return {error.path: str(error) for error in findings.refusals}


def arguments_of(function: Function) -> Record:
    return Record(name=function.name, properties=function.inputs)


REFUSALS = [
    *((item.name, item.record, item.id_property) for item in RESOURCES),
    *(
        (owner.name, record, item.name)
        for owner, record in (
            *((item, item.record) for item in RESOURCES),
            *((item, arguments_of(item)) for item in FUNCTIONS),
        )
        for item in record.properties
        if item.unsupported
    ),
]


def test_every_property_of_the_schema_is_in_the_table_once() -> None:
    table = rows()
    for token, schema in BRIDGED["resources"].items():
        given, reported, refused = table[token.rsplit(":", 1)[1]]
        own = OURS_ALONE[token]
        assert sorted(given + reported) == sorted([*schema["properties"], *own])
        assert set(given) | refused_names(refused) >= set(schema["inputs"])
    for token, schema in BRIDGED["functions"].items():
        given, reported, refused = table[token.rsplit(":", 1)[1]]
        assert set(given) | refused_names(refused) == set(schema["inputs"])
        assert set(reported) == set(schema["outputs"])
    for name, schema in BRIDGED["types"].items():
        if name == "ProviderDefaultTag":
            continue
        given, reported, _ = table[name]
        assert sorted(given + reported) == sorted(schema["properties"]), name
    assert set(table["Provider"][0]) == set(BRIDGED["provider"])


def test_what_the_bridged_package_does_not_have_is_in_italics() -> None:
    table = rows()
    assert {label for label in table if label.startswith("*")} == {
        "*Provider, in addition*",
        "*ServiceContext*",
        "*ServiceContextTimeouts*",
    }
    own = {name for names in OURS_ALONE.values() for name in names}
    assert own == set(re.findall(r"\*`(\w+)`\*", PAGE.read_text(encoding="utf-8").partition(HEADING)[2]))
    assert set(table["*Provider, in addition*"][0]) == {
        setting.definition.name for setting in SETTINGS if not setting.bridged
    }


def test_the_table_names_every_refusal() -> None:
    table = {label.strip("*"): refused for label, (_, _, refused) in rows().items()}
    said = {(owner, name) for owner, refused in table.items() for name in refused_names(refused)}
    assert said == {(owner, name) for owner, _, name in REFUSALS}


@pytest.mark.parametrize(
    ("owner", "record", "name"), REFUSALS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_refused_is_refused_with_rule_reason_and_remedy(owner: str, record: Record, name: str) -> None:
    message = findings_for(record, {name: "7"})[name]
    assert message.startswith(f'{owner} x: {name} is "7": this property ')
    assert ", because " in message
    assert "Remove " in message.rsplit(". ", 1)[-1]


@pytest.mark.parametrize(
    "record", [*(item.record for item in RESOURCES), *nested().values()], ids=lambda item: item.name
)
def test_what_is_only_reported_is_refused_as_an_input(record: Record) -> None:
    reported = [item for item in record.properties if item.output]
    found = findings_for(record, {item.name: "7" for item in reported})
    assert {item.name for item in reported} <= set(found)
    assert all("this property cannot be set" in found[item.name] for item in reported)


@pytest.mark.parametrize(
    "record", [*(item.record for item in RESOURCES), *nested().values()], ids=lambda item: item.name
)
def test_what_can_be_given_is_taken(record: Record) -> None:
    given, _, _ = {label.strip("*"): row for label, row in rows().items()}[record.name]
    if record.name.startswith("get"):
        assert given == []
        return
    assert findings_for(record, dict.fromkeys(given, UNKNOWN)) == {}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda item: item.name)
def test_a_resources_page_names_what_replaces_it_and_what_is_secret(resource: Resource) -> None:
    name = re.sub(r"(?<=[a-z])([A-Z])", r"-\1", resource.name).lower()
    page = (PAGE.parent / "opennebula" / f"{name}.md").read_text(encoding="utf-8")
    replacing = [item for item in resource.inputs if item.replace]
    lines = [line for line in page.splitlines() if line.endswith("| a replacement |")]
    assert all(any(f"`{item.name}`" in line for line in lines) for item in replacing)
    secrets = {item.name for item in secret_properties(resource)}
    said = page.partition("## Secrets")[2].split("\n\n")[1]
    assert {path.rsplit(".", 1)[-1] for path in re.findall(r"`([\w.\[\]]+)`", said)} == secrets
    assert f"pulumi import {resource.token} NAME {resource.import_example}" in page


def secret_properties(resource: Resource) -> list[Property]:
    records = [resource.record, *(record for item in resource.properties for record in records_of(item.type))]
    return [item for record in records for item in record.properties if item.secret]


def test_the_page_of_decisions_names_every_resource() -> None:
    decisions = (PAGE.parents[1] / "decisions" / "opennebula-provider.md").read_text(encoding="utf-8")
    introduction = decisions.partition("## What it is")[2].partition("\n| part")[0]
    assert {resource.name for resource in RESOURCES} <= set(re.findall(r"\w+", introduction))
    assert (len(RESOURCES), len(FUNCTIONS)) == (12, 12), "the pages say twelve and twelve"
