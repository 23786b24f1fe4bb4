"""y = sum(log(1 + exp(X w)) - y .* (X w)) and its derivative by w.

derivative: X' (sigmoid(X w) - y)

X: matrix, shape (m, n)
w: vector, shape (n,)
y: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp


def value(*, X, w, y):
    """The value."""
    X, w, y, _, _ = _arguments(X, w, y)
    v1 = X @ w
    return (jnp.logaddexp(0, v1) - y * v1).sum()


def derivative(*, X, w, y):
    """The derivative by w."""
    X, w, y, _, _ = _arguments(X, w, y)
    return (jax.nn.sigmoid(X @ w) - y) @ X


def value_and_derivative(*, X, w, y):
    """Both, with shared work."""
    X, w, y, _, _ = _arguments(X, w, y)
    v1 = X @ w
    return (jnp.logaddexp(0, v1) - y * v1).sum(), (jax.nn.sigmoid(v1) - y) @ X


def _arguments(X, w, y):
    """The arguments, checked, and the sizes m, n."""
    X = _array("X", X, 2)
    w = _array("w", w, 1)
    y = _array("y", y, 1)
    m, n = X.shape
    _expect("w", w.shape, (n,), "(n,)")
    _expect("y", y.shape, (m,), "(m,)")
    return X, w, y, m, n


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
