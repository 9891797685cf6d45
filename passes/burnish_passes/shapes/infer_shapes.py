"""Find the types and shapes of intermediate values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model
from burnish.passdef import Context, Pass
from burnish.shapes import infer


@dataclass(frozen=True)
class InferShapes(Pass):
    """Annotate every intermediate value with its type and shape, symbolic ones included.

    Graph inputs and outputs keep what they declare: names of dimensions are interface.

    Before::

        agraph (float[N,3] x) => (float[N,6] y) {
            t = Concat <axis = 1> (x, x)
            y = Relu(t)
        }

    After::

        agraph (float[N,3] x) => (float[N,6] y) <float[N,6] t> {
            t = Concat <axis = 1> (x, x)
            y = Relu(t)
        }

    Source: ONNX shape inference, and symbolic evaluation of shape arithmetic.
    """

    name: ClassVar[str] = "infer-shapes"

    def run(self, model: Model, ctx: Context) -> None:
        """Infer; says how many values became better known."""
        improved = infer(model, ctx.shapes)
        if improved:
            ctx.note(self.name, "model", f"{improved} values are better known")
