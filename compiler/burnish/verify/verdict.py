"""What a comparison of two models found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["OutputVerdict", "Verdict"]


@dataclass(frozen=True)
class OutputVerdict:
    """How one output fared, over all samples.

    Attributes:
        name: the graph output.
        ok: the difference is allowed.
        max_abs: largest absolute difference.
        max_rel: largest relative difference.
        ulp: largest distance in representable values.
        allowed: the bound, for people.
        reason: why it failed, or a remark.
        where: ``runtime optimizations off`` or ``runtime optimizations on``.
    """

    name: str
    ok: bool
    max_abs: float
    max_rel: float
    ulp: int
    allowed: str
    reason: str
    where: str

    def text(self) -> str:
        """One line."""
        head = f"{'ok  ' if self.ok else 'FAIL'} {self.name} ({self.where})"
        far = f"max abs {self.max_abs:.3g}, max rel {self.max_rel:.3g}, {self.ulp} ulp"
        line = f"{head}: {far}; allowed: {self.allowed}"
        return f"{line}; {self.reason}" if self.reason else line

    def json(self) -> dict[str, Any]:
        """As JSON-ready values; infinities become None."""
        finite = {"max_abs": self.max_abs, "max_rel": self.max_rel}
        return {
            "name": self.name,
            "ok": self.ok,
            **{key: value if np.isfinite(value) else None for key, value in finite.items()},
            "ulp": self.ulp,
            "allowed": self.allowed,
            "reason": self.reason,
            "where": self.where,
        }


@dataclass(frozen=True)
class Verdict:
    """The answer to: is the result as good as the source?

    Attributes:
        ok: every output is.
        outputs: one entry per output and per mode of the runtime.
        engine: what ran the models.
        samples: how many sets of inputs were tried.
        notes: what the reader should know: a fallback, inputs that had to be enlarged.
    """

    ok: bool
    outputs: tuple[OutputVerdict, ...]
    engine: str
    samples: int
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """One line per output, after a line for the whole; reasons alone where nothing was run."""
        if not self.samples:  # they could not be compared, so there are no figures
            return "\n".join(f"NOT EQUAL: {output.reason}" for output in self.outputs)
        word = "equal within what is allowed" if self.ok else "NOT EQUAL"
        plural = "" if self.samples == 1 else "s"
        lines = [f"{word}: {self.samples} sample{plural} on {self.engine}"]
        lines += [output.text() for output in self.outputs]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "ok": self.ok,
            "engine": self.engine,
            "samples": self.samples,
            "outputs": [output.json() for output in self.outputs],
            "notes": list(self.notes),
        }
