"""The analysis of a model: shapes, element types and symbolic contents of its values.

What is trusted, in this order:

1. What follows from the operators, the constants, and the declared shapes of the main graph's
   inputs. Equal dimension names there are equal sizes.
2. Sizes declared as numbers on other values, only where (1) says nothing: value_info goes stale
   when a model is edited (a batch made dynamic, say), so a derived size always wins.
3. Names declared on values other than main-graph inputs: never. Exporters give one name to
   dimensions that differ, and names in function and loop bodies live in another scope.

Every size nobody can tell is a fresh *unknown* of its value (``symbolic.Unknowns``), so that equal
unknown sizes are still recognised down a chain of nodes, and never two by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from types import MappingProxyType

import numpy as np

from burnish.ir import (
    Array,
    DataType,
    Function,
    Graph,
    Model,
    Node,
    TensorProtocol,
    TensorType,
    Value,
    constant,
    nested_graphs,
    scopes,
)
from burnish.shapes.contents import CONTENTS_RULES
from burnish.shapes.facts import (
    INTEGERS,
    MAX_ELEMENTS,
    NOTHING,
    Element,
    Facts,
    NodeFacts,
    Shape,
    SymbolicTensor,
    is_manageable,
)
from burnish.shapes.fallback import ask_onnx
from burnish.shapes.rules import GENERAL_RULES
from burnish.shapes.rules_attention import ATTENTION_RULES, CONTRIB_RULES
from burnish.shapes.rules_nn import NN_RULES
from burnish.shapes.types import output_types
from burnish.symbolic import Dim, Expr, Unknowns, has_unknown, parse

__all__ = ["Shapes", "Sizes"]

Sizes = tuple[int | None, ...]

_STANDARD = ("", "ai.onnx")
# Unknown elements of longer tensors are of no use as a shape.
_MAX_UNKNOWN = 16
_FLOATS = frozenset({DataType.FLOAT, DataType.DOUBLE, DataType.FLOAT16})
# What a rule may raise on a node that contradicts the rules of ONNX; such a node has no facts.
_INVALID = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LIMITS: Mapping[DataType, tuple[int, int]] = MappingProxyType(
    {
        dtype: (0, 1)
        if dtype == DataType.BOOL
        else (int(np.iinfo(dtype.numpy()).min), int(np.iinfo(dtype.numpy()).max))
        for dtype in INTEGERS
    }
)


class Shapes:
    """Shapes, element types and small contents of the values of one model.

    Values are analysed when first asked for, with what they depend on, without recursion, and
    remembered by object. Facts stay true while rewrites keep the meaning of each value; new values
    are analysed on demand. Make a new ``Shapes`` after declared inputs change.

    Args:
        model: the model.
        hints: sizes known from another inference, trusted like a declared number.
    """

    def __init__(self, model: Model, hints: Mapping[Value, Sizes] | None = None) -> None:
        self._model = model
        self._hints = hints or {}
        self._facts: dict[Value, Facts] = {}
        self._unknowns = Unknowns()
        self._opsets: dict[Graph | Function | None, Mapping[str, int]] = {}

    def learn(self, hints: Mapping[Value, Sizes]) -> None:
        """Take sizes from another inference into account; everything is derived anew."""
        self._hints = {**self._hints, **hints}
        self._facts.clear()

    # ---- questions -------------------------------------------------------------------------------

    def shape(self, value: Value) -> tuple[Dim, ...] | None:
        """The best known shape of ``value``; None when not even the rank is known.

        A size that nobody can tell is an expression for which ``symbolic.has_unknown`` is true.
        """
        return self.facts(value).shape

    def dtype(self, value: Value) -> DataType | None:
        """The element type of ``value``, or None."""
        return self.facts(value).dtype

    def contents(self, value: Value) -> SymbolicTensor | None:
        """The elements of a small tensor (at most 64) as far as they are known, or None.

        Integer tensors of at most 16 elements and static shape always have contents, of unknown
        elements at worst.
        """
        return self.facts(value).contents

    def known_equal_shapes(self, left: Value, right: Value) -> bool:
        """Whether the two values have the same shape in every run."""
        shape = self.shape(left)
        return shape is not None and shape == self.shape(right)

    def is_static(self, value: Value) -> bool:
        """Whether every size of ``value`` is a number."""
        shape = self.shape(value)
        return shape is not None and all(isinstance(dim, int) for dim in shape)

    def facts(self, value: Value) -> Facts:
        """All that is known about ``value``."""
        known = self._facts.get(value)
        if known is None:
            self._analyse(value)
            known = self._facts[value]
        return known

    # ---- the sweep -------------------------------------------------------------------------------

    def _analyse(self, value: Value) -> None:
        facts = self._facts
        stack = [value]
        opened: set[Node] = set()
        while stack:
            top = stack[-1]
            node = top.producer()
            if top in facts:
                stack.pop()
            elif node is None:
                facts[top] = self._leaf(top)
                stack.pop()
            elif node in opened:
                self._evaluate(node)
                stack.pop()
            else:
                opened.add(node)
                stack.extend(need for need in _needs(node) if need not in facts)

    def _leaf(self, value: Value) -> Facts:
        held = constant(value)
        return self._declared(value) if held is None else self._constant(held)

    def _constant(self, held: TensorProtocol) -> Facts:
        dtype = DataType(held.dtype)
        shape = tuple(int(size) for size in held.shape.numpy())
        if prod(shape) > MAX_ELEMENTS or (dtype not in INTEGERS and dtype not in _FLOATS):
            return Facts(dtype, shape)
        cells = held.numpy().reshape(-1).tolist()
        elements = tuple(cells if dtype in _FLOATS else map(int, cells))
        return Facts(dtype, shape, SymbolicTensor(dtype, shape, elements))

    def _declared(self, value: Value) -> Facts:
        """What is declared of a value that nothing in its graph computes."""
        if value.type is not None and not isinstance(value.type, TensorType):
            return NOTHING
        if value.shape is None:
            sizes = self._hints.get(value)
            shape = None if sizes is None else self._filled(sizes)
        else:
            trusted = value.is_graph_input() and value.graph is self._model.graph
            shape = tuple(self._input_dim(dim, trusted) for dim in value.shape)
        return self._finished(value.dtype, shape, None)

    def _input_dim(self, dim: object, trusted: bool) -> Dim:
        if isinstance(dim, int):
            return dim if dim >= 0 else self._unknowns.size()
        name = getattr(dim, "value", None)
        named = parse(name) if trusted and isinstance(name, str) else None
        return self._unknowns.size() if named is None else named

    def _filled(self, sizes: Iterable[int | None]) -> Shape:
        return tuple(self._unknowns.size() if size is None else size for size in sizes)

    def _version(self, node: Node) -> int:
        if node.graph is None and node.version is not None:
            return node.version
        if not self._model.functions:
            opsets: Mapping[str, int] = self._model.opset_imports
        else:
            graph = node.graph
            if graph not in self._opsets:
                self._opsets = {scope.graph: scope.opsets for scope in scopes(self._model)}
            opsets = self._opsets.get(graph, self._model.opset_imports)
        return opsets.get("", opsets.get("ai.onnx", 1))

    def _is_standard(self, node: Node) -> bool:
        """Whether the meaning of ``node`` is ONNX's and none of its attributes is left open."""
        if node.domain not in _STANDARD:
            return False
        functions = self._model.functions
        if not functions:
            return True
        open_attribute = any(attr.is_ref() for attr in node.attributes.values())
        return not open_attribute and node.op_identifier() not in functions

    # ---- one node --------------------------------------------------------------------------------

    def _evaluate(self, node: Node) -> None:
        held = constant(node.outputs[0]) if node.op_type == "Constant" and node.outputs else None
        if held is not None:
            self._facts[node.outputs[0]] = self._constant(held)
            return
        if node.domain == "com.microsoft" and node.op_type in CONTRIB_RULES:
            self._evaluate_contrib(node)
            return
        if not self._is_standard(node):
            for output in node.outputs:
                self._facts[output] = self._merged(output, None, None, None)
            return
        view = NodeFacts(
            node,
            self._version(node),
            [None if value is None else self._facts.get(value, NOTHING) for value in node.inputs],
            [
                [self._facts.get(output, NOTHING) for output in graph.outputs]
                for graph in _branches(node)
            ],
            self._unknowns,
        )
        shapes, contents, types = _shapes_of(view), _contents_of(view), output_types(view)
        for index, output in enumerate(node.outputs):
            self._facts[output] = self._merged(
                output,
                types[index] if index < len(types) else None,
                shapes[index] if index < len(shapes) else None,
                contents[index] if index < len(contents) else None,
            )

    def _evaluate_contrib(self, node: Node) -> None:
        inputs = [None if item is None else self._facts.get(item, NOTHING) for item in node.inputs]
        view = NodeFacts(node, 1, inputs, [], self._unknowns)
        dtype = inputs[0].dtype if inputs and inputs[0] is not None else None
        try:
            shapes = list(CONTRIB_RULES[node.op_type](view) or ())
        except _INVALID:
            shapes = []
        for index, output in enumerate(node.outputs):
            shape = shapes[index] if index < len(shapes) else None
            self._facts[output] = self._merged(output, dtype, shape, None)

    def _merged(
        self,
        value: Value,
        dtype: DataType | None,
        shape: Shape | None,
        cells: Array | None,
    ) -> Facts:
        """Facts of a computed value: what is derived, filled up with what is declared."""
        if value.type is not None and not isinstance(value.type, TensorType):
            return NOTHING
        dtype = value.dtype if dtype is None else dtype
        if cells is not None:
            shape = cells.shape
        sizes = self._declared_sizes(value)
        if sizes is not None and (shape is None or len(shape) == len(sizes)):
            if shape is None:
                shape = self._filled(sizes)
            elif any(isinstance(dim, Expr) for dim in shape):
                shape = tuple(map(_better, shape, sizes))
        return self._finished(dtype, shape, cells)

    def _declared_sizes(self, value: Value) -> Sizes | None:
        hint = self._hints.get(value)
        if value.shape is None:
            return hint
        # Some exporters declare 0 or -1 for "unknown".
        sizes = tuple(dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape)
        if hint is None:
            return sizes
        if len(hint) != len(sizes):
            return hint
        return tuple(b if a is None else a for a, b in zip(hint, sizes, strict=True))

    def _finished(
        self,
        dtype: DataType | None,
        shape: Shape | None,
        cells: Array | None,
    ) -> Facts:
        if dtype is None or shape is None:
            return Facts(dtype, shape)
        if cells is not None and cells.size <= MAX_ELEMENTS:
            elements: tuple[Element, ...] = tuple(cells.reshape(-1).tolist())
            if dtype in INTEGERS:
                elements = tuple(self._element(element, dtype) for element in elements)
            return Facts(dtype, shape, SymbolicTensor(dtype, cells.shape, elements))
        if dtype not in INTEGERS:
            return Facts(dtype, shape)
        static = tuple(dim for dim in shape if isinstance(dim, int))
        count = prod(static) if len(static) == len(shape) else _MAX_UNKNOWN + 1
        if count > _MAX_UNKNOWN:
            return Facts(dtype, shape)
        unknown = tuple(self._unknowns.integer() for _ in range(count))
        return Facts(dtype, shape, SymbolicTensor(dtype, static, unknown))

    def _element(self, element: Element, dtype: DataType) -> Element:
        if isinstance(element, Expr):
            return element if is_manageable(element) else self._unknowns.integer()
        low, high = _LIMITS[dtype]
        return element if low <= element <= high else self._unknowns.integer()


def _better(derived: Dim, declared: int | None) -> Dim:
    return declared if declared is not None and has_unknown(derived) else derived


def _branches(node: Node) -> list[Graph]:
    return list(nested_graphs(node)) if node.op_type == "If" else []


def _needs(node: Node) -> list[Value]:
    needed = [value for value in node.inputs if value is not None]
    for graph in _branches(node):
        needed.extend(graph.outputs)
    return needed


def _shapes_of(view: NodeFacts) -> list[Shape | None]:
    op = view.node.op_type
    rule = GENERAL_RULES.get(op) or NN_RULES.get(op) or ATTENTION_RULES.get(op)
    try:
        found = rule(view) if rule is not None else None
    except _INVALID:
        found = None
    if found is None and rule is None:
        found = ask_onnx(view)
    return [] if found is None else list(found)


def _contents_of(view: NodeFacts) -> list[Array | None]:
    rule = CONTENTS_RULES.get(view.node.op_type)
    if rule is None:
        return []
    try:
        found = rule(view)
    except _INVALID:
        found = None
    return [] if found is None else list(found)
