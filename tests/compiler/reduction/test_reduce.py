"""Models reduced: what is left, that it is valid, and that it still fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import ops

import burnish
from burnish.errors import InputError
from burnish.evaluate import run_model
from burnish.ir import Model
from burnish.reduction import Fails, Progress, Reduction, reduce_case, reduce_model, seeded_feeds
from burnish.reduction.case import Feeds
from burnish.saving import to_proto
from burnish.text import parse_model
from burnish_models import digits, zoo

DIGITS = Path(digits.__file__).with_name("digits.onnx")
FANS = ("Relu", "Neg", "Abs", "Exp", "Sigmoid", "Tanh")


def reduced(model: Model, fails: Fails, seeds: Sequence[int] = (0,)) -> Reduction:
    """Reduce; every candidate must be valid ONNX when the check sees it."""

    def checked(candidate: Model, feeds: Sequence[Feeds]) -> bool:
        onnx.checker.check_model(to_proto(candidate), full_check=True)
        return fails(candidate, feeds)

    return reduce_case(model, checked, feeds=seeded_feeds(model, seeds))


def softmax_of_transpose(model: Model) -> bool:
    """Whether a Softmax reads the result of a Transpose."""
    for node in model.graph:
        first = node.inputs[0] if node.inputs else None
        maker = None if first is None else first.producer()
        if node.op_type == "Softmax" and maker is not None and maker.op_type == "Transpose":
            return True
    return False


PLANTED = """(float[N, 3, 4] x, float[4] b, float[N] unused) => (float[N, 4, 3] y, float[N, 3, 4] z) {
    a = Add (x, b)
    z = Relu (a)
    s = Sigmoid (z)
    t = Transpose <perm = [0, 2, 1]> (s)
    p = Softmax (t)
    q = Exp (p)
    y = Mul (q, t)
}"""


def test_a_planted_pair_is_all_that_is_left() -> None:
    model = parse_model(f"agraph {PLANTED}", opset=17)
    small = reduce_model(model, softmax_of_transpose)
    assert ops(small) == ["Transpose", "Softmax"]
    assert softmax_of_transpose(small)
    assert not small.graph.inputs
    assert [value.name for value in small.graph.outputs] == ["p"]
    assert len(model.graph) == 7  # the source is as it was


def test_a_value_that_is_cut_is_fed_with_what_it_held() -> None:
    model = parse_model(f"agraph {PLANTED}", opset=17)
    feeds = seeded_feeds(model, (0, 1))
    truth = [run_model(model, each, outputs=["t", "q"]) for each in feeds]

    def fails(candidate: Model, given: Sequence[Feeds]) -> bool:
        """Whether a Mul gives what it gives in the source, on both samples."""
        if "Mul" not in ops(candidate) or len(given) < 2:
            return False
        if "y" not in {value.name for value in candidate.graph.outputs}:
            return False
        answers = [run_model(candidate, each)["y"] for each in given]
        wanted = [each["t"] * each["q"] for each in truth]
        pairs = zip(answers, wanted, strict=True)
        return all(a.shape == b.shape and np.allclose(a, b) for a, b in pairs)

    done = reduce_case(model, fails, feeds=feeds)
    assert ops(done.model) == ["Mul"]
    assert [sorted(each) for each in done.feeds] == [["q", "t"], ["q", "t"]]
    for each, wanted in zip(done.feeds, truth, strict=True):
        np.testing.assert_allclose(each["t"], wanted["t"])
        np.testing.assert_allclose(each["q"], wanted["q"])


def test_the_sample_that_fails_is_kept_and_the_others_go() -> None:
    model = parse_model("agraph (float[2] x) => (float[2] y) { y = Log (x) }", opset=17)
    good, bad = np.ones(2, np.float32), np.array([1, -1], np.float32)

    def is_nan(candidate: Model, feeds: Sequence[Feeds]) -> bool:
        answers = [next(iter(run_model(candidate, each).values())) for each in feeds]
        return "Log" in ops(candidate) and any(np.isnan(answer).any() for answer in answers)

    done = reduce_case(model, is_nan, feeds=[{"x": good}, {"x": bad}, {"x": good}])
    assert len(done.feeds) == 1
    assert ops(done.model) == ["Log"]
    assert is_nan(done.model, done.feeds)


def test_a_path_is_shortened_where_types_agree() -> None:
    text = """agraph (float[4] x) => (float[4] y) {
        a = Relu (x)
        b = Neg (a)
        c = Abs (b)
        d = Tanh (c)
        y = Exp (d)
    }"""

    def connected(model: Model) -> bool:
        """Whether an Exp rests on a Relu."""
        reached: set[str] = set()
        for node in model.graph:
            if node.op_type == "Relu" or any(
                value is not None and value.name in reached for value in node.inputs
            ):
                reached.update(str(out.name) for out in node.outputs)
                if node.op_type == "Exp":
                    return True
        return False

    assert ops(reduce_model(parse_model(text, opset=17), connected)) == ["Relu", "Exp"]


def test_weights_become_plain_and_small() -> None:
    text = "agraph (float[5, 64] x, float[64, 32] w) => (float[5, 32] y) { y = MatMul (x, w) }"
    proto = to_proto(parse_model(text, opset=17))
    del proto.graph.input[1]
    weight = np.random.default_rng(0).standard_normal((64, 32)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    done = reduced(burnish.load(proto), lambda model, _: "MatMul" in ops(model))
    assert done.before.bytes == 8192
    assert done.after.bytes == 8
    for value in done.model.graph.initializers.values():
        assert value.const_value is not None
        assert value.const_value.size == 1


def test_weights_stay_where_they_shall() -> None:
    text = "agraph (float[2, 3] x) => (float[2, 3] y) <float[3] w = {1, 2, 3}> { y = Add (x, w) }"
    model = parse_model(text, opset=17)
    done = reduce_case(
        model, lambda candidate, _: "Add" in ops(candidate), feeds=(), contents=False
    )
    held = done.model.graph.initializers["w"].const_value
    assert held is not None
    assert held.numpy().tolist() == [1, 2, 3]


def test_a_model_that_need_not_hold_anything_becomes_empty() -> None:
    done = reduced(burnish.load(DIGITS), lambda model, feeds: True)
    assert len(done.model.graph) == 0
    assert done.after.nodes == 0
    onnx.checker.check_model(to_proto(done.model), full_check=True)


def test_a_model_that_does_not_fail_is_refused() -> None:
    model = burnish.load(DIGITS)
    with pytest.raises(InputError, match="the check passes on the model as it is"):
        reduce_model(model, lambda candidate: False)


def test_what_the_check_raises_ends_the_reduction() -> None:
    asked: list[Model] = []

    def fails(candidate: Model) -> bool:
        asked.append(candidate)
        if len(asked) > 2:
            raise RuntimeError("broken check")
        return True

    with pytest.raises(RuntimeError, match="broken check"):
        reduce_model(parse_model(f"agraph {PLANTED}", opset=17), fails)


def test_an_interrupt_returns_the_best_so_far() -> None:
    seen: list[int] = []

    def fails(candidate: Model, _: Sequence[Feeds]) -> bool:
        found = softmax_of_transpose(candidate)
        if found:
            seen.append(len(candidate.graph))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return found

    done = reduced(parse_model(f"agraph {PLANTED}", opset=17), fails)
    assert not done.finished
    assert len(done.model.graph) == seen[1] < 7
    assert softmax_of_transpose(done.model)


def test_a_chain_of_a_thousand_nodes_takes_a_bounded_number_of_checks() -> None:
    lines = "\n".join(f"v{n + 1} = {FANS[n % 6]} (v{n})" for n in range(1000))
    text = f"agraph (float[2] v0) => (float[2] v1000) {{ {lines} }}"
    model = parse_model(text, opset=17)
    checks: list[Progress] = []

    def fails(candidate: Model) -> bool:
        return any(out.name == "v617" for node in candidate.graph for out in node.outputs)

    small = reduce_model(model, fails, progress=checks.append)
    assert len(small.graph) == 1
    assert checks[-1].checks <= 60
    assert checks[-1].nodes == 1


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Model, set[str]]:
    """A random graph of unary and binary operators, and types that must stay."""
    count = draw(st.integers(1, 14))
    lines, used = [], set()
    for number in range(count):
        op = draw(st.sampled_from((*FANS, "Add", "Mul")))
        arity = 2 if op in ("Add", "Mul") else 1
        reads = [draw(st.integers(0, number)) for _ in range(arity)]
        lines.append(f"v{number + 1} = {op} ({', '.join(f'v{each}' for each in reads)})")
        used.add(op)
    outputs = draw(st.sets(st.integers(1, count), min_size=1, max_size=3)) | {count}
    shown = ", ".join(f"float[N, 3] v{number}" for number in sorted(outputs))
    text = f"agraph (float[N, 3] v0) => ({shown}) {{ {' '.join(lines)} }}"
    wanted = draw(st.sets(st.sampled_from(sorted(used)), max_size=3))
    return parse_model(text, opset=17), wanted


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_random_graphs_keep_one_node_of_each_type_that_is_needed(
    drawn: tuple[Model, set[str]],
) -> None:
    model, wanted = drawn
    done = reduced(model, lambda candidate, _: wanted <= set(ops(candidate)))
    assert sorted(ops(done.model)) == sorted(wanted)
    onnx.checker.check_model(to_proto(done.model), full_check=True)


@pytest.mark.parametrize("name", zoo.names())
def test_every_zoo_model_reduces_to_a_valid_model(name: str) -> None:
    example = zoo.get(name)
    model = burnish.load(example.proto())
    wanted = ops(model)[-1]
    done = reduced(model, lambda candidate, _: wanted in ops(candidate))
    assert wanted in ops(done.model)
    assert done.after.nodes <= done.before.nodes
    assert done.finished


def test_inputs_that_must_stay_become_small() -> None:
    text = """agraph (float[N, 6, M] x) => (float[N, 6, M] y, float[N, 6, M] z) {
        y = Relu (x)
        z = Neg (y)
    }"""
    model = parse_model(text, opset=17)

    def fails(candidate: Model, _: Sequence[Feeds]) -> bool:
        return any(
            node.op_type == "Relu" and node.inputs[0] in candidate.graph.inputs
            for node in candidate.graph
        )

    done = reduced(model, fails, seeds=(0, 1))
    assert ops(done.model) == ["Relu"]
    (value,) = done.model.graph.inputs
    assert value.shape == [1, 1, 1]
    assert [each["x"].shape for each in done.feeds] == [(1, 1, 1)]
    assert run_model(done.model, done.feeds[0])["y"].shape == (1, 1, 1)


def test_inputs_that_are_alike_are_joined_and_unread_ones_go() -> None:
    text = """agraph (float[3] a, float[3] b, int64[2] c) => (float[3] y) {
        y = Add (a, b)
    }"""

    def fails(candidate: Model, _: Sequence[Feeds]) -> bool:
        inputs = candidate.graph.inputs
        return any(
            node.op_type == "Add" and all(value in inputs for value in node.inputs)
            for node in candidate.graph
        )

    done = reduced(parse_model(text, opset=17), fails)
    assert [value.name for value in done.model.graph.inputs] == ["a"]
    assert [sorted(each) for each in done.feeds] == [["a"]]


def test_what_is_only_said_goes() -> None:
    proto = to_proto(parse_model(f"agraph {PLANTED}", opset=17))
    proto.producer_name = "somebody"
    proto.doc_string = "words"
    proto.graph.node[0].doc_string = "more words"
    proto.opset_import.add(domain="nobody.uses", version=3)
    done = reduced(burnish.load(proto), lambda candidate, _: "Add" in ops(candidate))
    after = to_proto(done.model)
    assert not after.producer_name
    assert not after.doc_string
    assert not after.graph.node[0].doc_string
    assert [each.domain for each in after.opset_import] == [""]


def test_a_source_that_the_checker_refuses_can_be_reduced_for_that() -> None:
    proto = to_proto(parse_model(f"agraph {PLANTED}", opset=17))
    proto.graph.node[2].attribute.append(onnx.helper.make_attribute("nonsense", 1))

    def is_refused(candidate: Model, _: Sequence[Feeds]) -> bool:
        try:
            onnx.checker.check_model(to_proto(candidate))
        except onnx.checker.ValidationError as error:
            return "nonsense" in str(error)
        return False

    model = burnish.load(proto)
    done = reduce_case(model, is_refused, feeds=seeded_feeds(model, (0,)))
    assert ops(done.model) == ["Sigmoid"]
