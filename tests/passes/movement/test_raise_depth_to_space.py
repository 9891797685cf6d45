"""Pixel shuffles and Focus layers, and what has only their form."""

from __future__ import annotations

import itertools

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "raise-depth-to-space"
_DEPTH = "2, 2, 2, 2, 3, 5"


def _shuffle(
    perm: str,
    parted: str,
    joined: str,
    kind: str = "float[2,8,3,5]",
    opset: int = 20,
) -> tuple[list[str], list[str], list[object]]:
    element = kind.split("[")[0]
    model, records = run_passes(
        f"""agraph ({kind} x) => ({element}[a,b,c,d] y)
            <int64[6] parted = {{{parted}}}, int64[4] joined = {{{joined}}}> {{
            p = Reshape(x, parted)
            t = Transpose <perm = [{perm}]> (p)
            y = Reshape(t, joined)
        }}""",
        PASS,
        opset=opset,
    )
    modes = [attribute(node, "mode") for node in model.graph]
    return ops(model), reasons(records), modes


@pytest.mark.parametrize(
    ("perm", "parted", "mode"),
    [
        ("0, 3, 4, 1, 5, 2", "2, 2, 2, 2, 3, 5", "DCR"),
        ("0, 1, 4, 2, 5, 3", "2, 2, 2, 2, 3, 5", "CRD"),
        ("0, 1, 4, 2, 5, 3", "0, -1, 2, 2, 3, 5", "CRD"),
    ],
)
def test_depth_to_space(perm: str, parted: str, mode: str) -> None:
    assert _shuffle(perm, parted, "2, 2, 6, 10")[::2] == (["DepthToSpace"], [mode])


@pytest.mark.parametrize("element", ["double", "float16", "uint8"])
def test_other_element_types(element: str) -> None:
    kind = f"{element}[2,8,3,5]"
    assert _shuffle("0, 3, 4, 1, 5, 2", _DEPTH, "2, 2, 6, 10", kind)[0] == ["DepthToSpace"]


def test_types_without_a_kernel_stay() -> None:
    left, why, _ = _shuffle("0, 3, 4, 1, 5, 2", _DEPTH, "2, 2, 6, 10", "int64[2,8,3,5]")
    assert left == ["Reshape", "Transpose", "Reshape"]
    assert "runtimes move no blocks of this element type" in why


def test_names_of_sizes_are_enough() -> None:
    joined = "-1, 2, 6, 10"
    left = _shuffle("0, 1, 4, 2, 5, 3", "-1, 2, 2, 2, 3, 5", joined, "float[N,8,3,5]")[0]
    assert left == ["DepthToSpace"]


def test_old_opsets_know_one_order() -> None:
    left, _, modes = _shuffle("0, 3, 4, 1, 5, 2", _DEPTH, "2, 2, 6, 10", opset=9)
    assert (left, modes) == (["DepthToSpace"], [None])
    left, why, _ = _shuffle("0, 1, 4, 2, 5, 3", _DEPTH, "2, 2, 6, 10", opset=9)
    assert left == ["Reshape", "Transpose", "Reshape"]
    assert "DepthToSpace has no mode before opset 11" in why


@pytest.mark.parametrize(
    ("perm", "parted", "joined"),
    [
        ("0, 3, 4, 2, 5, 1", _DEPTH, "2, 2, 6, 10"),  # columns before rows
        ("0, 1, 4, 3, 5, 2", _DEPTH, "2, 2, 6, 10"),
        ("0, 3, 4, 1, 5, 2", "2, 2, 4, 1, 3, 5", "2, 1, 6, 20"),  # not square
        ("0, 3, 4, 1, 5, 2", "2, 2, 2, 2, 5, 3", "2, 2, 10, 6"),  # rows of another length
        ("0, 3, 4, 1, 5, 2", _DEPTH, "2, 6, 2, 10"),  # joined to something else
    ],
)
def test_what_has_only_the_form(perm: str, parted: str, joined: str) -> None:
    assert _shuffle(perm, parted, joined)[0] == ["Reshape", "Transpose", "Reshape"]


def test_space_to_depth() -> None:
    kind, parted, joined = "float[2,3,4,6]", "2, 3, 2, 2, 3, 2", "2, 12, 2, 3"
    assert _shuffle("0, 3, 5, 1, 2, 4", parted, joined, kind)[0] == ["SpaceToDepth"]
    # PixelUnshuffle: the channel before its block, which this opset has no name for.
    left, why, _ = _shuffle("0, 1, 3, 5, 2, 4", parted, joined, kind)
    assert left == ["Reshape", "Transpose", "Reshape"]
    assert "SpaceToDepth of opset 20 puts no channel before its block" in why


_PLACES = list(itertools.product((0, 1), repeat=2))


def focus(order: list[tuple[int, int]], end: str = "{4, 6}", size: str = "4,6") -> str:
    """Every second pixel of every second row, joined in that order of places."""
    values = [f"int64[2] s{i} = {{{row}, {column}}}" for i, (row, column) in enumerate(order)]
    slices = "\n".join(f"t{i} = Slice(x, s{i}, end, axes, steps)" for i in range(len(order)))
    parts = ", ".join(f"t{i}" for i in range(len(order)))
    return f"""agraph (float[1,3,{size}] x) => (float[a,b,c,d] y)
        <{", ".join(values)}, int64[2] end = {end}, int64[2] axes = {{2, -1}},
         int64[2] steps = {{2, 2}}> {{
        {slices}
        y = Concat <axis = 1> ({parts})
    }}"""


@pytest.mark.parametrize("end", ["{4, 6}", "{9223372036854775807, 9223372036854775807}"])
def test_focus_in_the_order_of_space_to_depth(end: str) -> None:
    assert ops(run_passes(focus(_PLACES, end), PASS)[0]) == ["SpaceToDepth"]


def test_focus_of_a_size_that_is_not_known() -> None:
    text = focus(_PLACES, "{9223372036854775807, 9223372036854775807}", "H,6")
    text = text.replace("float[1,3,H,6] x", "float[1,3,2,H,6] v").replace(
        "t0 =", "k = Constant <value = int64[4] {1, 3, -1, 6}> () x = Reshape(v, k) t0 =", 1
    )
    assert ops(run_passes(text, PASS)[0])[-1] == "SpaceToDepth"


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ([(0, 0), (1, 0), (0, 1), (1, 1)], "orders the positions of a block otherwise"),
        ([(0, 0), (0, 1), (1, 0), (1, 0)], "is taken twice"),
    ],
)
def test_other_orders_stay(order: list[tuple[int, int]], why: str) -> None:
    model, records = run_passes(focus(order), PASS)
    assert ops(model) == ["Slice"] * 4 + ["Concat"]
    assert any(why in reason for reason in reasons(records))


def test_a_slice_that_ends_early_stays() -> None:
    model, records = run_passes(focus(_PLACES, "{2, 6}"), PASS)
    assert "SpaceToDepth" not in ops(model)
    assert any("may end before the axis does" in reason for reason in reasons(records))


def test_a_slice_that_is_read_elsewhere_is_kept_for_that() -> None:
    text = (
        focus(_PLACES)
        .replace("=> (", "=> (float[e,f,g,h] z, ")
        .replace("y = Concat", "z = Neg(t2) y = Concat")
    )
    assert sorted(ops(run_passes(text, PASS)[0])) == ["Neg", "Slice", "SpaceToDepth"]
