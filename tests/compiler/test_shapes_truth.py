"""Derived shapes and contents against what ONNX Runtime observes on concrete inputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx.printer
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from tests.compiler.observed_shapes import check, observe

# ---- one operator at a time ----------------------------------------------------------------------

# (opset, body, sizes wanted for "y"); x is float[a, b, 12], i is int64[2], a=2, b=3.
OPERATORS: list[tuple[int, str, str]] = [
    (17, "y = Relu(x)", "a b 12"),
    (17, "c = Constant<value_floats=[1.0]>() y = Add(x, c)", "a b 12"),
    (17, "y = Transpose<perm=[2,0,1]>(x)", "12 a b"),
    (17, "y = Transpose(x)", "12 b a"),
    (17, "s = Constant<value_ints=[0,-1,4]>() y = Reshape(x, s)", "a 3*b 4"),
    (17, "s = Constant<value_ints=[-1]>() y = Reshape(x, s)", "12*a*b"),
    (17, "s = Constant<value_ints=[-1,6]>() y = Reshape(x, s)", "2*a*b 6"),
    (17, "s = Shape(x) y = Reshape(x, s)", "a b 12"),
    (17, "s = Shape<start=1>(x) y = ConstantOfShape(s)", "b 12"),
    (17, "s = Shape<start=-2,end=-1>(x) y = ConstantOfShape(s)", "b"),
    (17, "s = Shape<start=2,end=1>(x) y = ConstantOfShape(s)", ""),
    (17, "y = Flatten<axis=2>(x)", "a*b 12"),
    (17, "y = Flatten<axis=-1>(x)", "a*b 12"),
    (17, "y = Concat<axis=1>(x, x)", "a 2*b 12"),
    (17, "n = Constant<value_ints=[1]>() y = Unsqueeze(x, n)", "a 1 b 12"),
    (11, "y = Unsqueeze<axes=[0,-1]>(x)", "1 a b 12 1"),
    (11, "u = Unsqueeze<axes=[1]>(x) y = Squeeze<axes=[1]>(u)", "a b 12"),
    (17, "y = Gather<axis=1>(x, i)", "a 2 12"),
    (17, "k = Constant<value_int=-1>() y = Gather<axis=2>(x, k)", "a b"),
    (17, "y, z = Split<axis=2>(x)", "a b 6"),
    (17, "n = Constant<value_ints=[5,7]>() z, y = Split<axis=2>(x, n)", "a b 7"),
    (18, "z, w, y = Split<axis=2,num_outputs=3>(x)", "a b 4"),
    (9, "y = Slice<axes=[1],starts=[1],ends=[9999999999]>(x)", "a max(b - 1, 0) 12"),
    (9, "y = Slice<axes=[2],starts=[-5],ends=[-1]>(x)", "a b 4"),
    (
        17,
        (
            "s=Constant<value_ints=[-1]>() e=Constant<value_ints=[-9223372036854775807]>()"
            " n=Constant<value_ints=[2]>() t=Constant<value_ints=[-5]>() y = Slice(x, s, e, n, t)"
        ),
        "a b 3",
    ),
    (17, "y = ReduceSum<keepdims=0>(x)", ""),
    (17, "y = ReduceMax<axes=[1],keepdims=0>(x)", "a 12"),
    (18, "n = Constant<value_ints=[-1]>() y = ReduceMean(x, n)", "a b 1"),
    (17, "y = ArgMax<axis=1,keepdims=0>(x)", "a 12"),
    (17, "k = Constant<value_ints=[3]>() y, z = TopK(x, k)", "a b 3"),
    (17, "t = Transpose<perm=[0,2,1]>(x) y = MatMul(x, t)", "a b b"),
    (17, "r = Constant<value_ints=[1,2,3]>() y = Tile(x, r)", "a 2*b 36"),
    (17, "r = Constant<value_ints=[5,1,1,12]>() y = Expand(x, r)", "5 a b 12"),
    (17, "y = Softmax(x)", "a b 12"),
    (17, "s = Shape(x) y = Size(s)", ""),
    (
        17,
        "d = Constant<value_int=7>() v = Constant<value_floats=[0.0,1.0]>() y = OneHot(i, d, v)",
        "2 7",
    ),
    (17, 'y = Einsum<equation="abc,dbc->ad">(x, x)', "a a"),
    (17, "y = CastLike(x, i)", "a b 12"),
    (17, "p = Constant<value_ints=[0,1,2,0,0,-3]>() y = Pad(x, p)", "a b + 1 11"),
    (
        17,
        (
            "w = ConstantOfShape(i) s = Constant<value_ints=[1,1,2,5]>() n=Constant<value_ints=[1]>()"
            " u = Unsqueeze(x, n) k = Constant<value_ints=[4,1,2,5]>() f = ConstantOfShape(k)"
            " y = Conv<strides=[2,3],pads=[1,0,1,2]>(u, f)"
        ),
        "a 4 floordiv(b, 2) + 1 4",
    ),
    (
        17,
        (
            "n=Constant<value_ints=[1]>() u = Unsqueeze(x, n)"
            " y = MaxPool<kernel_shape=[2,2],strides=[1,2]>(u)"
        ),
        "a 1 b - 1 6",
    ),
    (
        17,
        (
            "n=Constant<value_ints=[1]>() u = Unsqueeze(x, n)"
            ' y = AveragePool<kernel_shape=[3,3],auto_pad="SAME_UPPER",strides=[2,2]>(u)'
        ),
        "a 1 floordiv(b + 1, 2) 6",
    ),
    (
        17,
        (
            "n=Constant<value_ints=[1]>() u = Unsqueeze(x, n) k=Constant<value_ints=[1,2,3,3]>()"
            " f = ConstantOfShape(k) y = ConvTranspose<strides=[2,2],output_padding=[1,1]>(u, f)"
        ),
        "a 2 2*b + 2 26",
    ),
    (
        17,
        (
            "n=Constant<value_ints=[1]>() u = Unsqueeze(x, n) e = Constant<value_floats=[1.0,1.0,"
            "2.0,0.5]>() y = Resize(u, , e)"
        ),
        "a 1 2*b 6",
    ),
    (17, "n=Constant<value_ints=[1]>() u = Unsqueeze(x, n) y = GlobalAveragePool(u)", "a 1 1 1"),
    (
        17,
        "k=Constant<value_ints=[12]>() f = ConstantOfShape(k) y = LayerNormalization(x, f, f)",
        "a b 12",
    ),
    (
        17,
        (
            "k=Constant<value_ints=[1,15,12]>() w = ConstantOfShape(k) l=Constant<value_ints=[1,15,5]>()"
            " r = ConstantOfShape(l) y = GRU<hidden_size=5>(x, w, r)"
        ),
        "a 1 b 5",
    ),
    (
        17,
        (
            "k=Constant<value_ints=[2,20,12]>() w = ConstantOfShape(k) l=Constant<value_ints=[2,20,5]>()"
            " r = ConstantOfShape(l)"
            ' z, y = LSTM<hidden_size=5,direction="bidirectional">(x, w, r)'
        ),
        "2 b 5",
    ),
    (17, "s = Shape(x) g = Gather(s, i) y = Range(z0, n0, d0)", "?"),
]


def _model(opset: int, body: str) -> onnx.ModelProto:
    if "Range(z0" in body:
        body = (
            "s = Shape(x) k = Constant<value_int=1>() z = Constant<value_int=0>()"
            " n = Gather(s, k) y = Range(z, n, k)"
        )
    text = (
        f'<ir_version: 8, opset_import: ["" : {opset}]>'
        f"m (float[a,b,12] x, int64[2] i) => (float y) {{ {body} }}"
    )
    proto = onnx.parser.parse_model(text)
    proto.graph.output[0].type.Clear()
    return proto


@pytest.mark.parametrize(("opset", "body", "wanted"), OPERATORS)
def test_operator(opset: int, body: str, wanted: str) -> None:
    proto = _model(opset, body)
    for a, b in ((2, 3), (4, 2)):
        feeds = {
            "x": np.random.default_rng(0).standard_normal((a, b, 12)).astype(np.float32),
            "i": np.array([0, 1], np.int64),
        }
        shapes, values = check(proto, feeds)
    shape = shapes.shape(values["y"])
    assert shape is not None
    text = " ".join(map(str, shape))
    assert text == ("b" if wanted == "?" else wanted)


# ---- random shape arithmetic ---------------------------------------------------------------------

_BINARY = ("Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Equal", "Less", "GreaterOrEqual")


class Graph:
    """Draws a graph of shape arithmetic over x: float[a, b, 6] and t: float[b, 2]."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.nodes: list[onnx.NodeProto] = []
        self.integers: list[str] = []
        self.truths: list[str] = []
        self.count = 0

    def emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(onnx.helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, cells: Any) -> str:
        array = np.array(cells, dtype=np.int64)
        return self.emit("Constant", [], value=onnx.numpy_helper.from_array(array))

    def pick(self) -> str:
        if self.draw(st.integers(0, 4)) == 0:
            return self.constant(self.draw(st.sampled_from([-3, -1, 0, 1, 2, 5, [1], [2, -1, 3]])))
        return str(self.draw(st.sampled_from(self.integers)))

    def step(self) -> None:
        kind = self.draw(
            st.sampled_from(
                ("binary", "gather", "slice", "concat", "reduce", "move", "unary", "where", "size")
            )
        )
        getattr(self, kind)()

    def binary(self) -> None:
        op = self.draw(st.sampled_from(_BINARY))
        left, right = self.pick(), self.pick()
        if op in ("Div", "Mod"):
            # Integer division by zero ends the process, so no divisor may be zero.
            right = self.emit("Max", [right, self.constant(1)])
            if self.draw(st.booleans()):
                right = self.emit("Neg", [right])
        name = self.emit(op, [left, right])
        (self.truths if op in ("Equal", "Less", "GreaterOrEqual") else self.integers).append(name)

    def gather(self) -> None:
        where = self.draw(st.sampled_from([0, 1, -1, [0], [1, -1], [[0, 1]], [-2, 0, 0]]))
        self.integers.append(self.emit("Gather", [self.pick(), self.constant(where)], axis=0))

    def slice(self) -> None:
        start, end = self.draw(st.integers(-4, 4)), self.draw(st.integers(-9, 9))
        step = self.draw(st.sampled_from([1, 1, 2, -1, -2]))
        parts = [self.constant([cell]) for cell in (start, end, 0, step)]
        self.integers.append(self.emit("Slice", [self.pick(), *parts]))

    def concat(self) -> None:
        self.integers.append(self.emit("Concat", [self.pick(), self.pick()], axis=0))

    def reduce(self) -> None:
        op = self.draw(st.sampled_from(["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"]))
        keep = self.draw(st.integers(0, 1))
        self.integers.append(self.emit(op, [self.pick()], keepdims=keep))

    def move(self) -> None:
        axes = self.constant([self.draw(st.sampled_from([0, -1, 1]))])
        op = self.draw(st.sampled_from(["Unsqueeze", "Squeeze", "Transpose", "Reshape", "Tile"]))
        if op == "Tile":
            axes = self.constant([2])
        inputs = [self.pick()] if op == "Transpose" else [self.pick(), axes]
        self.integers.append(self.emit(op, inputs))

    def unary(self) -> None:
        if self.truths and self.draw(st.booleans()):
            truth = self.draw(st.sampled_from(self.truths))
            self.integers.append(self.emit("Cast", [truth], to=onnx.TensorProto.INT64))
            self.truths.append(self.emit("Not", [truth]))
            return
        op = self.draw(st.sampled_from(["Neg", "Abs", "Sign", "Identity", "Cast"]))
        value = self.pick()
        if op == "Cast":
            narrow = self.emit("Cast", [value], to=onnx.TensorProto.INT32)
            self.integers.append(self.emit("Cast", [narrow], to=onnx.TensorProto.INT64))
        else:
            self.integers.append(self.emit(op, [value]))

    def where(self) -> None:
        if self.truths:
            truth = self.draw(st.sampled_from(self.truths))
            self.integers.append(self.emit("Where", [truth, self.pick(), self.pick()]))

    def size(self) -> None:
        self.integers.append(self.emit("Size", [str(self.draw(st.sampled_from("xt")))]))

    def use(self) -> None:
        """Let a value decide a shape."""
        flat = self.emit("Reshape", [self.pick(), self.constant([-1])])
        small = self.emit("Mod", [self.emit("Abs", [flat]), self.constant([5])])
        made = self.emit("ConstantOfShape", [small])
        self.emit("Shape", [made])
        doubled = self.emit("Concat", [made, made], axis=-1)
        self.emit("Reshape", [doubled, self.constant([-1])])
        self.emit("Add", [made, doubled] if self.draw(st.booleans()) else [made, made])


