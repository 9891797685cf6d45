"""Padding that follows from static sizes is written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Node, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.paddings import auto_pad_of


@dataclass(frozen=True)
class MakePadsExplicit(Rule):
    """Write out the pads that ``auto_pad`` asks for.

    ``Conv[auto_pad = SAME_UPPER](x, w) => Conv[pads = p](x, w)`` with, along each axis, a total of
    ``max((ceil(size / stride) - 1) * stride + window - size, 0)``, the odd one at the end (at the
    beginning for SAME_LOWER); ``auto_pad = VALID`` is no padding. The same for MaxPool,
    AveragePool and LpPool.

    Before::

        agraph (float[1,1,5,6] x, float[1,1,3,3] w) => (float[1,1,3,3] y) {
            y = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)
        }

    After::

        agraph (float[1,1,5,6] x, float[1,1,3,3] w) => (float[1,1,3,3] y) {
            y = Conv <strides = [2, 2], pads = [1, 0, 1, 1]> (x, w)
        }

    BITWISE: the same windows. SAME needs static spatial sizes, and of poolings windows without gaps
    (runtimes disagree how to pad the others). ConvTranspose stays, because runtimes disagree which
    end it cuts. Catalogue row B6. Source: ONNX operator specifications of Conv and MaxPool.
    """

    name: ClassVar[str] = "make-pads-explicit"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    local: ClassVar[bool] = True

    def before(self, op: Any) -> Any:
        return op.either("Conv", "MaxPool", "AveragePool", "LpPool")(..., _name="op", _outputs=...)

    def when(self, m: Match) -> None:
        m.suppose(auto_pad_of(m.root) != "NOTSET")

    def after(self, op: Any, m: Match) -> Any:
        node, automatic = m.root, auto_pad_of(m.root)
        replaced = ("auto_pad", "pads")
        attributes = [attr for name, attr in node.attributes.items() if name not in replaced]
        rounds_up = attribute(node, "ceil_mode", 0) != 0
        m.require(not rounds_up, f"runtimes disagree on ceil_mode with auto_pad {automatic}")
        pads = None if automatic == "VALID" else _same(m, node, automatic == "SAME_LOWER")
        build = getattr(op, node.op_type)
        return build(*node.inputs, _attributes=attributes, pads=pads, _outputs=len(node.outputs))


def _same(m: Match, node: Node, first: bool) -> list[int]:
    """The pads of SAME_LOWER (``first``: the odd one goes to the beginning) or SAME_UPPER."""
    sizes = _static(m, node, 0)
    rank = len(sizes)
    kernel: Sequence[int] = attribute(node, "kernel_shape") or _static(m, node, 1)
    strides = attribute(node, "strides", (1,) * rank)
    dilations = attribute(node, "dilations", (1,) * rank)
    dense = node.op_type == "Conv" or set(dilations) <= {1}
    m.require(dense, f"runtimes disagree on dilations with auto_pad {auto_pad_of(node)}")
    begins: list[int] = []
    ends: list[int] = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        window = (width - 1) * dilation + 1
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        less, more = total // 2, total - total // 2
        begins.append(more if first else less)
        ends.append(less if first else more)
    return begins + ends


def _static(m: Match, node: Node, position: int) -> list[int]:
    """The spatial sizes of an input of ``node``."""
    value = node.inputs[position] if position < len(node.inputs) else None
    if value is None:
        m.decline("the size of the window is not known")
    sizes = [dim for dim in m.shape_of(value)[2:] if isinstance(dim, int)]
    m.require(len(sizes) == len(m.shape_of(value)) - 2, f"a spatial size of {value.name} varies")
    return sizes
