"""A part of a model as a model of its own, with inputs taken from a real run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from burnish.census import Signature
from burnish.culprit.judging import Feed
from burnish.diff import Constant, Diff
from burnish.evaluate import Evaluator
from burnish.ir import (
    Array,
    DataType,
    Model,
    Node,
    Shape,
    TensorType,
    Value,
    label,
    nested_graphs,
    outputs_of,
    read_values,
    remove_node,
    scopes,
)
from burnish.loading import load
from burnish.sample_files import is_plain
from burnish.shapes import Shapes
from burnish.symbolic import Dim, has_unknown, parse

__all__ = ["Extract", "Region", "extracted", "regions"]

Region: TypeAlias = dict[Node, None]
"""Nodes of a main graph, in any order."""


@dataclass(frozen=True)
class Extract:
    """A part that runs by itself.

    Attributes:
        model: the part.
        feed: its inputs.
    """

    model: Model
    feed: Feed


# --- which nodes


def regions(model: Model, diff: Diff, where: str) -> Iterator[Region]:
    """Parts of ``model`` around a change that is about to happen, from small to large.

    Args:
        model: as it is before the change.
        diff: the change.
        where: label of the node it is told of.

    Yields:
        Regions of the main graph, none twice; the whole graph is not among them.
    """
    touched = _touched(model, diff, where)
    if not touched:
        return
    owners = _owners(model)
    seen: set[int] = set()
    for up, down in _steps():
        region = _grown(touched, owners, up, down)
        if len(region) >= len(model.graph):
            return
        if len(region) not in seen:  # a region only grows, so its size tells it
            seen.add(len(region))
            yield region


def _steps() -> Iterator[tuple[int, int]]:
    """How far to go from what was touched, to what it reads and to what reads it."""
    yield from ((0, 0), (0, 1), (1, 1))
    distance = 2
    while True:
        yield distance, distance
        distance += max(1, distance // 2)


def _touched(model: Model, diff: Diff, where: str) -> Region:
    """The nodes of the main graph that a change takes away or changes, or that hold those."""
    gone = {_names(entry) for sign, entry in diff.entries if sign == "-" and _is_node(entry)}
    constants = {
        entry.name for sign, entry in diff.entries if sign == "-" and isinstance(entry, Constant)
    }
    found: Region = {}
    callers = _callers(model)
    owners = _owners(model)
    for scope in scopes(model):
        for node in scope.graph:
            names = tuple(value.name for value in node.outputs)
            reads = any(value is not None and value.name in constants for value in node.inputs)
            if names not in gone and label(node) != where and not reads:
                continue
            if scope.function is not None:
                found.update(dict.fromkeys(callers.get(scope.function.identifier(), [])[:1]))
            else:
                found[owners.get(node, node)] = None
    return found


def _is_node(entry: object) -> bool:
    return isinstance(entry, tuple)


def _names(entry: object) -> tuple[str | None, ...]:
    assert isinstance(entry, tuple)
    signature: Signature = entry
    return signature[4]


def _owners(model: Model) -> dict[Node, Node]:
    """For each node of a subgraph, the node of the main graph that holds it."""
    found: dict[Node, Node] = {}
    for node in model.graph:
        for inner in _inside(node):
            found[inner] = node
    return found


def _inside(node: Node) -> Iterator[Node]:
    for graph in nested_graphs(node):
        for inner in graph:
            yield inner
            yield from _inside(inner)


def _callers(model: Model) -> dict[tuple[str, str, str], list[Node]]:
    """The nodes of the main graph that call each function, by way of others too."""
    found: dict[tuple[str, str, str], list[Node]] = {}
    if not model.functions:
        return found
    for node in model.graph:
        for key in _called(model, [node, *_inside(node)]):
            found.setdefault(key, []).append(node)
    return found


def _called(model: Model, nodes: Iterable[Node]) -> set[tuple[str, str, str]]:
    """The functions that ``nodes`` call, and those that they call."""
    found: set[tuple[str, str, str]] = set()
    pending = list(nodes)
    while pending:
        key = pending.pop().op_identifier()
        if key in model.functions and key not in found:
            found.add(key)
            for node in model.functions[key].graph:
                pending += [node, *_inside(node)]
    return found


def _grown(touched: Region, owners: Mapping[Node, Node], up: int, down: int) -> Region:
    region = dict(touched)
    for distance in range(max(up, down)):
        around: Region = {}
        for node in region:
            if distance < up:
                makers = (value.producer() for value in read_values(node))
                around.update(dict.fromkeys(maker for maker in makers if maker is not None))
            if distance < down:
                readers = (use.node for value in node.outputs for use in value.uses())
                around.update(dict.fromkeys(owners.get(reader, reader) for reader in readers))
        region.update((node, None) for node in around if node not in owners)
    return region


# --- the part

_Declared: TypeAlias = "tuple[DataType | None, Shape | None]"
"""Element type and shape of a value, as far as they are known."""


def extracted(model: Model, region: Region, feed: Feed, *, static: bool) -> Extract:
    """The nodes of ``region`` as a model, with what they read as inputs.

    Args:
        model: what the region is of; it is not changed.
        region: nodes of its main graph. Those whose results cannot be written to a file, and
            constants, join it.
        feed: inputs of ``model``, which is run to see what its values are.
        static: whether the shapes of new inputs are those seen; else what is known of them.

    Raises:
        ExecutionError: when the model does not run.
    """
    region = dict(region)
    while True:
        cuts = _cuts(region)
        held = _values(model, [value for value in cuts if value.producer() is not None], feed)
        tied = [value for value, array in held.items() if not is_plain(array)]
        if not tied:
            break
        region.update((maker, None) for value in tied if (maker := value.producer()) is not None)
    shapes = Shapes(model)
    arrays = {value: np.asarray(array) for value, array in held.items()}
    inputs: dict[str, _Declared] = {}
    for value, array in arrays.items():
        dtype, shape = _type(value, shapes, array)
        inputs[str(value.name)] = dtype, Shape(array.shape) if static else shape
    kept = {str(value.name): feed[str(value.name)] for value in cuts if value.name in feed}
    outside = _read_outside(region)
    part = load(model)
    names = {_first(node) for node in region}
    _prune(part, names, inputs, _output_types(model, outside, feed))
    return Extract(part, {**kept, **{str(value.name): array for value, array in arrays.items()}})


def _output_types(model: Model, outputs: list[Value], feed: Feed) -> dict[str, _Declared]:
    """The element type and shape of each value: as derived, else as seen in a run."""
    shapes = Shapes(model)
    found: dict[str, _Declared] = {}
    for value in outputs:
        found[str(value.name)] = shapes.dtype(value), _known_shape(shapes.shape(value))
    unknown = [value for value in outputs if value.type is None and None in found[str(value.name)]]
    for value, held in _values(model, unknown, feed).items():
        if is_plain(held):
            found[str(value.name)] = _type(value, shapes, np.asarray(held))
    return found


def _cuts(region: Region) -> list[Value]:
    """What the region reads and does not make: inputs of the graph too, constants not."""
    found: dict[Value, None] = {}
    pending = list(region)
    while pending:
        node = pending.pop()
        graph = node.graph
        for value in read_values(node):
            maker = value.producer()
            if maker is not None and maker.graph is graph and maker not in region:
                if maker.op_type == "Constant" and maker.domain == "":
                    region[maker] = None
                else:
                    found[value] = None
            elif maker is None and value.is_graph_input() and value.graph is graph:
                found[value] = None
    return list(found)


def _values(model: Model, wanted: list[Value], feed: Feed) -> dict[Value, object]:
    if not wanted:
        return {}
    names = [str(value.name) for value in wanted]
    seen = Evaluator(model, outputs=names).run(feed)
    return {value: seen[str(value.name)] for value in wanted}


def _read_outside(region: Region) -> list[Value]:
    """The results of the region that a node outside of it reads, or a caller, in order."""
    inside = {*region, *(inner for node in region for inner in _inside(node))}
    return [
        value
        for value in outputs_of(region)
        if value.is_graph_output() or any(use.node not in inside for use in value.uses())
    ]


def _first(node: Node) -> str:
    """What tells a node from others of its graph: the name of its first result."""
    return next((value.name for value in node.outputs if value.name), "")


def _type(value: Value, shapes: Shapes, seen: Array) -> tuple[DataType, Shape]:
    """What is known of the type of a value; its rank, where that is not, is that of a run."""
    dtype = shapes.dtype(value) or value.dtype or DataType.from_numpy(seen.dtype)
    return dtype, _known_shape(shapes.shape(value)) or Shape([None] * seen.ndim)


def _known_shape(dims: tuple[Dim, ...] | None) -> Shape | None:
    """A derived shape as one to declare; sizes that cannot be said are left open."""
    return None if dims is None else Shape([_declared(dim) for dim in dims])


def _declared(dim: Dim) -> int | str | None:
    if isinstance(dim, int):
        return dim
    if has_unknown(dim):
        return None
    text = str(dim)
    return text if parse(text) == dim else None


def _prune(
    model: Model,
    chosen: set[str],
    inputs: Mapping[str, _Declared],
    outputs: Mapping[str, _Declared],
) -> None:
    """Leave only the chosen nodes, what they read, and the results others read."""
    graph = model.graph
    kept = {node for node in graph if _first(node) in chosen}
    made = {str(value.name): value for value in outputs_of(graph)}
    fresh = [
        _cut(made[name], TensorType(dtype), shape, kept)
        for name, (dtype, shape) in inputs.items()
        if dtype is not None
    ]
    graph.outputs.clear()
    for name, declared in outputs.items():
        _declare(made[name], *declared)
        graph.outputs.append(made[name])
    for node in [node for node in reversed(graph) if node not in kept]:
        remove_node(node)
    given = [value for value in graph.inputs if value.uses()]
    graph.inputs.clear()
    graph.inputs.extend([*given, *fresh])
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output() and value not in given:
            del graph.initializers[name]
    called = _called(model, [node for top in graph for node in (top, *_inside(top))])
    for key in [key for key in model.functions if key not in called]:
        del model.functions[key]


def _cut(value: Value, kind: TensorType, shape: Shape | None, readers: set[Node]) -> Value:
    """A new input in place of ``value`` for those of ``readers``, and what is inside of them."""
    made = Value(name=value.name, type=kind, shape=shape)
    inside = readers | {inner for node in readers for inner in _inside(node)}
    for use in list(value.uses()):
        if use.node in inside:
            use.node.replace_input_with(use.idx, made)
    return made


def _declare(value: Value, dtype: DataType | None, shape: Shape | None) -> None:
    if value.type is None and dtype is not None:
        value.type = TensorType(dtype)
    if value.shape is None and shape is not None:
        value.shape = shape
