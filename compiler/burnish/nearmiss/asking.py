"""What a pass would do and what is in its way, without letting it do anything."""

from __future__ import annotations

from dataclasses import dataclass, field

from burnish.errors import BurnishError
from burnish.ir import Model, Node, label
from burnish.passdef import Context, Pass, Remark
from burnish.target import Target

__all__ = ["Answer", "ask", "asking_context"]


@dataclass(frozen=True)
class Answer:
    """What a pass says of a model.

    Attributes:
        would: where it would apply now, were it allowed to, and by which rule.
        remarks: where it declines, and its notes.
        failed: why it could not be asked, such as data that it needs; empty when it could.
    """

    would: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()
    failed: str = ""


@dataclass
class _Refusing(Context):
    """Refuses every change, and remembers which were asked for."""

    asked: dict[Remark, None] = field(default_factory=dict)

    def applies(self, rule: str, where: Node | str, why: str = "", member: str = "") -> bool:
        """Refuse."""
        place = where if isinstance(where, str) else label(where)
        self.asked[Remark("applied", rule, place, why)] = None
        return False


def asking_context(model: Model, target: Target) -> Context:
    """A context in which no counted pass can change ``model``; serves any number of them."""
    return _Refusing.of(model, target)


def ask(item: Pass, model: Model, ctx: Context) -> Answer:
    """What ``item`` would do to ``model``; the model is not changed.

    Args:
        item: a pass that announces each change; any other is not run and says nothing.
        model: the model as it stands.
        ctx: of :func:`asking_context`.
    """
    if not item.counted or not isinstance(ctx, _Refusing):
        return Answer()
    ctx.take_remarks()
    ctx.asked.clear()
    try:
        item.run(model, ctx)
    except BurnishError as error:
        return Answer(failed=str(error))
    return Answer(tuple(ctx.asked), ctx.take_remarks())
