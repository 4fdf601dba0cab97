"""The plugin's face to the engine: unwraps, asks a resource's tables and functions, wraps. Reaches no network.

Every failure that can be seen in the inputs is reported by `check`, at preview; `create` raises only for what was
unknown then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.property_value import PropertyValue

from pulumi_resource_tls.cert_request import CERT_REQUEST
from pulumi_resource_tls.certificates import LOCALLY_SIGNED_CERT, SELF_SIGNED_CERT
from pulumi_resource_tls.changes import Change, Move, changes
from pulumi_resource_tls.errors import InvalidPropertyError, NotServedError
from pulumi_resource_tls.private_key import PRIVATE_KEY
from pulumi_resource_tls.properties import check_shape, with_defaults
from pulumi_resource_tls.renewal import is_due_by_state
from pulumi_resource_tls.resource_kind import ResourceKind
from pulumi_resource_tls.schema import package_schema
from pulumi_resource_tls.sources import Sources
from pulumi_resource_tls.values import UNKNOWN, Inputs, Plain, any_unknown, plain_map, wrap

# The version of pulumi_tls whose properties are served; the SDK asks the engine for a plugin of its own version.
VERSION: Final = "5.6.2"

KINDS: Final[Mapping[str, ResourceKind]] = {
    kind.token: kind for kind in (PRIVATE_KEY, CERT_REQUEST, SELF_SIGNED_CERT, LOCALLY_SIGNED_CERT)
}

_DIFF_KINDS: Final[Mapping[tuple[Move, bool], engine.PropertyDiffKind]] = {
    (Move.ADD, False): engine.PropertyDiffKind.ADD,
    (Move.ADD, True): engine.PropertyDiffKind.ADD_REPLACE,
    (Move.DELETE, False): engine.PropertyDiffKind.DELETE,
    (Move.DELETE, True): engine.PropertyDiffKind.DELETE_REPLACE,
    (Move.UPDATE, False): engine.PropertyDiffKind.UPDATE,
    (Move.UPDATE, True): engine.PropertyDiffKind.UPDATE_REPLACE,
}


class TlsProvider(engine.Provider):
    """Serves the four resources of pulumi_tls.

    Args:
        sources: clock and randomness.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def get_schema(self, request: engine.GetSchemaRequest) -> engine.GetSchemaResponse:
        return engine.GetSchemaResponse(schema=json.dumps(package_schema(KINDS.values(), version=VERSION)))

    async def configure(self, request: engine.ConfigureRequest) -> engine.ConfigureResponse:
        # accept_outputs stays off: SDK 3.272.0 cannot unmarshal an output value that is unknown.
        return engine.ConfigureResponse(accept_secrets=True, supports_preview=True, accept_resources=False)

    async def check(self, request: engine.CheckRequest) -> engine.CheckResponse:
        kind = kind_of(request.type)
        try:
            inputs = plain_map(request.new_inputs)
        except InvalidPropertyError as problem:
            return _failed([problem])
        problems = check_shape(kind.properties, inputs) or list(kind.rules(with_defaults(kind.properties, inputs)))
        if problems:
            return _failed(problems)
        return engine.CheckResponse(inputs=_marked(kind, request.new_inputs))

    async def diff(self, request: engine.DiffRequest) -> engine.DiffResponse:
        found = changes(
            kind_of(request.type),
            state=plain_map(request.old_state),
            inputs=plain_map(request.new_inputs),
            now=self._sources.now(),
            ignored=request.ignore_changes,
        )
        return engine.DiffResponse(
            changes=bool(found),
            replaces=[change.name for change in found if change.replaces],
            diffs=[change.name for change in found],
            detailed_diff={change.name: _detail(change) for change in found},
        )

    async def create(self, request: engine.CreateRequest) -> engine.CreateResponse:
        kind = kind_of(request.type)
        inputs = with_defaults(kind.properties, plain_map(request.properties))
        if request.preview or any(any_unknown(value) for value in inputs.values()):
            later: dict[str, Plain] = {output.name: UNKNOWN for output in kind.outputs}
            return engine.CreateResponse(properties=_outputs(kind, inputs, later, given=request.properties))
        _raise_first(kind, inputs)
        created = kind.make(inputs, self._sources)
        return engine.CreateResponse(
            resource_id=created.id, properties=_outputs(kind, inputs, created.outputs, given=request.properties)
        )

    async def update(self, request: engine.UpdateRequest) -> engine.UpdateResponse:
        """Records new early-renewal hours; every other change is a replacement and never arrives here."""
        kind = kind_of(request.type)
        inputs = with_defaults(kind.properties, plain_map(request.news))
        recorded = plain_map(request.olds)
        computed = {output.name: recorded.get(output.name) for output in kind.outputs}
        kept = {prop.name: recorded[prop.name] for prop in kind.properties if prop.keeps and prop.name in recorded}
        return engine.UpdateResponse(properties=_outputs(kind, {**kept, **inputs}, computed, given=request.news))

    async def read(self, request: engine.ReadRequest) -> engine.ReadResponse:
        kind = kind_of(request.type)
        if not request.properties:
            raise NotServedError(
                f"The import of {request.resource_id!r} as {kind.token}",
                rule="tls resources are made, not imported",
                reason="they exist in a stack's state only, so there is nothing to read them from",
                remedy="declare the resource without import_, or pass the PEM texts as configuration",
            )
        properties = dict(request.properties)
        if kind.renews:
            due = is_due_by_state(plain_map(request.properties), now=self._sources.now())
            properties["readyForRenewal"] = wrap(due)
        return engine.ReadResponse(resource_id=request.resource_id, properties=properties, inputs=request.inputs)

    async def delete(self, request: engine.DeleteRequest) -> None:
        """Nothing exists outside the state; a deleted certificate stays valid until its end."""
        kind_of(request.type)

    async def invoke(self, request: engine.InvokeRequest) -> engine.InvokeResponse:
        problem = NotServedError(
            f"The function {request.tok}",
            rule="this plugin serves the four resources of pulumi_tls and no functions",
            reason="it is for machines without the official plugin, and the federation needs no function of it",
            remedy="remove the call, or use the official tls plugin",
        )
        return engine.InvokeResponse(failures=[engine.CheckFailure(property="", reason=str(problem))])


