"""What is in a model: interface, operators, weights, and what a reader should be warned of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from burnish.figures import Figures, measure
from burnish.ir import (
    DataType,
    Model,
    all_nodes,
    is_deterministic,
    label,
    nested_graphs,
    schema,
    scopes,
)
from burnish.shapes import Shapes
from burnish.text import dtype_text, value_text
from burnish.views.report import bytes_text, count_text

__all__ = ["Description", "Weight", "describe"]

_BIGGEST = 10
_OLD_OPSET = 7


@dataclass(frozen=True)
class Weight:
    """An initializer.

    Attributes:
        name: its name.
        dtype: element type, such as ``float32``.
        shape: its dimensions.
        bytes: its size.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Description:
    """What is in a model.

    Attributes:
        ir_version: version of the file format.
        opsets: version by domain; ``ai.onnx`` is the ONNX domain.
        producer: what wrote the file; may be empty.
        inputs: name, type and shape as text.
        outputs: likewise.
        figures: nodes, parameters, bytes, multiply-accumulates.
        operators: how often each operator occurs, the most frequent first.
        weights: the biggest initializers.
        functions: names of model-local functions.
        warnings: what may surprise.
    """

    ir_version: int
    opsets: dict[str, int]
    producer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    figures: Figures
    operators: dict[str, int]
    weights: tuple[Weight, ...]
    functions: tuple[str, ...]
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        return {
            "ir_version": self.ir_version,
            "opsets": self.opsets,
            "producer": self.producer,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "figures": self.figures.json(),
            "operators": self.operators,
            "weights": [{**vars(item), "shape": list(item.shape)} for item in self.weights],
            "functions": list(self.functions),
            "warnings": list(self.warnings),
        }

    def text(self) -> str:
        """The same for people."""
        opsets = ", ".join(f"{domain} {version}" for domain, version in self.opsets.items())
        lines = [f"IR version {self.ir_version}, opsets: {opsets}"]
        if self.producer:
            lines.append(f"written by {self.producer}")
        lines += [f"input   {text}" for text in self.inputs]
        lines += [f"output  {text}" for text in self.outputs]
        counts = (
            f"nodes {count_text(self.figures.nodes)}",
            f"parameters {count_text(self.figures.parameters)}",
            f"weights {bytes_text(self.figures.bytes)}",
            f"MACs {count_text(self.figures.macs)}",
        )
        lines.append(", ".join(counts))
        lines += ["operators"] + [f"  {n:6} {name}" for name, n in self.operators.items()]
        if self.weights:
            lines.append("biggest weights")
            for item in self.weights:
                shape = ", ".join(map(str, item.shape))
                lines.append(f"  {bytes_text(item.bytes):>9} {item.name}: {item.dtype}[{shape}]")
        if self.functions:
            lines.append(f"functions: {', '.join(self.functions)}")
        return "\n".join(lines + [f"warning: {text}" for text in self.warnings])


def describe(model: Model) -> Description:
    """Look at a model; nothing is changed."""
    producer = f"{model.producer_name or ''} {model.producer_version or ''}".strip()
    operators = Counter(
        f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for node in all_nodes(model)
    )
    return Description(
        model.ir_version,
        {domain or "ai.onnx": version for domain, version in sorted(model.opset_imports.items())},
        producer,
        tuple(value_text(value) for value in model.graph.inputs),
        tuple(value_text(value) for value in model.graph.outputs),
        measure(model, Shapes(model)),
        dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        tuple(_biggest(model)),
        tuple(f"{function.domain}.{function.name}" for function in model.functions.values()),
        tuple(_warnings(model)),
    )


def _biggest(model: Model) -> list[Weight]:
    found = [
        Weight(str(value.name), dtype_text(held.dtype), tuple(held.shape.numpy()), held.nbytes)
        for scope in scopes(model)
        for value in scope.graph.initializers.values()
        if (held := value.const_value) is not None
    ]
    return sorted(found, key=lambda item: (-item.bytes, item.name))[:_BIGGEST]


def _warnings(model: Model) -> Iterator[str]:
    opset = model.opset_imports.get("")
    if opset is not None and opset < _OLD_OPSET:
        yield f"opset {opset} is older than {_OLD_OPSET}: runtimes may refuse it"
    for value in model.graph.inputs:
        if not value.uses() and not value.is_graph_output():
            yield f"input {value.name} is read by no node"
        if value.is_initializer():
            yield f"input {value.name} has a default that a caller may override: it is no constant"
        if value.shape is None:
            yield f"input {value.name} has no shape"
    functions = {(key[0], key[1]) for key in model.functions}
    unknown: Counter[str] = Counter()
    random: list[str] = []
    for scope in scopes(model):
        for node in scope.graph:
            version = scope.opsets.get(node.domain)
            if (node.domain, node.op_type) in functions:
                continue
            if version is None or schema(node.op_type, node.domain, version) is None:
                unknown[f"{node.domain or 'ai.onnx'}.{node.op_type}"] += 1
            elif not any(nested_graphs(node)) and not is_deterministic(node, scope.opsets):
                random.append(label(node))
    for name, count in unknown.items():
        yield f"{name} is not a standard operator ({count} nodes): passes leave it alone"
    if random:
        yield f"not deterministic: {', '.join(random[:5])}" + (" ..." if len(random) > 5 else "")
    doubles = [w for w in model.graph.initializers.values() if w.dtype == DataType.DOUBLE]
    if doubles:
        yield f"{len(doubles)} weights are float64"
