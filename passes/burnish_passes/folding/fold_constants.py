"""What depends on no input is computed at compile time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import onnx

from burnish.errors import ExecutionError
from burnish.evaluate import Evaluator
from burnish.graph import Placement, constant_node, remove_unread, replace_value
from burnish.ir import (
    Array,
    DataType,
    Model,
    Node,
    Scope,
    TensorProtocol,
    TensorType,
    Value,
    constant,
    constant_array,
    is_deterministic,
    make_tensor,
    nested_graphs,
    serialize_node,
)
from burnish.match import refers_to_parameter
from burnish.passdef import Context, Pass

_GENERATORS: Final = frozenset(
    {"ConstantOfShape", "Expand", "EyeLike", "OneHot", "Range", "Tile", "Trilu"}
)
"""Operators that make much out of little: they stay unless their result is small."""
_GENERATED: Final = 16 << 10
_SMALLEST_GROWTH: Final = 64 << 10
_LARGEST_GROWTH: Final = 4 << 20
_LARGEST_STEP: Final = 64 << 20
"""No single result of more bytes than this is computed, even if it is dropped later."""
_NEVER: Final = frozenset({"Constant", "DequantizeLinear"})
"""Folding DequantizeLinear would undo a quantization of weights."""


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Evaluate every node whose inputs are constant, all of them in one runtime session.

    ``f(c1, c2) => c`` for deterministic ``f``.

    A result may be larger than the constants it frees by ``growth`` bytes; by default by a
    sixteenth of the model's weights, at least 64 KiB and at most 4 MiB. Generators (Expand, Tile,
    ConstantOfShape, Range, OneHot, EyeLike, Trilu) stay as they are when they make more than
    16 KiB. Dequantized weights are never folded, nor are those looked up in a table by bytes;
    quantized constants are.

    Before::

        agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
            c = Mul(a, b)
            y = Add(x, c)
        }

    After::

        agraph (float[2] x) => (float[2] y)
            <float[2] a = {1, 2}, float[2] b = {3, 4}, float[2] c = {3, 8}> {
            y = Add(x, c)
        }

    Catalogue rows D1, D14, D15, D16. Source: constant folding; the budget follows tract's.

    Attributes:
        growth: bytes a result may add; None chooses by the size of the model.
    """

    name: ClassVar[str] = "fold-constants"
    counted: ClassVar[bool] = True
    growth: int | None = None

    def run(self, model: Model, ctx: Context) -> None:
        """Fold in every scope; scopes with the same opsets share a session."""
        news = ctx.news(model, self.name)
        if news is not None and not any(map(_reads_constants, news)):
            return  # only a node that came or reads something else can have become foldable
        growth = self.growth if self.growth is not None else _growth(model)
        plans: dict[tuple[tuple[str, int], ...], list[_Plan]] = {}
        for scope in ctx.scopes(model):
            plan = _Plan(scope, ctx, growth, self.name)
            if plan.wanted:
                plans.setdefault(tuple(sorted(scope.opsets.items())), []).append(plan)
        for opsets, group in plans.items():
            results = _evaluate(group, dict(opsets), model.ir_version)
            for plan in group:
                plan.apply(results)


def _reads_constants(node: Node) -> bool:
    """Whether all that ``node`` reads is constant, and it reads something."""
    return bool(node.inputs) and all(
        value is None or constant(value) is not None for value in node.inputs
    )


def _unpacks(node: Node) -> bool:
    """Whether a Cast makes indices into tables of numbers out of constant bytes.

    That is how weights are stored as codes (compress-weights): folding would undo it.
    """
    held = constant(node.inputs[0])
    if held is None or held.dtype != DataType.UINT8:
        return False
    uses = [use for output in node.outputs for use in output.uses()]
    return bool(uses) and all(use.idx == 1 and _looks_up(use.node) for use in uses)


def _looks_up(node: Node) -> bool:
    table = constant(node.inputs[0]) if node.op_type == "Gather" else None
    return table is not None and table.dtype.is_floating_point()


