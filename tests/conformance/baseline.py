"""What passes before optimization, kept as committed data.

With it a sweep need not run the originals again: any case that passed then and does not now is the
optimizer's doing. It holds for one version of onnx and onnxruntime; with others the originals run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
import onnxruntime
from tests.conformance.check import PASS, Outcome

from burnish.evaluate import Engine

FILE = Path(__file__).with_name("baseline.json")


@dataclass(frozen=True)
class Baseline:
    """Which engine runs which original.

    Attributes:
        onnx: version the cases came from.
        onnxruntime: version that ran them.
        total: how many cases there were.
        reference: cases only the reference evaluator answers right.
        failing: cases no engine answers right, with the reason.

    Cases in neither list pass with ONNX Runtime.
    """

    onnx: str
    onnxruntime: str
    total: int
    reference: frozenset[str]
    failing: dict[str, str]

    def engine(self, name: str) -> Engine | Literal[""]:
        """The engine for a case; empty when none answers right."""
        if name in self.failing:
            return ""
        return "reference" if name in self.reference else "ort"

    def fits(self) -> bool:
        """Whether the installed versions are those this was made with."""
        return (self.onnx, self.onnxruntime) == (onnx.__version__, onnxruntime.__version__)


def read() -> Baseline | None:
    """The committed baseline; None when it is missing or was made with other versions."""
    if not FILE.exists():
        return None
    data = json.loads(FILE.read_text())
    data["reference"] = frozenset(data["reference"])
    baseline = Baseline(**data)
    return baseline if baseline.fits() else None


def write(outcomes: Iterable[Outcome]) -> None:
    """Store the outcomes of the originals as the baseline."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.name)
    data = {
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "total": len(ordered),
        "reference": [outcome.name for outcome in ordered if outcome.engine == "reference"],
        "failing": {outcome.name: outcome.detail for outcome in ordered if outcome.status != PASS},
    }
    FILE.write_text(json.dumps(data, indent=1) + "\n")
