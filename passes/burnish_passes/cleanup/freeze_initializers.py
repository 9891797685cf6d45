"""Defaults that a caller could override become constants; asked for, never part of a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model
from burnish.passdef import Context, Pass


@dataclass(frozen=True)
class FreezeInitializers(Pass):
    """Take graph inputs that have an initializer off the interface, so that they are constants.

    Old exporters list every weight among the inputs, which makes each one a default that a caller
    may override. No pass may treat it as a constant then: batch normalizations stay unfolded.
    This pass changes the interface, so no level runs it: write ``freeze-initializers, O2``.

    Before::

        agraph (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> {
            y = Add(x, w)
        }

    After::

        agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
            y = Add(x, w)
        }

    Source: ONNX IR specification, initializers with the name of a graph input.
    """

    name: ClassVar[str] = "freeze-initializers"
    counted: ClassVar[bool] = True
    keeps_interface: ClassVar[bool] = False

    def run(self, model: Model, ctx: Context) -> None:
        """Only the main graph has such defaults."""
        for value in list(model.graph.inputs):
            if value.is_initializer() and ctx.applies(self.name, value.name or ""):
                model.graph.inputs.remove(value)
