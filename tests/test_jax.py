"""Derivatives of random expressions of all operations, against JAX and central differences.

`benchmarks/random_derivatives.py` does the same for as many expressions as one has time for.
"""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp
import numpy as np
from jax_meaning import MEANINGS, Meant, evaluate, traced, two_axes
from jax_oracle import examine
from random_expressions import Outcome, Problem, any_problem, apply, seeded

from matgrad import derive
from matgrad import expr as ex
from matgrad.derive import Derivation, diff
from matgrad.dims import dim_value
from matgrad.emit.numpy import compiled
from matgrad.expr import Expr
from matgrad.functions import TABLE
from matgrad.shapes import signature

FINE = ("ok", "unsupported", "unchecked", "limit")
COUNT = 200
# Second differences of these take seconds.
SLOW = ("expm", "logm", "sqrtm", "sinm", "cosm", "dexpm", "dlogm", "dsinm", "dcosm", "polar")


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("structured", [False, True])
def test_random_derivatives(order: int, structured: bool) -> None:
    count = COUNT if not structured else COUNT // 4
    counts: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        found = any_problem(seeded(number), 1 + number % 3, structured)
        outcome = examine(found, order, seed=number)
        counts[outcome.kind] += 1
        if outcome.kind not in FINE:
            wrong.append((outcome, found, number))
    assert not wrong
    assert counts["limit"] + counts["unchecked"] < count / 10, counts


# Values and derivatives of the functions themselves, one by one


def _point(
    e: Expr, domain: str, rng: np.random.Generator
) -> tuple[list[Expr], dict[str, int], list]:
    variables = ex.variables(e)
    sizes = {"n": 3, "m": 2, "p": 4, "q": 2}
    values = []
    for v in variables:
        rows, cols = (dim_value(d, sizes) for d in v.shape[1:])
        x = rng.normal(size=(rows, cols))
        if domain == "positive":
            x = np.abs(x) + 0.1
        elif domain in ("spd", "right_half_plane") and rows == cols:
            x = x @ x.T + np.eye(rows)
        elif domain == "unit":
            x = 0.9 * np.tanh(x)
        elif domain == "above_one":
            x = 1.5 + x * x
        kind = v.shape.kind
        values.append(x if kind == ex.MATRIX else x[0, 0] if kind == ex.SCALAR else x.reshape(-1))
    return variables, sizes, values


def _applied(op: str) -> Expr:
    args: list[Expr] = []
    for i, (name, shape) in enumerate(signature(op).parameters):
        if name == "k" or (op in ("power", "epow") and i):
            args.append(ex.num(2))
        else:
            array = ex.matrix_shape("m", "n")
            args.append(ex.var(f"v{i}", array if shape.kind == "array" else shape))
    if ": size" in TABLE[op].signature:
        return ex.call(op, tuple(args), signature(op).result)
    return apply(TABLE[op], tuple(args))


@pytest.mark.parametrize("op", TABLE)
def test_the_two_meanings_agree(op: str) -> None:
    """NumPy code and JAX give one value; JAX's derivatives are those of central differences."""
    rng = np.random.default_rng(1)
    e = _applied(op)
    variables, sizes, values = _point(e, TABLE[op].domain, rng)
    (value,) = compiled([e], variables)(values, sizes, {})
    meant = Meant(e, variables[0], dict(zip(variables, values, strict=True)), sizes)
    assert np.allclose(two_axes(e, value).T.reshape(-1), meant.value(), rtol=1e-9, atol=1e-9)
    for order in (1,) if op in SLOW else (1, 2):
        found, doubt = meant.differences(order)
        J = meant.jacobian(order)
        assert np.allclose(J, found, rtol=1e-6, atol=1e-6 + 10 * doubt)


def test_every_function_has_a_meaning_here() -> None:
    from jax_meaning import DIRECTED

    known = {*MEANINGS, *(f"{name}:{way}" for name in DIRECTED for way in (1, 2))}
    assert set(TABLE) - known <= {"power", "epow", "matpow", "unvec"}


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.linalg.inv(x.reshape(3, 3)).sum() * jnp.ones(2),
        lambda x: jnp.linalg.det(x.reshape(3, 3)) * x,
        lambda x: jnp.linalg.svd(x.reshape(3, 3), compute_uv=False),
        lambda x: jnp.linalg.eigvalsh(x.reshape(3, 3)),
        lambda x: jnp.sort(x) * jnp.cumsum(x[::-1]) ** 3,
        lambda x: jnp.where(x > 0, x**2.5, jnp.sinh(x))[jnp.array([2, 0, 1])],
        lambda x: jnp.pad(x, (1, 2)) * jnp.max(x),
        lambda x: jnp.linalg.cholesky(x.reshape(3, 3) @ x.reshape(3, 3).T + jnp.eye(3)).ravel(),
    ],
)
def test_programs_are_carried_out_as_jax_does(f: object) -> None:
    x = np.random.default_rng(3).uniform(0.5, 2, size=9)
    for g in (f, jax.jacobian(f), jax.jacfwd(jax.jacrev(f))):
        assert np.allclose(traced(g, x), g(x), rtol=1e-9, atol=1e-9)


def test_a_sum_and_an_entry() -> None:
    x = ex.var("x", ex.vector_shape("n"))
    squares = ex.mul(ex.index_value("k"), ex.power(ex.index(x, "k"), ex.num(2)))
    value = evaluate(
        ex.sum_over("k", 1, "n", squares), {x: np.array([[1.0], [2.0], [3.0]])}, {"n": 3}
    )
    assert float(value[0, 0]) == 1 + 8 + 27


# The oracle is no good if it accepts what is wrong


@pytest.mark.parametrize("wrong", [lambda a: ex.mul(ex.num(2), a), ex.transpose])
def test_a_wrong_derivative_is_found(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    X = ex.var("X", ex.matrix_shape("n", "n"))
    A = ex.var("A", ex.matrix_shape("m", "n"))
    y = apply(TABLE["sum"], (ex.mul(A, X),))
    assert examine(Problem(y, X)) == Outcome("ok", "")
    monkeypatch.setattr(Derivation, "mixed", property(lambda self: wrong(self.parts[0].mixed)))
    assert examine(Problem(y, X)).kind == "wrong"  # by JAX
    assert examine(Problem(y, X)).reason.startswith("order 1")


def test_a_wrong_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ex.var("x", ex.vector_shape("n"))
    y = apply(TABLE["sum"], (apply(TABLE["sin"], (x,)),))
    monkeypatch.setitem(TABLE, "sin", TABLE["sin"]._replace(numpy="np.cos({x})"))
    monkeypatch.setattr(derive, "verify", lambda *_: None)
    assert examine(Problem(y, x)).reason.startswith("value")


# What random expressions have found


@pytest.mark.parametrize(
    ("text", "let", "answer"),
    [
        # A row times a vector inside a longer product is a number as soon as what stands before it is taken out.
        (
            "ones(p) r (logsoftmax(w) - c)",
            ["r: row(n)", "w: vector(n)", "c: scalar"],
            "ones(p) r - ones(p) r ones(n) softmax(w)'",
        ),
    ],
)
def test_what_was_found(text: str, let: list[str], answer: str) -> None:
    assert str(diff(text, wrt="w", let=let)) == answer


@pytest.mark.parametrize("seed", [0, 227])
def test_a_check_near_the_edge_of_arcsine_is_no_false_alarm(seed: int) -> None:
    assert diff("asin(tanh(12 β))", wrt="β", let="β: scalar", seed=seed).check is not None
