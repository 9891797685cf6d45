"""What is known of the values of a model: types, contents, and how much of it ran."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import burnish.reduction.values
from burnish.evaluate import run_model
from burnish.ir import Model
from burnish.reduction.case import Case
from burnish.reduction.values import Known, seeded_feeds
from burnish.text import parse_model

TEXT = """agraph (float[N, 4] x, int64[2] i) => (float[2, 4] y) <float[4] w = {1, 2, 3, 4}> {
    n = Neg (w)
    a = Add (x, n)
    r = RandomUniform <shape = [2, 4]> ()
    g = Gather (a, i)
    e = Exp (g)
    y = Add (e, r)
}"""


@pytest.fixture
def model() -> Model:
    return parse_model(TEXT, opset=17)


def known(model: Model, index: int) -> Known:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    return Known(
        Case.of(model, [{"x": x, "i": np.array([0, index])}, {"x": -x, "i": np.zeros(2, int)}])
    )


def dims(kind: onnx.TypeProto | None) -> list[int | str]:
    assert kind is not None
    return [dim.dim_param or dim.dim_value for dim in kind.tensor_type.shape.dim]


def test_types_keep_names_of_sizes(model: Model) -> None:
    found = known(model, 1)
    assert dims(found.type("a")) == ["N", 4]
    assert dims(found.type("g")) == [2, 4]
    assert found.type("nobody") is None


def test_a_declared_type_that_did_not_hold_is_not_believed(model: Model) -> None:
    case = known(model, 1)._case
    case.proto.graph.value_info.append(onnx.helper.make_tensor_value_info("n", 1, [7, 7]))
    assert dims(Known(case).type("n")) == [4]


def test_contents_are_what_the_model_computes_for_each_sample(model: Model) -> None:
    found = known(model, 1)
    feeds = found._case.feeds
    held = found.contents(["g", "a", "x", "nobody"])
    assert set(held) == {"g", "a"}
    for number, each in enumerate(feeds):
        truth = run_model(model, each, outputs=["g", "a"])
        np.testing.assert_array_equal(held["g"][number], truth["g"])
        np.testing.assert_array_equal(held["a"][number], truth["a"])


def test_what_does_not_rest_on_inputs_does_not_vary(model: Model) -> None:
    found = known(model, 1)
    assert not found.varies("n")
    assert all(found.varies(name) for name in ("x", "a", "g", "e", "r", "y"))


def test_what_comes_before_a_node_that_cannot_run_is_recorded(model: Model) -> None:
    found = known(model, 99)
    held = found.contents(["n", "a", "g", "e"])
    assert set(held) == {"n", "a"}
    np.testing.assert_array_equal(held["n"][0], [-1, -2, -3, -4])


def test_a_model_too_large_to_keep_is_run_for_what_is_asked(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = known(model, 1).contents(["a", "g"])
    monkeypatch.setattr(burnish.reduction.values, "_KEPT_BYTES", 10)
    found = known(model, 1)
    for name in ("a", "g"):
        held = found.contents([name])
        assert set(held) == {name}
        np.testing.assert_array_equal(held[name][1], whole[name][1])


def test_seeded_feeds_fit_where_the_model_runs_and_are_made_where_it_does_not(
    model: Model,
) -> None:
    for each in seeded_feeds(model, (0, 1)):
        assert each["x"].shape[1] == 4
        run_model(model, each)
    broken = parse_model(
        "agraph (float[2, 3] x) => (float[2, 3] y) { y = local.Unknown (x) }", opset=17
    )
    assert [each["x"].shape for each in seeded_feeds(broken, (0, 1))] == [(2, 3), (2, 3)]
