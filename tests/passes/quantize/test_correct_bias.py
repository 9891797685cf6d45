"""Means shifted by quantization, and put back."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from tests.support import reasons

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.errors import InputError
from burnish.evaluate import run_model
from burnish.passdef import Context, Exactness
from burnish.quantization import CODE_TYPES, Scheme, encode, parameters_of
from burnish.registry import pass_types
from burnish.saving import to_proto
from burnish.target import parse_target
from burnish.text import model_text, parse_model
from burnish_passes.quantize.float_model import FloatModel

SCHEME = Scheme(CODE_TYPES["int4"], symmetric=True)
"""Coarse, so that there is something to correct."""
STEP = 0.015625
"""What a step of an int32 bias stands for, here."""


def even(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


V, W, C = even(3, 4, seed=2), even(4, 2, seed=3), even(4, seed=4)


def constant(kind: str, name: str, array: Any) -> str:
    sizes = ",".join(map(str, array.shape))
    numbers = ",".join(f"{number}" for number in np.asarray(array).reshape(-1).tolist())
    return f"{kind}[{sizes}] {name} = {{{numbers}}}"


def text(*, coded: bool, bias: str) -> str:
    """Two layers with weights as numbers or as codes; ``bias`` is how the first one has its own."""
    held, lines = [], []
    for name, array in (("v", V), ("w", W)):
        parameters = parameters_of(array, SCHEME)
        if not coded:
            held.append(constant("float", name, array))
            continue
        held.append(constant("int8", f"{name}c", encode(array, parameters)))
        held.append(f"float {name}s = {{{float(parameters.scale)!r}}}")
        lines.append(f"{name} = DequantizeLinear({name}c, {name}s)")
    if bias == "codes":
        held.append(constant("int32", "cc", np.rint(C / STEP).astype(np.int64)))
        held.append(f"float cs = {{{STEP}}}")
        lines.append("c = DequantizeLinear(cc, cs)")
    else:
        held.append(constant("float", "c", C))
    first = {
        "codes": "[one] a = Gemm(x, v, c)",
        "numbers": "[one] a = Gemm<beta = 2.0>(x, v, c)",
        "added": "[one] m = MatMul(x, v)\na = Add(c, m)",
        "none": "[one] a = Gemm(x, v)",
        "shared": "[one] a = Gemm(x, v, c)\nz = Neg(c)",
    }[bias]
    held.append(constant("float", "d", even(2, seed=5)))
    outputs = "float[8,2] y, float[4] z" if bias == "shared" else "float[8,2] y"
    body = "\n".join([*lines, first, "b = Relu(a)", "[two] y = Gemm(b, w, d)"])
    return f"agraph (float[8,3] x) => ({outputs}) <{', '.join(held)}> {{\n{body}\n}}"


def rows() -> list[dict[str, Any]]:
    # Not centred: a rounded weight then moves the mean.
    return [{"x": even(8, 3, seed=seed) + np.float32(0.75)} for seed in range(16)]


def corrected(bias: str, passes: str = "correct-bias") -> tuple[Any, Any, Any, Any]:
    """Float model, quantized model, corrected model, and remarks."""
    source, coded = (parse_model(text(coded=item, bias=bias)) for item in (False, True))
    proto = to_proto(coded)
    ctx = Context.of(coded, parse_target("onnx"), calibration=Calibration.of(rows()))
    ctx.recall(FloatModel).remember(source)
    pass_types()[passes]().run(coded, ctx)
    result = to_proto(coded)
    onnx.checker.check_model(result, full_check=True)
    return to_proto(source), proto, result, ctx.take_remarks()


def means(model: onnx.ModelProto, name: str) -> Any:
    found = [run_model(model, row, outputs=[name])[name] for row in rows()]
    return np.concatenate(found).mean(axis=0)


@pytest.mark.parametrize("bias", ["numbers", "added"])
def test_means_are_those_of_the_float_model_again(bias: str) -> None:
    source, coded, result, remarks = corrected(bias)
    assert [item.where for item in remarks if item.kind == "applied"] == ["one", "two"]
    for name in ("a", "y"):
        wanted = means(source, name)
        assert np.abs(means(coded, name) - wanted).max() > 0.01
        np.testing.assert_allclose(means(result, name), wanted, atol=1e-5)


def test_a_bias_of_codes_moves_by_whole_steps() -> None:
    source, coded, result, remarks = corrected("codes")
    assert any(item.kind == "applied" and item.where == "one" for item in remarks)
    wanted = means(source, "a")
    assert np.abs(means(coded, "a") - wanted).max() > STEP
    assert np.abs(means(result, "a") - wanted).max() <= STEP / 2 + 1e-6
    held = [item for item in result.graph.initializer if item.name.startswith("cc")]
    assert [item.data_type for item in held] == [onnx.TensorProto.INT32]


def test_a_layer_without_bias_says_so_and_the_next_one_is_corrected() -> None:
    source, coded, result, remarks = corrected("none")
    assert [item.where for item in remarks if item.kind == "applied"] == ["two"]
    assert [item.why for item in remarks if item.kind == "declined"] == ["it has no bias"]
    wanted = means(source, "y")
    np.testing.assert_allclose(means(result, "y"), wanted, atol=1e-5)
    assert np.abs(means(result, "a") - means(coded, "a")).max() == 0


def test_other_readers_of_the_bias_keep_it() -> None:
    _, coded, result, remarks = corrected("shared")
    assert any(item.kind == "applied" and item.where == "one" for item in remarks)
    row = rows()[0]
    assert (run_model(coded, row)["z"] == run_model(result, row)["z"]).all()


def test_remarks_tell_the_gain() -> None:
    *_, remarks = corrected("numbers")
    gains = [item.why for item in remarks if item.kind == "applied"]
    assert all("of the deviation of its results, now 0.00%" in gain for gain in gains)


def test_without_the_float_model_nothing_happens_and_it_says_why() -> None:
    proto = to_proto(parse_model(text(coded=True, bias="numbers")))
    done = optimize(
        proto,
        passes="correct-bias",
        allow=Exactness.LOSSY,
        calibration=Calibration.of(rows()),
    )
    assert not done.records[0].diff
    assert all("put remember-float-model before" in why for why in reasons(done.records))


def test_without_data_it_says_what_is_missing() -> None:
    coded = parse_model(text(coded=True, bias="numbers"))
    ctx = Context.of(coded, parse_target("onnx"))
    ctx.recall(FloatModel).remember(coded)
    with pytest.raises(InputError, match="correct-bias needs calibration data"):
        pass_types()["correct-bias"]().run(coded, ctx)


def test_a_model_that_is_not_quantized_is_left_alone() -> None:
    proto = to_proto(parse_model(text(coded=False, bias="numbers")))
    done = optimize(proto, passes="remember-float-model, correct-bias", allow=Exactness.LOSSY)
    assert not any(entry.diff for entry in done.records)


QUANTIZED = "O2, remember-float-model, insert-qdq"


def digits(passes: str) -> tuple[Optimized, Any, Any]:
    """The quantized digits model, its logits, and those of the float model."""
    from importlib.resources import files

    folder = files("burnish_models.digits")
    images = np.load(str(folder / "digits.npz"))["image"]
    path = str(folder / "digits.onnx")
    samples = [{"image": images[start : start + 32]} for start in range(0, 320, 32)]
    done = optimize(path, passes=passes, allow=Exactness.LOSSY, calibration=Calibration.of(samples))
    feeds = {"image": images[:320]}
    return done, run_model(to_proto(done.model), feeds)["logits"], run_model(path, feeds)["logits"]


def test_the_whole_line_on_a_trained_model() -> None:
    _, plain, wanted = digits(QUANTIZED)
    done, found, _ = digits(f"{QUANTIZED}, correct-bias")
    applied = [item.where for item in done.records[-1].remarks if item.kind == "applied"]
    assert len(applied) == 4
    before, after = (np.abs((item - wanted).mean(axis=0)).mean() for item in (plain, found))
    assert after < before / 5
    assert np.square(found - wanted).sum() < np.square(plain - wanted).sum()


def test_a_second_run_in_the_same_pipeline_changes_nothing() -> None:
    once, *_ = digits(f"{QUANTIZED}, correct-bias")
    twice, *_ = digits(f"{QUANTIZED}, correct-bias, correct-bias")
    assert model_text(once.model) == model_text(twice.model)
