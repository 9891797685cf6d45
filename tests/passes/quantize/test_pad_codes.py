"""Pad on codes: what it fills with, and what it must not touch."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import constant_array

TEXT = """g (float[1, 2, 4, 4] x) => (float[1, 2, {height}, 4] y)
    <float s = {{0.5}}, uint8 z = {{3}}, float t = {{{scale}}}, int64[{count}] pads = {{{pads}}}{more}> {{
    a = QuantizeLinear (x, s, z)
    b = DequantizeLinear (a, s, z)
    c = Pad {mode} (b, pads{inputs})
    d = QuantizeLinear (c, t, z)
    y = DequantizeLinear (d, t, z)
}}"""
PLAIN = {
    "height": 6,
    "scale": 0.5,
    "count": 8,
    "pads": "0, 0, 1, 0, 0, 0, 1, 0",
    "more": "",
    "mode": "",
    "inputs": "",
}


def text(**changes: object) -> str:
    return TEXT.format(**{**PLAIN, **changes})


@pytest.mark.parametrize(
    ("changes", "filling"),
    [
        ({}, 3),
        ({"more": ", float v = {1.2}", "inputs": ", v"}, 5),
        ({"more": ", float v = {-99.0}", "inputs": ", v"}, 0),
        ({"more": ", float v = {0.0}, int64[1] n = {2}", "inputs": ", v, n",
          "count": 2, "pads": "1, 1"}, 3),
        ({"mode": '<mode = "edge">'}, None),
        ({"mode": '<mode = "reflect">'}, None),
    ],
)  # fmt: skip
def test_codes_are_padded_with_the_code_of_the_filling(
    changes: dict[str, object], filling: int | None
) -> None:
    model, _ = run_passes(text(**changes), "pad-codes")
    assert ops(model) == ["QuantizeLinear", "Pad", "DequantizeLinear"]
    pad = model.graph[1]
    held = constant_array(pad.inputs[2]) if len(pad.inputs) > 2 else None
    assert (None if held is None else int(held)) == filling


def test_axes_stay_where_they_are_without_a_filling() -> None:
    changes = {
        "more": ", int64[1] n = {2}",
        "inputs": ", , n",
        "mode": '<mode = "edge">',
        "count": 2,
        "pads": "1, 1",
    }
    model, _ = run_passes(text(**changes), "pad-codes")
    assert [value is None for value in model.graph[1].inputs] == [False, False, True, False]


def test_another_scale_after_it_keeps_the_pad_on_numbers() -> None:
    model, records = run_passes(text(scale=0.25), "pad-codes")
    assert "Pad" in ops(model)
    assert ops(model).count("QuantizeLinear") == 2
    assert reasons(records) == ["it changes scale, zero point or type"]


def test_old_opsets_cannot_pad_codes() -> None:
    _, records = run_passes(text(), "pad-codes", opset=12)
    assert reasons(records) == ["Pad of codes needs opset 13"]
