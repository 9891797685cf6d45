"""Heads and caches around Attention: merge-attention-heads, drop-repeated-heads, the cache."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

CLEAN = "compose-transposes, compose-reshapes, eliminate-no-op-movement, eliminate-identity"
MERGE = f"fixpoint[merge-attention-heads, {CLEAN}, remove-dead-code]"


def _split(name: str, source: str, heads: int) -> str:
    return f"""{name}s = Constant <value_ints = [0, 0, {heads}, 8]> ()
        {name}4 = Reshape ({source}, {name}s)
        {name}t = Transpose <perm = [0, 2, 1, 3]> ({name}4)"""


def _joined(attention: str, outputs: str = "z") -> str:
    return f"""{outputs} = {attention}
        zt = Transpose <perm = [0, 2, 1, 3]> (z)
        js = Constant <value_ints = [0, 0, 32]> ()
        y = Reshape (zt, js)"""


def test_heads_are_split_and_joined_by_the_operator() -> None:
    text = f"""agraph (float[B,S,32] q, float[B,T,16] k, float[B,T,16] v) => (float[B,S,32] y) {{
        {_split("q", "q", 4)}
        {_split("k", "k", 2)}
        {_split("v", "v", 2)}
        {_joined("Attention <scale = 0.5> (qt, kt, vt)")}
    }}"""
    model, _ = run_passes(text, f"lift-constants, {MERGE}", opset=23)
    assert ops(model) == ["Attention"]
    node = model.graph[0]
    assert (attribute(node, "q_num_heads"), attribute(node, "kv_num_heads")) == (4, 2)


@pytest.mark.parametrize("unbind", ["Split and Squeeze", "Gather"])
def test_queries_keys_and_values_in_one_matrix(unbind: str) -> None:
    parts = {
        "Split and Squeeze": """a, b, c = Split <axis = 0, num_outputs = 3> (t)
            q = Squeeze (a, zero)
            k = Squeeze (b, zero)
            v = Squeeze (c, zero)""",
        "Gather": """q = Gather <axis = 0> (t, first)
            k = Gather <axis = 0> (t, second)
            v = Gather <axis = 0> (t, last)""",
    }[unbind]
    text = f"""agraph (float[B,S,96] x) => (float[B,S,32] y)
        <int64[5] five = {{0, 0, 3, 4, 8}}, int64[1] zero = {{0}}, int64 first = {{0}},
         int64 second = {{1}}, int64 last = {{-1}}> {{
        r = Reshape (x, five)
        t = Transpose <perm = [2, 0, 3, 1, 4]> (r)
        {parts}
        {_joined("Attention <scale = 0.5> (q, k, v)")}
    }}"""
    model, _ = run_passes(text, f"lift-constants, {MERGE}", opset=23)
    assert ops(model) == ["Split", "Attention"]


def test_a_rotation_of_heads_is_done_on_joined_heads() -> None:
    text = f"""agraph (float[B,S,32] q, float[B,S,32] v, float[B,S,4] c, float[B,S,4] s)
        => (float[B,S,32] y) {{
        {_split("q", "q", 4)}
        {_split("v", "v", 4)}
        qr = RotaryEmbedding (qt, c, s)
        {_joined("Attention <scale = 0.5> (qr, qr, vt)")}
    }}"""
    model, _ = run_passes(
        text, f"lift-constants, {MERGE}, eliminate-common-subexpressions", opset=23
    )
    assert ops(model) == ["RotaryEmbedding", "Attention"]
    assert attribute(model.graph[0], "num_heads") == 4


def test_the_cache_keeps_its_four_axes() -> None:
    text = f"""agraph (float[B,S,32] q, float[B,S,16] k, float[B,S,16] v, float[B,2,P,8] pk,
        float[B,2,P,8] pv) => (float[B,S,32] y, float[B,2,T,8] nk, float[B,2,T,8] nv) {{
        {_split("q", "q", 4)}
        {_split("k", "k", 2)}
        {_split("v", "v", 2)}
        nk = Concat <axis = 2> (pk, kt)
        nv = Concat <axis = -2> (pv, vt)
        {_joined("Attention <scale = 0.5> (qt, nk, nv)")}
    }}"""
    model, _ = run_passes(text, f"lift-constants, fuse-attention-cache, {MERGE}", opset=23)
    assert ops(model) == ["Attention"]
    assert [value.name for value in model.graph.outputs] == ["y", "nk", "nv"]


def test_operands_that_split_no_heads_stay() -> None:
    text = f"""agraph (float[B,4,S,8] q, float[B,S,32] k) => (float[B,S,32] y) {{
        {_split("k", "k", 4)}
        {_joined("Attention <scale = 0.5> (q, kt, kt)")}
    }}"""
    model, records = run_passes(text, f"lift-constants, {MERGE}", opset=23)
    assert "q_num_heads" not in next(n for n in model.graph if n.op_type == "Attention").attributes
    assert "q is not made by splitting heads" in reasons(records)


def test_a_result_with_heads_apart_stays() -> None:
    text = f"""agraph (float[B,S,32] k) => (float[B,4,S,8] z) {{
        {_split("k", "k", 4)}
        z = Attention <scale = 0.5> (kt, kt, kt)
    }}"""
    _, records = run_passes(text, f"lift-constants, {MERGE}", opset=23)
    assert reasons(records) == ["the heads of the result are not joined again"]


def _repeated(spread: str, joined: str, axis: str = "2", value: str = "v") -> str:
    return f"""agraph (float[2,4,3,8] q, float[2,2,5,8] k, float[2,2,5,8] v)
        => (float[2,4,3,8] y)
        <int64[1] axis = {{{axis}}}, int64[5] spread = {{{spread}}},
         int64[4] joined = {{{joined}}}> {{
        k5 = Unsqueeze (k, axis)
        kr = Expand (k5, spread)
        k4 = Reshape (kr, joined)
        v5 = Unsqueeze ({value}, axis)
        vr = Expand (v5, spread)
        v4 = Reshape (vr, joined)
        y = Attention (q, k4, v4)
    }}"""


def test_repeated_heads_are_shared() -> None:
    text = _repeated("2, 2, 2, 5, 8", "0, 4, 5, 8")
    model, _ = run_passes(text, "drop-repeated-heads, remove-dead-code", opset=23)
    assert ops(model) == ["Attention"]


def test_heads_repeated_one_after_the_other_in_turn_are_not_shared() -> None:
    """``[a, b, a, b]`` gives each head of queries another partner than ``[a, a, b, b]``."""
    text = _repeated("2, 2, 2, 5, 8", "2, 4, 5, 8", axis="1")
    model, records = run_passes(text, "drop-repeated-heads", opset=23)
    assert "Expand" in ops(model)
    assert reasons(records) == ["the new axis does not follow the heads"]


@pytest.mark.parametrize(
    ("keys", "values", "attributes", "why"),
    [
        ("axis = 3", "axis = 2", "scale = 0.5", "the cache does not grow along its sequence"),
        ("axis = 2", "axis = 2", "is_causal = 1", "the attention is causal"),
    ],
)
def test_the_cache_stays_outside(keys: str, values: str, attributes: str, why: str) -> None:
    size = 4 if "3" in keys else 8
    length = 5 if "3" in keys else 2
    text = f"""agraph (float[1,2,1,8] q, float[1,2,5,{size}] k, float[1,2,2,8] v,
        float[1,2,{length},{size}] pk, float[1,2,3,8] pv) => (float[1,2,1,8] y) {{
        nk = Concat <{keys}> (pk, k)
        nv = Concat <{values}> (pv, v)
        y = Attention <{attributes}> (q, nk, nv)
    }}"""
    if "3" not in keys:
        text = text.replace("float[1,2,5,8] k", "float[1,2,2,8] k").replace(
            "float[1,2,2,8] pk", "float[1,2,3,8] pk"
        )
    _, records = run_passes(text, "fuse-attention-cache", opset=23)
    assert reasons(records) == [why]


@pytest.mark.parametrize(
    "last",
    [
        "w, u = Split <axis = 0> (t, parts)\nv = Squeeze (u, zero)",
        "u = Slice (t, before, one, zero)\nv = Squeeze (u, zero)",
        "u = Slice (t, after, one, zero, back)\nv = Squeeze (u, zero)",
    ],
    ids=["uneven parts", "start before the front", "start behind the end"],
)
def test_which_part_of_one_matrix(last: str) -> None:
    text = f"""agraph (float[B,S,96] x) => (float[B,S,32] y)
        <int64[5] five = {{0, 0, 3, 4, 8}}, int64[1] zero = {{0}}, int64[1] one = {{1}},
         int64 first = {{0}}, int64 second = {{1}}, int64[2] parts = {{2, 1}},
         int64[1] before = {{-5}}, int64[1] after = {{10}}, int64[1] back = {{-1}}> {{
        r = Reshape (x, five)
        t = Transpose <perm = [2, 0, 3, 1, 4]> (r)
        q = Gather <axis = 0> (t, first)
        k = Gather <axis = 0> (t, second)
        {last}
        {_joined("Attention <scale = 0.5> (q, k, v)")}
    }}"""
    _, records = run_passes(text, "lift-constants, merge-attention-heads", opset=23)
    assert reasons(records) == ["v is not made by splitting heads"]


def test_repeated_heads_that_the_attention_hands_out_stay_repeated() -> None:
    text = """agraph (float[2,H,3,8] q, float[2,G,5,8] k)
        => (float[2,H,3,8] y, float[2,H2,5,8] nk, float[2,H3,5,8] nv)
        <int64[1] axis = {2}, int64[5] spread = {1, 1, 1, 1, 1}, int64[4] joined = {0, -1, 5, 8}> {
        k5 = Unsqueeze (k, axis)
        kr = Expand (k5, spread)
        k4 = Reshape (kr, joined)
        v5 = Unsqueeze (k, axis)
        vr = Expand (v5, spread)
        v4 = Reshape (vr, joined)
        y, nk, nv = Attention (q, k4, v4)
    }"""
    model, records = run_passes(text, "drop-repeated-heads", opset=23)
    assert "Expand" in ops(model)
    assert reasons(records) == ["the repeated keys or values are results, too"]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_window_is_counted_from_the_end_of_the_cache(side: str) -> None:
    text = f"""agraph (float[1,2,3,8] q, float[1,2,2,8] k, float[1,2,4,8] p) => (float[1,2,3,8] y) {{
        nk = Concat <axis = 2> (p, k)
        nv = Concat <axis = 2> (p, k)
        y = Attention <{side}_window_size = 1> (q, nk, nv)
    }}"""
    model, records = run_passes(text, "fuse-attention-cache", opset=25)
    assert "Concat" in ops(model)
    assert reasons(records) == ["the attention has a window"]
