"""Reading models: a file, bytes, a proto or an IR model becomes a checked IR model of our own.

A file is memory-mapped. Its weights are never read here: they stay views of the map (inside the
model file) or ``ExternalTensor`` (beside it), so loading costs time and memory in nodes, not in
bytes, and models over 2 GB with external data need no special path.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import onnx

# protobuf ships no types.
from google.protobuf.message import (  # type: ignore[import-untyped]
    DecodeError,
    EncodeError,
)

from burnish.errors import ModelError
from burnish.ir import (
    DataType,
    ExternalTensor,
    Model,
    TensorProtocol,
    scopes,
)
from burnish.memory import without_collection
from burnish.serial.dims import bind
from burnish.serial.shadowing import rename_shadowing
from burnish.serial.skeleton import assemble, dismantle
from burnish.serial.tokens import (
    Held,
    attribute_tensors,
    byte_length,
    mark,
    nested_graphs,
    set_token,
    tensor_over,
    token_of,
)
from burnish.serial.wellformed import check_model, check_versions
from burnish.serial.wire import Buffer, WireError, read_skeleton

__all__ = ["load", "source_name"]

# Below this a weight is parsed with the rest: mapping it would save less than the book-keeping.
_MAPPED_BYTES = 4096
_DATA_TYPES = frozenset(kind.value for kind in DataType) - {0}
# Runtimes of the last years read IR version 8; nothing it added changes older models.
_MODERN_IR = 8
_NO_INPUT_SHAPES: Mapping[str, Sequence[int]] = MappingProxyType({})
_NO_DIMS: Mapping[str, int] = MappingProxyType({})


def source_name(source: str | os.PathLike[str] | bytes | onnx.ModelProto | Model) -> str:
    """What a source is called: its file or folder, or its graph."""
    if isinstance(source, str | os.PathLike):
        return Path(source).name or str(source)
    if isinstance(source, Model | onnx.ModelProto):
        return source.graph.name or "model"
    return "bytes"


def load(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto | Model,
    *,
    input_shapes: Mapping[str, Sequence[int]] = _NO_INPUT_SHAPES,
    dims: Mapping[str, int] = _NO_DIMS,
) -> Model:
    """Read a model and check that it is well formed.

    Weights of a file or of ``bytes`` are not copied; the source object is never changed. Models of
    IR version 3, whose initializers are also inputs, are raised to version 8 and lose those
    inputs: to every runtime they are constants. Nodes out of order are sorted.

    Args:
        source: path of an ``.onnx`` file, its bytes, a proto, or a model (which is copied, sharing
            its weights).
        input_shapes: ``{graph input: shape}``; binds its symbolic dimensions.
        dims: ``{dimension name: size}``. A bound name gets its size wherever the model declares it;
            all other names survive.

    Raises:
        ModelError: if the model cannot be used: what is wrong, where, and the mend.
    """
    folder: Path | None = None
    held: Held = {}
    if isinstance(source, Model):
        where = "the model"
        proto, weights = dismantle(source, at_least=0)
        for index, tensor in weights.items():
            set_token(proto.graph.initializer[index], mark(held, tensor))
    elif isinstance(source, onnx.ModelProto):
        where = "the model"
        proto = _parse(_serialized(source), where, held)
    elif isinstance(source, bytes | bytearray | memoryview):
        where = "the given bytes"
        proto = _parse(bytes(source), where, held)
    else:
        path = Path(source)
        where, folder = str(path), path.absolute().parent
        proto = _parse(_map(path), where, held)
    check_versions(proto, where)
    _modernize(proto)
    findings = check_model(proto, where)
    if findings.returned:
        _name_captured_outputs(proto.graph.node, _defined(proto.graph))
        for function in proto.functions:
            made = {name for node in function.node for name in node.output}
            _name_captured_outputs(function.node, made | set(function.input))
    beside = [tensor for tensor in findings.external if token_of(tensor) is None]
    for tensor_proto in beside:
        _check_external(tensor_proto, folder, where)
    if input_shapes or dims:
        bind(proto, input_shapes, dims, where)
    model = _assemble(proto, held, where, sparse=findings.sparse)
    if beside and folder is not None:
        _set_folder(model, folder)
    rename_shadowing(model)
    if findings.disordered:
        model.graph.sort()
        for function in model.functions.values():
            function.sort()
    return model


# --- bytes to proto


def _map(path: Path) -> Buffer:
    """The bytes of a file, memory-mapped."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        mend = "check the path"
        raise ModelError("there is no such file", where=str(path), mend=mend) from None
    except IsADirectoryError:
        mend = "name the .onnx file in it"
        raise ModelError("this is a folder, not a file", where=str(path), mend=mend) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"the file cannot be read ({reason})",
            where=str(path),
            mend="check the path and its permissions",
        ) from None


