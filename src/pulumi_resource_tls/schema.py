"""The package schema that the engine may ask for, derived from the property tables and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pulumi_resource_tls.names import SUBJECT_FIELDS
from pulumi_resource_tls.properties import Output, Property, Type
from pulumi_resource_tls.resource_kind import ResourceKind

_SUBJECT_TOKEN = "tls:index/Subject:Subject"  # noqa: S105 - a type token, not a password

_TYPES: dict[Type, dict[str, Any]] = {
    Type.TEXT: {"type": "string"},
    Type.WHOLE: {"type": "integer"},
    Type.FLAG: {"type": "boolean"},
    Type.TEXTS: {"type": "array", "items": {"type": "string"}},
    Type.SUBJECT: {"$ref": f"#/types/{_SUBJECT_TOKEN}"},
}


def package_schema(kinds: Iterable[ResourceKind], *, version: str) -> dict[str, Any]:
    """The schema of the package with these resources."""
    subject = {
        field: _TYPES[Type.TEXTS] if field == "streetAddresses" else _TYPES[Type.TEXT] for field in SUBJECT_FIELDS
    }
    return {
        "name": "tls",
        "version": version,
        "types": {_SUBJECT_TOKEN: {"type": "object", "properties": subject}},
        "resources": {kind.token: _resource(kind) for kind in kinds},
    }


def _resource(kind: ResourceKind) -> dict[str, Any]:
    served = [prop for prop in kind.properties if not prop.refused]
    always = [prop.name for prop in served if prop.required or prop.default is not None]
    given: list[Property | Output] = [*served, *kind.outputs]
    return {
        "inputProperties": {prop.name: _property(prop) for prop in served},
        "requiredInputs": [prop.name for prop in served if prop.required],
        "properties": {item.name: _property(item) for item in given},
        "required": [*always, *(output.name for output in kind.outputs)],
    }


def _property(item: Property | Output) -> dict[str, Any]:
    return {**_TYPES[item.type], **({"secret": True} if item.secret else {})}
