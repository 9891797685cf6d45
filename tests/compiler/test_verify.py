"""Inputs of sensible range, distances that mean what they say, verdicts that blame the right one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.errors import ExecutionError, InputError
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.samples import make_inputs
from burnish.saving import to_proto
from burnish.text import parse_model
from burnish.verify import _Answers, _Judge, random_outputs, verify
from burnish.verify.compare import Tolerance, compare, measure
from burnish.verify.half import holds_half

HEAD = '<ir_version: 10, opset_import: ["" : 20]>'
BITWISE, FLOAT, LOSSY = (
    Tolerance(kind) for kind in (Exactness.BITWISE, Exactness.FLOAT, Exactness.LOSSY)
)


def text(body: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD} {body}")


def f32(*items: float) -> np.ndarray[Any, Any]:
    return np.array(items, dtype=np.float32)


# --- inputs


def test_inputs_are_the_same_for_the_same_seed() -> None:
    model = load(text("g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }"))
    one, same, other = (make_inputs(model, seed)["x"] for seed in (0, 0, 1))
    assert one.shape == (2, 4)
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_names_share_sizes_and_expressions_are_computed() -> None:
    body = "(float[batch, past] a, float[batch, seq] b, float[batch, 'past+seq'] c) => (float y)"
    proto = text(f"g {body} {{ y = Sum(a) }}".replace("'past+seq'", "total"))
    proto.graph.input[2].type.tensor_type.shape.dim[1].dim_param = "past+seq"
    found = make_inputs(load(proto), 0)
    past, seq = found["a"].shape[1], found["b"].shape[1]
    assert found["c"].shape == (2, past + seq)
    assert len({2, past, seq}) == 3
    assert make_inputs(load(proto), 0, dims={"seq": 9})["c"].shape == (2, past + 9)


def test_indices_stay_within_the_table() -> None:
    model = load(
        text(
            """g (int64[B, S] ids, int32[B] row) => (float[A, b, c] y, float[d, e] z)
            <float[7, 3] table = {0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}>
            { flat = Unsqueeze(ids, axis)  y = Gather(table, flat)
              axis = Constant<value_ints = [0]>()
              wide = Cast<to = 7>(row)  z = Gather<axis = 1>(table, wide) }"""
        )
    )
    found = [make_inputs(model, seed, dims={"S": 64, "B": 64}) for seed in range(3)]
    assert {int(one["ids"].min()) for one in found} == {0}
    assert {int(one["ids"].max()) for one in found} == {6}
    assert {int(one["row"].max()) for one in found} == {2}


def test_masks_divisors_strings_and_narrow_types() -> None:
    model = load(
        text(
            """g (int64[9, 9] attention_mask, int32[50] d, string[5] s, uint8[500] u, bool[3] b)
            => (int32[50] q) { one = Constant<value_int = 1>() c = Cast<to = 6>(one) q = Div(c, d) }"""
        )
    )
    found = make_inputs(model, 0)
    assert set(np.unique(found["attention_mask"])) == {0, 1}
    assert found["attention_mask"][:, 0].all()
    assert found["d"].min() > 0
    assert all(isinstance(item, str) for item in found["s"])
    assert found["u"].max() > 200
    assert found["b"].dtype == bool


# --- distances


def test_bitwise() -> None:
    nan, other = np.array([0x7FC00000, 0xFFC00001], np.uint32).view(np.float32)
    assert not measure(f32(nan, 1), f32(other, 1), BITWISE).reason
    zero = measure(f32(0.0), f32(-0.0), BITWISE)
    assert zero.reason
    assert zero.ulp == 1
    step = np.nextafter(f32(1), f32(2))
    assert measure(f32(1), step, BITWISE).ulp == 1
    assert measure(f32(1), f32(1), BITWISE).ulp == 0


def test_float_scales_with_the_output() -> None:
    reference = f32(1000, 1e-6)
    assert not measure(reference, f32(1000.01, 1e-3), FLOAT).reason
    assert measure(reference, f32(1000, 0.1), FLOAT).reason
    assert measure(f32(1), f32(1.001), FLOAT).reason
    half = np.array([1, 2], dtype=np.float16)
    assert not measure(half, half * np.float16(1.005), FLOAT).reason
    brain = half.astype(ml_dtypes.bfloat16)
    assert measure(brain, (half * 1.5).astype(ml_dtypes.bfloat16), FLOAT).reason


@pytest.mark.parametrize("tolerance", [BITWISE, FLOAT, LOSSY])
def test_what_no_tolerance_forgives(tolerance: Tolerance) -> None:
    one = f32(1, 2)
    assert "NaN" in measure(one, f32(1, np.nan), tolerance).reason
    assert "infinit" in measure(f32(np.inf), f32(-np.inf), tolerance).reason
    assert "shape" in measure(one, f32(1), tolerance).reason
    assert "dtype" in measure(one, one.astype(np.float64), tolerance).reason
    assert "sequence" in compare([one], [one, one], tolerance).reason
    assert compare(None, one, tolerance).reason


def test_integers_and_strings() -> None:
    small, wide = np.array([5, 6], np.int8), np.array([5, 6], np.int64)
    assert not measure(small, small + np.int8(1), FLOAT).reason
    assert measure(small, small + np.int8(1), BITWISE).reason
    assert measure(small, small + np.int8(2), FLOAT).reason
    assert measure(wide, wide + 1, FLOAT).reason
    assert measure(np.array(["a"], object), np.array(["b"], object), FLOAT).reason
    top = np.array([2**64 - 1], np.uint64)
    assert measure(top, top - np.uint64(1), FLOAT).max_abs == 1


def test_lossy_only_reports_unless_bounded() -> None:
    found = measure(f32(1, 4), f32(2, 4), LOSSY)
    assert not found.reason
    assert (found.max_abs, found.max_rel) == (1, 1)
    bounded = Tolerance(Exactness.LOSSY, atol=0.5)
    assert measure(f32(1), f32(2), bounded).reason
    assert not measure(f32(1), f32(1.25), bounded).reason


@given(st.floats(width=32, allow_nan=False), st.integers(0, 1000))
def test_ulps_count_representable_values(start: float, steps: int) -> None:
    end = f32(start)
    for _ in range(steps % 7):
        end = np.nextafter(end, f32(np.inf))
    expected = 0 if np.isinf(start) and start > 0 else steps % 7
    found = measure(f32(start), end, LOSSY)
    if np.isfinite(end).all() and np.isfinite(start):
        crossed = start < 0 <= end[0] or (start == 0 and np.signbit(start))
        assert found.ulp == expected + (1 if crossed and expected else 0)


# --- verdicts

ADD = "g (float[N] x, float[N] z) => (float[N] y) { a = Add(x, z) y = Mul(a, a) }"


def test_equal_models_are_equal_in_both_modes() -> None:
    verdict = verify(text(ADD), text(ADD), exactness=Exactness.BITWISE)
    assert verdict.ok
    assert {out.where.split()[-1] for out in verdict.outputs} == {"off", "on"}
    assert verdict.samples == 2
    assert "y (runtime optimizations off)" in verdict.text()
    assert json.loads(json.dumps(verdict.json()))["ok"] is True


def test_a_wrong_result_is_named() -> None:
    wrong = ADD.replace("Mul(a, a)", "Mul(a, x)")
    verdict = verify(text(ADD), text(wrong), exactness=Exactness.FLOAT)
    assert not verdict.ok
    assert verdict.outputs[0].name == "y"
    assert verdict.outputs[0].max_abs > 0.1
    assert "FAIL y" in verdict.text()


def test_rounding_is_float_but_not_bitwise() -> None:
    source = text("g (float[100] x) => (float[100] y) { a = Add(x, x) b = Add(a, x) y = Exp(b) }")
    result = text(
        "g (float[100] x) => (float[100] y) <float t = {3}> { b = Mul(x, t) c = Exp(b) "
        "d = Reciprocal(c) y = Reciprocal(d) }"
    )
    assert not verify(source, result, exactness=Exactness.BITWISE).ok
    assert verify(source, result, exactness=Exactness.FLOAT).ok
    assert not verify(source, result, exactness=Exactness.FLOAT, rtol=0, atol=0).ok


def test_other_inputs_or_outputs_are_not_comparable() -> None:
    verdict = verify(text(ADD), text(ADD.replace("=> (float[N] y)", "=> (float[N] a)")), exactness=Exactness.LOSSY)  # fmt: skip
    assert not verdict.ok
    assert "outputs" in verdict.outputs[0].reason


@pytest.mark.parametrize(
    "body",
    [
        "a = ConstantOfShape <value = float16[1] {1}> (n)  y = CastLike(a, like)",
        "a = EyeLike <dtype = 10> (m)  y = CastLike(a, like)",
        "a = Constant <value = float16[1] {1}> ()  y = CastLike(a, like)",
    ],
)
def test_half_precision_is_seen_wherever_it_begins(body: str) -> None:
    inputs = "(int64[1] n, int64[2, 2] m, float like)"
    assert holds_half(load(text(f"g {inputs} => (float y) {{ {body} }}")))
    plain = body.replace("float16[1]", "float[1]").replace("dtype = 10", "dtype = 1")
    assert not holds_half(load(text(f"g {inputs} => (float y) {{ {plain} }}")))


def test_random_outputs_are_compared_by_form() -> None:
    body = """g (float[3] x) => (float[3] y, float[3] z)
        {{ r = {op} y = Add(x, r) z = Relu(x) }}"""
    noisy = text(body.format(op="RandomNormalLike(x)"))
    assert random_outputs(load(noisy)) == {"y"}
    verdict = verify(noisy, noisy, exactness=Exactness.BITWISE)
    assert verdict.ok
    assert "random" in next(out.reason for out in verdict.outputs if out.name == "y")
    assert random_outputs(load(text(body.format(op="Dropout(x)")))) == set()


def test_random_operators_are_seen_in_branches_but_branches_are_not_random() -> None:
    body = """g (bool c, float[3] x) => (float[3] y) {{ y = If (c) <
        then_branch = t () => (float[3] a) {{ a = {op}(x) }},
        else_branch = e () => (float[3] b) {{ b = Relu(x) }}> }}"""
    assert random_outputs(load(text(body.format(op="Neg")))) == set()
    assert random_outputs(load(text(body.format(op="Bernoulli")))) == {"y"}


def test_a_result_that_does_not_run_fails() -> None:
    source = text("g (float[4] x) => (float[M] y) { y = Relu(x) }")
    result = text(
        "g (float[4] x) => (float[M] y) <int64[1] s = {3}> { a = Reshape(x, s) y = Relu(a) }"
    )
    verdict = verify(source, result, exactness=Exactness.LOSSY)
    assert not verdict.ok
    assert "does not run" in verdict.outputs[0].reason
    with pytest.raises(ExecutionError, match="give samples"):
        verify(result, source, exactness=Exactness.LOSSY)


def test_a_source_that_runs_on_some_samples_only_is_not_the_fault_of_the_result() -> None:
    source = text("g (float[4] x, int64 i) => (float y) { y = Gather(x, i) }")
    samples = [{"x": np.zeros(4, np.float32), "i": np.array(index)} for index in (0, 9)]
    assert verify(source, source, exactness=Exactness.BITWISE, samples=samples[:1]).ok
    with pytest.raises(ExecutionError, match=r"the source does not run on sample 1 .*Gather"):
        verify(source, source, exactness=Exactness.BITWISE, samples=samples)


def test_samples_of_the_user(tmp_path: Path) -> None:
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.npz")
        np.savez(files[-1], x=f32(number, 1), z=f32(2, 3))

    def calls() -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        yield {"x": f32(1), "z": f32(2)}

    both = (text(ADD), text(ADD))
    exactness = Exactness.BITWISE
    assert verify(*both, exactness=exactness, samples=files[0]).samples == 1
    assert verify(*both, exactness=exactness, samples=files).samples == 2
    assert verify(*both, exactness=exactness, samples=calls).samples == 1
    with pytest.raises(InputError, match="no input 'w'"):
        verify(*both, exactness=exactness, samples=[{"x": f32(1), "w": f32(1)}])
    with pytest.raises(InputError, match="'z' is missing"):
        verify(*both, exactness=exactness, samples=[{"x": f32(1)}])
    with pytest.raises(InputError, match="no sample"):
        verify(*both, exactness=exactness, samples=[])
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"not a \.npz"):
        verify(*both, exactness=exactness, samples=tmp_path / "bad.npz")


def test_the_runtime_is_blamed_for_what_it_moves() -> None:
    plain, moved, far = f32(1, 2), f32(1.1, 2), f32(5, 2)

    def judged(source_on: Any, result_on: Any) -> Any:
        judge = _Judge(set(), BITWISE, FLOAT)
        judge.see(_Answers({"y": plain}, {"y": plain}, {"y": source_on}, {"y": result_on}))
        return judge.outputs()[1]

    fair = judged(moved, plain)
    assert fair.ok
    assert "runtime's own optimizations" in fair.reason
    unfair = judged(plain, far)
    assert not unfair.ok
    assert "the runtime moves the result" in unfair.reason


@pytest.mark.parametrize("value", [np.zeros((0, 2), np.float32), np.full((1, 2), np.nan, "f4")])
def test_comparing_nothing_is_said(value: np.ndarray) -> None:
    model = to_proto(parse_model("agraph (float[N,2] x) => (float[N,2] y) { y = Neg(x) }"))
    verdict = verify(model, model, exactness=Exactness.FLOAT, samples=lambda: [{"x": value}])
    assert verdict.ok
    assert any("nothing was compared" in note for note in verdict.notes)
