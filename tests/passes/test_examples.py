"""Every pass does what its docstring shows: each ``Before::`` becomes its ``After::``."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from burnish.calibration import Calibration
from burnish.ir import Graph, Model, Value, constant, is_deterministic, scopes, to_proto
from burnish.passdef import Context, Exactness, Pass
from burnish.registry import pass_types
from burnish.rewrite import Rule, RuleSet
from burnish.target import parse_target
from burnish.text import model_text, parse_model, value_text
from burnish.verify import verify

_BLOCK = re.compile(r"^(Before|After)::\n((?:[ \t]*\n|[ \t]+\S.*\n?)+)", re.MULTILINE)


def examples(found: type[Pass]) -> list[tuple[str, str]]:
    """The ``Before::`` and ``After::`` texts in the docstring of a pass, in pairs."""
    blocks = _BLOCK.findall(f"{inspect.cleandoc(found.__doc__ or '')}\n")
    kinds = [kind for kind, _ in blocks]
    assert kinds == ["Before", "After"] * (len(kinds) // 2), f"{found.name}: unpaired {kinds}"
    texts = [textwrap.dedent(text).strip() for _, text in blocks]
    return list(zip(texts[::2], texts[1::2], strict=True))


def _cases() -> list[Any]:
    return [
        pytest.param(found, before, after, id=f"{name}-{number}")
        for name, found in pass_types().items()
        for number, (before, after) in enumerate(examples(found), 1)
    ]


def _lift_constants(graph: Graph) -> None:
    """Spell every constant as an initializer, and drop those that nobody reads."""
    for node in list(graph):
        held = constant(node.outputs[0]) if node.op_type == "Constant" else None
        if held is None:
            continue
        if node.outputs[0].uses():
            value = Value(name=node.outputs[0].name, const_value=held)
            graph.register_initializer(value)
            node.outputs[0].replace_all_uses_with(value)
        graph.remove(node)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_input() and not value.is_graph_output():
            del graph.initializers[name]


def normal_text(model: Model, *, constants_are_values: bool) -> str:
    """Canonical text in which inner values are numbered in the order they are read and made.

    Args:
        model: changed in place.
        constants_are_values: whether it is the same how a constant is spelled, and whether one
            that nobody reads is there: the rewrite engine leaves those to other passes.
    """
    named: dict[Value, str] = {}
    for scope in scopes(model):
        graph = scope.graph
        fixed = set(graph.inputs) | set(graph.outputs) if scope.depth == 0 else set()
        if constants_are_values and scope.function is None:
            _lift_constants(graph)
        for node in graph:
            for value in (*node.inputs, *node.outputs):
                if value is not None and value.name and value not in fixed:
                    named.setdefault(value, f"v{len(named)}")
        for value in (*graph.inputs, *graph.initializers.values()):
            if value not in fixed:
                named.setdefault(value, f"v{len(named)}")
    for value, name in named.items():
        value.name = f"{name}_"  # two steps, because an initializer may not take a used name
    for value, name in named.items():
        value.name = name
    for scope in scopes(model):
        _sort_initializers(scope.graph)
    return model_text(model)


def inner_types(model: Model) -> dict[str, str]:
    """Type and shape of the inner values of a model in normal form, where they are declared."""
    outputs = (value for scope in scopes(model) for node in scope.graph for value in node.outputs)
    return {
        value.name: value_text(value)
        for value in outputs
        if value.name and value.type is not None and not value.is_graph_output()
    }


def _sort_initializers(graph: Graph) -> None:
    held = sorted(graph.initializers.values(), key=lambda value: (len(value.name), value.name))
    graph.initializers.clear()
    for value in held:
        graph.initializers[value.name] = value


def _inputs(model: Model) -> list[str | None]:
    return [value.name for value in model.graph.inputs]


def _runs_alike(model: Model) -> bool:
    return all(
        node.op_type == "Constant" or is_deterministic(node, scope.opsets)
        for scope in scopes(model)
        for node in scope.graph
        if (node.domain, node.op_type, node.overload) not in model.functions
    )


@pytest.mark.parametrize(("found", "before", "after"), _cases())
def test_before_becomes_after(found: type[Pass], before: str, after: str) -> None:
    model, expected = parse_model(before), parse_model(after)
    data = Calibration.random(8)
    found().run(model, Context.of(model, parse_target("onnx"), calibration=data))
    plain = issubclass(found, Rule | RuleSet)
    assert normal_text(model, constants_are_values=plain) == normal_text(
        expected, constants_are_values=plain
    )
    assert inner_types(expected).items() <= inner_types(model).items()


@pytest.mark.parametrize(("found", "before", "after"), _cases())
def test_after_gives_the_answers_of_before(found: type[Pass], before: str, after: str) -> None:
    source, result = parse_model(before), parse_model(after)
    if found.exactness == Exactness.LOSSY or not _runs_alike(source):
        pytest.skip("its answers are not meant to be equal")
    if _inputs(source) != _inputs(result):
        pytest.skip("it is about the inputs, and shows what becomes of them")
    verdict = verify(to_proto(source), to_proto(result), exactness=found.exactness)
    assert verdict.ok, verdict.text()


@pytest.mark.parametrize("name", pass_types())
def test_a_pass_is_documented_by_example_and_found_by_its_name(name: str) -> None:
    found = pass_types()[name]
    assert examples(found), f"{name} shows no Before:: and After::"
    assert Path(inspect.getfile(found)).stem == name.replace("-", "_")
    assert name == found().spec


def test_the_comparison_sees_a_difference() -> None:
    text = "agraph (float[2] x) => (float[2] y) <float c = {%s}> { t = Add(x, c) y = %s(t) }"
    texts = {
        normal_text(parse_model(text % filled), constants_are_values=True)
        for filled in (("1.0", "Relu"), ("2.0", "Relu"), ("1.0", "Neg"))
    }
    assert len(texts) == 3
