"""Two Casts with movement between them: when they become one."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "compose-casts-across-movement"


def chain(source: str, middle: int, target: int, result: str, more: str = "") -> str:
    return f"""agraph ({source}[2,3] x) => ({result}[6] y{more}) {{
        s = Constant <value_ints = [6]> ()
        a = Cast <to = {middle}> (x)
        b = Transpose <perm = [1, 0]> (a)
        c = Reshape(b, s)
        y = Cast <to = {target}> (c)
        z = Neg(a)
        w = Neg(b)
    }}"""


def test_they_cancel() -> None:
    text = chain("float16", 1, 10, "float16").replace("z = Neg(a)", "").replace("w = Neg(b)", "")
    assert ops(run_passes(text, PASS)[0]) == ["Constant", "Transpose", "Reshape"]


def test_they_become_one() -> None:
    text = chain("int32", 7, 1, "float").replace("z = Neg(a)", "").replace("w = Neg(b)", "")
    assert ops(run_passes(text, PASS)[0]) == ["Constant", "Transpose", "Reshape", "Cast"]


def test_a_cast_that_rounds_stays() -> None:
    text = chain("float", 10, 1, "float").replace("z = Neg(a)", "").replace("w = Neg(b)", "")
    model, records = run_passes(text, PASS)
    assert ops(model).count("Cast") == 2
    assert any("does not hold every value" in why for why in reasons(records))


def test_the_first_has_another_reader() -> None:
    """Cancelled, the second goes; made one with it, nothing would go."""
    cancels = chain("float16", 1, 10, "float16", ", float[2,3] z").replace("w = Neg(b)", "")
    assert ops(run_passes(cancels, PASS)[0]).count("Cast") == 1
    joins = chain("int32", 7, 1, "float", ", int64[2,3] z").replace("w = Neg(b)", "")
    assert not any(record.diff for record in run_passes(joins, PASS)[1])


@pytest.mark.parametrize("kept", [", float[3,2] w", ", float[3,2] b"])
def test_what_was_moved_is_read_elsewhere(kept: str) -> None:
    text = chain("float16", 1, 10, "float16", kept).replace("z = Neg(a)", "")
    if " b" in kept:
        text = text.replace("w = Neg(b)", "")
    assert not any(record.diff for record in run_passes(text, PASS)[1])
