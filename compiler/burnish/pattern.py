"""What a rule looks for: a pattern of operators on named variables.

A pattern is written by calling operators on variables::

    def before(self, op, x, w, b, scale, bias, mean, var):
        return op.BatchNormalization(op.Conv(x, w, b.optional), scale, bias, mean, var)

``op`` is a :class:`PatternBuilder`; :func:`compile_pattern` makes what :mod:`burnish.match` looks for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "Compiled",
    "NodePattern",
    "Pattern",
    "PatternBuilder",
    "ResultPattern",
    "Variable",
    "compile_pattern",
]


@dataclass(frozen=True, eq=False)
class Variable:
    """A value of the pattern, bound by name.

    Attributes:
        name: the parameter name in ``before``.
        needs_constant: matches only values that are known constants.
        may_miss: also matches an input that is absent.
    """

    name: str
    needs_constant: bool = False
    may_miss: bool = False

    @property
    def constant(self) -> Variable:
        """This variable, matching constants only."""
        return Variable(self.name, True, self.may_miss)

    @property
    def optional(self) -> Variable:
        """This variable, matching also an absent input."""
        return Variable(self.name, self.needs_constant, True)


@dataclass(frozen=True, eq=False)
class NodePattern:
    """An operator of the pattern.

    Attributes:
        op_types: the operator types that fit.
        domain: their domain.
        inputs: patterns of the inputs; None is an absent input.
        rest: whether further inputs may follow.
        attributes: attribute values that must be equal.
        name: how :meth:`Match.node` finds it; the operator type when not given.
        shared: whether its results may have other readers; it then stays.
    """

    op_types: tuple[str, ...]
    domain: str
    inputs: tuple[Pattern | None, ...]
    rest: bool
    attributes: Mapping[str, object]
    name: str
    shared: bool

    @functools.cached_property
    def demands(self) -> tuple[tuple[int, Pattern], ...]:
        """The inputs, by index, that not every value fits."""
        return tuple(
            (index, item)
            for index, item in enumerate(self.inputs)
            if isinstance(item, ResultPattern) or (item is not None and item.needs_constant)
        )


@dataclass(frozen=True, eq=False)
class ResultPattern:
    """One result of an operator of the pattern; all of them, for a root, when index is None."""

    node: NodePattern
    index: int | None = 0


Pattern: TypeAlias = Variable | ResultPattern


class PatternBuilder:
    """``op`` in ``before``: attribute access names an operator, a call makes a pattern.

    Keywords with a leading underscore steer matching, all others are attributes that must be
    equal: ``_name`` (see :class:`NodePattern`), ``_shared=True``, ``_outputs=n``, ``_domain``.
    A final ``...`` as input lets any further inputs follow; ``_outputs=...`` makes a root that
    stands for every result of the operator, however many it has.
    """

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        return self.either(op_type)

    def either(self, *op_types: str) -> Callable[..., Any]:
        """An operator of any of these types."""

        def build(*inputs: Any, **keywords: Any) -> Any:
            outputs = keywords.pop("_outputs", 1)
            node = NodePattern(
                op_types,
                keywords.pop("_domain", ""),
                tuple(item for item in inputs if item is not ...),
                bool(inputs) and inputs[-1] is ...,
                {key: value for key, value in keywords.items() if not key.startswith("_")},
                keywords.get("_name", op_types[0]),
                keywords.get("_shared", False),
            )
            if outputs is ...:
                return ResultPattern(node, None)
            results = tuple(ResultPattern(node, index) for index in range(outputs))
            return results[0] if outputs == 1 else results

        return build


@dataclass(frozen=True)
class Compiled:
    """A pattern ready to match.

    Attributes:
        roots: the results the replacement stands for; the first is where matching starts.
        reach: how many nodes deep the pattern is.
    """

    roots: tuple[ResultPattern, ...]
    reach: int


def _depth(pattern: Pattern | None) -> int:
    if not isinstance(pattern, ResultPattern):
        return 0
    return 1 + max((_depth(item) for item in pattern.node.inputs), default=0)


def compile_pattern(before: Callable[..., Any]) -> Compiled:
    """The pattern that ``before(op, *variables)`` describes.

    Raises:
        TypeError: when it does not return results of operators.
    """
    names = list(inspect.signature(before).parameters)[1:]
    made = before(PatternBuilder(), *(Variable(name) for name in names))
    roots = made if isinstance(made, tuple) else (made,)
    if not roots or not all(isinstance(root, ResultPattern) for root in roots):
        raise TypeError(f"{before.__qualname__} must return the result of an operator")
    return Compiled(roots, max(_depth(root) for root in roots))
