"""The one door to onnx-ir: its types under one name, and the few questions every pass asks.

Everything else in Burnish imports IR types from here, so that a change in onnx-ir is a change in
one file. Terms: a *scope* is one graph with the opsets its nodes are written in: the main graph,
a subgraph of If/Loop/Scan, or a function body.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import onnx
from onnx_ir import (
    Attr,
    AttributeType,
    DataType,
    ExternalTensor,
    Function,
    Graph,
    Model,
    Node,
    OptionalType,
    PackedTensor,
    SequenceType,
    Shape,
    ShapeProtocol,
    StringTensor,
    Tensor,
    TensorProtocol,
    TensorProtoTensor,
    TensorType,
    TypeProtocol,
    Value,
    from_onnx_text,
    from_proto,
    tensor,
    to_proto,
)
from onnx_ir.convenience import convert_attributes as convert_any_attributes
from onnx_ir.serde import serialize_node

from burnish.schemas import is_random, schema

__all__ = [
    "Array",
    "Attr",
    "AttributeType",
    "DataType",
    "ExternalTensor",
    "Function",
    "Graph",
    "Model",
    "Node",
    "OptionalType",
    "PackedTensor",
    "Scope",
    "SequenceType",
    "Shape",
    "ShapeProtocol",
    "StoredTensor",
    "Tensor",
    "TensorProtoTensor",
    "TensorProtocol",
    "TensorType",
    "TypeProtocol",
    "Value",
    "all_nodes",
    "attribute",
    "constant",
    "constant_array",
    "convert_attributes",
    "from_onnx_text",
    "from_proto",
    "has_meta",
    "inline_calls",
    "is_deterministic",
    "is_random",
    "label",
    "make_tensor",
    "names_in_use",
    "nested_graphs",
    "outputs_of",
    "read_values",
    "remove_node",
    "schema",
    "scopes",
    "serialize_node",
    "tensor",
    "to_proto",
]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_KEPT_BYTES = 4096


@dataclass(frozen=True)
class Scope:
    """One graph and what its nodes mean.

    Attributes:
        graph: the nodes.
        opsets: ``{domain: version}`` in force; ``""`` is the ONNX domain.
        function: the function this is (part of) the body of, or None.
        depth: 0 for a main graph or function body, 1 for a subgraph of it, and so on.
    """

    graph: Graph
    opsets: dict[str, int]
    function: Function | None
    depth: int


_GRAPHS = frozenset({AttributeType.GRAPH, AttributeType.GRAPHS})


def nested_graphs(node: Node) -> list[Graph]:
    """The subgraphs that ``node`` holds as attributes, in attribute order."""
    # The plain dict inside: reading through the tracked container is ten times slower.
    attributes = node.attributes.data
    if not attributes:
        return []
    found: list[Graph] = []
    for attr in attributes.values():
        if attr.type in _GRAPHS and not attr.is_ref():
            found.extend(
                [attr.as_graph()] if attr.type == AttributeType.GRAPH else attr.as_graphs()
            )
    return found


def _scope_and_inner(scope: Scope) -> Iterator[Scope]:
    yield scope
    for node in scope.graph:
        for graph in nested_graphs(node):
            yield from _scope_and_inner(Scope(graph, scope.opsets, scope.function, scope.depth + 1))


def scopes(model: Model) -> Iterator[Scope]:
    """Yield every scope: the main graph, function bodies, and all their subgraphs, outer first."""
    yield from _scope_and_inner(Scope(model.graph, model.opset_imports, None, 0))
    for function in model.functions.values():
        yield from _scope_and_inner(Scope(function.graph, function.opset_imports, function, 0))


def all_nodes(model: Model) -> Iterator[Node]:
    """Yield every node of every scope."""
    for scope in scopes(model):
        yield from scope.graph


def label(node: Node) -> str:
    """How a node is named to people: its name, else ``OpType(first output)``."""
    if node.name:
        return node.name
    first = node.outputs[0].name if node.outputs else ""
    return f"{node.op_type}({first})"


def attribute(node: Node, name: str, default: Any = None) -> Any:
    """The value of attribute ``name``, or ``default`` when absent (or a reference)."""
    attr = node.attributes.data.get(name)
    if attr is None or attr.is_ref():
        return default
    if attr.type == AttributeType.INTS or attr.type == AttributeType.FLOATS:
        return tuple(attr.value)
    return attr.value


_PLAIN_ATTRIBUTES: Final[Mapping[type, AttributeType]] = MappingProxyType(
    {int: AttributeType.INT, float: AttributeType.FLOAT, str: AttributeType.STRING}
)
_LISTED_ATTRIBUTES: Final[Mapping[type, AttributeType]] = MappingProxyType(
    {int: AttributeType.INTS, float: AttributeType.FLOATS, str: AttributeType.STRINGS}
)


def has_meta(value: Value) -> bool:
    """Whether anything is kept in ``value.meta``, which would make a store for every value asked."""
    return bool(value._metadata)


def convert_attributes(given: Mapping[str, Any]) -> list[Attr]:
    """Python values as attributes; the common types at once, all others as onnx-ir sees them."""
    return [_converted(name, value) for name, value in given.items()]


def _converted(name: str, value: Any) -> Attr:
    kind = _PLAIN_ATTRIBUTES.get(type(value))
    if kind is None and isinstance(value, list | tuple) and value:
        kinds = set(map(type, value))
        if len(kinds) == 1:
            kind = _LISTED_ATTRIBUTES.get(kinds.pop())
            value = tuple(value) if kind is not None else value
    if kind is None and isinstance(value, Tensor | StoredTensor):
        kind = AttributeType.TENSOR
    if kind is not None:
        return Attr(name, kind, value)
    return convert_any_attributes({name: value})[0]


class StoredTensor(TensorProtoTensor):
    """A tensor as the file holds it, which remembers what is asked of it again and again.

    Its array may be shared by all who ask, so it is read-only.
    """

    __slots__ = ("_array", "_kind", "_nbytes", "_shape", "_size")

    def __init__(self, proto: onnx.TensorProto) -> None:
        super().__init__(proto)
        self._kind = DataType(proto.data_type)
        self._shape = Shape(proto.dims, frozen=True)
        self._size: int = math.prod(proto.dims)
        self._nbytes: int | None = None
        self._array: Array | None = None

    @property
    def dtype(self) -> DataType:  # type: ignore[override]  # the protocol's are attributes
        """The element type."""
        return self._kind

    @property
    def shape(self) -> Shape:  # type: ignore[override]  # as above
        """The shape, which nobody can change."""
        return self._shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._size

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        if self._nbytes is None:
            self._nbytes = math.ceil(self._kind.itemsize * self._size)
        return self._nbytes

    def numpy(self) -> Array:
        """The elements; those of a small tensor are kept, for a proto copies them out each time."""
        if self._array is not None:
            return self._array
        array: Array = super().numpy()
        if array.nbytes <= _KEPT_BYTES:
            array.flags.writeable = False
            self._array = array
        return array


def constant(value: Value | None) -> TensorProtocol | None:
    """The tensor ``value`` always holds, or None.

    A value is constant when it is an initializer that no caller can override (not also a graph
    input) or the result of a ``Constant`` node.
    """
    if value is None:
        return None
    producer = value.producer()
    if producer is None:
        # Also one that is about to become an initializer, while a rewrite is being decided.
        return None if value.is_graph_input() else value.const_value
    if producer.op_type != "Constant" or producer.domain != "":
        return None
    if value.const_value is None:
        value.const_value = _constant_node_tensor(producer)
    return value.const_value


def _constant_node_tensor(node: Node) -> TensorProtocol | None:
    name, attr = next(iter(node.attributes.items()), ("", None))
    if attr is None or attr.is_ref():
        return None
    if name == "value":
        # Not as_tensor(): its isinstance check of a protocol takes a tenth of a millisecond.
        held: TensorProtocol = attr.value
        return StoredTensor(held.raw) if type(held) is TensorProtoTensor else held
    if name in ("value_int", "value_ints"):
        return Tensor(np.array(attr.value, dtype=np.int64))
    if name in ("value_float", "value_floats"):
        return Tensor(np.array(attr.value, dtype=np.float32))
    if name == "value_string":
        return StringTensor([attr.as_string().encode()], shape=Shape(()))
    if name == "value_strings":
        strings = [text.encode() for text in attr.as_strings()]
        return StringTensor(strings, shape=Shape((len(strings),)))
    return None


def constant_array(value: Value | None) -> Array | None:
    """The numpy array ``value`` always holds, or None; strings come as object arrays of bytes."""
    held = constant(value)
    return None if held is None else held.numpy()


def make_tensor(array: Array, dtype: DataType | None = None) -> TensorProtocol:
    """A tensor of ``array``; ``dtype`` is needed only for types numpy cannot tell apart."""
    if array.dtype.kind in "OSU":
        data = [text.encode() if isinstance(text, str) else bytes(text) for text in array.flat]
        return StringTensor(data, shape=Shape(array.shape))
    return Tensor(np.ascontiguousarray(array).reshape(array.shape), dtype=dtype)


def is_deterministic(node: Node, opsets: dict[str, int]) -> bool:
    """Whether two runs of ``node`` on equal inputs must give equal results, by its schema.

    Operators that hold subgraphs are judged by the nodes inside. Operators without a schema
    (custom domains, calls of functions) count as non-deterministic.
    """
    if graphs := nested_graphs(node):
        return all(is_deterministic(inner, opsets) for graph in graphs for inner in graph)
    kind = node.op_type, node.domain, opsets.get(node.domain, 0)
    return schema(*kind) is not None and not is_random(*kind)


def read_values(node: Node) -> list[Value]:
    """The values ``node`` reads, those its subgraphs read included."""
    found = [value for value in node.inputs if value is not None]
    for graph in nested_graphs(node):
        for inner in graph:
            found.extend(read_values(inner))
    return found


def _detach(node: Node) -> list[Value]:
    """Withdraw every use ``node`` and its subgraphs make of values; return those values."""
    released = [value for value in node.inputs if value is not None]
    for index in range(len(node.inputs)):
        node.replace_input_with(index, None)
    for graph in nested_graphs(node):
        for inner in graph:
            released.extend(_detach(inner))
        graph.outputs.clear()
    return released


def remove_node(node: Node) -> list[Value]:
    """Remove ``node`` and return the values it used, captures of its subgraphs included.

    onnx-ir's own removal forgets that the nodes inside an If or Loop body read outer values.
    """
    graph = node.graph
    released = _detach(node)
    if graph is not None:
        graph.remove(node)
    return released


def names_in_use(model: Model) -> set[str]:
    """Every value name of every scope: a new name outside this set shadows nothing."""
    names: set[str] = set()
    for scope in scopes(model):
        names.update(value.name for value in scope.graph.inputs if value.name)
        names.update(scope.graph.initializers)
        names.update(out.name for node in scope.graph for out in node.outputs if out.name)
    return names


def inline_calls(model: Model, wanted: Callable[[Function], bool]) -> None:
    """Replace calls of the functions that ``wanted`` accepts by copies of their bodies.

    Raises:
        ValueError: when functions call each other in a circle.
    """
    # Imported here: onnx-ir's passes take a while to import and few models need them.
    from onnx_ir.passes import PreconditionError
    from onnx_ir.passes.common import InlinePass

    try:
        InlinePass(criteria=wanted)(model)
    except PreconditionError as error:
        raise ValueError(str(error)) from error


def outputs_of(nodes: Iterable[Node]) -> Iterator[Value]:
    """Yield the outputs of ``nodes`` in order."""
    for node in nodes:
        yield from node.outputs
