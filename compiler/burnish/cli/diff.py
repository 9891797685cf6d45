"""``burnish diff``: what the passes change in a model, or what differs between two files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from burnish.cli.options import add_pipeline_options, pipeline_keywords, shape_keywords
from burnish.cli.pages import check_page, tell_page, write_text
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.driver import Optimized
    from burnish.pipeline import PassRecord
    from burnish.stages import Watcher
    from burnish.views.history import History

SUMMARY = "show what each pass changes in a model, or what differs between two models or two runs"
MODEL = "model.onnx"
"""What the model in an artifact is called."""

EXAMPLES = (
    "model.onnx -O2",
    "model.onnx --only fold-constants --node conv1",
    "before.onnx after.onnx",
    "before.onnx after.onnx --only weights",
    "yesterday/ today/",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file, or an artifact")
    parser.add_argument("other", metavar="OTHER", nargs="?", help="a second one to compare with")
    add_pipeline_options(parser)
    group = parser.add_argument_group("what to show")
    group.add_argument(
        "--only",
        metavar="NAME",
        help="this pass only; of two files this part: header, interface, weights, nodes, shapes,"
        " functions",
    )
    group.add_argument("--node", metavar="NAME", help="lines that name this node or value only")
    group.add_argument(
        "--ignore-names",
        action="store_true",
        help="of two files: pair inputs and outputs by place, whatever their names",
    )
    group.add_argument("--figures", action="store_true", help="figures of each pass, no lines")
    group.add_argument("--html", metavar="PAGE.html", help="write a page for a browser instead")
    group.add_argument(
        "--each-pass",
        action="store_true",
        help="with --html: how far each pass moves the outputs, too",
    )
    group.add_argument(
        "--pictures", metavar="DIR", help="also draw the passes and operators (burnish[plot])"
    )


_PIPELINE = ("-O", "--passes", "--target", "--allow", "--stop-after", "--figures", "--each-pass")
"""Options about passes that run; two files and two artifacts run none."""

_SIZES = ("--input-shape", "--dim")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Show differences; for two files or artifacts 0 when there is none and 1 otherwise."""
    if not arguments.other:
        return _one(arguments, screen)
    _refuse(arguments, ("--pictures", *_PIPELINE), "does not go with two files or artifacts")
    return _runs(arguments, screen) if _are_artifacts(arguments) else _two(arguments, screen)


def _are_artifacts(arguments: argparse.Namespace) -> bool:
    """Whether two artifacts are compared.

    Raises:
        InputError: when it is an artifact and a file.
    """
    names = arguments.model, arguments.other
    folders = [name for name in names if os.path.isdir(name)]
    for name in folders[: len(folders) % 2]:
        mend = f"compare with the model in it: {Path(name) / MODEL}"
        raise InputError("this is a folder, and the other is none", where=name, mend=mend)
    return bool(folders)


def _refuse(arguments: argparse.Namespace, options: Sequence[str], why: str) -> None:
    """Refuse those of ``options`` that were given: nothing that is asked for is passed over.

    Raises:
        InputError: when one was given; ``why`` continues the sentence that it begins.
    """
    unset = {"--target": "ort-cpu", "--allow": "float"}
    for option in options:
        name = "level" if option == "-O" else option.removeprefix("--").replace("-", "_")
        if getattr(arguments, name) not in (None, False, [], unset.get(option)):
            raise InputError(f"{option} {why}", mend="leave it out")


