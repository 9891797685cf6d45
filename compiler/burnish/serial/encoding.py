"""A model in protobuf's wire format, with no proto between.

The bytes are those that onnx-ir's serializer and protobuf make together, in two thirds of the time.
Fields are written in the order of their numbers, as protobuf does, and big weights are left for
the caller to stream. What is rare goes through onnx-ir's protos: unusual attributes, types and
tensors each by itself; functions, devices, sparse tensors and the like by refusing the model.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from burnish.ir import (
    Attr,
    AttributeType,
    DataType,
    ExternalTensor,
    Graph,
    Model,
    Node,
    Shape,
    StoredTensor,
    Tensor,
    TensorProtocol,
    TensorProtoTensor,
    TensorType,
    Value,
    has_meta,
    to_proto,
)
from burnish.serial.rare import Rare
from burnish.serial.sparse import SparseTensor
from burnish.serial.wire import encode_varint

__all__ = ["Part", "encode", "encode_hollow"]

Part: TypeAlias = "bytes | TensorProtocol"
"""Bytes of a message, or a tensor whose raw data stands in their place."""

# They may hold tensors of other files, which must be read, or sparse ones.
_REFUSED = frozenset(
    {
        AttributeType.GRAPHS,
        AttributeType.SPARSE_TENSOR,
        AttributeType.SPARSE_TENSORS,
        AttributeType.TENSORS,
    }
)
_STORED = (StoredTensor, TensorProtoTensor)
# Types whose bytes onnx-ir looks at before it writes them.
_CHECKED = frozenset({DataType.FLOAT6E2M3, DataType.FLOAT6E3M2})


# --- the wire format: a field is a tag, then a number, or a length and that many bytes


@functools.cache
def _tag(number: int, kind: int = 2) -> bytes:
    return encode_varint(number << 3 | kind)


# Tags that stand in every node and value.
_NODE, _INFO, _INPUT, _OUTPUT, _OPERATOR = _tag(1), _tag(13), _tag(1), _tag(2), _tag(4)
_NAME, _ATTRIBUTE, _INT, _INTS, _KIND = _tag(1), _tag(5), _tag(3, 0), _tag(8, 0), _tag(20, 0)


_ONE_BYTE = tuple(bytes((number,)) for number in range(128))


class _Varints(dict[int, bytes]):
    """Numbers as the wire has them, each written once."""

    def __missing__(self, value: int) -> bytes:
        if not -(1 << 63) <= value < 1 << 63:
            raise Rare
        written = self[value] = encode_varint(int(value) & 0xFFFFFFFFFFFFFFFF)
        return written


class _Texts(dict[str, bytes]):
    """Names with their lengths, each written once: a value's stands in every node that reads it."""

    def __missing__(self, text: str) -> bytes:
        written = self[text] = _sized(text.encode())
        return written


def _sized(data: bytes) -> bytes:
    size = len(data)
    return (_ONE_BYTE[size] if size < 128 else encode_varint(size)) + data


def _float(number: int, value: float) -> bytes:
    try:
        return _tag(number, 5) + struct.pack("<f", value)
    except (OverflowError, struct.error):
        raise Rare from None


def _size(parts: Iterable[Part]) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.nbytes for part in parts)


# --- messages


def encode(model: Model, *, at_least: int) -> list[Part]:
    """The ModelProto of ``model``, in parts.

    Args:
        model: any model.
        at_least: dense weights of the main graph of this many bytes or more are parts.

    Raises:
        Rare: when the model must go through its proto.
    """
    return _model(model, _Encoder(at_least, None))


def encode_hollow(model: Model, *, at_least: int) -> tuple[bytes, dict[int, TensorProtocol]]:
    """As :func:`encode`, without the big weights.

    Returns:
        The message, and ``{index of the initializer: tensor}`` of the weights left out. Their
        ``raw_data`` is absent and nothing else.

    Raises:
        Rare: when the model must go through its proto.
    """
    outside: dict[int, TensorProtocol] = {}
    parts = _model(model, _Encoder(at_least, outside))
    return b"".join(part for part in parts if isinstance(part, bytes)), outside


