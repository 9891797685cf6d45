"""Steps of a reduction that take samples, outputs, inputs and declarations away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import onnx

from burnish.reduction.case import Case, called, copied, drop_functions, operators, reads
from burnish.reduction.cut import keep_outputs, rebuilt
from burnish.reduction.deltas import minimize
from burnish.reduction.nodes import renamed
from burnish.reduction.search import Search
from burnish.reduction.values import Known
from burnish.sample_files import is_plain

__all__ = ["drop_declarations", "drop_outputs", "drop_samples", "freeze_inputs"]


def drop_samples(search: Search) -> None:
    """Keep the samples only that the fault needs; one at least."""
    base = search.best

    def holds(kept: Sequence[int]) -> bool:
        feeds = tuple(base.feeds[number] for number in kept)
        samples = tuple(base.samples[number] for number in kept)
        return bool(feeds) and search.attempt(replace(base, feeds=feeds, samples=samples))

    minimize(range(len(base.feeds)), holds)


def drop_outputs(search: Search) -> None:
    """Drop graph outputs; one at least stays."""
    base = search.best
    known = search.known(base)
    names = [info.name for info in base.graph.output]
    minimize(names, lambda kept: search.attempt(keep_outputs(base, known, kept)))


def freeze_inputs(search: Search) -> None:
    """Drop inputs that nobody reads, make constants of others, and join those that are alike."""
    base = search.best
    wanted = {name for node in base.graph.node for name in reads(node)}
    wanted |= {info.name for info in base.graph.output}
    unread = [info.name for info in base.graph.input if info.name not in wanted]
    minimize(unread, lambda kept: search.attempt(_without_inputs(base, set(unread) - set(kept))))
    _freeze(search)
    for name, other in _alike(search.best):
        best = search.best
        search.attempt(_joined(best, search.known(best), name, other))


def _without_inputs(case: Case, names: set[str]) -> Case:
    proto = copied(case.proto)
    kept = [info for info in case.graph.input if info.name not in names]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    return replace(case, proto=proto).trimmed()


def _freeze(search: Search) -> None:
    base = search.best
    stored = {held.name for held in base.graph.initializer}
    shown = {info.name for info in base.graph.output}
    names = [
        info.name
        for info in base.graph.input
        if base.feeds and info.name not in stored | shown and is_plain(base.feeds[0].get(info.name))
    ]

    def holds(kept: Sequence[str]) -> bool:
        frozen = [name for name in names if name not in set(kept)]
        tensors = {name: base.feeds[0][name] for name in frozen}
        proto = _without_inputs(base, set(frozen)).proto
        return search.attempt(base.with_tensors(proto, tensors))

    minimize(names, holds)


def _alike(case: Case) -> Iterator[tuple[str, str]]:
    """Pairs of inputs of the same type: each with the first of its type."""
    first: dict[bytes, str] = {}
    for info in case.graph.input:
        kind = info.type.SerializeToString(deterministic=True)
        if kind in first:
            yield first[kind], info.name
        else:
            first[kind] = info.name


def _joined(case: Case, known: Known, name: str, other: str) -> Case | None:
    """The case where readers of the input ``other`` read the input ``name``."""
    outputs = [info.name for info in case.graph.output]
    if other in outputs:
        return None
    nodes = [renamed(node, {other: name}) for node in case.graph.node]
    return rebuilt(case, known, nodes, outputs, unread=False)


# --- what is only said


def drop_declarations(search: Search) -> None:
    """Drop what a model says and does not do: names, documentation, unused functions and opsets."""
    everything = (_drop_value_info, _drop_words, _drop_uncalled, _drop_opsets)
    base = search.best

    def holds(kept: Sequence[Callable[[onnx.ModelProto], None]]) -> bool:
        proto = copied(base.proto)
        for drop in everything:
            if drop not in kept:
                drop(proto)
        return search.attempt(replace(base, proto=proto))

    minimize(everything, holds)


def _drop_value_info(proto: onnx.ModelProto) -> None:
    del proto.graph.value_info[:]


def _drop_words(proto: onnx.ModelProto) -> None:
    for field in ("doc_string", "producer_name", "producer_version", "domain", "model_version"):
        proto.ClearField(field)
    del proto.metadata_props[:]
    proto.graph.doc_string = ""
    del proto.graph.metadata_props[:]
    for each in (*proto.graph.node, *proto.graph.input, *proto.graph.output):
        each.doc_string = ""
        del each.metadata_props[:]


def _drop_uncalled(proto: onnx.ModelProto) -> None:
    everything = {(each.domain, each.name) for each in proto.functions}
    drop_functions(proto, everything - called(proto))


def _drop_opsets(proto: onnx.ModelProto) -> None:
    """Operator sets that no node is of; the first one stays if there is no node."""
    used = {domain for domain, _ in operators(proto.graph.node)}
    used |= {domain for each in proto.functions for domain, _ in operators(each.node)}
    used |= {each.domain for each in proto.functions}
    for index in reversed(range(len(proto.opset_import))):
        if proto.opset_import[index].domain not in used and len(proto.opset_import) > 1:
            del proto.opset_import[index]
