"""How many bytes values take on given inputs."""

from __future__ import annotations

import numpy as np

from burnish.evaluate import run_model
from burnish.loading import load
from burnish.shapes import ValueSizes
from burnish.text import parse_model
from burnish_models import path


def test_sizes_are_those_of_what_the_model_computes() -> None:
    model = load(path("digits"))
    feeds = {"image": np.zeros((5, 1, 8, 8), np.float32)}
    sizes = ValueSizes(model, feeds, unknown=-1)
    values = [node.outputs[0] for node in model.graph]
    found = run_model(model, feeds, outputs=[str(value.name) for value in values])
    assert [sizes.of(value) for value in values] == [found[str(v.name)].nbytes for v in values]


def test_what_shapes_do_not_tell_is_unknown() -> None:
    model = parse_model(
        """
        agraph (float[n] x, string[n] words) => (int64[r, k] places, string[n] same, double[m] d) {
            places = NonZero(x)
            same = Identity(words)
            half = Shape(x)
            d = Cast<to = 11>(x)
        }
        """
    )
    feeds = {"x": np.ones(3, np.float32), "words": np.array(["a"] * 3, object)}
    sizes = ValueSizes(model, feeds, unknown=77)
    found = {str(value.name): sizes.of(value) for node in model.graph for value in node.outputs}
    assert (found["places"], found["same"]) == (77, 77)
    assert (found["half"], found["d"]) == (8, 24)
