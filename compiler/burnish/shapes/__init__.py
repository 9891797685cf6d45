"""Shapes and symbolic values of shape arithmetic: the public face.

``Shapes`` answers questions about a model, ``infer`` writes the answers into it. The parts:

- ``shape_facts``: what is known about a value, and the view of a node a rule works on.
- ``shape_rules``, ``shape_rules_nn``: shapes of outputs, one rule per operator.
- ``shape_contents``, ``shape_movement``: elements of small tensors, one rule per operator.
- ``shape_types``: element types, from the operators' schemas.
- ``shape_fallback``: operators without a rule, through ``onnx.shape_inference``.
- ``shape_analysis``: the sweep that puts them together, and what is trusted.
- ``shape_inference``: writing the result into the model.
"""

from __future__ import annotations

from burnish.shapes.analysis import Shapes
from burnish.shapes.facts import Element, Facts, Shape, SymbolicTensor
from burnish.shapes.inference import infer

__all__ = ["Element", "Facts", "Shape", "Shapes", "SymbolicTensor", "infer"]
