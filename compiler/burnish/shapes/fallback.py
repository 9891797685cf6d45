"""Shapes of operators without a rule of ours: ask ONNX's own inference about the one node."""

from __future__ import annotations

import onnx
import onnx.shape_inference

from burnish.ir import DataType, constant, nested_graphs, schema, serialize_node
from burnish.shapes.facts import MAX_ELEMENTS, Facts, NodeFacts, Shape
from burnish.symbolic import Dim, Expr

__all__ = ["ask_onnx"]


def _type_proto(facts: Facts, names: dict[Expr, str]) -> onnx.TypeProto | None:
    if facts.dtype is None:
        return None
    dims: list[int | str] | None = None
    if facts.shape is not None:
        dims = [
            dim if isinstance(dim, int) else names.setdefault(dim, f"d{len(names)}")
            for dim in facts.shape
        ]
    return onnx.helper.make_tensor_type_proto(int(facts.dtype), dims)


def ask_onnx(view: NodeFacts) -> list[Shape | None] | None:
    """Output shapes of a standard operator by ``onnx.shape_inference.infer_node_outputs``.

    Sizes go in under made-up names, one a distinct expression, and come back by those names.
    """
    node = view.node
    spec = schema(node.op_type, "", view.version)
    if spec is None or not spec.has_type_and_shape_inference_function:
        return None
    if any(True for _ in nested_graphs(node)):
        return None
    names: dict[Expr, str] = {}
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for value, facts in zip(node.inputs, view.inputs, strict=True):
        if value is None or facts is None:
            continue
        kind = _type_proto(facts, names)
        if kind is None or not value.name:
            return None
        types[value.name] = kind
        held = constant(value)
        if held is not None and held.size <= MAX_ELEMENTS and held.dtype != DataType.STRING:
            data[value.name] = onnx.numpy_helper.from_array(held.numpy(), value.name)
    try:
        proto = serialize_node(node)
        found = onnx.shape_inference.infer_node_outputs(
            spec,
            proto,
            types,
            data,
            opset_imports=[onnx.helper.make_opsetid("", view.version)],
        )
    except Exception:  # C++ inference raises several kinds; every one means "no answer"
        return None
    back = {name: dim for dim, name in names.items()}
    return [_shape(view, found.get(output.name or ""), back) for output in node.outputs]


def _shape(view: NodeFacts, kind: onnx.TypeProto | None, back: dict[str, Expr]) -> Shape | None:
    if kind is None or not kind.HasField("tensor_type"):
        return None
    if not kind.tensor_type.HasField("shape"):
        return None
    dims: list[Dim] = []
    for dim in kind.tensor_type.shape.dim:
        if dim.HasField("dim_value"):
            dims.append(dim.dim_value)
        else:
            dims.append(back.get(dim.dim_param) or view.size())
    return tuple(dims)
