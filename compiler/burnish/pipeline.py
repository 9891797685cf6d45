"""Passes in order, and a record of what each one did.

Pipeline text names passes, groups them to a fixpoint, and may name presets::

    normalize-constants, fixpoint{limit=8}[fold-constants, eliminate-identity], remove-dead-code
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import functools
import time
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from burnish.diff import Diff, Recorder
from burnish.errors import BurnishError, InputError, PassError, SpecError
from burnish.figures import Figures, Meter
from burnish.graph import SOURCES
from burnish.ir import Model, all_nodes, label
from burnish.passdef import Context, Exactness, Fuel, Pass, Remark, Rewrite
from burnish.registry import pass_types
from burnish.spec import Item, parse
from burnish.target import Target

if TYPE_CHECKING:
    from burnish.calibration import Calibration

__all__ = ["Fixpoint", "PassRecord", "Pipeline", "weakest_promise"]


@dataclass(slots=True)  # not frozen, which costs 2 us more, and a run makes 240 of them
class PassRecord:
    """What one pass did; a value, not to be changed.

    Attributes:
        index: 0-based position among the passes run.
        spec: the pass as pipeline text.
        round: which round of the surrounding fixpoint this was, from 1; 0 outside of one.
        exactness: what the pass may do to the numbers.
        seconds: wall time of the pass, recording excluded.
        diff: what changed, as observed.
        remarks: what the pass said about places.
        before: figures of the model before it.
        after: figures of the model after it.
        rewrites: how many changes had been made in the whole run when it ended.
    """

    index: int
    spec: str
    round: int
    exactness: Exactness
    seconds: float
    diff: Diff
    remarks: tuple[Remark, ...]
    before: Figures
    after: Figures
    rewrites: int


def weakest_promise(records: Iterable[PassRecord]) -> Exactness:
    """What the passes that changed something may have done to the numbers, all together."""
    changed = (record.exactness for record in records if record.diff)
    return max(changed, default=Exactness.BITWISE)


@dataclass(frozen=True)
class Fixpoint:
    """Passes repeated until none of them changes anything, at most ``limit`` rounds."""

    passes: tuple[Step, ...]
    limit: int = 8

    @property
    def spec(self) -> str:
        """As pipeline text."""
        options = "" if self.limit == 8 else f"{{limit={self.limit}}}"
        return f"fixpoint{options}[{', '.join(step.spec for step in self.passes)}]"


Step: TypeAlias = "Pass | Fixpoint"


@dataclass(frozen=True)
class Pipeline:
    """Passes in order; ``str`` gives text that :meth:`parse` reads back."""

    passes: tuple[Step, ...]

    def __str__(self) -> str:
        return ", ".join(step.spec for step in self.passes)

    @classmethod
    def parse(cls, text: str, presets: Mapping[str, str] | None = None) -> Pipeline:
        """Read pipeline text.

        Args:
            text: the text; names of ``presets`` stand for their text.
            presets: pipeline text by name.

        Raises:
            SpecError: with a caret under what is wrong.
        """
        return cls(tuple(_steps(parse(text), text, presets or {})))

    def flat(self) -> Iterator[Pass]:
        """Every pass once, in order, fixpoints opened."""
        pending: list[Step] = list(reversed(self.passes))
        while pending:
            step = pending.pop()
            if isinstance(step, Fixpoint):
                pending.extend(reversed(step.passes))
            else:
                yield step

    def without(self, name: str) -> Pipeline:
        """The same without all passes of this name, whatever their options."""
        return Pipeline(_without(self.passes, name))

    @property
    def exactness(self) -> Exactness:
        """The weakest promise among the passes."""
        return max((item.exactness for item in self.flat()), default=Exactness.BITWISE)

    def run(
        self,
        model: Model,
        target: Target,
        *,
        stop_after: int | None = None,
        record: bool = True,
        fuel: Fuel | None = None,
        calibration: Calibration | None = None,
    ) -> Iterator[PassRecord]:
        """Change ``model`` pass by pass, yielding a record after each.

        Args:
            model: changed in place.
            target: what it is compiled for.
            stop_after: make at most this many rewrites in all (for bisecting).
            record: whether to observe diffs and figures; without, records hold empty ones.
            fuel: counts the rewrites in place of ``stop_after``, for who wants to know the last.
            calibration: data for passes that need some.

        Raises:
            PassError: when a pass raises; names the pass.
        """
        fuel = Fuel(stop_after) if fuel is None else fuel
        run = _Run(model, Context.of(model, target, fuel, calibration), record)
        yield from run.steps(self.passes, 0)


def _without(steps: tuple[Step, ...], name: str) -> tuple[Step, ...]:
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Fixpoint):
            inner = _without(step.passes, name)
            kept += [Fixpoint(inner, step.limit)] if inner else []
        elif step.name != name:
            kept.append(step)
    return tuple(kept)


_NO_FIGURES = Figures(0, 0, 0, None)
_UNCHANGED = Diff()


class _Run:
    """One run of a pipeline over a model."""

    def __init__(self, model: Model, ctx: Context, record: bool) -> None:
        self.model = model
        self.ctx = ctx
        self.recorder = Recorder(model, ctx.look(model)) if record else None
        self.meter = Meter(model)
        self.figures = (
            _NO_FIGURES if self.recorder is None else self.recorder.figures(self.meter, ctx.shapes)
        )
        self.index = 0
        self.last_spent: dict[str, int] = {}
        for node in all_nodes(model):
            if not node.name:
                # It is called for its result, which may get another name on the way.
                node.meta.setdefault(SOURCES, (label(node),))

    def steps(self, steps: tuple[Step, ...], round_number: int) -> Iterator[PassRecord]:
        for step in steps:
            if isinstance(step, Fixpoint):
                yield from self.fixpoint(step)
            else:
                yield self.one(step, round_number)

    def fixpoint(self, group: Fixpoint) -> Iterator[PassRecord]:
        """Repeat the group; a pass that sees the same graph as last time is not run again."""
        named = [(step.spec, step) for step in group.passes]
        fuel, last_spent = self.ctx.fuel, self.last_spent
        for number in range(1, group.limit + 1):
            start = fuel.spent
            for name, step in named:
                if last_spent.get(name) == fuel.spent:
                    continue
                last_spent[name] = fuel.spent
                if isinstance(step, Fixpoint):
                    yield from self.fixpoint(step)
                else:
                    yield self.one(step, number)
            if fuel.spent == start:
                return

    def one(self, item: Pass, round_number: int) -> PassRecord:
        spent = self.ctx.fuel.spent
        start = time.perf_counter()
        try:
            item.run(self.model, self.ctx)
        except PassError as error:
            error.spec, error.round = item.spec, round_number
            raise
        except BurnishError:
            raise
        except Exception as error:
            failed = PassError(
                f"{type(error).__name__}: {error}",
                where=f"pass {item.spec}",
                mend="please report it with the model; --passes without it goes round",
            )
            failed.spec, failed.round = item.spec, round_number
            raise failed from error
        seconds = time.perf_counter() - start
        # Passes that count their changes made none when they counted none.
        untouched = item.counted and self.ctx.fuel.spent == spent
        if not untouched:
            self.ctx.forget()  # it may have looked at the model before its last change
        before, diff = self.figures, _UNCHANGED
        if self.recorder is not None and not untouched:
            self.ctx.look(self.model)
            diff = self.recorder.observe()
            if diff and self.ctx.fuel.spent == spent:
                self.ctx.fuel.spent += 1  # an unannounced change counts as one
                self.ctx.fuel.last = Rewrite(item.name, "model")
            self.figures = self.recorder.figures(self.meter, self.ctx.shapes)
        self.index += 1
        return PassRecord(
            self.index - 1,
            item.spec,
            round_number,
            item.exactness,
            seconds,
            diff,
            self.ctx.take_remarks(),
            before,
            self.figures,
            self.ctx.fuel.spent,
        )


def _steps(items: tuple[Item, ...], text: str, presets: Mapping[str, str]) -> Iterator[Step]:
    for item in items:
        if item.name == "fixpoint":
            yield _fixpoint(item, text, presets)
        elif item.name in presets and item.inner is None and not item.options:
            others = {name: spec for name, spec in presets.items() if name != item.name}
            yield from Pipeline.parse(presets[item.name], others).passes
        else:
            yield _pass(item, text, presets)


def _fixpoint(item: Item, text: str, presets: Mapping[str, str]) -> Fixpoint:
    if item.inner is None:
        raise SpecError("fixpoint needs [passes]", text=text, column=item.column)
    limit = 8
    for key, value in item.options:
        if key != "limit":
            raise SpecError("fixpoint takes limit=N only", text=text, column=item.column)
        if not value.isdecimal() or int(value) < 1:
            raise SpecError("limit must be 1 or more", text=text, column=item.column)
        limit = int(value)
    steps = tuple(_steps(item.inner, text, presets))
    if not steps:
        raise SpecError("fixpoint holds no pass", text=text, column=item.column)
    return Fixpoint(steps, limit)


def _pass(item: Item, text: str, presets: Mapping[str, str]) -> Pass:
    known = pass_types()
    found = known.get(item.name)
    if found is None:
        near = difflib.get_close_matches(item.name, [*known, *presets, "fixpoint"], n=1)
        raise SpecError(
            f"no pass is named '{item.name}'",
            text=text,
            column=item.column,
            mend=f"did you mean {near[0]}?" if near else "see: burnish passes",
        )
    if item.inner is not None:
        raise SpecError(f"{item.name} takes no [passes]", text=text, column=item.column)
    try:
        return found(**_options(found, dict(item.options)))
    except InputError as error:
        raise SpecError(error.what, text=text, column=item.column, mend=error.mend) from error
    except (TypeError, ValueError) as error:
        raise SpecError(str(error), text=text, column=item.column) from error


@functools.cache
def _fields(found: type[Pass]) -> dict[str, Any]:
    """The options of a pass and their types."""
    if not dataclasses.is_dataclass(found) or not dataclasses.fields(found):
        return {}
    hints = typing.get_type_hints(found)
    return {field.name: hints[field.name] for field in dataclasses.fields(found)}


def _options(found: type[Pass], given: Mapping[str, str]) -> dict[str, Any]:
    """Turn option texts into the values a pass's fields want."""
    fields = _fields(found)
    for key in given:
        if key not in fields:
            takes = ", ".join(fields) or "none"
            raise InputError(f"{found.name} has no option '{key}'", mend=f"its options: {takes}")
    return {key: _value(fields[key], text, f"{found.name}{{{key}}}") for key, text in given.items()}


def _value(hint: Any, text: str, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        if text in ("", "none"):
            return None
        hint = next(item for item in typing.get_args(hint) if item is not type(None))
        origin = typing.get_origin(hint)
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, part, where) for part in text.split("/") if part)
    if origin is typing.Literal:
        if text not in typing.get_args(hint):
            choices = ", ".join(map(str, typing.get_args(hint)))
            raise InputError(f"{where} cannot be '{text}'", mend=f"choose from: {choices}")
        return text
    if hint is bool:
        if text not in ("true", "false"):
            raise InputError(f"{where} must be true or false")
        return text == "true"
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        if text.upper() not in hint.__members__:
            choices = ", ".join(name.lower() for name in hint.__members__)
            raise InputError(f"{where} cannot be '{text}'", mend=f"choose from: {choices}")
        return hint[text.upper()]
    try:
        return hint(text)
    except ValueError as error:
        kind = f"an {hint.__name__}" if hint.__name__[0] in "aeiou" else f"a {hint.__name__}"
        raise InputError(f"{where} cannot be '{text}'", mend=f"it is {kind}") from error
