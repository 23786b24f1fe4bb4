"""Helpers for emitted JAX code: what JAX has no single function for. Copied into modules, never imported by matgrad."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np

Array = Any


def sqrtm(X: Array) -> Array:
    """The principal square root, by the iteration of Denman and Beavers."""

    def step(_: Array, pair: Array) -> Array:
        Y, Z = pair
        return (Y + jnp.linalg.inv(Z)) / 2, (Z + jnp.linalg.inv(Y)) / 2

    return jax.lax.fori_loop(0, 24, step, (X, jnp.eye(X.shape[0], dtype=X.dtype)))[0]


def logm(X: Array) -> Array:
    """The principal logarithm: eight square roots, then Padé's approximation of ln(1 + t)."""
    identity = jnp.eye(X.shape[0], dtype=X.dtype)
    near = X
    for _ in range(8):
        near = sqrtm(near)
    places, weights = np.polynomial.legendre.leggauss(9)
    A = near - identity
    total = jnp.zeros_like(A)
    for place, weight in zip(places, weights, strict=True):
        total += weight / 2 * jnp.linalg.solve(identity + (place + 1) / 2 * A, A)
    return total * 256


def cosm(X: Array) -> Array:
    """The matrix cosine, by the exponential of [0, -X; X, 0]."""
    n = X.shape[0]
    Z = jnp.zeros_like(X)
    return jax.scipy.linalg.expm(jnp.block([[Z, -X], [X, Z]]))[:n, :n]


def sinm(X: Array) -> Array:
    """The matrix sine, by the exponential of [0, -X; X, 0]."""
    n = X.shape[0]
    Z = jnp.zeros_like(X)
    return jax.scipy.linalg.expm(jnp.block([[Z, -X], [X, Z]]))[n:, :n]


def frechet(function: Array, X: Array, E: Array) -> Array:
    """The derivative of a matrix function at X in the direction E."""
    n = X.shape[0]
    return function(jnp.block([[X, E], [jnp.zeros_like(X), X]]))[:n, n:]


def sylvester(A: Array, B: Array, C: Array) -> Array:
    """The Z with A Z + Z B = C."""
    m, n = C.shape
    system = jnp.kron(A, jnp.eye(n, dtype=A.dtype)) + jnp.kron(jnp.eye(m, dtype=A.dtype), B.T)
    return jnp.linalg.solve(system, C.reshape(-1)).reshape(m, n)


def adj(X: Array) -> Array:
    """The adjugate, by the singular value decomposition: it exists for singular matrices too."""
    U, s, Vt = jnp.linalg.svd(X)
    n = X.shape[0]
    others = jnp.prod(jnp.where(jnp.eye(n, dtype=bool), 1.0, s[None, :]), axis=1)
    return jnp.linalg.det(U) * jnp.linalg.det(Vt) * (Vt.T * others) @ U.T


def signed(v: Array) -> Array:
    """v or -v: the one whose largest entry by absolute value is positive."""
    return v * jnp.where(v[jnp.argmax(jnp.abs(v))] >= 0, 1.0, -1.0)


def eigvecmax(X: Array) -> Array:
    """The unit eigenvector of the largest eigenvalue of (X + X')/2."""
    return signed(jnp.linalg.eigh((X + X.T) / 2)[1][:, -1])


def eigvecmin(X: Array) -> Array:
    """The unit eigenvector of the smallest eigenvalue of (X + X')/2."""
    return signed(jnp.linalg.eigh((X + X.T) / 2)[1][:, 0])


def lsv(X: Array) -> Array:
    """The leading left singular vector."""
    return signed(jnp.linalg.svd(X, full_matrices=False)[0][:, 0])


def rsv(X: Array) -> Array:
    """The leading right singular vector, with the sign that goes with `lsv`."""
    U, _, Vt = jnp.linalg.svd(X, full_matrices=False)
    return Vt[0] * jnp.sign(U[jnp.argmax(jnp.abs(U[:, 0])), 0])


def polar(X: Array) -> Array:
    """U V' of the singular value decomposition U S V', of its positive singular values."""
    U, s, Vt = jnp.linalg.svd(X, full_matrices=False)
    rounding = s[0] - jnp.nextafter(s[0], jnp.zeros_like(s[0]))
    return U * (s > 1000 * rounding) @ Vt


def indmax(x: Array) -> Array:
    """1 at the largest entry, 0 elsewhere; several largest share it equally."""
    largest = jnp.equal(x, jnp.max(x))
    return largest / jnp.sum(largest)


def indmax_along(X: Array, axis: int) -> Array:
    """1 at the largest entry of each line along an axis, 0 elsewhere; several largest share it equally."""
    largest = jnp.equal(X, jnp.max(X, axis=axis, keepdims=True))
    return largest / jnp.sum(largest, axis=axis, keepdims=True)


def commutation(m: int, n: int) -> Array:
    """K with vec(X') = K vec(X) for X with m rows and n columns."""
    return jnp.eye(m * n)[np.arange(m * n).reshape(n, m).T.reshape(-1)]


def duplication(n: int) -> Array:
    """D with vec(S) = D vech(S) for symmetric S with n rows."""
    place = np.zeros((n, n), dtype=int)
    columns, rows = np.triu_indices(n)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return jnp.eye(len(rows))[place.T.reshape(-1)]


def elimination(n: int) -> Array:
    """L with vech(X) = L vec(X) for X with n rows and columns."""
    columns, rows = np.triu_indices(n)
    return jnp.eye(n * n)[columns * n + rows]
