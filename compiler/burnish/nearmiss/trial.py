"""Whether a difference from a documented form is in the way of the pass: tried on the example.

A documented form is one spelling of many that a pass may know. So a difference between the example
and a place in a model is first made in the example; if the pass applies to it all the same, the
difference is not what was in the way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from burnish.ir import (
    Array,
    Attr,
    AttributeType,
    DataType,
    Graph,
    Node,
    Shape,
    TensorType,
    Value,
    constant,
    convert_attributes,
    label,
    make_tensor,
    remove_node,
)
from burnish.nearmiss.asking import Answer, ask, asking_context
from burnish.nearmiss.forms import Example, examples
from burnish.nearmiss.partial import Failure, Partial
from burnish.passdef import Context, Pass
from burnish.shapes import Shapes

__all__ = ["obstacles"]

_FEW = 16
"""Elements of a constant that is written into an example."""

_FLOATS = (DataType.FLOAT, DataType.FLOAT16, DataType.BFLOAT16, DataType.DOUBLE)


def obstacles(partial: Partial, item: Pass, ctx: Context) -> list[str]:
    """What is in the way of a documented form, by trial.

    Args:
        partial: what stands of the form.
        item: the pass, with its options.
        ctx: of the model ``partial`` is in; gives target, types and shapes.

    Returns:
        The conditions that fail, for people; empty when no difference that was tried is in the way.
    """
    trial = _Trial(partial, item, ctx)
    alone = trial.answer(lambda example: None)
    if not alone.would:
        return [remark.why for remark in alone.remarks if remark.why][:1]
    failing = [failure for failure in partial.failures if trial.fails(failure)]
    # How many inputs there are is a matter of spelling, if there is more to say.
    serious = [failure for failure in failing if failure.kind != "inputs"]
    found = [failure.text for failure in serious or failing]
    if found and len(partial.nodes) + len(partial.skipped) < len(partial.form.nodes):
        return found  # numbers of what does not stand as a whole tell nothing
    return [*found, *trial.other_differences()]


class _Trial:
    """Variations of one example."""

    def __init__(self, partial: Partial, item: Pass, ctx: Context) -> None:
        self.partial = partial
        self.item = item
        self.ctx = ctx
        self.form = partial.form

    def answer(self, vary: Callable[[Example], None]) -> Answer:
        """What the pass says of the example after ``vary``."""
        example = examples(self.form.kind)[self._place()]
        vary(example)
        return ask(self.item, example.model, asking_context(example.model, self.ctx.target))

    def _place(self) -> int:
        numbers = [example.number for example in examples(self.form.kind)]
        return numbers.index(self.form.documented)

    def node(self, example: Example, failure: Failure) -> Node:
        """The example's node for the operator a failure is about."""
        return list(example.nodes.values())[self.form.nodes.index(failure.pattern)]

    def fails(self, failure: Failure) -> bool:
        """Whether the pass no longer applies to the example when ``failure`` is put into it."""
        if failure.kind == "constant" and failure.variable is not None:
            name = failure.variable.name
            return not self.answer(lambda example: _given(example, name)).would
        if failure.kind in ("operator", "reader") and failure.found is not None:
            found = failure.found
            if len(found.inputs) != len(failure.pattern.inputs) or len(found.outputs) != 1:
                return True
            return not self.answer(lambda example: self._swap(example, failure, found)).would
        return True

    def _swap(self, example: Example, failure: Failure, found: Node) -> None:
        """Let the example's operator be the one found, with the constants found."""
        node = self.node(example, failure)
        inputs = list(node.inputs)
        counterparts = self._counterparts(example)
        for index, value in enumerate(found.inputs):
            held = constant(value)
            if value in counterparts:
                inputs[index] = counterparts[value]
            elif held is not None and held.size <= _FEW:
                inputs[index] = _new_constant(example, None, held.numpy())
        made = Node(found.domain, found.op_type, inputs, _plain(found), num_outputs=1)
        _stand_in(node, made)

    def _counterparts(self, example: Example) -> dict[Value | None, Value]:
        """The example's value for each value of the model that has a part in the form."""
        found: dict[Value | None, Value] = {}
        for pattern, there in zip(self.form.nodes, example.nodes.values(), strict=True):
            here = self.partial.nodes.get(pattern)
            if here is not None:
                found.update(zip(here.outputs, there.outputs, strict=False))
        read = [value for node in example.nodes.values() for value in node.inputs if value]
        for value in read:
            here_value = self.partial.values.get(value.name or "")
            if here_value is not None and constant(here_value) is None:
                found[here_value] = value
        return found

    def other_differences(self) -> list[str]:
        """Numbers, attributes, types and shapes of a place where every operator stands."""
        found = [
            *self._numbers(),
            *self._attributes(),
            *self._types(),
            *self._shapes(),
        ]
        return found

    def _numbers(self) -> list[str]:
        found = []
        for name, here, there in self._constants():
            if here.size != 1 and here.shape != there.shape:
                continue
            if here.size > _FEW or np.array_equal(here.reshape(-1), there.reshape(-1)):
                continue
            wide = here.reshape(-1)[0] if there.size == 1 or here.size == 1 else here
            array = np.broadcast_to(np.asarray(wide, there.dtype), there.shape).copy()
            if np.array_equal(array, there):
                continue
            vary = functools.partial(_with_constant, name=name, array=array)
            if not self.answer(vary).would:
                value = self.partial.values[name]
                called = "" if value is None else value.name
                found.append(f"{called} is {_numbers(here)}, in the example {_numbers(there)}")
        return found

    def _constants(self) -> list[tuple[str, Array, Array]]:
        """Constants that stand for constants of the example: name, here, there."""
        example = examples(self.form.kind)[self._place()]
        found = []
        for name, was in example.constants.items():
            here, there = constant(self.partial.values.get(name)), constant(was)
            if here is not None and there is not None and here.size <= _FEW:
                found.append((name, here.numpy(), there.numpy()))
        return found

    def _attributes(self) -> list[str]:
        found = []
        example = examples(self.form.kind)[self._place()]
        shapes = asking_context(example.model, self.ctx.target).shapes
        for pattern, there in zip(self.form.nodes, example.nodes.values(), strict=True):
            here = self.partial.nodes.get(pattern)
            if here is None or len(there.outputs) != len(here.outputs):
                continue
            if _rank(here.outputs[0], self.ctx.shapes) != _rank(there.outputs[0], shapes):
                continue  # the same axis has another number
            given = {attr.name: attr for attr in _plain(here)}
            standing = {attr.name: attr for attr in _plain(there)}
            for name in sorted(given.keys() | standing.keys()):
                new, old = given.get(name), standing.get(name)
                if (new and new.value) == (old and old.value):
                    continue
                place = self.form.nodes.index(pattern)
                vary = functools.partial(_with_attribute, place=place, name=name, attr=new)
                if not self.answer(vary).would:
                    held = "not given" if new is None else new.value
                    wanted = "none" if old is None else old.value
                    found.append(f"{name} of {label(here)} is {held}, in the example {wanted}")
        return found

    def _types(self) -> list[str]:
        """Whether the element type is one that the pass does not take."""
        for name, value in self.partial.values.items():
            dtype = None if value is None else self.ctx.shapes.dtype(value)
            if value is None or constant(value) is not None or dtype not in _FLOATS:
                continue
            answer = self.answer(functools.partial(_retype, dtype=dtype))
            if not answer.would:
                why = next((each.why for each in answer.remarks if each.why), "")
                called = f"{value.name or name} is {dtype.name.lower()}"
                return [why or f"the pass does not take the type: {called}"]
            return []
        return []

    def _shapes(self) -> list[str]:
        inner = [value for node in self.partial.nodes.values() for value in node.inputs]
        unknown = [
            value
            for value in (*self.partial.values.values(), *inner)
            if value is not None and self.ctx.shapes.shape(value) is None
        ]
        if not unknown or self.answer(_forget_shapes).would:
            return []
        return [f"the rank of {unknown[0].name} is not known"]


