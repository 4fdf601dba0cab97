"""The `flower` provider: what the Pulumi engine asks, answered by pure decisions and the Control API.

A preview calls nothing at all: the SuperLink may be created by the same `pulumi up`. Nothing is registered that is not
declared, and nothing unregistered but what this program registered, adopted or imported.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.property_value import PropertyValue, PropertyValueType
from pulumi.runtime import rpc

from pulumi_flower.control import DEFAULT_TIMEOUT_S, ControlClient, parse_node_id
from pulumi_flower.errors import CallerError, InvalidInputError
from pulumi_flower.identity import CERTIFICATE_PROPERTY, KEY_PROPERTY, ClientIdentity
from pulumi_flower.keys import parse_openssh
from pulumi_flower.registration import INPUTS, RESOURCE_TYPE, Change, Declared, diff, normalise, refuse_rename
from pulumi_flower.transport import Endpoint, tls_context

MAX_TIMEOUT_S: Final = 300.0

UNKNOWN: Final = PropertyValue(rpc.UNKNOWN)
"""An unknown value in an answer. The SDK (3.272.0) can neither write its own `PropertyValue.computed()` into an answer
nor recognise the engine's marker for unknown values where it stands for a plain text, so both are handled here."""

Properties = Mapping[str, PropertyValue]
ClientFactory = Callable[["Settings"], ControlClient]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A provider's configuration, complete.

    Attributes:
        endpoint: `host:port` of the SuperLink's Control API.
        ca_certificate: the federation CA's certificate in PEM.
        identity: the certificate and key to show; None where the program gives none.
        request_timeout_s: seconds to wait for a connection, and for each answer.
    """

    endpoint: str
    ca_certificate: str
    identity: ClientIdentity | None
    request_timeout_s: float


def connect(settings: Settings) -> ControlClient:
    """The client that the provider uses outside of tests."""
    return ControlClient(
        settings.endpoint,
        settings.ca_certificate,
        identity=settings.identity,
        timeout_s=settings.request_timeout_s,
    )


class FlowerProvider(engine.Provider):
    """Answers the engine.

    Args:
        client_factory: makes the client for a configuration.
    """

    def __init__(self, client_factory: ClientFactory = connect) -> None:
        self._client_factory = client_factory
        self._client: ControlClient | None = None
        self._urn_of_node: dict[int, str] = {}

    async def get_schema(self, request: engine.GetSchemaRequest) -> engine.GetSchemaResponse:
        """The package's schema, as committed."""
        return engine.GetSchemaResponse(schema=read_schema())

    async def check_config(self, request: engine.CheckRequest) -> engine.CheckResponse:
        """Refuse a configuration that can be read and is wrong; what is not known yet passes."""
        inputs = dict(request.new_inputs)
        if _has(inputs, KEY_PROPERTY):
            # Whatever the program says of it: the engine writes a provider's inputs to the state as answered here.
            inputs[KEY_PROPERTY] = inputs[KEY_PROPERTY].with_secret(True)
        return _check(inputs, lambda: read_settings(inputs))

    async def configure(self, request: engine.ConfigureRequest) -> engine.ConfigureResponse:
        """Keep the configuration; nothing is connected to before an operation needs it."""
        settings = read_settings(request.args)
        self._client = None if settings is None else self._client_factory(settings)
        return engine.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_outputs=True, accept_resources=True
        )

    async def check(self, request: engine.CheckRequest) -> engine.CheckResponse:
        """Refuse a declaration that breaks a rule, and drop the comment of the key."""
        _expect_token(request.type)
        new = request.new_inputs

        def decide() -> dict[str, PropertyValue]:
            for name in INPUTS:
                if name not in new or new[name].type is PropertyValueType.NULL:
                    raise _missing(name)
            normal = normalise(_declared(new))
            refuse_rename(_declared(request.old_inputs), normal)
            if normal.public_key is None:
                return dict(new)
            return {**new, "publicKey": new["publicKey"].with_value(normal.public_key)}

        return _check(new, decide)

    async def diff(self, request: engine.DiffRequest) -> engine.DiffResponse:
        """Any difference replaces; the new key is registered before the old one is unregistered."""
        _expect_token(request.type)
        changes = diff(_texts(request.old_state), _texts(request.new_inputs))
        replaced = [name for name, change in changes.items() if change is Change.REPLACE]
        return engine.DiffResponse(
            changes=bool(replaced),
            replaces=replaced,
            diffs=replaced,
            stables=[] if replaced else ["nodeId", "fingerprint"],
            detailed_diff={
                name: engine.PropertyDiff(engine.PropertyDiffKind.UPDATE_REPLACE, input_diff=True) for name in replaced
            },
        )

    async def create(self, request: engine.CreateRequest) -> engine.CreateResponse:
        """Register the node, or adopt its registration. A preview only tells what can be told without the SuperLink."""
        _expect_token(request.type)
        declared = _declared(request.properties)
        key = None if declared.public_key is None else parse_openssh(declared.public_key)
        outputs = dict(request.properties)
        if request.preview or declared.name is None or key is None:
            outputs["fingerprint"] = UNKNOWN if key is None else PropertyValue(key.fingerprint)
            outputs["nodeId"] = UNKNOWN
            return engine.CreateResponse(resource_id="", properties=_answerable(outputs))
        node_id = await asyncio.to_thread(self._require_client().register_node, key, declared.name)
        self._urn_of_node[node_id] = request.urn
        return engine.CreateResponse(
            resource_id=str(node_id),
            properties={
                **outputs,
                "fingerprint": PropertyValue(key.fingerprint),
                "nodeId": PropertyValue(str(node_id)),
            },
        )

    async def read(self, request: engine.ReadRequest) -> engine.ReadResponse:
        """The node as the SuperLink knows it now; nothing where it is gone or unregistered."""
        _expect_token(request.type)
        node = await asyncio.to_thread(self._require_client().find_node, _node_id(request.resource_id))
        if node is None or node.key is None:
            return engine.ReadResponse()
        # A node that was registered without a name keeps the declared one: it could never be given one.
        name = PropertyValue(node.name) if node.name is not None else request.properties.get("name", PropertyValue(""))
        inputs = {"name": name, "publicKey": PropertyValue(node.key.openssh)}
        return engine.ReadResponse(
            resource_id=str(node.node_id),
            inputs=inputs,
            properties={
                **inputs,
                "fingerprint": PropertyValue(node.key.fingerprint),
                "nodeId": PropertyValue(str(node.node_id)),
            },
        )

    async def update(self, request: engine.UpdateRequest) -> engine.UpdateResponse:
        """Never asked for, since every difference replaces; an engine that does so all the same is refused."""
        raise CallerError(
            value=f"an update of node {request.resource_id}",
            rule="must be a replacement",
            reason="Flower changes no registration in place",
            remedy="Run `pulumi refresh` and `pulumi up` again",
        )

    async def delete(self, request: engine.DeleteRequest) -> None:
        """Unregister the node; one that is gone already is done.

        A node that another resource of this very update has adopted is left alone: the resource was renamed in the
        program, and unregistering would lock its node out for good.
        """
        _expect_token(request.type)
        node_id = _node_id(request.resource_id)
        if self._urn_of_node.get(node_id, request.urn) != request.urn:
            return
        await asyncio.to_thread(self._require_client().unregister_node, node_id)

    def _require_client(self) -> ControlClient:
        if self._client is None:
            raise CallerError(
                value="the provider's endpoint or caCertificate is not known",
                rule="must be known before a node can be registered, read or unregistered",
                reason="there is no SuperLink to ask otherwise",
                remedy="Give `pulumi_flower.Provider` outputs of a SuperLink that exists, and pass it as `provider`",
            )
        return self._client


