"""Polynomials over atoms: the representation behind ``burnish.symbolic``, and signs of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final, TypeAlias

__all__ = [
    "Atom",
    "Dim",
    "Expr",
    "Interval",
    "Monomial",
    "Unknowns",
    "bounds",
    "from_terms",
    "has_unknown",
    "is_nonnegative",
    "is_positive",
    "known_different",
    "known_equal",
    "of_atom",
    "product",
    "sort_key",
    "symbol",
    "symbols",
    "terms_of",
    "weight",
]


class Atom:
    """An indivisible factor of an expression; immutable.

    Attributes:
        op: ``symbol``, ``unknown``, ``floordiv``, ``mod``, ``min`` or ``max``.
        text: how it prints.
        args: the operands of a call, empty otherwise.
        low: a proven lower bound, or None.
        high: a proven upper bound, or None.
        weight: how many symbols and unknowns it mentions, repeats counted.
        unknown: whether an unknown occurs in it.
        key: its place in the order of atoms.
    """

    __slots__ = ("_hash", "args", "high", "key", "low", "op", "text", "unknown", "weight")

    def __init__(
        self,
        op: str,
        text: str,
        args: tuple[Dim, ...] = (),
        low: int | None = 0,
        high: int | None = None,
    ) -> None:
        self.op: Final = op
        self.text: Final = text
        self.args: Final = args
        self.low: Final = low
        self.high: Final = high
        self.weight: Final[int] = sum(map(weight, args)) + 1
        self.unknown: Final[bool] = op == "unknown" or any(map(has_unknown, args))
        rank = 0 if op == "symbol" else 2 if op == "unknown" else 1
        # Two unknowns may print alike, so their identity is the last resort of the order.
        self.key: Final = (rank, text, id(self) if op == "unknown" else 0)
        self._hash: Final = hash(self.key)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Atom) or self.op != other.op or self.op == "unknown":
            return False
        return self.text == other.text and self.args == other.args

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return self.text


Monomial: TypeAlias = tuple[Atom, ...]


def sort_key(monomial: Monomial) -> tuple[int, list[tuple[int, str, int]]]:
    return (-len(monomial), [atom.key for atom in monomial])


class Expr:
    """A polynomial that is not a plain number; immutable, hashable, canonical.

    Attributes:
        terms: ``(monomial, coefficient)`` pairs, coefficients not zero, highest degree first.
            A monomial is a sorted tuple of atoms with repeats; ``()`` is the constant.
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms: Final = terms
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Expr):
            return NotImplemented
        return self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.terms)
        return self._hash

    def __add__(self, other: Dim) -> Dim:
        if other == 0:
            return self
        return from_terms(_sum(self.terms, terms_of(other)))

    __radd__ = __add__

    def __neg__(self) -> Expr:
        return Expr(tuple((monomial, -factor) for monomial, factor in self.terms))

    def __sub__(self, other: Dim) -> Dim:
        return self + -other

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            if other == 0:
                return 0
            if other == 1:
                return self
            return Expr(tuple((monomial, factor * other) for monomial, factor in self.terms))
        if len(self.terms) == 1 == len(other.terms):
            (left, left_factor), (right, right_factor) = self.terms[0], other.terms[0]
            return Expr(((_times(left, right), left_factor * right_factor),))
        total: dict[Monomial, int] = {}
        for left, left_factor in self.terms:
            for right, right_factor in other.terms:
                both = _times(left, right)
                total[both] = total.get(both, 0) + left_factor * right_factor
        return from_terms(total)

    __rmul__ = __mul__

    def __str__(self) -> str:
        # Positive terms first: "total - past" reads better than "-past + total".
        parts = [_term_text(monomial, factor) for monomial, factor in self.terms if factor > 0]
        text = " + ".join(parts)
        for monomial, factor in self.terms:
            if factor < 0:
                text += (" - " if text else "-") + _term_text(monomial, -factor)
        return text

    def __repr__(self) -> str:
        return f"Expr({str(self)!r})"


Dim: TypeAlias = int | Expr


def _term_text(monomial: Monomial, factor: int) -> str:
    names = "*".join(atom.text for atom in monomial)
    if not names:
        return str(factor)
    return names if factor == 1 else f"{factor}*{names}"


_atom_key = attrgetter("key")


def _times(left: Monomial, right: Monomial) -> Monomial:
    if not left:
        return right
    if not right:
        return left
    return tuple(sorted(left + right, key=_atom_key))


