"""Reads single integers out of protobuf messages. It knows no message: the caller brings the number of the field.

The appliance has no protobuf library; identifiers of runs and nodes are all that it reads of Flower's messages.
"""

from __future__ import annotations

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_UINT64 = 2**64


def read_integer(message: bytes, number: int) -> int | None:
    """The last unsigned integer in field `number`, as parsers take it; None where there is none.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    found: int | None = None
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if key >> 3 == 0:
            raise ValueError("a field without a number")
        if kind == _VARINT:
            value, place = _varint(message, place)
            if key >> 3 == number:
                found = value
        elif kind in (_FIXED64, _FIXED32, _BYTES):
            size = 8 if kind == _FIXED64 else 4
            if kind == _BYTES:
                size, place = _varint(message, place)
            place += size
            if place > len(message):
                raise ValueError("a field that goes beyond its message")
        else:
            raise ValueError(f"wire type {kind}")
    return found


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count in range(_MAX_VARINT_BYTES):
        if place + count >= len(message):
            raise ValueError("an integer that goes beyond its message")
        byte = message[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return value % _UINT64, place + count + 1
    raise ValueError("an integer of more than ten bytes")