def read_schema() -> str:
    """The text of schema.json."""
    return resources.files("pulumi_flower").joinpath("schema.json").read_text(encoding="utf-8")


def read_settings(properties: Properties) -> Settings | None:
    """The provider's configuration; None while a part of it is not known yet.

    Raises:
        InvalidInputError: a part of it is missing or wrong.
    """
    for name in ("endpoint", "caCertificate"):
        if not _has(properties, name):
            raise _missing(name)
    endpoint, ca_certificate = _text(properties, "endpoint"), _text(properties, "caCertificate")
    timeout_s = _timeout_s(properties.get("requestTimeoutS", PropertyValue(DEFAULT_TIMEOUT_S)))
    if endpoint is not None:
        Endpoint.parse(endpoint)
    if ca_certificate is not None:
        tls_context(ca_certificate)
    identity = _read_identity(properties)
    waits = identity is None and _has(properties, CERTIFICATE_PROPERTY)
    if endpoint is None or ca_certificate is None or timeout_s is None or waits:
        return None
    return Settings(endpoint=endpoint, ca_certificate=ca_certificate, identity=identity, request_timeout_s=timeout_s)


def _read_identity(properties: Properties) -> ClientIdentity | None:
    """The client's certificate and key; None where there is none, or where a part is not known yet."""
    given = [name for name in (CERTIFICATE_PROPERTY, KEY_PROPERTY) if _has(properties, name)]
    if len(given) == 1:
        (missing,) = {CERTIFICATE_PROPERTY, KEY_PROPERTY} - set(given)
        raise InvalidInputError(
            property_name=missing,
            value=f"{given[0]} is set and {missing} is not",
            rule="must both be set, or neither",
            reason="a certificate proves nothing without its key",
            remedy=f"Set `{missing}` from the same FederationPKI",
        )
    certificate, key = _text(properties, CERTIFICATE_PROPERTY), _text(properties, KEY_PROPERTY)
    if certificate is None or key is None:
        return None
    identity = ClientIdentity(certificate=certificate, key=key)
    identity.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return identity


