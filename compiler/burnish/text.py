"""A graph as canonical text: one line a node, in the graph's order, weights by digest.

::

    model opset 17
      input x: float32[batch, 3, 8, 8]
      w = float32[4, 3, 3, 3] #9f86d081884c7d65
      y = Conv(x, w) {pads=[1, 1, 1, 1]}
      output y: float32[batch, 4, 8, 8]

Small integer constants are written out. Attributes are in alphabetical order. The text is for
people and for comparing; ONNX text (:func:`parse_model`) is for writing models down.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xxhash

from burnish.errors import ModelError
from burnish.ir import (
    Array,
    Attr,
    AttributeType,
    Graph,
    Model,
    Node,
    TensorProtocol,
    Value,
    from_onnx_text,
    nested_graphs,
)

__all__ = [
    "digest",
    "dtype_text",
    "initializer_line",
    "line_text",
    "model_text",
    "node_line",
    "node_lines",
    "parse_model",
    "same_bytes",
    "tensor_text",
    "value_text",
]

_SPELLED_OUT = 8
"""Integer constants of up to this many elements are written out."""
_LONGEST_STRING = 60


def digest(tensor: TensorProtocol) -> str:
    """16 hexadecimal digits that stand for the bytes of ``tensor`` (XXH3, 64 bit)."""
    content = _bytes_of(tensor)
    return xxhash.xxh3_64_hexdigest(content if isinstance(content, bytes) else content.data)


def same_bytes(one: TensorProtocol, other: TensorProtocol) -> bool:
    """Whether two tensors of equal type and shape hold the same bytes."""
    left, right = _bytes_of(one), _bytes_of(other)
    return left == right if isinstance(left, bytes) else bool(np.array_equal(left, right))


def _bytes_of(tensor: TensorProtocol) -> bytes | Array:
    """The content as bytes or as a byte array over the same memory (weights may be mapped)."""
    array = tensor.numpy()
    if array.dtype == object:
        return b"".join(len(text).to_bytes(8, "little") + text for text in array.flat)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


@functools.cache
def dtype_text(dtype: Any) -> str:
    """An element type as people write it, ``float32`` for ``FLOAT``."""
    name: str = dtype.name
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


def tensor_text(tensor: TensorProtocol) -> str:
    """Type, shape, and the elements or their digest."""
    dims = ", ".join(str(dim) for dim in tensor.shape)
    head = f"{dtype_text(tensor.dtype)}[{dims}]"
    if tensor.dtype.is_integer() and tensor.size <= _SPELLED_OUT:
        return f"{head} {tensor.numpy().tolist()}"
    if tensor.size == 1 and tensor.dtype.is_floating_point():
        return f"{head} {tensor.numpy().item()!r}"
    return f"{head} #{digest(tensor)}"


def value_text(value: Value) -> str:
    """A value with its type and shape, as in an input line."""
    if value.type is None:
        return f"{value.name}: ?"
    dtype = value.dtype
    kind = dtype_text(dtype) if dtype is not None else "?"
    outer = type(value.type).__name__.removesuffix("Type").lower()
    if value.shape is None:
        shape = "[...]"
    else:
        dims = (str(dim) if isinstance(dim, int) else (dim.value or "?") for dim in value.shape)
        shape = f"[{', '.join(dims)}]"
    text = f"{kind}{shape}"
    return f"{value.name}: {text if outer == 'tensor' else f'{outer}({text})'}"


def _attribute_text(attr: Attr) -> str:
    if attr.is_ref():
        return f"{attr.name}=@{attr.ref_attr_name}"
    if attr.type == AttributeType.TENSOR:
        return f"{attr.name}={tensor_text(attr.value)}"
    if attr.type in (AttributeType.INTS, AttributeType.FLOATS):
        return f"{attr.name}={list(attr.value)}"
    text = str(attr.value)
    if len(text) > _LONGEST_STRING:
        text = f"{text[:_LONGEST_STRING]}... #{xxhash.xxh3_64_hexdigest(text.encode())}"
    return f"{attr.name}={text}"


def line_text(
    op_type: str,
    domain: str,
    overload: str,
    inputs: Sequence[str | None],
    outputs: Sequence[str | None],
    attributes: Sequence[Attr],
) -> str:
    """One node on one line, from its parts; subgraphs are left out."""
    operator = f"{domain}.{op_type}" if domain else op_type
    if overload:
        operator += f":{overload}"
    shown = [
        _attribute_text(attr)
        for attr in sorted(attributes, key=lambda attr: attr.name)
        if attr.type not in (AttributeType.GRAPH, AttributeType.GRAPHS)
    ]
    suffix = f" {{{', '.join(shown)}}}" if shown else ""
    results = ", ".join(name or "" for name in outputs)
    return f"{results} = {operator}({', '.join(name or '' for name in inputs)}){suffix}"


def node_line(node: Node) -> str:
    """One node on one line, its subgraphs left out."""
    inputs = [value.name if value is not None else None for value in node.inputs]
    outputs = [value.name for value in node.outputs]
    attributes = list(node.attributes.values())
    return line_text(node.op_type, node.domain, node.overload, inputs, outputs, attributes)


def initializer_line(value: Value) -> str:
    """An initializer: name, type, shape, digest."""
    held = value.const_value
    return f"{value.name} = {tensor_text(held) if held is not None else '?'}"


def node_lines(node: Node, indent: str = "") -> Iterator[str]:
    """A node and, further in, its subgraphs."""
    yield indent + node_line(node)
    for graph in nested_graphs(node):
        yield from _graph_lines(graph, f"{indent}  ", f"subgraph {graph.name or ''}".rstrip())


def _graph_lines(graph: Graph, indent: str, title: str) -> Iterator[str]:
    yield f"{indent}{title}"
    inner = f"{indent}  "
    for value in graph.inputs:
        yield f"{inner}input {value_text(value)}"
    for value in graph.initializers.values():
        yield inner + initializer_line(value)
    for node in graph:
        yield from node_lines(node, inner)
    for value in graph.outputs:
        yield f"{inner}output {value_text(value)}"


def _opsets_text(opsets: dict[str, int]) -> str:
    named = sorted((domain, version) for domain, version in opsets.items() if domain)
    first = [f"opset {opsets['']}"] if "" in opsets else []
    return ", ".join(first + [f"{domain} {version}" for domain, version in named])


def model_text(model: Model) -> str:
    """The whole model as text, ending in a newline."""
    lines = list(_graph_lines(model.graph, "", f"model {_opsets_text(model.opset_imports)}"))
    for function in model.functions.values():
        title = f"function {function.domain}.{function.name} {_opsets_text(function.opset_imports)}"
        lines.extend(_graph_lines(function.graph, "", title))
    return "\n".join(lines) + "\n"


def parse_model(text: str, *, opset: int = 20) -> Model:
    """Read ONNX text; a text without a ``<...>`` header gets IR version 10 and ``opset``.

    Raises:
        ModelError: when it does not parse.
    """
    stripped = text.strip()
    if not stripped.startswith("<"):
        stripped = f'<ir_version: 10, opset_import: ["": {opset}]>\n{stripped}'
    try:
        return from_onnx_text(stripped)
    except Exception as error:
        first = str(error).strip().splitlines()
        raise ModelError(first[0] if first else "not ONNX text", where="ONNX text") from error
