"""Numeric meanings that NumPy and SciPy have no single function for. Emitted code reaches them as `support.name`.

Raises LinAlgError where there is no value. Loaded by `matgrad.emit.numpy.compiled` for code that needs it only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any

# Singular values below this, relative to the largest, are zero to `pinv` and `polar`: (λ I - X)⁺ has one that is rounding noise.
NEGLIGIBLE = 1e-11


def _finite(*arrays: Array) -> None:
    for a in arrays:
        if not np.all(np.isfinite(a)):
            raise np.linalg.LinAlgError("an argument is not finite")


# --- functions of a square matrix ---------------------------------------------------------------------------------------


def _real(value: Array) -> Array:
    """A complex matrix whose imaginary part is rounding noise."""
    value = np.asarray(value)
    if np.iscomplexobj(value):
        size = np.max(np.abs(value), initial=0)
        if np.max(np.abs(value.imag), initial=0) > 1e-8 * size:
            raise np.linalg.LinAlgError("the value is not real")
        value = value.real
    _finite(value)
    return value


def expm(X: Array) -> Array:
    """The matrix exponential."""
    import scipy.linalg

    _finite(X)
    return scipy.linalg.expm(X)


def sqrtm(X: Array) -> Array:
    """The principal square root."""
    import warnings

    import scipy.linalg

    _finite(X)
    s = np.linalg.svd(X, compute_uv=False)
    if s[-1] <= 1e-14 * s[0]:
        raise np.linalg.LinAlgError("a singular matrix has no principal square root")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _real(scipy.linalg.sqrtm(X))


def logm(X: Array) -> Array:
    """The principal logarithm, by square roots until X is near I and Padé's approximation of ln(1 + t) there.

    SciPy's has more digits for badly scaled matrices, and takes hundreds of times as long.
    """
    _finite(X)
    identity = np.eye(len(X))
    near, halvings = X, 0
    while np.linalg.norm(near - identity) > 0.25:
        near, halvings = sqrtm(near), halvings + 1
        if halvings > 60:
            raise np.linalg.LinAlgError("no principal logarithm")
    places, weights = np.polynomial.legendre.leggauss(9)
    A = near - identity
    total = np.zeros_like(A)
    for place, weight in zip(places, weights, strict=True):
        total += weight / 2 * np.linalg.solve(identity + (place + 1) / 2 * A, A)
    return total * 2.0**halvings


def sinm(X: Array) -> Array:
    """The matrix sine."""
    import scipy.linalg

    _finite(X)
    return scipy.linalg.sinm(X)


def cosm(X: Array) -> Array:
    """The matrix cosine."""
    import scipy.linalg

    _finite(X)
    return scipy.linalg.cosm(X)


def _frechet(function: Callable[[Array], Array], X: Array, E: Array) -> Array:
    """The derivative of a matrix function at X in the direction E: the block above the diagonal of f([X, E; 0, X])."""
    n = len(X)
    # E is scaled, so that it does not spoil the accuracy of the blocks on the diagonal.
    scale = float(np.max(np.abs(E), initial=0))
    if scale == 0 or not np.isfinite(scale):
        return 0 * (X + E)
    return function(np.block([[X, E / scale], [np.zeros((n, n)), X]]))[:n, n:] * scale


def dexpm(X: Array, E: Array) -> Array:
    """The Fréchet derivative of `expm` at X in the direction E."""
    return _frechet(expm, X, E)


def dlogm(X: Array, E: Array) -> Array:
    """The Fréchet derivative of `logm` at X in the direction E."""
    return _frechet(logm, X, E)


def dsinm(X: Array, E: Array) -> Array:
    """The Fréchet derivative of `sinm` at X in the direction E."""
    return _frechet(sinm, X, E)


def dcosm(X: Array, E: Array) -> Array:
    """The Fréchet derivative of `cosm` at X in the direction E."""
    return _frechet(cosm, X, E)


def sylvester(A: Array, B: Array, C: Array) -> Array:
    """The Z with A Z + Z B = C."""
    import scipy.linalg

    _finite(A, B, C)
    return scipy.linalg.solve_sylvester(A, B, C)


def adj(X: Array) -> Array:
    """The adjugate, by the singular value decomposition: it exists for singular matrices too."""
    U, s, Vt = np.linalg.svd(X)
    others = np.array([np.prod(np.delete(s, i)) for i in range(len(s))])
    sign = np.linalg.det(U) * np.linalg.det(Vt)
    return sign * (Vt.T * others) @ U.T


def chol(X: Array) -> Array:
    """The lower Cholesky factor of (X + X')/2."""
    return np.linalg.cholesky((X + X.T) / 2)


def pinv(X: Array) -> Array:
    """The Moore-Penrose inverse."""
    if np.max(np.abs(X), initial=0) < 1e-15:  # λ - x of order 1, rounding noise throughout
        return np.zeros(np.shape(X)[::-1])
    return np.linalg.pinv(X, NEGLIGIBLE)


# --- eigenvalues and singular values ------------------------------------------------------------------------------------


def eigmax(X: Array) -> Array:
    """The largest eigenvalue of (X + X')/2."""
    return np.linalg.eigvalsh((X + X.T) / 2)[-1]


def eigmin(X: Array) -> Array:
    """The smallest eigenvalue of (X + X')/2."""
    return np.linalg.eigvalsh((X + X.T) / 2)[0]


def _signed(v: Array) -> Array:
    """v or -v: the one whose largest entry by absolute value is positive."""
    return v * (1.0 if v[np.argmax(np.abs(v))] >= 0 else -1.0)


def eigvecmax(X: Array) -> Array:
    """The unit eigenvector of the largest eigenvalue of (X + X')/2."""
    return _signed(np.linalg.eigh((X + X.T) / 2)[1][:, -1])


def eigvecmin(X: Array) -> Array:
    """The unit eigenvector of the smallest eigenvalue of (X + X')/2."""
    return _signed(np.linalg.eigh((X + X.T) / 2)[1][:, 0])


def lsv(X: Array) -> Array:
    """The leading left singular vector."""
    return _signed(np.linalg.svd(X, full_matrices=False)[0][:, 0])


def rsv(X: Array) -> Array:
    """The leading right singular vector, with the sign that goes with `lsv`."""
    U, _, Vt = np.linalg.svd(X, full_matrices=False)
    return Vt[0] * np.sign(U[np.argmax(np.abs(U[:, 0])), 0])


def polar(X: Array) -> Array:
    """U V' of the singular value decomposition U S V', of its positive singular values."""
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    return U * (s > NEGLIGIBLE * s[0]) @ Vt


# --- places -------------------------------------------------------------------------------------------------------------


def indmax(x: Array) -> Array:
    """1 at the largest entry, 0 elsewhere; several largest share it equally."""
    largest = np.equal(x, np.max(x))
    return largest / np.sum(largest)


def indmax_along(X: Array, axis: int) -> Array:
    """1 at the largest entry of each line along an axis, 0 elsewhere; several largest share it equally."""
    largest = np.equal(X, np.max(X, axis=axis, keepdims=True))
    return largest / np.sum(largest, axis=axis, keepdims=True)


# --- constants ----------------------------------------------------------------------------------------------------------


def commutation(m: int, n: int) -> Array:
    """K with vec(X') = K vec(X) for X with m rows and n columns."""
    return np.eye(m * n)[np.arange(m * n).reshape(n, m).T.reshape(-1)]


def duplication(n: int) -> Array:
    """D with vec(S) = D vech(S) for symmetric S with n rows."""
    place = np.zeros((n, n), dtype=int)
    columns, rows = np.triu_indices(n)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return np.eye(len(rows))[place.T.reshape(-1)]


def elimination(n: int) -> Array:
    """L with vech(X) = L vec(X) for X with n rows and columns."""
    columns, rows = np.triu_indices(n)
    return np.eye(n * n)[columns * n + rows]


# --- factorizations -----------------------------------------------------------------------------------------------------
# Arrays are given to LAPACK transposed: what NumPy stores by rows is then not copied to be stored by columns.


def cholesky(A: Array) -> Array:
    """The Cholesky factor L of a symmetric matrix L L', with zeros above the diagonal."""
    from scipy.linalg.lapack import dpotrf

    factor, info = dpotrf(A.T, lower=1)
    if info:
        raise np.linalg.LinAlgError("a matrix is not positive definite")
    return factor


def cholesky_solve(factor: Array, b: Array) -> Array:
    """A^-1 b for the matrix of a Cholesky factor."""
    from scipy.linalg.lapack import dpotrs

    return dpotrs(factor, b, lower=1)[0] if b.size else b.copy()


def cholesky_inverse(factor: Array) -> Array:
    """The inverse of the matrix of a Cholesky factor."""
    from scipy.linalg.lapack import dpotri

    half = dpotri(factor, lower=1)[0]
    half += np.tril(half, -1).T
    return half


def lu(A: Array) -> Array:
    """The LU factorization of A', with its pivots; the last is not 0 for a singular matrix."""
    from scipy.linalg.lapack import dgetrf

    return dgetrf(A.T)


def lu_solve(factor: Array, b: Array, turned: bool = False) -> Array:
    """A^-1 b for the matrix of an LU factorization, or A^-T b."""
    from scipy.linalg.lapack import dgetrs

    if factor[2]:
        raise np.linalg.LinAlgError("a matrix to be inverted is singular")
    return dgetrs(factor[0], factor[1], b, trans=0 if turned else 1)[0] if b.size else b.copy()


def lu_inverse(factor: Array) -> Array:
    """The inverse of the matrix of an LU factorization."""
    from scipy.linalg.lapack import dgetri

    if factor[2]:
        raise np.linalg.LinAlgError("a matrix to be inverted is singular")
    return dgetri(factor[0], factor[1])[0].T


def lu_det(factor: Array) -> Array:
    """The determinant of the matrix of an LU factorization."""
    swaps = np.count_nonzero(factor[1] != np.arange(len(factor[1])))
    return factor[0].diagonal().prod() * (-1.0 if swaps % 2 else 1.0)


def lower_solve(L: Array, b: Array, turned: bool = False) -> Array:
    """L^-1 b for a lower triangular matrix, or L^-T b."""
    from scipy.linalg.lapack import dtrtrs

    x, info = dtrtrs(L.T, b, lower=0, trans=0 if turned else 1)
    if info:
        raise np.linalg.LinAlgError("a matrix to be inverted is singular")
    return x


def upper_solve(U: Array, b: Array, turned: bool = False) -> Array:
    """U^-1 b for an upper triangular matrix, or U^-T b."""
    from scipy.linalg.lapack import dtrtrs

    x, info = dtrtrs(U.T, b, lower=1, trans=0 if turned else 1)
    if info:
        raise np.linalg.LinAlgError("a matrix to be inverted is singular")
    return x


def lower_inverse(L: Array) -> Array:
    """The inverse of a lower triangular matrix."""
    from scipy.linalg.lapack import dtrtri

    inverse, info = dtrtri(L.T, lower=0)
    if info:
        raise np.linalg.LinAlgError("a matrix to be inverted is singular")
    return inverse.T


def upper_inverse(U: Array) -> Array:
    """The inverse of an upper triangular matrix."""
    from scipy.linalg.lapack import dtrtri

    inverse, info = dtrtri(U.T, lower=1)
    if info:
        raise np.linalg.LinAlgError("a matrix to be inverted is singular")
    return inverse.T
