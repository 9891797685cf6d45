"""What ONNX Runtime executes: its own optimized graph, read back and compared with the file.

The runtime renames what it fuses, so its operators are found again by what stays: the names of
nodes and results, and of weights.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import onnx

from burnish.audit import Audit, AuditedLayer, Numbers
from burnish.errors import BuildError
from burnish.ir import Model, Node, Value, all_nodes, label
from burnish.quantized_target import Quantization
from burnish_backends.ort_groups import holds_codes, is_product, why_not_integer

__all__ = ["WRITTEN", "read_back", "writing_optimized"]

WRITTEN: Final = "optimized.onnx"
_WEIGHTS: Final = "session.optimized_model_external_initializers_file_name"
_AS_ON_ARM: Final = "session.qdqisint8allowed"
_INTEGER: Final = frozenset(
    {"ConvInteger", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulInteger16"}
    | {"MatMulIntegerToFloat", "QGemm", "QLinearConv", "QLinearMatMul"}
)
_STORED: Final = frozenset({"MatMulNBits", "MatMulBnb4", "GatherBlockQuantized"})
_FLOAT: Final = frozenset(
    {"Conv", "FusedConv", "FusedGemm", "FusedMatMul", "GemmFloat8", "Gemm", "MatMul"}
    | {"FusedMatMulActivation"}
)
_PRODUCTS: Final = _INTEGER | _STORED | _FLOAT
_DECORATION: Final = re.compile(r"^fused |(_token_\d+|_nchwc|/MatMul\w*Fusion/?)$")
_FARTHEST: Final = 4


def writing_optimized(options: Any, folder: Path, wanted: Quantization) -> Path:
    """Let a session write what it executes; the file it will write, in ``folder``.

    Where the target computes on int8 and this machine does not, it chooses as the target would.
    """
    path = folder / WRITTEN
    if wanted.activations == "int8":
        options.add_session_config_entry(_AS_ON_ARM, "1")
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry(_WEIGHTS, f"{WRITTEN}.data")
    return path


def read_back(model: Model, optimized: Path, runtime: str, wanted: Quantization) -> Audit:
    """What the runtime made of ``model``.

    Args:
        model: as it is in the file.
        optimized: what the runtime wrote.
        runtime: its name and version.
        wanted: what the target wants of a quantized model.

    Raises:
        BuildError: when what the runtime wrote cannot be read.
    """
    try:
        proto = onnx.load(str(optimized), load_external_data=False)
    except Exception as error:  # the parser of protos has its own classes
        raise BuildError(
            f"what onnxruntime executes cannot be read ({error})", where=str(optimized)
        ) from error
    executed = list(_all_protos(proto.graph))
    products = [node for node in all_nodes(model) if is_product(node)]
    found = _matched(products, [node for node in executed if node.op_type in _PRODUCTS])
    layers = []
    for node in products:
        runs_as = found.get(node, "")
        numbers = _numbers(runs_as)
        why = "" if numbers == "integers" else why_not_integer(node, wanted, runs_as)
        layers.append(AuditedLayer(label(node), node.op_type, runs_as, numbers, why))
    return Audit(
        runtime,
        holds_codes(model),
        tuple(layers),
        _counted(node.op_type for node in all_nodes(model) if node.op_type != "Constant"),
        _counted(node.op_type for node in executed),
    )


def _numbers(runs_as: str) -> Numbers:
    if runs_as in _INTEGER:
        return "integers"
    if runs_as in _STORED:
        return "weights"
    return "floats" if runs_as else "none"


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(kinds).items()))


def _all_protos(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _all_protos(inner)


def _matched(products: list[Node], executed: list[onnx.NodeProto]) -> dict[Node, str]:
    """The type of what the runtime runs, by operator of the file."""
    found: dict[Node, str] = {}
    free = dict(enumerate(executed))
    for ours, theirs in (
        (_names, _executed_names),
        (_results, _executed_names),
        (_weights, _executed_weights),
    ):
        known: dict[str, list[int]] = {}
        for index, node in free.items():
            for name in theirs(node):
                known.setdefault(name, []).append(index)
        for product in products:
            if product in found:
                continue
            places = [place for name in ours(product) for place in known.get(name, ())]
            place = next((place for place in places if place in free), None)
            if place is not None:
                found[product] = free.pop(place).op_type
    return found


def _plain(name: str) -> str:
    """A name without what the runtime appends to it."""
    while (shorter := _DECORATION.sub("", name)) != name:
        name = shorter
    return name


def _names(node: Node) -> Iterator[str]:
    if node.name:
        yield node.name
    if node.outputs[0].name:
        yield node.outputs[0].name


def _results(node: Node) -> list[str]:
    """The names of values that follow from the result one after the other."""
    found: list[str] = []
    value: Value | None = node.outputs[0]
    for _ in range(_FARTHEST):
        readers = [] if value is None else [use.node for use in value.uses()]
        if len(readers) != 1 or is_product(readers[0]):
            break
        value = readers[0].outputs[0]
        found.extend(name for name in (readers[0].name, value.name) if name)
    return found


def _weights(node: Node) -> list[str]:
    """The names of the constants it reads, as they are or as codes."""
    found: list[str] = []
    for value in node.inputs[1:]:
        producer = None if value is None else value.producer()
        held = producer.inputs[0] if producer is not None and producer.inputs else value
        if held is not None and held.name and held.is_initializer():
            found.append(held.name)
    return found


def _executed_names(node: onnx.NodeProto) -> Iterator[str]:
    for name in (node.name, *node.output):
        if name:
            yield name
            yield _plain(name)


def _executed_weights(node: onnx.NodeProto) -> list[str]:
    return [name for name in node.input[1:] if name]
