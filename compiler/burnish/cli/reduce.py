"""``burnish reduce``: a failing model becomes a small one that still fails."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.cli.options import (
    add_sample_options,
    add_shape_options,
    sample_keywords,
    shape_keywords,
)
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.evaluate import Engine
    from burnish.ir import Model
    from burnish.reduction import Progress, Reduction
    from burnish.reduction.case import Feeds
    from burnish.reduction.checks import Check

SUMMARY = "reduce a failing model to a small one that still fails"
EXAMPLES = (
    "model.onnx --check 'python try.py {model}' -o small.onnx",
    "model.onnx --check 'python try.py {model} {samples}' --samples in.npz -o small.onnx",
    "model.onnx --check-runtime -o small.onnx",
    "model.onnx --check-passes O2 --fail-regex 'answers differ' -o small.onnx",
)
_EVERY = 100
"""After so many checks without a smaller model, the screen tells that there were."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file that fails the check")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.onnx",
        required=True,
        help="the small model; inputs it fails on are written beside it, as FILE.npz",
    )
    group = parser.add_argument_group("check", "what fails; candidates must fail in the same way")
    which = group.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--check",
        metavar="CMD",
        help="a command whose exit code is not 0 on the model; {model} stands for its path, "
        "{samples} for the .npz files of its inputs; it is started without a shell",
    )
    which.add_argument(
        "--check-passes",
        metavar="SPEC",
        help="pipeline text or O0 to O3: these passes change the answers, or fail",
    )
    which.add_argument(
        "--check-runtime",
        action="store_true",
        help="ONNX Runtime refuses to load or to run the model",
    )
    group.add_argument(
        "--fail-regex",
        metavar="REGEX",
        help="what a failure says must match this, and may differ otherwise; '.' takes any failure "
        "(default: the same exit code or kind of error as the model's)",
    )
    group.add_argument(
        "--timeout", metavar="S", type=_seconds, help="seconds for one check (default: 300)"
    )
    group.add_argument(
        "--target", metavar="NAME", default="ort-cpu", help="what --check-passes compiles for"
    )
    group.add_argument(
        "--keep-weights", action="store_true", help="leave what weights hold, and all sizes"
    )
    add_sample_options(parser)
    add_shape_options(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Reduce; after an interrupt or an error the best so far is written."""
    from burnish.loading import load
    from burnish.reduction import Reducer
    from burnish.reduction.checks import SameFailure
    from burnish.samples import check_samples

    path = _destination(arguments)
    given = sample_keywords(arguments)
    bound = shape_keywords(arguments)
    with _chosen(arguments) as check:
        fails = SameFailure(check, arguments.fail_regex)
        screen.progress("load")
        model = load(arguments.model, **bound)
        _check_weights(model, path)
        for note in check_samples(given["samples"], model):
            screen.say(f"note: {note}")
        feeds, engine = _inputs(model, check, given, bound["dims"])
        _check_samples(path, len(feeds), arguments)
        reducer = Reducer(
            model,
            fails,
            feeds=feeds,
            contents=not arguments.keep_weights,
            engine=engine,
            progress=_Telling(screen),
        )
        assert fails.first is not None
        failure = fails.first.text.splitlines()[0]
        screen.say(f"it fails: {failure}")
        try:
            reducer.run()
        except BaseException:
            if reducer.improved:
                _write(reducer.result(), path)
                screen.say(f"the search was cut short: the best so far is in {path}")
            raise
    done = reducer.result()
    samples = _write(done, path)
    _report(done, path, samples, failure, arguments, screen)
    return 0


def _inputs(
    model: Model, check: Check, given: Mapping[str, Any], dims: Mapping[str, int]
) -> tuple[Sequence[Feeds], Engine]:
    """The user's samples or seeded ones, and what may run the model in this process."""
    from burnish.reduction import seeded_feeds
    from burnish.samples import read_samples

    seeded = not given["samples"]
    feeds: Sequence[Feeds] = (
        seeded_feeds(model, given["seeds"], dims, engine=None)
        if seeded
        else tuple(read_samples(given["samples"], model))
    )
    # What crashes the runtime in a process of its own would also crash this one.
    engine: Engine = "reference" if check.crashes(model, feeds) else "auto"
    if seeded:
        feeds = seeded_feeds(model, given["seeds"], dims, engine=engine)
    return feeds, engine


@contextmanager
def _chosen(arguments: argparse.Namespace) -> Iterator[Check]:
    """The check that was asked for, until it is no longer needed."""
    from burnish.passdef import Exactness
    from burnish.reduction.checks import PassesCheck
    from burnish.reduction.command import CommandCheck
    from burnish.reduction.runtime import RuntimeCheck

    if arguments.check_passes is not None:
        if arguments.timeout is not None:
            raise InputError("it has no effect on --check-passes", where="--timeout")
        yield PassesCheck(arguments.check_passes, arguments.target, Exactness.LOSSY)
        return
    opened: CommandCheck | RuntimeCheck
    if arguments.check_runtime:
        opened = RuntimeCheck(arguments.timeout)
    else:
        opened = CommandCheck(arguments.check, arguments.timeout)
    with closing(opened):
        yield opened


def _destination(arguments: argparse.Namespace) -> Path:
    """Where the result goes, if it may."""
    from burnish.artifact import check_not_source, check_single_file

    path = check_single_file(arguments.output)
    if path.suffix != ".onnx":
        mend = "name it so: its samples go beside it, as .npz"
        raise InputError("the name does not end in .onnx", where=arguments.output, mend=mend)
    sources = [arguments.model, *(arguments.samples or ())]
    check_not_source([path, path.with_name(f"{path.name}.data")], sources)
    _check_samples(path, 1, arguments)
    return path


def _sample_paths(path: Path, number: int) -> list[Path]:
    """Where so many samples of the result ``path`` go."""
    more = [path.with_name(f"{path.stem}-{each}.npz") for each in range(1, number)]
    return [path.with_suffix(".npz"), *more][:number]


def _check_samples(path: Path, number: int, arguments: argparse.Namespace) -> None:
    """Refuse to write samples over what another run, or another tool, has left."""
    from burnish.artifact import check_not_source

    beside = _sample_paths(path, number)
    check_not_source(beside, [arguments.model, *(arguments.samples or ())])
    found = next((each for each in beside if each.exists()), None)
    if found is not None and not path.exists():
        mend = "name another file with -o, or move it away"
        raise InputError("a file that is not ours is there", where=str(found), mend=mend)


def _check_weights(model: Model, path: Path) -> None:
    from burnish.artifact import check_not_source
    from burnish.provenance import weight_files

    written = [path, path.with_name(f"{path.name}.data")]
    check_not_source(written, weight_files(model).values())


class _Telling:
    """Says how far the reduction is, when something was gained or a while has passed."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._last = ""
        self._told = 0

    def __call__(self, now: Progress) -> None:
        from burnish.views.report import how_many

        counts = (how_many(count, name[:-1]) for name, count in _size(now).items())
        state = ", ".join(counts)
        if state != self._last or now.checks - self._told >= _EVERY:
            self._screen.say(f"  {now.stage}: {state} left ({how_many(now.checks, 'check')})")
            self._last, self._told = state, now.checks


def _write(done: Reduction, path: Path) -> list[Path]:
    """Write the model and its samples; the samples that were written."""
    from burnish.artifact import make_folder
    from burnish.sample_files import is_writable, write_samples
    from burnish.saving import save

    make_folder(path.parent)
    save(done.model, path)
    feeds = [each for each in done.feeds if each]
    if not all(map(is_writable, feeds)):
        return []
    names = _sample_paths(path, len(feeds))
    write_samples(feeds, names)
    return names


def _report(
    done: Reduction,
    path: Path,
    samples: Sequence[Path],
    failure: str,
    arguments: argparse.Namespace,
    screen: Screen,
) -> None:
    before, after = done.before, done.after
    screen.say(f"{after.checks} checks; {after.refused} candidates were not valid and not tried")
    if any(done.feeds) and not samples:
        screen.say("note: its inputs are of types that a .npz file cannot hold: none is written")
    if arguments.json:
        screen.json(
            {
                "path": str(path),
                "samples": [str(item) for item in samples],
                "failure": failure,
                "checks": after.checks,
                "refused": after.refused,
                "before": _size(before),
                "after": _size(after),
            }
        )
        return
    for what, was in _size(before).items():
        screen.say(f"  {what:<8}{was} → {_size(after)[what]}")
    for item in (path, *samples):
        screen.result(str(item))


def _size(state: Progress) -> dict[str, Any]:
    return {name: getattr(state, name) for name in ("nodes", "inputs", "outputs", "bytes")}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return seconds
