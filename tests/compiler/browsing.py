"""Pages in a real browser: how tests write one, open it, and look at it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import burnish
from burnish.views.history import History
from burnish.views.page import render_page

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"
SHOTS = ROOT / "build/screenshots"
BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
NEEDS = [
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium with its driver here"),
    pytest.mark.xdist_group("browser"),
]


def history_of(source: Any, **more: Any) -> History:
    """The history of what O2, or ``passes``, does to a model."""
    done = burnish.optimize(source, opening=True, passes=more.pop("passes", None))
    assert done.opening is not None
    text = str(done.pipeline)
    return History.of(
        done.opening, done.records, model="m", target="ort-cpu", pipeline=text, **more
    )


def write_page(source: Any, path: Path, **more: Any) -> Path:
    path.write_text(render_page(history_of(source, **more), title="digits for ort-cpu"), "utf-8")
    return path


def all_of(page: Any, selector: str) -> list[Any]:
    found: list[Any] = page.find_elements("css selector", selector)
    return found


def text(page: Any, selector: str) -> str:
    held: str = page.find_element("css selector", selector).text
    return held


def press(page: Any, key: str) -> None:
    page.switch_to.active_element.send_keys(key)


def chosen(page: Any) -> str:
    held: str = page.find_element("css selector", "#passes [aria-selected=true]").get_attribute(
        "id"
    )
    return held


def keep(page: Any, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    assert page.save_screenshot(str(SHOTS / f"{name}.png"))
    assert (SHOTS / f"{name}.png").stat().st_size > 10_000
