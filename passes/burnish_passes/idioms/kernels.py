"""Whether an activation may be written as its operator."""

from __future__ import annotations

from burnish.ir import DataType, Value
from burnish.match import Match
from burnish_passes.idioms.expressions import precision
from burnish_passes.proofs import require_same_shape

__all__ = ["require_activation"]


def require_activation(m: Match, x: Value, name: str, since: int) -> None:
    """Decline unless the opset has the operator ``name`` and it would give the result's shape."""
    m.require(m.opset >= since, f"{name} needs opset {since}")
    precision(m, x)
    m.require(m.ctx.shapes.dtype(x) != DataType.DOUBLE, f"runtimes have no {name} of doubles")
    require_same_shape(m, x, m.root.outputs[0])
