"""A long short-term memory cell spelled out becomes one step of LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Node
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.idioms.recurrent_gates import (
    Projections,
    StepBuilder,
    Term,
    gates_of,
    one_bias,
    read_projections,
    require_one_batch,
    require_rows,
    stacked,
)

_GATES = ("i", "o", "f", "g")
"""Input, output, forget and cell gate: the order of the operator."""


def _input_and_state(m: Match, terms: list[Term], size: int) -> tuple[Term, Term]:
    """Which projection is of the input and which of the state.

    Their sum does not tell: either is as good, if it is as wide as the state. What a cell before
    made is taken for the state, so that cells follow each other.
    """
    wide = [term for term in terms if m.shape_of(term.x)[-1] == size]
    m.require(bool(wide), "neither operand is as wide as the state")
    carried = [term for term in wide if _is_state(m, term)]
    state = (carried or wide)[0]
    return next(term for term in terms if term is not state), state


def _is_state(m: Match, term: Term) -> bool:
    squeeze = made_by(m, term.x, "Squeeze")
    return squeeze is not None and made_by(m, squeeze.inputs[0], "LSTM") is not None


def _read(m: Match) -> tuple[Projections, list[int], int, Node]:
    """The sum the gates are split from, where each gate is, and the size of the state."""
    found = gates_of(m, [m[gate] for gate in _GATES])
    m.suppose(found is not None)
    assert found is not None
    split, order = found
    total = split.inputs[0]
    assert total is not None
    sums = read_projections(m, total, 2)
    m.require(sums is not None, f"{total.name} is no sum of two projections by constant weights")
    size = m.shape("i")[-1]
    m.require(isinstance(size, int), "the size of the state varies")
    assert sums is not None
    assert isinstance(size, int)
    return sums, order, size, split


@dataclass(frozen=True)
class FuseLstmCell(Rule):
    """Raise a spelled-out long short-term memory cell to LSTM over one step.

    ``c' = Sigmoid(f) * c + Sigmoid(i) * Tanh(g)``, ``h' = Sigmoid(o) * Tanh(c')`` with ``i``,
    ``f``, ``g``, ``o`` split from ``W x + R h + b => h', c' = LSTM(x, W, R, b, h, c)``.

    Before::

        agraph (float[B,2] x, float[B,1] h, float[B,1] c) => (float[B,1] y, float[B,1] d)
        <float[2,4] wi = {0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0},
         float[4,1] wh = {1.0, 2.0, 3.0, 4.0}, float[4] b = {0.25, 0.5, 0.75, 1.0},
         int64[4] parts = {1, 1, 1, 1}> {
            gi = MatMul(x, wi)
            gh = Gemm <transB = 1>(h, wh, b)
            gates = Add(gi, gh)
            i, f, g, o = Split <axis = 1>(gates, parts)
            is = Sigmoid(i)
            fs = Sigmoid(f)
            gt = Tanh(g)
            os = Sigmoid(o)
            kept = Mul(fs, c)
            added = Mul(is, gt)
            d = Add(kept, added)
            dt = Tanh(d)
            y = Mul(os, dt)
        }

    After::

        agraph (float[B,2] x, float[B,1] h, float[B,1] c) => (float[B,1] y, float[B,1] d)
        <float[1,4,2] w = {0.5, 2.5, 2.0, 4.0, 1.0, 3.0, 1.5, 3.5},
         float[1,4,1] r = {1.0, 4.0, 2.0, 3.0},
         float[1,8] b = {0.25, 1.0, 0.5, 0.75, 0.0, 0.0, 0.0, 0.0}, int64[1] zero = {0}> {
            x1 = Unsqueeze(x, zero)
            h1 = Unsqueeze(h, zero)
            c1 = Unsqueeze(c, zero)
            all, last, cell = LSTM <hidden_size = 1>(x1, w, r, b, , h1, c1)
            y = Squeeze(last, zero)
            d = Squeeze(cell, zero)
        }

    The gates may lie in any order. FLOAT: sums in another order. Single precision only, like
    fuse-gru-cell. Catalogue row F14. Source: Hochreiter and Schmidhuber 1997; ONNX operator LSTM;
    torch.nn.LSTMCell.

    Attributes:
        in_sequences: only where cells are unrolled over the rows of a value, so that
            compose-recurrent-steps can join them; a single step of ONNX Runtime is no faster than
            the nodes it stands for, and slower with GRU.
    """

    name: ClassVar[str] = "fuse-lstm-cell"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    in_sequences: bool = False

    def before(self, op: Any, i: Any, f: Any, g: Any, o: Any, c: Any) -> Any:
        kept = op.Mul(op.Sigmoid(f, _name="forget"), c, _name="kept")
        added = op.Mul(op.Sigmoid(i, _name="input"), op.Tanh(g, _name="new"), _name="added")
        cell = op.Add(kept, added)
        return op.Mul(op.Sigmoid(o, _name="output"), op.Tanh(cell, _name="shown")), cell

    def when(self, m: Match) -> None:
        m.suppose(made_by(m, m["i"], "Split") is not None and m.opset >= 7)

    def after(self, op: Any, m: Match) -> Any:
        sums, order, size, split = _read(m)
        x, state = _input_and_state(m, sums.terms, size)
        require_rows(m, x.x, None)
        require_rows(m, state.x, size)
        require_rows(m, m["c"], size)
        require_one_batch(m, (x.x, state.x, m["c"]))
        step = StepBuilder.after(op, m, state.x, "LSTM")
        if self.in_sequences:
            step.require_sequence(x, state)
        bias = None
        if sums.biases:
            rows = [one_bias(part, 4 * size) for part in (sums.biases[:1], sums.biases[1:])]
            m.require(all(row is not None for row in rows), "a bias differs between rows")
            parts = [stacked(row, order) for row in rows if row is not None]
            bias = step.held(3, np.concatenate(parts), "lstm_bias")
        weights = [
            step.held(index, stacked(term.array, order), term.weight.name)
            for index, term in ((1, x), (2, state))
        ]
        for node in (*sums.nodes, split):
            m.include(node)
        first = [step.moved("Unsqueeze", value) for value in (x.x, state.x, m["c"])]
        _, last, cell = op.LSTM(
            first[0], *weights, bias, None, *first[1:], hidden_size=size, _outputs=3
        )
        return tuple(step.moved("Squeeze", value) for value in (last, cell))
