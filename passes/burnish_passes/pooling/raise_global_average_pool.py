"""A mean over all of space is GlobalAveragePool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import DataType
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import static_ints, whole_axes

_TYPES = frozenset({DataType.FLOAT, DataType.FLOAT16})


@dataclass(frozen=True)
class RaiseGlobalAveragePool(Rule):
    """Spell a mean over all spatial axes as GlobalAveragePool.

    ``ReduceMean[axes = 2, 3, ..., keepdims = 1](x) => GlobalAveragePool(x)``.

    Before::

        agraph (float[N,3,8,8] x) => (float[N,3,1,1] y) {
            axes = Constant <value = int64[2] {-1, -2}> ()
            y = ReduceMean(x, axes)
        }

    After::

        agraph (float[N,3,8,8] x) => (float[N,3,1,1] y) {
            y = GlobalAveragePool(x)
        }

    FLOAT: sums are formed in another order. With ``keepdims = 0`` it would take a second node, so
    that stays; so does the mean over the last of three axes, which is a sequence's features more
    often than space (and half a LayerNormalization). Catalogue row B4. Source: ONNX operator specification of GlobalAveragePool.
    """

    name: ClassVar[str] = "raise-global-average-pool"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any) -> Any:
        return op.ReduceMean(x, ...)

    def when(self, m: Match) -> None:
        m.suppose(m.attr("ReduceMean", "keepdims", 1) == 1)
        axes = static_ints(m, m.root, "axes", 1)
        m.suppose(axes is not None and len(axes) >= 2)
        shape = m.shape("x")
        m.suppose(whole_axes(axes or (), len(shape)) == tuple(range(2, len(shape))))
        m.require(0 not in shape, "the mean of nothing")
        dtype = m.dtype("x")
        # ONNX has one, ONNX Runtime's CPU provider has not: the model would not load.
        m.require(dtype != DataType.DOUBLE, "runtimes have no GlobalAveragePool for double")
        supported = dtype in _TYPES or (dtype == DataType.BFLOAT16 and m.opset >= 22)
        m.require(
            supported, f"GlobalAveragePool at opset {m.opset} is not for {dtype.name.lower()}"
        )

    def after(self, op: Any, m: Match) -> Any:
        return op.GlobalAveragePool(m["x"])
