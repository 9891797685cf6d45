"""From a run that went wrong to the rewrite that did it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from burnish.culprit.course import Change, Course, Moment
from burnish.culprit.finding import Culprit
from burnish.culprit.judging import Judge, Trial
from burnish.culprit.search import Window, search
from burnish.diff import Diff
from burnish.passdef import Exactness
from burnish.views.report import how_many

__all__ = ["Found", "Hunt", "Say"]

Say = Callable[[str], None]
_DRIFT = 0.5
"""From this part of the final distance on, the rewrites before it share the blame."""


@dataclass(frozen=True)
class Found:
    """A culprit, with the moments around it.

    Attributes:
        culprit: what is to blame.
        before: the last moment that was good.
        after: the first that was bad.
        change: what changed then.
    """

    culprit: Culprit
    before: Moment
    after: Moment
    change: Change


@dataclass
class Hunt:
    """One search along a course.

    Attributes:
        course: the run.
        judge: says of a state whether it is good.
        start: what was found of the source itself.
        end: what was found of the end of the run: that it is bad.
        say: told of each step.
        steps: what was tried, and what was seen.
    """

    course: Course
    judge: Judge
    start: Trial
    end: Trial
    say: Say
    steps: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        course = self.course
        self._seen = {
            course.moment(0): self.start,
            course.moment(course.finish): self.end,
        }

    def run(self) -> Found:
        """Find the rewrite."""
        course = self.course
        steps = math.ceil(math.log2(course.finish))
        self.say(f"{how_many(course.total, 'rewrite')}, {how_many(steps, 'step')} to the culprit")
        window = search(0, course.finish, self._rewrites, self._tell("rewrite"))
        good, bad = course.moment(window.good), course.moment(window.bad)
        if window.bad <= course.total:
            without = Moment(bad.passes, window.good)
            beside = self._trial(without).good if window.is_sharp else None
            if beside is not False:
                return self._found(window, without if beside else good, bad)
            bad = without
        return self._unannounced(good, bad)

    def _unannounced(self, good: Moment, bad: Moment) -> Found:
        """The pass, among those begun between two moments, that is bad without a rewrite."""

        def probe(passes: int) -> bool | None:
            return self._trial(Moment(passes, bad.rewrites)).good

        window = search(good.passes, bad.passes, probe, self._tell("pass"))
        before = Moment(window.good, bad.rewrites) if window.good > good.passes else good
        return self._found(window, before, Moment(window.bad, bad.rewrites), announced=False)

    def _found(self, window: Window, good: Moment, bad: Moment, announced: bool = True) -> Found:
        course = self.course
        trials = self._trial(good), self._trial(bad)
        change = course.change(good, bad)
        rewrite = change.rewrite if announced else None
        index = bad.passes - 1
        fault = course.at(bad).fault if trials[1].kind == "raised" else None
        if index < len(course.records):
            record = course.records[index]
            spec, number, exactness = record.spec, record.round, record.exactness.name
        else:
            assert fault is not None
            spec, number, exactness = fault.spec, fault.round, ""
        name = spec.partition("{")[0]
        rule, member = (rewrite.rule, rewrite.member) if rewrite is not None else (name, "")
        node = rewrite.where if rewrite is not None else ""
        if fault is not None:
            rule, member = fault.rule or name, fault.member
            node = fault.where if fault.rule else node
        culprit = Culprit(
            rewrite=window.bad if announced else None,
            index=index,
            spec=spec,
            round=number,
            exactness=exactness or _promised(course, spec),
            rule=rule,
            member=member,
            node=node,
            sources=change.sources,
            diff=change.diff.lines,
            good=trials[0],
            bad=trials[1],
            notes=tuple(_notes(window, announced, change.diff, trials)),
        )
        return Found(culprit, good, bad, change)

    def _rewrites(self, number: int) -> bool | None:
        return self._trial(self.course.moment(number)).good

    def _trial(self, moment: Moment) -> Trial:
        known = self._seen.get(moment)
        if known is None:
            state = self.course.at(moment)
            known = self._seen[moment] = self.judge(self.course.source, state)
            word = {True: "good", False: "bad", None: "cannot tell"}[known.good]
            self.steps.append((f"{moment.rewrites} rewrites in {moment.passes} passes", word))
        return known

    def _tell(self, noun: str) -> Callable[[int, int, str], None]:
        def tell(left: int, steps: int, seen: str) -> None:
            total = self.course.total if noun == "rewrite" else len(self.course.records)
            things = how_many(total, noun, "passes" if noun == "pass" else "")
            self.say(f"{left} of {things} left, {how_many(steps, 'step')}: {noun} {seen}")

        return tell


def _promised(course: Course, spec: str) -> str:
    """The promise of a pass that has not come to a record."""
    found = {item.spec: item.exactness for item in course.pipeline.flat()}
    return found.get(spec, Exactness.BITWISE).name


def _notes(window: Window, announced: bool, diff: Diff, trials: tuple[Trial, Trial]) -> list[str]:
    notes = []
    if not window.is_sharp:
        what = "rewrites" if announced else "passes"
        notes.append(
            f"{what} {window.good + 1} to {window.bad - 1} could not be told good from bad: "
            f"the culprit is one of {window.good + 1} to {window.bad}"
        )
    if not announced and trials[1].kind != "raised":
        notes.append("the pass changes what it does not announce: it counts as a whole")
    if announced and not diff and trials[1].kind != "raised":
        notes.append("nothing that IR text shows was changed")
    drift = _drift(*trials)
    if drift:
        notes.append(drift)
    return notes


def _drift(good: Trial, bad: Trial) -> str:
    """Said when the distance was there before, and this rewrite only took it over the bound."""
    if bad.kind != "answers" or good.verdict is None or bad.verdict is None:
        return ""
    before = {(out.name, out.where): out.max_abs for out in good.verdict.outputs}
    for out in bad.verdict.outputs:
        was = before.get((out.name, out.where), 0.0)
        if not out.ok and out.max_abs > 0 and was >= _DRIFT * out.max_abs:
            return (
                f"{out.name} was off by {was:.3g} before this rewrite and is off by "
                f"{out.max_abs:.3g} after it: rounding that adds up, of which this is only the "
                "step over the bound; see burnish verify --each-pass, or allow more with --rtol"
            )
    return ""
