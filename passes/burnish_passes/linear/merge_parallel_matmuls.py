"""Products of one matrix with several constants become one product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model, Node, Scope, Value, attribute, constant
from burnish.match import refers_to_parameter
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.linear.parallel_products import Branch, Joined, is_read_once, only_reader

_PRODUCTS = (("", "Gemm"), ("", "MatMul"))


@dataclass(frozen=True)
class MergeParallelMatmuls(Pass):
    """Merge products that read one input, with constants side by side.

    ``x W1 + b1, x W2 + b2 => Split(x [W1 | W2] + [b1 | b2])``: the queries, keys and values of
    attention, the gate and the rest of a gated unit.

    Before::

        agraph (float[N,3,2] x) => (float[N,3,2] p, float[N,3,1] q)
            <float[2,2] v = {1.0, 2.0, 3.0, 4.0}, float[2,1] w = {5.0, 6.0},
             float[2] b = {7.0, 8.0}, float[1] c = {9.0}> {
            s = MatMul(x, v)
            p = Add(s, b)
            t = MatMul(x, w)
            q = Add(c, t)
        }

    After::

        agraph (float[N,3,2] x) => (float[N,3,2] p, float[N,3,1] q)
            <float[2,2] v = {1.0, 2.0, 3.0, 4.0}, float[2,1] w = {5.0, 6.0},
             float[2] b = {7.0, 8.0}, float[1] c = {9.0},
             float[2,3] all = {1.0, 2.0, 5.0, 3.0, 4.0, 6.0},
             float[3] bias = {7.0, 8.0, 9.0}, int64[2] sizes = {2, 1}> {
            s = MatMul(x, all)
            t = Add(s, bias)
            p, q = Split <axis = 2> (t, sizes)
        }

    FLOAT: a runtime may form the sums of a wider product in another order. It needs fewer nodes
    afterwards, unless ``even`` asks for as many too; a weight that something else reads would be
    there twice and stays, and so does one that is dequantized. A branch without bias gets -0.0,
    which changes nothing. Catalogue row A17. Source: a product of matrices acts on each column
    alone.

    Attributes:
        even: also merge where the number of nodes stays the same: two products without bias.
    """

    name: ClassVar[str] = "merge-parallel-matmuls"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    even: bool = False

    def run(self, model: Model, ctx: Context) -> None:
        """Merge among the products of one value in one graph."""
        readers: dict[tuple[object, ...], list[tuple[Node, Scope]]] = {}
        for node, scope in ctx.nodes(model, _PRODUCTS):
            if len(node.inputs) > 1 and constant(node.inputs[1]) is not None:
                key = (node.op_type, id(scope.graph), id(node.inputs[0]))
                readers.setdefault(key, []).append((node, scope))
        for group in readers.values():
            if len(group) > 1:
                scope = group[0][1]
                self._merge([node for node, _ in group], scope, ctx)

    def _merge(self, nodes: Sequence[Node], scope: Scope, ctx: Context) -> None:
        for branches in _alike(nodes, scope, ctx):
            if len(branches) < 2:
                continue
            before = sum(len(branch.nodes) for branch in branches)
            gemm = branches[0].nodes[0].op_type == "Gemm"
            biased = any(branch.bias is not None for branch in branches) and not gemm
            after = 3 if biased else 2
            first = branches[0].nodes[0]
            if after > before or (after == before and not self.even):
                why = f"{before} nodes would become {after}"
                ctx.declined(self.name, first, why)
            elif ctx.applies(self.name, first, f"{len(branches)} products become one"):
                _join(Joined(branches, scope, ctx))


def _alike(nodes: Sequence[Node], scope: Scope, ctx: Context) -> Iterator[list[Branch]]:
    """Products of one value that can be merged with each other."""
    groups: dict[tuple[object, ...], list[Branch]] = {}
    for node in nodes:
        found = _branch(node, scope, ctx)
        if isinstance(found, Branch):
            held = constant(found.weight)
            assert held is not None
            settings = [attribute(node, name, 0) for name in ("transA", "transB")]
            settings += [attribute(node, name, 1.0) for name in ("alpha", "beta")]
            rows = held.shape[1 if settings[1] else 0]
            groups.setdefault((held.dtype, rows, *settings), []).append(found)
        elif found:
            ctx.declined(MergeParallelMatmuls.name, node, found)
    yield from groups.values()


def _branch(node: Node, scope: Scope, ctx: Context) -> Branch | str | None:
    """The branch that starts with ``node``, or why it cannot be merged."""
    weight = node.inputs[1]
    held = constant(weight)
    assert weight is not None
    assert held is not None
    shape = [int(size) for size in held.shape.numpy()]
    if len(shape) != 2 or refers_to_parameter(node) is not None:
        return None
    if not is_read_once(weight):
        return f"{weight.name} has other readers, and would be there twice"
    if ctx.shapes.shape(node.outputs[0]) is None and scope.opsets.get("", 0) < 13:
        return f"the rank of {node.outputs[0].name} is not known"
    if node.op_type == "Gemm":
        size = shape[0 if attribute(node, "transB", 0) else 1]
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        if bias is not None and not _is_row(bias, size, held.dtype):
            return "the addend of the Gemm is not one constant row"
        return Branch((node,), weight, size, bias) if scope.opsets.get("", 0) >= 7 else None
    return _with_bias(node, weight, shape[1], scope, ctx)


def _with_bias(node: Node, weight: Value, size: int, scope: Scope, ctx: Context) -> Branch:
    """The MatMul with the Add of a constant row after it, if there is one."""
    product = node.outputs[0]
    add = only_reader(product, scope.graph)
    alone = Branch((node,), weight, size, None)
    if add is None or (add.domain, add.op_type) != ("", "Add") or scope.opsets.get("", 0) < 7:
        return alone
    bias = next((value for value in add.inputs if value is not product), None)
    shape, held = ctx.shapes.shape(product), constant(weight)
    rank = 1 if shape is None else len(shape)
    if bias is None or held is None or not _is_row(bias, size, held.dtype, rank):
        return alone
    return Branch((node, add), weight, size, bias)


def _is_row(value: Value, size: int, dtype: object, rank: int = 2) -> bool:
    """Whether ``value`` is a constant that adds the same to every row of ``size`` columns.

    It has at most ``rank`` axes, so that it does not add any to the product.
    """
    held = constant(value)
    if held is None or held.dtype != dtype or len(held.shape) > rank:
        return False
    shape = [int(dim) for dim in held.shape.numpy()]
    return all(dim == 1 for dim in shape[:-1]) and (not shape or shape[-1] in (1, size))


def _join(joined: Joined) -> None:
    product = joined.branches[0].nodes[0]
    x, shape = product.inputs[0], joined.ctx.shapes.shape(product.outputs[0])
    kept = list(product.attributes.values())
    weight = joined.weight(0 if attribute(product, "transB", 0) else 1)
    bias = joined.bias()
    if product.op_type == "Gemm":
        made = [joined.node("Gemm", [x, weight] if bias is None else [x, weight, bias], kept)]
    else:
        made = [joined.node("MatMul", [x, weight], kept)]
        if bias is not None:
            made.append(joined.node("Add", [made[0].outputs[0], bias], []))
    joined.replace(made, -1 if shape is None else len(shape) - 1)
