"""The few questions every pass asks of a node."""

from __future__ import annotations

import onnx
import pytest

from burnish.ir import Node, is_deterministic, is_random
from burnish.text import parse_model
from burnish.verify import random_outputs


@pytest.mark.parametrize(
    ("op_type", "domain", "version", "random"),
    [
        ("Add", "", 20, False),
        ("RandomNormalLike", "", 20, True),
        ("Bernoulli", "", 20, True),
        ("Dropout", "", 20, True),
        ("AffineGrid", "", 20, False),  # its schema says so, for the If in its definition
        ("Own", "d", 1, False),  # nothing says so
    ],
)
def test_what_draws_random_numbers(op_type: str, domain: str, version: int, random: bool) -> None:
    assert is_random(op_type, domain, version) == random


def test_only_a_known_operator_is_deterministic() -> None:
    opsets = {"": 20, "d": 1}
    kinds = (("", "Add"), ("", "AffineGrid"), ("", "Bernoulli"), ("d", "Own"), ("e", "Other"))
    known = [is_deterministic(Node(domain, name, []), opsets) for domain, name in kinds]
    assert known == [True, True, False, False, False]


def test_what_a_subgraph_holds_decides() -> None:
    text = """g (bool c, float[3] x) => (float[3] y, float[3] z) {
        y = If (c) <then_branch = a () => (float[3] p) { p = Bernoulli(x) },
                    else_branch = b () => (float[3] q) { q = Neg(x) }>
        z = If (c) <then_branch = d () => (float[3] r) { r = Abs(x) },
                    else_branch = e () => (float[3] s) { s = Neg(x) }>
    }"""
    model = parse_model(text, opset=20)
    assert [is_deterministic(node, model.opset_imports) for node in model.graph] == [False, True]


def test_every_operator_is_judged_alike_by_both_who_ask() -> None:
    """What is deterministic draws nothing, and what draws something is not deterministic."""
    text = "g (float[3] x) => (float[3] y) { y = Neg(x) }"
    for schema in onnx.defs.get_all_schemas():
        model = parse_model(text, opset=20)
        node = model.graph[0]
        if schema.domain or schema.since_version > 20 or schema.name == "Dropout":
            continue  # Dropout draws in training only, which its schema cannot tell
        node.op_type = schema.name
        deterministic = is_deterministic(node, model.opset_imports)
        assert deterministic == (not random_outputs(model)), schema.name
