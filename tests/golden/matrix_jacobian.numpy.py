"""y = A X B and its derivative by X.

derivative: kron(B', A)

A: matrix, shape (m, n)
X: matrix, shape (n, p)
B: matrix, shape (p, k)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, A, X, B):
    """The value."""
    A, X, B, _, _, _, _ = _arguments(A, X, B)
    return A.dot(X.dot(B))


def derivative(*, A, X, B):
    """The derivative by X."""
    A, _, B, _, _, _, _ = _arguments(A, X, B)
    return A[:, None, :, None] * B.T[None, :, None, :]


def value_and_derivative(*, A, X, B):
    """Both, with shared work."""
    A, X, B, _, _, _, _ = _arguments(A, X, B)
    return A.dot(X.dot(B)), A[:, None, :, None] * B.T[None, :, None, :]


def _arguments(A, X, B):
    """The arguments, checked, and the sizes m, n, p, k."""
    try:
        m, n = A.shape
        _, p = X.shape
        _, k = B.shape
        if (
            X.shape == (n, p)
            and B.shape == (p, k)
            and A.dtype is X.dtype is B.dtype is _FLOAT64
        ):
            return A, X, B, m, n, p, k
    except (AttributeError, ValueError):
        pass
    A = _array("A", A, 2)
    X = _array("X", X, 2)
    B = _array("B", B, 2)
    m, n = A.shape
    _, p = X.shape
    _, k = B.shape
    _expect("X", X.shape, (n, p), "(n, p)")
    _expect("B", B.shape, (p, k), "(p, k)")
    return A, X, B, m, n, p, k


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
