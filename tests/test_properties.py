"""Properties: what is proved of an expression, and that it is true of its values."""

from __future__ import annotations

import random

import numpy as np
import pytest
from random_expressions import expression, seeded

from matgrad import expr as ex
from matgrad.derive import declarations
from matgrad.emit.numpy import compiled
from matgrad.expr import Expr
from matgrad.properties import has_property, is_symmetric, properties, push_transposes
from matgrad.shapes import read
from matgrad.verify import choose_sizes, sample, unknown_functions

LET = declarations(
    [
        "a: scalar", "c: positive", "q: positive", "x: vector(n)", "y: vector(n)", "w: positive(n)",
        "A: matrix(m, n)", "B: matrix(n, n)", "C: matrix(n, n)", "V: invertible(n)",
        "S: symmetric(n)", "R: symmetric(n)", "P: spd(n)", "M: spd(n)", "D: diagonal(n)",
        "E: diagonal(n)", "K: skew(n)", "J: skew(n)", "Q: orthogonal(n)", "O: orthogonal(n)",
        "L: lower(n)", "N: lower(n)", "U: upper(n)", "W: upper(n)", "Z: matrix(m, m)",
        "G: spd(m)", "H: orthogonal(m)", "f: elementwise",
    ]
)  # fmt: skip


def holds(name: str, value: np.ndarray) -> bool:
    """Whether a value has a property, up to rounding."""
    array = np.asarray(value, dtype=float)
    if name == "positive":
        return bool(np.all(array > 0))
    if name == "nonzero":
        return bool(np.all(array != 0))
    if array.ndim == 0:
        array = array.reshape(1, 1)
    scale = 1e-8 * (1 + np.max(np.abs(array)))

    def zero(rest: np.ndarray) -> bool:
        return bool(np.max(np.abs(rest), initial=0) <= scale)

    if name == "symmetric":
        return zero(array - array.T)
    if name == "skew":
        return zero(array + array.T)
    if name == "diagonal":
        return zero(array - np.diag(np.diag(array)))
    if name == "lower":
        return zero(np.triu(array, 1))
    if name == "upper":
        return zero(np.tril(array, -1))
    if name in ("orthogonal", "identity"):
        return zero(array.T @ array - np.eye(len(array)))
    if name == "invertible":
        return bool(np.linalg.matrix_rank(array, tol=1e-13 * np.max(np.abs(array))) == len(array))
    smallest = np.min(np.linalg.eigvalsh((array + array.T) / 2))
    assert name in ("spd", "psd")
    return zero(array - array.T) and bool(smallest > (0 if name == "spd" else -scale))


def values(e: Expr, seed: int = 0) -> list[np.ndarray]:
    """Values of an expression at random points that have the declared properties."""
    rng = np.random.default_rng(seed)
    variables = ex.variables(e)
    code = compiled([e], variables)
    found = []
    for number in range(5):
        sizes = choose_sizes(number, rng, e)
        point = [sample(v, sizes, number % 3, rng) for v in variables]
        with np.errstate(all="ignore"):
            (value,) = code(point, sizes, unknown_functions(e))
        found.append(np.asarray(value, dtype=float))
    return found


