"""Sparse tensors, which onnx-ir does not know: dense to whoever reads them, sparse in the file."""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from typing import Any

import numpy as np
import onnx

from burnish.errors import ModelError
from burnish.ir import Array, DataType, Shape, ShapeProtocol, Tensor, TensorProtoTensor

__all__ = ["SparseTensor"]


class SparseTensor:
    """A tensor kept as an ``onnx.SparseTensorProto`` (an ``onnx_ir.TensorProtocol``).

    ``numpy()`` and ``tobytes()`` make the dense form anew each time, so holding one costs only its
    non-zeros. Indices may be linear, ``[count]``, or coordinates, ``[count, rank]``.

    Args:
        proto: the sparse tensor; not copied, not changed.

    Raises:
        ModelError: if values, indices and dims contradict each other.
    """

    def __init__(self, proto: onnx.SparseTensorProto) -> None:
        self.raw = proto
        self.name: str | None = proto.values.name or None
        self.doc_string: str | None = proto.values.doc_string or None
        self.metadata_props: MutableMapping[str, str] = {}
        self.meta: MutableMapping[str, Any] = {}
        self.shape: ShapeProtocol = Shape(list(proto.dims), frozen=True)
        self.dtype = DataType(proto.values.data_type)
        self._positions()

    @property
    def size(self) -> int:
        """Number of elements of the dense form."""
        return math.prod(self.raw.dims)

    @property
    def nbytes(self) -> int:
        """Bytes of the dense form."""
        return math.ceil(self.size * self.dtype.bitwidth / 8)

    def _positions(self) -> Array:
        """Linear positions of the stored values, shape ``[count]``, int64."""
        values, indices, dims = self.raw.values, self.raw.indices, tuple(self.raw.dims)
        where = f"sparse tensor {self.name or ''!r}"
        if onnx.TensorProto.EXTERNAL in (values.data_location, indices.data_location):
            raise ModelError(
                "its parts are external data, which the sparse format does not foresee",
                where=where,
                mend="store it inside the model file",
            )
        count = math.prod(values.dims)
        at: Array = TensorProtoTensor(indices).numpy().astype(np.int64)
        if at.ndim == 2 and at.shape == (count, len(dims)):
            inside = bool(((at >= 0) & (at < np.array(dims, dtype=np.int64))).all())
            strides = np.array([math.prod(dims[i + 1 :]) for i in range(len(dims))], dtype=np.int64)
            at = at @ strides
        elif at.ndim == 1 and len(at) == count:
            inside = bool(((at >= 0) & (at < self.size)).all())
        else:
            inside = False
        if not inside:
            raise ModelError(
                f"its indices of shape {tuple(indices.dims)} do not fit {count} values in {dims}",
                where=where,
                mend="export the model again",
            )
        return at

    def numpy(self) -> Array:
        """The dense form."""
        dense = np.zeros(self.size, dtype=self.dtype.numpy())
        dense[self._positions()] = TensorProtoTensor(self.raw.values).numpy().reshape(-1)
        return dense.reshape(tuple(self.raw.dims))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __dlpack__(self, *, stream: Any = None) -> Any:
        return self.numpy().__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.numpy().__dlpack_device__()

    def tobytes(self) -> bytes:
        """The dense form as ONNX raw data, little endian."""
        return Tensor(self.numpy(), dtype=self.dtype).tobytes()

    def __repr__(self) -> str:
        return f"SparseTensor<{self.dtype},{list(self.raw.dims)}>(name={self.name!r})"
