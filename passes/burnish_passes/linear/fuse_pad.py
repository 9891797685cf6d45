"""Zero padding before a convolution goes into its pads."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.ir import Attr, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import has_static_contents, operand, static_ints


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _padding(m: Match, rank: int) -> list[int]:
    """How much the Pad adds, beginnings then ends, for every axis."""
    pad = m.node("Pad")
    m.require(_text(attribute(pad, "mode", "constant")) == "constant", "the Pad is not constant")
    if m.opset < 11:
        m.require(attribute(pad, "value", 0.0) == 0, "the Pad does not fill with 0")
    elif operand(pad, 2) is not None:
        filler = constant_array(operand(pad, 2))
        m.require(filler is not None and not filler.any(), "the Pad may not fill with 0")
    pads = static_ints(m, pad, "paddings" if m.opset < 2 else "pads", 1)
    axes = static_ints(m, pad, "axes", 3)
    if pads is None or (axes is None and has_static_contents(pad, "axes", 3)):
        m.decline("how much the Pad adds is not known")
    places = [axis % rank for axis in (range(rank) if axes is None else axes)]
    m.require(len(pads) == 2 * len(places), "the Pad does not fit its axes")
    full = [0] * (2 * rank)
    for position, axis in enumerate(places):
        full[axis] = pads[position]
        full[axis + rank] = pads[position + len(places)]
    return full


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
        conv, rank = m.node("Conv"), len(m.shape("x"))
        added = _padding(m, rank)
        m.require(min(added) >= 0, "the Pad cuts something off")
        begins, ends = added[:rank], added[rank:]
        m.require(not any(begins[:2] + ends[:2]), "the Pad adds batches or channels")
        automatic = _text(attribute(conv, "auto_pad", "NOTSET"))
        m.require(automatic in ("NOTSET", "VALID", ""), f"auto_pad is {automatic}")
        own = attribute(conv, "pads") if automatic != "VALID" else None
        own = (0,) * (2 * (rank - 2)) if own is None else own
        pads = [one + other for one, other in zip(own, begins[2:] + ends[2:], strict=True)]
        kept: list[Attr] = [
            attr for name, attr in conv.attributes.items() if name not in ("auto_pad", "pads")
        ]
        return op.Conv(m["x"], *conv.inputs[1:], _attributes=kept, pads=pads)
