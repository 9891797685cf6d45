"""A model from its proto, as onnx-ir reads it, in less time.

onnx-ir's deserializer asks for each field by name, twice, inside a handler for errors at each
level. Here the common fields of nodes, values and attributes are read directly; what is rare is
handed to it: unusual attributes, types and tensors each by itself, models that hold functions,
devices or map types as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import onnx

from burnish.ir import (
    Attr,
    AttributeType,
    Graph,
    Model,
    Node,
    Shape,
    StoredTensor,
    TensorProtocol,
    TensorType,
    Value,
    from_proto,
)
from burnish.serial.declared import holds_map, read_type
from burnish.serial.rare import Rare
from burnish.serial.tokens import token_of

__all__ = ["build"]

# Where onnx-ir keeps the quantization annotation of a value, in ``value.meta``.
_ANNOTATION = "quant_parameter_tensor_names"

_ATTRIBUTE = onnx.AttributeProto
_TENSOR = onnx.TensorProto
# To type checkers all protos are alike, so that they take every result for a model.
_by_onnx_ir: Callable[[Any], Any] = from_proto

_Names: TypeAlias = dict[str, Value]


def build(proto: onnx.ModelProto, held: Mapping[str, TensorProtocol]) -> Model:
    """The model of a well-formed proto without sparse tensors.

    Args:
        proto: read, and kept by small tensors, so it must not change afterwards.
        held: what the tokens of tensors stand for.

    Raises:
        Rare: when the proto holds functions, devices or map types.
    """
    if proto.functions or proto.configuration:
        raise Rare
    graph = _Builder(held).graph(proto.graph, ())
    graph.opset_imports.update({entry.domain: entry.version for entry in proto.opset_import})
    return Model(
        graph,
        ir_version=proto.ir_version,
        producer_name=proto.producer_name or None,
        producer_version=proto.producer_version or None,
        domain=proto.domain or None,
        model_version=proto.model_version or None,
        doc_string=proto.doc_string or None,
        metadata_props=_entries(proto.metadata_props),
    )


def _entries(entries: Sequence[onnx.StringStringEntryProto]) -> dict[str, str] | None:
    return {entry.key: entry.value for entry in entries} if entries else None


class _Builder:
    """Reads the graphs of one model.

    Repeated fields are read as slices: protobuf hands out a list in half the time of its items.
    """

    def __init__(self, held: Mapping[str, TensorProtocol]) -> None:
        self.held = held

    def graph(self, proto: onnx.GraphProto, outer: Sequence[_Names]) -> Graph:
        """One graph; ``outer`` are the names of the graphs around it, the nearest last."""
        infos = {info.name: info for info in proto.value_info[:]}
        inputs = [Value(name=info.name) for info in proto.input]
        for value, info in zip(inputs, proto.input, strict=True):
            _describe(value, info)
        names: _Names = {value.name or "": value for value in inputs}
        initializers = [self.initializer(tensor, names, infos) for tensor in proto.initializer[:]]
        nodes = proto.node[:]
        results = [node.output[:] for node in nodes]
        # All results before all nodes: a subgraph may read what a later node of this graph makes.
        for found in results:
            for name in found:
                if name:
                    value = names[name] = Value(name=name)
                    if name in infos:
                        _describe(value, infos[name])
        scopes = (*outer, names)
        made = [self.node(*pair, scopes) for pair in zip(nodes, results, strict=True)]
        outputs = [names[info.name] for info in proto.output]
        for value, info in zip(outputs, proto.output, strict=True):
            _describe(value, info)
        for annotation in proto.quantization_annotation:
            if annotation.tensor_name in names:
                parameters = _entries(annotation.quant_parameter_tensor_names)
                names[annotation.tensor_name].meta[_ANNOTATION] = parameters
        return Graph(
            inputs,
            outputs,
            nodes=made,
            initializers=initializers,
            doc_string=proto.doc_string or None,
            name=proto.name or None,
            metadata_props=_entries(proto.metadata_props),
        )

    def initializer(
        self, proto: onnx.TensorProto, names: _Names, infos: Mapping[str, onnx.ValueInfoProto]
    ) -> Value:
        """The value of a tensor; its declaration counts only where it says more than the tensor."""
        held, name = self.tensor(proto), proto.name
        value = names.get(name)
        if value is not None:  # an input with a default
            value.const_value = held
            return value
        known = held.shape
        shape = known if isinstance(known, Shape) else Shape(known.numpy())
        value = Value(name=name, type=TensorType(held.dtype), shape=shape, const_value=held)
        names[name] = value
        info = infos.get(name)
        if info is not None and (info.doc_string or info.metadata_props):
            _describe(value, info)
        return value

    def tensor(self, proto: onnx.TensorProto) -> TensorProtocol:
        """A tensor that lies in the proto, that a token stands for, or in a file."""
        if proto.data_location == _TENSOR.EXTERNAL:
            token = token_of(proto)
            if token is not None:
                return self.held[token]
        elif proto.data_type != _TENSOR.STRING:
            return StoredTensor(proto)
        read: TensorProtocol = _by_onnx_ir(proto)
        return read

    def node(self, proto: onnx.NodeProto, results: Iterable[str], scopes: Sequence[_Names]) -> Node:
        """One node, with its subgraphs."""
        if proto.device_configurations:
            raise Rare
        own = scopes[-1]
        return Node(
            proto.domain,
            proto.op_type,
            [(own.get(name) or _found(name, scopes)) if name else None for name in proto.input[:]],
            [self.attribute(attribute, scopes) for attribute in proto.attribute[:]],
            overload=proto.overload,
            outputs=[own[name] if name else Value(name="") for name in results],
            name=proto.name,
            doc_string=proto.doc_string or None,
            metadata_props=_entries(proto.metadata_props),
        )

    def attribute(self, proto: onnx.AttributeProto, scopes: Sequence[_Names]) -> Attr:
        """One attribute."""
        kind = proto.type
        value: Any
        if proto.ref_attr_name:
            return cast("Attr", _by_onnx_ir(proto))
        if kind == _ATTRIBUTE.INT:
            value = proto.i
        elif kind == _ATTRIBUTE.INTS:
            value = proto.ints[:]
        elif kind == _ATTRIBUTE.FLOAT:
            value = proto.f
        elif kind == _ATTRIBUTE.FLOATS:
            value = proto.floats[:]
        elif kind == _ATTRIBUTE.TENSOR:
            value = self.tensor(proto.t)
        elif kind == _ATTRIBUTE.GRAPH:
            value = self.graph(proto.g, scopes)
        elif kind == _ATTRIBUTE.GRAPHS:
            value = [self.graph(graph, scopes) for graph in proto.graphs]
        else:
            return cast("Attr", _by_onnx_ir(proto))
        return Attr(proto.name, AttributeType(kind), value, doc_string=proto.doc_string or None)


def _describe(value: Value, info: onnx.ValueInfoProto) -> None:
    """Give ``value`` what ``info`` says of it."""
    plain = read_type(info.type)
    if plain is not None:
        dtype, sizes = plain
        value.type = TensorType(dtype)
        value.shape = None if sizes is None else Shape(sizes, frozen=True)
    elif holds_map(info.type):
        raise Rare
    elif info.type.WhichOneof("value") is not None:
        said = _by_onnx_ir(info)
        value.type, value.shape = said.type, said.shape
    value.doc_string = info.doc_string or None
    if info.metadata_props:
        value.metadata_props.update(_entries(info.metadata_props) or {})


def _found(name: str, scopes: Sequence[_Names]) -> Value:
    for names in reversed(scopes):
        if name in names:
            return names[name]
    raise Rare
