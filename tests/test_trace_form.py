"""Formulas for every branch of trace_form.py: each is derived, checked numerically at 5 points, and replayed."""

from __future__ import annotations

import pytest

import matgrad

# Expression, variable, declarations.
CASES: list[tuple[str, str, str]] = [
    ("x'*(a.*x)", "x", "a: vector(n); x: vector(n)"),
    ("(A*x)'*(y.*(B*x))", "x", "x: vector(n)"),
    ("mean(x)", "x", "x: vector(n)"),
    ("mean(x')", "x", "x: vector(n)"),
    ("mean(A*x)", "x", ""),
    ("mean(X)", "X", ""),
    ("mean(A*X*B)", "X", ""),
    ("mean(exp(X))", "X", ""),
    ("sum(x')", "x", "x: vector(n)"),
    ("sum((A*x)')", "x", ""),
    ("sum(2*a*(A*x))", "x", "a: scalar; x: vector(n)"),
    ("sum(x'*A)", "x", ""),
    ("sum(X'.*B)", "X", ""),
    ("sum(B.*X')", "X", ""),
    ("y'*diag(X*B)", "X", "y: vector(n)"),
    ("y'*diag(X)", "X", ""),
    ("y'*diag(X)*(x'*X*x)", "X", ""),
    ("x'*diag(x)*x", "x", "x: vector(n)"),
    ("y'*diag(x)*z", "x", "x: vector(n); y: vector(n); z: vector(n)"),
    ("tr(A*diag(A*x))", "x", ""),
    ("tr(diag(x)*A*diag(x))", "x", ""),
    ("tr((A.*(X*B))*C)", "X", ""),
    ("tr(A*(X.*X))", "X", ""),
    ("tr(X*A*X'*B)", "X", ""),
    ("tr(x*y'*X)", "X", ""),
    ("x'*X'*X*y", "X", ""),
    ("X[1,2]", "X", ""),
    ("X[:,1]'*b", "X", ""),
    ("a'*X[2,:]'", "X", ""),
    ("X[2,:]*a", "X", ""),
    ("(X*B)[1,2]", "X", ""),
    ("x'[1]", "x", "x: vector(n)"),
    ("(A*x)[2]", "x", ""),
    ("(x'*A)[1]", "x", ""),
    ("[x; A*x]'*b", "x", ""),
    ("b'*[X, X*B]*c", "X", ""),
    ("tr([X, X; X, X]*C)", "X", ""),
    ("b'*[x, A*x]*c", "x", ""),
    ("[x; 2*x]", "x", "x: vector(n)"),
    ("[A*x; B*x + x]", "x", ""),
    ("[t*A; A]", "t", "t: scalar"),
    ("[t; t^2]", "t", "t: scalar"),
    ("[t*A, B; C, t*t*A]", "t", "t: scalar; A: matrix(n, n)"),
    ("A*t", "t", "t: scalar; A: matrix(m, n)"),
    ("t*x", "t", "t: scalar; x: vector(n)"),
    ("t^2*x'", "t", "t: scalar; x: vector(n)"),
    ("exp(t*A)", "t", "t: scalar; A: matrix(m, n)"),
    ("x*x'*y", "x", "x: vector(n); y: vector(n)"),
    ("x*(x'*A*x)", "x", ""),
    ("x'*A*x*b", "x", ""),
    ("(x'*y)*A*x", "x", "y: vector(n)"),
    ("diag(x)*A*x", "x", ""),
    ("diag(A*x)*b", "x", ""),
    ("diag(x*y')", "x", "y: vector(n)"),
    ("diag(A*x*y')", "x", "y: vector(n)"),
    ("(A.*(x*y'))*z", "x", "y: vector(n); z: vector(n)"),
    ("(A.*(B*diag(x)*C))*z", "x", "A: matrix(m, n); z: vector(n)"),
    ("(A.*(x*x'))*z", "x", "z: vector(n)"),
    ("x.*(A*x).*sin(x)", "x", "x: vector(n)"),
    ("A*(x.*x)", "x", ""),
    ("(A*x).*(B*x)", "x", ""),
    ("sum(diag(x)*A)", "x", ""),
    ("sum(x*x')", "x", "x: vector(n)"),
    ("sum(a*X + B)", "X", "a: scalar"),
    ("tr(a*X*B)", "X", "a: scalar"),
    ("tr((X + B)*(X + C))", "X", ""),
    ("tr(X'*(A + B*X))", "X", ""),
    ("dot(x, x)*sum(x)", "x", "x: vector(n)"),
    ("x'*[a; b]", "x", "x: vector(2)"),
    ("x'*(X + B)*(X - C)*y", "X", ""),
    ("x'*A'*(B*x + c)*2", "x", "c: vector(m)"),
    ("tr((X.*A)'*(X.*B))", "X", ""),
    ("tr((X'.*A)*B)", "X", ""),
    ("tr(diag(X*a)*B)", "X", "a: vector(n)"),
    ("tr(diag(diag(X))*B)", "X", ""),
    ("sum(diag(X))", "X", ""),
    ("sum(diag(X).^2)", "X", ""),
    ("a'*(X.*B)*b", "X", ""),
    ("a'*(X'.*B)*b", "X", ""),
    ("x'*diag(X*B)*1", "X", ""),
    ("(diag(X)'*a)^2", "X", ""),
    ("diag(x)*diag(x)*a", "x", ""),
    ("A*diag(x)*B*x", "x", ""),
    ("A*diag(x + A*x)*b", "x", ""),
    ("(A.*(x*a' + b*x'))*c", "x", "A: matrix(n, n)"),
    ("x./(1 + x)", "x", "x: vector(n)"),
    ("x/(x'*x)", "x", "x: vector(n)"),
    ("x/sum(x)", "x", "x: vector(n)"),
    ("x*mean(x)", "x", "x: vector(n)"),
    ("x - mean(x)", "x", "x: vector(n)"),
    ("A*(x - mean(x))", "x", ""),
    ("softmax(x)", "x", "x: vector(n)"),
    ("log(sum(exp(A*x)))", "x", ""),
    ("b'*[X; B]*c", "X", ""),
    ("tr([X; B]'*C)", "X", ""),
    ("(X[:,1])'*(X[:,2])", "X", ""),
    ("tr(X[:,1]*a')", "X", ""),
    ("X[1,:]*X[2,:]'", "X", ""),
    ("sum(X[1,:])", "X", ""),
    ("sum(X[:,2].*b)", "X", ""),
    ("diag([x; x])*b", "x", "x: vector(n)"),
    ("[x, x]*b", "x", "x: vector(n)"),
    ("[x', b']*c", "x", "x: vector(n); b: vector(m)"),
    ("sum([x', 1])", "x", "x: vector(n)"),
    ("sum([x; 1].^2)", "x", "x: vector(n)"),
    ("mean([x; 1])", "x", "x: vector(n)"),
    ("[x'*A*x; sum(x)]", "x", ""),
    ("[x'*A*x, sum(x)]*b", "x", "A: matrix(n, n); b: vector(2)"),
]


