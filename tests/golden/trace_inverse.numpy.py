"""y = tr(A X^-1 B) and its derivative by X.

derivative: -(X^-1 B A X^-1)'

A: matrix, shape (m, n)
X: matrix, shape (n, n)
B: matrix, shape (n, m)

Written by matgrad 0.1.0.
"""

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs

_FLOAT64 = np.dtype(np.float64)


def value(*, A, X, B):
    """The value."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = _lu(X)
    return np.einsum('ij,ji->', A, _lu_solve(factor1, B))


def derivative(*, A, X, B):
    """The derivative by X."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = _lu(X)
    return -_lu_solve(factor1, B.dot(_lu_solve(factor1, A.T, turned=True).T)).T


def value_and_derivative(*, A, X, B):
    """Both, with shared work."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = _lu(X)
    M1 = _lu_solve(factor1, B)
    return np.einsum('ij,ji->', A, M1), -M1.dot(_lu_solve(factor1, A.T, turned=True).T).T


def _arguments(A, X, B):
    """The arguments, checked, and the sizes m, n."""
    try:
        m, n = A.shape
        if (
            X.shape == (n, n)
            and B.shape == (n, m)
            and A.dtype is X.dtype is B.dtype is _FLOAT64
        ):
            return A, X, B, m, n
    except (AttributeError, ValueError):
        pass
    A = _array("A", A, 2)
    X = _array("X", X, 2)
    B = _array("B", B, 2)
    m, n = A.shape
    _expect("X", X.shape, (n, n), "(n, n)")
    _expect("B", B.shape, (n, m), "(n, m)")
    return A, X, B, m, n


def _array(name, value, axes):
    """The value as an array of floats with this number of axes."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} should be real, not complex")
    if array.dtype.kind != "f":
        array = array.astype(float)
    if array.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not an array of shape {array.shape}")
    return array if axes else array[()]


def _expect(name, found, expected, meaning):
    """Raise ValueError for an array of another shape."""
    if tuple(found) != tuple(expected):
        raise ValueError(
            f"{name} should have the shape {meaning} = {tuple(expected)}, not {tuple(found)}"
        )


def _lu(A):
    """The LU factorization of A', with its pivots; the last is not 0 for a singular matrix."""
    return dgetrf(A.T)


def _lu_solve(factor, b, turned=False):
    """A^-1 b for the matrix of an LU factorization, or A^-T b."""
    if factor[2]:
        raise np.linalg.LinAlgError('a matrix to be inverted is singular')
    return dgetrs(factor[0], factor[1], b, trans=0 if turned else 1)[0] if b.size else b.copy()
