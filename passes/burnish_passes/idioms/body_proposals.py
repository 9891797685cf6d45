"""Which call of an operator a piece of graph may be the body of: propose, then verify.

The body of a context-dependent function is known only for a given call, and the call is what is
looked for. So calls are tried: the choices a call has (an attribute given or not, an optional
input there or not, the type of a mask) are a :class:`Space`. A wrong choice makes the match stop
where the body starts to differ; the search changes the choice that lets it come furthest, until
the whole body stands. Attributes that take any number are placeholders while searching. At the
end the body of exactly the call that was found must stand exactly.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from burnish.ir import DataType, Node, schema
from burnish.passdef import Context
from burnish_passes.function_bodies import (
    Call,
    TypeKey,
    body_of,
    body_version,
    default_of,
    type_key,
)
from burnish_passes.idioms.body_matching import BodyMatch, match_body

__all__ = ["SPACES", "Found", "Space", "find_call"]


@dataclass(frozen=True)
class _Any:
    """An attribute value to be read from the graph, tried as a number that no body holds."""

    negative: bool = False


_ABSENT = None
_NUMBER = _Any()
_NEGATIVE = _Any(negative=True)
_FLOAT_TYPES = (1, 10, 11, 16)
_SAME = 0
"""As an input's type: that of the result."""


@dataclass(frozen=True)
class Space:
    """The choices of calls of one operator; the first of each is tried first.

    Attributes:
        attributes: the values each attribute may have; of several, given or absent together.
        absent: inputs that may be absent, together.
        types: the element types an input may have.
        ranks: ranks of the result to try when it is not known.
        refused: outputs that some calls may not have; left out where there is no body with them.
    """

    attributes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    absent: tuple[tuple[int, ...], ...] = ()
    types: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    ranks: tuple[int, ...] = ()
    refused: frozenset[int] = frozenset()


_NORMALIZED = {
    "axis": (_NEGATIVE, _NUMBER),
    "epsilon": (_NUMBER,),
    "stash_type": _FLOAT_TYPES,
}
SPACES: Mapping[str, Space] = {
    "Attention": Space(
        {
            "is_causal": (0, 1),
            "kv_num_heads q_num_heads": (_ABSENT, _NUMBER),
            "left_window_size": (_ABSENT, _NUMBER),
            "qk_matmul_output_mode": (0, 1, 2, 3),
            "right_window_size": (_ABSENT, _NUMBER),
            "scale": (_ABSENT, _NUMBER),
            "softcap": (_ABSENT, _NUMBER),
            "softmax_precision": (_ABSENT, *_FLOAT_TYPES),
        },
        absent=((3,), (4, 5), (6,)),
        types={3: (_SAME, int(DataType.BOOL))},
        ranks=(4, 3),
        refused=frozenset({1, 2}),
    ),
    "Celu": Space({"alpha": (_NUMBER,)}),
    "CenterCropPad": Space({"axes": (_ABSENT, (0,))}),
    "Clip": Space(absent=((1,), (2,))),
    "DepthToSpace": Space({"blocksize": (_NUMBER,), "mode": ("DCR", "CRD")}),
    "Gelu": Space({"approximate": ("none", "tanh")}),
    "GroupNormalization": Space(
        {"epsilon": (_NUMBER,), "num_groups": (_NUMBER,), "stash_type": _FLOAT_TYPES}
    ),
    "LayerNormalization": Space(_NORMALIZED, absent=((2,),)),
    "LogSoftmax": Space({"axis": (_NUMBER,)}),
    "RMSNormalization": Space(_NORMALIZED),
    "RotaryEmbedding": Space(
        {
            "interleaved": (0, 1),
            "num_heads": (_ABSENT, _NUMBER),
            "rotary_embedding_dim": (_ABSENT, _NUMBER),
        },
        absent=((3,),),
        ranks=(4, 3),
    ),
    "Softmax": Space({"axis": (_NUMBER,)}),
    "SpaceToDepth": Space({"blocksize": (_NUMBER,), "mode": ("DCR", "CRD")}),
}
"""The operators whose body depends on the call. A list attribute (CenterCropPad's axes) is tried
with any value: its body refers to it, so that the match binds what it is."""

_Choice: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """A call whose body stands in the graph.

    Attributes:
        match: where.
        attributes: the attributes of the call; those that say the default are left out.
    """

    match: BodyMatch
    attributes: Mapping[str, Any]


def find_call(op_type: str, root: Node, version: int, ctx: Context) -> Found | None:
    """The call of ``op_type`` whose body ends at ``root``, or None."""
    if body_version(op_type, version) is None:
        return None
    space = SPACES.get(op_type)
    known: Any = schema(op_type, "", version)
    if space is None or not known.has_context_dependent_function:
        return _find_plain(op_type, root, version)
    return _Search(op_type, root, version, space, ctx).run()


def _find_plain(op_type: str, root: Node, version: int) -> Found | None:
    formal: Any = schema(op_type, "", version)
    call = Call(op_type, version, (), ((0, None),) * len(formal.inputs), (True,))
    body = body_of(call)
    if body is None:
        return None
    match, stands = match_body(body, version, root, {})
    if not stands or match.reader_outside() is not None:
        return None
    return _found(match, op_type, version, match.attributes)


def _found(
    match: BodyMatch, op_type: str, version: int, attributes: Mapping[str, Any]
) -> Found | None:
    """The call with ``attributes``, unless it could not be written so."""
    known: Any = schema(op_type, "", version)
    given: dict[str, Any] = {}
    for name, attr in known.attributes.items():
        default = default_of(op_type, version, name)
        value = attributes.get(name, default)
        if value is None and (attr.required or default is not None):
            return None
        # A default list is spelled out: onnx infers MeanVarianceNormalization through its body,
        # where it does not know the default of axes.
        if value != default or isinstance(value, tuple):
            given[name] = value
    return Found(match, given)


