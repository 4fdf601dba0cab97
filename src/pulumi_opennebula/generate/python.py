"""Text of the SDK's Python modules, from the definitions. Writes no file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from pulumi_opennebula.definitions import SETTINGS
from pulumi_opennebula.definitions.configuration import DEFAULT_TAG
from pulumi_opennebula.definitions.model import (
    Function,
    ListOf,
    MapOf,
    Property,
    Record,
    Resource,
    Type,
    records_of,
    snake_case,
)

WIDTH = 120
MOST_LINES = 330
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "any": "Any"}
HEADER = '''"""{summary}

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import {base}

__all__ = [{exports}]
'''


def resource_modules(resource: Resource) -> dict[str, str]:
    """The modules of one resource by name: one, or three where the nested types would make it too long."""
    records = _records(item.type for item in resource.inputs)
    results = _records(item.type for item in resource.properties)
    nested = [*map(_record_input, records), *map(_record_output, results)]
    nested_names = [f"{record.name}Args" for record in records] + [record.name for record in results]
    own = [_arguments(resource), _resource_class(resource)]
    own_names = [f"{resource.name}Args", resource.name]
    module = snake_case(resource.module)
    summary = f"{resource.name}: {_lower(resource.description)}"
    together = _module(summary, "OpenNebulaResource, arguments, outputs", nested_names + own_names, nested + own)
    if together.count("\n") < MOST_LINES:
        return {module: together}
    inputs, results_module = f"{module}_inputs", f"{module}_outputs"
    imports = "".join(
        f"from pulumi_opennebula.sdk.{name} import {', '.join(names)}\n"
        for name, names in (
            (inputs, [f"{record.name}Args" for record in records]),
            (results_module, [record.name for record in results]),
        )
    )
    main = _module(summary, "OpenNebulaResource, arguments", own_names, own)
    return {
        module: main.replace("import pulumi\n\n", f"import pulumi\n\n{imports}", 1),
        inputs: _module(
            f"Nested arguments of {resource.name}.", "arguments", nested_names[: len(records)], nested[: len(records)]
        ),
        results_module: _module(
            f"Nested results of {resource.name}.", "outputs", nested_names[len(records) :], nested[len(records) :]
        ),
    }


def provider_module() -> str:
    """The module of the provider resource."""
    definitions = [setting.definition for setting in SETTINGS]
    provider = Resource(
        module="provider",
        description="A connection to one OpenNebula zone.",
        id_property="id",
        properties=tuple(definitions),
    )
    keywords = "".join(f"        {_parameter(item, required_here=False)},\n" for item in definitions)
    passed = "".join(f"            {item.python_name}={item.python_name},\n" for item in definitions)
    environment = _argument_docs(
        (
            (
                setting.definition.python_name,
                setting.definition.description
                + (f" Environment: `{setting.environment}`." if setting.environment else ""),
            )
            for setting in SETTINGS
        ),
        indent=12,
    )
    body = f'''class Provider(OpenNebulaProvider):
    """A connection to one OpenNebula zone, for the resources that name it as their provider."""

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
{keywords}    ) -> None:
        """Describe the connection; the endpoints are asked, read-only, before anything is planned.

        Args:
            resource_name: Name of the provider in the program.
            opts: Options of the resource.
{environment}        """
        args = ProviderArgs(
{passed}        )
        super().__init__("opennebula", resource_name, args, opts)
'''
    arguments = _arguments(provider).replace("(kw_only_default=True)", "")
    exports = ["ProviderDefaultTagArgs", "ProviderArgs", "Provider"]
    text = _module(
        "Provider: a connection to one OpenNebula zone.",
        "OpenNebulaProvider, arguments",
        exports,
        [_record_input(DEFAULT_TAG), arguments, body],
    )
    return text.replace("from typing import Any, overload\n\n", "")


def function_module(function: Function) -> str:
    """The module of one function, plain and for outputs."""
    outputs = function_outputs(function)
    inputs = [item for item in function.inputs if not item.unsupported]
    records = _records(item.type for item in outputs)
    result = f"{function.name[0].upper()}{function.name[1:]}Result"
    name = snake_case(function.name)
    fields = "".join(_output_field(item) for item in _required_first(outputs))
    result_class = f'''@outputs
