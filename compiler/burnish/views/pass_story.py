"""Everything a pass did and did not do in a run, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from burnish.passdef import Remark
from burnish.pipeline import PassRecord
from burnish.views.near_text import Close, capped, close_lines
from burnish.views.report import diff_json, how_many, remarks_json

__all__ = ["Declined", "PassStory"]

FORMAT = "burnish-explain/1"


@dataclass(frozen=True)
class Declined:
    """A reason that a pass gave, and all places it gave it for.

    Attributes:
        rule: the pass or rule that spoke.
        why: the reason.
        where: the places where it still stands.
        earlier: places it was given for during the run and no longer.
        remedy: what can be done about it, if anything is known to help.
        general: the reason without the names of values; reasons alike in it are told together.
    """

    rule: str
    why: str
    where: tuple[str, ...]
    earlier: tuple[str, ...]
    remedy: str | None
    general: str = ""

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        return {
            "rule": self.rule,
            "why": self.why,
            "where": list(self.where),
            "earlier": list(self.earlier),
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class PassStory:
    """Everything a pass did and did not do in one run.

    Attributes:
        name: the pass, with options if it was asked for with some.
        records: its records, in order.
        planned: whether the pipeline has it.
        state: which state of the model the rest is about.
        declined: where it declined and why, reasons that still stand first.
        would: where it would apply now, were it run on that state.
        near: where it came close, best first.
        levels: presets that run it.
        notes: what else a user should know.
    """

    name: str
    records: tuple[PassRecord, ...]
    planned: bool
    state: str = "the result"
    declined: tuple[Declined, ...] = ()
    would: tuple[Remark, ...] = ()
    near: tuple[Close, ...] = ()
    levels: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def applied(self) -> list[tuple[PassRecord, list[Remark]]]:
        """Its runs in which it applied, with where."""
        found = []
        for record in self.records:
            remarks = [remark for remark in record.remarks if remark.kind == "applied"]
            if remarks or record.diff:
                found.append((record, remarks))
        return found

    def json(self) -> dict[str, Any]:
        """With stable keys, see ``docs/schema/explain.schema.json``."""
        runs = [
            {
                "index": record.index,
                "spec": record.spec,
                "round": record.round,
                "diff": diff_json(record.diff),
                "remarks": remarks_json(record.remarks),
            }
            for record in self.records
        ]
        return {
            "format": FORMAT,
            "kind": "pass",
            "name": self.name,
            "part_of_pipeline": self.planned,
            "levels": list(self.levels),
            "state": self.state,
            "runs": runs,
            "declined": [each.json() for each in self.declined],
            "would_apply": [
                {"rule": each.rule, "where": each.where, "why": each.why} for each in self.would
            ],
            "near_misses": [each.json() for each in self.near],
            "notes": list(self.notes),
        }

    def text(self, limit: int | None = 5) -> str:
        """Where it applied, where it declined, and why.

        Args:
            limit: how many places of a kind to list; None is all of them.
        """
        lines = [self._head()]
        lines += [f"  {note}" for note in self.notes]
        lines += self._applied_lines(limit)
        lines += self._would_lines(limit)
        lines += self._declined_lines(limit)
        lines += self._near_lines(limit)
        if len(lines) == 1:
            lines.append(f"  no place in {self.state} looks like what it replaces")
        return "\n".join(lines)

    def _head(self) -> str:
        if not self.planned:
            where = f"; {', '.join(self.levels)} would run it" if self.levels else ""
            return f"{self.name} is not in this pipeline{where}"
        if not self.records:
            return f"{self.name} is in this pipeline, and has not run up to here"
        places = sum(len(remarks) for _, remarks in self.applied)
        runs = how_many(len(self.records), "run")
        if places:
            return f"{self.name}: {runs}, applied at {how_many(places, 'place')}"
        changed = sum(bool(record.diff) for record in self.records)
        did = f"changed the model in {changed} of them" if changed else "changed nothing"
        return f"{self.name}: {runs}, {did}"

    def _applied_lines(self, limit: int | None) -> list[str]:
        lines = []
        for record, remarks in self.applied:
            turn = f", round {record.round}" if record.round else ""
            lines.append(f"  applied in pass {record.index}{turn} ({record.diff.summary()})")
            lines += [f"    {line}" for line in capped(_places(remarks, self.name), limit)]
        notes = [r for record in self.records for r in record.remarks if r.kind == "note"]
        lines += [f"  note: {each.where}: {each.why}" for each in dict.fromkeys(notes)]
        return lines

    def _would_lines(self, limit: int | None) -> list[str]:
        if not self.would:
            return []
        places = how_many(len(self.would), "place")
        if self.planned:
            lines = [f"  run on {self.state} it would apply at {places}"]
        else:
            lines = [f"  added at the end it would apply to {self.state} at {places}"]
        return lines + [f"    {line}" for line in capped(_places(self.would, self.name), limit)]

    def _declined_lines(self, limit: int | None) -> list[str]:
        alike: dict[tuple[str, str], list[Declined]] = {}
        for each in self.declined:
            alike.setdefault((each.rule, each.general or each.why), []).append(each)
        now: list[str] = []
        earlier: list[str] = []
        for group in alike.values():
            standing = [(where, each.why) for each in group for where in each.where]
            helps = list(dict.fromkeys(each.remedy for each in group if each.remedy))
            now += self._reason(group, standing, f"declined in {self.state}", helps, limit)
            gone = [(where, each.why) for each in group for where in each.earlier]
            earlier += self._reason(group, gone, "declined earlier", [], limit)
        return now + earlier

    def _reason(
        self,
        group: Sequence[Declined],
        places: Sequence[tuple[str, str]],
        head: str,
        remedies: Sequence[str],
        limit: int | None,
    ) -> list[str]:
        """Reasons alike, with their places."""
        if not places:
            return []
        first = group[0]
        rule = "" if first.rule == self.name else f" ({first.rule})"
        same = len({why for _, why in places}) == 1
        lines = [f"  {head}{rule}: {places[0][1] if same else first.general}"]
        lines += [f"    → {text}" for text in remedies]
        shown = [where if same else f"{where}: {why}" for where, why in places]
        return lines + [f"    {line}" for line in capped(shown, limit)]

    def _near_lines(self, limit: int | None) -> list[str]:
        # What it declined stands above already, with the same reason.
        near = [close for close in self.near if not close.miss.declined]
        if not near:
            return []
        lines = [f"  closest places in {self.state}"]
        alike: dict[object, list[Close]] = {}
        for close in near:
            miss = close.miss
            key = (miss.rule, miss.operators, close.general or miss.conditions)
            alike.setdefault(key, []).append(close)
        groups = list(alike.values())
        for group in groups if limit is None else groups[:limit]:
            lines += [f"    {line}" for line in close_lines(group[0], with_pass=False)]
            if len(group) > 1:
                others = [close.miss.where for close in group[1:]]
                lines.append(f"    alike at {how_many(len(others), 'more place')}")
                lines += [f"      {line}" for line in capped(others, limit)]
        if limit is not None and len(groups) > limit:
            lines.append(f"    and {len(groups) - limit:,} more; --all")
        return lines


def _places(remarks: Sequence[Remark], name: str) -> list[str]:
    """Places on a line each, with what the pass says of them."""
    found = []
    for remark in remarks:
        rule = "" if remark.rule == name else f" ({remark.rule})"
        why = f": {remark.why}" if remark.why else ""
        found.append(f"{remark.where}{rule}{why}")
    return found
