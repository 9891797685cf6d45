"""What it costs to keep a layer in float: multiply-accumulates, or measured milliseconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from burnish.figures import node_macs
from burnish.ir import Model, all_nodes, constant_array, label
from burnish.shapes import Shapes
from burnish.symbolic import Dim, substitute, symbols

__all__ = ["Cost", "macs_cost", "time_cost"]

_NO_DIMS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Cost:
    """What keeping a layer in float costs.

    Attributes:
        unit: ``MACs``, ``ms`` ...
        of: the cost of one layer; asked once for each. 0 or less: int8 gains nothing there.
    """

    unit: str
    of: Callable[[str], float]

    def text(self, amount: float) -> str:
        """An amount for people."""
        for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if self.unit == "MACs" and amount >= factor:
                return f"{amount / factor:.3g} {prefix}{self.unit}"
        return f"{amount:.3g} {self.unit}"


def macs_cost(model: Model, dims: Mapping[str, int] = _NO_DIMS) -> Cost:
    """Multiply-accumulates that stay in float.

    Where they cannot be counted, for want of shapes, the elements of the layer's constants stand
    for them: each is multiplied once at least.

    Args:
        model: the float model; layers are called as their nodes.
        dims: sizes of symbolic dimensions; the others count as 1.
    """
    shapes = Shapes(model)
    found: dict[str, float] = {}
    for node in all_nodes(model):
        macs = _number(node_macs(node, shapes), dims)
        if macs is None:
            held = (constant_array(value) for value in node.inputs)
            macs = float(sum(array.size for array in held if array is not None))
        found[label(node)] = found.get(label(node), 0.0) + macs

    def of(layer: str) -> float:
        return found.get(layer, 0.0)

    return Cost("MACs", of)


def _number(macs: Dim | None, dims: Mapping[str, int]) -> float | None:
    if macs is None:
        return None
    try:
        bound = substitute(macs, {name: dims.get(name, 1) for name in symbols(macs)})
    except ZeroDivisionError:
        return None
    return float(bound) if isinstance(bound, int) else None


def time_cost(build: Callable[[frozenset[str]], Model], seconds: Callable[[Model], float]) -> Cost:
    """Milliseconds that a run takes longer with one layer in float than with none.

    Args:
        build: the quantized model with these layers in float.
        seconds: how long one run of a model takes on the target.
    """
    whole: list[float] = []

    def of(layer: str) -> float:
        if not whole:
            whole.append(seconds(build(frozenset())))
        return 1000 * (seconds(build(frozenset({layer}))) - whole[0])

    return Cost("ms", of)


def gain_per_cost(gain: float, cost: float) -> float:
    """The order in which layers are worth keeping in float; what costs nothing comes first."""
    if gain <= 0:
        return 0.0
    return gain / cost if cost > 0 else math.inf


def total(costs: Mapping[str, float], layers: Iterable[str]) -> float:
    """The cost of these layers together."""
    return math.fsum(costs.get(layer, 0.0) for layer in layers)
