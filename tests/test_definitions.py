"""Functions that the user defines, `f(t) = ...`: read, differentiated by SymPy or by matgrad's rules, written out, checked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import matgrad
from matgrad import expr as ex
from matgrad import scalar_calculus
from matgrad.definitions import Defined, applied_entrywise, definition_in, definitions_in
from matgrad.derive import Derivation, declarations, verify_lines
from matgrad.errors import MatgradError, NameProblem, ShapeProblem, SyntaxProblem
from matgrad.expr import Expr
from matgrad.functions import TABLE
from matgrad.render.text import render
from matgrad.rewrite import derived, without_definitions
from matgrad.shapes import Typed, read, signature
from matgrad.verify import check_derivative

F = "f(t) = t^2*exp(-t)"


def parsed(text: str, *let: str) -> Typed:
    return read(text, declarations(let))


def rules_of(d: Derivation) -> set[str]:
    return {s.rule for s in d.steps}


def sound(d: Derivation) -> Derivation:
    """The derivation, when numbers, replay and each of its lines agree, and nothing is left to be looked up."""
    assert d.check is not None and d.check.ok and d.check.points > 0
    assert d.replay() is d.mixed
    assert all(verify_lines(d))
    assert not definitions_in(d.mixed)
    return d


# --- reading ------------------------------------------------------------------------------------------------------------

WRITTEN = [
    ("f(x)", "x.^2.*exp(-x)", F, "x: vector(n)"),
    ("f(a)", "a^2*exp(-a)", F, "a: scalar"),
    ("f(2)", "4*exp(-2)", F, ""),
    ("f(x')", "x'.^2.*exp(-x')", F, "x: vector(n)"),
    ("f(X)", "1 + exp(X)", "f(t) = 1 + exp(t)", "X: matrix(m, n)"),
    ("f(x)", "2*x", "f(t) = 2*t", "x: vector(n)"),
    ("f(x)", "x", "f(t) = t", "x: vector(n)"),
    ("f(x)", "3*ones(n)", "f(t) = 3", "x: vector(n)"),
    ("f(f(x))", "4*x", "f(t) = 2*t", "x: vector(n)"),
]  # fmt: skip


@pytest.mark.parametrize("text, same, definition, let", WRITTEN)
def test_a_definition_is_kept_and_can_be_written_out(
    text: str, same: str, definition: str, let: str
) -> None:
    given = [definition, *([let] if let else [])]
    typed = parsed(text, *given)
    assert definition_in(typed.expr) is not None
    assert [f.name for f in typed.definitions] == ["f"]
    assert without_definitions(typed.expr) is parsed(same, *given).expr
    assert parsed(render(typed.expr), *given).expr is typed.expr


def test_its_derivative_may_be_typed() -> None:
    e = parsed("f''(x)", F, "x: vector(n)").expr
    assert render(e) == "f''(x)"
    d = sound(matgrad.diff("sum(f'(x))", "x", [F, "x: vector(n)"]))
    assert check_derivative(parsed("sum(f'(x))", F, "x: vector(n)").expr, d.mixed, d.wrt).ok


def test_one_definition_uses_another_in_any_order() -> None:
    let = ["g(s) = f(s)^2 + h(s)", "f(t) = sin(t)", "h: elementwise", "x: vector(n)"]
    typed = parsed("g(x)", *let)
    assert [f.name for f in typed.definitions] == ["g", "f"]
    assert without_definitions(typed.expr) is parsed("sin(x).^2 + h(x)", *let).expr


def test_definitions_of_one_name_do_not_share_their_variable() -> None:
    let = ["f(t) = t^2", "g(t) = f(2*t) + t", "t: vector(n)"]
    assert without_definitions(parsed("g(t)", *let).expr) is parsed("4*t.^2 + t", *let).expr


WRONG = [
    (NameProblem, "f(c)", ["f(t) = g(t)", "g(t) = f(t)"], "the definition of `f` leads back to `f`"),
    (NameProblem, "f(c)", ["f(t) = f(t) + 1"], "the definition of `f` leads back to `f`"),
    (NameProblem, "f(c)", ["f(t) = a*t", "a: vector(n)"], "`a` stands in the definition of `f`, and is not a scalar"),
    (NameProblem, "f'(c)", ["f(t) = a*t"], "`f` depends on `a` too, and has no name for its derivative"),
    (ShapeProblem, "a'x*f(c)", ["f(t) = a*t"], "`a` stands in the definition of `f`, and would be a vector here"),
    (SyntaxProblem, "f(c)", ["f(t) = g(t)", "g: scalar of scalar"], "a definition is made of numbers, its variable and elementwise functions"),
    (SyntaxProblem, "f(c)", ["f(t) = [t; t][1]"], "a definition is made of numbers, its variable and elementwise functions"),
    (NameProblem, "∇f(c)", [F], "`∇` stands before an unknown function of a whole vector or matrix only"),
    (ShapeProblem, "f(c, c)", [F], "`f` takes 1 argument, not 2"),
]  # fmt: skip


@pytest.mark.parametrize("kind, text, let, message", WRONG)
def test_what_cannot_be_read(kind: type, text: str, let: list[str], message: str) -> None:
    with pytest.raises(kind) as found:
        parsed(text, *let)
    assert found.value.message == message


# --- derivatives --------------------------------------------------------------------------------------------------------

BY_SYMPY = [
    ("t^2*exp(-t)", "t (2 - t) exp(-t)"),
    ("t", "1"),
    ("3", "0"),
    ("2*t^3", "6 t^2"),
    ("1/t", "-1/t^2"),
    ("sqrt(t)", "1/(2 sqrt(t))"),
    ("1/sqrt(1 + t^2)", "-t/(1 + t^2)^(3/2)"),
    ("sin(t)/t", None),
    ("ln(1 + t^2)", "2 t/(1 + t^2)"),
    ("erf(t/2)", None),
    ("abs(t)^3", None),
    ("atan(π*t)", None),
    ("t^(1/3)", None),
    ("tanh(t)*cosh(t)", "cosh(t)"),
    ("2^t", None),
    ("t^t", None),
    ("gamma(t)", None),
    ("gammaln(t)", "digamma(t)"),
    ("digamma(t)", "polygamma(1, t)"),
    ("exp(sin(t)^2)*cos(t)", None),
    ("(t^2 + 1)^5", None),
    ("0.25*t^4 - 1.5*t", None),
]
BY_RULES = ["sigmoid(t)*t", "softplus(t)^2", "h(t)^2", "relu(t)*t", "log1p(t^2)", "silu(t)/(1 + t^2)", "log10(1 + t^2)"]  # fmt: skip


@pytest.mark.parametrize("body, expected", BY_SYMPY)
def test_by_sympy(body: str, expected: str | None) -> None:
    f = parsed("f(c)", f"f(t) = {body}").definitions[0]
    found = derived(f, 1)
    assert found is not None
    if expected is not None:
        assert render(found.body) == expected
    assert check_derivative(f.body, found.body, f.variable).ok
    own = derived(f, 1, by_sympy=False)
    assert own is not None
    assert check_derivative(f.body, own.body, f.variable).ok


@pytest.mark.parametrize("body", BY_RULES)
def test_what_sympy_has_no_word_for_goes_by_matgrads_rules(body: str) -> None:
    let = [f"f(t) = {body}", "h: elementwise", "x: vector(n)"]
    f = parsed("f(x)", *let).definitions[0]
    assert derived(f, 1) is None
    for order in (1, 2):
        d = sound(matgrad.diff("sum(f(x))", "x", let, order=order))
        assert "derivative-by-rules" in rules_of(d)
        assert "derivative-by-sympy" not in rules_of(d)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_higher_orders_of_the_definition_agree_with_differences(order: int) -> None:
    for body in ("t^2*exp(-t)", "sin(t)/(1 + t^2)", "tanh(t)^3"):
        f = parsed("f(c)", f"f(t) = {body}").definitions[0]
        below, found, own = derived(f, order - 1), derived(f, order), derived(f, order, False)
        assert below is not None and found is not None and own is not None
        assert check_derivative(below.body, found.body, f.variable).ok
        assert check_derivative(below.body, own.body, f.variable).ok


PLACES = [
    ("f(c)", "c", ["c: scalar"]),
    ("f(x)", "x", ["x: vector(n)"]),
    ("sum(f(x))", "x", ["x: vector(n)"]),
    ("sum(f(X))", "X", ["X: matrix(m, n)"]),
    ("sum(f(x'))", "x", ["x: vector(n)"]),
    ("f(A*x)", "x", []),
    ("f(c*X)", "c", []),
    ("f(f(c))^2", "c", ["c: scalar"]),
    ("sum(f(f(x)))", "x", ["x: vector(n)"]),
    ("f(norm2(x)^2)", "x", ["x: vector(n)"]),
    ("f(2)*c + f(c)/f(c + 1)", "c", ["c: scalar"]),
    ("f(x'A x)", "x", []),
    ("x'*f(A)*x", "A", ["A: matrix(n, n)"]),
    ("f(a)*x", "x", ["x: vector(n)", "a: scalar"]),
    ("tr(A*diag(f(x)))", "x", ["x: vector(n)"]),
    ("c^2*f'(c)", "c", ["c: scalar"]),
]


@pytest.mark.parametrize("definition", [F, "f(t) = t*sigmoid(t)", "f(t) = 2*t + 1", "f(t) = 3"])
@pytest.mark.parametrize("text, wrt, let", PLACES)
def test_wherever_it_stands(text: str, wrt: str, let: list[str], definition: str) -> None:
    found = sound(matgrad.diff(text, wrt, [definition, *let]))
    typed = parsed(text, definition, *let)
    variables = found.typed.variables
    assert check_derivative(without_definitions(typed.expr), found.mixed, variables[wrt]).ok


@pytest.mark.parametrize("text, wrt", [("f(c)", "c"), ("f(f(c))", "c"), ("sum(f(A*x))", "x"), ("f(x'x)", "x")])  # fmt: skip
def test_second_order(text: str, wrt: str) -> None:
    d = sound(matgrad.diff(text, wrt, [F, "c: scalar", "x: vector(n)"], order=2))
    assert d.inner is not None
    assert d.inner.check is not None and d.inner.check.ok
    assert [f.name for f in definitions_in(d.inner.mixed)] == ["f"]  # f' is kept until the end


def test_the_words_of_a_derivation() -> None:
    d = matgrad.diff("sum(f(x))", "x", [F, "x: vector(n)"], order=2)
    text = d.to("text")
    assert "y = sum(f(x)) " in text
    assert "where x ∈ ℝⁿ, f(t) = t² exp(-t)\n" in text
    assert "∂y/∂x = f'(x)\n" in text
    assert "f''(t) = (2 + t² - 4 t) exp(-t) by SymPy\n" in text
    assert "f(t) = t^2 exp(-t)\n" in d.to("ascii")
    assert r"f\left(t\right) = t^{2} \exp(-t)" in d.to("latex")
    d = matgrad.diff("f(φ(c))*c", "c", ["f(t) = t*sigmoid(t)", "φ(s) = s^2"])
    assert "f'(t) = sigmoid(t) + t sigmoid(t) (1 - sigmoid(t)) by the rules for its parts" in (
        d.to("text").replace("σ", "sigmoid")
    )
    assert "definition of phi" in d.to("ascii")


def test_from_the_definition_of_the_derivative() -> None:
    d = matgrad.diff("sum(f(x))", "x", ["f(t) = t^2", "x: vector(n)"], from_definition=True)
    assert sound(d).notes == []
    assert str(d) == "2 x"
    d = matgrad.diff("sum(f(x))", "x", [F, "x: vector(n)"], from_definition=True)
    assert sound(d).notes and "because of `exp`" in d.notes[0]


# --- parameters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, wrt, let",
    [
        ("sum(f(x))", "x", ["f(t) = a*t^2 + b"]),
        ("sum(f(x))", "a", ["f(t) = a*t^2 + b", "x: vector(n)"]),
        ("f(a)", "a", ["f(t) = t^a", "a: positive"]),
        ("f(f(c))", "a", ["f(t) = exp(a*t)"]),
        ("g(c)*a", "a", ["g(s) = f(s)^2", "f(t) = sin(a*t)"]),
        ("f(x)", "x", ["f(t) = t^k/k", "k: scalar", "x: positive(n)"]),
        ("f(x)'f(x)", "λ", ["f(t) = λ*t", "x: vector(n)"]),
        ("sum(f(x))", "x", ["f(t) = t/n", "x: vector(n)"]),
        ("c*f(c)", "c", ["f(t) = c*t"]),
        ("c*f(2)", "c", ["f(c) = c^2"]),
    ],
)
def test_a_definition_with_parameters(text: str, wrt: str, let: list[str]) -> None:
    sound(matgrad.diff(text, wrt, let))


def test_a_parameter_is_a_variable_of_the_expression() -> None:
    typed = parsed("g(c)", "g(s) = f(s)^2", "f(t) = sin(a*t) + w")
    assert [*typed.variables] == ["a", "w", "c"] or {*typed.variables} == {"a", "w", "c"}
    assert all(v.is_scalar for v in typed.variables.values())
    assert "a" in typed.assumed
    assert str(matgrad.diff("f(x)'f(x)", "a", ["f(t) = a*t", "x: vector(n)"])) == "2 a x' x"


# --- translation --------------------------------------------------------------------------------------------------------


def test_every_name_of_sympys_is_one_and_means_the_same() -> None:
    import sympy

    for op, name in scalar_calculus.NAMES.items():
        assert signature(op).result.kind == "array"
        assert callable(getattr(sympy, name))
        t = ex.var("t", ex.SCALAR_SHAPE)
        e = ex.call(op, (t,), ex.SCALAR_SHAPE)
        symbol = sympy.Symbol("t", real=True)
        there = scalar_calculus.to_sympy(e, {t: symbol})
        assert scalar_calculus.from_sympy(there, {symbol: t}) is e
        point = 1.25 if TABLE[op].domain == "above_one" else 0.625
        import math

        import scipy.special

        known = {"lgamma": math.lgamma, "abs": abs, "digamma": scipy.special.digamma}
        known["sign"] = lambda x: 1.0
        mine = known.get(op) or getattr(math, op, None) or math.gamma
        assert abs(float(there.subs(symbol, point)) - float(mine(point))) < 1e-12


def test_what_has_no_translation() -> None:
    import sympy

    t = ex.var("t", ex.SCALAR_SHAPE)
    symbol = sympy.Symbol("t", real=True)
    with pytest.raises(scalar_calculus.Untranslatable):
        scalar_calculus.to_sympy(ex.call("sigmoid", (t,), ex.SCALAR_SHAPE), {t: symbol})
    for there in (sympy.Heaviside(symbol), sympy.I, sympy.Function("f")(symbol), sympy.oo):
        with pytest.raises(scalar_calculus.Untranslatable):
            scalar_calculus.from_sympy(there, {symbol: t})
    assert scalar_calculus.derivative(t, t, 1) is ex.ONE


def test_a_very_long_definition_is_no_problem() -> None:
    terms = " + ".join(f"sin({k}*t)^{k % 5 + 1}" for k in range(1, 60))
    let = [f"f(t) = {terms}"]
    found = matgrad.diff("f(c)", "c", let)
    assert found.check is not None and found.check.ok
    nested = "t"
    for _ in range(60):
        nested = f"sin({nested})"
    found = matgrad.diff("f(c)", "c", [f"f(t) = {nested}"])
    assert found.check is not None and found.check.ok


def test_a_definition_is_applied_to_each_entry() -> None:
    t, c = ex.var("t", ex.SCALAR_SHAPE), ex.var("c", ex.SCALAR_SHAPE)
    f = Defined("f", t, ex.add(ex.mul(c, t), ex.ONE))
    assert not f.is_closed

    def at(argument: Expr) -> str:
        return render(applied_entrywise(f, argument))

    assert at(ex.var("x", ex.vector_shape("n"))) == "c x + 1"
    assert at(ex.num(3)) == "3 c + 1"


def test_sympy_is_loaded_for_definitions_only() -> None:
    def loads(*arguments: str) -> bool:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "matgrad", "diff", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-1000:]
        return any(line.rpartition("|")[2].strip() == "sympy" for line in done.stderr.splitlines())

    assert loads("f(c)", "--let", F)
    assert not loads("g(x)", "--let", "g: scalar of vector(n)")
    assert not loads("sum(f(x))", "--let", "f: elementwise")
    assert not loads("sum(exp(x))")


def test_errors_in_a_definition_show_its_text() -> None:
    with pytest.raises(MatgradError) as found:
        parsed("f(c)", "f(t) = t + foo(t)")
    assert found.value.text == "f(t) = t + foo(t)"
