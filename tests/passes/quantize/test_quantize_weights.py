"""Weights become codes: which, in which form, what stays, and what a runtime makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tests.passes.quantize.weights import (
    ACCURACY,
    answers,
    correlated,
    distance,
    draw,
    held_bytes,
    model_of,
    remarks,
    run,
    runtime_answers,
    runtime_operators,
    samples,
)
from tests.support import ops

from burnish.errors import InputError, SpecError
from burnish.ir import DataType, attribute, constant
from burnish_passes.quantize.quantize_weights import QuantizeWeights

PRODUCT = "g (float[B,K] x) => (float[B,N] y) { y = MatMul (x, w) }"


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", ["true", "false"])
@pytest.mark.parametrize("rows", [20, 64, 172])
def test_a_product_is_nearly_as_before_and_much_smaller(
    bits: int, symmetric: str, rows: int
) -> None:
    weight, x = draw(rows, 48), {"x": draw(5, rows, seed=1)}
    source = model_of(PRODUCT, {"w": weight})
    spec = f"quantize-weights{{bits={bits},head={bits},symmetric={symmetric}}}"
    done = run(source, spec)
    assert ops(done.model) == ["DequantizeLinear", "MatMul"]
    assert distance(answers(done.model, x), answers(source, x)) < (0.12 if bits == 4 else 0.012)
    assert held_bytes(done.model) / weight.nbytes < (0.20 if bits == 4 else 0.32)
    assert "w" not in done.model.graph.initializers


def test_blocks_lie_along_the_rows_and_the_last_may_be_short() -> None:
    done = run(model_of(PRODUCT, {"w": draw(172, 8)}), "quantize-weights{bits=4,head=4}")
    decode = done.model.graph[0]
    assert attribute(decode, "axis") == 0
    assert attribute(decode, "block_size") == 32
    codes, scale = (constant(value) for value in decode.inputs[:2])
    assert codes is not None
    assert scale is not None
    assert codes.dtype == DataType.INT4
    assert tuple(scale.shape.numpy()) == (6, 8)


@pytest.mark.parametrize("rows", [32, 20])
def test_a_lone_block_is_a_scale_for_each_column(rows: int) -> None:
    done = run(model_of(PRODUCT, {"w": draw(rows, 24)}, opset=13), "quantize-weights")
    decode = done.model.graph[0]
    assert attribute(decode, "axis") == 1
    assert "block_size" not in decode.attributes


def test_without_blocks_columns_have_scales() -> None:
    source = model_of(PRODUCT, {"w": draw(200, 24)}, opset=13)
    done = run(source, "quantize-weights{block=none}")
    assert "block_size" not in done.model.graph[0].attributes
    x = {"x": draw(3, 200, seed=1)}
    assert distance(answers(done.model, x), answers(source, x)) < 0.015


@pytest.mark.parametrize(
    ("bits", "said"),
    [(8, "raise-opset, or block=none"), (4, "int4 in blocks of 32 needs opset 21, and this is 17")],
)
def test_blocks_need_a_newer_opset(bits: int, said: str) -> None:
    source = model_of(PRODUCT, {"w": draw(64, 24)}, opset=17)
    done = run(source, f"quantize-weights{{bits={bits},head={bits}}}")
    assert ops(done.model) == ["MatMul"]
    assert said in remarks(done, "declined")[0]
    raised = run(source, f"raise-opset, quantize-weights{{bits={bits},head={bits}}}")
    assert "DequantizeLinear" in ops(raised.model)


@pytest.mark.parametrize("turned", [0, 1])
def test_a_gemm_gets_its_weight_the_way_kernels_want_it(turned: int, tmp_path: Path) -> None:
    text = f"g (float[B,64] x) => (float[B,24] y) {{ y = Gemm <transB = {turned}> (x, w, b) }}"
    weight = draw(24, 64) if turned else draw(64, 24)
    source = model_of(text, {"w": weight, "b": draw(24, seed=2)})
    done = run(source, "quantize-weights{bits=4,head=4}")
    x = {"x": draw(5, 64, seed=1)}
    assert distance(answers(done.model, x), answers(source, x)) < 0.12
    assert "transB" not in done.model.graph[1].attributes
    assert runtime_operators(done.model, tmp_path)["MatMulNBits"] == 1


def test_a_transpose_in_front_of_a_weight_is_absorbed() -> None:
    text = """g (float[B,64] x) => (float[B,24] y) {
        t = Transpose <perm = [1, 0]> (w)
        y = MatMul (x, t)
    }"""
    source = model_of(text, {"w": draw(24, 64)})
    done = run(source, "quantize-weights")
    assert ops(done.model) == ["DequantizeLinear", "MatMul"]
    x = {"x": draw(5, 64, seed=1)}
    assert distance(answers(done.model, x), answers(source, x)) < 0.012


def test_layers_that_share_a_weight_share_its_codes() -> None:
    text = """g (float[B,64] x) => (float[B,64] y) {
        a = MatMul (x, w)
        r = Relu (a)
        y = MatMul (r, w)
    }"""
    done = run(model_of(text, {"w": draw(64, 64)}), "quantize-weights{bits=8}")
    decodes = [node for node in done.model.graph if node.op_type == "DequantizeLinear"]
    assert len(decodes) == 2
    assert decodes[0].inputs[0] is decodes[1].inputs[0]
    assert all(len(node.outputs[0].uses()) == 1 for node in decodes)


def test_a_table_and_the_product_with_it_turned() -> None:
    text = """g (int64[B] i) => (float[B,50] y) {
        e = Gather (w, i)
        t = Transpose (w)
        y = MatMul (e, t)
    }"""
    weight = draw(50, 64)
    source = model_of(text, {"w": weight})
    done = run(source, "quantize-weights")
    assert "w" not in done.model.graph.initializers
    assert ops(done.model).count("Gather") == 2
    feeds = {"i": np.array([[3, 49], [0, 7]]).reshape(-1)}
    assert distance(answers(done.model, feeds), answers(source, feeds)) < 0.02
    assert held_bytes(done.model) < 0.6 * weight.nbytes


def test_only_the_rows_picked_are_decoded() -> None:
    text = "g (int64[B,S] i) => (float[B,S,48] y) { y = Gather (w, i) }"
    source = model_of(text, {"w": draw(30, 48)})
    done = run(source, "quantize-weights")
    assert ops(done.model) == ["Gather", "Gather", "DequantizeLinear"]
    feeds = {"i": np.array([[0, 29, 3]])}
    assert distance(answers(done.model, feeds), answers(source, feeds)) < 0.01
    again = run(source, "quantize-weights, quantize-weights")
    assert ops(again.model) == ops(done.model)


def test_float16_stays_float16() -> None:
    text = "g (float16[B,64] x) => (float16[B,24] y) { y = MatMul (x, w) }"
    source = model_of(text, {"w": draw(64, 24)}, dtype=TensorProto.FLOAT16)
    done = run(source, "quantize-weights")
    x = {"x": draw(5, 64, seed=1).astype(np.float16)}
    result, reference = answers(done.model, x), answers(source, x)
    assert result.dtype == np.float16
    assert distance(result.astype(np.float32), reference.astype(np.float32)) < 0.012


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("g (float[64,B] x) => (float[8,B] y) { y = MatMul (w, x) }", (8, 64), "first operand"),
        ("g (float[B,4] x) => (float[B,2] y) { y = MatMul (x, w) }", (4, 2), "would save 16 bytes"),
        (
            "g (float[B,64] x) => (float[2,B,8] y) { y = MatMul (x, w) }",
            (2, 64, 8),
            "its weight has 3 axes, not 2",
        ),
        (
            "g (float[B,64] x) => (float[B,64] y, float[64] z) { y = MatMul (x, w) z = Gather (w, i) }",
            (64, 64),
            "",
        ),
        (
            "g (float[64,64] x) => (float[64,64] y) { a = MatMul (x, w) y = Add (a, w) }",
            (64, 64),
            "reads the weight too",
        ),
    ],
)
def test_what_stays_and_why(text: str, shape: tuple[int, ...], said: str) -> None:
    weights = {"w": draw(*shape)}
    if "Gather" in text:
        weights["i"] = np.array(3)
    done = run(model_of(text, weights), "quantize-weights")
    if said:
        assert ops(done.model).count("DequantizeLinear") == 0
        assert any(said in why for why in remarks(done, "declined"))
    else:
        assert "w" not in done.model.graph.initializers


def test_an_input_with_a_default_stays() -> None:
    text = "g (float[B,64] x, float[64,8] w) => (float[B,8] y) { y = MatMul (x, w) }"
    done = run(model_of(text, {"w": draw(64, 8)}), "quantize-weights")
    assert ops(done.model) == ["MatMul"]
    assert "freeze-initializers" in remarks(done, "declined")[0]


def test_infinite_weights_stay() -> None:
    weight = draw(64, 24)
    weight[3, 3] = np.inf
    done = run(model_of(PRODUCT, {"w": weight}), "quantize-weights")
    assert remarks(done, "declined") == ["its weight is not finite"]


TWO = """g (float[B,64] x) => (float[B,24] y) {
    a = MatMul (x, w)
    r = Relu (a)
    y = MatMul (r, v)
}"""


def _code_types(passes: str) -> list[DataType]:
    done = run(model_of(TWO, {"w": draw(64, 64), "v": draw(64, 24, seed=2)}), passes)
    decodes = [node for node in done.model.graph if node.op_type == "DequantizeLinear"]
    return [DataType(node.inputs[0].dtype) for node in decodes]


def test_the_last_product_keeps_8_bits_unless_told() -> None:
    assert _code_types("quantize-weights{bits=4}") == [DataType.INT4, DataType.INT8]
    assert _code_types("quantize-weights{bits=4,head=4}") == [DataType.INT4, DataType.INT4]


@pytest.mark.parametrize("pattern", ["v", "MatMul(y)", "?", "*atMul(y*"])
def test_layers_left_out(pattern: str) -> None:
    left = _code_types(f"quantize-weights{{exclude={pattern}}}")
    assert len(left) == (0 if pattern == "?" else 1)


def test_a_pattern_that_fits_nothing_is_told() -> None:
    source = model_of(PRODUCT, {"w": draw(64, 24)})
    done = run(source, "quantize-weights{exclude=nothing}")
    assert remarks(done, "note") == ["nothing is called so"]


def test_a_convolution_only_when_asked() -> None:
    text = "g (float[1,8,6,6] x) => (float[1,16,4,4] y) { y = Conv (x, w) }"
    source = model_of(text, {"w": draw(16, 8, 3, 3)})
    assert ops(run(source, "quantize-weights").model) == ["Conv"]
    done = run(source, "quantize-weights{bits=4,only=Conv}")
    assert ops(done.model) == ["DequantizeLinear", "Conv"]
    assert attribute(done.model.graph[0], "axis") == 0
    x = {"x": draw(1, 8, 6, 6, seed=1)}
    assert distance(answers(done.model, x), answers(source, x)) < 0.015


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", ["true", "false"])
def test_the_runtime_fuses_it_and_rounds_the_other_operand_unless_told(
    bits: int, symmetric: str, tmp_path: Path
) -> None:
    source = model_of(PRODUCT, {"w": draw(172, 24)})
    spec = f"quantize-weights{{bits={bits},head={bits},symmetric={symmetric}}}"
    done = run(source, spec)
    assert runtime_operators(done.model, tmp_path) == {"MatMulNBits": 1}
    x = {"x": draw(5, 172, seed=1)}
    plain = answers(done.model, x)  # without the runtime's optimizations
    assert distance(runtime_answers(done.model, x, {ACCURACY: "1"}), plain) < 1e-6
    assert distance(runtime_answers(done.model, x), plain) > 1e-3


@pytest.mark.parametrize(("bound", "fused"), [("Relu (a)", 1), ("Neg (a)", 2), ("Max (a, a)", 2)])
def test_what_the_runtime_does_not_fuse_is_told(bound: str, fused: int, tmp_path: Path) -> None:
    text = f"""g (float[B,64] x) => (float[B,24] y) {{
        a = MatMul (x, w)
        r = {bound}
        y = MatMul (r, v)
    }}"""
    source = model_of(text, {"w": draw(64, 64), "v": draw(64, 24, seed=2)})
    done = run(source, "quantize-weights{bits=4}", target="ort-cpu")
    assert runtime_operators(done.model, tmp_path)["MatMulNBits"] == fused
    told = [why for why in remarks(done, "note") if "does not fuse" in why]
    assert len(told) == 2 - fused
    own = run(source, "quantize-weights{bits=4}, fuse-matmul-nbits{accuracy=4}")
    assert ops(own.model).count("MatMulNBits") == 2


@pytest.mark.parametrize("passes", ["O1", "O2", "fold-constants{growth=1000000000}"])
def test_codes_stay_codes(passes: str) -> None:
    text = """g (float[B,64] x, int64[B] i) => (float[B,24] y) {
        e = Gather (t, i)
        a = Add (x, e)
        y = MatMul (a, w)
    }"""
    source = model_of(text, {"w": draw(64, 24), "t": draw(40, 64, seed=3)})
    done = run(source, f"quantize-weights{{bits=4}}, {passes}")
    alone = run(source, "quantize-weights{bits=4}")
    assert held_bytes(done.model) == held_bytes(alone.model)
    assert ops(done.model).count("DequantizeLinear") == 2


@pytest.mark.parametrize("method", ["gptq", "adaptive"])
def test_methods_that_look_at_results_need_data_and_gain_by_it(method: str) -> None:
    source = model_of(PRODUCT, {"w": draw(96, 32)})
    spec = f"quantize-weights{{bits=4,head=4,method={method}}}"
    with pytest.raises(InputError, match="needs calibration data"):
        run(source, spec)
    batches = correlated(512, 96).reshape(8, 64, 96)
    done = run(source, spec, data=samples(list(batches[:6])))
    nearest = run(source, "quantize-weights{bits=4,head=4,method=rtn}")
    x = {"x": batches[6:].reshape(-1, 96)}  # not calibrated on
    reference = answers(source, x)
    gained = distance(answers(done.model, x), reference)
    assert gained**2 < 0.5 * distance(answers(nearest.model, x), reference) ** 2
    assert method in remarks(done, "note")[-1]


def test_a_layer_in_a_subgraph_gets_nearest_codes() -> None:
    text = """g (float[B,64] x, bool c) => (float[B,32] y) {
        y = If (c) <
            then_branch = t () => (float[B,32] a) { a = MatMul (x, w) },
            else_branch = e () => (float[B,32] b) { m = MatMul (x, w) b = Neg (m) }>
    }"""
    source = model_of(text, {"w": draw(64, 32)})
    data = [{"x": draw(5, 64, seed=1), "c": np.array(True)}]
    done = run(source, "quantize-weights{method=gptq}", data=data)
    assert ops(done.model).count("DequantizeLinear") == 2
    assert remarks(done, "note") == ["its inputs are not known: nearest codes"]
    assert distance(answers(done.model, data[0]), answers(source, data[0])) < 0.012


def test_a_product_of_constants_has_no_inputs_to_look_at() -> None:
    text = "g (float[64,24] x) => (float[64,24] y) { a = MatMul (v, w) y = Add (a, x) }"
    source = model_of(text, {"v": draw(64, 64), "w": draw(64, 24)})
    data = [{"x": draw(64, 24, seed=1)}]
    done = run(source, "quantize-weights{method=gptq}", data=data)
    assert remarks(done, "note") == ["its inputs are not known: nearest codes"]


@pytest.mark.parametrize(
    "passes",
    [
        "quantize-weights",
        "quantize-dynamic",
        "quantize-weights{bits=4,head=4}, fuse-matmul-nbits",
        "compress-weights{levels=256}",
    ],
)
@pytest.mark.parametrize("sizes", ["64", "2,3,64", "0,64"])
def test_other_operands_of_any_rank(passes: str, sizes: str) -> None:
    shape = tuple(int(size) for size in sizes.split(","))
    result = ",".join([*sizes.split(",")[:-1], "24"])
    text = f"g (float[{sizes}] x) => (float[{result}] y) {{ y = MatMul (x, w) }}"
    source = model_of(text, {"w": draw(64, 24)})
    done = run(source, passes)
    x = {"x": draw(*shape, seed=1)}
    found, reference = runtime_answers(done.model, x), answers(source, x)
    assert found.shape == reference.shape
    assert np.linalg.norm(found - reference) <= 0.13 * np.linalg.norm(reference)


@pytest.mark.parametrize("passes", ["quantize-weights", "quantize-dynamic", "compress-weights"])
def test_a_function_that_holds_its_weight(passes: str) -> None:
    numbers = ", ".join(str(number) for number in draw(64 * 24).round(2).tolist())
    source = onnx.parser.parse_model(f"""
        <ir_version: 10, opset_import: ["": 21, "f": 1]>
        g (float[B,64] x) => (float[B,24] y) {{ y = f.layer (x) }}
        <domain: "f", opset_import: ["": 21]>
        layer (a) => (b) {{
            w = Constant <value = float[64,24] {{{numbers}}}> ()
            b = MatMul (a, w)
        }}""")
    done = run(source, passes)
    x = {"x": draw(5, 64, seed=1)}
    assert distance(runtime_answers(done.model, x), answers(source, x)) < 0.15


@pytest.mark.parametrize(
    "options",
    ["bits=3", "head=2", "tables=4", "block=24", "block=8", "damping=0", "only=Add", "method=x"],
)
def test_options_that_make_no_sense(options: str) -> None:
    with pytest.raises(SpecError):
        run(model_of(PRODUCT, {"w": draw(64, 24)}), f"quantize-weights{{{options}}}")


def test_options_print_and_parse_back() -> None:
    item = QuantizeWeights(bits=4, block=None, method="gptq", only=("MatMul",), exclude=("a", "b"))
    assert item.spec == ("quantize-weights{bits=4,block=none,method=gptq,only=MatMul,exclude=a/b}")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_it_stops_where_it_is_told_to(count: int) -> None:
    from burnish.driver import optimize
    from burnish.passdef import Exactness

    source = model_of(TWO, {"w": draw(64, 64), "v": draw(64, 24, seed=2)})
    done = optimize(source, passes="quantize-weights", allow=Exactness.LOSSY, stop_after=count)
    assert ops(done.model).count("DequantizeLinear") == count
