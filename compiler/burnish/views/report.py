"""Records, figures and diffs as text for people and as JSON with stable keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from burnish.diff import Constant, Diff, Entry, entry_text
from burnish.figures import Figures
from burnish.passdef import Remark
from burnish.pipeline import PassRecord

__all__ = [
    "bytes_text",
    "change_text",
    "count_text",
    "diff_files",
    "diff_json",
    "diff_lines",
    "figures_lines",
    "how_many",
    "names",
    "pass_name",
    "record_line",
    "records_json",
    "remarks_json",
    "summary_lines",
    "values_called",
]

_NAME_WIDTH = 34


def pass_name(record: PassRecord) -> str:
    """The pass's name, without its options."""
    return record.spec.partition("{")[0]


def bytes_text(size: int) -> str:
    """A number of bytes with a decimal unit, as in ``1.2 MB``; keeps the sign."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.95 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def count_text(count: Any) -> str:
    """A count with separated thousands, a polynomial as it is, and ``?`` for an unknown one."""
    if count is None:
        return "?"
    return f"{count:,}" if isinstance(count, int) else str(count)


def change_text(before: Any, after: Any) -> str:
    """``before → after`` with the change in percent; one value when they are equal."""
    if before == after:
        return count_text(before)
    text = f"{count_text(before)} → {count_text(after)}"
    if isinstance(before, int) and isinstance(after, int) and before:
        text += f" ({(after - before) / before:+.1%})"
    return text


def record_line(record: PassRecord) -> str:
    """What a pass did, on one line: index, name, nodes, bytes, time."""
    nodes = record.after.nodes - record.before.nodes
    size = record.after.bytes - record.before.bytes
    parts = [
        f"{record.index:3} {pass_name(record):<{_NAME_WIDTH}}",
        f"{nodes:+6} nodes" if nodes else " " * 12,
        f"{'+' * (size > 0) + bytes_text(size):>10}" if size else "",
    ]
    return f"{' '.join(parts):<63} {1000 * record.seconds:7.0f} ms  {record.diff.summary()}"


def figures_lines(before: Figures, after: Figures) -> list[str]:
    """The four figures, before and after."""
    size = bytes_text(before.bytes)
    if before.bytes != after.bytes:
        size = f"{size} → {bytes_text(after.bytes)}"
    return [
        f"nodes       {change_text(before.nodes, after.nodes)}",
        f"parameters  {change_text(before.parameters, after.parameters)}",
        f"bytes       {size}",
        f"MACs        {change_text(before.macs, after.macs)}",
    ]


def how_many(count: int, one: str, more: str = "") -> str:
    """A number with its noun: ``1 sample``, ``2 samples``."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def summary_lines(records: Sequence[PassRecord]) -> list[str]:
    """How many passes changed nothing, and the figures before and after all of them."""
    if not records:
        return ["no pass was run"]
    idle = sum(not record.diff for record in records)
    seconds = sum(record.seconds for record in records)
    lines = [
        f"{how_many(len(records), 'pass', 'passes')} in {seconds:.2f} s, {idle} of them changed nothing"
    ]
    return lines + figures_lines(records[0].before, records[-1].after)


def remarks_json(remarks: Iterable[Remark]) -> list[dict[str, Any]]:
    """Remarks of one kind, rule and reason together, with all the places they speak of."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for remark in remarks:
        groups.setdefault((remark.kind, remark.rule, remark.why), []).append(remark.where)
    return [
        {"kind": kind, "rule": rule, "why": why, "where": where}
        for (kind, rule, why), where in groups.items()
    ]


def _record_json(record: PassRecord, made_before: int) -> dict[str, Any]:
    return {
        "index": record.index,
        "spec": record.spec,
        "round": record.round,
        "exactness": record.exactness.name.lower(),
        "before": record.before.json(),
        "after": record.after.json(),
        "diff": {
            "added": record.diff.counts[0],
            "removed": record.diff.counts[1],
            "changed": record.diff.counts[2],
        },
        "rewrites": record.rewrites - made_before,
        "remarks": remarks_json(record.remarks),
        "file": _diff_file(record) if record.diff else None,
    }


def records_json(records: Iterable[PassRecord]) -> list[dict[str, Any]]:
    """The records of one run without their wall times, so that equal runs give equal text.

    ``file`` is the name of a pass's diff in an artifact, None when nothing changed; ``rewrites`` is
    how many changes this pass made.
    """
    found, made = [], 0
    for record in records:
        found.append(_record_json(record, made))
        made = record.rewrites
    return found


def diff_files(records: Iterable[PassRecord]) -> dict[str, str]:
    """The diff of each pass that changed something, by its file name in an artifact."""
    return {_diff_file(record): record.diff.text() for record in records if record.diff}


def _diff_file(record: PassRecord) -> str:
    return f"passes/{record.index:03}-{pass_name(record)}.diff"


def diff_json(diff: Diff) -> dict[str, Any]:
    """A whole diff, line by line."""
    return {
        "added": list(diff.added),
        "removed": list(diff.removed),
        "changed": [{"before": before, "after": after} for before, after in diff.changed],
    }


def diff_lines(diff: Diff, mentions: Collection[str] | None = None) -> list[str]:
    """The lines of a diff; with ``mentions``, only changes at one of these values."""
    if mentions is None:
        return list(diff.lines)
    return [
        f"{sign}  {entry_text(entry)}"
        for sign, entry in diff.entries
        if sign in "+-" and _is_at(entry, mentions)
    ]


def _is_at(entry: Entry, values: Collection[str]) -> bool:
    """Whether a line reads, makes or declares one of ``values``."""
    if isinstance(entry, str):
        return any(names(entry, value) for value in values)
    if isinstance(entry, Constant):
        return entry.name in values
    return any(name in values for name in (*entry[3], *entry[4]))


def values_called(name: str, diffs: Iterable[Diff]) -> frozenset[str]:
    """``name`` as that of a value, and the results of the nodes that are called so.

    Args:
        name: of a value, or of a node.
        diffs: of a run, what stood there at first among them.
    """
    found = {name}
    for diff in diffs:
        for results, origin in diff.origins.items():
            if origin.label == name:
                found.update(each for each in results if each)
    return frozenset(found)


def names(line: str, name: str) -> bool:
    """Whether ``name`` stands in ``line`` as a whole name, not as a part of another."""
    start = line.find(name)
    while start >= 0:
        end = start + len(name)
        before, after = line[start - 1 : start], line[end : end + 1]
        if before in _EDGES and after in _EDGES:
            return True
        start = line.find(name, start + 1)
    return False


_EDGES: Mapping[str, None] = dict.fromkeys(("", " ", ",", "(", ")", ":", "="))
