"""y = sum(logsumexp(X W, 2)) - tr(Y' X W) and its derivative by W.

derivative: X' (softmax(X W, 2) - Y)

X: matrix, shape (m, n)
W: matrix, shape (n, p)
Y: matrix, shape (m, p)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, X, W, Y):
    """The value."""
    X, W, Y, _, _, _ = _arguments(X, W, Y)
    M1 = X.dot(W)
    v1 = M1.max(axis=1)
    M2 = M1 - v1[:, None]
    np.exp(M2, out=M2)
    return (np.log(M2.sum(axis=1)) + v1).sum() - np.vdot(Y, M1)


def derivative(*, X, W, Y):
    """The derivative by W."""
    X, W, Y, _, _, _ = _arguments(X, W, Y)
    M1 = X.dot(W)
    M2 = M1 - M1.max(axis=1)[:, None]
    np.exp(M2, out=M2)
    return X.T.dot(M2 / M2.sum(axis=1)[:, None] - Y)


def value_and_derivative(*, X, W, Y):
    """Both, with shared work."""
    X, W, Y, _, _, _ = _arguments(X, W, Y)
    M1 = X.dot(W)
    v1 = M1.max(axis=1)
    M2 = M1 - v1[:, None]
    np.exp(M2, out=M2)
    v2 = M2.sum(axis=1)
    return (np.log(v2) + v1).sum() - np.vdot(Y, M1), X.T.dot(M2 / v2[:, None] - Y)


def _arguments(X, W, Y):
    """The arguments, checked, and the sizes m, n, p."""
    try:
        m, n = X.shape
        _, p = W.shape
        if (
            W.shape == (n, p)
            and Y.shape == (m, p)
            and X.dtype is W.dtype is Y.dtype is _FLOAT64
        ):
            return X, W, Y, m, n, p
    except (AttributeError, ValueError):
        pass
    X = _array("X", X, 2)
    W = _array("W", W, 2)
    Y = _array("Y", Y, 2)
    m, n = X.shape
    _, p = W.shape
    _expect("W", W.shape, (n, p), "(n, p)")
    _expect("Y", Y.shape, (m, p), "(m, p)")
    return X, W, Y, m, n, p


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
