"""Real models to test with, where they are: a folder that is no part of the project."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(
    os.environ.get("BURNISH_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus")
)
"""The folder; ``BURNISH_CORPUS`` names another one."""


def corpus_model(name: str) -> Path:
    """The file of a model such as ``arch/bert_tiny_legacy``; skips the test when it is not here."""
    path = CORPUS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def corpus_inputs(path: Path, *, use_alt: bool = False) -> dict[str, Any]:
    """Inputs for a model of the corpus, by name; ``use_alt`` chooses other sizes."""
    spec = importlib.util.spec_from_file_location("corpus_inputs", CORPUS / "inputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    feeds: dict[str, Any] = module.make_inputs(str(path), 0, use_alt=use_alt)
    return feeds
