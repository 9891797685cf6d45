"""Where a result came from: digests of what was read, and the source nodes of new nodes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import onnx

from burnish.artifact import file_digest
from burnish.graph import sources_of
from burnish.ir import ExternalTensor, Model, all_nodes, label, scopes
from burnish.text import model_text

__all__ = ["node_sources", "source_entry", "weight_files"]


def source_entry(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto | Model, model: Model
) -> dict[str, Any]:
    """Name and digest of what was compiled.

    A file or bytes are digested as they are, with the weights beside a file. A model in memory is
    digested as canonical text, which holds a digest of every weight.

    Args:
        source: what was given.
        model: what was loaded from it.

    Returns:
        ``kind`` (``file``, ``bytes`` or ``model``), ``name``, ``sha256``, and ``external``: the
        digest of each weight file by its name relative to the model.
    """
    entry: dict[str, Any] = {"kind": "model", "name": model.graph.name or ""}
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        entry.update(kind="file", name=path.name, sha256=file_digest(path))
    elif isinstance(source, bytes):
        entry.update(kind="bytes", sha256=hashlib.sha256(source).hexdigest())
    else:
        entry["sha256"] = hashlib.sha256(model_text(model).encode()).hexdigest()
    entry["external"] = {
        name: file_digest(path) for name, path in sorted(weight_files(model).items())
    }
    return entry


def weight_files(model: Model) -> dict[str, Path]:
    """The files that hold weights of ``model``, by their name relative to it."""
    held = (
        value.const_value for scope in scopes(model) for value in scope.graph.initializers.values()
    )
    return {
        str(tensor.location): Path(tensor.path)
        for tensor in held
        if isinstance(tensor, ExternalTensor)
    }


def node_sources(model: Model) -> dict[str, list[str]]:
    """The source nodes of every node that a pass made, in the order of the graph.

    Nodes of one label (in different scopes) are listed together.
    """
    found: dict[str, dict[str, None]] = {}
    for node in all_nodes(model):
        name, sources = label(node), sources_of(node)
        if sources != (name,):
            found.setdefault(name, {}).update(dict.fromkeys(sources))
    return {name: list(sources) for name, sources in found.items()}
