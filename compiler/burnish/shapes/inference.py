"""Write what is known about shapes into the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx
import onnx.shape_inference

from burnish.ir import (
    DataType,
    Graph,
    Model,
    Scope,
    Shape,
    TensorType,
    Value,
    nested_graphs,
    scopes,
)
from burnish.serial.skeleton import dismantle
from burnish.shapes.analysis import Shapes, Sizes
from burnish.shapes.facts import Facts
from burnish.symbolic import Dim, has_unknown

__all__ = ["infer"]

# Shape operands are smaller than this; weights are larger and stay out of the copy.
_WEIGHT_BYTES = 1024


def infer(model: Model, shapes: Shapes | None = None) -> int:
    """Declare the shape and type of every intermediate value, as far as they can be derived.

    Inputs and outputs of the main graph and of functions keep what they declare. Everything else
    (results of nodes, inputs and outputs of subgraphs) gets what it lacks; a declared size that
    contradicts the derived one is replaced, since value_info goes stale and operators do not lie.
    A declared name stays where nothing better is known.

    Our own analysis goes first. ONNX's inference over a copy without weights is asked only when a
    type or rank is still open; when it fails, our analysis stands alone.

    Args:
        model: changed in place: shapes and types of intermediate values, nothing else.
        shapes: an analysis of this model to use; a new one when None.

    Returns:
        How many values are declared better than before.
    """
    shapes = Shapes(model) if shapes is None else shapes
    found = list(scopes(model))
    while any(scope.depth for scope in found) and _distrust_carried(found, shapes):
        shapes.learn({})
    values = list(_intermediates(found))
    if any(_is_open(value, shapes.facts(value)) for value in values):
        hints = _by_onnx(model, values)
        if hints:
            shapes.learn(hints)
    return sum(_declare(value, shapes.facts(value)) for value in values)


def _distrust_carried(found: Iterable[Scope], shapes: Shapes) -> bool:
    """Drop declared sizes of what a Loop carries that do not hold in every round.

    Exporters write down the first round; a value that grows then has another size in the next.
    A size holds when the first value has it and, where it holds, the body's result has it too.

    Returns:
        Whether a size was dropped: what rested on it is to be derived anew.
    """
    changed = False
    for scope in found:
        for node in scope.graph:
            if node.op_type != "Loop" or node.domain != "":
                continue
            for body in nested_graphs(node):
                # Inputs: the round, the condition, what is carried. Results: without the round.
                for first, carried, result in zip(
                    node.inputs[2:], body.inputs[2:], body.outputs[1:], strict=False
                ):
                    if first is not None:
                        changed |= _drop_sizes(carried, shapes.shape(first), shapes.shape(result))
    return changed


def _drop_sizes(carried: Value, *seen: tuple[Dim, ...] | None) -> bool:
    """Forget declared sizes of ``carried`` that are not those of every shape in ``seen``."""
    if carried.shape is None:
        return False
    known = [shape for shape in seen if shape is not None and len(shape) == len(carried.shape)]
    if len(known) < len(seen):
        carried.shape = None
        return True
    dims = [
        dim if not isinstance(dim, int) or all(shape[axis] == dim for shape in known) else None
        for axis, dim in enumerate(carried.shape)
    ]
    changed = dims != list(carried.shape)
    if changed:
        carried.shape = Shape(dims)
    return changed


def _intermediates(found: Iterable[Scope]) -> Iterator[Value]:
    """Values whose declaration is no promise to anybody outside."""
    for scope in found:
        fixed = set(scope.graph.outputs) if scope.depth == 0 else set()
        if scope.depth:
            yield from scope.graph.inputs
        for node in scope.graph:
            for value in node.outputs:
                if value.name and value not in fixed:
                    yield value


def _is_tensor(value: Value) -> bool:
    """Whether ``value`` is, or may be, a tensor."""
    kind = value.type
    # The type itself first: isinstance() is slow for classes of a protocol.
    return kind is None or type(kind) is TensorType or isinstance(kind, TensorType)


def _is_open(value: Value, facts: Facts) -> bool:
    return (facts.shape is None or facts.dtype is None) and _is_tensor(value)


def _declare(value: Value, facts: Facts) -> bool:
    if not _is_tensor(value):
        return False
    better = False
    if facts.dtype is not None and value.dtype != facts.dtype:
        value.dtype = facts.dtype
        better = True
    was, derived = value.shape, facts.shape
    if derived is None or (was is not None and was.dims == derived):
        return better
    kept: Iterable[object] = [None] * len(derived)
    if was is not None and len(was) == len(derived):
        kept = was
    dims = [_dim_text(dim, old) for dim, old in zip(derived, kept, strict=True)]
    if was is None or dims != [_declared(old) for old in was]:
        value.shape = Shape(dims)
        better = True
    return better


def _declared(dim: object) -> int | str | None:
    if isinstance(dim, int):
        return dim
    name = getattr(dim, "value", None)
    return name if isinstance(name, str) else None


def _dim_text(dim: Dim, declared: object) -> int | str | None:
    if isinstance(dim, int):
        return dim
    if not has_unknown(dim):
        return str(dim)
    name = _declared(declared)
    return name if isinstance(name, str) else None


# ---- ONNX's own inference ------------------------------------------------------------------------


def _by_onnx(model: Model, values: list[Value]) -> dict[Value, Sizes]:
    """Sizes that ``onnx.shape_inference`` derives; also declares types that were missing."""
    try:
        proto, weights = dismantle(model, at_least=_WEIGHT_BYTES)
        _strip(proto, weights)
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=False, data_prop=True)
    except Exception:  # C++ inference, and serializing over 2 GB, raise several kinds of error
        return {}
    hints: dict[Value, Sizes] = {}
    wanted = set(values)
    for graph, copy in _pairs(model.graph, inferred.graph):
        kinds = {info.name: info.type for info in (*copy.value_info, *copy.input, *copy.output)}
        for value in _own_values(graph):
            kind = kinds.get(value.name or "")
            if value not in wanted or kind is None or not kind.HasField("tensor_type"):
                continue
            tensor = kind.tensor_type
            if value.dtype is None and tensor.elem_type:
                value.dtype = DataType(tensor.elem_type)
            if tensor.HasField("shape"):
                hints[value] = tuple(
                    dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim
                )
    return hints


def _strip(proto: onnx.ModelProto, weights: Mapping[int, object]) -> None:
    """Turn left-out weights into inputs and drop declarations that may be stale."""
    graph = proto.graph
    inputs = {info.name for info in graph.input}
    for index in sorted(weights, reverse=True):
        held = graph.initializer[index]
        if held.name not in inputs:
            graph.input.append(
                onnx.helper.make_tensor_value_info(held.name, held.data_type, list(held.dims))
            )
        del graph.initializer[index]
    standard = {
        name for node in graph.node if node.domain in ("", "ai.onnx") for name in node.output
    }
    kept = [info for info in graph.value_info if info.name not in standard]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    for info in graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")


def _pairs(graph: Graph, copy: onnx.GraphProto) -> Iterator[tuple[Graph, onnx.GraphProto]]:
    """Our graphs with their copies; the copy has the same nodes in the same order."""
    yield graph, copy
    for node, node_copy in zip(graph, copy.node, strict=True):
        inner = list(nested_graphs(node))
        if inner:
            by_name = {attribute.name: attribute for attribute in node_copy.attribute}
            copies = [
                held
                for name in node.attributes
                for held in (
                    (by_name[name].g,) if by_name[name].HasField("g") else by_name[name].graphs
                )
            ]
            for one, other in zip(inner, copies, strict=True):
                yield from _pairs(one, other)


def _own_values(graph: Graph) -> Iterator[Value]:
    yield from graph.inputs
    for node in graph:
        yield from node.outputs
