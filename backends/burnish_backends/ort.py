"""ONNX Runtime: the artifact is standard ONNX, and the runtime optimizes further when it loads."""

from __future__ import annotations

import contextlib
import importlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from burnish.audit import Audit
from burnish.backend import Backend, Built, Finding, Runner
from burnish.errors import BuildError, ExecutionError, InputError, MissingDependency
from burnish.evaluate import FLOAT_ACTIVATIONS, Evaluator
from burnish.ir import Array, Model, label, schema, scopes
from burnish.loading import load
from burnish.saving import save
from burnish.target import Target
from burnish_backends.ort_audit import read_back, writing_optimized
from burnish_backends.ort_groups import holds_codes

_OPTIONS = ("threads", "custom_ops", "native")


class OrtBackend(Backend):
    """Builds ``model.onnx`` and proves that ONNX Runtime loads it.

    Options of the target: ``threads=N`` (threads inside an operator; 0, the default, leaves it to
    the runtime), ``custom_ops=PATH`` (a library of custom operators to register) and ``native=yes``
    (the file may hold operators of ONNX Runtime that are not standard).
    """

    name: ClassVar[str] = "ort"

    def missing(self) -> str | None:
        """None when onnxruntime can be imported; else the command that installs it."""
        try:
            importlib.import_module("onnxruntime")
        except ImportError as error:
            return f"onnxruntime cannot be imported ({error}); run: pip install 'burnish[ort]'"
        return None

    def pipeline(self, target: Target, level: int) -> str:
        """The preset of that level; with ``native=yes``, the runtime's own operators after it."""
        native = level >= 2 and _is_native(target)
        return f"O{level}, ort-native" if native else f"O{level}"

    def check(self, model: Model, target: Target) -> tuple[Finding, ...]:
        """Opsets, domains and operators this runtime does not have.

        Types are not looked at: whether there is a kernel for them shows when the file is loaded.
        """
        found: dict[Finding, None] = {}
        for domain, version in model.opset_imports.items():
            if domain == "" and version > target.limits.highest_opset:
                found[
                    Finding(
                        "the model",
                        f"opset {version} is newer than {target.limits.highest_opset}",
                        "export at an older opset, or install a newer onnxruntime",
                    )
                ] = None
        known = _operators() if not target.options.get("custom_ops") else None
        functions = {(key[0], key[1]) for key in model.functions}
        for scope in scopes(model):
            for node in scope.graph:
                if (node.domain, node.op_type) in functions:
                    continue
                why = _refusal(node.op_type, node.domain, scope.opsets, target, known)
                if why:
                    found[Finding(label(node), *why)] = None
        return tuple(found)

    def build(self, model: Model, target: Target, folder: Path) -> Built:
        """Write ``model.onnx`` (and ``model.onnx.data`` when it is big) and load it once."""
        path = folder / "model.onnx"
        files = save(model, path)
        runtime, options = _session_options(target)
        with contextlib.ExitStack() as stack:
            # Writing out what is executed takes as long as loading: only where it is asked about.
            written = None
            if holds_codes(model):
                wanted = target.limits.quantization
                written = writing_optimized(options, _scratch(stack), wanted)
            try:
                session = runtime.InferenceSession(str(path), options, providers=_providers(target))
            except Exception as error:  # the binding raises a dozen unrelated classes
                raise BuildError(
                    f"onnxruntime does not load the model ({_reason(error)})",
                    where=f"target {target}",
                    mend="with -o FILE.onnx only the model is written, and not loaded",
                ) from error
            audit = _audit(model, written, target) if written is not None else None
        settings = {
            "runtime": f"onnxruntime {runtime.__version__}",
            "providers": session.get_providers(),
            "session_options": {
                "graph_optimization_level": options.graph_optimization_level.name,
                "execution_mode": options.execution_mode.name,
                "intra_op_num_threads": options.intra_op_num_threads,
                FLOAT_ACTIVATIONS: options.get_session_config_entry(FLOAT_ACTIVATIONS),
            },
            "custom_ops": target.options.get("custom_ops"),
            "ir_version": model.ir_version,
            "opsets": dict(sorted(model.opset_imports.items())),
        }
        return Built(tuple(files), settings, audit)

    def audit(self, built: Path, target: Target) -> Audit:
        """What the runtime executes when it loads the file with all its own optimizations.

        Raises:
            MissingDependency: when onnxruntime is not installed.
            InputError: when the file is no model.
            ExecutionError: when onnxruntime refuses it.
        """
        runtime, options = _session_options(target)
        model = load(built)
        with contextlib.ExitStack() as stack:
            wanted = target.limits.quantization
            written = writing_optimized(options, _scratch(stack), wanted)
            try:
                runtime.InferenceSession(str(built), options, providers=_providers(target))
            except Exception as error:
                raise ExecutionError(_reason(error), where="onnxruntime") from error
            return _audit(model, written, target)

    def load(self, built: Path, target: Target) -> Runner:
        """A function that runs the file with the runtime's own optimizations on.

        Raises:
            MissingDependency: when onnxruntime is not installed.
            ExecutionError: when it refuses the file.
        """
        if not target.options.get("custom_ops"):
            threads = _threads(target)
            return Evaluator(built, optimize=True, engine="ort", threads=threads).run
        runtime, options = _session_options(target)
        try:
            session = runtime.InferenceSession(str(built), options, providers=_providers(target))
        except Exception as error:
            raise ExecutionError(_reason(error), where="onnxruntime") from error
        names = [item.name for item in session.get_outputs()]

        def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
            try:
                return dict(zip(names, session.run(names, dict(feeds)), strict=True))
            except Exception as error:
                raise ExecutionError(_reason(error), where="onnxruntime") from error

        return run


