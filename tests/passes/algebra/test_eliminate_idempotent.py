"""What changes nothing the second time, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "eliminate-idempotent"
_SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, -0.5, 2.5, -7.2], dtype=np.float32)


def _left(body: str, constants: str = "") -> list[str]:
    proto = to_proto(
        parse_model(
            f"agraph (float[8] x) => (float[8] y) {constants} {{ {body}\n y = Identity(u) }}"
        )
    )
    done = optimize(proto, passes=PASS)
    before = run_model(proto, {"x": _SPECIAL})["y"]
    after = run_model(to_proto(done.model), {"x": _SPECIAL})["y"]
    assert before.tobytes() == after.tobytes()
    return ops(done.model)[:-1]


@pytest.mark.parametrize("op_type", ["Abs", "Ceil", "Floor", "Relu", "Round", "Sign"])
def test_twice_is_once(op_type: str) -> None:
    assert _left(f"t = {op_type}(x)\n u = {op_type}(t)") == [op_type]


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ("Floor", "Ceil", ["Floor"]),
        ("Sign", "Round", ["Sign"]),
        ("Neg", "Neg", []),
        ("Neg", "Abs", ["Abs"]),
        ("Round", "Sign", ["Round", "Sign"]),
        ("Relu", "Abs", ["Relu", "Abs"]),  # Relu(-0.0) may be -0.0
        ("Abs", "Relu", ["Abs", "Relu"]),
        ("Abs", "Neg", ["Abs", "Neg"]),
        ("Exp", "Exp", ["Exp", "Exp"]),
    ],
)
def test_pairs(first: str, then: str, left: list[str]) -> None:
    assert _left(f"t = {first}(x)\n u = {then}(t)") == left


_BOUNDS = (
    "<float a = {-1.0}, float b = {2.0}, float a2 = {-1.0}, float z = {0.0}, float n = {-0.0}>"
)


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ("a, b", "a, b", 1),
        ("a, b", "a2, b", 1),
        ("a", "a", 1),
        (", b", ", b", 1),
        ("a, b", "a", 2),
        ("a, b", "b, b", 2),
        ("z, b", "n, b", 2),
    ],
)
def test_clips(first: str, then: str, left: int) -> None:
    assert _left(f"t = Clip(x, {first})\n u = Clip(t, {then})", _BOUNDS) == ["Clip"] * left


def test_clips_with_attributes() -> None:
    model, _ = run_passes(
        """agraph (float[4] x) => (float[4] y) {
            t = Clip <min = 0.0, max = 6.0> (x)
            u = Clip <min = 0.0, max = 6.0> (t)
            y = Clip <min = 0.0, max = 5.0> (u)
        }""",
        PASS,
        opset=10,
    )
    assert ops(model) == ["Clip", "Clip"]


def test_not_not_and_equal_operands() -> None:
    model, _ = run_passes(
        """agraph (bool[4] x) => (bool[4] y) {
            a = Not(x)
            b = Not(a)
            c = And(b, b)
            d = Or(c, c)
            y = Identity(d)
        }""",
        PASS,
    )
    assert ops(model) == ["Identity"]


def test_both_results_are_graph_outputs() -> None:
    model, _ = run_passes(
        "agraph (float[4] x) => (float[4] t, float[4] y) { t = Relu(x) y = Relu(t) }", PASS
    )
    assert [value.name for value in model.graph.outputs] == ["t", "y"]
    assert ops(model) == ["Relu", "Identity"]
