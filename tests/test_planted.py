"""The checker must be able to fail: slightly wrong rules and slightly wrong claims are caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

import matgrad
from matgrad import expr as ex
from matgrad import functions, rewrite, rules
from matgrad.cli import main
from matgrad.derive import declarations
from matgrad.errors import CheckFailed
from matgrad.expr import Expr
from matgrad.rewrite import PROCEDURES
from matgrad.shapes import read
from matgrad.trace_form import derivative_shape
from matgrad.verify import check_derivative, check_lines


def forget() -> None:
    for cached in (rewrite.template, rewrite.differential_template, rewrite.declarations):
        cached.cache_clear()


@pytest.fixture
def planted() -> Iterator[pytest.MonkeyPatch]:
    """Formulas are read from the tables again, before the test and after it."""
    forget()
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    forget()


# A function, its wrong differential, and an expression that uses it.
WRONG_DIFFERENTIALS = [
    ("cos", "sin(x).*d(x)", "sum(cos(x))"),
    ("sin", "-cos(x).*d(x)", "sum(sin(x))"),
    ("tanh", "(1 - tanh(x)).*d(x)", "sum(tanh(x))"),
    ("exp", "1.001*exp(x).*d(x)", "sum(exp(x))"),
    ("exp", "1.00001*exp(x).*d(x)", "sum(exp(x))"),
    ("log", "(1./x + 1/10000).*d(x)", "sum(log(x))"),
    ("sqrt", "(1./sqrt(x)).*d(x)", "sum(sqrt(x))"),
    ("abs", "d(x)", "sum(abs(x))"),
    ("power", "(y - 1)*x^(y - 1)*d(x)", "t^3"),
    ("epow", "(y.*x.^y).*d(x)", "sum(x.^3)"),
    ("inv", "-inv(X)'*d(X)*inv(X)", "tr(A*X^-1)"),
    ("inv", "inv(X)*d(X)*inv(X)", "tr(A*X^-1)"),
    ("inv", "-inv(X)*d(X)", "tr(A*X^-1)"),
    ("det", "tr(inv(X)*d(X))", "det(X)"),
    ("logdet", "tr(inv(X)'*d(X))", "ln det(X)"),
    ("logdet", "2*tr(inv(X)*d(X))", "ln det(X)"),
    ("norm2", "x'*d(x)", "norm2(A*x - b)"),
    ("normF", "tr(X'*d(X))", "norm(X - B)"),
    ("matpow", "d(X^(k - 1))*X - X^(k - 1)*d(X)", "tr(A*X^2)"),
    ("tr", "1.001*tr(d(X))", "tr(X*B*X')"),
    ("sum", "2*sum(d(X))", "sum(exp(x))"),
]
WITH_X = "xXt"


def variable_of(expression: str) -> str:
    return next(name for name in read(expression).variables if name in WITH_X)


@pytest.mark.parametrize("op, wrong, expression", WRONG_DIFFERENTIALS)
def test_wrong_differential(
    planted: pytest.MonkeyPatch, op: str, wrong: str, expression: str
) -> None:
    wrt = variable_of(expression)
    assert matgrad.diff(expression, wrt=wrt).check.ok  # as the table has it
    row = functions.TABLE[op]._replace(differential=wrong)
    planted.setitem(functions.TABLE, op, row)
    forget()
    with pytest.raises(CheckFailed) as problem:
        matgrad.diff(expression, wrt=wrt)
    assert problem.value.code == 70
    planted.undo()
    forget()
    assert matgrad.diff(expression, wrt=wrt).check.ok


# A rule that is applied by its statement, a wrong statement, and an expression that uses it.
WRONG_STATEMENTS = [
    ("squared-norm", "d(norm2(x)^2) -> x'*d(x)", "norm2(A*x - b)^2", "x"),
    ("squared-frobenius-norm", "d(norm(X)^2) -> 2.0002*tr(X'*d(X))", "norm(X - B)^2", "X"),
    ("unknown-function", "d(f(x)) -> f(x).*d(x)", "sum(f(x))", "x"),
    ("sum-dot", "sum(a.*x) -> -a'*x", "sum(exp(x))", "x"),
    ("vector-entry", "x[i] -> 2*e_i'*x", "x[1]^2", "x"),
    ("diag-trace", "tr(A*diag(x)) -> 2*diag(A)'*x", "tr(A*diag(x))", "x"),
    ("like-terms", "a*X + b*X -> (a - b)*X", "x'*x + t*x'*x", "x"),
]


def let_for(expression: str) -> list[str]:
    chosen = ["f: elementwise"] if "f(" in expression else []
    return [*chosen, "x: vector(3)"] if "x[" in expression else chosen


@pytest.mark.parametrize("rule, wrong, expression, wrt", WRONG_STATEMENTS)
def test_wrong_statement(
    planted: pytest.MonkeyPatch, rule: str, wrong: str, expression: str, wrt: str
) -> None:
    let = let_for(expression)
    derivation = matgrad.diff(expression, wrt=wrt, let=let)
    assert rule in {s.rule for s in derivation.steps}
    planted.setitem(rules.TABLE, rule, rules.TABLE[rule]._replace(statement=wrong))
    forget()
    with pytest.raises(CheckFailed):
        matgrad.diff(expression, wrt=wrt, let=let)


Procedure = Callable[[Expr, Callable[[Expr], bool]], Expr]


def scaled(procedure: Procedure) -> Procedure:
    return lambda e, depends: ex.mul(ex.num(2), procedure(e, depends))


def first_term_only(procedure: Procedure) -> Procedure:
    return lambda e, depends: procedure(e, depends).args[0]


def transposed(procedure: Procedure) -> Procedure:
    return lambda e, depends: ex.transpose(procedure(e, depends))


@pytest.mark.parametrize(
    "rule, change, expression",
    [
        ("product-rule", first_term_only, "tr(X*B*X')"),
        ("sum-rule", first_term_only, "tr(A*X) + det(X)"),
        ("collect", scaled, "tr(X*B*X')"),
        ("read-off", transposed, "tr(A*X)"),
        ("read-off", scaled, "tr(A*X)"),
    ],
)
def test_wrong_procedure(
    planted: pytest.MonkeyPatch,
    rule: str,
    change: Callable[[Procedure], Procedure],
    expression: str,
) -> None:
    assert rule in {s.rule for s in matgrad.diff(expression, wrt="X").steps}
    planted.setitem(PROCEDURES, rule, change(PROCEDURES[rule]))
    with pytest.raises(CheckFailed):
        matgrad.diff(expression, wrt="X", let=["A: matrix(n, n)"])


def test_wrong_inner_derivative_of_a_hessian(planted: pytest.MonkeyPatch) -> None:
    row = functions.TABLE["sin"]._replace(differential="1.01*cos(x).*d(x)")
    planted.setitem(functions.TABLE, "sin", row)
    with pytest.raises(CheckFailed):
        matgrad.diff("sin(t)", wrt="t", order=2)


@pytest.mark.parametrize("options", [[], ["-q"], ["--to", "latex"], ["--steps", "full"]])
def test_command_line_shows_no_wrong_answer(
    planted: pytest.MonkeyPatch, options: list[str]
) -> None:
    command = ["diff", "sum(cos(x))", "--wrt", "x", *options]
    assert CliRunner().invoke(main, command).exit_code == 0
    row = functions.TABLE["cos"]._replace(differential="sin(x).*d(x)")
    planted.setitem(functions.TABLE, "cos", row)
    forget()
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 70
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "bug of matgrad" in result.stderr
    assert "sin" not in result.stderr


def test_json_of_a_wrong_answer_has_an_error_and_no_derivative(planted: pytest.MonkeyPatch) -> None:
    row = functions.TABLE["cos"]._replace(differential="sin(x).*d(x)")
    planted.setitem(functions.TABLE, "cos", row)
    result = CliRunner().invoke(main, ["diff", "sum(cos(x))", "--to", "json"])
    assert result.exit_code == 70
    assert '"error"' in result.stdout
    assert '"derivative"' not in result.stdout
    assert "sin" not in result.stdout


# --- claims -----------------------------------------------------------------------------------------------------------


def typed(text: str, let: list[str]) -> Expr:
    return read(text, declarations(let)).expr


def judged(y: str, claim: str, wrt: str, let: list[str]) -> bool:
    known = read(y, declarations(let))
    claimed = typed(claim, let)
    check = check_derivative(known.expr, claimed, known.variables[wrt])
    # A claim of another shape is refused before any point is tried.
    right = derivative_shape(known.expr, known.variables[wrt])
    assert check.points == (5 if claimed.shape == right else 0)
    return check.ok


SQUARE = ["A: matrix(n, n)", "X: matrix(n, n)", "x: vector(n)", "y: vector(n)"]
OBLONG = ["A: matrix(n, m)", "X: matrix(m, n)", "x: vector(n)", "y: vector(m)"]


@pytest.mark.parametrize(
    "y, claim, wrt, let",
    [
        ("x'*A*x", "(A + A')*x", "x", SQUARE),
        ("tr(A*X)", "A'", "X", SQUARE),
        ("tr(A*X)", "A'", "X", OBLONG),
        ("y'*X*x", "y*x'", "X", OBLONG),
        ("X*x", "X", "x", OBLONG),
        ("ln det(X)", "inv(X)'", "X", SQUARE),
        ("norm2(x)^2*x", "norm2(x)^2*eye(n) + 2*x*x'", "x", SQUARE),
    ],
)
def test_right_claims_are_accepted(y: str, claim: str, wrt: str, let: list[str]) -> None:
    assert judged(y, claim, wrt, let)


@pytest.mark.parametrize(
    "y, claim, wrt, let",
    [
        # one coefficient wrong by 1e-4
        ("x'*A*x", "(A + 1.0001*A')*x", "x", SQUARE),
        ("x'*x + y'*x", "2*x + 0.9999*y", "x", SQUARE),
        ("tr(A*X)", "1.0001*A'", "X", SQUARE),
        ("ln det(X)", "0.9999*inv(X)'", "X", SQUARE),
        ("sum(exp(x))", "exp(x) + 0.0001*x", "x", SQUARE),
        ("norm2(x)^2*x", "norm2(x)^2*eye(n) + 2.0001*x*x'", "x", SQUARE),
        # transposed
        ("tr(A*X)", "A", "X", SQUARE),
        ("tr(A*X)", "A", "X", OBLONG),
        ("y'*X*x", "x*y'", "X", OBLONG),
        ("y'*X*x", "x*y'", "X", SQUARE),
        ("X*x", "X'", "x", OBLONG),
        ("X*x", "X'", "x", SQUARE),
        ("ln det(X)", "inv(X)", "X", SQUARE),
        # the wrong shape
        ("x'*x", "2*x*x'", "x", SQUARE),
        ("x'*x", "2*sum(x)", "x", SQUARE),
        ("x'*x", "2*x'", "x", SQUARE),
        ("tr(A*X)", "tr(A)", "X", SQUARE),
        ("tr(A*X)", "diag(A)", "X", SQUARE),
        # right only where something vanishes, or for some values only
        ("x'*A*x", "2*A*x", "x", SQUARE),
        ("sum(abs(x))", "ones(n)", "x", SQUARE),
        ("sum(x)", "zeros(n)", "x", SQUARE),
    ],
)
def test_wrong_claims_are_rejected(y: str, claim: str, wrt: str, let: list[str]) -> None:
    assert not judged(y, claim, wrt, let)


@pytest.mark.parametrize("seed", range(8))
def test_every_seed_sees_a_wrong_claim(seed: int) -> None:
    y, claim = typed("x'*A*x", SQUARE), typed("(A + 1.0001*A')*x", SQUARE)
    x = ex.var("x", ex.vector_shape("n"))
    assert not check_derivative(y, claim, x, seed).ok
    assert check_derivative(y, typed("(A + A')*x", SQUARE), x, seed).ok


@pytest.mark.parametrize("y", ["tr(X) - tr(X')", "x'*y - y'*x", "x'*(A - A)*x"])
def test_a_derivative_that_is_zero_is_accepted(y: str) -> None:
    """Zero up to rounding, whether or not it is written so."""
    wrt = "X" if "X" in y else "x"
    assert matgrad.diff(y, wrt=wrt, let=SQUARE).check.ok


# --- lines ------------------------------------------------------------------------------------------------------------

X = ex.var("x", ex.vector_shape("n"))
A = ex.var("A", ex.matrix_shape("n", "n"))
DX = ex.diff(X)


START = ex.diff(ex.mul(ex.transpose(X), A, X))
TWO_TERMS = ex.add(ex.mul(ex.transpose(DX), A, X), ex.mul(ex.transpose(X), A, DX))
ONE_TERM = ex.mul(ex.transpose(X), ex.add(A, ex.transpose(A)), DX)
WRONG = ex.mul(ex.num(2), ex.transpose(X), A, DX)
ALMOST = ex.mul(ex.num(10001), ex.num(1), ex.inverse(ex.num(10000)), ONE_TERM)


@pytest.mark.parametrize(
    "states, marks",
    [
        ([START, TWO_TERMS, ONE_TERM], [True, True, True]),
        ([START, TWO_TERMS, WRONG], [True, True, False]),
        ([START, WRONG, ONE_TERM], [True, False, False]),
        ([START, WRONG, WRONG], [True, False, True]),
        ([START, TWO_TERMS, ALMOST], [True, True, False]),
        ([ONE_TERM, ex.neg(ONE_TERM)], [True, False]),
        ([ex.mul(A, X), ex.mul(ex.transpose(A), X)], [True, False]),
        ([ex.mul(A, X), A], [True, False]),
    ],
)
def test_lines(states: list[Expr], marks: list[bool]) -> None:
    assert check_lines(states, (X,)) == marks


def test_lines_that_are_zero_agree() -> None:
    zero = ex.sub(ex.mul(ex.transpose(X), A, DX), ex.mul(ex.transpose(DX), ex.transpose(A), X))
    assert check_lines([zero, ex.ZERO], (X,)) == [True, True]
