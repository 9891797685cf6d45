"""What is wrong with each planted rule."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from burnish.ir import attribute

Patch: TypeAlias = pytest.MonkeyPatch


def module(name: str) -> Any:
    """A module of the passes, by its path within them."""
    return importlib.import_module(f"burnish_passes.{name}")


def after(path: str, rule: str, wrong: Callable[..., Any]) -> Callable[[Patch], None]:
    """A plant that replaces what a rule makes: ``wrong(rule, right, op, m)``."""

    def plant(patch: Patch) -> None:
        found = getattr(module(path), rule)
        right = found.after

        def made(self: Any, op: Any, m: Any) -> Any:
            return wrong(self, right, op, m)

        patch.setattr(found, "after", made)

    return plant


def without_condition(path: str, rule: str) -> Callable[[Patch], None]:
    """A plant that lets a rule apply where it must not."""

    def plant(patch: Patch) -> None:
        patch.setattr(getattr(module(path), rule), "when", lambda self, m: None)

    return plant


def only_inner_bounds(self: Any, right: Any, op: Any, m: Any) -> Any:
    clips = module("algebra.compose_clips")
    x, inner, _ = clips._two(m)
    return clips.emit_bounds(op, m, x, inner)


def twice_for_square(self: Any, right: Any, op: Any, m: Any) -> Any:
    return op.Add(m["x"], m["x"])


def exchanged_quotient(self: Any, right: Any, op: Any, m: Any) -> Any:
    return op.Div(m["x"], m["y"])


def unscaled_bias(self: Any, right: Any, op: Any, m: Any) -> Any:
    fuse = module("linear.fuse_conv_batch_norm")
    factor, shift = fuse.batch_norm_affine(m)
    kernel = fuse.scaled_kernel(m.node("conv"), m.const("w"), factor)
    return fuse.emit_conv(op, m, kernel, np.asarray(m.const("b") + shift))


def halved_addend(self: Any, right: Any, op: Any, m: Any) -> Any:
    return op.Gemm(m["a"], m["b"], m["c"], beta=0.5)


def offset_of_the_wrong_sign(self: Any, right: Any, op: Any, m: Any) -> Any:
    fold = module("linear.fold_affine_into_conv")
    return fold.emit_conv(op, m, None, -fold._per_channel(m))


def untransposed(self: Any, right: Any, op: Any, m: Any) -> Any:
    return op.Gemm(*(m["x"] if value is not m["other"] else value for value in m.root.inputs))


def permutations_exchanged(self: Any, right: Any, op: Any, m: Any) -> Any:
    first, then = (attribute(m.node(name), "perm") for name in ("inner", "outer"))
    return op.Transpose(m["x"], perm=[then[axis] for axis in first])


def another_gate(self: Any, right: Any, op: Any, m: Any) -> Any:
    x = self.found(m)[1]
    return op.Mul(x, op.Sigmoid(x))


def softmax_along_the_first_axis(self: Any, right: Any, op: Any, m: Any) -> Any:
    return op.Softmax(m.node("top").inputs[0], axis=0)


def sum_of_the_numbers(self: Any, right: Any, op: Any, m: Any) -> Any:
    fuse = module("idioms.fuse_reductions")
    return fuse._emit(op, m, "ReduceSum", m.node("part").inputs[0])


def large_epsilon(self: Any, right: Any, op: Any, m: Any) -> Any:
    made = right(self, op, m)
    norm = next(node for node in op.nodes if node.op_type == "LayerNormalization")
    return op.LayerNormalization(*norm.inputs, epsilon=0.1) if made is not None else None


def mish_for_softplus(self: Any, right: Any, op: Any, m: Any) -> Any:
    return op.Mish(m["x"])


def quantized_elsewhere(patch: Patch) -> None:
    patch.setattr(module("quantize.cancel_requantize"), "same_parameters", lambda m, a, b: True)


def transposes_move_nothing(patch: Patch) -> None:
    movement = module("movement.eliminate_no_op_movement")
    wrong = {**movement._CONDITIONS, "Transpose": lambda m, node: None}
    patch.setattr(movement, "_CONDITIONS", wrong)


def folded_and_one(patch: Patch) -> None:
    folding = module("folding.fold_constants")
    right = folding._evaluate

    def evaluate(*arguments: Any) -> Any:
        return {value: array + 1 for value, array in right(*arguments).items()}

    patch.setattr(folding, "_evaluate", evaluate)


def blind_to_attributes(patch: Patch) -> None:
    subexpressions = module("cleanup.eliminate_common_subexpressions")
    patch.setattr(subexpressions, "_attribute_key", lambda attr: "")


def all_constants_alike(patch: Patch) -> None:
    merge = module("cleanup.merge_initializers")
    patch.setattr(merge, "same_bytes", lambda one, other: True)
    patch.setattr(merge._Seen, "digest", lambda self, held: "")


def the_other_branch(patch: Patch) -> None:
    inline = module("cleanup.inline_if")
    right = inline.constant_array

    def inverted(value: Any) -> Any:
        held = right(value)
        return None if held is None else np.logical_not(held)

    patch.setattr(inline, "constant_array", inverted)


def one_round_less(patch: Patch) -> None:
    unroll = module("cleanup.unroll_loop")
    right = unroll.trip_count

    def fewer(node: Any) -> Any:
        trips = right(node)
        return trips and trips - 1

    patch.setattr(unroll, "trip_count", fewer)


def sizes_and_one(patch: Patch) -> None:
    shapes = module("shapes.fold_shape_arithmetic")
    right = shapes.make_tensor
    patch.setattr(shapes, "make_tensor", lambda array: right(array + 1))


def parts_exchanged(patch: Patch) -> None:
    merge = module("movement.merge_slices_into_split")
    right = merge._split

    def split(op: Any, m: Any, axis: int, chain: Any) -> Any:
        pairs = right(op, m, axis=axis, chain=chain)
        return [(was, part) for (was, _), (_, part) in zip(pairs, reversed(pairs), strict=True)]

    patch.setattr(merge, "_split", split)


def unchanged_softmax(patch: Patch) -> None:
    raising = module("opset.raise_opset")
    right = raising._raised

    def raised(node: Any, version: int, place: Any) -> Any:
        if node.op_type == "Softmax":
            return raising.Draft(node)
        return right(node, version, place)

    patch.setattr(raising, "_raised", raised)
