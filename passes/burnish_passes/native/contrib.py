"""Operators of ONNX Runtime outside the standard, domain ``com.microsoft``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from burnish.ir import Model, all_nodes
from burnish.passdef import Context
from burnish.rewrite import Rule, RuleSet

__all__ = ["DOMAIN", "ContribRule", "ContribRuleSet"]

DOMAIN = "com.microsoft"


@contextmanager
def _imported(model: Model) -> Iterator[None]:
    """The domain is imported meanwhile, and stays so if somebody has come to use it."""
    before = DOMAIN in model.opset_imports
    model.opset_imports.setdefault(DOMAIN, 1)
    try:
        yield
    finally:
        if not before and not any(node.domain == DOMAIN for node in all_nodes(model)):
            del model.opset_imports[DOMAIN]


class ContribRule(Rule):
    """A rule that emits operators of ``com.microsoft``; imports the domain when one does."""

    def run(self, model: Model, ctx: Context) -> None:
        """Apply this rule alone."""
        with _imported(model):
            super().run(model, ctx)


class ContribRuleSet(RuleSet):
    """A family of such rules."""

    def run(self, model: Model, ctx: Context) -> None:
        """Apply the family."""
        with _imported(model):
            super().run(model, ctx)
