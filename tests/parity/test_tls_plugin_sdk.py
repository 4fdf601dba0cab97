"""The plugin's tables against the classes of the installed pulumi_tls: nothing missing, nothing invented."""

from __future__ import annotations

import inspect
import json
import typing
from types import ModuleType
from typing import Any

import pulumi
import pulumi_tls
import pytest
from pulumi.provider.experimental import provider as engine
from pulumi_tls import cert_request, locally_signed_cert, private_key, self_signed_cert

from pulumi_resource_tls.names import SUBJECT_FIELDS
from pulumi_resource_tls.properties import Type
from pulumi_resource_tls.provider import KINDS, VERSION
from pulumi_resource_tls.resource_kind import ResourceKind
from pulumi_resource_tls.usages import EXTENDED_KEY_USAGES, KEY_USAGES
from tests.tls_support import Plugin, urn

MODULES: list[tuple[ModuleType, str]] = [
    (private_key, "PrivateKey"),
    (cert_request, "CertRequest"),
    (self_signed_cert, "SelfSignedCert"),
    (locally_signed_cert, "LocallySignedCert"),
]
PYTHON_TYPES = {str: Type.TEXT, int: Type.WHOLE, bool: Type.FLAG}


def kind_of(module: ModuleType, name: str) -> ResourceKind:
    return KINDS[getattr(module, name).pulumi_type]


def camel_names(cls: type) -> dict[str, str]:
    """Python name -> property name, from the getters of a class."""
    return {
        name: getattr(member.fget, "_pulumi_name", name)
        for name, member in vars(cls).items()
        if isinstance(member, property)
    }


def expected_type(annotation: Any) -> Type:
    """The table's type for an `Output[...]` annotation of the SDK."""
    (inner,) = typing.get_args(annotation)
    arguments = [item for item in typing.get_args(inner) if item is not type(None)]
    optional = type(None) in typing.get_args(inner)
    bare = arguments[0] if optional else inner
    if isinstance(bare, typing.ForwardRef):
        return Type.SUBJECT
    return PYTHON_TYPES.get(bare, Type.TEXTS)


def test_the_plugin_answers_to_the_version_of_the_sdk() -> None:
    assert pulumi_tls._utilities.get_version() == VERSION


def test_the_four_types_are_those_of_the_sdk() -> None:
    tokens = {
        member.pulumi_type
        for _, member in inspect.getmembers(pulumi_tls, inspect.isclass)
        if issubclass(member, pulumi.CustomResource) and not issubclass(member, pulumi.ProviderResource)
    }
    assert tokens == set(KINDS)


@pytest.mark.parametrize(("module", "name"), MODULES)
def test_every_input_of_the_sdk_is_in_the_table_and_no_other(module: ModuleType, name: str) -> None:
    sdk = camel_names(getattr(module, f"{name}Args"))
    assert {prop.name for prop in kind_of(module, name).properties} == set(sdk.values())


@pytest.mark.parametrize(("module", "name"), MODULES)
def test_required_inputs_are_those_of_the_sdk_and_the_key(module: ModuleType, name: str) -> None:
    arguments = getattr(module, f"{name}Args")
    signature = inspect.signature(arguments.__init__)
    camel = camel_names(arguments)
    by_signature = {
        camel[parameter.name]
        for parameter in signature.parameters.values()
        if parameter.name in camel and parameter.default is inspect.Parameter.empty
    }
    # The SDK wants exactly one of a key and its write-only variant: with the second refused, the first is required.
    refused = {prop.name.removesuffix("Wo") for prop in kind_of(module, name).properties if prop.name.endswith("Wo")}
    assert {prop.name for prop in kind_of(module, name).properties if prop.required} == by_signature | refused


@pytest.mark.parametrize(("module", "name"), MODULES)
def test_every_output_of_the_sdk_is_an_input_or_computed_and_no_other(module: ModuleType, name: str) -> None:
    kind = kind_of(module, name)
    ours = {prop.name for prop in kind.properties} | {output.name for output in kind.outputs}
    assert ours == set(camel_names(getattr(module, name)).values())


