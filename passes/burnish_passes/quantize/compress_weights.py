"""Weights become codes into a table of few numbers, for small files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np

from burnish.errors import InputError
from burnish.graph import SOURCES, Placement, sources_of
from burnish.ir import (
    Array,
    DataType,
    Graph,
    Model,
    Node,
    Scope,
    Shape,
    TensorType,
    Value,
    constant,
    constant_array,
    convert_attributes,
    label,
    make_tensor,
)
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.quantize.codebooks import Codebook, cluster, powers_of_two
from burnish_passes.quantize.layers import drop_unread_constant, is_called, owner_of

_WEIGHTS: Final = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "GRU": (1, 2),
    "Gather": (0,),
    "Gemm": (1,),
    "LSTM": (1, 2),
    "MatMul": (0, 1),
    "RNN": (1, 2),
}
"""Which inputs of an operator are weights."""
_LEAST_SAVED: Final = 1024
_SINCE: Final = 6
"""The opset from which Cast names its type by number."""


@dataclass(frozen=True)
class CompressWeights(Pass):
    """Store weights as codes into a table of a few numbers.

    ``w => Reshape(Gather(table, Cast(codes)))``. Up to 16 levels, a byte holds two codes or more,
    and the table has a row for each byte, so that one look-up gives all its numbers.

    A weight for which that would hardly save anything stays:

    Before::

        agraph (float[B,2] x) => (float[B,2] y) <float[2,2] w = {1, 3, -5, 7}> {
            y = MatMul(x, w)
        }

    After::

        agraph (float[B,2] x) => (float[B,2] y) <float[2,2] w = {1, 3, -5, 7}> {
            y = MatMul(x, w)
        }

    For storage and transport: ONNX Runtime unpacks when it loads a model, and then computes as
    before, in float32. All operators are standard ones. ``fold-constants`` leaves such tables.

    LOSSY. Sources: Han, Mao, Dally, "Deep Compression", 2016 (kmeans); Miyashita, Lee, Murmann,
    2016 (logarithmic); see ``codebooks.py``.

    Attributes:
        levels: how many numbers a weight may take, 2 to 256 (logarithmic: 3 or more).
        method: ``kmeans``, or ``logarithmic`` for zero and powers of two.
        exclude: patterns of layer or weight names, ``?`` for any character, a slash too.
    """

    name: ClassVar[str] = "compress-weights"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True
    levels: int = 16
    method: Literal["kmeans", "logarithmic"] = "kmeans"
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        fewest = 2 if self.method == "kmeans" else 3
        if not fewest <= self.levels <= 256:
            raise InputError(f"{self.name}{{levels}} is {fewest} to 256, not {self.levels}")

    def run(self, model: Model, ctx: Context) -> None:
        """Compress weight by weight."""
        scopes = ctx.scopes(model)
        for held, readers in _weights(model, ctx).items():
            owner = owner_of(held, scopes)
            why = self._why_not(held, readers, owner)
            if why is not None:
                ctx.declined(self.name, readers[0], why)
                continue
            self._compress(held, readers, owner, ctx)

    def _why_not(self, held: Value, readers: list[Node], owner: Scope) -> str | None:
        left = [name for name in self.exclude if any(is_called(n, [held], name) for n in readers)]
        if left:
            return f"the user left it out: {left[0]}"
        if owner.opsets.get("", 0) < _SINCE:
            return f"Cast needs opset {_SINCE}: raise-opset"
        other = _other_reader(held, set(readers))
        if other is not None:
            return f"{other} reads the weight too, and not as one"
        array = constant_array(held)
        assert array is not None
        return None if np.isfinite(array).all() else "its weight is not finite"

    def _compress(self, held: Value, readers: list[Node], owner: Scope, ctx: Context) -> None:
        array = constant_array(held)
        assert array is not None
        if array.size < _LEAST_SAVED // 4:
            return  # nothing that anybody would miss
        choose = cluster if self.method == "kmeans" else powers_of_two
        found = choose(array.astype(np.float32), self.levels)
        packed, table = packed_codes(found, array.dtype)
        saved = array.nbytes - packed.nbytes - table.nbytes
        if saved < _LEAST_SAVED:
            ctx.declined(self.name, readers[0], f"it would save {max(saved, 0)} bytes")
            return
        gain = f"{array.nbytes} bytes become {array.nbytes - saved}"
        why = f"{len(found.levels)} levels, {found.lost(array):.3g} of its energy lost: {gain}"
        if ctx.applies(self.name, readers[0], why):
            _decode(held, packed, table, owner, ctx)
            drop_unread_constant(held)


def _weights(model: Model, ctx: Context) -> dict[Value, list[Node]]:
    """Constants that are weights, with the layers that read them."""
    found: dict[Value, list[Node]] = {}
    for node, _ in ctx.nodes(model, [("", op_type) for op_type in sorted(_WEIGHTS)]):
        for index in _WEIGHTS[node.op_type]:
            value = node.inputs[index] if index < len(node.inputs) else None
            held = constant(value)
            if value is None or held is None or _is_table(node):
                continue
            if held.dtype in (DataType.FLOAT, DataType.FLOAT16):
                found.setdefault(value, []).append(node)
    return found


def _is_table(node: Node) -> bool:
    """Whether a Gather looks codes up, or picks scales."""
    if node.op_type != "Gather" or node.inputs[1] is None:
        return False
    maker = node.inputs[1].producer()
    coded = maker is not None and maker.op_type == "Cast" and constant(maker.inputs[0]) is not None
    uses = [use for output in node.outputs for use in output.uses()]
    return coded or any(use.node.op_type == "DequantizeLinear" for use in uses)


def _other_reader(held: Value, layers: set[Node]) -> str | None:
    if held.is_graph_output():
        return "the caller"
    for use in held.uses():
        if use.node not in layers or use.idx not in _WEIGHTS[use.node.op_type]:
            return label(use.node)
    return None


def packed_codes(book: Codebook, dtype: np.dtype[np.generic]) -> tuple[Array, Array]:
    """Bytes, and the table of what each stands for.

    Returns:
        uint8 of the shape of the codes, and a table ``[levels]``; or uint8 ``[n / p]`` and a table
        ``[256, p]``, when ``p`` codes fit into a byte and come out even.
    """
    bits = max(1, math.ceil(math.log2(max(2, len(book.levels)))))
    bits = next(size for size in (1, 2, 4, 8) if size >= bits)
    while book.codes.size % (8 // bits):
        bits *= 2
    each = 8 // bits
    if each == 1:
        return book.codes.astype(np.uint8), book.levels.astype(dtype)
    parts = book.codes.reshape(-1, each) << (np.arange(each) * bits)
    rows = np.arange(256)[:, None] >> (np.arange(each) * bits) & (2**bits - 1)
    table = book.levels[np.minimum(rows, len(book.levels) - 1)]
    return parts.sum(axis=1).astype(np.uint8), table.astype(dtype)


def _decode(held: Value, packed: Array, table: Array, owner: Scope, ctx: Context) -> None:
    """Let all readers of ``held`` read what is looked up."""
    array = constant(held)
    assert array is not None
    shape = tuple(array.shape.numpy())
    placement, graph = Placement(owner), owner.graph
    base = held.name or "weight"
    made: list[Node] = []

    def put(array: Array, part: str) -> Value:
        tensor = make_tensor(array)
        value = placement.constant(tensor, ctx.names.fresh(f"{base}_{part}"))
        maker = value.producer()
        if maker is None:
            graph.register_initializer(value)
        else:
            made.append(maker)
        return value

    def step(op_type: str, inputs: list[Value], **settings: int) -> Value:
        node = Node("", op_type, inputs, convert_attributes(settings))
        made.append(node)
        return node.outputs[0]

    codes = step("Cast", [put(packed, "codes")], to=int(DataType.INT32))
    result = step("Gather", [put(table, "levels"), codes], axis=0)
    if table.ndim == 2:
        result = step("Reshape", [result, put(np.array(shape, np.int64), "shape")])
    result.type, result.shape = TensorType(array.dtype), Shape(shape)
    for node in made:
        node.meta[SOURCES] = sources_of(next(iter(held.consumers())))
        if node.op_type != "Constant":
            placement.name_outputs(node, held, ctx.names)
    held.replace_all_uses_with(result)
    _put_first(graph, made)


def _put_first(graph: Graph, nodes: list[Node]) -> None:
    if len(graph):
        graph.insert_before(graph[0], nodes)
    else:
        graph.extend(nodes)
