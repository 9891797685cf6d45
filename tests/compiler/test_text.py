"""Canonical text and digests: equal models read the same, and different bytes do not."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from burnish.errors import ModelError
from burnish.ir import DataType, Tensor, TensorProtocol, make_tensor
from burnish.text import (
    digest,
    initializer_line,
    model_text,
    node_line,
    parse_model,
    same_bytes,
    tensor_text,
    value_text,
)


def floats(*values: float) -> TensorProtocol:
    return make_tensor(np.array(values, np.float32))


def strings(*values: bytes) -> TensorProtocol:
    return make_tensor(np.array(values, object))


def test_the_whole_text_of_a_model() -> None:
    model = parse_model(
        """g (float[N, 2] x, bool c) => (float[N, 2] y)
            <float[3] w = {1, 2, 3}, int64[2] s = {4, 5}> {
            t = LeakyRelu <alpha = 0.5> (x)
            y = If (c) <then_branch = yes () => (float[N, 2] p) { p = Neg(t) },
                        else_branch = no () => (float[N, 2] q) { q = Abs(t) }>
        }""",
        opset=17,
    )
    weights = digest(model.graph.initializers["w"].const_value or floats())
    assert model_text(model).splitlines() == [
        "model opset 17",
        "  input x: float32[N, 2]",
        "  input c: bool[]",
        f"  w = float32[3] #{weights}",
        "  s = int64[2] [4, 5]",
        "  t = LeakyRelu(x) {alpha=0.5}",
        "  y = If(c)",
        "    subgraph yes",
        "      p = Neg(t)",
        "      output p: float32[N, 2]",
        "    subgraph no",
        "      q = Abs(t)",
        "      output q: float32[N, 2]",
        "  output y: float32[N, 2]",
    ]
    assert model_text(model).endswith("\n")


def test_the_order_of_attributes_does_not_show() -> None:
    text = "g (float[1,1,4,4] x, float[1,1,3,3] w) => (float[1,1,4,4] y) {{ y = Conv <{}> (x, w) }}"
    one = parse_model(text.format("pads = [1,1,1,1], group = 1"))
    other = parse_model(text.format("group = 1, pads = [1,1,1,1]"))
    assert model_text(one) == model_text(other)
    assert node_line(one.graph[0]) == "y = Conv(x, w) {group=1, pads=[1, 1, 1, 1]}"


def test_a_left_out_input_keeps_its_place() -> None:
    model = parse_model("g (float[2] x, float b) => (float[2] y) { y = Clip(x, , b) }")
    assert node_line(model.graph[0]) == "y = Clip(x, , b)"


def test_functions_follow_the_graph_under_their_full_name() -> None:
    model = parse_model(
        """<ir_version: 10, opset_import: ["" : 20, "d" : 1]>
        g (float[2] x) => (float[2] y) { y = d.f(x) }
        <domain: "d", opset_import: ["" : 18]> f (a) => (b) { b = Neg(a) }"""
    )
    lines = model_text(model).splitlines()
    assert lines[0] == "model opset 20, d 1"
    assert lines.index("  y = d.f(x)") < lines.index("function d.f opset 18")


def test_a_value_without_type_or_shape_is_still_a_line() -> None:
    value = parse_model("g (float[?, M] x) => (float[?, M] y) { y = Neg(x) }").graph.inputs[0]
    assert value_text(value) == "x: float32[?, M]"
    value.shape = None
    assert value_text(value) == "x: float32[...]"
    value.type = None
    assert value_text(value) == "x: ?"


def test_equal_content_has_equal_digest() -> None:
    assert digest(floats(1, 2)) == digest(floats(1, 2))
    assert len(digest(floats(1, 2))) == 16
    assert digest(floats(1, 2)) != digest(floats(2, 1))


def test_zeros_of_different_sign_differ() -> None:
    assert digest(floats(0.0, 1)) != digest(floats(-0.0, 1))
    assert not same_bytes(floats(0.0), floats(-0.0))
    assert tensor_text(floats(0.0)) != tensor_text(floats(-0.0))


def test_nan_equals_itself_by_its_bits() -> None:
    quiet = make_tensor(np.array([0x7FC00000], np.uint32).view(np.float32))
    other = make_tensor(np.array([0x7FC00001], np.uint32).view(np.float32))
    assert digest(quiet) == digest(make_tensor(quiet.numpy().copy()))
    assert same_bytes(quiet, make_tensor(quiet.numpy().copy()))
    assert digest(quiet) != digest(other)
    assert not same_bytes(quiet, other)


def test_the_same_characters_split_otherwise_are_other_strings() -> None:
    assert digest(strings(b"ab", b"c")) != digest(strings(b"a", b"bc"))
    assert digest(strings(b"ab", b"c")) == digest(strings(b"ab", b"c"))
    assert same_bytes(strings(b"ab"), strings(b"ab"))
    assert not same_bytes(strings(b"ab", b"c"), strings(b"a", b"bc"))


def test_a_digest_does_not_depend_on_the_memory_layout() -> None:
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    turned = np.asfortranarray(plain)
    assert digest(Tensor(turned)) == digest(Tensor(plain))


def test_scalars_and_empty_tensors_have_digests() -> None:
    assert digest(make_tensor(np.array(1.5, np.float32))) == digest(floats(1.5))
    assert digest(floats()) == digest(floats())


def test_int4_is_spelled_out_when_short_and_told_apart_when_long() -> None:
    short = Tensor(np.array([-8, 7, 3], ml_dtypes.int4), dtype=DataType.INT4)
    assert tensor_text(short) == "int4[3] [-8, 7, 3]"
    one = Tensor(np.array([1] * 9, ml_dtypes.int4), dtype=DataType.INT4)
    other = Tensor(np.array([1] * 8 + [2], ml_dtypes.int4), dtype=DataType.INT4)
    assert digest(one) != digest(other)


def test_only_short_integers_and_single_floats_are_spelled_out() -> None:
    assert tensor_text(make_tensor(np.arange(8))) == "int64[8] [0, 1, 2, 3, 4, 5, 6, 7]"
    assert "#" in tensor_text(make_tensor(np.arange(9)))
    assert tensor_text(make_tensor(np.array(0.25, np.float64))) == "float64[] 0.25"
    assert "#" in tensor_text(floats(1, 2))


def test_an_initializer_without_content_is_a_question() -> None:
    value = parse_model("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")
    held = value.graph.initializers["w"]
    held.const_value = None
    assert initializer_line(held) == "w = ?"


def test_a_long_string_attribute_is_cut_but_told_apart() -> None:
    text = 'g () => (string y) {{ y = Constant <value_string = "{}"> () }}'
    one, other = (parse_model(text.format("a" * 100 + end)).graph[0] for end in "bc")
    assert node_line(one) != node_line(other)
    assert len(node_line(one)) < 120


def test_text_without_a_header_gets_one() -> None:
    text = "g (float[2] x) => (float[2] y) { y = Neg(x) }"
    assert parse_model(text).opset_imports == {"": 20}
    assert parse_model(text).ir_version == 10
    assert parse_model(f"\n  {text}", opset=13).opset_imports == {"": 13}
    headed = f'<ir_version: 8, opset_import: ["": 17]> {text}'
    assert parse_model(headed, opset=13).opset_imports == {"": 17}
    assert parse_model(headed).ir_version == 8


@pytest.mark.parametrize("text", ["", "g (float[2] x", "not a graph at all"])
def test_text_that_does_not_parse_is_an_error_of_the_model(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_model(text)
    assert caught.value.where == "ONNX text"
    assert "\n" not in str(caught.value)
