"""y = norm2(kron(A, B) vec(X))^2 and its derivative by X.

derivative: 2 B' B X A' A

A: matrix, shape (p, n)
B: matrix, shape (q, m)
X: matrix, shape (m, n)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, A, B, X):
    """The value."""
    A, B, X, _, _, _, _ = _arguments(A, B, X)
    v1 = A.dot(B.dot(X).T).T.T.reshape(-1)
    return v1.dot(v1)


def derivative(*, A, B, X):
    """The derivative by X."""
    A, B, X, _, _, _, _ = _arguments(A, B, X)
    return 2 * B.T.dot(B.dot(X.dot(A.T.dot(A))))


def value_and_derivative(*, A, B, X):
    """Both, with shared work."""
    A, B, X, _, _, _, _ = _arguments(A, B, X)
    v1 = A.dot(B.dot(X).T).T.T.reshape(-1)
    return v1.dot(v1), 2 * B.T.dot(B.dot(X.dot(A.T.dot(A))))


def _arguments(A, B, X):
    """The arguments, checked, and the sizes p, n, q, m."""
    try:
        p, n = A.shape
        q, m = B.shape
        if X.shape == (m, n) and A.dtype is B.dtype is X.dtype is _FLOAT64:
            return A, B, X, p, n, q, m
    except (AttributeError, ValueError):
        pass
    A = _array("A", A, 2)
    B = _array("B", B, 2)
    X = _array("X", X, 2)
    p, n = A.shape
    q, m = B.shape
    _expect("X", X.shape, (m, n), "(m, n)")
    return A, B, X, p, n, q, m


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
