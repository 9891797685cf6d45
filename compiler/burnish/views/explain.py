"""Why a pass did what it did, and what became of a node, a weight, an input or an output."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from burnish.diff import Diff, Recorder
from burnish.errors import InputError, SpecError
from burnish.ir import Model, Node, all_nodes, label
from burnish.loading import load
from burnish.nearmiss import Answer, NearMiss, NearMisses, ask
from burnish.nearmiss.asking import asking_context
from burnish.passdef import Context, Exactness, Pass, Remark
from burnish.pipeline import PassRecord, Pipeline
from burnish.registry import pass_types, presets
from burnish.target import Target
from burnish.views.events import tell
from burnish.views.lineage import Lineage, Thing
from burnish.views.linking import lineage_of
from burnish.views.near_text import Close
from burnish.views.node_story import NodeStory
from burnish.views.pass_story import Declined, PassStory
from burnish.views.remedies import Situation, remedy
from burnish.views.report import pass_name

__all__ = ["Inquiry", "NodeStory", "PassStory"]

_FEW_SURVIVORS = 2
"""Near misses at what a node went into, or at who reads a weight, are told up to so many."""


@dataclass(frozen=True)
class Inquiry:
    """A run that is asked about.

    Attributes:
        model: the model as the run left it.
        records: of the passes that ran, in order.
        pipeline: what was to run.
        opening: all that stood in the source.
        target: what the model was compiled for.
        allow: the weakest promise that passes may make.
        state: what to call the model as the run left it.
    """

    model: Model
    records: Sequence[PassRecord]
    pipeline: Pipeline
    opening: Diff
    target: Target = field(default_factory=Target)
    allow: Exactness = Exactness.FLOAT
    state: str = "the result"

    def explain(self, name: str) -> PassStory | NodeStory:
        """The story of a pass, node, weight, input or output.

        A node comes before a pass of the same name.

        Raises:
            InputError: when there is none of that name; suggests the nearest.
        """
        if self._things(name) or self._interface(name):
            return self.node(name)
        if name.partition("{")[0] in pass_types():
            return self.of_pass(name)
        raise InputError(f"no pass and no node is named '{name}'", mend=self._suggestion(name))

    def _suggestion(self, name: str) -> str:
        if name in presets():
            return "it is a pipeline of passes: ask for one of them; see: burnish passes " + name
        known = [*pass_types(), *self.lineage.names, *self._sides[0], *self._sides[1]]
        near = [each for each in known if each.endswith((f"/{name}", f".{name}"))]
        near = near or difflib.get_close_matches(name, known, n=1)
        return f"did you mean {near[0]}?" if near else "see: burnish inspect, burnish passes"

    @cached_property
    def lineage(self) -> Lineage:
        """What became what."""
        return lineage_of(self.opening, self.records)

    @cached_property
    def _ctx(self) -> Context:
        return asking_context(self.model, self.target)

    @cached_property
    def _passes(self) -> dict[str, Pass]:
        return {item.name: item for item in self.pipeline.flat()}

    @cached_property
    def _nodes(self) -> dict[str, list[Node]]:
        """The nodes of the model as it stands, by label and by name of result."""
        found: dict[str, list[Node]] = {}
        for node in all_nodes(self.model):
            for name in dict.fromkeys((label(node), *(v.name or "" for v in node.outputs))):
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def _situation(self) -> Situation:
        ran = map(pass_name, self.records)
        return Situation.of(self.model, self._ctx.shapes, self.target, self.pipeline, ran)

    # ---- passes ----------------------------------------------------------------------------------

    def of_pass(self, name: str) -> PassStory:
        """Where a pass applied and declined, and where it came close.

        Args:
            name: of the pass; with options, as pipeline text.

        Raises:
            InputError: when there is none of that name, or its options do not fit.
        """
        plain = name.partition("{")[0]
        asked = [
            record
            for record in self.records
            if (record.spec if "{" in name else pass_name(record)) == name
        ]
        item = self._item(name)
        if item is None:
            note = f"it needs options: see burnish passes {plain}"
            return PassStory(name, tuple(asked), False, self.state, notes=(note,))
        planned = any(
            (each.spec if "{" in name else each.name) == name for each in self.pipeline.flat()
        )
        answer = ask(item, self.model, self._ctx)
        near: list[NearMiss] = []
        notes: list[str] = []
        if item.counted:
            near = NearMisses(self.model, self._ctx, [item]).of(plain)
        elif not planned:
            notes.append(self._tried(item))
        if answer.failed:
            notes.append(f"it cannot be tried here: {answer.failed}")
        if item.exactness > self.allow:
            word = item.exactness.name
            notes.append(f"it is {word}: a pipeline may run it with --allow {word.lower()}")
        return PassStory(
            name,
            tuple(asked),
            planned,
            self.state,
            tuple(self._declined(asked, answer)),
            answer.would,
            tuple(map(self._close, near)),
            () if planned else tuple(_presets_with(plain)),
            tuple(notes),
        )

    def _item(self, name: str) -> Pass | None:
        """The pass as the pipeline has it, or with its default options."""
        if "{" in name:
            try:
                return next(Pipeline.parse(name).flat())
            except SpecError as error:
                raise InputError(error.what, where=name, mend=error.mend) from error
        if name in self._passes:
            return self._passes[name]
        try:
            return pass_types()[name]()
        except TypeError:
            return None

    def _tried(self, item: Pass) -> str:
        """What a pass that announces nothing does to a copy of the model."""
        copy = load(self.model)
        recorder = Recorder(copy)
        item.run(copy, Context.of(copy, self.target))
        return f"run on a copy of {self.state} it gives: {recorder.observe().summary()}"

    def _declined(self, asked: Sequence[PassRecord], answer: Answer) -> list[Declined]:
        """Reasons, each with the places where it stands and where it stood earlier."""
        places: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
        for remark in answer.remarks:
            if remark.kind == "declined":
                now, _ = places.setdefault((remark.rule, remark.why), ({}, {}))
                now[remark.where] = None
        for record in asked:
            for remark in record.remarks:
                if remark.kind == "declined":
                    now, earlier = places.setdefault((remark.rule, remark.why), ({}, {}))
                    if remark.where not in now:
                        earlier[remark.where] = None
        return [
            Declined(
                rule,
                why,
                tuple(now),
                tuple(earlier),
                self._remedy(why, now) if now else None,
                self._general(why),
            )
            for (rule, why), (now, earlier) in places.items()
        ]

    def _general(self, why: str) -> str:
        """A reason without the names of values and nodes, so that equal reasons are found."""
        known = self.lineage.names
        words = ["…" if word.rstrip(",:") in known else word for word in why.split(" ")]
        return " ".join(words)

    def _remedy(self, why: str, places: Iterable[str]) -> str | None:
        for place in places:
            text = remedy(why, self._situation, self._nodes.get(place, ()))
            if text is not None:
                return text
        return None

    def _close(self, miss: NearMiss) -> Close:
        helps = [remedy(why, self._situation, miss.held) for why in miss.conditions]
        return Close(miss, tuple(helps), tuple(map(self._general, miss.conditions)))

    # ---- nodes and values ------------------------------------------------------------------------

    def _things(self, name: str) -> list[Thing]:
        return self.lineage.named(name)

    @cached_property
    def _sides(self) -> tuple[dict[str, str], dict[str, str]]:
        """Lines of graph inputs and outputs, in the source and now, by name."""
        now = Recorder(self.model).opening()
        return _interface_lines(self.opening), _interface_lines(now)

    def _interface(self, name: str) -> bool:
        return any(name in side for side in self._sides)

    def node(self, name: str) -> NodeStory:
        """Where a node, weight, input or output came from, and what became of it.

        Args:
            name: a node's name or label, or the name of a value.
        """
        things = self._things(name)
        before = [thing for thing in things if thing.born < 0]
        now = [thing for thing in things if thing not in self.lineage.ended]
        told = tell(dict.fromkeys((*before, *now)) or things, self.lineage, self.records)
        kind = self._kind(name, things)
        title = next((t.label for t in (*before, *now, *things)), name) if kind == "node" else name
        lines = [
            self._line(name, side, held)
            for side, held in zip(self._sides, (before, now), strict=True)
        ]
        came = dict.fromkeys(thing.label for thing in told.origin)
        for thing in now:
            came.update(dict.fromkeys(thing.sources))
        came.pop(title, None)
        into = dict.fromkeys(thing.label for thing in told.into)
        readers = self._readers(name) if kind in ("input", "default", "constant") else []
        return NodeStory(
            title,
            kind,
            lines[0],
            lines[1],
            tuple(came) if now else (),
            tuple(into),
            told.events,
            self.state,
            *self._said(self._around(now, told.into, readers)),
            tuple(dict.fromkeys(map(label, readers))),
        )

    def _around(
        self, now: Sequence[Thing], into: Sequence[Thing], readers: Sequence[Node]
    ) -> list[Node]:
        """The nodes at which to ask why no more was done."""
        things = [thing for thing in now if thing.is_node]
        if not things and len(into) <= _FEW_SURVIVORS:
            things = [thing for thing in into if thing.is_node]
        nodes = [node for thing in things for node in self._standing(thing)]
        if not nodes and len(readers) <= _FEW_SURVIVORS:
            nodes.extend(readers)
        return nodes

    def _kind(self, name: str, things: Sequence[Thing]) -> str:
        if any(thing.is_node for thing in things):
            return "node"
        if any(side.get(name, "").startswith("input") for side in self._sides):
            return "default" if things else "input"
        return "constant" if things else "output"

    def _line(self, name: str, side: dict[str, str], held: Sequence[Thing]) -> str | None:
        if held:
            lines = dict.fromkeys(thing.line for thing in held)
            return " | ".join(lines)
        return side.get(name)

    def _said(
        self, nodes: Sequence[Node]
    ) -> tuple[tuple[Declined, ...], tuple[Close, ...], tuple[str, ...]]:
        """What passes of the pipeline decline at these nodes, nearly do, and would do."""
        if not nodes:
            return (), (), ()
        misses = NearMisses(self.model, self._ctx, list(self._passes.values()), nodes)
        names = {label(node) for node in nodes} | {v.name for node in nodes for v in node.outputs}
        said: dict[Remark, None] = {}
        for answer in misses.answers.values():
            said.update(
                (remark, None)
                for remark in answer.remarks
                if remark.kind == "declined"
                and not names.isdisjoint((remark.where, *remark.why.split(" ")))
            )
        declined = [
            Declined(each.rule, each.why, (each.where,), (), self._remedy(each.why, [each.where]))
            for each in said
        ]
        near: dict[NearMiss, None] = {}
        would: dict[str, None] = {}
        for node in nodes:
            near.update(dict.fromkeys(misses.at(node)))
            would.update(dict.fromkeys(misses.would(node)))
        return tuple(declined), tuple(map(self._close, near)), tuple(would)

    def _standing(self, thing: Thing) -> list[Node]:
        return [
            node
            for node in self._nodes.get(thing.label, ())
            if tuple(value.name for value in node.outputs if value.name) == thing.makes
        ]

    def _readers(self, name: str) -> list[Node]:
        return [
            node
            for node in all_nodes(self.model)
            if any(value is not None and value.name == name for value in node.inputs)
        ]


def _interface_lines(opening: Diff) -> dict[str, str]:
    """Lines of the inputs and outputs of the main graph, by name."""
    found: dict[str, str] = {}
    for sign, entry in opening.entries:
        if sign == "@" and found:
            break
        if sign == "+" and isinstance(entry, str):
            kind, _, rest = entry.partition(" ")
            if kind in ("input", "output"):
                found.setdefault(rest.partition(": ")[0], entry)
    return found


def _presets_with(name: str) -> list[str]:
    """The presets that run a pass, the levels among them; smallest first."""
    found = []
    for preset, text in presets().items():
        specs = [item.name for item in Pipeline.parse(text, presets()).flat()]
        if name in specs:
            found.append((len(specs), preset))
    return [preset for _, preset in sorted(found)]