def _serialized(proto: onnx.ModelProto) -> bytes:
    try:
        data: bytes = proto.SerializeToString()
    except (ValueError, MemoryError, EncodeError):
        raise ModelError(
            "the proto is larger than the 2 GB protobuf can serialize",
            where="the model",
            mend="save it with onnx.save(..., save_as_external_data=True) and pass the path",
        ) from None
    return data


def _parse(data: Buffer, where: str, held: Held) -> onnx.ModelProto:
    """Parse a serialized model, keeping its big weights as views of ``data``."""
    if len(data) == 0:
        raise ModelError("the file is empty", where=where, mend="export or download it again")
    not_onnx = ModelError(
        f"this is not an ONNX model{_what_it_is(bytes(data[:64]))}",
        where=where,
        mend="give a file written by an ONNX exporter",
    )
    try:
        skeleton = read_skeleton(data, at_least=_MAPPED_BYTES)
        proto: onnx.ModelProto = onnx.ModelProto.FromString(skeleton.data)
    except WireError as error:
        if error.truncated:
            raise ModelError(
                f"the file is truncated: it breaks off after {len(data)} bytes",
                where=where,
                mend="download or copy it again",
            ) from None
        raise not_onnx from None
    except DecodeError:
        raise not_onnx from None
    if not proto.HasField("graph") or proto.ir_version < 1:
        raise not_onnx
    for index, (offset, length) in skeleton.cut.items():
        tensor = proto.graph.initializer[index]
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        _check_data_type(tensor, where)
        needed = byte_length(tensor.data_type, tensor.dims)
        if length != needed:
            raise ModelError(
                f"weight {tensor.name!r} holds {length} bytes, but {list(tensor.dims)} of its type "
                f"need {needed}",
                where=where,
                mend="export the model again",
            )
        set_token(tensor, mark(held, tensor_over(data, offset, length, tensor)))
    return proto


def _check_data_type(tensor: onnx.TensorProto, where: str) -> None:
    if tensor.data_type not in _DATA_TYPES:
        raise ModelError(
            f"weight {tensor.name!r} has the unknown data type {tensor.data_type}",
            where=where,
            mend="upgrade the onnx and onnx-ir packages",
        )


def _what_it_is(head: bytes) -> str:
    """What a file that is not ONNX seems to be, from its first bytes."""
    signs = {
        "a TensorFlow Lite model": head[4:8] == b"TFL3",
        "an ONNX Runtime .ort model": head[4:8] == b"ORTM",
        "a zip archive, such as a PyTorch checkpoint": head.startswith(b"PK\x03\x04"),
        "a pickle": head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05",
        "an HDF5 file": head.startswith(b"\x89HDF"),
        "a Git LFS pointer: run git lfs pull": head.startswith(b"version https://git-lfs"),
    }
    return "".join(f" but {name}" for name, holds in signs.items() if holds)


# --- proto to the form we work on


def _modernize(proto: onnx.ModelProto) -> None:
    """Write old ways of saying things in the way all models say them today."""
    for imports in (proto.opset_import, *(function.opset_import for function in proto.functions)):
        for opset in imports:
            if opset.domain == "ai.onnx":
                opset.domain = ""
    if "" not in {opset.domain for opset in proto.opset_import} and _uses_onnx(proto.graph):
        # The specification's reading of a model that names no version, and ONNX Runtime's.
        proto.opset_import.add(domain="", version=1)
    if proto.ir_version < 4:
        stored = {tensor.name for tensor in proto.graph.initializer}
        stored |= {tensor.values.name for tensor in proto.graph.sparse_initializer}
        for index in reversed(range(len(proto.graph.input))):
            if proto.graph.input[index].name in stored:
                del proto.graph.input[index]
        needed = onnx.helper.find_min_ir_version_for(list(proto.opset_import), ignore_unknown=True)
        proto.ir_version = max(_MODERN_IR, needed)


