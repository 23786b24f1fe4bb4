"""y = λ norm1(x) + value' x and its derivative by x.

derivative: λ sign(x) + value

lambda_: number
x: vector, shape (n,)
value_: vector, shape (n,)
Renamed, because Python keeps the name: λ is lambda_, value is value_.

Written by matgrad 0.1.0.
"""

import jax.numpy as jnp


def value(*, lambda_, x, value_):
    """The value."""
    lambda_, x, value_, _ = _arguments(lambda_, x, value_)
    return lambda_ * jnp.sum(jnp.abs(x)) + value_ @ x


def derivative(*, lambda_, x, value_):
    """The derivative by x."""
    lambda_, x, value_, _ = _arguments(lambda_, x, value_)
    return lambda_ * jnp.sign(x) + value_


def value_and_derivative(*, lambda_, x, value_):
    """Both, with shared work."""
    lambda_, x, value_, _ = _arguments(lambda_, x, value_)
    return lambda_ * jnp.sum(jnp.abs(x)) + value_ @ x, lambda_ * jnp.sign(x) + value_


def _arguments(lambda_, x, value_):
    """The arguments, checked, and the size n."""
    lambda_ = _array("lambda_", lambda_, 0)
    x = _array("x", x, 1)
    value_ = _array("value_", value_, 1)
    n, = x.shape
    _expect("value_", value_.shape, (n,), "(n,)")
    return lambda_, x, value_, n


def _array(name, value, axes):
    """The value as an array of floats with this number of axes."""
    array = jnp.asarray(value)
    if jnp.iscomplexobj(array):
        raise ValueError(f"{name} should be real, not complex")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(float)
    if array.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not an array of shape {array.shape}")
    return array


def _expect(name, found, expected, meaning):
    """Raise ValueError for an array of another shape."""
    if tuple(found) != tuple(expected):
        raise ValueError(
            f"{name} should have the shape {meaning} = {tuple(expected)}, not {tuple(found)}"
        )
