"""Results of ``benchmarks.optimize`` as markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

MEGABYTE = 1e6


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean of positive numbers; NaN when there are none."""
    logs = [math.log(ratio) for ratio in ratios if ratio > 0]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; the first column is left-aligned, the others right-aligned."""
    lines = [f"| {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}"]
    lines.extend(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join(lines)


def _cell(entry: dict[str, Any], tool: str, figure: str) -> str:
    result = entry["tools"][tool]
    if result["failure"]:
        return "FAILED"
    if figure == "nodes":
        wrong = not result.get("answers", "same").startswith("same")
        return f"{result['nodes']}{' (!)' if wrong else ''}"
    if figure == "seconds":
        return f"{result['seconds']:.3f}"
    return f"{result[figure] / MEGABYTE:.2f}"


def _ratios(entries: Sequence[dict[str, Any]], tool: str, other: str, figure: str) -> list[float]:
    ratios = []
    for entry in entries:
        ours, theirs = entry["tools"][tool], entry["tools"][other]
        if not ours["failure"] and not theirs["failure"] and theirs[figure] > 0:
            ratios.append(ours[figure] / theirs[figure])
    return ratios


def _comparison(entries: Sequence[dict[str, Any]], tools: Sequence[str]) -> str:
    """The geometric mean, over the models both did, of the first tool's figures to the others'."""
    first = tools[0]
    rows = []
    for other in tools[1:]:
        means = [
            f"{geometric_mean(_ratios(entries, first, other, figure)):.3f}"
            for figure in ("seconds", "cpu_seconds", "nodes", "size", "memory")
        ]
        both = len(_ratios(entries, first, other, "seconds"))
        rows.append([f"{first} / {other}", *means, str(both)])
    header = ("geometric mean", "wall", "CPU", "nodes", "file size", "memory", "models")
    return markdown(header, rows)


def _model_rows(entries: Sequence[dict[str, Any]], tools: Sequence[str]) -> Iterable[Sequence[str]]:
    for entry in entries:
        row = [entry["model"], str(entry["nodes"])]
        for figure in ("nodes", "seconds", "size", "memory"):
            row.extend(_cell(entry, tool, figure) for tool in tools)
        for other in tools[1:]:
            ratio = _ratios([entry], tools[0], other, "seconds")
            row.append(f"{ratio[0]:.2f}" if ratio else "-")
        yield row


def _complaints(entries: Sequence[dict[str, Any]], tools: Sequence[str]) -> list[str]:
    found = []
    for entry in entries:
        for tool in tools:
            result = entry["tools"][tool]
            answers = result.get("answers", "same")
            trouble = result["failure"] or ("" if answers.startswith("same") else answers)
            if trouble:
                found.append(f"- {entry['model']}, {tool}: {trouble}")
    return found


def _larger(entries: Sequence[dict[str, Any]], tools: Sequence[str]) -> list[str]:
    """The models on which the first tool leaves more nodes than another whose answers hold."""
    found = []
    for entry in entries:
        results = entry["tools"]
        others = {
            tool: results[tool]["nodes"]
            for tool in tools[1:]
            if not results[tool]["failure"]
            and results[tool].get("answers", "same").startswith("same")
        }
        ours = results[tools[0]]
        if not ours["failure"] and others and ours["nodes"] > min(others.values()):
            counts = ", ".join(f"{tool} {nodes}" for tool, nodes in others.items())
            found.append(f"- {entry['model']}: {tools[0]} {ours['nodes']}, {counts}")
    return found


def render(report: dict[str, Any], tools: Sequence[str]) -> str:
    """The whole report: environment, one row per model, means, failures."""
    entries = report["models"]
    header = ["model", "nodes"]
    for title in ("nodes", "s", "MB", "peak MB"):
        header.extend(f"{tool} {title}" for tool in tools)
    header.extend(f"s {tools[0]}/{other}" for other in tools[1:])
    parts = [
        ", ".join(f"{name} {value}" for name, value in report["environment"].items()),
        markdown(header, _model_rows(entries, tools)),
    ]
    if len(tools) > 1:
        parts.append(_comparison(entries, tools))
        larger = _larger(entries, tools)
        parts.append(f"{tools[0]} leaves more nodes on {len(larger)} models.")
        if larger:
            parts.append("\n".join(larger))
    complaints = _complaints(entries, tools)
    if complaints:
        parts.append("Failed, or gave other answers (!):\n\n" + "\n".join(complaints))
    return "\n\n".join(parts)
