"""The messages of Flower's Control API that this package exchanges, as protobuf classes.

Only the messages and fields that are read or written here are described; protobuf skips the rest. They are described
in this file because flwr cannot be installed beside Pulumi's SDK (it caps `packaging` below what the SDK needs).
Names, numbers and types are those of flwr 1.41.0, held to it by tests/parity/test_flower_control_api.py. The classes
live in a descriptor pool of their own, so they never clash with flwr's in one process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]

PACKAGE: Final = "flwr.proto"

_Kind = descriptor_pb2.FieldDescriptorProto


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a message.

    Attributes:
        number: its number on the wire.
        kind: its type, as descriptor.proto numbers types.
        optional: whether presence is tracked (`optional` in the .proto).
        repeated: whether it is a list.
        message: the name of its message type, within PACKAGE.
        map_of_uint64: whether it is a map from uint64 to `message`.
    """

    number: int
    kind: int
    optional: bool = False
    repeated: bool = False
    message: str | None = None
    map_of_uint64: bool = False


def _uint64(number: int, *, optional: bool = False) -> Field:
    return Field(number=number, kind=_Kind.TYPE_UINT64, optional=optional)


def _text(number: int, *, optional: bool = False) -> Field:
    return Field(number=number, kind=_Kind.TYPE_STRING, optional=optional)


def _octets(number: int) -> Field:
    return Field(number=number, kind=_Kind.TYPE_BYTES)


def _double(number: int, *, optional: bool = False) -> Field:
    return Field(number=number, kind=_Kind.TYPE_DOUBLE, optional=optional)


MESSAGES: Final[dict[str, dict[str, Field]]] = {
    "RegisterNodeRequest": {"public_key": _octets(1), "name": _text(3, optional=True)},
    "RegisterNodeResponse": {"node_id": _uint64(1, optional=True)},
    "UnregisterNodeRequest": {"node_id": _uint64(1)},
    "UnregisterNodeResponse": {},
    "ListNodesRequest": {},
    "NodeInfo": {
        "node_id": _uint64(1),
        "status": _text(4),
        "registered_at": _text(5),
        "last_activated_at": _text(6, optional=True),
        "last_deactivated_at": _text(7, optional=True),
        "unregistered_at": _text(8, optional=True),
        "online_until": _double(9, optional=True),
        "public_key": _octets(11),
        "name": _text(13, optional=True),
    },
    "ListNodesResponse": {
        "nodes_info": Field(number=1, kind=_Kind.TYPE_MESSAGE, repeated=True, message="NodeInfo"),
        "now": _text(2),
    },
    "ListRunsRequest": {"run_id": _uint64(1, optional=True), "limit": _uint64(2, optional=True)},
    "RunStatus": {"status": _text(1), "sub_status": _text(2), "details": _text(3)},
    "Run": {
        "run_id": _uint64(1),
        "fab_id": _text(2),
        "fab_version": _text(3),
        "pending_at": _text(6),
        "starting_at": _text(7),
        "running_at": _text(8),
        "finished_at": _text(9),
        "status": Field(number=10, kind=_Kind.TYPE_MESSAGE, message="RunStatus"),
    },
    "ListRunsResponse": {
        "run_dict": Field(number=1, kind=_Kind.TYPE_MESSAGE, message="Run", map_of_uint64=True),
        "now": _text(2),
    },
    "StopRunRequest": {"run_id": _uint64(1)},
    "StopRunResponse": {"success": Field(number=1, kind=_Kind.TYPE_BOOL)},
    "StreamLogsRequest": {"run_id": _uint64(1), "after_timestamp": _double(2)},
    "StreamLogsResponse": {"log_output": _text(1), "latest_timestamp": _double(2)},
}


def _add_message(file: descriptor_pb2.FileDescriptorProto, name: str, fields: dict[str, Field]) -> None:
    described = file.message_type.add(name=name)
    for field_name, field in fields.items():
        added = described.field.add(name=field_name, number=field.number, type=cast(Any, field.kind))
        added.label = _Kind.LABEL_REPEATED if field.repeated or field.map_of_uint64 else _Kind.LABEL_OPTIONAL
        if field.map_of_uint64:
            added.type_name = f".{PACKAGE}.{name}.{_add_map_entry(described, field_name, str(field.message))}"
        elif field.message is not None:
            added.type_name = f".{PACKAGE}.{field.message}"
        if field.optional:
            added.proto3_optional = True
            added.oneof_index = len(described.oneof_decl)
            described.oneof_decl.add(name=f"_{field_name}")


def _add_map_entry(described: descriptor_pb2.DescriptorProto, field_name: str, message: str) -> str:
    # protoc compiles `map<uint64, M> some_name` into a nested message SomeNameEntry with key = 1 and value = 2.
    entry_name = "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
    entry = described.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Kind.TYPE_UINT64, label=_Kind.LABEL_OPTIONAL)
    entry.field.add(
        name="value",
        number=2,
        type=_Kind.TYPE_MESSAGE,
        label=_Kind.LABEL_OPTIONAL,
        type_name=f".{PACKAGE}.{message}",
    )
    return entry_name


def _build() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="pulumi_flower/control.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        _add_message(file, name, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


_CLASSES: Final = _build()


def new(name: str, /, **fields: Any) -> Any:
    """A message of the named type; fields that are None stay unset.

    Raises:
        KeyError: no such message is described here.
        ValueError: the message has no such field.
    """
    return _CLASSES[name](**{key: value for key, value in fields.items() if value is not None})


def parse(name: str, payload: bytes) -> Any:
    """The message of the named type that `payload` encodes.

    Raises:
        KeyError: no such message is described here.
        google.protobuf.message.DecodeError: the payload is no protobuf.
    """
    message = _CLASSES[name]()
    message.ParseFromString(payload)
    return message
