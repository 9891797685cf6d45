"""Padding before a pooling goes into its pads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Attr, Value, attribute, constant_array, convert_attributes
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.paddings import fill_value, padded_attributes, padding_of_space

_NOT_NEGATIVE = frozenset(
    {"Abs", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softmax", "Softplus", "Sqrt", "ReduceL2"}
)
"""Operators whose results are never below 0, whatever their attributes."""

_SELECTS = frozenset(
    {"Expand", "Flatten", "Identity", "MaxPool", "Reshape", "Slice", "Squeeze", "Tile"}
    | {"Transpose", "Unsqueeze"}
)
"""Operators whose results are elements of their first input."""

_FAR = 8


def _lower_bound(value: Value | None, depth: int = _FAR) -> float:
    """A number that no element of ``value`` is below; -inf when none is known."""
    node = None if value is None else value.producer()
    if node is None or node.domain != "" or depth == 0:
        return -math.inf
    if node.op_type in _NOT_NEGATIVE:
        return 0.0
    if node.op_type == "Clip":
        return _clipped_at(node.inputs, attribute(node, "min"))
    if node.op_type in _SELECTS:
        return _lower_bound(node.inputs[0], depth - 1)
    if node.op_type == "Concat":
        return min(_lower_bound(item, depth - 1) for item in node.inputs)
    if node.op_type == "Add" and all(_lower_bound(item, depth - 1) >= 0 for item in node.inputs):
        return 0.0
    return -math.inf


def _clipped_at(inputs: Sequence[Value | None], given: float | None) -> float:
    low = constant_array(inputs[1]) if len(inputs) > 1 else None
    high = constant_array(inputs[2]) if len(inputs) > 2 else None
    if len(inputs) > 2 and inputs[2] is not None and high is None:
        return -math.inf  # a maximum below the minimum would win
    if low is not None and low.size == 1:
        given = float(low.reshape(-1)[0])
    if given is None or (high is not None and float(high.reshape(-1)[0]) < given):
        return -math.inf
    return given


class _FoldPad(Rule):
    """What both poolings ask of the Pad."""

    def folded(self, op: Any, m: Match, more: Sequence[Attr] = ()) -> Any:
        """The pooling with the padding of both."""
        pool, rank = m.root, len(m.shape("x"))
        begins, ends = padding_of_space(m, m.node("Pad"), rank)
        m.require(attribute(pool, "ceil_mode", 0) == 0, "the pooling rounds its size up")
        kept, pads = padded_attributes(m, pool, begins, ends)
        kernel = attribute(pool, "kernel_shape")
        fits = all(pad < size for pad, size in zip(pads, kernel * 2, strict=True))
        m.require(fits, "a whole window would lie in the padding")
        named = {attr.name for attr in more}
        kept = [attr for attr in kept if attr.name not in named]
        return getattr(op, pool.op_type)(m["x"], _attributes=[*kept, *more], pads=pads)


class FoldIntoAveragePool(_FoldPad):
    """``AveragePool(Pad(x, 0))``: from then on the padding counts."""

    def before(self, op: Any, x: Any) -> Any:
        return op.AveragePool(op.Pad(x, ..., _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        m.require(m.opset >= 7, f"AveragePool at opset {m.opset} never counts its padding")
        m.require(fill_value(m, m.node("Pad")) == 0, "the Pad may not fill with 0")
        pool = m.root
        counts = attribute(pool, "count_include_pad", 0) != 0
        own = any(attribute(pool, "pads", ()))
        m.require(counts or not own, "the pooling does not count padding of its own")
        return self.folded(op, m, convert_attributes({"count_include_pad": 1}))


class FoldIntoMaxPool(_FoldPad):
    """``MaxPool(Pad(x, v))`` where no element of x is below v."""

    def before(self, op: Any, x: Any) -> Any:
        return op.MaxPool(op.Pad(x, ..., _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        gaps = set(attribute(m.root, "dilations", (1,))) != {1}
        m.require(not gaps, "a window with gaps may see nothing but padding")
        value = fill_value(m, m.node("Pad"))
        if value is None:
            m.decline("what the Pad fills with is not known")
        if value != -math.inf:
            dtype = m.dtype("x").numpy()
            low = np.iinfo(dtype).min if dtype.kind in "iu" else _lower_bound(m["x"])
            m.require(value <= low, f"the Pad fills with {value:g}, and data may be below it")
        return self.folded(op, m)


@dataclass(frozen=True)
class FusePadIntoPool(RuleSet):
    """Fold a Pad into the pads of the AveragePool or MaxPool after it.

    ``AveragePool(Pad[q](x, 0)) => AveragePool[pads = q, count_include_pad = 1](x)``, and
    ``MaxPool[p](Pad[q](x, v)) => MaxPool[p + q](x)`` when no element of x is below v: v is -Inf, or
    x comes out of a Relu or its like and v is not above 0. A MaxPool never looks at its own
    padding, so 0 before data that may be negative is not padding but a value.

    Before::

        agraph (float[1,1,4,4] x) => (float[1,1,5,5] y, float[1,1,5,5] z) {
            pads = Constant <value = int64[8] {0, 0, 1, 1, 0, 0, 1, 1}> ()
            t = Pad(x, pads)
            y = AveragePool <kernel_shape = [2, 2]> (t)
            r = Relu(x)
            u = Pad(r, pads)
            z = MaxPool <kernel_shape = [2, 2]> (u)
        }

    After::

        agraph (float[1,1,4,4] x) => (float[1,1,5,5] y, float[1,1,5,5] z) {
            y = AveragePool <kernel_shape = [2, 2], count_include_pad = 1, pads = [1, 1, 1, 1]> (x)
            r = Relu(x)
            z = MaxPool <kernel_shape = [2, 2], pads = [1, 1, 1, 1]> (r)
        }

    FLOAT: a runtime may leave zeros out of its sums. Every pad must be smaller than the window, so
    that none holds padding alone; ``ceil_mode`` stays, because the windows it adds at the end are
    dropped or kept by where the padding is. Catalogue rows B2, B3. Source: ONNX operator
    specifications of Pad, AveragePool and MaxPool.
    """

    name: ClassVar[str] = "fuse-pad-into-pool"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldIntoAveragePool, FoldIntoMaxPool)
