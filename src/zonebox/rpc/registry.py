"""The table of methods: names, parameters, functions. It runs one call in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zonebox.errors import BadCall, NotAuthenticated
from zonebox.model.zone_model import Model
from zonebox.ports import Caller

Function = Callable[..., Any]
REQUIRED: Any = object()
"""Default of a parameter that has none."""


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter after the session string."""

    kind: type
    default: Any = REQUIRED


INT, STR, BOOL, LIST = Param(kind=int), Param(kind=str), Param(kind=bool), Param(kind=list)


def optional(kind: type, default: Any) -> Param:
    """A parameter that may be left out."""
    return Param(kind=kind, default=default)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method; its function takes model, caller and the parameters.

    Its result is what the reply's second element is: an id, a text, a boolean; None stands for the first parameter,
    which most methods answer with.
    """

    name: str
    params: tuple[Param, ...]
    function: Function


class Registry:
    """The methods a zone answers."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def add(self, name: str, function: Function, *params: Param) -> None:
        """Put a method into the table. Raises ValueError: it is there already."""
        if name in self._methods:
            raise ValueError(f"{name} is in the table already")
        self._methods[name] = Method(name=name, params=params, function=function)

    def names(self) -> list[str]:
        """Every method, sorted."""
        return sorted(self._methods)

    def call(self, model: Model, name: str, params: Sequence[Any]) -> Any:
        """Answer one call: credentials first, then the method, in one transaction.

        Raises:
            OneError: whatever is refused.
        """
        caller = _authenticate(model, params)
        method = self._methods.get(name)
        if method is None:
            raise BadCall(
                f"Method {name} is not supported by this zone (zonebox): only the methods listed in "
                "docs/reference/zonebox.md are. Use one of them, or a full OpenNebula."
            )
        arguments = _arguments(method, params[1:])
        with model.store.transaction():
            result = method.function(model, caller, *arguments)
        return arguments[0] if result is None and arguments else result


def _authenticate(model: Model, params: Sequence[Any]) -> Caller:
    session = params[0] if params and isinstance(params[0], str) else ""
    username, _, password = session.partition(":")
    caller = model.users.authenticate(username, password)
    if caller is None:
        raise NotAuthenticated
    return caller


def _arguments(method: Method, given: Sequence[Any]) -> list[Any]:
    arguments: list[Any] = []
    for number, param in enumerate(method.params):
        if number >= len(given):
            if param.default is REQUIRED:
                raise BadCall(f"Parameter {number + 1} ({param.kind.__name__}) is missing, {len(given)} were given.")
            arguments.append(param.default)
            continue
        arguments.append(_converted(given[number], param.kind, number))
    return arguments


def _converted(value: Any, kind: type, number: int) -> Any:
    if kind is bool and isinstance(value, int):
        return bool(value)
    if kind is int and isinstance(value, int):
        return int(value)
    if isinstance(value, kind):
        return value
    if kind is str and isinstance(value, int | float):
        return str(value)
    raise BadCall(f"Parameter {number + 1} must be {kind.__name__}, {type(value).__name__} was given.")
