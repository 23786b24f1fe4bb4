"""y = y' (K + s I)^-1 y/2 + (ln det(K + s I))/2 and its derivative by K.

derivative: (K + s I)^-1 (I - y y' (K + s I)^-1)/2

y: vector, shape (n,)
K: invertible spd symmetric matrix, shape (n, n)
s: nonzero positive number

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg


def value(*, y, K, s):
    """The value."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K + s * jnp.eye(n, dtype=y.dtype)
    factor1 = jnp.linalg.cholesky(M1)
    c1 = 0.5 * (y @ jax.scipy.linalg.cho_solve((factor1, True), y)) + 0.5 * (2 * jnp.log(factor1.diagonal()).sum())
    return c1


def derivative(*, y, K, s):
    """The derivative by K."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K + s * jnp.eye(n, dtype=y.dtype)
    factor1 = jnp.linalg.cholesky(M1)
    v1 = jax.scipy.linalg.cho_solve((factor1, True), y)
    M2 = jax.scipy.linalg.cho_solve((factor1, True), jnp.eye(n, dtype=y.dtype)) - jnp.outer(v1, v1)
    return 0.5 * M2


def value_and_derivative(*, y, K, s):
    """Both, with shared work."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K + s * jnp.eye(n, dtype=y.dtype)
    factor1 = jnp.linalg.cholesky(M1)
    v1 = jax.scipy.linalg.cho_solve((factor1, True), y)
    M2 = jax.scipy.linalg.cho_solve((factor1, True), jnp.eye(n, dtype=y.dtype)) - jnp.outer(v1, v1)
    return 0.5 * (y @ v1) + 0.5 * (2 * jnp.log(factor1.diagonal()).sum()), 0.5 * M2


def _arguments(y, K, s):
    """The arguments, checked, and the size n."""
    y = _array("y", y, 1)
    K = _array("K", K, 2)
    s = _array("s", s, 0)
    n, = y.shape
    _expect("K", K.shape, (n, n), "(n, n)")
    return y, K, s, n


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
