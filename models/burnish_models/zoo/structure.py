"""Structure: common subexpressions, dead code, Identity, functions, sequences, custom ops."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "common_subexpression",
        "Two equal chains are computed once.",
        """(float[4] x) => (float[4] y) {
            a = Relu (x)
            b = Exp (a)
            c = Relu (x)
            d = Exp (c)
            y = Sub (b, d)
        }""",
        rows=("D8",),
    ),
    ZooModel(
        "common_commuted",
        "Add(a, b) and Add(b, a) are equal; Sub(a, b) and Sub(b, a) are not.",
        """(float[4] a, float[4] b) => (float[4] y, float[4] z) {
            p = Add (a, b)
            q = Add (b, a)
            y = Mul (p, q)
            r = Sub (a, b)
            s = Sub (b, a)
            z = Mul (r, s)
        }""",
        rows=("D8",),
        trap="Sorting the operands of Sub: it does not commute.",
        keeps=("Sub", "Sub"),
    ),
    ZooModel(
        "common_outputs",
        "Two graph outputs are computed by equal nodes; both names must remain.",
        """(float[4] x) => (float[4] y, float[4] z) {
            y = Relu (x)
            z = Relu (x)
        }""",
        rows=("D8",),
        trap="Merging the nodes and losing an output: y and z are both promised.",
    ),
    ZooModel(
        "different_attributes",
        "Equal ops on equal inputs with different attributes are different.",
        """(float[4] x) => (float[4] y) {
            a = LeakyRelu <alpha = 0.1> (x)
            b = LeakyRelu <alpha = 0.2> (x)
            y = Sub (a, b)
        }""",
        trap="Comparing op and inputs only.",
        keeps=("LeakyRelu", "LeakyRelu"),
    ),
    ZooModel(
        "default_attribute",
        "An attribute written with its default value equals one left out.",
        """(float[4] x) => (float[4] y) {
            a = LeakyRelu (x)
            b = LeakyRelu <alpha = 0.01> (x)
            y = Sub (a, b)
        }""",
    ),
    ZooModel(
        "dead_nodes",
        "Nodes and initializers that no output needs are removed.",
        """(float[4] x) => (float[4] y) <float[4] used = {1, 2, 3, 4}, float[4] unused = {4, 3, 2, 1}> {
            y = Add (x, used)
            a = Mul (x, unused)
            b = Exp (a)
        }""",
        rows=("D9",),
    ),
    ZooModel(
        "unused_input",
        "A graph input that nothing reads is part of the interface.",
        """(float[4] x, float[N] spare) => (float[4] y) {
            dead = Exp (spare)
            y = Relu (x)
        }""",
        rows=("D9",),
        dims={"N": 2},
        trap="Removing the input: callers would no longer be able to feed it.",
    ),
    ZooModel(
        "identity_chain",
        "Identity inside the graph disappears, at an output it gives way to the producer.",
        """(float[4] x) => (float[4] y) {
            a = Identity (x)
            b = Relu (a)
            c = Identity (b)
            y = Identity (c)
        }""",
        rows=("D10",),
    ),
    ZooModel(
        "identity_input_to_output",
        "An Identity from a graph input to a graph output is the only way to say this.",
        """(float[4] x) => (float[4] y) {
            y = Identity (x)
        }""",
        trap="Removing it: input and output would need the same name.",
        keeps=("Identity",),
    ),
    ZooModel(
        "identity_two_outputs",
        "One value is promised under two output names.",
        """(float[4] x) => (float[4] y, float[4] z) {
            y = Relu (x)
            z = Identity (y)
        }""",
        trap="Removing Identity: one of the two outputs would lose its name.",
        keeps=("Relu",),
    ),
    ZooModel(
        "inner_multiple_use",
        "The result between two Transposes has another reader.",
        """(float[2, 3] x) => (float[2, 3] y, float[3, 2] z) {
            t = Transpose (x)
            y = Transpose (t)
            z = Relu (t)
        }""",
        trap="Removing both Transposes: Relu still reads the inner one.",
        keeps=("Relu",),
    ),
    ZooModel(
        "inner_is_output",
        "The result between two Relus is a graph output itself.",
        """(float[4] x) => (float[4] inner, float[4] y) {
            inner = Relu (x)
            y = Relu (inner)
        }""",
        trap="Replacing both by one named y: inner would have no producer.",
        keeps=("Relu",),
    ),
    ZooModel(
        "function_nested",
        "A function that calls a function, each passing an attribute on.",
        """(float[4] x) => (float[4] y) {
            a = local.outer <slope = 0.25> (x)
            y = local.outer <slope = 0.5> (a)
        }
        <opset_import: ["": 17, "local": 1], domain: "local">
        outer <slope> (v) => (r) {
            n = Neg (v)
            r = local.inner <alpha: float = @slope> (n)
        }
        <opset_import: ["": 17], domain: "local">
        inner <alpha> (v) => (r) {
            l = LeakyRelu <alpha: float = @alpha> (v)
            r = Identity (l)
        }""",
        imports={"local": 1},
        rows=("D11",),
    ),
    ZooModel(
        "function_unused",
        "A function that nothing calls goes, with the opset import only it needed.",
        """(float[4] x) => (float[4] y) {
            y = Relu (x)
        }
        <opset_import: ["": 17], domain: "local">
        never (v) => (r) {
            r = Exp (v)
        }""",
        imports={"local": 1},
        rows=("D9",),
    ),
    ZooModel(
        "function_default_attribute",
        "A function with a default for its attribute, called without it.",
        """(float[4] x) => (float[4] y) {
            y = local.leaky (x)
        }
        <opset_import: ["": 17], domain: "local">
        leaky <alpha: float = 0.3> (v) => (r) {
            r = LeakyRelu <alpha: float = @alpha> (v)
        }""",
        imports={"local": 1},
        ir_version=9,
        rows=("D11",),
    ),
    ZooModel(
        "sequence",
        "Values put into a sequence and taken out again.",
        """(float[2] x, float[2] z) => (float[4] y, int64 n) <int64 one = {1}> {
            s = SequenceConstruct (x, z)
            n = SequenceLength (s)
            last = SequenceAt (s, one)
            first = Neg (x)
            y = Concat <axis = 0> (first, last)
        }""",
    ),
    ZooModel(
        "sequence_input_output",
        "A sequence comes in and goes out with its type.",
        """(seq(float[2]) s, float[2] x) => (seq(float[2]) t) {
            r = Relu (x)
            t = SequenceInsert (s, r)
        }""",
        feeds={"s": [np.array([1, 2], np.float32), np.array([3, 4], np.float32)]},
    ),
    ZooModel(
        "optional_value",
        "A value wrapped as optional, asked for and unwrapped.",
        """(float[2] x) => (float[2] y, bool has) {
            o = Optional (x)
            has = OptionalHasElement (o)
            v = OptionalGetElement (o)
            y = Relu (v)
        }""",
    ),
    ZooModel(
        "strings",
        "Strings pass through Identity, Concat and Gather.",
        """(string[2] x) => (string[2] y) <string[1] k = {"k"}, int64[2] at = {2, 0}> {
            i = Identity (x)
            c = Concat <axis = 0> (i, k)
            y = Gather (c, at)
        }""",
        rows=("D10",),
        feeds={"x": np.array(["a", "b"], dtype=object)},
    ),
    ZooModel(
        "custom_domain",
        "An op of an unknown domain is carried through; its neighbours are still optimized.",
        """(float[4] x) => (float[4] y) {
            a = Identity (x)
            b = vendor.Secret <level = 3> (a)
            c = Relu (b)
            y = Relu (c)
        }""",
        imports={"vendor": 1},
        rows=("D10", "E6"),
        keeps=("Secret",),
        runnable=False,
    ),
    ZooModel(
        "custom_twice",
        "Two equal nodes of an unknown domain may be stateful or random.",
        """(float[4] x) => (float[4] y) {
            a = vendor.Secret (x)
            b = vendor.Secret (x)
            y = Sub (a, b)
        }""",
        imports={"vendor": 1},
        trap="Common subexpressions: nothing says that the op is deterministic.",
        keeps=("Secret", "Secret"),
        runnable=False,
    ),
)
