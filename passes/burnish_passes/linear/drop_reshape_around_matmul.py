"""MatMul takes its rows in any number of axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Value, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.symbolic import known_equal


def _require_rows_apart(m: Match) -> None:
    """Decline unless only the rows are joined before the product, and parted alike after it.

    Then row ``i`` of the matrix is row ``i`` of ``x``, counted through its leading axes.
    """
    given, whole = m.shape("x"), m.shape_of(m.root.outputs[0])
    m.suppose(len(given) > 2 and len(given) == len(whole))
    rows = m.shape_of(m.node("rows").outputs[0], "the matrix")
    right = m.shape("b")
    m.suppose(len(rows) == 2 and len(right) == 2)
    m.require(known_equal(rows[1], given[-1]), "the rows before the product are cut or joined")
    same = all(map(known_equal, given[:-1], whole[:-1]))
    m.require(same, "the rows after the product may lie along other axes")


def _inner(op: Any, x: Any) -> Any:
    """The Reshape (or Flatten) to a matrix, which others may read too."""
    return op.either("Reshape", "Flatten")(x, ..., _name="rows", _shared=True)


class AroundMatMul(Rule):
    """``Reshape(MatMul(Reshape(x), B))``."""

    def before(self, op: Any, x: Any, b: Any) -> Any:
        return op.Reshape(op.MatMul(_inner(op, x), b), ..., _name="apart")

    def after(self, op: Any, m: Match) -> Any:
        _require_rows_apart(m)
        return op.MatMul(m["x"], m["b"])


class AroundMatMulAdd(Rule):
    """``Reshape(MatMul(Reshape(x), B) + c)``."""

    def before(self, op: Any, x: Any, b: Any, c: Any) -> Any:
        product = op.MatMul(_inner(op, x), b)
        return op.Reshape(op.Add(product, c), ..., _name="apart")

    def after(self, op: Any, m: Match) -> Any:
        _require_rows_apart(m)
        _require_one_row(m)
        return op.Add(op.MatMul(m["x"], m["b"]), m["c"])


class AroundGemm(Rule):
    """``Reshape(Gemm(Reshape(x), B, c))``."""

    def before(self, op: Any, x: Any, b: Any, c: Any) -> Any:
        product = op.Gemm(_inner(op, x), b, c.optional)
        return op.Reshape(product, ..., _name="apart")

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(m.attr("Gemm", "transA", 0) == 0)
        right = self.right(op, m)
        # Columns of a turned B are its rows, which the result tells as well.
        _require_rows_apart(m)
        m.require(m.attr("Gemm", "alpha", 1.0) == 1, "alpha of the Gemm is not 1")
        product = op.MatMul(m["x"], right)
        if m.get("c") is None:
            return product
        m.require(m.attr("Gemm", "beta", 1.0) == 1, "beta of the Gemm is not 1")
        _require_one_row(m)
        return op.Add(product, m["c"])

    def right(self, op: Any, m: Match) -> Value:
        """B as MatMul reads it."""
        b = m["b"]
        if attribute(m.node("Gemm"), "transB", 0) == 0:
            return b
        held = constant_array(b)
        if held is None:
            m.decline("the Gemm transposes a matrix that is computed")
        alone = len(b.uses()) == 1 and not b.is_graph_output()
        m.require(alone, f"{b.name} has other readers, and would be there twice")
        made: Value = op.constant(held.T, hint=b.name, dtype=m.dtype("b"))
        return made


def _require_one_row(m: Match) -> None:
    m.require(m.opset >= 7, "Add and Gemm before opset 7 broadcast in another way")
    addend = m.shape("c")
    m.require(all(size == 1 for size in addend[:-1]), "the addend differs between rows")
    m.require(len(addend) <= len(m.shape("x")), "the addend has more axes than the result")


@dataclass(frozen=True)
class DropReshapeAroundMatmul(RuleSet):
    """Multiply by a matrix without first making a matrix of the other operand.

    ``Reshape(MatMul(Reshape(x, [-1, K]), B), [.., N]) => MatMul(x, B)`` and
    ``Reshape(Gemm(Reshape(x, [-1, K]), B, c), [.., N]) => MatMul(x, B) + c``, when the leading
    axes of the result are those of ``x``.

    Before::

        agraph (float[N,S,3] x, float[3,4] b, float[4] c) => (float[N,S,4] y, float[N,S,4] z) {
            matrix = Constant <value = int64[2] {-1, 3}> ()
            apart = Constant <value = int64[3] {0, 0, 4}> ()
            shape = Shape <end = 2> (x)
            four = Constant <value = int64[1] {4}> ()
            whole = Concat <axis = 0> (shape, four)
            t = Reshape(x, matrix)
            u = MatMul(t, b)
            y = Reshape(u, whole)
            v = Gemm(t, b, c)
            z = Reshape(v, whole)
        }

    After::

        agraph (float[N,S,3] x, float[3,4] b, float[4] c) => (float[N,S,4] y, float[N,S,4] z) {
            y = MatMul(x, b)
            u = MatMul(x, b)
            z = Add(u, c)
        }

    FLOAT: a runtime may start the sums of Gemm from c. A constant B that Gemm transposes is
    transposed once, if nobody else reads it. Catalogue row A14, its inverse: the other direction
    costs nodes, and ONNX Runtime takes it by itself. Source: ONNX operator specification of MatMul.
    """

    name: ClassVar[str] = "drop-reshape-around-matmul"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (AroundMatMul, AroundMatMulAdd, AroundGemm)
