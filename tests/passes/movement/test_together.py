"""What is replaced together meets the same conditions as what the engine replaces."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons

from burnish.driver import optimize
from burnish.saving import to_proto
from burnish.target import Limits, Target
from burnish.text import parse_model

HALVES = """agraph (float[2,6] x) => (float[2,3] y, float[2,3] z)
    <int64[1] zero = {0}, int64[1] three = {3}, int64[1] six = {6}, int64[1] axis = {1}> {
    a = Slice(x, zero, three, axis)
    b = Slice(x, three, six, axis)
    y = Neg(a)
    z = Neg(b)
}"""


@pytest.mark.parametrize(
    ("limits", "made", "why"),
    [
        (Limits(26), "Split", []),
        (Limits(26, avoided_ops=frozenset({"Split"})), "Slice", ["no good kernel for Split"]),
        (Limits(26, missing_ops=frozenset({"Split"})), "Slice", ["no good kernel for Split"]),
        (
            Limits(26, missing_parts=frozenset({("Split", "axis")})),
            "Slice",
            ["no Split with axis"],
        ),
    ],
    ids=["none", "avoided", "missing", "a part is missing"],
)
def test_the_limits_of_the_target_are_kept(limits: Limits, made: str, why: list[str]) -> None:
    source = to_proto(parse_model(HALVES, opset=20))
    done = optimize(
        source, passes="merge-slices-into-split", target=Target(name="limited", limits=limits)
    )
    assert set(ops(done.model)) == {made, "Neg"}
    assert reasons(done.records) == [f"limited has {text}" for text in why]
