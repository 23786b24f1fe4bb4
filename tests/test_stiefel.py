"""Derivatives on the Stiefel manifold: by matrices with orthonormal columns, square or tall."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import matgrad
from matgrad.cli import main
from matgrad.errors import MatgradError, ShapeProblem, Unsupported

TALL = "Q: orthogonal(m, n)"


@pytest.mark.parametrize(
    "text, answer",
    [
        ("tr(A'*Q)", "A - Q (Q' A + A' Q)/2"),  # Edelman, Arias & Smith (1998), sec. 2.4
        ("tr(Q'*A*Q)", "(I - Q Q') (A + A') Q"),  # Rayleigh quotient of a subspace
        ("norm(Q)^2", "zeros(m, n)"),
        ("tr(B*Q'*Q)", "zeros(m, n)"),
        ("sum(exp(Q))", "exp(Q) - Q (Q' exp(Q) + exp(Q)' Q)/2"),
    ],
)
def test_gradient(text: str, answer: str) -> None:
    found = matgrad.diff(text, wrt="Q", let=TALL)
    assert str(found) == answer
    assert found.check is not None and found.check.points >= 4
    assert found.replay() is found.mixed


@pytest.mark.parametrize("text", ["Q*b", "Q*Q'*b", "Q'*A*Q", "Q.*B", "b'*Q'"])
@pytest.mark.parametrize("let", [TALL, "Q: orthogonal(n)"])
def test_jacobian(text: str, let: str) -> None:
    found = matgrad.diff(text, wrt="Q", let=let)
    assert found.check is not None and found.check.points >= 4
    assert any("tangent space of the Stiefel manifold Qᵀ Q = I" in n for n in found.notes)


def test_its_columns_are_orthonormal_and_its_rows_are_not() -> None:
    assert str(matgrad.diff("x'*Q'*Q*x", wrt="x", let=TALL)) == "2 x"
    assert str(matgrad.diff("x'*Q*Q'*x", wrt="x", let=TALL)) == "2 Q Q' x"


def test_the_note_names_the_metric() -> None:
    for let, formula in [(TALL, "G - Q (Qᵀ G + Gᵀ Q)/2"), ("Q: orthogonal(n)", "(G - Q Gᵀ Q)/2")]:
        (note,) = matgrad.diff("tr(A'*Q)", wrt="Q", let=let).notes
        assert f"in the Euclidean metric, {formula}" in note
        assert note.endswith("in the canonical metric it is G - Q Gᵀ Q")


def test_other_gradients_are_refused_by_the_check() -> None:
    """The gradient by free entries does not lie in the tangent space."""
    from matgrad import expr as ex
    from matgrad.verify import check_derivative

    found = matgrad.diff("tr(A'*Q)", wrt="Q", let=TALL)
    free = next(v for v in ex.variables(found.expression) if v.data[0] == "A")
    assert not check_derivative(found.expression, free, found.wrt).ok


def test_mixed_second_derivatives() -> None:
    found = matgrad.diff("x'*Q*y", wrt="x", then="Q", let=[TALL, "x: vector(m)", "y: vector(n)"])
    assert found.check is not None and found.check.points >= 4


def test_what_there_is_not() -> None:
    with pytest.raises(ShapeProblem, match="no matrix of 2 rows has 3 orthonormal columns"):
        matgrad.diff("tr(A'*Q)", wrt="Q", let="Q: orthogonal(2, 3)")
    with pytest.raises(Unsupported, match="not independent"):
        matgrad.diff("tr(A'*Q)", wrt="Q", let=TALL, structured="cookbook")
    with pytest.raises(MatgradError):
        matgrad.diff("det(Q)", wrt="Q", let=TALL)


def test_two_sizes_that_are_one() -> None:
    assert str(matgrad.diff("inv(Q)*x", wrt="x", let="Q: orthogonal(n, n)")) == "Q'"


def test_the_screen() -> None:
    command = ["diff", "tr(A'*Q)", "--wrt", "Q", "--let", TALL]
    screen = CliRunner().invoke(main, command).stdout
    assert "Q ∈ ℝᵐˣⁿ with orthonormal columns" in screen
    assert "Qᵀ dQ is skew (the gradient on the Stiefel manifold)" in screen


def test_descent_stays_on_the_manifold() -> None:
    """Steps against the gradient, each brought back by a polar factor, find the leading eigenvectors."""
    module: dict[str, Any] = {}
    exec(matgrad.diff("tr(Q'*A*Q)", wrt="Q", let=TALL).to("numpy"), module)
    rng = np.random.default_rng(2)
    A = np.diag([5.0, 4.0, 1.0, 0.5])
    Q = np.linalg.qr(rng.normal(size=(4, 2)))[0]
    for _ in range(300):
        G = module["derivative"](Q=Q, A=A)
        np.testing.assert_allclose(Q.T @ G + G.T @ Q, 0, atol=1e-10)
        left, _, right = np.linalg.svd(Q + 0.05 * G, full_matrices=False)
        Q = left @ right
    np.testing.assert_allclose(module["value"](Q=Q, A=A), 9.0, atol=1e-6)


@pytest.mark.parametrize("let", [TALL, "Q: orthogonal(n)"])
@pytest.mark.parametrize("text", ["tr(A'*Q)", "tr(Q'*C*Q*B)", "norm(Q*B - A)^2", "sum(exp(Q))"])
def test_riemannian_hessian(text: str, let: str) -> None:
    found = matgrad.diff(text, wrt="Q", let=let, order=2)
    assert found.check is not None and found.check.points >= 4
    assert found.replay() is found.mixed
    assert any(n.startswith("the Riemannian Hessian on the Stiefel manifold") for n in found.notes)


def test_the_jacobian_of_the_gradient_is_not_the_hessian(monkeypatch: pytest.MonkeyPatch) -> None:
    from matgrad.errors import CheckFailed
    from matgrad.rewrite import PROCEDURES

    monkeypatch.setitem(PROCEDURES, "read-off-tangent-twice", PROCEDURES["read-off"])
    with pytest.raises(CheckFailed):
        matgrad.diff("tr(A'*Q)", wrt="Q", let=TALL, order=2)


def test_second_derivative_along_a_geodesic() -> None:
    """d² y(Q exp(tW))/dt² at 0 is the Hessian's quadratic form (Edelman, Arias & Smith 1998, sec. 2.2)."""
    from scipy.linalg import expm

    module: dict[str, Any] = {}
    exec(matgrad.diff("tr(Q'*C*Q*B)", wrt="Q", let="Q: orthogonal(n)", order=2).to("numpy"), module)
    rng = np.random.default_rng(3)
    B, C, W = rng.normal(size=(3, 3, 3))
    W = W - W.T
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    H = module["derivative"](Q=Q, B=B, C=C)
    assert H.shape == (3, 3, 3, 3)
    found = np.einsum("ij,ijkl,kl->", Q @ W, H, Q @ W)

    def y(t: float) -> float:
        return float(module["value"](Q=Q @ expm(t * W), B=B, C=C))

    h = 1e-3
    np.testing.assert_allclose(found, (y(h) - 2 * y(0) + y(-h)) / h**2, rtol=1e-4)


def test_other_second_derivatives_are_refused() -> None:
    for options in ({"hvp": "V"}, {"order": 3}):
        with pytest.raises(Unsupported, match="the Hessian of a number"):
            matgrad.diff("tr(A'*Q)", wrt="Q", let=TALL, **options)
    with pytest.raises(Unsupported, match="the Hessian of a number"):
        matgrad.diff("Q*b", wrt="Q", let=TALL, order=2)
