"""Convolutions of one input become one convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model, Node, Scope, attribute, constant
from burnish.match import refers_to_parameter
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.linear.parallel_products import Branch, Joined, is_read_once, only_reader
from burnish_passes.paddings import auto_pad_of

_ACTIVATIONS = frozenset(
    {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Relu", "Selu"}
    | {"Sigmoid", "Softplus", "Swish", "Tanh"}
)


@dataclass(frozen=True)
class MergeParallelConvs(Pass):
    """Merge Convs that read one input with windows of one kind.

    ``f(Conv(x, W1, b1)), f(Conv(x, W2, b2)) => Split(f(Conv(x, [W1; W2], [b1; b2])))``, with the
    same activation ``f`` after each of them, or none.

    Before::

        agraph (float[N,1,4,4] x) => (float[N,1,4,4] p, float[N,2,4,4] q)
            <float[1,1,1,1] v = {1.0}, float[2,1,1,1] w = {2.0, 3.0}, float[1] b = {4.0}> {
            s = Conv(x, v, b)
            p = Relu(s)
            t = Conv <kernel_shape = [1, 1]> (x, w)
            q = Relu(t)
        }

    After::

        agraph (float[N,1,4,4] x) => (float[N,1,4,4] p, float[N,2,4,4] q)
            <float[1,1,1,1] v = {1.0}, float[2,1,1,1] w = {2.0, 3.0}, float[1] b = {4.0},
             float[3,1,1,1] all = {1.0, 2.0, 3.0},
             float[3] bias = {4.0, -0.0, -0.0}, int64[2] sizes = {1, 2}> {
            s = Conv(x, all, bias)
            t = Relu(s)
            p, q = Split <axis = 1> (t, sizes)
        }

    FLOAT: a runtime may compute a wider convolution in another way. Kernel, strides, pads and
    dilations must be the same, there are no groups, and fewer nodes must come out. Catalogue row
    A18. Source: a convolution computes each output channel alone.
    """

    name: ClassVar[str] = "merge-parallel-convs"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Merge among the convolutions of one value in one graph."""
        readers: dict[tuple[int, int], list[tuple[Node, Scope]]] = {}
        for node, scope in ctx.nodes(model, [("", "Conv")]):
            key = (id(scope.graph), id(node.inputs[0]))
            readers.setdefault(key, []).append((node, scope))
        for group in readers.values():
            if len(group) > 1:
                self._merge([node for node, _ in group], group[0][1], ctx)

    def _merge(self, nodes: Sequence[Node], scope: Scope, ctx: Context) -> None:
        groups: dict[tuple[object, ...], list[Branch]] = {}
        for node in nodes:
            key = _kind(node)
            if key is None:
                continue
            found = _branch(node)
            if isinstance(found, Branch):
                groups.setdefault(key, []).append(found)
            else:
                ctx.declined(self.name, node, found)
        for branches in groups.values():
            if len(branches) > 1:
                self._merge_alike(_with_activations(branches, scope), scope, ctx)

    def _merge_alike(self, branches: Sequence[Branch], scope: Scope, ctx: Context) -> None:
        first = branches[0].nodes[0]
        before, after = len(branches) * len(branches[0].nodes), len(branches[0].nodes) + 1
        if after >= before:
            ctx.declined(self.name, first, f"{before} nodes would become {after}")
        elif ctx.applies(self.name, first, f"{len(branches)} convolutions become one"):
            _join(Joined(branches, scope, ctx))


def _kind(node: Node) -> tuple[object, ...] | None:
    """What Convs must have in common to be one; None for one that cannot be merged."""
    held = constant(node.inputs[1])
    if held is None or attribute(node, "group", 1) != 1 or refers_to_parameter(node) is not None:
        return None
    shape = tuple(int(size) for size in held.shape.numpy())
    space = len(shape) - 2
    return (
        held.dtype,
        shape[1:],
        auto_pad_of(node),
        attribute(node, "strides", (1,) * space),
        attribute(node, "dilations", (1,) * space),
        attribute(node, "pads", (0,) * (2 * space)),
    )


def _branch(node: Node) -> Branch | str:
    """The branch that is ``node`` alone, or why it cannot be merged."""
    weight, bias = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
    held = constant(weight)
    assert weight is not None
    assert held is not None
    if not is_read_once(weight):
        return f"{weight.name} has other readers, and would be there twice"
    if bias is not None and constant(bias) is None:
        return f"{bias.name} is not a constant"
    return Branch((node,), weight, int(held.shape.numpy()[0]), bias)


def _with_activations(branches: Sequence[Branch], scope: Scope) -> Sequence[Branch]:
    """The branches with the activation behind them, if it is the same for all."""
    followers = [only_reader(branch.result, scope.graph) for branch in branches]
    found = [node for node in followers if node is not None]
    if len(found) < len(branches) or len({_activation(node) for node in found}) > 1:
        return branches
    if _activation(found[0]) is None:
        return branches
    return [
        Branch((*branch.nodes, node), branch.weight, branch.size, branch.bias)
        for branch, node in zip(branches, found, strict=True)
    ]


def _activation(node: Node) -> tuple[object, ...] | None:
    """What two activations have in common that compute the same; None for other operators."""
    if node.domain != "" or node.op_type not in _ACTIVATIONS:
        return None
    # Bounds that a node computes may come later than the first of the convolutions.
    given = [value for value in node.inputs[1:] if value is not None]
    if any(value.producer() is not None or constant(value) is None for value in given):
        return None
    if refers_to_parameter(node) is not None:
        return None
    settings = sorted((name, repr(attr.value)) for name, attr in node.attributes.items())
    return (node.op_type, tuple(settings), tuple(map(id, node.inputs[1:])))


def _join(joined: Joined) -> None:
    conv, *more = joined.branches[0].nodes
    weight, bias = joined.weight(0), joined.bias()
    inputs = [conv.inputs[0], weight] if bias is None else [conv.inputs[0], weight, bias]
    made = [joined.node("Conv", inputs, list(conv.attributes.values()))]
    for node in more:
        operands = [made[-1].outputs[0], *node.inputs[1:]]
        made.append(joined.node(node.op_type, operands, list(node.attributes.values())))
    joined.replace(made, 1)
