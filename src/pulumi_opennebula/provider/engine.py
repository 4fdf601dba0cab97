"""The provider as the engine calls it: configure, check, diff, create, read, update, delete, invoke.

It turns wrappers into plain values, finds the handler of the type, and puts states together. What a type means to
OpenNebula is the handlers' affair, and whether an endpoint answers the clients'. A preview calls nothing that changes.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.definitions.model import Record, Resource
from pulumi_opennebula.errors import (
    CancelledError,
    ConfigurationError,
    DefectError,
    FailedObjectError,
    InputError,
    OpenNebulaError,
)
from pulumi_opennebula.provider import diffs, states
from pulumi_opennebula.provider.checks import Findings, checked
from pulumi_opennebula.provider.client.oned import say_unverified
from pulumi_opennebula.provider.functions import FUNCTIONS
from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.resources.documents import same_template
from pulumi_opennebula.provider.resources.shared import check_default_tags
from pulumi_opennebula.provider.schema import schema_text
from pulumi_opennebula.provider.settings import ZoneSettings, has_unknown, settings_of
from pulumi_opennebula.provider.values import (
    FAILED,
    IMPORTED,
    UNREAD,
    Secrets,
    Values,
    is_unknown,
    path_text,
    plain,
    wrapped,
)
from pulumi_opennebula.provider.vectors import all_tags
from pulumi_opennebula.provider.zone import Zone

Progress = Callable[[str, str], None]
"""Takes a resource's URN and a line to show beside it."""
STOPPING_S: Final = 2.0
"""Longest time to read an object for the state when the engine has asked to stop, in seconds."""
KINDS = {
    (diffs.Kind.ADD, False): sdk.PropertyDiffKind.ADD,
    (diffs.Kind.ADD, True): sdk.PropertyDiffKind.ADD_REPLACE,
    (diffs.Kind.DELETE, False): sdk.PropertyDiffKind.DELETE,
    (diffs.Kind.DELETE, True): sdk.PropertyDiffKind.DELETE_REPLACE,
    (diffs.Kind.UPDATE, False): sdk.PropertyDiffKind.UPDATE,
    (diffs.Kind.UPDATE, True): sdk.PropertyDiffKind.UPDATE_REPLACE,
}


class PartialError(OpenNebulaError):
    """An object was made or changed, and then something failed: the engine has to keep it in the state.

    Attributes:
        id: The object's id.
        properties: Its state as far as it is known.
        inputs: The inputs that it was made with.
    """

    def __init__(self, cause: OpenNebulaError, id_: str, properties: dict[str, Any], inputs: dict[str, Any]) -> None:
        super().__init__(cause.value, cause.rule, cause.reason, cause.remedy)
        self.id = id_
        self.properties = properties
        self.inputs = inputs


