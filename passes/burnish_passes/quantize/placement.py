"""Which values become codes, so that integer kernels meet without numbers in between.

A product needs codes in, and some need codes out. From there codes spread: to operators between
products that have integer kernels or only move elements, where all that they read is codes and what
they give is wanted as codes. All else stays on numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from burnish.ir import DataType, Graph, Node, Value, attribute, constant, constant_array
from burnish.passdef import Context
from burnish.quantized_target import Quantization
from burnish_passes.paddings import attribute_text
from burnish_passes.proofs import operand
from burnish_passes.quantize.products import Product
from burnish_passes.quantize.residual import residual_adds

__all__ = [
    "Bound",
    "Placement",
    "bounds_of",
    "needs_codes_out",
    "only_reader",
    "operands",
    "place",
]

_SAME_SIZE = frozenset(
    {"DepthToSpace", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Movements that may be done on codes of what was numbers so far: a quarter of the bytes move."""
_CONSTANT_OPERANDS = frozenset({"Add", "Mul"})
_BOUNDS = frozenset({"Clip", "Relu"})

Bound = tuple[float, float]
"""The lowest and the highest number a Relu or Clip lets pass."""


@dataclass
class Placement:
    """What is computed on codes.

    Attributes:
        products: the products, in order.
        others: operators between them that work on codes, in order.
        codes: the values that become codes, each with the operator that makes them from codes
            (before a Relu or Clip that goes into them); None where numbers are quantized.
        absorbed: the Relu and Clip operators that go into the codes, by the value after them.
        inputs: for each operator on codes, the positions of the operands that it reads as codes.
    """

    products: list[Product] = field(default_factory=list)
    others: list[Node] = field(default_factory=list)
    codes: dict[Value, Node | None] = field(default_factory=dict)
    absorbed: dict[Value, Node] = field(default_factory=dict)
    inputs: dict[Node, tuple[int, ...]] = field(default_factory=dict)


def bounds_of(node: Node | None) -> Bound | None:
    """What a Relu or Clip bounds to; None for other operators and for bounds not known."""
    if node is None or node.domain != "" or node.op_type not in _BOUNDS:
        return None
    if node.op_type == "Relu":
        return 0.0, float("inf")
    found = []
    for index, name, absent in ((1, "min", float("-inf")), (2, "max", float("inf"))):
        value = operand(node, index)
        array = constant_array(value)
        if value is not None and (array is None or array.size != 1):
            return None
        found.append(attribute(node, name, absent) if array is None else float(array.item()))
    return (found[0], found[1]) if found[0] <= found[1] else None


def only_reader(value: Value) -> Node | None:
    """The one operator that reads ``value``, where nothing else does."""
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return None
    return next(iter(uses)).node


def operands(node: Node) -> tuple[int, ...]:
    """The positions of the operands that are codes where ``node`` works on codes."""
    if node.op_type in ("Add", "Concat", "Mul"):
        return tuple(range(len(node.inputs)))
    return (0,)


def needs_codes_out(node: Node, wanted: Quantization) -> bool:
    """Whether the integer kernel of a product is lost when its result stays numbers."""
    if node.op_type in wanted.needs_codes_out:
        return True
    reader = only_reader(node.outputs[0])
    if not wanted.absorbs_bounds or reader is None or reader.op_type not in _BOUNDS:
        return False
    # The runtime looks for a QuantizeLinear after the Relu, and gives up without one.
    return not reader.outputs[0].is_graph_output()


def place(
    products: Iterable[Product],
    graph: Graph,
    ctx: Context,
    wanted: Quantization,
    left: Mapping[Value, str],
    kept: Iterable[Node] = (),
) -> Placement:
    """Decide what is computed on codes.

    Args:
        products: the products to compute on codes.
        graph: the main graph.
        ctx: for types and shapes.
        wanted: what the target wants.
        left: values that have no range, with why: none of them becomes codes.
        kept: operators between products that stay on numbers.
    """
    return _Placing(graph, ctx, wanted, left, frozenset(kept)).place(products)


