"""Element types of outputs, from the schemas of the operators."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import onnx

from burnish.ir import DataType, schema
from burnish.shapes.facts import NodeFacts

__all__ = ["output_types"]

_TENSOR = "tensor("
_NAMED = ("to", "dtype", "output_dtype", "output_datatype")


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the type of an output comes from: one of these inputs, or the same always."""

    inputs: tuple[int, ...]
    fixed: DataType | None


def _data_type(text: str) -> DataType | None:
    if not text.startswith(_TENSOR):
        return None
    name = {"string": "STRING", "bool": "BOOL"}.get(
        text[len(_TENSOR) : -1], text[len(_TENSOR) : -1]
    )
    return getattr(DataType, name.upper(), None)


def _source(spec: onnx.defs.OpSchema, output: onnx.defs.OpSchema.FormalParameter) -> _Source:
    name = output.type_str
    for constraint in spec.type_constraints:
        if constraint.type_param_str == name:
            allowed = constraint.allowed_type_strs
            if len(allowed) == 1:
                return _Source((), _data_type(allowed[0]))
            places = tuple(i for i, given in enumerate(spec.inputs) if given.type_str == name)
            return _Source(places, None)
    return _Source((), _data_type(name))


@functools.cache
def _sources(op_type: str, version: int) -> tuple[_Source, ...]:
    """Where the types of the results of a standard operator come from; nothing when unknown."""
    spec = schema(op_type, "", version)
    if spec is None:
        return ()
    many = onnx.defs.OpSchema.FormalParameterOption.Variadic
    if any(output.option == many and not output.is_homogeneous for output in spec.outputs):
        return ()
    return tuple(_source(spec, output) for output in spec.outputs)


def output_types(view: NodeFacts) -> list[DataType | None]:
    """The element type of every output; None where it does not follow from the inputs."""
    op = view.node.op_type
    count = len(view.node.outputs)
    if op == "SequenceEmpty":  # its dtype is that of the elements to come
        return [None] * count
    named = _by_attribute(view)
    if named is not None:
        return [named] * count
    if op == "If":
        return [_agreed(types) for types in zip(*_branch_types(view), strict=False)]
    sources = _sources(op, view.version)
    if not sources:
        return [None] * count
    last = len(sources) - 1
    return [_resolve(view, sources[min(index, last)]) for index in range(count)]


def _branch_types(view: NodeFacts) -> list[list[DataType | None]]:
    return [[facts.dtype for facts in branch] for branch in view.branches]


def _agreed(types: tuple[DataType | None, ...]) -> DataType | None:
    return types[0] if len(set(types)) == 1 else None


def _by_attribute(view: NodeFacts) -> DataType | None:
    """The type when an attribute (or, in its absence, a default) decides it."""
    op = view.node.op_type
    attributes = view.node.attributes.data  # the plain dict inside is faster
    if attributes:
        for name in _NAMED:
            given = view.attribute(name) if name in attributes else None
            if isinstance(given, int) and given and (name != "to" or op == "Cast"):
                return DataType(given)
    if op == "ConstantOfShape":
        value = view.attribute("value")
        return DataType.FLOAT if value is None else DataType(value.dtype)
    if op == "QuantizeLinear" and not view.has(2):
        return DataType.UINT8
    return None


def _resolve(view: NodeFacts, source: _Source) -> DataType | None:
    for index in source.inputs:
        dtype = view.facts(index).dtype
        if dtype is not None:
            return dtype
    return source.fixed
