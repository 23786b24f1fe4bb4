"""y = sum(k=1:n, x[k]^k) and its derivative by x.

derivative: sum(k=1:n, k x[k]^(k - 1) e_k)

x: vector, shape (n,)

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, x):
    """The value."""
    x, n = _arguments(x)
    c2 = 0.0
    for k in range(1, n + 1):
        c1 = x[k - 1] ** k
        c2 = c2 + c1
    return c2


def derivative(*, x):
    """The derivative by x."""
    x, n = _arguments(x)
    v2 = np.zeros((n,))
    for k in range(1, n + 1):
        v1 = k * x[k - 1] ** (k - 1) * np.eye(n)[k - 1]
        v2 = v2 + v1
    return v2


def value_and_derivative(*, x):
    """Both, with shared work."""
    x, n = _arguments(x)
    c2 = 0.0
    for k in range(1, n + 1):
        c1 = x[k - 1] ** k
        c2 = c2 + c1
    v2 = np.zeros((n,))
    for k1 in range(1, n + 1):
        v1 = k1 * x[k1 - 1] ** (k1 - 1) * np.eye(n)[k1 - 1]
        v2 = v2 + v1
    return c2, v2


def _arguments(x):
    """The arguments, checked, and the size n."""
    try:
        n, = x.shape
        if x.dtype is _FLOAT64:
            return x, n
    except (AttributeError, ValueError):
        pass
    x = _array("x", x, 1)
    n, = x.shape
    return x, n


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
