"""Which nodes compute in a shorter type, and why the others stay float32."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np

from burnish.calibration import TensorStatistics
from burnish.ir import (
    DataType,
    Model,
    Node,
    Scope,
    Value,
    constant,
    is_random,
    label,
    nested_graphs,
    schema,
)
from burnish.passdef import Context
from burnish_passes.precision.formats import (
    BOUNDED,
    CARRIED,
    FLOAT32_INPUTS,
    FLOAT32_OUTPUTS,
    HEAVY,
    Format,
    why_by_nature,
)
from burnish_passes.proofs import operand

__all__ = ["Decision", "Slots", "decide"]

_CODES: Final = frozenset({"DequantizeLinear", "QuantizeLinear"})
_LARGE_TABLE: Final = 4096
"""Elements of a constant that is worth storing in a shorter type by itself."""
_FIXED: Final = "tensor(float)"


@dataclass(frozen=True)
class Slots:
    """Which inputs and results of a node get the shorter type."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass
class Decision:
    """What becomes of the nodes of a graph.

    Attributes:
        reduced: nodes that compute in the shorter type.
        stays: why others that have float32 numbers do not.
    """

    reduced: dict[Node, Slots] = field(default_factory=dict)
    stays: dict[Node, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Settings:
    format: Format
    keep: frozenset[str]
    guard: float | None
    scales: bool


def decide(
    model: Model,
    scope: Scope,
    ctx: Context,
    format: Format,
    *,
    rule: str,
    keep: Iterable[str],
    guard: float | None,
    scales: bool,
) -> Decision:
    """Decide for every node of the main graph.

    Args:
        model: the model.
        scope: its main graph.
        ctx: knows types, shapes and perhaps calibration data.
        format: the shorter type.
        rule: the pass that asks.
        keep: patterns of nodes and operators that the user wants to stay.
        guard: nodes with larger numbers on the calibration data stay; None: whatever fits.
        scales: whether quantizing operators change too.
    """
    settings = _Settings(format, frozenset(keep), guard, scales)
    deciding = _Deciding(scope, ctx, settings)
    deciding.by_operator(model)
    deciding.by_constants()
    if ctx.calibration is None:
        deciding.by_spreading()
    elif guard is not None:
        deciding.by_observation(rule, model)
    deciding.by_neighbours()
    return deciding.found


class _Deciding:
    """The steps of a decision; each moves nodes from the candidates to those that stay."""

    def __init__(self, scope: Scope, ctx: Context, settings: _Settings) -> None:
        self.scope, self.ctx, self.settings = scope, ctx, settings
        self.format = settings.format
        self.found = Decision()
        self.followers: dict[Node, Slots] = {}
        self.wild: set[Node] = set()

    def is_float32(self, value: Value | None) -> bool:
        return value is not None and self.ctx.shapes.dtype(value) == DataType.FLOAT

    def by_operator(self, model: Model) -> None:
        """Candidates are nodes that read float32 and whose operator knows the shorter type."""
        for node in self.scope.graph:
            if not any(self.is_float32(value) for value in node.inputs):
                if nested_graphs(node):
                    self.found.stays[node] = "what is in its subgraphs stays float32"
                continue
            why = self._why_kept(node, model)
            slots = None if why else self._slots(node)
            if slots is None:
                version = self.scope.opsets.get(node.domain, 0)
                known = f"{node.op_type} of opset {version} does not know {self.format.name}"
                self.found.stays[node] = why or known
            elif slots.outputs or (node.op_type == "QuantizeLinear" and self.settings.scales):
                self.found.reduced[node] = slots
            else:
                self.followers[node] = slots

    def _why_kept(self, node: Node, model: Model) -> str | None:
        names = label(node), node.op_type
        if any(fnmatchcase(name, pattern) for pattern in self.settings.keep for name in names):
            return "it was asked to stay"
        if nested_graphs(node):
            return "what is in its subgraphs stays float32"
        if node.domain != "" or node.op_identifier() in model.functions:
            return f"nothing says which types {node.op_type} takes"
        held = [
            value for value in (*node.inputs, *node.outputs) if value is not None and value.name
        ]
        unknown = [value.name for value in held if self.ctx.shapes.dtype(value) is None]
        if unknown:
            return f"the type of {unknown[0]} is not known"
        if is_random(node.op_type, "", self.scope.opsets.get("", 0)):
            return "its random numbers would be others"
        if not self.settings.scales and self._computes_on_codes(node):
            return "it is computed on codes, whose scales are float32"
        return why_by_nature(node, self.ctx)

    def _computes_on_codes(self, node: Node) -> bool:
        """Whether an activation comes from codes, or goes to them."""
        if node.op_type in _CODES:
            return constant(operand(node, 0)) is None
        made = [value.producer() for value in node.inputs if value is not None]
        codes = [item for item in made if item is not None and item.op_type == "DequantizeLinear"]
        return any(constant(operand(item, 0)) is None for item in codes)

    def _slots(self, node: Node) -> Slots | None:
        """What gets the shorter type, by the schema; None when it may not."""
        known: Any = schema(node.op_type, "", self.scope.opsets.get("", 0))
        if known is None or known.deprecated or (node.op_type == "CastLike"):
            return None
        if node.op_type == "Cast":
            return Slots((0,), ()) if not self.is_float32(node.outputs[0]) else None
        held = [
            value for value in (*node.inputs, *node.outputs) if value is not None and value.name
        ]
        if any(self.ctx.shapes.dtype(value) is None for value in held):
            return None
        takes = [
            (index, _formal(known.inputs, index))
            for index, value in enumerate(node.inputs)
            if self.is_float32(value)
        ]
        gives = [
            (index, _formal(known.outputs, index))
            for index, value in enumerate(node.outputs)
            if value.name != "" and self.is_float32(value)
        ]
        fixed = FLOAT32_INPUTS.get(node.op_type, ())
        inputs = tuple(i for i, part in takes if i not in fixed and part.type_str != _FIXED)
        late = FLOAT32_OUTPUTS.get(node.op_type, ())
        outputs = tuple(i for i, part in gives if i not in late and part.type_str != _FIXED)
        wanted = [p for i, p in takes if i in inputs] + [p for i, p in gives if i in outputs]
        name = f"tensor({self.format.name})"
        # Where the inputs that stay have the type of the others, all of them have to.
        mixed = {p.type_str for i, p in takes if i not in inputs} & {p.type_str for p in wanted}
        if not inputs or mixed or not all(name in part.types for part in wanted):
            return None
        return Slots(inputs, outputs)

    def by_constants(self) -> None:
        """Numbers that do not fit, or that would be zero."""
        for node, slots in list(self._candidates()):
            for index in slots.inputs:
                value = node.inputs[index]
                held = constant(value)
                if value is None or held is None:
                    continue
                sizes = np.abs(held.numpy().astype(np.float32))
                sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
                largest, smallest = sizes.max(initial=0.0), sizes.min(initial=np.inf)
                name = f"constant {value.name}"
                if largest > self.format.largest:
                    self._stay(node, f"{name} reaches {largest:.3g}, beyond {self.format.name}")
                    self.wild.add(node)
                elif 0 < largest < self.format.smallest or (
                    node.op_type in _CODES and smallest < self.format.smallest
                ):
                    self._stay(
                        node, f"{name} is {smallest:.3g}, too small for the digits of its new type"
                    )

    def by_spreading(self) -> None:
        """Without data: what is computed from numbers that do not fit may not fit either."""
        for node in self.scope.graph:
            reads = [
                index
                for index, value in enumerate(node.inputs)
                if value is not None and value.producer() in self.wild
            ]
            if node in self.wild or not reads:
                continue
            if node in self.found.reduced or node in self.followers:
                self._stay(node, f"it reads numbers that may be beyond {self.format.name}")
            carried = CARRIED.get(node.op_type, reads)
            if node.op_type not in BOUNDED and not set(carried).isdisjoint(reads):
                self.wild.add(node)

    def by_observation(self, rule: str, model: Model) -> None:
        """With data: nodes that read or make larger numbers than the guard allows stay."""
        named: dict[str, Value] = {}
        for node, slots in self._candidates():
            for value in _values(node, slots):
                if constant(value) is None and value.name:
                    named[value.name] = value
        if not named:
            return
        seen = self.ctx.statistics(rule, model, list(named))
        limit = min(self.settings.guard or self.format.largest, self.format.largest)
        for node, slots in list(self._candidates()):
            sizes = [_largest(seen, value) for value in _values(node, slots)]
            if max(sizes, default=0.0) > limit:
                self._stay(
                    node, f"its numbers reach {max(sizes):.4g}, beyond the guard of {limit:g}"
                )

    def by_neighbours(self) -> None:
        """Nodes that gain nothing alone follow what stands around them."""
        for group in self._groups():
            if not any(self._gains(node) for node in group):
                for node in group:
                    self._stay(node, "nothing near it gains from a shorter type")
        for node, slots in self.followers.items():
            makers = {value.producer() for value in node.inputs if value is not None}
            if makers & self.found.reduced.keys():
                self.found.reduced[node] = slots
        for node in list(self.found.reduced):
            if node.op_type == "DequantizeLinear" and constant(operand(node, 0)) is not None:
                self._follow_readers(node)

    def _follow_readers(self, node: Node) -> None:
        """Weights that are decoded for float32 stay float32."""
        result, reduced = node.outputs[0], self.found.reduced
        alike = all(
            use.node in reduced and use.idx in reduced[use.node].inputs for use in result.uses()
        )
        if result.is_graph_output() or not alike:
            self._stay(node, "its codes are decoded for float32")

    def _gains(self, node: Node) -> bool:
        if node.op_type in HEAVY:
            return True
        slots = self.found.reduced[node]
        tables = (constant(node.inputs[index]) for index in slots.inputs)
        return any(held is not None and held.size >= _LARGE_TABLE for held in tables)

    def _groups(self) -> Iterable[list[Node]]:
        """Candidates that pass numbers to each other, in graph order."""
        reduced = self.found.reduced
        seen: set[Node] = set()
        for start in list(reduced):
            if start in seen:
                continue
            seen.add(start)
            pending, group = [start], []
            while pending:
                node = pending.pop()
                group.append(node)
                for near in self._near(node):
                    if near not in seen:
                        seen.add(near)
                        pending.append(near)
            yield group

    def _near(self, node: Node) -> Iterable[Node]:
        reduced = self.found.reduced
        slots = reduced[node]
        for index in slots.inputs:
            value = node.inputs[index]
            maker = None if value is None else value.producer()
            if maker in reduced and value in [maker.outputs[i] for i in reduced[maker].outputs]:
                yield maker
        for index in slots.outputs:
            for use in node.outputs[index].uses():
                if use.node in reduced and use.idx in reduced[use.node].inputs:
                    yield use.node
        # Codes pass numbers on as well.
        if node.op_type == "QuantizeLinear":
            yield from (item for item in node.outputs[0].consumers() if item in reduced)
        coder = None if node.op_type != "DequantizeLinear" else node.inputs[0]
        maker = None if coder is None else coder.producer()
        if maker in reduced:
            yield maker

    def _candidates(self) -> Iterable[tuple[Node, Slots]]:
        yield from self.found.reduced.items()
        yield from self.followers.items()

    def _stay(self, node: Node, why: str) -> None:
        self.found.reduced.pop(node, None)
        self.followers.pop(node, None)
        self.found.stays.setdefault(node, why)


def _formal(parts: Any, index: int) -> Any:
    """The formal parameter of an input or output; the last may stand for many."""
    return parts[min(index, len(parts) - 1)]


def _values(node: Node, slots: Slots) -> Iterable[Value]:
    for index in slots.inputs:
        value = node.inputs[index]
        if value is not None:
            yield value
    for index in slots.outputs:
        yield node.outputs[index]


def _largest(seen: Mapping[str, TensorStatistics], value: Value) -> float:
    """The largest size of a number seen; infinite when there are masks in it."""
    found = seen.get(str(value.name))
    if found is None:
        return 0.0
    if found.huge:
        return float("inf")
    return max(-found.minimum, found.maximum, 0.0) if found.count else 0.0