def _growth(model: Model) -> int:
    weights = sum(
        held.nbytes
        for value in model.graph.initializers.values()
        if (held := value.const_value) is not None
    )
    return min(max(weights // 16, _SMALLEST_GROWTH), _LARGEST_GROWTH)


class _Plan:
    """What to fold in one scope."""

    def __init__(self, scope: Scope, ctx: Context, growth: int, title: str) -> None:
        self.scope = scope
        self.ctx = ctx
        self.growth = growth
        self.title = title
        self.nodes: dict[Node, None] = {}
        self._deterministic: dict[tuple[str, str], bool] = {}
        for node in scope.graph:
            if self._foldable(node):
                self.nodes[node] = None
        self.freed = self._bytes_freed()
        self._keep_what_grows()
        self.wanted = [
            output for node in self.nodes for output in node.outputs if self._needed(output)
        ]

    def _foldable(self, node: Node) -> bool:
        if node.op_type in _NEVER or not node.inputs or refers_to_parameter(node):
            return False
        if node.op_type == "Cast" and _unpacks(node):
            return False
        for value in node.inputs:
            if value is None or value.producer() in self.nodes:
                continue
            if constant(value) is None:
                return False
        kind = (node.domain, node.op_type)
        if kind not in self._deterministic:
            plain = not any(True for _ in nested_graphs(node))
            self._deterministic[kind] = plain and is_deterministic(node, self.scope.opsets)
        if not self._deterministic[kind] or self._may_trap(node):
            return False
        return all(self._may_compute(output, node) for output in node.outputs)

    def _may_trap(self, node: Node) -> bool:
        """Whether evaluating ``node`` could end this process, in a branch that never runs perhaps.

        The processor traps on an integer divided by 0 and on the smallest integer divided by -1.
        """
        if node.op_type not in ("Div", "Mod") or node.domain != "":
            return False
        dtype = None if node.inputs[1] is None else self.ctx.shapes.dtype(node.inputs[1])
        if dtype is not None and not dtype.is_integer():
            return False
        divisor = constant_array(node.inputs[1])
        # None: computed by another node that is folded, so the next round knows it.
        return divisor is None or bool(np.isin(divisor, (0, -1)).any())

    def _may_compute(self, output: Value, node: Node) -> bool:
        if output.type is not None and not isinstance(output.type, TensorType):
            return False
        if self.scope.opsets.get("", 0) < 9 and (output.is_graph_output() or self.scope.function):
            dtype = self.ctx.shapes.dtype(output)  # it would become a Constant, then of floats only
            if dtype is None or not dtype.is_floating_point():
                return False
        size = self._bytes(output)
        if size is None:
            return node.op_type not in _GENERATORS
        return size <= max(_LARGEST_STEP, 2 * sum(map(_constant_bytes, node.inputs)))

    def _bytes(self, value: Value) -> int | None:
        """Bytes of a value, when its shape is known."""
        shape, dtype = self.ctx.shapes.shape(value), self.ctx.shapes.dtype(value)
        if shape is None or dtype is None:
            return None
        sizes = [dim for dim in shape if isinstance(dim, int)]
        if len(sizes) < len(shape) or dtype == DataType.STRING:
            return None
        return math.ceil(math.prod(sizes) * dtype.bitwidth / 8)

    def _bytes_freed(self) -> dict[Node, int]:
        """Bytes of constants that only what leads to each node reads."""
        freed: dict[Node, int] = {}
        # Remembered: a constant that thousands of nodes read is asked about thousands of times.
        kept: dict[Value, bool] = {}
        for node in self.nodes:
            total = 0
            for value in dict.fromkeys(node.inputs):
                if value is None:
                    continue
                if value not in kept:
                    kept[value] = any(use.node not in self.nodes for use in value.uses())
                if kept[value]:
                    continue
                producer = value.producer()
                total += freed[producer] if producer in freed else _constant_bytes(value)
            freed[node] = total
        return freed

    def _needed(self, output: Value) -> bool:
        return output.is_graph_output() or any(use.node not in self.nodes for use in output.uses())

    def _keep_what_grows(self) -> None:
        """Take nodes off the plan whose needed results cost too much, last ones first."""
        for node in reversed(list(self.nodes)):
            size = sum(self._bytes(output) or 0 for output in node.outputs if self._needed(output))
            why = self._too_large(node, size)
            if why:
                del self.nodes[node]
                self.ctx.declined(self.title, node, why)

    def _too_large(self, node: Node, size: int) -> str | None:
        if node.op_type in _GENERATORS and size > max(_GENERATED, self.freed[node]):
            return f"it makes {size} bytes at run time from almost none"
        if size > self.freed[node] + self.growth:
            return f"its {size} bytes would replace {self.freed[node]}"
        return None

    def apply(self, results: dict[Value, Array]) -> None:
        """Put the results in place of the nodes."""
        folded: list[Node] = []
        for node in self.nodes:
            needed = [output for output in node.outputs if self._needed(output)]
            if not needed or not all(output in results for output in needed):
                continue
            size = sum(results[output].nbytes for output in needed)
            why = self._too_large(node, size)
            if why:
                self.ctx.declined(self.title, node, why)
            elif self.ctx.applies(self.title, node):
                for output in needed:
                    self._replace(output, results[output], node)
                folded.append(node)
        remove_unread(reversed(folded))

    def _replace(self, output: Value, array: Array, node: Node) -> None:
        held = make_tensor(array, self.ctx.shapes.dtype(output) if array.dtype == object else None)
        name = output.name or self.ctx.names.fresh("folded")
        if output.is_graph_output() or self.scope.function is not None:
            # An output must be computed by a node, and functions have no initializers.
            made = constant_node(held, self.ctx.names.fresh(name))
            self.scope.graph.insert_before(node, made)
            replace_value(output, made.outputs[0], fresh=True)
            return
        value = Placement(self.scope).constant(held, name)
        replace_value(output, value, fresh=True)
        self.scope.graph.register_initializer(value)


def _constant_bytes(value: Value | None) -> int:
    held = constant(value)
    return 0 if held is None else held.nbytes


def _evaluate(
    plans: Sequence[_Plan], opsets: dict[str, int], ir_version: int
) -> dict[Value, Array]:
    """Run all planned nodes at once; one by one when the runtime refuses that."""
    nodes = [node for plan in plans for node in plan.nodes]
    wanted = [output for plan in plans for output in plan.wanted]
    try:
        return _execute(nodes, wanted, opsets, ir_version, {})
    except ExecutionError:
        pass
    known: dict[Value, Array] = {}
    for plan in plans:
        for node in list(plan.nodes):
            outputs = [output for output in node.outputs if output.name]
            try:
                known.update(_execute([node], outputs, opsets, ir_version, known))
            except (ExecutionError, KeyError) as error:
                plan.ctx.declined(plan.title, node, f"it cannot be evaluated: {error}")
    return known


def _execute(
    nodes: Iterable[Node],
    wanted: Sequence[Value],
    opsets: dict[str, int],
    ir_version: int,
    known: dict[Value, Array],
) -> dict[Value, Array]:
    """Run ``nodes`` and return the values wanted that came out as arrays."""
    names: dict[Value, str] = {}
    feeds: dict[str, Array] = {}
    inputs: list[onnx.ValueInfoProto] = []
    protos: list[onnx.NodeProto] = []
    for node in nodes:
        proto = serialize_node(node)
        del proto.input[:]
        for value in node.inputs:
            if value is not None and value not in names:
                names[value] = f"v{len(names)}"
                array, held = _held(value, known)
                feeds[names[value]] = array
                inputs.append(_value_info(names[value], array, held))
            proto.input.append("" if value is None else names[value])
        for output in node.outputs:
            names[output] = f"v{len(names)}" if output.name else ""
        del proto.output[:]
        proto.output.extend(names[output] for output in node.outputs)
        protos.append(proto)
    outputs = [onnx.helper.make_empty_tensor_value_info(names[value]) for value in wanted]
    graph = onnx.helper.make_graph(protos, "constants", inputs, outputs)
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
    found = Evaluator(model).run(feeds)
    return {
        value: found[names[value]]
        for value in wanted
        if isinstance(found.get(names[value]), np.ndarray | np.generic)
    }


def _held(value: Value, known: dict[Value, Array]) -> tuple[Array, DataType]:
    if value in known:
        array = known[value]
        return array, make_tensor(array).dtype
    held: TensorProtocol | None = constant(value)
    if held is None:
        raise KeyError(f"{value.name} is not known")
    return held.numpy(), held.dtype


def _value_info(name: str, array: Array, dtype: DataType) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, int(dtype), array.shape)
