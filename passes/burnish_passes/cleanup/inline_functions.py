"""Calls of the model's own functions become copies of their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import (
    AttributeType,
    Function,
    Model,
    Node,
    inline_calls,
    label,
    names_in_use,
    schema,
)
from burnish.passdef import Context, Pass
from burnish.serial.shadowing import rename_shadowing


@dataclass(frozen=True)
class InlineFunctions(Pass):
    """Replace calls of model-local functions by their bodies, nested calls included.

    ``y = f(x)`` => the body of ``f`` with ``x`` and the call's attributes put in.

    A function written in other opsets than the model is inlined only when every operator it uses
    means the same in both; otherwise it stays, and its body is optimized in place.

    Before::

        <ir_version: 10, opset_import: ["": 20, "local": 1]>
        agraph (float[2] x) => (float[2] y) {
            y = local.twice(x)
        }
        <domain: "local", opset_import: ["": 20]>
        twice (a) => (b) {
            b = Add(a, a)
        }

    After::

        <ir_version: 10, opset_import: ["": 20, "local": 1]>
        agraph (float[2] x) => (float[2] y) {
            y = Add(x, x)
        }

    Catalogue row D11. Source: ONNX IR specification, functions.
    """

    name: ClassVar[str] = "inline-functions"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Inline every call that can be."""
        stays = self._staying(model, ctx)
        kinds = {key[:2] for key in model.functions}
        wanted = {node.op_identifier() for node, _ in ctx.nodes(model, kinds)} - stays
        if not wanted or not ctx.applies(self.name, ", ".join(sorted(map(_title, wanted)))):
            return
        for key in wanted:
            model.functions[key].opset_imports.update(
                {
                    domain: version
                    for domain, version in model.opset_imports.items()
                    if domain in model.functions[key].opset_imports
                }
            )
        names = [output.name for output in model.graph.outputs]
        inline_calls(model, lambda function: function.identifier() in wanted)
        for output, name in zip(model.graph.outputs, names, strict=True):
            output.name = name
        rename_shadowing(model)
        ctx.names.take(names_in_use(model))

    def _staying(self, model: Model, ctx: Context) -> set[tuple[str, str, str]]:
        stays: set[tuple[str, str, str]] = set()
        for key, function in model.functions.items():
            why = _why_not(function, model.opset_imports)
            if why:
                stays.add(key)
                ctx.declined(self.name, _title(key), why)
        return stays


def _title(key: tuple[str, str, str]) -> str:
    return "::".join(filter(None, key))


def _why_not(function: Function, opsets: Mapping[str, int]) -> str | None:
    for domain, version in function.opset_imports.items():
        here = opsets.get(domain)
        if here is None or here == version:
            continue
        for node in function.all_nodes():
            if node.domain == domain and _meaning(node, version) != _meaning(node, here):
                return f"{label(node)} means something else at opset {here} of the model"
    if set(function.outputs) & set(function.inputs):
        return "it returns an input as it is"
    if any(
        attr.type in (AttributeType.GRAPH, AttributeType.GRAPHS)
        for attr in function.attributes.values()
    ):
        return "it takes a graph as attribute"
    return None


def _meaning(node: Node, version: int) -> int | None:
    known = schema(node.op_type, node.domain, version)
    return None if known is None else int(known.since_version)
