"""What a Pad adds, and the windows of convolutions and poolings that can take it over."""

from __future__ import annotations

from typing import Any

from burnish.ir import Array, Attr, Node, attribute, constant_array
from burnish.match import Match
from burnish_passes.proofs import has_static_contents, operand, static_ints

__all__ = ["attribute_text", "auto_pad_of", "fill_value", "padded_attributes", "padding_of_space"]

_REPLACED = frozenset({"auto_pad", "pads"})


def attribute_text(node: Node, name: str, default: str) -> str:
    """A string attribute as ``str``."""
    value: Any = attribute(node, name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def auto_pad_of(node: Node) -> str:
    """The ``auto_pad`` of a convolution or pooling; the empty string counts as NOTSET."""
    return attribute_text(node, "auto_pad", "NOTSET") or "NOTSET"


def fill_value(m: Match, pad: Node) -> float | int | None:
    """What a constant Pad fills with, or None when it is computed or the Pad is not constant."""
    if attribute_text(pad, "mode", "constant") != "constant":
        return None
    if m.opset < 11:
        value: float = attribute(pad, "value", 0.0)
        return value
    if operand(pad, 2) is None:
        return 0
    held: Array | None = constant_array(operand(pad, 2))
    if held is None or held.size != 1 or held.dtype.kind in "OSUb":
        return None
    scalar = held.reshape(-1)[0]
    return int(scalar) if held.dtype.kind in "iu" else float(scalar)


def padding_of_space(m: Match, pad: Node, rank: int) -> tuple[list[int], list[int]]:
    """How much the Pad adds before and after each spatial axis (axis 2 and on).

    Raises:
        Declined: when that is not known, negative, or it also pads batches or channels.
    """
    pads = static_ints(m, pad, "paddings" if m.opset < 2 else "pads", 1)
    axes = static_ints(m, pad, "axes", 3)
    if pads is None or (axes is None and has_static_contents(pad, "axes", 3)):
        m.decline("how much the Pad adds is not known")
    places = [axis % rank for axis in (range(rank) if axes is None else axes)]
    m.require(len(pads) == 2 * len(places), "the Pad does not fit its axes")
    begins, ends = [0] * rank, [0] * rank
    for position, axis in enumerate(places):
        begins[axis] = pads[position]
        ends[axis] = pads[position + len(places)]
    m.require(min(begins + ends) >= 0, "the Pad cuts something off")
    m.require(not any(begins[:2] + ends[:2]), "the Pad adds batches or channels")
    return begins[2:], ends[2:]


def padded_attributes(
    m: Match, node: Node, begins: list[int], ends: list[int]
) -> tuple[list[Attr], list[int]]:
    """The attributes of ``node`` without its padding, and its pads with these added.

    Raises:
        Declined: when ``auto_pad`` computes the pads from the size of the input.
    """
    automatic = auto_pad_of(node)
    m.require(automatic in ("NOTSET", "VALID"), f"auto_pad is {automatic}")
    own = attribute(node, "pads") if automatic == "NOTSET" else None
    pads = [
        one + more for one, more in zip(own or (0,) * 2 * len(begins), begins + ends, strict=True)
    ]
    return [attr for name, attr in node.attributes.items() if name not in _REPLACED], pads
