"""What prints, parses: the text of an expression is read back as the same node, in every style that is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_expressions import DECLARED, Problem, expressions, lets, problems, typed

from matgrad import expr as ex
from matgrad.derive import Derivation, Options, declarations, diff
from matgrad.emit.numpy import compiled
from matgrad.errors import ShapeProblem, Unsupported
from matgrad.expr import Expr
from matgrad.render.report import answer_text
from matgrad.render.text import render
from matgrad.shapes import read
from matgrad.verify import sample, size_names

STYLES = ("matgrad", "ascii", "unicode")

often = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def reads_back(e: Expr, style: str) -> bool:
    """Whether the text of e is read as e.

    `I` and `e_2` take their size from where they stand. An expression that is nothing else stands nowhere, so it is
    given a neighbour.
    """
    declared = declarations(lets(e))
    text = render(e, style)
    try:
        found = read(text, declared).expr
    except ShapeProblem as problem:
        if "how large" not in problem.message:
            raise
        found = None
    if found is e:
        return True
    if _without_size(e):
        declared = declarations([*lets(e), f"Z0: {e.shape}"])
        beside = ex.add(e, ex.var("Z0", e.shape))
        return read(render(beside, style), declared).expr is beside
    return False


def _without_size(e: Expr) -> bool:
    """Whether e is a multiple of an identity or of basis vectors."""
    if e.op == "transpose":
        e = e.args[0]
    ends = [
        a.args[0] if a.op == "transpose" else a
        for term in (e.args if e.kind == ex.ADD else (e,))
        for a in term.chain[:1] + term.chain[-1:]
    ]
    return any(a.kind == ex.CONST and a.op in ("eye", "basis") for a in ends)


def test_declared_names_cover_every_form() -> None:
    assert {"T", "e", "γ_1", "Σ1", "W_in", "step_size2"} <= set(DECLARED)


@often
@given(expressions())
def test_expressions_are_read_back(e: Expr) -> None:
    for style in STYLES:
        assert reads_back(e, style), render(e, style)


@often
@given(problems())
def test_derivatives_are_read_back(found: Problem) -> None:
    try:
        derivation = Derivation(typed(found.expr, found.wrt), (found.wrt,), Options())
    except Unsupported:
        return
    for style in STYLES:
        assert reads_back(derivation.derivative, style), render(derivation.derivative, style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "text",
    [
        "(ln det(P)) c2",
        "c2 ln det(P)",
        "(ln det(P))^2/2",
        "a^(ln det(P))",
        "x_0.^(w[2])",
        "a^(x[1])",
        "a^(T[1,2])",
        "x[1]^2",
        "a ones(n) + t + x",
        "tr(eye(n))",
        "X + 2 I",
        "X .* I",
        "eye(n)[:,2] + x",
        "eye(n) + 1",
        "[X, eye(n); A, 0*A]",
        "(x' x_0)^-2 X^-3",
        "-(x' x)^2/3",
    ],
)
def test_small_ones(text: str, style: str) -> None:
    assert reads_back(read(text, DECLARED).expr, style)


@pytest.mark.parametrize(
    ("text", "let"),
    [
        ("kron(X, A)", []),
        ("kron(A, X)", []),
        ("kron(X, X)", []),
        ("X'X", []),
        ("inv(X)", []),
        ("X.^2*A", []),
        ("X*sum(X)", []),
        ("softmax(X, 1)", []),
        ("mean(X.^2)", []),
        ("mean(X.*X)*tr(A X)", ["A: matrix"]),
        ("kron(X, A)", ["A: matrix(p, q)"]),
        ("exp(X) + exp(A)", []),
    ],
)
def test_answers_mean_the_same_without_their_sizes(text: str, let: list[str]) -> None:
    d = diff(text, wrt="X", let=let, check=False)
    again = read(answer_text(d), declarations(let))
    numbers = dict(zip(size_names(d.typed.expr, d.derivative), (3, 2, 5, 4, 6), strict=False))
    rng = np.random.default_rng(1)
    values = {n: sample(v, numbers, 0, rng) for n, v in d.typed.variables.items()}
    sizes = numbers | {
        dim: size
        for name, v in again.variables.items()
        for dim, size in zip(v.shape[1:], values[name].shape, strict=True)
    }

    def value(e: Expr, sizes: dict[str, int]) -> object:
        inputs = ex.variables(e)
        run = compiled([e], inputs)
        return run([values[v.data[0]] for v in inputs], sizes, {})[0]

    np.testing.assert_allclose(value(again.expr, sizes), value(d.derivative, numbers))
    assert not any("part by part" in note for note in again.notes)
