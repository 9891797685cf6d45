"""Weights follow the order of the pixels in a block."""

from __future__ import annotations

import itertools

import pytest
from tests.passes.movement.test_raise_depth_to_space import focus
from tests.support import ops, reasons, run_passes

PASS = "fold-focus-into-conv"
_PLACES = list(itertools.product((0, 1), repeat=2))
_WEIGHTS = "float[2,{channels},1,1] w = {{{values}}}"


def _conv(order: list[tuple[int, int]], more: str = "", call: str = "Conv(f, w)") -> str:
    channels = 6 if "group" in call else 12
    values = ", ".join(f"{number}.0" for number in range(2 * channels))
    text = focus(order).replace("y = Concat", "f = Concat").rstrip().removesuffix("}")
    weights = _WEIGHTS.format(channels=channels, values=values)
    text = text.replace("int64[2] end", f"{weights}, float[2] bias = {{1.0, 2.0}}, int64[2] end")
    return f"{text} y = {call} {more} }}"


@pytest.mark.parametrize("order", list(itertools.permutations(_PLACES))[1::4])
def test_every_other_order(order: tuple[tuple[int, int], ...]) -> None:
    assert ops(run_passes(_conv(list(order)), PASS)[0]) == ["SpaceToDepth", "Conv"]


def test_the_order_of_space_to_depth_needs_no_other_weights() -> None:
    assert "SpaceToDepth" not in ops(run_passes(_conv(_PLACES), PASS)[0])
    assert ops(run_passes(_conv(_PLACES), "raise-depth-to-space")[0]) == ["SpaceToDepth", "Conv"]


_YOLO = [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_a_bias_stays() -> None:
    model, _ = run_passes(_conv(_YOLO, call="Conv(f, w, bias)"), PASS)
    assert ops(model) == ["SpaceToDepth", "Conv"]
    assert len(list(model.graph)[-1].inputs) == 3


def test_groups_have_channels_of_their_own() -> None:
    model, records = run_passes(_conv(_YOLO, call="Conv <group = 2> (f, w)"), PASS)
    assert ops(model)[-2:] == ["Concat", "Conv"]
    assert "each group has channels of its own" in reasons(records)


def test_another_reader_sees_the_channels_in_their_order() -> None:
    text = _conv(_YOLO, more="z = Neg(f)").replace("=> (", "=> (float[e,g,h,i] z, ")
    model, records = run_passes(text, PASS)
    assert ops(model)[-3:] == ["Concat", "Conv", "Neg"]
    assert "f has another reader" in reasons(records)


def test_weights_that_a_caller_may_change_stay() -> None:
    text = _conv(_YOLO).replace("=> (", "=> (", 1)
    text = text.replace("x) =>", "x, float[2,12,1,1] k) =>").replace("Conv(f, w)", "Conv(f, k)")
    assert ops(run_passes(text, PASS)[0])[-2:] == ["Concat", "Conv"]
