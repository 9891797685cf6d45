"""The model written in the newest opset its target accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import helper

from burnish.graph import SOURCES, Placement, remove_unread, replace_value, sources_of
from burnish.ir import (
    Graph,
    Model,
    Node,
    Scope,
    Value,
    convert_attributes,
    label,
    make_tensor,
    schema,
)
from burnish.passdef import Context, Names, Pass
from burnish_passes.opset.draft import RAW, CannotRaise, Draft, Made, New, Operand, Place
from burnish_passes.opset.steps import HIGHEST, LOWEST, next_step


@dataclass(frozen=True)
class RaiseOpset(Pass):
    """Write the model in a later opset, so that rules may use the operators that came with it.

    ``opset 11 => opset 26``: attributes that became inputs become constants, operators that were
    renamed or given another default are written so that they mean what they meant.

    All or nothing: when a node has no equal at some opset, or the target loses its kernel there,
    the model is raised to the one before, and a remark names the node. An opset is never lowered.
    Functions are raised with the model. ``to`` is the opset aimed at, at most the newest one the
    target accepts, which is also what 0 stands for.

    Before::

        <ir_version: 8, opset_import: ["": 11]>
        agraph (float[2, 3] x) => (float[2, 1, 3] y) {
            a = Softmax (x)
            y = Unsqueeze <axes = [1]> (a)
        }

    After::

        <ir_version: 13, opset_import: ["": 26]>
        agraph (float[2, 3] x) => (float[2, 1, 3] y) <int64[1] y_axes = {1}> {
            a = Softmax <axis = 1> (x)
            y = Unsqueeze (a, y_axes)
        }

    BITWISE: each operator keeps its definition. Source: ONNX operator changelog.
    """

    name: ClassVar[str] = "raise-opset"
    counted: ClassVar[bool] = True
    to: int = 0

    def run(self, model: Model, ctx: Context) -> None:
        """Plan everything, then do it."""
        source = model.opset_imports.get("")
        highest = min(ctx.target.limits.highest_opset, HIGHEST)
        goal = min(self.to or highest, highest)
        if source is None or source >= goal:
            return
        drafts: list[tuple[Scope, Draft]] | None = None
        while drafts is None and goal > source:
            try:
                drafts = list(_plan(model, ctx, goal))
            except _Blocked as blocked:
                goal = max(blocked.step - 1, source)
                stays = f"the model stays at opset {goal}"
                ctx.declined(self.name, blocked.where, f"{blocked.why}; {stays}")
        if drafts is None or not ctx.applies(self.name, "model", f"opset {source} to {goal}"):
            return
        writer = _Writer(ctx.names)
        for scope, draft in drafts:
            writer.write(scope, draft)
        _declare(model, goal)


class _Blocked(Exception):
    """A node, or a whole function, cannot be carried over to opset ``step``."""

    def __init__(self, where: Node | str, why: str, step: int) -> None:
        super().__init__(why)
        self.where, self.why, self.step = where, why, step


def _plan(model: Model, ctx: Context, goal: int) -> Iterator[tuple[Scope, Draft]]:
    """How every node that must change will be written at opset ``goal``."""
    place = Place(goal, ctx.shapes)
    lost = dict(ctx.target.limits.lost_kernels)
    functions = model.functions
    for scope in ctx.scopes(model):
        version = scope.opsets.get("")
        if version is None or version >= goal:
            continue
        if version < LOWEST:
            where = "model" if scope.function is None else scope.function.name
            raise _Blocked(where, f"opset {version} is older than {LOWEST}", version + 1)
        plain: set[str] = set()
        for node in scope.graph:
            if node.domain != "" or node.op_type in plain:
                continue
            if functions and node.op_identifier() in functions:
                continue
            draft = _raised(node, version, place)
            end = lost.get(node.op_type if draft is None else draft.op_type, 0)
            if version < end <= goal:
                why = f"the target has no good {node.op_type} from opset {end} on"
                raise _Blocked(node, why, end)
            if draft is None:
                plain.add(node.op_type)
            elif draft.is_changed:
                yield scope, draft


def _raised(node: Node, version: int, place: Place) -> Draft | None:
    """The node as it will be written, or None when it stays as it is."""
    step = next_step(node.op_type, version, place.to)
    if step is None:
        if schema(node.op_type, "", version) is None:
            why = f"opset {version} has no {node.op_type}, so its future is not known"
            raise _Blocked(node, why, version + 1)
        return None
    draft = Draft(node)
    while step is not None:
        at, adapt = step
        try:
            adapt(draft, place)
        except CannotRaise as error:
            why = f"{label(node)} cannot be carried over to opset {at}: {error}"
            raise _Blocked(node, why, at) from None
        step = next_step(draft.op_type, at, place.to)
    return draft


def _declare(model: Model, goal: int) -> None:
    """Say which opset everything is written in now, and which IR that needs."""
    for imports in (
        model.opset_imports,
        *(function.opset_imports for function in model.functions.values()),
    ):
        if imports.get("", goal) < goal:
            imports[""] = goal
    needed = helper.find_min_ir_version_for([helper.make_opsetid("", goal)])
    model.ir_version = max(model.ir_version, needed)


class _Writer:
    """Turns drafts into nodes; equal constants of one graph are made once."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._constants: dict[tuple[Graph, str, tuple[int, ...], bytes], Value] = {}
        # Drafts were made before any was written, so they read results that are gone by now.
        self._replaced: dict[Value, Value] = {}

    def write(self, scope: Scope, draft: Draft) -> None:
        """Change the node of ``draft``, or put others in its place."""
        node = draft.node
        inputs = [self._value(operand, scope, node) for operand in draft.inputs]
        while inputs and inputs[-1] is None:
            inputs.pop()
        if draft.after is not None:
            self._replace(scope, draft, inputs)
            return
        node.op_type = draft.op_type
        for name in [name for name in node.attributes if name not in draft.attributes]:
            node.attributes.pop(name)
        node.attributes.update(draft.attributes)
        node.resize_inputs(len(inputs))
        for index, value in enumerate(inputs):
            if node.inputs[index] is not value:
                node.replace_input_with(index, value)
        node.resize_outputs(draft.outputs)

    def _replace(self, scope: Scope, draft: Draft, inputs: list[Value | None]) -> None:
        """What follows the raised node takes over the name of its result.

        The raised node is a new one: its result is another than what people knew under that name.
        """
        node, after = draft.node, draft.after
        assert after is not None
        raised = Node(
            "",
            draft.op_type,
            inputs,
            list(draft.attributes.values()),
            num_outputs=draft.outputs,
            name=node.name,
        )
        self._insert(scope, node, raised)
        was = node.outputs[0]
        becomes = self._value(after, scope, node, raised.outputs[0])
        assert becomes is not None
        replace_value(was, becomes, fresh=True)
        self._replaced[was] = becomes
        remove_unread([node])

    def _value(
        self, operand: Operand, scope: Scope, before: Node, raw: Value | None = None
    ) -> Value | None:
        """The value of ``operand``; what must be made for it goes before node ``before``."""
        if operand is RAW:
            return raw
        if isinstance(operand, New):
            return self._constant(operand, scope, before)
        if isinstance(operand, Made):
            inputs = [self._value(item, scope, before, raw) for item in operand.inputs]
            attributes = convert_attributes(operand.attributes)
            made = Node("", operand.op_type, inputs, attributes)
            self._insert(scope, before, made)
            return made.outputs[0]
        if operand is None:
            return None
        assert isinstance(operand, Value)
        return self._replaced.get(operand, operand)

    def _insert(self, scope: Scope, before: Node, node: Node) -> None:
        node.meta[SOURCES] = sources_of(before)
        Placement(scope).name_outputs(node, before.outputs[0], self._names)
        scope.graph.insert_before(before, node)

    def _constant(self, new: New, scope: Scope, reader: Node) -> Value:
        array = np.asarray(new.array)
        key = (scope.graph, array.dtype.name, array.shape, array.tobytes())
        found = self._constants.get(key)
        if found is None:
            name = self._names.fresh(f"{reader.outputs[0].name}_{new.hint}")
            found = Placement(scope).add_constant(make_tensor(array), name)
            self._constants[key] = found
        return found
