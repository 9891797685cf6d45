"""A gated recurrent unit spelled out becomes one step of GRU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.idioms.recurrent_gates import (
    Projections,
    StepBuilder,
    gates_of,
    one_bias,
    read_projections,
    require_one_batch,
    require_rows,
    stacked,
)

_GATES = ("z", "r", "n")
"""Update, reset and new gate: the order of the operator."""


def _sides(m: Match) -> tuple[Projections, Projections, list[int], int]:
    """The projections of the input and of the state, where each gate is, and the state's size."""
    of_input = gates_of(m, [_of(m, gate, m["i_n"]) for gate in _GATES])
    of_state = gates_of(m, [_of(m, gate, m["h_n"]) for gate in _GATES])
    m.suppose(of_input is not None and of_state is not None)
    assert of_input is not None
    assert of_state is not None
    (input_split, order), (state_split, other) = of_input, of_state
    m.require(order == other, "input and state have their gates in different places")
    sides = []
    for split in (input_split, state_split):
        side = read_projections(m, split.inputs[0], 1) if split.inputs[0] is not None else None
        m.require(side is not None, f"{split.inputs[0]} is no projection by constant weights")
        assert side is not None
        side.nodes.append(split)
        sides.append(side)
    size = m.shape("h_n")[-1]
    m.require(isinstance(size, int), "the size of the state varies")
    assert isinstance(size, int)
    return sides[0], sides[1], order, size


def _of(m: Match, gate: str, new: Any) -> Any:
    """The part for ``gate`` that comes from the Split that makes ``new``."""
    split = made_by(m, new, "Split")
    m.suppose(split is not None)
    assert split is not None
    for name in (f"i_{gate}", f"h_{gate}"):
        if m[name].producer() is split:
            return m[name]
    m.suppose(False)
    raise AssertionError


@dataclass(frozen=True)
class FuseGruCell(Rule):
    """Raise a spelled-out gated recurrent unit to GRU over one step.

    ``n + z * (h - n)`` with ``z = Sigmoid(Wz x + Rz h)``, ``r = Sigmoid(Wr x + Rr h)`` and
    ``n = Tanh(Wn x + r * (Rn h)) => GRU(x, W, R, h)``, where a Split parts the three gates.

    Before::

        agraph (float[B,2] x, float[B,1] h) => (float[B,1] y)
        <float[2,3] wi = {0.5, 1.0, 1.5, 2.0, 2.5, 3.0}, float[3,1] wh = {1.0, 2.0, 3.0},
         float[3] bh = {0.25, 0.5, 0.75}, int64[3] parts = {1, 1, 1}> {
            gi = MatMul(x, wi)
            gh = Gemm <transB = 1>(h, wh, bh)
            ir, iz, in = Split <axis = 1>(gi, parts)
            hr, hz, hn = Split <axis = 1>(gh, parts)
            rs = Add(ir, hr)
            r = Sigmoid(rs)
            zs = Add(iz, hz)
            z = Sigmoid(zs)
            rn = Mul(hn, r)
            ns = Add(in, rn)
            n = Tanh(ns)
            d = Sub(h, n)
            zd = Mul(d, z)
            y = Add(zd, n)
        }

    After::

        agraph (float[B,2] x, float[B,1] h) => (float[B,1] y)
        <float[1,3,2] w = {1.0, 2.5, 0.5, 2.0, 1.5, 3.0}, float[1,3,1] r = {2.0, 1.0, 3.0},
         float[1,6] b = {0.0, 0.0, 0.0, 0.5, 0.25, 0.75}, int64[1] zero = {0}> {
            x1 = Unsqueeze(x, zero)
            h1 = Unsqueeze(h, zero)
            all, last = GRU <hidden_size = 1, linear_before_reset = 1>(x1, w, r, b, , h1)
            y = Squeeze(last, zero)
        }

    The gates may lie in any order. FLOAT: sums in another order, and ``(1 - z) n + z h`` for
    ``n + z (h - n)``. Single precision only: kernels take no other. Catalogue row F14.
    Source: Cho et al., arXiv 1406.1078; ONNX operator GRU; torch.nn.GRUCell.

    Attributes:
        in_sequences: only where cells are unrolled over the rows of a value, so that
            compose-recurrent-steps can join them; a single step of ONNX Runtime is no faster than
            the nodes it stands for, and slower with GRU.
    """

    name: ClassVar[str] = "fuse-gru-cell"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    in_sequences: bool = False

    def before(
        self, op: Any, h: Any, i_r: Any, h_r: Any, i_z: Any, h_z: Any, i_n: Any, h_n: Any
    ) -> Any:
        reset = op.Sigmoid(op.Add(i_r, h_r), _name="reset")
        update = op.Sigmoid(op.Add(i_z, h_z), _name="update")
        new = op.Tanh(op.Add(i_n, op.Mul(h_n, reset)))
        return op.Add(op.Mul(op.Sub(h, new), update), new)

    def when(self, m: Match) -> None:
        m.suppose(made_by(m, m["i_n"], "Split") is not None and m.opset >= 7)
        m.suppose(made_by(m, m["h_n"], "Split") is not None)

    def after(self, op: Any, m: Match) -> Any:
        of_input, of_state, order, size = _sides(m)
        x, state = of_input.terms[0], of_state.terms[0]
        m.suppose(state.x is m["h"])
        require_rows(m, x.x, None)
        require_rows(m, state.x, size)
        require_one_batch(m, (x.x, state.x))
        biases = [one_bias(side.biases, 3 * size) for side in (of_input, of_state)]
        m.require(all(bias is not None for bias in biases), "a bias differs between rows")
        step = StepBuilder.after(op, m, state.x, "GRU")
        if self.in_sequences:
            step.require_sequence(x, state)
        weights = [
            step.held(index, stacked(term.array, order), term.weight.name)
            for index, term in ((1, x), (2, state))
        ]
        bias = None
        if of_input.biases or of_state.biases:
            rows = [stacked(row, order) for row in biases if row is not None]
            bias = step.held(3, np.concatenate(rows), "gru_bias")
        for node in (*of_input.nodes, *of_state.nodes):
            m.include(node)
        _, last = op.GRU(
            step.moved("Unsqueeze", x.x),
            *weights,
            bias,
            None,
            step.moved("Unsqueeze", state.x),
            hidden_size=size,
            linear_before_reset=1,
            _outputs=2,
        )
        return step.moved("Squeeze", last)
