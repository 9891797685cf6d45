"""The bodies of the standard, and the signatures that find them."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import pytest

from burnish.ir import schema
from burnish_passes.function_bodies import Body, Call, body_of, body_version
from burnish_passes.idioms.body_proposals import SPACES
from burnish_passes.idioms.body_signatures import SIGNATURES

LEFT_OUT = {
    "Bernoulli",
    "CastLike",
    "CausalConvWithState",
    "LinearAttention",
    "NegativeLogLikelihoodLoss",
    "Range",
    "SequenceMap",
    "SoftmaxCrossEntropyLoss",
}
NEWEST = onnx.defs.onnx_opset_version()


def operators() -> set[str]:
    """The operators of the ONNX domain that some opset defines by a function."""
    return {
        known.name
        for known in onnx.defs.get_all_schemas_with_history()
        if known.domain == "" and (known.has_function or known.has_context_dependent_function)
    }


def plain_body(op_type: str, version: int) -> Body | None:
    known = schema(op_type, "", version)
    if known is None or body_version(op_type, version) not in known.function_opset_versions:
        return None
    return body_of(Call(op_type, version, (), ((0, None),) * len(known.inputs), (True,)))


def leads(body: Body, path: str) -> bool:
    """Whether a signature describes a body."""
    root, *steps = path.split()
    level = body.level
    node, _ = level.made[level.outputs[0]]
    if node.op_type != root:
        return False
    for step in steps:
        index, op_type = step.split(":")
        names = node.inputs
        if int(index) >= len(names) or names[int(index)] not in level.made:
            return False
        node, _ = level.made[names[int(index)]]
        if node.op_type != op_type:
            return False
    return True


def test_every_operator_with_a_body_is_raised_or_left_out_on_purpose() -> None:
    assert operators() == {name for name, _ in SIGNATURES} | LEFT_OUT


@pytest.mark.parametrize("op_type", sorted({name for name, _ in SIGNATURES} - set(SPACES)))
def test_a_signature_fits_every_version_of_a_plain_body(op_type: str) -> None:
    paths = [path for name, path in SIGNATURES if name == op_type]
    bodies = [plain_body(op_type, version) for version in range(1, NEWEST + 1)]
    found = [body for body in bodies if body is not None]
    assert found
    assert all(any(leads(body, path) for path in paths) for body in found)


@pytest.mark.parametrize("op_type", sorted(SPACES))
def test_a_signature_fits_every_choice_of_a_call(op_type: str) -> None:
    paths = [path for name, path in SIGNATURES if name == op_type]
    found = [
        body
        for version in range(12, NEWEST + 1)
        for rank in (3, 4)
        for body in map(body_of, calls(op_type, version, rank))
        if body is not None and [node.op_type for node in body.proto.node] != ["Identity"]
    ]
    assert found
    assert all(any(leads(body, path) for path in paths) for body in found)


def number(known: onnx.defs.OpSchema, name: str) -> int | float:
    """Any value for an attribute that takes a number."""
    return 0.5 if known.attributes[name].type == onnx.defs.OpSchema.AttrType.FLOAT else 3


def calls(op_type: str, version: int, rank: int) -> Iterator[Call]:
    """Calls of an operator whose body depends on the call: one choice made at a time."""
    known = schema(op_type, "", version)
    space = SPACES[op_type]
    if known is None or not known.has_context_dependent_function:
        return
    size = (1, (None,) * rank)
    whole = (size,) * len(known.inputs)
    needed = {"blocksize": 2, "num_groups": 2}
    if rank == 3:
        needed |= {"kv_num_heads": 2, "num_heads": 2, "q_num_heads": 2}
    given = {name: value for name, value in needed.items() if name in known.attributes}
    changes: list[dict[str, object]] = [{}]
    changes += [
        {name: value if isinstance(value, int | str | tuple) else number(known, name)}
        for name, values in space.attributes.items()
        if name in known.attributes
        for value in values
        if value is not None
    ]
    for change in changes:
        for gone in ((), *space.absent):
            inputs = tuple(None if index in gone else key for index, key in enumerate(whole))
            attributes = tuple(sorted({**given, **change}.items()))
            yield Call(op_type, version, attributes, inputs, (True,))


def test_the_newest_body_not_newer_than_the_opset_is_meant() -> None:
    assert body_version("LayerNormalization", 17) == 17
    assert body_version("LayerNormalization", 24) == 18
    assert body_version("Elu", 17) is None
    assert body_version("Elu", 22) == 18
    assert body_version("Tanh", 24) is None


def test_a_body_holds_only_while_its_operators_mean_the_same() -> None:
    # ReduceMean takes its axes as an input from opset 18 on, so each has a body of its own.
    attributes = (("axes", (0, 1)),)
    call = Call("MeanVarianceNormalization", 17, attributes, ((1, None),), (True,))
    newer = Call("MeanVarianceNormalization", 18, attributes, ((1, None),), (True,))
    one, other = body_of(call), body_of(newer)
    assert one is not None
    assert other is not None
    assert one.proto.opset_import[0].version == 13
    assert other.proto.opset_import[0].version == 18
    # LayerNormalization of opset 17 would be such a body at opset 18, but 18 has its own.
    norm = Call("LayerNormalization", 18, (), ((1, (None, 4)), (1, (4,))), (True,))
    body = body_of(norm)
    assert body is not None
    assert body.proto.opset_import[0].version == 18


def test_a_context_dependent_body_follows_the_call() -> None:
    def lines(**attributes: object) -> int:
        sizes = (2, 3, 4, 8)
        given = tuple(sorted(attributes.items()))
        body = body_of(Call("Attention", 23, given, ((1, sizes),) * 3, (True,)))
        return 0 if body is None else len(body.proto.node)

    assert 0 < lines() < lines(is_causal=1) < lines(is_causal=1, softcap=2.0)
    assert lines(softmax_precision=7) == 0, "no body for a precision that is no float"