def kind_of(qualified: str) -> ResourceKind:
    """The resource type behind the type that a request gives.

    Args:
        qualified: the type out of a URN. For a child it carries its parents' types, `parent$child` (SDK 3.272.0).

    Raises:
        NotServedError: for any other type.
    """
    token = qualified.rpartition("$")[2]
    if token not in KINDS:
        raise NotServedError(
            f"The resource type {token}",
            rule=f"the types are {', '.join(KINDS)}",
            reason="pulumi_tls 5.6 has no other",
            remedy="correct the type, or upgrade this plugin together with pulumi_tls",
        )
    return KINDS[token]


def _failed(problems: list[InvalidPropertyError]) -> engine.CheckResponse:
    return engine.CheckResponse(
        failures=[engine.CheckFailure(property=problem.name, reason=str(problem)) for problem in problems]
    )


def _marked(kind: ResourceKind, inputs: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    """The inputs with key properties marked secret, whatever the program did."""
    secret = {prop.name for prop in kind.properties if prop.secret}
    return {name: value.with_secret(True) if name in secret else value for name, value in inputs.items()}


def _outputs(
    kind: ResourceKind, inputs: Inputs, computed: Inputs, *, given: Mapping[str, PropertyValue]
) -> dict[str, PropertyValue]:
    """Inputs and computed properties for the state; what the program `given` as a secret stays one."""
    secret = {prop.name for prop in kind.properties if prop.secret} | {out.name for out in kind.outputs if out.secret}
    secret |= {name for name, value in given.items() if value.contains_secret()}
    everything = {**inputs, **computed}
    return {name: wrap(value, secret=name in secret) for name, value in everything.items() if value is not None}


def _raise_first(kind: ResourceKind, inputs: Inputs) -> None:
    """Refuse what `check` could not see. The engine checks again before it creates, but nothing here relies on it."""
    for problem in kind.rules(inputs):
        raise problem


def _detail(change: Change) -> engine.PropertyDiff:
    return engine.PropertyDiff(kind=_DIFF_KINDS[change.move, change.replaces], input_diff=change.is_input)
