"""How often a Loop or Scan runs."""

from __future__ import annotations

from burnish.ir import Node, Value, attribute, constant_array
from burnish.passdef import Context
from burnish_passes.proofs import operand

__all__ = ["runs_at_least_once", "trip_count"]


def trip_count(node: Node) -> int | None:
    """How often a Loop runs, when that is known before it does."""
    starts = _truth(operand(node, 1))
    if operand(node, 1) is not None and starts is None:
        return None
    if starts is False:
        return 0
    limit = _limit(node)
    if limit is not None and limit <= 1:
        return limit
    if _leaves_after_first(node) and (limit is not None or operand(node, 0) is None):
        return 1
    return limit if limit is not None and _condition_stays(node) else None


def runs_at_least_once(node: Node, ctx: Context) -> bool:
    """Whether the body of a Loop or Scan certainly runs."""
    if node.op_type == "Scan":
        return _scans_something(node, ctx)
    if operand(node, 1) is not None and _truth(operand(node, 1)) is not True:
        return False
    limit = _limit(node)
    return operand(node, 0) is None or (limit is not None and limit >= 1)


def _limit(node: Node) -> int | None:
    """The trip count a Loop is given, when it is a constant."""
    array = constant_array(operand(node, 0))
    if array is None or array.size != 1:
        return None
    return max(0, int(array.reshape(-1)[0]))


def _truth(value: Value | None) -> bool | None:
    array = constant_array(value)
    return None if array is None or array.size != 1 else bool(array.reshape(-1)[0])


def _leaves_after_first(node: Node) -> bool:
    """Whether the body of a Loop always says that the first round was the last."""
    return _truth(node.attributes["body"].as_graph().outputs[0]) is False


def _condition_stays(node: Node) -> bool:
    """Whether the body of a Loop passes on the condition it got, or always says true."""
    body = node.attributes["body"].as_graph()
    value: Value | None = body.outputs[0]
    while value is not None:
        if value is body.inputs[1] or _truth(value) is True:
            return True
        producer = value.producer()
        if producer is None or producer.op_type != "Identity" or producer.domain != "":
            return False
        value = producer.inputs[0]
    return False


def _scans_something(node: Node, ctx: Context) -> bool:
    """Whether the scanned axis of a Scan has a known size of at least 1."""
    count = attribute(node, "num_scan_inputs", 0)
    if not count or attribute(node, "directions") is not None:
        return False  # opset 8 has another signature
    first = len(node.inputs) - count
    axes = attribute(node, "scan_input_axes", (0,) * count)
    value = operand(node, first)
    shape = None if value is None else ctx.shapes.shape(value)
    if shape is None or not -len(shape) <= axes[0] < len(shape):
        return False
    size = shape[axes[0]]
    return isinstance(size, int) and size >= 1
