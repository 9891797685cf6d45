"""Running a model, or a part of one: ONNX Runtime first, the reference evaluator as fallback.

ONNX Runtime is what users deploy on, so it is asked first. It refuses some valid models: operators
without a kernel for a type, operator sets that are not released, types its Python binding cannot
hand out. Then ``onnx.reference`` answers, and :attr:`Evaluator.fallback` says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx

from burnish.errors import ExecutionError, InputError, MissingDependency
from burnish.ir import Array, DataType, Model
from burnish.saving import save, to_proto
from burnish.serial.tokens import tensor_over

__all__ = [
    "FLOAT_ACTIVATIONS",
    "Engine",
    "Evaluator",
    "Feeds",
    "Runnable",
    "run_model",
    "runnables",
]

Engine: TypeAlias = Literal["auto", "ort", "reference"]
Runnable: TypeAlias = "onnx.ModelProto | bytes | str | os.PathLike[str] | Model"
# A tensor is an array, a sequence a list of arrays, an absent optional None.
Feeds: TypeAlias = Mapping[str, Any]

# A proto and its serialized copy must fit in 2 GB; beyond this the model goes through a file.
_IN_MEMORY_BYTES = 1 << 30
_SMALL_BYTES = 16 << 20
FLOAT_ACTIVATIONS = "session.qdq_matmulnbits_accuracy_level"
"""With 1, products with weights stored as integers are computed in float32. Left to itself, ONNX
Runtime 1.31 rounds the activations to 8 bits there, which moves results by 0.3 to 0.7 %."""
# Element types that numpy arrays of ONNX Runtime's binding cannot carry, with the byte-sized
# integer that can.
_EXOTIC: dict[str, tuple[int, type[Any]]] = {
    "tensor(bfloat16)": (onnx.TensorProto.BFLOAT16, np.uint16),
    "tensor(float8e4m3fn)": (onnx.TensorProto.FLOAT8E4M3FN, np.uint8),
    "tensor(float8e4m3fnuz)": (onnx.TensorProto.FLOAT8E4M3FNUZ, np.uint8),
    "tensor(float8e5m2)": (onnx.TensorProto.FLOAT8E5M2, np.uint8),
    "tensor(float8e5m2fnuz)": (onnx.TensorProto.FLOAT8E5M2FNUZ, np.uint8),
}
_PACKED = re.compile(r"tensor\((u?int[24]|float4e2m1)\)")


class _Unsupported(Exception):
    """ONNX Runtime cannot run this, but another engine may."""


def run_model(
    model: Runnable,
    feeds: Feeds,
    *,
    optimize: bool = False,
    outputs: Sequence[str] | None = None,
    engine: Engine = "auto",
    threads: int = 1,
) -> dict[str, Any]:
    """Run ``model`` once; see :class:`Evaluator` for the arguments and the errors."""
    evaluator = Evaluator(model, optimize=optimize, outputs=outputs, engine=engine, threads=threads)
    return evaluator.run(feeds)


@contextlib.contextmanager
def runnables(*models: Model) -> Iterator[tuple[Runnable, ...]]:
    """The models made ready to be run again and again: small ones as protos, others in files.

    A session takes weights from a file without copies; from a proto it takes two of them.
    """
    with tempfile.TemporaryDirectory(prefix="burnish-") as folder:
        yield tuple(
            _ready(model, Path(folder, f"{index}.onnx")) for index, model in enumerate(models)
        )


def _ready(model: Model, path: Path) -> Runnable:
    if _weight_bytes(model) <= _SMALL_BYTES:
        return to_proto(model)
    save(model, path, external_threshold=0)
    return path


def _weight_bytes(model: Model) -> int:
    held = (value.const_value for value in model.graph.initializers.values())
    return sum(item.nbytes for item in held if item is not None and item.dtype != DataType.STRING)


class Evaluator:
    """A model made ready to run, for any number of feeds.

    Args:
        model: a proto, its bytes, a file, or an IR model.
        optimize: whether ONNX Runtime may apply its own graph optimizations.
        outputs: names of the values to compute, inner ones too; the graph outputs by default.
        engine: ``ort`` and ``reference`` allow no other; ``auto`` falls back.
        threads: threads ONNX Runtime may use inside an operator.

    Attributes:
        engine: what runs the model: ``onnxruntime 1.31.1`` or ``onnx.reference 1.23.2``.
        fallback: why ONNX Runtime does not run it; empty when it does, or was not asked.

    Raises:
        ExecutionError: if no allowed engine takes the model.
        MissingDependency: if ``ort`` is asked for and not installed.
        InputError: if a wanted output does not exist.
    """

    def __init__(
        self,
        model: Runnable,
        *,
        optimize: bool = False,
        outputs: Sequence[str] | None = None,
        engine: Engine = "auto",
        threads: int = 1,
    ) -> None:
        self.fallback = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._source = self._runnable(model)
        self._wanted = outputs
        self._allowed = engine
        self._reference: Any = None
        self._session: Any = None
        if engine != "reference":
            self._open_ort(optimize, threads)
        if self._session is None:
            self._open_reference()

    def run(self, feeds: Feeds) -> dict[str, Any]:
        """Compute the outputs for one set of inputs.

        Args:
            feeds: ``{graph input: value}``. Inputs with an initializer may be left out.

        Returns:
            ``{output: value}`` in order; strings as object arrays of ``str``.

        Raises:
            ExecutionError: if the engine fails.
            InputError: for an input that is unknown or left out.
        """
        if self._session is not None:
            try:
                return self._run_ort(feeds)
            except _Unsupported as error:
                self._give_up_ort(str(error))
                self._open_reference()
        return self._run_reference(feeds)

    # --- the model

    def _runnable(self, model: Runnable) -> onnx.ModelProto | bytes | Path:
        if isinstance(model, Model):
            if _weight_bytes(model) < _IN_MEMORY_BYTES:
                return to_proto(model)
            self._folder = tempfile.TemporaryDirectory(prefix="burnish-")
            save(model, path := Path(self._folder.name, "model.onnx"), external_threshold=0)
            return path
        if isinstance(model, onnx.ModelProto | bytes):
            return model
        path = Path(model)
        if not path.is_file():
            raise InputError("there is no such file", where=str(path), mend="check the path")
        return path

    def _proto(self) -> onnx.ModelProto:
        """The model with the wanted outputs; external weights stay outside."""
        if isinstance(self._source, onnx.ModelProto):
            proto = self._source
        elif isinstance(self._source, bytes):
            proto = onnx.ModelProto.FromString(self._source)
        else:
            proto = onnx.load(self._source, load_external_data=False)
        return proto if self._wanted is None else _with_outputs(proto, self._wanted)

    # --- ONNX Runtime

    def _open_ort(self, optimize: bool, threads: int) -> None:
        try:
            import onnxruntime as ort
        except ImportError:
            if self._allowed == "ort":
                raise MissingDependency("onnxruntime", extra="ort") from None
            self.fallback = "onnxruntime is not installed"
            return
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
        )
        options.add_session_config_entry(FLOAT_ACTIVATIONS, "1")
        # Inner values of a large model: its weights are not copied, its memory is given back.
        frugal = self._wanted is not None and isinstance(self._source, Path)
        options.enable_cpu_mem_arena = not frugal
        if not optimize or frugal:
            # Prepacking picks other kernels, with other rounding, for weights that are constant.
            options.add_session_config_entry("session.disable_prepacking", "1")
        model: str | bytes
        if isinstance(self._source, Path) and self._wanted is None:
            model = str(self._source)
        elif isinstance(self._source, bytes) and self._wanted is None:
            model = self._source
        else:
            if isinstance(self._source, Path):
                options.add_session_config_entry(
                    "session.model_external_initializers_file_folder_path",
                    str(self._source.absolute().parent),
                )
            model = self._proto().SerializeToString()
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the binding raises a dozen unrelated classes
            self._give_up_ort(_one_line(error))
            return
        self.engine = f"onnxruntime {ort.__version__}"

    def _give_up_ort(self, why: str) -> None:
        if self._allowed == "ort":
            raise ExecutionError(why, where="onnxruntime", mend=_node_mend(why))
        self.fallback = f"onnxruntime: {why}"
        self._session = None

    def _run_ort(self, feeds: Feeds) -> dict[str, Any]:
        inputs = {arg.name: arg for arg in self._session.get_inputs()}
        optional = {arg.name for arg in self._session.get_overridable_initializers()}
        _check_names(feeds, list(inputs), optional)
        types = {arg.name: arg.type for arg in self._session.get_inputs()}
        types |= {arg.name: arg.type for arg in self._session.get_overridable_initializers()}
        names = [arg.name for arg in self._session.get_outputs()]
        kinds = [types[name] for name in feeds] + [arg.type for arg in self._session.get_outputs()]
        exotic = any(kind in _EXOTIC or _PACKED.fullmatch(kind) for kind in kinds)
        ready = {name: _for_ort(value) for name, value in feeds.items()}
        try:
            if exotic:
                return self._run_ort_values(ready, types, names)
            found = self._session.run(names, ready)
        except _Unsupported:
            raise
        except Exception as error:
            why = _one_line(error)
            if "NOT_IMPLEMENTED" in str(error) or "Numpy" in str(error):
                raise _Unsupported(why) from None
            raise ExecutionError(why, where="onnxruntime", mend=_node_mend(why)) from None
        return dict(zip(names, found, strict=True))

    def _run_ort_values(
        self, feeds: Feeds, types: Mapping[str, str], names: list[str]
    ) -> dict[str, Any]:
        """Run through values that own raw memory, for element types numpy does not have."""
        import onnxruntime as ort

        values: dict[str, Any] = {}
        for name, value in feeds.items():
            if not isinstance(value, np.ndarray) or _PACKED.fullmatch(types[name]):
                raise _Unsupported(f"its Python binding cannot take {types[name]}")
            if types[name] in _EXOTIC:
                element, carrier = _EXOTIC[types[name]]
                values[name] = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(
                    value.view(carrier), element
                )
            else:
                values[name] = ort.OrtValue.ortvalue_from_numpy(value)
        found = self._session.run_with_ort_values(names, values)
        return {name: _from_ort(value) for name, value in zip(names, found, strict=True)}

    # --- onnx.reference

    def _open_reference(self) -> None:
        from onnx.reference import ReferenceEvaluator

        try:
            if isinstance(self._source, Path):
                proto = onnx.load(self._source)
                proto = proto if self._wanted is None else _with_outputs(proto, self._wanted)
            else:
                proto = self._proto()
            self._reference = ReferenceEvaluator(proto)
        except InputError:
            raise
        except Exception as error:
            raise self._reference_failed(error) from error
        stored = {tensor.name for tensor in proto.graph.initializer}
        self._optional = stored & {info.name for info in proto.graph.input}
        self.engine = f"onnx.reference {onnx.__version__}"

    def _reference_failed(self, error: Exception) -> ExecutionError:
        also = f" (and {self.fallback})" if self.fallback else ""
        return ExecutionError(
            f"{_one_line(error)}{also}",
            where="onnx.reference",
            mend="run the source model by itself to see whether any runtime takes it",
        )

    def _run_reference(self, feeds: Feeds) -> dict[str, Any]:
        names = [name for name in self._reference.input_names if name not in self._optional]
        _check_names(feeds, names, self._optional)
        try:
            with np.errstate(all="ignore"):
                found = self._reference.run(None, dict(feeds))
        except Exception as error:
            raise self._reference_failed(error) from error
        return dict(zip(self._reference.output_names, map(_plain, found), strict=True))


def _with_outputs(proto: onnx.ModelProto, wanted: Sequence[str]) -> onnx.ModelProto:
    """A copy that yields ``wanted``; types of inner values are left to the runtime to infer."""
    infos = {info.name: info for info in (*proto.graph.input, *proto.graph.value_info)}
    infos |= {info.name: info for info in proto.graph.output}
    known = {name for node in proto.graph.node for name in node.output} | infos.keys()
    known |= {tensor.name for tensor in proto.graph.initializer}
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.output[:]
    for name in wanted:
        if name not in known or not name:
            raise InputError(
                f"the main graph has no value {name!r}", mend="list them: burnish inspect"
            )
        copy.graph.output.append(infos.get(name, onnx.ValueInfoProto(name=name)))
    return copy


def _check_names(feeds: Feeds, required: Sequence[str], optional: set[str]) -> None:
    unknown = [name for name in feeds if name not in required and name not in optional]
    missing = [name for name in required if name not in feeds]
    mend = f"the inputs are {', '.join([*required, *sorted(optional)]) or 'none'}"
    if unknown:
        raise InputError(f"the model has no input {unknown[0]!r}", where="inputs", mend=mend)
    if missing:
        raise InputError(f"input {missing[0]!r} is missing", where="inputs", mend=mend)


def _for_ort(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_for_ort(item) for item in value]
    if value is None:
        return None
    array: Array = np.asarray(value)
    if array.dtype.kind in "OSU":
        flat = [item.decode() if isinstance(item, bytes) else str(item) for item in array.flat]
        return np.array(flat, dtype=object).reshape(array.shape)
    return np.require(array, requirements=["C", "A"])


def _from_ort(value: Any) -> Any:
    """The numpy array of an OrtValue of any tensor type; memory is copied."""
    if not value.is_tensor():
        raise _Unsupported(f"its Python binding cannot return {value.data_type()}")
    if value.data_type() not in _EXOTIC and not _PACKED.fullmatch(value.data_type()):
        return value.numpy()
    like = onnx.TensorProto(data_type=value.element_type(), dims=value.shape())
    size = value.tensor_size_in_bytes()
    data = ctypes.string_at(value.data_ptr(), size) if size else b""
    return tensor_over(data, 0, size, like).numpy()


def _plain(value: Any) -> Any:
    """What the reference evaluator returned, in the types ONNX Runtime would return."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, dict):
        return value
    array: Array = np.asarray(value)
    return _for_ort(array) if array.dtype.kind in "OSU" else array


def _one_line(error: BaseException) -> str:
    """The reason in a runtime's message: one line, without error codes and C++ signatures."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", r"\1: ", text)
    failed = re.search(r"while running (\S+) node\. Name:'([^']*)' Status Message: (.*)", text)
    if failed:
        text = f"{failed[1]} node {failed[2]!r} failed: {failed[3]}"
    text = re.sub(r"/\S*onnxruntime\S*:\d+ .*?\)(?: const)? (?=[A-Z])", "", text)
    return text if len(text) <= 300 else f"{text[:297]}..."


def _node_mend(why: str) -> str:
    return "check the shapes and types of the inputs given" if "INVALID_ARGUMENT" in why else ""
