"""``burnish audit`` as people run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import pytest
from tests.passes.quantize.networks import conv_chain, last, quantized

from burnish.saving import to_proto

Command: TypeAlias = Callable[..., Any]


@pytest.fixture
def quantized_file(tmp_path: Path) -> Path:
    path = tmp_path / "int8.onnx"
    onnx.save(to_proto(quantized(conv_chain()).model), path)
    return path


@pytest.fixture
def half_quantized_file(tmp_path: Path) -> Path:
    path = tmp_path / "half.onnx"
    done = quantized(conv_chain(), passes="insert-qdq{exclude=conv2/conv4}")
    onnx.save(to_proto(done.model), path)
    return path


def test_it_says_how_many_layers_run_on_integers(run: Command, quantized_file: Path) -> None:
    done = run("audit", quantized_file)
    assert done.code == 0
    first, runtime, *changes = done.out.splitlines()
    assert first == "3 of 3 Conv/MatMul/Gemm run on integers"
    assert runtime.startswith("onnxruntime ")
    assert "  QLinearConv: 0 -> 3" in changes


def test_it_says_why_others_do_not(run: Command, half_quantized_file: Path) -> None:
    done = run("audit", half_quantized_file)
    assert "1 of 3 Conv/MatMul/Gemm run on integers" in done.out
    assert "1 not: neither operand is quantized (conv4)" in done.out
    assert "1 not: its second operand is not quantized (conv2)" in done.out


def test_every_layer_on_request(run: Command, half_quantized_file: Path) -> None:
    lines = run("audit", half_quantized_file, "--layers").out.splitlines()
    assert "  conv0: Conv runs as QLinearConv" in lines
    held = run("audit", half_quantized_file, "--layers", "--json").json
    assert [layer["numbers"] for layer in held["layers"]] == ["integers", "floats", "floats"]


@pytest.mark.parametrize(("percent", "code"), [("33", 0), ("34", 1)])
def test_a_threshold(run: Command, half_quantized_file: Path, percent: str, code: int) -> None:
    done = run("audit", half_quantized_file, "--at-least", percent, "--json")
    assert done.code == code
    assert done.json["ok"] is (code == 0)
    assert (done.json["on_integers"], done.json["of"]) == (1, 3)


@pytest.mark.parametrize("percent", ["101", "-1", "most"])
def test_a_wrong_threshold(run: Command, quantized_file: Path, percent: str) -> None:
    assert run("audit", quantized_file, f"--at-least={percent}").code == 2


def test_an_artifact_is_audited_for_its_target(
    run: Command, quantized_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = run("compile", quantized_file, "-o", out, "-O0", "--target", "ort-x86")
    assert made.code == 0
    assert "3 of 3 Conv/MatMul/Gemm run on integers" in made.err
    done = run("audit", out, "--json")
    assert done.json["target"] == "ort-x86"
    held = run("compile", quantized_file, "-o", out, "-O0", "--json").json
    assert held["manifest"]["audit"]["on_integers"] == 3


def test_a_float_model_shows_what_was_fused(run: Command, tmp_path: Path) -> None:
    net = conv_chain()
    onnx.save(net.model(last(net)), tmp_path / "float.onnx")
    done = run("audit", tmp_path / "float.onnx")
    assert done.code == 0
    assert done.out.startswith("no layer is quantized")
    assert "Relu: 3 -> 0" in done.out


def test_what_cannot_be_audited_is_an_error_of_one_line(run: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(np.arange(9).tobytes())
    for arguments in ([broken], [tmp_path / "none.onnx"], [tmp_path], [broken, "--target", "gpu"]):
        done = run("audit", *arguments)
        assert done.code == 2
        assert not done.out
        assert len(done.err.splitlines()) == 1