PROVED = [
    # declared, and what that implies
    ("B", ""),
    ("S", "symmetric"),
    ("P", "spd psd symmetric invertible"),
    ("D", "diagonal symmetric lower upper"),
    ("K", "skew"),
    ("Q", "orthogonal invertible"),
    ("L", "lower"),
    ("U", "upper"),
    ("V", "invertible"),
    ("w", "positive nonzero"),
    ("c", "positive nonzero"),
    # constants
    ("2", "positive nonzero"),
    ("-2", "nonzero"),
    ("π", "positive nonzero"),
    ("eye(n)", "diagonal symmetric lower upper orthogonal invertible spd psd"),
    ("ones(n)", "positive nonzero"),
    ("ones(m, n)", "positive nonzero"),
    ("zeros(n)", ""),
    ("len(x)", "positive nonzero"),
    ("e_1", ""),
    # transposes and inverses
    ("L'", "upper"),
    ("U'", "lower"),
    ("S'", "symmetric"),
    ("K'", "skew"),
    ("Q'", "orthogonal invertible"),
    ("w'", "positive nonzero"),
    ("inv(P)", "spd psd symmetric invertible"),
    ("inv(D)", "diagonal symmetric lower upper invertible"),
    ("inv(L)", "lower invertible"),
    ("inv(B)", "invertible"),
    ("inv(S)", "symmetric invertible"),
    ("inv(P)'", "spd psd symmetric invertible"),
    # sums
    ("S + R", "symmetric"),
    ("P + M", "spd psd symmetric invertible"),
    ("P + B'B", "spd psd symmetric invertible"),
    ("B*B' + C*C'", "psd symmetric"),
    ("A'A + c*eye(n)", "spd psd symmetric invertible"),
    ("P + S", "symmetric"),
    ("D + E", "diagonal symmetric lower upper"),
    ("D + L", "lower"),
    ("K + J", "skew"),
    ("L + N", "lower"),
    ("U + W", "upper"),
    ("P - M", "symmetric"),
    ("w + exp(x)", "positive nonzero"),
    ("1 + exp(x)", "positive nonzero"),
    ("1 - exp(x)", ""),
    ("Q + O", ""),
    # multiples
    ("2*P", "spd psd symmetric invertible"),
    ("c*P", "spd psd symmetric invertible"),
    ("-P", "symmetric invertible"),
    ("a*P", "symmetric"),
    ("a*K", "skew"),
    ("a*L", "lower"),
    ("2*Q", "invertible"),
    ("c*Q", "invertible"),
    ("c*w", "positive nonzero"),
    ("c*q", "positive nonzero"),
    ("-c", "nonzero"),
    ("2*c*q", "positive nonzero"),
    ("a*c", ""),
    # products
    ("A'A", "symmetric psd"),
    ("A*A'", "symmetric psd"),
    ("x*x'", "symmetric psd"),
    ("A*S*A'", "symmetric"),
    ("A*P*A'", "symmetric psd"),
    ("A'*G*A", "symmetric psd"),
    ("V'V", "symmetric psd spd invertible"),
    ("V'*P*V", "symmetric psd spd invertible"),
    ("c*V'V", "symmetric psd spd invertible"),
    ("-A'A", "symmetric"),
    ("A*K*A'", ""),
    ("Q*O", "orthogonal invertible"),
    ("Q*S*Q'", "symmetric"),
    ("Q*V", "invertible"),
    ("L*N", "lower"),
    ("U*W", "upper"),
    ("L*U", ""),
    ("D*E", "diagonal symmetric lower upper"),
    ("D*L", "lower"),
    ("L*L'", "symmetric psd"),
    ("P*M", "invertible"),
    ("S*R", ""),
    ("S*R*S", "symmetric"),
    ("D*w", ""),
    # powers
    ("S^2", "symmetric psd"),
    ("S^3", "symmetric"),
    ("P^3", "spd psd symmetric invertible"),
    ("P^-2", "spd psd symmetric invertible"),
    ("L^2", "lower"),
    ("D^3", "diagonal symmetric lower upper"),
    ("Q^2", "orthogonal invertible"),
    ("V^2", "invertible"),
    ("K^2", "symmetric"),
    ("B^2", ""),
    ("c^2", "positive nonzero"),
    ("c^a", "positive nonzero"),
    ("(-c)^2", "positive nonzero"),
    ("c^-1", "positive nonzero"),
    ("(-c)^3", "nonzero"),
    ("a^2", ""),
    ("w.^2", "positive nonzero"),
    ("w.^a", "positive nonzero"),
    ("1./w", "positive nonzero"),
    ("x.^2", ""),
    # entry by entry
    ("S.*R", "symmetric"),
    ("P.*M", "spd psd symmetric invertible"),
    ("D.*B", "diagonal symmetric lower upper"),
    ("L.*B", "lower"),
    ("U.*B", "upper"),
    ("w.*exp(x)", "positive nonzero"),
    ("exp(S)", "symmetric positive nonzero"),
    ("sin(S)", "symmetric"),
    ("f(S)", "symmetric"),
    ("exp(x)", "positive nonzero"),
    ("cosh(a)", "positive nonzero"),
    ("sigmoid(x)", "positive nonzero"),
    ("softplus(x)", "positive nonzero"),
    ("softmax(x)", "positive nonzero"),
    ("sqrt(w)", "positive nonzero"),
    ("abs(w)", "positive nonzero"),
    ("sum(w)", "positive nonzero"),
    ("tr(P)", "positive nonzero"),
    ("det(P)", "positive nonzero"),
    ("sum(P)", "positive nonzero"),
    ("det(B)", ""),
    # functions of matrices
    ("diag(x)", "diagonal symmetric lower upper"),
    ("diag(w)", "diagonal symmetric lower upper spd psd invertible"),
    ("diag(B)", ""),
    ("kron(P, M)", "spd psd symmetric invertible"),
    ("kron(P, G)", "spd psd symmetric invertible"),
    ("kron(Q, H)", "orthogonal invertible"),
    ("kron(L, N)", "lower"),
    ("kron(D, E)", "diagonal symmetric lower upper"),
    ("kron(S, P)", "symmetric"),
    ("kron(S, B)", ""),
    ("expm(S)", "symmetric spd psd invertible"),
    ("expm(B)", "invertible"),
    ("chol(P)", "lower invertible"),
    ("expm(K)", "orthogonal invertible"),
    ("expm(L)", "lower invertible"),
    ("expm(S')'", "spd psd symmetric invertible"),
    ("sinm(S)", "symmetric"),
    ("cosm(U)", "upper"),
    ("dexpm(S, R)", "symmetric"),
    ("dcosm(L, N)", "lower"),
    ("dsinm(S, B)", ""),
    ("sylvester(L, N, L)", "lower"),
    ("adj(P)", "spd psd symmetric invertible"),
    ("adj(L)", "lower"),
    ("pinv(S)", "symmetric"),
    ("pinv(K)", "skew"),
    ("pinv(A'A)", "psd symmetric"),
    ("polar(B)", "orthogonal invertible"),
    ("polar(A)", ""),
    ("eigmin(P)", "positive nonzero"),
    ("softmax(A, 1)", "positive nonzero"),
    ("K(2, 3)", "orthogonal invertible"),
    ("K(3, 3)", "symmetric orthogonal invertible"),
    ("tril(B)", "lower"),
    ("triu(B)", "upper"),
    ("dg(B)", "diagonal symmetric lower upper"),
    ("sqrtm(P)", "spd psd symmetric invertible"),
    ("logm(P)", "symmetric"),
    # stacks and entries
    ("[B, C; C', B]", ""),
    ("[S, A'; A, G]", "symmetric"),
    ("B[1,1]", ""),
]  # fmt: skip


