"""Operators that the target lacks become their function bodies."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import onnx

from burnish.graph import SOURCES, remove_unread, replace_value, sources_of
from burnish.ir import (
    Attr,
    Function,
    Graph,
    Model,
    Node,
    Scope,
    Value,
    convert_attributes,
    from_proto,
    nested_graphs,
    remove_node,
    schema,
)
from burnish.match import refers_to_parameter
from burnish.passdef import Context, Exactness, Names, Pass
from burnish_passes.function_bodies import Body, body_of, body_version, call_of, default_of


@dataclass(frozen=True)
class ExpandMissingOperators(Pass):
    """Replace operators that the target has no kernel for by their function bodies.

    ``X`` => the body of ``X`` that the ONNX standard gives, where ``X`` is missing; operators
    that the body holds and that are missing too are expanded in turn. Runs after everything that
    raises operators, so that what a target lacks is not brought back.

    A target that runs every operator leaves every model as it is.

    Before::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[2,3] x) => (float[2,3] y) {
            y = Gelu(x)
        }

    After::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[2,3] x) => (float[2,3] y) {
            y = Gelu(x)
        }

    FLOAT: a kernel may round otherwise than the body. Source: the function bodies in the operator
    schemas of onnx; the opposite of ``raise-function-bodies``.

    Attributes:
        ops: further operators to expand, whatever the target.
    """

    ops: tuple[str, ...] = ()

    name: ClassVar[str] = "expand-missing-operators"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Expand, and look again at what the bodies hold."""
        missing = ctx.target.limits.missing_ops | set(self.ops)
        if not missing:
            return
        pending = deque(ctx.nodes(model, [("", op_type) for op_type in sorted(missing)]))
        while pending:
            node, scope = pending.popleft()
            made = self._expand(node, scope, ctx)
            pending.extend(
                (inner, where)
                for inner, where in _with_nested(made, scope)
                if not inner.domain and inner.op_type in missing
            )

    def _expand(self, node: Node, scope: Scope, ctx: Context) -> list[Node]:
        """Replace ``node`` by its body; the new nodes, none when it has to stay."""
        lacks = node.op_type in ctx.target.limits.missing_ops
        reason = f"{ctx.target} lacks {node.op_type}" if lacks else f"{node.op_type} is to go"
        body, why = _body(node, scope, ctx)
        if body is None:
            ctx.declined(self.name, node, f"{reason}, but {why}")
            return []
        if not ctx.applies(self.name, node, reason):
            return []
        graph = node.graph
        assert isinstance(graph, Graph)
        function = _copy(body)
        made = list(function.graph)
        results = dict(zip(_made_outputs(body), function.outputs, strict=True))
        function.outputs.clear()
        _give_attributes(made, node, scope)
        _give_inputs(function, node)
        _name(made, str(node.outputs[0].name or node.op_type), ctx.names)
        function.graph.remove(made)
        for inner in _nodes(made):
            inner.meta[SOURCES] = sources_of(node)
            inner.version = None
        graph.insert_before(node, made)
        for index, was in enumerate(node.outputs):
            if _is_read(was):
                replace_value(was, results[index], fresh=True)
        remove_node(node)
        remove_unread(made)
        return [inner for inner in made if inner.graph is graph]


def _body(node: Node, scope: Scope, ctx: Context) -> tuple[Body | None, str]:
    """The body of ``node``, or why there is none."""
    version = scope.opsets.get("", 0)
    if body_version(node.op_type, version) is None:
        return None, f"opset {version} defines no body for it"
    parameter = refers_to_parameter(node)
    if parameter is not None:
        return None, f"its attribute {parameter} is a function parameter"
    if any(True for _ in nested_graphs(node)):
        return None, "it holds a subgraph"
    body = body_of(call_of(node, version, ctx.shapes))
    if body is None:
        unknown = [
            str(value.name)
            for value in node.inputs
            if value is not None and ctx.shapes.dtype(value) is None
        ]
        if unknown:
            return None, f"the type of {unknown[0]} is not known"
        return None, f"opset {version} defines no body for these inputs and attributes"
    wanted = {index for index, value in enumerate(node.outputs) if _is_read(value)}
    if not wanted <= set(_made_outputs(body)):
        return None, "its body does not make every result that is read"
    return body, ""


def _is_read(value: Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _made_outputs(body: Body) -> list[int]:
    """The results that the body makes: it may leave out what the call does not want."""
    outputs = body.level.outputs
    return [index for index in range(len(outputs)) if outputs[index] in body.level.made]


def _copy(body: Body) -> Function:
    """The body as nodes of its own, with the results that it makes."""
    proto = onnx.FunctionProto()
    proto.CopyFrom(body.proto)
    outputs = [body.level.outputs[index] for index in _made_outputs(body)]
    del proto.output[:]
    proto.output.extend(outputs)
    function = from_proto(proto)
    assert isinstance(function, Function)
    return function


def _give_attributes(made: Iterable[Node], node: Node, scope: Scope) -> None:
    """Put the attributes of the call in the place of references to them."""
    given = _attributes(node, scope)
    for inner in _nodes(made):
        for name, attr in list(inner.attributes.items()):
            if not attr.is_ref():
                continue
            held = given.get(str(attr.ref_attr_name))
            if held is None:
                del inner.attributes[name]
            else:
                inner.attributes[name] = Attr(name, held.type, held.value)


def _attributes(node: Node, scope: Scope) -> Mapping[str, Attr]:
    """The attributes of ``node``, defaults included."""
    version = scope.opsets[""]
    known = schema(node.op_type, "", version)
    assert known is not None
    defaults = {name: default_of(node.op_type, version, name) for name in known.attributes}
    held = {name: value for name, value in defaults.items() if value is not None}
    return {**{attr.name: attr for attr in convert_attributes(held)}, **node.attributes.data}


def _give_inputs(function: Function, node: Node) -> None:
    """Let the body read what the call reads; an absent input is absent in the body."""
    for index, formal in enumerate(function.inputs):
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is not None:
            formal.replace_all_uses_with(value)
            continue
        for use in list(formal.uses()):
            use.node.replace_input_with(use.idx, None)


def _name(made: Iterable[Node], prefix: str, names: Names) -> None:
    """Name everything the body makes after the value that it is there for."""
    for inner in _nodes(made):
        inner.name = None
        for value in inner.outputs:
            _rename(value, prefix, names)
        for graph in nested_graphs(inner):
            for value in (*graph.inputs, *list(graph.initializers.values())):
                _rename(value, prefix, names)


def _rename(value: Value, prefix: str, names: Names) -> None:
    if value.name:
        value.name = names.fresh(f"{prefix}_{value.name}")


def _nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes, and those of their subgraphs."""
    for node in nodes:
        yield node
        for graph in nested_graphs(node):
            yield from _nodes(graph)


def _with_nested(nodes: Iterable[Node], scope: Scope) -> Iterator[tuple[Node, Scope]]:
    """The nodes, and those of their subgraphs, with their scopes."""
    for node in nodes:
        yield node, scope
        for graph in nested_graphs(node):
            inner = Scope(graph, scope.opsets, scope.function, scope.depth + 1)
            yield from _with_nested(graph, inner)
