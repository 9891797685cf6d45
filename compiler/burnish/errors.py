"""Every error Burnish raises on purpose.

All of them say what happened, where, and how to mend it, in one line::

    BurnishError                  exit code 2 unless noted
    ├── InputError                the model, file, option or sample given cannot be used
    │   ├── ModelError            the model itself: not ONNX, truncated, cyclic, external data ...
    │   └── SpecError             pipeline text that does not parse (carries a caret line)
    ├── MissingDependency         an optional library is not installed; names the extra
    ├── PassError                 a pass failed or broke the graph; names the pass and the node
    ├── ExecutionError            a runtime could not run a model; names the runtime and the node
    ├── VerificationFailed        answers differ beyond what the pipeline may do (exit code 1)
    └── BuildError                a backend could not build the artifact
"""

from __future__ import annotations


class BurnishError(Exception):
    """Base of every expected failure.

    Args:
        what: what happened, as a short sentence without a full stop.
        where: file, node, value or option it happened at; empty when it is everywhere.
        mend: what the user can do about it; empty when nothing useful is known.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.mend}" if self.mend else text


class InputError(BurnishError):
    """Something the user handed in cannot be used."""


class ModelError(InputError):
    """The model cannot be read, or is not a valid ONNX model."""


class SpecError(InputError):
    """Pipeline text that does not parse.

    Args:
        what: what is wrong.
        text: the whole pipeline text.
        column: 0-based position of the fault in ``text``.
        mend: a suggestion, such as the nearest known pass name.
    """

    def __init__(self, what: str, *, text: str, column: int, mend: str = "") -> None:
        self.text = text
        self.column = column
        super().__init__(what, where="pipeline", mend=mend)

    def __str__(self) -> str:
        return f"{super().__str__()}\n  {self.text}\n  {' ' * self.column}^"


class MissingDependency(BurnishError):
    """An optional library is not installed.

    Args:
        library: the import name that failed.
        extra: the extra of this distribution that brings it.
    """

    def __init__(self, library: str, *, extra: str) -> None:
        super().__init__(f"{library} is not installed", mend=f"run: pip install 'burnish[{extra}]'")


class PassError(BurnishError):
    """A pass raised, or left the graph broken.

    Args:
        what: what happened.
        where: the node, or the pass.
        mend: what to do about it.
        rule: what was at work, as remarks name it, when it was a rule.
        member: the class of the rule, where the pass is a family of rules.

    Attributes:
        spec: the pass as pipeline text, once a pipeline knows it.
        round: which round of the surrounding fixpoint it was, from 1; 0 outside of one.
    """

    def __init__(
        self, what: str, *, where: str = "", mend: str = "", rule: str = "", member: str = ""
    ) -> None:
        self.rule = rule
        self.member = member
        self.spec = ""
        self.round = 0
        super().__init__(what, where=where, mend=mend)


class ExecutionError(BurnishError):
    """A runtime refused or failed to run a model."""


class VerificationFailed(BurnishError):
    """Source and result give different answers.

    Args:
        what: what differs.
        where: the model.
        mend: what to do about it.
        verdict: the whole comparison as JSON-ready values, when there is one.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: str = "", mend: str = "", verdict: object = None
    ) -> None:
        self.verdict = verdict
        super().__init__(what, where=where, mend=mend)


class BuildError(BurnishError):
    """A backend could not build what was asked."""