class OpenNebulaProvider(sdk.Provider):
    """One instance a connection: the engine starts a process for each."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        progress: Progress = lambda urn, line: None,
        make_zone: Callable[[ZoneSettings], Zone] = Zone,
    ) -> None:
        self._environment = environment
        self._progress = progress
        self._make_zone = make_zone
        self._zone: Zone | None = None

    @property
    def zone(self) -> Zone:
        """The configured zone."""
        if self._zone is None:
            raise ConfigurationError(
                "the provider",
                "it must be configured before it is used",
                "the engine has not given it an endpoint",
                "Report this to the provider's authors with the command that was run",
            )
        return self._zone

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:
        """The package's schema."""
        return sdk.GetSchemaResponse(schema_text())

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse settings that cannot be; asks no endpoint. Nothing of the environment goes into the state."""
        values, _ = plain(request.new_inputs)
        failures = []
        if not has_unknown(values):
            try:
                settings_of(values, self._environment)
            except ConfigurationError as err:
                failures.append(sdk.CheckFailure(err.value.split(" ", 1)[0], str(err)))
        return sdk.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Connect, and prove read-only that the zone answers and takes the credentials. In previews, too."""
        values, _ = plain(request.args)
        settings = settings_of(values, self._environment)
        if settings.insecure:
            say_unverified(settings)
        zone = self._make_zone(settings)
        await zone.prove()
        self._zone = zone
        # Outputs would arrive in a form that pulumi 3.272's PropertyValue cannot read where they are unknown.
        return sdk.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_resources=False, accept_outputs=False
        )

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Inputs in their types, with defaults, or the reasons why not."""
        handler = _handler(request.type)
        inputs, secrets = plain(request.new_inputs)
        hidden = secrets | states.defined_secrets(handler.definition, inputs) | states.named_secrets(inputs)
        findings = Findings(owner=f"{handler.definition.name} {request.name}", secrets=hidden)
        if handler.definition.record.get("name") is not None and inputs.get("name") is None:
            inputs["name"] = request.name
        normal = checked(handler.definition.record, inputs, findings)
        if not findings.refusals:
            handler.check(normal, findings)
            if handler.owned is not None and self._zone is not None:
                check_default_tags(self.zone.settings.default_tags, handler.owned, findings)
        failures = [sdk.CheckFailure(err.path, str(err)) for err in findings.refusals]
        if not failures and handler.needs_flow and self._zone is not None:
            await self.zone.prove_flow()
        marked = secrets | states.defined_secrets(handler.definition, normal)
        return sdk.CheckResponse(inputs=wrapped(normal, marked), failures=failures)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Which properties differ, and whether that replaces the object."""
        handler = _handler(request.type)
        new, _ = plain(request.new_inputs)
        old = _before(handler, plain(request.old_state)[0], new)
        found = handler.refine(diffs.changes(handler.definition.record, old, new), old, new)
        found += self._tag_changes(handler.definition, old, new)
        if old.get(FAILED):
            found.append(diffs.Change(path=(handler.definition.id_property,), kind=diffs.Kind.UPDATE, replace=True))
        found = [change for change in found if str(change.path[0]) not in request.ignore_changes]
        replaces = [path_text(change.path) for change in found if change.replace]
        return sdk.DiffResponse(
            changes=bool(found),
            replaces=replaces,
            diffs=sorted({str(change.path[0]) for change in found}),
            delete_before_replace=bool(replaces) and handler.definition.unique_name,
            detailed_diff={
                path_text(change.path): sdk.PropertyDiff(KINDS[change.kind, change.replace], input_diff=False)
                for change in found
            },
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make the object; in a preview, say what is known of it."""
        handler = _handler(request.type)
        inputs, secrets = plain(request.properties)
        if request.preview:
            return sdk.CreateResponse(None, self._planned(handler, inputs, None, secrets))
        call = self._call("create", request.urn, request.timeout)
        id_ = await handler.create(call, inputs)
        try:
            await handler.settle(call, id_, inputs)
            state = await self._state(call, handler, id_, inputs)
        except Exception as err:
            # Also after a defect of this package: an object without its id in the state would never be found again.
            cause = _of_this_package(err)
            raise await self._partial(call, handler, id_, inputs=inputs, secrets=secrets, cause=cause) from err
        return sdk.CreateResponse(id_, self._wrapped(handler, state, inputs, secrets))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """The object as the cloud has it: on refresh, on import, and for `.get`. Nothing where it is gone."""
        handler = _handler(request.type)
        handler.check_id(request.resource_id)
        old, marked = plain(request.properties)
        inputs, input_secrets = plain(request.inputs)
        imported = not inputs
        call = self._call("read", request.urn, 0)
        # More than the inputs where an update failed: see `of_both`.
        before = {} if imported else states.of_both(handler.definition, old, _given(inputs))
        seen = await handler.read(call, request.resource_id, None if imported else before)
        if seen is None:
            return sdk.ReadResponse()
        state = states.settled(handler.definition, before, seen, same_template)
        kept = {name: old[name] for name in (IMPORTED, FAILED) if old.get(name)}
        if old.get(FAILED) and not await handler.has_failed(call, request.resource_id):
            del kept[FAILED]
        state |= {IMPORTED: True} if imported else kept
        new_inputs = (
            handler.imported(states.imported_inputs(handler.definition, state))
            if imported
            else states.refreshed_inputs(handler.definition, inputs, state)
        )
        secrets = states.secret_paths(
            handler.definition, state, before, marked | input_secrets, imported=imported or bool(kept.get(IMPORTED))
        )
        input_marks = frozenset(path for path in secrets if path[0] in new_inputs)
        return sdk.ReadResponse(request.resource_id, wrapped(state, secrets), wrapped(new_inputs, input_marks))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change the object in place; in a preview, say what is known of it."""
        handler = _handler(request.type)
        new, secrets = plain(request.news)
        before, old_secrets = plain(request.olds)
        old = _before(handler, before, new)
        if request.preview:
            return sdk.UpdateResponse(self._planned(handler, new, old, secrets))
        call = self._call("update", request.urn, request.timeout)
        carried = {name: old[name] for name in handler.carried if name in old}
        try:
            if old.get(UNREAD):
                old = await self._read_again(call, handler, request.resource_id, old)
            await handler.update(call, request.resource_id, old, new)
            state = await self._state(call, handler, request.resource_id, new, carried)
        except Exception as err:
            raise await self._partial(
                call,
                handler,
                request.resource_id,
                inputs=new,
                secrets=secrets,
                cause=_of_this_package(err),
                known=states.of_both(handler.definition, old, new),
                known_secrets=secrets | old_secrets,
            ) from err
        return sdk.UpdateResponse(self._wrapped(handler, state, new, secrets))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove the object; gone is done."""
        handler = _handler(request.type)
        old, _ = plain(request.properties)
        await handler.delete(self._call("delete", request.urn, request.timeout), request.resource_id, old)

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Call a function."""
        function = FUNCTIONS.get(request.tok)
        if function is None:
            raise _unknown_token(request.tok, sorted(FUNCTIONS))
        arguments, secrets = plain(request.args)
        findings = Findings(owner=function.definition.name, secrets=secrets)
        record = Record(name=function.definition.name, properties=function.definition.inputs)
        normal = checked(record, arguments, findings)
        if findings.refusals:
            return sdk.InvokeResponse(failures=[sdk.CheckFailure(err.path, str(err)) for err in findings.refusals])
        return sdk.InvokeResponse(wrapped(await function.call(self.zone, normal), frozenset()))

    async def cancel(self) -> None:
        """Stop waiting at once; objects stay in the state as not ready."""
        if self._zone is not None:
            self._zone.cancel()

    def _call(self, operation: str, urn: str, timeout_s: float) -> Call:
        return Call(
            zone=self.zone,
            operation=operation,
            timeout_s=timeout_s or 0,
            progress=lambda line: self._progress(urn, line),
        )

    async def _state(
        self, call: Call, handler: Handler, id_: str, inputs: Values, carried: Values | None = None
    ) -> Values:
        seen = await handler.read(call, id_, {**(carried or {}), **inputs})
        if seen is None:
            raise FailedObjectError(
                f"{handler.definition.name} {id_}",
                "it must exist after it was made",
                "the zone does not know it any more",
                "Somebody deleted it in the meantime: run `pulumi refresh`, then `pulumi up`",
            )
        return states.settled(handler.definition, inputs, seen, same_template)

    async def _read_again(self, call: Call, handler: Handler, id_: str, old: Values) -> Values:
        """The state of an object that could not be read when it was made or changed last."""
        seen = await handler.read(call, id_, old)
        kept = {name: old[name] for name in (IMPORTED, FAILED) if old.get(name)}
        return old if seen is None else states.settled(handler.definition, old, seen, same_template) | kept

    async def _partial(
        self,
        call: Call,
        handler: Handler,
        id_: str,
        *,
        inputs: Values,
        secrets: Secrets,
        cause: OpenNebulaError,
        known: Values | None = None,
        known_secrets: Secrets | None = None,
    ) -> PartialError:
        """The state of what was made or changed before something failed, as well as it can be known.

        Args:
            call: The operation.
            handler: The type's.
            id_: The object.
            inputs: The new inputs.
            secrets: Where the program marked them.
            cause: What failed.
            known: What the state spoke of before, too; None of a new object.
            known_secrets: Secrets in it.
        """
        spoken_of = inputs if known is None else known
        # Who is asked to stop does not wait for a zone that does not answer.
        patience_s = STOPPING_S if isinstance(cause, CancelledError) else None
        try:
            state = await asyncio.wait_for(self._state(call, handler, id_, spoken_of), patience_s)
        except Exception:
            logging.getLogger(__name__).debug("no state of %s after a failure", id_, exc_info=True)
            state = {name: value for name, value in spoken_of.items() if not is_unknown(value)} | {UNREAD: True}
        if isinstance(cause, FailedObjectError) and handler.replaced_where_failed:
            state[FAILED] = True
        marks = secrets if known_secrets is None else known_secrets
        return PartialError(cause, id_, self._wrapped(handler, state, spoken_of, marks), wrapped(inputs, secrets))

    def _wrapped(self, handler: Handler, state: Values, inputs: Values, secrets: Secrets) -> dict[str, Any]:
        return wrapped(state, states.secret_paths(handler.definition, state, inputs, secrets, imported=False))

    def _planned(self, handler: Handler, inputs: Values, old: Values | None, secrets: Secrets) -> dict[str, Any]:
        state = states.planned(handler.definition, inputs, old, handler.settled_later)
        if "tagsAll" in state and not is_unknown(inputs.get("tags")):
            state |= self._tags(inputs)
        return self._wrapped(handler, state, inputs, secrets)

    def _tags(self, inputs: Values) -> Values:
        defaults = dict(self.zone.settings.default_tags)
        every = all_tags(inputs, defaults)
        return {"tagsAll": every, "defaultTags": {key: defaults[key] for key in defaults if key in every}}

    def _tag_changes(self, definition: Resource, old: Values, new: Values) -> list[diffs.Change]:
        """A change of the provider's default tags is a change of every object that has them."""
        item = definition.record.get("defaultTags")
        if item is None or self._zone is None or is_unknown(new.get("tags")):
            return []
        wanted = self._tags(new)["defaultTags"]
        changed = not diffs.same(item, item.type, old.get("defaultTags") or {}, wanted)
        return [diffs.Change(path=("defaultTags",), kind=diffs.Kind.UPDATE)] if changed else []


def _before(handler: Handler, old: Values, new: Values) -> Values:
    """The state to compare with: of an imported object, what the program can speak of and the cloud can say."""
    if not old.get(IMPORTED):
        return old
    local = {item.name: new[item.name] for item in handler.definition.properties if item.local and item.name in new}
    return handler.adopted(states.adopted(old, new) | local, new)


def _of_this_package(err: Exception) -> OpenNebulaError:
    """The error, or what to say of one that nobody raised on purpose."""
    if isinstance(err, OpenNebulaError):
        return err
    frame = traceback.extract_tb(err.__traceback__)[-1]
    return DefectError(
        f"{type(err).__name__} at line {frame.lineno} of {Path(frame.filename).name}",
        "the provider must understand what the zone answers",
        "it did not expect this, which is a defect of its own",
        "Report it with the command that was run. The object is in the state, and the next `pulumi up` goes on with it",
    )


def _given(inputs: Values) -> Values:
    return {name: value for name, value in inputs.items() if value is not None}


def _handler(token: str) -> Handler:
    # A resource inside components comes with the types of its parents before it: `a:b:C$opennebula:index/image:Image`.
    handler = HANDLERS.get(token.rpartition("$")[2])
    if handler is None:
        raise _unknown_token(token, sorted(HANDLERS))
    return handler


def _unknown_token(token: str, known: list[str]) -> InputError:
    return InputError(
        "type",
        f"the type or function is {token}",
        f"it must be one of {', '.join(known)}",
        "this provider offers no other",
        "Use one of them, or the bridged opennebula package for the others",
    )