class {result}(dict[str, Any]):
    """What `{name}` finds."""

{fields}'''
    plain = "".join(f"    {item.python_name}: {_plain(item.type)} | None = None,\n" for item in inputs)
    lifted = "".join(f"    {item.python_name}: {_input(item.type)} | None = None,\n" for item in inputs)
    values = "".join(f'        "{item.name}": {item.python_name},\n' for item in inputs)
    documented = _argument_docs(((item.python_name, item.description) for item in inputs), indent=8)
    functions = f'''def {name}(
    *,
{plain}    opts: pulumi.InvokeOptions | None = None,
) -> {result}:
{_docstring(function.description)[:-4].rstrip()}

    Args:
{documented}        opts: Options, such as the provider to ask.
    """
    values = {{
{values}    }}
    return call("{function.token}", values, opts, {result})


def {name}_output(
    *,
{lifted}    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[{result}]:
    """As `{name}`, for arguments that are outputs of other resources."""
    values = {{
{values}    }}
    return call_output("{function.token}", values, opts, {result})
'''
    exports = [record.name for record in records] + [result, name, f"{name}_output"]
    exports = [_class_name(item) if item in {record.name for record in records} else item for item in exports]
    text = _module(
        f"{name}: {_lower(function.description)}",
        "call, call_output, outputs",
        exports,
        [*(_record_output(record) for record in records), result_class, functions],
    )
    return text.replace("from typing import Any, overload", "from typing import Any")


def package_exports(names: Iterable[tuple[str, list[str]]]) -> str:
    """The module `pulumi_opennebula.sdk`: every public name of the modules beside it."""
    lines = []
    every: list[str] = []
    for module, exports in names:
        lines.append(f"from pulumi_opennebula.sdk.{module} import {', '.join(sorted(exports))}\n")
        every += exports
    listed = "".join(f'    "{name}",\n' for name in sorted(every))
    return (
        '"""Every public name of the SDK.\n\nMade by `python -m pulumi_opennebula.generate` from '
        '`pulumi_opennebula.definitions`; edit those instead.\n"""\n\nfrom __future__ import annotations\n\n'
        + "".join(lines)
        + f"\n__all__ = [\n{listed}]\n"
    )


def function_outputs(function: Function) -> tuple[Property, ...]:
    """What a function returns: its own outputs, and its inputs echoed or completed."""
    own = {item.name for item in function.outputs}
    return function.outputs + tuple(item for item in function.inputs if item.name not in own)


def exports_of(text: str) -> list[str]:
    """The names that a generated module lists in `__all__`."""
    listed = text.split("__all__ = [", 1)[1].split("]", 1)[0]
    return [item.strip().strip('"') for item in listed.split(",") if item.strip()]


def _module(summary: str, base: str, exports: list[str], parts: list[str]) -> str:
    listed = ", ".join(f'"{item}"' for item in sorted(dict.fromkeys(_class_name(name) for name in exports)))
    heading = textwrap.fill(f'"""{summary}', WIDTH)[3:]
    return HEADER.format(summary=heading, base=base, exports=listed) + "\n\n" + "\n\n".join(parts)


def _required_first(properties: Iterable[Property]) -> list[Property]:
    return sorted(properties, key=lambda item: not item.required)


def _records(types: Iterable[Type]) -> list[Record]:
    found: dict[str, Record] = {}
    for type_ in types:
        for record in records_of(type_):
            found.setdefault(record.name, record)
    return list(found.values())


def _class_name(record: str) -> str:
    return (
        record[0].upper() + record[1:]
        if not record.islower() and record.startswith("get") and "_" not in record
        else record
    )


def _input(type_: Type) -> str:
    match type_:
        case Record():
            return f"pulumi.InputType[{type_.name}Args]"
        case ListOf():
            return f"pulumi.Input[list[{_input(type_.item)}]]"
        case MapOf():
            return f"pulumi.Input[dict[str, {_input(type_.value)}]]"
        case _:
            return f"pulumi.Input[{SCALARS[type_]}]"


def _plain(type_: Type) -> str:
    match type_:
        case Record():
            return _class_name(type_.name)
        case ListOf():
            return f"list[{_plain(type_.item)}]"
        case MapOf():
            return f"dict[str, {_plain(type_.value)}]"
        case _:
            return SCALARS[type_]


