"""y = λ norm1(x) + value' x and its derivative by x.

derivative: λ sign(x) + value

lambda_: number
x: vector, shape (n,)
value_: vector, shape (n,)
Renamed, because Python keeps the name: λ is lambda_, value is value_.

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, lambda_, x, value_):
    """The value."""
    lambda_, x, value_, _ = _arguments(lambda_, x, value_)
    return lambda_ * np.sum(np.abs(x)) + value_.dot(x)


def derivative(*, lambda_, x, value_):
    """The derivative by x."""
    lambda_, x, value_, _ = _arguments(lambda_, x, value_)
    return lambda_ * np.sign(x) + value_


def value_and_derivative(*, lambda_, x, value_):
    """Both, with shared work."""
    lambda_, x, value_, _ = _arguments(lambda_, x, value_)
    return lambda_ * np.sum(np.abs(x)) + value_.dot(x), lambda_ * np.sign(x) + value_


def _arguments(lambda_, x, value_):
    """The arguments, checked, and the size n."""
    try:
        n, = x.shape
        if (
            value_.shape == (n,)
            and x.dtype is value_.dtype is _FLOAT64
            and type(lambda_) is float
        ):
            return lambda_, x, value_, n
    except (AttributeError, ValueError):
        pass
    lambda_ = _array("lambda_", lambda_, 0)
    x = _array("x", x, 1)
    value_ = _array("value_", value_, 1)
    n, = x.shape
    _expect("value_", value_.shape, (n,), "(n,)")
    return lambda_, x, value_, n


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
