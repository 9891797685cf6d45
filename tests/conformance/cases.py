"""The cases: models with inputs and expected outputs, as the onnx wheel ships or builds them.

Node cases are built in memory. The other kinds are folders. The cases of kind ``real`` name one of
the light models of the wheel, whose inputs are a ramp from 0 to 1 by the wheel's convention.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase as WheelCase
from onnx.backend.test.loader import load_model_tests

KINDS = ("real", "simple", "pytorch-converted", "pytorch-operator", "node")
DATA = Path(onnx.backend.test.__file__).parent / "data"


@dataclass(frozen=True)
class DataSet:
    """One run of a case.

    Attributes:
        feeds: graph input name to array, list (sequence) or None (empty optional).
        expected: one array, list or None per graph output, in order.
    """

    feeds: dict[str, Any]
    expected: list[Any]


@dataclass(frozen=True)
class Case:
    """One conformance case; model and data are read when asked for.

    Attributes:
        name: unique over all kinds.
        kind: one of :data:`KINDS`.
        rtol: allowed relative difference of outputs.
        atol: allowed absolute difference of outputs.
        source: the wheel's own description.
    """

    name: str
    kind: str
    rtol: float
    atol: float
    source: WheelCase

    def model(self) -> onnx.ModelProto:
        """A fresh copy of the model."""
        if self.source.model is not None:
            copy = onnx.ModelProto()
            copy.CopyFrom(self.source.model)
            return copy
        return onnx.load(self._path())

    def data_sets(self) -> list[DataSet]:
        """The runs of this case; at least one."""
        model = self.model()
        if self.source.data_sets is not None:
            return [
                _data_set(model, [_value(item) for item in given], [_value(item) for item in out])
                for given, out in self.source.data_sets
            ]
        if self.source.model_dir is None:
            return [_light_data_set(model, self._path())]
        folders = sorted(Path(self.source.model_dir).glob("test_data_set_*"))
        types = [value.type for value in _fed(model)]
        results = [value.type for value in model.graph.output]
        return [
            _data_set(model, _read(folder, "input", types), _read(folder, "output", results))
            for folder in folders
        ]

    def _path(self) -> Path:
        if self.source.model_dir is not None:
            return Path(self.source.model_dir) / "model.onnx"
        return DATA / "light" / str(self.source.url).rsplit("/", 1)[-1]


def load_cases(kinds: Iterable[str] = KINDS) -> list[Case]:
    """All cases of ``kinds``, by kind and name; building the node cases takes some seconds."""
    cases: list[Case] = []
    for kind in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = load_model_tests(kind=kind)
        ordered = sorted(found, key=lambda case: case.name)
        cases.extend(Case(case.name, kind, case.rtol, case.atol, case) for case in ordered)
    return cases


def _fed(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The graph inputs that a caller must give: those without a default."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in defaults]


def _data_set(model: onnx.ModelProto, inputs: Sequence[Any], expected: list[Any]) -> DataSet:
    names = [value.name for value in _fed(model)]
    return DataSet(dict(zip(names, inputs, strict=False)), expected)


def _value(item: Any) -> Any:
    if isinstance(item, onnx.TensorProto):
        return numpy_helper.to_array(item)
    if isinstance(item, (list, tuple)):
        return [_value(element) for element in item]
    return item if item is None else np.asarray(item)


def _read(folder: Path, stem: str, types: Sequence[onnx.TypeProto]) -> list[Any]:
    values = []
    for index, type_proto in enumerate(types):
        file = folder / f"{stem}_{index}.pb"
        if file.exists():
            values.append(_parse(file.read_bytes(), type_proto))
    return values


def _parse(data: bytes, type_proto: onnx.TypeProto) -> Any:
    if type_proto.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if type_proto.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def _light_data_set(model: onnx.ModelProto, path: Path) -> DataSet:
    feeds = []
    for value in _fed(model):
        shape = [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        feeds.append((np.arange(count).reshape(shape) / count).astype(np.float32))
    expected = [
        numpy_helper.to_array(onnx.load_tensor(path.with_name(f"{path.stem}_output_{index}.pb")))
        for index in range(len(model.graph.output))
    ]
    return _data_set(model, feeds, expected)
