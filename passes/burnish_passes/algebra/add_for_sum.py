"""A Sum of two is an Add."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule


class AddForSum(Rule):
    """Write a Sum of two operands as an Add, for which runtimes have more kernels.

    ``Sum(a, b) => Add(a, b)``.

    Before::

        agraph (float[2] a, float[2] b) => (float[2] y) {
            y = Sum(a, b)
        }

    After::

        agraph (float[2] a, float[2] b) => (float[2] y) {
            y = Add(a, b)
        }

    BITWISE: it is the same addition; before opset 8 a Sum does not broadcast, so its operands are
    of one shape. ONNX Runtime has an integer kernel for Add and none for Sum. Source: ONNX operator
    specifications of Sum and Add.
    """

    name: ClassVar[str] = "add-for-sum"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, a: Any, b: Any) -> Any:
        return op.Sum(a, b)

    def after(self, op: Any, m: Match) -> Any:
        return op.Add(m["a"], m["b"])
