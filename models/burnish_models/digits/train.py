"""Train the digits classifier and write ``digits.onnx`` and ``digits.npz``.

    python -m burnish_models.digits.train [FOLDER]

Needs scikit-learn for the data; the network and its gradients are plain NumPy, so that nobody
has to install a deep-learning framework to see where the shipped weights come from. All random
numbers come from one seed. The result is the same on every run on one machine; another BLAS
rounds differently, so the weights (not the recipe) may differ there.

The network, for an image ``[batch, 1, 8, 8]`` with values from 0 to 1::

    stem  = Relu(BatchNorm(Conv(image)))          16 channels, 3x3, padding 1
    inner = Relu(BatchNorm(Conv(stem)))
    block = Relu(BatchNorm(Conv(inner)) + stem)   a residual block
    logits = Gemm(Flatten(MaxPool(block)))        2x2 pool, 256 -> 10

BatchNormalization nodes are exported as trained, not folded: folding them is a compiler's work.
Training is Adam (Kingma and Ba, 2015) on cross entropy, with batch normalization after Ioffe and
Szegedy (2015), a cosine learning rate and images shifted by up to one pixel.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Weights: TypeAlias = dict[str, Array]

SEED = 0
CHANNELS = 16
CLASSES = 10
EPOCHS = 40
BATCH = 64
LEARNING_RATE = 0.004
WEIGHT_DECAY = 0.0005
EPSILON = 1e-5
MOMENTUM = 0.9
LAYERS = ("stem", "inner", "block")


def patches(images: Array) -> Array:
    """View ``[N, C, H, W]`` as all 3x3 neighbourhoods ``[N, C, H, W, 3, 3]``, zero padded."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))


def convolve(images: Array, weight: Array) -> Array:
    """Convolve ``[N, C, H, W]`` with ``[O, C, 3, 3]`` to ``[N, O, H, W]``."""
    result = np.tensordot(patches(images), weight, axes=([1, 4, 5], [1, 2, 3]))
    return np.ascontiguousarray(result.transpose(0, 3, 1, 2))


@dataclass
class Conv:
    """A 3x3 convolution without bias."""

    weight: Array
    images: Array = field(default_factory=lambda: np.empty(0))

    def forward(self, images: Array) -> Array:
        self.images = images
        return convolve(images, self.weight)

    def backward(self, slope: Array) -> tuple[Array, Array]:
        """Return the gradients of the images and of the weight."""
        weight = np.tensordot(slope, patches(self.images), axes=([0, 2, 3], [0, 2, 3]))
        mirrored = self.weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        return convolve(slope, mirrored), weight


@dataclass
class BatchNorm:
    """Batch normalization over N, H and W that keeps running statistics for inference."""

    scale: Array
    shift: Array
    mean: Array
    variance: Array
    normal: Array = field(default_factory=lambda: np.empty(0))
    inverse: Array = field(default_factory=lambda: np.empty(0))

    def forward(self, values: Array, training: bool) -> Array:
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3))
            self.mean = MOMENTUM * self.mean + (1 - MOMENTUM) * mean
            self.variance = MOMENTUM * self.variance + (1 - MOMENTUM) * variance
        self.inverse = per_channel(1 / np.sqrt(variance + EPSILON))
        self.normal = (values - per_channel(mean)) * self.inverse
        return self.normal * per_channel(self.scale) + per_channel(self.shift)

    def backward(self, slope: Array) -> tuple[Array, Array, Array]:
        """Return the gradients of the values, the scale and the shift."""
        scale, shift = (slope * self.normal).sum((0, 2, 3)), slope.sum((0, 2, 3))
        count = slope.size / slope.shape[1]
        centred = slope - per_channel(shift / count) - self.normal * per_channel(scale / count)
        return per_channel(self.scale) * self.inverse * centred, scale, shift


def per_channel(values: Array) -> Array:
    """Reshape ``[C]`` so that it broadcasts over ``[N, C, H, W]``."""
    return values.reshape(1, -1, 1, 1)


