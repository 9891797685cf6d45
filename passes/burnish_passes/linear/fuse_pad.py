"""Zero padding before a convolution goes into its pads."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.paddings import (
    attribute_text,
    fill_value,
    padded_attributes,
    padding_of_space,
)


class FusePad(Rule):
    """Fold a Pad with zeros into the pads of the Conv after it.

    ``Conv[p](Pad[q](x, 0), W, b) => Conv[p + q](x, W, b)``.

    Before::

        agraph (float[1,1,4,4] x, float[2,1,3,3] w) => (float[1,2,6,4] y) {
            pads = Constant <value = int64[8] {0, 0, 1, 0, 0, 0, 1, 0}> ()
            t = Pad(x, pads)
            y = Conv <pads = [1, 1, 1, 1]> (t, w)
        }

    After::

        agraph (float[1,1,4,4] x, float[2,1,3,3] w) => (float[1,2,6,4] y) {
            y = Conv <pads = [2, 1, 2, 1]> (x, w)
        }

    FLOAT: a runtime may leave out the products with padding, so sums are formed in another order.
    Only space may be padded, by amounts >= 0; ``auto_pad`` SAME computes its pads from the padded
    size and stays. Catalogue row B1. Source: ONNX operator specifications of Pad and Conv.
    """

    name: ClassVar[str] = "fuse-pad"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, w: Any) -> Any:
        return op.Conv(op.Pad(x, ..., _shared=True), w, ...)

    def after(self, op: Any, m: Match) -> Any:
        pad, conv = m.node("Pad"), m.node("Conv")
        m.require(attribute_text(pad, "mode", "constant") == "constant", "the Pad is not constant")
        m.require(fill_value(m, pad) == 0, "the Pad may not fill with 0")
        begins, ends = padding_of_space(m, pad, len(m.shape("x")))
        kept, pads = padded_attributes(m, conv, begins, ends)
        return op.Conv(m["x"], *conv.inputs[1:], _attributes=kept, pads=pads)
