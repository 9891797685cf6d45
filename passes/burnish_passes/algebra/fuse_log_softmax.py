"""The logarithm of a Softmax is an operator of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule


@dataclass(frozen=True)
class FuseLogSoftmax(Rule):
    """Take the logarithm inside the Softmax.

    ``Log(Softmax(x)) => LogSoftmax(x)``, along the same axis.

    Before::

        agraph (float[2,3,4] x) => (float[2,3,4] y) {
            s = Softmax <axis = 1> (x)
            y = Log(s)
        }

    After::

        agraph (float[2,3,4] x) => (float[2,3,4] y) {
            y = LogSoftmax <axis = 1> (x)
        }

    FLOAT, and nearer to the truth: where the probability rounds to a denormal number or to 0, the
    logarithm of it is off or -inf, and LogSoftmax is not. Both operators mean the same by
    ``axis`` at every opset: before 13 they flatten to two axes there. Catalogue row E11. Source:
    ONNX operator specifications of Softmax and LogSoftmax.
    """

    name: ClassVar[str] = "fuse-log-softmax"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any) -> Any:
        return op.Log(op.Softmax(x, _name="softmax"))

    def after(self, op: Any, m: Match) -> Any:
        return op.LogSoftmax(m["x"], _attributes=m.node("softmax").attributes.values())
