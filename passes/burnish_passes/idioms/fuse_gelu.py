"""The Gaussian error linear unit, from erf or from its approximation by tanh."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, Node, Value
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule
from burnish_passes.idioms.expressions import (
    Polynomial,
    claim,
    close,
    found_upstream,
    made_by,
    number,
    polynomial,
    precision,
)
from burnish_passes.idioms.kernels import require_activation

_ANCHORS = (("", "Erf"), ("", "Tanh"))
_ARITHMETIC = ("Add", "Div", "Mul", "Sub")
_CUBIC = 0.044715
_ROOT = math.sqrt(2 / math.pi)
_HALVES: Polynomial = {(1, 0): 0.5, (1, 1): 0.5}
_ARGUMENTS: Mapping[str, Polynomial] = {
    "Erf": {(1,): math.sqrt(0.5)},
    "Tanh": {(1,): _ROOT, (3,): _ROOT * _CUBIC},
}


def _factors(m: Match, node: Node, depth: int = 3) -> Iterator[Value]:
    """What is multiplied at ``node``, and what those values are products of."""
    for value in node.inputs:
        if value is None or number(value) is not None:
            continue
        yield value
        inner = made_by(m, value, "Mul", "Div")
        if inner is not None and depth > 1:
            yield from _factors(m, inner, depth - 1)


@dataclass(frozen=True)
class FuseGelu(Rule):
    """Write the Gaussian error linear unit as Gelu.

    ``0.5 * x * (1 + Erf(x / sqrt(2))) => Gelu(x)``, in whatever order it is multiplied.

    Before::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[N,8] x) => (float[N,8] y)
            <float root = {1.41421354}, float one = {1.0}, float half = {0.5}> {
            a = Div(x, root)
            b = Erf(a)
            c = Add(b, one)
            d = Mul(x, c)
            y = Mul(d, half)
        }

    After::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[N,8] x) => (float[N,8] y) {
            y = Gelu(x)
        }

    ``0.5 * x * (1 + Tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))) => Gelu(x)``, approximated:

    Before::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[N,8] x) => (float[N,8] y)
            <float root = {0.79788458}, float cubic = {0.044715}, float one = {1.0},
             float half = {0.5}> {
            a = Mul(x, root)
            b = Mul(x, cubic)
            c = Mul(b, x)
            d = Add(c, one)
            e = Mul(a, d)
            f = Tanh(e)
            g = Add(f, one)
            h = Mul(x, half)
            y = Mul(h, g)
        }

    After::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[N,8] x) => (float[N,8] y) {
            y = Gelu <approximate = "tanh"> (x)
        }

    The arithmetic is read as a polynomial, so its spelling does not matter; its coefficients must
    be those of Gelu within the rounding of the element type. FLOAT: the same function, rounded at
    other places. Not in double precision, for which runtimes have no kernel. Catalogue rows F1,
    F2. Source: Hendrycks and Gimpel 2016, arXiv 1606.08415; ONNX operator specification of Gelu.
    """

    name: ClassVar[str] = "fuse-gelu"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without either function."""
        if ctx.nodes(model, _ANCHORS):
            super().run(model, ctx)

    def before(self, op: Any) -> Any:
        return op.either("Mul", "Div")(..., _name="product")

    def when(self, m: Match) -> None:
        m.suppose(len(m.root.outputs) == 1 and next(self.anchors(m), None) is not None)

    def anchors(self, m: Match) -> Iterator[Node]:
        """The Erf and Tanh nodes the product may be about."""
        yield from found_upstream(m, _ARITHMETIC, ("Erf", "Tanh"))

    def after(self, op: Any, m: Match) -> Any:
        anchor, x = self.found(m)
        require_activation(m, x, "Gelu", 20)
        claim(m, x)
        return op.Gelu(x, approximate="tanh" if anchor.op_type == "Tanh" else None)

    def found(self, m: Match) -> tuple[Node, Value]:
        """The function and the value of which this product is the unit."""
        for anchor in self.anchors(m):
            for x in dict.fromkeys(_factors(m, m.root)):
                wanted = _ARGUMENTS[anchor.op_type]
                argument = polynomial(m, anchor.inputs[0], [x])
                if argument is None or argument.keys() != wanted.keys():
                    continue
                unit = precision(m, x)
                result = polynomial(m, m.root.outputs[0], [x, anchor.outputs[0]])
                if close(argument, wanted, unit) and close(result, _HALVES, unit):
                    return anchor, x
        m.suppose(False)
        raise AssertionError
