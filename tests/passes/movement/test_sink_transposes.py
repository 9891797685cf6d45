"""Where Transposes move through operators, and where they stay."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.ir import Model, attribute, constant_array
from burnish.saving import to_proto
from burnish.text import model_text, parse_model

PASS = "sink-transposes"
SUMS = "sink-transposes-through-sums"
TO_LAST = "Transpose <perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose <perm = [0, 3, 1, 2]>"


def between(body: str, passes: str = PASS, *, opset: int = 18, more: str = "") -> Model:
    """``body`` computes b from a, channels last, between Transposes from and to channels first."""
    text = f"""agraph (float[N,4,6,8] x{more}) => (float[n,c,h,w] y) {{
        a = {TO_LAST} (x)
        {body}
        y = {TO_FIRST} (b)
    }}"""
    return run_passes(text, passes, opset=opset)[0]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("b = Relu(a)", ["Relu"]),
        ("c = Constant <value = float[4] {1, 2, 3, 4}> () b = Add(a, c)", ["Add"]),
        ("c = Constant <value = float[4] {1, 2, 3, 4}> () b = PRelu(a, c)", ["PRelu"]),
        ("c = Constant <value = float {2}> () b = Mul(c, a)", ["Mul"]),
        ("b = Concat <axis = -1> (a, a)", ["Concat"]),
        ("p, q = Split <axis = 3, num_outputs = 2> (a) b = Concat <axis = 3> (q, p)", None),
        (("s = Constant <value_ints = [1, 1]> () e = Constant <value_ints = [5, 7]> () "
         "i = Constant <value_ints = [1, -2]> () b = Slice(a, s, e, i)"), ["Slice"]),
        ("p = Constant <value_ints = [0, 1, 2, 0, 0, 1, 2, 0]> () b = Pad(a, p)", ["Pad"]),
        (("s = Constant <value = float[4] {1, 2, 2, 1}> () b = Resize <mode = \"nearest\"> "
         "(a, , s)"), ["Resize"]),
        ("i = Constant <value_ints = [1, 0]> () b = Gather <axis = -1> (a, i)", ["Gather"]),
        ("t = Constant <value_ints = [1, 2, 1, 3]> () b = Tile(a, t)", ["Tile"]),
        ("z = Constant <value_int = -1> () b = CumSum(a, z)", ["CumSum"]),
        ("i = ArgMax <axis = 3> (a) b = Cast <to = 1> (i)", ["ArgMax", "Cast"]),
        ("z = Constant <value = float {0}> () m = Greater(a, z) b = Where(m, a, z)",
         ["Greater", "Where"]),
        (("s = Constant <value = float[4] {1, 2, 3, 4}> () z = Constant <value = int8[4] {0,0,0,0}>"
         " () q = QuantizeLinear <axis = 3> (a, s, z) b = DequantizeLinear <axis = -1> (q, s, z)"),
         ["QuantizeLinear", "DequantizeLinear"]),
        ("o = Constant <value_ints = [1]> () u = Unsqueeze(a, o) r = Relu(u) b = Squeeze(r, o)",
         ["Unsqueeze", "Relu", "Squeeze"]),
        (("s = Constant <value_ints = [0, 48, 4]> () t = Reshape(a, s) r = Relu(t) "
         "z = Constant <value_ints = [0, 6, 8, 4]> () b = Reshape(r, z)"),
         ["Reshape", "Relu", "Reshape"]),
    ],
)  # fmt: skip
def test_passes_through(body: str, left: list[str] | None) -> None:
    found = [op for op in ops(between(body)) if op != "Constant"]
    assert "Transpose" not in found
    assert left is None or found == left


@pytest.mark.parametrize(
    "body",
    [
        "i = Constant <value_ints = [1, 2]> () b = ReduceMean(a, i)",
        "b = Softmax <axis = -1> (a)",
        "b = LogSoftmax <axis = 1> (a)",
        's = Constant <value = float[4] {1, 2, 2, 1}> () b = Resize <mode = "linear"> (a, , s)',
    ],
)
def test_sums_only_when_rounding_may_differ(body: str) -> None:
    assert "Transpose" in ops(between(body))
    assert "Transpose" not in ops(between(body, SUMS))


def test_pad_names_its_axes_anew() -> None:
    """Not run: ONNX Runtime 1.31 itself moves Transposes through a Pad with axes, wrongly."""
    text = f"""agraph (float[1,4,6,8] x) => (float[a,b,c,d] y) {{
        p = Constant <value_ints = [1, 2, 0, 1]> ()
        i = Constant <value_ints = [1, -1]> ()
        a = {TO_LAST} (x)
        b = Pad(a, p, , i)
        y = {TO_FIRST} (b)
    }}"""
    model = optimize(to_proto(parse_model(text, opset=18)), passes=PASS).model
    pad = next(node for node in model.graph if node.op_type == "Pad")
    axes = constant_array(pad.inputs[3])
    assert axes is not None
    assert axes.tolist() == [2, 1]
    assert "Transpose" not in ops(model)


def test_softmax_of_several_axes_at_once_stays() -> None:
    """Before opset 13 Softmax takes all axes from its axis on together."""
    assert ops(between("b = Softmax <axis = 2> (a)", SUMS, opset=12)).count("Transpose") == 2


@pytest.mark.parametrize("opset", [9, 12])
def test_older_opsets_name_axes_in_attributes(opset: int) -> None:
    body = "u = Unsqueeze <axes = [1]> (a) r = Relu(u) b = Squeeze <axes = [1]> (r)"
    assert ops(between(body, opset=opset)) == ["Unsqueeze", "Relu", "Squeeze"]


def test_linear_resize_of_leading_axes_stays() -> None:
    """Runtimes interpolate along the last axes only."""
    text = f"""agraph (float[1,4,6,8] x) => (float[a,b,c,d] y) {{
        s = Constant <value = float[4] {{1, 1, 2, 2}}> ()
        a = {TO_FIRST} (x)
        b = Resize <mode = "linear"> (a, , s)
        y = {TO_LAST} (b)
    }}"""
    assert ops(run_passes(text, SUMS)[0]).count("Transpose") == 2


def test_a_computed_operand_of_lower_rank_gets_axes() -> None:
    model = between("d = Sigmoid(c) b = Add(a, d)", more=", float[4] c")
    assert ops(model) == ["Sigmoid", "Unsqueeze", "Add"]


def test_an_operand_that_would_have_to_be_transposed_as_well() -> None:
    """[6,8,4] has as many elements as what is saved for a batch of one: nothing is proven."""
    text = f"""agraph (float[1,4,6,8] x, float[1,6,8,4] c) => (float[a,b,c,d] y) {{
        a = {TO_LAST} (x)
        b = Add(a, c)
        y = Relu(b)
    }}"""
    assert ops(run_passes(text, PASS)[0]) == ["Transpose", "Add", "Relu"]


def test_nothing_moves_where_nothing_is_saved() -> None:
    text = f"""agraph (float[1,4,6,8] x) => (float[a,b,c,d] y, float[e,f,g,h] z) {{
        a = {TO_LAST} (x)
        b = Relu(a)
        y = Sigmoid(b)
        z = Neg(b)
    }}"""
    _, records = run_passes(text, PASS)
    assert not any(record.diff for record in records)


def test_a_graph_output_keeps_name_and_contents() -> None:
    text = f"""agraph (float[1,4,6,8] x) => (float[1,6,8,4] b, float[1,4,6,8] y) {{
        a = {TO_LAST} (x)
        b = Relu(a)
        c = Neg(b)
        y = {TO_FIRST} (c)
    }}"""
    model, _ = run_passes(text, PASS)
    assert sorted(ops(model)) == ["Neg", "Relu", "Transpose"]
    assert [value.name for value in model.graph.outputs] == ["b", "y"]


def test_two_outputs_of_one_value_keep_a_transpose() -> None:
    text = f"""agraph (float[1,4,6,8] x) => (float[1,4,6,8] y, float[1,4,6,8] z) {{
        a = {TO_LAST} (x)
        b = Relu(a)
        y = {TO_FIRST} (b)
        z = {TO_FIRST} (b)
    }}"""
    model, _ = run_passes(text, PASS)
    assert len(set(model.graph.outputs)) == 2


def test_a_value_read_in_a_subgraph_keeps_its_layout() -> None:
    text = f"""agraph (float[1,4,6,8] x, bool p) => (float[1,4,6,8] y, float[a,b,c,d] z) {{
        a = {TO_LAST} (x)
        b = Relu(a)
        y = {TO_FIRST} (b)
        z = If (p) <
            then_branch = g1 () => (float[a,b,c,d] t) {{ t = Neg(b) }},
            else_branch = g2 () => (float[a,b,c,d] e) {{ e = Abs(b) }}
        >
    }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("Transpose") == 1


def test_a_large_constant_is_not_stored_twice() -> None:
    text = f"""agraph (float[1,4,6,8] x, float[1,60,80,4] v) => (float[1,4,60,80] y, float[a,b,c,d] z)
        <float[1,60,80,4] c> {{
        s = Constant <value = float[4] {{1, 10, 10, 1}}> ()
        a = {TO_LAST} (x)
        r = Resize <mode = "nearest"> (a, , s)
        b = Add(r, c)
        y = {TO_FIRST} (b)
        z = Add(v, c)
    }}""".replace("float[1,60,80,4] c>", "float[1,60,80,4] c = {" + ",".join(["1"] * 19200) + "}>")
    model, _ = run_passes(text, PASS)
    assert sum(held.const_value.nbytes for held in model.graph.initializers.values()) < 80_000
    assert "Transpose" in ops(model)


def test_equal_transposes_before_a_concat_become_one() -> None:
    text = f"""agraph (float[1,2,3,4] x, float[1,5,3,4] z) => (float[1,3,4,7] y) {{
        a = {TO_LAST} (x)
        b = {TO_LAST} (z)
        y = Concat <axis = 3> (a, b)
    }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Concat", "Transpose"]
    assert attribute(model.graph[0], "axis") == 1


def test_a_transpose_of_axes_of_size_one_vanishes_in_a_reshape() -> None:
    text = """agraph (float[N,6] x) => (float[N,1,3,2] y) {
        s = Constant <value_ints = [-1, 3, 2, 1]> ()
        a = Reshape(x, s)
        b = Transpose <perm = [0, 3, 1, 2]> (a)
        y = Relu(b)
    }"""
    model, _ = run_passes(text, PASS)
    assert [op for op in ops(model) if op != "Constant"] == ["Reshape", "Relu"]
    reshape = next(node for node in model.graph if node.op_type == "Reshape")
    found = constant_array(reshape.inputs[1])
    assert found is not None
    assert found.tolist()[1:] == [1, 3, 2]


def test_axes_that_a_reshape_mixes_stay() -> None:
    """Heads of anchors: the channels are split behind height and width."""
    text = f"""agraph (float[1,6,3,4] x) => (float[1,36,2] y) {{
        s = Constant <value_ints = [1, -1, 2]> ()
        a = {TO_LAST} (x)
        y = Reshape(a, s)
    }}"""
    _, records = run_passes(text, PASS)
    assert not any(record.diff for record in records)


def test_the_smaller_side_of_an_operator_is_transposed() -> None:
    text = """agraph (float[N,8,6,4] x) => (float[n,c,h] y) {
        i = Constant <value_int = 2> ()
        a = Transpose <perm = [0, 2, 3, 1]> (x)
        b = Gather <axis = 1> (a, i)
        y = Relu(b)
    }"""
    model, _ = run_passes(text, PASS)
    assert [op for op in ops(model) if op != "Constant"] == ["Gather", "Transpose", "Relu"]


def test_attention_heads_stay_as_they_are() -> None:
    """Three small Transposes for one large would be more nodes."""
    text = """agraph (float[B,S,3,4,8] x) => (float[b,h,s,t] y) {
        i = Constant <value_int = 0> ()
        j = Constant <value_int = 1> ()
        t = Transpose <perm = [2, 0, 3, 1, 4]> (x)
        q = Gather <axis = 0> (t, i)
        k = Gather <axis = 0> (t, j)
        u = Transpose <perm = [0, 1, 3, 2]> (k)
        y = MatMul(q, u)
    }"""
    model, _ = run_passes(text, f"{PASS}, {SUMS}")
    assert ops(model).count("Transpose") <= 2


def test_long_chains() -> None:
    chain = "\n".join(f"c{i + 1} = {'Relu' if i % 2 else 'Neg'}(c{i})" for i in range(3000))
    text = f"""agraph (float[1,2,3,4] x) => (float[1,2,3,4] y) {{
        c0 = {TO_LAST} (x)
        {chain}
        y = {TO_FIRST} (c3000)
    }}"""
    model, _ = run_passes(text, PASS)
    assert "Transpose" not in ops(model)


def test_runs_twice_alike() -> None:
    text = f"""agraph (float[1,4,6,8] x) => (float[1,4,6,8] y) {{
        a = {TO_LAST} (x)
        b = Relu(a)
        y = {TO_FIRST} (b)
    }}"""
    once, twice = run_passes(text, PASS)[0], run_passes(text, f"{PASS}, {PASS}")[0]
    assert model_text(once) == model_text(twice)
