"""Attributes as they count: what a model leaves out and what it writes out to no effect are one.

Two sources say what an absent attribute means: the operator's schema, and, for attributes whose
default depends on a rank (strides, pads, perm ...), the words of the ONNX operator documentation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import onnx

from burnish.ir import Attr, AttributeType, Node, constant, schema

__all__ = ["GRAPHS", "counted_attributes", "is_optional_output", "plain"]

GRAPHS = frozenset({AttributeType.GRAPH, AttributeType.GRAPHS})

_CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "ConvTranspose", "QLinearConv"})
_WINDOWED = _CONVOLUTIONS | {"AveragePool", "LpPool", "MaxPool", "MaxUnpool"}
_ONES = frozenset({"dilations", "strides"})
_ZEROS = frozenset({"output_padding", "pads"})
_PADDED = (None, "NOTSET", "VALID")


def counted_attributes(
    node: Node, version: int | None, declared: Mapping[str, Attr] = MappingProxyType({})
) -> list[Attr]:
    """The attributes of ``node`` that say something, in alphabetical order, subgraphs left out.

    Args:
        node: the node.
        version: the opset of its domain, None when it is not imported.
        declared: the attributes of the function that it calls, with their defaults.
    """
    held = node.attributes.data
    if not held:
        return []
    known = _defaults(node.op_type, node.domain, version) if version is not None else {}
    found = []
    for name in sorted(held):
        attr = held[name]
        if attr.type in GRAPHS:
            continue
        if not attr.is_ref():
            given = plain(attr)
            default = declared.get(name)
            if name in known and known[name] == given:
                continue
            if default is not None and default.value is not None and plain(default) == given:
                continue
            if node.domain == "" and _is_documented_default(node, name, given):
                continue
        found.append(attr)
    return found


def plain(attr: Attr) -> Any:
    """The value of ``attr``, lists as tuples."""
    return tuple(attr.value) if isinstance(attr.value, list | tuple) else attr.value


@functools.cache
def _defaults(op_type: str, domain: str, version: int) -> Mapping[str, Any]:
    """By attribute, what its absence means, as far as the schema says."""
    known = schema(op_type, domain, version)
    found: dict[str, Any] = {}
    for name, attribute in (known.attributes if known is not None else {}).items():
        proto = attribute.default_value
        if proto.type == onnx.AttributeProto.UNDEFINED:
            continue
        value = onnx.helper.get_attribute_value(proto)
        if isinstance(value, bytes):
            value = value.decode()
        found[name] = tuple(value) if isinstance(value, list) else value
    return MappingProxyType(found)


def _is_documented_default(node: Node, name: str, given: Any) -> bool:
    kind = node.op_type
    if kind in _WINDOWED:
        if name in _ONES:
            return all(item == 1 for item in given)
        if name in _ZEROS:
            way = node.attributes.data.get("auto_pad")
            plainly = way is None or (not way.is_ref() and way.value in _PADDED)
            return plainly and not any(given)
        if name == "kernel_shape" and kind in _CONVOLUTIONS:
            return bool(_kernel_of(node) == given)
    if kind == "Transpose" and name == "perm":
        return bool(given == tuple(reversed(range(len(given)))))
    if kind == "ConstantOfShape" and name == "value":
        # The bit pattern, for -0.0 is no default.
        return given.dtype.name == "FLOAT" and list(given.shape) == [1] and not any(given.tobytes())
    return False


def _kernel_of(node: Node) -> tuple[int, ...] | None:
    """The kernel's extent as the weight has it."""
    slot = 3 if node.op_type == "QLinearConv" else 1
    held = constant(node.inputs[slot]) if len(node.inputs) > slot else None
    if held is None:
        return None
    return tuple(int(str(dim)) for dim in held.shape)[2:]


@functools.cache
def is_optional_output(op_type: str, domain: str, version: int | None, index: int) -> bool:
    """Whether output ``index`` of an operator may be left out, by its schema."""
    known = None if version is None else schema(op_type, domain, version)
    if known is None or index >= len(known.outputs):
        return False
    return bool(known.outputs[index].option == onnx.defs.OpSchema.FormalParameterOption.Optional)
