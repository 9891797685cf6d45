"""Small random models that are valid by construction, for property tests.

A model is built for several sizes of its symbolic dimensions at once: every value carries its
shape, and where it matters its integers, under each of them. So a generator can tell whether an
operator is valid without running anything. What the generators may draw is in
:mod:`tests.passes.generate_ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import hypothesis.strategies as st
import numpy as np
import onnx
from onnx import helper, numpy_helper

from burnish.ir import Array

Shape = tuple[int, ...]
Item = TypeVar("Item")
Whole = Callable[[int, int], int]
"""Draws a whole number between two, both included: all that building a model needs."""

BINDINGS: tuple[dict[str, int], ...] = (
    {"N": 2, "M": 3},
    {"N": 1, "M": 1},
    {"N": 5, "M": 2},
)
EMPTY = {"N": 0, "M": 3}
LARGEST = 4096
"""No value has more elements, so that models stay quick to run."""
SPECIAL = (0.0, -0.0, 1.0, float("nan"), float("inf"), -float("inf"), -1.0, 0.5, 2.0)
SMOOTH = (1.0, 0.5, -1.5, 2.0, 0.0)


@dataclass(frozen=True)
class Var:
    """A value of the model under construction.

    Attributes:
        name: its name.
        dtype: element type, as numpy calls it.
        shapes: its shape under each binding of the symbolic dimensions.
        contents: its elements under each binding, for integers made from shapes.
        safe: whether every element is a small whole number, so that any cast of it is defined.
    """

    name: str
    dtype: str
    shapes: tuple[Shape, ...]
    contents: tuple[Array, ...] | None = None
    safe: bool = False

    @property
    def rank(self) -> int:
        return len(self.shapes[0])

    def fixed(self, axis: int) -> int | None:
        """The size of an axis if it is the same under all bindings."""
        sizes = {shape[axis] for shape in self.shapes}
        return sizes.pop() if len(sizes) == 1 else None


@dataclass
class Body:
    """The graph that is being filled: the main graph, or a subgraph of it."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    vars: list[Var] = field(default_factory=list)
    declared: list[Var] = field(default_factory=list)


@dataclass(frozen=True)
class Generated:
    """A model, and what to run it on.

    Attributes:
        proto: a valid model.
        feeds: inputs, one set for each binding of its symbolic dimensions.
    """

    proto: onnx.ModelProto
    feeds: tuple[dict[str, Array], ...]

    def __repr__(self) -> str:
        return f"\n{onnx.printer.to_text(self.proto)}"


