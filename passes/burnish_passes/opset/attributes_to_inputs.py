"""Operators whose attributes became inputs."""

from __future__ import annotations

import math

import numpy as np

from burnish.ir import DataType
from burnish_passes.opset.draft import CannotRaise, Draft, New, Place

__all__ = [
    "axes_to_input",
    "bounds_to_inputs",
    "count_to_input",
    "dft_axis_to_input",
    "pads_to_inputs",
    "parts_counted",
    "ranges_to_inputs",
    "scales_to_input",
    "sizes_to_input",
]


def axes_to_input(draft: Draft, place: Place) -> None:
    """Squeeze, Unsqueeze, ReduceSum at 13, the other reductions at 18.

    An empty list and an absent one always meant all axes, and the new flag's default says so too.
    """
    draft.ints_to_input("axes", 1)


def ranges_to_inputs(draft: Draft, place: Place) -> None:
    """Slice 10."""
    for index, name in enumerate(("starts", "ends", "axes"), start=1):
        held = draft.take(name)
        if held is not None:
            draft.set_input(index, New(np.array(held, dtype=np.int64), name))


def count_to_input(draft: Draft, place: Place) -> None:
    """TopK 10: ``k`` is a list of one."""
    draft.set_input(1, New(np.array([draft.take("k")], dtype=np.int64), "k"))


def sizes_to_input(draft: Draft, place: Place) -> None:
    """Split 13."""
    draft.ints_to_input("split", 1)


def parts_counted(draft: Draft, place: Place) -> None:
    """Split 18: without sizes the number of parts must be said."""
    if draft.operand(1) is None:
        draft.set("num_outputs", draft.outputs)


def scales_to_input(draft: Draft, place: Place) -> None:
    """Upsample 9."""
    scales = draft.take("scales")
    draft.set_input(1, New(np.array(scales, dtype=np.float32), "scales"))


def pads_to_inputs(draft: Draft, place: Place) -> None:
    """Pad 11: the constant only where it is used and is not the default, +0."""
    draft.set_input(1, New(np.array(draft.take("pads"), dtype=np.int64), "pads"))
    fill = draft.take("value", 0.0)
    plain = fill == 0 and math.copysign(1, fill) > 0
    if not plain and draft.attribute("mode", "constant") == "constant":
        dtype = place.float_dtype(draft.operand(0))
        draft.set_input(2, New(np.array(fill, dtype=dtype), "value"))


def bounds_to_inputs(draft: Draft, place: Place) -> None:
    """Clip 11. The default bounds were those of float32, and became those of the type."""
    found = place.dtype(draft.operand(0))
    for index, name in enumerate(("min", "max"), start=1):
        bound = draft.take(name)
        if bound is not None:
            array = np.array(bound, dtype=np.dtype(found.numpy()))
            draft.set_input(index, New(array, name))
        elif found != DataType.FLOAT:
            raise CannotRaise(f"it has no bound {name}, and the default of {found.name} changes")


def dft_axis_to_input(draft: Draft, place: Place) -> None:
    """DFT 20: the axis is an input whose default counts from the back."""
    axis = draft.take("axis", 1)
    draft.set_input(2, New(np.array(axis, dtype=np.int64), "axis"))
