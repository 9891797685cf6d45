"""What an audit says, for people and as JSON."""

from __future__ import annotations

import json

from burnish.audit import Audit, AuditedLayer

LAYERS = (
    AuditedLayer("a", "Conv", "QLinearConv", "integers"),
    *(AuditedLayer(name, "Conv", "FusedConv", "floats", "too short") for name in "bcdef"),
    AuditedLayer("g", "MatMul", "MatMulNBits", "weights", "only its weight is quantized"),
    AuditedLayer("h", "Gemm", "", "none", "gone"),
)
AUDIT = Audit("runtime 1", True, LAYERS, {"Conv": 6, "Relu": 2}, {"FusedConv": 5, "Relu": 2})


def test_lines_put_the_commonest_reason_first() -> None:
    assert AUDIT.lines() == [
        "1 of 8 Conv/MatMul/Gemm run on integers",
        "  1 with weights stored as codes, multiplied with numbers",
        "  5 not: too short (b, c, d and 2 more)",
        "  1 not: gone (h)",
        "  1 not: only its weight is quantized (g)",
    ]


def test_changes_are_those_of_number() -> None:
    assert AUDIT.changes() == ["Conv: 6 -> 0", "FusedConv: 0 -> 5"]


def test_json_holds_layers_that_fell_back_or_all() -> None:
    short, whole = AUDIT.json(), AUDIT.json(layers=True)
    assert json.loads(json.dumps(short)) == short
    assert [item["node"] for item in short["fallbacks"]] == list("bcdefgh")
    assert len(whole["layers"]) == 8
    assert (short["on_integers"], short["of"]) == (1, 8)


def test_nothing_to_compute_is_all_on_integers() -> None:
    assert Audit("runtime 1", True, (), {}, {}).share == 1.0
    assert AUDIT.share == 1 / 8
