"""The second moments of what layers multiply with, gathered from the calibration data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from burnish.errors import InputError
from burnish.ir import Array, Model
from burnish.passdef import Context

__all__ = ["second_moments"]

_TOGETHER = 256 << 20
"""Bytes of moments that are gathered in one pass over the data."""


def second_moments(
    rule: str, model: Model, ctx: Context, widths: Mapping[str, int]
) -> dict[str, Array]:
    """``sum of x^T x`` over the calibration data, for values ``x`` of shape ``[..., K]``.

    Args:
        rule: the pass that asks.
        model: the model as it stands.
        ctx: holds the data.
        widths: K by name; the values are those of the main graph.

    Returns:
        float64 ``[K, K]`` by name. As the data is gone through again for every 256 MiB of them,
        memory stays near that.

    Raises:
        InputError: without data, or when a value is not finite.
    """
    if ctx.calibration is None:
        raise InputError(f"{rule} needs calibration data", mend="give it with --data")
    found: dict[str, Array] = {}
    for group in _groups(widths):
        part = {name: np.zeros((widths[name], widths[name])) for name in group}

        def add(name: str, array: Array, part: dict[str, Array] = part) -> None:
            rows = array.reshape(-1, array.shape[-1]).astype(np.float32, copy=False)
            part[name] += rows.T @ rows

        ctx.calibration.visit(model, group, add)
        for name, moments in part.items():
            if not np.isfinite(moments).all():
                raise InputError(
                    "it is not finite on the calibration data",
                    where=f"value {name!r}",
                    mend="look at the nodes before the value: burnish verify --per-node",
                )
        found |= part
    return found


def _groups(widths: Mapping[str, int]) -> Sequence[list[str]]:
    groups: list[list[str]] = []
    held = _TOGETHER
    for name, width in widths.items():
        size = 8 * width * width
        if held + size > _TOGETHER:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    return groups
