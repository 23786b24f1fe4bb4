"""y = sum(k=1:n, x[k]^k) and its derivative by x.

derivative: sum(k=1:n, k x[k]^(k - 1) e_k)

x: vector, shape (n,)

Written by matgrad 0.1.0.
"""

import jax.numpy as jnp


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
    v2 = jnp.zeros((n,), dtype=x.dtype)
    for k in range(1, n + 1):
        v1 = k * x[k - 1] ** (k - 1) * jnp.eye(n, dtype=x.dtype)[k - 1]
        v2 = v2 + v1
    return v2


def value_and_derivative(*, x):
    """Both, with shared work."""
    x, n = _arguments(x)
    c2 = 0.0
    for k in range(1, n + 1):
        c1 = x[k - 1] ** k
        c2 = c2 + c1
    v2 = jnp.zeros((n,), dtype=x.dtype)
    for k1 in range(1, n + 1):
        v1 = k1 * x[k1 - 1] ** (k1 - 1) * jnp.eye(n, dtype=x.dtype)[k1 - 1]
        v2 = v2 + v1
    return c2, v2


def _arguments(x):
    """The arguments, checked, and the size n."""
    x = _array("x", x, 1)
    n, = x.shape
    return x, n


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
