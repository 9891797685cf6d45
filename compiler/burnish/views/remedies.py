"""What a user can do about a reason: one table, keyed on the words the engine and passes use.

A remedy is offered only where the model, the target and the pipeline at hand say that it applies: no
``raise-opset`` where the opset was raised already, no ``--dim`` where no named size is involved.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from burnish.ir import Model, Node, Value, constant, schema
from burnish.pipeline import Pipeline
from burnish.shapes import Shapes
from burnish.symbolic import symbols
from burnish.target import TARGETS, Target

__all__ = ["Situation", "remedy"]

_UPSTREAM = 2
"""How many nodes above a place its operands are looked for."""


@dataclass(frozen=True)
class Situation:
    """What is known of a run where a reason was given.

    Attributes:
        model: as it stands.
        shapes: of that model.
        target: what it is compiled for.
        passes: names of the passes of the pipeline.
        ran: names of those that ran up to here.
    """

    model: Model
    shapes: Shapes
    target: Target
    passes: frozenset[str]
    ran: frozenset[str]

    @classmethod
    def of(
        cls,
        model: Model,
        shapes: Shapes,
        target: Target,
        pipeline: Pipeline,
        ran: Iterable[str] | None = None,
    ) -> Situation:
        """The situation in a run.

        Args:
            model: as it stands.
            shapes: of that model.
            target: what it is compiled for.
            pipeline: what runs.
            ran: names of the passes that ran up to here; None is all of them.
        """
        names = frozenset(item.name for item in pipeline.flat())
        return cls(model, shapes, target, names, names if ran is None else frozenset(ran))

    @property
    def opset(self) -> int:
        """The ONNX opset of the model as it stands."""
        return self.model.opset_imports.get("", 0)


_Mend = Callable[["re.Match[str]", Situation, Sequence[Node]], "str | None"]


def remedy(why: str, situation: Situation, nodes: Sequence[Node] = ()) -> str | None:
    """What may be done about ``why``, or None when nothing useful is known.

    Args:
        why: a reason, as in a remark or a near miss.
        situation: where it was given.
        nodes: the nodes it speaks of.
    """
    for pattern, mend in _TABLE:
        found = pattern.search(why)
        if found is not None:
            text = mend(found, situation, nodes)
            if text is not None:
                return text
    return None


def _raise_to(since: int, situation: Situation) -> str | None:
    if since <= situation.opset or since > situation.target.limits.highest_opset:
        return None
    if "raise-opset" not in situation.passes:
        return f"raise the opset: run raise-opset before it ({since} or later), or use -O2"
    if "raise-opset" not in situation.ran:
        return "raise-opset has not run up to here; it does later"
    return (
        f"raise-opset ended at opset {situation.opset}; burnish explain MODEL raise-opset says why"
    )


def _missing_operator(
    found: re.Match[str], situation: Situation, nodes: Sequence[Node]
) -> str | None:
    highest = situation.target.limits.highest_opset
    for version in range(int(found[1]) + 1, highest + 1):
        if schema(found[2], "", version) is not None:
            return _raise_to(version, situation)
    return None


def _needed_opset(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    return _raise_to(int(found[1]), situation)


def _later_opset(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    """A condition of the opset in force; a later one may lift it."""
    return _raise_to(int(found[1]) + 1, situation)


def _other_target(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    op_type = found[2]
    here = situation.target
    part = found[3] if found.re.groups > 2 else None
    for other in TARGETS:
        limits = other.limits
        if other.name == here.name or not limits.welcomes(op_type):
            continue
        if part is None or all(
            (op_type, each) not in limits.missing_parts for each in part.split(", ")
        ):
            return f"for other runtimes: --target {other.name}"
    return None


def _freeze(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    for value in _operands(nodes):
        if value.is_graph_input() and value.is_initializer():
            return "if no caller overrides that default, run freeze-initializers first"
    return None


def _bind(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    declared = _declared_names(situation.model)
    named: dict[str, None] = {}
    for value in (*_operands(nodes), *(output for node in nodes for output in node.outputs)):
        for dim in situation.shapes.shape(value) or ():
            named.update(dict.fromkeys(name for name in sorted(symbols(dim)) if name in declared))
    if named:
        sizes = " ".join(f"--dim {shlex.quote(f'{name}=N')}" for name in list(named)[:3])
        return f"if the size is always the same, bind it: {sizes}"
    return _shape_inputs(situation, nodes)


def _shape_inputs(situation: Situation, nodes: Sequence[Node]) -> str | None:
    """Inputs of unknown rank, or with sizes that have no name, that lead to ``nodes``."""
    for value in _inputs_above(nodes):
        if value.shape is None or any(
            not isinstance(dim, int) and dim.value is None for dim in value.shape
        ):
            shape = shlex.quote(f"{value.name}=1,2,3")
            return f"if its shape is always the same, bind it: --input-shape {shape}"
    return None


def _inline(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    if "inline-functions" in situation.passes:
        return None
    return "run inline-functions before it"


def _allow_growth(found: re.Match[str], situation: Situation, nodes: Sequence[Node]) -> str | None:
    growth = int(found[1]) - int(found[2])
    return f"to fold it all the same: fold-constants{{growth={growth}}}"


def _declared_names(model: Model) -> set[str]:
    return {
        dim.value
        for value in model.graph.inputs
        for dim in (value.shape or ())
        if not isinstance(dim, int) and dim.value is not None
    }


def _operands(nodes: Iterable[Node]) -> list[Value]:
    """What ``nodes`` read, and what is read a little above them."""
    found: dict[Value, None] = {}
    level = list(nodes)
    for _ in range(_UPSTREAM):
        read = [value for node in level for value in node.inputs if value is not None]
        found.update(dict.fromkeys(read))
        level = [made for value in read if (made := value.producer()) is not None]
    return list(found)


def _inputs_above(nodes: Iterable[Node]) -> list[Value]:
    """The graph inputs that ``nodes`` are computed from."""
    found: dict[Value, None] = {}
    seen: set[Node] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        for value in node.inputs:
            producer = None if value is None else value.producer()
            if producer is not None:
                pending.append(producer)
            elif value is not None and value.is_graph_input() and constant(value) is None:
                found[value] = None
    return list(found)


_TABLE: tuple[tuple[re.Pattern[str], _Mend], ...] = tuple(
    (re.compile(pattern), mend)
    for pattern, mend in (
        (r"^(the) target has no good (\w+) from opset", _other_target),
        (r"the model stays at opset", lambda found, situation, nodes: None),
        (r"^opset (\d+) has no (\w+)", _missing_operator),
        (r"(?:needs|before|with|from) opset (\d+)", _needed_opset),
        (r"\bat opset (\d+)", _later_opset),
        (r"^(\S+) has no good kernel for (\w+)", _other_target),
        (r"^(\S+) has no (\w+) with (.+)$", _other_target),
        (r"(?:not|no) (?:a )?constants?\b|only when|may override", _freeze),
        (r"is a function parameter", _inline),
        (r"its (\d+) bytes would replace (\d+)", _allow_growth),
        (r"not known|\bvar(?:y|ies)\b|only when (?:it|the model) runs|at run time", _bind),
        (r"\bmay (?:not )?(?:have|be|differ|take|read|lie|mix|cut)\b", _bind),
    )
)
