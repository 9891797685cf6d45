"""Moving codes: which operators, which axis, who gains, and that it ends."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "propagate-quantization"
BOTH = f"{PASS}, cancel-requantize"
_HEADER = """float s = {0.5}, float t = {0.25}, uint8 z = {3}, int64[2] six = {2, 12},
    int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[4] tiles = {1, 2, 1, 1},
    int64[4] wide = {2, 1, 3, 4}, int64 first = {0}"""


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize(
    ("move", "rank"),
    [
        ("Transpose <perm = [0, 2, 3, 1]> (x)", 4),
        ("Reshape(x, six)", 2),
        ("Flatten(x)", 2),
        ("Squeeze(x, zero)", 3),
        ("Unsqueeze(x, two)", 5),
        ("Slice(x, one, two, two)", 4),
        ("Gather <axis = 2> (x, first)", 3),
        ("Expand(x, wide)", 4),
        ("Tile(x, tiles)", 4),
        ("MaxPool <kernel_shape = [2, 2], pads = [1, 1, 1, 1]> (x)", 4),
    ],
)
def test_what_only_moves_works_on_codes(kind: str, move: str, rank: int) -> None:
    names = ",".join(f"d{i}" for i in range(rank))
    header = _HEADER.replace("uint8 z", f"{kind} z")
    text = f"""g ({kind}[1,2,3,4] q) => ({kind}[{names}] y) <{header}> {{
        x = DequantizeLinear(q, s, z)
        m = {move}
        y = QuantizeLinear(m, s, z)
    }}"""
    model, _ = run_passes(text, BOTH)
    assert ops(model) in ([move.split()[0].split("(")[0]], ["Identity"])


@pytest.mark.parametrize(
    "move",
    [
        "AveragePool <kernel_shape = [2, 2]> (x)",
        "Relu(x)",
        "Softmax(x)",
        "ReduceMean(x)",
        "DepthToSpace <blocksize = 1> (x)",
    ],
)
def test_what_calculates_stays(move: str) -> None:
    text = f"""g (uint8[1,2,3,4] q) => (uint8[a,b,c,d] y) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z) m = {move} y = QuantizeLinear(m, s, z) }}"""
    model, _ = run_passes(text, BOTH)
    assert len(ops(model)) == 3


def test_only_where_somebody_gains() -> None:
    text = f"""g (uint8[2,3] q) => (float[3,2] y) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z) m = Transpose(x) y = Tanh(m) }}"""
    assert ops(run_passes(text, BOTH)[0]) == ["DequantizeLinear", "Transpose", "Tanh"]


def test_other_parameters_behind_are_no_gain() -> None:
    text = f"""g (uint8[2,3] q) => (uint8[3,2] y) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z) m = Transpose(x) y = QuantizeLinear(m, t, z) }}"""
    assert ops(run_passes(text, BOTH)[0]) == ["DequantizeLinear", "Transpose", "QuantizeLinear"]


def test_a_product_meets_its_codes() -> None:
    text = f"""g (uint8[2,3] q, uint8[2,4] p) => (float[3,4] y) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z)
        m = Transpose(x)
        n = DequantizeLinear(p, t, z)
        y = MatMul(m, n) }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Transpose", "DequantizeLinear", "DequantizeLinear", "MatMul"]


def test_a_convolution_is_quantized_where_it_ends() -> None:
    text = f"""g (uint8[1,2,4,4] q) => (uint8[1,4,4,2] y)
        <{_HEADER}, int8[2,2,1,1] w = {{1, -2, 3, 4}}> {{
        x = DequantizeLinear(q, s, z)
        k = DequantizeLinear(w, t)
        c = Conv(x, k)
        m = Transpose <perm = [0, 2, 3, 1]> (c)
        y = QuantizeLinear(m, t, z) }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model)[2:] == ["Conv", "QuantizeLinear", "Transpose"]


def test_a_shared_dequantization_stays_for_the_others() -> None:
    text = f"""g (uint8[2,3] q) => (uint8[3,2] y, float[2,3] w) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z) m = Transpose(x) y = QuantizeLinear(m, s, z) w = Tanh(x) }}"""
    model, _ = run_passes(text, BOTH)
    assert sorted(ops(model)) == ["DequantizeLinear", "Tanh", "Transpose"]


def test_a_shared_dequantization_does_not_move_towards_a_product() -> None:
    text = f"""g (uint8[2,3] q, uint8[2,4] p) => (float[3,4] y, float[2,3] w) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z) m = Transpose(x) n = DequantizeLinear(p, t, z)
        y = MatMul(m, n) w = Tanh(x) }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("DequantizeLinear") == 2
    assert ops(model).index("DequantizeLinear") < ops(model).index("Transpose")


def test_one_scale_for_all_operands_of_a_concat() -> None:
    text = f"""g (uint8[2,3] p, uint8[2,3] q) => (float[4,3] y) <{_HEADER}, float u = {{0.5}}> {{
        a = DequantizeLinear(p, s, z) b = DequantizeLinear(q, u, z)
        c = Concat <axis = 0> (a, b, a) y = Slice(c, zero, four) }}"""
    text = text.replace("int64 first", "int64[1] four = {4}, int64 first")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Concat", "DequantizeLinear", "Slice"]


