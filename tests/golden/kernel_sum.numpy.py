"""y = sum(exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X'))) and its derivative by X.

derivative: 4 g (exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) - diag(exp(-g
    (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) ones(n))) X

g: nonzero positive number
X: matrix, shape (n, d)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, g, X):
    """The value."""
    g, X, _, _ = _arguments(g, X)
    v1 = np.einsum('ij,ij->i', X, X)
    M1 = 2 * X.dot(X.T)
    M1 -= v1[:, None]
    M1 -= v1[None, :]
    M1 *= g
    np.exp(M1, out=M1)
    return M1.sum()


def derivative(*, g, X):
    """The derivative by X."""
    g, X, _, _ = _arguments(g, X)
    v1 = np.einsum('ij,ij->i', X, X)
    M1 = 2 * X.dot(X.T)
    M1 -= v1[:, None]
    M1 -= v1[None, :]
    M1 *= g
    np.exp(M1, out=M1)
    return 4 * g * (M1.dot(X) - M1.sum(axis=1)[:, None] * X)


def value_and_derivative(*, g, X):
    """Both, with shared work."""
    g, X, _, _ = _arguments(g, X)
    v1 = np.einsum('ij,ij->i', X, X)
    M1 = 2 * X.dot(X.T)
    M1 -= v1[:, None]
    M1 -= v1[None, :]
    M1 *= g
    np.exp(M1, out=M1)
    return M1.sum(), 4 * g * (M1.dot(X) - M1.sum(axis=1)[:, None] * X)


def _arguments(g, X):
    """The arguments, checked, and the sizes n, d."""
    try:
        n, d = X.shape
        if X.dtype is _FLOAT64 and type(g) is float:
            return g, X, n, d
    except (AttributeError, ValueError):
        pass
    g = _array("g", g, 0)
    X = _array("X", X, 2)
    n, d = X.shape
    return g, X, n, d


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
