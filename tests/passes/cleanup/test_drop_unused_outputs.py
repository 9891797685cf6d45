"""Results that may be absent, and results that say what an operator does."""

from __future__ import annotations

import pytest
from tests.support import run_passes

from burnish.ir import Node

PASS = "drop-unused-outputs"


def _first(text: str, opset: int = 20) -> Node:
    model, _ = run_passes(text, PASS, opset=opset)
    return next(iter(model.graph))


def _outputs(node: Node) -> list[bool]:
    """For each result that is left, whether it is present."""
    return [bool(output.name) for output in node.outputs]


@pytest.mark.parametrize(
    ("call", "opset"),
    [
        ("t, u = MaxPool <kernel_shape = [2, 2]> (x)", 12),
        ("t, u = Dropout (x)", 12),
        ("t, u = Dropout (x)", 7),
        ("t, u, v = LayerNormalization (x, s)", 17),
        ("t, u, v, w = Unique (x)", 11),
    ],
)
def test_trailing_results_go(call: str, opset: int) -> None:
    rank = 1 if "Unique" in call else 4
    node = _first(
        f"""agraph (float[1,2,4,4] x) => (float[{",".join("abcd"[:rank])}] y)
            <float[4] s = {{1.0, 2.0, 3.0, 4.0}}> {{
            {call}
            y = Neg(t)
        }}""",
        opset,
    )
    assert _outputs(node) == [True]


_LSTM = """agraph (float[3,1,2] x, float[1,16,2] w, float[1,16,4] r) => (float[a,b,c] y{more}) {{
    p, q, s = LSTM <hidden_size = 4> (x, w, r)
    y = Neg({read})
}}"""


def test_a_result_in_front_is_left_blank() -> None:
    assert _outputs(_first(_LSTM.format(read="q", more=""))) == [False, True]
    assert _outputs(_first(_LSTM.format(read="s", more=""))) == [False, False, True]


def test_a_graph_output_is_read() -> None:
    node = _first(_LSTM.format(read="q", more=", float[d,e,f] s"))
    assert _outputs(node) == [False, True, True]


def test_what_a_branch_reads_stays() -> None:
    node = _first(
        """agraph (bool c, float[1,1,4,4] x) => (float[1,1,3,3] y, int64[1,1,3,3] z) {
            t, u = MaxPool <kernel_shape = [2, 2]> (x)
            y = Neg(t)
            z = If (c) <
                then_branch = g () => (int64[1,1,3,3] p) { p = Neg(u) },
                else_branch = h () => (int64[1,1,3,3] q) { q = Identity(u) }
            >
        }"""
    )
    assert _outputs(node) == [True, True]


def test_results_that_are_not_optional_stay() -> None:
    node = _first(
        """agraph (float[4] x) => (float[2] y) <int64[1] k = {2}> {
            t, u = TopK (x, k)
            y = Neg(t)
        }"""
    )
    assert _outputs(node) == [True, True]


def test_batch_normalization_in_training_keeps_its_statistics() -> None:
    node = _first(
        """agraph (float[2,1,2,2] x, float[1] s, float[1] b, float[1] m, float[1] v)
            => (float[2,1,2,2] y) {
            t, p, q = BatchNormalization <training_mode = 1> (x, s, b, m, v)
            y = Neg(t)
        }""",
        15,
    )
    assert _outputs(node) == [True, True, True]
