"""Target text: names, settings, and what is refused."""

from __future__ import annotations

import pytest

from burnish.errors import InputError
from burnish.target import TARGETS, parse_target


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_target_is_read_back_from_its_text(target: object) -> None:
    assert parse_target(str(target)) == target


def test_target_names_are_unique() -> None:
    names = [target.name for target in TARGETS]
    assert len(names) == len(set(names))


def test_settings_are_read_and_printed_in_order() -> None:
    target = parse_target("ort-cpu: threads = 4,custom_ops=/a=b.so")
    assert dict(target.options) == {"threads": "4", "custom_ops": "/a=b.so"}
    assert str(target) == "ort-cpu:custom_ops=/a=b.so,threads=4"
    assert parse_target(str(target)) == target


def test_settings_change_nothing_else() -> None:
    plain, tuned = parse_target("ort-cpu"), parse_target("ort-cpu:threads=4")
    assert plain.options == {}
    assert (tuned.name, tuned.backend, tuned.limits) == (plain.name, plain.backend, plain.limits)


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="option 'threads' is not key=value") as caught:
        parse_target("ort-cpu:threads")
    assert "ort-cpu:threads" in caught.value.where


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="no target is named 'gpu'") as caught:
        parse_target("gpu")
    assert all(target.name in caught.value.mend for target in TARGETS)
