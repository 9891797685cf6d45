"""Identity and Dropout: where they vanish, and where they must stay."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "eliminate-identity"


def test_a_chain_vanishes() -> None:
    model, _ = run_passes(
        "g (float[2] x) => (float[2] y) { a = Identity(x) b = Identity(a) y = Relu(b) }", PASS
    )
    assert ops(model) == ["Relu"]


def test_an_output_takes_its_name_from_the_identity() -> None:
    model, _ = run_passes(
        "g (float[2] x) => (float[2] y) { a = Relu(x) b = Exp(x) y = Identity(a) }", PASS
    )
    assert ops(model) == ["Relu", "Exp"]
    assert model.graph.outputs[0].name == "y"


@pytest.mark.parametrize(
    "text",
    [
        "g (float[2] x) => (float[2] y) { y = Identity(x) }",
        "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Identity(w) }",
        "g (float[2] x) => (float[2] y, float[2] z) { y = Identity(x) z = Identity(x) }",
    ],
)
def test_input_or_initializer_to_output_stays(text: str) -> None:
    model, records = run_passes(text, PASS)
    assert set(ops(model)) == {"Identity"}
    assert any("is not computed here" in why for why in reasons(records))


def test_one_value_under_two_output_names_keeps_both_names() -> None:
    model, _ = run_passes(
        "g (float[2] x) => (float[2] y, float[2] z) { y = Relu(x) z = Identity(y) }", PASS
    )
    assert [value.name for value in model.graph.outputs] == ["y", "z"]
    assert ops(model) == ["Relu", "Identity"]


def test_an_outer_value_as_result_of_a_branch_stays() -> None:
    model, _ = run_passes(
        """g (bool c, float[2] x) => (float[2] y) {
            y = If (c) <
                then_branch = yes () => (float[2] p) { p = Identity(x) },
                else_branch = no () => (float[2] q) { a = Identity(x) q = Neg(a) }>
        }""",
        PASS,
    )
    assert sorted(ops(model)) == ["Identity", "If", "Neg"]


@pytest.mark.parametrize(
    ("opset", "dropout"),
    [
        (7, "Dropout <ratio = 0.5> (x)"),
        (10, "Dropout <ratio = 0.5> (x)"),
        (13, "Dropout (x)"),
        (13, "Dropout (x, half)"),
        (13, "Dropout (x, half, no)"),
        (13, "Dropout <seed = 3> (x, , no)"),
    ],
)
def test_dropout_that_does_not_train_vanishes(opset: int, dropout: str) -> None:
    text = f"""g (float[2] x) => (float[2] y) <float half = {{0.5}}, bool no = {{0}}> {{
        a = {dropout}
        y = Relu(a)
    }}"""
    model, _ = run_passes(text, PASS, opset=opset)
    assert ops(model) == ["Relu"]


@pytest.mark.parametrize(
    ("inputs", "training", "why"),
    [
        ("", "yes", "training_mode is true"),
        (", bool mode", "mode", "training is not a constant"),
    ],
)
def test_dropout_that_trains_or_may_train_stays(inputs: str, training: str, why: str) -> None:
    text = f"""g (float[2] x{inputs}) => (float[2] y) <float none = {{0}}, bool yes = {{1}}> {{
        a = Dropout (x, none, {training})
        y = Relu(a)
    }}"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Dropout", "Relu"]
    assert why in reasons(records)


def test_training_flag_that_callers_may_override_is_not_a_constant() -> None:
    text = """g (float[2] x, bool mode) => (float[2] y) <bool mode = {0}> {
        a = Dropout (x, , mode)
        y = Relu(a)
    }"""
    model, _ = run_passes(text, PASS)
    assert "Dropout" in ops(model)


def test_a_mask_with_readers_keeps_its_producer() -> None:
    text = "g (float[2] x) => (float[2] y, bool[2] m) { a, m = Dropout (x) y = Relu(a) }"
    model, _ = run_passes(text, PASS)
    assert "Dropout" in ops(model)
    unread = "g (float[2] x) => (float[2] y) { a, m = Dropout (x) y = Relu(a) }"
    model, _ = run_passes(unread, PASS)
    assert ops(model) == ["Relu"]