def _plain(node: Node) -> list[Attr]:
    """The attributes that another node may have, too."""
    return [
        attr
        for attr in node.attributes.values()
        if not attr.is_ref() and attr.type not in (AttributeType.GRAPH, AttributeType.GRAPHS)
    ]


def _rank(value: Value, shapes: Shapes) -> int | None:
    shape = shapes.shape(value)
    return None if shape is None else len(shape)


def _numbers(array: Array) -> str:
    """Numbers as few digits as people need."""
    return np.array2string(array, precision=6, threshold=8, separator=", ")


def _new_constant(example: Example, like: Value | None, array: Array) -> Value:
    graph = example.model.graph
    name = f"trial_{len(graph.initializers)}"
    held = make_tensor(np.array(array))
    if like is not None and like.dtype is not None and held.dtype != like.dtype:
        held = make_tensor(np.array(array).astype(like.dtype.numpy()), like.dtype)
    held.name = name
    shape = Shape(held.shape.numpy())
    value = Value(name=name, type=TensorType(held.dtype), shape=shape, const_value=held)
    graph.register_initializer(value)
    return value


def _with_constant(example: Example, name: str, array: Array) -> None:
    """Let a constant of the example hold other numbers."""
    was = example.constants[name]
    was.replace_all_uses_with(_new_constant(example, was, array))


