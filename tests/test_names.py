"""Names for subexpressions that repeat: `where h = tanh(W x)`, written and read."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from random_expressions import Problem, lets, problems, typed

from matgrad import diff
from matgrad import expr as ex
from matgrad.derive import Derivation, Options, declarations, verify_lines
from matgrad.errors import MatgradError, NameProblem, ShapeProblem, Unsupported
from matgrad.render import names
from matgrad.render.report import with_where
from matgrad.render.text import render
from matgrad.shapes import read


def network(depth: int) -> str:
    """sum(tanh(W_n tanh(W_{n-1} ...)))."""
    inside = "x"
    for i in range(1, depth + 1):
        inside = f"tanh(W{i}*{inside})"
    return f"sum({inside})"


# --- read -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("x'r where r = A*x - b", "x'*(A*x - b)"),
        ("h2'h2 + sum(h1) where h1 = tanh(A*x), h2 = B*h1", "(B*tanh(A*x))'(B*tanh(A*x)) + sum(tanh(A*x))"),
        ("residual'residual where residual = A*x - b", "(A*x - b)'(A*x - b)"),
        ("k^2 where k = x'y", "(x'y)^2"),
        ("tr(AB) where AB = A*B", "tr(A*B)"),
        ("sum(i=1:3, k^2) where k = x[i]", "sum(i=1:3, x[i]^2)"),
        ("α x where alpha = sum(x)", "sum(x) x"),
    ],
)  # fmt: skip
def test_names_stand_for_their_formulas(text: str, same: str) -> None:
    let = declarations(["x: vector(3)", "y: vector"])
    assert read(text, let).expr is read(same, let).expr


def test_a_chain_of_names_is_read_in_linear_time() -> None:
    definitions = ", ".join(f"k{i + 1} = sin(k{i}) + cos(k{i})" for i in range(200))
    assert ex.cost(read(f"k200 where k0 = c, {definitions}").expr) > 2**200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h where h = h + 1", "`h` is used before it has a formula"),
        ("h where h = k, k = x'x", "`k` is used before it has a formula"),
        ("x'r where r = 2*x, r = x", "`r` is given a formula twice"),
        ("x'c where c = 2*x", "`c` is declared"),
        ("x'r where r = A*x + A", "shapes do not agree in a sum"),
        ("x'x where", "the expression is not complete"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(MatgradError) as caught:
        read(text, declarations("c: scalar"))
    assert caught.value.message == message


def test_a_name_that_nothing_uses_is_noted() -> None:
    assert "nothing uses `k`" in read("x'x where k = 2").notes


def test_the_error_shows_where_a_formula_is_wrong() -> None:
    with pytest.raises(ShapeProblem) as caught:
        read(
            "x'r where r = foo(x)*2 + A*x",
            declarations(["A: matrix(2, 3)", "x: vector(2)", "foo: elementwise"]),
        )
    assert all(mark.start > len("x'r where") for mark in caught.value.marks)


# --- written --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrt", "let", "answer"),
    [
        ("exp(-‖x - y‖²/(2 s^2))", "x", ("s: scalar",), "-f (x - y)/s^2 where f = exp(-norm2(x - y)^2/(2 s^2))"),
        ("(x'A x)/(x'B x)", "x", ("A: symmetric", "B: symmetric"), "2 (A - y B) x/(x' B x) where y = x' A x/(x' B x)"),
        ("(A + t*B)^-1", "t", (), "-Y B Y where Y = (A + t B)^-1"),
        ("(A + t*B)^-1", "t", ("Y: matrix",), "-F B F where F = (A + t B)^-1"),
        ("x'A x", "x", (), "(A + A') x"),
        ("norm2(A x - b)", "x", (), "A' (A x - b)/norm2(A x - b)"),
        ("det(A X B)", "X", ("A: matrix(n, n)", "X: matrix(n, n)"), "det(A X B) X^-T"),
    ],
)  # fmt: skip
def test_answers(text: str, wrt: str, let: tuple[str, ...], answer: str) -> None:
    found = diff(text, wrt, let)
    assert str(found) == answer
    assert read(answer, declarations(let)).expr is found.derivative


def test_names_that_are_taken_are_not_given() -> None:
    found = diff(
        "sum(tanh(A*tanh(B*tanh(h*tanh(H*tanh(r*tanh(R*x))))))) + y",
        "x",
        ["h: matrix", "r: matrix", "y: scalar"],
    )
    assert set(found.names.values()).isdisjoint("hHrRxy")
    assert len(found.names) == 5
    back = read(str(found), declarations(["h: matrix", "r: matrix", "y: scalar"]))
    assert render(back.expr) == render(found.derivative)  # the sizes may have other names


def test_names_with_every_letter_taken() -> None:
    supply = names._supply("hr", True, {"h", "r1", "h_h", "h_r", "h1"})
    assert [next(supply), next(supply)] == ["h2", "h3"]


def test_what_is_written_grows_as_the_network_does() -> None:
    lengths = []
    for depth in (10, 20, 40):
        found = diff(network(depth), "W1", check=False)
        lengths.append((len(str(found)), len(found.to("text")), len(found.to("latex"))))
        assert render(read(str(found)).expr) == render(found.derivative)
    for ten, twenty, forty in zip(*lengths, strict=True):
        assert forty - twenty < 2.3 * (twenty - ten)


def test_the_derivation_is_the_chain_rule_over_the_names() -> None:
    found = diff(network(5), "W1")
    text = found.to("text")
    assert "h₃ = tanh(W₃ h₂)" in text
    assert "dh₃ = (1 - h₃.^2) ∘ (W₃ dh₂)" in text
    assert "dh₁ = (1 - h₁.^2) ∘ (dW₁ x)" in text
    marks = verify_lines(found)
    assert len(marks) == len(found.lines(full=True)) and all(marks)


def test_a_line_that_is_wrong_is_found_among_the_names() -> None:
    found = diff(network(5), "W1")
    chains = found.chains(full=True)
    wrong = chains[1].lines[0]._replace(state=ex.mul(ex.num(2), chains[1].lines[0].state))
    chains[1] = chains[1]._replace(lines=[wrong])
    found.chains = lambda full=False: chains  # type: ignore[method-assign]
    assert verify_lines(found)[len(chains[0].lines)] is False


def test_the_names_in_json() -> None:
    found = json.loads(diff(network(5), "W1", check=False).to("json"))["derivative"]
    assert found["where"][0] == {"name": "h1", "text": "tanh(W₁ x)", "matgrad": "tanh(W1 x)", "latex": "\\tanh(W_{1} x)"}  # fmt: skip
    assert found["text"].endswith(
        "where h₁ = tanh(W₁ x), h₂ = tanh(W₂ h₁), h₃ = tanh(W₃ h₂), h₄ = tanh(W₄ h₃)"
    )


def test_a_long_derivation_shows_its_chain() -> None:
    text = diff(network(40), "W1", check=False).to("text")
    assert "dh₃₉ = (1 - h₃₉.^2) ∘ (W₃₉ dh₃₈)" in text and "not shown" not in text


few = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip


@few
@given(problems())
def test_answers_with_many_names_are_read_back(
    monkeypatch: pytest.MonkeyPatch, found: Problem
) -> None:
    for limit, value in (("LONG", 2), ("LONG_CALL", 2), ("LONG_VALUE", 2), ("SHORTER", 100)):
        monkeypatch.setattr(names, limit, value)
    try:
        d = Derivation(typed(found.expr, found.wrt), (found.wrt,), Options())
    except Unsupported:
        return
    e = d.derivative
    declared = declarations([*lets(e), *(t for t in lets(d.expression) if t not in lets(e))])
    for style in ("matgrad", "ascii", "unicode"):
        try:
            plain = read(render(e, style), declared).expr
        except ShapeProblem as problem:
            assert "how large" in problem.message  # `I` alone
            continue
        text = with_where(e, d.names, style)
        assert read(text, declared).expr is plain, text


def test_a_local_name_may_not_be_declared() -> None:
    with pytest.raises(NameProblem, match="`k` is declared"):
        diff("k x'x where k = 2", "x", ["k: scalar"])
