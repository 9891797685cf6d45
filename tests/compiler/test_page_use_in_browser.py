"""The page used by hand and by keyboard: nothing is covered, lost, cut off, or joined wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from tests.compiler.browsing import (
    DIGITS,
    NEEDS,
    all_of,
    chosen,
    history_of,
    keep,
    press,
    text,
    write_page,
)

from burnish.ir import to_proto
from burnish.text import parse_model

pytestmark = NEEDS
ESCAPE, ENTER = "\ue00c", "\ue007"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    far = {"output": "y", "max_rel": 1e-6}
    trace = [{"index": index, "max_abs": 2.5e-7, "ok": True, **far} for index in range(400)]
    trace += [{"index": index, "max_abs": None, "ok": False, **far} for index in range(400)]
    trace += [{"index": index, "max_abs": 0.5, "ok": False, **far} for index in range(400)]
    return write_page(DIGITS, tmp_path_factory.mktemp("page") / "digits.html", trace=trace)


@pytest.fixture
def page(browser: Any, digits: Path) -> Iterator[Any]:
    browser.set_window_size(1400, 950)
    browser.get(digits.as_uri())
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []


def open_pass(page: Any, name: str) -> Any:
    item = next(item for item in all_of(page, "#passes li") if name in item.text)
    item.click()
    return item


def focused(page: Any) -> Any:
    return page.switch_to.active_element


@pytest.mark.parametrize("wide", [1400, 1050, 700])
def test_details_cover_neither_the_drawing_nor_a_button(page: Any, wide: int) -> None:
    page.set_window_size(wide, 950)
    open_pass(page, "fuse-conv-batch-norm")
    page.execute_script(
        "document.querySelector('svg.graph g.node').dispatchEvent(new Event('click'))"
    )
    details = page.find_element("id", "details").rect
    page.find_element("id", "theme").click()
    page.find_element("id", "theme").click()
    for figure in all_of(page, "figure") if wide > 960 else []:
        assert figure.rect["x"] + figure.rect["width"] <= details["x"]
    keep(page, f"details-{wide}")


def test_the_focus_goes_to_the_details_and_back(page: Any) -> None:
    open_pass(page, "fuse-conv-batch-norm")
    node = all_of(page, "svg.graph g.node.came")[0]
    page.execute_script("arguments[0].focus()", node)
    press(page, ENTER)
    assert focused(page).text == "close"
    press(page, ESCAPE)
    assert focused(page) == node
    line = all_of(page, ".sides td[data-line]")[0]
    page.execute_script("arguments[0].focus()", line)
    press(page, ENTER)
    assert page.find_element("id", "details").is_displayed()
    press(page, ENTER)
    assert focused(page) == line


def test_the_overview_is_used_by_keyboard(page: Any) -> None:
    step = all_of(page, "svg.waterfall .step[role=button]")[0]
    page.execute_script("arguments[0].focus()", step)
    press(page, ENTER)
    assert chosen(page) != "pass-overview"
    press(page, "\ue011")  # Home
    assert chosen(page) == "pass-overview"
    press(page, "\ue010")  # End
    assert chosen(page) == all_of(page, "#passes li")[-1].get_attribute("id")


def test_places_change_by_key_and_the_button_keeps_the_focus(page: Any) -> None:
    open_pass(page, "fuse-conv-batch-norm")
    count = int(text(page, "#place").rpartition(" ")[2])
    assert count > 1
    before = text(page, "figure")
    press(page, "]")
    assert text(page, "#place") == f"place 2 of {count}"
    assert text(page, "figure") != before
    press(page, "[")
    press(page, "[")
    assert text(page, "#place") == f"place {count} of {count}"
    button = all_of(page, ".chooser button")[1]
    button.click()
    assert focused(page) == button
    assert text(page, "#place") == f"place 1 of {count}"


def test_a_pass_that_the_filter_hides_keeps_its_place_in_the_order(page: Any) -> None:
    order = [item.get_attribute("id") for item in all_of(page, "#passes li")]
    all_of(page, "#passes li")[2].click()
    others = {item.text.split()[1] for item in all_of(page, "#passes li")[3:]}
    hidden = all_of(page, "#passes li")[2].text.split()[1]
    name = next(name for name in sorted(others) if name not in hidden)
    page.find_element("id", "pass").send_keys(name)
    kept = [item.get_attribute("id") for item in all_of(page, "#passes li")]
    assert order[2] not in kept
    page.execute_script("document.activeElement.blur()")
    press(page, "\ue015")
    assert order.index(chosen(page)) > 2


def test_a_distance_that_is_no_number_is_the_largest(page: Any) -> None:
    item = open_pass(page, "fuse-conv-batch-norm")
    assert "off by not a number" in item.text
    rows = [row.text for row in all_of(page, ".distances tbody tr")]
    assert rows == ["y 2.5e-7 1.0e-6 yes", "y not a number 1.0e-6 NO", "y 5.0e-1 1.0e-6 NO"]


def test_remarks_stand_beside_the_drawing(page: Any) -> None:
    open_pass(page, "fuse-conv-batch-norm")
    assert "applied at" in page.find_element("id", "nearby").get_attribute("textContent")


def graph(nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [2]) for end in "xy"]
    held = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(held, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_names_may_be_of_any_script_and_stay_in_their_box(browser: Any, tmp_path: Path) -> None:
    names = [
        "名" * 40,
        "<img src=x onerror=alert(1)>",
        'a, b = (c) "d"',
        "two\nlines",
        "__proto__",
        "😀" * 30,
    ]
    nodes, last = [], "x"
    for name in names:
        nodes += [helper.make_node("Identity", [last], [f"i{name}"], name=f"I{name}")]
        nodes += [helper.make_node("Abs", [f"i{name}"], [name], name=name)]
        last = name
    nodes.append(helper.make_node("Abs", [last], ["y"]))
    path = write_page(graph(nodes), tmp_path / "names.html", passes="eliminate-identity")
    browser.get(path.as_uri())
    open_pass(browser, "eliminate-identity")
    for _ in range(len(names)):
        for node in all_of(browser, "svg.graph g.node"):
            box, *texts = (
                browser.execute_script("return arguments[0].getBBox()", part)
                for part in (
                    node.find_element("tag name", "rect"),
                    *node.find_elements("tag name", "text"),
                )
            )
            assert all(each["width"] <= box["width"] for each in texts)
        press(browser, "]")
    browser.execute_script(
        "document.querySelector('svg.graph g.node').dispatchEvent(new Event('click'))"
    )
    keep(browser, "names")
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []


def test_branches_that_use_one_name_are_not_joined(browser: Any, tmp_path: Path) -> None:
    branch = """() => (float[2] r) { t = %s(x) u = Identity(t) r = %s(u) }"""
    model = to_proto(
        parse_model(
            "agraph (bool c, float[2] x) => (float[2] y) { y = If (c) <then_branch = t "
            + branch % ("Abs", "Exp")
            + ", else_branch = e "
            + branch % ("Neg", "Sqrt")
            + "> }"
        )
    )
    path = write_page(model, tmp_path / "branches.html", passes="eliminate-identity")
    browser.get(path.as_uri())
    open_pass(browser, "eliminate-identity")
    drawn = []
    for _ in range(2):
        drawn.append(
            {node.text for node in all_of(browser, ".pictures figure:first-child .operator")}
        )
        press(browser, "]")
    assert drawn == [{"Abs", "Identity", "Exp"}, {"Neg", "Identity", "Sqrt"}]


def test_a_wide_graph_is_shown_where_it_changed_and_can_be_sized(
    browser: Any, tmp_path: Path
) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["i"])]
    nodes += [
        helper.make_node("Abs", ["i"], [f"a{n}"], name=f"branch_number_{n:02}") for n in range(24)
    ]
    nodes.append(helper.make_node("Sum", [f"a{n}" for n in range(24)], ["y"]))
    path = write_page(graph(nodes), tmp_path / "wide.html", passes="eliminate-identity")
    browser.set_window_size(1400, 950)
    browser.get(path.as_uri())
    open_pass(browser, "eliminate-identity")
    frame = all_of(browser, "figure")[0]
    node = all_of(browser, "svg.graph g.node.gone")[0]
    middle = node.rect["x"] + node.rect["width"] / 2
    assert frame.rect["x"] < middle < frame.rect["x"] + frame.rect["width"]

    def width() -> float:
        return float(all_of(browser, "svg.graph")[0].rect["width"])

    natural = width()
    for key, larger in (("+", True), ("-", False), ("-", False)):
        before = width()
        press(browser, key)
        assert (width() > before) == larger
    press(browser, "0")
    assert width() == natural
    caption = all_of(browser, "figcaption")[0].rect["x"]
    assert frame.rect["x"] <= caption < frame.rect["x"] + 40
    keep(browser, "wide")


def test_what_is_left_out_of_a_long_list_is_said(browser: Any, tmp_path: Path) -> None:
    from burnish.views.page import render_page

    held = history_of(DIGITS)
    step = next(step for step in held.steps if step.hunks)
    remarks = [
        {"kind": "declined", "rule": "r", "why": f"reason {n}", "where": ["x"]} for n in range(450)
    ]
    told = replace(step, facts={**step.facts, "remarks": remarks})
    held = replace(held, steps=tuple(told if each is step else each for each in held.steps))
    path = tmp_path / "long.html"
    path.write_text(render_page(held, title="long"), encoding="utf-8")
    browser.get(path.as_uri())
    open_pass(browser, step.name)
    assert "and 250 more reasons" in text(browser, "main")