def _with_attribute(example: Example, place: int, name: str, attr: Attr | None) -> None:
    """Let an operator of the example have another attribute, or not have it."""
    attributes = list(example.nodes.values())[place].attributes
    if attr is None:
        attributes.pop(name)
    else:
        attributes[name] = attr


def _given(example: Example, name: str) -> None:
    """Let a constant of the example be a graph input."""
    was = example.constants[name]
    held = constant(was)
    assert held is not None
    given = Value(
        name=f"{name}_given", type=TensorType(held.dtype), shape=Shape(held.shape.numpy())
    )
    example.model.graph.inputs.append(given)
    was.replace_all_uses_with(given)


def _stand_in(node: Node, made: Node) -> None:
    graph = node.graph
    assert isinstance(graph, Graph)
    was, becomes = node.outputs[0], made.outputs[0]
    becomes.type, becomes.shape = was.type, was.shape
    graph.insert_before(node, made)
    for index, output in enumerate(graph.outputs):
        if output is was:
            graph.outputs[index] = becomes
    name, was.name = was.name, None
    becomes.name = name
    was.replace_all_uses_with(becomes)
    remove_node(node)


def _retype(example: Example, dtype: DataType) -> None:
    """Let the example compute in another floating-point type."""
    graph = example.model.graph
    for value in (*graph.inputs, *graph.outputs, *(o for n in graph for o in n.outputs)):
        if value.dtype in _FLOATS:
            value.type = TensorType(dtype)
    for value in list(example.constants.values()):
        held = constant(value)
        if held is not None and held.dtype in _FLOATS and held.dtype != dtype:
            array = held.numpy().astype(dtype.numpy())
            new = _new_constant(example, None, np.asarray(array))
            value.replace_all_uses_with(new)
    for node in graph:
        to = node.attributes.get("to")
        if node.op_type == "Cast" and to is not None and to.value in [d.value for d in _FLOATS]:
            node.attributes.update({"to": convert_attributes({"to": dtype.value})[0]})


def _forget_shapes(example: Example) -> None:
    """Leave nobody knowing a shape in the example."""
    graph = example.model.graph
    for value in (*graph.inputs, *graph.outputs, *(o for n in graph for o in n.outputs)):
        value.shape = None
