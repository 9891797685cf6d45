"""What ``Shapes`` says, what it trusts, and what ``infer`` writes into a model."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

from burnish.ir import DataType, Model, Shape, Tensor, Value, from_proto, nested_graphs
from burnish.shapes import Shapes, SymbolicTensor, infer
from burnish.symbolic import Expr, has_unknown, symbol

BATCH, SEQ, PAST = symbol("batch"), symbol("seq"), symbol("past")


def parse(body: str, opset: int = 17) -> Model:
    return from_proto(
        onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>{body}')
    )


def values_of(model: Model) -> dict[str, Value]:
    found = {value.name or "": value for value in model.graph.inputs}
    for node in model.graph:
        found.update((value.name or "", value) for value in node.outputs)
    return found


def contents(model: Model, name: str) -> SymbolicTensor:
    held = Shapes(model).contents(values_of(model)[name])
    assert held is not None
    return held


def test_a_transformer_chain_collapses_to_symbols() -> None:
    model = parse("""
        m (float[batch, seq, 128] x, float[batch, 4, past, 32] k) => (float y) {
            zero = Constant<value_int=0>()
            one = Constant<value_int=1>()
            two = Constant<value_int=2>()
            axes = Constant<value_ints=[0]>()
            heads = Constant<value_ints=[4]>()
            rest = Constant<value_ints=[-1]>()
            xs = Shape(x)
            ks = Shape(k)
            b = Gather(xs, zero)
            s = Gather(xs, one)
            p = Gather(ks, two)
            total = Add(p, s)
            bu = Unsqueeze(b, axes)
            su = Unsqueeze(s, axes)
            tu = Unsqueeze(total, axes)
            shape = Concat<axis=0>(bu, su, heads, rest)
            r = Reshape(x, shape)
            t = Transpose<perm=[0, 2, 1, 3]>(r)
            kv = Concat<axis=2>(k, t)
            ms = Concat<axis=0>(bu, tu)
            y = ConstantOfShape(ms)
        }""")
    shapes, values = Shapes(model), values_of(model)
    assert shapes.contents(values["shape"]) == SymbolicTensor(
        DataType.INT64, (4,), (BATCH, SEQ, 4, -1)
    )
    assert shapes.shape(values["r"]) == (BATCH, SEQ, 4, 32)
    assert shapes.shape(values["kv"]) == (BATCH, 4, PAST + SEQ, 32)
    assert shapes.shape(values["y"]) == (BATCH, PAST + SEQ)
    assert shapes.dtype(values["y"]) == DataType.FLOAT
    assert not shapes.is_static(values["y"])
    assert shapes.is_static(values["axes"])


def test_rank_is_kept() -> None:
    model = parse("""
        m (float[batch, seq] x) => (int64 y) {
            s = Shape(x)
            two = Constant<value_ints=[2, 1]>()
            column = Reshape(s, two)
            y = Transpose(column)
        }""")
    assert contents(model, "column").shape == (2, 1)
    assert contents(model, "y") == SymbolicTensor(DataType.INT64, (1, 2), (BATCH, SEQ))


def test_float_detour_of_constants() -> None:
    model = parse("""
        m (float[batch] x) => (int64 y) {
            d = Constant<value_int=32>()
            f = Cast<to=1>(d)
            h = Sqrt(f)
            q = Div(f, h)
            w = Floor(q)
            y = Cast<to=7>(w)
        }""")
    assert contents(model, "y").elements == (5,)
    assert contents(model, "h").elements == (float(np.sqrt(np.float32(32))),)


def test_expand_pattern_of_exporters_is_decided() -> None:
    # Where(shape == -1, 1, shape): a size is never -1.
    model = parse("""
        m (float[batch, seq] x) => (int64 y) {
            s = Shape(x)
            minus = Constant<value_int=-1>()
            one = Constant<value_ints=[1, 1]>()
            is_open = Equal(s, minus)
            y = Where(is_open, one, s)
        }""")
    assert contents(model, "y").elements == (BATCH, SEQ)


def test_what_may_wrap_or_round_stays_unknown() -> None:
    model = parse("""
        m (float[batch, seq] x) => (int64 y) {
            s = Shape(x)
            three = Constant<value_int=3>()
            neg = Sub(s, three)
            half = Div(neg, three)
            small = Cast<to=3>(s)
            big = Constant<value_int=9223372036854775807>()
            y = Add(big, three)
        }""")
    for name in ("half", "small", "y"):
        assert all(has_unknown(e) for e in contents(model, name).dims() or ()), name
    assert contents(model, "neg").elements == (BATCH - 3, SEQ - 3)


def test_unknown_sizes_are_followed_but_never_mixed_up() -> None:
    model = parse("""
        m (float[batch, 4] x, bool[batch] c) => (float y) {
            n = NonZero(c)
            k = NonZero(c)
            t = Transpose(n)
            a = Cast<to=1>(t)
            b = Relu(a)
            y = Transpose(k)
        }""")
    shapes, values = Shapes(model), values_of(model)
    assert shapes.known_equal_shapes(values["a"], values["b"])
    assert not shapes.known_equal_shapes(values["t"], values["y"])


def test_input_names_and_placeholders() -> None:
    model = parse("m (float[batch, N] x, float[batch, N] z) => (float y) { y = Add(x, z) }")
    values = values_of(model)
    assert Shapes(model).known_equal_shapes(values["x"], values["z"])
    for name in ("x", "z"):
        values[name].shape = Shape(["batch", "?"])
    shapes = Shapes(model)
    assert not shapes.known_equal_shapes(values["x"], values["z"])
    assert shapes.shape(values["y"]) is not None


def test_expressions_in_input_dims() -> None:
    model = parse("m (float[batch, past, 2] x, float[batch, n, 2] z) => (float y) { y = Relu(z) }")
    values_of(model)["z"].shape = Shape(["batch", "past+seq", 2])
    assert Shapes(model).shape(values_of(model)["y"]) == (BATCH, PAST + SEQ, 2)


def test_declared_names_and_stale_sizes_of_intermediates_are_not_believed() -> None:
    model = parse("""
        m (float[batch, seq] x, bool[batch] c) => (float y)
        <float[1, batch] r, int64[1, 7] n> {
            r = Relu(x)
            n = NonZero(c)
            y = Neg(r)
        }""")
    shapes, values = Shapes(model), values_of(model)
    assert shapes.shape(values["r"]) == (BATCH, SEQ)
    # Nothing contradicts a declared 7 here, so it stands.
    assert shapes.shape(values["n"]) == (1, 7)


def test_custom_operators_have_their_declared_numbers_only() -> None:
    model = from_proto(
        onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
        m (float[batch, seq] x) => (float y) <float[3, batch] r> {
            r = mine.Strange(x)
            y = Relu(r)
        }""")
    )
    shape = Shapes(model).shape(values_of(model)["y"])
    assert shape is not None
    assert shape[0] == 3
    assert has_unknown(shape[1])


