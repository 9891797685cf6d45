"""How far two models are apart, value by value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from burnish.ir import label
from burnish.trace.pairs import Unpaired, ValuePair
from burnish.trace.statistics import Gap
from burnish.trace.table import finite, number_text, shortened, table
from burnish.verify import Verdict
from burnish.views.report import how_many

__all__ = ["NODE_TRACE", "NodeTrace", "ValueRow"]

NODE_TRACE = "burnish-node-trace/1"


@dataclass(frozen=True)
class ValueRow:
    """One value of the result and the tensor of the source that it should equal.

    Attributes:
        index: 0-based position among the rows, in the order of the result's graph.
        value: name in the result.
        reference: name in the source.
        node: label of the node of the result that computes it; empty for a constant.
        op: its operator; ``Constant`` for a constant.
        through: labels of the result's other nodes that compute it from values that have a
            counterpart.
        sources: labels of the source nodes that all these nodes stand for.
        by: what says that they belong together: ``name`` or ``structure``.
        is_output: whether it is an output of the graph.
        why: why they cannot be compared; then the figures mean nothing.
        reason: why the difference is not allowed; empty when it is.
        moved: whether they differ at all.
        max_abs: largest absolute difference of finite elements.
        max_rel: largest relative difference of finite elements.
        ulp: largest distance in representable values; None between element types.
        excess: largest difference in units of what is allowed.
        cosine: of the angle between them; None where it is not defined.
        sqnr: signal-to-noise ratio in dB; infinite for equal ones, None where not defined.
        nan: NaNs in source and result.
        infinite: infinities in source and result.
    """

    index: int
    value: str
    reference: str
    node: str
    op: str
    through: tuple[str, ...]
    sources: tuple[str, ...]
    by: str
    is_output: bool
    why: str = ""
    reason: str = ""
    moved: bool = False
    max_abs: float = 0.0
    max_rel: float = 0.0
    ulp: int | None = 0
    excess: float = 0.0
    cosine: float | None = None
    sqnr: float | None = None
    nan: tuple[int, int] = (0, 0)
    infinite: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, index: int, pair: ValuePair, gap: Gap) -> ValueRow:
        """The row of a pair."""
        producer = pair.result.producer()
        computed = producer is not None and not pair.is_constant
        far = gap.distance
        return cls(
            index,
            str(pair.result.name),
            str(pair.reference.name),
            label(producer) if producer is not None and computed else "",
            producer.op_type if producer is not None and computed else "Constant",
            pair.through,
            pair.sources,
            pair.by,
            pair.result.is_graph_output(),
            gap.why,
            "" if gap.why else far.reason,
            gap.moved and not gap.why,
            far.max_abs,
            far.max_rel,
            None if gap.cast else far.ulp,
            far.excess,
            gap.cosine,
            gap.sqnr,
            gap.nan,
            gap.infinite,
        )

    @property
    def compared(self) -> bool:
        """Whether the two could be compared."""
        return not self.why

    @property
    def beyond(self) -> bool:
        """Whether they are farther apart than allowed."""
        return bool(self.reason)

    @property
    def severity(self) -> tuple[bool, float, float, float]:
        """The worse, the larger: beyond what is allowed, by how much, then noise and difference."""
        noise = -math.inf if self.sqnr is None else -self.sqnr
        return self.beyond, self.excess, noise, self.max_rel

    def json(self) -> dict[str, Any]:
        """As JSON-ready values; figures are None when not compared or not finite."""
        figures: dict[str, Any] = {
            "max_abs": finite(self.max_abs),
            "max_rel": finite(self.max_rel),
            "ulp": self.ulp,
            "excess": finite(self.excess),
            "cosine": finite(self.cosine),
            "sqnr_db": finite(self.sqnr),
        }
        return {
            "index": self.index,
            "value": self.value,
            "reference": self.reference,
            "node": self.node,
            "op": self.op,
            "through": list(self.through),
            "sources": list(self.sources),
            "paired_by": self.by,
            "output": self.is_output,
            "compared": self.compared,
            "ok": not self.beyond if self.compared else None,
            "moved": self.moved,
            "reason": self.why or self.reason,
            **(figures if self.compared else dict.fromkeys(figures)),
            "nan": {"source": self.nan[0], "result": self.nan[1]},
            "infinite": {"source": self.infinite[0], "result": self.infinite[1]},
        }


@dataclass(frozen=True)
class NodeTrace:
    """How far two models are apart, value by value.

    Attributes:
        source: name of the model to be faithful to.
        result: name of the other.
        verdict: of their outputs.
        rows: every pair of values, in the order of the result's graph.
        unpaired: values of the result that the source does not have.
        notes: what the reader should know.
    """

    source: str
    result: str
    verdict: Verdict
    rows: tuple[ValueRow, ...]
    unpaired: tuple[Unpaired, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every output is within what is allowed."""
        return self.verdict.ok

    @cached_property
    def first_moved(self) -> ValueRow | None:
        """The first value that differs at all."""
        return next((row for row in self.rows if row.moved), None)

    @cached_property
    def first_beyond(self) -> ValueRow | None:
        """The first value that differs by more than is allowed."""
        return next((row for row in self.rows if row.beyond), None)

    def worst(self, count: int | None = None) -> tuple[ValueRow, ...]:
        """The worst rows first; those not compared last."""
        ranked = sorted(self.rows, key=lambda row: row.severity, reverse=True)
        return tuple(sorted(ranked, key=lambda row: not row.compared)[:count])

    def json(self, top: int | None = None) -> dict[str, Any]:
        """As JSON-ready values, by ``docs/schema/node-trace.schema.json``; ``top`` as in text."""
        rows = self.rows if top is None else self.worst(top)
        moved, beyond = self.first_moved, self.first_beyond
        return {
            "format": NODE_TRACE,
            "source": self.source,
            "result": self.result,
            "ok": self.ok,
            "verdict": self.verdict.json(),
            "compared": sum(row.compared for row in self.rows),
            "first_moved": None if moved is None else moved.value,
            "first_beyond": None if beyond is None else beyond.value,
            "values": [row.json() for row in rows],
            "unpaired": [
                {"value": new.value, "node": new.node, "op": new.op, "sources": list(new.sources)}
                for new in self.unpaired
            ],
            "notes": list(self.notes),
        }

    def text(self, top: int | None = None) -> str:
        """A table of the rows and what it says.

        Args:
            top: only so many rows, the worst first; None: all, in the order of the graph.
        """
        rows = self.rows if top is None else self.worst(top)
        lines = []
        if rows:
            titles = ("value", "node", "max abs", "max rel", "ulp", "cosine", "SQNR dB", "from")
            lines.append(table(titles, [self._cells(row) for row in rows], left=(0, 1)))
        lines += [self._summary(), *(f"note: {note}" for note in self.notes), self.verdict.text()]
        return "\n".join(lines)

    def _cells(self, row: ValueRow) -> tuple[str, ...]:
        node = f"{row.op} {row.node}".strip() if not row.node.startswith(row.op) else row.node
        figures: tuple[str, ...] = ("-",) * 5
        if row.compared:
            figures = (
                number_text(row.max_abs),
                number_text(row.max_rel),
                "-" if row.ulp is None else str(row.ulp),
                "-" if row.cosine is None else f"{row.cosine:.6f}",
                _decibels(row.sqnr),
            )
        return row.value, node, *figures, "  ".join(self._said(row))

    def _said(self, row: ValueRow) -> list[str]:
        said = [_labels_text(row.sources)] if row.sources not in ((), (row.node,)) else []
        said += [f"compared with {row.reference}"] if row.reference != row.value else []
        said += [f"NaN {row.nan[0]} → {row.nan[1]}"] if any(row.nan) else []
        said += [f"inf {row.infinite[0]} → {row.infinite[1]}"] if any(row.infinite) else []
        said += [f"not comparable: {row.why}"] if row.why else []
        said += ["BEYOND"] if row.beyond else []
        said += ["<- first difference"] if row is self.first_moved else []
        said += ["<- first beyond what is allowed"] if row is self.first_beyond else []
        return said

    def _summary(self) -> str:
        compared = sum(row.compared for row in self.rows)
        head = f"{how_many(compared, 'value')} compared"
        moved, beyond = self.first_moved, self.first_beyond
        if moved is None:
            return f"{head}: all equal" if compared else "no value was compared"
        text = f"{head}: they part at {_where(moved)}"
        if beyond is None:
            return f"{text}; all are within what is allowed"
        where = "there" if beyond is moved else f"at {_where(beyond)}"
        text = f"{text}; the first beyond what is allowed is {where}"
        return f"{text}; yet the outputs are within it" if self.ok else text


def _where(row: ValueRow) -> str:
    node = f"{row.op} {row.node}" if row.node else "a constant"
    about = [f"through {_labels_text(row.through)}"] if row.through else []
    about += [f"from {_labels_text(row.sources)}"] if row.sources not in ((), (row.node,)) else []
    return f"{row.value}, {node}" + (f" ({', '.join(about)})" if about else "")


def _labels_text(labels: Sequence[str]) -> str:
    shown = [shortened(label) for label in labels[:4]]
    more = [f"and {len(labels) - 4} more"] if len(labels) > 4 else []
    return ", ".join(shown + more)


def _decibels(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return "exact" if ratio == math.inf else f"{ratio:.1f}"
