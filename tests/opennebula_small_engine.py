"""As much of Pulumi's engine as a provider notices: check, diff, then create, update, replace, delete or read.

One resource after the other, in this process. It keeps what the real one keeps: outputs and inputs of the last success,
objects that were made before something failed (as not ready: the next `up` updates them without a difference), and the
old object where a replacement failed. It knows nothing of OpenNebula.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from pulumi_opennebula.errors import OpenNebulaError
from pulumi_opennebula.provider.engine import OpenNebulaProvider, PartialError
from pulumi_opennebula.provider.values import UNKNOWN, Unknown, is_unknown, plain, wrapped

Properties = dict[str, PropertyValue]


@dataclass(frozen=True)
class Ref:
    """The id of another resource of the program."""

    name: str


@dataclass(frozen=True)
class Json:
    """A value with Refs in it, as JSON text; ids are numbers in it."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A resource of a program."""

    kind: str
    """`virtualNetwork`: the middle of its token."""
    inputs: Mapping[str, Any]
    after: tuple[str, ...] = ()
    """Resources that it depends on without using their ids."""

    @property
    def token(self) -> str:
        """`opennebula:index/image:Image`."""
        return f"opennebula:index/{self.kind}:{self.kind[0].upper()}{self.kind[1:]}"

    @property
    def needs(self) -> frozenset[str]:
        """Names of the resources that must exist before it."""
        return frozenset({*self.after, *_refs(self.inputs)})


Program = dict[str, Declared]
"""By name, each after what it needs."""


@dataclass(kw_only=True)
class Entry:
    """A resource of the state."""

    token: str
    id: str
    inputs: Properties
    outputs: Properties
    needs: frozenset[str]
    ready: bool = True


class EngineError(Exception):
    """A resource could not be brought to what the program says."""