@pytest.mark.parametrize("y, wrt, let", CASES)
def test_the_derivative_is_right(y: str, wrt: str, let: str) -> None:
    d = matgrad.diff(y, wrt=wrt, let=[p.strip() for p in let.split(";") if p.strip()])
    assert d.check is not None
    assert d.check.ok
    assert d.check.points == 5
    assert d.replay() is d.mixed


@pytest.mark.parametrize(
    "text, wrt, order",
    [
        ("erf((β - v[1])*(β*ones(3)' + ones(3)'))", "β", 1),
        ("lgamma(([a; b; β]').^2 + 1)", "β", 2),
        ("kron(softmax(ones(p)), acos(tanh([a, β, b])))[:,1]", "β", 2),
        ("kron([a*β, β]', softmax([β; a]))'", "β", 1),
    ],
)
def test_a_number_comes_out_of_whatever_is_linear(text: str, wrt: str, order: int) -> None:
    derivation = matgrad.diff(text, wrt=wrt, let=["β: scalar", "v: vector(m)"], order=order)
    assert derivation.check is not None and derivation.check.points == 5
    assert derivation.replay() is derivation.mixed


@pytest.mark.parametrize(
    "text", ["sqrt(abs(x))", "sqrt(relu(x))", "sqrt(norm1(x))", "sqrt(norminf(x))"]
)
def test_a_root_has_one_note(text: str) -> None:
    (note,) = matgrad.diff(text, wrt="x").notes
    assert note.startswith("sqrt is not differentiable")


@pytest.mark.parametrize(
    "text, wrt, answer",
    [
        ("norm2([A, B]*[x; y])^2", "x", "2 A' (A x + B y)"),
        ("norm([A, B]*[X; Y])^2", "X", "2 A' (A X + B Y)"),
        ("[A, B]*[C; D]*x", "x", "A C + B D"),
        # multiplied out, this would be longer
        ("t*[x, y, z]*[x'; y'; z']*w", "t", "[x, y, z] [x'; y'; z'] w"),
    ],
)
def test_blocks_that_meet(text: str, wrt: str, answer: str) -> None:
    let = ["t: scalar", "w: vector(n)"] if wrt == "t" else []
    assert str(matgrad.diff(text, wrt=wrt, let=let)) == answer
