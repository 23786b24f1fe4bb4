"""y = sum(log(1 + exp(X w)) - y .* (X w)) and its derivative by w.

derivative: X' diag(sigmoid(X w) .* (1 - sigmoid(X w))) X

X: matrix, shape (m, n)
w: vector, shape (n,)
y: vector, shape (m,)
v (of hvp): a direction, of the shape of w

Written by matgrad 0.1.0.
"""

import numpy as np
from scipy import special

_FLOAT64 = np.dtype(np.float64)


def value(*, X, w, y):
    """The value."""
    X, w, y, _, _ = _arguments(X, w, y)
    v1 = X.dot(w)
    return (np.logaddexp(0, v1) - y * v1).sum()


def derivative(*, X, w, y):
    """The derivative of order 2 by w."""
    X, w, _, _, _ = _arguments(X, w, y)
    v1 = special.expit(X.dot(w))
    M1 = np.sqrt(v1 * (1 - v1))[:, None] * X
    return M1.T.dot(M1)


def value_and_derivative(*, X, w, y):
    """Both, with shared work."""
    X, w, y, _, _ = _arguments(X, w, y)
    v1 = X.dot(w)
    v2 = special.expit(v1)
    M1 = np.sqrt(v2 * (1 - v2))[:, None] * X
    return (np.logaddexp(0, v1) - y * v1).sum(), M1.T.dot(M1)


def hvp(v, *, X, w, y):
    """The second derivative times a direction v of w's shape."""
    X, w, _, _, _ = _arguments(X, w, y)
    v = _direction(v, w)
    v1 = special.expit(X.dot(w))
    return (v1 * (1 - v1) * X.dot(v)).dot(X)


def _arguments(X, w, y):
    """The arguments, checked, and the sizes m, n."""
    try:
        m, n = X.shape
        if (
            w.shape == (n,)
            and y.shape == (m,)
            and X.dtype is w.dtype is y.dtype is _FLOAT64
        ):
            return X, w, y, m, n
    except (AttributeError, ValueError):
        pass
    X = _array("X", X, 2)
    w = _array("w", w, 1)
    y = _array("y", y, 1)
    m, n = X.shape
    _expect("w", w.shape, (n,), "(n,)")
    _expect("y", y.shape, (m,), "(m,)")
    return X, w, y, m, n


def _direction(v, w):
    """The direction, checked: of the shape of w."""
    try:
        if v.dtype is _FLOAT64 and v.shape == w.shape:
            return v
    except AttributeError:
        pass
    v = _array("v", v, 1)
    _expect("v", v.shape, w.shape, "(n,)")
    return v


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
