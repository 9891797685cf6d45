"""The model as it was before it was quantized, for passes that compare with it."""

from __future__ import annotations

from burnish.ir import Model, Node, Value
from burnish.loading import load

__all__ = ["FloatModel"]


class FloatModel:
    """What passes of one run keep of the float model; get it with ``ctx.recall(FloatModel)``."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._made: dict[str, Node] = {}
        self._named: dict[str, Node] = {}

    def remember(self, model: Model) -> None:
        """Keep a copy of ``model`` as it stands; it shares the weights."""
        self.model = load(model)
        self._made = {str(out.name): node for node in self.model.graph for out in node.outputs}
        self._named = {node.name: node for node in self.model.graph if node.name}

    def counterpart(self, node: Node) -> Value | None:
        """The first result of the node that ``node`` was made from; None when there is none.

        It has the name of the result, or of what is decoded from its codes, or the node's name.
        """
        result = node.outputs[0]
        decoded = (
            decoder.outputs[0]
            for coder in result.consumers()
            if coder.op_type == "QuantizeLinear"
            for decoder in coder.outputs[0].consumers()
            if decoder.op_type == "DequantizeLinear"
        )
        found = [self._made.get(str(value.name)) for value in (result, *decoded)]
        found.append(self._named.get(node.name or ""))
        for item in found:
            if item is not None and item.op_type == node.op_type:
                return item.outputs[0]
        return None
