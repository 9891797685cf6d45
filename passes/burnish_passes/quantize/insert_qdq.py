"""Quantize the layers that the target computes on integers, and what lies between them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal
from urllib.parse import quote, unquote

from burnish.calibration import TensorStatistics, check_method, range_of
from burnish.errors import InputError
from burnish.graph import remove_unread
from burnish.ir import Model, Node, Scope, Value, constant, constant_array, convert_attributes
from burnish.ir import label as label_of
from burnish.passdef import Context, Exactness, Pass
from burnish.quantization import Scheme, code_type, parameters_of
from burnish.quantized_target import Quantization
from burnish_passes.quantize.added_bias import keep_bias_apart
from burnish_passes.quantize.coded_weights import coded_bias, coded_weight
from burnish_passes.quantize.pairs import Pairs
from burnish_passes.quantize.placement import Placement, needs_codes_out, place
from burnish_passes.quantize.products import OTHER_PRODUCTS, Product, read_product
from burnish_passes.quantize.regions import region_parameters

_SEVEN_BITS = 63
_KEPT = " ._-:;"
"""Characters that pipeline text can hold as they are; others are written as in addresses: %2F."""


@dataclass(frozen=True)
class InsertQdq(Pass):
    """Quantize convolutions and products by weights, with pairs of QuantizeLinear and DequantizeLinear.

    ``Conv(x, w, b) => DQ(Q(Conv(DQ(Q(x)), DQ(w'), DQ(b'))))``. Ranges of values come from
    calibration data. What lies between such layers is quantized with them where the target has an
    integer kernel, or moves elements only; a Relu goes into the codes after it.

    Which layers, which codes, and whether results are codes as well is the target's to say
    (``burnish targets``). On ONNX Runtime a Conv has codes in and out; a Gemm or MatMul writes
    numbers unless codes are wanted after it. Weights are int8 with a scale for each output channel,
    biases int32. Every layer that stays float says why.

    Options: ``calibration`` is a method for ranges (auto, minmax, moving-average, percentile-99.99,
    mse, entropy). ``activations`` and ``weights`` are types of codes instead of the target's.
    ``exclude`` names layers that stay float, by name, result or operator type, with ``/`` between
    them (``/`` in a name is ``%2F``). ``narrow`` names layers whose weights get 7 bits, for
    processors that saturate.

    Before::

        agraph (float[2,2] x) => (float[2,2] y)
            <float[2,2] w = {1.0, 0.0, 0.0, -0.5}> {
            p = Sigmoid(x)
            y = MatMul(p, w)
        }

    After::

        agraph (float[2,2] x) => (float[2,2] y)
            <int8[2,2] c = {127, 0, 0, -127}, float[2] t = {0.00787401571, 0.00393700786},
             int8[2] n = {0, 0}, float s = {0.00392156886}, uint8 z = {0}> {
            p = Sigmoid(x)
            q = QuantizeLinear(p, s, z)
            v = DequantizeLinear <axis = 1> (c, t, n)
            d = DequantizeLinear(q, s, z)
            y = MatMul(d, v)
        }

    LOSSY. Needs calibration data. The layers inside a fused Attention stay float: the target has no
    integer kernel for it; the projections around it are quantized. Source: Jacob et al.,
    "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
    (2018); where pairs have to stand for integer kernels to be used: ONNX Runtime's QDQ selectors.
    """

    name: ClassVar[str] = "insert-qdq"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True

    calibration: str = "auto"
    activations: Literal["auto", "int8", "uint8", "int16", "uint16"] = "auto"
    weights: Literal["auto", "int8", "uint8"] = "auto"
    exclude: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_method(self.calibration)
        for option in ("exclude", "narrow"):
            names = tuple(quote(unquote(name), safe=_KEPT) for name in getattr(self, option))
            object.__setattr__(self, option, names)

    def run(self, model: Model, ctx: Context) -> None:
        """Decide for the whole graph, ask for ranges, announce each layer, write."""
        _Quantizing(self, model, ctx).run()


class _Quantizing:
    """One run of the pass."""

    def __init__(self, options: InsertQdq, model: Model, ctx: Context) -> None:
        self.options = options
        self.model = model
        self.ctx = ctx
        self.scope: Scope = ctx.scopes(model)[0]
        self.wanted = _wanted(options, ctx.target.limits.quantization)
        self.codes = Scheme(code_type(self.wanted.activations), symmetric=self.wanted.symmetric)
        self.excluded = self.named(options.exclude, "exclude")
        self.narrow = self.named(options.narrow, "narrow")
        self.left: dict[Value, str] = {}
        self.statistics: dict[str, TensorStatistics] = {}

    def run(self) -> None:
        products = self.products()
        if not products:
            return
        self.placed(products)
        accepted = []
        for product in products:
            why = self.why_not(product)
            if why:
                self.ctx.declined(self.options.name, product.node, why)
            elif self.ctx.applies(self.options.name, product.node, self.applied(product)):
                accepted.append(product)
        if accepted:
            self.write(self.placed(accepted))

    def products(self) -> list[Product]:
        """The layers that can be computed on codes; the others are told why they are not."""
        found: list[Product] = []
        kinds = {*self.wanted.products, *OTHER_PRODUCTS}
        version = self.model.opset_imports.get("", 0)
        for node, _ in self.ctx.nodes(self.model, [("", kind) for kind in sorted(kinds)]):
            product = self.read(node, version)
            if isinstance(product, Product):
                found.append(product)
            else:
                self.ctx.declined(self.options.name, node, product)
        return found

    def read(self, node: Node, version: int) -> Product | str:
        if node.op_type not in self.wanted.products:
            known = OTHER_PRODUCTS[node.op_type]
            return known or f"{self.ctx.target.name} has no integer kernel for {node.op_type}"
        if node in self.excluded:
            return "it was excluded"
        if version < 21 and code_type(self.wanted.activations).bits > 8:
            return f"opset {version} has no codes of 16 bits: raise it with raise-opset"
        return read_product(node, self.scope.graph, self.ctx, self.wanted, version)

    def placed(self, products: list[Product]) -> Placement:
        """Where codes are; what has no range is left out."""
        while True:
            taken = [product for product in products if not self.why_not(product)]
            graph = self.scope.graph
            made = place(taken, graph, self.ctx, self.wanted, self.left, self.excluded)
            values = {str(value.name): value for value in made.codes}
            missing = [name for name in values if name not in self.statistics]
            if missing:
                self.statistics |= self.ctx.statistics(self.options.name, self.model, missing)
            bad = {
                value: self.statistics[name].why_no_range
                for name, value in values.items()
                if self.statistics[name].why_no_range
            }
            if not bad:
                return made
            self.left |= bad

    def why_not(self, product: Product) -> str:
        """Why a product cannot be on codes after all: a value has no range."""
        if product.data in self.left:
            return f"what it reads has no range: {self.left[product.data]}"
        result = product.node.outputs[0]
        if result in self.left and needs_codes_out(product.node, self.wanted):
            return f"its result has no range: {self.left[result]}"
        return ""

    def applied(self, product: Product) -> str:
        by = "" if product.channels is None else " by channel"
        return f"{self.wanted.activations} values, {self.wanted.weights} weights{by}"

    def write(self, placed: Placement) -> None:
        """Insert the pairs."""
        pairs = Pairs(self.scope, self.ctx, self.wanted.one_reader)
        movements = self.wanted.movements
        parameters = region_parameters(
            placed, lambda node: node.op_type in movements, self.range_of, self.codes
        )
        steps = {item.node: float(parameters[item.data].scale) for item in placed.products}
        for node in placed.others:
            for index in placed.inputs[node]:
                array = constant_array(node.inputs[index])
                if array is not None:
                    pairs.quantize_constant(node, index, parameters_of(array, self.codes))
        for product in placed.products:
            self.write_constants(product, steps[product.node], pairs)
            if self.wanted.joins_bias and product.node.op_type == "MatMul":
                keep_bias_apart(product.node, placed, pairs)
        for value, made_by in placed.codes.items():
            readers = placed.inputs if made_by is None else None
            pairs.quantize(value, parameters[value], readers)

    def range_of(self, value: Value) -> tuple[float, float]:
        found = self.statistics[str(value.name)]
        return range_of(found, self.options.calibration, self.codes)

    def write_constants(self, product: Product, step: float, pairs: Pairs) -> None:
        """The weight and the bias of a product as codes."""
        node = product.node
        largest = _SEVEN_BITS if node in self.narrow else None
        code = code_type(self.wanted.weights)
        biased = step if self.wanted.integer_bias else None
        weight = coded_weight(product, code, largest, biased)
        if weight.widened:
            scales = f"{weight.widened} of {weight.parameters.scale.size}"
            self.ctx.note(
                self.options.name, node, f"{scales} weight scales are larger for a large bias"
            )
        was = [node.inputs[1], product.bias]
        if product.bias is not None and self.wanted.integer_bias:
            codes, parameters = coded_bias(product, weight, step)
            axis = 0 if parameters.scale.ndim else None
            pairs.hold(node, 2, codes, parameters, axis)
            _set_to_one(node, "beta")
        pairs.hold(node, 1, weight.codes, weight.parameters, product.channels)
        _set_to_one(node, "alpha")
        self.drop(was)

    def drop(self, values: Iterable[Value | None]) -> None:
        """Remove constants that nobody reads any more."""
        for value in values:
            if value is None or value.uses() or value.is_graph_output():
                continue
            producer = value.producer()
            if producer is not None:
                remove_unread([producer])
            elif constant(value) is not None and not value.is_graph_input():
                self.scope.graph.initializers.pop(str(value.name), None)

    def named(self, names: tuple[str, ...], option: str) -> set[Node]:
        """The nodes that an option names.

        Raises:
            InputError: when a name fits none.
        """
        found: set[Node] = set()
        if not names:
            return found
        known: dict[str, list[Node]] = {}
        for scope in self.ctx.scopes(self.model):
            for node in scope.graph:
                outputs = [output.name for output in node.outputs if output.name]
                for name in {label_of(node), node.op_type, *outputs}:
                    known.setdefault(name, []).append(node)
        for name in map(unquote, names):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                mend = f"did you mean {near[0]}?" if near else "see: burnish inspect MODEL"
                raise InputError(f"{option} names no layer '{name}'", mend=mend)
            found.update(known[name])
        return found


def _wanted(options: InsertQdq, target: Quantization) -> Quantization:
    """What the target wants, with what the options say instead."""
    if options.activations != "auto":
        target = replace(target, activations=options.activations)
    if options.weights != "auto":
        target = replace(target, weights=options.weights)
    return target


def _set_to_one(node: Node, name: str) -> None:
    """A factor of a Gemm that went into its constants; integer kernels want it to be 1."""
    if node.op_type == "Gemm" and name in node.attributes:
        node.attributes.update({name: convert_attributes({name: 1.0})[0]})
