"""What the target is said to lose at later opsets is what ONNX Runtime itself says."""

from __future__ import annotations

from collections import defaultdict

import pytest

from burnish.target import TARGETS
from burnish_passes.opset.steps import HIGHEST

state = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")

_FOR_EVER = 2**31 - 1


def kernels() -> dict[str, list[tuple[int, int]]]:
    """First and last version of every kernel for ONNX operators on the CPU."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for kernel in state.get_all_opkernel_def():
        if kernel.domain == "" and kernel.provider == "CPUExecutionProvider":
            found[kernel.op_name].append(tuple(kernel.version_range))
    return found


def runs(ranges: list[tuple[int, int]], since: int) -> bool:
    """Whether one of the kernels takes the version of the operator that came at ``since``."""
    return any(
        first == since or (last != _FOR_EVER and first < since <= last) for first, last in ranges
    )


def test_every_operator_whose_kernels_end_is_listed() -> None:
    limits = next(target.limits for target in TARGETS if target.name == "ort-cpu")
    known = kernels()
    ended = set()
    history: dict[str, list[int]] = defaultdict(list)
    for schema in state.get_all_operator_schema():
        if schema.domain == "" and schema.since_version <= HIGHEST and not schema.deprecated:
            history[schema.name].append(schema.since_version)
    for name, versions in history.items():
        ranges = known.get(name, [])
        last = max(versions)
        older = [since for since in versions if since < last and runs(ranges, since)]
        if older and not runs(ranges, last):
            ended.add((name, last))
    # Bernoulli and Swish are bodies of others, and AveragePool got a slower kernel.
    assert ended == limits.lost_kernels - {("AveragePool", 19), ("Bernoulli", 22), ("Swish", 25)}
