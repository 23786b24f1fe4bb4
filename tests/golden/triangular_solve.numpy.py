"""y = norm2(L^-1 x)^2 and its derivative by x.

derivative: 2 L^-T L^-1 x

L: lower matrix, shape (n, n)
x: vector, shape (n,)

Written by matgrad 0.1.0.
"""

import numpy as np
from scipy.linalg.lapack import dtrtrs

_FLOAT64 = np.dtype(np.float64)


def value(*, L, x):
    """The value."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = _lower_solve(factor1, x)
    return v1.dot(v1)


def derivative(*, L, x):
    """The derivative by x."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    return 2 * _lower_solve(factor1, _lower_solve(factor1, x), turned=True)


def value_and_derivative(*, L, x):
    """Both, with shared work."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = _lower_solve(factor1, x)
    return v1.dot(v1), 2 * _lower_solve(factor1, v1, turned=True)


def _arguments(L, x):
    """The arguments, checked, and the size n."""
    try:
        n, _ = L.shape
        if L.shape == (n, n) and x.shape == (n,) and L.dtype is x.dtype is _FLOAT64:
            return L, x, n
    except (AttributeError, ValueError):
        pass
    L = _array("L", L, 2)
    x = _array("x", x, 1)
    n, _ = L.shape
    _expect("L", L.shape, (n, n), "(n, n)")
    _expect("x", x.shape, (n,), "(n,)")
    return L, x, n


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


def _lower_solve(L, b, turned=False):
    """L^-1 b for a lower triangular matrix, or L^-T b."""
    x, info = dtrtrs(L.T, b, lower=0, trans=0 if turned else 1)
    if info:
        raise np.linalg.LinAlgError('a matrix to be inverted is singular')
    return x
