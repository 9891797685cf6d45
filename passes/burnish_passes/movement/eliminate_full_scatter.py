"""A scatter that overwrites everything is what it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.symbolic import Dim, known_equal
from burnish_passes.movement.views import VIEWS
from burnish_passes.proofs import require_same_shape


def _plain(m: Match) -> None:
    reduction = m.attr("scatter", "reduction", "none")
    m.require(reduction in ("none", b"none"), f"it combines old and new by {reduction!r}")


class ScatterOfElements(Rule):
    """``ScatterElements(x, [[0, 0], [1, 1]], u, axis 0) => u``."""

    def before(self, op: Any, x: Any, places: Any, u: Any) -> Any:
        kinds = op.either("ScatterElements", "Scatter")
        return kinds(x, places.constant, u, _name="scatter")

    def after(self, op: Any, m: Match) -> Any:
        held, shape = constant(m["places"]), m.shape("x")
        m.suppose(held is not None and tuple(held.shape) == shape and len(shape) > 0)
        _plain(m)
        axis = m.attr("scatter", "axis", 0) % len(shape)
        places, size = m.const("places"), shape[axis]
        assert isinstance(size, int)
        column = np.arange(size).reshape([-1] + [1] * (len(shape) - 1 - axis))
        whole = ((places == column) | (places == column - size)).all()
        m.require(bool(whole), "not every element is written to its own place")
        return m["u"]


class ScatterOfRows(Rule):
    """``ScatterND(x, [[0], [1], ..., [n - 1]], u) => u``, and so for more axes."""

    def before(self, op: Any, x: Any, places: Any, u: Any) -> Any:
        return op.ScatterND(x, places, u, _name="scatter")

    def after(self, op: Any, m: Match) -> Any:
        shape, held = m.shape("x"), constant(m["places"])
        if held is None:
            m.suppose(_counts_all(m, m["places"], shape))
        else:
            _all_in_order(m, shape, tuple(int(size) for size in held.shape.numpy()))
        _plain(m)
        require_same_shape(m, m["x"], m["u"])
        return m["u"]


def _all_in_order(m: Match, shape: tuple[Dim, ...], given: tuple[int, ...]) -> None:
    """Decline unless the constant indices name every place once, in order."""
    depth = given[-1] if given else 0
    m.suppose(0 < depth <= len(shape) and len(given) == depth + 1 and given[:-1] == shape[:depth])
    sizes = np.array(given[:-1]).reshape(-1, *[1] * depth)
    grid = np.indices(given[:-1])
    places = np.moveaxis(m.const("places"), -1, 0)
    whole = ((places == grid) | (places == grid - sizes)).all()
    m.require(bool(whole), "not every row is written to its own place")


def _counts_all(m: Match, places: Value, shape: tuple[Dim, ...]) -> bool:
    """Whether the indices are a column of 0 to n - 1, n the size of the first axis."""
    view = places.producer()
    if view is None or view.op_type not in VIEWS or view.domain or not shape:
        return False
    column = m.ctx.shapes.shape(places)
    if column is None or len(column) != 2 or column[1] != 1:
        return False
    counted = view.inputs[0]
    source = None if counted is None else counted.producer()
    if source is None or source.op_type != "Range" or source.domain:
        return False
    bounds = [None if value is None else m.ctx.shapes.contents(value) for value in source.inputs]
    numbers = [dims[0] for held in bounds if held is not None and (dims := held.dims())]
    if len(numbers) != 3:
        return False
    return numbers[0] == 0 and numbers[2] == 1 and known_equal(numbers[1], shape[0])


@dataclass(frozen=True)
class EliminateFullScatter(RuleSet):
    """Drop a scatter that overwrites every element in order.

    ``ScatterND(x, [[0], ..., [n - 1]], u) => u``, the indices constant or counted by Range to the
    size of the axis:

    Before::

        agraph (float[2,3] x, float[2,3] u) => (float[2,3] y) {
            places = Constant <value = int64[2,1] {0, 1}> ()
            t = ScatterND(x, places, u)
            y = Neg(t)
        }

    After::

        agraph (float[2,3] x, float[2,3] u) => (float[2,3] y) {
            y = Neg(u)
        }

    ``ScatterElements(x, places, u) => u`` where each place along the axis is its own:

    Before::

        agraph (float[2,2] x, float[2,2] u) => (float[2,2] y) {
            places = Constant <value = int64[2,2] {0, 1, 0, -1}> ()
            t = ScatterElements <axis = 1> (x, places, u)
            y = Neg(t)
        }

    After::

        agraph (float[2,2] x, float[2,2] u) => (float[2,2] y) {
            y = Neg(u)
        }

    BITWISE: nothing of ``x`` is left. Catalogue row C18. Source: ONNX operator specifications.
    """

    name: ClassVar[str] = "eliminate-full-scatter"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (ScatterOfElements, ScatterOfRows)
