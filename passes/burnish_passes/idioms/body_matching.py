"""Does the body of a function stand in a graph, node by node, constant by constant.

The body is matched as it is written: operands are not exchanged, nothing is simplified. Attributes
of the operator that the body refers to are bound to what stands in the graph. A body that was
expanded with placeholders for some attributes is matched *openly*: a placeholder binds the
attribute it stands for, and other constants only need the right type. An open match is a guess,
to be confirmed by the body expanded with what was bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from burnish.ir import (
    Attr,
    Graph,
    Node,
    TensorProtocol,
    Value,
    constant,
    schema,
)
from burnish_passes.function_bodies import Body, BodyNode, Level, plain

__all__ = ["BodyMatch", "match_body"]

_Name: TypeAlias = tuple[Level, str]
_Goal: TypeAlias = "tuple[Level, str, Value | None]"

_CONSTANT_TYPES = {
    "value_int": (onnx.TensorProto.INT64, 0),
    "value_ints": (onnx.TensorProto.INT64, 1),
    "value_float": (onnx.TensorProto.FLOAT, 0),
    "value_floats": (onnx.TensorProto.FLOAT, 1),
}
"""Element type and rank that each short spelling of a constant makes."""


@dataclass
class BodyMatch:
    """How far a body stands in a graph.

    Attributes:
        body: the function body.
        version: the opset in force.
        root: the graph node where matching starts.
        placeholders: placeholder value to the attribute it stands for; empty for an exact match.
        values: what each name of the body is in the graph.
        graphs: which graph each level of the body is.
        attributes: what attributes of the operator must be.
        members: the graph nodes that are part of the body.
        steps: how many names were matched: how far a failed match came.
    """

    body: Body
    version: int
    root: Node
    placeholders: Mapping[Any, str]
    values: dict[_Name, Value | None] = field(default_factory=dict)
    graphs: dict[Level, Graph] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    members: dict[Node, None] = field(default_factory=dict)
    steps: int = 0

    def input(self, index: int) -> Value | None:
        """The graph value that is input ``index`` of the operator, or None."""
        return self.values.get((self.body.level, self.body.level.inputs[index]))

    def output(self, index: int) -> Value | None:
        """The graph value that is output ``index`` of the operator, or None."""
        return self.values.get((self.body.level, self.body.level.outputs[index]))

    def outputs(self) -> dict[int, Value]:
        """The outputs that stand in the graph, by position."""
        found = ((index, self.output(index)) for index in range(len(self.body.level.outputs)))
        return {index: value for index, value in found if value is not None}

    def reader_outside(self) -> Value | None:
        """An inner value that something besides the body reads, or None."""
        results = set(self.outputs().values())
        for node in self.members:
            for value in node.outputs:
                if value in results:
                    continue
                if value.is_graph_output() and node.graph is self.root.graph:
                    return value
                if any(use.node not in self.members for use in value.uses()):
                    return value
        return None

    def reads_itself(self) -> bool:
        """Whether an input of the operator would be one of the values it replaces."""
        return any(
            value is not None and value.producer() in self.members
            for value in (self.input(index) for index in range(len(self.body.level.inputs)))
        )

    def branch(self) -> BodyMatch:
        """A copy to try something with."""
        return BodyMatch(
            self.body,
            self.version,
            self.root,
            self.placeholders,
            dict(self.values),
            dict(self.graphs),
            dict(self.attributes),
            dict(self.members),
            self.steps,
        )

    def meet(self, goals: list[_Goal]) -> bool:
        """Whether every name of ``goals`` and all it is computed from stands in the graph."""
        while goals:
            level, name, value = goals.pop()
            if not name:
                if value is not None:
                    return False
                continue
            key = (level.home(name), name)
            if key in self.values:
                if self.values[key] is not value:
                    return False
                continue
            self.values[key] = value
            self.steps += 1
            made = key[0].made.get(name)
            if made is None:
                continue  # an input of the function
            if value is None or not self._fits(key[0], made, value, goals):
                return False
        return True

    def _fits(
        self, level: Level, made: tuple[BodyNode, int], value: Value, goals: list[_Goal]
    ) -> bool:
        """Whether the producer of ``value`` is the body's node; its inputs become goals."""
        wanted, index = made
        if wanted.op_type == "Constant" and not wanted.domain:
            return self._is_constant(wanted, value)
        node = value.producer()
        if node is None or node.op_type != wanted.op_type or node.domain != wanted.domain:
            return False
        if value.index() != index or node.graph is not self.graphs.get(level):
            return False
        if not self._same_attributes(level, wanted, node, goals):
            return False
        count = max(len(wanted.inputs), len(node.inputs))
        names = (*wanted.inputs, *[""] * (count - len(wanted.inputs)))
        given = (*node.inputs, *[None] * (count - len(node.inputs)))
        goals.extend((level, name, item) for name, item in zip(names, given, strict=True))
        self.members[node] = None
        return True

    def _same_attributes(
        self, level: Level, wanted: BodyNode, node: Node, goals: list[_Goal]
    ) -> bool:
        given = node.attributes.data
        for name in {**wanted.attributes, **given}:
            want, have = wanted.attributes.get(name), given.get(name)
            if have is not None and have.is_ref():
                return False
            if want is not None and want.type == onnx.AttributeProto.GRAPH:
                if have is None or not self._enter(level, want.g, have.as_graph(), goals):
                    return False
                continue
            default = self._default(wanted, name)
            found = default if have is None else _attribute_of(have)
            if want is not None and want.ref_attr_name:
                if not self._bind(want.ref_attr_name, found):
                    return False
                continue
            held = default if want is None else _attribute_value(want)
            if held != found and not self._bind_placeholder(held, found):
                return False
        return True

    def _default(self, wanted: BodyNode, name: str) -> Any:
        known = schema(wanted.op_type, wanted.domain, self.version)
        attr = None if known is None else known.attributes.get(name)
        if attr is None or not attr.default_value.type:
            return None
        return _attribute_value(attr.default_value)

    def _enter(
        self, level: Level, wanted: onnx.GraphProto, graph: Graph, goals: list[_Goal]
    ) -> bool:
        """Whether a subgraph may be the body's: its results become goals."""
        inputs = [item.name for item in wanted.input]
        outputs = [item.name for item in wanted.output]
        if len(inputs) != len(graph.inputs) or len(outputs) != len(graph.outputs):
            return False
        inner = Level(wanted.node, inputs, outputs, level)
        self.graphs[inner] = graph
        self.values.update(
            ((inner, name), value) for name, value in zip(inputs, graph.inputs, strict=True)
        )
        goals.extend(
            (inner, name, value) for name, value in zip(outputs, graph.outputs, strict=True)
        )
        return True

    def _bind(self, attribute: str, found: Any) -> bool:
        """Let an attribute of the operator be ``found``; None is an absent one."""
        if attribute in self.attributes:
            return bool(self.attributes[attribute] == found)
        self.attributes[attribute] = found
        return True

    def _bind_placeholder(self, held: Any, found: Any) -> bool:
        """Bind the attribute that ``held`` (or its only element) stands for, if it does."""
        if isinstance(held, tuple) and isinstance(found, tuple) and len(held) == len(found) == 1:
            held, found = held[0], found[0]
        if isinstance(held, (tuple, bytes)) or held not in self.placeholders or found is None:
            return False
        return self._bind(self.placeholders[held], found)

    def _is_constant(self, wanted: BodyNode, value: Value) -> bool:
        held = constant(value)
        if held is None:
            return False
        name, attr = next(iter(wanted.attributes.items()))
        if name == "value":
            return self._same_tensor(attr.t, held)
        dtype, rank = _CONSTANT_TYPES.get(name, (None, 0))
        if int(held.dtype) != dtype or len(held.shape) != rank:
            return False
        found = plain(held.numpy().tolist())
        if attr.ref_attr_name:
            return self._bind(attr.ref_attr_name, found)
        return bool(_attribute_value(attr) == found)

    def _same_tensor(self, wanted: onnx.TensorProto, held: TensorProtocol) -> bool:
        """Whether a constant is the body's, bit for bit; an open match binds or believes it."""
        if wanted.data_type != int(held.dtype) or tuple(wanted.dims) != tuple(held.shape.numpy()):
            return False
        want, have = numpy_helper.to_array(wanted), held.numpy()
        if np.ascontiguousarray(want).tobytes() == np.ascontiguousarray(have).tobytes():
            return True
        if not self.placeholders:
            return False
        if want.size != 1 or want.item() not in self.placeholders:
            return True
        return self._bind(self.placeholders[want.item()], have.item())


