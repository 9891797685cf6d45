"""Burnish: an optimizing compiler for ONNX models that shows its work.

::

    import burnish

    artifact = burnish.compile("model.onnx", "out")      # optimize, verify, build, record
    answers = artifact.load()({"x": array})

    model, records = burnish.optimize("model.onnx")      # only the graph
    burnish.save(model, "model.opt.onnx")

Names are imported on first use: ``import burnish`` itself loads no library. ``burnish.verify`` is a
module, so its function is reached by ``from burnish.verify import verify``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from burnish.version import VERSION

if TYPE_CHECKING:
    from burnish.artifact import Artifact, Manifest
    from burnish.backend import Backend, Runner
    from burnish.culprit import bisect
    from burnish.diff import Diff
    from burnish.driver import Optimized, compile, optimize
    from burnish.errors import BurnishError
    from burnish.ir import Model
    from burnish.loading import load
    from burnish.modeldiff import diff_models
    from burnish.passdef import Context, Exactness, Pass, Remark
    from burnish.pipeline import Fixpoint, PassRecord, Pipeline
    from burnish.reduction import reduce_model
    from burnish.rewrite import Rule
    from burnish.saving import save
    from burnish.target import Limits, Target
    from burnish.verify import Verdict

__version__ = VERSION

__all__ = [
    "Artifact",
    "Backend",
    "BurnishError",
    "Context",
    "Diff",
    "Exactness",
    "Fixpoint",
    "Limits",
    "Manifest",
    "Model",
    "Optimized",
    "Pass",
    "PassRecord",
    "Pipeline",
    "Remark",
    "Rule",
    "Runner",
    "Target",
    "Verdict",
    "bisect",
    "compile",
    "diff_models",
    "load",
    "optimize",
    "reduce_model",
    "save",
]

_HOMES = {
    "artifact": ("Artifact", "Manifest"),
    "backend": ("Backend", "Runner"),
    "culprit": ("bisect",),
    "diff": ("Diff",),
    "driver": ("Optimized", "compile", "optimize"),
    "errors": ("BurnishError",),
    "ir": ("Model",),
    "loading": ("load",),
    "modeldiff": ("diff_models",),
    "passdef": ("Context", "Exactness", "Pass", "Remark"),
    "pipeline": ("Fixpoint", "PassRecord", "Pipeline"),
    "reduction": ("reduce_model",),
    "rewrite": ("Rule",),
    "saving": ("save",),
    "target": ("Limits", "Target"),
    "verify": ("Verdict",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'burnish' has no attribute '{name}'")
    found = getattr(importlib.import_module(f"burnish.{module}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
