"""A failing model and what it is fed, in the form that candidates are cut from."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx
import xxhash

from burnish.evaluate import Feeds
from burnish.ir import Array, Model, TensorProtocol, make_tensor
from burnish.serial.skeleton import assemble, dismantle
from burnish.serial.tokens import Held, byte_length, mark, nested_graphs, set_token

__all__ = [
    "Case",
    "Feeds",
    "Weight",
    "called",
    "copied",
    "defined_in",
    "drop_functions",
    "nodes_within",
    "operators",
    "reads",
    "with_graph",
]

# Bigger weights stay outside the proto: candidates share them.
_OUTSIDE_BYTES = 1024


@dataclass(frozen=True)
class Weight:
    """A weight that is kept outside the proto.

    Attributes:
        tensor: its elements.
        mark: a text that differs from that of every other weight of its name.
    """

    tensor: TensorProtocol
    mark: str = ""


@dataclass(frozen=True)
class Case:
    """One candidate: a model, and inputs it is to be run on.

    Attributes:
        proto: the model without its big weights; never changed once it is here.
        weights: the big weights, by initializer name.
        feeds: inputs by name, one mapping for each sample.
        samples: which samples of the source these are.
    """

    proto: onnx.ModelProto
    weights: Mapping[str, Weight]
    feeds: tuple[Feeds, ...] = ()
    samples: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: Model, feeds: Sequence[Feeds] = ()) -> Case:
        """The case of a model, which is not changed."""
        proto, outside = dismantle(model, at_least=_OUTSIDE_BYTES)
        names = {index: held.name for index, held in enumerate(proto.graph.initializer)}
        weights = {names[index]: Weight(tensor) for index, tensor in outside.items()}
        return cls(proto, weights, tuple(feeds), tuple(range(len(feeds))))

    def model(self) -> Model:
        """The model, sharing its big weights with all others made of this case."""
        proto = copied(self.proto)
        held: Held = {}
        for initializer in proto.graph.initializer:
            weight = self.weights.get(initializer.name)
            if weight is not None:
                set_token(initializer, mark(held, weight.tensor))
        return assemble(proto, held, sparse=True)

    @functools.cached_property
    def digest(self) -> str:
        """The same text for the same model, on the same samples.

        What an input holds follows from the model it was cut from, so values are not looked at.
        """
        state = xxhash.xxh3_128(self.proto.SerializeToString(deterministic=True))
        for name, weight in sorted(self.weights.items()):
            state.update(f"{name}={weight.mark};".encode())
        state.update(str(self.samples).encode())
        return state.hexdigest()

    @property
    def graph(self) -> onnx.GraphProto:
        """The main graph."""
        return self.proto.graph

    @property
    def weight_bytes(self) -> int:
        """The size of all constants of the main graph."""
        return sum(
            held.ByteSize()
            if held.data_type == onnx.TensorProto.STRING
            else byte_length(held.data_type, held.dims)
            for held in self.graph.initializer
        )

    def tensor(self, name: str) -> Array | None:
        """The elements of the initializer ``name``; None if there is none, or of strings."""
        outside = self.weights.get(name)
        if outside is not None:
            return outside.tensor.numpy()
        for held in self.graph.initializer:
            if held.name == name and held.data_type != onnx.TensorProto.STRING:
                return onnx.numpy_helper.to_array(held)
        return None

    def with_tensors(self, proto: onnx.ModelProto, tensors: Mapping[str, Array]) -> Case:
        """The case of ``proto``, where ``tensors`` take the place of initializers or join them.

        Args:
            proto: a model of this case's own, which is changed here.
            tensors: elements by initializer name.
        """
        places = {held.name: held for held in proto.graph.initializer}
        weights = dict(self.weights)
        for name, array in tensors.items():
            weights.pop(name, None)
            place = places.get(name) or proto.graph.initializer.add()
            made = make_tensor(array)
            if made.nbytes >= _OUTSIDE_BYTES and array.dtype.kind not in "OSU":
                place.Clear()
                place.data_type = made.dtype.value
                place.dims.extend(array.shape)
                weights[name] = Weight(made, xxhash.xxh3_64_hexdigest(made.tobytes()))
            else:
                place.CopyFrom(onnx.numpy_helper.from_array(array))
            place.name = name
        return replace(self, proto=proto, weights=weights).trimmed()

    def without_weights(self) -> onnx.ModelProto:
        """A copy in which the weights outside it are inputs: valid just when the whole is."""
        proto = copied(self.proto)
        inputs = {info.name for info in proto.graph.input}
        for index in reversed(range(len(proto.graph.initializer))):
            held = proto.graph.initializer[index]
            if held.name not in self.weights:
                continue
            if held.name not in inputs:
                proto.graph.input.append(
                    onnx.helper.make_tensor_value_info(held.name, held.data_type, list(held.dims))
                )
            del proto.graph.initializer[index]
        return proto

    def trimmed(self) -> Case:
        """The same without weights and feeds that the proto does not name."""
        stored = {held.name for held in self.graph.initializer}
        inputs = {info.name for info in self.graph.input}
        weights = {name: held for name, held in self.weights.items() if name in stored}
        feeds = tuple(
            {name: value for name, value in each.items() if name in inputs} for each in self.feeds
        )
        return replace(self, weights=weights, feeds=feeds)


def copied(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that may be changed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    return copy


def with_graph(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of everything but the lists of the main graph, which are empty."""
    copy = onnx.ModelProto()
    for field, value in proto.ListFields():
        if field.name == "graph":
            copy.graph.name = value.name
            copy.graph.doc_string = value.doc_string
            copy.graph.metadata_props.extend(value.metadata_props)
        elif field.is_repeated:
            getattr(copy, field.name).extend(value)
        else:
            setattr(copy, field.name, value)
    return copy


