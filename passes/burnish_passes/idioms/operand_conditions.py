"""What an operator asks of its operands that its function body does not.

A body is looser than its operator: ``Where(Less(x, min), min, x)`` takes a whole tensor as
``min``, ``Clip`` only a scalar. Here are the differences, from the operators' specifications.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import onnx

from burnish.ir import DataType, Value, schema
from burnish.shapes import Shapes
from burnish.symbolic import Dim

__all__ = ["Operands", "why_refused"]

_Shape: TypeAlias = tuple[Dim, ...]


class _Unfit(Exception):
    """An operand that the operator does not take; the message says why."""


@dataclass(frozen=True)
class Operands:
    """The operands and attributes an operator would get.

    Attributes:
        op_type: the operator.
        version: the opset in force.
        inputs: by position; None where absent.
        attributes: those that are given.
        shapes: what is known of the values.
    """

    op_type: str
    version: int
    inputs: Sequence[Value | None]
    attributes: Mapping[str, Any]
    shapes: Shapes

    def shape(self, index: int) -> _Shape | None:
        """The shape of an input, its rank known; None when it is absent."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            return None
        shape = self.shapes.shape(value)
        if shape is None:
            raise _Unfit(f"the rank of {value.name} is not known")
        return shape

    def there(self, index: int) -> _Shape:
        """The shape of an input that is there."""
        shape = self.shape(index)
        if shape is None:
            raise _Unfit(f"input {index} of {self.op_type} is absent")
        return shape

    def name(self, index: int) -> str:
        """How an input is called."""
        value = self.inputs[index]
        return str(value.name) if value is not None else ""


def why_refused(operands: Operands) -> str | None:
    """Why the operator may not take these operands, or None when it may."""
    try:
        _check_types(operands)
        check = _CHECKS.get(operands.op_type)
        if check is not None:
            check(operands)
    except _Unfit as unfit:
        return str(unfit)
    return None


def _check_types(operands: Operands) -> None:
    known: Any = schema(operands.op_type, "", operands.version)
    bound: dict[str, DataType] = {}
    for index, formal in enumerate(known.inputs):
        value = operands.inputs[index] if index < len(operands.inputs) else None
        if value is None:
            if formal.option == onnx.defs.OpSchema.FormalParameterOption.Single:
                raise _Unfit(f"input {formal.name} of {operands.op_type} is not to be found")
            continue
        dtype = operands.shapes.dtype(value)
        if dtype is None:
            raise _Unfit(f"the type of {value.name} is not known")
        if f"tensor({dtype.name.lower()})" not in formal.types:
            raise _Unfit(f"{operands.op_type} does not take {dtype.name.lower()}")
        if bound.setdefault(formal.type_str, dtype) != dtype:
            raise _Unfit(f"{value.name} is not of the type of the other operands")


def _check_scalars(operands: Operands) -> None:
    for index in range(1, len(operands.inputs)):
        if operands.shape(index):
            raise _Unfit(f"{operands.name(index)} is not a scalar")


def _check_scalar_size(operands: Operands) -> None:
    if operands.there(0):
        raise _Unfit(f"{operands.name(0)} is not a scalar")


def _check_slope(operands: Operands) -> None:
    if not _broadcasts(operands.there(1), operands.there(0)):
        raise _Unfit(f"{operands.name(1)} may broadcast the other operand to a larger shape")


def _broadcasts(small: _Shape, large: _Shape) -> bool:
    """Whether ``small`` is known to broadcast to ``large`` and not beyond."""
    if len(small) > len(large):
        return False
    pairs = zip(reversed(small), reversed(large), strict=False)
    return all(one == 1 or one == other for one, other in pairs)


def _check_normalized(operands: Operands) -> None:
    shape = operands.there(0)
    axis = operands.attributes.get("axis", -1)
    normalized = shape[axis:] if -len(shape) <= axis < len(shape) else None
    for index in range(1, len(operands.inputs)):
        found = operands.shape(index)
        if found is not None and found != normalized:
            raise _Unfit(f"{operands.name(index)} may not have the shape that is normalized")


