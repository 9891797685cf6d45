"""Halving between good and bad."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from burnish.culprit.search import Window, search


@given(st.integers(1, 5000), st.data())
def test_the_first_bad_one_is_found_in_logarithmic_time(last: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, last))
    asked: list[int] = []

    def probe(place: int) -> bool:
        asked.append(place)
        return place < first

    assert search(0, last, probe) == Window(first - 1, first)
    assert len(asked) <= math.ceil(math.log2(last)) + 1
    assert len(set(asked)) == len(asked)


@given(st.lists(st.sampled_from([True, False, None]), max_size=40))
def test_both_sides_of_the_window_were_seen(answers: list[bool | None]) -> None:
    seen: dict[int, bool | None] = {0: True, len(answers) + 1: False}

    def probe(place: int) -> bool | None:
        seen[place] = answers[place - 1]
        return answers[place - 1]

    window = search(0, len(answers) + 1, probe)
    assert seen[window.good] is True
    assert seen[window.bad] is False
    assert all(seen[place] is None for place in range(window.good + 1, window.bad))
    assert window.is_sharp == (window.bad - window.good == 1)


def test_each_step_is_told() -> None:
    told: list[tuple[int, int, str]] = []
    search(0, 8, lambda place: place < 3, lambda *news: told.append(news))
    assert told == [(4, 2, "4 is bad"), (2, 1, "2 is good"), (1, 0, "3 is bad")]


def test_neighbours_need_no_question() -> None:
    assert search(4, 5, lambda place: 1 / 0) == Window(4, 5)
