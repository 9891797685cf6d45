"""Is a model proto well formed? One walk, linear in nodes, that never touches weights.

Checked are the rules that onnx-ir and the passes rely on: every name is produced once, every use
has a producer in sight, nodes can be put in order, versions are ones this ``onnx`` knows.
Operators, types and attributes are not checked: unknown ones are carried through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from burnish.errors import ModelError
from burnish.serial.tokens import nested_graphs

__all__ = ["Findings", "check_model", "check_versions"]

_EXPORT_AGAIN = "the exporter wrote a broken graph: export the model again"


@dataclass
class Findings:
    """What a walk over a well-formed model saw.

    Attributes:
        disordered: some node stands before a producer of what it reads.
        returned: some subgraph returns a value of a graph around it.
        sparse: some tensor is stored sparse.
        external: every tensor whose data is in another file.
    """

    disordered: bool = False
    returned: bool = False
    sparse: bool = False
    external: list[onnx.TensorProto] = field(default_factory=list)


def check_versions(proto: onnx.ModelProto, where: str) -> None:
    """Refuse IR and operator set versions that this ``onnx`` does not know.

    Raises:
        ModelError: naming the version and the highest known one.
    """
    if proto.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"its IR version {proto.ir_version} is newer than {onnx.IR_VERSION}, the newest this "
            f"installation knows",
            where=where,
            mend="upgrade the onnx package",
        )
    known = {"": onnx.defs.onnx_opset_version(), "ai.onnx": onnx.defs.onnx_opset_version()}
    known["ai.onnx.ml"] = max(row[3] for row in onnx.helper.VERSION_TABLE)
    imports = [*proto.opset_import]
    for function in proto.functions:
        imports.extend(function.opset_import)
    for opset in imports:
        if opset.domain in known and opset.version > known[opset.domain]:
            name = opset.domain or "ai.onnx"
            raise ModelError(
                f"its opset {opset.version} of {name} is newer than {known[opset.domain]}, the "
                f"newest this installation knows",
                where=where,
                mend="upgrade the onnx package, or export with a lower opset",
            )


def check_model(proto: onnx.ModelProto, where: str) -> Findings:
    """Check names, uses and order of every graph and function.

    Raises:
        ModelError: naming the value or node at fault.
    """
    walk = _Walk(where, Findings())
    walk.graph(proto.graph, ())
    for function in proto.functions:
        walk.function(function)
    _check_calls(proto, where)
    return walk.findings


def _label(node: onnx.NodeProto) -> str:
    first = next((name for name in node.output if name), "")
    return f"{node.op_type} node {node.name or first!r}"


class _Walk:
    def __init__(self, where: str, findings: Findings) -> None:
        self.where = where
        self.findings = findings

    def fail(self, what: str) -> ModelError:
        return ModelError(what, where=self.where, mend=_EXPORT_AGAIN)

    def graph(self, graph: onnx.GraphProto, outer: Sequence[Mapping[str, int]]) -> set[str]:
        """Check one graph; return the names it captures from outside."""
        own: dict[str, int] = {}
        for info in graph.input:
            if info.name in own:
                raise self.fail(f"two graph inputs are both named {info.name!r}")
            own[info.name] = -1
        inputs = set(own)
        stored = set[str]()
        sparse = [tensor.values.name for tensor in graph.sparse_initializer]
        for name in [tensor.name for tensor in graph.initializer[:]] + sparse:
            if name in stored:
                raise self.fail(f"two initializers are both named {name!r}")
            if not name:
                raise self.fail("an initializer has no name")
            stored.add(name)
            own[name] = -1
        for tensor in graph.initializer[:]:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                self.findings.external.append(tensor)
        captured = self.nodes(graph.node, own, inputs, outer)
        for info in graph.output:
            if info.name not in own:
                self.see(info.name, "the graph output", outer)
                captured.add(info.name)
                self.findings.returned = True
        self.findings.sparse |= bool(sparse)
        return captured

    def function(self, function: onnx.FunctionProto) -> None:
        own = dict.fromkeys(function.input, -1)
        self.nodes(function.node, own, set(own), ())
        for name in function.output:
            if name not in own:
                raise self.fail(f"function {function.name!r} returns {name!r}, which nothing makes")

    def nodes(
        self,
        nodes: Sequence[onnx.NodeProto],
        own: dict[str, int],
        inputs: set[str],
        outer: Sequence[Mapping[str, int]],
    ) -> set[str]:
        # Slices: protobuf hands out a list at half the time of as many single items.
        nodes = nodes[:]
        for index, node in enumerate(nodes):
            for name in node.output[:]:
                if name in own and name:
                    first = own[name]
                    also = "an input" if name in inputs else "an initializer"
                    other = _label(nodes[first]) if first >= 0 else also
                    raise self.fail(f"{name!r} is produced twice, by {other} and by {_label(node)}")
                own[name] = index
        own.pop("", None)
        captured: set[str] = set()
        reads: list[list[str]] = []
        in_order = True
        for index, node in enumerate(nodes):
            read = [name for name in node.input[:] if name]
            for attribute in node.attribute[:]:
                self.attribute(attribute, read, (*outer, own))
            for name in read:
                place = own.get(name)
                if place is None:
                    self.see(name, _label(node), outer)
                    captured.add(name)
                elif place >= index:
                    in_order = False
            reads.append(read)
        if not in_order:
            self.findings.disordered = True
            self.check_acyclic(nodes, reads, own)
        return captured

    def attribute(
        self, attribute: onnx.AttributeProto, read: list[str], scopes: Sequence[Mapping[str, int]]
    ) -> None:
        kind = attribute.type
        if kind == onnx.AttributeProto.GRAPH:
            read.extend(self.graph(attribute.g, scopes))
        elif kind == onnx.AttributeProto.GRAPHS:
            for graph in attribute.graphs:
                read.extend(self.graph(graph, scopes))
        elif kind == onnx.AttributeProto.TENSOR:
            if attribute.t.data_location == onnx.TensorProto.EXTERNAL:
                self.findings.external.append(attribute.t)
        elif kind in (onnx.AttributeProto.SPARSE_TENSOR, onnx.AttributeProto.SPARSE_TENSORS):
            self.findings.sparse = True
        elif kind == onnx.AttributeProto.TENSORS:
            self.findings.external.extend(
                tensor
                for tensor in attribute.tensors
                if tensor.data_location == onnx.TensorProto.EXTERNAL
            )

    def see(self, name: str, reader: str, outer: Sequence[Mapping[str, int]]) -> None:
        if not any(name in scope for scope in outer):
            raise self.fail(f"{reader} reads {name!r}, which nothing produces")

    def check_acyclic(
        self, nodes: Sequence[onnx.NodeProto], reads: Sequence[list[str]], own: Mapping[str, int]
    ) -> None:
        """Kahn's algorithm; what stays behind a cycle leads back to a node on it."""
        needs = [{own[name] for name in read if own.get(name, -1) >= 0} for read in reads]
        readers: list[list[int]] = [[] for _ in nodes]
        for index, need in enumerate(needs):
            for producer in need:
                readers[producer].append(index)
        missing = [len(need) for need in needs]
        ready = [index for index, count in enumerate(missing) if count == 0]
        while ready:
            for reader in readers[ready.pop()]:
                missing[reader] -= 1
                if missing[reader] == 0:
                    ready.append(reader)
        stuck = next((index for index, count in enumerate(missing) if count), None)
        if stuck is None:
            return
        seen: set[int] = set()
        while stuck not in seen:
            seen.add(stuck)
            stuck = next(producer for producer in sorted(needs[stuck]) if missing[producer])
        raise self.fail(f"{_label(nodes[stuck])} depends on its own output: the graph has a cycle")


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for graph in nested_graphs(node):
            yield from _all_nodes(graph.node)


def _check_calls(proto: onnx.ModelProto, where: str) -> None:
    """Refuse two functions of one name, and functions that call themselves."""
    bodies: dict[tuple[str, str, str], onnx.FunctionProto] = {}
    for function in proto.functions:
        key = (function.domain, function.name, function.overload)
        if key in bodies:
            raise ModelError(
                f"two functions are both named {function.name!r} in domain {function.domain!r}",
                where=where,
                mend=_EXPORT_AGAIN,
            )
        bodies[key] = function
    calls = {
        key: {
            called
            for node in _all_nodes(function.node)
            if (called := (node.domain, node.op_type, node.overload)) in bodies
        }
        for key, function in bodies.items()
    }
    while leaves := [key for key, called in calls.items() if not called & calls.keys()]:
        for key in leaves:
            del calls[key]
    if calls:
        name = next(iter(calls))[1]
        raise ModelError(
            f"function {name!r} calls itself, directly or through others",
            where=where,
            mend=_EXPORT_AGAIN,
        )
