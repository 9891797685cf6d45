"""The page in a real browser: load, navigate, search, click, keyboard, dark mode, no error.

Needs Chromium and its driver (Debian: ``chromium chromium-driver``); skipped where there are none.
Screenshots stay in ``build/screenshots``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.generate import chain
from tests.compiler.browsing import DIGITS, NEEDS, all_of, chosen, keep, press, text, write_page

import burnish
from burnish.cli import main

pytestmark = NEEDS


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    far = {"output": "y", "max_rel": 1e-6, "ok": True}
    trace = [{"index": index, "max_abs": 2.5e-7, **far} for index in range(400)]
    return write_page(DIGITS, tmp_path_factory.mktemp("page") / "digits.html", trace=trace)


@pytest.fixture
def page(browser: Any, digits: Path) -> Iterator[Any]:
    browser.get(digits.as_uri())
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []


def test_the_overview_shows_where_nodes_and_bytes_went(page: Any) -> None:
    assert text(page, "#title") == "digits for ort-cpu"
    assert len(all_of(page, "svg.waterfall")) == 2
    assert len(all_of(page, "svg.histogram")) == 1
    assert "Conv" in text(page, "svg.histogram")
    keep(page, "overview")


def test_arrow_keys_move_between_passes(page: Any) -> None:
    order = [item.get_attribute("id") for item in all_of(page, "#passes li")]
    assert len(order) > 3
    seen = [chosen(page)]
    for key in ("\ue015", "\ue015", "\ue013", "\ue014", "\ue012"):  # down down up right left
        press(page, key)
        seen.append(chosen(page))
    assert seen == [order[index] for index in (0, 1, 2, 1, 2, 1)]
    assert text(page, "main h2") in text(page, "#passes [aria-selected=true]")


def test_a_pass_shows_text_and_drawing_of_both_sides(page: Any) -> None:
    item = next(item for item in all_of(page, "#passes li") if "fuse-conv-batch-norm" in item.text)
    item.click()
    assert "off by 2.5e-7" in item.text
    assert all_of(page, ".sides td.gone")
    assert all_of(page, ".sides td.came mark")
    assert len(all_of(page, "svg.graph")) == 2
    assert "BatchNormalization" in text(page, "#pictures figure:first-of-type")
    assert "BatchNormalization" not in text(page, "#pictures figure:last-of-type")
    keep(page, "pass")


def test_a_click_on_a_node_shows_where_it_is_from(page: Any) -> None:
    item = next(item for item in all_of(page, "#passes li") if "fuse-conv-batch-norm" in item.text)
    item.click()
    all_of(page, "svg.graph g.node.came")[0].click()
    details = page.find_element("id", "details")
    assert details.is_displayed()
    assert len(text(page, "#sources").split(", ")) >= 2
    assert "fuse-conv-batch-norm" in details.text
    page.find_element("css selector", "#details a").click()
    press(page, "\ue00c")
    assert not details.is_displayed()


def test_filters_by_pass_operator_and_name(page: Any) -> None:
    everything = len(all_of(page, "#passes li"))
    press(page, "/")
    press(page, "no such node")
    assert len(all_of(page, "#passes li")) == 1
    page.find_element("id", "name").clear()
    page.find_element("id", "pass").send_keys("batch")
    assert {item.text.split()[1] for item in all_of(page, "#passes li")[1:]} == {
        "fuse-conv-batch-norm"
    }
    page.find_element("id", "pass").clear()
    page.find_element("css selector", "#operator option[value=BatchNormalization]").click()
    assert 1 < len(all_of(page, "#passes li")) < everything
    page.find_element("css selector", "#operator option[value='']").click()
    page.find_element("id", "all").click()
    assert len(all_of(page, "#passes li")) > everything


def test_two_models_and_two_runs_have_pages(browser: Any, tmp_path: Path) -> None:
    for level in ("O1", "O2"):
        burnish.compile(DIGITS, tmp_path / level, passes=level, verify=False)
    models = DIGITS, tmp_path / "O2/model.onnx"
    for name, pair in {"models": models, "runs": (tmp_path / "O1", tmp_path / "O2")}.items():
        page = tmp_path / f"{name}.html"
        assert main(["diff", *map(str, pair), "--html", str(page), "-q"]) == 1
        browser.get(page.as_uri())
        seen = []
        for item in all_of(browser, "#passes li"):
            item.click()
            seen.append(text(browser, "main"))
        assert len(seen) > 2
        assert any("BatchNormalization" in view for view in seen)
        assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []
        keep(browser, name)


def test_dark_mode_is_dark(page: Any) -> None:
    def paper() -> int:
        colour = page.find_element("tag name", "body").value_of_css_property("background-color")
        return sum(map(int, colour.partition("(")[2].rstrip(")").split(",")[:3]))

    light = paper()
    page.find_element("id", "theme").click()
    assert paper() < 200 < light
    keep(page, "dark")


def test_a_model_of_three_thousand_nodes_does_not_stall(browser: Any, tmp_path: Path) -> None:
    path = write_page(chain(3000), tmp_path / "large.html")
    assert path.stat().st_size < 15_000_000
    opened = []
    for _ in range(3):
        start = time.perf_counter()
        browser.get(path.as_uri())
        assert len(all_of(browser, "svg.waterfall")) == 2
        opened.append(time.perf_counter() - start)
    # A bound for hanging, not a claim of speed: the best of three, for other tests run beside it.
    assert min(opened) < 3
    for item in range(1, len(all_of(browser, "#passes li"))):
        all_of(browser, "#passes li")[item].click()
        assert text(browser, "main h2")
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []
    keep(browser, "large")
