"""What becomes float16, what stays float32 and why, and where Casts stand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from tests.support import ops

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.errors import InputError, SpecError
from burnish.evaluate import run_model
from burnish.ir import Model
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.target import parse_target
from burnish.text import parse_model

W = "float[4,4] w = {%s}" % ",".join(str(number / 8 - 1) for number in range(16))  # noqa: UP031


def done(
    text: str,
    passes: str = "cast-float16",
    *,
    opset: int = 20,
    data: Calibration | None = None,
    check: bool = True,
) -> Optimized:
    """The model after the pass, valid, with the interface it had and answers near those it had."""
    source = to_proto(parse_model(text, opset=opset))
    for node in source.graph.node:
        node.name = node.name.replace("__", "/")  # which ONNX text cannot spell
    made = optimize(
        source,
        passes=passes,
        allow=Exactness.LOSSY,
        target=parse_target("onnx"),
        calibration=data,
    )
    result = to_proto(made.model)
    onnx.checker.check_model(result, full_check=True)
    assert list(result.graph.input) == list(source.graph.input)
    assert list(result.graph.output) == list(source.graph.output)
    if check:
        feeds = {
            item.name: np.random.default_rng(index).uniform(-1, 1, shape(item)).astype(np.float32)
            for index, item in enumerate(source.graph.input)
        }
        old, new = run_model(source, feeds), run_model(result, feeds)
        for name in old:
            np.testing.assert_allclose(new[name], old[name], rtol=2e-2, atol=2e-2)
    return made


def shape(item: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in item.type.tensor_type.shape.dim)


def reduced(made: Optimized) -> list[str]:
    return [
        item.where
        for entry in made.records
        for item in entry.remarks
        if item.rule == "cast-float16" and item.kind == "applied"
    ]


def why(made: Optimized, where: str) -> str:
    found = [
        item.why
        for item in made.records[0].remarks
        if item.kind == "declined" and item.where == where
    ]
    assert len(found) == 1, made.records[0].remarks
    return found[0]


def types(model: Model) -> Counter[str]:
    held = (value.const_value for value in model.graph.initializers.values())
    return Counter(item.dtype.name for item in held if item is not None)


def test_one_cast_at_each_border() -> None:
    made = done(
        f"""agraph (float[4,4] x) => (float[4,4] y, float[4,4] z) <{W}> {{
            [a] a = MatMul(x, w)
            [b] b = Relu(a)
            [c] y = MatMul(b, w)
            [d] z = Add(y, x)
        }}"""
    )
    assert ops(made.model) == ["Cast", "MatMul", "Relu", "MatMul", "Cast", "Add", "Cast"]
    assert types(made.model) == {"FLOAT16": 1}
    assert list(made.model.graph.initializers) == ["w"]


def test_islands_are_cast_once_however_many_read_them() -> None:
    made = done(
        f"""agraph (float[4,4] x) => (float[4,4] y) <{W}> {{
            [a] a = MatMul(x, w)
            [e] e = Exp(a)
            [l] l = Softplus(a)
            [f] f = MatMul(e, w)
            [g] g = MatMul(e, w)
            [s] s = Add(f, g)
            [t] y = Mul(s, l)
        }}"""
    )
    assert why(made, "e") == "Exp makes small errors large"
    # In: x, e, l. Out: a, y.
    assert ops(made.model).count("Cast") == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("b = CumSum(a, zero)", "adds or multiplies many numbers"),
        ("b = Sin(a)", "positions or angles"),
        ("b = Reciprocal(a)", "makes small errors large"),
        ("r = ReduceSum(a, zero) b = Add(a, r)", "adds more than 256 numbers"),
        ('b = ScatterElements<reduction = "add">(a, picks, a)', "adds or multiplies"),
        ("b = RandomNormalLike<dtype = 1>(a)", "random numbers"),
    ],
)
def test_operators_that_lose_too_much(line: str, reason: str) -> None:
    text = f"""agraph (float[512,4] x) => (float[512,4] y) <{W}, int64[1] zero = {{0}}> {{
        picks = Constant<value = int64[1,4] {{0, 1, 0, 2}}>()
        a = MatMul(x, w)
        {line}
        y = MatMul(b, w)
    }}"""
    if "Scatter" in line:
        text = text.replace("picks, a)", "picks, one)").replace(
            "a = MatMul(x, w)",
            "one = Constant<value = float[1,4] {1.0, 1.0, 1.0, 1.0}>()\na = MatMul(x, w)",
        )
    text = text.replace("int64[1] zero", "int64 zero") if "CumSum" in line else text
    made = done(text, check=False)
    reasons = [item.why for item in made.records[0].remarks if item.kind == "declined"]
    assert any(reason in found for found in reasons), reasons
    assert ops(made.model).count("MatMul") == 2


def test_a_node_that_reads_what_has_no_known_type_stays() -> None:
    made = done(
        f"""agraph (float[4,4] x) => (float[4,4] y) <{W}> {{
            [a] a = MatMul(x, w)
            [r] b = RandomNormalLike(a)
            [c] c = MatMul(b, w)
            [d] y = MatMul(a, w)
        }}""",
        check=False,
    )
    assert reduced(made) == ["a", "d"]
    assert why(made, "c") == "the type of b is not known"


def test_short_sums_are_float16() -> None:
    made = done(
        f"""agraph (float[4,4] x) => (float[4,1] y) <{W}, int64[1] axes = {{1}}> {{
            [a] a = MatMul(x, w)
            [m] y = ReduceMean(a, axes)
        }}"""
    )
    assert reduced(made) == ["a", "m"]


def test_a_schema_says_what_an_operator_takes() -> None:
    text = f"""agraph (float[4,4] x) => (float[4,4] y) <{W}> {{
        [a] a = MatMul(x, w)
        [m] m = Max(a, x)
        [b] y = MatMul(m, w)
    }}"""
    old = done(text, opset=7)
    assert reduced(old) == ["a", "m", "b"]
    softer = text.replace("Max(a, x)", "Mish(a)")
    assert reduced(done(softer, opset=18)) == ["a", "m", "b"]
    made = done(
        text.replace("Max(a, x)", "Where(c, a, x)").replace(
            "[a]", "c = Constant<value = bool[1] {1}>()\n[a]"
        ),
        opset=20,
    )
    assert reduced(made) == ["a", "m", "b"]


def test_coordinates_and_scales_of_resize_stay() -> None:
    made = done(
        """agraph (float[1,1,4,4] x) => (float[1,1,8,8] y)
        <float[1,1,1,1] w = {0.5}, float[4] s = {1.0, 1.0, 2.0, 2.0}> {
            [a] a = Conv(x, w)
            [r] y = Resize<mode = "linear">(a, , s)
        }"""
    )
    assert reduced(made) == ["a", "r"]
    assert types(made.model) == {"FLOAT16": 1, "FLOAT": 1}


@pytest.mark.parametrize(("opset", "stays"), [(13, True), (20, False)])
def test_statistics_of_batch_normalization_stay_float32(opset: int, stays: bool) -> None:
    made = done(
        """agraph (float[1,2,4,4] x) => (float[1,2,4,4] y)
        <float[2,2,1,1] w = {0.5, 1.0, 1.0, 0.5}, float[2] g = {1.0, 2.0}, float[2] m = {0.1, 0.2},
         float[2] v = {0.00001, 1.0}> {
            [a] a = Conv(x, w)
            [n] n = BatchNormalization(a, g, m, m, v)
            [b] y = Conv(n, w)
        }""",
        opset=opset,
        check=not stays,
    )
    assert reduced(made) == (["a", "b"] if stays else ["a", "n", "b"])
    assert types(made.model)["FLOAT"] == 3


def test_constants_that_do_not_fit_and_what_is_computed_from_them() -> None:
    made = done(
        f"""agraph (float[4,4] x, float[4,4] mask) => (float[4,4] y) <{W}> {{
            low = Constant<value = float {{-3.4e38}}>()
            [scores] a = MatMul(x, w)
            [hide] h = Mul(mask, low)
            [masked] b = Add(a, h)
            [soft] s = Softmax(b)
            [out] y = MatMul(s, w)
        }}""",
        check=False,
    )
    assert reduced(made) == ["scores", "out"]
    assert why(made, "hide") == "constant low reaches 3.4e+38, beyond float16"
    assert why(made, "masked") == why(made, "soft")
    feeds = {
        "x": np.eye(4, dtype=np.float32),
        "mask": np.ones((4, 4), np.float32),  # all of a row hidden: infinities would be NaN
    }
    assert np.isfinite(run_model(to_proto(made.model), feeds)["y"]).all()


def test_infinity_is_a_number_of_float16() -> None:
    made = done(
        f"""agraph (float[4,4] x) => (float[4,4] y) <{W}, bool[4] c = {{1, 1, 0, 1}}> {{
            low = Constant<value = float {{-inf}}>()
            [scores] a = MatMul(x, w)
            [hide] b = Where(c, a, low)
            [soft] y = Softmax(b)
        }}"""
    )
    assert reduced(made) == ["scores", "hide", "soft"]


def test_small_constants_stay_but_not_for_small_elements_among_large_ones() -> None:
    small = W.replace("-1.0", "1e-9", 1)
    made = done(
        f"""agraph (float[4,4] x) => (float[4,4] y) <{small}, float e = {{1e-7}}> {{
            [a] a = MatMul(x, w)
            [s] b = Mul(a, a)
            [e] c = Add(b, e)
            [q] y = Sqrt(c)
        }}"""
    )
    assert reduced(made) == ["a", "s"]
    assert "too small" in why(made, "e")
    notes = [item.why for item in made.records[0].remarks if item.kind == "note"]
    assert "1 small weights became 0, beside larger ones in their tensors" in notes


LARGE = f"""agraph (float[4,4] x) => (float[4,4] y) <{W}, float k = {{1000.0}}, float i = {{0.001}}> {{
    [a] a = MatMul(x, w)
    [up] b = Mul(a, k)
    [sq] c = Mul(b, b)
    [down] d = Mul(c, i)
    [z] y = MatMul(d, w)
}}"""


def numbers(size: float) -> Calibration:
    grid = np.linspace(-size, size, 16, dtype=np.float32).reshape(4, 4)
    return Calibration.of([{"x": grid}] * 8)


def test_the_guard_keeps_what_is_large_on_the_data() -> None:
    plain = done(LARGE, check=False)
    assert len(reduced(plain)) == 5
    made = done(LARGE, data=numbers(1.0), check=False)
    assert reduced(made) == ["a"]
    assert "beyond the guard of 512" in why(made, "sq")
    wide = done(LARGE, "cast-float16{guard=60000}", data=numbers(0.1), check=False)
    assert set(reduced(wide)) > set(reduced(made))
    feeds = {"x": np.full((4, 4), 0.9, np.float32)}
    exact = run_model(to_proto(parse_model(LARGE)), feeds)["y"]
    # ONNX Runtime computes it in float32; onnx.reference does as it is told.
    lost = run_model(to_proto(plain.model), feeds, engine="reference")["y"]
    kept = run_model(to_proto(made.model), feeds, engine="reference")["y"]
    assert not np.isfinite(lost).all()
    np.testing.assert_allclose(kept, exact, rtol=1e-2)


def test_what_the_user_keeps() -> None:
    text = f"""agraph (float[4,4] x) => (float[4,4] y) <{W}> {{
        [__net__a] a = MatMul(x, w)
        [__net__r] b = Relu(a)
        [__net__t] c = Tanh(b)
        [__net__d] y = MatMul(c, w)
    }}"""
    made = done(text, "cast-float16{keep=?net?r/Tanh}")
    assert reduced(made) == ["/net/a", "/net/d"]
    assert why(made, "/net/r") == "it was asked to stay"
    with pytest.raises(InputError, match=r"no node or operator 'Tahn'; did you mean Tanh\?"):
        done(text, "cast-float16{keep=Tahn}")


def test_a_guard_that_is_no_number() -> None:
    with pytest.raises(SpecError, match="the guard is a positive number, or none"):
        done(LARGE, "cast-float16{guard=0}")


def test_there_is_no_option_that_changes_the_interface() -> None:
    with pytest.raises(SpecError, match="has no option 'interface'"):
        done(LARGE, "cast-float16{interface=true}")


def test_cheap_operators_alone_gain_nothing() -> None:
    text = "agraph (float[4,4] x) => (float[4,4] y) { [a] a = Relu(x) [b] y = Add(a, x) }"
    made = done(text)
    assert not made.records[0].diff
    assert why(made, "a") == "nothing near it gains from a shorter type"


def test_a_large_table_gains() -> None:
    table = ",".join(["0.5"] * 4096)
    made = done(
        f"""agraph (float[4,4] x) => (float[1,64] y) <float[64,64] t = {{{table}}}> {{
            i = Constant<value = int64[1] {{3}}>()
            [g] y = Gather(t, i)
        }}"""
    )
    assert reduced(made) == ["g"]
    assert types(made.model)["FLOAT16"] == 1


def test_shapes_are_asked_of_what_is_there() -> None:
    """Shape of an input needs no Cast; Shape of a float16 result needs none either."""
    made = done(
        f"""agraph (float[4,4] x) => (float[16] y, int64[2] z) <{W}> {{
            n = Constant<value = int64[1] {{-1}}>()
            z = Shape(x)
            [a] a = MatMul(x, w)
            s = Shape(a)
            r = Reshape(a, s)
            y = Reshape(r, n)
        }}""",
        check=False,
    )
    assert ops(made.model).count("Cast") == 2


def test_subgraphs_stay_and_what_they_read_is_float32() -> None:
    made = done(
        f"""agraph (float[4,4] x) => (float[4,4] y) <{W}, bool c = {{1}}> {{
            [a] a = MatMul(x, w)
            [i] b = If(c) <
                then_branch = yes () => (float[4,4] t) {{ t = Exp(a) }},
                else_branch = no () => (float[4,4] e) {{ e = Neg(a) }}
            >
            [d] y = MatMul(b, w)
        }}"""
    )
    assert reduced(made) == ["a", "d"]
    assert why(made, "i") == "what is in its subgraphs stays float32"


def test_a_large_constant_is_not_stored_twice() -> None:
    table = ",".join(["0.25"] * 64 * 128)
    made = done(
        f"""agraph (float[4,64] x) => (float[4,128] y, float[64,128] z)
        <float[64,128] t = {{{table}}}> {{
            [a] y = MatMul(x, t)
            [e] z = Exp(t)
        }}"""
    )
    assert reduced(made) == ["a"]
    assert types(made.model) == {"FLOAT": 1}
