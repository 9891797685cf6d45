"""Which function of one model is which of the other: by body, then by name, then by place."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping

from burnish.ir import Function, Graph, Model, nested_graphs
from burnish.modeldiff.defaults import plain
from burnish.modeldiff.findings import Fact
from burnish.modeldiff.fingerprint import fingerprint, graph_hash
from burnish.modeldiff.setting import FunctionKey, Setting

__all__ = ["FunctionTable", "function_name"]


def function_name(key: FunctionKey) -> str:
    """A function as people write it."""
    return ".".join(part for part in key if part)


class FunctionTable:
    """The functions of two models.

    Attributes:
        old: the old model.
        new: the new one.
        pairs: by function of the old model, its counterpart.
        settings: of the main graphs of the two.
    """

    def __init__(self, old: Model, new: Model) -> None:
        self.old = old
        self.new = new
        self._bodies = _Bodies(old), _Bodies(new)
        self.pairs = _pair(old, new, self._bodies)
        groups = {key: f"call {function_name(key)}" for key in self.pairs}
        others = {other: groups[key] for key, other in self.pairs.items()}
        self.settings = (
            Setting(old.opset_imports, old.functions, groups, self._bodies[0]),
            Setting(new.opset_imports, new.functions, others, self._bodies[1]),
        )

    def differing(self) -> Iterator[tuple[FunctionKey, FunctionKey]]:
        """Pairs that do not have one body."""
        for key, other in self.pairs.items():
            if self._bodies[0](key) != self._bodies[1](other):
                yield key, other

    def facts(self) -> Iterator[Fact]:
        """Functions that came or went, and what differs in those that stayed beside the nodes."""
        back = set(self.pairs.values())
        for key, function in self.old.functions.items():
            other = self.pairs.get(key)
            line = _line(key, function, self.old.functions)
            if other is None:
                yield Fact.of("functions", line, None)
                continue
            after = _line(key, self.new.functions[other], self.new.functions)
            if line != after:
                yield Fact.of("functions", line, after)
        for key, function in self.new.functions.items():
            if key not in back:
                yield Fact.of("functions", None, _line(key, function, self.new.functions))

    def notes(self) -> list[str]:
        """How many functions have another name."""
        count = sum(key != other for key, other in self.pairs.items())
        return [f"functions under other names: {count}"] if count else []


def _line(key: FunctionKey, function: Function, functions: Mapping[FunctionKey, Function]) -> str:
    """How a function is called and in which opsets it is written."""
    parameters = [f"{len(function.graph.inputs)} inputs"]
    for name, attr in sorted(function.attributes.items()):
        parameters.append(name if attr.value is None else f"{name}={plain(attr)}")
    opsets = sorted(_used_opsets(function, functions).items())
    written = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in opsets)
    results = len(function.graph.outputs)
    return (
        f"function {function_name(key)}({', '.join(parameters)}) with {results} outputs"
        f" in opset {written}"
    )


class _Bodies:
    """What identifies the bodies of the functions of one model, computed when asked for."""

    def __init__(self, model: Model) -> None:
        self._functions = model.functions
        self._known: dict[FunctionKey, str] = {}

    def __call__(self, key: FunctionKey) -> str:
        """What identifies the function ``key``: its body, parameters and opsets, no name."""
        found = self._known.get(key)
        if found is None:
            # Stands for itself meanwhile, so that functions that call each other come to an end.
            self._known[key] = "itself"
            function = self._functions[key]
            setting = Setting(function.opset_imports, self._functions, None, self)
            used = sorted(_used_opsets(function, self._functions).items())
            attributes = sorted(
                (name, str(plain(attr))) for name, attr in function.attributes.items()
            )
            found = fingerprint(graph_hash(function.graph, setting, {}, {}), attributes, used)
            self._known[key] = found
        return found


def _used_opsets(
    function: Function, functions: Mapping[FunctionKey, Function]
) -> dict[str, int | None]:
    """The opsets that the nodes of a function body are written in; names of functions are none."""
    found: dict[str, int | None] = {}

    def walk(graph: Graph) -> None:
        for node in graph:
            if node.op_identifier() not in functions:
                found[node.domain] = function.opset_imports.get(node.domain)
            for inner in nested_graphs(node):
                walk(inner)

    walk(function.graph)
    return found


def _pair(
    old: Model, new: Model, bodies: tuple[_Bodies, _Bodies]
) -> dict[FunctionKey, FunctionKey]:
    """By function of the old model, its counterpart."""
    keys: tuple[Callable[[int, FunctionKey], Hashable], ...] = (
        lambda side, key: (key, bodies[side](key)),
        lambda side, key: bodies[side](key),
        lambda side, key: key,
        lambda side, key: (key[1], _signature((old, new)[side].functions[key])),
        lambda side, key: _signature((old, new)[side].functions[key]),
        lambda side, key: _signature((old, new)[side].functions[key])[:-1],
    )
    pairs: dict[FunctionKey, FunctionKey] = {}
    taken: set[FunctionKey] = set()
    for rank in keys:
        waiting: dict[Hashable, deque[FunctionKey]] = defaultdict(deque)
        for key in new.functions:
            if key not in taken:
                waiting[rank(1, key)].append(key)
        for key in old.functions:
            queue = waiting.get(rank(0, key))
            if key not in pairs and queue:
                pairs[key] = queue.popleft()
                taken.add(pairs[key])
    return pairs


def _signature(function: Function) -> tuple[object, ...]:
    graph = function.graph
    operators = sorted({node.op_type for node in graph})
    return len(graph.inputs), len(graph.outputs), tuple(function.attributes), tuple(operators)
