"""What a pass is: a name, options, a promise about the numbers, and a way to change a model.

A pass is a frozen dataclass: its fields are its options, so it prints as pipeline text and parses
back. It sees the model and a :class:`Context`, nothing else.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from burnish.census import Census
from burnish.errors import InputError
from burnish.ir import Model, Node, Scope, label, names_in_use
from burnish.shapes import Shapes
from burnish.target import Target

if TYPE_CHECKING:
    from burnish.calibration import Calibration, TensorStatistics

__all__ = ["Context", "Exactness", "Fuel", "Names", "Pass", "Remark", "Rewrite", "option_text"]

Kept = TypeVar("Kept")


class Exactness(enum.IntEnum):
    """What a pass may do to the numbers of a model."""

    BITWISE = 0
    """The same bits."""
    FLOAT = 1
    """The same within rounding: sums and products may be formed in another order."""
    LOSSY = 2
    """Different on purpose; the user must allow it."""


@dataclass(frozen=True)
class Remark:
    """Why something happened, or did not.

    Attributes:
        kind: ``applied``, ``declined``, or ``note``.
        rule: the pass or rule that speaks.
        where: the node it speaks of, as people name it.
        why: the reason; may be empty for ``applied``.
    """

    kind: Literal["applied", "declined", "note"]
    rule: str
    where: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.rule} at {self.where}" + (f": {self.why}" if self.why else "")


class Names:
    """Hands out value names that no scope of the model uses."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def fresh(self, hint: str) -> str:
        """A new name that starts with ``hint``; equal calls on equal models agree."""
        name = hint
        while name in self._taken or not name:
            self._last[hint] = self._last.get(hint, 0) + 1
            name = f"{hint}_{self._last[hint]}"
        self._taken.add(name)
        return name

    def take(self, names: Iterable[str]) -> None:
        """Count ``names`` as used from now on."""
        self._taken.update(names)


@dataclass(frozen=True)
class Rewrite:
    """One change that was made.

    Attributes:
        rule: the pass that made it, as remarks name it.
        where: the node, as people name it.
        member: the class of the rule, where the pass is a family of rules.
    """

    rule: str
    where: str
    member: str = ""