@pytest.mark.parametrize("text, expected", PROVED)
def test_what_is_proved(text: str, expected: str) -> None:
    e = read(text, LET).expr
    assert sorted(properties(e)) == sorted(p.replace("_", " ") for p in expected.split())
    for name in properties(e):
        assert has_property(e, name)
        for value in values(e):
            assert holds(name, value), name
    assert not has_property(e, "no such property")


def test_scalars_are_symmetric() -> None:
    a = read("a", LET).expr
    for name in ("symmetric", "diagonal", "lower", "upper"):
        assert has_property(a, name)
    assert not has_property(a, "positive")
    assert is_symmetric(a)
    assert not is_symmetric(read("x", LET).expr)
    assert not is_symmetric(read("A", LET).expr)


# --- composition ------------------------------------------------------------------------------------------------------

_LEAVES = ["B", "C", "S", "R", "P", "M", "D", "E", "K", "Q", "O", "L", "N", "U", "W", "V"]
_ONE = [
    "({0})'", "inv({0})", "({0})^2", "({0})^3", "c*({0})", "-({0})", "2*({0})", "dg({0})",
    "tril({0})", "triu({0})", "({0})'*({0})", "({0})*({0})'", "({0})*P*({0})'", "A'*A + ({0})",
    "({0}) + ({0})'", "diag(exp(x))*({0})", "sin({0})", "a*({0})", "({0}) + eye(n)",
]  # fmt: skip
_TWO = ["({0})*({1})", "({0}) + ({1})", "({0}) - ({1})", "({0}).*({1})", "({0})*({1})*({0})'"]


