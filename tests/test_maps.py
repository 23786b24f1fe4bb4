"""Unknown functions of whole values: their gradients and Jacobians, printed, read, differentiated and checked."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import matgrad
from matgrad import expr as ex
from matgrad import maps
from matgrad.derive import declarations, verify, verify_lines
from matgrad.errors import NameProblem, ShapeProblem, SyntaxProblem, Unsupported
from matgrad.expr import Expr, Shape
from matgrad.functions import TABLE
from matgrad.render.text import render
from matgrad.shapes import read
from matgrad.verify import SmoothMap

LET = [
    "h: scalar of scalar",
    "g: scalar of vector(n)",
    "g_1: scalar of matrix(m, n)",
    "φ: scalar of row(n)",
    "u: vector(m) of vector(n)",
    "v: vector(p) of matrix(m, n)",
    "w: vector(p) of scalar",
    "ρ: row(p) of vector(n)",
    "U: matrix(p, q) of vector(n)",
    "V: matrix(p, q) of matrix(m, n)",
    "W: matrix(p, q) of scalar",
    "f: elementwise",
    "x: vector(n)",
    "X: matrix(m, n)",
    "A: matrix(n, k)",
    "B: matrix(p, m)",
    "C: matrix(n, q)",
    "z: vector(k)",
    "y: vector(m)",
    "a: vector(p)",
    "t: scalar",
]


def let(*names: str) -> list[str]:
    return [d for d in LET if d.partition(":")[0] in names]


def parsed(text: str) -> Expr:
    return read(text, declarations(LET)).expr


# --- nodes: printed and read ------------------------------------------------------------------------------------------

SPELLINGS = [
    ("grad_g(x)", "∇g(x)", r"\nabla g\left(x\right)", "vector(n)"),
    ("jac_grad_g(x)", "∂∇g(x)", r"\partial \nabla g\left(x\right)", "matrix(n, n)"),
    ("jac_jac_grad_g(x)", "∂∂∇g(x)", r"\partial \partial \nabla g\left(x\right)", "matrix(n*n, n)"),
    ("grad_g_1(X)", "∇g_1(X)", r"\nabla g_{1}\left(X\right)", "matrix(m, n)"),
    ("jac_grad_g_1(X)", "∂∇g_1(X)", r"\partial \nabla g_{1}\left(X\right)", "matrix(m*n, m*n)"),
    ("grad_φ(x')", "∇φ(xᵀ)", r"\nabla \phi\left(x^\top\right)", "row(n)"),
    ("jac_u(x)", "∂u(x)", r"\partial u\left(x\right)", "matrix(m, n)"),
    ("jac_jac_u(x)", "∂∂u(x)", r"\partial \partial u\left(x\right)", "matrix(m*n, n)"),
    ("jac_v(X)", "∂v(X)", r"\partial v\left(X\right)", "matrix(p, m*n)"),
    ("jac_ρ(x)", "∂ρ(x)", r"\partial \rho\left(x\right)", "matrix(p, n)"),
    ("jac_V(X)", "∂V(X)", r"\partial V\left(X\right)", "matrix(p*q, m*n)"),
    ("jac_W(t)", "∂W(t)", r"\partial W\left(t\right)", "matrix(p, q)"),
    ("jac_jac_w(t)", "∂∂w(t)", r"\partial \partial w\left(t\right)", "vector(p)"),
    ("h'(t)", "h'(t)", r"h'\left(t\right)", "scalar"),
    ("h'''(t)", "h'''(t)", r"h'''\left(t\right)", "scalar"),
]


@pytest.mark.parametrize("plain, unicode, latex, shape", SPELLINGS)
def test_a_derivative_prints_and_is_read_in_each_spelling(
    plain: str, unicode: str, latex: str, shape: str
) -> None:
    e = parsed(plain)
    assert (render(e), render(e, "unicode"), render(e, "latex")) == (plain, unicode, latex)
    assert parsed(unicode) is parsed(latex) is parsed(render(e, "ascii")) is e
    assert e.shape == declarations(["dummy: " + shape])["dummy"].shape


def test_derivatives_stand_in_products_like_any_function() -> None:
    e = parsed("2 x' ∇g(x) ∂u(x)'y")
    assert parsed(render(e)) is parsed(render(e, "unicode")) is parsed(render(e, "ascii")) is e
    assert parsed(r"2 x^\top \nabla g(x) \partial u(x)^\top y") is e
    assert parsed("∂ ∇ g(x) x") is parsed("jac_grad_g(x)*x")
    assert parsed(r"\frac{x^\top \nabla g(x)}{2}") is parsed("x'∇g(x)/2")


def test_names_and_marks_come_apart() -> None:
    for text, name, marks in [("∂∇g_1", "g_1", "∂∇"), ("h''", "h", "''"), ("u", "u", "")]:
        assert maps.split(text) == (name, marks)
        assert maps.spelled(name, marks) == text


def test_a_declared_name_goes_first() -> None:
    declared = declarations(
        ["grad_g: matrix(n, n)", "g: scalar of vector(n)", "jac_grad_g: scalar"]
    )
    e = read("jac_grad_g*(grad_g*∇g(x))", declared).expr
    assert [v.data[0] for v in ex.variables(e)] == ["jac_grad_g", "grad_g", "x"]


WRONG = [
    (NameProblem, "∂g(x)", "a scalar function of an array has a gradient, `∇g(x)`", "write `∇g(x)`"),
    (NameProblem, "∇∇g(x)", "a function to vectors or matrices has a Jacobian, `∂∇g(x)`", "write `∂∇g(x)`"),
    (NameProblem, "∇u(x)", "a function to vectors or matrices has a Jacobian, `∂u(x)`", "write `∂u(x)`"),
    (NameProblem, "u'(x)", "a function to vectors or matrices has a Jacobian, `∂u(x)`", "write `∂u(x)`, or `u(x)'` for the transpose"),
    (NameProblem, "∇h(t)", "a scalar function of a scalar has a derivative, `h'(t)`", "write `h'(t)`"),
    (NameProblem, "∂f(x)", "`∂` stands before an unknown function of a whole vector or matrix only", "the derivative of a function of one number is `f'(x)`"),
    (SyntaxProblem, "∇k(x)", "`∇` stands before a declared function and its argument only", "for the derivative of an expression"),
    (SyntaxProblem, "∇(x'x)", "`∇` stands before a declared function and its argument only", "for the derivative of an expression"),
    (SyntaxProblem, "2 ∂", "`∂` stands before a declared function and its argument only", "for the derivative of an expression"),
    (ShapeProblem, "∇g(X)", "`g` is a function of a vector(n)", "`X` is a matrix(m, n)"),
]  # fmt: skip


@pytest.mark.parametrize("kind, text, message, help", WRONG)
def test_what_cannot_be_read_is_explained(kind: type, text: str, message: str, help: str) -> None:
    with pytest.raises(kind) as found:
        parsed(text)
    assert found.value.message == message
    assert found.value.help.startswith(help)


# --- numbers: the stand-in has the derivatives it says it has -----------------------------------------------------------

KINDS: dict[str, Shape] = {
    "scalar": ex.SCALAR_SHAPE,
    "vector": ex.vector_shape(3),
    "row": ex.row_shape(2),
    "matrix": ex.matrix_shape(2, 3),
}


def array(shape: Shape) -> tuple[int, ...]:
    return {"scalar": (), "vector": (3,), "row": (2,), "matrix": (2, 3)}[shape.kind]


@pytest.mark.parametrize("value, argument", [*itertools.product(KINDS, KINDS)])
def test_the_stand_in_agrees_with_central_differences(value: str, argument: str) -> None:
    e = maps.applied("u", "", KINDS[value], ex.var("x", KINDS[argument]))
    x = np.random.default_rng(4).normal(size=array(KINDS[argument]))
    u = SmoothMap("u")
    for order in range(3):
        shape, after = e.shape, maps.differentiated(e).shape

        def at(z: np.ndarray, order: int = order, shape: Shape = shape) -> np.ndarray:
            return u(z, (int(shape.rows), int(shape.cols)), order).reshape(-1, order="F")

        columns = []
        for i in range(x.size):
            step = np.zeros(x.size)
            step[i] = 1e-5
            h = step.reshape(x.shape, order="F")
            columns.append((at(x + h) - at(x - h)) / 2e-5)
        jacobian = np.stack(columns, axis=-1)
        found = u(x, (int(after.rows), int(after.cols)), order + 1)
        expected = jacobian.reshape(found.shape, order="F")
        assert np.allclose(found, expected, atol=1e-8)
        e = maps.differentiated(e)


# --- chain rules --------------------------------------------------------------------------------------------------------

CHAINS = [
    # scalar functions
    ("g_1(B'*Y*C')", "Y", ["g_1: scalar of matrix(m, n)"], "B grad_g_1(B' Y C') C"),
    ("g_1(X)", "X", let("g_1", "X"), "grad_g_1(X)"),
    ("g_1(X)^2", "X", let("g_1", "X"), "2 g_1(X) grad_g_1(X)"),
    ("g_1(x*z')", "x", ["g_1: scalar of matrix(m, n)"], "grad_g_1(x z') z"),
    ("g_1(X + X)", "X", let("g_1", "X"), "2 grad_g_1(2 X)"),
    ("g(A*z)", "z", let("g", "A", "z"), "A' grad_g(A z)"),
    ("g(x)", "x", let("g", "x"), "grad_g(x)"),
    ("g(u(x))", "x", ["u: vector(m) of vector(n)", "g: scalar of vector(m)"], "jac_u(x)' grad_g(u(x))"),
    ("f(g(x))", "x", let("f", "g", "x"), "f'(g(x)) grad_g(x)"),
    ("f'(g(x))", "x", let("f", "g", "x"), "f''(g(x)) grad_g(x)"),
    ("g(f(x))", "x", let("f", "g", "x"), "f'(x) .* grad_g(f(x))"),
    ("g(x) + g(2*x)", "x", let("g", "x"), "grad_g(x) + 2 grad_g(2 x)"),
    ("φ(x')", "x", let("φ", "x"), "grad_φ(x')'"),
    ("h(x'x)", "x", let("h", "x"), "2 h'(x' x) x"),
    ("h(h(t))", "t", let("h", "t"), "h'(h(t)) h'(t)"),
    ("g(t*x)", "t", let("g", "x", "t"), "grad_g(t x)' x"),
    ("h(g(x))*h(g(x))", "x", let("g", "h", "x"), "2 h(g(x)) h'(g(x)) grad_g(x)"),
    # vector functions
    ("u(x)", "x", let("u", "x"), "jac_u(x)"),
    ("u(A*z)", "z", let("u", "A", "z"), "jac_u(A z) A"),
    ("norm2(u(x))^2", "x", let("u", "x"), "2 jac_u(x)' u(x)"),
    ("y'*u(x)", "x", let("u", "x", "y"), "jac_u(x)' y"),
    ("ρ(x)*a", "x", let("ρ", "a", "x"), "jac_ρ(x)' a"),
    ("ρ(x)'", "x", let("ρ", "x"), "jac_ρ(x)"),
    ("w(t)", "t", let("w", "t"), "jac_w(t)"),
    ("a'*w(t^2)", "t", let("w", "a", "t"), "2 t a' jac_w(t^2)"),
    ("w(g(x))", "x", let("w", "g", "x"), "jac_w(g(x)) grad_g(x)'"),
    ("u(f(x))", "x", let("u", "f", "x"), "jac_u(f(x)) diag(f'(x))"),
    # matrix functions of a scalar
    ("W(t)", "t", let("W", "t"), "jac_W(t)"),
    ("tr(W(t)*V)", "t", ["W: matrix(p, q) of scalar", "V: matrix(q, p)"], "tr(V jac_W(t))"),
]  # fmt: skip
SECOND = [
    ("g(A*z)", "z", let("g", "A", "z"), "A' jac_grad_g(A z) A"),
    ("g(x)", "x", let("g", "x"), "jac_grad_g(x)"),
    ("h(g(x))", "x", let("g", "h", "x"), "h'(g(x)) jac_grad_g(x) + h''(g(x)) grad_g(x) grad_g(x)'"),
    ("h(t)^2", "t", let("h", "t"), "2 (h'(t)^2 + h(t) h''(t))"),
    ("W(t)", "t", let("W", "t"), "jac_jac_W(t)"),
    ("w(t^2)", "t", let("w", "t"), "2 jac_w(t^2) + 4 t^2 jac_jac_w(t^2)"),
]  # fmt: skip


def words(text: str) -> list[str]:
    """What a text is made of, in whatever order factors and terms stand; that they are right, numbers say."""
    return sorted(re.sub(r"[()]", " ", text).split())


def checked(text: str, wrt: str, declared: list[str], order: int, expected: str) -> None:
    found = matgrad.diff(text, wrt, declared, order=order)
    assert found.check is not None and found.check.ok and found.check.points == 5
    assert found.replay() is found.mixed
    marks = verify_lines(found)
    assert all(marks)
    given = [text.partition(":")[0] for text in declared]
    variables = found.typed.variables.items()
    lets = [*declared, *(f"{v}: {e.shape}" for v, e in variables if v not in given)]
    assert words(str(found)) == words(expected), str(found)
    assert read(str(found), declarations(lets)).expr is found.derivative


@pytest.mark.parametrize("text, wrt, declared, expected", CHAINS)
def test_chain_rule(text: str, wrt: str, declared: list[str], expected: str) -> None:
    checked(text, wrt, declared, 1, expected)


@pytest.mark.parametrize("text, wrt, declared, expected", SECOND)
def test_second_derivative(text: str, wrt: str, declared: list[str], expected: str) -> None:
    checked(text, wrt, declared, 2, expected)


def test_the_example_of_the_readme() -> None:
    d = matgrad.diff("g(A*X*B)", "X", "g: scalar of matrix(p, q)")
    assert render(d.derivative, "unicode") == "Aᵀ ∇g(A X B) Bᵀ"
    assert "g: ℝ^(p×q) → ℝ" in d.to("text")
    assert "g: R^(p x q) -> R" in d.to("ascii")
    assert "d g(P) = tr(grad_g(P)' dP)" in d.to("ascii")
    assert r"g: \mathbb{R}^{p \times q} \to \mathbb{R}" in d.to("latex")


def test_a_matrix_of_second_derivatives_is_symmetric() -> None:
    e = parsed("∂∇g(x)")
    d = matgrad.diff("x'*∂∇g(z)'*x", "x", ["g: scalar of vector(n)"])
    assert str(d) == "2 jac_grad_g(z) x"
    assert render(parsed("∂∂∇g(x)'")) == "jac_jac_grad_g(x)'"
    assert e.shape.rows == e.shape.cols


# Of the value of a matrix-valued function, or by way of a matrix argument, a scalar is made that has a derivative.
THROUGH_VEC = [
    ("tr(C*U(x)'*B)", "x", ["U: matrix(p, q) of vector(n)"]),
    ("sum(U(x))", "x", let("U", "x")),
    ("a'*v(X)", "X", let("v", "X", "a")),
    ("norm2(v(X))^2", "X", let("v", "X")),
    ("norm(V(X))^2", "X", let("V", "X")),
    ("tr(K*V(B'*Y*C'))", "Y", ["V: matrix(p, q) of matrix(m, n)"]),
    ("a'*V(x*z')*b", "x", ["V: matrix(p, q) of matrix(m, n)", "b: vector(q)"]),
    ("tr(K*∇g_1(X))", "X", let("g_1", "X")),
    ("y'*∂u(x)*b", "x", [*let("u", "x", "y"), "b: vector(n)"]),
    ("sum(∂v(X))", "X", let("v", "X")),
    ("sum(∂∂∇g(x))", "x", let("g", "x")),
]


@pytest.mark.parametrize("text, wrt, declared", THROUGH_VEC)
def test_chains_that_need_vec(text: str, wrt: str, declared: list[str]) -> None:
    try:
        d = matgrad.diff(text, wrt, declared)
    except Unsupported:
        if "unvec" in TABLE:
            raise
        pytest.skip("`unvec` is not in the table yet")
    assert d.check is not None and d.check.ok and d.check.points == 5
    assert d.replay() is d.mixed


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "text, declared", [("f(t)", let("f", "t")), ("f(2*t)", let("f", "t")), ("h(t)", let("h", "t"))]
)
def test_functions_of_one_number_to_order_four(text: str, declared: list[str], order: int) -> None:
    d = matgrad.diff(text, "t", declared, order=order)
    primed = text.replace("(", "'" * order + "(")
    assert str(d) == (f"{2**order} {primed}" if "2*" in text else primed).replace("*", " ")
    assert d.check is not None and d.check.ok
    inner = d.inner
    while inner is not None:
        verify(inner)
        assert inner.check is not None and inner.check.ok
        inner = inner.inner


def test_an_elementwise_function_twice() -> None:
    d = matgrad.diff("sum(f(A*z))", "z", let("f", "A", "z"), order=2)
    assert str(d) == "A' diag(f''(A z)) A"
    d = matgrad.diff("sum(f''(A*z))", "z", let("f", "A", "z"), order=2)
    assert str(d) == "A' diag(f''''(A z)) A"
