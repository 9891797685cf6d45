"""What there is to choose from: passes, presets and targets, described."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import typing
from dataclasses import dataclass
from typing import Any

from burnish.errors import InputError
from burnish.passdef import Pass, option_text
from burnish.pipeline import Pipeline
from burnish.registry import backend, pass_types, presets
from burnish.target import TARGETS
from burnish.views.report import how_many

__all__ = [
    "PassEntry",
    "TargetEntry",
    "describe_pass",
    "pass_catalog",
    "summary",
    "target_catalog",
]


@dataclass(frozen=True)
class PassEntry:
    """A pass, or a preset, which is a pipeline with a name.

    Attributes:
        name: how pipelines spell it.
        kind: ``pass`` or ``preset``.
        exactness: what it may do to the numbers; empty for a preset.
        summary: the first line of its documentation.
        documentation: all of it; the pipeline text of a preset, which may name other presets.
        options: type and default by name.
    """

    name: str
    kind: str
    exactness: str
    summary: str
    documentation: str
    options: dict[str, dict[str, str]]

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        return dict(vars(self))

    def line(self) -> str:
        """On one line."""
        return f"{self.name:<34} {self.exactness or self.kind:<8} {self.summary}".rstrip()

    def text(self) -> str:
        """With all documentation and options."""
        lines = [f"{self.name} ({self.exactness or self.kind})", "", self.documentation]
        if self.options:
            lines += ["", "options"]
            lines += [
                f"  {name}: {option['type']}, default {option['default']}"
                for name, option in self.options.items()
            ]
        return "\n".join(lines)


@dataclass(frozen=True)
class TargetEntry:
    """A target on this machine.

    Attributes:
        name: the name users write.
        backend: what builds for it.
        device: where it runs.
        about: what it is, in a sentence.
        ready: whether it can be built for and run here.
        missing: what is missing and the command that mends it; empty when it is ready.
    """

    name: str
    backend: str
    device: str
    about: str
    ready: bool
    missing: str

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        return dict(vars(self))

    def line(self) -> str:
        """On one line."""
        state = "ready" if self.ready else f"missing: {self.missing}"
        return f"{self.name:<16} {self.about}; {state}"


def pass_catalog() -> list[PassEntry]:
    """Every pass by name, then the presets."""
    found = [_pass_entry(kind) for kind in pass_types().values()]
    return found + [_preset_entry(name, text) for name, text in presets().items()]


def describe_pass(name: str) -> PassEntry:
    """One pass or preset.

    Raises:
        InputError: when there is none of that name; suggests the nearest.
    """
    for entry in pass_catalog():
        if entry.name == name:
            return entry
    near = difflib.get_close_matches(name, [*pass_types(), *presets()], n=1)
    mend = f"did you mean {near[0]}?" if near else "see: burnish passes"
    raise InputError(f"no pass is named '{name}'", mend=mend)


def _pass_entry(kind: type[Pass]) -> PassEntry:
    text = inspect.getdoc(kind) or ""
    exactness = kind.exactness.name.lower()
    return PassEntry(kind.name, "pass", exactness, summary(kind), text, _options(kind))


def summary(kind: type[Pass]) -> str:
    """The first paragraph of a pass's documentation, on one line."""
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def _options(kind: type[Pass]) -> dict[str, dict[str, str]]:
    if not dataclasses.is_dataclass(kind):
        return {}
    hints = typing.get_type_hints(kind)
    return {
        item.name: {
            "type": getattr(hints[item.name], "__name__", str(hints[item.name])),
            "default": (
                "none, it must be given"
                if item.default is dataclasses.MISSING
                else option_text(item.default)
            ),
        }
        for item in dataclasses.fields(kind)
    }


def _preset_entry(name: str, text: str) -> PassEntry:
    pipeline = Pipeline.parse(text, presets())
    count = sum(1 for _ in pipeline.flat())
    summary = f"a pipeline of {how_many(count, 'pass', 'passes')}" if count else "no pass at all"
    return PassEntry(name, "preset", "", summary, text or summary, {})


def target_catalog() -> list[TargetEntry]:
    """Every target, with what its backend says of this machine."""
    found = []
    for target in TARGETS:
        missing = backend(target.backend).missing()
        state = (missing is None, missing or "")
        found.append(TargetEntry(target.name, target.backend, target.device, target.about, *state))
    return found
