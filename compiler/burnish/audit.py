"""What a runtime did with a model: which layers it computes on integers, and why others not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Audit", "AuditedLayer", "Numbers"]

Numbers = Literal["integers", "weights", "floats", "none"]
"""``integers``: products of codes. ``weights``: of numbers by weights that are stored as codes.
``floats``: of numbers. ``none``: the runtime runs no such operator, it computed or merged it."""
_SHOWN = 3


@dataclass(frozen=True)
class AuditedLayer:
    """A Conv, MatMul or Gemm, and what became of it.

    Attributes:
        node: the operator, as people name it.
        op_type: its type in the file.
        runs_as: the operator that the runtime runs for it; empty when it runs none.
        numbers: what it computes on.
        why: why it does not compute on integers; empty when it does.
    """

    node: str
    op_type: str
    runs_as: str
    numbers: Numbers
    why: str = ""


@dataclass(frozen=True)
class Audit:
    """What a runtime executes for a model.

    Attributes:
        runtime: its name and version.
        quantized: whether the file holds codes at all.
        layers: every Conv, MatMul and Gemm of the file, in order.
        given: operators of the file, by type.
        executed: operators that the runtime runs instead, by type.
    """

    runtime: str
    quantized: bool
    layers: tuple[AuditedLayer, ...]
    given: Mapping[str, int]
    executed: Mapping[str, int]

    @property
    def on_integers(self) -> int:
        """How many layers compute on integers."""
        return sum(layer.numbers == "integers" for layer in self.layers)

    @property
    def share(self) -> float:
        """The share of layers that compute on integers, 0 to 1; 1 when there are none."""
        return self.on_integers / len(self.layers) if self.layers else 1.0

    def json(self, *, layers: bool = False) -> dict[str, Any]:
        """With stable keys.

        Args:
            layers: whether to list all layers, also those that compute on integers.
        """
        fallbacks = [dict(vars(layer)) for layer in self.layers if layer.numbers != "integers"]
        found: dict[str, Any] = {
            "runtime": self.runtime,
            "quantized": self.quantized,
            "on_integers": self.on_integers,
            "of": len(self.layers),
            "fallbacks": fallbacks,
            "given": dict(self.given),
            "executed": dict(self.executed),
            "text": self.lines(),
        }
        if layers:
            found["layers"] = [dict(vars(layer)) for layer in self.layers]
        return found

    def lines(self) -> list[str]:
        """For people: how many layers compute on integers, and why the others do not."""
        total = len(self.layers)
        if not self.quantized:
            return [f"no layer is quantized: the file holds {_counted(total)} on floats"]
        found = [f"{self.on_integers} of {total} Conv/MatMul/Gemm run on integers"]
        stored = sum(layer.numbers == "weights" for layer in self.layers)
        if stored:
            found.append(f"  {stored} with weights stored as codes, multiplied with numbers")
        reasons: dict[str, list[str]] = {}
        for layer in self.layers:
            if layer.numbers != "integers":
                reasons.setdefault(layer.why, []).append(layer.node)
        for why, nodes in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
            more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
            found.append(f"  {len(nodes)} not: {why} ({', '.join(nodes[:_SHOWN])}{more})")
        return found

    def changes(self) -> list[str]:
        """What the runtime made of the file: operators that are more or fewer, by type."""
        given, executed = Counter(self.given), Counter(self.executed)
        return [
            f"{kind}: {given[kind]} -> {executed[kind]}"
            for kind in sorted({*given, *executed})
            if given[kind] != executed[kind]
        ]


def _counted(total: int) -> str:
    return f"{total} Conv/MatMul/Gemm"