class Network:
    """The classifier with its parameters, activations and gradients, all float32."""

    def __init__(self, random: np.random.Generator) -> None:
        def normal(*shape: int, fan_in: int) -> Array:
            return random.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)

        ones, zeros = np.ones(CHANNELS, np.float32), np.zeros(CHANNELS, np.float32)
        inputs = {"stem": 1, "inner": CHANNELS, "block": CHANNELS}
        self.convs = {
            name: Conv(normal(CHANNELS, inputs[name], 3, 3, fan_in=9 * inputs[name]))
            for name in LAYERS
        }
        self.norms = {name: BatchNorm(ones, zeros, zeros, ones) for name in LAYERS}
        features = CHANNELS * 4 * 4
        self.head = normal(CLASSES, features, fan_in=features)
        self.head_bias = np.zeros(CLASSES, np.float32)

    def forward(self, images: Array, training: bool) -> Array:
        """Return logits ``[N, 10]`` of images ``[N, 1, 8, 8]``."""

        def layer(name: str, values: Array) -> Array:
            return self.norms[name].forward(self.convs[name].forward(values), training)

        self.stem = np.maximum(layer("stem", images), 0)
        self.inner = np.maximum(layer("inner", self.stem), 0)
        self.block = np.maximum(layer("block", self.inner) + self.stem, 0)
        windows = self.block.reshape(len(images), CHANNELS, 4, 2, 4, 2)
        self.pooled = windows.max((3, 5))
        self.is_peak = windows == self.pooled[:, :, :, None, :, None]
        self.flat = self.pooled.reshape(len(images), -1)
        logits: Array = self.flat @ self.head.T + self.head_bias
        return logits

    def backward(self, slope: Array) -> Weights:
        """Return the gradient of every trained parameter, given that of the logits."""
        gradients = {"head_w": slope.T @ self.flat, "head_b": slope.sum(0)}

        def layer(name: str, values: Array) -> Array:
            values, gradients[f"{name}_scale"], gradients[f"{name}_shift"] = self.norms[
                name
            ].backward(values)
            values, gradients[f"{name}_w"] = self.convs[name].backward(values)
            return values

        pooled = (slope @ self.head).reshape(self.pooled.shape)
        # Equal peaks in one window share the slope, as a subgradient may.
        share = self.is_peak / self.is_peak.sum((3, 5), keepdims=True, dtype=np.float32)
        block = (share * pooled[:, :, :, None, :, None]).reshape(self.block.shape)
        block = block * (self.block > 0)
        inner = layer("block", block) * (self.inner > 0)
        stem = (layer("inner", inner) + block) * (self.stem > 0)
        layer("stem", stem)
        return gradients

    def parameters(self) -> Weights:
        """Return the trained parameters by the name of their gradient."""
        found = {"head_w": self.head, "head_b": self.head_bias}
        for name in LAYERS:
            found[f"{name}_w"] = self.convs[name].weight
            found[f"{name}_scale"] = self.norms[name].scale
            found[f"{name}_shift"] = self.norms[name].shift
        return found

    def assign(self, parameters: Weights) -> None:
        """Replace the trained parameters."""
        self.head, self.head_bias = parameters["head_w"], parameters["head_b"]
        for name in LAYERS:
            self.convs[name].weight = parameters[f"{name}_w"]
            self.norms[name].scale = parameters[f"{name}_scale"]
            self.norms[name].shift = parameters[f"{name}_shift"]

    def export(self) -> Weights:
        """Return everything inference needs: the parameters and the running statistics."""
        statistics = {
            f"{name}_{what}": getattr(self.norms[name], what)
            for name in LAYERS
            for what in ("mean", "variance")
        }
        return {name: a.astype(np.float32) for name, a in (self.parameters() | statistics).items()}


def loss_slope(logits: Array, labels: Array) -> Array:
    """Return the gradient of the mean cross entropy with respect to ``logits``."""
    odds = np.exp(logits - logits.max(1, keepdims=True))
    slope: Array = odds / odds.sum(1, keepdims=True)
    slope[np.arange(len(labels)), labels] -= 1
    return slope / np.float32(len(labels))


