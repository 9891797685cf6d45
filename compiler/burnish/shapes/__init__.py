"""Shapes and symbolic values of shape arithmetic: the public face.

``Shapes`` answers questions about a model, ``infer`` writes the answers into it. The parts:

- ``facts``: what is known about a value, and the view of a node a rule works on.
- ``rules``, ``rules_nn``: shapes of outputs, one rule per operator.
- ``contents``, ``movement``: elements of small tensors, one rule per operator.
- ``types``: element types, from the operators' schemas.
- ``fallback``: operators without a rule, through ``onnx.shape_inference``.
- ``analysis``: the sweep that puts them together, and what is trusted.
- ``inference``: writing the result into the model.
- ``sizes``: bytes of values on given inputs.
"""

from __future__ import annotations

from burnish.shapes.analysis import Shapes
from burnish.shapes.facts import Element, Facts, Shape, SymbolicTensor
from burnish.shapes.inference import infer
from burnish.shapes.rules import REDUCTIONS
from burnish.shapes.sizes import ValueSizes

__all__ = [
    "REDUCTIONS",
    "Element",
    "Facts",
    "Shape",
    "Shapes",
    "SymbolicTensor",
    "ValueSizes",
    "infer",
]
