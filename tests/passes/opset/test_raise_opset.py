"""Raising: what is rewritten, what stops it, and that nothing is left half-way."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import Model, Node, attribute, constant_array
from burnish.passdef import Context
from burnish.target import Limits, Target
from burnish.text import model_text, parse_model
from burnish_passes.opset.raise_opset import RaiseOpset


def raised(text: str, *, opset: int, to: int = 0) -> Model:
    """The model raised, checked, and with the same answers."""
    model, records = run_passes(text, f"raise-opset{{to={to}}}", opset=opset)
    assert not reasons(records)
    assert model.opset_imports[""] == (to or 26)
    return model


def declined(text: str, *, opset: int, stays: int) -> str:
    """Why the model was raised to ``stays`` only."""
    done = optimize(parse_model(text, opset=opset), passes="raise-opset")
    assert done.model.opset_imports[""] == stays
    (why,) = reasons(done.records)
    assert why.endswith(f"the model stays at opset {stays}")
    return why


def only(model: Model, op_type: str) -> Node:
    (node,) = (node for node in model.graph if node.op_type == op_type)
    return node


def ints(node: Node, index: int) -> list[Any]:
    array = constant_array(node.inputs[index])
    assert array is not None
    found: list[Any] = array.tolist()
    return found


def test_attributes_become_inputs() -> None:
    model = raised(
        """g (float[2, 6] x) => (float[1, 2, 3] y, float[2, 1] k, int64[2, 1] i, float[2, 2] s) {
            a, b = Split <axis = 1, split = [3, 3]> (x)
            y = Unsqueeze <axes = [0]> (a)
            k, i = TopK <k = 1> (b)
            s = Slice <axes = [1], starts = [1], ends = [9]> (b)
        }""",
        opset=9,
    )
    assert ints(only(model, "Split"), 1) == [3, 3]
    assert ints(only(model, "Unsqueeze"), 1) == [0]
    assert ints(only(model, "TopK"), 1) == [1]
    assert [ints(only(model, "Slice"), index) for index in (1, 2, 3)] == [[1], [9], [1]]
    assert not set(only(model, "Slice").attributes)


def test_equal_constants_are_made_once() -> None:
    model = raised(
        """g (float[2] x) => (float[1, 2] y, float[1, 2] z) {
            y = Unsqueeze <axes = [0]> (x)
            a = Neg (x)
            z = Unsqueeze <axes = [0]> (a)
        }""",
        opset=11,
    )
    assert len(model.graph.initializers) == 1


def test_reductions_with_and_without_axes() -> None:
    model = raised(
        """g (float[2, 3] x) => (float[2, 1] y, float[1, 1] z) {
            y = ReduceMean <axes = [1]> (x)
            z = ReduceMax (x)
        }""",
        opset=13,
    )
    assert ints(only(model, "ReduceMean"), 1) == [1]
    assert len(only(model, "ReduceMax").inputs) == 1


def test_split_into_equal_parts_says_how_many() -> None:
    text = "g (float[6] x) => (float[3] y, float[3] z) { y, z = Split (x) }"
    assert attribute(only(raised(text, opset=13), "Split"), "num_outputs") == 2
    assert not only(raised(text, opset=11, to=17), "Split").attributes


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_over_several_axes_is_flattened(op_type: str) -> None:
    text = f"g (float[2, N, 4] x) => (float[2, N, 4] y) {{ y = {op_type} (x) }}"
    model = raised(text, opset=11)
    assert ops(model) == ["Flatten", op_type, "Shape", "Reshape"]
    assert attribute(only(model, "Reshape"), "allowzero") == 1


@pytest.mark.parametrize(
    ("reader", "result", "written"),
    [
        ("y = ReduceSum <axes = [1]> (s)", "[2, 1, 4]", ["ReduceSum"]),
        ("y, z = Split <axis = 1, split = [1, 2]> (s)", "[2, 1, 4]", ["Split"]),
        ("y = LogSoftmax (s)", "[2, 3, 4]", ["Flatten", "LogSoftmax", "Reshape"]),
    ],
)
def test_what_reads_a_flattened_softmax_may_be_written_anew_itself(
    reader: str, result: str, written: list[str]
) -> None:
    text = f"""g (float[2, 3, 4] x) => (float{result} y) {{
        s = Softmax (x)
        {reader}
    }}"""
    model = raised(text, opset=11)
    assert ops(model) == ["Flatten", "Softmax", "Reshape", *written]
    assert model.graph[3].inputs[0] is model.graph[2].outputs[0]


def test_softmax_of_known_shape_needs_no_shape_node() -> None:
    text = "g (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax <axis = 0> (x) }"
    assert ops(raised(text, opset=11)) == ["Flatten", "Softmax", "Reshape"]


@pytest.mark.parametrize(
    ("shape", "given", "axis"),
    [("N, 4", "", 1), ("2, 3, 4", "<axis = -1>", -1), ("1, 7, 1, 1", "", 1), ("1, 1, 7", "", 2)],
)
def test_softmax_along_one_axis_stays_one_node(shape: str, given: str, axis: int) -> None:
    text = f"g (float[{shape}] x) => (float[{shape}] y) {{ y = Softmax {given} (x) }}"
    model = raised(text, opset=11)
    assert ops(model) == ["Softmax"]
    assert attribute(only(model, "Softmax"), "axis") == axis


def test_softmax_stops_at_12_where_13_could_not_restore_an_empty_tensor() -> None:
    text = "g (float[2, N, 4] x) => (float[2, N, 4] y) { y = Softmax (x) }"
    done = optimize(parse_model(text, opset=11), passes="raise-opset{to=13}")
    assert done.model.opset_imports[""] == 12
    assert ops(done.model) == ["Softmax"]


@pytest.mark.parametrize(
    ("scale", "mode", "nearest"),
    [("2", "nearest", "floor"), ("0.6", "nearest", "ceil"), ("1.5", "linear", None)],
)
def test_resize_keeps_its_coordinates(scale: str, mode: str, nearest: str | None) -> None:
    text = f"""g (float[1, 1, 4, 4] x) => (float[1, 1, H, H] y)
        <float[4] s = {{1, 1, {scale}, {scale}}}> {{ y = Resize <mode = "{mode}"> (x, s) }}"""
    for to in (12, 26):
        node = only(raised(text, opset=10, to=to), "Resize")
        assert attribute(node, "coordinate_transformation_mode") == "asymmetric"
        assert attribute(node, "nearest_mode") == nearest
        assert (node.inputs[1] is None) == (to == 26)


def test_upsample_becomes_resize() -> None:
    model = raised(
        """g (float[1, 1, 2, 2] x) => (float[1, 1, 5, 4] y) {
            y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.5, 2.0]> (x)
        }""",
        opset=7,
    )
    assert ops(model) == ["Resize"]
    assert ints(only(model, "Resize"), 2) == [1, 1, 2.5, 2]


@pytest.mark.parametrize("fill", ["0.0", "-0.0", "1.5"])
def test_pad_has_a_constant_only_where_it_is_not_zero(fill: str) -> None:
    text = f"g (float[2] x) => (float[5] y) {{ y = Pad <pads = [1, 2], value = {fill}> (x) }}"
    assert len(only(raised(text, opset=10), "Pad").inputs) == (2 if fill == "0.0" else 3)


def test_clip_with_one_bound() -> None:
    model = raised("g (float[2] x) => (float[2] y) { y = Clip <max = 6.0> (x) }", opset=6)
    clip = only(model, "Clip")
    assert clip.inputs[1] is None
    assert constant_array(clip.inputs[2]) == 6


def test_renamed_operators_and_modes() -> None:
    model = raised(
        """g (float[3] x, int64[1] i, float[1] u) => (float[3] y) { y = Scatter (x, i, u) }""",
        opset=10,
    )
    assert ops(model) == ["ScatterElements"]
    grid = raised(
        """g (float[1, 1, 3, 3] x, float[1, 2, 2, 2] p) => (float[1, 1, 2, 2] y)
        { y = GridSample <mode = "bicubic"> (x, p) }""",
        opset=16,
    )
    assert attribute(only(grid, "GridSample"), "mode") == "cubic"


def test_group_normalization_gets_parameters_for_each_channel() -> None:
    text = """g (float[2, 4, 3] x, float[2] b) => (float[2, 4, 3] y) <float[2] s = {2, 3}>
        { y = GroupNormalization <num_groups = 2> (x, s, b) }"""
    model = parse_model(text, opset=18)
    ctx = Context.of(model, Target(limits=Limits(highest_opset=21)))
    RaiseOpset().run(model, ctx)
    assert ops(model) == ["Unsqueeze", "Expand", "Reshape", "GroupNormalization"]
    assert ints(only(model, "GroupNormalization"), 1) == [2, 2, 3, 3]


def test_old_broadcasting_at_an_axis() -> None:
    text = """<ir_version: 4, opset_import: ["": 6]> g (float[2, 3, 4] x, float[3] b)
        => (float[2, 3, 4] y) { y = Add <broadcast = 1, axis = 1> (x, b) }"""
    done = optimize(parse_model(text), passes="raise-opset")
    assert ops(done.model) == ["Unsqueeze", "Add"]
    assert ints(only(done.model, "Unsqueeze"), 1) == [-1]


def test_subgraphs_and_functions_are_raised_too() -> None:
    model = raised(
        """<ir_version: 8, opset_import: ["": 11, "d": 1]>
        g (float[2] x, bool c) => (float[1, 2] y, float[2, 1] z) {
            y = If (c) <then_branch = yes () => (float[1, 2] p) { p = Unsqueeze <axes = [0]> (x) },
                        else_branch = no () => (float[1, 2] q) { q = d.f(x) }>
            z = Unsqueeze <axes = [1]> (x)
        }
        <domain: "d", opset_import: ["": 11]> f (a) => (b) { b = Unsqueeze <axes = [0]> (a) }""",
        opset=11,
    )
    (function,) = model.functions.values()
    assert function.opset_imports[""] == 26
    assert [node.op_type for node in function.graph] == ["Constant", "Unsqueeze"]
    assert "axes=" not in model_text(model)


def test_the_ir_version_is_raised_as_far_as_needed() -> None:
    model = parse_model("<ir_version: 7, opset_import: ['': 13]> g".replace("'", '"') + _RELU)
    for to, needed in ((17, 8), (20, 9), (21, 10), (26, 13)):
        RaiseOpset(to=to).run(model, Context.of(model, Target()))
        assert (model.opset_imports[""], model.ir_version) == (to, needed)


_RELU = " (float[2] x) => (float[2] y) { y = Relu (x) }"


def test_an_opset_is_never_lowered_nor_raised_above_the_target() -> None:
    for opset, to, highest, result in ((20, 17, 26, 20), (13, 26, 18, 18), (13, 0, 18, 18)):
        model = parse_model("g" + _RELU, opset=opset)
        ctx = Context.of(model, Target(limits=Limits(highest_opset=highest)))
        RaiseOpset(to=to).run(model, ctx)
        assert model.opset_imports[""] == result


@pytest.mark.parametrize(
    ("text", "opset", "stays", "why"),
    [
        ("g (float[2] x) => (float[2] y, bool[2] m) { y, m = Dropout (x) }", 10, 11, "mask"),
        (
            "g (int64[2] i, int64 d, float[2] v) => (float[2, 3] y) { y = OneHot (i, d, v) }",
            9,
            10,
            "negative indices",
        ),
        (
            "g (float[1, 1, 4] x, float[3] s) => (float[A, B, C] y) { y = Resize (x, s) }",
            10,
            10,
            "scales are not known",
        ),
        (
            """g (float[1, 1, 4] x, float[1, 1, 3] w) => (float[1, 1, 8] y)
            { y = ConvTranspose <auto_pad = "SAME_UPPER", strides = [2]> (x, w) }""",
            10,
            10,
            "odd pixel",
        ),
        (
            """g (float[2] x) => (float8e4m3fnuz[2] y) { y = Cast <to = 18> (x) }""",
            20,
            23,
            "infinity becomes another",
        ),
        (
            """g (float[1, 1, 4, 4] x, float[1, 4] r, int64[1] i) => (float[1, 1, 1, 1] y)
            { y = RoiAlign (x, r, i) }""",
            16,
            21,
            "no good RoiAlign from opset 22 on",
        ),
        ("g (float16[2] x) => (float16[2] y) { y = Clip (x) }", 6, 10, "default of FLOAT16"),
        ("g (float[2] x) => (float[2] y) { y = Frob (x) }", 13, 13, "has no Frob"),
        ("g (float[2] x) => (float[2] y) { y = Relu (x) }", 5, 5, "older than 6"),
    ],
)
def test_what_cannot_be_carried_over(text: str, opset: int, stays: int, why: str) -> None:
    assert why in declined(text, opset=opset, stays=stays)


def test_a_model_is_not_left_half_raised() -> None:
    text = """g (float[2] x) => (float[2] y, bool[2] m, float[1, 2] z) {
        z = Unsqueeze <axes = [0]> (x)
        y, m = Dropout (x)
    }"""
    model = parse_model(text, opset=11)
    before = model_text(model)
    ctx = Context.of(model, Target())
    RaiseOpset().run(model, ctx)
    assert model_text(model) == before
    assert ctx.fuel.spent == 0


def test_the_whole_raise_is_one_rewrite() -> None:
    text = "g (float[2, 2] x) => (float[1] y) { a = ReduceSum (x)\n y = Squeeze <axes = [0]> (a) }"
    source = parse_model(text, opset=11)
    done = optimize(source, passes="raise-opset")
    assert [(entry.rewrites, bool(entry.diff)) for entry in done.records] == [(1, True)]
    stopped = optimize(source, passes="raise-opset", stop_after=0)
    assert model_text(stopped.model) == model_text(source)
