"""Constants that are written out where they are read."""

from __future__ import annotations

from burnish.ir import DataType, TensorProtocol
from burnish.text import tensor_text

__all__ = ["constant_text", "is_spelled_out"]

_FEW = 8


def is_spelled_out(tensor: TensorProtocol) -> bool:
    """Whether a constant is small enough to be read as a part of the node that reads it."""
    if tensor.size == 1:
        return tensor.dtype.is_floating_point() or tensor.dtype.is_integer() or _is_flag(tensor)
    return tensor.size <= _FEW and (tensor.dtype.is_integer() or _is_flag(tensor))


def constant_text(tensor: TensorProtocol) -> str:
    """Type, shape and elements of a small constant."""
    if _is_flag(tensor):
        return f"bool{[int(str(dim)) for dim in tensor.shape]} {tensor.numpy().tolist()}"
    return tensor_text(tensor)


def _is_flag(tensor: TensorProtocol) -> bool:
    return tensor.dtype == DataType.BOOL
