"""Second derivatives by structured variables, by their independent entries."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad import expr as ex
from matgrad.derive import Derivation
from matgrad.properties import is_symmetric


def hessian(text: str, *let: str, wrt: str = "S", then: str | None = None) -> Derivation:
    order = 2 if then is None else 1
    return matgrad.diff(text, wrt=wrt, let=let, order=order, then=then, structured="cookbook")


@pytest.mark.parametrize(
    "text, answer",
    [
        ("ln det(S)", "-D(n)' kron(S^-1, S^-1) D(n)"),  # Magnus & Neudecker, ch. 10, sec. 6
        ("tr(S^3)", "6 D(n)' kron(S, eye(n)) D(n)"),
        ("tr(S*A*S*B)", "D(n)' (kron(A, B') + kron(A', B)) D(n)"),
        ("x'*inv(S)*x", "2 D(n)' kron(S^-1 x x' S^-1, S^-1) D(n)"),
        ("norm(S)^2", "2 D(n)' D(n)"),
        ("tr(A*S)", "zeros((n*n + n)/2, (n*n + n)/2)"),
        ("eigmax(S)", "2 D(n)' kron(eigvecmax(S) eigvecmax(S)', pinv(eigmax(S) I - S)) D(n)"),
    ],
)
def test_by_vech(text: str, answer: str) -> None:
    found = hessian(text, "S: symmetric(n)")
    assert str(found) == answer
    assert found.check is not None and found.check.points == 5
    assert is_symmetric(found.derivative) or ex.is_zero(found.derivative) or "A'" in answer
    assert found.replay() is found.mixed


def by_differences(value: Any, S: np.ndarray, args: dict[str, Any]) -> np.ndarray:
    """Second differences along the entries on and below the diagonal, by columns."""
    n, h = len(S), 1e-3
    motions = []
    for j in range(n):
        for i in range(j, n):
            motion = np.zeros((n, n))
            motion[i, j] = motion[j, i] = h
            motions.append(motion)

    def at(move: np.ndarray) -> float:
        return float(value(S=S + move, **args))

    rows = [[at(a + b) - at(a - b) - at(b - a) + at(-a - b) for b in motions] for a in motions]
    return np.array(rows) / (4 * h * h)


@pytest.mark.parametrize(
    "text", ["tr(S*A*S*B)", "ln det(S)", "x'*inv(S)*x", "exp(x'*S*y/9)", "det(S)"]
)
def test_code_by_vech(text: str) -> None:
    let = ["S: symmetric(n)", "A: matrix(n, n)", "B: matrix(n, n)", "x: vector(n)", "y: vector(n)"]
    module: dict[str, Any] = {}
    exec(hessian(text, *let).to("numpy"), module)
    assert "hvp" not in module
    rng = np.random.default_rng(1)
    S = rng.normal(size=(3, 3))
    S = S + S.T + 6 * np.eye(3)
    names = [p for p in inspect.signature(module["value"]).parameters if p != "S"]
    args = {p: rng.normal(size=(3, 3) if p.isupper() else 3) for p in names}
    found = module["derivative"](S=S, **args)
    expected = by_differences(module["value"], S, args)
    assert found.shape == (6, 6)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.max(np.abs(expected)))


def test_one_row() -> None:
    assert str(hessian("tr(S^3)", "S: symmetric(1)")) == "6 S"


def test_the_words_beside_it() -> None:
    found = hessian("ln det(S)", "S: symmetric(n)")
    text = found.to("text")
    assert "∂²y/∂vech(S) ∂vech(S)ᵀ = -D(n)ᵀ" in text
    assert "the derivative by vech is Dᵀ times that by vec, and vec(dS) = D vech(dS)" in text
    assert any("H is the Hessian among symmetric matrices" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["skew", "diagonal", "lower", "upper"])
def test_other_structures(kind: str) -> None:
    found = hessian("tr(S*A*S*B)", f"S: {kind}(n)")
    assert found.check is not None and found.check.points == 5


def test_mixed_second_derivatives() -> None:
    let = ["S: symmetric(n)", "T: symmetric(n)"]
    found = hessian("tr(S*A*T)", *let, then="T")
    assert found.check is not None and found.check.points == 5
    assert "∂²y/∂vec(S) ∂vech(T)ᵀ" in found.to("text")
    other = hessian("x'*S*x", *let[:1], wrt="x", then="S")
    assert str(other) == "2 kron(x', eye(n)) D(n)"


def test_third_order_and_directions() -> None:
    for options in ({"order": 3}, {"hvp": "V"}):
        found = matgrad.diff(
            "tr(S^3)", wrt="S", let="S: symmetric(n)", structured="cookbook", **options
        )
        assert found.check is not None and found.check.points == 5
    assert str(found) == "(V S + S V) .* (6 - 3 eye(n))"
    assert any(note.startswith("by the independent entries") for note in found.notes)


def test_vech_by_its_own_entries() -> None:
    found = matgrad.diff("vech(S)", wrt="S", let="S: symmetric(n)", structured="cookbook")
    assert found.derivative is ex.eye(found.derivative.shape.rows)


@pytest.mark.parametrize(
    "text, wrt",
    [
        ("x'*inv(X)*x", "X"),
        ("b'*X*X*b", "X"),
        ("norm2(A*x - b)", "x"),
        ("norm(T - U*V')^2", "U"),
        ("logsumexp(A*x)", "x"),
        ("tr(inv(X))", "X"),
        ("ln det(X'*X)", "X"),
        ("x'*A*x/(x'*x)", "x"),
        ("exp(x'*A*x)", "x"),
        ("eigmax(S)", "S"),
    ],
)
def test_hessians_are_visibly_symmetric(text: str, wrt: str) -> None:
    let = ["S: symmetric(n)"] if wrt == "S" else []
    found = matgrad.diff(text, wrt=wrt, let=let, order=2)
    assert is_symmetric(found.mixed), str(found)
    assert found.check is not None and found.check.points == 5
    assert found.replay() is found.mixed
