"""Operators whose defaults or meaning changed from one opset to the next."""

from __future__ import annotations

import numpy as np

from burnish.ir import DataType, Value, constant_array
from burnish.symbolic import Dim
from burnish_passes.opset.draft import RAW, CannotRaise, Draft, Made, New, Operand, Place

__all__ = [
    "align_to_output_pixels",
    "drop_empty_scales",
    "drop_ratio",
    "drop_unread_mask",
    "keep_group_parameters",
    "keep_old_coordinates",
    "keep_old_flattening",
    "only_floats",
    "only_indices_in_range",
    "only_inference_batch_norm",
    "only_known_padding",
    "only_one_kind_of_infinity",
    "only_spatial_batch_norm",
    "rename_grid_mode",
    "scan_had_batches",
    "scatter_to_scatter_elements",
    "upsample_to_resize",
]

_MASK = "its mask is read, and what it holds changes"
_UNSIGNED_ZERO = (DataType.FLOAT8E4M3FNUZ, DataType.FLOAT8E5M2FNUZ)


def scatter_to_scatter_elements(draft: Draft, place: Place) -> None:
    """Scatter was given another name at 11."""
    draft.op_type = "ScatterElements"


def upsample_to_resize(draft: Draft, place: Place) -> None:
    """Upsample is a Resize from 10 on."""
    draft.op_type = "Resize"


def keep_old_coordinates(draft: Draft, place: Place) -> None:
    """Resize 11: before, pixels were aligned at their corners, and cut off to the nearest.

    Shrinking took the next pixel, as the conformance test of opset 10 shows; one Resize cannot do
    both.
    """
    scales = draft.operand(1)
    # Until 13 there must be a region, though only one coordinate mode reads it.
    region = New(np.zeros(0, dtype=np.float32), "roi") if place.to < 13 else None
    draft.inputs = [draft.inputs[0], region, scales]
    draft.set("coordinate_transformation_mode", "asymmetric")
    if draft.attribute("mode", "nearest") == "nearest":
        grows = draft.node.op_type == "Upsample" or _grows(scales)
        draft.set("nearest_mode", "floor" if grows else "ceil")


def _grows(scales: Operand) -> bool:
    held = constant_array(scales) if isinstance(scales, Value) else None
    if held is None:
        raise CannotRaise("its scales are not known: which pixel is nearest depends on them")
    grows = bool((held >= 1).all())
    if not grows and not (held <= 1).all():
        raise CannotRaise("it enlarges one axis and shrinks another")
    return grows


def drop_empty_scales(draft: Draft, place: Place) -> None:
    """Resize 13: either sizes or scales, not both."""
    if draft.attribute("coordinate_transformation_mode") == "tf_half_pixel_for_nn":
        raise CannotRaise("its coordinates, tf_half_pixel_for_nn, were removed")
    if draft.operand(3) is not None:
        draft.set_input(2, None)


def align_to_output_pixels(draft: Draft, place: Place) -> None:
    """RoiAlign 16 shifts by half a pixel unless told otherwise."""
    draft.set("coordinate_transformation_mode", "output_half_pixel")


def rename_grid_mode(draft: Draft, place: Place) -> None:
    """GridSample 20 names modes for any number of axes."""
    mode = draft.attribute("mode", "bilinear")
    draft.set("mode", {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))


def keep_old_flattening(draft: Draft, place: Place) -> None:
    """Softmax, LogSoftmax, Hardmax 13 work along one axis, before over all from it on.

    Where only one of these is longer than 1, that one is the axis; else the tensor is flattened.
    """
    axis = draft.attribute("axis", 1)
    x = draft.inputs[0]
    shape = place.shapes.shape(x) if isinstance(x, Value) else None
    first = axis + len(shape) if shape is not None and axis < 0 else axis
    if shape is not None and 0 <= first < len(shape):
        long = [at for at in range(first, len(shape)) if shape[at] != 1]
        if first == len(shape) - 1 or len(long) <= 1:
            draft.set("axis", long[0] if long and first < len(shape) - 1 else axis)
            return
    draft.inputs[0] = Made("Flatten", (x,), {"axis": axis})
    draft.set("axis", -1)
    draft.after = _restored(x, shape, place)


