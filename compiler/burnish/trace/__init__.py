"""Where numbers move: pass by pass, and value by value.

- ``steps``, ``passes``: after each pass that changed something, how far the outputs are from the
  source's.
- ``rows``, ``nodes``: value by value in the order of the graph, how far two models are apart.
- ``pairs``: which value of one model is which of the other.
- ``statistics``: how far the two values of a pair are apart, sample by sample.
- ``exposed``: running models for their inner values, a group at a time.
- ``table``: columns for people.

The method is that of divergence traces between two builds of one program: TensorRT's Polygraphy
(``debug precision``, ``--onnx-outputs mark all``) and ONNX Runtime's quantization debugger compare
inner tensors of one name; here provenance and structure say which tensors belong together.
"""

from __future__ import annotations

from burnish.trace.nodes import trace_models, trace_pipeline
from burnish.trace.passes import trace_passes, watch_passes
from burnish.trace.rows import NodeTrace, ValueRow
from burnish.trace.steps import OutputStep, PassStep, PassTrace

__all__ = [
    "NodeTrace",
    "OutputStep",
    "PassStep",
    "PassTrace",
    "ValueRow",
    "trace_models",
    "trace_passes",
    "trace_pipeline",
    "watch_passes",
]
