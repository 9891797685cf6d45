"""A choice whose outcome is known, or whose condition is negated, needs no operator for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.proofs import is_filled_with, require_same_shape


class SwapNegatedChoice(Rule):
    """``Where(Not(c), a, b) => Where(c, b, a)``."""

    def before(self, op: Any, c: Any, a: Any, b: Any) -> Any:
        return op.Where(op.Not(c, _shared=True), a, b)

    def after(self, op: Any, m: Match) -> Any:
        return op.Where(m["c"], m["b"], m["a"])


class DropKnownChoice(Rule):
    """``Where(true, a, b) => a`` where neither ``b`` nor the condition enlarges the result."""

    def before(self, op: Any, c: Any, a: Any, b: Any) -> Any:
        return op.Where(c.constant, a, b)

    def when(self, m: Match) -> None:
        held = constant(m["c"])
        m.suppose(held is not None and held.size > 0)
        condition = m.const("c")
        m.suppose(is_filled_with(condition, bool(condition.reshape(-1)[0])))
        require_same_shape(m, m.root.outputs[0], self.chosen(m))

    def chosen(self, m: Match) -> Value:
        """The operand that every element is taken from."""
        return m["a" if m.const("c").reshape(-1)[0] else "b"]

    def after(self, op: Any, m: Match) -> Any:
        return self.chosen(m)


class DropEqualChoice(Rule):
    """``Where(c, a, a) => a`` where the condition does not enlarge the result."""

    def before(self, op: Any, c: Any, a: Any) -> Any:
        return op.Where(c, a, a)

    def when(self, m: Match) -> None:
        require_same_shape(m, m.root.outputs[0], m["a"])

    def after(self, op: Any, m: Match) -> Any:
        return m["a"]


@dataclass(frozen=True)
class SimplifyWhere(RuleSet):
    """Choose directly.

    ``Where(Not(c), a, b) => Where(c, b, a)``; ``Where(true, a, b) => a`` and
    ``Where(c, a, a) => a`` where the result has the shape of ``a``.

    Before::

        agraph (bool[2,3] c, float[2,3] a, float[3] b) => (float[2,3] y) {
            always = Constant <value = bool[1] {1}> ()
            n = Not(c)
            t = Where(n, a, b)
            u = Where(always, t, b)
            y = Relu(u)
        }

    After::

        agraph (bool[2,3] c, float[2,3] a, float[3] b) => (float[2,3] y) {
            t = Where(c, b, a)
            y = Relu(t)
        }

    The other operand still broadcasts:

    Before::

        agraph (float[3] a, float[2,3] b) => (float[2,3] y) {
            always = Constant <value = bool {1}> ()
            t = Where(always, a, b)
            y = Relu(t)
        }

    After::

        agraph (float[3] a, float[2,3] b) => (float[2,3] y) {
            always = Constant <value = bool {1}> ()
            t = Where(always, a, b)
            y = Relu(t)
        }

    BITWISE: elements are only chosen. Catalogue row E8. Source: ONNX operator specification of
    Where.
    """

    name: ClassVar[str] = "simplify-where"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (SwapNegatedChoice, DropKnownChoice, DropEqualChoice)
