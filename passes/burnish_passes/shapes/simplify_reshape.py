"""A Reshape to a computed shape becomes a Reshape to a constant one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import constant
from burnish.match import Match
from burnish.rewrite import Rule
from burnish.symbolic import known_equal


@dataclass(frozen=True)
class SimplifyReshape(Rule):
    """Write a computed target shape as a constant with 0 (same as the input's) and one -1.

    ``Reshape(x, [N, 12, 5]) => Reshape(x, [0, 12, 5])`` where ``N`` is x's first dimension;
    a dimension that is neither a number nor the input's at the same place becomes -1, of which
    there can be one. 0 is preferred, because it leaves -1 for another.

    Before::

        agraph (float[N,3,4] x) => (float[N,12] y) <int64[1] zero = {0}, int64[1] rest = {12}> {
            s = Shape(x)
            n = Gather(s, zero)
            t = Concat <axis = 0> (n, rest)
            y = Reshape(x, t)
        }

    After::

        agraph (float[N,3,4] x) => (float[N,12] y)
            <int64[1] zero = {0}, int64[1] rest = {12}, int64[2] y_shape = {0, 12}> {
            y = Reshape(x, y_shape)
        }

    Catalogue row C6. Source: ONNX operator specification of Reshape. Limit: -1 cannot be inferred
    from a tensor without elements when another dimension is 0.
    """

    name: ClassVar[str] = "simplify-reshape"
    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, shape: Any) -> Any:
        return op.Reshape(x, shape)

    def when(self, m: Match) -> None:
        if constant(m["shape"]) is not None:
            m.decline("the shape is constant already")
        m.require(m.ctx.shapes.contents(m["shape"]) is not None, "the shape is not known")

    def after(self, op: Any, m: Match) -> Any:
        known = m.ctx.shapes.contents(m["shape"])
        wanted = None if known is None else known.dims()
        if wanted is None:
            m.decline("the shape is not known")
        given = m.shape("x")
        copies_zero = not m.attr("Reshape", "allowzero", 0)
        target: list[int] = []
        for position, dim in enumerate(wanted):
            if position < len(given) and dim != 0 and known_equal(dim, given[position]):
                target.append(dim if isinstance(dim, int) else 0)
            elif isinstance(dim, int):
                target.append(dim)
            else:
                target.append(-1)
        m.require(target.count(-1) < 2, "more than one dimension is known only at run time")
        m.require(copies_zero or 0 not in target, "allowzero is set and a dimension is copied or 0")
        shape = op.constant(np.array(target, dtype=np.int64), f"{m.root.outputs[0].name}_shape")
        kept = [] if copies_zero else m.node("Reshape").attributes.values()
        return op.Reshape(m["x"], shape, _attributes=kept)
