"""Rules for the shapes of outputs of linear, convolution, pooling, normalization and RNN nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from types import MappingProxyType

import numpy as np

from burnish.shapes.broadcast import broadcast, quotient
from burnish.shapes.facts import NodeFacts, Shape, ShapeRule, as_axis
from burnish.symbolic import Dim, ceildiv, floordiv

__all__ = ["NN_RULES"]

Answer = list[Shape | None] | None


# ---- products ------------------------------------------------------------------------------------


def _matmul(view: NodeFacts) -> Answer:
    # MatMulInteger has A and B first; QLinearMatMul has A, its scale and zero point, then B.
    left = view.shape(0)
    right = view.shape(3 if view.node.op_type == "QLinearMatMul" else 1)
    if not left or not right:
        return None
    if len(left) == 1 and len(right) == 1:
        return [()]
    if len(left) == 1:
        return [(*right[:-2], right[-1])]
    if len(right) == 1:
        return [left[:-1]]
    lead = broadcast(view, [left[:-2], right[:-2]])
    return None if lead is None else [(*lead, left[-2], right[-1])]


def _gemm(view: NodeFacts) -> Answer:
    left, right = view.shape(0), view.shape(1)
    if left is None or right is None or len(left) != 2 or len(right) != 2:
        return [view.sizes(2)]
    rows = left[1] if view.attribute("transA", 0) else left[0]
    columns = right[0] if view.attribute("transB", 0) else right[1]
    return [(rows, columns)]


# ---- windows -------------------------------------------------------------------------------------


def _window_sizes(view: NodeFacts, weights: Shape | None, rank: int) -> list[int] | None:
    """Kernel sizes with the gaps of dilation counted in; None when not static."""
    kernel: Sequence[Dim] | None = view.attribute("kernel_shape")
    if kernel is None and weights is not None:
        kernel = weights[2:]
    dilations = view.attribute("dilations", (1,) * rank)
    if kernel is None or len(kernel) != rank or len(dilations) != rank:
        return None
    sizes = [
        dilation * (size - 1) + 1
        for size, dilation in zip(kernel, dilations, strict=True)
        if isinstance(size, int)
    ]
    return sizes if len(sizes) == rank else None


def _windowed(view: NodeFacts, spatial: Shape, weights: Shape | None) -> Shape:
    """Spatial sizes after a convolution or pooling window has passed over ``spatial``."""
    rank = len(spatial)
    strides = view.attribute("strides", (1,) * rank)
    auto_pad = view.attribute("auto_pad", b"NOTSET")
    auto_pad = auto_pad.decode() if isinstance(auto_pad, bytes) else auto_pad
    if auto_pad.startswith("SAME"):
        return tuple(ceildiv(n, stride) for n, stride in zip(spatial, strides, strict=True))
    kernel = _window_sizes(view, weights, rank)
    pads = view.attribute("pads", (0,) * (2 * rank))
    if kernel is None or len(pads) != 2 * rank or len(strides) != rank:
        return view.sizes(rank)
    if auto_pad == "VALID":
        pads = (0,) * (2 * rank)
    dims: list[Dim] = []
    for axis, size in enumerate(spatial):
        room = size + (pads[axis] + pads[axis + rank] - kernel[axis])
        dim = floordiv(room, strides[axis]) + 1
        if view.attribute("ceil_mode", 0):
            up = ceildiv(room, strides[axis]) + 1
            # Runtimes differ on a last window that starts in the padding; trust only agreement.
            dim = dim if up == dim else view.size()
        dims.append(view.as_size(dim))
    return tuple(dims)


def _convolution(view: NodeFacts) -> Answer:
    data = view.shape(0)
    weights = view.shape(3 if view.node.op_type == "QLinearConv" else 1)
    if data is None or len(data) < 3:
        return None
    channels = view.size() if weights is None else weights[0]
    return [(data[0], channels, *_windowed(view, data[2:], weights))]


def _pool(view: NodeFacts) -> Answer:
    data = view.shape(0)
    if data is None or len(data) < 3:
        return None
    return [(*data[:2], *_windowed(view, data[2:], None))] * len(view.node.outputs)


def _global_pool(view: NodeFacts) -> Answer:
    data = view.shape(0)
    return None if data is None else [(*data[:2], *(1 for _ in data[2:]))]


def _conv_transpose(view: NodeFacts) -> Answer:
    data, weights = view.shape(0), view.shape(1)
    if data is None or len(data) < 3:
        return None
    rank = len(data) - 2
    channels = view.size()
    lead: Shape = (
        data[0],
        channels if weights is None else view.as_size(weights[1] * view.attribute("group", 1)),
    )
    given = view.attribute("output_shape")
    if given is not None:
        return [(*lead, *given[-rank:])]
    kernel = _window_sizes(view, weights, rank)
    strides = view.attribute("strides", (1,) * rank)
    extra = view.attribute("output_padding", (0,) * rank)
    pads = view.attribute("pads", (0,) * (2 * rank))
    auto_pad = view.attribute("auto_pad", "NOTSET")
    if kernel is None or auto_pad not in ("NOTSET", "VALID"):
        return [(*lead, *view.sizes(rank))]
    return [
        (
            *lead,
            *(
                view.as_size(
                    (data[axis + 2] - 1) * strides[axis]
                    + (kernel[axis] + extra[axis] - pads[axis] - pads[axis + rank])
                )
                for axis in range(rank)
            ),
        )
    ]


# ---- resizing ------------------------------------------------------------------------------------


def _pad(view: NodeFacts) -> Answer:
    data = view.shape(0)
    if data is None:
        return None
    pads: Sequence[Dim] | None = view.attribute("pads") or view.attribute("paddings")
    pads = view.dims(1) if pads is None else pads
    axes = view.ints(3, "") if view.has(3) else tuple(range(len(data)))
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        return [view.sizes(len(data))]
    dims = list(data)
    for index, axis in enumerate(axes):
        place = as_axis(axis, len(data))
        if place is None:
            return None
        dims[place] = view.as_size(dims[place] + pads[index] + pads[index + len(axes)])
    return [tuple(dims)]


def _scaled(view: NodeFacts, size: Dim, scale: float) -> Dim:
    """``floor(size * scale)``, when the rounding of float32 cannot change the answer."""
    if scale > 0 and float(scale).is_integer():
        return size * int(scale)
    if 0 < scale < 1 and (1 / scale).is_integer() and float(np.log2(scale)).is_integer():
        return floordiv(size, int(1 / scale))
    if not isinstance(size, int):
        return view.size()
    exact, rounded = floor(size * scale), floor(np.float32(size) * np.float32(scale))
    return exact if exact == rounded else view.size()


def _resize(view: NodeFacts) -> Answer:
    data = view.shape(0)
    if data is None:
        return None
    sizes_at, scales_at = (3, 2) if view.version >= 11 else (9, 1)
    policy = view.attribute("keep_aspect_ratio_policy", "stretch")
    rank = len(data)
    axes = view.attribute("axes", tuple(range(rank)))
    sizes, scales = view.dims(sizes_at), view.contents(scales_at)
    factors = view.attribute("scales")
    if factors is None and scales is not None:
        factors = scales.floats()
    if policy != "stretch":
        return [view.sizes(rank)]
    dims = list(data)
    for index, axis in enumerate(axes):
        place = as_axis(axis, rank)
        if place is None:
            return None
        if sizes is not None and len(sizes) == len(axes):
            dims[place] = view.as_size(sizes[index])
        elif factors and len(factors) == len(axes) and not view.has(sizes_at):
            dims[place] = view.as_size(_scaled(view, dims[place], factors[index]))
        else:
            dims[place] = view.size()
    return [tuple(dims)]


def _depth_to_space(view: NodeFacts) -> Answer:
    data, block = view.shape(0), view.attribute("blocksize")
    if data is None or len(data) != 4 or block is None:
        return None
    batch, channels, height, width = data
    depth = quotient(channels, block * block)
    return [(batch, view.size() if depth is None else depth, height * block, width * block)]


def _space_to_depth(view: NodeFacts) -> Answer:
    data, block = view.shape(0), view.attribute("blocksize")
    if data is None or len(data) != 4 or block is None:
        return None
    batch, channels, height, width = data
    return [(batch, channels * block * block, floordiv(height, block), floordiv(width, block))]


# ---- normalization and recurrence ----------------------------------------------------------------


def _layer_normalization(view: NodeFacts) -> Answer:
    data = view.shape(0)
    if data is None:
        return [data]
    axis = as_axis(view.attribute("axis", -1), len(data))
    if axis is None:
        return None
    statistics = (*data[:axis], *(1 for _ in data[axis:]))
    return [data, statistics, statistics]


def _batch_normalization(view: NodeFacts) -> Answer:
    channels = view.shape(1)
    return [view.shape(0), channels, channels, channels, channels][: len(view.node.outputs)]


def _recurrent(view: NodeFacts) -> Answer:
    data, hidden = view.shape(0), view.attribute("hidden_size")
    if data is None or len(data) != 3 or hidden is None:
        return None
    directions = 2 if view.attribute("direction", "forward") == "bidirectional" else 1
    if view.attribute("layout", 0):
        batch, length, _ = data
        last: Shape = (batch, directions, hidden)
        found: list[Shape | None] = [(batch, length, directions, hidden), last, last]
        return found[: len(view.node.outputs)]
    length, batch, _ = data
    last = (directions, batch, hidden)
    found = [(length, directions, batch, hidden), last, last]
    return found[: len(view.node.outputs)]


def _einsum(view: NodeFacts) -> Answer:
    equation = view.attribute("equation")
    if equation is None or "..." in equation:
        return None
    left, arrow, right = equation.replace(" ", "").partition("->")
    sizes: dict[str, Dim] = {}
    for index, term in enumerate(left.split(",")):
        shape = view.shape(index)
        if shape is None or len(shape) != len(term):
            return None
        for letter, dim in zip(term, shape, strict=True):
            seen = sizes.get(letter)
            # Equal by definition of Einsum, save that a size of 1 may stretch.
            sizes[letter] = dim if seen is None else _stretched(view, seen, dim)
    if not arrow:
        right = "".join(sorted(letter for letter in sizes if left.count(letter) == 1))
    return [tuple(sizes[letter] for letter in right)]


def _stretched(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    both = broadcast(view, [(left,), (right,)])
    return view.size() if both is None else both[0]


NN_RULES: Mapping[str, ShapeRule] = MappingProxyType(
    {
        "AveragePool": _pool,
        "BatchNormalization": _batch_normalization,
        "Conv": _convolution,
        "ConvInteger": _convolution,
        "ConvTranspose": _conv_transpose,
        "DepthToSpace": _depth_to_space,
        "Einsum": _einsum,
        "GRU": _recurrent,
        "Gemm": _gemm,
        "GlobalAveragePool": _global_pool,
        "GlobalLpPool": _global_pool,
        "GlobalMaxPool": _global_pool,
        "LSTM": _recurrent,
        "LayerNormalization": _layer_normalization,
        "LpPool": _pool,
        "MatMul": _matmul,
        "MatMulInteger": _matmul,
        "MaxPool": _pool,
        "Pad": _pad,
        "QLinearConv": _convolution,
        "QLinearMatMul": _matmul,
        "RNN": _recurrent,
        "Resize": _resize,
        "SpaceToDepth": _space_to_depth,
        "Upsample": _resize,
    }
)
