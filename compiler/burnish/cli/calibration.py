"""Options that say which data to calibrate on, and the bar that shows how far it is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from burnish.cli.options import count
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.calibration import Calibration

__all__ = ["add_calibration_options", "calibration_of"]


def add_calibration_options(parser: argparse.ArgumentParser) -> None:
    """Data for passes that need some."""
    group = parser.add_argument_group("calibration")
    group.add_argument(
        "--data",
        metavar="PATH",
        action="append",
        help="folder of .npz, .npy or images, such a file, or a .jsonl of token ids",
    )
    group.add_argument(
        "--preprocess",
        metavar="TEXT",
        help="what becomes of images, as in size=224x224,mean=0.485/0.456/0.406,"
        "std=0.229/0.224/0.225,range=0/1,layout=nchw,order=rgb,fit=crop",
    )
    group.add_argument("--max-samples", metavar="N", type=count, help="use N samples of the data")
    group.add_argument(
        "--rows", metavar="N", type=count, help="rows of a sample, in files that stack samples"
    )
    group.add_argument(
        "--random-data", metavar="N", type=count, help="N random samples, for want of data"
    )
    group.add_argument(
        "--cache", metavar="DIR", help="keep what was learned from the data here (default: nowhere)"
    )


def calibration_of(arguments: argparse.Namespace, screen: Screen) -> Calibration | None:
    """What the options say; None when they name no data.

    Raises:
        InputError: when they do not parse, or do not go together.
    """
    _check(arguments)
    if not arguments.data and arguments.random_data is None:
        return None
    from burnish.calibration import Calibration, parse_preprocessing

    if arguments.random_data is not None:
        return Calibration.random(arguments.random_data, progress=screen.live)
    preprocessing = None
    if arguments.preprocess is not None:
        preprocessing = parse_preprocessing(arguments.preprocess)
    return Calibration.of(
        arguments.data,
        preprocessing=preprocessing,
        limit=arguments.max_samples,
        batch=arguments.rows,
        cache=arguments.cache,
        progress=screen.live,
    )


def _check(arguments: argparse.Namespace) -> None:
    if arguments.data and arguments.random_data is not None:
        raise InputError("--data and --random-data do not go together", mend="leave one out")
    if arguments.rows == 0:
        raise InputError("a sample has 1 row or more", where="--rows")
    if not arguments.data:
        for option in ("preprocess", "max_samples", "rows", "cache"):
            if getattr(arguments, option) is not None:
                name = f"--{option.replace('_', '-')}"
                raise InputError(f"{name} goes with --data", mend="add that, or leave it out")
