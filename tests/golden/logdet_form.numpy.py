"""y = ln det(X' A X) and its derivative by X.

derivative: 2 A X (X' A X)^-1

X: matrix, shape (m, n)
A: invertible spd symmetric matrix, shape (m, m)

Written by matgrad 0.1.0.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

_FLOAT64 = np.dtype(np.float64)


def value(*, X, A):
    """The value."""
    X, A, _, _ = _arguments(X, A)
    factor1 = _cholesky(X.T.dot(A.dot(X)))
    return 2 * np.log(factor1.diagonal()).sum()


def derivative(*, X, A):
    """The derivative by X."""
    X, A, _, _ = _arguments(X, A)
    M1 = A.dot(X)
    factor1 = _cholesky(X.T.dot(M1))
    return 2 * _cholesky_solve(factor1, M1.T).T


def value_and_derivative(*, X, A):
    """Both, with shared work."""
    X, A, _, _ = _arguments(X, A)
    M1 = A.dot(X)
    factor1 = _cholesky(X.T.dot(M1))
    return 2 * np.log(factor1.diagonal()).sum(), 2 * _cholesky_solve(factor1, M1.T).T


def _arguments(X, A):
    """The arguments, checked, and the sizes m, n."""
    try:
        m, n = X.shape
        if A.shape == (m, m) and X.dtype is A.dtype is _FLOAT64:
            return X, A, m, n
    except (AttributeError, ValueError):
        pass
    X = _array("X", X, 2)
    A = _array("A", A, 2)
    m, n = X.shape
    _expect("A", A.shape, (m, m), "(m, m)")
    return X, A, m, n


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


def _cholesky(A):
    """The Cholesky factor L of a symmetric matrix L L', with zeros above the diagonal."""
    factor, info = dpotrf(A.T, lower=1)
    if info:
        raise np.linalg.LinAlgError('a matrix is not positive definite')
    return factor


def _cholesky_solve(factor, b):
    """A^-1 b for the matrix of a Cholesky factor."""
    return dpotrs(factor, b, lower=1)[0] if b.size else b.copy()
