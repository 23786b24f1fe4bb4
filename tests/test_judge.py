"""The judge is judged: wrong claims with a known slip, rewritings of right ones, and claims that are wrong by very little."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from judging import Judged, judged, table

from matgrad import diagnose
from matgrad.verdict import check


@functools.cache
def page(name: str) -> tuple[Judged, ...]:
    return tuple(judged(name))


def test_tables_are_full() -> None:
    assert len(table("wrong")) >= 455
    assert len(table("right")) >= 390
    for name in ("wrong", "right"):
        texts = [(s.text, s.let, s.structured, s.layout) for s in table(name)]
        assert len(set(texts)) == len(texts)


KINDS = {
    "sign", "transposed", "row", "factor", "coefficient", "layout", "structured", "assumption", "square",
    "commuting", "term-missing", "term-twice", "sign-of-term", "elementwise", "diag", "transpose", "inverse", "order",
    "derivative", "variable",
}  # fmt: skip


def test_every_kind_of_slip_is_in_the_table() -> None:
    named = [s.comment.split("|") for s in table("wrong")]
    assert {kind for kinds in named for kind in kinds} == KINDS
    assert {kinds[0] for kinds in named if len(kinds) == 1} == KINDS


def test_kinds_are_those_of_the_documentation() -> None:
    path = Path(__file__).resolve().parent.parent / "docs" / "check.md"
    rows = (
        path.read_text(encoding="utf-8")
        .partition("| kind | the claim is |")[2]
        .partition("\n\n")[0]
    )
    cells = [row.split("|")[1] for row in rows.splitlines()[2:]]
    assert re.findall(r"`([a-z-]+)`", " ".join(cells)) == list(diagnose.KINDS)
    assert set(diagnose.KINDS) - {"name", "term", "domain"} == KINDS
    named = {x.kind for j in page("wrong") for x in j.verdict.diagnoses}
    assert named <= set(diagnose.KINDS)


def test_no_wrong_claim_is_accepted() -> None:
    assert [j.statement.text for j in page("wrong") if j.verdict.ok] == []


def test_no_right_claim_is_refused() -> None:
    assert [j.statement.text for j in page("right") if not j.verdict.ok] == []


def test_the_slip_is_named_first() -> None:
    named = sum(j.named for j in page("wrong"))
    assert named >= 0.98 * len(page("wrong"))


def test_every_wrong_claim_has_a_counterexample() -> None:
    for j in page("wrong"):
        example = j.verdict.counterexample
        assert example is not None, j.statement.text
        assert (
            example.claimed is None
            or example.claimed.shape != example.expected.shape
            or (abs(example.claimed - example.expected).max() > 0)
        )


def test_wrong_claims_of_the_right_shape_say_how_far_off() -> None:
    for j in page("wrong"):
        v = j.verdict
        assert v.shape or v.failure or v.worst_relative_error > 1e-9


SMALL = [
    ("x'A x", "x", "({} A + A') x", ()),
    ("norm2(A*x - b)^2", "x", "2 A'*A*x - {}*2*A'*b", ()),
    ("tr(X*B*X')", "X", "X*B + {}*X*B'", ()),
    ("ln det(X)", "X", "{} X^-T", ()),
    ("tr(A*inv(X))", "X", "-{}*X^-T*A'*X^-T", ()),
    ("sum(tanh(W*x + b))", "W", "(1 - {}*tanh(W*x + b).^2)*x'", ()),
    ("1e6*x'A x + c'x", "x", "1e6*(A + A')*x + {}*c", ()),
    ("x'S x", "S", "{} x*x'", ("S: symmetric(n)",)),
    ("A*x", "x", "{}*A", ()),
    ("logsumexp(A*x)", "x", "{}*A'*softmax(A*x)", ()),
    ("c^3", "c", "3*c^2*{}", ()),
]


@pytest.mark.parametrize(
    "factor", ["1.0001", "0.9999", "1.000001", "1.00000001", "1.0000000000001"]
)
@pytest.mark.parametrize(("y", "x", "claim", "let"), SMALL, ids=[s[0] for s in SMALL])
def test_a_claim_wrong_by_very_little_is_caught(
    y: str, x: str, claim: str, let: tuple[str, ...], factor: str
) -> None:
    assert check(y, x, claim.format("1"), let).ok
    small = factor == "1.0000000000001"
    verdict = check(y, x, claim.format(factor), let)
    if (
        small and verdict.ok
    ):  # beyond what floating point shows: only normal forms can decide, and need not
        assert verdict.symbolic != "equal"
        return
    assert not verdict.ok
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.kind in ("factor", "coefficient")


@pytest.mark.parametrize("claim", ["relu(x - 5)", "relu(-x - 100)", "relu(x'*x - 1000)*x"])
def test_a_claim_that_is_right_in_the_middle_only(claim: str) -> None:
    verdict = check("x'*x", "x", f"2*x + {claim}")
    assert not verdict.ok
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.kind == "domain"
    assert verdict.counterexample is not None


def test_a_claim_that_is_right_for_tall_matrices_only() -> None:
    verdict = check("nucnorm(A)", "A", "A*inv(sqrtm(A'*A))", "A: matrix(m, n)")
    assert not verdict.ok
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == "right only if m ≥ n"


def test_a_part_that_speaks_of_the_index_of_a_sum() -> None:
    assert not check("sum(i=1:n, x[i]^3)", "x", "3*x.^3", "x: vector(n)").ok
    assert not check("sum(i=1:n, x[i]^3)", "x", "1.0001*3*x.^2", "x: vector(n)").ok
    assert not check("sum(i=1:n, x[i]^(i+1))", "x", "x", "x: vector(n)").ok


def test_a_size_that_was_declared_is_no_other_one() -> None:
    declared = ["W: matrix(k, n)", "u: vector(n)"]
    assert check("sum(u)^2", "u", "2*sum(u)*ones(n)", declared).ok
    verdict = check("sum(u)^2", "u", "2*sum(u)*ones(k)", declared)
    assert not verdict.ok
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == "right only if n = k"


def test_normal_forms_decide_what_floating_point_cannot() -> None:
    verdict = check("x'x", "x", "2.000000000001*x")
    assert not verdict.ok
    assert verdict.worst_relative_error < 1e-11
    assert verdict.symbolic == "different"
    assert check("x'x", "x", "2*x").symbolic == "equal"


@pytest.mark.parametrize("seed", range(5))
def test_the_seed_does_not_matter(seed: int) -> None:
    assert check("ln det(X'*X)", "X", "2*pinv(X)'", seed=seed).ok
    assert not check("ln det(X'*X)", "X", "2*X^-T", seed=seed).ok
    assert not check("x'A x", "x", "2 A x", seed=seed).ok
