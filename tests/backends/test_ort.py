"""The ONNX Runtime backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from burnish.errors import BuildError, InputError
from burnish.ir import to_proto
from burnish.loading import load
from burnish.registry import backend
from burnish.target import Limits, Target, parse_target
from burnish.text import parse_model

TARGET = Target()
TEXT = "agraph (float[2] x) => (float[2] y) { y = Relu(x) }"


def test_it_builds_a_file_that_runs(tmp_path: Path) -> None:
    ort = backend("ort")
    built = ort.build(load(to_proto(parse_model(TEXT))), TARGET, tmp_path)
    assert built.files == (tmp_path / "model.onnx",)
    assert built.settings["opsets"] == {"": 20}
    assert built.settings["session_options"]["graph_optimization_level"] == "ORT_ENABLE_ALL"
    found = ort.load(built.files[0], TARGET)({"x": np.array([-1, 2], np.float32)})
    np.testing.assert_array_equal(found["y"], np.array([0, 2], np.float32))


def test_it_has_every_level() -> None:
    ort = backend("ort")
    assert [ort.pipeline(TARGET, level) for level in range(4)] == ["O0", "O1", "O2", "O3"]


def test_it_takes_what_the_runtime_has() -> None:
    model = load(to_proto(parse_model(TEXT)))
    assert backend("ort").check(model, TARGET) == ()


def test_it_finds_an_opset_that_is_too_new() -> None:
    model = load(to_proto(parse_model(TEXT)))
    (finding,) = backend("ort").check(model, Target(limits=Limits(highest_opset=13)))
    assert finding.rule == "opset 20 is newer than 13"


def test_it_finds_operators_the_target_lacks() -> None:
    model = load(to_proto(parse_model(TEXT)))
    limits = Limits(highest_opset=26, missing_ops=frozenset({"Relu"}))
    (finding,) = backend("ort").check(model, Target(limits=limits))
    assert (finding.node, finding.rule) == ("Relu(y)", "Relu has no kernel")


def test_it_finds_domains_without_a_library_but_not_functions() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "own": 1]>
    agraph (float[2] x) => (float[2] y) { t = own.twice(x) y = own.%s(t) }
    <domain: "own", opset_import: ["": 20]>
    twice (a) => (b) { b = Add(a, a) }
    """
    ort = backend("ort")
    (finding,) = ort.check(load(to_proto(parse_model(text % "Thrice"))), TARGET)
    assert "custom_ops=PATH" in finding.mend
    assert finding.rule == "the runtime has no Thrice of domain 'own'"
    assert ort.check(load(to_proto(parse_model(text % "twice"))), TARGET) == ()


def test_a_model_the_runtime_refuses_is_a_build_error(tmp_path: Path) -> None:
    proto = to_proto(parse_model(TEXT))
    for info in (*proto.graph.input, *proto.graph.output):
        info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT8E4M3FN
    with pytest.raises(BuildError, match="does not load the model") as caught:
        backend("ort").build(load(proto), TARGET, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["ort-cpu:threads=many", "ort-cpu:treads=1"])
def test_options_that_do_not_fit_are_refused(text: str, tmp_path: Path) -> None:
    model = load(to_proto(parse_model(TEXT)))
    with pytest.raises(InputError, match="threads"):
        backend("ort").build(model, parse_target(text), tmp_path)


def test_the_number_of_threads_is_kept(tmp_path: Path) -> None:
    model = load(to_proto(parse_model(TEXT)))
    built = backend("ort").build(model, parse_target("ort-cpu:threads=1"), tmp_path)
    assert built.settings["session_options"]["intra_op_num_threads"] == 1


def test_weights_stored_as_integers_do_not_round_what_they_are_multiplied_with(
    tmp_path: Path,
) -> None:
    """ONNX Runtime's own fusion does, unless told otherwise; it moved this result by 3e-3."""
    generator = np.random.default_rng(0)
    weights = generator.integers(-128, 127, (64, 32)).astype(np.int8)
    text = """agraph (float[8,64] x, int8[64,32] w) => (float[8,32] y) <float s = {0.01}> {
        f = DequantizeLinear (w, s)
        y = MatMul (x, f)
    }"""
    proto = to_proto(parse_model(text))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    del proto.graph.input[1]
    ort = backend("ort")
    built = ort.build(load(proto), TARGET, tmp_path)
    x = generator.standard_normal((8, 64)).astype(np.float32)
    found = ort.load(built.files[0], TARGET)({"x": x})["y"]
    np.testing.assert_allclose(found, x @ (weights * np.float32(0.01)), rtol=1e-4, atol=1e-4)
    options = built.settings["session_options"]
    assert options["session.qdq_matmulnbits_accuracy_level"] == "1"


def test_own_operators_of_the_runtime_are_asked_for() -> None:
    ort = backend("ort")
    assert ort.pipeline(parse_target("ort-cpu:native=yes"), 2) == "O2, ort-native"
    assert ort.pipeline(parse_target("ort-cpu:native=yes"), 1) == "O1"
    assert ort.pipeline(parse_target("ort-cpu:native=no"), 2) == "O2"
    with pytest.raises(InputError, match="native is yes or no"):
        ort.pipeline(parse_target("ort-cpu:native=maybe"), 2)
