"""The package's schema, from the definitions, in the form that Pulumi's engine serves to SDK generators. Pure."""

from __future__ import annotations

import json
from typing import Any

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import (
    Function,
    ListOf,
    MapOf,
    Property,
    Record,
    Resource,
    Type,
    records_of,
)
from pulumi_opennebula.version import VERSION

SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
"""Whole numbers are `number`, as in the bridged package's schema."""

MODULE_FORMAT = "(.*)(?:/[^/]*)"
"""How the engine gets a module from a token: `index` from `opennebula:index/image:Image`, as bridged packages say it.
Without it `pulumi package get-schema` takes `index/image` for a module and refuses it (3.259.0)."""


def schema_text() -> str:
    """The schema as JSON text."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


def schema() -> dict[str, Any]:
    """The schema."""
    settings = tuple(setting.definition for setting in SETTINGS)
    every = [item for resource in RESOURCES for item in resource.properties]
    every += [item for function in FUNCTIONS for item in (*function.inputs, *function.outputs)]
    records: dict[str, Record] = {}
    for item in (*every, *settings):
        for record in records_of(item.type):
            records.setdefault(record.name, record)
    return {
        "name": "opennebula",
        "version": VERSION,
        "displayName": "OpenNebula",
        "description": "OpenNebula resources, over XML-RPC and OneFlow.",
        "meta": {"moduleFormat": MODULE_FORMAT},
        "config": {"variables": _properties(settings), "defaults": _required(settings)},
        "provider": {
            "inputProperties": _properties(settings),
            "properties": _properties(settings),
            "requiredInputs": [],
        },
        "types": {_type_token(name): _object(record) for name, record in records.items()},
        "resources": {resource.token: _resource(resource) for resource in RESOURCES},
        "functions": {function.token: _function(function) for function in FUNCTIONS},
        "language": {"python": {"packageName": "pulumi_opennebula"}},
    }


def _resource(resource: Resource) -> dict[str, Any]:
    return {
        "description": resource.description,
        "inputProperties": _properties(resource.inputs),
        "requiredInputs": _required(resource.inputs),
        "properties": _properties(resource.properties),
        "required": sorted(item.name for item in resource.properties if item.required or item.output),
    }


def _function(function: Function) -> dict[str, Any]:
    own = {item.name for item in function.outputs}
    outputs = function.outputs + tuple(item for item in function.inputs if item.name not in own)
    return {
        "description": function.description,
        "inputs": {"properties": _properties(function.inputs), "required": _required(function.inputs)},
        "outputs": {"properties": _properties(outputs), "required": _required(outputs)},
    }


def _object(record: Record) -> dict[str, Any]:
    return {
        "type": "object",
        "description": record.description,
        "properties": _properties(record.properties),
        "required": _required(record.properties),
    }


def _properties(properties: tuple[Property, ...]) -> dict[str, Any]:
    return {item.name: _property(item) for item in properties}


def _property(item: Property) -> dict[str, Any]:
    found = {**_type(item.type), "description": item.description}
    if item.secret:
        found["secret"] = True
    if item.replace:
        found["willReplaceOnChanges"] = True
    if item.default is not None:
        found["default"] = item.default
    return found


def _type(type_: Type) -> dict[str, Any]:
    match type_:
        case Record():
            return {"$ref": f"#/types/{_type_token(type_.name)}"}
        case ListOf():
            return {"type": "array", "items": _type(type_.item)}
        case MapOf():
            return {"type": "object", "additionalProperties": _type(type_.value)}
        case "any":
            return {"$ref": "pulumi.json#/Any"}
        case _:
            return {"type": SCALARS[type_]}


def _required(properties: tuple[Property, ...]) -> list[str]:
    return sorted(item.name for item in properties if item.required)


def _type_token(name: str) -> str:
    return f"opennebula:index/{name}:{name}"