@st.composite
def graphs(draw: Any) -> onnx.ModelProto:
    graph = Graph(draw)
    graph.integers += [graph.emit("Shape", ["x"]), graph.emit("Shape", ["t"])]
    for _ in range(draw(st.integers(1, 10))):
        graph.step()
    if draw(st.booleans()):
        graph.use()
    info = onnx.helper.make_tensor_value_info
    main = onnx.helper.make_graph(
        graph.nodes,
        "arithmetic",
        [info("x", onnx.TensorProto.FLOAT, ["a", "b", 6]), info("t", 1, ["b", 2])],
        [onnx.ValueInfoProto(name=graph.nodes[-1].output[0])],
    )
    return onnx.helper.make_model(
        main, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )


@settings(
    deadline=None,
    # ONNX Runtime can crash on odd graphs, so the usual run takes the same examples every time.
    derandomize="BURNISH_EXAMPLES" not in os.environ,
    max_examples=int(os.environ.get("BURNISH_EXAMPLES", "250")),
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(graphs(), st.integers(0, 4), st.integers(0, 5))
def test_shape_arithmetic(proto: onnx.ModelProto, a: int, b: int) -> None:
    note(onnx.printer.to_text(proto))
    feeds = {"x": np.zeros((a, b, 6), np.float32), "t": np.zeros((b, 2), np.float32)}
    try:
        observe(proto, feeds)
    except Exception:  # not a valid model for these sizes, by any of ORT's exceptions
        assume(False)
    check(proto, feeds)