def _uses_onnx(graph: onnx.GraphProto) -> bool:
    return any(
        node.domain in ("", "ai.onnx") or any(_uses_onnx(inner) for inner in nested_graphs(node))
        for node in graph.node
    )


def _defined(graph: onnx.GraphProto) -> set[str]:
    """The names of the inputs, initializers and results of one graph."""
    names = {info.name for info in graph.input} | {held.name for held in graph.initializer}
    names |= {held.values.name for held in graph.sparse_initializer}
    return names | {name for node in graph.node for name in node.output}


def _name_captured_outputs(nodes: Iterable[onnx.NodeProto], seen: set[str]) -> None:
    """Let subgraphs that return an outer value do so through Identity.

    Exporters write such branches and runtimes take them, but onnx-ir would lose the value.
    """
    for node in nodes:
        for inner in nested_graphs(node):
            own = _defined(inner)
            for info in inner.output:
                if info.name not in own:
                    fresh = f"{info.name}_returned"
                    while fresh in own | seen:
                        fresh += "_"
                    inner.node.add(op_type="Identity", input=[info.name], output=[fresh])
                    info.name = fresh
                    own.add(fresh)
            _name_captured_outputs(inner.node, seen | own)


def _assemble(
    proto: onnx.ModelProto, held: Mapping[str, TensorProtocol], where: str, *, sparse: bool
) -> Model:
    try:
        with without_collection():
            return assemble(proto, held, sparse=sparse)
    except ModelError as error:
        raise ModelError(error.what, where=f"{where}: {error.where}", mend=error.mend) from None
    except Exception as error:  # onnx-ir raises many kinds, wrapping the real reason
        reason: BaseException = error
        while reason.__cause__ is not None:
            reason = reason.__cause__
        raise ModelError(
            f"it holds something that cannot be represented ({_first_line(reason)})",
            where=where,
            mend="check it with onnx.checker, or report it with the model",
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


# --- external data


def _check_external(tensor: onnx.TensorProto, folder: Path | None, where: str) -> None:
    """Refuse external data that is missing, too short, or outside the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    about = f"external data of {tensor.name!r}"

    def refuse(what: str, mend: str) -> ModelError:
        return ModelError(f"{about} {what}", where=where, mend=mend)

    if folder is None:
        raise refuse("is in a file, and a model in memory has no folder", "pass the model's path")
    beside = "put the data file beside the model and name it so"
    if not location:
        raise refuse("names no file", "export the model again")
    if "\0" in location or Path(location).is_absolute() or location.startswith("\\"):
        raise refuse(f"is an absolute path, {location}", beside)
    path = folder / location
    root = folder.resolve()
    if ".." in Path(location.replace("\\", "/")).parts:
        raise refuse(f"points outside the model's folder, {location}", beside)
    if not path.resolve().is_relative_to(root):
        raise refuse(f"is a link that leaves the model's folder, {location}", beside)
    if not path.is_file():
        raise refuse(f"is missing: there is no file {location}", "put it beside the model")
    status = path.stat()
    if status.st_nlink > 1:
        # onnx-ir refuses these when it maps them: a hard link may hide a file from elsewhere.
        raise refuse(f"is a hard link, {location}", "replace it by a copy of itself")
    _check_data_type(tensor, where)
    needed = byte_length(tensor.data_type, tensor.dims)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
    except ValueError:
        raise refuse("has an offset or length that is no number", "export it again") from None
    if offset < 0 or length != needed:
        raise refuse(
            f"has offset {offset} and length {length}, but its shape needs {needed} bytes",
            "export the model again",
        )
    if offset + length > status.st_size:
        raise refuse(
            f"is cut off: {location} has {status.st_size} bytes, {offset + length} are needed",
            "download or copy it again",
        )


def _set_folder(model: Model, folder: Path) -> None:
    """Tell external tensors where their files are: absolute, so that a chdir changes nothing."""
    for scope in scopes(model):
        found = [value.const_value for value in scope.graph.initializers.values()]
        for node in scope.graph:
            found.extend(attribute_tensors(node))
        for tensor in found:
            if isinstance(tensor, ExternalTensor):
                tensor.base_dir = folder
