"""The same network written another way, and small edits that are none of that."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, numpy_helper

from burnish.ir import schema

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def written_another_way(source: ModelProto, seed: int) -> ModelProto:
    """A copy that computes the same: every name, order and way of storing is another."""
    model = ModelProto()
    model.CopyFrom(source)
    chance = random.Random(seed)
    scopes = list(every_graph(model))
    for nodes, version in [(graph.node, opsets(model)) for graph in scopes] + [
        (function.node, opsets(function)) for function in model.functions
    ]:
        for node in nodes:
            write_defaults(node, version, chance)
            chance_shuffle(node.attribute, chance)
    store_constants(model, chance)
    drop_shapes(model, chance)
    for graph in scopes:
        shuffle_nodes(graph.node, chance)
        graph.name, graph.doc_string = f"another {graph.name}", "no words change an answer"
    for function in model.functions:
        shuffle_nodes(function.node, chance)
    rename(model)
    model.producer_name, model.producer_version = "somebody", "else"
    return model


def opsets(holder: onnx.ModelProto | onnx.FunctionProto) -> dict[str, int]:
    """The opsets in force."""
    known = {item.domain: item.version for item in holder.opset_import}
    return {"": known.get("ai.onnx", 1), **known}


def every_graph(model: ModelProto) -> Iterator[GraphProto]:
    """The main graph and all subgraphs, those of functions too."""
    yield model.graph
    yield from graphs_in(model.graph.node)
    for function in model.functions:
        yield from graphs_in(function.node)


def graphs_in(nodes: Sequence[NodeProto]) -> Iterator[GraphProto]:
    """All subgraphs of ``nodes``."""
    for node in nodes:
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield graph
                yield from graphs_in(graph.node)


def chance_shuffle(items: object, chance: random.Random) -> None:
    """Put a repeated field in another order."""
    held = list(items)  # type: ignore[call-overload]
    chance.shuffle(held)
    copies = [type(item).FromString(item.SerializeToString()) for item in held]
    del items[:]  # type: ignore[attr-defined]
    items.extend(copies)  # type: ignore[attr-defined]


def write_defaults(node: NodeProto, versions: dict[str, int], chance: random.Random) -> None:
    """Write some defaults out, and leave some out that are written."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    known = schema(node.op_type, domain, versions.get(domain, 0))
    if known is None:
        return
    written = {attribute.name: attribute for attribute in node.attribute}
    for name, attribute in known.attributes.items():
        default = attribute.default_value
        if default.type == AttributeProto.UNDEFINED or chance.random() < 0.5:
            continue
        if name not in written:
            node.attribute.add().CopyFrom(default)
            node.attribute[-1].name = name
        elif not written[name].ref_attr_name and helper.get_attribute_value(
            written[name]
        ) == helper.get_attribute_value(default):
            node.attribute.remove(written[name])


def store_constants(model: ModelProto, chance: random.Random) -> None:
    """Make Constant nodes of some initializers, and initializers of some Constant nodes."""
    graph = model.graph
    inputs = {info.name for info in graph.input}
    for tensor in list(graph.initializer):
        if tensor.name not in inputs and chance.random() < 0.5:
            node = helper.make_node("Constant", [], [tensor.name], value=tensor)
            graph.node.insert(0, node)
            graph.initializer.remove(tensor)
    for node in list(graph.node):
        first = node.attribute[0] if len(node.attribute) == 1 else None
        if node.op_type != "Constant" or first is None or first.name != "value":
            continue
        if chance.random() < 0.5 and first.t.data_location != onnx.TensorProto.EXTERNAL:
            graph.initializer.add().CopyFrom(first.t)
            graph.initializer[-1].name = node.output[0]
            graph.node.remove(node)


def drop_shapes(model: ModelProto, chance: random.Random) -> None:
    """Forget some declared shapes of inner values."""
    for graph in every_graph(model):
        for info in list(graph.value_info):
            if chance.random() < 0.5:
                graph.value_info.remove(info)


def shuffle_nodes(nodes: object, chance: random.Random) -> None:
    """Another order in which producers stand before their readers."""
    held = [NodeProto.FromString(node.SerializeToString()) for node in nodes]  # type: ignore[attr-defined]
    makers = {name: index for index, node in enumerate(held) for name in node.output if name}
    needs = [
        {makers[name] for name in read_by(node) if name in makers and makers[name] != index}
        for index, node in enumerate(held)
    ]
    readers: dict[int, list[int]] = {}
    for index, need in enumerate(needs):
        for maker in need:
            readers.setdefault(maker, []).append(index)
    ready = [index for index, need in enumerate(needs) if not need]
    order: list[int] = []
    while ready:
        index = ready.pop(chance.randrange(len(ready)))
        order.append(index)
        for reader in readers.get(index, ()):
            needs[reader].discard(index)
            if not needs[reader]:
                ready.append(reader)
    assert len(order) == len(held)
    del nodes[:]  # type: ignore[attr-defined]
    nodes.extend(held[index] for index in order)  # type: ignore[attr-defined]


