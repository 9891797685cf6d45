"""Arithmetic on dimensions whose size is known only when the model runs.

A dimension (``Dim``) is a Python ``int`` or an ``Expr``: a polynomial with integer coefficients
over *atoms*. An atom is a named symbol (an integer >= 0), an *unknown* (a number nobody has a name
for, equal only to itself), or an opaque call: ``floordiv``, ``mod``, ``min``, ``max``.

Every ``Expr`` is in one canonical form, so ``==`` on two of them means "the same polynomial", and
an operation whose result is a number returns an ``int``. ``==`` answering False does not prove that
two dimensions differ; ask ``known_equal`` and ``known_different`` for a proof.

Numbers are mathematical integers: nothing here wraps at 64 bits. Division by an expression that is
zero at run time has no meaning, here or in ONNX, and simplifications may assume it away.

Method: sparse polynomials as in any computer algebra text (graded lexicographic order, long
division), and interval arithmetic for signs.
"""

from __future__ import annotations

from burnish.symbolic.calls import (
    apply,
    ceildiv,
    exact_div,
    floordiv,
    maximum,
    minimum,
    mod,
    operands,
    substitute,
)
from burnish.symbolic.polynomial import (
    Atom,
    Dim,
    Expr,
    Unknowns,
    bounds,
    has_unknown,
    is_nonnegative,
    is_positive,
    known_different,
    known_equal,
    product,
    symbol,
    symbols,
    weight,
)
from burnish.symbolic.text import parse

__all__ = [
    "Atom",
    "Dim",
    "Expr",
    "Unknowns",
    "apply",
    "bounds",
    "ceildiv",
    "exact_div",
    "floordiv",
    "has_unknown",
    "is_nonnegative",
    "is_positive",
    "known_different",
    "known_equal",
    "maximum",
    "minimum",
    "mod",
    "operands",
    "parse",
    "product",
    "substitute",
    "symbol",
    "symbols",
    "weight",
]
