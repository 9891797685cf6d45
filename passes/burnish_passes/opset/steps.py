"""Which operators have to be written otherwise at which opset.

Every version step of every operator that is not in :data:`ADAPTERS` leaves the meaning of the
nodes that were valid before: types were added, or an attribute whose default is the old behaviour.
``tests/passes/opset/test_steps.py`` derives the complete list of other steps from the schemas.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from burnish_passes.opset import attributes_to_inputs as inputs
from burnish_passes.opset import broadcasting, meanings
from burnish_passes.opset.draft import Draft, Place

__all__ = ["ADAPTERS", "HIGHEST", "LOWEST", "next_step"]

Adapter: TypeAlias = Callable[[Draft, Place], None]

LOWEST: Final = 6
"""Older models are not raised."""
HIGHEST: Final = 26
"""The last opset whose changes are known here."""

_ELEMENTWISE = ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")
_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")

ADAPTERS: Final[Mapping[tuple[str, int], Adapter]] = MappingProxyType(
    {
        **{(name, 7): broadcasting.broadcast_as_numpy for name in _ELEMENTWISE},
        ("BatchNormalization", 7): broadcasting.drop_test_flag,
        ("BatchNormalization", 9): meanings.only_spatial_batch_norm,
        ("BatchNormalization", 14): meanings.only_inference_batch_norm,
        ("Cast", 24): meanings.only_one_kind_of_infinity,
        ("CastLike", 24): meanings.only_one_kind_of_infinity,
        ("Clip", 11): inputs.bounds_to_inputs,
        ("ConvTranspose", 11): meanings.only_known_padding,
        ("DFT", 20): inputs.dft_axis_to_input,
        ("Dropout", 7): broadcasting.drop_test_flag,
        ("Dropout", 10): meanings.drop_unread_mask,
        ("Dropout", 12): meanings.drop_ratio,
        ("Erf", 13): meanings.only_floats,
        ("GRU", 7): broadcasting.drop_output_sequence,
        ("Gemm", 7): broadcasting.drop_broadcast,
        ("GridSample", 20): meanings.rename_grid_mode,
        ("GroupNormalization", 21): meanings.keep_group_parameters,
        ("Hardmax", 13): meanings.keep_old_flattening,
        ("LSTM", 7): broadcasting.drop_output_sequence,
        ("LogSoftmax", 13): meanings.keep_old_flattening,
        ("OneHot", 11): meanings.only_indices_in_range,
        ("PRelu", 7): broadcasting.broadcast_slope,
        ("Pad", 11): inputs.pads_to_inputs,
        ("RNN", 7): broadcasting.drop_output_sequence,
        ("ReduceSum", 13): inputs.axes_to_input,
        **{(f"Reduce{name}", 18): inputs.axes_to_input for name in _REDUCTIONS},
        ("Resize", 11): meanings.keep_old_coordinates,
        ("Resize", 13): meanings.drop_empty_scales,
        ("RoiAlign", 16): meanings.align_to_output_pixels,
        ("Scan", 9): meanings.scan_had_batches,
        ("Scatter", 11): meanings.scatter_to_scatter_elements,
        ("Slice", 10): inputs.ranges_to_inputs,
        ("Softmax", 13): meanings.keep_old_flattening,
        ("Split", 13): inputs.sizes_to_input,
        ("Split", 18): inputs.parts_counted,
        ("Squeeze", 13): inputs.axes_to_input,
        ("TopK", 10): inputs.count_to_input,
        ("Unsqueeze", 13): inputs.axes_to_input,
        ("Upsample", 7): broadcasting.upsample_had_two_scales,
        ("Upsample", 9): inputs.scales_to_input,
        ("Upsample", 10): meanings.upsample_to_resize,
    }
)


@functools.cache
def next_step(op_type: str, version: int, to: int) -> tuple[int, Adapter] | None:
    """The first opset after ``version`` and up to ``to`` at which an operator must be adapted."""
    found = [at for name, at in ADAPTERS if name == op_type and version < at <= to]
    return (min(found), ADAPTERS[op_type, min(found)]) if found else None
