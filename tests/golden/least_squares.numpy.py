"""y = norm2(A x - b)^2 and its derivative by x.

derivative: 2 A' (A x - b)

A: matrix, shape (m, n)
x: vector, shape (n,)
b: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, A, x, b):
    """The value."""
    A, x, b, _, _ = _arguments(A, x, b)
    v1 = A.dot(x) - b
    return v1.dot(v1)


def derivative(*, A, x, b):
    """The derivative by x."""
    A, x, b, _, _ = _arguments(A, x, b)
    return 2 * (A.dot(x) - b).dot(A)


def value_and_derivative(*, A, x, b):
    """Both, with shared work."""
    A, x, b, _, _ = _arguments(A, x, b)
    v1 = A.dot(x) - b
    return v1.dot(v1), 2 * v1.dot(A)


def _arguments(A, x, b):
    """The arguments, checked, and the sizes m, n."""
    try:
        m, n = A.shape
        if (
            x.shape == (n,)
            and b.shape == (m,)
            and A.dtype is x.dtype is b.dtype is _FLOAT64
        ):
            return A, x, b, m, n
    except (AttributeError, ValueError):
        pass
    A = _array("A", A, 2)
    x = _array("x", x, 1)
    b = _array("b", b, 1)
    m, n = A.shape
    _expect("x", x.shape, (n,), "(n,)")
    _expect("b", b.shape, (m,), "(m,)")
    return A, x, b, m, n


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
