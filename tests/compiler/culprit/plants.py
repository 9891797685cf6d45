"""Twenty and more miscompiles, each planted in another rule.

A plant makes one rule wrong in the way such rules do go wrong: another constant, operands
exchanged, a condition dropped, an attribute forgotten. Its model has several nodes, on which other
rules fire before and after it in the whole of ``-O2``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.compiler.culprit import graphs, wrong

from burnish.ir import Model
from burnish.text import parse_model

__all__ = ["PLANTS", "Plant"]


@dataclass(frozen=True)
class Plant:
    """One wrong rule, and a model it goes wrong on.

    Attributes:
        rule: the pass.
        member: the class of the rule, where the pass is a family of rules.
        node: the first node it is applied to.
        what: what is wrong with it.
        plant: makes it wrong.
        text: the graph as ONNX text.
        opset: what the text is written in.
    """

    rule: str
    member: str
    node: str
    what: str
    plant: Callable[[wrong.Patch], None]
    text: str
    opset: int = 17

    @property
    def name(self) -> str:
        """For the name of a test."""
        return f"{self.rule}-{self.what.replace(' ', '-')}"

    def model(self) -> Model:
        """The model as it is before any pass."""
        return parse_model(self.text, opset=self.opset)


PLANTS: tuple[Plant, ...] = (
    Plant(
        "compose-clips",
        "MergeBounds",
        "Clip(b)",
        "another constant",
        wrong.after("algebra.compose_clips", "MergeBounds", wrong.only_inner_bounds),
        graphs.NUMBERS,
    ),
    Plant(
        "simplify-power",
        "",
        "Pow(c)",
        "another operator",
        wrong.after("algebra.simplify_power", "SimplifyPower", wrong.twice_for_square),
        graphs.NUMBERS,
    ),
    Plant(
        "eliminate-neutral-element",
        "DropNeutral",
        "Pow(c)",
        "condition dropped",
        wrong.without_condition("algebra.eliminate_neutral_element", "DropNeutral"),
        graphs.NUMBERS,
    ),
    Plant(
        "fuse-reciprocal",
        "DivideByOperand",
        "Mul(f)",
        "operands exchanged",
        wrong.after("algebra.fuse_reciprocal", "DivideByOperand", wrong.exchanged_quotient),
        graphs.NUMBERS,
    ),
    Plant(
        "fuse-conv-batch-norm",
        "",
        "BatchNormalization(n)",
        "bias not scaled",
        wrong.after("linear.fuse_conv_batch_norm", "FuseConvBatchNorm", wrong.unscaled_bias),
        graphs.IMAGE,
    ),
    Plant(
        "fold-affine-into-conv",
        "FoldAfter",
        "Add(e)",
        "sign exchanged",
        wrong.after("linear.fold_affine_into_conv", "FoldAfter", wrong.offset_of_the_wrong_sign),
        graphs.IMAGE,
    ),
    Plant(
        "fuse-matmul-add",
        "",
        "Add(q)",
        "another factor",
        wrong.after("linear.fuse_matmul_add", "FuseMatmulAdd", wrong.halved_addend),
        graphs.MATRICES,
    ),
    Plant(
        "fold-transpose-into-gemm",
        "RightOfMatMul",
        "MatMul(v)",
        "flag forgotten",
        wrong.after("linear.fold_transpose_into_gemm", "RightOfMatMul", wrong.untransposed),
        graphs.MATRICES,
    ),
    Plant(
        "compose-transposes",
        "",
        "Transpose(b)",
        "permutations exchanged",
        wrong.after(
            "movement.compose_transposes", "ComposeTransposes", wrong.permutations_exchanged
        ),
        graphs.MOVED,
    ),
    Plant(
        "eliminate-no-op-movement",
        "",
        "Transpose(g)",
        "condition dropped",
        wrong.transposes_move_nothing,
        graphs.MOVED.replace("a = Transpose <perm = [1, 2, 0]> (i)", "a = Sin (i)").replace(
            "b = Transpose <perm = [0, 2, 1]> (a)", "b = Cos (a)"
        ),
    ),
    Plant(
        "merge-slices-into-split",
        "",
        "Slice(l)",
        "parts exchanged",
        wrong.parts_exchanged,
        graphs.MOVED,
    ),
    Plant(
        "fuse-gelu",
        "",
        "Mul(gelu)",
        "another gate",
        wrong.after("idioms.fuse_gelu", "FuseGelu", wrong.another_gate),
        graphs.IDIOMS,
    ),
    Plant(
        "fuse-softmax",
        "Quotient",
        "Div(soft)",
        "another axis",
        wrong.after("idioms.fuse_softmax", "Quotient", wrong.softmax_along_the_first_axis),
        graphs.IDIOMS,
    ),
    Plant(
        "fuse-activations",
        "Softplus",
        "Log(plus)",
        "another operator",
        wrong.after("idioms.fuse_activations", "Softplus", wrong.mish_for_softplus),
        graphs.IDIOMS,
    ),
    Plant(
        "fuse-reductions",
        "SumOfParts",
        "ReduceSum(t)",
        "not squared",
        wrong.after("idioms.fuse_reductions", "SumOfParts", wrong.sum_of_the_numbers),
        graphs.IDIOMS,
    ),
    Plant(
        "fuse-layer-normalization",
        "Standardized",
        "Div(n)",
        "another epsilon",
        wrong.after("idioms.fuse_layer_normalization", "Standardized", wrong.large_epsilon),
        graphs.NORMALIZED,
    ),
    Plant("fold-constants", "", "Neg(f)", "one too many", wrong.folded_and_one, graphs.ALIKE),
    Plant(
        "eliminate-common-subexpressions",
        "",
        "LeakyRelu(b)",
        "attributes forgotten",
        wrong.blind_to_attributes,
        graphs.ALIKE,
    ),
    Plant(
        "merge-initializers", "", "q", "contents forgotten", wrong.all_constants_alike, graphs.ALIKE
    ),
    Plant("inline-if", "", "If(a)", "other branch", wrong.the_other_branch, graphs.CONTROL),
    Plant("unroll-loop", "", "Loop(c)", "a round less", wrong.one_round_less, graphs.CONTROL),
    Plant(
        "fold-shape-arithmetic", "", "Gather(n)", "size and one", wrong.sizes_and_one, graphs.SIZES
    ),
    Plant(
        "cancel-requantize",
        "",
        "QuantizeLinear(q)",
        "condition dropped",
        wrong.quantized_elsewhere,
        graphs.CODES,
    ),
    Plant("raise-opset", "", "model", "not rewritten", wrong.unchanged_softmax, graphs.OLD, 11),
)