class _Search:
    """The search for one call at one place."""

    def __init__(self, op_type: str, root: Node, version: int, space: Space, ctx: Context) -> None:
        self.op_type = op_type
        self.root = root
        self.version = version
        self.space = space
        self.ctx = ctx
        dtype, self.sizes = type_key(root.outputs[0], ctx.shapes, False)
        self.dtype = dtype
        formal: Any = schema(op_type, "", version)
        self.formal = formal
        self.names = [
            name
            for name in space.attributes
            if all(one in formal.attributes for one in name.split())
        ]
        groups = [group for group in space.absent if group[-1] < len(formal.inputs)]
        self.axes = [
            *(space.attributes[name] for name in self.names),
            tuple(_unions(groups)),
            *(space.types[index] for index in sorted(space.types)),
            space.ranks if self.sizes is None and space.ranks else (None,),
        ]

    def run(self) -> Found | None:
        """Try the first choices, then the best change of one, as long as that helps."""
        if not self.dtype:
            return None
        best: _Choice = (0,) * len(self.axes)
        score, found = self.attempt(best)
        while found is None:
            start = score
            for choice in list(self.changes(best)):
                reached, found = self.attempt(choice)
                if found is not None:
                    break
                if reached > score:
                    score, best = reached, choice
            if found is None and score == start:
                return None
        return found

    def changes(self, choice: _Choice) -> Iterator[_Choice]:
        for index, values in enumerate(self.axes):
            for other in range(len(values)):
                if other != choice[index]:
                    yield (*choice[:index], other, *choice[index + 1 :])

    def attempt(self, choice: _Choice) -> tuple[int, Found | None]:
        """How far the body of a choice stands, and the call when all of it does."""
        picked = [values[index] for values, index in zip(self.axes, choice, strict=True)]
        call, placeholders = self.call(picked)
        body = body_of(call)
        if body is None and self.space.refused:
            some = tuple(index not in self.space.refused for index in range(len(call.outputs)))
            call = dataclasses.replace(call, outputs=some)
            body = body_of(call)
        if body is None:
            return -1, None
        match, stands = match_body(body, self.version, self.root, placeholders)
        if not stands:
            return match.steps, None
        score = 1_000_000 + 1_000 * len(match.outputs()) + match.steps
        if match.reader_outside() is not None:
            return score, None
        return score, self.verify(call, match, placeholders)

    def call(self, picked: list[Any]) -> tuple[Call, dict[Any, str]]:
        """The call of some choices, and its placeholders."""
        placeholders: dict[Any, str] = {}
        attributes: list[tuple[str, Any]] = []
        for names, value in zip(self.names, picked, strict=False):
            for name in names.split():
                held = value
                if isinstance(value, _Any):
                    kind = self.formal.attributes[name].type.name
                    held = _placeholder(kind, len(placeholders), value.negative)
                    placeholders[held] = name
                if held is not _ABSENT:
                    attributes.append((name, held))
        gone, *types_tried, rank = picked[len(self.names) :]
        types = dict(zip(sorted(self.space.types), types_tried, strict=True))
        sizes = self.sizes if rank is None else (None,) * rank
        inputs = tuple(
            None if index in gone else (self.element_type(index, types.get(index, _SAME)), sizes)
            for index in range(len(self.formal.inputs))
        )
        outputs = (True,) * len(self.formal.outputs)
        call = Call(self.op_type, self.version, tuple(sorted(attributes)), inputs, outputs)
        return call, placeholders

    def element_type(self, index: int, chosen: int) -> int:
        """The element type to try for an input: the chosen one, its only one, or the result's."""
        allowed = self.formal.inputs[index].types
        if chosen:
            return chosen
        if len(allowed) == 1 and "tensor(int64)" in allowed:
            return int(DataType.INT64)
        return self.dtype

    def verify(self, call: Call, match: BodyMatch, placeholders: Mapping[Any, str]) -> Found | None:
        """The call with what was bound, if exactly its body stands here."""
        attributes = dict(call.attributes)
        attributes.update(dict.fromkeys(placeholders.values()))
        attributes.update(match.attributes)
        found = _found(match, self.op_type, self.version, attributes)
        if found is None:
            return None
        inputs: list[TypeKey | None] = []
        for index in range(len(call.inputs)):
            value = match.input(index)
            inputs.append(None if value is None else type_key(value, self.ctx.shapes, False))
        present = match.outputs()
        exact = Call(
            self.op_type,
            self.version,
            tuple(sorted(found.attributes.items())),
            tuple(inputs),
            tuple(index in present for index in range(max(present) + 1)),
        )
        body = body_of(exact)
        if body is None:
            return None
        verified, stands = match_body(body, self.version, self.root, {})
        if not stands or verified.outputs() != present or verified.reader_outside() is not None:
            return None
        if any(verified.input(index) is not match.input(index) for index in range(len(inputs))):
            return None
        bound = {**found.attributes, **verified.attributes}
        return _found(verified, self.op_type, self.version, bound)


def _unions(groups: list[tuple[int, ...]]) -> Iterator[frozenset[int]]:
    """Every union of some of the groups, small ones first."""
    for count in range(len(groups) + 1):
        for chosen in itertools.combinations(groups, count):
            yield frozenset(itertools.chain(*chosen))


def _placeholder(kind: str, index: int, negative: bool) -> int | float:
    """A number for attribute ``index`` that no body holds by itself."""
    if kind == "FLOAT":
        return float(np.float32(0.7316843 + index / 128))
    value = 7919 + 2 * index
    return -value if negative else value