def _model(model: Model, encoder: _Encoder) -> list[Part]:
    if model.functions or model.device_configurations:
        raise Rare
    head = [_tag(1, 0), encoder.numbers[model.ir_version]]
    named = ((2, model.producer_name), (3, model.producer_version), (4, model.domain))
    head += [encoder.text(number, text) for number, text in named]
    if model.model_version:
        head += [_tag(5, 0), encoder.numbers[model.model_version]]
    head.append(encoder.text(6, model.doc_string))
    graph = encoder.graph(model.graph, main=True)
    tail = [
        _tag(8) + _sized(_tag(1) + encoder.texts[domain] + _tag(2, 0) + encoder.numbers[version])
        for domain, version in model.opset_imports.items()
    ]
    tail.append(encoder.entries(14, model.metadata_props))
    return [b"".join(head), _tag(7), encode_varint(_size(graph)), *graph, b"".join(tail)]


class _Encoder:
    """Writes the graphs of one model; names, numbers and types that occur again are written once.

    Args:
        at_least: bytes from which on a dense weight of the main graph is a part of its own.
        outside: where these weights go instead, by index; None writes them.
    """

    def __init__(self, at_least: int, outside: dict[int, TensorProtocol] | None) -> None:
        self.at_least = at_least
        self.outside = outside
        self.texts = _Texts()
        self.numbers = _Varints()
        self.types: dict[tuple[object, ...], bytes] = {}

    def text(self, number: int, text: str | None) -> bytes:
        """A field that is left out when it is empty."""
        return _tag(number) + self.texts[text] if text else b""

    def entries(self, number: int, entries: Mapping[str, str]) -> bytes:
        texts = self.texts
        return b"".join(
            _tag(number) + _sized(_tag(1) + texts[key] + _tag(2) + texts[entries[key]])
            for key in sorted(entries)
        )

    def graph(self, graph: Graph, *, main: bool) -> list[Part]:
        """The body of a GraphProto."""
        inputs, outputs = list(graph.inputs), list(graph.outputs)
        given = {value.name for value in inputs}
        nodes: list[bytes] = []
        infos: list[bytes] = []
        weights: list[Part] = []
        for index, value in enumerate(graph.initializers.data.values()):
            if value.name not in given:
                infos.append(self.info(_INFO, value))
            weights += self.initializer(value, index if main else None)
        for node in graph:
            nodes += (_NODE, _sized(self.node(node)))
            infos += [
                self.info(_INFO, value)
                for value in node.outputs
                if value.name and not value.is_graph_output()
            ]
        return [
            b"".join(nodes),
            self.text(2, graph.name),
            *weights,
            self.text(10, graph.doc_string),
            *(self.info(_tag(11), value, always=True) for value in inputs),
            *(self.info(_tag(12), value, always=True) for value in outputs),
            b"".join(infos),
            self.entries(16, graph.metadata_props),
        ]

    def initializer(self, value: Value, index: int | None) -> list[Part]:
        """A field of the graph; ``index`` is its place in the main graph, None in others."""
        held = value.const_value
        if held is None or type(held) is SparseTensor or not value.name:
            raise Rare
        if index is None or held.dtype == DataType.STRING or held.nbytes < self.at_least:
            held.name = value.name
            return [_tag(5), _sized(self.tensor(held))]
        before = self.dims(held) + _tag(8) + self.texts[value.name]
        after = self.text(12, held.doc_string) + self.entries(16, held.metadata_props)
        if self.outside is not None:
            self.outside[index] = held
            return [_tag(5), _sized(before + after)]
        before += _tag(9) + encode_varint(held.nbytes)
        size = len(before) + held.nbytes + len(after)
        return [_tag(5) + encode_varint(size) + before, held, after]

    def tensor(self, held: TensorProtocol) -> bytes:
        """The body of a TensorProto, data included."""
        if type(held) is ExternalTensor or type(held) is SparseTensor:
            raise Rare
        if not held.metadata_props:
            if type(held) in _STORED and held.dtype not in _CHECKED:
                return _serialized(held.raw)
            if type(held) is Tensor:
                data = self.text(8, held.name) + _tag(9) + _sized(held.tobytes())
                return self.dims(held) + data + self.text(12, held.doc_string)
        return _serialized(to_proto(held))

    def dims(self, held: TensorProtocol) -> bytes:
        """Fields ``dims`` and ``data_type`` of a TensorProto."""
        sizes = [_tag(1, 0) + self.numbers[size] for size in held.shape.numpy()]
        return b"".join(sizes) + _tag(2, 0) + self.numbers[held.dtype.value]

    def info(self, tag: bytes, value: Value, *, always: bool = False) -> bytes:
        """``value`` as a ValueInfoProto; nothing when there is nothing to say, unless ``always``."""
        kind, shape, name = value.type, value.shape, value.name
        if name is None or has_meta(value):
            raise Rare  # meta: the type of a map, or a quantization annotation
        more = value.metadata_props
        if type(kind) is not TensorType:
            if kind is None and shape is None and not more and not value.doc_string:
                return tag + _sized(_NAME + self.texts[name]) if always else b""
            return tag + _sized(_serialized(to_proto(value)))
        key: tuple[object, ...] = (kind.dtype, kind.denotation)
        if shape is not None:
            key += (shape.dims, *map(shape.get_denotation, range(len(shape))))
        known = self.types.get(key)
        if known is None:
            known = self.types[key] = self.tensor_type(kind, shape)
        body = _NAME + self.texts[name] + known
        if more or value.doc_string:
            body += self.text(3, value.doc_string) + self.entries(4, more)
        return tag + _sized(body)

    def tensor_type(self, kind: TensorType, shape: Shape | None) -> bytes:
        """Field ``type`` of a ValueInfoProto."""
        body = _tag(1, 0) + self.numbers[kind.dtype.value]
        if shape is not None:
            dims = []
            for axis, size in enumerate(shape):
                if isinstance(size, int):
                    dim = _tag(1, 0) + self.numbers[size]
                else:
                    dim = b"" if size.value is None else _tag(2) + self.texts[str(size.value)]
                dims.append(_tag(1) + _sized(dim + self.text(3, shape.get_denotation(axis))))
            body += _tag(2) + _sized(b"".join(dims))
        return _tag(2) + _sized(_tag(1) + _sized(body) + self.text(6, kind.denotation))

    def node(self, node: Node) -> bytes:
        """The body of a NodeProto."""
        if node.device_configurations:
            raise Rare
        texts = self.texts
        parts: list[bytes] = []
        for value in node.inputs:
            parts += (_INPUT, texts["" if value is None else value.name or ""])
        results = [value.name or "" for value in node.outputs]
        while results and not results[-1]:
            results.pop()
        for name in results:
            parts += (_OUTPUT, texts[name])
        parts += (self.text(3, node.name), _OPERATOR, texts[node.op_type])
        for attr in node.attributes.data.values():
            parts += (_ATTRIBUTE, _sized(self.attribute(attr)))
        if node.doc_string or node.domain or node.overload:
            parts += (self.text(6, node.doc_string), self.text(7, node.domain))
            parts.append(self.text(8, node.overload))
        if node.metadata_props:
            parts.append(self.entries(9, node.metadata_props))
        return b"".join(parts)

    def attribute(self, attr: Attr) -> bytes:
        """The body of an AttributeProto."""
        kind, value = attr.type, attr.value
        if attr.is_ref() or kind in _REFUSED:
            raise Rare
        if kind == AttributeType.INT:
            content = _INT + self.numbers[value]
        elif kind == AttributeType.INTS:
            content = b"".join([_INTS + self.numbers[item] for item in value])
        elif kind == AttributeType.FLOAT:
            content = _float(2, value)
        elif kind == AttributeType.FLOATS:
            content = b"".join([_float(7, item) for item in value])
        elif kind == AttributeType.STRING and isinstance(value, str):
            content = _tag(4) + self.texts[value]
        elif kind == AttributeType.TENSOR:
            content = _tag(5) + _sized(self.tensor(value))
        elif kind == AttributeType.GRAPH:
            parts = self.graph(value, main=False)
            content = _tag(6) + _sized(b"".join(part for part in parts if isinstance(part, bytes)))
        else:
            return _serialized(to_proto(attr))
        content += self.text(13, attr.doc_string)
        return _NAME + self.texts[attr.name] + content + _KIND + self.numbers[kind.value]


def _serialized(proto: Any) -> bytes:
    data: bytes = proto.SerializeToString(deterministic=True)
    return data
