"""Just enough of the protocol buffer wire format to read logs without their writers' packages.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


def fields_of(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: integers for varints and fixed ones, bytes for the rest.

    ValueError for what is no message.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(wire, -1)
        if size < 0 or at + size > end:
            raise ValueError("torn or unknown field")
        yield number, message[at : at + size]
        at += size


def as_double(value: int | bytes) -> float:
    """A fixed 64-bit or 32-bit field as a number."""
    if isinstance(value, int):
        return float(value)
    number: float = struct.unpack("<d" if len(value) == 8 else "<f", value)[0]
    return number


def as_signed(value: int | bytes) -> int:
    """An int64 varint, which protocol buffers write as two's complement."""
    if isinstance(value, bytes):
        return 0
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("torn varint")
