"""y = eigmax(S) and its derivative by S.

derivative: eigvecmax(S) eigvecmax(S)'

S: symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, S):
    """The value."""
    S, _ = _arguments(S)
    return _eigmax(S)


def derivative(*, S):
    """The derivative by S."""
    S, _ = _arguments(S)
    v1 = _eigvecmax(S)
    return v1[:, None] * v1


def value_and_derivative(*, S):
    """Both, with shared work."""
    S, _ = _arguments(S)
    v1 = _eigvecmax(S)
    return _eigmax(S), v1[:, None] * v1


def _arguments(S):
    """The arguments, checked, and the size n."""
    try:
        n, _ = S.shape
        if S.shape == (n, n) and S.dtype is _FLOAT64:
            return S, n
    except (AttributeError, ValueError):
        pass
    S = _array("S", S, 2)
    n, _ = S.shape
    _expect("S", S.shape, (n, n), "(n, n)")
    return S, n


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


def _eigmax(X):
    """The largest eigenvalue of (X + X')/2."""
    return np.linalg.eigvalsh((X + X.T) / 2)[-1]


def _signed(v):
    """v or -v: the one whose largest entry by absolute value is positive."""
    return v * (1.0 if v[np.argmax(np.abs(v))] >= 0 else -1.0)


def _eigvecmax(X):
    """The unit eigenvector of the largest eigenvalue of (X + X')/2."""
    return _signed(np.linalg.eigh((X + X.T) / 2)[1][:, -1])
