"""The function bodies of ONNX operators: what the standard says an operator is made of.

An operator may carry its definition as a function in other operators. For some operators the
function is one text; for others it depends on the call: its attributes, which inputs are there,
their types. A :class:`Call` says all of that, and :func:`body_of` gives the function.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import onnx
from onnx import helper

from burnish.ir import Node, Value, schema
from burnish.shapes import Shapes

__all__ = [
    "Body",
    "BodyNode",
    "Call",
    "Level",
    "body_of",
    "body_version",
    "call_of",
    "default_of",
    "plain",
    "type_key",
]

TypeKey: TypeAlias = "tuple[int, tuple[int | None, ...] | None]"
"""Element type and shape of an input; 0 and None stand for what is not known."""


@dataclass(frozen=True)
class Call:
    """One use of an operator of the ONNX domain.

    Attributes:
        op_type: the operator.
        version: the opset in force.
        attributes: those that are given, sorted by name; lists are tuples.
        inputs: types of the inputs; None where one is absent.
        outputs: which outputs somebody wants.
    """

    op_type: str
    version: int
    attributes: tuple[tuple[str, Any], ...]
    inputs: tuple[TypeKey | None, ...]
    outputs: tuple[bool, ...]

    def proto(self) -> onnx.NodeProto:
        """The call as a node."""
        inputs = [f"i{index}" if key else "" for index, key in enumerate(self.inputs)]
        outputs = [f"o{index}" if used else "" for index, used in enumerate(self.outputs)]
        node = helper.make_node(self.op_type, inputs, outputs)
        known: Any = schema(self.op_type, "", self.version)
        for name, value in self.attributes:
            kind = onnx.AttributeProto.AttributeType.Value(known.attributes[name].type.name)
            node.attribute.append(helper.make_attribute(name, value, attr_type=kind))
        return node


@dataclass(frozen=True, eq=False)
class BodyNode:
    """A node of a function body.

    Attributes:
        op_type: its operator.
        domain: the operator's domain.
        inputs: names it reads; empty where an input is absent.
        outputs: names it makes.
        attributes: as the function spells them, references included.
    """

    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, onnx.AttributeProto]


class Level:
    """The nodes of a function body, or of one of its subgraphs, by what they make.

    Attributes:
        inputs: names given from outside: of the function, or of the subgraph.
        outputs: names it gives back.
        made: name to the node that makes it, and which of its outputs it is.
        outer: the level around a subgraph.
    """

    def __init__(
        self,
        nodes: Iterable[onnx.NodeProto],
        inputs: Iterable[str],
        outputs: Iterable[str],
        outer: Level | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.outer = outer
        self.made: dict[str, tuple[BodyNode, int]] = {}
        for proto in nodes:
            node = BodyNode(
                proto.op_type,
                proto.domain,
                tuple(proto.input),
                tuple(proto.output),
                {attr.name: attr for attr in proto.attribute},
            )
            for index, name in enumerate(node.outputs):
                if name:
                    self.made[name] = (node, index)

    def home(self, name: str) -> Level:
        """The level that gives ``name`` its meaning when a node of this one reads it."""
        level = self
        while name not in level.made and name not in level.inputs and level.outer is not None:
            level = level.outer
        return level


@dataclass(frozen=True, eq=False)
class Body:
    """The function body of one call.

    Attributes:
        proto: the function.
        level: its nodes.
    """

    proto: onnx.FunctionProto
    level: Level


def call_of(node: Node, version: int, shapes: Shapes) -> Call:
    """``node`` as a call; inputs of unknown type have element type 0."""
    attributes = {name: plain(attr.value) for name, attr in node.attributes.data.items()}
    return Call(
        node.op_type,
        version,
        tuple(sorted(attributes.items())),
        tuple(None if value is None else type_key(value, shapes, True) for value in node.inputs),
        tuple(bool(value.name) for value in node.outputs),
    )


def type_key(value: Value, shapes: Shapes, sizes: bool) -> TypeKey:
    """What a context-dependent body may ask about an input; its rank alone without ``sizes``."""
    dtype, shape = shapes.dtype(value), shapes.shape(value)
    known = None
    if shape is not None:
        known = tuple(dim if sizes and isinstance(dim, int) else None for dim in shape)
    return (0 if dtype is None else int(dtype), known)


def plain(value: Any) -> Any:
    """An attribute value that can be compared and hashed: lists become tuples."""
    return tuple(value) if isinstance(value, (list, tuple)) else value


@functools.cache
def default_of(op_type: str, version: int, name: str) -> Any:
    """The default of an attribute, or None when it has none."""
    known: Any = schema(op_type, "", version)
    held = known.attributes[name].default_value
    if not held.type:
        return None
    value = helper.get_attribute_value(held)
    return value.decode() if isinstance(value, bytes) else plain(value)


@functools.cache
def body_version(op_type: str, version: int) -> int | None:
    """The opset in which the body that defines ``op_type`` at opset ``version`` is written.

    None when the operator has no body there.
    """
    known: Any = schema(op_type, "", version)
    if known is None or known.deprecated:
        return None
    written = (*known.function_opset_versions, *known.context_dependent_function_opset_versions)
    return max((item for item in written if item <= version), default=None)


@functools.lru_cache(maxsize=512)
def body_of(call: Call) -> Body | None:
    """The body of ``call``, or None when it has none, or none that holds at its opset."""
    written = body_version(call.op_type, call.version)
    if written is None:
        return None
    proto = _function(call, written)
    if not proto.node or not all(
        _means_the_same(node, written, call.version) for node in _all_nodes(proto.node)
    ):
        return None
    return Body(proto, Level(proto.node, proto.input, proto.output))


def _function(call: Call, written: int) -> onnx.FunctionProto:
    known: Any = schema(call.op_type, "", call.version)
    if written in known.function_opset_versions:
        data = known.get_function_with_opset_version(written)
    else:
        types = [_type_proto(key).SerializeToString() for key in call.inputs]
        node = call.proto().SerializeToString()
        data = known.get_context_dependent_function_with_opset_version(written, node, types)
    proto = onnx.FunctionProto()
    proto.ParseFromString(data)
    return proto


def _type_proto(key: TypeKey | None) -> onnx.TypeProto:
    if key is None or not key[0]:
        return onnx.TypeProto()
    return helper.make_tensor_type_proto(key[0], key[1])


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attr in node.attribute:
            if attr.type == onnx.AttributeProto.GRAPH:
                yield from _all_nodes(attr.g.node)


def _means_the_same(node: onnx.NodeProto, one: int, other: int) -> bool:
    """Whether ``node``, written for opset ``one``, means the same in opset ``other``."""
    return _is_compatible(node.op_type, frozenset(attr.name for attr in node.attribute), one, other)


@functools.cache
def _is_compatible(op_type: str, used: frozenset[str], one: int, other: int) -> bool:
    """Whether two opsets agree on an operator with these attributes given.

    For the operators that bodies are made of, meaning changes together with the interface: a
    default, an input that was an attribute. Types and optional attributes are only added.
    """
    old: Any = schema(op_type, "", one)
    new: Any = schema(op_type, "", other)
    if old is None or new is None or new.deprecated:
        return False
    if old.since_version == new.since_version:
        return True
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    added = new.inputs[len(old.inputs) :]
    if len(old.inputs) > len(new.inputs) or any(item.option != optional for item in added):
        return False
    if any(attr.required for name, attr in new.attributes.items() if name not in old.attributes):
        return False
    return all(
        _stays(name in used, attr, new.attributes.get(name))
        for name, attr in old.attributes.items()
    )


def _stays(used: bool, old: Any, new: Any) -> bool:
    if new is None:
        return not used and not old.default_value.type
    return bool(new.type == old.type and new.default_value == old.default_value)
