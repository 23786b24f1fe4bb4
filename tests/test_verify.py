"""The numeric check: what it may refuse, and what it must not be fooled by."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import matgrad
from matgrad import expr as ex
from matgrad.derive import Derivation
from matgrad.emit.numpy import compiled
from matgrad.shapes import read
from matgrad.verify import SMALLER, Guard, Point, nudged, rounding, sample


def checked(text: str, wrt: str, *let: str, order: int = 1) -> Derivation:
    derivation = matgrad.diff(text, wrt=wrt, let=let, order=order)
    assert derivation.check is not None and derivation.check.points, text
    return derivation


SKEW, DIAGONAL = "N: skew(n)", "R: diagonal(m)"


@pytest.mark.parametrize(
    "text, wrt, let, order",
    [
        # Differences jump over poles, and by accident agree with one another.
        ("tan(norm1(kron(ones(n + 1, p), K))^2 + 1)", "K", ["K: matrix(3, 3)"], 2),
        ("atanh(tanh(sum(X.^2)))", "X", [], 1),  # tanh(20) is 1 to all digits
        ("log(1 - tanh(sum(X.^2)))", "X", [], 1),
        ("log(1 - norm2(x)^2)", "x", ["x: vector(6)"], 1),  # defined for small x only
        ("cosh(t*norm2(x)^2) - sinh(t*norm2(x)^2)", "t", [], 1),
        ("sum(sylvester(x*y' + I, y*x', B))", "B", ["x: vector(n)", "y: vector(n)"], 1),
    ],
)
def test_points_are_found(text: str, wrt: str, let: list[str], order: int) -> None:
    checked(text, wrt, *let, order=order)


@pytest.mark.parametrize(
    "text, let",
    [
        ("max([I, A; A', B])", ["B: matrix(n, n)"]),
        ("max([I, A; A', B]')", ["B: upper(n)"]),
        ("sum(max([A; A], 1))", []),
        ("sum(max([A', A'], 2))", []),
        ("min(A + A')", []),
        ("norminf([A, -A])", []),
        ("max(vec(A') .* vec(A'))", []),
        ("sum(tril(B) .* max([A, A]'))", []),
    ],
)
def test_entries_that_are_the_same_share(text: str, let: list[str]) -> None:
    checked(text, "A", *let)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "text, wrt, let",
    [
        ("nucnorm(x*y')", "x", ["x: vector(n)", "y: vector(m)"]),
        ("nucnorm(N)", "N", [SKEW]),
        ("nucnorm(A*A')", "A", []),
        ("nucnorm(x*a' + a*x')", "x", ["x: vector(n)", "a: vector(n)"]),
    ],
)
def test_nuclear_norm_of_constant_rank(text: str, wrt: str, let: list[str], order: int) -> None:
    derivation = matgrad.diff(text, wrt=wrt, let=let, order=order)
    assert derivation.check is not None
    assert derivation.check.ok or not derivation.check.points
    if order == 1:
        assert derivation.check.points and derivation.assumptions[0][0] == "of constant rank"


def test_polar_factor_of_a_singular_matrix() -> None:
    x, y = np.array([1.0, 2, 2]), np.array([3.0, 4])
    e = read("polar(x*y')", {}).expr
    (W,) = compiled([e], ex.variables(e))([x, y], {}, {})
    np.testing.assert_allclose(W, np.outer(x / 3, y / 5), atol=1e-12)


def test_noise_is_not_an_error() -> None:
    """An eigenvector of a matrix that is zero but for rounding can be anything: no point is used, nothing is refused."""
    text = "(eigvecmin(polar(kron(R', N')) + polar(kron(R', N'))')'*digamma(kron(ones(m), w)))"
    derivation = matgrad.diff(text, wrt="w", let=[SKEW, DIAGONAL, "w: vector(n)"])
    assert derivation.check is not None and not derivation.check.points


def test_an_equation_without_a_solution() -> None:
    derivation = matgrad.diff("sum(sylvester(x*y', y*x', B))", wrt="B", let=["x: vector(n)"])
    assert derivation.check is not None
    assert derivation.check.points <= 1  # where n = 1


def guard(text: str, *values: float) -> bool:
    e = read(text, {}).expr
    variables = ex.variables(e)
    return Guard([e], (), variables).allows(Point([np.float64(v) for v in values], {}, {}))


def test_guard() -> None:
    assert guard("tanh(t)", 7.0) and not guard("tanh(t)", 9.0)
    assert guard("abs(t)", 1.0) and not guard("abs(t)", 0.01)
    assert guard("max(a, b)", 1.0, 2.0) and not guard("max(a, b)", 1.0, 1.01)


def test_values_get_smaller() -> None:
    x = ex.var("x", ex.vector_shape("n"), frozenset())
    rng = np.random.default_rng(0)
    sizes = [
        float(np.mean([np.max(np.abs(sample(x, {"n": 4}, way, rng))) for _ in range(50)]))
        for way in (0, SMALLER, 2 * SMALLER)
    ]
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2] > 0


def test_nudged() -> None:
    e = read("x'*x", {}).expr
    point = Point([np.ones(3)], {}, {})
    (near,) = nudged(point, ex.variables(e)).values
    assert 0 < np.max(np.abs(near - 1)) < 1e-12


def test_rounding_grows_with_the_numbers_on_the_way() -> None:
    e = read("exp(t)*exp(-t)", {}).expr
    variables = ex.variables(e)
    small, large = (rounding(e, variables, Point([np.float64(t)], {}, {})) for t in (1.0, 30.0))
    assert 1e-12 < small < 1e-9 < large


@pytest.mark.parametrize("seed", range(3))
def test_a_derivative_that_is_rounding_noise(seed: int) -> None:
    """The columns are all the same, and the second derivative zero but for rounding."""
    text = "softmax(exp(ones(3, n + 1))/(s*t), 1)"
    let = ["s: scalar", "t: scalar"]
    assert matgrad.diff(text, wrt="s", let=let, order=2, seed=seed).check is not None


def test_long_products_and_sums_are_evaluated() -> None:
    """Python's parser recurses on the depth of `a*b*c*...`."""
    x = ex.var("x", ex.SCALAR_SHAPE)
    y = [ex.var(f"y{i}", ex.SCALAR_SHAPE) for i in range(4)]
    powers = [ex.power(x, ex.num(Fraction(1, i + 2))) for i in range(5000)]
    total = ex.add(*powers)
    product = ex.mul(*powers)
    entries = ex.hadamard(*(ex.epower(ex.var("v", ex.vector_shape(2)), p.args[1]) for p in powers))
    found = compiled([total, product, entries], [x, ex.var("v", ex.vector_shape(2)), *y])(
        [np.float64(1.0), np.ones(2), *[np.float64(0)] * 4], {}, {}
    )
    assert found[0] == 5000
    assert found[1] == 1
    assert list(found[2]) == [1, 1]
