"""A Transpose goes only when it moves nothing but axes of size 1."""

from __future__ import annotations

from tests.support import ops, reasons, run_passes

PASS = "drop-transpose-before-reshape"


def run(source: str, perm: str, shape: str, rank: int, allow: str = "") -> list[str]:
    text = f"""agraph (float[{source}] x) => (float[{"P,Q,R"[: 2 * rank - 1]}] y)
        <int64[{rank}] shape = {{{shape}}}> {{
        t = Transpose <perm = [{perm}]> (x)
        y = Reshape {allow} (t, shape)
    }}"""
    model, records = run_passes(text, PASS)
    return ops(model) + reasons(records)


def test_moving_a_one_does_not_matter() -> None:
    assert run("2,1,3", "0, 2, 1", "3, 2", 2) == ["Reshape"]
    assert run("N,1,3", "1, 0, 2", "-1, 3", 2) == ["Reshape"]


def test_moving_more_than_a_one_matters() -> None:
    found = run("2,N,3", "0, 2, 1", "2, -1", 2)
    assert found[:2] == ["Transpose", "Reshape"]
    assert "may be larger than 1" in found[2]


def test_a_copied_size_is_written_anew() -> None:
    # After the Transpose, N is the second size; before it, the third.
    assert run("3,1,N", "0, 2, 1", "3, 0", 2) == ["Reshape"]
    assert run("2,1,3", "0, 2, 1", "0, 0", 2) == ["Reshape"]


def test_a_copied_size_that_stays_in_place() -> None:
    assert run("N,1,3,2", "0, 2, 1, 3", "0, 6", 2) == ["Reshape"]