def composed(rng: random.Random, depth: int) -> str:
    if depth == 0:
        return rng.choice(_LEAVES)
    if rng.random() < 0.5:
        return rng.choice(_ONE).format(composed(rng, depth - 1))
    return rng.choice(_TWO).format(composed(rng, depth - 1), composed(rng, depth - 1))


def tame(value: np.ndarray) -> bool:
    """Whether the value can decide a property: finite, not huge, and not singular by rounding."""
    if not np.all(np.isfinite(value)) or np.max(np.abs(value), initial=0) > 1e6:
        return False
    return value.ndim < 2 or np.max(np.abs(value)) < 1e-6 or np.linalg.cond(value) < 1e6


@pytest.mark.parametrize("seed", range(150))
def test_every_claim_holds(seed: int) -> None:
    rng = random.Random(seed)
    e = read(composed(rng, rng.choice([1, 2, 2, 3])), LET).expr
    claimed = properties(e)
    assert claimed >= {"symmetric"} or not is_symmetric(e)
    try:
        found = values(e, seed)
    except np.linalg.LinAlgError:
        return
    for value in found:
        exact = claimed - {"spd", "invertible", "nonzero", "positive"}
        if np.all(np.isfinite(value)) and np.max(np.abs(value)) < 1e6:
            assert all(holds(name, value) for name in exact if name != "psd"), exact
        if tame(value):
            assert all(holds(name, value) for name in claimed), claimed


# --- transposes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("(B*C)'", "C'*B'"),
        ("(B + C)'", "B' + C'"),
        ("(S*B)'", "B'*S"),
        ("(K*B)'", "-(B'*K)"),
        ("S'", "S"),
        ("K'", "-K"),
        ("(a*B)'", "a*B'"),
        ("inv(B)'", "inv(B)'"),
        ("inv(B')", "inv(B)'"),
        ("(B')^3", "(B^3)'"),
        ("diag(x)'", "diag(x)"),
        ("[B, C]'", "[B'; C']"),
        ("[x; y]'", "[x', y']"),
        ("sin(x')", "sin(x)'"),
        ("x'.*y'", "(x.*y)'"),
        ("x' + y'", "(x + y)'"),
        ("(x' + y')'", "x + y"),
        ("sin(B')", "sin(B)'"),
        ("(f(B'))'", "f(B)"),
        ("tr(B')", "tr(B')"),
        ("(x.*sin(y))'", "(x.*sin(y))'"),
        ("(B'x)'", "x'*B"),
    ],
)  # fmt: skip
def test_where_transposes_go(text: str, expected: str) -> None:
    assert push_transposes(read(text, LET).expr) is read(expected, LET).expr


@pytest.mark.parametrize("seed", range(120))
def test_pushing_transposes_keeps_the_value(seed: int) -> None:
    e = ex.transpose(expression(seeded(seed), 4))
    pushed = push_transposes(e)
    assert push_transposes(pushed) is pushed
    assert pushed.shape == e.shape
    rng = np.random.default_rng(seed)
    variables = ex.variables(e)
    both = compiled([e, pushed], variables)
    sizes = choose_sizes(0, rng, e, pushed)
    point = [sample(v, sizes, 1, rng) for v in variables]
    with np.errstate(all="ignore"):
        try:
            one, other = both(point, sizes, unknown_functions(e))
        except np.linalg.LinAlgError:
            return
    if np.all(np.isfinite(one)):
        np.testing.assert_allclose(other, one, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "text, pushed",
    [("inv(K)'", "-K^-1"), ("(K^2)'", "K^2"), ("(K^3)'", "-K^3"), ("(K^-2)'", "K^-2")],
)
def test_transposed_powers_of_a_skew_matrix(text: str, pushed: str) -> None:
    let = declarations(["K: skew(n)"])
    found = push_transposes(read(text, let).expr)
    assert found is read(pushed, let).expr