@pytest.mark.parametrize(("module", "name"), MODULES)
def test_types_are_those_of_the_sdk(module: ModuleType, name: str) -> None:
    cls, kind = getattr(module, name), kind_of(module, name)
    ours = {item.name: item.type for item in (*kind.properties, *kind.outputs)}
    sdk = {
        getattr(member.fget, "_pulumi_name", key): expected_type(member.fget.__annotations__["return"])
        for key, member in vars(cls).items()
        if isinstance(member, property)
    }
    assert ours == sdk


@pytest.mark.parametrize(("module", "name"), MODULES)
def test_secrets_are_those_that_the_sdk_asks_the_engine_for(
    module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def register(self: Any, token: str, resource: str, props: Any, opts: pulumi.ResourceOptions) -> None:
        asked.extend(opts.additional_secret_outputs or [])

    monkeypatch.setattr(pulumi.CustomResource, "__init__", register)
    kind = kind_of(module, name)
    signature = inspect.signature(getattr(module, f"{name}Args").__init__)
    arguments = [key for key, item in signature.parameters.items() if item.kind is item.KEYWORD_ONLY]
    # Keys are left out: the SDK would wrap them in an Output, which needs an event loop.
    getattr(module, name)("thing", **{key: None if "private_key" in key else "x" for key in arguments})
    assert set(asked) == {item.name for item in (*kind.properties, *kind.outputs) if item.secret}


@pytest.mark.parametrize(("module", "name"), MODULES[1:3])
def test_subject_fields_are_those_of_the_sdk(module: ModuleType, name: str) -> None:
    fields = camel_names(getattr(pulumi_tls, f"{name}SubjectArgs"))
    assert set(fields.values()) == set(SUBJECT_FIELDS)


@pytest.mark.parametrize(("module", "name"), MODULES[2:])
def test_uses_are_those_that_the_sdk_documents(module: ModuleType, name: str) -> None:
    documentation = getattr(module, f"{name}Args").allowed_uses.fget.__doc__
    accepted = documentation.split("Accepted values:")[1].replace("`", "").rstrip(". \n").split(",")
    assert {word.strip() for word in accepted} == set(KEY_USAGES) | set(EXTENDED_KEY_USAGES)


@pytest.mark.parametrize(("module", "name"), MODULES)
def test_defaults_are_those_that_the_sdk_documents(module: ModuleType, name: str) -> None:
    arguments = getattr(module, f"{name}Args")
    documented = {
        camel: member.fget.__doc__.split("(default: `")[1].split("`")[0]
        for camel, member in (
            (getattr(member.fget, "_pulumi_name", key), member)
            for key, member in vars(arguments).items()
            if isinstance(member, property)
        )
        if "(default: `" in (member.fget.__doc__ or "")
    }
    ours = {
        prop.name: str(prop.default).lower() if isinstance(prop.default, bool) else str(prop.default)
        for prop in kind_of(module, name).properties
        if prop.default is not None
    }
    assert ours == documented


@pytest.mark.parametrize(("module", "name"), MODULES)
async def test_every_input_that_is_not_served_is_refused_with_a_way_out(module: ModuleType, name: str) -> None:
    kind = kind_of(module, name)
    refused = {prop.name: 1 if prop.type is Type.WHOLE else "x" for prop in kind.properties if prop.refused}
    problems = await Plugin().problems(kind.token, {**refused})
    for prop in refused:
        assert "official tls plugin" in problems[prop].split("To fix:")[1]


async def test_the_schema_lists_what_the_tables_serve() -> None:
    response = await Plugin().provider.get_schema(engine.GetSchemaRequest(0))
    schema = json.loads(response.schema or "{}")
    assert (schema["name"], schema["version"]) == ("tls", VERSION)
    for token, kind in KINDS.items():
        served = {prop.name for prop in kind.properties if not prop.refused}
        assert set(schema["resources"][token]["inputProperties"]) == served
        assert urn(token).split("::")[-2] == token
