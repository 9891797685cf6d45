"""Inputs, outputs, shapes, versions."""

from __future__ import annotations

import onnx
import pytest

from burnish.ir import Model
from burnish.loading import load
from burnish.modeldiff import diff_models


def parse(text: str, opsets: str = '"": 20') -> Model:
    header = f"<ir_version: 10, opset_import: [{opsets}]>\n"
    return load(onnx.parser.parse_model(header + text))


SIZES = "agraph (float[%s] x, float[%s] k) => (float[%s] y) { y = Add(x, k) }"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("N", "N", "N"), ("batch", "batch", "batch"), True),
        (("N", "M", "N"), ("M", "N", "M"), True),
        (("N", "N", "N"), ("A", "B", "A"), False),
        (("A", "B", "A"), ("N", "N", "N"), False),
        (("N", "M", "N"), ("a", "?", "a"), True),
        (("N", "N", "N"), ("?", "?", "?"), False),
        (("N", "N", "N"), ("2", "2", "2"), False),
        (("N, 2", "N, 2", "N, 2"), ("N, 3", "N, 3", "N, 3"), False),
        (("N", "N", "N"), ("N, 1", "N, 1", "N, 1"), False),
    ],
)
def test_dimensions_may_be_renamed_alike(
    one: tuple[str, ...], other: tuple[str, ...], same: bool
) -> None:
    found = diff_models(parse(SIZES % one), parse(SIZES % other))
    assert bool(found) != same
    assert found.same == 1


def test_dimensions_that_are_formulas_are_renamed_within() -> None:
    def sized(first: str, second: str) -> Model:
        model = onnx.parser.parse_model(
            '<ir_version: 10, opset_import: ["": 20]>\n' + SIZES % ("N", "N", "N")
        )
        for value, text in zip(
            (*model.graph.input, *model.graph.output), (first, second, second), strict=True
        ):
            value.type.tensor_type.shape.dim[0].dim_param = text
        return load(model)

    assert not diff_models(sized("past", "past + seq"), sized("p", "p + s"))
    assert diff_models(sized("past", "past + seq"), sized("p", "q + s"))
    assert diff_models(sized("past", "past + seq"), sized("p", "total"))


def test_another_element_type_is_a_difference() -> None:
    text = "agraph (%s[2] x) => (%s[2] y) { y = Relu(x) }"
    found = diff_models(parse(text % ("float", "float")), parse(text % ("double", "double")))
    assert found.changed == (
        ("input x: float32[2]", "input x: float64[2]"),
        ("output y: float32[2]", "output y: float64[2]"),
    )


def test_an_input_that_came_is_told() -> None:
    one = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }")
    two = parse("agraph (float[2] x, float[2] k) => (float[2] y) { y = Relu(x) }")
    assert diff_models(one, two).added == ("input k: float32[2]",)
    assert diff_models(two, one).removed == ("input k: float32[2]",)


def test_another_order_of_inputs_is_told() -> None:
    text = "agraph (%s) => (float[2] y) { y = Sub(x, k) }"
    one, two = parse(text % "float[2] x, float[2] k"), parse(text % "float[2] k, float[2] x")
    assert diff_models(one, two).changed == (("input order x, k", "input order k, x"),)
    assert diff_models(one, two, ignore_names=True).changed == (("y = Sub(x, k)", "y = Sub(k, x)"),)


def test_outputs_that_changed_places_are_told() -> None:
    text = "agraph (float[2] x) => (float[2] p, float[2] q) { %s }"
    one = parse(text % "p = Relu(x) q = Abs(x)")
    two = parse(text % "q = Relu(x) p = Abs(x)")
    found = diff_models(one, two)
    assert found.changed == (("output p is p", "output p is q"), ("output q is q", "output q is p"))
    assert found.same == 2


def test_a_node_before_an_output_is_one_addition() -> None:
    text = "agraph (float[2] x) => (float[2] y) { %s }"
    found = diff_models(parse(text % "y = Relu(x)"), parse(text % "t = Relu(x) y = Neg(t)"))
    assert found.added == ("y' = Neg(y)  # named y",)
    assert found.changed == (("output y is y", "output y is y'"),)
    assert found.same == 1


def test_inner_shapes_that_contradict_each_other_are_told_where_that_begins() -> None:
    text = "agraph (float[N] x) => (float[M] y) <float[%s] t> { t = %s(x) u = Abs(t) y = Neg(u) }"
    stretched = text.replace("%s(x)", "own.stretch(x)").replace("u = Abs(t)", "u = Abs(t)")
    both = '"": 20, "own": 1'
    found = diff_models(parse(stretched % 4, both), parse(stretched % 6, both))
    assert found.lines == ("@ shapes", "-  t: float32[4]", "+  t: float32[6]")
    assert not diff_models(parse(stretched % 4, both), parse(stretched % "K", both))


def test_the_header_is_compared() -> None:
    text = "agraph (float[2] x) => (float[2] y) { y = Relu(x) }"
    one = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]>\n{text}')
    two = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20, "idle": 3]>\n{text}')
    two.producer_name, two.producer_version, two.doc_string = "maker", "7", "words"
    one.metadata_props.add(key="stride", value="8")
    two.metadata_props.add(key="stride", value="16")
    two.metadata_props.add(key="names", value="cat")
    found = diff_models(load(one), load(two))
    assert found.changed == (
        ("ir version 9", "ir version 10"),
        ("opset ai.onnx 18", "opset ai.onnx 20"),
        ("property stride = 8", "property stride = 16"),
    )
    assert found.added == ("property names = cat",)
    assert found.notes == (
        "producer unknown became maker 7",
        "opset idle 3 is imported and not used",
    )
