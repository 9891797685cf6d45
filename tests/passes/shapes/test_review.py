"""Declared sizes of what a Loop carries, found by review."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.support import ops

from burnish.driver import optimize
from burnish.passdef import Exactness
from burnish.verify import verify


@pytest.mark.parametrize(
    ("step", "returned", "kept"),
    [
        ("o = Concat <axis = 0> (v, v)", "float[L,2] o", True),
        ("o = Concat <axis = 0> (v, v)", "float[1,2] o", True),
        ("o = Add(v, a)", "float[1,2] o", False),
    ],
)
def test_a_carried_value_that_grows_has_no_fixed_size(step: str, returned: str, kept: bool) -> None:
    """Exporters declare the shapes of the first round."""
    source = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 20]>
        g (int64 m, float[1,2] a) => (float[K,2] y, int64[J,2] sizes) {{
            c = Constant <value = bool {{1}}> ()
            y, sizes = Loop (m, c, a) <
                body = b (int64 i, bool k, float[1,2] v) => (bool ko, {returned}, int64[2] s) {{
                    ko = Identity(k)
                    t = Shape(v)
                    s = Neg(t)
                    {step}
                }}>
        }}"""
    )
    model = optimize(source, passes="O1").model
    assert ("Shape" in ops(model)) == kept
    a = np.ones((1, 2), np.float32)
    samples = [{"m": np.array(rounds), "a": a} for rounds in (0, 1, 3)]
    verdict = verify(source, model, exactness=Exactness.BITWISE, samples=samples)
    assert verdict.ok, verdict.text()
