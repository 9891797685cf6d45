"""How passes come by statistics, and how a run comes by data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.corpus import corpus_model

from burnish.calibration import Calibration
from burnish.driver import compile, optimize
from burnish.errors import InputError
from burnish.ir import Array, Model
from burnish.loading import load
from burnish.memory import let_go
from burnish.passdef import Context, Pass
from burnish.pipeline import Pipeline
from burnish.target import Target
from burnish_models import path


@dataclass(frozen=True)
class AskRanges(Pass):
    """Notes the range of every Relu."""

    name: ClassVar[str] = "ask-ranges"

    def run(self, model: Model, ctx: Context) -> None:
        names = [str(node.outputs[0].name) for node in model.graph if node.op_type == "Relu"]
        for name, found in ctx.statistics(self.name, model, names).items():
            ctx.note(self.name, name, f"{found.count} from {found.minimum} to {found.maximum:.3f}")


ASKING = Pipeline((AskRanges(),))
DATA = path("digits").with_name("digits.npz")


def test_a_pass_asks_its_context() -> None:
    calibration = Calibration.of(DATA, limit=5)
    done = optimize(path("digits"), passes=ASKING, calibration=calibration)
    said = [str(remark) for entry in done.records for remark in entry.remarks]
    assert any("only 5 samples to calibrate on" in line for line in said)
    assert sum("5120 from 0.0 to" in line for line in said) == 3


def test_without_data_a_pass_says_what_it_needs() -> None:
    with pytest.raises(InputError, match="ask-ranges needs calibration data; give it with --data"):
        optimize(path("digits"), passes=ASKING)


def test_the_manifest_says_what_was_calibrated_on(tmp_path: Path) -> None:
    artifact = compile(
        path("digits"), tmp_path / "out", passes=ASKING, calibration=Calibration.of(DATA, limit=9)
    )
    found = artifact.manifest.options["calibration"]
    assert found["samples"] == 9
    assert found["data"].endswith("digits.npz")
    assert len(found["digest"]) == 64
    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert kept["options"]["calibration"] == found
    plain = compile(path("digits"), tmp_path / "plain", passes="O0")
    assert "calibration" not in plain.manifest.options


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ([], "there is no sample in it"),
        (
            [{"image": np.full((1, 1, 8, 8), np.nan, np.float32)}],
            "sample 0: input 'image' holds NaN",
        ),
        ([{"image": np.zeros((1, 1, 9, 9), np.float32)}], "sample 0: image has shape"),
        ("nowhere", "nowhere: there is no such file or folder"),
    ],
)
@pytest.mark.parametrize("name", ["out", "out.onnx"])
def test_bad_data_leave_nothing_behind(tmp_path: Path, data: Any, what: str, name: str) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(InputError, match=what):
        compile(
            path("digits"),
            tmp_path / name,
            passes=ASKING,
            calibration=Calibration.of(data, cache=cache),
        )
    assert not list(tmp_path.iterdir())


def test_nan_in_a_later_sample_leaves_nothing_behind(tmp_path: Path) -> None:
    good = np.zeros((1, 1, 8, 8), np.float32)
    calibration = Calibration.of([good, good, good * np.nan], cache=tmp_path / "cache")
    with pytest.raises(InputError, match="sample 2"):
        compile(path("digits"), tmp_path / "out", passes=ASKING, calibration=calibration)
    assert not list(tmp_path.iterdir())


def test_weights_that_were_let_go_are_still_there() -> None:
    model = load(path("digits"))
    arrays = [
        value.const_value.numpy()
        for value in model.graph.initializers.values()
        if value.const_value is not None
    ]
    before = [array.copy() for array in arrays]
    let_go([*arrays, np.zeros(3, np.float32)])
    assert all(np.array_equal(one, other) for one, other in zip(arrays, before, strict=True))


def test_a_pipeline_hands_data_to_its_passes() -> None:
    def read() -> Iterator[dict[str, Array]]:
        yield {"image": np.ones((2, 1, 8, 8), np.float32)}

    model = load(path("digits"))
    (entry,) = ASKING.run(model, Target(), calibration=Calibration.of(read))
    assert len(entry.remarks) == 4


_MEASURED = """
import json, resource, sys
import numpy as np
from burnish.calibration import METHODS, Calibration, range_of
from burnish.loading import load
from burnish.quantization import Scheme, code_type

def images():
    for seed in range(16):
        yield np.random.default_rng(seed).random((1, 3, 224, 224), np.float32)

model = load(sys.argv[1])
started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kinds = ("Conv", "Relu", "Concat", "MaxPool", "Resize", "Add", "ConvTranspose")
names = [str(node.outputs[0].name) for node in model.graph if node.op_type in kinds]
found = Calibration.of(images).statistics(model, names)
for held in found.values():
    for method in METHODS:
        range_of(held, method, Scheme(code_type("uint8")))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"bytes": (peak - started) * 1024, "seen": sum(h.count for h in found.values()) * 4}))
"""


def test_memory_does_not_grow_with_the_data() -> None:
    """Holding all that was seen would take more than the model and 500 MB; this takes a fraction."""
    file = corpus_model("arch/unet_dynamo")
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(file)], capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    allowed = file.stat().st_size + (500 << 20)
    assert found["seen"] > allowed
    assert found["bytes"] < allowed
