"""A model as a proto without its weights, and back.

onnx-ir has no place for some things a model file may hold: sparse tensors and map types. And it
copies weights into the proto when it serializes. Both are met in the same way: what the proto
cannot or shall not hold stays outside, and a token (:mod:`burnish.serial.tokens`) stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx

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
    TensorProtocol,
    TensorProtoTensor,
    Value,
    from_proto,
    scopes,
    to_proto,
)
from burnish.serial.building import build
from burnish.serial.declared import declare, holds_map, take_declared
from burnish.serial.encoding import encode_hollow
from burnish.serial.rare import Rare
from burnish.serial.sparse import SparseTensor
from burnish.serial.tokens import Held, mark, nested_graphs, set_token, token_of

__all__ = ["assemble", "dismantle"]

_PROTOBUF_LIMIT = (1 << 31) - 1
_MAP_TYPE = "burnish.type_proto"
_TENSORS = frozenset(
    {
        AttributeType.TENSOR,
        AttributeType.TENSORS,
        AttributeType.SPARSE_TENSOR,
        AttributeType.SPARSE_TENSORS,
    }
)
_SPARSE = (AttributeType.SPARSE_TENSOR, AttributeType.SPARSE_TENSORS)


# --- proto to model


def assemble(proto: onnx.ModelProto, held: Mapping[str, TensorProtocol], *, sparse: bool) -> Model:
    """The model of a proto with tokens.

    Args:
        proto: changed: it must be the caller's own.
        held: what the tokens of the main graph's initializers stand for.
        sparse: whether to look for sparse tensors.
    """
    if not sparse:
        try:
            return build(proto, held)
        except Rare:
            return _by_onnx_ir(proto, held)
    extra = dict(held)
    _take_sparse(proto.graph, extra)
    for function in proto.functions:
        for node in function.node:
            _take_sparse_of_node(node, extra)
    model = _by_onnx_ir(proto, extra)
    for scope in scopes(model):
        _hand_back(scope.graph, extra)
    return model


def _by_onnx_ir(proto: onnx.ModelProto, held: Mapping[str, TensorProtocol]) -> Model:
    """As onnx-ir reads the proto, with what it cannot read taken out before."""
    maps = _take_maps(proto.graph)
    declared = take_declared(proto.graph)
    model = from_proto(proto)
    declare(model.graph, declared)
    values = [*model.graph.inputs, *model.graph.outputs]
    values += [out for node in model.graph for out in node.outputs] if maps else []
    for value in values:
        if value.name in maps:
            value.meta[_MAP_TYPE] = maps[value.name]
    _hand_back_initializers(model.graph, held)
    return model


def _take_maps(graph: onnx.GraphProto) -> dict[str, bytes]:
    """Remove map types, which onnx-ir refuses, from the declared values; return them by name."""
    taken: dict[str, bytes] = {}
    for infos in (graph.input, graph.output, graph.value_info):
        for info in infos:
            if holds_map(info.type):
                taken[info.name] = info.type.SerializeToString(deterministic=True)
                info.ClearField("type")
    return taken


def _take_sparse(graph: onnx.GraphProto, held: Held) -> None:
    for sparse in graph.sparse_initializer:
        tensor = SparseTensor(_copy(sparse))
        set_token(
            graph.initializer.add(
                name=sparse.values.name, dims=sparse.dims, data_type=sparse.values.data_type
            ),
            mark(held, tensor),
        )
    del graph.sparse_initializer[:]
    for node in graph.node:
        _take_sparse_of_node(node, held)


def _copy(sparse: onnx.SparseTensorProto) -> onnx.SparseTensorProto:
    copy = onnx.SparseTensorProto()
    copy.CopyFrom(sparse)
    return copy


def _take_sparse_of_node(node: onnx.NodeProto, held: Held) -> None:
    for attribute in node.attribute:
        kind = attribute.type
        if kind == onnx.AttributeProto.SPARSE_TENSOR and not attribute.ref_attr_name:
            _set_token_attribute(attribute, [attribute.sparse_tensor], held)
        elif kind == onnx.AttributeProto.SPARSE_TENSORS and not attribute.ref_attr_name:
            _set_token_attribute(attribute, list(attribute.sparse_tensors), held)
    for graph in nested_graphs(node):
        _take_sparse(graph, held)


def _set_token_attribute(
    attribute: onnx.AttributeProto, found: list[onnx.SparseTensorProto], held: Held
) -> None:
    single = attribute.type == onnx.AttributeProto.SPARSE_TENSOR
    tensors = [SparseTensor(_copy(sparse)) for sparse in found]
    attribute.ClearField("sparse_tensor")
    del attribute.sparse_tensors[:]
    attribute.type = onnx.AttributeProto.TENSOR if single else onnx.AttributeProto.TENSORS
    for tensor in tensors:
        place = attribute.t if single else attribute.tensors.add()
        place.data_type = tensor.dtype.value
        place.dims.extend(tensor.raw.dims)
        set_token(place, mark(held, tensor))


def _hand_back_initializers(graph: Graph, held: Mapping[str, TensorProtocol]) -> None:
    for value in graph.initializers.values():
        tensor = value.const_value
        if type(tensor) is ExternalTensor:  # isinstance() is slow for classes of a protocol
            value.const_value = held.get(str(tensor.location), tensor)
        elif type(tensor) is TensorProtoTensor:
            value.const_value = StoredTensor(tensor.raw)


def _hand_back(graph: Graph, held: Mapping[str, TensorProtocol]) -> None:
    """Replace tokens in ``graph`` by what they stand for."""
    _hand_back_initializers(graph, held)
    for node in graph:
        for attr in list(node.attributes.values()):
            if attr.type in (AttributeType.TENSOR, AttributeType.TENSORS) and not attr.is_ref():
                _hand_back_attribute(node, attr, held)


def _hand_back_attribute(node: Node, attr: Attr, held: Mapping[str, TensorProtocol]) -> None:
    single = attr.type == AttributeType.TENSOR
    before = [attr.value] if single else list(attr.value)
    after = [held.get(str(getattr(tensor, "location", "")), tensor) for tensor in before]
    if all(new is old for new, old in zip(after, before, strict=True)):
        return
    if node.op_type == "Constant" and attr.name == "sparse_value":
        # To its readers a constant; dismantle() writes sparse_value again.
        del node.attributes["sparse_value"]
        node.attributes["value"] = Attr("value", AttributeType.TENSOR, after[0])
        return
    kind = attr.type
    if any(isinstance(tensor, SparseTensor) for tensor in after):
        kind = _SPARSE[0] if single else _SPARSE[1]
    node.attributes[attr.name] = Attr(
        attr.name, kind, after[0] if single else after, doc_string=attr.doc_string
    )


# --- model to proto


def dismantle(model: Model, *, at_least: int) -> tuple[onnx.ModelProto, dict[int, TensorProtocol]]:
    """The proto of ``model`` without the big weights of its main graph.

    The model is the same afterwards. Sparse tensors and map types are written as the file had
    them; external tensors of subgraphs and attributes are written into the proto.

    Args:
        model: any model.
        at_least: main-graph weights of this many bytes or more stay outside.

    Returns:
        The proto, and ``{index of the initializer: tensor}`` of the weights left out. Their
        ``raw_data`` is absent and nothing else.
    """
    try:
        data, outside = encode_hollow(model, at_least=at_least)
    except Rare:
        return _dismantle_by_onnx_ir(model, at_least)
    if len(data) > _PROTOBUF_LIMIT:  # a proto may hold more, but not be read from bytes
        return _dismantle_by_onnx_ir(model, at_least)
    return onnx.ModelProto.FromString(data), outside


def _dismantle_by_onnx_ir(
    model: Model, at_least: int
) -> tuple[onnx.ModelProto, dict[int, TensorProtocol]]:
    """As :func:`dismantle`, by way of a model in which tokens stand for tensors."""
    held: Held = {}
    undo: list[Callable[[], None]] = []
    own: set[str] = set()
    try:
        for scope in scopes(model):
            main = scope.graph is model.graph
            for value in scope.graph.initializers.values():
                tensor = value.const_value
                if tensor is None:
                    continue
                big = main and tensor.dtype != DataType.STRING and tensor.nbytes >= at_least
                if big or isinstance(tensor, ExternalTensor | SparseTensor):
                    token = _swap_initializer(value, tensor, held, undo)
                    if not main or isinstance(tensor, SparseTensor) or not big:
                        own.add(token)
            for node in scope.graph:
                own.update(_swap_attributes(node, held, undo))
        proto = to_proto(model)
    finally:
        for step in reversed(undo):
            step()
    if own:
        _fill(proto, held, own)
    _restore_maps(proto, model)
    outside: dict[int, TensorProtocol] = {}
    for index, initializer in enumerate(proto.graph.initializer):
        token_left = token_of(initializer)
        if token_left is not None:
            outside[index] = held[token_left]
            initializer.ClearField("external_data")
            initializer.ClearField("data_location")
    return proto, outside


def _stand_in(tensor: TensorProtocol, token: str) -> ExternalTensor:
    return ExternalTensor(
        token,
        None,
        None,
        tensor.dtype,
        shape=Shape(tensor.shape.numpy()),
        name=tensor.name or "",
        doc_string=tensor.doc_string,
        metadata_props=dict(tensor.metadata_props),
    )


def _swap_initializer(
    value: Value, tensor: TensorProtocol, held: Held, undo: list[Callable[[], None]]
) -> str:
    token = mark(held, tensor)

    def restore() -> None:
        value.const_value = tensor

    undo.append(restore)
    value.const_value = _stand_in(tensor, token)
    return token


def _swap_attributes(node: Node, held: Held, undo: list[Callable[[], None]]) -> list[str]:
    tokens: list[str] = []
    for attr in list(node.attributes.data.values()):
        if attr.type not in _TENSORS or attr.is_ref():
            continue
        single = attr.type in (AttributeType.TENSOR, AttributeType.SPARSE_TENSOR)
        tensors = [attr.value] if single else list(attr.value)
        if not any(isinstance(tensor, ExternalTensor | SparseTensor) for tensor in tensors):
            continue
        fresh = [mark(held, tensor) for tensor in tensors]
        tokens += fresh
        stand_ins = [_stand_in(t, token) for t, token in zip(tensors, fresh, strict=True)]

        def restore(attr: Attr = attr) -> None:
            node.attributes[attr.name] = attr

        undo.append(restore)
        kind = AttributeType.TENSOR if single else AttributeType.TENSORS
        node.attributes[attr.name] = Attr(
            attr.name, kind, stand_ins[0] if single else stand_ins, doc_string=attr.doc_string
        )
    return tokens


def _fill(proto: onnx.ModelProto, held: Held, own: set[str]) -> None:
    """Write the tensors named in ``own`` into the proto, sparse ones as sparse."""
    _fill_graph(proto.graph, held, own)
    for function in proto.functions:
        for node in function.node:
            _fill_node(node, held, own)


def _fill_graph(graph: onnx.GraphProto, held: Held, own: set[str]) -> None:
    for index in reversed(range(len(graph.initializer))):
        initializer = graph.initializer[index]
        token = token_of(initializer)
        if token is None or token not in own:
            continue
        tensor = held[token]
        if isinstance(tensor, SparseTensor):
            sparse = _copy(tensor.raw)
            sparse.values.name = initializer.name
            graph.sparse_initializer.insert(0, sparse)
            del graph.initializer[index]
        else:
            _fill_tensor(initializer, tensor)
    for node in graph.node:
        _fill_node(node, held, own)


def _fill_tensor(proto: onnx.TensorProto, tensor: TensorProtocol) -> None:
    proto.ClearField("external_data")
    proto.ClearField("data_location")
    proto.raw_data = tensor.tobytes()


def _fill_node(node: onnx.NodeProto, held: Held, own: set[str]) -> None:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            token = token_of(attribute.t)
            if token is not None and token in own:
                tensor = held[token]
                if not isinstance(tensor, SparseTensor):
                    _fill_tensor(attribute.t, tensor)
                    continue
                attribute.ClearField("t")
                attribute.type = onnx.AttributeProto.SPARSE_TENSOR
                attribute.sparse_tensor.CopyFrom(tensor.raw)
                if node.op_type == "Constant" and node.domain == "":
                    attribute.name = "sparse_value"
        elif attribute.type == onnx.AttributeProto.TENSORS:
            _fill_tensors(attribute, held, own)
    for graph in nested_graphs(node):
        _fill_graph(graph, held, own)


def _fill_tensors(attribute: onnx.AttributeProto, held: Held, own: set[str]) -> None:
    for proto in list(attribute.tensors):
        token = token_of(proto)
        if token is None or token not in own:
            continue
        tensor = held[token]
        if isinstance(tensor, SparseTensor):
            attribute.type = onnx.AttributeProto.SPARSE_TENSORS
            attribute.sparse_tensors.append(tensor.raw)
        else:
            _fill_tensor(proto, tensor)
    if attribute.type == onnx.AttributeProto.SPARSE_TENSORS:
        del attribute.tensors[:]


def _restore_maps(proto: onnx.ModelProto, model: Model) -> None:
    declared = {info.name: info for info in proto.graph.input}
    declared.update({info.name: info for info in proto.graph.output})
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.name and _MAP_TYPE in value.meta:
            declared[value.name].type.ParseFromString(value.meta[_MAP_TYPE])
