"""ONNX files without their weights: cut weights out of protobuf bytes, and put them back.

A protobuf parser copies every weight, and so does a serializer. Burnish walks the wire format
(https://protobuf.dev/programming-guides/encoding/) itself: reading yields a *skeleton*, the same
message without the big ``raw_data`` fields, and the place of each such field in the file, which
stays memory-mapped; writing streams the weights into the serialized skeleton one at a time. Only
three messages are understood here: ModelProto.graph, GraphProto.initializer and
TensorProto.raw_data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
_LENGTH_DELIMITED = 2
# Field numbers of ModelProto and the wire type each must have.
_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}

Buffer: TypeAlias = "bytes | memoryview"


class WireError(ValueError):
    """The bytes are not a protobuf message.

    Args:
        message: what is wrong.
        truncated: a field runs past the end, and all before it was well formed.
    """

    def __init__(self, message: str, *, truncated: bool = False) -> None:
        super().__init__(message)
        self.truncated = truncated


@dataclass(frozen=True)
class Skeleton:
    """A serialized ModelProto without its big weights.

    Attributes:
        data: the message, to be parsed as a ModelProto.
        cut: ``{index of the initializer in the main graph: (offset, length)}``, bytes of the
            original buffer.
    """

    data: bytes
    cut: dict[int, tuple[int, int]]


def _varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise WireError("a number is longer than 64 bits")
    raise WireError("the data ends inside a number", truncated=True)


def encode_varint(value: int) -> bytes:
    """The protobuf varint of a non-negative ``value``."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield ``(number, wire type, start of tag, start of payload, end)`` of each field.

    Raises:
        WireError: if the bytes between ``at`` and ``end`` are not a protobuf message.
    """
    while at < end:
        start = at
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _varint(data, at, end)
            stop = at + length
        elif kind == 0:
            stop = _varint(data, at, end)[1]
        elif kind in (1, 5):
            stop = at + (8 if kind == 1 else 4)
        else:
            raise WireError(f"wire type {kind} is not in use")
        if number == 0:
            raise WireError("field number 0 is not in use")
        yield number, kind, start, at, stop
        if stop > end:
            raise WireError("a field runs past the end of the data", truncated=True)
        at = stop


def read_skeleton(data: Buffer, *, at_least: int) -> Skeleton:
    """Cut every main-graph ``raw_data`` of ``at_least`` bytes out of a serialized ModelProto.

    Raises:
        WireError: if ``data`` is not a serialized ModelProto, or is cut off.
    """
    pieces: list[Buffer] = []
    cut: dict[int, tuple[int, int]] = {}
    count = 0
    seen: set[int] = set()
    try:
        for number, kind, start, body, end in fields(data, 0, len(data)):
            if _MODEL_FIELDS.get(number, kind) != kind:
                raise WireError(f"field {number} of a model cannot have wire type {kind}")
            seen.add(number)
            if end > len(data):
                continue  # fields() raises on the next step
            if number != GRAPH:
                pieces.append(data[start:end])
                continue
            inner, count = _cut_graph(data, body, end, at_least, cut, count)
            pieces += [b"\x3a", encode_varint(sum(map(len, inner))), *inner]
    except WireError as error:
        # Random bytes often run past their end too: call it truncated only when it began as a model.
        error.truncated &= bool(seen & {1, GRAPH}) and seen <= _MODEL_FIELDS.keys()
        raise
    return Skeleton(b"".join(pieces), cut)


def _cut_graph(
    data: Buffer, at: int, end: int, at_least: int, cut: dict[int, tuple[int, int]], count: int
) -> tuple[list[Buffer], int]:
    """Pieces of the graph between ``at`` and ``end`` without big weights, and initializers so far."""
    pieces: list[Buffer] = []
    copied = at
    for number, kind, start, body, stop in fields(data, at, end):
        if number != INITIALIZER or kind != _LENGTH_DELIMITED:
            continue
        index, count = count, count + 1
        if stop - body < at_least or stop > end:
            continue
        for inner, _, tag, payload, last in fields(data, body, stop):
            if inner == RAW_DATA and last - payload >= at_least and last <= stop:
                cut[index] = (payload, last - payload)
                rest = data[body:tag], data[last:stop]
                pieces += [data[copied:start], b"\x2a", encode_varint(sum(map(len, rest))), *rest]
                copied = stop
                break
    pieces.append(data[copied:end])
    return pieces, count


def write_model(
    out: BinaryIO, skeleton: bytes, weights: Mapping[int, tuple[int, Callable[[BinaryIO], None]]]
) -> None:
    """Write a serialized ModelProto with weights put in, byte for byte as protobuf would.

    Args:
        out: a binary file.
        skeleton: the message without the weights, one graph field.
        weights: ``{index of the initializer: (length in bytes, function that writes it)}``.
    """
    for number, _, start, body, end in fields(skeleton, 0, len(skeleton)):
        if number != GRAPH:
            out.write(skeleton[start:end])
            continue
        parts: list[bytes | Callable[[BinaryIO], None]] = []
        size = end - body
        count = 0
        copied = body
        for inner, _, tag, payload, stop in fields(skeleton, body, end):
            if inner != INITIALIZER:
                continue
            index, count = count, count + 1
            if index not in weights:
                continue
            length, write = weights[index]
            place = _raw_data_place(skeleton, payload, stop)
            head = b"\x4a" + encode_varint(length)
            tensor_length = stop - payload + len(head) + length
            opening = b"\x2a" + encode_varint(tensor_length)
            parts += [
                skeleton[copied:tag],
                opening + skeleton[payload:place] + head,
                write,
                skeleton[place:stop],
            ]
            size += len(opening) - (payload - tag) + len(head) + length
            copied = stop
        parts.append(skeleton[copied:end])
        out.write(b"\x3a" + encode_varint(size))
        for part in parts:
            if isinstance(part, bytes):
                out.write(part)
            else:
                part(out)


def _raw_data_place(data: bytes, at: int, end: int) -> int:
    """Where ``raw_data`` goes in a tensor: before the first field with a higher number."""
    for number, _, start, _, _ in fields(data, at, end):
        if number > RAW_DATA:
            return start
    return end
