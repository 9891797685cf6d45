"""Control flow: If, Loop and Scan, and what their bodies capture."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "if_constant",
        "An If with a constant condition becomes the branch it takes.",
        """(float[4] x) => (float[4] y) <bool always = {1}> {
            r = If (always) <
                then_branch = yes () => (float[4] p) { p = Relu (x) },
                else_branch = no () => (float[4] q) { q = Neg (x) }>
            y = Exp (r)
        }""",
        rows=("D12",),
    ),
    ZooModel(
        "if_constant_clash",
        "The branch taken uses a name that the graph around it uses later for something else.",
        """(float[4] x) => (float[4] y) <bool never = {0}> {
            r = If (never) <
                then_branch = yes () => (float[4] p) { p = Relu (x) },
                else_branch = no () => (float[4] q) <float[4] k = {1, 2, 3, 4}> {
                    t = Mul (x, k)
                    q = Add (t, shared)
                }>
            t = Neg (r)
            k = Abs (x)
            y = Add (t, k)
        }""",
        rows=("D12",),
        initializers={"shared": weights(4)},
        trap="Inlining the branch with its names: t and k would be defined twice.",
    ),
    ZooModel(
        "if_constant_output",
        "The If to be inlined produces a graph output, and its branch yields a captured value.",
        """(float[4] x) => (float[4] y, float[4] z) <bool always = {1}> {
            z = Relu (x)
            y = If (always) <
                then_branch = yes () => (float[4] p) { p = Identity (z) },
                else_branch = no () => (float[4] q) { q = Neg (x) }>
        }""",
        rows=("D12",),
        trap="Replacing y by z: both names are outputs.",
    ),
    ZooModel(
        "if_runtime",
        "A condition known at run time; both branches hold something to simplify.",
        """(bool c, float[2, 3] x) => (float[2, 3] y) {
            y = If (c) <
                then_branch = yes () => (float[2, 3] p) {
                    a = Transpose (x)
                    b = Transpose (a)
                    p = Relu (b)
                },
                else_branch = no () => (float[2, 3] q)
                <float[3] k = {1, 2, 3}, float[3] l = {4, 5, 6}> {
                    kl = Add (k, l)
                    q = Mul (x, kl)
                }>
        }""",
        rows=("D14", "C1", "D1"),
        keeps=("If",),
        feeds={"c": np.array(False)},
    ),
    ZooModel(
        "if_captures_inner",
        "The value between two Transposes is captured by a branch.",
        """(bool c, float[2, 3] x) => (float[2, 3] y, float[3, 2] z) {
            t = Transpose (x)
            y = Transpose (t)
            z = If (c) <
                then_branch = yes () => (float[3, 2] p) { p = Relu (t) },
                else_branch = no () => (float[3, 2] q) { q = Neg (t) }>
        }""",
        trap="Removing both Transposes: a subgraph reads the inner value, no node of this graph.",
        keeps=("If", "Relu", "Neg"),
        feeds={"c": np.array(True)},
    ),
    ZooModel(
        "if_captures_initializer",
        "An initializer is read only inside a branch.",
        """(bool c, float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> {
            y = If (c) <
                then_branch = yes () => (float[4] p) { p = Add (x, w) },
                else_branch = no () => (float[4] q) { q = Neg (x) }>
        }""",
        trap="Removing w as unused: the branch captures it.",
        keeps=("If", "Add"),
        feeds={"c": np.array(True)},
    ),
    ZooModel(
        "if_shadows_nothing",
        "Both branches use the same inner names for different values.",
        """(bool c, float[4] x) => (float[4] y) {
            y = If (c) <
                then_branch = yes () => (float[4] p) { a = Exp (x) p = Neg (a) },
                else_branch = no () => (float[4] p) { a = Abs (x) p = Neg (a) }>
        }""",
        trap="Merging Neg(a) of the two branches: a is a different value in each.",
        keeps=("If", "Exp", "Abs", "Neg"),
        feeds={"c": np.array(False)},
    ),
    ZooModel(
        "loop_captures",
        "A Loop adds a captured weight and a captured result in every round.",
        """(float[4] x) => (float[4] y, float[R, 4] all) <int64 rounds = {3}, bool go = {1}> {
            n = Neg (x)
            y, all = Loop (rounds, go, x) <
                body = step (int64 i, bool more, float[4] state)
                    => (bool next, float[4] after, float[4] row) {
                    next = Identity (more)
                    moved = Add (state, n)
                    after = Mul (moved, w)
                    row = Identity (after)
                }>
        }""",
        rows=("D14", "D10"),
        initializers={"w": weights(4)},
        dims={"R": 3},
        keeps=("Add", "Mul"),
    ),
    ZooModel(
        "loop_carried_constant",
        "The initial state of a Loop is constant; the state is not.",
        """(float[4] x) => (float[4] y) <int64 rounds = {3}, bool go = {1}, float[4] zero = {0, 0, 0, 0}> {
            y = Loop (rounds, go, zero) <
                body = step (int64 i, bool more, float[4] state) => (bool next, float[4] after) {
                    next = Identity (more)
                    after = Add (state, x)
                }>
        }""",
        trap="Treating the state as zero inside the body because it starts as zero: x + 0.",
        keeps=("Add",),
    ),
    ZooModel(
        "scan_cumulative",
        "A Scan over rows that carries a sum and captures a scale.",
        """(float[3, 2] x) => (float[2] total, float[3, 2] sums) <float[2] scale = {2, 3}, float[2] zero = {0, 0}> {
            total, sums = Scan (zero, x) <num_scan_inputs = 1,
                body = step (float[2] sum, float[2] row) => (float[2] next, float[2] out) {
                    scaled = Mul (row, scale)
                    next = Add (sum, scaled)
                    out = Identity (next)
                }>
        }""",
        rows=("D14",),
        keeps=("Mul", "Add"),
    ),
    ZooModel(
        "nested_capture",
        "An If inside a Loop body captures a value of the main graph, two levels up.",
        """(float[4] x) => (float[4] y) <int64 rounds = {99}, bool go = {1}, int64 one = {1}> {
            r = Relu (x)
            y = Loop (rounds, go, x) <
                body = step (int64 i, bool more, float[4] state) => (bool next, float[4] after) {
                    next = Identity (more)
                    late = Equal (i, one)
                    after = If (late) <
                        then_branch = yes () => (float[4] p) { p = Add (state, r) },
                        else_branch = no () => (float[4] q) { q = Neg (state) }>
                }>
        }""",
        rows=("D10",),
        trap="Removing Relu as dead: only a subgraph of a subgraph reads it.",
        keeps=("Relu", "Add"),
    ),
)
