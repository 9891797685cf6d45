"""Nested Concats: which inner ones vanish, and that a long chain stays cheap."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "compose-concats"


@pytest.mark.parametrize(
    ("outer", "left"),
    [
        ("Concat <axis = 1> (t, x)", ["Concat"]),
        ("Concat <axis = -1> (x, t, t)", ["Concat"]),
        ("Concat <axis = 0> (t, t)", ["Concat", "Concat"]),
    ],
)
def test_the_axis_decides(outer: str, left: list[str]) -> None:
    model, _ = run_passes(
        f"""agraph (float[2,3] x, float[2,1] z) => (float[a,b] y) {{
            t = Concat <axis = 1> (x, z)
            y = {outer}
        }}""",
        PASS,
    )
    assert ops(model) == left


def test_order_and_repetition_are_kept() -> None:
    model, _ = run_passes(
        """agraph (float[1] a, float[2] b, float[3] c) => (float[n] y) {
            s = Concat <axis = 0> (a, b)
            t = Concat <axis = 0> (c, s, s)
            y = Concat <axis = 0> (t, a)
        }""",
        PASS,
    )
    (node,) = model.graph
    assert [value.name for value in node.inputs if value] == ["c", "a", "b", "a", "b", "a"]
    assert node.meta["burnish.sources"] == ("Concat(y)", "Concat(t)", "Concat(s)")


@pytest.mark.parametrize("other", ["z = Relu(t)", "z = Identity(t)"])
def test_another_reader_keeps_the_inner_one(other: str) -> None:
    model, records = run_passes(
        f"""agraph (float[1] a, float[2] b) => (float[n] y, float[3] z) {{
            t = Concat <axis = 0> (a, b)
            y = Concat <axis = 0> (t, a)
            {other}
        }}""",
        PASS,
    )
    assert ops(model).count("Concat") == 2
    assert reasons(records) == ["the inner Concat has another reader"]


def test_an_inner_graph_output_stays() -> None:
    model, _ = run_passes(
        """agraph (float[1] a, float[2] b) => (float[3] t, float[n] y) {
            t = Concat <axis = 0> (a, b)
            y = Concat <axis = 0> (t, a)
        }""",
        PASS,
    )
    assert ops(model) == ["Concat", "Concat"]


def test_a_chain_is_taken_at_once() -> None:
    chain = "\n".join(f"t{i + 1} = Concat <axis = 0> (t{i}, a)" for i in range(300))
    model, records = run_passes(
        f"agraph (float[1] a, float[1] t0) => (float[n] y) {{ {chain}\n y = Relu(t300) }}", PASS
    )
    assert ops(model) == ["Concat", "Relu"]
    assert sum(item.kind == "applied" for entry in records for item in entry.remarks) == 1
