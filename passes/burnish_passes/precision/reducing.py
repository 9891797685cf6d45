"""What both passes to shorter types do."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence

from burnish.errors import InputError
from burnish.ir import DataType, Model, all_nodes, constant, label
from burnish.passdef import Context
from burnish_passes.precision.casting import Casting
from burnish_passes.precision.deciding import decide
from burnish_passes.precision.formats import Format

__all__ = ["reduce_precision"]


def reduce_precision(
    rule: str,
    model: Model,
    ctx: Context,
    format: Format,
    *,
    keep: Sequence[str],
    guard: float | None,
    scales: bool,
) -> None:
    """Let the main graph compute in a shorter type where that is safe; see the passes.

    Args:
        rule: the pass.
        model: changed in place.
        ctx: the context of the pass.
        format: the shorter type.
        keep: names of nodes and operators that stay float32.
        guard: the largest number a node may have on the calibration data.
        scales: whether quantizing operators change too.

    Raises:
        InputError: when a name in ``keep`` is nowhere in the model.
    """
    _check_names(rule, model, keep)
    if format.name in ctx.target.limits.missing_types:
        ctx.declined(rule, "model", f"target {ctx.target.name} does not compute in {format.name}")
        return
    scope = ctx.scopes(model)[0]
    decision = decide(model, scope, ctx, format, rule=rule, keep=keep, guard=guard, scales=scales)
    for node, why in decision.stays.items():
        ctx.declined(rule, node, why)
    for node in list(decision.reduced):
        if not ctx.applies(rule, node):
            del decision.reduced[node]
    if not decision.reduced:
        return
    casting = Casting(scope, ctx, format, decision.reduced)
    casting.write()
    if casting.flushed:
        why = f"{casting.flushed} small weights became 0, beside larger ones in their tensors"
        ctx.note(rule, "model", why)
    share = _share(model, format.dtype)
    ctx.note(
        rule,
        "model",
        f"{len(decision.reduced)} nodes compute in {format.name}, with {casting.casts} Casts; "
        f"{share:.0%} of the weights are stored so",
    )
    if ctx.target.name.startswith("ort") and ctx.target.device == "cpu":
        why = "ONNX Runtime computes most of it in float32 on a processor"
        ctx.note(rule, "model", f"the file is smaller, and not faster: {why}")


def _share(model: Model, dtype: DataType) -> float:
    """The share of floating-point weights that are of a type, by elements."""
    short = total = 0
    for value in model.graph.initializers.values():
        held = constant(value)
        if held is not None and held.dtype.is_floating_point():
            total += held.size
            short += held.size if held.dtype == dtype else 0
    return short / total if total else 0.0


def _check_names(rule: str, model: Model, keep: Sequence[str]) -> None:
    known = {name for node in all_nodes(model) for name in (label(node), node.op_type)}
    for name in keep:
        if not fnmatch.filter(known, name):
            near = difflib.get_close_matches(name, known, n=1)
            raise InputError(
                f"the model has no node or operator '{name}'",
                where=f"{rule}{{keep}}",
                mend=f"did you mean {near[0]}?" if near else "see: burnish inspect",
            )
