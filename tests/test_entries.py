"""Derivatives by an entry of a variable: ∂Y/∂X_ij, of the shape of Y. e_i e_j' is the single-entry matrix J^ij of the
Matrix Cookbook (2012), sec. 2.4 and 9.7."""

from __future__ import annotations

import pytest

import matgrad
from matgrad.errors import MatgradError, Unsupported, UsageError

LET = [
    "A: matrix(p, m)",
    "X: matrix(m, n)",
    "B: matrix(n, q)",
    "C: matrix(m, m)",
    "D: matrix(n, p)",
    "x: vector(n)",
    "M: matrix(k, n)",
    "Z: matrix(m, m)",
    "S: symmetric(n)",
    "b: vector(n)",
    "f: elementwise",
]

# What is differentiated, by what, then by what, the derivative.
KNOWN = [
    ("X[i,j]", "X[i,j]", "", "1"),  # Cookbook (73), of itself
    ("X", "X[i,j]", "", "e_i*e_j'"),  # Cookbook (74)
    ("A*X*B", "X[i,j]", "", "A*e_i*e_j'*B"),  # Cookbook (74)
    ("X'*A'", "X[i,j]", "", "e_j*e_i'*A'"),  # Cookbook (75)
    ("X'*C*X", "X[i,j]", "", "X'*C*e_i*e_j' + e_j*e_i'*C*X"),  # Cookbook (80)
    ("tr(X*D*A)", "X[i,j]", "", "(A'*D')[i,j]"),  # Cookbook (100)
    ("tr(X*D*A)", "X[1,2]", "", "(D*A)[2,1]"),  # the same
    ("inv(Z)", "Z[i,j]", "", "-inv(Z)*e_i*e_j'*inv(Z)"),  # Cookbook (60)
    ("ln det(Z)", "Z[i,j]", "", "inv(Z)[j,i]"),  # Cookbook (57)
    ("det(Z)", "Z[i,j]", "", "det(Z)*inv(Z)[j,i]"),  # Cookbook (49)
    ("M*x", "x[2]", "", "M[:,2]"),  # a column of the Jacobian
    ("f(x)", "x[i]", "", "f'(x).*e_i"),  # definition
    ("sum(f(X))", "X[i,j]", "", "f'(X)[i,j]"),  # definition
    ("norm2(M*x)^2", "x[i]", "", "2*(M'*M*x)[i]"),  # Cookbook (84)
    ("x'*M'*M*x", "x[i]", "x[j]", "2*(M'*M)[i,j]"),  # an entry of the Hessian
    ("x*x'", "x[i]", "", "e_i*x' + x*e_i'"),  # product rule
    ("x", "x[i]", "", "e_i"),  # definition
    ("tr(X'*C*X)", "X[i,j]", "X[k,l]", "eye(n)[j,l]*(C + C')[i,k]"),  # Magnus & Neudecker, ch. 10
    ("b'*S*b", "S[1,2]", "", "b[1]*b[2]"),  # gradient among symmetric matrices
    ("S*b", "S[1,2]", "", "(e_1*b[2] + e_2*b[1])/2"),  # the same, for a vector
]


@pytest.mark.parametrize(("text", "wrt", "then", "claim"), KNOWN)
def test_derivative_by_an_entry(text: str, wrt: str, then: str, claim: str) -> None:
    found = matgrad.check(text, wrt, claim, let=LET, then=then or None)
    assert found.ok, str(found)
    d = matgrad.diff(text, wrt=wrt, let=LET, then=then or None)
    assert d.check is not None and d.check.ok and d.check.points
    d.replay()


@pytest.mark.parametrize(
    ("text", "claim"), [("tr(Z*Z)", "2*Z[i,j]"), ("x'*x", "2*x[1]"), ("A*X*B", "A*e_j*e_i'*B")]
)
def test_a_wrong_entry_is_wrong(text: str, claim: str) -> None:
    wrt = {"t": "Z[i,j]", "x": "x[2]", "A": "X[i,j]"}[text[0]]
    assert not matgrad.check(text, wrt, claim, let=LET).ok


def test_the_report_names_the_entry() -> None:
    report = matgrad.diff("tr(X*B*X')", wrt="X[i,j]").to("text")
    assert "∂y/∂X[i,j] = tr((B + Bᵀ) Xᵀ e_i e_jᵀ)" in report
    assert "the differential with e_i e_jᵀ for dX" in report
    assert str(matgrad.diff("tr(X*B*X')", wrt="X[i,j]")) == "((B + B') X')[j,i]"
    second = matgrad.diff("x'*A*x", wrt="x[1]", order=2, let="A: symmetric(3)").to("text")
    assert "∂²y/∂x[1]² = 2 e_1ᵀ A e_1" in second
    assert "= 2 A[1,1]" in second


@pytest.mark.parametrize(
    ("kind", "wrt", "options", "words"),
    [
        (UsageError, "x[:]", {}, "takes a variable or an entry"),
        (UsageError, ["x[1]", "X"], {}, "stands alone"),
        (UsageError, "x[1]", {"hvp": "v"}, "stands alone"),
        (MatgradError, "x[1", {}, "closing `]`"),
        (MatgradError, "q[1]", {}, "is not in the expression"),
        (Unsupported, "D1[1,2]", {}, "is not written"),
    ],
)
def test_what_is_no_entry(
    kind: type[MatgradError], wrt: str | list[str], options: dict[str, str], words: str
) -> None:
    with pytest.raises(kind, match=words):
        matgrad.diff("x'*D1*X*X'*x", wrt=wrt, let="D1: diagonal", **options)  # type: ignore[arg-type]


def test_code_for_an_entry_is_refused() -> None:
    with pytest.raises(Unsupported, match="one entry"):
        matgrad.diff("x'*x", wrt="x[1]").to("numpy")
    with pytest.raises(Unsupported, match="one entry"):
        matgrad.eval("x'*x", {"x": [1.0, 2.0]}, wrt="x[1]")
