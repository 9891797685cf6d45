"""The forms of writing that a pass replaces: the patterns of its rules, or its documented examples.

Most rules spell their pattern. Some start from a single operator and read the rest with code; for
those, and for passes without rules, the ``Before::`` blocks of the documentation are the pattern.
Every such block is a test of its pass, so it is a form that the pass does replace.
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from burnish.errors import ModelError
from burnish.ir import Model, Node, Value, constant, label, nested_graphs
from burnish.passdef import Pass
from burnish.pattern import NodePattern, Pattern, ResultPattern, Variable, compile_pattern
from burnish.rewrite import Rule, RuleSet
from burnish.text import parse_model

__all__ = ["Example", "Form", "Reader", "examples", "forms_of"]

_BLOCK = re.compile(r"^Before::\n((?:[ \t]*\n|[ \t]+\S.*\n?)+)", re.MULTILINE)

_PLAIN = frozenset(
    {
        "Add",
        "Cast",
        "Concat",
        "Constant",
        "Div",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "MatMul",
    }
    | {"Mul", "Neg", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Sub", "Transpose"}
    | {"Unsqueeze", "Where"}
)
"""Operators that stand everywhere: that some of them stand here tells nothing about a pattern."""

_LONG = 4
_SMALLEST_EXAMPLE = 3
"""Operators; of a smaller example no part is worth speaking of."""

Reader: TypeAlias = tuple[NodePattern, int, int]
"""Who reads a node of a pattern: the reader, at which of its inputs, and which result."""


def _documented(kind: type[Pass]) -> Iterator[Model]:
    for block in _BLOCK.findall(f"{inspect.cleandoc(kind.__doc__ or '')}\n"):
        try:
            yield parse_model(textwrap.dedent(block))
        except ModelError:
            continue  # a plugin's documentation may show something else


@dataclass(frozen=True)
class Example:
    """A documented form as a model.

    Attributes:
        number: which of the pass's examples, from 1.
        model: a copy of its own for whoever asks.
        nodes: the operators, by their pattern.
        constants: the constant that each variable stands for, by the variable's name.
    """

    number: int
    model: Model
    nodes: Mapping[NodePattern, Node]
    constants: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Form:
    """A form of writing that a pass replaces.

    Attributes:
        kind: the pass.
        title: the rule, or ``example N``.
        nodes: its operators, results last.
        readers: who reads the results of each, inside the form.
        telling: the operators to look for first: those that do not stand everywhere.
        detours: how many operators may be passed over to see whether it goes on: wrong ones,
            missing ones, or one too many. Short forms would be found everywhere.
        least: the part of it that must stand to be worth saying; more where nothing is telling.
        documented: which example of the documentation it is; 0 for the pattern of a rule.
    """

    kind: type[Pass]
    title: str
    nodes: tuple[NodePattern, ...]
    readers: Mapping[NodePattern, tuple[Reader, ...]]
    telling: tuple[NodePattern, ...]
    least: float
    detours: int
    documented: int = 0


def _form(kind: type[Pass], title: str, nodes: list[NodePattern], documented: int) -> Form:
    readers: dict[NodePattern, list[Reader]] = {node: [] for node in nodes}
    for node in nodes:
        for place, item in enumerate(node.inputs):
            if isinstance(item, ResultPattern):
                readers[item.node].append((node, place, item.index or 0))
    telling = tuple(node for node in nodes if not _PLAIN.issuperset(node.op_types))
    frozen = {node: tuple(found) for node, found in readers.items()}
    least = 0.5 if telling else 2 / 3
    detours = 0 if not telling or len(nodes) < _LONG else 2
    telling = telling or tuple(nodes)
    return Form(kind, title, tuple(nodes), frozen, telling, least, detours, documented)


def _ordered(pattern: Pattern | None, found: dict[NodePattern, None]) -> None:
    if isinstance(pattern, ResultPattern) and pattern.node not in found:
        for item in pattern.node.inputs:
            _ordered(item, found)
        found[pattern.node] = None


def _pattern_of(rule: Rule) -> list[NodePattern]:
    found: dict[NodePattern, None] = {}
    for root in compile_pattern(rule.before).roots:
        _ordered(root, found)
    return list(found)


def examples(kind: type[Pass]) -> tuple[Example, ...]:
    """The documented forms of a pass, parsed anew for each call."""
    found = []
    for number, model in enumerate(_documented(kind), 1):
        made = _example(number, model)
        if made is not None:
            found.append(made)
    return tuple(found)


def _example(number: int, model: Model) -> Example | None:
    """``model`` with a pattern for each operator; None when it has subgraphs or functions."""
    if model.functions or any(nested_graphs(node) for node in model.graph):
        return None
    items: dict[Value, Pattern] = {}
    constants: dict[str, Value] = {}
    nodes: dict[NodePattern, Node] = {}
    for node in model.graph:
        if constant(node.outputs[0]) is not None:
            continue
        inputs: list[Pattern | None] = []
        for value in node.inputs:
            if value is None:
                inputs.append(None)
                continue
            if value not in items:
                held = constant(value) is not None
                items[value] = Variable(value.name or "", held)
                if held:
                    constants[value.name or ""] = value
            inputs.append(items[value])
        pattern = NodePattern(
            (node.op_type,), node.domain, tuple(inputs), False, {}, label(node), False
        )
        nodes[pattern] = node
        for index, output in enumerate(node.outputs):
            items[output] = ResultPattern(pattern, index)
    return Example(number, model, nodes, constants)


@functools.cache
def forms_of(kind: type[Pass]) -> tuple[Form, ...]:
    """Every form that a pass replaces, of which a part is worth speaking of."""
    members: tuple[type[Rule], ...] = ()
    if issubclass(kind, RuleSet):
        members = kind.rules
    elif issubclass(kind, Rule):
        members = (kind,)
    found, spelled = [], bool(members)
    for member in members:
        nodes = _pattern_of(member())
        if len(nodes) == 1:
            spelled = False
            continue
        # A family's rules have no names that people know; what they match says which it is.
        title = member.title or ("" if member is kind else member.__name__)
        found.append(_form(kind, title, nodes, 0))
    if not spelled:
        for example in examples(kind):
            if len(example.nodes) >= _SMALLEST_EXAMPLE:
                nodes = list(example.nodes)
                found.append(_form(kind, f"example {example.number}", nodes, example.number))
    return tuple(found)
