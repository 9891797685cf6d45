"""The numbers of a model: nodes, parameters, bytes, multiply-accumulates.

Multiply-accumulates follow the usual convention: one for each product that is summed, in
convolutions, matrix products and recurrent layers; elementwise work is not counted. They are a
number, or a polynomial in the symbolic dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from burnish.census import Census, ScopeState
from burnish.ir import Model, Node, TensorProtocol, Value, attribute
from burnish.shapes import Shapes
from burnish.symbolic import Dim, has_unknown, product

__all__ = ["Figures", "Meter", "Tally", "counts", "measure", "node_macs"]


@dataclass(frozen=True)
class Figures:
    """What a model amounts to.

    Attributes:
        nodes: nodes of all scopes.
        parameters: elements of all initializers.
        bytes: bytes of all initializers.
        macs: multiply-accumulates of one run, loops counted once; None when shapes are missing.
    """

    nodes: int
    parameters: int
    bytes: int
    macs: Dim | None

    def json(self) -> dict[str, Any]:
        """As plain values; symbolic counts as text."""
        macs = self.macs if self.macs is None or isinstance(self.macs, int) else str(self.macs)
        return {
            "nodes": self.nodes,
            "parameters": self.parameters,
            "bytes": self.bytes,
            "macs": macs,
        }


def _dims(value: Value | None, shapes: Shapes) -> tuple[Dim, ...] | None:
    shape = None if value is None else shapes.shape(value)
    return None if shape is None or any(map(has_unknown, shape)) else shape


def _conv(node: Node, shapes: Shapes) -> Dim | None:
    weight, result = _dims(node.inputs[1], shapes), _dims(node.outputs[0], shapes)
    return None if weight is None or result is None else product(result) * product(weight[1:])


def _conv_transpose(node: Node, shapes: Shapes) -> Dim | None:
    weight, data = _dims(node.inputs[1], shapes), _dims(node.inputs[0], shapes)
    return None if weight is None or data is None else product(data) * product(weight[1:])


def _matmul(node: Node, shapes: Shapes) -> Dim | None:
    left, result = _dims(node.inputs[0], shapes), _dims(node.outputs[0], shapes)
    return None if not left or result is None else product(result) * left[-1]


def _gemm(node: Node, shapes: Shapes) -> Dim | None:
    left, result = _dims(node.inputs[0], shapes), _dims(node.outputs[0], shapes)
    if left is None or len(left) != 2 or result is None:
        return None
    return product(result) * left[0 if attribute(node, "transA", 0) else 1]


def _recurrent(node: Node, shapes: Shapes) -> Dim | None:
    data = _dims(node.inputs[0], shapes)
    weight, recurrence = _dims(node.inputs[1], shapes), _dims(node.inputs[2], shapes)
    if data is None or len(data) != 3 or weight is None or recurrence is None:
        return None
    return data[0] * data[1] * (product(weight) + product(recurrence))


def _attention(node: Node, shapes: Shapes) -> Dim | None:
    query, key, value = (_dims(node.inputs[index], shapes) for index in range(3))
    if query is None or key is None or value is None or len(query) < 3 or len(key) < 3:
        return None
    return product(query) * key[-2] + product(query[:-1]) * key[-2] * value[-1]


_COUNTERS: dict[str, Callable[[Node, Shapes], Dim | None]] = {
    "Attention": _attention,
    "Conv": _conv,
    "ConvInteger": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "RNN": _recurrent,
}


def node_macs(node: Node, shapes: Shapes) -> Dim | None:
    """Multiply-accumulates of one run of ``node``; 0 when it multiplies no matrices."""
    counter = _COUNTERS.get(node.op_type) if node.domain == "" else None
    return 0 if counter is None else counter(node, shapes)


def counts(op_type: str) -> bool:
    """Whether operators of this type do multiply-accumulates."""
    return op_type in _COUNTERS


class Meter:
    """Counts a model again and again, and remembers what it counted."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._macs: dict[Node, tuple[Sequence[Value | None], Dim]] = {}

    def measure(self, shapes: Shapes) -> Figures:
        """Count the model as it stands."""
        tally = Tally()
        for state in Census(self._model).states.values():
            tally.change(None, state)
        return tally.figures(self, shapes)

    def macs(self, node: Node, shapes: Shapes) -> Dim | None:
        """As :func:`node_macs`; derived anew only when the node reads something else."""
        known = self._macs.get(node)
        if known is not None and known[0] is node.inputs:
            return known[1]
        found = node_macs(node, shapes)
        if found is not None:
            self._macs[node] = (node.inputs, found)
        return found


class Tally:
    """The figures of a model, kept up to date by what changes in its scopes."""

    def __init__(self) -> None:
        self._nodes = self._parameters = self._bytes = 0
        self._macs: Dim = 0
        self._counted: dict[Node, Dim] = {}
        self._open: dict[Node, None] = {}

    def change(self, old: ScopeState | None, new: ScopeState | None) -> None:
        """Count what stands in ``new`` instead of what stood in ``old``; None is nothing."""
        was = {} if old is None else old.nodes
        now = {} if new is None else new.nodes
        self._nodes += len(now) - len(was)
        for node, entry in was.items():
            if now.get(node) is not entry and counts(entry[1][0]):
                self._open.pop(node, None)
                self._macs = self._macs - self._counted.pop(node, 0)
        for node, entry in now.items():
            if was.get(node) is not entry and counts(entry[1][0]):
                self._open[node] = None
        held = {} if old is None else old.constants
        holds = {} if new is None else new.constants
        for name, tensor in held.items():
            if holds.get(name) is not tensor:
                self._resize(tensor, -1)
        for name, tensor in holds.items():
            if held.get(name) is not tensor:
                self._resize(tensor, 1)

    def _resize(self, tensor: TensorProtocol | None, sign: int) -> None:
        if tensor is not None:
            self._parameters += sign * tensor.size
            self._bytes += sign * tensor.nbytes

    def figures(self, meter: Meter, shapes: Shapes) -> Figures:
        """The figures as things stand; the products that came since are counted now."""
        for node in list(self._open):
            found = meter.macs(node, shapes)
            if found is None:
                return Figures(self._nodes, self._parameters, self._bytes, None)
            del self._open[node]
            self._counted[node] = found
            self._macs = self._macs + found
        return Figures(self._nodes, self._parameters, self._bytes, self._macs)


def measure(model: Model, shapes: Shapes) -> Figures:
    """Count ``model`` once."""
    return Meter(model).measure(shapes)
