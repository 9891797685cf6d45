"""The adapters are complete: the schemas say at which steps an operator changed otherwise."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import onnx.defs
import pytest
from onnx.defs import OpSchema

from burnish_passes.opset.steps import ADAPTERS, HIGHEST, LOWEST, next_step

_AS_BEFORE = "the default of the new attribute is the old behaviour"
_MORE_OPTIONAL = "what may be absent now, or came in addition, is as it was where it is given"

UNCHANGED: dict[tuple[str, int], str] = {
    ("ArgMax", 12): "select_last_index is 0: the first of equal elements, as before",
    ("ArgMin", 12): "select_last_index is 0: the first of equal elements, as before",
    ("Attention", 24): _MORE_OPTIONAL,
    ("Attention", 25): "windows of -1 are unbounded",
    ("AveragePool", 7): "count_include_pad is 0: padding does not count, as before",
    ("AveragePool", 10): "ceil_mode is 0",
    ("AveragePool", 19): "without dilations they are 1",
    ("Cast", 19): "saturate is for float8, which could not be cast to before",
    ("CastLike", 19): "saturate is for float8, which could not be cast to before",
    ("Constant", 11): "value may be absent only where sparse_value is there",
    ("Constant", 12): _AS_BEFORE,
    ("DepthToSpace", 11): "mode DCR is what it did before",
    ("DequantizeLinear", 13): "scales were scalars, for which axis says nothing",
    ("DequantizeLinear", 21): "block_size 0 is no blocks",
    ("DequantizeLinear", 23): "without output_dtype it is that of the scale, as before",
    ("GRU", 14): "layout 0 has the sequence first, as before",
    ("GatherND", 12): "batch_dims is 0",
    ("Gemm", 11): _MORE_OPTIONAL,
    ("LSTM", 14): "layout 0 has the sequence first, as before",
    ("Loop", 11): "a loop may carry nothing now",
    ("LpPool", 18): "ceil_mode is 0, dilations are 1",
    ("MaxPool", 8): "a second result may be asked for; storage_order is for that one",
    ("MaxPool", 10): "ceil_mode is 0, dilations are 1",
    ("OptionalHasElement", 18): _MORE_OPTIONAL,
    ("Pad", 18): "without axes all are padded",
    ("QuantizeLinear", 13): "scales were scalars, for which axis says nothing",
    ("QuantizeLinear", 19): "saturate is for float8, which it did not make before",
    ("QuantizeLinear", 21): "block_size 0 is no blocks; without output_dtype the zero point says",
    ("QuantizeLinear", 23): "without precision the division is done in the type of the scale",
    ("RNN", 14): "layout 0 has the sequence first, as before",
    ("Reshape", 14): "allowzero 0 copies the size, as before",
    ("Resize", 18): "antialias is 0, without axes all are resized, stretch ignores the ratio",
    ("ScatterElements", 16): "reduction none overwrites, as before",
    ("ScatterND", 16): "reduction none overwrites, as before",
    ("Shape", 15): "from 0 to the end",
    ("TopK", 11): "largest first, sorted, as before",
}
"""Steps at which the schema shows more than wider types, and no node means anything else."""


def versions() -> dict[str, list[OpSchema]]:
    found: dict[str, list[OpSchema]] = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= HIGHEST:
            found[schema.name].append(schema)
    return {name: sorted(all_, key=lambda item: item.since_version) for name, all_ in found.items()}


def is_widening(old: OpSchema, new: OpSchema) -> bool:
    """Whether every node that was valid is valid, and nothing but types was added."""
    if new.deprecated or old.deprecated or attributes(old) != attributes(new):
        return False
    for before, after in ((old.inputs, new.inputs), (old.outputs, new.outputs)):
        if len(before) != len(after):
            return False
        for one, other in zip(before, after, strict=True):
            if (one.option, one.is_homogeneous, one.min_arity) != (
                other.option,
                other.is_homogeneous,
                other.min_arity,
            ):
                return False
            if not types(old, one) <= types(new, other):
                return False
    return True


def attributes(schema: OpSchema) -> dict[str, tuple[object, bool, bytes]]:
    return {
        name: (attr.type, attr.required, attr.default_value.SerializeToString())
        for name, attr in schema.attributes.items()
    }


def types(schema: OpSchema, parameter: OpSchema.FormalParameter) -> set[str]:
    for constraint in schema.type_constraints:
        if constraint.type_param_str == parameter.type_str:
            return set(constraint.allowed_type_strs)
    return {parameter.type_str}


def other_steps() -> Iterator[tuple[str, int]]:
    """Every step after LOWEST that is more than a widening of types."""
    for name, history in versions().items():
        for old, new in itertools.pairwise(history):
            if new.since_version > LOWEST and not is_widening(old, new):
                yield name, new.since_version


def test_every_step_that_is_more_than_wider_types_is_decided() -> None:
    undecided = set(other_steps()) - set(ADAPTERS) - set(UNCHANGED)
    assert not undecided


def test_no_step_is_listed_that_the_schemas_do_not_show() -> None:
    steps = set(other_steps())
    assert set(UNCHANGED) <= steps
    assert not set(UNCHANGED) & set(ADAPTERS)
    # Their schemas look the same; what their documentation says does not.
    assert set(ADAPTERS) - steps == {("ConvTranspose", 11), ("OneHot", 11), ("PRelu", 7)}


def test_an_adapter_stands_at_a_version_of_its_operator() -> None:
    known = versions()
    for name, at in ADAPTERS:
        assert at in [schema.since_version for schema in known[name]]


@pytest.mark.parametrize("name", sorted({name for name, _ in ADAPTERS}))
def test_steps_are_taken_in_order(name: str) -> None:
    taken = []
    at: int | None = LOWEST
    while at is not None:
        step = next_step(name, at, HIGHEST)
        at = step[0] if step else None
        taken.append(at)
    assert taken[:-1] == sorted(at for other, at in ADAPTERS if other == name)