def test_if_branches_that_agree() -> None:
    model = parse("""
        m (float[batch, seq] x, bool c) => (float y) {
            y = If (c) <
                then_branch = a () => (float p) { p = Relu(x) },
                else_branch = b () => (float q) { w = Concat<axis=1>(x, x) q = Neg(w) }
            >
        }""")
    shapes = Shapes(model)
    shape = shapes.shape(values_of(model)["y"])
    assert shape is not None
    assert shape[0] == BATCH
    assert has_unknown(shape[1])
    assert shapes.dtype(values_of(model)["y"]) == DataType.FLOAT


def test_function_bodies_do_not_see_outer_names() -> None:
    model = from_proto(
        onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        m (float[batch, seq] x) => (float[] y) { y = local.f(x) }
        <domain: "local", opset_import: ["" : 13]>
        f <axis>(a) => (b) { s = Shape(a) c = Concat<axis: int = @axis>(a, a) b = Relu(c) }""")
    )
    shapes = Shapes(model)
    (function,) = model.functions.values()
    for node in function:
        for value in node.outputs:
            assert all(isinstance(d, Expr) and has_unknown(d) for d in shapes.shape(value) or ())
    assert shapes.shape(values_of(model)["y"]) is None


def test_overridable_initializers_are_not_constants() -> None:
    text = "m (float[batch, 6] x, int64[2] s) => (float y) <int64[2] s = {3, -1}> { y = Reshape(x, s) }"
    model = parse(text)
    shape = Shapes(model).shape(values_of(model)["y"])
    assert shape is not None
    assert len(shape) == 2
    assert all(has_unknown(dim) for dim in shape)


def test_long_chains_need_no_recursion() -> None:
    nodes = [onnx.helper.make_node("Relu", ["x0"], ["x1"])]
    nodes += [onnx.helper.make_node("Relu", [f"x{i}"], [f"x{i + 1}"]) for i in range(1, 12000)]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "chain", [info("x0", 1, ["batch", 3])], [info("x12000", 1, None)]
    )
    model = from_proto(onnx.helper.make_model(graph))
    assert Shapes(model).shape(model.graph.outputs[0]) == (BATCH, 3)


def test_products_that_grow_for_ever_are_given_up() -> None:
    nodes = [onnx.helper.make_node("Shape", ["x"], ["s0"])]
    nodes += [onnx.helper.make_node("Mul", [f"s{i}", f"s{i}"], [f"s{i + 1}"]) for i in range(60)]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "squares", [info("x", 1, ["batch", 3])], [info("s60", 7, [2])]
    )
    model = from_proto(onnx.helper.make_model(graph))
    last = Shapes(model).contents(model.graph.outputs[0])
    assert last is not None
    assert all(has_unknown(dim) for dim in last.dims() or ())


def test_invalid_nodes_have_no_facts_and_raise_nothing() -> None:
    model = parse("""
        m (float[2, 3] x) => (float[] y) {
            a = Constant<value_ints=[7]>()
            z = Gather<axis=5>(x, a)
            p = Transpose<perm=[0, 9]>(x)
            r = Reshape(a, a)
            y = Concat<axis=3>(x, x)
        }""")
    shapes = Shapes(model)
    for name in ("z", "p", "y"):
        assert shapes.shape(values_of(model)[name]) is None


# ---- infer ---------------------------------------------------------------------------------------


def test_infer_declares_intermediates_and_leaves_the_interface_alone() -> None:
    model = parse("""
        m (float[batch, seq, 8] x) => (float[odd, name] y)
        <float[1, 2, 3] stale> {
            s = Constant<value_ints=[0, -1]>()
            stale = Relu(x)
            r = Reshape(stale, s)
            y = Neg(r)
        }""")
    values = values_of(model)
    assert infer(model) == 3
    assert str(values["stale"].shape) == "[batch,seq,8]"
    assert str(values["r"].shape) == "[batch,8*seq]"
    assert values["r"].dtype == DataType.FLOAT
    assert str(values["y"].shape) == "[odd,name]"
    assert str(values["x"].shape) == "[batch,seq,8]"
    assert infer(model) == 0


def test_infer_keeps_a_declared_name_when_nothing_better_is_known() -> None:
    model = parse("""
        m (bool[batch] c) => (int64 y) <int64[1, hits] n> { n = NonZero(c) y = Neg(n) }""")
    infer(model)
    assert str(values_of(model)["n"].shape) == "[1,hits]"


def test_infer_reaches_subgraphs_and_asks_onnx_about_loops() -> None:
    model = parse("""
        m (float[batch, 4] x, int64 trips, bool go) => (float y) {
            last, all = Loop (trips, go, x) <body = b (int64 i, bool ok, state) => (bool on, next, scan) {
                on = Identity(ok)
                next = Relu(state)
                w = Concat<axis=1>(next, x)
                scan = Neg(x)
            }>
            y = Neg(last)
        }""")
    infer(model)
    (loop,) = [node for node in model.graph if node.op_type == "Loop"]
    (body,) = nested_graphs(loop)
    inner = {value.name: value for node in body for value in node.outputs}
    assert str(inner["scan"].shape) == "[batch,4]"
    assert inner["next"].dtype == DataType.FLOAT
    stacked = loop.outputs[1]
    assert stacked.dtype == DataType.FLOAT
    assert stacked.shape is not None
    assert len(stacked.shape) == 3


def test_infer_does_not_read_weights() -> None:
    class Unreadable(Tensor[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]):
        def numpy(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            raise AssertionError("weights were read")

        def tobytes(self) -> bytes:
            raise AssertionError("weights were read")

    model = parse("""
        m (float[batch, 1024] x) => (float y) <float[1024] w = {0.0}> {
            h = Add(x, w)
            s = SequenceConstruct(h)
            k = Constant<value_int=0>()
            y = SequenceAt(s, k)
        }""")
    (weight,) = model.graph.initializers.values()
    weight.const_value = Unreadable(np.zeros(1024, np.float32), name="w")
    infer(model)
    assert str(values_of(model)["h"].shape) == "[batch,1024]"


@pytest.mark.parametrize("opset", [6, 11, 13, 18, 21])
def test_attribute_and_input_forms_agree(opset: int) -> None:
    squeezed = (
        "u = Unsqueeze<axes=[1]>(x)"
        if opset < 13
        else "n = Constant<value = int64[1] {1}>() u = Unsqueeze(x, n)"
    )
    model = parse(f"m (float[batch, 6] x) => (float y) {{ {squeezed} y = Relu(u) }}", opset)
    assert Shapes(model).shape(values_of(model)["y"]) == (BATCH, 1, 6)
