"""Identity, and Dropout that is not training, vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.rewrite import Rule, RuleSet


class DropIdentity(Rule):
    """``Identity(x) => x``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Identity(x)

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


class DropDropout(Rule):
    """``Dropout(x) => x`` when it is not training and nobody reads its mask."""

    def before(self, op: Any, x: Any, ratio: Any, training: Any) -> Any:
        return op.Dropout(x, ratio.optional, training.optional)

    def when(self, m: Match) -> None:
        if m.opset < 7:
            m.require(m.attr("Dropout", "is_test", 0) == 1, "is_test is 0")
        elif m.get("training") is not None:
            m.require(not m.const("training").any(), "training_mode is true")

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


@dataclass(frozen=True)
class EliminateIdentity(RuleSet):
    """Remove operators whose result is their input.

    ``Identity(x) => x``; ``Dropout(x) => x`` at inference.

    Before::

        agraph (float[2,3] x) => (float[2,3] y) {
            t = Identity(x)
            y = Relu(t)
        }

    After::

        agraph (float[2,3] x) => (float[2,3] y) {
            y = Relu(x)
        }

    Catalogue row D10. Source: ONNX operator specifications of Identity and Dropout.
    """

    name: ClassVar[str] = "eliminate-identity"
    rules: ClassVar[tuple[type[Rule], ...]] = (DropIdentity, DropDropout)