def shifted(images: Array, random: np.random.Generator) -> Array:
    """Move every image by -1, 0 or 1 pixel along each side, filling with zeros."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moves = random.integers(0, 3, (len(images), 2))
    return np.stack([p[:, y : y + 8, x : x + 8] for p, (y, x) in zip(padded, moves, strict=True)])


def train(images: Array, labels: Array) -> Network:
    """Train on images ``[N, 1, 8, 8]`` (float32, 0 to 1) with labels ``[N]`` (int64)."""
    random = np.random.default_rng(SEED)
    network = Network(random)
    first = {name: np.zeros_like(value) for name, value in network.parameters().items()}
    second = {name: np.zeros_like(value) for name, value in network.parameters().items()}
    batches = len(images) // BATCH
    for step in range(EPOCHS * batches):
        if step % batches == 0:
            order = random.permutation(len(images))
        chosen = order[step % batches * BATCH :][:BATCH]
        logits = network.forward(shifted(images[chosen], random), training=True)
        gradients = network.backward(loss_slope(logits, labels[chosen]))
        rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / (EPOCHS * batches)))
        parameters = network.parameters()
        for name, gradient in gradients.items():
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            mean = first[name] / (1 - 0.9 ** (step + 1))
            spread = np.sqrt(second[name] / (1 - 0.999 ** (step + 1))) + 1e-8
            decay = WEIGHT_DECAY * parameters[name] if name.endswith("_w") else 0.0
            parameters[name] = (parameters[name] - rate * (mean / spread + decay)).astype("f4")
        network.assign(parameters)
    return network


def build(weights: Weights) -> onnx.ModelProto:
    """Return the ONNX model (opset 17, symbolic ``batch``) with the given parameters."""
    nodes = []

    def add(op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def layer(name: str, value: str) -> str:
        conv = add(
            "Conv", [value, f"{name}_w"], f"{name}_conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]
        )
        statistics = [f"{name}_{what}" for what in ("scale", "shift", "mean", "variance")]
        return add("BatchNormalization", [conv, *statistics], f"{name}_norm", epsilon=EPSILON)

    stem = add("Relu", [layer("stem", "image")], "stem_out")
    inner = add("Relu", [layer("inner", stem)], "inner_out")
    joined = add("Add", [layer("block", inner), stem], "block_sum")
    block = add("Relu", [joined], "block_out")
    pooled = add("MaxPool", [block], "pooled", kernel_shape=[2, 2], strides=[2, 2])
    flat = add("Flatten", [pooled], "features", axis=1)
    add("Gemm", [flat, "head_w", "head_b"], "logits", transB=1)
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in sorted(weights.items())],
        doc_string="8x8 handwritten digits: logits of the classes 0 to 9",
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="burnish")
    onnx.checker.check_model(model, full_check=True)
    return model


def data() -> tuple[Array, Array, Array, Array]:
    """Return train images, test images, train labels, test labels.

    A quarter of the 1797 images (450) is the test split, with every digit equally frequent in
    both splits. Images are float32 ``[N, 1, 8, 8]`` from 0 to 1; labels are int64 ``[N]``.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    split: tuple[Array, Array, Array, Array] = tuple(
        train_test_split(images, labels, test_size=0.25, stratify=labels, random_state=SEED)
    )
    return split


def main(folder: Path) -> None:
    """Train, then write ``digits.onnx`` and ``digits.npz`` into ``folder``."""
    train_images, test_images, train_labels, test_labels = data()
    network = train(train_images, train_labels)
    accuracy = (network.forward(test_images, training=False).argmax(1) == test_labels).mean()
    onnx.save(build(network.export()), folder / "digits.onnx")
    np.savez_compressed(folder / "digits.npz", image=test_images, label=test_labels)
    print(f"test accuracy {accuracy:.4f} on {len(test_labels)} images")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
