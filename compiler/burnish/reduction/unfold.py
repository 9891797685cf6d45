"""Steps of a reduction that open what holds other graphs, so that their nodes can be cut too.

A branch of an If takes the place of the If. The body of a Loop or Scan takes its place as one
round of it. Functions are inlined. That makes a model larger at first; it stays so only if it
still fails, and then the other steps go on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import onnx

from burnish.errors import ModelError
from burnish.ir import Array, inline_calls
from burnish.loading import load
from burnish.reduction.case import Case, copied, defined_in, nodes_within
from burnish.reduction.cut import rebuilt
from burnish.reduction.nodes import renamed
from burnish.reduction.search import Search
from burnish.reduction.values import Known
from burnish.sample_files import is_plain
from burnish.serial.tokens import nested_graphs

__all__ = ["unfold"]


def unfold(search: Search) -> None:
    """Open functions, then nodes with subgraphs, one at a time, as long as the model fails."""
    for function in list(search.best.proto.functions):
        search.attempt(_inlined(search.best, function.domain, function.name))
    opened = True
    while opened:
        opened = any(search.attempt(each) for each in _opened(search))


def _inlined(case: Case, domain: str, name: str) -> Case | None:
    model = case.model()
    try:
        inline_calls(model, lambda function: (function.domain, function.name) == (domain, name))
        inlined = load(model)
    except (ModelError, ValueError):  # functions that call each other in a circle, for one
        return None
    return replace(Case.of(inlined, case.feeds), samples=case.samples).trimmed()


def _opened(search: Search) -> Iterator[Case | None]:
    case = search.best
    known: Known | None = None
    for index, node in enumerate(case.graph.node):
        for graph in nested_graphs(node):
            known = known or search.known(case)
            yield _spliced(case, known, index, graph)


@dataclass
class _Round:
    """How a body stands in the outer graph.

    Attributes:
        names: what its inputs are called outside; those left out become inputs of the model.
        values: contents of values that are new outside, by outer name and sample.
        constants: the same for values that are equal in all samples.
        results: its outputs, by the name of the outer value they are; others are lost.
    """

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, tuple[Array, ...]] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)


def _spliced(case: Case, known: Known, index: int, body: onnx.GraphProto) -> Case | None:
    """The case where the nodes of ``body`` stand in the place of the node that holds it."""
    node = case.graph.node[index]
    reading = _ROUNDS.get(node.op_type) if node.domain == "" else None
    if reading is None:
        return None
    turn = reading(node, body, known)
    mapping = _outer_names(case, body, turn)
    for outer, inner in turn.results.items():
        if mapping.get(inner, inner) in turn.names.values() or inner not in _made(body):
            continue  # returned as it came: readers of the outer value get a new input
        mapping[inner] = outer
    inside = [_renamed_results(renamed(each, mapping), mapping) for each in body.node]
    before, after = list(case.graph.node[:index]), list(case.graph.node[index + 1 :])
    tensors = dict(turn.constants)
    for held in body.initializer:
        if held.data_type != onnx.TensorProto.STRING:
            tensors[mapping.get(held.name, held.name)] = onnx.numpy_helper.to_array(held)
    for info in body.input:
        known.liken(mapping[info.name], info.name)
    for outer, values in turn.values.items():
        known.remember(outer, values)
    base = case.with_tensors(copied(case.proto), tensors)
    outputs = [info.name for info in case.graph.output]
    return rebuilt(base, known, [*before, *inside, *after], outputs)


def _made(body: onnx.GraphProto) -> set[str]:
    return {name for node in body.node for name in node.output if name}


def _outer_names(case: Case, body: onnx.GraphProto, turn: _Round) -> dict[str, str]:
    """Names that no other scope uses, for those that the body defines."""
    taken = defined_in(case.graph)
    for node in (*case.graph.node, *nodes_within(case.graph.node)):
        for graph in nested_graphs(node):
            taken |= defined_in(graph)
    mapping: dict[str, str] = dict(turn.names)
    for name in sorted(defined_in(body) - mapping.keys()):
        number = 1
        while f"{name}_{number}" in taken:
            number += 1
        taken.add(f"{name}_{number}")
        mapping[name] = f"{name}_{number}"
    return mapping


def _renamed_results(node: onnx.NodeProto, mapping: Mapping[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for index, name in enumerate(copy.output):
        copy.output[index] = mapping.get(name, name)
    return copy


# --- what one round reads and yields


def _of_if(node: onnx.NodeProto, body: onnx.GraphProto, known: Known) -> _Round:
    results = zip(node.output, body.output, strict=False)
    return _Round(results={outer: info.name for outer, info in results if outer})


def _of_loop(node: onnx.NodeProto, body: onnx.GraphProto, known: Known) -> _Round:
    """The first round of a Loop: its values are those that go in."""
    turn = _Round()
    inputs = [info.name for info in body.input]
    for place, (name, array) in enumerate(
        (
            (f"{node.output[0]}_round", np.array(0, np.int64)),
            (f"{node.output[0]}_go", np.array(True)),
        )
    ):
        if place < len(inputs):
            turn.names[inputs[place]] = name
            turn.constants[name] = array
    for inner, outer in zip(inputs[2:], node.input[2:], strict=False):
        turn.names[inner] = outer
    carried = len(node.input) - 2
    results = zip(node.output[:carried], body.output[1:], strict=False)
    turn.results = {outer: info.name for outer, info in results if outer}
    return turn


def _of_scan(node: onnx.NodeProto, body: onnx.GraphProto, known: Known) -> _Round:
    """The first round of a Scan: it reads the first slice of what is scanned."""
    attributes = {item.name: item for item in node.attribute}
    scanned = attributes["num_scan_inputs"].i
    states = len(node.input) - scanned
    axes = list(attributes["scan_input_axes"].ints) if "scan_input_axes" in attributes else []
    turn = _Round()
    for place, (info, outer) in enumerate(zip(body.input, node.input, strict=False)):
        if place < states:
            turn.names[info.name] = outer
            continue
        name = f"{outer}_slice_{place}"
        turn.names[info.name] = name
        axis = axes[place - states] if place - states < len(axes) else 0
        whole = known.contents([outer]).get(outer) or known.fed(outer)
        if whole and all(is_plain(each) and each.ndim and each.shape[axis] for each in whole):
            turn.values[name] = tuple(np.take(each, 0, axis) for each in whole)
    results = zip(node.output[:states], body.output, strict=False)
    turn.results = {outer: info.name for outer, info in results if outer}
    return turn


_ROUNDS = {"If": _of_if, "Loop": _of_loop, "Scan": _of_scan}