def _runs(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.views.comparison import history_of_runs
    from burnish.views.runs import diff_artifacts

    _refuse(arguments, _SIZES, "does not go with two artifacts")
    _refuse(arguments, ("--ignore-names",), "compares two files")
    page = _page_name(arguments)
    found = diff_artifacts(Path(arguments.model), Path(arguments.other))
    if arguments.only:
        if arguments.only not in found.names:
            _check_pass(arguments.only)
        found = found.only(arguments.only)
    if arguments.node:
        found = found.about(arguments.node)
    if page is not None:
        history = history_of_runs(found, (arguments.model, arguments.other))
        _write_comparison(page, history, arguments, screen)
    elif arguments.json:
        screen.json(found.json())
    else:
        screen.diff(found.lines)
    screen.say(found.summary())
    return 1 if found else 0


def _two(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.figures import measure
    from burnish.loading import load
    from burnish.modeldiff import diff_models
    from burnish.shapes import Shapes
    from burnish.views.comparison import history_of_models

    if arguments.only:
        _check_part(arguments.only)
    page = _page_name(arguments)
    bound = shape_keywords(arguments)
    models = [load(path, **bound) for path in (arguments.model, arguments.other)]
    whole = diff_models(*models, ignore_names=arguments.ignore_names)
    found = whole.restrict(part=arguments.only, name=arguments.node)
    if page is not None:
        figures = [measure(model, Shapes(model)) for model in models]
        names = Path(arguments.model).name, Path(arguments.other).name
        history = history_of_models(found, names, (figures[0], figures[1]))
        _write_comparison(page, history, arguments, screen)
    elif arguments.json:
        screen.json(found.json(every=False))
    else:
        screen.diff(found.lines)
    for note in found.notes:
        screen.say(f"note: {note}")
    screen.say(whole.summary())
    return 1 if found else 0


def _page_name(arguments: argparse.Namespace) -> Path | None:
    """Where the page of a comparison goes; None when none was asked for."""
    if not arguments.html:
        return None
    return check_page(arguments.html, [arguments.model, arguments.other])


def _write_comparison(
    page: Path, history: History, arguments: argparse.Namespace, screen: Screen
) -> None:
    from burnish.views.page import render_page

    write_text(page, render_page(history, title=history.model, steps="parts"))
    tell_page(page, screen, json=arguments.json)


def _check_part(name: str) -> None:
    from burnish.modeldiff.findings import PARTS

    if name not in PARTS:
        raise InputError(
            f"two models have no part '{name}'",
            where="--only",
            mend=f"choose from: {', '.join(PARTS)}",
        )


def _one(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.driver import optimize
    from burnish.views.pictures import check_pictures, write_pictures
    from burnish.views.report import summary_lines

    _check_one(arguments)
    page = check_page(arguments.html, [arguments.model]) if arguments.html else None
    if arguments.pictures:
        check_pictures(arguments.pictures)
    screen.progress("load")
    wanted = bool(page is not None or arguments.pictures or arguments.node)
    done = optimize(
        arguments.model,
        opening=wanted,
        watch=_watch() if arguments.each_pass else None,
        **pipeline_keywords(arguments),
    )
    if arguments.pictures:
        for picture in write_pictures(_history(done, arguments), arguments.pictures):
            screen.say(f"drawn: {picture}")
    if page is not None:
        write_text(page, _page(done, arguments))
        tell_page(page, screen, json=arguments.json)
        return 0
    values = _values(done, arguments.node)
    chosen = _chosen(done.records, arguments.only, values)
    if arguments.json:
        screen.json(_json(done.records, chosen, values, figures=arguments.figures))
        return 0
    for record in chosen:
        _show(record, values, screen, figures=arguments.figures)
    if arguments.node and not chosen:
        screen.say(f"no change names '{arguments.node}'")
    for line in summary_lines(done.records):
        screen.say(line)
    return 0


def _values(done: Optimized, name: str | None) -> frozenset[str] | None:
    """The values that ``--node`` is about; None is all of them."""
    from burnish.views.report import values_called

    if name is None or done.opening is None:
        return None
    return values_called(name, [done.opening, *(record.diff for record in done.records)])


def _check_one(arguments: argparse.Namespace) -> None:
    """What may be asked of one model.

    Raises:
        InputError: when it is something else.
    """
    if os.path.isdir(arguments.model):
        mend = f"name its model, {Path(arguments.model) / MODEL}, or see: burnish view"
        raise InputError("one artifact alone is no model", where=arguments.model, mend=mend)
    _refuse(arguments, ("--ignore-names",), "compares two files")
    if arguments.html:
        why = "does not go with --html: the page has filters of its own"
        _refuse(arguments, ("--only", "--node", "--figures"), why)
    elif arguments.each_pass:
        mend = "see: burnish verify MODEL --each-pass"
        raise InputError("--each-pass goes with --html only", mend=mend)
    if arguments.only:
        _check_pass(arguments.only)


def _watch() -> Watcher:
    from burnish.trace import watch_passes

    return watch_passes()


def _page(done: Optimized, arguments: argparse.Namespace) -> str:
    from burnish.views.page import render_page

    history = _history(done, arguments)
    seconds = {record.index: record.seconds for record in done.records}
    return render_page(history, title=f"{history.model} for {history.target}", seconds=seconds)


def _history(done: Optimized, arguments: argparse.Namespace) -> History:
    from burnish.views.history import History

    assert done.opening is not None
    return History.of(
        done.opening,
        done.records,
        model=Path(arguments.model).name,
        target=arguments.target,
        pipeline=str(done.pipeline),
        trace=done.trace,
    )


def _check_pass(name: str) -> None:
    import difflib

    from burnish.registry import pass_types

    known = pass_types()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        mend = f"did you mean {near[0]}?" if near else "see: burnish passes"
        raise InputError(f"no pass is named '{name}'", where="--only", mend=mend)


def _chosen(
    records: Sequence[PassRecord], only: str | None, values: frozenset[str] | None
) -> list[PassRecord]:
    from burnish.views.report import diff_lines, pass_name

    return [
        record
        for record in records
        if (not only or pass_name(record) == only) and diff_lines(record.diff, values)
    ]


def _show(
    record: PassRecord, values: frozenset[str] | None, screen: Screen, *, figures: bool
) -> None:
    from burnish.views.report import diff_lines, record_line

    if figures:
        screen.result(record_line(record))
        return
    turn = f", round {record.round}" if record.round else ""
    screen.result(f"# pass {record.index}{turn}: {record.spec} ({record.diff.summary()})")
    screen.diff(diff_lines(record.diff, values))


def _json(
    records: Sequence[PassRecord],
    chosen: Sequence[PassRecord],
    values: frozenset[str] | None,
    *,
    figures: bool,
) -> dict[str, object]:
    from burnish.views.report import diff_json, diff_lines, records_json

    passes = []
    every = records_json(records)
    for record in chosen:
        held = every[record.index]
        del held["file"]
        if not figures:
            held["lines"] = diff_lines(record.diff, values)
            held["diff"] = diff_json(record.diff)
        passes.append(held)
    before = records[0].before.json() if records else None
    after = records[-1].after.json() if records else None
    return {"before": before, "after": after, "passes": passes}