def _has(properties: Properties, name: str) -> bool:
    return name in properties and properties[name].type is not PropertyValueType.NULL


def _timeout_s(value: PropertyValue) -> float | None:
    if _is_unknown(value):
        return None
    if value.type is PropertyValueType.NULL:
        return DEFAULT_TIMEOUT_S
    try:
        # The engine hands a provider's own configuration over as text.
        timeout_s = float(value.value) if isinstance(value.value, str | float) else 0.0
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise InvalidInputError(
            property_name="requestTimeoutS",
            value=f"requestTimeoutS is {value.value!r}",
            rule=f"must be a number of seconds above 0 and at most {MAX_TIMEOUT_S:.0f}",
            reason="the Control API answers within milliseconds, and a preview must not hang",
            remedy=f"Leave `requestTimeoutS` out ({DEFAULT_TIMEOUT_S:.0f} s), or set it within these bounds",
        )
    return timeout_s


def _check(inputs: Properties, decide: Callable[[], object]) -> engine.CheckResponse:
    try:
        decided = decide()
    except InvalidInputError as err:
        failure = engine.CheckFailure(property=err.property_name, reason=str(err))
        return engine.CheckResponse(inputs=_answerable(inputs), failures=[failure])
    return engine.CheckResponse(inputs=_answerable(decided if isinstance(decided, dict) else inputs))


def _is_unknown(value: PropertyValue) -> bool:
    return value.type is PropertyValueType.COMPUTED or value.value == UNKNOWN.value


def _answerable(properties: Properties) -> dict[str, PropertyValue]:
    return {
        name: value.with_value(UNKNOWN.value) if _is_unknown(value) else value for name, value in properties.items()
    }


def _text(properties: Properties, name: str) -> str | None:
    value = properties.get(name)
    if value is None or value.type is PropertyValueType.NULL or _is_unknown(value):
        return None
    if not isinstance(value.value, str):
        raise InvalidInputError(
            property_name=name,
            value=f"{name} is of type {value.type.value}",
            rule="must be a text",
            reason="it is handed to the SuperLink as such",
            remedy=f"Set `{name}` to a string",
        )
    return value.value


def _texts(properties: Properties) -> dict[str, str | None]:
    return {name: _text(properties, name) for name in INPUTS}


def _declared(properties: Properties) -> Declared:
    return Declared(name=_text(properties, "name"), public_key=_text(properties, "publicKey"))


def _missing(name: str) -> InvalidInputError:
    return InvalidInputError(
        property_name=name,
        value=f"{name} is not set",
        rule="must be set",
        reason="there is no default that would be safe",
        remedy=f"Set `{name}`",
    )


def _node_id(resource_id: str) -> int:
    try:
        return parse_node_id(resource_id)
    except ValueError as err:
        raise InvalidInputError(
            property_name="id",
            value=f"the id is {resource_id!r}",
            rule="must be a node id, a decimal number between 1 and 2^64 - 1",
            reason="that is what the SuperLink calls its nodes by",
            remedy="Take it from `flwr supernode list`",
        ) from err


def _expect_token(token: str) -> None:
    # A resource inside components comes with the types of its parents before it: `a:b:C$flower:index:...`.
    if token.rpartition("$")[2] != RESOURCE_TYPE:
        raise CallerError(
            value=f"resource type {token}",
            rule=f"must be {RESOURCE_TYPE}",
            reason="the flower provider has no other resource",
            remedy="Use pulumi_flower.SuperNodeRegistration",
        )
