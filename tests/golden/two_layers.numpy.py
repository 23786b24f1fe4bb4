"""y = norm2(W tanh(V x) - y)^2 and its derivative by V.

derivative: 2 ((W' (W tanh(V x) - y)) .* (1 - tanh(V x).^2)) x'

W: matrix, shape (m, n)
V: matrix, shape (n, p)
x: vector, shape (p,)
y: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, W, V, x, y):
    """The value."""
    W, V, x, y, _, _, _ = _arguments(W, V, x, y)
    v1 = W.dot(np.tanh(V.dot(x))) - y
    return v1.dot(v1)


def derivative(*, W, V, x, y):
    """The derivative by V."""
    W, V, x, y, _, _, _ = _arguments(W, V, x, y)
    v1 = np.tanh(V.dot(x))
    return ((W.dot(v1) - y).dot(W) * (1 - v1 ** 2))[:, None] * (2 * x)


def value_and_derivative(*, W, V, x, y):
    """Both, with shared work."""
    W, V, x, y, _, _, _ = _arguments(W, V, x, y)
    v1 = np.tanh(V.dot(x))
    v2 = W.dot(v1) - y
    return v2.dot(v2), (v2.dot(W) * (1 - v1 ** 2))[:, None] * (2 * x)


def _arguments(W, V, x, y):
    """The arguments, checked, and the sizes m, n, p."""
    try:
        m, n = W.shape
        _, p = V.shape
        if (
            V.shape == (n, p)
            and x.shape == (p,)
            and y.shape == (m,)
            and W.dtype is V.dtype is x.dtype is y.dtype is _FLOAT64
        ):
            return W, V, x, y, m, n, p
    except (AttributeError, ValueError):
        pass
    W = _array("W", W, 2)
    V = _array("V", V, 2)
    x = _array("x", x, 1)
    y = _array("y", y, 1)
    m, n = W.shape
    _, p = V.shape
    _expect("V", V.shape, (n, p), "(n, p)")
    _expect("x", x.shape, (p,), "(p,)")
    _expect("y", y.shape, (m,), "(m,)")
    return W, V, x, y, m, n, p


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
