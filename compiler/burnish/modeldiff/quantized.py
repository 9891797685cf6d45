"""Weights stored as integers with a scale, as the numbers they stand for."""

from __future__ import annotations

import numpy as np

from burnish.ir import TensorProtocol, Value, attribute, constant, make_tensor

__all__ = ["dequantized", "is_dequantized"]


def is_dequantized(value: Value | None) -> bool:
    """Whether ``value`` is made by a DequantizeLinear that reads only constants."""
    node = value.producer() if value is not None else None
    if node is None or node.op_type != "DequantizeLinear" or attribute(node, "block_size", 0):
        return False
    return all(one is None or constant(one) is not None for one in node.inputs)


def dequantized(value: Value) -> TensorProtocol | None:
    """What ``value`` holds, if :func:`is_dequantized`; as float32."""
    node = value.producer()
    if node is None or not is_dequantized(value):
        return None
    stored, scale, zero = (*(constant(one) for one in node.inputs), None)[:3]
    if stored is None or scale is None:
        return None
    array = stored.numpy().astype(np.float32)
    sizes = [1] * array.ndim
    if scale.size > 1:
        sizes[attribute(node, "axis", 1)] = -1

    def spread(held: TensorProtocol) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        flat = held.numpy().astype(np.float32).reshape(-1)
        return flat.reshape(sizes if held.size > 1 else ())

    offset = spread(zero) if zero is not None else np.float32(0)
    return make_tensor((array - offset) * spread(scale))
