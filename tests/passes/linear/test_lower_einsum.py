"""Einsum as products, sums and transpositions."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import attribute, to_proto
from burnish.text import parse_model

PASS = "lower-einsum"
SIZES = {"b": "2", "h": "3", "i": "4", "j": "5", "k": "6", "d": "7", "w": "8"}


def _shape(term: str) -> str:
    return ",".join(SIZES[letter] for letter in term)


def _model(equation: str, kind: str = "float") -> str:
    left, _, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    inputs = ", ".join(f"{kind}[{_shape(term)}] x{n}" for n, term in enumerate(terms))
    inputs = inputs.replace("[]", "")
    names = ", ".join(f"x{n}" for n in range(len(terms)))
    shape = f"{kind}[{_shape(result)}]" if result else kind
    return f'agraph ({inputs}) => ({shape} y) {{ y = Einsum <equation = "{equation}"> ({names}) }}'


@pytest.mark.parametrize(
    ("equation", "made"),
    [
        ("bij,bjk->bik", ["MatMul"]),
        ("bij, jk -> bik", ["MatMul"]),
        ("ij,jk->ik", ["MatMul"]),
        ("ij,j->i", ["MatMul"]),
        ("bij,j->bi", ["MatMul"]),
        ("j,jk->k", ["MatMul"]),
        ("j,bjk->bk", ["MatMul"]),
        ("j,j->", ["MatMul"]),
        ("ij,bjk->bik", ["MatMul"]),
        ("jk,bij->bik", ["MatMul"]),
        ("bhid,bhjd->bhij", ["Transpose", "MatMul"]),
        ("bhij,bhjd->bhid", ["MatMul"]),
        ("bihd,bjhd->bhij", ["Transpose", "Transpose", "MatMul"]),
        ("bhij,bjhd->bihd", ["Transpose", "MatMul", "Transpose"]),
        ("bhwd,hkd->bhwk", ["Transpose", "MatMul"]),
        ("ij,jk->ki", ["Transpose", "Transpose", "MatMul"]),
        ("ji,kj->ki", ["MatMul"]),
        ("bi,hi->bh", ["Transpose", "MatMul"]),
        ("ij->ji", ["Transpose"]),
        ("bij->jbi", ["Transpose"]),
        ("ij->i", ["ReduceSum"]),
        ("ij->", ["ReduceSum"]),
        ("bij->jb", ["ReduceSum", "Transpose"]),
        ("i,j->ij", ["Unsqueeze", "Mul"]),
        ("ij,ij->ij", ["Mul"]),
        ("bij,j->bij", ["Mul"]),
        ("bij,i->bij", ["Unsqueeze", "Mul"]),
        ("ij,ji->ij", ["Transpose", "Mul"]),
        ("ij,ij->i", ["Mul", "ReduceSum"]),
        ("bij,bij->", ["Mul", "ReduceSum"]),
    ],
)
def test_it_becomes(equation: str, made: list[str]) -> None:
    model, _ = run_passes(_model(equation), PASS)
    assert ops(model) == made


def test_without_an_arrow_letters_that_stand_once_are_the_result_in_order() -> None:
    text = _model("ij,jk->ik").replace("->ik", "")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul"]
    model, _ = run_passes(_model("ji->ij").replace("->ij", ""), PASS)
    assert attribute(model.graph[0], "perm") == (1, 0)


@pytest.mark.parametrize(
    ("equation", "why"),
    [
        ("ii->i", "the equation has an ellipsis or a diagonal"),
        ("i,i,i->i", "it has more than two operands"),
        ("bij,bj->bi", "bij,bj->bi is no product of matrices"),
        ("bijd,ijk->bdk", "bijd,ijk->bdk is no product of matrices"),
        ("bij,k->ik", "a letter of one operand alone is summed over"),
    ],
)
def test_what_is_no_product_stays(equation: str, why: str) -> None:
    model, records = run_passes(_model(equation), PASS)
    assert ops(model) == ["Einsum"]
    assert reasons(records) == [why]


def test_an_ellipsis_stays() -> None:
    text = _model("bij,bjk->bik").replace("bij,bjk->bik", "...ij,...jk->...ik")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Einsum"]
    assert reasons(records) == ["the equation has an ellipsis or a diagonal"]


def test_the_number_of_nodes_is_limited() -> None:
    model, records = run_passes(_model("bihd,bjhd->bhij"), f"{PASS}{{most=2}}")
    assert ops(model) == ["Einsum"]
    assert reasons(records) == ["it would become 3 nodes"]


def test_transposing_a_constant_costs_nothing() -> None:
    text = """agraph (float[N,3] x) => (float[N,2] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> {
        y = Einsum <equation = "ni,oi->no"> (x, w)
    }"""
    model, _ = run_passes(text, f"{PASS}{{most=1}}, fold-constants")
    assert ops(model) == ["MatMul"]


@pytest.mark.parametrize(("left", "right"), [("2,1", "5,6"), ("2,J", "K,6")])
def test_a_size_that_may_be_stretched_stays(left: str, right: str) -> None:
    text = f"""agraph (float[{left}] x, float[{right}] z) => (float[2,6] y) {{
        y = Einsum <equation = "ij,jk->ik"> (x, z)
    }}"""
    # Not run: a size drawn for J and another for K would not go together.
    done = optimize(to_proto(parse_model(text, opset=20)), passes=PASS)
    assert ops(done.model) == ["Einsum"]
    assert reasons(done.records)[0].startswith("j may be stretched")


def test_batches_are_stretched_by_matmul_as_well() -> None:
    text = """agraph (float[1,2,3] x, float[5,3,4] z) => (float[5,2,4] y) {
        y = Einsum <equation = "bij,bjk->bik"> (x, z)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul"]


def test_nothing_moved_is_nothing_computed() -> None:
    text = """agraph (float[2,3] x) => (float[2,3] y) {
        t = Einsum <equation = "ab"> (x)
        y = Relu (t)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Relu"]


@pytest.mark.parametrize("kind", ["double", "int32", "int64"])
@pytest.mark.parametrize("equation", ["bij,bjk->bik", "ij->i", "ij,ij->i"])
def test_other_types(kind: str, equation: str) -> None:
    model, _ = run_passes(_model(equation, kind), PASS)
    assert "Einsum" not in ops(model)


def test_small_integers_stay() -> None:
    model, records = run_passes(_model("ij->ji", "int8"), PASS)
    assert ops(model) == ["Einsum"]
    assert reasons(records) == ["the type is not one that all its parts have"]


def test_axes_are_an_attribute_before_opset_13() -> None:
    model, _ = run_passes(_model("bij->b"), PASS, opset=12)
    assert attribute(model.graph[0], "axes") == (1, 2)
    model, _ = run_passes(_model("i,j->ij"), PASS, opset=12)
    assert ops(model) == ["Unsqueeze", "Mul"]
