"""y = y' (K + s I)^-1 y/2 + (ln det(K + s I))/2 and its derivative by K.

derivative: (K + s I)^-1 (I - y y' (K + s I)^-1)/2

y: vector, shape (n,)
K: invertible spd symmetric matrix, shape (n, n)
s: nonzero positive number

Written by matgrad 0.1.0.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

_FLOAT64 = np.dtype(np.float64)


def value(*, y, K, s):
    """The value."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K.copy()
    M1.flat[:: n + 1] += s
    factor1 = _cholesky(M1)
    return 0.5 * y.dot(_cholesky_solve(factor1, y)) + 0.5 * (2 * np.log(factor1.diagonal()).sum())


def derivative(*, y, K, s):
    """The derivative by K."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K.copy()
    M1.flat[:: n + 1] += s
    factor1 = _cholesky(M1)
    v1 = _cholesky_solve(factor1, y)
    return 0.5 * (_cholesky_inverse(factor1) - v1[:, None] * v1)


def value_and_derivative(*, y, K, s):
    """Both, with shared work."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K.copy()
    M1.flat[:: n + 1] += s
    factor1 = _cholesky(M1)
    v1 = _cholesky_solve(factor1, y)
    return 0.5 * y.dot(v1) + 0.5 * (2 * np.log(factor1.diagonal()).sum()), 0.5 * (_cholesky_inverse(factor1) - v1[:, None] * v1)


def _arguments(y, K, s):
    """The arguments, checked, and the size n."""
    try:
        n, = y.shape
        if K.shape == (n, n) and y.dtype is K.dtype is _FLOAT64 and type(s) is float:
            return y, K, s, n
    except (AttributeError, ValueError):
        pass
    y = _array("y", y, 1)
    K = _array("K", K, 2)
    s = _array("s", s, 0)
    n, = y.shape
    _expect("K", K.shape, (n, n), "(n, n)")
    return y, K, s, n


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


def _cholesky_inverse(factor):
    """The inverse of the matrix of a Cholesky factor."""
    half = dpotri(factor, lower=1)[0]
    half += np.tril(half, -1).T
    return half
