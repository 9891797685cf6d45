"""Relative links in the documentation lead to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    folders = ("docs", "models", "benchmarks")
    return [*ROOT.glob("*.md"), *(page for f in folders for page in (ROOT / f).rglob("*.md"))]


def broken_links(page: Path) -> list[str]:
    """Return the relative link targets of ``page`` that do not exist."""
    targets = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    local = [t for t in targets if not re.match(r"[a-z]+:|#", t)]
    return [t for t in local if not (page.parent / t.partition("#")[0]).exists()]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("here")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#part) [b](gone.md) [c](https://x.org/d)\n```\n[e](f.md)\n```\n")
    assert broken_links(page) == ["gone.md"]
