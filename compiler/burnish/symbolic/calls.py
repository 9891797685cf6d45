"""Operations whose result may be no polynomial: division, remainder, smallest, largest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import gcd

from burnish.symbolic.polynomial import (
    Atom,
    Dim,
    Expr,
    Monomial,
    bounds,
    from_terms,
    is_nonnegative,
    of_atom,
    product,
    sort_key,
    terms_of,
)

__all__ = [
    "apply",
    "ceildiv",
    "exact_div",
    "floordiv",
    "maximum",
    "minimum",
    "mod",
    "operands",
    "substitute",
]


def _without(monomial: Monomial, factor: Monomial) -> Monomial | None:
    if not factor:
        return monomial
    rest = list(monomial)
    for atom in factor:
        if atom not in rest:
            return None
        rest.remove(atom)
    return tuple(rest)


def exact_div(left: Dim, right: Dim) -> Dim | None:
    """The polynomial ``q`` with ``left == q * right``, or None when there is none."""
    if right == 0:
        return None
    lead, lead_factor = terms_of(right)[0]
    if isinstance(right, int) or len(right.terms) == 1:
        divided = []
        for monomial, factor in terms_of(left):
            rest = _without(monomial, lead)
            if rest is None or factor % lead_factor:
                return None
            divided.append((rest, factor // lead_factor))
        return from_terms(dict(divided))
    remainder = left
    quotient: dict[Monomial, int] = {}
    while remainder != 0:
        monomial, factor = terms_of(remainder)[0]
        rest = _without(monomial, lead)
        if rest is None or factor % lead_factor:
            return None
        quotient[rest] = factor // lead_factor
        remainder = remainder - from_terms({rest: factor // lead_factor}) * right
    return from_terms(quotient)


def _cancel(left: Expr, right: Dim) -> tuple[Dim, Dim]:
    """Divide both by the monomial they share; ``right`` must be one term."""
    ((shared, scale),) = terms_of(right)
    for monomial, factor in left.terms:
        rest = list(monomial)
        kept = []
        for atom in shared:
            if atom in rest:
                rest.remove(atom)
                kept.append(atom)
        shared = tuple(kept)
        scale = gcd(scale, factor)
    divisor = from_terms({shared: scale})
    return exact_div(left, divisor) or 0, exact_div(right, divisor) or 0


def floordiv(left: Dim, right: Dim) -> Dim:
    """``left / right`` rounded towards minus infinity.

    Raises:
        ZeroDivisionError: ``right`` is the number 0.
    """
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if right == 0:
        raise ZeroDivisionError("floordiv of a dimension by zero")
    exact = exact_div(left, right)
    if exact is not None:
        return exact
    if isinstance(left, Expr) and len(terms_of(right)) == 1:
        left, right = _cancel(left, right)
    if isinstance(right, int):
        if right < 0:
            left, right = -left, -right
        return _floordiv_number(left, right)
    return of_atom(_call_floordiv(left, right))


def _floordiv_number(left: Dim, right: int) -> Dim:
    """``left // right`` for ``right > 0``, with every whole multiple of ``right`` taken out."""
    whole = {monomial: factor // right for monomial, factor in terms_of(left)}
    rest = {monomial: factor % right for monomial, factor in terms_of(left)}
    outside, inside = from_terms(whole), from_terms(rest)
    if not isinstance(inside, Expr):
        return outside
    # floor((g*x + c) / (g*m)) == floor((x + floor(c/g)) / m)
    common = gcd(right, *(factor for monomial, factor in inside.terms if monomial))
    if common > 1:
        inside = from_terms({m: factor // common for m, factor in inside.terms})
        right //= common
        return outside + (floordiv(inside, right) if right > 1 else inside)
    # floor((floor(x/a) + c) / b) == floor((x + a*c) / (a*b))
    (monomial, factor), *others = terms_of(inside)
    if len(monomial) == 1 and factor == 1 and monomial[0].op == "floordiv":
        inner, by = monomial[0].args
        if isinstance(by, int) and all(not other for other, _ in others):
            offset = sum(constant for _, constant in others)
            return outside + floordiv(inner + offset * by, by * right)
    return outside + of_atom(_call_floordiv(inside, right))


def _call_floordiv(left: Dim, right: Dim) -> Atom:
    low, high = bounds(left)
    right_low, right_high = bounds(right)
    new_low: int | None = None
    new_high: int | None = None
    # A divisor that may be zero is not zero in any run that gets here.
    if right_low is not None and right_low >= 0:
        right_low = max(1, right_low)
        if low is not None:
            new_low = low // right_low if low < 0 else low // right_high if right_high else 0
        if high is not None:
            new_high = high // right_low if high >= 0 else -1
    return Atom("floordiv", _call_text("floordiv", (left, right)), (left, right), new_low, new_high)


def ceildiv(left: Dim, right: int) -> Dim:
    """``left / right`` rounded towards plus infinity, for ``right > 0``."""
    return floordiv(left + (right - 1), right)


def mod(left: Dim, right: Dim) -> Dim:
    """``left - right * floordiv(left, right)``: the remainder with the sign of ``right``.

    Raises:
        ZeroDivisionError: ``right`` is the number 0.
    """
    if isinstance(left, int) and isinstance(right, int):
        return left % right
    if right == 0:
        raise ZeroDivisionError("mod of a dimension by zero")
    if exact_div(left, right) is not None:
        return 0
    if isinstance(right, int):
        reduced = {monomial: factor % right for monomial, factor in terms_of(left)}
        left = from_terms(reduced)
        if not isinstance(left, Expr):
            return left
    right_low, right_high = bounds(right)
    low = 0 if right_low is not None and right_low >= 0 else None
    high = right_high - 1 if right_high is not None and right_high > 0 and low == 0 else None
    return of_atom(Atom("mod", _call_text("mod", (left, right)), (left, right), low, high))


# ---- smallest and largest ------------------------------------------------------------------------


def _call_text(op: str, args: Iterable[Dim]) -> str:
    return f"{op}({', '.join(map(str, args))})"


def operands(dim: Dim, op: str) -> tuple[Dim, ...]:
    """The operands when ``dim`` is nothing but one call of ``op``, else none.

    Those of ``min`` and ``max`` are in canonical order, a number last.
    """
    if isinstance(dim, Expr) and len(dim.terms) == 1:
        monomial, factor = dim.terms[0]
        if factor == 1 and len(monomial) == 1 and monomial[0].op == op:
            return monomial[0].args
    return ()


def _members(dims: Iterable[Dim], op: str) -> Iterator[Dim]:
    for dim in dims:
        yield from operands(dim, op) or (dim,)


def _extreme(dims: Iterable[Dim], op: str, beats: Callable[[Dim, Dim], bool]) -> Dim:
    kept: list[Dim] = []
    for dim in _members(dims, op):
        if any(beats(other, dim) for other in kept):
            continue
        kept = [other for other in kept if not beats(dim, other)]
        kept.append(dim)
    if not kept:
        raise ValueError(f"{op} of no dimensions")
    if len(kept) == 1:
        return kept[0]
    kept.sort(
        key=lambda dim: (isinstance(dim, int), [sort_key(m) for m, _ in terms_of(dim)], str(dim))
    )
    lows, highs = zip(*map(bounds, kept), strict=True)
    known_lows = [low for low in lows if low is not None]
    known_highs = [high for high in highs if high is not None]
    if op == "min":
        low = min(known_lows) if len(known_lows) == len(kept) else None
        high = min(known_highs, default=None)
    else:
        low = max(known_lows, default=None)
        high = max(known_highs) if len(known_highs) == len(kept) else None
    return of_atom(Atom(op, _call_text(op, kept), tuple(kept), low, high))


def minimum(*dims: Dim) -> Dim:
    """The smallest of ``dims``; those that another one never exceeds are dropped."""
    return _extreme(dims, "min", lambda winner, loser: is_nonnegative(loser - winner) is True)


def maximum(*dims: Dim) -> Dim:
    """The largest of ``dims``; those that never exceed another one are dropped."""
    return _extreme(dims, "max", lambda winner, loser: is_nonnegative(winner - loser) is True)


# ---- substitution --------------------------------------------------------------------------------


def _replaced(atom: Atom, bindings: Mapping[str, Dim]) -> Dim:
    if atom.op == "symbol":
        return bindings.get(atom.text, of_atom(atom))
    if atom.op == "unknown":
        return of_atom(atom)
    args = tuple(substitute(arg, bindings) for arg in atom.args)
    return apply(atom.op, args)


def apply(op: str, args: tuple[Dim, ...]) -> Dim:
    """The value of a call atom: ``floordiv``, ``mod``, ``min`` or ``max`` of ``args``.

    Raises:
        ValueError: there is no such call, or it does not take that many operands.
    """
    if op in ("min", "max") and args:
        return minimum(*args) if op == "min" else maximum(*args)
    if op in ("floordiv", "mod") and len(args) == 2:
        return floordiv(*args) if op == "floordiv" else mod(*args)
    raise ValueError(f"no call {op} of {len(args)} operands")


def substitute(dim: Dim, bindings: Mapping[str, Dim]) -> Dim:
    """``dim`` with the named symbols replaced; names without a binding stay.

    Raises:
        ZeroDivisionError: a divisor became the number 0.
    """
    if not isinstance(dim, Expr):
        return dim
    total: Dim = 0
    for monomial, factor in dim.terms:
        total = total + product(_replaced(atom, bindings) for atom in monomial) * factor
    return total
