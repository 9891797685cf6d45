"""Texts of figures and remarks."""

from __future__ import annotations

import pytest

from burnish.passdef import Remark
from burnish.views.report import bytes_text, change_text, names, remarks_json


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (-1_250_000, "-1.2 MB"),
        (999_999, "1.0 MB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_bytes_have_the_unit_that_fits(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_a_change_has_a_percentage_only_between_numbers() -> None:
    assert change_text(2000, 1500) == "2,000 → 1,500 (-25.0%)"
    assert change_text(7, 7) == "7"
    assert change_text("4*n", 8) == "4*n → 8"
    assert change_text(None, 3) == "? → 3"
    assert change_text(0, 3) == "0 → 3"


def test_remarks_are_grouped_by_what_they_say() -> None:
    remarks = [
        Remark("declined", "r", "a", "x has another reader"),
        Remark("applied", "r", "b"),
        Remark("declined", "r", "c", "x has another reader"),
    ]
    assert remarks_json(remarks) == [
        {"kind": "declined", "rule": "r", "why": "x has another reader", "where": ["a", "c"]},
        {"kind": "applied", "rule": "r", "why": "", "where": ["b"]},
    ]


def test_a_name_inside_another_is_not_mentioned() -> None:
    line = "+  conv10 = Conv(conv1, w.conv1)"
    assert names(line, "conv1")
    assert names(line, "conv10")
    assert not names(line, "conv")
    assert not names(line, "w")
