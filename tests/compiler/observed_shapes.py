"""Shapes as derived beside shapes as observed when the model runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx.printer
import onnxruntime as ort

from burnish.ir import Model, Value, from_proto
from burnish.shapes import Shapes
from burnish.symbolic import Dim, Expr, has_unknown, substitute


def observe(proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Every value the main graph computes on ``feeds``, by name."""
    every = onnx.ModelProto()
    every.CopyFrom(proto)
    wanted = [name for node in proto.graph.node for name in node.output if name]
    declared = {output.name for output in proto.graph.output}
    every.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in wanted if name not in declared
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        every.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


class Checker:
    """Compares facts with observations; equal unknowns must have been equal numbers."""

    def __init__(self, bindings: Mapping[str, int]) -> None:
        self.bindings: dict[str, Dim] = dict(bindings)
        self.unknowns: dict[Expr, int] = {}

    def number(self, dim: Dim, seen: int, where: str) -> None:
        if not has_unknown(dim):
            assert substitute(dim, self.bindings) == seen, f"{where}: {dim} was {seen}"
        elif isinstance(dim, Expr):
            assert self.unknowns.setdefault(dim, seen) == seen, f"{where}: {dim} was {seen}"

    def value(self, shapes: Shapes, value: Value, seen: Any) -> None:
        where = str(value.name)
        shape, contents, dtype = shapes.shape(value), shapes.contents(value), shapes.dtype(value)
        if not isinstance(seen, np.ndarray):
            return
        if shape is not None:
            assert len(shape) == seen.ndim, f"{where}: {shape} was {seen.shape}"
            for dim, size in zip(shape, seen.shape, strict=True):
                self.number(dim, size, where)
        if dtype is not None and seen.dtype != object:
            assert dtype.numpy() == seen.dtype, where
        if contents is not None:
            assert contents.shape == seen.shape, where
            for element, cell in zip(contents.elements, seen.reshape(-1).tolist(), strict=True):
                if isinstance(element, float):
                    assert element == cell or (element != element and cell != cell), where
                else:
                    self.number(element, int(cell), where)


def bindings_of(model: Model, feeds: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in model.graph.inputs:
        if not value.name or value.name not in feeds or value.shape is None:
            continue
        for dim, size in zip(value.shape, np.shape(feeds[value.name]), strict=True):
            name = getattr(dim, "value", None)
            if isinstance(name, str):
                found[name] = int(size)
    return found


def check(proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> tuple[Shapes, dict[str, Value]]:
    """Check every value of the main graph; give the analysis and the values by name."""
    model = from_proto(proto)
    shapes = Shapes(model)
    seen = observe(proto, feeds)
    checker = Checker(bindings_of(model, feeds))
    values = {value.name or "": value for node in model.graph for value in node.outputs}
    for name, value in values.items():
        if name:
            checker.value(shapes, value, seen[name])
    return shapes, values
