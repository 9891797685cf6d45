"""Random ops and training mode: equal-looking nodes that are not equal."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, batch_norm

DIFFER = """
            same = Equal (a, b)
            all = Cast <to = 6> (same)
            y = ReduceMin <keepdims = 0> (all)
        }"""
MERGE = "Common subexpressions: two draws are two numbers, although the nodes look alike."


def two_draws(name: str, op: str, signature: str, draw: str, opset: int = 17) -> ZooModel:
    """Two draws of ``op`` over 256 elements; the output 0 says that they differ somewhere."""
    body = f"{{\n            a = {draw}\n            b = {draw}{DIFFER}"
    return ZooModel(
        name,
        f"Two draws of {op} are compared; they agree everywhere only if they were merged.",
        f"{signature} => (int32 y) {body}",
        trap=MERGE,
        keeps=(op, op),
        opset=opset,
    )


MODELS: tuple[ZooModel, ...] = (
    two_draws("two_uniform_like", "RandomUniformLike", "(float[256] x)", "RandomUniformLike (x)"),
    two_draws(
        "two_normal",
        "RandomNormal",
        "()",
        "RandomNormal <shape = [256]> ()",
    ),
    ZooModel(
        "two_bernoulli",
        "Two Bernoulli draws of one probability agree everywhere only if they were merged.",
        f"""(float[256] x) => (int32 y) <float half = {{0.5}}> {{
            zero = Sub (x, x)
            p = Add (zero, half)
            a = Bernoulli (p)
            b = Bernoulli (p){DIFFER}""",
        trap=MERGE,
        keeps=("Bernoulli", "Bernoulli"),
    ),
    ZooModel(
        "two_multinomial",
        "Two Multinomial samples of one distribution agree only if they were merged.",
        """(float[1, 8] x) => (int32 y) {
            zero = Sub (x, x)
            a = Multinomial <sample_size = 256> (zero)
            b = Multinomial <sample_size = 256> (zero)
            same = Equal (a, b)
            all = Cast <to = 6> (same)
            y = ReduceMin <keepdims = 0> (all)
        }""",
        trap=MERGE,
        keeps=("Multinomial", "Multinomial"),
    ),
    ZooModel(
        "random_without_inputs",
        "RandomNormal has no inputs, so all of its inputs are constant; it is not.",
        """(float[4] x) => (float[4] y) {
            noise = RandomNormal <shape = [4]> ()
            y = Add (x, noise)
        }""",
        trap="Constant folding: the noise would be frozen into the file.",
        keeps=("RandomNormal", "Add"),
        random=True,
    ),
    ZooModel(
        "bernoulli_of_constant",
        "Bernoulli of a constant probability draws anew in every run.",
        """(float[4] x) => (float[4] y) <float[4] p = {0.5, 0.5, 0.5, 0.5}> {
            mask = Bernoulli (p)
            y = Mul (x, mask)
        }""",
        trap="Constant folding: the mask would be frozen into the file.",
        keeps=("Bernoulli", "Mul"),
        random=True,
    ),
    ZooModel(
        "dropout_training",
        "Two Dropouts in training mode drop different elements.",
        """(float[256] x) => (int32 y) <float ratio = {0.5}, bool training = {1}> {
            zero = Sub (x, x)
            ones = Exp (zero)
            a = Dropout (ones, ratio, training)
            b = Dropout (ones, ratio, training)
            same = Equal (a, b)
            all = Cast <to = 6> (same)
            y = ReduceMin <keepdims = 0> (all)
        }""",
        trap="Removing Dropout, or merging the two: training mode is on.",
        keeps=("Dropout", "Dropout"),
    ),
    ZooModel(
        "dropout_runtime_mode",
        "Whether Dropout drops is known only at run time.",
        """(float[8] x, bool training) => (float[8] y) <float ratio = {0.5}> {
            y = Dropout (x, ratio, training)
        }""",
        trap="Removing Dropout: the caller may switch training on.",
        keeps=("Dropout",),
        feeds={"training": np.array(False)},
    ),
    ZooModel(
        "dropout_inference",
        "Dropout in inference mode is Identity, spelled with and without its inputs.",
        """(float[8] x) => (float[8] y) <float ratio = {0.3}, bool training = {0}> {
            a = Dropout (x)
            b = Relu (a)
            c = Dropout (b, ratio, training)
            y = Neg (c)
        }""",
        rows=("D10",),
    ),
    ZooModel(
        "dropout_mask",
        "The mask of an inference Dropout is a tensor of true with the shape of its input.",
        """(float[N, 3] x) => (float[N, 3] y, bool[N, 3] mask) {
            d, mask = Dropout (x)
            y = Relu (d)
        }""",
        dims={"N": 2},
        trap="Removing Dropout and leaving its mask without a producer.",
    ),
    ZooModel(
        "batch_norm_training",
        "BatchNormalization in training mode uses the statistics of the batch.",
        """(float[2, 3, 4, 4] x) => (float[2, 3, 4, 4] y, float[3] new_mean, float[3] new_var) {
            c = Conv <kernel_shape = [1, 1]> (x, w)
            y, new_mean, new_var =
                BatchNormalization <training_mode = 1> (c, scale, shift, mean, var)
        }""",
        trap="Folding it into Conv: its mean and variance are not the constants given.",
        keeps=("Conv", "BatchNormalization"),
        initializers={"w": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), **batch_norm(3)},
    ),
)
