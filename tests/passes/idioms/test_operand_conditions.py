"""Operands that a function body takes and its operator does not."""

from __future__ import annotations

import pytest

from burnish.ir import attribute
from burnish.shapes import Shapes
from burnish.text import parse_model
from burnish_passes.idioms.operand_conditions import Operands, why_refused


def refusal(inputs: str, call: str, opset: int = 28) -> str | None:
    """Why the operator of a call may not take those inputs."""
    model = parse_model(f"agraph ({inputs}) => (float[N] y) {{ y = {call} }}", opset=opset)
    node = model.graph[0]
    attributes = {name: attribute(node, name) for name in node.attributes}
    return why_refused(Operands(node.op_type, opset, node.inputs, attributes, Shapes(model)))


QKV = "float[2,3,4,8] q, float[2,3,6,8] k, float[2,3,6,8] v"


@pytest.mark.parametrize(
    ("inputs", "call"),
    [
        (QKV, "Attention(q, k, v)"),
        (f"{QKV}, bool[4,6] m", "Attention(q, k, v, m)"),
        (f"{QKV}, float[2,1,1,6] m", "Attention(q, k, v, m)"),
        ("float[B,S,32] q, float[B,T,16] k, float[B,T,16] v", "Attention(q, k, v)"),
        (f"{QKV}, float[2,3,P,8] a, float[2,3,P,8] b", "Attention(q, k, v, , a, b)"),
        ("float[N,C,H,W] x, float[C] s, float[C] b", "GroupNormalization <num_groups=2> (x, s, b)"),
        ("float[N,3,6] x, float[6] w", "RMSNormalization(x, w)"),
        ("float[N,3,6] x, float[3,6] w", "RMSNormalization <axis = 1> (x, w)"),
        ("float[B,S,32] x, float[50,4] c, float[50,4] s, int64[B,S] p",
         "RotaryEmbedding <num_heads = 4> (x, c, s, p)"),
        ("float[B,4,S,8] x, float[B,S,4] c, float[B,S,4] s", "RotaryEmbedding(x, c, s)"),
        ("float[N,4,H,W] x", "DepthToSpace <blocksize = 2> (x)"),
        ("float[N,M] a, float[N,M] b", "SwiGLU(a, b)"),
        ("float[N,M] x, int64[2] s", "CenterCropPad(x, s)"),
        ("float[N,M] x, float[M] s", "PRelu(x, s)"),
        ("int32 n", "HannWindow(n)"),
    ],
)  # fmt: skip
def test_what_the_specification_allows_is_taken(inputs: str, call: str) -> None:
    assert refusal(inputs, call) is None


@pytest.mark.parametrize(
    ("inputs", "call", "why"),
    [
        (QKV.replace("q", "q, float[5,6] m"), "Attention(q, k, v, m)",
         "m may broadcast the scores to a larger shape"),
        (QKV.replace("2,3,6,8] k", "1,3,6,8] k"), "Attention(q, k, v)",
         "query, key and value may not have the same batch size"),
        (QKV.replace("2,3,6,8] v", "2,1,6,8] v"), "Attention(q, k, v)",
         "key and value may not have the same number of heads"),
        (QKV.replace("2,3,6,8] v", "3,6,8] v"), "Attention(q, k, v)",
         "query, key and value are not all of rank 3 or all of rank 4"),
        (f"{QKV}, float[2,P,8] a, float[2,3,P,8] b", "Attention(q, k, v, , a, b)",
         "a past key or value is not of rank 4"),
        ("float[N,C,H] x, float[1] s, float[C] b", "GroupNormalization <num_groups=2> (x, s, b)",
         "s may not hold one element for each channel"),
        ("float[N,C] x, float[C] s, float[C] b", "GroupNormalization <num_groups=2> (x, s, b)",
         "x has no axes besides batch and channels"),
        ("float[N,3,6] x, float[M] w", "RMSNormalization(x, w)",
         "w may not have the shape that is normalized"),
        ("float[N,6] x, float[6] w", "RMSNormalization <axis = 2> (x, w)",
         "w may not have the shape that is normalized"),
        ("float[B,S,32] x, float[50,1] c, float[50,4] s, int64[B,S] p",
         "RotaryEmbedding <num_heads = 4> (x, c, s, p)",
         "c may not hold half the rotated size for each row"),
        ("float[B,S,32] x, float[50,4] c, float[50,4] s, int64[1,S] p",
         "RotaryEmbedding <num_heads = 4> (x, c, s, p)",
         "p may not hold one position for each token"),
        ("float[B,4,S,D] x, float[B,S,4] c, float[B,S,4] s", "RotaryEmbedding(x, c, s)",
         "the head size of x is not known"),
        ("float[S,D] x, float[S,4] c, float[S,4] s", "RotaryEmbedding(x, c, s)",
         "x is not of rank 3 or 4"),
        ("float[N,4,H,W,1] x", "DepthToSpace <blocksize = 2> (x)", "x is not of rank 4"),
        ("float[N,M] a, float[M] b", "SwiGLU(a, b)", "b may not have the shape of a"),
        ("float[N,M] x, int64[1] s", "CenterCropPad(x, s)",
         "s may not hold one size for each axis"),
        ("int32[1] n", "HannWindow(n)", "n is not a scalar"),
        ("float[N] x, double s", "PRelu(x, s)", "s is not of the type of the other operands"),
        ("float[N] x, float l", "PRelu(x)", "input slope of PRelu is not to be found"),
    ],
)  # fmt: skip
def test_what_only_a_body_takes_is_refused(inputs: str, call: str, why: str) -> None:
    assert refusal(inputs, call) == why
