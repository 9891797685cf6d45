"""Small networks with seeded weights, to quantize; and what a runtime makes of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from burnish.audit import Audit
from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.passdef import Exactness
from burnish.quantized_target import Quantization
from burnish.registry import backend
from burnish.saving import to_proto
from burnish.target import Target, parse_target

X86 = parse_target("ort-x86")
ARM = parse_target("ort-arm")


def target_of(wanted: Quantization) -> Target:
    """A target that wants its models quantized so."""
    limits = dataclasses.replace(X86.limits, quantization=wanted)
    return dataclasses.replace(X86, name="wanted", limits=limits)


class Network:
    """Builds a graph one operator after the other."""

    def __init__(self, shape: Iterable[int], *, opset: int = 20, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.shape = tuple(shape)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int, name: str = "", scale: float = 0.3) -> str:
        """A weight with normally distributed elements."""
        name = name or f"w{len(self.weights)}"
        array = (self.random.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def held(self, array: Any, name: str = "") -> str:
        """A constant."""
        name = name or f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """An operator with one result, named for the operator and its number."""
        name = f"{op_type.lower()}{len(self.nodes)}"
        node = helper.make_node(op_type, list(inputs), [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def conv(self, x: str, inward: int, outward: int, kernel: int = 3, **more: Any) -> str:
        """A convolution that keeps the size, with a bias."""
        side = kernel // 2
        weights = self.weight(outward, inward, kernel, kernel), self.weight(outward)
        return self.add("Conv", x, *weights, pads=[side] * 4, **more)

    def linear(self, x: str, inward: int, outward: int) -> str:
        """A matrix product by a weight."""
        return self.add("MatMul", x, self.weight(inward, outward))

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The graph from ``x`` to the values named."""
        given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, self.shape)
        results = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs
        ]
        graph = helper.make_graph(self.nodes, "g", [given], results, self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        return onnx.shape_inference.infer_shapes(made)

    def samples(self, count: int = 32) -> list[dict[str, Any]]:
        """Inputs to calibrate on: all of a range, so that a further one is within it."""
        return [
            {"x": self.random.uniform(-2, 2, self.shape).astype(np.float32)} for _ in range(count)
        ]


def conv_chain(seed: int = 0) -> Network:
    """Three convolutions, each with a Relu; ends in ``relu5``."""
    net = Network((1, 3, 12, 12), seed=seed)
    x = "x"
    for inward in (3, 8, 8):
        x = net.add("Relu", net.conv(x, inward, 8))
    return net


def residual_network(seed: int = 0) -> Network:
    """A residual block, global pooling and a classifier; ends in ``gemm9``."""
    net = Network((1, 3, 12, 12), seed=seed)
    stem = net.add("Relu", net.conv("x", 3, 8))
    inner = net.add("Relu", net.conv(stem, 8, 8))
    total = net.add("Relu", net.add("Add", net.conv(inner, 8, 8), stem))
    pooled = net.add("Flatten", net.add("GlobalAveragePool", total))
    net.add("Gemm", pooled, net.weight(5, 8), net.weight(5), transB=1)
    return net


def attention_network(seed: int = 0) -> Network:
    """One block of a transformer, its last Add the result."""
    net = Network((1, 6, 16), seed=seed)
    query, key, value = (net.linear("x", 16, 16) for _ in range(3))
    scores = net.add("MatMul", query, net.add("Transpose", key, perm=[0, 2, 1]))
    mixed = net.add("MatMul", net.add("Softmax", scores, axis=-1), value)
    after = net.add("Add", "x", net.linear(mixed, 16, 16))
    normal = net.add(
        "LayerNormalization", after, net.held(np.ones(16, np.float32)), net.weight(16), axis=-1
    )
    up = net.add("Gelu", net.add("Add", net.linear(normal, 16, 32), net.weight(32)))
    net.add("Add", after, net.linear(up, 32, 16))
    return net


def last(net: Network) -> str:
    """The name of the last result."""
    return str(net.nodes[-1].output[0])


def quantized(
    net: Network,
    *outputs: str,
    passes: str = "insert-qdq, settle-codes",
    target: Target = X86,
    **more: Any,
) -> Optimized:
    """The network after ``passes``; the result is checked to be valid ONNX."""
    done = optimize(
        net.model(*(outputs or (last(net),))),
        passes=passes,
        target=target,
        allow=Exactness.LOSSY,
        calibration=Calibration.of(net.samples()),
        **more,
    )
    onnx.checker.check_model(to_proto(done.model), full_check=True)
    return done


def audited(done: Optimized, folder: Path, target: Target = X86) -> Audit:
    """What ONNX Runtime executes."""
    path = folder / "quantized.onnx"
    onnx.save(to_proto(done.model), path)
    found = backend("ort").audit(path, target)
    assert found is not None
    return found


def executed(done: Optimized, folder: Path, target: Target = X86) -> Counter[str]:
    """The operators that ONNX Runtime executes, transposes to its own layout left out."""
    found = Counter(audited(done, folder, target).executed)
    del found["Transpose"]
    return found


def kinds(done: Optimized) -> Counter[str]:
    """The operators of the result."""
    return Counter(node.op_type for node in done.model.graph)


def why_declined(done: Optimized) -> dict[str, str]:
    """Reason by layer that stays float."""
    remarks = [item for entry in done.records for item in entry.remarks]
    return {
        item.where: item.why
        for item in remarks
        if item.kind == "declined" and item.rule == "insert-qdq"
    }
