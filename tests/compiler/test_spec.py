"""Pipeline text to a tree: the grammar, and where the caret stands when it does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.errors import SpecError
from burnish.spec import Item, parse


def test_an_empty_text_is_an_empty_pipeline() -> None:
    assert parse("") == ()
    assert parse("  \n ") == ()


def test_items_options_and_nesting() -> None:
    outer, last = parse("fixpoint{limit=8}[b, c{x=1,y-z=q r}], d")
    assert (outer.name, outer.options) == ("fixpoint", (("limit", "8"),))
    assert outer.inner is not None
    assert [item.name for item in outer.inner] == ["b", "c"]
    assert outer.inner[1].options == (("x", "1"), ("y-z", "q r"))
    assert last == Item("d", (), None, 38)


def test_columns_point_at_the_items() -> None:
    assert [item.column for item in parse(" a,  b")] == [1, 5]


def test_spaces_are_free() -> None:
    (spaced,) = parse(" a { x = 1 , y = } [ b ] ")
    assert spaced.options == (("x", "1"), ("y", ""))
    assert spaced.inner is not None
    assert spaced.inner[0].name == "b"


def test_empty_brackets_are_not_no_brackets() -> None:
    assert parse("a[]")[0].inner == ()
    assert parse("a")[0].inner is None


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("a b", 2, "expected ','"),
        ("a, -b", 3, "expected the name of a pass"),
        ("a{", 2, "expected an option name or '}'"),
        ("a{x}", 3, "expected '='"),
        ("a{x=1", 5, "expected ','"),
        ("a{x=1[b]}", 5, "expected ','"),
        ("f[a", 3, "expected ','"),
        ("f[", 2, "expected the name of a pass"),
        ("a]", 1, "expected ','"),
        ("a,,b", 2, "expected the name of a pass"),
    ],
)
def test_errors_have_a_caret_under_the_fault(text: str, column: int, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert caught.value.column == column
    _, shown, caret = str(caught.value).split("\n")
    assert caught.value.what == what
    assert shown == f"  {text}"
    assert caret.index("^") == column + 2


_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,8}", fullmatch=True)
_VALUES = st.text("abc019 ._/:=+-", max_size=8).map(str.strip)
_OPTIONS = st.lists(st.tuples(_NAMES, _VALUES), max_size=3).map(tuple)
_TREES = st.recursive(
    st.builds(Item, _NAMES, _OPTIONS, st.none(), st.just(0)),
    lambda inner: st.builds(
        Item, _NAMES, _OPTIONS, st.lists(inner, max_size=3).map(tuple), st.just(0)
    ),
    max_leaves=8,
)


def _text(items: tuple[Item, ...], comma: str) -> str:
    parts = []
    for item in items:
        options = comma.join(f"{key}={value}" for key, value in item.options)
        inner = "" if item.inner is None else f"[{_text(item.inner, comma)}]"
        parts.append(item.name + (f"{{{options}}}" if options else "") + inner)
    return comma.join(parts)


def _without_columns(items: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(
        Item(
            item.name,
            item.options,
            None if item.inner is None else _without_columns(item.inner),
            0,
        )
        for item in items
    )


@given(st.lists(_TREES, max_size=4).map(tuple), st.sampled_from([",", ", ", " ,\n"]))
def test_what_is_written_is_read_back(items: tuple[Item, ...], comma: str) -> None:
    assert _without_columns(parse(_text(items, comma))) == items


def _fault(text: str) -> int:
    """Where ``text`` is refused; its length when it is not."""
    try:
        parse(text)
    except SpecError as error:
        return error.column
    return len(text)


@given(st.text("ab{}[],= ", max_size=12))
def test_any_text_parses_or_is_refused_within_the_text(text: str) -> None:
    assert 0 <= _fault(text) <= len(text)
