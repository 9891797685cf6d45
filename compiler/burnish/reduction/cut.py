"""Cutting a part out of a model so that a valid model is left.

What the part reads and no longer computes becomes an input, fed with what it held; what the rest
read of the part becomes an output, so that a value keeps having other readers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx

from burnish.ir import Array
from burnish.reduction.case import Case, called, drop_functions, reads, with_graph
from burnish.reduction.values import Known
from burnish.sample_files import is_plain
from burnish.samples import make_inputs

__all__ = ["keep_nodes", "keep_outputs", "rebuilt"]


def keep_nodes(case: Case, known: Known, kept: Collection[int]) -> Case | None:
    """The case with some of its nodes only.

    Args:
        case: what to cut from.
        known: what is known of its values.
        kept: positions of the nodes to keep.

    Returns:
        The part, or None where a value at the border is of unknown type.
    """
    graph = case.graph
    chosen = set(kept)
    nodes = [node for index, node in enumerate(graph.node) if index in chosen]
    gone = [node for index, node in enumerate(graph.node) if index not in chosen]
    made = {name for node in nodes for name in node.output if name}
    lost = {name for node in gone for name in node.output if name}
    crossing = {name for node in gone for name in reads(node)} & made
    outputs = [info.name for info in graph.output if info.name not in lost]
    outputs += [name for node in nodes for name in node.output if name in crossing]
    outputs = list(dict.fromkeys(outputs))
    if not outputs:
        # All that is left is read by nobody, or nothing is left: something must be an output.
        outputs = [name for node in nodes for name in node.output if name][-1:]
    if not outputs:
        outputs = [graph.output[0].name] if graph.output else []
    return rebuilt(case, known, nodes, outputs)


def keep_outputs(case: Case, known: Known, kept: Sequence[str]) -> Case | None:
    """The case with some of its outputs only, and all of its nodes.

    Returns:
        The case, or None where nothing would read the result of a node any more: such a node stays
        in the file, but runtimes drop it.
    """
    nodes = list(case.graph.node)
    before = _unread(nodes, {info.name for info in case.graph.output})
    if not kept or _unread(nodes, set(kept)) > before:
        return None
    return rebuilt(case, known, nodes, kept)


def _unread(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> int:
    """How many nodes have no part in ``outputs``."""
    wanted = set(outputs)
    count = 0
    for node in reversed(nodes):
        if wanted.isdisjoint(node.output):
            count += 1
        else:
            wanted.update(reads(node))
    return count


def rebuilt(
    case: Case,
    known: Known,
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[str],
    *,
    unread: bool = True,
) -> Case | None:
    """A case of ``nodes``, in order, that yields ``outputs``.

    Constants and inputs that became unread are dropped, and functions that are no longer called.
    Values that nobody computes any more become constants where they did not rest on the inputs, and
    inputs otherwise.

    Args:
        case: where the nodes come from, possibly edited.
        known: what is known of the values of ``case``.
        nodes: the nodes of the new main graph.
        outputs: names of the new graph outputs.
        unread: whether inputs stay that were unread before.

    Returns:
        The new case, or None where the type of a new input or output is unknown.
    """
    graph = case.graph
    made = {name for node in nodes for name in node.output if name}
    wanted = dict.fromkeys(name for node in nodes for name in reads(node))
    wanted.update(dict.fromkeys(outputs))
    before = {name for node in graph.node for name in reads(node)} if unread else set()
    was_output = {info.name for info in graph.output}
    here = {info.name for info in graph.input}
    stored = {held.name for held in graph.initializer}
    stored |= {held.values.name for held in graph.sparse_initializer}
    missing = [name for name in wanted if name not in made | here | stored]
    frozen = _frozen(known, missing)
    proto = with_graph(case.proto)
    proto.graph.node.extend(nodes)
    proto.graph.input.extend(
        info
        for info in graph.input
        if info.name in wanted or (unread and info.name not in before | was_output)
    )
    if not _declare(proto.graph.input, (n for n in missing if n not in frozen), case, known):
        return None
    if not _declare(proto.graph.output, outputs, case, known):
        return None
    _carry_over(case, proto, wanted, made)
    if proto.functions:
        drop_functions(proto, called(case.proto) - called(proto))
    return _fed(case, known, proto, frozen, missing)


def _frozen(known: Known, names: Iterable[str]) -> dict[str, Array]:
    """The values that are the same whatever the inputs are, and are tensors."""
    contents = known.contents(name for name in names if not known.varies(name))
    firsts = {name: values[0] for name, values in contents.items()}
    return {name: value for name, value in firsts.items() if is_plain(value)}


def _declare(infos: Any, names: Iterable[str], case: Case, known: Known) -> bool:
    """Add typed values to a list of inputs or outputs; False where a type is unknown."""
    declared = {info.name: info for info in (*case.graph.input, *case.graph.output)}
    for name in names:
        if name in declared:
            infos.append(declared[name])
            continue
        kind = known.type(name)
        if kind is None:
            return False
        infos.append(onnx.ValueInfoProto(name=name, type=kind))
    return True


def _carry_over(
    case: Case, proto: onnx.ModelProto, wanted: Mapping[str, None], made: set[str]
) -> None:
    """Constants that are read, and what is declared of inner values."""
    graph = case.graph
    proto.graph.initializer.extend(held for held in graph.initializer if held.name in wanted)
    proto.graph.sparse_initializer.extend(
        held for held in graph.sparse_initializer if held.values.name in wanted
    )
    interface = {info.name for info in (*proto.graph.input, *proto.graph.output)}
    proto.graph.value_info.extend(
        info for info in graph.value_info if info.name in made - interface
    )
    proto.graph.quantization_annotation.extend(
        item for item in graph.quantization_annotation if item.tensor_name in made | set(wanted)
    )


def _fed(
    case: Case,
    known: Known,
    proto: onnx.ModelProto,
    frozen: Mapping[str, Array],
    missing: Sequence[str],
) -> Case:
    """The case of ``proto``, with what its new inputs held."""
    inputs = {info.name for info in proto.graph.input}
    contents = known.contents(name for name in missing if name in inputs)
    feeds = tuple(
        {
            **{name: value for name, value in each.items() if name in inputs},
            **{name: values[number] for name, values in contents.items()},
        }
        for number, each in enumerate(case.feeds)
    )
    made = replace(case, feeds=feeds).with_tensors(proto, frozen)
    invented = [name for name in missing if name in inputs and name not in contents]
    if not invented or not feeds:
        return made
    model = made.model()
    seeded = [make_inputs(model, number) for number in range(len(feeds))]
    filled = (
        {**each, **{name: made_up[name] for name in invented}}
        for each, made_up in zip(made.feeds, seeded, strict=True)
    )
    return replace(made, feeds=tuple(filled))