def _parameter(item: Property, *, required_here: bool = True) -> str:
    kind = f"pulumi.Input[{_input(item.type)}]" if isinstance(item.type, Record) else _input(item.type)
    return f"{item.python_name}: {kind}" + ("" if item.required and required_here else " | None = None")


def _input_field(item: Property, *, optional: bool = False) -> str:
    kind = f"pulumi.Input[{_input(item.type)}]" if isinstance(item.type, Record) else _input(item.type)
    wanted = item.required and not optional
    default = "" if wanted else ", default=None"
    kind = kind if wanted else f"{kind} | None"
    note = f" Refused: {item.unsupported}" if item.unsupported else ""
    declared = f'    {item.python_name}: {kind} = pulumi.property("{item.name}"{default})\n'
    return declared + _docstring(item.description + note)


def _output_field(item: Property) -> str:
    kind = _plain(item.type)
    optional = "" if item.required else " | None"
    default = "" if item.required else ", default=None"
    # A dict has methods of these names; Pulumi's accessors shadow them in every generated SDK.
    shadow = "  # type: ignore[assignment]" if item.python_name in dir(dict) else ""
    declared = f'    {item.python_name}: {kind}{optional} = pulumi.property("{item.name}"{default}){shadow}\n'
    return declared + _docstring(item.description)


def _record_input(record: Record) -> str:
    fields = "".join(_input_field(item) for item in _required_first(record.properties) if not item.output)
    return f"@arguments\nclass {record.name}Args:\n{_docstring(record.description)}\n{fields}"


def _record_output(record: Record) -> str:
    fields = "".join(_output_field(item) for item in _required_first(record.properties))
    return f"@outputs\nclass {_class_name(record.name)}(dict[str, Any]):\n{_docstring(record.description)}\n{fields}"


def _arguments(resource: Resource) -> str:
    everything_optional = resource.module == "provider"
    fields = "".join(_input_field(item, optional=everything_optional) for item in _required_first(resource.inputs))
    what = "the provider" if everything_optional else f"a {resource.name}"
    return f'@arguments\nclass {resource.name}Args:\n    """What {what} is made of."""\n\n{fields}'


def _resource_class(resource: Resource) -> str:
    inputs = _required_first(resource.inputs)
    keywords = "".join(f"        {_parameter(item)},\n" for item in inputs)
    outputs = "".join(
        f"    {item.python_name}: pulumi.Output[{_plain(item.type)}{'' if _always_there(item) else ' | None'}]"
        f' = pulumi.property("{item.name}")\n{_docstring(item.description)}'
        for item in resource.properties
    )
    unique = "    unique = True\n" if resource.unique_name else ""
    return f'''class {resource.name}(OpenNebulaResource):
{_docstring_start(resource.description)}

    Arguments are those of `{resource.name}Args`, as keywords or as one object.
    """

    resource_type = "{resource.token}"
    arguments_type = {resource.name}Args
{unique}
{outputs}
    @overload
    def __init__(
        self, resource_name: str, args: {resource.name}Args, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
{keywords}    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
'''


def _docstring(text: str, indent: int = 4) -> str:
    """A docstring of one line where it fits, otherwise wrapped."""
    pad = " " * indent
    one = f'{pad}"""{text}"""'
    if len(one) <= WIDTH:
        return one + "\n"
    return textwrap.fill(f'"""{text}', WIDTH, initial_indent=pad, subsequent_indent=pad) + f'\n{pad}"""\n'


def _docstring_start(text: str, indent: int = 4) -> str:
    """The first paragraph of a docstring that goes on."""
    pad = " " * indent
    return textwrap.fill(f'"""{text}', WIDTH, initial_indent=pad, subsequent_indent=pad)


def _argument_docs(documented: Iterable[tuple[str, str]], indent: int) -> str:
    """Lines of an `Args:` section."""
    pad = " " * indent
    return "".join(
        textwrap.fill(f"{name}: {text}", WIDTH, initial_indent=pad, subsequent_indent=pad + "    ") + "\n"
        for name, text in documented
    )


def _always_there(item: Property) -> bool:
    return item.required or item.computed or item.output or item.default is not None


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
