"""The letters of an Einsum, and how a product of matrices can form it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Equation", "Product", "parse_equation", "product_of"]


@dataclass(frozen=True)
class Equation:
    """An equation without ellipsis and diagonals.

    Attributes:
        terms: the letters of each operand, one for an axis.
        result: the letters of the result.
    """

    terms: tuple[str, ...]
    result: str


def parse_equation(text: str) -> Equation | None:
    """The equation, or None when it has an ellipsis, a diagonal, or makes no sense."""
    left, arrow, result = text.replace(" ", "").partition("->")
    terms = tuple(left.split(","))
    if not arrow:
        result = "".join(sorted(letter for letter in set(left) - {","} if left.count(letter) == 1))
    known = set("".join(terms))
    letters_only = all(letter.isalpha() for letter in known)
    distinct = all(len(set(term)) == len(term) for term in (*terms, result))
    if not letters_only or not distinct or not set(result) <= known:
        return None
    return Equation(terms, result)


@dataclass(frozen=True)
class Product:
    """One MatMul that forms an equation, up to the order of axes.

    Attributes:
        exchanged: whether the second operand is the left factor.
        left: the letters of the left factor as MatMul wants them.
        right: those of the right factor.
        made: the letters of what MatMul makes of them.
        summed: the letter summed over.
    """

    exchanged: bool
    left: str
    right: str
    made: str
    summed: str


def product_of(equation: Equation) -> Product | None:
    """How one MatMul forms an equation of two operands, or None.

    Exactly one letter may be summed over, and it must be in both operands. The last axes of the
    result are then a row letter of one operand and a column letter of the other; all other letters
    are batches. A factor without leading batches is broadcast; one that lacks a later batch would
    need an axis put in, and is not taken.
    """
    first, second = equation.terms
    summed = (set(first) | set(second)) - set(equation.result)
    if len(summed) != 1 or not summed <= set(first) & set(second):
        return None
    orders = [(False, first, second), (True, second, first)]
    # First the order that leaves the result as it is wanted.
    plans = [_planned(equation, *order, summed.copy().pop()) for order in orders]
    found = [plan for plan in plans if plan is not None]
    as_wanted = [plan for plan in found if plan.made == equation.result]
    return next(iter(as_wanted or found), None)


def _planned(
    equation: Equation, exchanged: bool, left: str, right: str, summed: str
) -> Product | None:
    rows = [letter for letter in equation.result if letter in left and letter not in right]
    columns = [letter for letter in equation.result if letter in right and letter not in left]
    # A factor of one axis is a vector to MatMul: no row, or no column.
    row = rows[-1] if rows and len(left) > 1 else ""
    column = columns[-1] if columns and len(right) > 1 else ""
    if (not row and len(left) > 1) or (not column and len(right) > 1):
        return None
    batch = "".join(letter for letter in equation.result if letter not in row + column)
    lead_left = "".join(letter for letter in batch if letter in left)
    lead_right = "".join(letter for letter in batch if letter in right)
    if not batch.endswith(lead_left) or not batch.endswith(lead_right):
        return None
    return Product(
        exchanged,
        f"{lead_left}{row}{summed}",
        f"{lead_right}{summed}{column}",
        f"{batch}{row}{column}",
        summed,
    )