def read_by(node: NodeProto) -> set[str]:
    """Names that a node or its subgraphs read from outside."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            read = {info.name for info in graph.output}.union(*map(read_by, graph.node))
            own = {info.name for info in graph.input} | {held.name for held in graph.initializer}
            found |= read - own - {name for inner in graph.node for name in inner.output}
    return found


def rename(model: ModelProto) -> None:
    """Give all but the interface other names: values, nodes, dimensions, functions."""
    kept = {info.name for info in (*model.graph.input, *model.graph.output)}
    if model.ir_version < 4:
        kept |= {tensor.name for tensor in model.graph.initializer}
    names: dict[str, str] = {}

    def other(name: str) -> str:
        if not name or name in kept:
            return name
        return names.setdefault(name, f"n{len(names)}x")

    for graph in every_graph(model):
        inner = graph is not model.graph
        for info in (*graph.input, *graph.output, *graph.value_info):
            rename_dims(info.type)
            if inner or info.name not in kept:
                info.name = other(info.name)
        for tensor in graph.initializer:
            tensor.name = other(tensor.name)
        for sparse in graph.sparse_initializer:
            sparse.values.name = other(sparse.values.name)
        del graph.quantization_annotation[:]
        rename_nodes(graph.node, other)
    for function in model.functions:
        function.input[:] = [other(name) for name in function.input]
        function.output[:] = [other(name) for name in function.output]
        for info in function.value_info:
            info.name = other(info.name)
            rename_dims(info.type)
        rename_nodes(function.node, other)
    rename_functions(model)


def rename_nodes(nodes: Sequence[NodeProto], other: Callable[[str], str]) -> None:
    """Other names for nodes and what they read and write."""
    for index, node in enumerate(nodes):
        node.name = f"node {index}"
        node.doc_string = "said anew"
        node.input[:] = [other(name) for name in node.input]
        node.output[:] = [other(name) for name in node.output]


def rename_dims(kind: onnx.TypeProto) -> None:
    """Other names for dimensions, everywhere the same."""
    for dim in kind.tensor_type.shape.dim if kind.HasField("tensor_type") else ():
        if dim.dim_param:
            dim.dim_param = _IDENTIFIER.sub(lambda found: f"{found.group()}_too", dim.dim_param)


def rename_functions(model: ModelProto) -> None:
    """Other names for functions, in a domain of their own."""
    names = {
        (function.domain, function.name): f"Function{index}"
        for index, function in enumerate(model.functions)
    }
    if not names:
        return
    bodies = [function.node for function in model.functions]
    for nodes in (*(graph.node for graph in every_graph(model)), *bodies):
        for node in nodes:
            if (node.domain, node.op_type) in names:
                node.op_type = names[node.domain, node.op_type]
                node.domain = "another.domain"
    for function in model.functions:
        function.name = names[function.domain, function.name]
        function.domain = "another.domain"
        function.opset_import.add(domain="another.domain", version=1)
    model.opset_import.add(domain="another.domain", version=1)


# --- edits


def bypass(model: ModelProto, index: int) -> NodeProto:
    """Drop a node of one input and one output; its readers read what it read."""
    node = model.graph.node[index]
    gone = NodeProto.FromString(node.SerializeToString())
    for reader in model.graph.node:
        reader.input[:] = [
            gone.input[0] if name == gone.output[0] else name for name in reader.input
        ]
    del model.graph.node[index]
    return gone


def insert(model: ModelProto, index: int, operator: str, slot: int) -> NodeProto:
    """Put a node of one input before input ``slot`` of node ``index``."""
    node = model.graph.node[index]
    made = helper.make_node(operator, [node.input[slot]], ["inserted here"])
    node.input[slot] = "inserted here"
    model.graph.node.insert(index, made)
    return made


def change_weight(tensor: onnx.TensorProto, chance: random.Random) -> int:
    """Change one element; returns which."""
    array = numpy_helper.to_array(tensor).copy()
    at = chance.randrange(array.size)
    array.flat[at] = array.flat[at] + 1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return at
