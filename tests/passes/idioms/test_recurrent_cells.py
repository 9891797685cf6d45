"""Recurrent cells spelled out, and chains of them: fuse-gru-cell, fuse-lstm-cell and composing."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support import ops, reasons, run_passes

from burnish.driver import Optimized, optimize
from burnish.ir import attribute
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.verify import verify

CELLS = "fuse-gru-cell, fuse-lstm-cell"
ALL = f"fixpoint[{CELLS}, compose-recurrent-steps, remove-dead-code]"
INPUTS, SIZE = 3, 2


class _Unrolled:
    """Writes a recurrent network as PyTorch's exporters unroll it."""

    def __init__(self, kind: str, *, biased: bool = True, gemm: bool = True) -> None:
        self.kind, self.biased, self.gemm = kind, biased, gemm
        self.parts = 3 if kind == "GRU" else 4
        self.nodes: list[onnx.NodeProto] = []
        generator = np.random.default_rng(0)
        rows = self.parts * SIZE
        self.weights = {
            "w": generator.standard_normal((rows, INPUTS)),
            "r": generator.standard_normal((rows, SIZE)),
            "wb": generator.standard_normal(rows),
            "rb": generator.standard_normal(rows),
        }
        if not gemm:
            self.weights |= {"w": self.weights["w"].T, "r": self.weights["r"].T}

    def add(self, op_type: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        names = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        self.nodes.append(helper.make_node(op_type, inputs, names, **attributes))
        return name

    def project(self, x: str, weight: str) -> str:
        bias = [f"{weight}b"] if self.biased else []
        if self.gemm:
            return self.add("Gemm", x, weight, *bias, transB=1)
        product = self.add("MatMul", x, weight)
        return self.add("Add", product, *bias) if bias else product

    def split(self, value: str) -> list[str]:
        first = self.add("Split", value, outputs=self.parts, axis=1, num_outputs=self.parts)
        return [first, *(f"{first}_{index}" for index in range(1, self.parts))]

    def step(self, x: str, h: str, c: str) -> tuple[str, str]:
        gi, gh = self.project(x, "w"), self.project(h, "r")
        if self.kind == "GRU":
            (ir, iz, new), (hr, hz, hn) = self.split(gi), self.split(gh)
            reset = self.add("Sigmoid", self.add("Add", hr, ir))
            update = self.add("Sigmoid", self.add("Add", hz, iz))
            new = self.add("Tanh", self.add("Add", new, self.add("Mul", hn, reset)))
            moved = self.add("Mul", self.add("Sub", h, new), update)
            return self.add("Add", moved, new), c
        i, f, g, o = self.split(self.add("Add", gh, gi))
        kept = self.add("Mul", self.add("Sigmoid", f), c)
        added = self.add("Mul", self.add("Sigmoid", i), self.add("Tanh", g))
        cell = self.add("Add", kept, added)
        return self.add("Mul", self.add("Sigmoid", o), self.add("Tanh", cell)), cell

    def model(
        self, rows: list[int], *, axis: int = 1, outputs: str = "stack last"
    ) -> onnx.ModelProto:
        """Steps over these rows of ``x``; ``outputs`` names what is given back."""
        h, c, states, cells = "h", "c", [], []
        for row in rows:
            self.weights[f"at{row}"] = np.array(row)
            x = self.add("Gather", "x", f"at{row}", axis=axis)
            h, c = self.step(x, h, c)
            states.append(h)
            cells.append(c)
        self.weights |= {"axis": np.array([axis])}
        named = {"last": h, "first": states[0], "cell": c, "first_cell": cells[0]}
        if "stack" in outputs:
            parts = [self.add("Unsqueeze", state, "axis") for state in states]
            named["stack"] = self.add("Concat", *parts, axis=axis)
        results = [(name, self.add("Identity", named[name])) for name in outputs.split()]
        steps: list[str | int | None] = ["N", 4] if axis == 1 else [4, "N"]
        inputs: dict[str, list[str | int | None]] = {
            "x": [*steps, INPUTS],
            "h": ["N", SIZE],
            "c": ["N", SIZE],
        }
        graph = helper.make_graph(
            self.nodes,
            "unrolled",
            [_typed(name, dims) for name, dims in inputs.items()],
            [_typed(value, [None] * (3 if name == "stack" else 2)) for name, value in results],
            [
                numpy_helper.from_array(
                    array.astype(np.float32 if array.dtype.kind == "f" else np.int64), name
                )
                for name, array in self.weights.items()
            ],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def _typed(name: str, dims: list[str | int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _optimized(source: onnx.ModelProto, passes: str) -> Optimized:
    done = optimize(
        source, passes=f"infer-shapes, eliminate-identity, {passes}", allow=Exactness.FLOAT
    )
    result = to_proto(done.model)
    onnx.checker.check_model(result, full_check=True)
    verdict = verify(source, result, exactness=Exactness.FLOAT)
    assert verdict.ok, verdict.text()
    return done


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("biased", [True, False], ids=["biased", "without bias"])
@pytest.mark.parametrize("gemm", [True, False], ids=["Gemm", "MatMul"])
def test_a_cell_is_one_step(kind: str, biased: bool, gemm: bool) -> None:
    done = _optimized(_Unrolled(kind, biased=biased, gemm=gemm).model([1], outputs="last"), CELLS)
    kinds = {kind, "Gather", "Squeeze", "Unsqueeze", "Identity"}
    assert set(ops(done.model)) - {"Identity"} == kinds - {"Identity"}
    node = next(node for node in done.model.graph if node.op_type == kind)
    assert attribute(node, "hidden_size") == SIZE
    assert (len(node.inputs) > 3 and node.inputs[3] is not None) == biased


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("axis", [0, 1])
def test_an_unrolled_sequence_is_one_operator(kind: str, axis: int) -> None:
    done = _optimized(_Unrolled(kind).model([0, 1, 2, 3], axis=axis), ALL)
    assert ops(done.model).count(kind) == 1
    assert not {"Gather", "Concat", "Slice"} & set(ops(done.model))
    assert ops(done.model).count("Transpose") == (2 if axis else 0)


def test_a_part_of_a_sequence() -> None:
    done = _optimized(_Unrolled("GRU").model([1, 2], outputs="first last"), ALL)
    assert ops(done.model).count("GRU") == 1
    assert ops(done.model).count("Gather") == 1


@pytest.mark.parametrize("rows", [[0, 2], [2, 1], [1, 1]])
def test_rows_out_of_order_keep_their_steps(rows: list[int]) -> None:
    done = _optimized(_Unrolled("GRU").model(rows), ALL)
    assert ops(done.model).count("GRU") == 2


def test_states_joined_in_another_order_are_taken_one_by_one() -> None:
    unrolled = _Unrolled("GRU")
    source = unrolled.model([0, 1, 2])
    concat = next(node for node in source.graph.node if node.op_type == "Concat")
    concat.input[:] = [concat.input[1], concat.input[0], concat.input[2]]
    done = _optimized(source, ALL)
    assert ops(done.model).count("GRU") == 1
    assert "Concat" in ops(done.model)


def test_a_cell_state_in_between_cannot_be_had_from_the_sequence() -> None:
    done = _optimized(_Unrolled("LSTM").model([0, 1], outputs="last first_cell"), ALL)
    assert ops(done.model).count("LSTM") == 2
    assert any("a state between two steps" in reason for reason in reasons(done.records))


def test_other_weights_are_another_chain() -> None:
    source = _Unrolled("GRU").model([0, 1])
    projections = [node for node in source.graph.node if node.op_type == "Gemm"]
    other = next(item for item in source.graph.initializer if item.name == "r")
    changed = numpy_helper.from_array(numpy_helper.to_array(other) + 1, "other")
    source.graph.initializer.append(changed)
    projections[3].input[1] = "other"
    done = _optimized(source, ALL)
    assert ops(done.model).count("GRU") == 2


def test_a_row_computed_from_the_state_keeps_its_step() -> None:
    """As in greedy decoding: what a step reads depends on the step before."""
    unrolled = _Unrolled("GRU")
    unrolled.weights["at0"] = np.array(0)
    unrolled.weights["mix"] = np.ones((SIZE, INPUTS))
    first, _ = unrolled.step(unrolled.add("Gather", "x", "at0", axis=1), "h", "c")
    unrolled.step(unrolled.add("MatMul", first, "mix"), first, "c")
    source = unrolled.model([0], outputs="last")
    source.graph.output[0].CopyFrom(_typed(source.graph.output[0].name, [None, None]))
    done = _optimized(source, ALL)
    assert "compose-recurrent-steps" not in [
        item.rule for entry in done.records for item in entry.remarks if item.kind == "applied"
    ]


@pytest.mark.parametrize(("rows", "left"), [([0], 0), ([0, 1, 2], 1)])
def test_only_in_sequences(rows: list[int], left: int) -> None:
    passes = ALL.replace("fuse-gru-cell", "fuse-gru-cell{in_sequences=true}")
    done = _optimized(_Unrolled("GRU").model(rows), passes)
    assert ops(done.model).count("GRU") == left


CELL = """agraph (float[B,2] x, float[B,1] h) => (float[B,1] y)
    <float[2,3] wi = {{0.5, 1.0, 1.5, 2.0, 2.5, 3.0}}, float[1,3] wh = {{1.0, 2.0, 3.0}},
     float[4,3] bias = {{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0}}> {{
        gi = MatMul (x, wi)
        gh = {state}
        ir, iz, in = Split <axis = 1, num_outputs = 3> (gi)
        hr, hz, hn = Split <axis = 1, num_outputs = 3> (gh)
        rs = Add (ir, {reset})
        r = Sigmoid (rs)
        zs = Add (iz, {update})
        z = Sigmoid (zs)
        rn = Mul (hn, r)
        ns = Add (in, rn)
        n = Tanh (ns)
        d = Sub ({old}, n)
        zd = Mul (d, z)
        y = Add (zd, n)
    }}"""
FITTING = {"state": "MatMul (h, wh)", "reset": "hr", "update": "hz", "old": "h"}


def test_the_cell_of_the_traps_fits() -> None:
    model, _ = run_passes(CELL.format(**FITTING), "fuse-gru-cell")
    assert "GRU" in ops(model)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"reset": "hz", "update": "hr"}, "input and state have their gates in different places"),
        ({"state": "Gemm <alpha = 2.0> (h, wh)"}, "is no projection by constant weights"),
        ({"old": "hr2"}, None),
    ],
    ids=["gates exchanged", "scaled", "another state"],
)
def test_what_is_no_such_cell_stays(change: dict[str, str], why: str | None) -> None:
    text = CELL.format(**{**FITTING, **change})
    if "old" in change:
        text = text.replace("d = Sub", "hr2 = Neg (h)\n        d = Sub")
    model, records = run_passes(text, "fuse-gru-cell")
    assert "GRU" not in ops(model)
    assert why is None or any(why in reason for reason in reasons(records))


