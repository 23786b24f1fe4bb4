"""What functions of the table mean in numbers, against definitions that are written down independently here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from matgrad import expr as ex
from matgrad.derive import declarations
from matgrad.emit.numpy import compiled
from matgrad.functions import CONSTANTS, TABLE
from matgrad.shapes import read

Array = Any
RNG = np.random.default_rng(20)
SQUARE = [RNG.normal(size=(n, n)) for n in (1, 2, 4)]
ANY = [RNG.normal(size=s) for s in ((1, 1), (2, 3), (4, 2), (1, 3), (3, 1))]
NEAR = [3 * np.eye(n) + 0.5 * RNG.normal(size=(n, n)) for n in (1, 2, 4)]


def value(text: str, **arrays: Array) -> Array:
    """The value of an expression, every name declared by the shape of its array."""
    let = []
    for name, array in arrays.items():
        sizes = ", ".join(map(str, np.shape(array)))
        kind = ("scalar", f"vector({sizes})", f"matrix({sizes})")[np.ndim(array)]
        let.append(f"{name}: {kind}")
    e = read(text, declarations(let)).expr
    inputs = ex.variables(e)
    found = compiled([e], inputs)([np.asarray(arrays[v.data[0]]) for v in inputs], {}, {})[0]
    return np.asarray(found)


def close(a: Array, b: Array) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def power_series(X: Array, coefficient: Callable[[int], float]) -> Array:
    total, power, factorial = np.zeros_like(X), np.eye(len(X)), 1.0
    for k in range(80):
        total = total + coefficient(k) / factorial * power
        power, factorial = power @ X, factorial * (k + 1)
    return total


SERIES: dict[str, Callable[[int], float]] = {
    "expm": lambda k: 1.0,
    "sinm": lambda k: (0, 1, 0, -1)[k % 4],
    "cosm": lambda k: (1, 0, -1, 0)[k % 4],
}


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("X", SQUARE, ids=len)
def test_power_series(name: str, X: Array) -> None:
    close(value(f"{name}(X)", X=X), power_series(X, SERIES[name]))
    # The derivative in the direction E is the same series with the product rule.
    E = RNG.normal(size=X.shape)
    total, power, change, factorial = np.zeros_like(X), np.eye(len(X)), np.zeros_like(X), 1.0
    for k in range(80):
        total = total + SERIES[name](k) / factorial * change
        power, change, factorial = power @ X, change @ X + power @ E, factorial * (k + 1)
    close(value(f"d{name}(X, E)", X=X, E=E), total)
    close(value(f"d{name}(X, E)", X=X, E=0 * E), 0 * E)


@pytest.mark.parametrize("X", NEAR, ids=len)
def test_inverse_functions(X: Array) -> None:
    log, root = value("logm(X)", X=X), value("sqrtm(X)", X=X)
    close(power_series(log, SERIES["expm"]), X)
    assert np.max(np.abs(np.linalg.eigvals(log).imag)) < np.pi
    close(root @ root, X)
    assert np.min(np.linalg.eigvals(root).real) > 0
    E = RNG.normal(size=X.shape)
    close(scipy.linalg.expm_frechet(log, value("dlogm(X, E)", X=X, E=E), compute_expm=False), E)


def test_of_matrices_without_a_real_value() -> None:
    for text in ("logm(X)", "sqrtm(X)"):
        for X in (np.diag([-1.0, 2.0]), np.zeros((2, 2)), np.full((2, 2), np.nan)):
            with pytest.raises(np.linalg.LinAlgError):
                value(text, X=X)
    for text in ("expm(X)", "sinm(X)", "cosm(X)", "sylvester(X, X, X)"):
        with pytest.raises(np.linalg.LinAlgError):
            value(text, X=np.full((2, 2), np.inf))


@pytest.mark.parametrize("m, n", [(1, 1), (2, 4), (3, 1), (1, 3)])
def test_sylvester(m: int, n: int) -> None:
    A, B, C = RNG.normal(size=(m, m)), RNG.normal(size=(n, n)), RNG.normal(size=(m, n))
    Z = value("sylvester(A, B, C)", A=A, B=B, C=C)
    assert Z.shape == (m, n)
    close(A @ Z + Z @ B, C)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_adjugate_is_made_of_cofactors(n: int, rank: int) -> None:
    rank = min(n, rank)
    X = RNG.normal(size=(n, rank)) @ RNG.normal(size=(rank, n))
    cofactors = np.empty((n, n))
    for i, j in itertools.product(range(n), range(n)):
        minor = np.delete(np.delete(X, i, 0), j, 1)
        cofactors[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    close(value("adj(X)", X=X), cofactors.T)


@pytest.mark.parametrize("X", SQUARE, ids=len)
def test_symmetric_parts(X: Array) -> None:
    S = X @ X.T + np.eye(len(X))
    for given in (S, S + X - X.T):
        L = value("chol(X)", X=given)
        close(L, np.tril(L))
        close(L @ L.T, S)
        assert np.all(np.diag(L) > 0)
    S = (X + X.T) / 2
    eigenvalues = np.sort(np.linalg.eigvals(S).real)
    for name, wanted in (("max", eigenvalues[-1]), ("min", eigenvalues[0])):
        close(value(f"eig{name}(X)", X=X), wanted)
        v = value(f"eigvec{name}(X)", X=X)
        close(S @ v, wanted * v)
        close(v @ v, 1)
        assert v[np.argmax(np.abs(v))] > 0


@pytest.mark.parametrize("X", ANY, ids=lambda X: str(X.shape))
def test_singular_values(X: Array) -> None:
    values = np.sqrt(np.linalg.eigvalsh(X @ X.T)[::-1][: min(X.shape)])
    close(value("specnorm(X)", X=X), values[0])
    close(value("nucnorm(X)", X=X), np.sum(values))
    u, v = value("lsv(X)", X=X), value("rsv(X)", X=X)
    close(X @ v, values[0] * u)
    close(X.T @ u, values[0] * v)
    close([u @ u, v @ v], [1, 1])
    assert u[np.argmax(np.abs(u))] > 0
    W = value("polar(X)", X=X)
    close(W @ W.T @ W, W)
    H = W.T @ X
    close(H, H.T)
    assert np.min(np.linalg.eigvalsh(H)) > -1e-9
    close(W @ H, X)
    P = value("pinv(X)", X=X)
    close(X @ P @ X, X)
    close(P @ X @ P, P)
    close(X @ P, (X @ P).T)
    close(P @ X, (P @ X).T)


def test_pseudoinverse_of_a_singular_matrix() -> None:
    close(value("pinv(X)", X=np.diag([2.0, 0.0, 1e-14])), np.diag([0.5, 0, 0]))
    close(value("pinv(X)", X=np.zeros((2, 3))), np.zeros((3, 2)))


def test_the_largest_share_equally() -> None:
    x = np.array([1.0, 3, 2, 3])
    close(value("indmax(x)", x=x), [0, 0.5, 0, 0.5])
    close(value("indmax(-x)", x=x), [1, 0, 0, 0])
    X = np.array([[1.0, 5, 2], [5, 4, 3]])
    close(value("indmax(X)", X=X), [[0, 0.5, 0], [0.5, 0, 0]])
    close(value("indmax(X, 1)", X=X), [[0, 1, 0], [1, 0, 1]])
    close(value("indmax(X, 2)", X=X), [[0, 1, 0], [1, 0, 0]])
    close(value("indmax(c)", c=np.float64(2)), 1)


@pytest.mark.parametrize("X", ANY, ids=lambda X: str(X.shape))
def test_arrangements(X: Array) -> None:
    m, n = X.shape
    columns = np.concatenate([X[:, j] for j in range(n)])
    close(value("vec(X)", X=X), columns)
    close(value(f"unvec(a, {m}, {n})", a=columns), X)
    close(value("unvec(a, rows(X), cols(X)) - X", a=columns, X=X), 0 * X)
    close(value(f"K({m}, {n})*a", a=columns), X.reshape(-1))
    close(value(f"K({n}, {m})"), value(f"K({m}, {n})").T)
    Y = RNG.normal(size=(2, 3))
    close(value("kron(X, Y)", X=X, Y=Y), np.block([[x * Y for x in row] for row in X]))


@pytest.mark.parametrize("X", SQUARE, ids=len)
def test_triangles(X: Array) -> None:
    n = len(X)
    half = np.array([X[i, j] for j in range(n) for i in range(j, n)])
    close(value("vech(X)", X=X), half)
    close(value(f"L({n})*vec(X)", X=X), half)
    S = X + X.T
    close(value(f"D({n})*vech(S) - vec(S)", S=S), np.zeros(n * n))
    close(value("tril(X) + triu(X) - dg(X)", X=X), X)


def test_constants_in_the_table_are_all_evaluated() -> None:
    for name, constant in CONSTANTS.items():
        for text in constant.signatures:
            sizes = (2, 3)[: text.count(": size")]
            e = read(f"{name}({', '.join(map(str, sizes))})").expr
            wanted = (e.shape.rows, e.shape.cols)
            found = compiled([e], [])([], {}, {})[0]
            assert found.shape == (wanted if e.shape.kind == ex.MATRIX else wanted[:1])


def test_kron_of_other_kinds() -> None:
    x, y, X = RNG.normal(size=2), RNG.normal(size=3), RNG.normal(size=(3, 2))
    close(value("kron(x, y)", x=x, y=y), np.kron(x, y))
    close(value("kron(x', y')", x=x, y=y), np.kron(x, y))
    close(value("kron(x, X)", x=x, X=X), np.kron(x[:, None], X))
    close(value("kron(X, y')", y=y, X=X), np.kron(X, y[None, :]))


def test_no_function_is_without_a_differential() -> None:
    assert [f.op for f in TABLE.values() if not f.differential] == []
