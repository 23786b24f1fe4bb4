"""y = -(ln det(Σ))/2 - tr(Σ^-1 C)/2 and its derivative by Σ.

derivative: (Σ^-1 C Σ^-1 - Σ^-1)/2

Sigma: invertible spd symmetric matrix, shape (n, n)
C: symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

_FLOAT64 = np.dtype(np.float64)


def value(*, Sigma, C):
    """The value."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = _cholesky(Sigma)
    c1 = -0.5 * (2 * np.log(factor1.diagonal()).sum()) - 0.5 * _cholesky_solve(factor1, C).diagonal().sum()
    return c1


def derivative(*, Sigma, C):
    """The derivative by Σ."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = _cholesky(Sigma)
    M1 = _cholesky_inverse(factor1)
    return 0.5 * (M1.dot(C.dot(M1)) - M1)


def value_and_derivative(*, Sigma, C):
    """Both, with shared work."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = _cholesky(Sigma)
    M1 = _cholesky_inverse(factor1)
    M2 = M1.dot(C)
    return -0.5 * (2 * np.log(factor1.diagonal()).sum()) - 0.5 * M2.diagonal().sum(), 0.5 * (M1.dot(M2.T) - M1)


def _arguments(Sigma, C):
    """The arguments, checked, and the size n."""
    try:
        n, _ = Sigma.shape
        if (
            Sigma.shape == (n, n)
            and C.shape == (n, n)
            and Sigma.dtype is C.dtype is _FLOAT64
        ):
            return Sigma, C, n
    except (AttributeError, ValueError):
        pass
    Sigma = _array("Sigma", Sigma, 2)
    C = _array("C", C, 2)
    n, _ = Sigma.shape
    _expect("Sigma", Sigma.shape, (n, n), "(n, n)")
    _expect("C", C.shape, (n, n), "(n, n)")
    return Sigma, C, n


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
