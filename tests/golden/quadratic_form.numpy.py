"""y = x' A x and its derivative by x.

derivative: (A + A') x

x: vector, shape (n,)
A: matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, x, A):
    """The value."""
    x, A, _ = _arguments(x, A)
    return x.dot(A.dot(x))


def derivative(*, x, A):
    """The derivative by x."""
    x, A, _ = _arguments(x, A)
    return A.dot(x) + x.dot(A)


def value_and_derivative(*, x, A):
    """Both, with shared work."""
    x, A, _ = _arguments(x, A)
    v1 = A.dot(x)
    return x.dot(v1), v1 + x.dot(A)


def _arguments(x, A):
    """The arguments, checked, and the size n."""
    try:
        n, = x.shape
        if A.shape == (n, n) and x.dtype is A.dtype is _FLOAT64:
            return x, A, n
    except (AttributeError, ValueError):
        pass
    x = _array("x", x, 1)
    A = _array("A", A, 2)
    n, = x.shape
    _expect("A", A.shape, (n, n), "(n, n)")
    return x, A, n


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
