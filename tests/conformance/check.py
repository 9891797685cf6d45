"""What is asked of one case: does it run, and does it still after optimization?"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx
import onnx.checker
from tests.conformance.cases import Case
from tests.conformance.engines import ENGINES, first_difference, prepare

from burnish.evaluate import Engine
from burnish.passdef import Exactness

PASS = "pass"
SKIP = "skip"
OPTIMIZER_ERROR = "optimizer-error"
INTERFACE = "interface"
INVALID = "invalid"
REFUSED = "refused"
WRONG = "wrong"
CRASH = "crash"
TIMEOUT = "timeout"


@dataclass(frozen=True)
class Outcome:
    """What became of one case at one level.

    Attributes:
        name: the case.
        kind: its kind.
        level: the optimization level, or ``"unoptimized"``.
        status: :data:`PASS`; :data:`SKIP` (no engine ran the original, so there is nothing to
            compare, but the result is a valid model); else what went wrong: the optimizer raised,
            the graph's inputs or outputs changed, the model is no longer valid, the engine refused
            it, it gave another answer, the process died, or it took too long.
        engine: the engine that ran it; empty when none did.
        detail: the reason, in one line; empty on a pass.
    """

    name: str
    kind: str
    level: str
    status: str
    engine: Engine | Literal[""] = ""
    detail: str = ""


def unoptimized(case: Case) -> Outcome:
    """Run the case as it came, with the first engine that gives the expected answer."""
    reasons = []
    for engine in ENGINES:
        status, detail = _answers(case, case.model(), engine)
        if status == PASS:
            return Outcome(case.name, case.kind, "unoptimized", PASS, engine)
        reasons.append(f"{engine}: {status}: {detail}")
    return Outcome(case.name, case.kind, "unoptimized", WRONG, "", " | ".join(reasons))


def optimized(case: Case, level: str, engine: Engine | Literal[""]) -> Outcome:
    """Optimize the case, then run it with the engine that ran the original (empty: do not run)."""
    source = case.model()
    try:
        result = optimize(case.model(), level)
    except Exception as error:  # any exception is a finding, not a failure of the sweep
        return Outcome(case.name, case.kind, level, OPTIMIZER_ERROR, engine, _last(error))
    changed = interface_change(source, result)
    if changed:
        return Outcome(case.name, case.kind, level, INTERFACE, engine, changed)
    broken = "" if _invalid(source) else _invalid(result)
    if broken:
        return Outcome(case.name, case.kind, level, INVALID, engine, broken)
    if not engine:
        return Outcome(case.name, case.kind, level, SKIP)
    status, detail = _answers(case, result, engine, exactness_of(level))
    return Outcome(case.name, case.kind, level, status, engine, detail)


def exactness_of(level: str) -> Exactness:
    """What the passes of a level, or of any pipeline text, may do to the numbers."""
    if level == "none":
        return Exactness.BITWISE
    from burnish.driver import pipeline_of
    from burnish.target import Target

    return pipeline_of(level, Target()).exactness


def optimize(model: onnx.ModelProto, level: str) -> onnx.ModelProto:
    """``model`` at a level, or by any pipeline text; ``"none"`` only loads it and gives it back."""
    from burnish.saving import to_proto

    if level == "none":
        from burnish.loading import load

        return to_proto(load(model))
    from burnish.driver import optimize as burnish_optimize

    return to_proto(burnish_optimize(model, passes=level).model)


def interface_change(source: onnx.ModelProto, result: onnx.ModelProto) -> str:
    """How the graph's inputs or outputs differ in name, order or type; empty when they do not.

    Before IR version 4 every initializer had to be listed as an input too; those are no inputs in
    any other sense, and a result may list them or not.
    """
    listings = (
        ("input", true_inputs(source), true_inputs(result)),
        ("output", list(source.graph.output), list(result.graph.output)),
    )
    for what, before, after in listings:
        names = [value.name for value in before], [value.name for value in after]
        if names[0] != names[1]:
            return f"{what}s {names[0]} became {names[1]}"[:300]
        for old, new in zip(before, after, strict=True):
            old_type, new_type = type_text(old.type), type_text(new.type)
            if old_type != new_type:
                return f"{what} {old.name}: {old_type} became {new_type}"
    return ""


def true_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The graph inputs a caller may set: from IR version 4 on all, before those without a value."""
    if model.ir_version >= 4:
        return list(model.graph.input)
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def type_text(type_proto: onnx.TypeProto) -> str:
    """A type in words: element type and dimensions, sequences and optionals spelled out."""
    which = type_proto.WhichOneof("value")
    if which in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(type_proto, which)
        element = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        shape = f"[{', '.join(_dims(tensor.shape))}]" if tensor.HasField("shape") else "[...]"
        return f"{'sparse ' if which == 'sparse_tensor_type' else ''}{element}{shape}"
    if which in ("sequence_type", "optional_type"):
        inner = type_text(getattr(type_proto, which).elem_type)
        return f"{which.removesuffix('_type')}({inner})"
    return which or "no type"


def _dims(shape: onnx.TensorShapeProto) -> Iterator[str]:
    for dim in shape.dim:
        yield str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?"


def _invalid(model: onnx.ModelProto) -> str:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return " ".join(str(error).split())[:300]
    return ""


def _answers(
    case: Case, model: onnx.ModelProto, engine: Engine, exactness: Exactness = Exactness.BITWISE
) -> tuple[str, str]:
    try:
        ready = prepare(model, engine)
        for data in case.data_sets():
            actual = list(ready.run(data.feeds).values())
            reason = first_difference(case, data, actual, exactness)
            if reason:
                return WRONG, reason
    except Exception as error:  # engines raise anything
        return REFUSED, _last(error)
    return PASS, ""


def _last(error: Exception) -> str:
    """The error and the innermost line of code it came from, in one line."""
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}{where}"