def _attribute_of(attr: Attr) -> Any:
    """The value of a graph node's attribute, ready to compare; tensors by type, shape, bytes."""
    value = attr.value
    if isinstance(value, Graph):
        return None
    if hasattr(value, "numpy"):
        array = np.ascontiguousarray(value.numpy())
        return (int(value.dtype), tuple(value.shape.numpy()), array.tobytes())
    return plain(value)


def _attribute_value(attr: onnx.AttributeProto) -> Any:
    """The value of a body's attribute, in the form of :func:`_attribute_of`."""
    value: Any = helper.get_attribute_value(attr)
    if isinstance(value, onnx.TensorProto):
        array = np.ascontiguousarray(numpy_helper.to_array(value))
        return (value.data_type, tuple(value.dims), array.tobytes())
    if isinstance(value, bytes):
        return value.decode()
    return plain(value)


def match_body(
    body: Body, version: int, root: Node, placeholders: Mapping[Any, str]
) -> tuple[BodyMatch, bool]:
    """Match ``body`` with its first result at ``root``, then those of its other results there are.

    Returns:
        The match, and whether the first result stands.
    """
    assert isinstance(root.graph, Graph)
    level = body.level
    match = BodyMatch(body, version, root, placeholders)
    match.graphs[level] = root.graph
    if not match.meet([(level, level.outputs[0], root.outputs[0])]):
        return match, False
    for name in level.outputs[1:]:
        for found in _attempts(match, name):
            match = found
            break
    return match, True


def _attempts(match: BodyMatch, name: str) -> Iterator[BodyMatch]:
    """Matches that also hold result ``name``, looked for at readers of what is matched."""
    level = match.body.level
    if (level, name) in match.values:
        return
    for value in _images(match, level, name):
        attempt = match.branch()
        if attempt.meet([(level, name, value)]):
            yield attempt


def _images(match: BodyMatch, level: Level, name: str) -> list[Value]:
    """The graph values that may be ``name``: what is computed alike from what is matched."""
    home = level.home(name)
    if (home, name) in match.values:
        value = match.values[home, name]
        return [] if value is None else [value]
    if name not in home.made:
        return []
    wanted, index = home.made[name]
    for position, read in enumerate(wanted.inputs):
        nodes = [
            use.node
            for value in _images(match, home, read)
            for use in value.uses()
            if use.idx == position
        ]
        found = [
            node.outputs[index]
            for node in nodes
            if node.op_type == wanted.op_type and node not in match.members
            if index < len(node.outputs)
        ]
        if found:
            return found
    return []