class _Placing:
    def __init__(
        self,
        graph: Graph,
        ctx: Context,
        wanted: Quantization,
        left: Mapping[Value, str],
        kept: frozenset[Node],
    ) -> None:
        self.graph = graph
        self.ctx = ctx
        self.wanted = wanted
        self.left = left
        self.kept = kept
        self.made = Placement()

    def place(self, products: Iterable[Product]) -> Placement:
        made = self.made
        for product in products:
            made.products.append(product)
            made.inputs[product.node] = (0,)
        demanded = {item.data: None for item in made.products}
        for item in made.products:
            if needs_codes_out(item.node, self.wanted):
                demanded[self.carrier(item.node)[0]] = None
        made.others = self.between(demanded)
        for node in made.others:
            made.inputs[node] = operands(node)
            for index in made.inputs[node]:
                value = node.inputs[index]
                assert value is not None
                demanded[value] = None
            for output in node.outputs:
                demanded[self.carrier(node, output)[0]] = None
        self.assign(demanded)
        if self.wanted.residual == "skip":
            self.skip_branches()
        return made

    def carrier(self, node: Node, output: Value | None = None) -> tuple[Value, Node | None]:
        """The value that becomes codes for a result, and the Relu or Clip that goes into them."""
        value = output or node.outputs[0]
        if node.op_type in self.wanted.movements:  # before and after it the codes are the same
            return value, None
        reader = only_reader(value)
        if not self.wanted.absorbs_bounds or reader is None:
            return value, None
        bounds = bounds_of(reader)
        fits = bounds is not None and bounds[0] in (0.0, float("-inf"))
        if not fits or reader.graph is not self.graph or operand(reader, 0) is not value:
            return value, None
        if reader.outputs[0] in self.left:
            return value, None
        return reader.outputs[0], reader

    def between(self, demanded: Iterable[Value]) -> list[Node]:
        """Operators between products that work on codes, in order."""
        possible, soft = self.possible(set(demanded))
        wanted, useful = set(demanded), []
        for node in reversed(possible):
            if any(self.carrier(node, output)[0] in wanted for output in node.outputs):
                useful.append(node)
                read = [node.inputs[index] for index in operands(node)]
                wanted.update(value for value in read if value is not None)
        return self.without_dead_ends(list(reversed(useful)), soft)

    def possible(self, demanded: set[Value]) -> tuple[list[Node], set[Value]]:
        """Operators that can read codes, and values that are codes only if those before them move."""
        available = set(demanded)
        soft: set[Value] = set()
        found: list[Node] = []
        for node in self.graph:
            if node in self.made.inputs or not self.works_on_codes(node):
                continue
            read = [node.inputs[index] for index in operands(node)]
            hard = all(self.is_available(node, value, available) for value in read)
            if not hard and not self.may_pull(node, available, soft):
                continue
            found.append(node)
            outputs = [self.carrier(node, output)[0] for output in node.outputs]
            (available if hard else soft).update(outputs)
        return found, soft

    def without_dead_ends(self, nodes: list[Node], soft: set[Value]) -> list[Node]:
        """Those whose results are not soft, or all of whose readers take codes."""
        chosen = set(nodes) | set(self.made.inputs)
        kept: list[Node] = []
        for node in reversed(nodes):
            value = node.outputs[0]
            pulled = value in soft
            if (pulled and not all(use.node in chosen for use in value.uses())) or (
                pulled and value.is_graph_output()
            ):
                chosen.discard(node)
            else:
                kept.append(node)
        return list(reversed(kept))

    def is_available(self, node: Node, value: Value | None, available: set[Value]) -> bool:
        if value is None or value in self.left:
            return False
        if value in available:
            return True
        held = constant(value)
        return (
            node.op_type in _CONSTANT_OPERANDS and held is not None and held.dtype == DataType.FLOAT
        )

    def may_pull(self, node: Node, available: set[Value], soft: set[Value]) -> bool:
        """Whether to quantize before a movement what else would be quantized after it."""
        value = node.inputs[0]
        if value is None or node.op_type not in _SAME_SIZE or value in self.left:
            return False
        if value.is_graph_output() or constant(value) is not None:
            return False
        return value in soft or (len(value.uses()) == 1 and value not in available)

    def works_on_codes(self, node: Node) -> bool:
        if node.domain != "" or node in self.kept:
            return False
        if node.op_type not in self.wanted.calculations | self.wanted.movements:
            return False
        if any(self.ctx.shapes.dtype(output) != DataType.FLOAT for output in node.outputs):
            return False
        if any(output in self.left for output in node.outputs):
            return False
        return _has_kernel(node) and not self.is_bias(node)

    def is_bias(self, node: Node) -> bool:
        """Whether it adds a constant to a MatMul, which a runtime makes one operator of both."""
        if node.op_type != "Add" or not any(constant(value) is not None for value in node.inputs):
            return False
        producers = [value.producer() for value in node.inputs if value is not None]
        return any(
            item is not None and item in self.made.inputs and item.op_type == "MatMul"
            for item in producers
        )

    def assign(self, demanded: Iterable[Value]) -> None:
        """Say who makes each value that becomes codes."""
        made = self.made
        for node in self.graph:
            if node not in made.inputs:
                continue
            for output in node.outputs:
                value, bound = self.carrier(node, output)
                if value not in demanded:
                    continue
                made.codes[value] = node
                if bound is not None:
                    made.absorbed[value] = bound
        for value in demanded:
            if constant(value) is None:
                made.codes.setdefault(value, None)

    def skip_branches(self) -> None:
        """Residual Adds read the operand that is not the product's result as codes."""
        for node, index in residual_adds(self.graph, {item.node for item in self.made.products}):
            value = node.inputs[index]
            if value is None or value in self.left or node in self.kept:
                continue
            self.made.inputs[node] = (index,)
            self.made.codes.setdefault(value, None)


def _has_kernel(node: Node) -> bool:
    """Whether the integer kernel knows the attributes ``node`` has."""
    if node.op_type == "Resize":
        simple = attribute_text(node, "mode", "nearest") == "nearest"
        return simple and not attribute(node, "antialias", 0)
    if node.op_type == "Pad":
        filling = operand(node, 2)
        held = constant_array(filling)
        return filling is None or (held is not None and not held.any())
    if node.op_type == "MaxPool":
        return not any(output.name for output in node.outputs[1:])
    if node.op_type == "AveragePool":
        return set(attribute(node, "dilations", ())) <= {1}
    return True