@dataclass
class SmallEngine:
    """The engine and its state.

    Args:
        connect: makes a configured provider; the engine starts a new one for every command.
    """

    connect: Callable[[], Awaitable[OpenNebulaProvider]]
    state: dict[str, Entry] = field(default_factory=dict)
    doomed: list[tuple[str, Entry]] = field(default_factory=list)
    """Old objects of replacements that are to be deleted still."""
    provider: OpenNebulaProvider | None = None
    """The provider of the command that runs."""

    async def preview(self, program: Program) -> dict[str, str]:
        """What `up` would do: create, update, replace, delete or same, by resource."""
        self.provider = await self.connect()
        ids: dict[str, Any] = {name: entry.id for name, entry in self.state.items()}
        steps: dict[str, str] = {}
        for name, declared in program.items():
            steps[name] = await self.previewed(name, declared, ids)
            if steps[name] in {"create", "replace"}:
                ids[name] = UNKNOWN
        return steps | {name: "delete" for name in self.state if name not in program}

    async def previewed(self, name: str, declared: Declared, ids: Mapping[str, Any]) -> str:
        """What `up` would do with one resource, of the provider that is connected."""
        assert self.provider is not None
        inputs = await self._checked(name, declared, ids)
        entry = self.state.get(name)
        step = "create"
        if entry is not None:
            diff = await self._diff(name, entry, inputs)
            step = "replace" if diff.replaces else "update" if diff.changes or not entry.ready else "same"
        urn = _urn(name, declared.token)
        if entry is not None and step == "update":
            await self.provider.update(sdk.UpdateRequest(urn, entry.id, entry.outputs, inputs, 0, [], True))
        elif step != "same":
            await self.provider.create(sdk.CreateRequest(urn, inputs, 0, True))
        return step

    async def up(self, program: Program) -> dict[str, str]:
        """Bring the cloud to the program; what was done, by resource.

        Raises:
            EngineError: at the first resource that fails; what was done until then is in the state.
        """
        self.provider = await self.connect()
        steps: dict[str, str] = {}
        for name, declared in program.items():
            ids = {known: entry.id for known, entry in self.state.items()}
            inputs = await self._checked(name, declared, ids)
            steps[name] = await self._step(name, declared, inputs, program)
        await self._delete_doomed()
        gone = {name for name in self.state if name not in program}
        for name in self._last_first(gone):
            await self._delete(name)
            steps[name] = "delete"
        return steps

    async def refresh(self) -> dict[str, str]:
        """Take what the cloud has into the state; what was found, by resource: same, changed or gone."""
        self.provider = await self.connect()
        found: dict[str, str] = {}
        for name, entry in list(self.state.items()):
            urn = _urn(name, entry.token)
            seen = await self.provider.read(sdk.ReadRequest(urn, entry.id, entry.outputs, entry.inputs))
            if not seen.resource_id:
                del self.state[name]
                found[name] = "gone"
                continue
            found[name] = "same" if bare(seen.properties) == bare(entry.outputs) else "changed"
            entry.outputs, entry.inputs, entry.ready = seen.properties, seen.inputs, True
        return found

    async def destroy(self) -> None:
        """Delete everything, dependents first."""
        self.provider = await self.connect()
        await self._delete_doomed()
        for name in self._last_first(set(self.state)):
            await self._delete(name)

    async def import_(self, name: str, declared: Declared, id_: str) -> None:
        """Adopt an object that exists."""
        self.provider = await self.connect()
        seen = await self.provider.read(sdk.ReadRequest(_urn(name, declared.token), id_, {}, {}))
        if not seen.resource_id:
            raise EngineError(f"{name}: there is no {declared.kind} {id_}")
        self.state[name] = Entry(
            token=declared.token, id=id_, inputs=seen.inputs, outputs=seen.properties, needs=declared.needs
        )

    async def _checked(self, name: str, declared: Declared, ids: Mapping[str, Any]) -> Properties:
        assert self.provider is not None
        given = wrapped(_resolved(declared.inputs, ids), frozenset())
        answer = await self.provider.check(sdk.CheckRequest(_urn(name, declared.token), {}, given, b""))
        if answer.failures:
            raise EngineError(f"{name}: " + "; ".join(failure.reason for failure in answer.failures))
        return answer.inputs or {}

    async def _diff(self, name: str, entry: Entry, inputs: Properties) -> sdk.DiffResponse:
        assert self.provider is not None
        return await self.provider.diff(sdk.DiffRequest(_urn(name, entry.token), entry.id, entry.outputs, inputs, []))

    async def _step(self, name: str, declared: Declared, inputs: Properties, program: Program) -> str:
        entry = self.state.get(name)
        if entry is None:
            await self._create(name, declared, inputs)
            return "create"
        diff = await self._diff(name, entry, inputs)
        if diff.replaces and diff.delete_before_replace:
            for dependent in self._last_first(await self._replaced_with(name, program)):
                await self._delete(dependent)
            await self._create(name, declared, inputs)
            return "replace"
        if diff.replaces:
            await self._create(name, declared, inputs)
            self.doomed.append((name, entry))
            return "replace"
        if diff.changes or not entry.ready:
            await self._update(name, entry, inputs)
            return "update"
        entry.inputs, entry.needs = inputs, declared.needs
        return "same"

    async def _replaced_with(self, name: str, program: Program) -> set[str]:
        """The resource, and those that would be replaced because its id is not known any more."""
        found = {name}
        for other, entry in self.state.items():
            if other not in program or not entry.needs & found:
                continue
            ids = {known: UNKNOWN if known in found else item.id for known, item in self.state.items()}
            diff = await self._diff(other, entry, await self._checked(other, program[other], ids))
            if diff.replaces:
                found.add(other)
        return found

    async def _create(self, name: str, declared: Declared, inputs: Properties) -> None:
        assert self.provider is not None
        request = sdk.CreateRequest(_urn(name, declared.token), inputs, 0, False)
        try:
            made = await self.provider.create(request)
        except PartialError as error:
            self.state[name] = Entry(
                token=declared.token,
                id=error.id,
                inputs=error.inputs,
                outputs=error.properties,
                needs=declared.needs,
                ready=False,
            )
            raise EngineError(f"{name}: {error}") from error
        except OpenNebulaError as error:
            raise EngineError(f"{name}: {error}") from error
        assert made.resource_id
        self.state[name] = Entry(
            token=declared.token, id=made.resource_id, inputs=inputs, outputs=made.properties, needs=declared.needs
        )

    async def _update(self, name: str, entry: Entry, inputs: Properties) -> None:
        assert self.provider is not None
        request = sdk.UpdateRequest(_urn(name, entry.token), entry.id, entry.outputs, inputs, 0, [], False)
        try:
            made = await self.provider.update(request)
        except PartialError as error:
            entry.inputs, entry.outputs, entry.ready = error.inputs, error.properties, False
            raise EngineError(f"{name}: {error}") from error
        except OpenNebulaError as error:
            raise EngineError(f"{name}: {error}") from error
        entry.inputs, entry.outputs, entry.ready = inputs, made.properties or {}, True

    async def _delete(self, name: str) -> None:
        await self._remove(name, self.state[name])
        del self.state[name]

    async def _delete_doomed(self) -> None:
        while self.doomed:
            await self._remove(*self.doomed[-1])
            self.doomed.pop()

    async def _remove(self, name: str, entry: Entry) -> None:
        assert self.provider is not None
        # The real servicer adds inputs that are in no output (plugin.py).
        properties = {**entry.inputs, **entry.outputs}
        try:
            await self.provider.delete(sdk.DeleteRequest(_urn(name, entry.token), entry.id, properties, 0))
        except OpenNebulaError as error:
            raise EngineError(f"{name}: {error}") from error

    def _last_first(self, names: set[str]) -> list[str]:
        """Names in the order of deletion: what needs others before them."""
        left, order = set(names), []
        while left:
            free = sorted(
                name for name in left if not any(name in self.state[other].needs for other in left if other != name)
            )
            order += free
            left -= set(free)
        return order


def bare(properties: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """Plain values, without secrets' marks."""
    return plain(properties)[0]


def _urn(name: str, token: str) -> str:
    return f"urn:pulumi:test::project::{token}::{name}"


def _refs(value: Any) -> set[str]:
    match value:
        case Ref(name):
            return {name}
        case Json(inner):
            return _refs(inner)
        case Mapping():
            return {found for item in value.values() for found in _refs(item)}
        case list() | tuple():
            return {found for item in value for found in _refs(item)}
        case _:
            return set()


def _resolved(value: Any, ids: Mapping[str, Any]) -> Any:
    match value:
        case Ref(name):
            return ids.get(name, UNKNOWN)
        case Json(inner):
            found = _resolved(inner, {name: int(id_) if str(id_).isdigit() else id_ for name, id_ in ids.items()})
            return UNKNOWN if is_unknown(found) else json.dumps(found)
        case Mapping():
            return {key: _resolved(item, ids) for key, item in value.items()}
        case list() | tuple():
            return [_resolved(item, ids) for item in value]
        case Unknown():
            return UNKNOWN
        case _:
            return value