def terms_of(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(dim, Expr):
        return dim.terms
    return (((), int(dim)),) if dim else ()


def _sum(
    left: Iterable[tuple[Monomial, int]], right: Iterable[tuple[Monomial, int]]
) -> dict[Monomial, int]:
    total = dict(left)
    for monomial, factor in right:
        total[monomial] = total.get(monomial, 0) + factor
    return total


def from_terms(terms: Mapping[Monomial, int]) -> Dim:
    kept = [pair for pair in terms.items() if pair[1]]
    if not kept:
        return 0
    if len(kept) == 1:
        return Expr((kept[0],)) if kept[0][0] else kept[0][1]
    kept.sort(key=lambda pair: sort_key(pair[0]))
    return Expr(tuple(kept))


def of_atom(atom: Atom) -> Expr:
    return Expr((((atom,), 1),))


def symbol(name: str) -> Expr:
    """The named size ``name``, an integer >= 0; equal names are equal symbols."""
    return of_atom(Atom("symbol", name))


class Unknowns:
    """A source of fresh unknowns, numbered in the order they are asked for."""

    def __init__(self) -> None:
        self._count = 0

    def size(self) -> Expr:
        """A new number >= 0, equal only to itself."""
        self._count += 1
        return of_atom(Atom("unknown", f"?{self._count}"))

    def integer(self) -> Expr:
        """A new number of any sign, equal only to itself."""
        self._count += 1
        return of_atom(Atom("unknown", f"?{self._count}", low=None))


def weight(dim: Dim) -> int:
    """How large an expression is: symbols mentioned, repeats counted; 0 for a number."""
    if not isinstance(dim, Expr):
        return 0
    return sum(atom.weight for monomial, _ in dim.terms for atom in monomial)


def has_unknown(dim: Dim) -> bool:
    """Whether ``dim`` depends on an unknown, so that nobody can name its value."""
    if not isinstance(dim, Expr):
        return False
    return any(atom.unknown for monomial, _ in dim.terms for atom in monomial)


def _atoms(dim: Dim) -> Iterator[Atom]:
    if isinstance(dim, Expr):
        for monomial, _ in dim.terms:
            for atom in monomial:
                yield atom
                for inner in atom.args:
                    yield from _atoms(inner)


def symbols(dim: Dim) -> frozenset[str]:
    """The names that ``dim`` depends on."""
    return frozenset(atom.text for atom in _atoms(dim) if atom.op == "symbol")


def product(dims: Iterable[Dim]) -> Dim:
    """The product of ``dims``; 1 for none."""
    total: Dim = 1
    for dim in dims:
        total = total * dim
    return total


# ---- signs ---------------------------------------------------------------------------------------

Interval: TypeAlias = tuple[int | None, int | None]


def _scaled(interval: Interval, factor: int) -> Interval:
    low, high = interval
    if factor < 0:
        low, high = high, low
    return (None if low is None else low * factor, None if high is None else high * factor)


def _interval_product(left: Interval, right: Interval) -> Interval:
    (a, b), (c, d) = left, right
    if a is not None and a >= 0 and c is not None and c >= 0:
        return (a * c, None if b is None or d is None else b * d)
    if a is None or b is None or c is None or d is None:
        return (None, None)
    corners = (a * c, a * d, b * c, b * d)
    return (min(corners), max(corners))


def bounds(dim: Dim) -> Interval:
    """A proven ``(low, high)`` range of ``dim``, None where there is no bound.

    Named symbols count as >= 0, never as >= 1.
    """
    if not isinstance(dim, Expr):
        return (dim, dim)
    low: int | None = 0
    high: int | None = 0
    for monomial, factor in dim.terms:
        span: Interval = (1, 1)
        for atom in monomial:
            span = _interval_product(span, (atom.low, atom.high))
        if len(monomial) == 2 and monomial[0] == monomial[1] and span[0] is None:
            span = (0, span[1])
        term_low, term_high = _scaled(span, factor)
        low = None if low is None or term_low is None else low + term_low
        high = None if high is None or term_high is None else high + term_high
    return (low, high)


def is_nonnegative(dim: Dim) -> bool | None:
    """Whether ``dim >= 0`` always (True), never (False), or we cannot tell (None)."""
    low, high = bounds(dim)
    if low is not None and low >= 0:
        return True
    return False if high is not None and high < 0 else None


def is_positive(dim: Dim) -> bool | None:
    """Whether ``dim >= 1`` always (True), never (False), or we cannot tell (None)."""
    return is_nonnegative(dim - 1)


def known_equal(left: Dim, right: Dim) -> bool:
    """Whether the two are the same number in every run."""
    return left == right


def known_different(left: Dim, right: Dim) -> bool:
    """Whether the two are different numbers in every run."""
    low, high = bounds(left - right)
    return (low is not None and low > 0) or (high is not None and high < 0)
