"""What becomes of one constant weight and the layers that read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from burnish.ir import Array, DataType, Model, Node, Scope, Value, attribute, constant, label
from burnish.passdef import Context
from burnish.quantization import CODE_TYPES, Scheme, parameters_of
from burnish_passes.quantize.layers import Layer, drop_unread_constant, last_products, owner_of
from burnish_passes.quantize.layerwise import descend, gptq
from burnish_passes.quantize.rounding import (
    Rounded,
    best_parameters,
    nearest,
    output_error,
    stored_as,
)
from burnish_passes.quantize.stored_codes import (
    BLOCKS_SINCE,
    COLUMNS_SINCE,
    by_column,
    bytes_of_codes,
    decode_rows,
    decode_weight,
    store,
)

__all__ = ["Method", "Part", "Settings", "WeightPlan", "plan_weights"]

Method = Literal["rtn", "mse", "gptq", "adaptive"]
_LEAST_SAVED = 64
"""Bytes below which a DequantizeLinear more is not worth it."""


@dataclass(frozen=True)
class Settings:
    """What the user asked for; see :class:`QuantizeWeights`."""

    rule: str
    bits: int
    block: int | None
    symmetric: bool
    method: Method
    head: int
    tables: int | None
    damping: float
    by_activity: bool

    @property
    def needs_data(self) -> bool:
        """Whether it looks at what layers compute."""
        return self.method in ("gptq", "adaptive")


@dataclass(frozen=True, eq=False)
class Part:
    """Layers that use one constant in one way, and so share its codes.

    Attributes:
        layers: one or more.
        scheme: of the weight as a matrix ``[K, N]`` in blocks of rows; of a table in blocks of
            columns; of a convolution by output channels.
    """

    layers: tuple[Layer, ...]
    scheme: Scheme

    @property
    def first(self) -> Layer:
        """One of them."""
        return self.layers[0]

    @property
    def opset(self) -> int:
        """The opset from which this can be written."""
        array = self.first.weight
        if self.first.node.op_type == "Gather" or self.scheme.code.bits == 4:
            return BLOCKS_SINCE
        if self.scheme.block is not None and self.scheme.block < array.shape[0]:
            return BLOCKS_SINCE
        return 19 if self.first.dtype == DataType.FLOAT16 else COLUMNS_SINCE

    @property
    def bytes(self) -> int:
        """What codes and scales will take."""
        scheme, shape = self.scheme, self.first.weight.shape
        assert scheme.axis is not None
        scales = -(-shape[scheme.axis] // (scheme.block or 1))
        if scheme.block is not None:
            scales *= shape[1 - scheme.axis]
        width, zeros = self.first.dtype.bitwidth // 8, not scheme.symmetric
        return bytes_of_codes(shape, scheme.code.bits, scales, width, zeros)

    @property
    def what(self) -> str:
        """In words."""
        name = self.scheme.code.name
        return name if self.scheme.block is None else f"{name} in blocks of {self.scheme.block}"


def plan_weights(
    settings: Settings, layers: Sequence[Layer], model: Model, ctx: Context
) -> list[WeightPlan]:
    """A plan for each constant worth it; says of the others why not."""
    heads = last_products(model, layers)
    readers: dict[Value, list[Layer]] = {}
    for layer in layers:
        readers.setdefault(layer.held, []).append(layer)
    scopes = ctx.scopes(model)
    plans: list[WeightPlan] = []
    for held, group in readers.items():
        why = _why_not(held, group, settings)
        plan = None
        if why is None:
            parts = tuple(_parts(group, settings, heads))
            plan = WeightPlan(settings, held, parts, owner_of(held, scopes), model)
            why = plan.why_not()
        if plan is None or why is not None:
            for layer in group:
                ctx.declined(settings.rule, layer.node, why or "")
        else:
            plans.append(plan)
    return plans


def _why_not(held: Value, layers: Sequence[Layer], settings: Settings) -> str | None:
    array = layers[0].weight
    for layer in layers:
        node = layer.node
        if layer.is_product or node.op_type == "Gather":
            if array.ndim != 2:
                return f"its weight has {array.ndim} axes, not 2"
        elif array.ndim < 3:
            return f"its weight has {array.ndim} axes"
        if node.op_type == "Gather" and settings.tables is None:
            return "tables are to stay"
        if node.op_type == "Gather" and attribute(node, "axis", 0) not in (0, -2):
            return "it picks columns, not rows"
    if not array.size:
        return "its weight is empty"
    if not np.isfinite(array).all():
        return "its weight is not finite"
    other = _other_reader(held, {layer.node for layer in layers})
    if other is not None:
        return f"{other} reads the weight too, and would go on to hold it as numbers"
    return None


def _other_reader(held: Value, nodes: set[Node]) -> str | None:
    if held.is_graph_output():
        return "the caller"
    for use in held.uses():
        if use.node in nodes:
            continue
        output = use.node.outputs[0]
        turned = use.node.op_type == "Transpose" and not output.is_graph_output()
        if not turned or not all(reader in nodes for reader in output.consumers()):
            return label(use.node)
    return None


def _parts(layers: Sequence[Layer], settings: Settings, heads: set[Node]) -> Iterator[Part]:
    groups: dict[tuple[str, bool, int], list[Layer]] = {}
    for layer in layers:
        if layer.is_product:
            bits = max(settings.bits, settings.head) if layer.node in heads else settings.bits
            key = ("product", layer.turned, bits)
        else:
            key = (layer.node.op_type, False, 8)
        groups.setdefault(key, []).append(layer)
    for (kind, _, bits), group in groups.items():
        shape = group[0].weight.shape
        if kind == "product":
            code = CODE_TYPES[f"int{bits}" if settings.symmetric else f"uint{bits}"]
            block = shape[0] if settings.block is None else min(settings.block, shape[0])
            scheme = Scheme(code, settings.symmetric, 0, block)
        elif kind == "Gather":
            block = settings.block
            # Scales are picked as well here, so blocks have to come out even.
            whole = block is None or block > shape[1] or shape[1] % block > 0
            scheme = Scheme(CODE_TYPES["int8"], True, 1, shape[1] if whole else block)
        else:
            scheme = Scheme(CODE_TYPES["int8"], True, 0)
        yield Part(tuple(group), scheme)


def _meets_bound(product: Node) -> bool:
    """Whether only a bound that one node reads, is computed from a product.

    ONNX Runtime 1.31 looks for a QuantizeLinear after such a bound; when there is none, it leaves
    DequantizeLinear and product alone, and decodes the weight on every run.
    """
    uses = product.outputs[0].uses()
    if len(uses) != 1 or product.outputs[0].is_graph_output():
        return False
    bound = next(iter(uses)).node
    if bound.op_type not in ("Clip", "Relu"):
        return False
    return len(bound.outputs[0].uses()) == 1 and not bound.outputs[0].is_graph_output()


@dataclass(frozen=True, eq=False)
class WeightPlan:
    """What becomes of one constant.

    Attributes:
        settings: what the user asked for.
        held: the constant.
        parts: codes for it, one set for each way it is used in.
        owner: the scope it is in.
        model: the whole.
    """

    settings: Settings
    held: Value
    parts: tuple[Part, ...]
    owner: Scope
    model: Model

    def why_not(self) -> str | None:
        """Why this should not be done; None when it should."""
        opset = self.owner.opsets.get("", 0)
        for part in self.parts:
            if part.opset > opset:
                blocked = part.first.is_product and part.scheme.code.bits == 8
                return (
                    f"{part.what} needs opset {part.opset}, and this is {opset}: raise-opset"
                    f"{', or block=none' if blocked and opset >= COLUMNS_SINCE else ''}"
                )
        saved = self._held_bytes - self._bytes
        if saved < _LEAST_SAVED:
            return f"it would save {max(saved, 0)} bytes"
        return None

    @property
    def _held_bytes(self) -> int:
        held = constant(self.held)
        assert held is not None
        return held.nbytes

    @property
    def _bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    def sources(self) -> dict[str, int]:
        """The values of the main graph whose second moments are needed, and their widths."""
        if not self.settings.needs_data:
            return {}
        return {
            name: layer.weight.shape[0]
            for part in self.parts
            for layer in part.layers
            if (name := layer.observed(self.model)) is not None
        }

    def carry_out(self, moments: Mapping[str, Array], ctx: Context) -> None:
        """Do it."""
        rule = self.settings.rule
        words = " and ".join(dict.fromkeys(part.what for part in self.parts))
        why = f"{words}: {self._held_bytes} bytes become {self._bytes}"
        if not ctx.applies(rule, self.parts[0].first.node, why):
            return
        if any(part.scheme.code.bits == 4 for part in self.parts):
            self.model.ir_version = max(self.model.ir_version or 0, 10)
        for part in self.parts:
            self._carry_out(part, moments, ctx)
        drop_unread_constant(self.held)

    def _carry_out(self, part: Part, moments: Mapping[str, Array], ctx: Context) -> None:
        layer = part.first
        rounded = self._rounded(part, moments, ctx)
        is_product = layer.is_product
        parameters = by_column(rounded.parameters) if is_product else rounded.parameters
        hint = self.held.name or "weight"
        held = store(rounded.codes, parameters, layer.dtype, hint, self.owner, ctx)
        for reader in part.layers:
            if reader.node.op_type == "Gather":
                decode_rows(reader, held, ctx)
                continue
            decode_weight(reader, held, ctx)
            if is_product and ctx.target.backend == "ort" and _meets_bound(reader.node):
                why = "ONNX Runtime does not fuse it, for a Relu or Clip follows: fuse-matmul-nbits"
                ctx.note(self.settings.rule, reader.node, why)

    def _rounded(self, part: Part, moments: Mapping[str, Array], ctx: Context) -> Rounded:
        settings, layer = self.settings, part.first
        dtype = layer.dtype.numpy()
        matrix = layer.weight.astype(np.float32)
        simple = nearest(matrix, stored_as(parameters_of(matrix, part.scheme), dtype))
        if settings.method == "rtn" or not layer.is_product:
            return simple
        if not settings.needs_data:
            return nearest(matrix, stored_as(best_parameters(matrix, part.scheme), dtype))
        names = [reader.observed(self.model) for reader in part.layers]
        known = [moments[name] for name in names if name is not None]
        if not known:
            ctx.note(settings.rule, layer.node, "its inputs are not known: nearest codes")
            return nearest(matrix, stored_as(best_parameters(matrix, part.scheme), dtype))
        together = np.sum(known, axis=0)
        rounded = self._fitted(matrix, together, part.scheme, dtype)
        before = output_error(matrix, simple.numbers, together)
        after = output_error(matrix, rounded.numbers, together)
        if after > before:
            # Damping, or a scale held in fewer bits, made it worse than it looked.
            rounded, after = simple, before
        gain = f"{after:.3g} of its energy lost, {before:.3g} with nearest codes"
        ctx.note(settings.rule, layer.node, f"{settings.method}: {gain}")
        return rounded

    def _fitted(
        self, matrix: Array, moments: Array, scheme: Scheme, dtype: np.dtype[np.generic]
    ) -> Rounded:
        settings = self.settings
        if settings.method == "gptq":
            found = gptq(
                matrix,
                moments,
                scheme,
                damping=settings.damping,
                by_activity=settings.by_activity,
                dtype=dtype,
            )
            return found
        parameters = best_parameters(matrix, scheme, np.diagonal(moments))
        return descend(matrix, moments, stored_as(parameters, dtype), damping=settings.damping)
