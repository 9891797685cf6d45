"""QuantizeLinear and DequantizeLinear around what is computed on codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from burnish.graph import SOURCES, Placement, replace_value, sources_of
from burnish.ir import (
    Array,
    DataType,
    Node,
    Scope,
    TensorType,
    Value,
    constant_array,
    convert_attributes,
    make_tensor,
)
from burnish.passdef import Context
from burnish.quantization import Parameters, encode

__all__ = ["Pairs"]


class Pairs:
    """Writes pairs into the main graph.

    Attributes:
        scope: the main graph.
        ctx: gives names.
        one_reader: whether each reader gets a DequantizeLinear of its own.
    """

    def __init__(self, scope: Scope, ctx: Context, one_reader: bool) -> None:
        self.scope = scope
        self.ctx = ctx
        self.one_reader = one_reader
        self._placement = Placement(scope)
        self._written: dict[tuple[int, str], tuple[Parameters, Value, Value]] = {}
        self._codes: dict[tuple[Value, bytes, int | None], tuple[Value, Value, Value]] = {}

    def quantize(
        self, value: Value, parameters: Parameters, readers: Mapping[Node, tuple[int, ...]] | None
    ) -> None:
        """Let readers of ``value`` read what is left of it after it was codes.

        Args:
            value: numbers.
            parameters: its scale and zero point.
            readers: who reads codes, at which positions; None: all do, graph output included.
        """
        graph = self.scope.graph
        scale, zero = self._parameters(value, parameters)
        uses = [(use.node, use.idx) for use in value.uses()]
        is_output = value.is_graph_output() and readers is None
        stands_for, sources = value.name or "value", self._sources(value)
        codes = Value(
            name=self.ctx.names.fresh(f"{stands_for}_quantized"),
            type=TensorType(parameters.scheme.code.dtype),
            shape=value.shape,
        )
        quantizer = Node("", "QuantizeLinear", [value, scale, zero], outputs=[codes])
        quantizer.meta[SOURCES] = sources
        self._insert(quantizer, value)
        if is_output:
            # It becomes the graph output, and takes the name; the other readers follow below.
            numbers = self._dequantized(codes, scale, zero, stands_for, quantizer, sources)
            replace_value(value, numbers, fresh=True)
            value.name = self.ctx.names.fresh(stands_for)
            quantizer.replace_input_with(0, value)
            shared: Value | None = None if self.one_reader else numbers
        else:
            shared = None
        for node, index in uses:
            if readers is not None and index not in readers.get(node, ()):
                continue
            if node.graph is not graph or not self.one_reader:
                if shared is None:
                    shared = self._dequantized(codes, scale, zero, stands_for, quantizer, sources)
                node.replace_input_with(index, shared)
                continue
            own = self._dequantized(codes, scale, zero, stands_for, node, sources_of(node), True)
            node.replace_input_with(index, own)

    def hold(
        self,
        node: Node,
        index: int,
        codes: Array,
        parameters: Parameters,
        axis: int | None = None,
    ) -> None:
        """Let operand ``index`` of ``node`` be constant codes, decoded.

        Args:
            node: the reader.
            index: which operand.
            codes: int64.
            parameters: their scale and zero point.
            axis: along which scales differ.
        """
        value = node.inputs[index]
        assert value is not None
        key = value, parameters.scale.tobytes() + codes.tobytes(), axis
        if key not in self._codes:
            code = parameters.scheme.code
            name = value.name or "constant"
            held = codes.astype(code.dtype.numpy())
            dtype = code.dtype
            self._codes[key] = (
                self._constant(held, f"{name}_quantized", dtype),
                self._constant(parameters.scale.astype(np.float32), f"{name}_scale"),
                self._constant(
                    parameters.zero_point.astype(code.dtype.numpy()), f"{name}_zero_point", dtype
                ),
            )
        stored, scale, zero = self._codes[key]
        attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
        made = self._node(stored, scale, zero, value.name or "constant", attributes)
        made.meta[SOURCES] = sources_of(node)
        self.scope.graph.insert_before(node, made)
        node.replace_input_with(index, made.outputs[0])

    def replace_constant(self, node: Node, index: int, array: Array) -> None:
        """Let operand ``index`` of ``node`` be another constant."""
        value = node.inputs[index]
        assert value is not None
        made = self._constant(array, value.name or "constant")
        node.replace_input_with(index, made)

    def quantize_constant(self, node: Node, index: int, parameters: Parameters) -> None:
        """As :meth:`hold`, for numbers that one scale serves."""
        array = constant_array(node.inputs[index])
        assert array is not None
        self.hold(node, index, encode(array, parameters), parameters)

    def _dequantized(
        self,
        codes: Value,
        scale: Value,
        zero: Value,
        stands_for: str,
        place: Node,
        sources: tuple[str, ...],
        before: bool = False,
    ) -> Value:
        made = self._node(codes, scale, zero, stands_for, {})
        made.meta[SOURCES] = sources
        if before:
            self.scope.graph.insert_before(place, made)
        else:
            self.scope.graph.insert_after(place, made)
        return made.outputs[0]

    def _node(
        self, codes: Value, scale: Value, zero: Value, stands_for: str, attributes: dict[str, Any]
    ) -> Node:
        numbers = Value(
            name=self.ctx.names.fresh(f"{stands_for}_dequantized"),
            type=TensorType(DataType.FLOAT),
            shape=codes.shape,
        )
        return Node(
            "",
            "DequantizeLinear",
            [codes, scale, zero],
            convert_attributes(attributes),
            outputs=[numbers],
        )

    def _insert(self, quantizer: Node, value: Value) -> None:
        producer, graph = value.producer(), self.scope.graph
        if producer is not None:
            graph.insert_after(producer, quantizer)
        else:
            graph.insert_before(graph[0], quantizer)

    def _sources(self, value: Value) -> tuple[str, ...]:
        producer = value.producer()
        if producer is not None:
            return sources_of(producer)
        reader = next((use.node for use in value.uses()), None)
        return () if reader is None else sources_of(reader)

    def _parameters(self, value: Value, parameters: Parameters) -> tuple[Value, Value]:
        """Scale and zero point as constants, one pair for each region."""
        key = id(parameters), ""
        if key not in self._written:
            name, dtype = value.name or "value", parameters.scheme.code.dtype
            scale = self._constant(parameters.scale.astype(np.float32), f"{name}_scale")
            zero = self._constant(
                parameters.zero_point.astype(dtype.numpy()), f"{name}_zero_point", dtype
            )
            self._written[key] = parameters, scale, zero
        return self._written[key][1:]

    def _constant(self, array: Array, name: str, dtype: DataType | None = None) -> Value:
        return self._placement.add_constant(make_tensor(array, dtype), self.ctx.names.fresh(name))
