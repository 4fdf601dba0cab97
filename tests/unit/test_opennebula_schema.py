"""Generated files are fresh, and nothing of the bridged package's schema is missing from what is implemented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pulumi_opennebula
from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Type, records_of
from pulumi_opennebula.generate.files import generated_files, generated_pages
from pulumi_opennebula.provider.functions import FUNCTIONS as FUNCTION_HANDLERS
from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.schema import SCALARS, schema
from tests.opennebula_data import bridged_schema

PACKAGE = Path(pulumi_opennebula.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[2]
BRIDGED = bridged_schema()
OURS_ALONE = {setting.definition.name for setting in SETTINGS if not setting.bridged}
OURS_ALONE_PROPERTIES = {
    resource.name: {item.name for item in resource.properties if not item.bridged} for resource in RESOURCES
}
OURS_ALONE_RESOURCES = {resource.token for resource in RESOURCES if not resource.bridged}


def shape(type_: Type) -> Any:
    """A type in the form of the reduced schema."""
    match type_:
        case Record():
            return type_.name
        case ListOf():
            return [shape(type_.item)]
        case MapOf():
            return {"*": shape(type_.value)}
        case _:
            return SCALARS[type_]


def shapes(properties: tuple[Property, ...]) -> dict[str, Any]:
    return {item.name: shape(item.type) for item in properties}


def test_committed_files_are_what_the_definitions_make() -> None:
    for name, text in generated_files().items():
        assert (PACKAGE / name).read_text(encoding="utf-8") == text, f"run python -m pulumi_opennebula.generate: {name}"
    for name, text in generated_pages(REPOSITORY).items():
        assert (REPOSITORY / name).read_text(encoding="utf-8") == text, (
            f"run python -m pulumi_opennebula.generate: {name}"
        )


def test_tokens_are_the_bridged_packages_and_each_has_a_handler() -> None:
    tokens = {resource.token for resource in RESOURCES}
    assert {"opennebula:index/serviceContext:ServiceContext"} == OURS_ALONE_RESOURCES
    assert tokens == set(BRIDGED["resources"]) | OURS_ALONE_RESOURCES == set(HANDLERS)
    assert {function.token for function in FUNCTIONS} == set(BRIDGED["functions"]) == set(FUNCTION_HANDLERS)


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if resource.token not in OURS_ALONE_RESOURCES],
    ids=lambda resource: resource.name,
)
def test_every_property_of_a_bridged_resource_is_there_with_its_type(resource: Any) -> None:
    bridged = BRIDGED["resources"][resource.token]
    ours = OURS_ALONE_PROPERTIES.get(resource.name, set())
    found = shapes(resource.properties)
    assert {name: found[name] for name in found if name not in ours} == bridged["properties"]
    assert ours <= set(found) and not any(item.required for item in resource.properties if item.name in ours)
    for name in bridged["inputs"]:
        item = resource.record.get(name)
        # An input that the bridge takes and we do not is refused as an output, with a message that says so.
        assert item is not None and (not item.output or name == resource.id_property)
    assert [item.name for item in resource.inputs if item.required] == sorted(
        bridged["requiredInputs"], key=[item.name for item in resource.inputs].index
    )


def test_every_nested_property_is_there_with_its_type_and_what_is_required_of_it() -> None:
    properties = [item for resource in RESOURCES for item in resource.properties]
    properties += [item for function in FUNCTIONS for item in function.outputs]
    found = {record.name: record for item in properties for record in records_of(item.type)}
    assert set(found) == set(BRIDGED["types"]) - {"ProviderDefaultTag"} | {"ServiceContextTimeouts"}
    for name, record in found.items():
        if name == "ServiceContextTimeouts":
            continue
        assert shapes(record.properties) == BRIDGED["types"][name]["properties"], name
        assert sorted(item.name for item in record.properties if item.required) == BRIDGED["types"][name]["required"], (
            name
        )


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_functions_take_and_give_what_the_bridged_ones_do(function: Any) -> None:
    bridged = BRIDGED["functions"][function.token]
    assert shapes(function.inputs) == bridged["inputs"]
    assert shapes(function.inputs) | shapes(function.outputs) == bridged["outputs"]


def test_settings_are_the_bridged_ones_and_those_marked_as_our_own() -> None:
    ours = shapes(tuple(setting.definition for setting in SETTINGS))
    assert set(ours) - set(BRIDGED["provider"]) == OURS_ALONE
    assert {name: ours[name] for name in BRIDGED["provider"]} == BRIDGED["provider"]


def test_the_schema_refers_to_types_that_it_has() -> None:
    text = json.dumps(schema())
    types = set(schema()["types"])
    referred = {part.split('"', 1)[0] for part in text.split("#/types/")[1:]}
    assert referred == types


def test_every_public_name_of_the_package_is_importable_and_listed() -> None:
    names = set(pulumi_opennebula.sdk.__all__)
    assert {"Provider", "Template", "TemplateNicArgs", "Service", "get_virtual_machines_output"} <= names
    assert all(hasattr(pulumi_opennebula, name) for name in names)
    assert names <= set(dir(pulumi_opennebula))
    with pytest.raises(AttributeError, match="Tmplate"):
        _ = pulumi_opennebula.Tmplate


def test_the_plugin_starts_without_the_classes_of_programs() -> None:
    program = "import sys, pulumi_opennebula.provider.plugin; print('pulumi_opennebula.sdk' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
