"""`matgrad simplify`: the shortest equal form, its steps, and the command."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from random_expressions import expressions
from test_docs import SCHEMA, problems

import matgrad
from matgrad import expr as ex
from matgrad import simplification
from matgrad.cli import main
from matgrad.errors import CheckFailed, MatgradError
from matgrad.expr import Expr
from matgrad.render.text import render
from matgrad.rewrite import Recorder, Replay, check_step, dependence
from matgrad.shapes import Typed
from matgrad.simplified import Simplification, verify, verify_lines
from matgrad.steps import DERIVATIVE


def typed_alone(e: Expr) -> Typed:
    return Typed(e, {v.data[0]: v for v in ex.variables(e)}, (), (), (), render(e))


@pytest.mark.parametrize(
    ("text", "let", "short"),
    [
        ("A*X*B + A*Y*B", (), "A (X + Y) B"),
        ("x'Q'Q x", ("Q: orthogonal",), "x' x"),
        ("2*x'A y + 3*y'A'x", ("y: vector",), "5 x' A y"),
        ("inv(A*B)*A", ("A: matrix(n, n)", "B: matrix(n, n)"), "B^-1"),
        ("diag(x)*y - 2 x.*y", ("y: vector",), "-x .* y"),
        ("1/(1 + exp(-c))", (), "sigmoid(c)"),
        ("f(c) - c^2", ("f(t) = t^2",), "0"),
        ("x'y", ("y: vector",), "x' y"),
        ("X*pinv(X)*X", (), "X"),
        ("pinv(X)*X*pinv(X)", (), "pinv(X)"),
        ("pinv(X)'*X'", (), "X pinv(X)"),
        ("X'*pinv(X)'*b", (), "pinv(X) X b"),
        ("X'*(X*pinv(X)*b - b)", (), "zeros(n)"),
        ("pinv(X)*X*X'", (), "X'"),
        ("X*pinv(X)*pinv(X)'", (), "pinv(X)'"),
        ("pinv(X)'*pinv(X)*X", (), "pinv(X)'"),
        ("chol(P)*chol(P)'", ("P: spd",), "P"),
        ("inv(chol(P))'*inv(chol(P))", ("P: spd",), "P^-1"),
        ("sqrtm(P)*sqrtm(P)", ("P: spd",), "P"),
        ("polar(P)*x", ("P: spd",), "x"),
        ("sum(softmax(x))", (), "1"),
        ("exp(log(x))", (), "x"),
        ("log(exp(x))", (), "x"),
        ("log(sum(exp(x)))", (), "logsumexp(x)"),
        ("exp(x)/sum(exp(x))", (), "softmax(x)"),
        ("abs(x).*sign(x)", (), "x"),
        ("sign(c)/abs(c)", (), "1/c"),
        ("y.*sigmoid(-z) - (1 - y).*sigmoid(z)", ("y: vector",), "y - sigmoid(z)"),
        ("c*sigmoid(-d) - (1 - c)*sigmoid(d)", (), "c - sigmoid(d)"),
        ("(I - X)*inv(I + X) + I", ("X: matrix(n, n)",), "2 (I + X)^-1"),
        ("inv(I + X)*(I - X) + I", ("X: matrix(n, n)",), "2 (I + X)^-1"),
        ("inv(X + Y)'*(Y - X)' + I", ("X: matrix(n, n)", "Y: matrix(n, n)"), "2 (X + Y)^-T Y'"),
        ("(Y - X)'*inv(X + Y)' + I", ("X: matrix(n, n)", "Y: matrix(n, n)"), "2 Y' (X + Y)^-T"),
        ("kron(A, C) + kron(B, C)", ("A: matrix(2, 3)", "B: matrix(2, 3)"), "kron(A + B, C)"),
        ("kron(C, A) - 2*kron(C, B)", ("A: matrix(2, 3)", "B: matrix(2, 3)"), "kron(C, A - 2 B)"),
        ("kron(kron(A, x), y')", ("y: vector",), "kron(A, x y')"),
        ("kron(kron(A, y'), x)", ("y: vector",), "kron(A, x y')"),
        ("vec(x*y')", ("y: vector",), "kron(y, x)"),
        ("ones(m)*ones(n)' + zeros(m, n)", ("X: matrix(m, n)",), "ones(m, n)"),
        ("sum(i=1:n, i*X) + sum(j=1:n, j^2*X)", ("X: matrix(n, n)",), "sum(i=1:n, i + i^2) X"),
        (
            "sum(r=0:k-1, X^r*Y*X^(k-1-r)) + sum(r=0:k-1, X^(k-1-r)*Y*X^r)",
            ("k: integer",),
            "2 sum(r=0:k-1, X^(k - 1 - r) Y X^r)",
        ),
        ("sum(r=0:k-1, tr(X^r*Y*X^(k-1-r)))", ("k: integer",), "k tr(Y X^(k - 1))"),
        ("(a*x + b)^2 - a^2*x^2 - b^2", ("x: scalar",), "2 a x b"),
        ("(A - B)*(A + B) + B*A - A*B", ("A: matrix(n, n)", "B: matrix(n, n)"), "A^2 - B^2"),
        ("c'*(x - y) + (y - x)'*c", ("c: vector", "y: vector"), "0"),
        ("1/(c*(1 + d/c))", (), "1/(c + d)"),
        ("dg(X + X')", (), "2 dg(X)"),
        ("tr(dexpm(c*X, Y)*X)", ("Y: matrix",), "tr(Y expm(c X) X)"),
        (
            "[X[1,1]*x[1] + X[1,2]*x[2]; X[2,1]*x[1] + X[2,2]*x[2]]",
            ("X: matrix(2, 2)", "x: vector(2)"),
            "X x",
        ),
        (
            "[2*X[1,1]*x[1]; X[1,2]*x[1] + c*x[2]]",
            ("X: matrix(1, 2)", "x: vector(2)"),
            "[2 X[1,1] x[1]; X[1,2] x[1] + c x[2]]",
        ),
    ],
)
def test_answers(text: str, let: tuple[str, ...], short: str) -> None:
    found = matgrad.simplify(text, let)
    assert str(found) == short
    assert found.check is not None and found.check.ok and found.check.points == 5
    marks = verify_lines(found)
    assert all(marks) and len(marks) == len(found.lines(full=True))


often = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@often
@given(expressions())
def test_never_longer_and_equal(e: Expr) -> None:
    found = Simplification(typed_alone(e))
    assert ex.cost(found.simplified) <= ex.cost(e)
    assert found.simplified.shape == e.shape
    verify(found)  # raises CheckFailed if the values differ


@often
@given(expressions())
def test_each_simplification_is_a_step(e: Expr) -> None:
    found = Simplification(typed_alone(e))
    replay = Replay(e)
    for step in found.steps:
        assert check_step(step, dependence(DERIVATIVE, ())), step.rule
        replay.add(step)
    assert replay.settle() is found.simplified


@often
@given(expressions())
def test_what_is_simple_stays(e: Expr) -> None:
    """Simplifying once more ends, and makes nothing longer."""
    once = Simplification(typed_alone(e)).simplified
    assert ex.cost(Simplification(typed_alone(once)).simplified) <= ex.cost(once)


def test_a_wrong_form_is_refused() -> None:
    found = matgrad.simplify("A*X*B + A*Y*B")
    found.simplified = ex.mul(ex.num(2), found.simplified)
    with pytest.raises(CheckFailed):
        verify(found)


def test_assumptions_stay_visible() -> None:
    assert "assuming A is invertible" in matgrad.simplify("inv(A)*A*x + x").to("text")
    assert "assuming a is not 0" in matgrad.simplify("a*b/a").to("ascii")
    assert matgrad.simplify("a*b/a", "a: nonzero").assumptions == []
    assert matgrad.simplify("x/a + y/a", "y: vector").assumptions == []  # the result shows it
    result = CliRunner().invoke(main, ["simplify", "sqrt(c)^2", "-q"], prog_name="matgrad")
    assert (result.stdout, result.stderr) == ("c\n", "note: assuming c is positive\n")


# --- the command ------------------------------------------------------------------------------------------------------------


def run(*arguments: str, given: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["simplify", *arguments], input=given, prog_name="matgrad")
    return result.exit_code, result.stdout


def test_text() -> None:
    code, out = run("A*X*B + A*Y*B", "--to", "ascii")
    assert code == 0
    assert out.splitlines()[1].split() == [
        "=",
        "A",
        "(X",
        "+",
        "Y)",
        "B",
        "take",
        "out",
        "a",
        "common",
        "factor",
    ]
    assert out.splitlines()[-1].startswith("ok: equal at 5 random points")


def test_full_steps_are_marked() -> None:
    code, out = run("x'Q'Q x + 2*b'x - b'x", "--let", "Q: orthogonal", "--steps", "full")
    assert code == 0 and out.count("✓") == 4


def test_no_steps_and_no_check() -> None:
    assert run("x + x", "--steps", "none", "--no-check")[1] == (
        "y = x + x                                where x ∈ ℝⁿ\n  = 2 x\n"
    )


def test_nothing_shorter() -> None:
    assert "nothing shorter was found" in run("x'y")[1]


def test_quiet_reads_standard_input() -> None:
    assert run("-", "-q", given="x + x") == (0, "2 x\n")


def test_quiet_names_sizes() -> None:
    assert run("sum(ones(len(x))) + x'x - x'x", "-q")[1] == "len(x)\n"


def test_latex() -> None:
    out = run("A*X + A*Y", "--to", "latex")[1]
    assert "&= A \\left(X + Y\\right) && \\text{take out a common factor}" in out


def test_json() -> None:
    body = json.loads(run("A*X + A*Y", "--to", "json")[1])
    assert body["simplified"]["matgrad"] == "A (X + Y)"
    assert body["steps"][0]["rule"] == "factor-left"
    assert body["check"]["ok"] is True
    assert problems(body, SCHEMA) == []


def test_other_formats() -> None:
    found = matgrad.simplify("x + x")
    assert found.to("matgrad") == "2 x" and "MatrixSymbol" in found.to("sympy")
    assert run("x + x", "--to", "sympy")[0] == 0
    assert (
        found._repr_latex_().startswith("$$\\begin{aligned}")
        and repr(found) == "<matgrad.Simplification: 2 x>"
    )
    with pytest.raises(MatgradError, match="there is no format `pdf`"):
        found.to("pdf")


def test_unused_declarations_are_noted() -> None:
    assert "`Z` is declared" in matgrad.simplify("x + x", ["Z: matrix"]).notes[0]


def test_errors_have_their_exit_code() -> None:
    assert run("x +")[0] == 2
    body = json.loads(run("x +", "--to", "json")[1])
    assert body["error"]["code"] == "syntax"


def test_a_file_of_declarations(tmp_path: object) -> None:
    path = f"{tmp_path}/lets"
    with open(path, "w") as file:
        file.write("Q: orthogonal\n")
    assert run("Q'Q*x + x", "--let-file", path, "-q", "--seed", "3", "--timeout", "5") == (
        0,
        "2 x\n",
    )


def test_a_circle_of_rules_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that undoes another one leaves the expression as it was."""

    def turned(e: Expr, recorder: Recorder) -> Expr:
        if e.kind == ex.ADD and e.is_scalar:
            return recorder.apply("reorder", e, A=e.args[0], B=e.args[1])
        return e

    monkeypatch.setattr(simplification, "_order", turned)
    found = matgrad.simplify("c + d", check=False)
    assert found.simplified is found.expression and found.steps == []
