"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, TypeVar

from burnish.errors import InputError

__all__ = [
    "add_pipeline_options",
    "add_sample_options",
    "add_shape_options",
    "count",
    "pipeline_keywords",
    "sample_keywords",
    "shape_keywords",
]

_Size = TypeVar("_Size", int, tuple[int, ...])
_EXACTNESS = ("bitwise", "float", "lossy")


def add_pipeline_options(parser: argparse.ArgumentParser) -> None:
    """Which passes, for which target, under which promise."""
    group = parser.add_argument_group("passes")
    which = group.add_mutually_exclusive_group()
    which.add_argument("-O", dest="level", choices=tuple("0123"), help="level (default: 2)")
    which.add_argument(
        "--passes", metavar="SPEC", help="pipeline text, such as 'a, fixpoint[b, c]'"
    )
    group.add_argument("--target", metavar="NAME", default="ort-cpu", help="see: burnish targets")
    group.add_argument(
        "--allow", choices=_EXACTNESS, default="float", help="weakest promise (default: float)"
    )
    group.add_argument(
        "--stop-after", metavar="N", type=count, help="make at most N rewrites (for bisecting)"
    )
    add_shape_options(parser)


def add_shape_options(parser: argparse.ArgumentParser) -> None:
    """Sizes to bind."""
    group = parser.add_argument_group("sizes")
    group.add_argument(
        "--input-shape",
        metavar="NAME=1,3,8,8",
        action="append",
        default=[],
        help="shape of an input",
    )
    group.add_argument(
        "--dim", metavar="NAME=N", action="append", default=[], help="size of a symbolic dimension"
    )


def add_sample_options(parser: argparse.ArgumentParser) -> None:
    """Inputs to compare on."""
    group = parser.add_argument_group("verification")
    group.add_argument(
        "--samples", metavar="FILE.npz", action="append", help="inputs by name (default: seeded)"
    )
    group.add_argument(
        "--seed",
        metavar="N",
        type=count,
        action="append",
        help="seed of a sample (default: 0 and 1)",
    )


def pipeline_keywords(arguments: argparse.Namespace) -> dict[str, Any]:
    """Arguments of :func:`burnish.driver.optimize` from parsed options.

    Raises:
        InputError: when an option does not parse.
    """
    from burnish.passdef import Exactness
    from burnish.target import parse_target

    passes = arguments.passes if arguments.level is None else f"O{arguments.level}"
    return {
        "passes": passes,
        "target": parse_target(arguments.target),
        "allow": Exactness[arguments.allow.upper()],
        "stop_after": arguments.stop_after,
        **shape_keywords(arguments),
    }


def shape_keywords(arguments: argparse.Namespace) -> dict[str, Any]:
    """``input_shapes`` and ``dims`` from parsed options.

    Raises:
        InputError: when an option does not parse.
    """
    return {
        "input_shapes": _agreed(map(_shape, arguments.input_shape), "--input-shape"),
        "dims": _agreed(map(_dim, arguments.dim), "--dim"),
    }


def sample_keywords(arguments: argparse.Namespace) -> dict[str, Any]:
    """``samples`` and ``seeds`` from parsed options."""
    return {"samples": arguments.samples, "seeds": tuple(arguments.seed or (0, 1))}


def _agreed(pairs: Iterable[tuple[str, _Size]], option: str) -> dict[str, _Size]:
    found: dict[str, _Size] = {}
    for name, size in pairs:
        if found.setdefault(name, size) != size:
            what = f"{name} cannot be {_size_text(found[name])} and {_size_text(size)}"
            raise InputError(what, where=option, mend="give one of them")
    return found


def _size_text(size: int | tuple[int, ...]) -> str:
    return str(size) if isinstance(size, int) else ",".join(map(str, size)) or "a scalar"


def count(text: str) -> int:
    """A number that is 0 or more, as the type of an option.

    Raises:
        argparse.ArgumentTypeError: when it is not.
    """
    try:
        found = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if found < 0:
        raise argparse.ArgumentTypeError("N cannot be negative")
    return found


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    # An input's name may hold '=' and ':', a shape cannot.
    name, equals, dims = text.rpartition("=")
    parts = [part.strip() for part in dims.split(",")] if dims.strip() else []
    if not equals or not name or not all(part.isdecimal() for part in parts):
        raise InputError(f"'{text}' is not NAME=1,3,8,8", where="--input-shape")
    return name, tuple(map(int, parts))


def _dim(text: str) -> tuple[str, int]:
    name, equals, size = text.rpartition("=")
    if not equals or not name or not size.strip().isdecimal():
        raise InputError(f"'{text}' is not NAME=N", where="--dim", mend="as in --dim batch=1")
    return name, int(size)
