"""Convs of the parts of a Split that are joined again become one Conv in groups."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Node, Value, attribute, constant, constant_array
from burnish.match import Match, Mismatch
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import operand, static_ints


def _convs(m: Match) -> list[Node]:
    """The Convs whose results the Concat joins, and that nothing else reads."""
    found: list[Node] = []
    for value in m.root.inputs:
        node = None if value is None else value.producer()
        if node is None or node.op_type != "Conv" or node.domain != "":
            raise Mismatch
        m.suppose(node.graph is m.root.graph and node not in found)
        found.append(node)
    for node in found:
        result = node.outputs[0]
        m.require(
            len(result.uses()) == 1 and not result.is_graph_output(),
            f"{result.name} has another reader or is a graph output",
        )
    return found


def _split(m: Match, convs: list[Node]) -> Node:
    """The Split whose parts, all of them and in order, the Convs read."""
    first = convs[0].inputs[0]
    split = None if first is None else first.producer()
    if split is None or split.op_type != "Split" or split.domain != "":
        raise Mismatch
    m.suppose(split.graph is m.root.graph and len(split.outputs) == len(convs))
    for part, conv in zip(split.outputs, convs, strict=True):
        m.require(conv.inputs[0] is part, "the Convs do not read the parts in order")
        m.require(
            len(part.uses()) == 1 and not part.is_graph_output(),
            f"{part.name} has another reader or is a graph output",
        )
    return split


def _settings(conv: Node) -> dict[str, Any]:
    return {name: attr.value for name, attr in conv.attributes.items()}


def _kernel(m: Match, convs: list[Node]) -> list[Array]:
    """The kernels, all of one shape."""
    shapes = []
    for conv in convs:
        held = constant(conv.inputs[1])
        if held is None:
            m.decline("a kernel is not a constant")
        shapes.append(tuple(held.shape.numpy()))
    m.require(len(set(shapes)) == 1, "the kernels differ in shape")
    arrays = [constant_array(conv.inputs[1]) for conv in convs]
    return [array for array in arrays if array is not None]


def _biases(m: Match, convs: list[Node], like: Array) -> list[Array]:
    """The biases, zeros where absent; none when all are absent."""
    given = [operand(conv, 2) for conv in convs]
    if not any(value is not None for value in given):
        return []
    found: list[Array] = []
    for value in given:
        array = np.zeros(like.shape[:1], like.dtype) if value is None else constant_array(value)
        if array is None:
            m.decline("a bias is not a constant")
        found.append(array)
    return found


class MergeSplitConvs(Rule):
    """Make one Conv in groups of Convs that each see one part of the channels.

    ``Concat(Conv(a, V), Conv(b, W))`` of ``a, b = Split(x)`` ``=> Conv[group=2](x, [V; W])``.

    Before::

        agraph (float[1,2,3,3] x) => (float[1,4,3,3] y) {
            v = Constant <value = float[2,1,1,1] {1.0, 2.0}> ()
            w = Constant <value = float[2,1,1,1] {3.0, 4.0}> ()
            a, b = Split <axis = 1, num_outputs = 2> (x)
            s = Conv(a, v)
            t = Conv(b, w)
            y = Concat <axis = 1> (s, t)
        }

    After::

        agraph (float[1,2,3,3] x) => (float[1,4,3,3] y) {
            w = Constant <value = float[4,1,1,1] {1.0, 2.0, 3.0, 4.0}> ()
            y = Conv <group = 2> (x, w)
        }

    The parts are equal and in order, and the Convs differ only in their weights. FLOAT: a runtime
    may sum in another order. Catalogue row A20. Source: ONNX operator specification of Conv.
    """

    name: ClassVar[str] = "merge-split-convs"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any) -> Any:
        return op.Concat(..., _name="concat")

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(len(m.root.inputs) > 1)
        convs = _convs(m)
        split = _split(m, convs)
        kernels = _kernel(m, convs)
        self.check(m, convs, split, kernels[0])
        kernel = op.constant(np.concatenate(kernels), hint=self.hint(convs), dtype=self.held(convs))
        inputs: list[Value | None] = [split.inputs[0], kernel]
        biases = _biases(m, convs, kernels[0])
        if biases:
            bias = np.concatenate(biases)
            inputs.append(op.constant(bias, hint=f"{kernel.name}_bias", dtype=self.held(convs)))
        for node in (split, *convs):
            m.include(node)
        kept = [attr for name, attr in convs[0].attributes.items() if name != "group"]
        group = attribute(convs[0], "group", 1) * len(convs)
        return op.Conv(*inputs, _attributes=kept, group=group)

    def check(self, m: Match, convs: list[Node], split: Node, kernel: Array) -> None:
        """Decline unless Split and Concat cut the channels, and the Convs are of one kind."""
        rank = kernel.ndim
        axes = attribute(split, "axis", 0), attribute(m.root, "axis", 1)
        m.require(axes[0] % rank == axes[1] % rank == 1, "it is not the channels that are cut")
        settings = _settings(convs[0])
        m.require(
            all(_settings(conv) == settings for conv in convs), "the Convs differ in attributes"
        )
        channels = kernel.shape[1] * attribute(convs[0], "group", 1)
        sizes = static_ints(m, split, "split", 1)
        known = [m.shape_of(part)[1] for part in split.outputs]
        m.require(
            known == [channels] * len(convs) or sizes == (channels,) * len(convs),
            "the parts are not known to be equal",
        )

    def held(self, convs: list[Node]) -> Any:
        """The element type of the kernels."""
        kernel = constant(convs[0].inputs[1])
        assert kernel is not None
        return kernel.dtype

    def hint(self, convs: list[Node]) -> str | None:
        """What the new kernel is called after."""
        kernel = convs[0].inputs[1]
        return None if kernel is None else kernel.name
