"""Operands of Range become the scalars they should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.match import Match
from burnish.rewrite import Rule

_OPERANDS = ("start", "limit", "delta")


@dataclass(frozen=True)
class ScalarizeRange(Rule):
    """Reshape operands of Range that are vectors of one element.

    ``Range(a, [b], c) => Range(a, Reshape([b], []), c)``.

    The specification wants scalars, but exporters pass vectors of one element, and runtimes let
    them through as long as shape inference cannot tell. Once other passes have made the shape
    known, the same model would be refused.

    Before::

        agraph (int64[1] n) => (int64[K] y) <int64 zero = {0}, int64 one = {1}> {
            y = Range(zero, n, one)
        }

    After::

        agraph (int64[1] n) => (int64[K] y)
            <int64 zero = {0}, int64 one = {1}, int64[0] y_limit = {}> {
            y_limit_scalar = Reshape(n, y_limit)
            y = Range(zero, y_limit_scalar, one)
        }

    Source: ONNX operator specification of Range.
    """

    name: ClassVar[str] = "scalarize-range"

    def before(self, op: Any, start: Any, limit: Any, delta: Any) -> Any:
        return op.Range(start, limit, delta)

    def when(self, m: Match) -> None:
        shapes = [m.ctx.shapes.shape(m[name]) for name in _OPERANDS]
        m.require((1,) in shapes, "its operands are scalars already, as far as is known")
        m.require(m.opset >= 5, "Reshape has no shape input before opset 5")

    def after(self, op: Any, m: Match) -> Any:
        operands = []
        for name in _OPERANDS:
            value = m[name]
            if m.ctx.shapes.shape(value) == (1,):
                hint = f"{m.root.outputs[0].name}_{name}"
                value = op.Reshape(value, op.constant(np.zeros(0, dtype=np.int64), hint))
            operands.append(value)
        return op.Range(*operands)
