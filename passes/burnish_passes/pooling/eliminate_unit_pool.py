"""Pooling over windows of one element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule


@dataclass(frozen=True)
class EliminateUnitPool(Rule):
    """Remove a pooling whose every window is one element.

    ``MaxPool[kernel = 1, stride = 1](x) => x``, AveragePool alike.

    Before::

        agraph (float[N,3,8,8] x) => (float[N,3,8,8] y) {
            t = MaxPool <kernel_shape = [1, 1]> (x)
            y = Relu(t)
        }

    After::

        agraph (float[N,3,8,8] x) => (float[N,3,8,8] y) {
            y = Relu(x)
        }

    FLOAT: a runtime that starts a sum from +0.0, or a maximum from the lowest finite number,
    changes -0.0 and -Inf; the mean and the maximum of one number do not. Catalogue row B5. Source:
    ONNX operator specifications of MaxPool and AveragePool.
    """

    name: ClassVar[str] = "eliminate-unit-pool"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any) -> Any:
        return op.either("MaxPool", "AveragePool")(x, _name="op")

    def when(self, m: Match) -> None:
        kernel = attribute(m.root, "kernel_shape", ())
        m.suppose(bool(kernel) and set(kernel) == {1})
        m.require(set(attribute(m.root, "strides", (1,))) == {1}, "it leaves elements out")
        m.require(not any(attribute(m.root, "pads", ())), "it pads")

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]
