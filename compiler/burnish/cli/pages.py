"""Where the pages of ``burnish view`` and ``burnish diff --html`` are written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from burnish.cli.screen import Screen
from burnish.errors import InputError
from burnish.files import replacing

__all__ = ["check_page", "tell_page", "write_text"]

_MARK = '<meta name="generator" content="burnish">'
"""Stands near the beginning of every page of ours."""

_HEAD = 4096


def check_page(name: str, sources: Iterable[str]) -> Path:
    """The file a page may be written to.

    Args:
        name: as the user gave it.
        sources: files and folders that the page is about; none of them is written over or into.

    Raises:
        InputError: when something is there that is no page of ours, or its folder is not.
    """
    path = Path(name)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError("the page's name must end in .html", where=name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "this is a folder" if path.is_dir() else "its folder is not there"
        raise InputError(what, where=name, mend="name a file in a folder that is there")
    if path.exists() and not _is_ours(path):
        raise InputError("this is not a page of burnish", where=name, mend="choose another name")
    for source in map(Path, sources):
        if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
            raise InputError(
                "an artifact keeps only what its compile wrote",
                where=name,
                mend="name a file outside of it",
            )
    return path


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(_HEAD)
    except OSError:
        return False


def tell_page(path: Path, screen: Screen, *, json: bool) -> None:
    """Say where a page is."""
    if json:
        screen.json({"path": str(path), "bytes": path.stat().st_size})
    else:
        screen.result(str(path))


def write_text(path: Path, text: str) -> None:
    """Write a file; it appears whole or not at all.

    Raises:
        InputError: when it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"it cannot be written ({error.strerror or error})",
            where=str(path),
            mend="check the folder, its permissions and the free space",
        ) from error
