"""An initial state of zeros is what recurrent operators assume anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model, Value, attribute, constant_array
from burnish.match import refers_to_parameter
from burnish.passdef import Context, Pass

_STATES = {"RNN": (5,), "GRU": (5,), "LSTM": (5, 6)}
"""Input positions of initial_h and initial_c."""
_MOVING = frozenset(
    {"Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze"}
    | {"Tile", "Transpose", "Unsqueeze"}
)
"""Operators whose result holds nothing but elements of their first input (Concat: of all)."""


@dataclass(frozen=True)
class RemoveZeroInitialState(Pass):
    """Remove initial states of RNN, GRU and LSTM that are all zeros, computed ones included.

    ``LSTM(x, w, r, b, lens, zeros, zeros)`` => ``LSTM(x, w, r, b, lens)``.

    Before::

        agraph (float[5,1,2] x, float[1,3,2] w, float[1,3,3] r) => (float[1,1,3] h)
            <float[1,1,3] zeros = {0, 0, 0}> {
            y, h = RNN <hidden_size = 3> (x, w, r, , , zeros)
        }

    After::

        agraph (float[5,1,2] x, float[1,3,2] w, float[1,3,3] r) => (float[1,1,3] h)
            <float[1,1,3] zeros = {0, 0, 0}> {
            y, h = RNN <hidden_size = 3> (x, w, r)
        }

    Catalogue row D6. Source: ONNX operator specifications of RNN, GRU, LSTM (default initial
    state).
    """

    name: ClassVar[str] = "remove-zero-initial-state"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at every recurrent node."""
        for node, _ in ctx.nodes(model, [("", op_type) for op_type in _STATES]):
            for position in _STATES[node.op_type]:
                value = node.inputs[position] if len(node.inputs) > position else None
                if value is None or not _is_zero(value) or not ctx.applies(self.name, node):
                    continue
                node.replace_input_with(position, None)
                present = [index for index, item in enumerate(node.inputs) if item is not None]
                node.resize_inputs(present[-1] + 1)


def _is_zero(value: Value) -> bool:
    """Whether every element is +0."""
    pending, seen = [value], {value}
    while pending:
        item = pending.pop()
        array = constant_array(item)
        if array is not None:
            if array.dtype.kind not in "biuf" or array.tobytes().strip(b"\0"):
                return False
            continue
        producer = item.producer()
        if producer is None or producer.domain != "" or refers_to_parameter(producer):
            return False
        if producer.op_type == "ConstantOfShape":
            fill = attribute(producer, "value")
            if fill is not None and fill.tobytes().strip(b"\0"):
                return False
            continue
        if producer.op_type not in _MOVING or not producer.inputs:
            return False
        for source in producer.inputs if producer.op_type == "Concat" else producer.inputs[:1]:
            if source is None:
                return False
            if source not in seen:
                seen.add(source)
                pending.append(source)
    return True
