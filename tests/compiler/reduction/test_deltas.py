"""Delta debugging on lists: what it returns, and how often it asks."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from burnish.reduction.deltas import minimize


class Counted:
    """Whether a part holds all of some items; counts how often it was asked."""

    def __init__(self, needed: set[int]) -> None:
        self.needed = needed
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, part: Sequence[int]) -> bool:
        self.asked.append(tuple(part))
        return self.needed <= set(part)


@given(st.integers(0, 60), st.sets(st.integers(0, 59), max_size=8))
def test_what_is_needed_is_left_and_nothing_else(count: int, wanted: set[int]) -> None:
    needed = {item for item in wanted if item < count}
    assert minimize(range(count), Counted(needed)) == sorted(needed)


@given(st.integers(2, 40), st.integers(0, 1000))
def test_the_result_is_minimal_for_a_property_that_is_not_monotone(count: int, seed: int) -> None:
    def holds(part: Sequence[int]) -> bool:
        return len(part) == count or (bool(part) and (sum(part) * 31 + seed) % 3 == 0)

    left = minimize(range(count), holds)
    assert holds(left)
    for gone in range(len(left)):
        rest = left[:gone] + left[gone + 1 :]
        assert not rest or not holds(rest)


def test_all_items_are_never_asked_about() -> None:
    holds = Counted({0, 1, 2})
    assert minimize(range(3), holds) == [0, 1, 2]
    assert (0, 1, 2) not in holds.asked


def test_one_of_a_thousand_takes_few_questions() -> None:
    holds = Counted({617})
    assert minimize(range(1000), holds) == [617]
    assert len(holds.asked) <= 30


def test_all_of_a_thousand_takes_a_few_thousand_questions() -> None:
    holds = Counted(set(range(1000)))
    assert len(minimize(range(1000), holds)) == 1000
    assert len(holds.asked) <= 2100


def test_no_item_and_no_need_for_any() -> None:
    assert minimize([], Counted(set())) == []
    assert minimize(range(100), holds := Counted(set())) == []
    assert holds.asked == [()]
