"""Names of dimensions: what is a name, what is an expression of names, and binding them.

Exporters write ``batch``, but also ``past+seq``, ``2*batch``, ``floor(n/2)``, ``?`` and ``-1``.
The last two are not names: two dimensions both called ``?`` may differ.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import onnx

from burnish.errors import ModelError
from burnish.serial.tokens import nested_graphs

__all__ = ["bind", "evaluate_dim", "is_name", "names_in"]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], int | float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_CALLS: dict[str, Callable[..., int | float]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "ceiling": math.ceil,
    "Max": max,
    "max": max,
    "Min": min,
    "min": min,
}


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr | None:
    """The expression ``text`` spells, or None when it is a plain name or not arithmetic."""
    if len(text) > 1000:
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    try:
        return tree if _is_arithmetic(tree) and any(_names(tree)) else None
    except RecursionError:
        return None


def _is_arithmetic(tree: ast.expr) -> bool:
    if isinstance(tree, ast.Name):
        return True
    if isinstance(tree, ast.Constant):
        return type(tree.value) is int
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.USub) and _is_arithmetic(tree.operand)
    if isinstance(tree, ast.BinOp):
        known = type(tree.op) in _BINARY
        return known and _is_arithmetic(tree.left) and _is_arithmetic(tree.right)
    if isinstance(tree, ast.Call):
        known = isinstance(tree.func, ast.Name) and tree.func.id in _CALLS
        return (
            known and bool(tree.args) and not tree.keywords and all(map(_is_arithmetic, tree.args))
        )
    return False


def _names(tree: ast.expr) -> Iterator[str]:
    if isinstance(tree, ast.Name):
        yield tree.id
    elif isinstance(tree, ast.UnaryOp):
        yield from _names(tree.operand)
    elif isinstance(tree, ast.BinOp):
        yield from _names(tree.left)
        yield from _names(tree.right)
    elif isinstance(tree, ast.Call):
        for arg in tree.args:
            yield from _names(arg)


def is_name(text: str) -> bool:
    """Whether ``text`` says which size is meant: ``batch`` and ``2*n`` do, ``?`` and ``-1`` do not."""
    return re.search(r"[^\W\d]", text) is not None


def names_in(text: str) -> tuple[str, ...]:
    """The names in a dimension: of ``past+seq`` both; of anything not arithmetic, itself."""
    tree = _parse(text)
    if tree is None:
        return (text,) if is_name(text) else ()
    return tuple(dict.fromkeys(_names(tree)))


def evaluate_dim(text: str, sizes: Mapping[str, int]) -> int | None:
    """The size of a dimension, by its whole text or by its parts.

    Only ``+ - * / // %``, ``floor``, ``ceil``, ``min`` and ``max`` are understood; nothing is
    executed.

    Returns:
        The size; None when a part is unknown or the result is not a whole number >= 0.
    """
    if text in sizes:
        return sizes[text]
    tree = _parse(text)
    if tree is None:
        return None
    try:
        value = _value(tree, sizes)
    except (KeyError, ZeroDivisionError, OverflowError, TypeError, RecursionError):
        return None
    return int(value) if value >= 0 and value == int(value) else None


def _value(tree: ast.expr, sizes: Mapping[str, int]) -> int | float:
    if isinstance(tree, ast.Name):
        return sizes[tree.id]
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int):
        return tree.value
    if isinstance(tree, ast.UnaryOp):
        return -_value(tree.operand, sizes)
    if isinstance(tree, ast.BinOp):
        apply = _BINARY[type(tree.op)]
        return apply(_value(tree.left, sizes), _value(tree.right, sizes))
    assert isinstance(tree, ast.Call)
    assert isinstance(tree.func, ast.Name)
    return _CALLS[tree.func.id](*(_value(arg, sizes) for arg in tree.args))


# --- binding in a proto


def _shape_of(kind: onnx.TypeProto) -> onnx.TensorShapeProto | None:
    """The tensor shape in a type, through sequences and optionals; None when there is none."""
    which = kind.WhichOneof("value")
    if which in ("sequence_type", "optional_type"):
        return _shape_of(getattr(kind, which).elem_type)
    if which in ("tensor_type", "sparse_tensor_type"):
        inner = getattr(kind, which)
        return inner.shape if inner.HasField("shape") else None
    return None


def _infos(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    yield from graph.input
    yield from graph.output
    yield from graph.value_info
    yield from _infos_of_nodes(graph.node)


def _infos_of_nodes(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.ValueInfoProto]:
    for node in nodes:
        for graph in nested_graphs(node):
            yield from _infos(graph)


def _symbol(dim: onnx.TensorShapeProto.Dimension) -> str:
    return dim.dim_param if is_name(dim.dim_param) else ""


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | None:
    return dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value >= 0 else None


def bind(
    proto: onnx.ModelProto,
    input_shapes: Mapping[str, Sequence[int]],
    dims: Mapping[str, int],
    where: str,
) -> None:
    """Give symbolic dimensions sizes, in ``proto``, everywhere a name occurs.

    Args:
        proto: changed in place: declared shapes of inputs, outputs and intermediates of the graph
            and its subgraphs. Function bodies serve many callers and keep their names.
        input_shapes: ``{graph input: sizes}``.
        dims: ``{dimension name: size}``.
        where: the file, for messages.

    Raises:
        ModelError: for an unknown input or name, a wrong rank, or two sizes for one dimension.
    """
    stored = {tensor.name for tensor in proto.graph.initializer}
    inputs = {info.name: info for info in proto.graph.input if info.name not in stored}
    sizes = _bound_by_name(inputs, dims, where)
    for name, shape in input_shapes.items():
        if name not in inputs:
            raise ModelError(
                f"it has no input {name!r}", where=where, mend=f"its inputs are {_list(inputs)}"
            )
        _bind_input(inputs[name], list(shape), sizes, where)
    for info in _infos(proto.graph):
        shape_proto = _shape_of(info.type)
        for dim in shape_proto.dim if shape_proto is not None else ():
            if dim.dim_param:
                size = evaluate_dim(dim.dim_param, sizes)
                if size is not None:
                    dim.dim_value = size


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(names) if names else "none"


def _bound_by_name(
    inputs: Mapping[str, onnx.ValueInfoProto], dims: Mapping[str, int], where: str
) -> dict[str, int]:
    known: dict[str, None] = {}
    for info in inputs.values():
        shape = _shape_of(info.type)
        for dim in shape.dim if shape is not None else ():
            if symbol := _symbol(dim):
                known.update(dict.fromkeys((symbol, *names_in(symbol))))
    for name, size in dims.items():
        if name not in known:
            raise ModelError(
                f"no input has a dimension named {name!r}",
                where=where,
                mend=f"the names are {_list(known)}",
            )
        if size < 0:
            raise ModelError(f"dimension {name!r} cannot be {size}", where=where, mend="use >= 0")
    return dict(dims)


def _bind_input(
    info: onnx.ValueInfoProto, shape: list[int], sizes: dict[str, int], where: str
) -> None:
    """Set the dims of one input, and add the names it binds to ``sizes``."""
    declared = _shape_of(info.type)
    if info.type.WhichOneof("value") != "tensor_type":
        raise ModelError(
            f"input {info.name!r} is not a tensor", where=where, mend="leave its shape out"
        )
    if any(size < 0 for size in shape):
        raise ModelError(
            f"the shape {shape} of input {info.name!r} has a negative size",
            where=where,
            mend="give every size as a number >= 0",
        )
    if declared is None:
        for size in shape:
            info.type.tensor_type.shape.dim.add(dim_value=size)
        if not shape:
            info.type.tensor_type.shape.SetInParent()
        return
    said = [_size(dim) if _size(dim) is not None else dim.dim_param or "?" for dim in declared.dim]
    text = f"input {info.name!r} is declared as [{', '.join(map(str, said))}]"
    if len(shape) != len(declared.dim):
        raise ModelError(
            f"{text}, but the shape given has {len(shape)} dimensions",
            where=where,
            mend=f"give {len(declared.dim)} sizes",
        )
    for axis, (dim, size) in enumerate(zip(declared.dim, shape, strict=True)):
        symbol = _symbol(dim)
        before = evaluate_dim(symbol, sizes) if symbol else _size(dim)
        if before is not None and before != size:
            why = f"{symbol!r} is already {before}" if symbol else f"axis {axis} is fixed"
            raise ModelError(
                f"{text}, but the shape given is {shape}: {why}",
                where=where,
                mend="give a shape that agrees",
            )
        if symbol:
            sizes.setdefault(symbol, size)
        else:
            dim.dim_value = size
