"""``burnish diff``: what the passes change in a model, or what differs between two files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from burnish.cli.options import add_pipeline_options, pipeline_keywords, shape_keywords
from burnish.cli.pages import check_page, write_page
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.driver import Optimized
    from burnish.pipeline import PassRecord
    from burnish.stages import Watcher
    from burnish.views.history import History

SUMMARY = "show what each pass changes in a model, or what differs between two models or two runs"
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


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Show differences; for two files or artifacts 0 when there is none and 1 otherwise."""
    if arguments.other and arguments.pictures:
        raise InputError("--pictures shows one model's passes", mend="leave it out, or OTHER")
    runs = arguments.other and all(map(os.path.isdir, (arguments.model, arguments.other)))
    if arguments.ignore_names and (runs or not arguments.other):
        raise InputError("--ignore-names compares two files", mend="leave it out")
    if runs:
        return _runs(arguments, screen)
    return _two(arguments, screen) if arguments.other else _one(arguments, screen)


def _runs(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.views.comparison import history_of_runs
    from burnish.views.report import names
    from burnish.views.runs import diff_artifacts

    if arguments.figures or arguments.passes or arguments.level:
        raise InputError("these options do not go with two artifacts", mend="leave them out")
    page = _page_name(arguments)
    found = diff_artifacts(Path(arguments.model), Path(arguments.other)).only(arguments.only)
    if page is not None:
        _write_comparison(page, history_of_runs(found, (arguments.model, arguments.other)), screen)
    elif arguments.json:
        screen.json(found.json())
    else:
        node = arguments.node
        screen.diff(line for line in found.lines if not node or names(line, node))
    screen.say(found.summary())
    return 1 if found else 0


def _two(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.figures import measure
    from burnish.loading import load
    from burnish.modeldiff import diff_models
    from burnish.shapes import Shapes
    from burnish.views.comparison import history_of_models

    if arguments.figures or arguments.passes or arguments.level:
        raise InputError(
            "options of a pipeline do not go with two files", mend="leave them out, or OTHER"
        )
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
        _write_comparison(page, history, screen)
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


def _write_comparison(page: Path, history: History, screen: Screen) -> None:
    from burnish.views.page import render_page

    write_page(page, render_page(history, title=history.model, steps="parts"))
    screen.result(str(page))


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

    if arguments.only:
        _check_pass(arguments.only)
    page = check_page(arguments.html, [arguments.model]) if arguments.html else None
    if arguments.each_pass and page is None:
        mend = "see: burnish verify MODEL --each-pass"
        raise InputError("--each-pass goes with --html only", mend=mend)
    if arguments.pictures:
        check_pictures(arguments.pictures)
    screen.progress("load")
    wanted = page is not None or arguments.pictures is not None
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
        write_page(page, _page(done, arguments))
        screen.result(str(page))
        return 0
    if arguments.json:
        screen.json(_json(done.records, arguments))
        return 0
    for record in _chosen(done.records, arguments):
        _show(record, arguments, screen)
    for line in summary_lines(done.records):
        screen.say(line)
    return 0


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


def _chosen(records: Sequence[PassRecord], arguments: argparse.Namespace) -> list[PassRecord]:
    from burnish.views.report import diff_lines, pass_name

    return [
        record
        for record in records
        if record.diff
        and (not arguments.only or pass_name(record) == arguments.only)
        and (not arguments.node or diff_lines(record.diff, arguments.node))
    ]


def _show(record: PassRecord, arguments: argparse.Namespace, screen: Screen) -> None:
    from burnish.views.report import diff_lines, record_line

    if arguments.figures:
        screen.result(record_line(record))
        return
    turn = f", round {record.round}" if record.round else ""
    screen.result(f"# pass {record.index}{turn}: {record.spec} ({record.diff.summary()})")
    screen.diff(diff_lines(record.diff, arguments.node))


def _json(records: Sequence[PassRecord], arguments: argparse.Namespace) -> dict[str, object]:
    from burnish.views.report import diff_json, diff_lines, records_json

    passes = []
    every = records_json(records)
    for record in _chosen(records, arguments):
        held = every[record.index]
        del held["file"]
        if not arguments.figures:
            held["lines"] = diff_lines(record.diff, arguments.node)
            held["diff"] = diff_json(record.diff)
        passes.append(held)
    before = records[0].before.json() if records else None
    after = records[-1].after.json() if records else None
    return {"before": before, "after": after, "passes": passes}
