"""The chain rule over named pieces: the same derivatives, in time and length that grow with the number of nodes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import matgrad
from matgrad import chain_rule
from matgrad import expr as ex
from matgrad.derive import Derivation
from matgrad.errors import CheckFailed
from matgrad.files import read_file
from matgrad.render.report import answer_text
from matgrad.render.text import render
from matgrad.shapes import read
from matgrad.statements import Statement

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from families import FAMILIES  # noqa: E402

EVERY = 7
STATEMENTS = [
    s
    for path in sorted((ROOT / "tests" / "cases").glob("*.md"))
    for s in read_file(str(path))
    if isinstance(s, Statement)
][::EVERY]


def derived(name: str, n: int, **options: Any) -> Derivation:
    text, wrt, let = FAMILIES[name](n)
    return matgrad.diff(text, wrt, list(let), **options)


@pytest.mark.parametrize("s", STATEMENTS, ids=lambda s: f"{s.path.rpartition('/')[2]}:{s.line}")
def test_pieces_give_the_derivative(s: Statement, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into pieces of a few nodes, a small expression has a right derivative too; it replays."""
    monkeypatch.setattr(ex, "LARGE", 4)
    monkeypatch.setattr(chain_rule, "PIECE", 4)
    found = matgrad.diff(
        s.expression,
        s.wrt or None,
        list(s.let),
        order=1 if s.then else s.order,
        then=s.then or None,
        structured=s.structured or "subspace",
        layout=s.layout or "mixed",
    )
    assert found.check is not None
    assert found.check.ok
    assert found.replay() is found.mixed


def test_the_statements_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ex, "LARGE", 4)
    first_order = [s for s in STATEMENTS if s.order == 1 and not s.then]
    cut = sum(
        bool(matgrad.diff(s.expression, s.wrt or None, list(s.let), check=False).pieces)
        for s in first_order
    )
    assert cut > len(first_order) / 3


@pytest.mark.parametrize("name", FAMILIES)
def test_families(name: str) -> None:
    """Right, replayed, and what is printed is read as the answer (sizes may have other names)."""
    found = derived(name, 60)
    assert found.check is not None
    assert found.check.ok
    assert found.check.points
    assert found.replay() is found.mixed
    text = answer_text(found)
    again = read(text, found.typed.declared).expr
    assert ex.cost(again) == ex.cost(found.derivative)
    if "layers" not in name:
        assert again is found.derivative


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_grow_linearly(name: str) -> None:
    """Twice the size is at most 2.3 times the text: names get one digit longer now and then."""
    lengths = [len(answer_text(derived(name, n, check=False))) for n in (64, 128, 256)]
    assert lengths[1] < 2.3 * lengths[0] + 20
    assert lengths[2] < 2.3 * lengths[1] + 20


@pytest.mark.parametrize("name", FAMILIES)
def test_work_grows_linearly(name: str) -> None:
    """Counted in recorded steps, not in seconds."""
    steps = [len(derived(name, n, check=False).steps) for n in (64, 128, 256)]
    assert steps[2] - steps[1] < 2.5 * abs(steps[1] - steps[0]) + 40


@pytest.mark.parametrize("name", ["n layers of tanh, by x", "x'A1 x + ... + x'An x"])
def test_second_derivatives(name: str) -> None:
    found = derived(name, 24, order=2)
    assert found.check is not None
    assert found.check.ok
    assert found.replay() is found.mixed


def test_depth_is_no_limit() -> None:
    """Deeper than Python's stack, with the limit as it is."""
    assert sys.getrecursionlimit() < 5000
    found = derived("n layers of tanh, by x", 1500, check=False)
    assert "where" in answer_text(found)


def test_names_are_none_of_the_users() -> None:
    text = "sum(" + "tanh(W*" * 60 + "x" + ")" * 61
    found = matgrad.diff(text.replace("W", "h1", 1).replace("h1", "W"), "x", check=False)
    names = set(found.names.values())
    assert names
    assert not names & {"W", "x"}
    other = matgrad.diff(f"h1'*x + ({text})", "x", check=False)
    assert "h1" not in other.names.values()


def test_a_wrong_piece_does_not_replay() -> None:
    found = derived("n layers of tanh, by x", 100, check=False)
    found.pieces[3], found.pieces[4] = found.pieces[4], found.pieces[3]
    with pytest.raises(CheckFailed):
        found.replay()
    found = derived("x'A1 x + ... + x'An x", 60, check=False)
    start, steps, end = found.sums[0]
    found.sums[0] = (start, steps[:-1], end)
    with pytest.raises(CheckFailed):
        found.replay()


def test_repeated_factors_become_powers() -> None:
    found = derived("tr(X X ... X)", 300)
    assert str(found) == "300 (X^299)'"
    assert found.steps[0].rule == "repeated-factors"
    assert found.replay() is found.derivative
    entrywise = matgrad.diff("sum(" + ".*".join(["x"] * 120) + ")", "x")
    assert str(entrywise) == "120 x.^119"


def test_several_variables_and_constants() -> None:
    """Gradients by two variables at once, of a long sum in which one of them is rare."""
    terms = "+".join(f"norm2(A{i}*x - b{i})^2" for i in range(1, 41))
    found = matgrad.diff(f"{terms} + c'x", ["x", "c"], ["c: vector"])
    assert found.pieces
    assert found.check is not None
    assert found.check.ok
    assert (
        str(found.parts[1].derivative) == repr(found.parts[1].wrt)
        or ex.cost(found.parts[1].derivative) == 1
    )


def test_what_does_not_move_has_no_derivative() -> None:
    terms = "+".join(f"sin(a{i})" for i in range(1, 81))
    found = matgrad.diff(f"{terms} + 0*sum(x)", "a1")
    assert str(found) == "cos(a1)"


def test_assumptions_speak_of_the_expression() -> None:
    text = "+".join(f"ln(det(A{i} + X))" for i in range(1, 31)) + " + det(B + X)"
    found = matgrad.diff(text, "X", check=False)
    assert found.assumptions
    known = set(ex.variables(found.expression))
    for _, e in found.assumptions:
        assert set(ex.variables(e)) <= known


def test_groups_stay_together() -> None:
    """A product of many is a product of products; a group is a value, and none of few factors."""
    factors = [ex.var(f"A{i}", ex.matrix_shape("n", "n")) for i in range(40)]
    flat = ex.mul(*factors)
    nested = chain_rule.grouped(flat)
    assert len(nested.args) <= chain_rule.MOST
    assert ex.ungrouped(nested) is flat
    assert ex.cost(nested) >= ex.cost(flat)
    few = ex.mul(*factors[:3])
    assert ex.group(few) is few
    kept = ex.group(ex.mul(*factors[:9]))
    assert kept.op == "group"
    assert re.fullmatch(r"A0 .* A8", render(kept))
