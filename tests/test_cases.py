"""The worked examples of tests/cases/*.md: matgrad's answers against the formulas of the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from matgrad.derive import Derivation, declarations, diff
from matgrad.dims import dim_text
from matgrad.expr import Expr
from matgrad.render.text import render
from matgrad.shapes import Declared, Typed, read
from matgrad.statements import Broken, Statement, read_statements
from matgrad.verify import POINTS, check_derivative

CASES = Path(__file__).resolve().parent / "cases"


def pages() -> list[Path]:
    """The pages of worked examples."""
    return sorted(CASES.glob("*.md"))


def statements(page: Path) -> list[Statement]:
    """The statements of a page, every line of which has to be understood."""
    items = list(read_statements(page.read_text(encoding="utf-8"), page.stem, markdown=True))
    assert [item for item in items if isinstance(item, Broken)] == []
    return [item for item in items if isinstance(item, Statement)]


ALL = [statement for page in pages() for statement in statements(page)]
every_statement = pytest.mark.parametrize("statement", ALL, ids=[f"{s.path}:{s.line}" for s in ALL])

_FOUND: dict[Statement, Derivation] = {}


def derivation(statement: Statement) -> Derivation:
    """The derivation of a statement, made once."""
    if statement not in _FOUND:
        options: dict[str, Any] = {}
        if statement.then:
            options["then"] = statement.then
        elif statement.order > 1:
            options["order"] = statement.order
        if statement.structured:
            options["structured"] = statement.structured
        _FOUND[statement] = diff(
            statement.expression, statement.wrt, list(statement.let), **options
        )
    return _FOUND[statement]


def declarations_of(typed: Typed) -> dict[str, Declared]:
    """The variables of an expression, as declarations with the sizes that were found."""
    declared = {
        name: Declared(name, variable.shape, tuple(variable.data[1]), "variable")
        for name, variable in typed.variables.items()
    }
    for name in typed.functions:
        declared[name] = Declared(name, typed.expr.shape, (), "elementwise")
    return declared


def read_again(text: str, d: Derivation, let: tuple[str, ...] = ()) -> Expr:
    """An expression in the variables of a derivation, of the shape of the derivative (I and e_i ask for one)."""
    shape = d.derivative.shape
    body, word, formulas = text.partition(" where ")
    if shape.kind == "row":
        body = f"zeros({dim_text(shape.cols)})' + ({body})"
    elif shape.kind != "scalar":
        sizes = (shape.rows,) if shape.kind == "vector" else (shape.rows, shape.cols)
        body = f"zeros({', '.join(map(dim_text, sizes))}) + ({body})"
    text = body + word + formulas
    maps = {n: m for n, m in declarations(let).items() if m.role == "map"}
    return read(text, declarations_of(d.typed) | maps).expr


@every_statement
def test_answer_is_checked(statement: Statement) -> None:
    check = derivation(statement).check
    assert check is not None
    assert check.ok
    assert check.points == POINTS == 5


@every_statement
def test_answer_is_that_of_the_book(statement: Statement) -> None:
    d = derivation(statement)
    claim = read_again(statement.claim, d, statement.let)
    assert claim.shape == d.derivative.shape
    found = check_derivative(
        d.subject, claim, d.wrt, 1, d.assumptions, structured=statement.structured or "subspace"
    )
    assert found.ok, f"matgrad finds {d}, off by {found.worst_relative_error:.1e}"
    assert found.points == POINTS


@every_statement
def test_steps_lead_to_the_answer(statement: Statement) -> None:
    d = derivation(statement)
    assert d.replay() is d.mixed
    assert d.mixed is d.derivative


@every_statement
def test_answer_is_read_back(statement: Statement) -> None:
    d = derivation(statement)
    for style in ("matgrad", "ascii", "unicode"):
        again = read_again(render(d.derivative, style), d, statement.let)
        assert again is d.derivative


# --- the pages themselves -----------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """How many statements a page has at least."""

    name: str
    least: int


PAGES = [
    Page("01-seeds", 14),
    Page("02-scalars", 40),
    Page("03-vectors", 40),
    Page("04-traces", 30),
    Page("05-inverses-determinants", 30),
    Page("06-elementwise", 30),
    Page("07-jacobians", 50),
    Page("08-cookbook", 60),
    Page("09-wikipedia", 55),
    Page("10-machine-learning", 80),
    Page("11-matrix-arguments", 45),
    Page("12-kronecker", 75),
    Page("13-hessians", 45),
    Page("14-mixed-derivatives", 25),
    Page("15-structured", 70),
    Page("16-matrix-functions", 70),
    Page("17-symbolic-powers", 15),
    Page("18-unknown-functions", 50),
    Page("19-matrix-hessians", 25),
    Page("20-papers", 90),
]


def test_pages() -> None:
    assert [page.stem for page in pages()] == [page.name for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_pages_are_full(page: Page) -> None:
    assert sum(s.path == page.name for s in ALL) >= page.least


def test_the_cookbook_names_its_equations() -> None:
    comments = [s.comment for s in ALL if s.path == "08-cookbook"]
    assert all(comment.startswith("(") for comment in comments)
    assert len({comment.partition(")")[0] for comment in comments}) >= 40


def test_a_wrong_formula_is_caught() -> None:
    """The comparison can fail: one transpose too few, off by a factor, off by a sign, one term missing."""
    d = diff("tr(X*B*X')", "X")
    for claim in ("X*(B - B')", "2*X*(B + B')", "-X*(B + B')", "X*B", "2*X*B"):
        assert not check_derivative(d.expression, read_again(claim, d), d.wrt).ok


def test_cases_are_beside_the_tests() -> None:
    assert CASES.is_dir()
