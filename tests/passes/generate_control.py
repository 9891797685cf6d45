"""What the generator of models may draw: If, Loop and Scan whose bodies capture outer values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tests.passes.generate import Builder, Shape, Var
from tests.passes.generate_ops import is_float

INSIDE = ("Abs", "Identity", "Neg", "Relu", "Sigmoid", "Tanh")


def steps(b: Builder, x: Var) -> Var:
    """A few operators that keep the shape of ``x``; some capture values, some are constant."""
    for _ in range(b.whole(1, 3)):
        kind = b.whole(0, 3)
        if kind == 0:
            x = b.same(b.choose(INSIDE), x)
        elif kind == 1:
            x = b.same(b.choose(("Add", "Mul", "Sub")), x, number(b))
        elif kind == 2:
            captured = of_shape(b, x.shapes)
            x = b.same(b.choose(("Add", "Mul")), x, captured or x)
        else:
            total = b.same("Add", number(b), number(b))
            x = b.same("Mul", x, total)
    return x


def of_shape(b: Builder, shapes: tuple[Shape, ...]) -> Var | None:
    return b.pick(lambda var: is_float(var) and var.shapes == shapes)


def number(b: Builder) -> Var:
    return b.constant(np.array(b.number(), np.float32), plain=True)


def computed(b: Builder, x: Var) -> Var:
    """``x`` as an output of a subgraph: it must be computed there."""
    made = {name for node in b.body.nodes for name in node.output}
    return x if x.name in made else b.same("Identity", x)


def condition(b: Builder) -> Var:
    """True or false: a constant, or known only at run time."""
    flag = b.pick(lambda var: var.dtype == "bool" and var.rank == 0)
    kind = b.whole(0, 3)
    if kind < 2 or (kind == 2 and flag is None):
        return b.constant(np.array(b.flip()))
    if kind == 2 and flag is not None:
        return flag
    x = b.pick(is_float)
    two = b.constant(np.array([2], np.int64), plain=True)
    size = b.emit("Size", [x], [("int64", [()] * len(b.bindings))])[0] if x else two
    return b.emit("Greater", [size, two], [("bool", [(1,)] * len(b.bindings))])[0]


def branch(b: Builder) -> None:
    x = b.pick(is_float)
    if x is None:
        return
    flag = condition(b)

    def fill() -> Sequence[Var]:
        return [computed(b, steps(b, x))]

    count, prefix = b.count, b.prefix
    b.prefix = f"b{count}_"
    graphs = []
    for name in ("yes", "no"):
        b.count = count  # branches may use each other's names
        graphs.append(b.subgraph(name, [], fill))
    b.prefix, b.count = prefix, count + 40
    b.emit("If", [flag], [("float32", x.shapes)], then_branch=graphs[0], else_branch=graphs[1])


def loop(b: Builder) -> None:
    x = b.pick(is_float)
    if x is None:
        return
    rounds = b.whole(0, 3)
    trip = b.constant(np.array(rounds, np.int64), plain=True)
    go = b.constant(np.array(True))
    every = len(b.bindings)
    counter = Var(b.name(), "int64", ((),) * every)
    more = Var(b.name(), "bool", ((),) * every)
    state = Var(b.name(), "float32", x.shapes)
    scanned = b.flip() and rounds > 0

    def fill() -> Sequence[Var]:
        after = computed(b, steps(b, state))
        again = b.same("Identity", more)
        return [again, after, *([b.same("Identity", after)] if scanned else [])]

    body = b.subgraph("step", [counter, more, state], fill)
    rows = [("float32", [(rounds, *shape) for shape in x.shapes])] if scanned else []
    # Exporters declare the rank of results, which inference cannot tell.
    b.body.declared += b.emit("Loop", [trip, go, x], [("float32", x.shapes), *rows], body=body)


def scan(b: Builder) -> None:
    x = b.pick(
        lambda var: is_float(var) and var.rank > 1 and all(0 not in shape for shape in var.shapes)
    )
    if x is None:
        return
    start = b.constant(np.zeros((), np.float32), plain=True)
    every = len(b.bindings)
    total = Var(b.name(), "float32", ((),) * every)
    row = Var(b.name(), "float32", tuple(shape[1:] for shape in x.shapes))

    def fill() -> Sequence[Var]:
        after = b.same("Add", total, number(b))
        return [after, computed(b, steps(b, row))]

    body = b.subgraph("step", [total, row], fill)
    results = [("float32", [()] * every), ("float32", x.shapes)]
    b.emit("Scan", [start, x], results, body=body, num_scan_inputs=1)


CONTROL: dict[str, Callable[[Builder], None]] = {"branch": branch, "loop": loop, "scan": scan}