def _restored(x: Operand, shape: tuple[Dim, ...] | None, place: Place) -> Made:
    """The result in the shape of ``x``, also when that is empty."""
    sizes = [dim for dim in shape or () if isinstance(dim, int) and dim > 0]
    if shape is not None and len(sizes) == len(shape):
        return Made("Reshape", (RAW, New(np.array(sizes, dtype=np.int64), "shape")))
    if place.to < 14:
        raise CannotRaise("its sizes are not known, and Reshape cannot restore an empty tensor yet")
    return Made("Reshape", (RAW, Made("Shape", (x,))), {"allowzero": 1})


def keep_group_parameters(draft: Draft, place: Place) -> None:
    """GroupNormalization 21: a scale and bias for each channel, and float32 inside by default."""
    x = draft.inputs[0]
    shape = place.shapes.shape(x) if isinstance(x, Value) else None
    channels = shape[1] if shape is not None and len(shape) > 1 else None
    if not isinstance(channels, int):
        raise CannotRaise("how many channels it has is not known")
    groups = draft.attribute("num_groups")
    for index, name in ((1, "scale"), (2, "bias")):
        draft.set_input(index, _for_each_channel(draft.operand(index), groups, channels, name))
    dtype = place.dtype(x)
    if dtype != DataType.FLOAT:
        draft.set("stash_type", int(dtype))


def _for_each_channel(given: Operand, groups: int, channels: int, name: str) -> Operand:
    each = channels // groups
    held = constant_array(given) if isinstance(given, Value) else None
    if held is not None:
        return New(np.repeat(held, each), name)
    column = Made("Unsqueeze", (given, New(np.array([1], dtype=np.int64), "axes")))
    rows = Made("Expand", (column, New(np.array([groups, each], dtype=np.int64), "shape")))
    return Made("Reshape", (rows, New(np.array([channels], dtype=np.int64), "shape")))


def only_spatial_batch_norm(draft: Draft, place: Place) -> None:
    """BatchNormalization 9 has one mean for each channel, not for each position."""
    if draft.take("spatial", 1) != 1:
        raise CannotRaise("it is not spatial")


def only_inference_batch_norm(draft: Draft, place: Place) -> None:
    """BatchNormalization 14 says by an attribute whether it trains, before by its results."""
    draft.keep_outputs(1, "its statistics are read: it trains")


def drop_unread_mask(draft: Draft, place: Place) -> None:
    """Dropout 10: the mask became boolean."""
    draft.keep_outputs(1, _MASK)


def drop_ratio(draft: Draft, place: Place) -> None:
    """Dropout 12: the ratio is an input that only training reads; the mask became all true."""
    draft.keep_outputs(1, _MASK)
    draft.take("ratio")


def only_known_padding(draft: Draft, place: Place) -> None:
    """ConvTranspose 11: the side that gets an odd pixel of automatic padding was exchanged."""
    automatic = str(draft.attribute("auto_pad", "NOTSET")).startswith("SAME")
    if automatic or draft.attribute("output_shape") is not None:
        raise CannotRaise("automatic padding puts its odd pixel on the other side")


def only_indices_in_range(draft: Draft, place: Place) -> None:
    """OneHot 11 counts negative indices from the end, before they were out of range."""
    indices = draft.inputs[0]
    held = constant_array(indices) if isinstance(indices, Value) else None
    known = held is not None and bool((held >= 0).all())
    if not known and not place.dtype(indices).name.startswith("UINT"):
        raise CannotRaise("negative indices mean something else")


def only_floats(draft: Draft, place: Place) -> None:
    """Erf 13 is for floats alone."""
    if not place.dtype(draft.inputs[0]).is_floating_point():
        raise CannotRaise("integers have no error function any more")


def only_one_kind_of_infinity(draft: Draft, place: Place) -> None:
    """Cast and CastLike 24: infinity saturates to the largest number of the FNUZ types too."""
    cast = draft.op_type == "Cast"
    to = DataType(draft.attribute("to")) if cast else place.dtype(draft.operand(1))
    if to in _UNSIGNED_ZERO and draft.attribute("saturate", 1):
        raise CannotRaise(f"infinity becomes another {to.name.lower()}")


def scan_had_batches(draft: Draft, place: Place) -> None:
    """Scan 9 has no batch axis and no lengths."""
    raise CannotRaise("its batch axis was removed")
