"""The gateway and Flower read the same run out of a request, however oddly it is written: protobuf itself is the judge.

A run that only one of the two reads would be another person's, stopped under the name of an own one.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flower_appliance.wire import read_integer

FIELD = UInt64Value.VALUE_FIELD_NUMBER
"""Of an unsigned integer of 64 bits, as the run is in a StopRunRequest."""
LAST_FIELD = 2**29 - 1


def varint(value: int, padding: int = 0) -> bytes:
    """An integer in seven bits a byte, with more bytes than it needs."""
    groups = []
    while True:
        groups.append(value & 0x7F)
        value >>= 7
        if not value:
            break
    groups += [0] * padding
    return bytes(group | 0x80 for group in groups[:-1]) + bytes([groups[-1]])


PADDING = st.integers(0, 8)
NUMBERS = st.sampled_from([FIELD, FIELD, FIELD, 2, 0, LAST_FIELD, LAST_FIELD + 2, 2**32 + 1, 2**61 + 1])
KEYS = st.builds(lambda number, kind, padding: varint(number << 3 | kind, padding), NUMBERS, st.integers(0, 7), PADDING)
VALUES = st.builds(varint, st.integers(0, 2**70), PADDING)
INNER = st.binary(max_size=9).map(lambda inner: varint(len(inner)) + inner)
PARTS = st.one_of(
    KEYS, st.builds(bytes.__add__, KEYS, VALUES), st.builds(bytes.__add__, KEYS, INNER), st.binary(max_size=9)
)
MESSAGES = st.lists(PARTS, max_size=6).map(b"".join)


@settings(max_examples=400)
@given(MESSAGES)
@example(b"\x08\x01\x08\x02")  # twice: the last one counts
@example(b"\x88\x80\x80\x00\x05")  # a key of more bytes than it needs
@example(b"\x08" + varint(2**64 + 7))  # more bits than 64
@example(b"\x0a\x02\x08\x07")  # the number of the field with the type of a text
def test_what_the_gateway_reads_flower_reads_too(message: bytes) -> None:
    try:
        ours = read_integer(message, FIELD)
    except ValueError:
        return  # refused, whatever Flower would say
    try:
        theirs = UInt64Value.FromString(message).value
    except DecodeError:
        return  # Flower refuses it
    assert (ours or 0) == theirs
