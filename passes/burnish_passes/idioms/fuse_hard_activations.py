"""Activations made of three straight lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.idioms.expressions import (
    claim,
    close,
    found_upstream,
    is_near,
    made_by,
    number,
    polynomial,
    precision,
)
from burnish_passes.idioms.kernels import require_activation
from burnish_passes.proofs import operand

_ANCHORS = tuple(("", op_type) for op_type in ("Clip", "HardSigmoid", "Max", "Where"))
_SIXTH, _HALF = 1 / 6, 0.5


class _Ramp:
    """A line cut off at both ends: ``top * HardSigmoid(x, alpha, beta)``."""

    def __init__(self, m: Match, node: Node) -> None:
        self.slopes: dict[Value, tuple[float, float]] = {}
        if node.op_type == "HardSigmoid":
            self.top = 1.0
            line = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
            self.slopes = {x: line for x in node.inputs if x is not None}
            return
        low, high = (
            attribute(node, name, number(operand(node, place)))
            for place, name in ((1, "min"), (2, "max"))
        )
        m.suppose(low == 0 and high is not None and 0 < high < math.inf)
        self.top = float(high)
        for x in _arguments(m, node):
            terms = polynomial(m, node.inputs[0], [x])
            if terms is not None and terms.keys() <= {(0,), (1,)} and (1,) in terms:
                self.slopes[x] = (terms[(1,)] / self.top, terms.get((0,), 0.0) / self.top)


def _arguments(m: Match, node: Node) -> Iterator[Value]:
    """What the first input is, and what it may be a line in, the latter first."""
    value = node.inputs[0]
    line = made_by(m, value, "Add", "Sub", "Mul", "Div")
    if line is not None:
        for item in line.inputs:
            if item is not None and number(item) is None:
                scaled = made_by(m, item, "Mul", "Div")
                inner = () if scaled is None else scaled.inputs
                yield from (each for each in inner if each is not None and number(each) is None)
                yield item
    if value is not None:
        yield value


def _is_hard_swish(alpha: float, beta: float, unit: float) -> bool:
    return is_near(alpha, _SIXTH, unit) and is_near(beta, _HALF, unit)


class HardSwish(Rule):
    """``x * Clip(x + 3, 0, 6) / 6 => HardSwish(x)``; without the ``x``, HardSigmoid."""

    def before(self, op: Any) -> Any:
        return op.either("Mul", "Div")(..., _name="product")

    def when(self, m: Match) -> None:
        m.suppose(self.nearest(m) is not None)

    def nearest(self, m: Match) -> Node | None:
        return next(found_upstream(m, ("Mul", "Div"), ("Clip", "HardSigmoid")), None)

    def after(self, op: Any, m: Match) -> Any:
        node = self.nearest(m)
        assert node is not None
        ramp, result = _Ramp(m, node), node.outputs[0]
        for x, (alpha, beta) in ramp.slopes.items():
            product = polynomial(m, m.root.outputs[0], [x, result])
            if product is None or len(product) != 1:
                continue
            unit = precision(m, x)
            if close(product, {(1, 1): 1 / ramp.top}, unit) and _is_hard_swish(alpha, beta, unit):
                require_activation(m, x, "HardSwish", 14)
                claim(m, x)
                return op.HardSwish(x)
            if close(product, {(0, 1): 1 / ramp.top}, unit) and node.op_type == "Clip":
                require_activation(m, x, "HardSigmoid", 6)
                claim(m, x)
                return op.HardSigmoid(x, alpha=alpha, beta=beta)
        m.suppose(False)


class HardSigmoidOfLine(Rule):
    """``Clip(a * x + b, 0, 1) => HardSigmoid(x, a, b)``."""

    def before(self, op: Any) -> Any:
        return op.Clip(op.either("Add", "Sub", "Mul", "Div")(..., _shared=True), ...)

    def after(self, op: Any, m: Match) -> Any:
        ramp = _Ramp(m, m.root)
        m.suppose(ramp.top == 1)
        for x, (alpha, beta) in ramp.slopes.items():
            if x is not m.root.inputs[0]:
                require_activation(m, x, "HardSigmoid", 6)
                claim(m, x)
                return op.HardSigmoid(x, alpha=alpha, beta=beta)
        m.suppose(False)


def _leaky(op: Any, m: Match) -> Value:
    alpha = number(m["slope"])
    m.suppose(alpha is not None and 0 < alpha < 1)
    require_activation(m, m["x"], "LeakyRelu", 6)
    made: Value = op.LeakyRelu(m["x"], alpha=alpha)
    return made


class LargerOfLines(Rule):
    """``Max(x, slope * x) => LeakyRelu(x)`` where ``0 < slope < 1``."""

    def before(self, op: Any, x: Any, slope: Any) -> Any:
        return op.Max(x, op.Mul(x, slope.constant))

    def after(self, op: Any, m: Match) -> Any:
        return _leaky(op, m)


class ChosenLine(Rule):
    """``Where(x > 0, x, slope * x) => LeakyRelu(x)``."""

    def before(self, op: Any, x: Any, zero: Any, slope: Any) -> Any:
        positive = op.either("Greater", "GreaterOrEqual")(x, zero.constant)
        return op.Where(positive, x, op.Mul(x, slope.constant))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(number(m["zero"]) == 0)
        return _leaky(op, m)


@dataclass(frozen=True)
class FuseHardActivations(RuleSet):
    """Write clipped lines as HardSigmoid and HardSwish, bent lines as LeakyRelu.

    ``x * Clip(x + 3, 0, 6) / 6 => HardSwish(x)``, multiplied in any order, also from
    ``x * HardSigmoid(x)``:

    Before::

        agraph (float[N,8] x) => (float[N,8] y)
            <float three = {3.0}, float zero = {0.0}, float six = {6.0}> {
            a = Add(x, three)
            b = Clip(a, zero, six)
            c = Mul(x, b)
            y = Div(c, six)
        }

    After::

        agraph (float[N,8] x) => (float[N,8] y) {
            y = HardSwish(x)
        }

    ``Clip(a * x + b, 0, c) / c => HardSigmoid(x)``; here ``c`` is 1 and not divided by:

    Before::

        agraph (float[N,8] x) => (float[N,8] y)
            <float slope = {0.25}, float half = {0.5}, float zero = {0.0}, float one = {1.0}> {
            a = Mul(x, slope)
            b = Add(a, half)
            y = Clip(b, zero, one)
        }

    After::

        agraph (float[N,8] x) => (float[N,8] y) {
            y = HardSigmoid <alpha = 0.25, beta = 0.5> (x)
        }

    ``Max(x, a * x) => LeakyRelu(x)`` and ``Where(x > 0, x, a * x) => LeakyRelu(x)``:

    Before::

        agraph (float[N,8] x) => (float[N,8] y) <float slope = {0.25}> {
            a = Mul(slope, x)
            y = Max(a, x)
        }

    After::

        agraph (float[N,8] x) => (float[N,8] y) {
            y = LeakyRelu <alpha = 0.25> (x)
        }

    FLOAT: the same lines, rounded at other places. Not in double precision, for which runtimes
    have no kernel. Catalogue row F4. Source: ONNX operator specifications of HardSigmoid and
    HardSwish; Howard et al. 2019, arXiv 1905.02244.
    """

    name: ClassVar[str] = "fuse-hard-activations"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        HardSwish,
        HardSigmoidOfLine,
        LargerOfLines,
        ChosenLine,
    )

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without anything that bends a line."""
        if ctx.nodes(model, _ANCHORS):
            super().run(model, ctx)
