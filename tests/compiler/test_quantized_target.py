"""What targets want of quantized models, and what is asked of the processor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from burnish import quantized_target
from burnish.quantization import CODE_TYPES
from burnish.quantized_target import OPENVINO, ORT_ARM, ORT_X86, TENSORRT, TVM, Quantization
from burnish.target import TARGETS, Limits, parse_target

RECORDS = (
    ORT_ARM,
    ORT_X86,
    OPENVINO,
    TENSORRT,
    TVM,
    *(item.limits.quantization for item in TARGETS),
)


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that stands for /proc/cpuinfo on an x86."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(quantized_target, "_FLAGS", path)
    monkeypatch.setattr(quantized_target, "is_arm", lambda: False)
    quantized_target.saturates_here.cache_clear()
    yield path
    quantized_target.saturates_here.cache_clear()


@pytest.mark.parametrize("wanted", RECORDS)
def test_codes_are_types_there_are(wanted: Quantization) -> None:
    assert {wanted.activations, wanted.weights} <= set(CODE_TYPES)


@pytest.mark.parametrize("wanted", RECORDS)
def test_codes_out_are_needed_of_products_only(wanted: Quantization) -> None:
    assert wanted.needs_codes_out <= wanted.products
    assert not wanted.products & (wanted.calculations | wanted.movements)
    assert not wanted.calculations & wanted.movements


@pytest.mark.parametrize(
    ("line", "saturates"),
    [
        ("flags\t\t: sse2 avx2 avx512f avx512bw", True),
        ("flags\t\t: sse2 avx2 avx512f avx512_vnni", False),
        ("flags\t\t: sse2 avx2 avx_vnni", False),
        ("flags\t\t: sse2 amx_int8 amx_tile", False),
        ("model name\t: some processor", True),
    ],
)
def test_processors_without_exact_sums_saturate(flags: Path, line: str, saturates: bool) -> None:
    flags.write_text(f"processor\t: 0\n{line}\n")
    assert Quantization(saturating=None).saturates is saturates
    assert Limits(26, quantization=Quantization(saturating=None)).saturating_int8 is saturates


def test_an_unknown_processor_is_taken_to_saturate(flags: Path) -> None:
    assert not flags.exists()
    assert Quantization(saturating=None).saturates


def test_an_arm_does_not_saturate(flags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized_target, "is_arm", lambda: True)
    assert not Quantization(saturating=None).saturates
    assert quantized_target.of_this_machine() == ORT_ARM


def test_portable_files_assume_the_worst_of_their_kind() -> None:
    assert parse_target("ort-x86").limits.saturating_int8
    assert parse_target("ort-x86").limits.quantization.activations == "uint8"
    assert not parse_target("ort-arm").limits.saturating_int8
    assert parse_target("ort-arm").limits.quantization.activations == "int8"
