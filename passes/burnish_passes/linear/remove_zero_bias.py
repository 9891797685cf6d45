"""A bias of zeros is no bias."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import is_filled_with


class RemoveZeroBias(Rule):
    """Remove the bias of a Conv, ConvTranspose or Gemm when it is all zeros.

    ``Conv(x, W, 0) => Conv(x, W)``.

    Before::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            c = Constant <value = float[2] {0.0, 0.0}> ()
            y = Gemm(a, w, c)
        }

    After::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            y = Gemm(a, w)
        }

    FLOAT: ``-0.0 + 0.0`` is 0.0, so a sum of nothing but -0.0 may keep its sign. Gemm may be
    without C from opset 11 on. Catalogue row A21. Source: ONNX operator specifications of Conv,
    ConvTranspose and Gemm.
    """

    name: ClassVar[str] = "remove-zero-bias"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, w: Any, b: Any) -> Any:
        return op.either("Conv", "ConvTranspose", "Gemm")(x, w, b.constant, _name="product")

    def when(self, m: Match) -> None:
        m.suppose(m.root.op_type != "Gemm" or m.opset >= 11)
        m.suppose(is_filled_with(m.const("b"), 0.0))

    def after(self, op: Any, m: Match) -> Any:
        build = getattr(op, m.root.op_type)
        return build(m["x"], m["w"], _attributes=m.root.attributes.values())
