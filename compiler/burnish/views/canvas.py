"""PNG files by matplotlib (the extra ``plot``): where they may go, and how they are written.

Colours are those of Okabe and Ito (2008), which people who see fewer colours can tell apart.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from burnish.errors import InputError, MissingDependency
from burnish.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "RED",
    "check_folder",
    "check_picture",
    "label_places",
    "new_figure",
    "write_figure",
]

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#999999"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def check_picture(path: str | os.PathLike[str]) -> Path:
    """Refuse, before any work, a picture that could not be drawn or written.

    Raises:
        InputError: when the name does not end in ``.png``, the folder is missing, or something
            that is no picture is in the way.
        MissingDependency: when matplotlib is not installed.
    """
    _figure_type()
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError("pictures are PNG", where=str(path), mend="name it FILE.png")
    if not path.parent.is_dir():
        raise InputError("there is no such folder", where=str(path.parent), mend="make it first")
    _check_replaceable(path)
    return path


def check_folder(folder: str | os.PathLike[str], names: tuple[str, ...]) -> Path:
    """Refuse, before any work, a folder that pictures of these names could not be written to.

    Raises:
        InputError: when it is a file, or something that is no picture is in the way.
        MissingDependency: when matplotlib is not installed.
    """
    _figure_type()
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file, not a folder", where=str(folder), mend="name another")
    for name in names:
        _check_replaceable(folder / name)
    return folder


def _check_replaceable(path: Path) -> None:
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            is_picture = file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        is_picture = False
    if not is_picture:
        raise InputError(
            "something that is no picture is there", where=str(path), mend="name another"
        )


def _figure_type() -> type[Figure]:
    """The figure of matplotlib: one made by itself needs no display and no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependency("matplotlib", extra="plot") from None
    return Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches.

    Raises:
        MissingDependency: when matplotlib is not installed.
    """
    return _figure_type()(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a picture; it appears whole or not at all, the same bytes for the same figure.

    Raises:
        InputError: when it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    except OSError as error:
        raise InputError(
            f"the picture cannot be written ({error.strerror or error})",
            where=str(path),
            mend="check the folder, its permissions and the free space",
        ) from error
    return path


def label_places(axes: Axes, labels: list[str]) -> None:
    """Write one label under each place along the horizontal axis."""
    # As they are: a dollar sign in a name starts no formula.
    escaped = [label.replace("$", r"\$") for label in labels]
    axes.set_xticks(range(len(labels)), escaped, rotation=60, ha="right", fontsize=7)
