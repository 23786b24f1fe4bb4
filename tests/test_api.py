"""The Python interface: `matgrad.diff` and the object that it returns."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import matgrad
from matgrad.errors import (
    LimitProblem,
    NameProblem,
    ShapeProblem,
    SyntaxProblem,
    Unsupported,
    UsageError,
)


def test_the_derivation() -> None:
    d = matgrad.diff("tr(X*B*X')", wrt="X")
    assert isinstance(d, matgrad.Derivation)
    assert str(d) == "X (B + B')"
    assert d.to("matgrad") == "X (B + B')"
    assert str(d.derivative.shape) == "matrix(m, n)"
    assert d.wrt.data[0] == "X"
    assert d.layout == "mixed"
    assert d.order == 1
    assert d.notes == []


def test_steps_name_their_rules() -> None:
    d = matgrad.diff("tr(X*B*X')", wrt="X")
    assert {"product-rule", "d:tr", "collect", "read-off"} <= {step.rule for step in d.steps}
    assert d.replay() is d.derivative


def test_check() -> None:
    check = matgrad.diff("tr(X*B*X')", wrt="X", seed=3).check
    assert check is not None
    assert check.ok
    assert check.points == 5
    assert check.seed == 3
    assert 0 <= check.worst_relative_error < 1e-6


def test_check_can_be_left_out() -> None:
    assert matgrad.diff("x'x", check=False).check is None


def test_formats() -> None:
    d = matgrad.diff("x'A x", wrt="x")
    assert d.to("latex").startswith("\\begin{aligned}\ny &= x^\\top A x && \\text{where $")
    last = "\\left(A + A^\\top\\right) x && \\text{dy = D' dx gives D, n x 1}\n\\end{aligned}"
    assert d.to("latex").endswith(last)
    assert d.to("text").startswith("y = xᵀ A x ")
    assert d.to("ascii").isascii()
    assert json.loads(d.to("json"))["derivative"]["matgrad"] == "(A + A') x"
    with pytest.raises(UsageError, match="there is no format `pdf`") as caught:
        d.to("pdf")
    assert (
        caught.value.help
        == "the formats are text, ascii, latex, markdown, html, json, matgrad, sympy, numpy, jax, torch, matlab"
    )


def test_text_has_no_marks() -> None:
    d = matgrad.diff("x'A x", wrt="x")
    assert not any("\ue000" <= c <= "\uf8ff" for c in d.to("text") + d.to("ascii") + d.to("latex"))


def test_jupyter() -> None:
    d = matgrad.diff("x'A x", wrt="x")
    assert d._repr_latex_() == f"$${d.to('latex')}$$"


def test_let() -> None:
    assert str(matgrad.diff("x'S x", wrt="x", let=["S: symmetric(n)"])) == "2 S x"
    assert str(matgrad.diff("x'S x", wrt="x", let=("S: symmetric", "x: vector(3)"))) == "2 S x"


def test_wrt_is_optional_with_one_variable() -> None:
    assert str(matgrad.diff("ln det(X)")) == "X^-T"
    with pytest.raises(UsageError, match="which variable"):
        matgrad.diff("x'A x")


def test_layout() -> None:
    assert str(matgrad.diff("A*x", wrt="x")) == "A"
    assert str(matgrad.diff("A*x", wrt="x", layout="denominator")) == "A'"
    assert str(matgrad.diff("A*x", wrt="x", layout="numerator")) == "A"
    assert str(matgrad.diff("a'x", wrt="x", layout="numerator")) == "a'"
    with pytest.raises(UsageError, match="there is no layout `other`"):
        matgrad.diff("A*x", wrt="x", layout="other")


def test_order() -> None:
    d = matgrad.diff("x'A x", wrt="x", order=2)
    assert str(d) == "A + A'"
    assert d.order == 2
    assert d.check is not None
    assert d.check.ok
    assert str(matgrad.diff("f(x)", wrt="x", let=["f: elementwise", "x: scalar"], order=3)) == (
        "f'''(x)"
    )
    assert str(matgrad.diff("b'x", wrt="x", order=2)) == "zeros(n, n)"
    with pytest.raises(UsageError, match="1 or more"):
        matgrad.diff("x'A x", wrt="x", order=0)


def test_order_over_the_degree() -> None:
    """The derivative of what no longer holds the variable is zero."""
    d = matgrad.diff("x^2", wrt="x", let=["x: scalar"], order=4)
    assert str(d) == "0"


def test_from_definition() -> None:
    d = matgrad.diff("x'A x", wrt="x", from_definition=True)
    assert str(d) == "(A + A') x"
    assert d.replay() is d.derivative
    assert d.notes == []
    assert matgrad.diff("ln det(X)", from_definition=True).notes == [
        "the expression is not a polynomial in the variable, because of `logdet`;"
        " the derivation starts from named differentials instead"
    ]


@pytest.mark.parametrize(
    ("kind", "code", "text", "wrt", "let"),
    [
        (SyntaxProblem, 2, "x'A +", "x", []),
        (NameProblem, 2, "foo'x", "x", []),
        (NameProblem, 2, "x'x", "y", []),
        (NameProblem, 2, "x'x", "x", ["x: vector", "x: vector"]),
        (ShapeProblem, 2, "A*x", "x", ["A: matrix(2, 3)", "x: vector(2)"]),
        (Unsupported, 3, "tr(X^k)", "k", []),
        (LimitProblem, 4, "tr(X^100000)", "X", []),
    ],
)
def test_errors(
    kind: type[matgrad.MatgradError], code: int, text: str, wrt: str, let: list[str]
) -> None:
    with pytest.raises(matgrad.MatgradError) as caught:
        matgrad.diff(text, wrt=wrt, let=let)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert str(caught.value) == caught.value.message


def test_errors_know_their_characters() -> None:
    with pytest.raises(matgrad.MatgradError) as caught:
        matgrad.diff("tr(A)*B + foo", wrt="A")
    (mark,) = caught.value.marks
    assert caught.value.text[mark.start : mark.end] == "foo"
    assert mark.label == "unknown name"


def test_derivations_do_not_share_state() -> None:
    first = matgrad.diff("x'A x", wrt="x")
    again = matgrad.diff("x'A x", wrt="x")
    assert first is not again
    assert first.derivative is again.derivative
    assert first.steps is not again.steps
    assert [s.rule for s in first.steps] == [s.rule for s in again.steps]


def test_what_the_package_offers() -> None:
    assert set(matgrad.__all__) == {
        "Derivation",
        "Evaluation",
        "MatgradError",
        "Simplification",
        "Verdict",
        "__version__",
        "check",
        "diff",
        "simplify",
        "eval",
    }
    for name in matgrad.__all__:
        assert getattr(matgrad, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'differentiate'"):
        matgrad.differentiate  # noqa: B018


def test_importing_costs_nothing() -> None:
    code = (
        "import sys, matgrad;"
        "print([m for m in ('numpy', 'sympy', 'rich', 'lark', 'click') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
