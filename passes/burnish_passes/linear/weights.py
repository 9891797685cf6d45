"""Scaling and shifting the weights of linear operators, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from burnish.ir import Array, Attr, Node, Value, attribute, constant_array
from burnish.match import Match

__all__ = [
    "batch_norm_affine",
    "constant_or_absent",
    "emit_conv",
    "norm_affine",
    "normalised",
    "out_channels",
    "rounded",
    "rounded_constant",
    "scaled_kernel",
    "smallest_normal",
]


def normalised(op: Any, x: Any, scale: Any, bias: Any, mean: Any, var: Any) -> Any:
    """The pattern of a BatchNormalization of ``x`` whose parameters are all constants."""
    return op.BatchNormalization(x, scale.constant, bias.constant, mean.constant, var.constant)


def batch_norm_affine(m: Match) -> tuple[Array, Array]:
    """The factor and the shift per channel of the matched ``BatchNormalization`` at inference.

    float64[C], see :func:`norm_affine`.
    """
    return norm_affine(m, m.node("BatchNormalization"))


def norm_affine(m: Match, norm: Node) -> tuple[Array, Array]:
    """The factor and the shift per channel, float64[C], of a BatchNormalization at inference.

    Raises:
        Declined: when it trains, normalises per element, its statistics are not constants, or a
            factor is not finite.
    """
    m.require(not _trains(m, norm), "BatchNormalization is in training mode")
    m.require(attribute(norm, "spatial", 1) == 1, "BatchNormalization is not per channel")
    held = [constant_array(value) for value in norm.inputs[1:5]]
    given = [array.astype(np.float64) for array in held if array is not None]
    m.require(len(given) == 4, "the statistics of BatchNormalization are not constants")
    scale, bias, mean, var = given
    epsilon = attribute(norm, "epsilon", 1e-5)
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(var + epsilon)
        shift = bias - mean * factor
    m.require(
        bool(np.isfinite(factor).all() and np.isfinite(shift).all()),
        "statistics of BatchNormalization give a factor that is not finite",
    )
    return factor, shift


def _trains(m: Match, norm: Node) -> bool:
    if m.opset >= 14:
        return bool(attribute(norm, "training_mode", 0) != 0)
    if m.opset < 7:
        return bool(attribute(norm, "is_test", 0) == 0)
    return any(output.name for output in norm.outputs[1:])


def constant_or_absent(m: Match, name: str) -> Array | None:
    """The constant an optional variable holds in float64, or None when the input is absent.

    Raises:
        Declined: when the input is there and not a constant.
    """
    return None if m.get(name) is None else m.const(name).astype(np.float64)


def out_channels(conv: Node, kernel: Array) -> int:
    """How many output channels a Conv or ConvTranspose with that kernel has."""
    if conv.op_type == "Conv":
        return int(kernel.shape[0])
    return int(kernel.shape[1]) * int(attribute(conv, "group", 1))


def scaled_kernel(conv: Node, kernel: Array, factor: Array) -> Array:
    """The kernel with output channel ``i`` times ``factor[i]``, in float64.

    Args:
        conv: a Conv, kernel ``[M, C/group, ...]``, or a ConvTranspose, kernel
            ``[C, M/group, ...]`` whose rows belong to the groups in turn.
        kernel: its weights.
        factor: float64[M].
    """
    wide = kernel.astype(np.float64)
    if conv.op_type == "Conv":
        return wide * factor.reshape(-1, *[1] * (kernel.ndim - 1))
    group: int = attribute(conv, "group", 1)
    per_group = (group, kernel.shape[0] // group, *kernel.shape[1:])
    spread = factor.reshape(group, 1, -1, *[1] * (kernel.ndim - 2))
    return (wide.reshape(per_group) * spread).reshape(kernel.shape)


def rounded(m: Match, exact: Array, like: Array, what: str) -> Array:
    """``exact`` rounded once to the type of ``like``.

    Declines when that overflows, or when even the largest element is too small to keep its digits.
    """
    with np.errstate(all="ignore"):
        narrow = exact.astype(like.dtype)
    # Back in float32 because numpy does not know the finite numbers of bfloat16.
    finite = np.isfinite(narrow if narrow.dtype.kind == "f" else narrow.astype(np.float32))
    m.require(bool(finite.all()), f"the new {what} has values that are not finite")
    largest = float(np.abs(exact).max()) if exact.size else 0.0
    m.require(
        largest == 0.0 or largest >= smallest_normal(like.dtype),
        f"the new {what} is too small for its type",
    )
    return narrow


def smallest_normal(dtype: np.dtype[Any]) -> float:
    """The smallest number of a floating-point type that has all its digits."""
    if dtype.kind != "f":
        return 2.0**-126  # bfloat16, of which numpy knows nothing, has the exponents of float32
    return float(np.finfo(dtype).tiny)


def rounded_constant(
    op: Any, m: Match, exact: Array, like: str, what: str, old: Value | None = None
) -> Value:
    """A new constant in the type of constant variable ``like``, rounded once.

    Args:
        op: the builder.
        m: the match.
        exact: its elements in float64.
        like: the constant variable whose type it gets.
        what: how a remark calls it: ``weight`` or ``bias``.
        old: the constant it replaces, whose name it takes.
    """
    name = old.name if old is not None and old.name else f"{m[like].name}_{what}"
    narrow = rounded(m, exact, m.const(like), what)
    made: Value = op.constant(narrow, hint=name, dtype=m.dtype(like))
    return made


def emit_conv(op: Any, m: Match, kernel: Array | None, bias: Array) -> Value:
    """The matched ``conv`` with new weights; variables ``x`` and ``w`` are its inputs.

    Args:
        op: the builder.
        m: the match.
        kernel: new weights in float64, or None to keep them.
        bias: the new bias in float64, shape [M].
    """
    conv, held = m.node("conv"), m.const("w")
    dtype = m.dtype("w")
    shift = rounded(m, bias, held, "bias")
    weights = m["w"]
    if kernel is not None:
        new = rounded(m, kernel, held, "weight")
        weights = op.constant(new, hint=weights.name, dtype=dtype)
    build = getattr(op, conv.op_type)
    given = op.constant(shift, hint=_bias_name(m), dtype=dtype)
    attributes: list[Attr] = list(conv.attributes.values())
    made: Value = build(m["x"], weights, given, _attributes=attributes)
    return made


def _bias_name(m: Match) -> str:
    bias = m.get("b")
    return (bias.name if bias is not None else None) or f"{m['w'].name}_bias"