def defined_in(graph: onnx.GraphProto) -> set[str]:
    """The names that a graph gives to its inputs, constants and results."""
    names = {info.name for info in graph.input} | {held.name for held in graph.initializer}
    names |= {held.values.name for held in graph.sparse_initializer}
    return names | {name for node in graph.node for name in node.output if name}


def reads(node: onnx.NodeProto) -> list[str]:
    """The names a node reads from the graph it is in, those its subgraphs capture included."""
    found = dict.fromkeys(name for name in node.input if name)
    for graph in nested_graphs(node):
        own = defined_in(graph)
        inner = [name for each in graph.node for name in reads(each)]
        inner += [info.name for info in graph.output]
        found.update(dict.fromkeys(name for name in inner if name not in own))
    return list(found)


def nodes_within(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Every node in the subgraphs of ``nodes``, at any depth, in a fixed order."""
    for node in nodes:
        for graph in nested_graphs(node):
            for inner in graph.node:
                yield inner
                yield from nodes_within([inner])


def operators(nodes: Sequence[onnx.NodeProto]) -> set[tuple[str, str]]:
    """``(domain, operator)`` of all nodes, those in subgraphs included."""
    return {(node.domain, node.op_type) for node in (*nodes, *nodes_within(nodes))}


def called(proto: onnx.ModelProto) -> set[tuple[str, str]]:
    """``(domain, name)`` of the functions that the main graph calls, directly or through another."""
    known = {(each.domain, each.name): each for each in proto.functions}
    pending = list(operators(proto.graph.node))
    found: set[tuple[str, str]] = set()
    while pending:
        key = pending.pop()
        if key in known and key not in found:
            found.add(key)
            pending.extend(operators(known[key].node))
    return found


def drop_functions(proto: onnx.ModelProto, names: Collection[tuple[str, str]]) -> None:
    """Remove functions from a model."""
    for index in reversed(range(len(proto.functions))):
        if (proto.functions[index].domain, proto.functions[index].name) in names:
            del proto.functions[index]
