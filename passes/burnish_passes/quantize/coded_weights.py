"""Weights and biases as codes, with scales that keep the bias within 32 bits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from burnish.ir import Array
from burnish.quantization import CODE_TYPES, CodeType, Parameters, Scheme, encode, parameters_of
from burnish_passes.quantize.products import Product

__all__ = ["CodedWeight", "coded_bias", "coded_weight"]

LARGEST_BIAS = 2.0**30
"""Half of what int32 holds: the other half is for the sum it is added to."""
_FINE_BIAS = 2.0**20
"""The code that a bias gets in a channel whose weights are all zero: enough to be exact to 20
bits, where any scale would do for the weights."""


@dataclass(frozen=True, eq=False)
class CodedWeight:
    """The codes of a weight.

    Attributes:
        codes: int64, of the weight's shape.
        parameters: their scale and zero point.
        widened: how many scales were made larger for the bias.
    """

    codes: Array
    parameters: Parameters
    widened: int


def coded_weight(
    product: Product, code: CodeType, largest: int | None, step: float | None
) -> CodedWeight:
    """The weight of a product as symmetric codes.

    Where the scale of the bias, which is that of the sums, would make the code of a bias too large
    for int32, the scale of the weight is made larger (as ONNX Runtime's quantizer does). Where all
    weights of a channel are zero, the scale is chosen for the bias alone.

    Args:
        product: the product.
        code: the type of codes.
        largest: the largest size of a code; None: all that the type has.
        step: what the scale of a weight is to be multiplied by for that of the bias; None when the
            bias is not to be codes.
    """
    weights = product.weights
    scheme = Scheme(code, symmetric=True, axis=product.channels, largest=largest)
    parameters = parameters_of(weights, scheme)
    biases = product.biases
    widened = 0
    if biases is not None and step is not None:
        sizes = np.abs(np.broadcast_to(biases, product.length))
        if product.channels is None:
            sizes = sizes.max(initial=0.0)
        scale = parameters.scale.astype(np.float64)
        fine = sizes / (step * _FINE_BIAS)
        scale = np.where(_empty(weights, product.channels) & (sizes > 0), fine, scale)
        least = (sizes / (step * LARGEST_BIAS)).astype(np.float64)
        widened = int(np.count_nonzero(least > scale))
        scale = np.maximum(np.maximum(scale, least), np.finfo(np.float32).tiny)
        parameters = replace(parameters, scale=scale.astype(np.float32))
    return CodedWeight(encode(weights, parameters), parameters, widened)


def coded_bias(product: Product, weight: CodedWeight, step: float) -> tuple[Array, Parameters]:
    """The int32 codes ``[C]`` of the bias, with the scale of the sums they are added to.

    Args:
        product: a product with a bias.
        weight: its weight.
        step: the scale of the data.
    """
    biases = product.biases
    assert biases is not None
    # As the kernel does it: the product of two float32.
    scale = (weight.parameters.scale * np.float32(step)).astype(np.float32)
    scheme = Scheme(CODE_TYPES["int32"], symmetric=True, axis=0 if scale.ndim else None)
    parameters = Parameters(scheme, scale, np.zeros(scale.shape, np.int64))
    codes = np.rint(np.broadcast_to(biases, product.length) / scale.astype(np.float64))
    limit = scheme.code.maximum
    return np.clip(codes, -limit, limit).astype(np.int64), parameters


def _empty(weights: Array, axis: int | None) -> Array:
    """Which scales have nothing but zeros to serve."""
    others = None if axis is None else tuple(item for item in range(weights.ndim) if item != axis)
    return np.asarray(~np.any(weights, axis=others))
