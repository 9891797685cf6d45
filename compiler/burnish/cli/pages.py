"""Where the pages of ``burnish view`` and ``burnish diff --html`` are written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from burnish.errors import InputError

__all__ = ["check_page", "write_page"]


def check_page(name: str, sources: Iterable[str]) -> Path:
    """The file a page may be written to.

    Args:
        name: as the user gave it.
        sources: files and folders that the page is about; none of them is written over or into.

    Raises:
        InputError: when a folder or another kind of file is there, or its folder is not.
    """
    path = Path(name)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError("the page's name must end in .html", where=name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "this is a folder" if path.is_dir() else "its folder is not there"
        raise InputError(what, where=name, mend="name a file in a folder that is there")
    for source in map(Path, sources):
        if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
            raise InputError(
                "an artifact keeps only what its compile wrote",
                where=name,
                mend="name a file outside of it",
            )
    return path


def write_page(path: Path, text: str) -> None:
    """Write a page; it appears whole or not at all.

    Raises:
        InputError: when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"the page cannot be written ({error.strerror or error})",
            where=str(path),
            mend="check the folder, its permissions and the free space",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
