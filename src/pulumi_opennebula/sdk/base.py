"""What every generated class of the SDK rests on. Knows no resource, and never talks to the cloud.

`arguments` and `outputs` are Pulumi's own decorators, declared so that type checkers see the constructors they make.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

import pulumi

_T = TypeVar("_T")


@dataclass_transform(kw_only_default=True, field_specifiers=(pulumi.property,))
def arguments(cls: type[_T]) -> type[_T]:
    """Mark a class as arguments; each field carries its name in the schema."""
    return pulumi.input_type(cls)


@dataclass_transform(kw_only_default=True, field_specifiers=(pulumi.property,))
def outputs(cls: type[_T]) -> type[_T]:
    """Mark a class as what the provider returns."""
    return pulumi.output_type(cls)


class OpenNebulaResource(pulumi.CustomResource):
    """A resource of the `opennebula` provider."""

    resource_type: ClassVar[str]
    arguments_type: ClassVar[type[Any]]
    unique: ClassVar[bool] = False
    """Whether OpenNebula refuses a second one of the same name or addresses beside it."""

    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        """Declare the resource; see the subclass for its arguments."""
        given, opts = _split(self.arguments_type, resource_name, args, keywords)
        if self.unique:
            opts = _deleted_first(opts)
        # An output that is not among the properties would never be resolved: each is listed, without a value.
        properties: Any = object.__new__(self.arguments_type)
        every = dict.fromkeys(type(self).__annotations__)
        properties.__dict__.update({**every, **given.__dict__})
        super().__init__(self.resource_type, resource_name, properties, opts)

    @classmethod
    def get(cls, resource_name: str, id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> Self:
        """Read an object that exists, without managing it.

        Args:
            resource_name: Name of the resource in the program.
            id: The object's number; of an address range `<network>:<range>`.
            opts: Options of the resource.
        """
        merged = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id))
        found = cls.__new__(cls)
        empty: Any = object.__new__(cls.arguments_type)
        empty.__dict__.update(dict.fromkeys(cls.__annotations__))
        pulumi.CustomResource.__init__(found, cls.resource_type, resource_name, empty, merged)
        return found


class OpenNebulaProvider(pulumi.ProviderResource):
    """The provider resource's base: settings travel as JSON strings, as the engine wants them."""

    def __init__(self, package: str, resource_name: str, args: Any, opts: pulumi.ResourceOptions | None) -> None:
        values = {name: value for name, value in args.__dict__.items() if value is not None}
        properties = args.__class__.__new__(args.__class__)
        properties.__dict__.update(values)
        if "password" in values:
            properties.__dict__["password"] = pulumi.Output.secret(values["password"])
        for name in ("insecure", "request_timeout_s", "default_tags"):
            if name in values:
                properties.__dict__[name] = pulumi.Output.from_input(values[name]).apply(pulumi.runtime.to_json)
        super().__init__(package, resource_name, properties, opts)


def call(token: str, values: dict[str, Any], opts: pulumi.InvokeOptions | None, type_: type[_T]) -> _T:
    """Call a function of the provider now."""
    given = {name: value for name, value in values.items() if value is not None}
    return cast(_T, pulumi.runtime.invoke(token, given, opts=opts, typ=type_).value)


def call_output(
    token: str,
    values: dict[str, Any],
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None,
    type_: type[_T],
) -> pulumi.Output[_T]:
    """Call a function of the provider when its arguments are known."""
    given = {name: value for name, value in values.items() if value is not None}
    return pulumi.runtime.invoke_output(token, given, opts=opts, typ=type_)


def _deleted_first(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Options under which a replacement deletes the old object first, where they do not say how.

    The provider says so, too; but the engine (3.259) does not ask it about `pulumi up --replace` and the options
    `replace_on_changes` and `replace_with`.
    """
    found = pulumi.ResourceOptions() if opts is None else copy.copy(opts)
    if found.delete_before_replace is None:
        found.delete_before_replace = True
    return found


def _split(
    arguments_type: type[Any], resource_name: str, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[Any, pulumi.ResourceOptions | None]:
    """Arguments and options from either way of calling a constructor."""
    rest = list(args)
    given = keywords.pop("args", None)
    if given is None and rest and isinstance(rest[0], arguments_type):
        given = rest.pop(0)
    elif given is None and len(rest) > 1 and rest[0] is None:
        rest.pop(0)
    opts = keywords.pop("opts", None)
    if opts is None and rest:
        opts = rest.pop(0)
    if opts is not None and not isinstance(opts, pulumi.ResourceOptions):
        raise TypeError(
            f"{resource_name}: got {type(opts).__name__} where ResourceOptions belong. Pulumi reads the second "
            f"positional argument as options; give arguments as keywords or as one {arguments_type.__name__}."
        )
    if given is not None and keywords:
        raise TypeError(
            f"{resource_name}: got {arguments_type.__name__} and the keywords {', '.join(sorted(keywords))}. "
            "One of the two says what the resource is made of; put everything into one of them."
        )
    return (arguments_type(**keywords) if given is None else given), opts