def _check_groups(operands: Operands) -> None:
    shape = operands.there(0)
    if len(shape) < 3:
        raise _Unfit(f"{operands.name(0)} has no axes besides batch and channels")
    wanted = shape[1] if operands.version >= 21 else operands.attributes.get("num_groups")
    for index in (1, 2):
        if operands.there(index) != (wanted,):
            raise _Unfit(f"{operands.name(index)} may not hold one element for each channel")


def _check_rank_four(operands: Operands) -> None:
    if len(operands.there(0)) != 4:
        raise _Unfit(f"{operands.name(0)} is not of rank 4")


def _check_same_shapes(operands: Operands) -> None:
    if operands.there(0) != operands.there(1):
        raise _Unfit(f"{operands.name(1)} may not have the shape of {operands.name(0)}")


def _check_crop(operands: Operands) -> None:
    axes = operands.attributes.get("axes")
    count = len(operands.there(0)) if axes is None else len(axes)
    if operands.there(1) != (count,):
        raise _Unfit(f"{operands.name(1)} may not hold one size for each axis")


def _check_rotation(operands: Operands) -> None:
    shape = operands.there(0)
    heads = operands.attributes.get("num_heads", 0)
    if len(shape) == 4:
        batch, length, size = shape[0], shape[2], shape[3]
    elif len(shape) == 3 and heads:
        batch, length = shape[:2]
        size = shape[2] // heads if isinstance(shape[2], int) else shape[2]
    else:
        raise _Unfit(f"{operands.name(0)} is not of rank 3 or 4")
    turned = operands.attributes.get("rotary_embedding_dim", 0) or size
    if not isinstance(turned, int):
        raise _Unfit(f"the head size of {operands.name(0)} is not known")
    positions = operands.shape(3)
    if positions is not None and positions != (batch, length):
        raise _Unfit(f"{operands.name(3)} may not hold one position for each token")
    for index in (1, 2):
        found = operands.there(index)
        rows = (batch, length) if positions is None else found[:1]
        if found != (*rows, turned // 2):
            raise _Unfit(f"{operands.name(index)} may not hold half the rotated size for each row")


def _check_attention(operands: Operands) -> None:
    query, key, value = (operands.there(index) for index in range(3))
    if not len(query) == len(key) == len(value) or len(query) not in (3, 4):
        raise _Unfit("query, key and value are not all of rank 3 or all of rank 4")
    past = [shape for shape in (operands.shape(4), operands.shape(5)) if shape is not None]
    if any(len(shape) != 4 for shape in past):
        raise _Unfit("a past key or value is not of rank 4")
    if not all(shape[0] == query[0] for shape in (key, value, *past)):
        raise _Unfit("query, key and value may not have the same batch size")
    heads: Dim = operands.attributes.get("q_num_heads", 0)
    if len(query) == 4:
        heads = query[1]
        if key[1] != value[1]:
            raise _Unfit("key and value may not have the same number of heads")
    mask = operands.shape(3)
    if mask is not None and not _broadcasts(mask[:-1], (query[0], heads, query[-2])):
        raise _Unfit(f"{operands.name(3)} may broadcast the scores to a larger shape")


_CHECKS: Mapping[str, Callable[[Operands], None]] = {
    "Attention": _check_attention,
    "BlackmanWindow": _check_scalar_size,
    "CenterCropPad": _check_crop,
    "Clip": _check_scalars,
    "DepthToSpace": _check_rank_four,
    "GroupNormalization": _check_groups,
    "HammingWindow": _check_scalar_size,
    "HannWindow": _check_scalar_size,
    "LayerNormalization": _check_normalized,
    "PRelu": _check_slope,
    "RMSNormalization": _check_normalized,
    "RotaryEmbedding": _check_rotation,
    "SpaceToDepth": _check_rank_four,
    "SwiGLU": _check_same_shapes,
}
