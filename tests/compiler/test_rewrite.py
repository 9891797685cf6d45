"""The rewrite engine: what it declines, what it keeps, what it records."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from tests.compiler.engine import NegNeg, ReluNegToElu, apply, whys
from tests.support import ops

from burnish import rewrite
from burnish.match import Match
from burnish.passdef import Context
from burnish.rewrite import Rule
from burnish.target import Target

_BRANCHES = """z = If (c) <
    then_branch = g1 () => (float[2] p) { p = Relu (t) },
    else_branch = g2 () => (float[2] q) { q = Abs (x) }
>"""


@pytest.mark.parametrize(
    ("outputs", "more", "why"),
    [
        (", float[2] z", "z = Relu (t)", "t has another reader"),
        (", float[2] t", "", "t is a graph output"),
        (", float[2] z", _BRANCHES, "t has another reader"),
    ],
)
def test_an_inner_result_that_is_needed_declines(outputs: str, more: str, why: str) -> None:
    model, remarks = apply(
        NegNeg(),
        f"""agraph (float[2] x, bool c) => (float[2] y{outputs}) {{
            t = Neg (x)
            u = Neg (t)
            y = Relu (u)
            {more}
        }}""",
    )
    assert ops(model).count("Neg") == 2
    assert whys(remarks) == [why]


def test_a_graph_output_cannot_be_a_graph_input() -> None:
    model, remarks = apply(
        NegNeg(), "agraph (float[2] x) => (float[2] y) { t = Neg (x) y = Neg (t) }"
    )
    assert ops(model) == ["Neg", "Neg"]
    assert whys(remarks) == ["y is a graph output and x is not computed here"]


def test_one_value_cannot_be_two_graph_outputs() -> None:
    model, remarks = apply(
        NegNeg(),
        "agraph (float[2] x) => (float[2] r, float[2] y) { r = Relu (x) t = Neg (r) y = Neg (t) }",
    )
    assert ops(model) == ["Relu", "Neg", "Neg"]
    assert whys(remarks) == ["y and r are both graph outputs"]


def test_graph_outputs_keep_name_and_declared_shape() -> None:
    model, _ = apply(
        NegNeg(),
        "agraph (float[N] x) => (float[M] y) { r = Relu (x) t = Neg (r) y = Neg (t) }",
    )
    (output,) = model.graph.outputs
    assert ops(model) == ["Relu"]
    assert (output.name, str(output.shape)) == ("y", "[M]")


def test_subgraphs_and_functions_are_rewritten_too() -> None:
    model, _ = apply(
        NegNeg(),
        """<ir_version: 10, opset_import: ["": 20, "f": 1]>
        agraph (float[2] x, bool c) => (float[2] y) {
            t = If (c) <
                then_branch = g1 () => (float[2] p) { a = Neg (x) b = Neg (a) p = Relu (b) },
                else_branch = g2 () => (float[2] q) { q = Abs (x) }
            >
            y = f.twice (t)
        }
        <domain: "f", opset_import: ["": 20]>
        twice (v) => (w) { a = Neg (v) b = Neg (a) w = Relu (b) }
        """,
    )
    assert "Neg" not in ops(model)


class DropLeakyRelu(Rule):
    """``LeakyRelu(x) => Relu(x)``."""

    name: ClassVar[str] = "drop-leaky-relu"

    def before(self, op: Any, x: Any) -> Any:
        return op.LeakyRelu(x)

    def after(self, op: Any, m: Match) -> Any:
        return op.Relu(m["x"])


def test_an_attribute_given_by_the_caller_of_a_function_declines() -> None:
    model, remarks = apply(
        DropLeakyRelu(),
        """<ir_version: 10, opset_import: ["": 20, "f": 1]>
        agraph (float[2] x) => (float[2] y) { y = f.leaky <slope = 0.5> (x) }
        <domain: "f", opset_import: ["": 20]>
        leaky <slope> (v) => (w) { w = LeakyRelu <alpha: float = @slope> (v) }
        """,
    )
    assert "LeakyRelu" in ops(model)
    assert whys(remarks) == ["attribute alpha of LeakyRelu(w) is a function parameter"]


class EmitGelu(Rule):
    """``Relu(x) => Gelu(x)``, or with an attribute that no Gelu has."""

    name: ClassVar[str] = "emit-gelu"

    def __init__(self, **attributes: object) -> None:
        self.attributes = attributes

    def before(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def after(self, op: Any, m: Match) -> Any:
        return op.Gelu(m["x"], **self.attributes)


@pytest.mark.parametrize(
    ("rule", "opset", "why"),
    [
        (EmitGelu(), 19, "opset 19 has no Gelu"),
        (EmitGelu(speed=3), 20, "Gelu at opset 20 has no attribute speed"),
    ],
)
def test_what_the_opset_does_not_know_declines(rule: Rule, opset: int, why: str) -> None:
    text = "agraph (float[2] x) => (float[2] y) { y = Relu (x) }"
    model, remarks = apply(rule, text, opset=opset)
    assert ops(model) == ["Relu"]
    assert whys(remarks) == [why]
    assert ops(apply(EmitGelu(), text)[0]) == ["Gelu"]


class Emit(Rule):
    """``Relu(x) =>`` whatever is asked for."""

    name: ClassVar[str] = "emit"

    def __init__(self, what: str) -> None:
        self.what = what

    def before(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def after(self, op: Any, m: Match) -> Any:
        if self.what == "type":
            return op.Cast(m["x"], to=11)
        if self.what == "rank":
            return op.Unsqueeze(m["x"], op.constant(np.array([0])))
        if self.what == "shape":
            return op.Concat(m["x"], m["x"], axis=0)
        if self.what == "inputs":
            return op.Neg(m["x"], m["x"])
        return op.Foo(m["x"], _domain="nobody.knows")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("type", "the type would change from float to double"),
        ("rank", "the rank would change from 1 to 2"),
        ("shape", "the shape would change from [2] to [4]"),
        ("inputs", "Neg at opset 20 does not take 2 inputs"),
        ("domain", "domain 'nobody.knows' of Foo is not imported"),
    ],
)
def test_a_replacement_that_does_not_fit_declines(what: str, why: str) -> None:
    model, remarks = apply(Emit(what), "agraph (float[2] x) => (float[2] y) { y = Relu (x) }")
    assert ops(model) == ["Relu"]
    assert whys(remarks) == [why]
    assert not model.graph.initializers
    assert len(model.graph.inputs[0].uses()) == 1


def test_new_nodes_know_their_sources_through_two_rewrites() -> None:
    text = """agraph (float[2] x) => (float[2] y) {
        [a] t = Relu (x)
        [b] u = Neg (t)
        [c] y = Exp (u)
    }"""
    model, _ = apply(ReluNegToElu(), text)
    assert [node.meta.get(rewrite.SOURCES) for node in model.graph] == [
        ("b", "a"),
        ("b", "a"),
        None,
    ]

    class ExpElu(Rule):
        name: ClassVar[str] = "exp-elu"

        def before(self, op: Any, x: Any) -> Any:
            return op.Exp(op.Elu(x))

        def after(self, op: Any, m: Match) -> Any:
            return op.Sigmoid(m["x"])

    ExpElu().run(model, Context.of(model, Target()))
    assert [(node.op_type, node.meta[rewrite.SOURCES]) for node in model.graph] == [
        ("Abs", ("b", "a")),
        ("Sigmoid", ("c", "b", "a")),
    ]


def test_values_keep_their_names_and_new_ones_get_unused_ones() -> None:
    model, _ = apply(
        ReluNegToElu(),
        """agraph (float[2] u_Abs) => (float[2] y) {
            t = Relu (u_Abs)
            u = Neg (t)
            y = Exp (u)
        }""",
    )
    names = [node.outputs[0].name for node in model.graph]
    assert names == ["u_Abs_1", "u", "y"]


def test_a_new_node_takes_the_name_of_one_of_its_kind() -> None:
    class ReluOfNeg(Rule):
        name: ClassVar[str] = "relu-of-neg"

        def before(self, op: Any, x: Any) -> Any:
            return op.Relu(op.Neg(x))

        def after(self, op: Any, m: Match) -> Any:
            return op.Relu(op.Abs(m["x"]))

    model, _ = apply(
        ReluOfNeg(),
        "agraph (float[2] x) => (float[2] y) { [first] t = Neg (x) [second] y = Relu (t) }",
    )
    first, second = model.graph
    assert (second.op_type, second.name) == ("Relu", "second")
    assert first.name != "first"


class SinCosToTanAtan(Rule):
    """A rule of two roots: ``Sin(x), Cos(x) => Tan(x), Atan(x)``."""

    name: ClassVar[str] = "sin-cos"

    def before(self, op: Any, x: Any) -> Any:
        return op.Sin(x), op.Cos(x)

    def after(self, op: Any, m: Match) -> Any:
        return op.Tan(m["x"]), op.Atan(m["x"])


def test_a_pattern_of_two_results() -> None:
    model, _ = apply(
        SinCosToTanAtan(),
        """agraph (float[2] x) => (float[2] y, float[2] z) {
            s = Sin (x)
            y = Relu (s)
            c = Cos (x)
            z = Neg (c)
        }""",
    )
    assert sorted(ops(model)) == ["Atan", "Neg", "Relu", "Tan"]
    made = {node.op_type: node for node in model.graph}
    assert made["Relu"].inputs[0] is made["Tan"].outputs[0]
    assert made["Neg"].inputs[0] is made["Atan"].outputs[0]


class SwapSplit(Rule):
    """``Split(x) => `` its parts, each through Abs, however many there are."""

    name: ClassVar[str] = "swap-split"

    def before(self, op: Any, x: Any) -> Any:
        return op.Split(x, _outputs=...)

    def after(self, op: Any, m: Match) -> Any:
        parts = len(m.root.outputs)
        m.suppose(parts > 1)
        size = len(m.shape("x")) and 6 // parts
        return tuple(
            op.Slice(
                m["x"],
                op.constant(np.array([place * size])),
                op.constant(np.array([place * size + size])),
            )
            for place in range(parts)
        )


@pytest.mark.parametrize("parts", [2, 3])
def test_a_root_of_every_result(parts: int) -> None:
    names = ["a", "b", "c"][:parts]
    outputs = ", ".join(f"float[{6 // parts}] {name}" for name in names)
    model, _ = apply(
        SwapSplit(),
        f"""agraph (float[6] x) => ({outputs}) {{
            {", ".join(names)} = Split <num_outputs = {parts}> (x)
        }}""",
    )
    assert ops(model) == ["Slice"] * parts
    assert [value.name for value in model.graph.outputs] == names


class RemoveIf(Rule):
    """``Relu(If(c)) => Abs(x)``, which drops the If and what only its branches read."""

    name: ClassVar[str] = "remove-if"

    def before(self, op: Any, c: Any) -> Any:
        return op.Relu(op.If(c))

    def after(self, op: Any, m: Match) -> Any:
        return op.Abs(m.scope.graph.inputs[0])


def test_what_only_a_removed_if_captured_goes_with_it() -> None:
    model, _ = apply(
        RemoveIf(),
        """agraph (float[2] x, bool c) => (float[2] y, float[2] w) {
            k = Exp (x)
            t = Neg (k)
            kept = Sin (x)
            z = If (c) <
                then_branch = g1 () => (float[2] p) { p = Relu (t) },
                else_branch = g2 () => (float[2] q) { q = Abs (kept) }
            >
            y = Relu (z)
            w = Cos (kept)
        }""",
    )
    assert sorted(ops(model)) == ["Abs", "Cos", "Sin"]
