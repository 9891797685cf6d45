"""What is known of the values of a case: their types, and what they held when it ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from burnish.errors import BurnishError
from burnish.evaluate import Engine, Evaluator
from burnish.ir import (
    Array,
    DataType,
    Model,
    Value,
    is_random,
    outputs_of,
    schema,
    scopes,
)
from burnish.reduction.case import Case, Feeds, nodes_within, reads, with_graph
from burnish.samples import candidate_sizes, make_inputs
from burnish.serial.dims import evaluate_dim
from burnish.serial.tokens import nested_graphs
from burnish.shapes import Shapes
from burnish.symbolic import Dim, has_unknown

__all__ = ["Known", "seeded_feeds"]

# Recorded values beyond this are computed anew when they are asked for again.
_KEPT_BYTES = 1 << 29
_ASSUMED_SIZE = 16
"""For estimates: of a dimension that nothing is known of."""


def seeded_feeds(
    model: Model,
    seeds: Sequence[int],
    dims: Mapping[str, int] | None = None,
    engine: Engine | None = "auto",
) -> tuple[Feeds, ...]:
    """One set of inputs for each seed, of sizes the model runs on if there are any.

    Args:
        model: need not run at all: then the likeliest sizes are taken.
        seeds: one for each sample.
        dims: sizes of symbolic dimensions.
        engine: what runs it here; ``reference`` for a model that crashes ONNX Runtime. None: it is
            not run, and the likeliest sizes are taken.
    """
    chosen = list(candidate_sizes(model, dims or {}))
    sizes = chosen[0]
    if engine is not None:
        sizes = next((each for each in chosen if _takes(model, seeds[0], each, engine)), sizes)
    return tuple(make_inputs(model, seed, sizes=sizes) for seed in seeds)


def _takes(model: Model, seed: int, sizes: Mapping[str, int], engine: Engine) -> bool:
    try:
        Evaluator(model, engine=engine).run(make_inputs(model, seed, sizes=sizes))
    except BurnishError:
        return False
    return True


class Known:
    """Types and recorded contents of the values of one case.

    Args:
        case: its feeds are what it is run on.
        engine: what it is run with.
    """

    def __init__(self, case: Case, engine: Engine = "auto") -> None:
        self._case = case
        self._engine = engine
        self._types = _types_of(case)
        self._varying = _varying(case)
        self._made = [name for node in case.graph.node for name in node.output if name]
        self._recorded: dict[str, tuple[Any, ...]] = {}
        self._hopeless: set[str] = set()
        self._bulk = self._estimate() * len(case.feeds) < _KEPT_BYTES

    def type(self, name: str) -> onnx.TypeProto | None:
        """The type of a value, with the best known shape; None when it is not known."""
        declared = self._types.get(name)
        if declared is not None and declared.WhichOneof("value") != "tensor_type":
            return declared
        if self._bulk or declared is None or not declared.tensor_type.HasField("shape"):
            self.contents([name])
        recorded = self._recorded.get(name, ())
        if not recorded or not all(isinstance(item, np.ndarray) for item in recorded):
            return declared
        return _agreeing(declared, recorded)

    def liken(self, name: str, other: str) -> None:
        """Give a name the type of another value, unless it has one."""
        kind = self._types.get(other)
        if kind is not None:
            self._types.setdefault(name, kind)

    def remember(self, name: str, values: tuple[Any, ...]) -> None:
        """Take over what a value that is new holds, one entry for each sample."""
        self._recorded[name] = values

    def fed(self, name: str) -> tuple[Any, ...] | None:
        """What an input of the case is fed, one entry for each sample."""
        values = tuple(each[name] for each in self._case.feeds if name in each)
        return values if values and len(values) == len(self._case.feeds) else None

    def varies(self, name: str) -> bool:
        """Whether a value rests on the inputs of the model, or is drawn at random."""
        return name in self._varying

    def contents(self, names: Iterable[str]) -> dict[str, tuple[Any, ...]]:
        """What values of the main graph held, one entry for each sample.

        Values that could not be computed are left out.
        """
        asked = dict.fromkeys(names)
        tried = self._recorded.keys() | self._hopeless
        missing = [name for name in asked if name not in tried]
        if missing and self._case.feeds:
            self._record(missing)
        return {name: self._recorded[name] for name in asked if name in self._recorded}

    def _record(self, missing: Sequence[str]) -> None:
        if self._bulk:
            self._bulk = False
            everything = _run(self._case, self._made, self._engine)
            self._recorded.update(everything or _longest_run(self._case, self._engine))
        if sum(map(_nbytes, self._recorded.values())) > _KEPT_BYTES:
            self._recorded.clear()
        left = [name for name in missing if name not in self._recorded]
        known = set(self._made)
        able = [name for name in left if name in known]
        if able:
            self._recorded.update(_run(self._case, able, self._engine) or {})
        self._hopeless.update(name for name in left if name not in self._recorded)

    def _estimate(self) -> int:
        """Bytes of all values in one run, roughly."""
        sizes = _sizes_fed(self._case)
        total = 0
        for name in self._made:
            kind = self._types.get(name)
            count = 8
            for dim in kind.tensor_type.shape.dim if kind is not None else ():
                size = dim.dim_value or evaluate_dim(dim.dim_param or "?", sizes) or _ASSUMED_SIZE
                count *= max(1, size)
            total += count
        return total


# --- contents


def _run(case: Case, names: Sequence[str], engine: Engine) -> dict[str, tuple[Any, ...]] | None:
    """What ``names`` hold for each sample; None when what computes them does not run."""
    if not names:
        return {}
    part = _upstream(case, names)
    try:
        evaluator = Evaluator(part.model(), outputs=names, engine=engine)
        found = [evaluator.run(feeds) for feeds in part.feeds]
    except BurnishError:
        return None
    return {name: tuple(each[name] for each in found) for name in names}


def _longest_run(case: Case, engine: Engine) -> dict[str, tuple[Any, ...]]:
    """The values of the longest prefix of the nodes that runs, found by halving."""
    nodes = list(case.graph.node)
    found: dict[str, tuple[Any, ...]] = {}
    good, bad = 0, len(nodes)
    while bad - good > 1:
        middle = (good + bad) // 2
        names = [name for node in nodes[:middle] for name in node.output if name]
        values = _run(case, names, engine)
        if values is None:
            bad = middle
        else:
            good, found = middle, values
    return found


def _upstream(case: Case, names: Iterable[str]) -> Case:
    """The part of a case that computes ``names``; all inputs stay."""
    wanted = set(names)
    nodes: list[onnx.NodeProto] = []
    for node in reversed(case.graph.node):
        if not wanted.isdisjoint(node.output):
            nodes.append(node)
            wanted.update(reads(node))
    proto = with_graph(case.proto)
    graph = proto.graph
    graph.node.extend(reversed(nodes))
    graph.input.extend(case.graph.input)
    graph.initializer.extend(held for held in case.graph.initializer if held.name in wanted)
    graph.sparse_initializer.extend(case.graph.sparse_initializer)
    made = {name for node in nodes for name in node.output}
    infos = (*case.graph.value_info, *case.graph.output)
    graph.value_info.extend(info for info in infos if info.name in made)
    return replace(case, proto=proto).trimmed()


def _nbytes(values: tuple[Any, ...]) -> int:
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


def _sizes_fed(case: Case) -> dict[str, int]:
    """The sizes that named dimensions of inputs have in the first sample."""
    sizes: dict[str, int] = {}
    for info in case.graph.input if case.feeds else ():
        fed = case.feeds[0].get(info.name)
        if isinstance(fed, np.ndarray):
            for dim, size in zip(info.type.tensor_type.shape.dim, fed.shape, strict=False):
                sizes[dim.dim_param] = size
    return sizes


def _varying(case: Case) -> set[str]:
    """The values of the main graph that differ, or may differ, from run to run."""
    found = {info.name for info in case.graph.input}
    versions = {opset.domain: opset.version for opset in case.proto.opset_import}
    for node in case.graph.node:
        inner = nodes_within([node])
        if any(_is_random(each, versions) for each in (node, *inner)) or not found.isdisjoint(
            reads(node)
        ):
            found.update(node.output)
    return found


def _is_random(node: onnx.NodeProto, versions: Mapping[str, int]) -> bool:
    if any(True for _ in nested_graphs(node)):
        return False  # judged by what is inside
    kind = node.op_type, node.domain, versions.get(node.domain, 1)
    return schema(*kind) is None or is_random(*kind)


# --- types


def _types_of(case: Case) -> dict[str, onnx.TypeProto]:
    """The types of all values outside function bodies, as far as they can be told."""
    types: dict[str, onnx.TypeProto] = {}
    for proto in (_inferred(case), case.proto):
        _collect(proto.graph, types)
    model = case.model()
    shapes = Shapes(model)
    for scope in scopes(model):
        if scope.function is None:
            for value in (*scope.graph.inputs, *outputs_of(scope.graph)):
                derived = _derived(shapes, value)
                said = types.get(value.name or "")
                is_tensor = said is None or said.WhichOneof("value") == "tensor_type"
                if value.name and derived is not None and is_tensor:
                    types[value.name] = derived
    _guess(case, types)
    return types


def _guess(case: Case, types: dict[str, onnx.TypeProto]) -> None:
    """Take results that no rule tells the type of, as of custom operators, to be like inputs."""
    for held in case.graph.initializer:
        kind = onnx.helper.make_tensor_type_proto(held.data_type, list(held.dims))
        types.setdefault(held.name, kind)
    for node in case.graph.node:
        like = next((types[name] for name in node.input if name in types), None)
        for name in node.output:
            if name and name not in types and like is not None:
                types[name] = like


def _inferred(case: Case) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(case.without_weights())
    except Exception:  # it raises many unrelated classes on models that contradict themselves
        return case.proto


def _collect(graph: onnx.GraphProto, types: dict[str, onnx.TypeProto]) -> None:
    for infos in (graph.value_info, graph.output, graph.input):
        for info in infos:
            if info.type.WhichOneof("value") is not None:
                types.setdefault(info.name, info.type)
    for node in graph.node:
        for inner in nested_graphs(node):
            _collect(inner, types)


def _derived(shapes: Shapes, value: Value) -> onnx.TypeProto | None:
    dtype, shape = shapes.dtype(value), shapes.shape(value)
    if dtype is None or dtype == DataType.UNDEFINED or shape is None:
        return None
    return onnx.helper.make_tensor_type_proto(dtype.value, [_dim(size) for size in shape])


def _dim(size: Dim) -> int | str | None:
    if isinstance(size, int):
        return size
    return None if has_unknown(size) else str(size)


def _agreeing(declared: onnx.TypeProto | None, recorded: tuple[Array, ...]) -> onnx.TypeProto:
    """The declared type where the recorded arrays are of it, else the type they have."""
    element = 0
    if declared is not None:
        tensor = declared.tensor_type
        if tensor.HasField("shape") and all(_fits(tensor.shape.dim, array) for array in recorded):
            return declared
        element = tensor.elem_type
    if not element and recorded[0].dtype.kind in "OSU":
        element = onnx.TensorProto.STRING
    elif not element:
        element = onnx.helper.np_dtype_to_tensor_dtype(recorded[0].dtype)
    if len({array.ndim for array in recorded}) > 1:
        return onnx.helper.make_tensor_type_proto(element, None)
    sizes = [set(each) for each in zip(*(array.shape for array in recorded), strict=True)]
    shape = [each.pop() if len(each) == 1 else None for each in sizes]
    return onnx.helper.make_tensor_type_proto(element, shape)


def _fits(dims: Sequence[Any], array: Array) -> bool:
    return len(dims) == array.ndim and all(
        not dim.HasField("dim_value") or dim.dim_value == size
        for dim, size in zip(dims, array.shape, strict=True)
    )