class Builder:
    """Draws, and puts what was drawn into the innermost open graph.

    Attributes:
        smooth: whether values stay finite and small changes small: rounding is then all that a
            pass of FLOAT exactness can be seen to do.
    """

    def __init__(self, whole: Whole, smooth: bool) -> None:
        self.whole = whole
        self.smooth = smooth
        self.opset = whole(9, 21)
        self.bindings = (*BINDINGS, EMPTY) if whole(0, 1) else BINDINGS
        self.bodies = [Body()]
        self.count = 0
        self.prefix = "v"

    # --- drawing

    def flip(self) -> bool:
        return self.whole(0, 1) == 1

    def choose(self, items: Sequence[Item]) -> Item:
        return items[self.whole(0, len(items) - 1)]

    def pick(self, fits: Callable[[Var], bool]) -> Var | None:
        """A visible value, mostly one of the last; None when none fits."""
        found = [var for body in reversed(self.bodies) for var in reversed(body.vars) if fits(var)]
        if not found:
            return None
        return self.choose(found if self.whole(0, 2) == 2 else found[:2])

    def number(self) -> float:
        return self.choose(SMOOTH if self.smooth else SPECIAL)

    # --- building

    @property
    def body(self) -> Body:
        return self.bodies[-1]

    def name(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"

    def input(self, dtype: str, dims: Sequence[int | str]) -> Var:
        name = f"in{len(self.body.inputs)}"
        self.body.inputs.append(helper.make_tensor_value_info(name, onnx_type(dtype), list(dims)))
        shapes = tuple(
            tuple(sizes[dim] if isinstance(dim, str) else dim for dim in dims)
            for sizes in self.bindings
        )
        var = Var(name, dtype, shapes, safe=not dtype.startswith("float"))
        self.body.vars.append(var)
        return var

    def constant(self, array: Array, *, plain: bool = False) -> Var:
        """A constant: an initializer, a Constant node, or unless ``plain`` an overridable input."""
        held = np.asarray(array)
        kind = self.whole(0, 5)
        contents = (held,) * len(self.bindings) if held.dtype == np.int64 else None
        shapes = (held.shape,) * len(self.bindings)
        if kind < 2:
            tensor = numpy_helper.from_array(held)
            return self.emit("Constant", [], [(str(held.dtype), shapes, contents)], value=tensor)[0]
        name = self.name()
        self.body.initializers.append(numpy_helper.from_array(held, name))
        if kind == 2 and not plain and len(self.bodies) == 1:
            info = helper.make_tensor_value_info(name, onnx_type(str(held.dtype)), held.shape)
            self.body.inputs.append(info)
            contents = None
        return Var(name, str(held.dtype), shapes, contents)

    def ints(self, values: Sequence[int]) -> Var:
        return self.constant(np.array(values, np.int64), plain=True)

    def emit(
        self,
        op: str,
        inputs: Sequence[Var | None],
        results: Sequence[tuple[Any, ...]],
        safe: bool = False,
        **attributes: Any,
    ) -> list[Var]:
        """Add a node; ``results`` holds (dtype, shapes) or (dtype, shapes, contents) for each."""
        made = [
            Var(
                self.name(),
                dtype,
                tuple(map(tuple, shapes)),
                contents[0] if contents else None,
                safe,
            )
            for dtype, shapes, *contents in results
        ]
        names = ["" if var is None else var.name for var in inputs]
        given = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(op, names, [var.name for var in made], **given)
        self.body.nodes.append(node)
        self.body.vars.extend(made)
        return made

    def same(self, op: str, x: Var, *others: Var | None, **attributes: Any) -> Var:
        """A node whose result has type and shape of its first input."""
        return self.emit(op, [x, *others], [(x.dtype, x.shapes)], **attributes)[0]

    def subgraph(
        self, name: str, inputs: Sequence[Var], fill: Callable[[], Sequence[Var]]
    ) -> onnx.GraphProto:
        """A graph with these inputs, filled by ``fill``, which returns its outputs."""
        body = Body(vars=list(inputs))
        self.bodies.append(body)
        outputs = fill()
        self.bodies.pop()
        graph: onnx.GraphProto = helper.make_graph(
            body.nodes,
            name,
            [info(var) for var in inputs],
            [info(var) for var in outputs],
            body.initializers,
        )
        return graph


def onnx_type(dtype: str) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def info(var: Var) -> onnx.ValueInfoProto:
    """The declaration of a value: its type and rank."""
    declared: onnx.ValueInfoProto = helper.make_tensor_value_info(
        var.name, onnx_type(var.dtype), [None] * var.rank
    )
    return declared


def broadcast(left: Var, right: Var) -> tuple[Shape, ...] | None:
    """The shapes of an elementwise operator on both, or None when they do not fit."""
    try:
        pairs = zip(left.shapes, right.shapes, strict=True)
        return tuple(np.broadcast_shapes(one, other) for one, other in pairs)
    except ValueError:
        return None


def small(shapes: Sequence[Shape]) -> bool:
    return all(np.prod(shape, dtype=np.int64) <= LARGEST for shape in shapes)


def _array(rng: np.random.Generator, dtype: str, shape: Shape, smooth: bool) -> Array:
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if not dtype.startswith("float"):
        return rng.integers(0, 4, shape).astype(dtype)
    array = rng.standard_normal(shape).astype(dtype)
    if not smooth and array.size:
        places = rng.integers(0, array.size, max(1, array.size // 4))
        array.reshape(-1)[places] = rng.choice(SPECIAL, len(places))
    return array


def _feeds(builder: Builder, inputs: Sequence[Var], seed: int) -> tuple[dict[str, Array], ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        {var.name: _array(rng, var.dtype, var.shapes[index], builder.smooth) for var in inputs}
        for index in range(len(builder.bindings))
    )


def _outputs(builder: Builder) -> list[Var]:
    """Most values that nobody reads, and now and then an inner one."""
    read = set(_read(builder.body.nodes))
    made = {name for node in builder.body.nodes for name in node.output}
    own = [var for var in builder.body.vars if var.name in made]
    chosen = [var for var in own if var.name not in read]
    if len(chosen) > 1 and builder.whole(0, 2) == 2:
        chosen.remove(builder.choose(chosen))
    if builder.whole(0, 2) == 2:
        chosen.append(builder.choose(own))
    return list({var.name: var for var in chosen[-8:]}.values())


def _read(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from _read(attribute.g.node)


Operators = Mapping[str, Callable[[Builder], None]]


def build(whole: Whole, operators: Operators, smooth: bool) -> Generated:
    """A model of 2 to 12 draws from ``operators``.

    Args:
        whole: draws a whole number between two.
        operators: what adds nodes, by name; most add one.
        smooth: see :class:`Builder`.
    """
    builder = Builder(whole, smooth)
    inputs = [builder.input(*INPUTS[whole(0, 4)])]
    inputs += [builder.input(*builder.choose(INPUTS)) for _ in range(whole(0, 2))]
    for _ in range(whole(2, 12)):
        operators[builder.choose(sorted(operators))](builder)
    if not builder.body.nodes:
        builder.same("Identity", inputs[0])
    body = builder.body
    outputs = [info(var) for var in _outputs(builder)]
    graph = helper.make_graph(
        body.nodes,
        "generated",
        body.inputs,
        outputs,
        body.initializers,
        value_info=[
            info(var) for var in body.declared if var.name not in {v.name for v in outputs}
        ],
    )
    opset = helper.make_opsetid("", builder.opset)
    ir_version = 10 if builder.opset > 19 else 8
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=ir_version)
    return Generated(proto, _feeds(builder, inputs, whole(0, 3)))


@st.composite
def models(draw: Callable[[Any], Any], operators: Operators, *, smooth: bool = False) -> Generated:
    """Models that :func:`build` makes."""
    return build(lambda low, high: int(draw(st.integers(low, high))), operators, smooth)


INPUTS: tuple[tuple[str, tuple[int | str, ...]], ...] = (
    ("float32", ("N", "M")),
    ("float32", ("N", 4)),
    ("float32", ("N", 3, 4, 4)),
    ("float32", (2, 3)),
    ("float32", ("N", "M", 4)),
    ("float32", (1, "M")),
    ("float32", ()),
    ("int64", ("N",)),
    ("int32", (2, 3)),
    ("bool", ("N", "M")),
)
