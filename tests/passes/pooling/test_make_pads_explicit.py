"""auto_pad written out as pads."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "make-pads-explicit"


def _model(op: str, size: str = "5,6", kernel: str = "3,2") -> str:
    return f"""agraph (float[N,2,{size}] x, float[4,2,{kernel}] w) => (float[a,b,c,d] y) {{
        y = {op}
    }}"""


@pytest.mark.parametrize("kind", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("size", ["5,6", "7,4", "1,9"])
@pytest.mark.parametrize("strides", ["1, 1", "2, 2", "3, 1"])
@pytest.mark.parametrize(
    "op",
    [
        'Conv <auto_pad = "{kind}", strides = [{strides}]> (x, w)',
        'MaxPool <auto_pad = "{kind}", kernel_shape = [3, 2], strides = [{strides}]> (x)',
        'AveragePool <auto_pad = "{kind}", kernel_shape = [4, 1], strides = [{strides}]> (x)',
        'AveragePool <auto_pad="{kind}", kernel_shape=[2, 3], strides=[{strides}], count_include_pad=1> (x)',
        'LpPool <auto_pad = "{kind}", kernel_shape = [3, 2], strides = [{strides}]> (x)',
    ],
)
def test_same_is_written_out(op: str, strides: str, size: str, kind: str) -> None:
    model, _ = run_passes(_model(op.format(kind=kind, strides=strides), size), PASS)
    assert attribute(model.graph[0], "auto_pad") is None
    assert attribute(model.graph[0], "pads") is not None


@pytest.mark.parametrize("size", ["5,6", "H,W"])
def test_valid_needs_no_sizes(size: str) -> None:
    model, _ = run_passes(_model('Conv <auto_pad = "VALID"> (x, w)', size), PASS)
    assert list(model.graph[0].attributes) == []


def test_the_odd_one_goes_to_the_end_or_to_the_beginning() -> None:
    pads = []
    for kind in ("SAME_UPPER", "SAME_LOWER"):
        model, _ = run_passes(_model(f'Conv <auto_pad = "{kind}"> (x, w)'), PASS)
        pads.append(attribute(model.graph[0], "pads"))
    assert pads == [(1, 0, 1, 1), (1, 1, 1, 0)]


@pytest.mark.parametrize(
    ("op", "size", "kernel", "why"),
    [
        ('Conv <auto_pad = "SAME_UPPER"> (x, w)', "H,6", "3,2", "a spatial size of x varies"),
        ('Conv <auto_pad = "SAME_UPPER"> (x, w)', "5,6", "k,2", "a spatial size of w varies"),
        (
            'MaxPool <auto_pad="SAME_LOWER", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1> (x)',
            "5,6",
            "3,2",
            "runtimes disagree on ceil_mode with auto_pad SAME_LOWER",
        ),
        (
            # ONNX Runtime pads as if the window had no gaps, and makes another size.
            'MaxPool <auto_pad="SAME_UPPER", kernel_shape=[1, 3], strides=[2, 2], dilations=[1, 2]> (x)',
            "3,4",
            "3,2",
            "runtimes disagree on dilations with auto_pad SAME_UPPER",
        ),
    ],
)
def test_it_declines(op: str, size: str, kernel: str, why: str) -> None:
    model, records = run_passes(_model(op, size, kernel), PASS)
    assert attribute(model.graph[0], "auto_pad") is not None
    assert reasons(records) == [why]


@pytest.mark.parametrize("automatic", ["", 'auto_pad = "NOTSET", '])
def test_pads_already_explicit_are_no_subject(automatic: str) -> None:
    text = _model(f"Conv <{automatic}pads = [1, 1, 1, 1]> (x, w)")
    model, records = run_passes(text, PASS)
    assert attribute(model.graph[0], "pads") == (1, 1, 1, 1)
    assert not reasons(records)


def test_a_transposed_convolution_stays() -> None:
    text = _model('ConvTranspose <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, v)')
    text = text.replace("float[4,2,3,2] w", "float[2,4,3,2] v")
    model, records = run_passes(text, PASS)
    assert attribute(model.graph[0], "auto_pad") is not None
    assert not reasons(records)


def test_both_results_of_a_maximum_stay() -> None:
    text = _model('MaxPool <auto_pad = "SAME_UPPER", kernel_shape = [2, 2]> (x)')
    text = text.replace("y = ", "y, i = ").replace("d] y)", "d] y, int64[e,f,g,h] i)")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MaxPool"]
    assert [value.name for value in model.graph.outputs] == ["y", "i"]
    assert attribute(model.graph[0], "pads") == (0, 0, 1, 1)


def test_it_lets_padding_before_it_go_into_the_pads() -> None:
    text = """agraph (float[1,2,5,6] x, float[4,2,3,2] w) => (float[a,b,c,d] y)
        <int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}> {
            t = Pad (x, p)
            y = Conv <auto_pad = "SAME_UPPER"> (t, w)
        }"""
    model, _ = run_passes(text, f"{PASS}, fuse-pad")
    assert ops(model) == ["Conv"]
    assert attribute(model.graph[0], "pads") == (2, 1, 2, 2)
