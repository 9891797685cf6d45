"""Which pairs of types may be skipped, checked against the numbers of the types themselves."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import DataType
from burnish_passes.movement.compose_casts import holds_every_value

PASS = "compose-casts"

_SMALL = [
    DataType.BOOL,
    DataType.INT8,
    DataType.UINT8,
    DataType.INT16,
    DataType.UINT16,
    DataType.FLOAT16,
    DataType.BFLOAT16,
    DataType.FLOAT8E4M3FN,
    DataType.FLOAT8E4M3FNUZ,
    DataType.FLOAT8E5M2,
    DataType.FLOAT8E5M2FNUZ,
]
_ALL = [
    *_SMALL,
    DataType.INT32,
    DataType.UINT32,
    DataType.INT64,
    DataType.UINT64,
    DataType.FLOAT,
    DataType.DOUBLE,
]


def _every_value(dtype: DataType) -> np.ndarray:
    """Every bit pattern of a type of 8 or 16 bits, as that type."""
    if dtype == DataType.BOOL:
        return np.array([False, True])
    bits = dtype.itemsize * 8
    return np.arange(2**bits).astype(f"uint{int(bits)}").view(dtype.numpy())


def _is_lossless(source: DataType, target: DataType) -> bool:
    """By trying every value: through ``target`` and to float64, and directly to float64."""
    values = _every_value(source)
    with np.errstate(all="ignore"):
        direct = values.astype(np.float64)
        through = values.astype(target.numpy()).astype(np.float64)
    same = (direct == through) & (np.signbit(direct) == np.signbit(through))
    return bool((same | (np.isnan(direct) & np.isnan(through))).all())


@pytest.mark.parametrize("source", _SMALL, ids=str)
@pytest.mark.parametrize("target", _ALL, ids=str)
def test_holding_every_value_is_what_trying_every_value_says(
    source: DataType, target: DataType
) -> None:
    is_float = source.is_floating_point()
    if is_float and target.is_integer():
        assert not holds_every_value(source, target)
        return
    if target == DataType.BOOL:
        assert holds_every_value(source, target) == (source == target)
        return
    assert holds_every_value(source, target) == _is_lossless(source, target)


@pytest.mark.parametrize(
    ("source", "target", "holds"),
    [
        (DataType.INT32, DataType.FLOAT, False),
        (DataType.INT32, DataType.DOUBLE, True),
        (DataType.INT64, DataType.DOUBLE, False),
        (DataType.UINT32, DataType.INT64, True),
        (DataType.UINT64, DataType.INT64, False),
        (DataType.FLOAT, DataType.DOUBLE, True),
        (DataType.DOUBLE, DataType.FLOAT, False),
        (DataType.FLOAT, DataType.BFLOAT16, False),
        (DataType.STRING, DataType.STRING, False),
        (DataType.FLOAT8E8M0, DataType.FLOAT, True),
        (DataType.FLOAT8E8M0, DataType.FLOAT16, False),
        (DataType.FLOAT4E2M1, DataType.FLOAT8E4M3FN, True),
        (DataType.FLOAT4E2M1, DataType.FLOAT8E4M3FNUZ, False),
    ],
)
def test_wide_types(source: DataType, target: DataType, holds: bool) -> None:
    assert holds_every_value(source, target) == holds


def _chain(source: str, *types: DataType) -> str:
    casts = "\n".join(
        f"t{place + 1} = Cast <to = {int(dtype)}> (t{place})" for place, dtype in enumerate(types)
    )
    last = {1: "float", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 3: "int8", 2: "uint8"}
    kind = last[int(types[-1])]
    return f"agraph ({source}[64] t0) => ({kind}[64] y) {{ {casts}\n y = Identity(t{len(types)}) }}"


@pytest.mark.parametrize(
    ("source", "types", "left"),
    [
        ("float16", (DataType.FLOAT, DataType.FLOAT16), []),
        ("int32", (DataType.INT64, DataType.INT32), []),
        ("int8", (DataType.INT32, DataType.FLOAT), ["Cast"]),
        ("uint8", (DataType.FLOAT, DataType.INT32), ["Cast"]),
        ("int8", (DataType.INT64, DataType.UINT8), ["Cast"]),
        ("bool", (DataType.FLOAT, DataType.INT64), ["Cast"]),
        ("bool", (DataType.FLOAT16, DataType.BOOL), []),
        ("float16", (DataType.FLOAT, DataType.BOOL), ["Cast"]),
        # Never: the first loses something.
        ("float", (DataType.FLOAT16, DataType.FLOAT), ["Cast", "Cast"]),
        ("float", (DataType.INT32, DataType.FLOAT), ["Cast", "Cast"]),
        ("int64", (DataType.INT32, DataType.INT64), ["Cast", "Cast"]),
        ("int32", (DataType.BOOL, DataType.INT32), ["Cast", "Cast"]),
        ("int32", (DataType.FLOAT, DataType.INT32), ["Cast", "Cast"]),
        # -1.0 to uint8 is undefined, -1 to uint8 is 255.
        ("int8", (DataType.FLOAT, DataType.UINT8), ["Cast", "Cast"]),
    ],
)
def test_chains(source: str, types: tuple[DataType, ...], left: list[str]) -> None:
    model, _ = run_passes(_chain(source, *types), PASS)
    assert ops(model) == [*left, "Identity"]


def test_the_reason_names_the_types() -> None:
    _, records = run_passes(_chain("float", DataType.FLOAT16, DataType.FLOAT), PASS)
    assert reasons(records) == ["float16 does not hold every value of float"]


def test_saturate_of_the_second_is_kept() -> None:
    model, _ = run_passes(
        """agraph (float16[8] x) => (float8e4m3fn[8] y) {
            t = Cast <to = 1> (x)
            y = Cast <to = 17, saturate = 0> (t)
        }""",
        PASS,
    )
    (node,) = model.graph
    assert (node.attributes["to"].value, node.attributes["saturate"].value) == (17, 0)
