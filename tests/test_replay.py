"""A derivation is the record of what was done: done again it gives the answer, and tampered with it does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import matgrad
from matgrad import expr as ex
from matgrad.derive import Derivation
from matgrad.errors import CheckFailed
from matgrad.expr import Expr
from matgrad.steps import DERIVATIVE, Step

# Expression, variable, declarations.
CASES: list[tuple[str, str, list[str]]] = [
    ("w'x", "x", []),
    ("x'*A*x", "x", []),
    ("x'*A*x", "A", []),
    ("x'S x", "x", ["S: symmetric(n)"]),
    ("x[1]^2 + 3*x[2]^4", "x", ["x: vector(2)"]),
    ("x[i]*x[j]", "x", ["x: vector(n)"]),
    ("X[2,3]*X[1,1]", "X", ["X: matrix(3, 4)"]),
    ("tr(X*B*X')", "X", []),
    ("tr(A*X*B*X'*C)", "X", []),
    ("tr(X^3)", "X", []),
    ("tr(A*X^-1)", "X", []),
    ("tr(X^-2*A)", "X", []),
    ("a'*X^-1*b", "X", []),
    ("ln det(X)", "X", []),
    ("|X|", "X", []),
    ("det(X)^2", "X", []),
    ("ln det(X'*X)", "X", []),
    ("ln det(A + X*X')", "X", []),
    ("[x^2; x^3]", "x", ["x: scalar"]),
    ("[A*x; x]", "x", []),
    ("A*x", "x", []),
    ("x", "x", ["x: vector(n)"]),
    ("f(x)", "x", ["f: elementwise", "x: vector(n)"]),
    ("δ' f(x)", "x", ["f: elementwise", "δ: vector"]),
    ("sum(f(A*x))", "x", ["f: elementwise", "x: vector(n)"]),
    ("sum(exp(x))", "x", []),
    ("sum(X.*X.*B)", "X", []),
    ("sum(tanh(A*x + b))", "x", []),
    ("sum(log(x))/sqrt(x'x)", "x", []),
    ("norm2(A*x - b)", "x", []),
    ("norm2(A*x - b)^2", "x", []),
    ("norm(X - B)^2", "X", []),
    ("norm(A*X)", "X", []),
    ("tr(A*diag(x))", "x", []),
    ("a'*diag(X*B)", "X", []),
    ("x*x'*y", "x", []),
    ("x./norm2(x)", "x", []),
    ("diag(a)*sin(x)", "x", []),
    ("x.*y", "x", ["x: vector(n)", "y: vector(n)"]),
    ("t^3*sin(t) + 2^t", "t", []),
    ("(a'x)*(b'x)", "x", []),
    ("sum(X*b)", "X", []),
    ("exp(t)*A", "t", ["t: scalar", "A: matrix(m, n)"]),
    ("tr(X - X)", "X", []),
    ("sum(x.^3)", "x", []),
]
IDS = [f"{y} by {wrt}" for y, wrt, _ in CASES]


def derived(y: str, wrt: str, let: list[str], definition: bool = False) -> Derivation:
    return matgrad.diff(y, wrt=wrt, let=let, check=False, from_definition=definition)


@pytest.mark.parametrize("y, wrt, let", CASES, ids=IDS)
def test_replay_gives_the_derivative(y: str, wrt: str, let: list[str]) -> None:
    d = derived(y, wrt, let)
    assert d.replay() is d.mixed
    assert d.mixed is d.derivative
    assert d.replay() is d.mixed  # leaves no trace


@pytest.mark.parametrize("y, wrt, let", CASES, ids=IDS)
def test_lines_end_where_the_replay_ends(y: str, wrt: str, let: list[str]) -> None:
    d = derived(y, wrt, let)
    for full in (False, True):
        shown = d.lines(full)
        if d.steps:
            assert shown[-1].state is (d.final if ex.is_zero(d.final) else d.mixed)
        assert [s for line in shown for s in line.steps] == d.steps


@pytest.mark.parametrize("y", ["x'*A*x", "tr(X*B*X')", "(a'x)*(b'x)", "sum(x.*x.*x)", "tr(A*X^2)"])
def test_replay_from_the_definition(y: str) -> None:
    d = derived(y, "X" if "X" in y else "x", [], True)
    assert d.steps[0].rule == "definition"
    assert d.replay() is d.mixed


@pytest.mark.parametrize("layout", ["denominator", "numerator"])
def test_replay_gives_the_mixed_layout(layout: str) -> None:
    d = matgrad.diff("A*x", wrt="x", layout=layout)
    assert d.replay() is d.mixed


# --- tampering --------------------------------------------------------------------------------------------------------


def other(e: Expr) -> Expr:
    """Another expression of the same shape."""
    return ex.add(e, ex.ones(e.shape)) if e.kind != ex.CONST else ex.mul(ex.num(2), e)


def changed_bindings(step: Step) -> Step:
    (name, value), *rest = step.bindings
    new: object = other(value) if isinstance(value, Expr) else f"{value}_other"
    if isinstance(value, int):
        new = value + 1
    return step._replace(bindings=((name, new), *rest))


def other_rule(step: Step) -> Step:
    return step._replace(rule="distribute" if step.rule != "distribute" else "transposes")


CHANGES: dict[str, Callable[[Step], Step]] = {
    "before": lambda s: s._replace(before=other(s.before)),
    "after": lambda s: s._replace(after=other(s.after)),
    "left": lambda s: s._replace(left=other(s.left)),
    "right": lambda s: s._replace(right=other(s.right)),
    "right and after": lambda s: s._replace(right=other(s.right), after=other(s.after)),
    "rule": other_rule,
    "unknown rule": lambda s: s._replace(rule="magic"),
    "bindings": changed_bindings,
    "no bindings": lambda s: s._replace(bindings=()),
    "nothing": lambda s: s._replace(before=s.after, after=s.after),
}
TAMPERED = [
    ("tr(X*B*X')", "X", []),
    ("ln det(X)", "X", []),
    ("w'x", "x", []),
    ("x'*A*x", "x", []),
    ("x[1]^2 + 3*x[2]^4", "x", ["x: vector(2)"]),
    ("norm2(A*x - b)^2", "x", []),
    ("δ' f(x)", "x", ["f: elementwise", "δ: vector"]),
    ("[A*x; x]", "x", []),
    ("x./norm2(x)", "x", []),
    ("t^3*sin(t)", "t", []),
]
TAMPERED_IDS = [y for y, _, _ in TAMPERED]


def assert_refused(d: Derivation) -> None:
    with pytest.raises(CheckFailed) as problem:
        d.replay()
    assert problem.value.code == 70


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("y, wrt, let", TAMPERED, ids=TAMPERED_IDS)
def test_changed_step_is_refused(y: str, wrt: str, let: list[str], what: str) -> None:
    d = derived(y, wrt, let)
    steps = list(d.steps)
    for i, step in enumerate(steps):
        if what in ("bindings", "no bindings") and not step.bindings:
            continue
        d.steps[i] = CHANGES[what](step)
        assert d.steps[i] != step
        assert_refused(d)
        d.steps[i] = step
    assert d.replay() is d.mixed


@pytest.mark.parametrize("y, wrt, let", TAMPERED, ids=TAMPERED_IDS)
def test_dropped_step_is_refused(y: str, wrt: str, let: list[str]) -> None:
    d = derived(y, wrt, let)
    steps = list(d.steps)
    for i in range(len(steps)):
        d.steps[:] = steps[:i] + steps[i + 1 :]
        assert_refused(d)


@pytest.mark.parametrize("y, wrt, let", TAMPERED, ids=TAMPERED_IDS)
def test_dropped_phase_is_refused(y: str, wrt: str, let: list[str]) -> None:
    d = derived(y, wrt, let)
    steps = list(d.steps)
    for last in (True, False):
        d.steps[:] = [s for s in steps if (s.phase == DERIVATIVE) != last]
        assert_refused(d)
    d.steps.clear()
    assert_refused(d)


@pytest.mark.parametrize("y, wrt, let", TAMPERED, ids=TAMPERED_IDS)
def test_repeated_step_is_refused(y: str, wrt: str, let: list[str]) -> None:
    d = derived(y, wrt, let)
    steps = list(d.steps)
    for i, step in enumerate(steps):
        d.steps[:] = [*steps[: i + 1], step, *steps[i + 1 :]]
        assert_refused(d)


@pytest.mark.parametrize(
    "y, wrt",
    [("tr(A*X^-1)", "X"), ("norm2(A*x - b)^2", "x"), ("det(X)^2", "X")],
)
def test_swapped_steps_are_refused(y: str, wrt: str) -> None:
    """In a derivation that is one chain of steps, each needs the one before it."""
    d = derived(y, wrt, [])
    steps = list(d.steps)
    assert len(steps) > 2
    for i in range(len(steps) - 1):
        if steps[i].phase != steps[i + 1].phase:
            continue
        d.steps[:] = [*steps[:i], steps[i + 1], steps[i], *steps[i + 2 :]]
        assert_refused(d)


@pytest.mark.parametrize("y, wrt, let", CASES, ids=IDS)
def test_swapped_steps_change_nothing_or_are_refused(y: str, wrt: str, let: list[str]) -> None:
    """Steps of two terms may stand in either order; the answer is the same or there is none."""
    d = derived(y, wrt, let)
    steps = list(d.steps)
    for i in range(len(steps) - 1):
        d.steps[:] = [*steps[:i], steps[i + 1], steps[i], *steps[i + 2 :]]
        try:
            found = d.replay()
        except CheckFailed as problem:
            assert problem.code == 70
        else:
            assert found is d.mixed


def test_dropped_assumption_is_refused() -> None:
    d = matgrad.diff("det(X)", wrt="X")
    at = next(i for i, s in enumerate(d.steps) if s.assuming)
    d.steps[at] = d.steps[at]._replace(assuming=())
    assert_refused(d)


@pytest.mark.parametrize("field", ["final", "mixed"])
def test_changed_result_is_refused(field: str) -> None:
    d = derived("tr(X*B*X')", "X", [])
    holder = d if field == "final" else d.parts[0]
    setattr(holder, field, other(getattr(holder, field)))
    assert_refused(d)


def test_changed_start_is_refused() -> None:
    d = derived("tr(X*B*X')", "X", [])
    d.start = ex.diff(matgrad.diff("tr(X*B)", wrt="X").expression)
    assert_refused(d)


def test_steps_of_another_derivation_are_refused() -> None:
    d, stranger = derived("tr(X*B*X')", "X", []), derived("tr(X*B)", "X", [])
    d.steps[:] = stranger.steps
    assert_refused(d)


def test_what_a_zero_takes_with_it() -> None:
    """Where one factor turns out to be zero, no step speaks of the others."""
    text = "sum(vec(C') .* vec(C'))*t*kron(ones(n, m), (ones(n, 3) - ones(n, 3))*tan(ones(3, n)))"
    for found in (
        matgrad.diff(text, wrt="t", let="t: scalar"),
        matgrad.diff("(tr(X)*tr(N))^(1/2)", wrt="X", let=["X: matrix(n, n)", "N: skew(n)"]),
    ):
        assert found.replay() is found.mixed
        assert ex.is_zero(found.mixed)


@pytest.mark.parametrize(
    "text", ["pinv([C', z])*z", "sum(pinv([x, z]*ones(2, 2)))", "pinv(S)*S*z", "pinv(2*I)*z"]
)
def test_pseudoinverses_of_what_turns(text: str) -> None:
    found = matgrad.diff(text, wrt="z", let=["C: matrix(n, p)", "S: symmetric(n)"])
    assert found.replay() is found.mixed
    assert found.check is not None and found.check.ok


@pytest.mark.parametrize(
    ("text", "wrt", "let"),
    [
        # The factor of a matrix that nothing says is symmetric is that of its symmetric part.
        ("sum(ln(diag(chol(P))))", "P", []),
        # What the number comes out of depends on the index.
        (
            "gelu(sum(k=1:3, [r, c; s', e; ones(n)', g][k,:]/k))",
            "e",
            ["r: row(n)", "s: vector(n)", "e: scalar"],
        ),
        # Sums over one range with matrices before them that do not fit together.
        (
            "norm([ones(n); b] [z', c]) sum(k=1:p, (ones(p, 3) kron(ones(m)', [x'; s'; z']))[k,:])",
            "z",
            ["b: scalar", "z: vector(n)", "c: positive", "x: vector(n)", "s: vector(n)"],
        ),
        # What is tried within a trial ends.
        ("cosh(silu(a))", "a", ["a: scalar"]),
    ],
)
def test_found_by_chance(text: str, wrt: str, let: list[str]) -> None:
    for order in (1, 2):
        if order == 2 and wrt in ("P", "z"):
            continue
        d = matgrad.diff(text, wrt, let=let, order=order)
        assert d.check is not None and d.check.ok and d.check.points
        d.replay()
