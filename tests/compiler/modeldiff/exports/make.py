"""Wrote the models in this folder: one network under two sets of names, by both torch exporters.

Run with PyTorch 2.15, which the tests do not need: ``python make.py`` in an empty folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

NAMES = {
    "a": ("stem", "bn", "attn", "norm", "head", "q", "k", "v", "o"),
    "b": ("conv1", "batch", "mixer", "post_ln", "fc", "query", "key", "value", "proj"),
}


class Attention(nn.Module):
    """One head over ``[batch, tokens, width]``."""

    def __init__(self, width: int, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names
        for name in names:
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x: Any) -> Any:
        q, k, v, o = (getattr(self, name) for name in self.names)
        scores = torch.softmax(q(x) @ k(x).transpose(-1, -2) / 4.0, -1)
        return o(scores @ v(x))


class Network(nn.Module):
    """A convolution, attention over its places, a linear head."""

    def __init__(self, names: Sequence[str], width: int = 8) -> None:
        super().__init__()
        self.names = names
        setattr(self, names[0], nn.Conv2d(3, width, 3, padding=1))
        setattr(self, names[1], nn.BatchNorm2d(width))
        setattr(self, names[2], Attention(width, names[5:]))
        setattr(self, names[3], nn.LayerNorm(width))
        setattr(self, names[4], nn.Linear(width, 10))

    def forward(self, image: Any) -> Any:
        conv, norm, mix, last, head = (getattr(self, name) for name in self.names[:5])
        x = nn.functional.gelu(norm(conv(image)))
        x = x.flatten(2).transpose(1, 2)
        x = last(x + mix(x))
        return head(x.mean(1)), torch.sigmoid(x[:, 0])


def main() -> None:
    """Write all models."""
    image = torch.randn(2, 3, 8, 8)
    plain = {"input_names": ["image"], "output_names": ["y", "z"]}
    other = {"input_names": ["pixels"], "output_names": ["scores", "gate"]}
    for which, batch in (("a", "batch"), ("b", "N")):
        torch.manual_seed(0)
        network = Network(NAMES[which]).eval()
        axes = {"image": {0: batch}}
        sizes = ({0: torch.export.Dim(batch, min=1)},)
        new = {"dynamo": True, "opset_version": 20, "dynamic_shapes": sizes, "external_data": False}
        old = {"dynamo": False, "opset_version": 17, "dynamic_axes": axes}
        torch.onnx.export(network, (image,), f"legacy_{which}.onnx", **old, **plain)
        torch.onnx.export(network, (image,), f"dynamo_{which}.onnx", **new, **plain)
        if which == "b":
            torch.onnx.export(network, (image,), "dynamo_interface.onnx", **new, **other)


if __name__ == "__main__":
    main()
