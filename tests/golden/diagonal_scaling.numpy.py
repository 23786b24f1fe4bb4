"""y = tr(A' diag(d) A) and its derivative by d.

derivative: diag(A A')

A: matrix, shape (m, n)
d: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, A, d):
    """The value."""
    A, d, _, _ = _arguments(A, d)
    return np.vdot(A, d[:, None] * A)


def derivative(*, A, d):
    """The derivative by d."""
    A, _, _, _ = _arguments(A, d)
    return np.einsum('ij,ij->i', A, A)


def value_and_derivative(*, A, d):
    """Both, with shared work."""
    A, d, _, _ = _arguments(A, d)
    return np.vdot(A, d[:, None] * A), np.einsum('ij,ij->i', A, A)


def _arguments(A, d):
    """The arguments, checked, and the sizes m, n."""
    try:
        m, n = A.shape
        if d.shape == (m,) and A.dtype is d.dtype is _FLOAT64:
            return A, d, m, n
    except (AttributeError, ValueError):
        pass
    A = _array("A", A, 2)
    d = _array("d", d, 1)
    m, n = A.shape
    _expect("d", d.shape, (m,), "(m,)")
    return A, d, m, n


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
