"""What is computed at compile time, what is not, and what that may cost."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support import ops, reasons, run_passes

from burnish.driver import Optimized, optimize
from burnish.ir import Array, DataType, scopes
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.verify import verify

PASS = "fold-constants"
CLEAN = f"{PASS}, remove-dead-code"


def built(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Array],
    outputs: list[tuple[str, int, list[int]]],
    *,
    opset: int = 20,
    inputs: tuple[tuple[str, int, list[int]], ...] = (("x", TensorProto.FLOAT, [2]),),
) -> onnx.ModelProto:
    """A model from its parts."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
    )
    return made


def folded(source: onnx.ModelProto, passes: str = CLEAN) -> Optimized:
    """The result, checked against the source."""
    done = optimize(source, passes=passes)
    result = to_proto(done.model)
    onnx.checker.check_model(result, full_check=True)
    verdict = verify(source, result, exactness=Exactness.BITWISE)
    assert verdict.ok, verdict.text()
    return done


def test_chains_fold_to_one_constant() -> None:
    text = """g (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
        c = Mul(a, b) d = Exp(c) e = Neg(d)
        y = Add(x, e)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Add"]
    assert len(model.graph.initializers) == 1


def test_overridable_initializers_are_not_constant() -> None:
    text = """g (float[2] x, float[2] a) => (float[2] y) <float[2] a = {1, 2}> {
        b = Exp(a)
        y = Add(x, b)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Exp", "Add"]


def test_a_constant_output_stays_a_node_with_its_name() -> None:
    text = "g (float[2] x) => (float[2] y, float[2] z) <float[2] a = {1, 2}> { z = Exp(a) y = Add(x, z) }"
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Constant", "Add"]
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


@pytest.mark.parametrize(
    "draw",
    [
        "Bernoulli(p)",
        "RandomNormalLike(p)",
        "RandomUniformLike <seed = 1.0> (p)",
        "Dropout(p, half, yes)",
    ],
)
def test_random_operators_are_never_computed(draw: str) -> None:
    text = f"""g (float[2] x) => (float[2] y)
    <float[2] p = {{0.5, 0.5}}, float half = {{0.5}}, bool yes = {{1}}> {{
        a = {draw}
        b = Neg(a)
        y = Mul(x, b)
    }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == [draw.split(" ")[0].split("(")[0], "Neg", "Mul"]


# --- quantization


def test_quantized_constants_fold_and_dequantized_ones_never() -> None:
    text = """g (float[2] x) => (float[2] y)
    <float[2] w = {0.1, 0.2}, float scale = {0.01}, int8 zero = {0}> {
        q = QuantizeLinear(w, scale, zero)
        d = DequantizeLinear(q, scale, zero)
        e = Relu(d)
        y = Mul(x, e)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["DequantizeLinear", "Relu", "Mul"]
    assert model.graph.initializers["q"].dtype == DataType.INT8


def test_dequantization_in_a_branch_stays() -> None:
    text = """g (bool c, float[2] x) => (float[2] y) <int8[2] w = {1, 2}, float scale = {0.5}> {
        y = If (c) <
            then_branch = yes () => (float[2] p) { d = DequantizeLinear(w, scale) p = Mul(x, d) },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert "DequantizeLinear" in ops(model)


# --- growth


def grown(
    op: str, inputs: dict[str, Array], shape: list[int], dtype: int = 1, **more: Any
) -> list[str]:
    """Operators left of a graph that gathers rows of what ``op`` makes."""
    nodes = [
        helper.make_node(op, list(inputs), ["made"], **more),
        helper.make_node("Gather", ["made", "rows"], ["y"]),
    ]
    source = built(
        nodes,
        inputs,
        [("y", dtype, [2, *shape[1:]])],
        inputs=(("rows", TensorProto.INT64, [2]),),
    )
    done = folded(source)
    return ops(done.model)


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


@pytest.mark.parametrize("size", [(64, 64), (65, 64)])
def test_generators_stay_beyond_16_kib(size: tuple[int, int]) -> None:
    small = size == (64, 64)
    shape = list(size)
    one = np.ones((1, 1), np.float32)
    assert ("Expand" in grown("Expand", {"a": one, "s": ints(*size)}, shape)) is not small
    assert ("Tile" in grown("Tile", {"a": one, "s": ints(*size)}, shape)) is not small
    assert ("ConstantOfShape" in grown("ConstantOfShape", {"s": ints(*size)}, shape)) is not small


def test_a_long_range_stays_and_a_short_one_folds() -> None:
    for count, stays in ((2048, False), (2049, True)):
        operands = {"a": np.array(0), "b": np.array(count), "c": np.array(1)}
        assert ("Range" in grown("Range", operands, [count], TensorProto.INT64)) is stays


def test_one_hot_stays_lazy() -> None:
    operands = {"i": ints(*range(128)), "d": np.array(128), "v": np.array([0, 1], np.float32)}
    assert "OneHot" in grown("OneHot", operands, [128, 128])


def test_a_result_may_outgrow_what_it_frees_by_64_kib() -> None:
    column, row = np.ones((128, 1), np.float32), np.ones((1, 128), np.float32)
    assert grown("Add", {"a": column, "b": row}, [128, 128]) == ["Gather"]
    column = np.ones((256, 1), np.float32)
    assert grown("Add", {"a": column, "b": row}, [256, 128]) == ["Add", "Gather"]


def test_big_models_may_grow_more_up_to_4_mib() -> None:
    column, row = np.ones((512, 1), np.float32), np.ones((1, 1024), np.float32)
    small = {"a": column, "b": row}
    assert grown("Add", small, [512, 1024]) == ["Add", "Gather"]
    nodes = [
        helper.make_node("Add", ["a", "b"], ["made"]),
        helper.make_node("Gather", ["made", "rows"], ["y"]),
        helper.make_node("Gather", ["table", "rows"], ["z"]),
    ]
    # A sixteenth of 40 MiB is more than the 2 MiB that the sum takes.
    table = np.zeros((10, 1 << 20), np.float32)
    outputs = [("y", 1, [2, 1024]), ("z", 1, [2, 1 << 20])]
    source = built(nodes, {**small, "table": table}, outputs, inputs=(("rows", 7, [2]),))
    assert ops(optimize(source, passes=PASS).model) == ["Gather", "Gather"]


def test_the_growth_option() -> None:
    text = """g (float[2] x) => (float[2] y) <float[1] a = {1}, float[1, 1] b = {2}> {
        c = Concat <axis = 0> (a, a)
        y = Add(x, c)
    }"""
    model, records = run_passes(text, f"{PASS}{{growth=0}}")
    assert ops(model) == ["Concat", "Add"]
    assert reasons(records) == ["its 8 bytes would replace 4"]
    model, _ = run_passes(text, f"{PASS}{{growth=4}}")
    assert ops(model) == ["Add"]


def test_a_weight_that_is_transposed_only_costs_nothing() -> None:
    weight = np.zeros((512, 512), np.float32)
    assert grown("Transpose", {"w": weight}, [512, 512], perm=[1, 0]) == ["Gather"]


def test_a_weight_with_another_reader_is_not_freed() -> None:
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("Gather", ["t", "rows"], ["y"]),
        helper.make_node("Gather", ["w", "rows"], ["z"]),
    ]
    outputs = [(name, 1, [2, 512]) for name in "yz"]
    source = built(
        nodes, {"w": np.zeros((512, 512), np.float32)}, outputs, inputs=(("rows", 7, [2]),)
    )
    assert "Transpose" in ops(folded(source).model)


def test_a_generator_whose_result_shrinks_again_may_be_computed() -> None:
    text = """g (float[1] x) => (float[1] y) <int64[1] size = {65536}, int64[1] axes = {0}> {
        a = ConstantOfShape <value = float[1] {2}> (size)
        b = ReduceMax(a, axes)
        y = Add(x, b)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Add"]


# --- types


def test_strings() -> None:
    text = """g (string[2] x) => (bool[2] y, string[2] z) <string[2] a = {"a", "b"}, string[2] b = {"c", "d"}> {
        c = StringConcat(a, b)
        y = Equal(x, c)
        d = Identity(a)
        z = StringConcat(x, d)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert sorted(ops(model)) == ["Equal", "StringConcat"]
    (held,) = [v.const_value for v in model.graph.initializers.values() if v.name == "c"]
    assert held is not None
    assert held.numpy().tolist() == [b"ac", b"bd"]


@pytest.mark.parametrize(
    "dtype",
    [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, np.float16, np.float64],
)
@pytest.mark.parametrize("op", ["Identity", "Reshape", "Cast"])
def test_narrow_types_keep_their_bits(dtype: Any, op: str) -> None:
    numbers = np.array([0.0, -0.0, 1.5, -2.0], np.float32).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(numbers.dtype)
    weights: dict[str, Array] = {"w": numbers}
    inputs = ["w"]
    more: dict[str, Any] = {}
    if op == "Reshape":
        weights["s"] = ints(2, 2)
        inputs.append("s")
    if op == "Cast":
        weights["w"], more = numbers.astype(np.float32), {"to": kind}
    shape = [2, 2] if op == "Reshape" else [4]
    nodes = [
        helper.make_node(op, inputs, ["c"], **more),
        helper.make_node("Cast", ["c"], ["d"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "c32"], ["y"]),
        helper.make_node("Identity", ["c"], ["z"]),
    ]
    nodes[1].output[0] = "c32"
    source = built(
        nodes,
        weights,
        [("y", TensorProto.FLOAT, shape), ("z", kind, shape)],
        inputs=(("x", TensorProto.FLOAT, shape),),
    )
    done = folded(source)
    constants = [node for node in done.model.graph if node.op_type == "Constant"]
    assert ops(done.model) in (["Constant", "Add"], ["Add", "Constant"])
    held = constants[0].attributes["value"].as_tensor()
    assert held.dtype == DataType(kind)
    assert held.tobytes() == numbers.tobytes()


def test_what_only_the_reference_evaluator_computes_folds_too() -> None:
    # ONNX Runtime has no kernel for Neg of bfloat16.
    numbers = np.array([1.5, -0.0], ml_dtypes.bfloat16)
    nodes = [
        helper.make_node("Neg", ["w"], ["c"]),
        helper.make_node("Cast", ["c"], ["d"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "d"], ["y"]),
    ]
    source = built(nodes, {"w": numbers}, [("y", TensorProto.FLOAT, [2])])
    done = folded(source)
    assert ops(done.model) == ["Add"]


def test_a_sequence_is_no_constant() -> None:
    text = """g (int64 i) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}, int64 one = {1}> {
        s = SequenceConstruct(a, b, a, b)
        e = SequenceAt(s, i)
        f = SequenceAt(s, one)
        y = Add(e, f)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model)[:2] == ["SequenceConstruct", "SequenceAt"]


# --- scopes


def test_branches_loops_and_functions() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (bool c, float[2] x) => (float[2] z) <float[2] w = {1, 2}> {
        y = If (c) <
            then_branch = yes () => (float[2] p) <float[2] k = {3, 4}> {
                a = Mul(w, k) p = Add(x, a) },
            else_branch = no () => (float[2] q) { q = Exp(w) }>
        z = local.f(y)
    }
    <domain: "local", opset_import: ["": 20]>
    f (a) => (b) { c = Constant <value = float[2] {1, 2}> () d = Exp(c) b = Mul(a, d) }"""
    model, _ = run_passes(text, CLEAN)
    found = [[node.op_type for node in scope.graph] for scope in scopes(model)]
    assert found[0] == ["If", "f"]
    assert sorted(found[1:]) == [["Add"], ["Constant"], ["Constant", "Mul"]]
    assert not any(scope.graph.initializers for scope in scopes(model) if scope.function)


def test_loop_state_is_not_the_constant_it_starts_with() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}, float[2] zero = {0, 0}> {
        y = Loop (n, go, zero) <body = s (int64 i, bool m, float[2] t) => (bool o, float[2] u) {
            o = Identity(m) e = Exp(t) u = Add(e, x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert "Exp" in ops(model)


def test_attributes_of_the_function_s_caller_are_not_known() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (float[2] x) => (float[2] y) { a = local.f <s = 0.5> (x) y = local.f <s = 2.0> (a) }
    <domain: "local", opset_import: ["": 20]>
    f <s> (a) => (b) {
        c = Constant <value = float[2] {-1, -2}> ()
        d = LeakyRelu <alpha: float = @s> (c)
        b = Mul(a, d)
    }"""
    model, _ = run_passes(text, PASS)
    assert "LeakyRelu" in ops(model)


def test_what_cannot_be_evaluated_stays_and_does_not_hold_up_the_rest() -> None:
    # The Reshape does not fit; the model is wrong only if that branch is taken.
    text = """g (float[2] x, bool c) => (float[2] y) <float[2] a = {1, 2}, int64[1] bad = {7}> {
        good = Exp(a)
        t = If (c) <
            then_branch = yes () => (float[N] p) { r = Reshape(a, bad) p = Neg(r) },
            else_branch = no () => (float[N] q) { q = Neg(x) }>
        y = Add(x, good)
    }"""
    source = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    model, records = optimize(source, passes=PASS)
    assert "Exp" not in ops(model)
    assert "Reshape" in ops(model)
    assert any("cannot be evaluated" in why for why in reasons(records))


def test_an_empty_constant() -> None:
    nodes = [
        helper.make_node("Concat", ["e", "w"], ["c"], axis=0),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    weights = {"e": np.zeros(0, np.float32), "w": np.ones(2, np.float32)}
    assert ops(folded(built(nodes, weights, [("y", 1, [2])])).model) == ["Add"]
