"""What a backend is: it turns a verified graph into the files a target runs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from burnish.audit import Audit
from burnish.ir import Array, Model
from burnish.target import Target

__all__ = ["Backend", "Built", "Finding", "Runner"]

Runner: TypeAlias = Callable[[Mapping[str, Array]], dict[str, Array]]
"""Runs a built model: arrays by input name to arrays by output name."""


@dataclass(frozen=True)
class Finding:
    """Something in a graph that a target cannot take.

    Attributes:
        node: the node, as people name it.
        rule: which limit it meets.
        mend: what would make it legal.
    """

    node: str
    rule: str
    mend: str


@dataclass(frozen=True)
class Built:
    """What a backend wrote.

    Attributes:
        files: every file, the one to load first.
        settings: what a caller must set to run it as it was verified (for the manifest).
        audit: what the runtime executes, where the model is quantized; else None.
    """

    files: tuple[Path, ...]
    settings: Mapping[str, Any]
    audit: Audit | None = None


class Backend(abc.ABC):
    """Builds artifacts for targets and runs them; subclasses carry a unique ``name``."""

    name: ClassVar[str]

    @abc.abstractmethod
    def missing(self) -> str | None:
        """None when usable on this machine; else what is missing and the command that mends it."""

    @abc.abstractmethod
    def pipeline(self, target: Target, level: int) -> str:
        """The pipeline text of ``-O<level>`` for ``target``: a backend imports no pass."""

    @abc.abstractmethod
    def check(self, model: Model, target: Target) -> tuple[Finding, ...]:
        """What in ``model`` the target cannot take; empty when it can take all of it."""

    @abc.abstractmethod
    def build(self, model: Model, target: Target, folder: Path) -> Built:
        """Write the artifact's files into ``folder``.

        Raises:
            BuildError: when the target refuses the model.
            MissingDependency: when the library is not installed.
        """

    @abc.abstractmethod
    def load(self, built: Path, target: Target) -> Runner:
        """A function that runs the file written by :meth:`build`."""

    def audit(self, built: Path, target: Target) -> Audit | None:
        """What the runtime makes of the file written by :meth:`build`; None if it does not tell.

        Raises:
            MissingDependency: when the library is not installed.
            ExecutionError: when it refuses the file.
        """
        return None
