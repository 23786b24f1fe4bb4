"""Derivatives of random expressions: right, replayable, and equal line by line; or refused.

`benchmarks/random_derivatives.py` does the same for as many expressions as one has time for.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from random_expressions import POLYNOMIAL, Outcome, Problem, examine, problems, typed

from matgrad import derive
from matgrad import expr as ex
from matgrad.derive import Derivation, Options
from matgrad.errors import Unsupported
from matgrad.verify import check_lines

often = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FINE = ("ok", "unsupported", "unchecked")


@often
@given(problems())
def test_derivatives_keep_their_promises(found: Problem) -> None:
    outcome = examine(found)
    assert outcome.kind in FINE, outcome


@often
@given(problems(functions=POLYNOMIAL))
def test_derivatives_from_the_definition(found: Problem) -> None:
    """y(X + dX) - y(X) leads to the same derivative as the named differentials."""
    outcome = examine(found, definition=True)
    assert outcome.kind in FINE, outcome
    if outcome.kind != "ok":
        return
    named, defined = (
        Derivation(typed(found.expr, found.wrt), (found.wrt,), Options(definition=definition))
        for definition in (False, True)
    )
    assert all(check_lines([named.mixed, defined.mixed], (found.wrt,)))


@pytest.mark.parametrize("wrong", [ex.mul, lambda *a: ex.add(a[1], a[1])])
def test_a_wrong_derivative_is_found(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    """The oracle is no good if it accepts 2D or D + D for D."""
    x = ex.var("x", ex.vector_shape("n"))
    y = ex.mul(ex.transpose(x), x)
    assert examine(Problem(y, x)) == Outcome("ok", "")
    right = derive.shortest
    monkeypatch.setattr(
        derive,
        "shortest",
        lambda e, recorder: wrong(ex.num(2), right(e, recorder)),  # type: ignore[operator]
    )
    assert examine(Problem(y, x)).kind == "wrong"


def test_a_refusal_is_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Unsupported("not today")

    x = ex.var("x", ex.vector_shape("n"))
    monkeypatch.setattr(derive, "trace_form", refuse)
    assert examine(Problem(x, x)) == Outcome("unsupported", "not today")