def _scratch(stack: contextlib.ExitStack) -> Path:
    """A folder that is there as long as ``stack``."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="burnish-")))


def _audit(model: Model, written: Path, target: Target) -> Audit:
    name = f"onnxruntime {_runtime().__version__}"
    return read_back(model, written, name, target.limits.quantization)


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependency("onnxruntime", extra="ort") from None
    return onnxruntime


def _providers(target: Target) -> list[str]:
    if target.device != "cpu":
        raise InputError(
            f"the ort backend does not build for '{target.device}'", where=f"target {target}"
        )
    return ["CPUExecutionProvider"]


def _threads(target: Target) -> int:
    for key in target.options:
        if key not in _OPTIONS:
            raise InputError(
                f"there is no option '{key}'",
                where=f"target {target}",
                mend=f"its options: {', '.join(_OPTIONS)}",
            )
    _is_native(target)
    text = target.options.get("threads", "0")
    if not text.isdigit():
        raise InputError(
            f"threads cannot be '{text}'", where=f"target {target}", mend="it is a number from 0"
        )
    return int(text)


def _is_native(target: Target) -> bool:
    """Whether the file may hold operators of ``com.microsoft``."""
    text = target.options.get("native", "no")
    if text not in ("yes", "no"):
        raise InputError(f"native is yes or no, not '{text}'", where=f"target {target}")
    return text == "yes"


def _session_options(target: Target) -> tuple[Any, Any]:
    """The runtime, and its default options with those of the target."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = _threads(target)
    options.add_session_config_entry(FLOAT_ACTIVATIONS, "1")
    library = target.options.get("custom_ops")
    if library:
        try:
            options.register_custom_ops_library(library)
        except Exception as error:
            raise InputError(
                f"the library of custom operators does not load ({_reason(error)})", where=library
            ) from error
    return runtime, options


def _operators() -> frozenset[tuple[str, str]] | None:
    """``(domain, op type)`` of every operator the runtime knows; None when it does not tell."""
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as binding

        return frozenset((item.domain, item.name) for item in binding.get_all_operator_schema())
    except (ImportError, AttributeError):
        return None


def _refusal(
    op_type: str,
    domain: str,
    opsets: Mapping[str, int],
    target: Target,
    known: frozenset[tuple[str, str]] | None,
) -> tuple[str, str] | None:
    """Which limit an operator meets, and the mend; None when it meets none."""
    if domain == "" and op_type in target.limits.missing_ops:
        return f"{op_type} has no kernel", "choose another target"
    if known is None or (domain, op_type) in known:
        return None
    if domain == "":
        if schema(op_type, domain, opsets.get("", 0)) is None:
            return f"opset {opsets.get('', 0)} has no {op_type}", "check the model's opset"
        return f"this onnxruntime has no {op_type}", "install a newer onnxruntime"
    return (
        f"the runtime has no {op_type} of domain '{domain}'",
        "give its library: --target ort-cpu:custom_ops=PATH",
    )


def _reason(error: BaseException) -> str:
    """What the runtime says, on one line, without its error codes."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", r"\1: ", text)
    return text if len(text) <= 300 else f"{text[:297]}..."