def test_doubles_have_no_kernel() -> None:
    text = CELL.format(**FITTING).replace("float[", "double[")
    model, records = run_passes(text, "fuse-gru-cell")
    assert "GRU" not in ops(model)
    assert reasons(records) == ["recurrent kernels take single precision only"]


def test_a_bias_for_each_row_stays() -> None:
    text = CELL.format(**{**FITTING, "state": "Gemm (h, wh, bias)"}).replace("[B,", "[4,")
    model, records = run_passes(text, "fuse-gru-cell")
    assert "GRU" not in ops(model)
    assert reasons(records) == ["a bias differs between rows"]


@pytest.mark.parametrize("one", ["x", "h"])
def test_one_row_for_all_is_repeated_by_sums_and_not_by_steps(one: str) -> None:
    text = CELL.format(**FITTING).replace(
        f"B,{2 if one == 'x' else 1}] {one}", f"1,{2 if one == 'x' else 1}] {one}"
    )
    model, records = run_passes(text, "fuse-gru-cell")
    assert "GRU" not in ops(model)
    assert reasons(records) == ["h may not have as many rows as x"]


def test_layers_over_the_states_of_a_layer() -> None:
    numbers = ", ".join(str(number) for number in np.linspace(-1, 1, 12).round(2))
    steps = [
        f"""{layer}x{row} = Gather ({source}, i{row})
        {layer}a{row} = Unsqueeze ({layer}x{row}, zero)
        {layer}n{row}, {layer}h{row} = GRU <hidden_size = 2> ({layer}a{row}, w, r, , , {state})"""
        for layer, source in (("p", "x"), ("q", "s"))
        for row, state in enumerate(("h", f"{layer}h0"))
    ]
    steps.insert(2, "s = Concat <axis = 0> (ph0, ph1)")
    text = f"""agraph (float[2,B,2] x, float[1,B,2] h) => (float[2,B,2] all)
        <float[1,6,2] w = {{{numbers}}}, float[1,6,2] r = {{{numbers}}}, int64[1] zero = {{0}},
         int64 i0 = {{0}}, int64 i1 = {{1}}> {{
        {chr(10).join(steps)}
        all = Concat <axis = 0> (qh0, qh1)
    }}"""
    model, _ = run_passes(text, "compose-recurrent-steps, remove-dead-code")
    assert ops(model) == ["GRU", "Squeeze", "GRU", "Squeeze"]
