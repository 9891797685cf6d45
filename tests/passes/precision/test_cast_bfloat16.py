"""What becomes bfloat16, and where nothing does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.support import ops, reasons

from burnish.driver import Optimized, optimize
from burnish.evaluate import run_model
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.target import parse_target
from burnish.text import model_text, parse_model

TEXT = """agraph (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1.0, -2.0, 0.5, 3.0}> {
    [a] a = MatMul(x, w)
    [b] b = Relu(a)
    [c] y = MatMul(b, w)
}"""


def done(text: str, passes: str = "cast-bfloat16", target: str = "onnx") -> Optimized:
    source = to_proto(parse_model(text, opset=20))
    made = optimize(source, passes=passes, allow=Exactness.LOSSY, target=parse_target(target))
    onnx.checker.check_model(to_proto(made.model), full_check=True)
    return made


def test_answers_have_eight_bits() -> None:
    made = done(TEXT)
    assert ops(made.model) == ["Cast", "MatMul", "Relu", "MatMul", "Cast"]
    feeds = {"x": np.array([[0.3, -0.7], [1.1, 0.9]], np.float32)}
    exact = run_model(to_proto(parse_model(TEXT)), feeds)["y"]
    found = run_model(to_proto(made.model), feeds)["y"]
    assert found.dtype == np.float32
    assert np.abs(found - exact).max() < 2**-6 * np.abs(exact).max()
    assert np.abs(found - exact).max() > 0


def test_large_numbers_fit() -> None:
    text = TEXT.replace(
        "[b] b = Relu(a)", "k = Constant<value = float {1e30}>()\n[b] b = Mul(a, k)"
    )
    assert len([item for item in done(text).records[0].remarks if item.kind == "applied"]) == 3


def test_the_largest_float32_does_not_fit() -> None:
    text = TEXT.replace(
        "[b] b = Relu(a)", "k = Constant<value = float {-3.4028235e38}>()\n[b] b = Max(a, k)"
    )
    assert any("beyond bfloat16" in why for why in reasons(done(text).records))


CONV = """agraph (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[1,1,1,1] w = {0.5}> {
    [a] y = Conv(x, w)
}"""


def test_the_opset_decides_who_takes_part() -> None:
    assert reasons(done(CONV).records) == ["Conv of opset 20 does not know bfloat16"]
    raised = done(CONV, "raise-opset, cast-bfloat16")
    assert ops(raised.model) == ["Cast", "Conv", "Cast"]


@pytest.mark.parametrize("target", ["ort-cpu", "ort-x86"])
def test_nothing_is_done_for_a_target_without_kernels(target: str) -> None:
    made = done(TEXT, target=target)
    assert not made.records[0].diff
    assert reasons(made.records) == [f"target {target} does not compute in bfloat16"]


def test_twice_is_once() -> None:
    made = done(TEXT, "cast-bfloat16, cast-bfloat16")
    assert model_text(made.model) == model_text(done(TEXT).model)
