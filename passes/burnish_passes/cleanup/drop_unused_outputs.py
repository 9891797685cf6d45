"""Optional results that nobody reads are not computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import onnx

from burnish.ir import Model, Node, Scope, Value, schema
from burnish.passdef import Context, Exactness, Pass

_INDEPENDENT: Final = (
    "Dropout",
    "GRU",
    "LSTM",
    "LayerNormalization",
    "MaxPool",
    "RNN",
    "SoftmaxCrossEntropyLoss",
    "Unique",
)
"""Operators whose other results are the same with and without an optional one.

Not BatchNormalization: before opset 14 the number of its results says whether it trains, and later
training asks for all of them. Not Attention: its present key and value go together. TopK's indices
are not optional.
"""


@dataclass(frozen=True)
class DropUnusedOutputs(Pass):
    """Drop optional results that nobody reads.

    ``y, indices = MaxPool(x) => y = MaxPool(x)``; the same for Dropout, LayerNormalization, the
    recurrent operators, Unique and SoftmaxCrossEntropyLoss.

    Before::

        agraph (float[1,1,4,4] x) => (float[1,1,2,2] y) {
            t, indices = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x)
            y = Neg(t)
        }

    After::

        agraph (float[1,1,4,4] x) => (float[1,1,2,2] y) {
            t = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x)
            y = Neg(t)
        }

    BITWISE: what is left is computed as before. Catalogue row C22. Source: the operators' schemas,
    which say what may be absent.
    """

    name: ClassVar[str] = "drop-unused-outputs"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each operator that has optional results."""
        for node, scope in ctx.nodes(model, [("", op_type) for op_type in _INDEPENDENT]):
            if any(map(_is_read, node.outputs)):
                self._drop(node, scope, ctx)

    def _drop(self, node: Node, scope: Scope, ctx: Context) -> None:
        known = schema(node.op_type, "", scope.opsets.get("", 0))
        if known is None:
            return
        optional = [
            formal.option == onnx.defs.OpSchema.FormalParameterOption.Optional
            for formal in known.outputs
        ]
        unread = [
            output
            for output, absent in zip(node.outputs, optional, strict=False)
            if absent and output.name and not _is_read(output)
        ]
        if not unread or not ctx.applies(self.name, node, f"nobody reads {unread[0].name}"):
            return
        for output in unread:
            output.name = ""
        count = max(place for place, output in enumerate(node.outputs, 1) if output.name)
        node.resize_outputs(count)


def _is_read(value: Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()
