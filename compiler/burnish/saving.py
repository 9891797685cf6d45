"""Writing models: atomically, with the same bytes for the same model, one weight at a time."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import onnx

from burnish.errors import ModelError
from burnish.files import replacing
from burnish.ir import ExternalTensor, Model, TensorProtocol
from burnish.memory import without_collection
from burnish.serial.encoding import Part, encode
from burnish.serial.rare import Rare
from burnish.serial.skeleton import dismantle
from burnish.serial.tokens import tensor_over
from burnish.serial.wire import write_model

__all__ = ["save", "to_proto"]

_GIB = 1 << 30
# Smaller weights stay in the model file, as ONNX tools expect of shape constants.
_EXTERNAL_BYTES = 1024
# So that runtimes can map big weights: a page. Small ones only need alignment of their elements.
_PAGE, _LINE, _BIG = 4096, 64, 1 << 20
_PROTOBUF_LIMIT = (1 << 31) - 1


def to_proto(model: Model) -> onnx.ModelProto:
    """The whole model as a proto, sparse tensors and map types included; weights are copied.

    Raises:
        ModelError: if the weights exceed the 2 GB a proto can hold.
    """
    proto, weights = dismantle(model, at_least=_EXTERNAL_BYTES)
    if sum(tensor.nbytes for tensor in weights.values()) + proto.ByteSize() > _PROTOBUF_LIMIT:
        raise ModelError(
            "the model is too large for one proto of 2 GB",
            mend="save it to a file: the weights then go beside it",
        )
    for index, tensor in weights.items():
        proto.graph.initializer[index].raw_data = tensor.tobytes()
    return proto


def save(
    model: Model, path: str | os.PathLike[str], *, external_threshold: int = 3 * _GIB // 2
) -> list[Path]:
    """Write ``model`` to ``path``; the file appears whole or not at all.

    A model larger than the threshold gets its weights in ``<name>.data`` beside it. Each weight is
    streamed, so memory stays near that of the largest one. The model stays usable afterwards, also
    when it was loaded from the very files that are replaced.

    Args:
        model: any model.
        path: the file to write, usually ``*.onnx``.
        external_threshold: total bytes above which weights go beside the model file.

    Returns:
        The files written: the model, and the weights if they are beside it.

    Raises:
        ModelError: if the part that must be in the model file exceeds 2 GB, or a file cannot be
            written.
    """
    path = Path(path)
    limit = min(external_threshold, _PROTOBUF_LIMIT)
    try:
        parts = _encoded(model)
        if parts and sum(map(_length, parts)) <= limit:
            with _replacing(path) as file:
                _write_parts(file, parts)
            return [path]
        with without_collection():
            proto, weights = dismantle(model, at_least=_EXTERNAL_BYTES)
        total = sum(tensor.nbytes for tensor in weights.values()) + proto.ByteSize()
        if total <= limit:
            with _replacing(path) as file:
                write_model(file, _serialized(proto, path), _writers(weights))
            return [path]
        return _save_beside(model, proto, weights, path)
    except OSError as error:
        raise ModelError(
            f"the model cannot be written ({error.strerror or error})",
            where=str(path),
            mend="check the folder, its permissions and the free space",
        ) from error


def _encoded(model: Model) -> list[Part]:
    """The parts of the file; none when the model must go through its proto."""
    try:
        with without_collection():
            return encode(model, at_least=_EXTERNAL_BYTES)
    except Rare:
        return []


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part.nbytes


def _write_parts(file: BinaryIO, parts: Iterable[Part]) -> None:
    for part in parts:
        if isinstance(part, bytes):
            file.write(part)
        else:
            _write(part, file)


def _serialized(proto: onnx.ModelProto, path: Path) -> bytes:
    if proto.ByteSize() > _PROTOBUF_LIMIT:
        raise ModelError(
            "tensors in node attributes exceed the 2 GB a model file can hold",
            where=str(path),
            mend="turn big Constant nodes into initializers first",
        )
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _writers(
    weights: Mapping[int, TensorProtocol],
) -> dict[int, tuple[int, Callable[[BinaryIO], None]]]:
    return {i: (tensor.nbytes, partial(_write, tensor)) for i, tensor in weights.items()}


def _write(tensor: TensorProtocol, file: BinaryIO) -> None:
    start = file.tell()
    if hasattr(tensor, "tofile"):
        tensor.tofile(file)
    else:
        file.write(tensor.tobytes())
    written = file.tell() - start
    if written != tensor.nbytes:
        raise ModelError(
            f"{written} bytes of {tensor.nbytes} were written",
            where=f"weight {tensor.name!r}",
            mend="was its data file changed meanwhile? load the model again",
        )


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file in the same folder that takes the place of ``path`` when all went well."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        yield file


def _save_beside(
    model: Model, proto: onnx.ModelProto, weights: Mapping[int, TensorProtocol], path: Path
) -> list[Path]:
    data_path = path.with_name(f"{path.name}.data")
    _unhook(model, data_path)
    # Left in the opposite order: the data takes its place first, the model file last.
    with _replacing(path) as file, _replacing(data_path) as data:
        for index, tensor in weights.items():
            step = _PAGE if tensor.nbytes >= _BIG else _LINE
            offset = -(-data.tell() // step) * step
            data.write(bytes(offset - data.tell()))
            _write(tensor, data)
            entry = proto.graph.initializer[index]
            entry.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (
                ("location", data_path.name),
                ("offset", str(offset)),
                ("length", str(tensor.nbytes)),
            ):
                entry.external_data.add(key=key, value=value)
        file.write(_serialized(proto, path))
    return [path, data_path]


def _unhook(model: Model, data_path: Path) -> None:
    """Map weights that live in ``data_path`` for good, before the name means another file."""
    if not data_path.exists():
        return
    mapped: memoryview | None = None
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if not isinstance(tensor, ExternalTensor) or tensor.nbytes == 0:
            continue
        if not os.path.exists(tensor.path) or not os.path.samefile(tensor.path, data_path):
            continue
        if mapped is None:
            with data_path.open("rb") as file:
                mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        value.const_value = tensor_over(mapped, tensor.offset or 0, tensor.nbytes, tensor)
