"""Scaled dot-product attention, as exporters spell it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import attribute
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.text import parse_model

PASS = "fuse-attention"
CLEAN = f"fixpoint[{PASS}, compose-transposes, eliminate-identity, remove-dead-code]"


def _model(body: str, *, inputs: str = "", dims: str = "2,4,3,8", result: str = "") -> str:
    """A graph of ``q``, ``k`` and ``v``; ``dims`` are those of ``q``, ``result`` those of ``y``."""
    batch, heads, length, size = dims.split(",")
    result = result or f"{batch},{heads},{length},6"
    return f"""agraph (float[{dims}] q, float[{batch},{heads},5,{size}] k,
            float[{batch},{heads},5,6] v{inputs}) => (float[{result}] y)
        <float s = {{0.5}}, float two = {{2.0}}, float zero = {{0.0}}, float far = {{-1e9}},
         float none = {{-inf}}, float lowest = {{-3.4028234663852886e38}},
         float vector = {{1.0}}> {{
            kt = Transpose <perm = [0, 1, 3, 2]>(k)
            {body}
        }}"""


def _attention(scores: str, after: str = "p = Softmax <axis = -1>(m)") -> str:
    return f"{scores}\n{after}\ny = MatMul(p, v)"


PLAIN = "a = MatMul(q, kt)\n"


@pytest.mark.parametrize(
    ("body", "scale"),
    [
        (_attention("m = MatMul(q, kt)"), 1.0),
        (_attention(PLAIN + "m = Mul(a, s)"), 0.5),
        (_attention(PLAIN + "m = Mul(s, a)"), 0.5),
        (_attention(PLAIN + "m = Div(a, two)"), 0.5),
        (_attention("b = Mul(q, s)\nm = MatMul(b, kt)"), 0.5),
        (_attention("b = Mul(q, s)\nc = Mul(kt, s)\nm = MatMul(b, c)"), 0.25),
        (_attention("b = Div(q, two)\na = MatMul(b, kt)\nm = Mul(a, two)"), 1.0),
    ],
)
def test_the_factor_may_stand_anywhere(body: str, scale: float) -> None:
    model, _ = run_passes(_model(body), CLEAN, opset=23)
    assert ops(model) == ["Attention"]
    assert attribute(model.graph[0], "scale") == pytest.approx(scale)


@pytest.mark.parametrize("shape", ["3,5", "1,1,3,5", "2,1,3,5", "2,4,3,5", "4,3,5"])
def test_a_mask_is_added(shape: str) -> None:
    text = _model(_attention(PLAIN + "m = Add(a, mask)"), inputs=f", float[{shape}] mask")
    model, _ = run_passes(text, CLEAN, opset=23)
    assert ops(model) == ["Attention"]


def test_a_mask_of_one_row_is_repeated() -> None:
    text = _model(_attention(PLAIN + "m = Add(mask, a)"), inputs=", float[2,1,1,5] mask")
    model, _ = run_passes(text, CLEAN, opset=23)
    assert ops(model) == ["Expand", "Attention"]


def test_a_mask_of_one_column_is_repeated() -> None:
    text = _model(_attention(PLAIN + "m = Add(mask, a)"), inputs=", float[2,1,3,1] mask")
    model, _ = run_passes(text, CLEAN, opset=23)
    assert ops(model) == ["Expand", "Attention"]


def test_a_mask_whose_columns_are_not_known_is_repeated_to_be_sure() -> None:
    text = _model(_attention(PLAIN + "m = Add(mask, a)"), inputs=", float[2,1,3,M] mask")
    done = optimize(parse_model(text, opset=23), passes=CLEAN)
    assert ops(done.model) == ["Expand", "Attention"]


@pytest.mark.parametrize(
    ("mask", "queries"),
    [("1,4,3,5", "2,4,1,8"), ("2,1,1,5", "1,4,3,8")],
    ids=["more rows", "more batches"],
)
def test_a_mask_larger_than_the_scores_is_left(mask: str, queries: str) -> None:
    """The sum would have more rows, or more batches, than there are queries."""
    text = _model(
        _attention(PLAIN + "m = Add(mask, a)"),
        inputs=f", float[{mask}] mask",
        dims=queries,
        result="2,4,3,6",
    )
    model, records = run_passes(text, PASS, opset=23)
    assert "Attention" not in ops(model)
    assert "the mask may be larger than the scores" in reasons(records)


def test_a_mask_of_one_row_is_repeated_for_a_length_known_later() -> None:
    text = _model(
        _attention(PLAIN + "m = Add(mask, a)"), inputs=", float[2,1,1,5] mask", dims="2,4,N,8"
    )
    model, _ = run_passes(text, CLEAN, opset=23)
    assert sorted(ops(model)) == ["Attention", "Concat", "Expand", "Shape"]


@pytest.mark.parametrize("chosen", ["far", "none", "lowest"])
@pytest.mark.parametrize(
    "spelling",
    ["m = Where(keep, a, {0})", "f = Where(keep, zero, {0})\nm = Add(a, f)"],
    ids=["choosing scores", "choosing what is added"],
)
def test_a_mask_of_booleans(spelling: str, chosen: str) -> None:
    body = _attention(PLAIN + spelling.format(chosen))
    model, _ = run_passes(_model(body, inputs=", bool[2,1,3,5] keep"), CLEAN, opset=23)
    assert ops(model)[-1] == "Attention"
    assert len(ops(model)) <= 2


@pytest.mark.parametrize("chosen", ["far", "lowest"])
@pytest.mark.parametrize(
    "spelling", ["m = Where(keep, a, {0})", "f = Where(keep, zero, {0})\nm = Add(a, f)"]
)
def test_a_query_without_keys_looks_at_all_alike_as_before(spelling: str, chosen: str) -> None:
    """Kernels take the lowest float for -inf, and would give 0 where the source gives a mean."""
    body = _attention(PLAIN + spelling.format(chosen))
    source = to_proto(parse_model(_model(body, inputs=", bool[2,1,3,5] keep"), opset=23))
    result = optimize(source, passes=CLEAN, allow=Exactness.FLOAT)
    assert "Softmax" not in ops(result.model)
    generator = np.random.default_rng(0)
    feeds = {
        "q": generator.standard_normal((2, 4, 3, 8)).astype(np.float32),
        "k": generator.standard_normal((2, 4, 5, 8)).astype(np.float32),
        "v": generator.standard_normal((2, 4, 5, 6)).astype(np.float32),
        "keep": np.zeros((2, 1, 3, 5), dtype=np.bool_),
    }
    old, new = run_model(source, feeds)["y"], run_model(to_proto(result.model), feeds)["y"]
    np.testing.assert_allclose(old, new, rtol=1e-5, atol=1e-6)


def test_the_guard_against_nan_goes_too() -> None:
    body = _attention(
        PLAIN + "f = Where(keep, zero, none)\nm = Add(a, f)",
        "r = Softmax <axis = 3>(m)\nn = IsNaN(r)\np = Where(n, zero, r)",
    )
    model, _ = run_passes(_model(body, inputs=", bool[2,1,3,5] keep"), CLEAN, opset=23)
    assert ops(model) == ["Attention"]


def test_two_masks_become_one() -> None:
    body = _attention(PLAIN + "n = Add(a, b)\nm = Add(n, mask)")
    inputs = ", float[1,4,3,5] b, float[2,1,1,5] mask"
    model, _ = run_passes(_model(body, inputs=inputs), CLEAN, opset=23)
    assert ops(model) == ["Add", "Attention"]


def test_scores_may_be_capped() -> None:
    body = _attention(PLAIN + "b = Mul(a, s)\nc = Div(b, two)\nt = Tanh(c)\nm = Mul(t, two)")
    model, _ = run_passes(_model(body), CLEAN, opset=23)
    assert ops(model) == ["Attention"]
    assert attribute(model.graph[0], "softcap") == 2.0
    assert attribute(model.graph[0], "scale") == 0.5


def test_a_softmax_in_single_precision_is_kept_so() -> None:
    text = _model(
        _attention(PLAIN + "m = Cast <to = 1>(a)", "r = Softmax(m)\np = Cast <to = 10>(r)")
    ).replace("float[", "float16[")
    model, _ = run_passes(text, CLEAN, opset=23)
    assert ops(model) == ["Attention"]
    assert attribute(model.graph[0], "softmax_precision") == 1


@pytest.mark.parametrize(
    ("body", "inputs", "why"),
    [
        (PLAIN + "p = Softmax(a)\nw = MatMul(p, v)\nr = ReduceSum(p)\ny = Add(w, r)", "", "p has"),
    ],
)
def test_it_declines(body: str, inputs: str, why: str) -> None:
    model, records = run_passes(_model(body, inputs=inputs), PASS, opset=23)
    assert "Attention" not in ops(model)
    assert any(why in reason for reason in reasons(records))


def test_it_is_silent_where_there_is_no_attention() -> None:
    for body in (
        _attention("m = MatMul(q, kt)", "p = Softmax <axis = 1>(m)"),
        _attention("m = MatMul(q, kt)", "p = Sigmoid(m)"),
    ):
        model, records = run_passes(_model(body), PASS, opset=23)
        assert "Attention" not in ops(model)
        assert reasons(records) == []


def test_one_batch_of_keys_for_many_is_no_attention() -> None:
    text = """agraph (float[2,4,3,8] q, float[1,4,8,5] kt, float[1,4,5,6] v) => (float[2,4,3,6] y) {
        a = MatMul(q, kt)
        p = Softmax(a)
        y = MatMul(p, v)
    }"""
    _, records = run_passes(text, PASS, opset=23)
    assert any("differ in batch" in reason for reason in reasons(records))


def test_an_old_opset_has_no_attention() -> None:
    model, records = run_passes(_model(_attention("m = MatMul(q, kt)")), PASS, opset=22)
    assert "Attention" not in ops(model)
    assert reasons(records) == ["opset 22 has no Attention"]


@pytest.mark.parametrize(
    ("body", "inputs", "why"),
    [
        (PLAIN + "m = Div(a, negative)", "", "the factor of the scores is not positive"),
        (
            PLAIN + "n = Where(keep, a, far)\nm = Where(other, n, lowest)",
            ", bool[3,5] keep, bool[1,5] other",
            "masks put different numbers in place of scores",
        ),
    ],
)
def test_what_the_operator_would_compute_otherwise(body: str, inputs: str, why: str) -> None:
    text = _model(_attention(body), inputs=inputs)
    text = text.replace("float s = {0.5}", "float s = {0.5}, float negative = {-2.0}")
    model, records = run_passes(text, PASS, opset=23)
    assert "Attention" not in ops(model)
    assert reasons(records) == [why]


def test_scaled_scores_that_others_read_are_not_made_twice() -> None:
    text = _model(_attention(PLAIN + "m = Mul(a, s)")).replace(
        "(float[2,4,3,6] y)", "(float[2,4,3,6] y, float[2,4,3,5] m)"
    )
    model, records = run_passes(text, PASS, opset=23)
    assert "Attention" not in ops(model)
    assert reasons(records) == ["m is a graph output"]


def test_a_mask_without_axes() -> None:
    text = _model(_attention(PLAIN + "m = Add(a, mask)"), inputs=", float mask")
    model, _ = run_passes(text, CLEAN, opset=23)
    assert ops(model) == ["Expand", "Attention"]


@pytest.mark.parametrize("length", ["1", "S"])
def test_one_key_that_a_mask_repeats_is_no_attention(length: str) -> None:
    text = f"""agraph (float[2,4,3,8] q, float[2,4,8,{length}] kt, float[2,4,T,6] v,
        float[3,T] mask) => (float[2,4,3,6] y) {{
        a = MatMul(q, kt)
        m = Add(a, mask)
        p = Softmax(m)
        y = MatMul(p, v)
    }}"""
    source = to_proto(parse_model(text, opset=23))
    done = optimize(source, passes=f"infer-shapes, {PASS}")
    assert "Attention" not in ops(done.model)
    assert reasons(done.records) == ["the mask may have more columns than there are keys"]


@pytest.mark.parametrize("seed", range(3))
def test_a_query_that_one_of_two_masks_leaves_no_keys(seed: int) -> None:
    """It looked at all keys alike, not at those that the other mask leaves."""
    body = _attention(PLAIN + "n = Where(keep, a, far)\nm = Where(other, n, far)")
    text = _model(body, inputs=", bool[3,1] keep, bool[1,5] other")
    source = to_proto(parse_model(text, opset=23))
    result = optimize(source, passes=CLEAN)
    assert "Softmax" not in ops(result.model)
    generator = np.random.default_rng(seed)
    feeds = {
        name: generator.standard_normal((2, 4, *shape)).astype(np.float32)
        for name, shape in (("q", (3, 8)), ("k", (5, 8)), ("v", (5, 6)))
    }
    feeds["keep"] = np.array([[True], [False], [False]])
    feeds["other"] = np.array([[True, False, True, False, True]])
    old, new = run_model(source, feeds)["y"], run_model(to_proto(result.model), feeds)["y"]
    np.testing.assert_allclose(old, new, rtol=1e-5, atol=1e-6)


def test_halves_have_no_number_that_wins_over_any_score() -> None:
    """A query without keys would not look at all alike: kernels add up in single precision."""
    text = _model(_attention(PLAIN + "m = Where(keep, a, low)"), inputs=", bool[3,5] keep")
    text = text.replace("float[", "float16[").replace(
        "float s = {0.5}", "float s = {0.5}, float16 low = {61666}"
    )
    model, records = run_passes(text, PASS, opset=23)
    assert "Attention" not in ops(model)
    assert reasons(records) == ["halves have no number that wins over any score"]


def test_a_number_that_is_chosen_before_another_is_added() -> None:
    """A query that the choice leaves no key looks at those that the other mask leaves."""
    body = _attention(PLAIN + "n = Where(keep, a, far)\nf = Where(other, zero, far)\nm = Add(n, f)")
    text = _model(body, inputs=", bool[3,5] keep, bool[1,5] other")
    model, records = run_passes(text, PASS, opset=23)
    assert "Attention" not in ops(model)
    assert reasons(records) == ["one mask chooses and another is added"]