def test_different_scales_of_a_concat_stay() -> None:
    text = f"""g (uint8[2,3] p, uint8[2,3] q) => (float[4,3] y) <{_HEADER}> {{
        a = DequantizeLinear(p, s, z) b = DequantizeLinear(q, t, z)
        y = Concat <axis = 0> (a, b) }}"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["DequantizeLinear", "DequantizeLinear", "Concat"]
    assert "differ" in reasons(records)[0]


@pytest.mark.parametrize(
    ("move", "axis", "moved"),
    [
        ("Transpose <perm = [2, 0, 1]> (a)", 1, 2),
        ("Transpose(a)", 0, 2),
        ("Unsqueeze(a, one)", 1, 2),
        ("Unsqueeze(a, two)", 1, 1),
        ("Slice(a, zero, one, two)", 1, 1),
        ("Gather(a, picks)", 1, 2),
        ("Gather <axis = 2> (a, picks)", 1, 1),
        ("Transpose <perm = [2, 0, 1]> (a)", -2, 2),
        ("Slice(a, zero, one, one)", 1, None),
        ("Gather <axis = 1> (a, picks)", 1, None),
        ("Reshape(a, flat)", 1, None),
    ],
)
def test_the_axis_of_the_scales_moves_along(move: str, axis: int, moved: int | None) -> None:
    size = (2, 3, 2)[axis]
    scales = ", ".join(["0.5", "0.25", "2.0"][:size])
    codes = ", ".join(str(number) for number in range(12))
    text = f"""g (float x, int64[1,2] picks) => (float[r] y) <{_HEADER}, int64[1] flat = {{12}},
        int8[2,3,2] w = {{{codes}}}, float[{size}] scales = {{{scales}}}> {{
        a = DequantizeLinear <axis = {axis}> (w, scales) m = {move} v = Mul(m, x)
        y = Reshape(v, all) }}"""
    text = text.replace("int64 first", "int64[1] all = {-1}, int64 first")
    if "picks" not in move:
        text = text.replace(", int64[1,2] picks", "")
    else:
        text = text.replace("(float x, int64[1,2] picks)", "(float x)").replace(
            "int64[1] flat", "int64[1,2] picks = {1, 0}, int64[1] flat"
        )
    model, records = run_passes(text, PASS)
    (found,) = (node for node in model.graph if node.op_type == "DequantizeLinear")
    if moved is None:
        assert ops(model)[0] == "DequantizeLinear"
        assert any("axis" in why for why in reasons(records))
    else:
        assert ops(model)[1] == "DequantizeLinear"
        assert found.attributes["axis"].value == moved


def test_a_table_is_looked_up_by_its_codes() -> None:
    text = f"""g (int64[2] i) => (float[2,3] y) <{_HEADER}, int8[2,3] w = {{1, 2, 3, 4, 5, 6}}> {{
        a = DequantizeLinear(w, s) y = Gather(a, i) }}"""
    text = text.replace("(int64[2] i)", "(float[2] f)").replace(
        "a = Deq", "k = Floor(f) l = Cast <to = 7> (k) m = Mul(l, first) i = Abs(m) a = Deq"
    )
    model, _ = run_passes(text, PASS)
    assert ops(model)[-2:] == ["Gather", "DequantizeLinear"]


@pytest.mark.parametrize("product", ["MatMul(x, m)", "Gemm(x, m)"])
def test_weights_of_a_product_of_numbers_keep_their_distance(product: str) -> None:
    text = f"""g (float[1,3] x) => (float[1,2] y) <{_HEADER}, int8[2,3] w = {{1, 2, 3, 4, 5, 6}}> {{
        a = DequantizeLinear(w, s) m = Transpose(a) y = {product} }}"""
    model, records = run_passes(text, PASS)
    # Side by side, ONNX Runtime would round x to 8 bits as well.
    assert ops(model) == ["DequantizeLinear", "Transpose", product.split("(")[0]]
    assert "quantize the other operand" in reasons(records)[0]


def test_blocks_stay() -> None:
    text = """g (float[2,4] x) => (float[2,4] y)
        <int8[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2,2] s = {1, 2, 3, 4}> {
        a = DequantizeLinear <axis = 0, block_size = 2> (w, s) m = Transpose(a) y = Add(x, m) }"""
    model, records = run_passes(text, PASS, opset=21)
    assert ops(model) == ["DequantizeLinear", "Transpose", "Add"]
    assert "blocks" in reasons(records)[0]


def test_the_largest_number_has_the_smallest_code_when_the_scale_is_negative() -> None:
    text = f"""g (uint8[1,1,4,4] q) => (uint8[1,1,3,3] y) <{_HEADER}> {{
        x = DequantizeLinear(q, s, z) m = MaxPool <kernel_shape = [2, 2]> (x)
        y = QuantizeLinear(m, s, z) }}""".replace("{0.5}", "{-0.5}")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["DequantizeLinear", "MaxPool", "QuantizeLinear"]
    assert "positive scale" in reasons(records)[0]


def test_a_long_chain_settles_in_one_run() -> None:
    moves = "\n".join(f"x{i + 1} = Transpose <perm = [1, 0]> (x{i})" for i in range(6))
    text = f"""g (uint8[2,3] q) => (uint8[2,3] y) <{_HEADER}> {{
        x0 = DequantizeLinear(q, s, z)
        {moves}
        y = QuantizeLinear(x6, s, z) }}"""
    model, _ = run_passes(text, BOTH)
    assert ops(model) == ["Transpose"] * 6