class Fuel:
    """Counts rewrites, and refuses them after the last one allowed (for bisecting).

    Attributes:
        limit: how many may happen; None for any number.
        spent: how many happened.
        last: the last that happened.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.spent = 0
        self.last: Rewrite | None = None

    def take(self) -> bool:
        """Whether one more rewrite may happen; counts it if so."""
        if self.limit is not None and self.spent >= self.limit:
            return False
        self.spent += 1
        return True


@dataclass
class Context:
    """All a pass may know besides the graph.

    Attributes:
        target: what the model is compiled for.
        shapes: shapes and symbolic contents of values.
        names: source of unused value names.
        fuel: how many more rewrites may happen.
        calibration: data of the user's and what was learned from it; None when there is none.
    """

    target: Target
    shapes: Shapes
    names: Names
    fuel: Fuel = field(default_factory=Fuel)
    calibration: Calibration | None = None
    _remarks: dict[Remark, None] = field(default_factory=dict)
    _census: Census | None = None
    _seen: int = -1
    _recalled: dict[type, Any] = field(default_factory=dict)
    _moments: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: Model,
        target: Target,
        fuel: Fuel | None = None,
        calibration: Calibration | None = None,
    ) -> Context:
        """The context for ``model`` as it stands."""
        names = Names(names_in_use(model))
        return cls(target, Shapes(model), names, fuel or Fuel(), calibration)

    def scopes(self, model: Model) -> list[Scope]:
        """Every scope of ``model``, outer first."""
        return self.look(model).scopes()

    def nodes(self, model: Model, kinds: Iterable[tuple[str, str]]) -> list[tuple[Node, Scope]]:
        """The nodes of any of these kinds, ``(domain, op_type)``, in order, with their scopes."""
        return self.look(model).nodes(kinds)

    def look(self, model: Model) -> Census:
        """What stands in the model; all of it is looked at again only after a change."""
        if self._census is None:
            self._census = Census(model)
        elif self._seen != self.fuel.spent:
            self._census.take()
        self._seen = self.fuel.spent
        return self._census

    def news(self, model: Model, asker: str) -> list[Node] | None:
        """The nodes that came or changed since ``asker`` last asked; None, the first time: all."""
        changed = self.look(model).changed
        moment = self._moments.get(asker)
        self._moments[asker] = len(changed)
        if moment is None:
            return None
        return [node for node in dict.fromkeys(changed[moment:]) if node.graph is not None]

    def recall(self, kind: type[Kept]) -> Kept:
        """The one object of this type that passes keep here between their runs."""
        found: Kept | None = self._recalled.get(kind)
        if found is None:
            found = self._recalled[kind] = kind()
        return found

    def forget(self) -> None:
        """The model may have changed without being announced."""
        self._seen = -1

    def applies(self, rule: str, where: Node | str, why: str = "", member: str = "") -> bool:
        """Ask before each change; a False answer means: leave this one as it is."""
        if not self.fuel.take():
            return False
        place = where if isinstance(where, str) else label(where)
        self.fuel.last = Rewrite(rule, place, member)
        self._add(Remark("applied", rule, place, why))
        return True

    def declined(self, rule: str, where: Node | str, why: str) -> None:
        """Say why a change that nearly happened did not."""
        self._add(Remark("declined", rule, where if isinstance(where, str) else label(where), why))

    def note(self, rule: str, where: Node | str, why: str) -> None:
        """Say something a person will want to know."""
        self._add(Remark("note", rule, where if isinstance(where, str) else label(where), why))

    def statistics(
        self, rule: str, model: Model, names: Sequence[str], axes: Mapping[str, int] | None = None
    ) -> dict[str, TensorStatistics]:
        """What values of the main graph are on the calibration data; notes what there is to note.

        Args:
            rule: the pass that asks.
            model: the model as it stands.
            names: the values.
            axes: the axis of channels to tell apart, by name.

        Raises:
            InputError: when the user gave no data, or a value has no range.
        """
        if self.calibration is None:
            raise InputError(f"{rule} needs calibration data", mend="give it with --data")
        found = self.calibration.statistics(model, names, axes or {})
        for note in self.calibration.notes:
            self.note(rule, "calibration", note)
        return found

    def _add(self, remark: Remark) -> None:
        self._remarks[remark] = None

    def take_remarks(self) -> tuple[Remark, ...]:
        """The remarks made since the last call, each once, in order."""
        taken = tuple(self._remarks)
        self._remarks.clear()
        return taken


def option_text(value: object) -> str:
    """An option value as pipeline text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        return "/".join(option_text(item) for item in value)
    return str(value)


class Pass(abc.ABC):
    """One change a model may undergo; subclasses are frozen dataclasses.

    Attributes:
        name: how pipelines spell it, in kebab-case; the file has the same name.
        exactness: the most it may do to the numbers.
        counted: True when every change is announced through :meth:`Context.applies`, so that
            no announcement means no change and the graph need not be observed again.
        keeps_interface: False for the rare pass that is asked to change graph inputs or outputs.
    """

    name: ClassVar[str]
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    counted: ClassVar[bool] = False
    keeps_interface: ClassVar[bool] = True

    @abc.abstractmethod
    def run(self, model: Model, ctx: Context) -> None:
        """Change ``model`` in place."""

    @functools.cached_property
    def spec(self) -> str:
        """The pass as pipeline text, options that differ from their defaults included."""
        if not dataclasses.is_dataclass(self):
            return self.name
        options = [
            f"{item.name}={option_text(getattr(self, item.name))}"
            for item in dataclasses.fields(self)
            if getattr(self, item.name) != item.default
        ]
        return f"{self.name}{{{','.join(options)}}}" if options else self.name
