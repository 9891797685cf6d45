"""What models are judged by, and how budgets are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from burnish.budget import METRICS, Answers, Drop, Metric, measure, metric_named, own_metric
from burnish.errors import InputError
from burnish.ir import Array


def logits(*rows: Any) -> Answers:
    return {"logits": np.array(rows, np.float32)}


REFERENCE = [logits([1, 5, 2], [4, 0, 0]), logits([0, 1, 9], [3, 2, 1])]
LABELS = [np.array([1, 0]), np.array([2, 1])]


def value(metric: Metric, result: list[Answers], reference: list[Answers] | None = None) -> float:
    return measure(metric, REFERENCE if reference is None else reference, result).value


@pytest.mark.parametrize(
    ("name", "best"),
    [("agreement", 1.0), ("accuracy", 0.75), ("cosine", 1.0), ("kl", 0.0), ("sqnr", math.inf)],
)
def test_equal_answers_lose_nothing(name: str, best: float) -> None:
    metric = metric_named(name, LABELS)
    assert value(metric, REFERENCE) == pytest.approx(best)
    assert metric.drop(best, best) == 0
    assert name in METRICS


def test_agreement_counts_decisions() -> None:
    changed = [REFERENCE[0], logits([0, 1, 9], [1, 2, 0])]
    found = measure(metric_named("agreement"), REFERENCE, changed)
    assert found.value == 0.75
    assert found.decisions == 4
    assert metric_named("agreement").drop(1.0, 0.75) == 0.25


def test_accuracy_may_rise() -> None:
    metric = metric_named("accuracy", LABELS)
    better = [REFERENCE[0], logits([0, 1, 9], [1, 2, 0])]
    assert value(metric, better) == 1.0
    assert metric.drop(0.75, 1.0) == -0.25


def test_labels_below_zero_are_not_counted() -> None:
    labels = [np.array([1, -100]), np.array([2, -1])]
    found = measure(metric_named("accuracy", labels), REFERENCE, REFERENCE)
    assert (found.value, found.decisions) == (1.0, 2)


def test_divergence_is_the_formula() -> None:
    reference, result = [logits([0.0, math.log(3)])], [logits([0.0, 0.0])]
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert value(metric_named("kl"), result, reference) == pytest.approx(expected, rel=1e-6)


def test_probabilities_go_through_no_second_softmax() -> None:
    reference, result = [logits([0.25, 0.75])], [logits([0.5, 0.5])]
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert value(metric_named("kl"), result, reference) == pytest.approx(expected, rel=1e-6)


def test_signal_to_noise_is_the_formula_and_its_drop_a_share() -> None:
    reference, result = [logits([3, 4]), logits([0, 5])], [logits([3, 4]), logits([0, 4.5])]
    metric = metric_named("sqnr")
    found = value(metric, result, reference)
    assert found == pytest.approx(10 * math.log10(50 / 0.25))
    assert metric.drop(math.inf, found) == pytest.approx(0.005)


def test_cosine_of_large_and_of_empty_answers() -> None:
    huge = [{"y": np.array([1e200, 1e200])}]
    assert value(metric_named("cosine"), huge, huge) == pytest.approx(1.0)
    zero, one = [{"y": np.zeros(2)}], [{"y": np.array([1.0, 0.0])}]
    assert value(metric_named("cosine"), zero, zero) == 1.0
    assert value(metric_named("cosine"), zero, one) == 0.0
    assert value(metric_named("cosine"), one, [{"y": np.array([0.0, 3.0])}]) == 0.0


@pytest.mark.parametrize("name", ["cosine", "kl", "sqnr"])
def test_what_is_no_number_loses_everything(name: str) -> None:
    metric = metric_named(name)
    broken = [REFERENCE[0], logits([0, math.nan, 9], [3, 2, 1])]
    baseline = value(metric, REFERENCE)
    assert metric.drop(baseline, value(metric, broken)) == math.inf


def test_what_is_no_number_agrees_with_nothing() -> None:
    broken = [REFERENCE[0], logits([0, math.nan, 9], [3, 2, 1])]
    assert value(metric_named("agreement"), broken) == 0.75


# --- several outputs


def test_the_worst_output_counts() -> None:
    reference = [{"start": np.array([[1.0, 2.0]]), "end": np.array([[1.0, 2.0]])}]
    result = [{"start": np.array([[1.0, 2.0]]), "end": np.array([[2.0, 1.0]])}]
    assert value(metric_named("agreement"), result, reference) == 0.0
    assert value(metric_named("agreement:start"), result, reference) == 1.0
    assert value(metric_named("cosine"), result, reference) == pytest.approx(0.8)


def test_the_state_a_language_model_hands_on_is_no_decision() -> None:
    state = np.zeros((1, 2, 3, 4))
    reference = [{"logits": np.array([[[1.0, 2.0]]]), "present": state}]
    result = [{"logits": np.array([[[1.0, 2.0]]]), "present": state + np.arange(4)}]
    assert value(metric_named("agreement"), result, reference) == 1.0


def test_classes_of_images_are_on_axis_1() -> None:
    scores = np.zeros((1, 3, 2, 2))
    scores[0, 1] = 1
    other = scores.copy()
    other[0, 2, 0, 0] = 5
    found = measure(metric_named("agreement"), [{"y": scores}], [{"y": other}])
    assert (found.value, found.decisions) == (0.75, 4)


def test_integers_are_passed_over() -> None:
    reference = [{"label": np.array([3]), **logits([1, 2])}]
    result = [{"label": np.array([1]), **logits([1, 2])}]
    assert value(metric_named("cosine"), result, reference) == pytest.approx(1.0)


# --- what cannot be scored


@pytest.mark.parametrize(
    ("metric", "reference", "result", "message"),
    [
        (
            "agreement",
            [{"y": np.array([1])}],
            [{"y": np.array([1])}],
            "no output holds a float for",
        ),
        ("agreement:z", REFERENCE, REFERENCE, "output z of the metric: there is no such one"),
        ("cosine", REFERENCE, [{"other": np.zeros(3)}] * 2, "has no such output"),
        ("kl", REFERENCE, [logits([1, 2]), logits([1, 2])], r"shape is \[1, 2\], the reference"),
        ("sqnr", REFERENCE, REFERENCE[:1], "answers to 1 samples only"),
        ("sqnr", REFERENCE[:1], REFERENCE, "answers to more than 1 samples"),
        ("sqnr", [], [], "there is no sample to judge by"),
    ],
)
def test_answers_that_cannot_be_compared(
    metric: str, reference: list[Answers], result: list[Answers], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        measure(metric_named(metric), reference, result)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([np.array([1, 0])], "labels for 1 samples only"),
        ([np.array([1, 0, 2]), np.array([1])], "3 labels of int64 for 2 decisions"),
        ([np.array([1.0, 0.0]), np.array([1])], "2 labels of float64 for 2 decisions"),
    ],
)
def test_labels_that_do_not_fit(labels: list[Array], message: str) -> None:
    with pytest.raises(InputError, match=message):
        value(metric_named("accuracy", labels), REFERENCE)


def test_names() -> None:
    with pytest.raises(InputError, match="no metric 'agrement'; did you mean agreement"):
        metric_named("agrement")
    with pytest.raises(InputError, match="choose from: agreement, accuracy, cosine, kl, sqnr"):
        metric_named("bleu")
    with pytest.raises(InputError, match="it needs labels; give labels with the data"):
        metric_named("accuracy")


def test_the_users_own() -> None:
    metric = own_metric("mine.py:score", lambda answers: sum(a["logits"].max() for a in answers))
    assert value(metric, REFERENCE) == 14.0
    assert metric.drop(14.0, 13.0) == 1.0
    broken = own_metric("mine.py:score", lambda answers: answers["logits"])
    with pytest.raises(InputError, match=r"metric mine.py:score: TypeError: .*a list of"):
        value(broken, REFERENCE)


# --- budgets


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("0.5%", "agreement", 0.005),
        ("0.005", "agreement", 0.005),
        (" 1 % ", "cosine", 0.01),
        ("0", "accuracy", 0.0),
        ("30dB", "sqnr", 0.001),
        ("30 DB", "sqnr", 0.001),
        ("0.1%", "sqnr", 0.001),
        ("0.01 nats", "kl", 0.01),
        ("1e-2", "kl", 0.01),
        ("5", "kl", 5.0),
    ],
)
def test_budgets(text: str, metric: str, limit: float) -> None:
    found = Drop.parse(text).limit(metric_named(metric, LABELS), 0.9)
    assert found == pytest.approx(limit)


def test_percents_of_the_users_own_are_of_the_float_model() -> None:
    metric = own_metric("score", lambda answers: 0)
    assert Drop.parse("0.5%").limit(metric, -40.0) == pytest.approx(0.2)
    assert Drop.parse("0.5").limit(metric, -40.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "text", ["", "%", "half", "1,5%", "-1%", "nan", "inf", "1e999", "1..2", "5 points"]
)
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(InputError, match=r"the largest drop: .*as in 0.5% or 0.005"):
        Drop.parse(text)


@pytest.mark.parametrize(
    ("text", "metric", "message"),
    [
        ("1", "agreement", "lose everything; did you mean 1%"),
        ("100%", "cosine", "lose everything"),
        ("0.5%", "kl", "no whole to take percents of; give nats"),
        ("30dB", "agreement", "dB are for sqnr"),
        ("0.1 nats", "cosine", "nats are for kl"),
    ],
)
def test_budgets_that_do_not_fit_the_metric(text: str, metric: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Drop.parse(text).limit(metric_named(metric), 1.0)


def test_words() -> None:
    agreement, own = metric_named("agreement"), own_metric("score", lambda answers: 0)
    assert agreement.drop_text(0.008) == "0.8 %"
    assert agreement.drop_text(math.inf) == "everything"
    assert agreement.loss_text(0.008) == "top-1 agreement falls by 0.8 %"
    assert agreement.loss_text(-0.008) == "top-1 agreement rises by 0.8 %"
    assert metric_named("kl").loss_text(0.01) == "divergence rises by 0.01 nats"
    assert metric_named("sqnr").loss_text(0.01) == "noise to signal rises by 1 %"
    assert agreement.value_text(0.995) == "99.50 %"
    assert metric_named("kl").drop_text(0.0123456) == "0.0123 nats"
    assert metric_named("sqnr").value_text(23.04) == "23.0 dB"
    assert own.drop_text(1234567.0) == "1.23e+06"
    assert own.drop_text(1200.0) == "1200"
    assert str(Drop.parse("0.5 %")) == "0.5%"
    assert str(Drop.parse("0.01nats")) == "0.01 nats"


# --- properties

numbers = numpy_strategies.arrays(np.float32, (3, 4), elements=st.floats(-100, 100, width=32))


@settings(deadline=None)
@given(numbers, numbers)
def test_no_answer_is_better_than_the_same(one: Array, other: Array) -> None:
    reference, result = [{"y": one}], [{"y": other}]
    for name in ("agreement", "cosine", "kl", "sqnr"):
        metric = metric_named(name)
        baseline = measure(metric, reference, reference).value
        assert metric.drop(baseline, measure(metric, reference, result).value) >= -1e-6


@settings(deadline=None)
@given(st.lists(numbers, min_size=2, max_size=4))
def test_samples_may_come_one_by_one_or_in_batches(parts: list[Array]) -> None:
    split: list[Answers] = [{"y": part} for part in parts]
    moved: list[Answers] = [{"y": part[:, ::-1]} for part in parts]
    whole: list[Answers] = [{"y": np.concatenate(parts)}]
    other: list[Answers] = [{"y": np.concatenate(parts)[:, ::-1]}]
    for name in ("agreement", "sqnr"):
        metric = metric_named(name)
        one, same = measure(metric, split, moved), measure(metric, whole, other)
        assert one.value == pytest.approx(same.value)
