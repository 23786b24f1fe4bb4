"""y = norm2(L^-1 x)^2 and its derivative by x.

derivative: 2 L^-T L^-1 x

L: lower matrix, shape (n, n)
x: vector, shape (n,)

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg


def value(*, L, x):
    """The value."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = jax.scipy.linalg.solve_triangular(factor1, x, lower=True)
    return v1 @ v1


def derivative(*, L, x):
    """The derivative by x."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = jax.scipy.linalg.solve_triangular(factor1, jax.scipy.linalg.solve_triangular(factor1, x, lower=True), lower=True, trans=1)
    return 2 * v1


def value_and_derivative(*, L, x):
    """Both, with shared work."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = jax.scipy.linalg.solve_triangular(factor1, x, lower=True)
    return v1 @ v1, 2 * jax.scipy.linalg.solve_triangular(factor1, v1, lower=True, trans=1)


def _arguments(L, x):
    """The arguments, checked, and the size n."""
    L = _array("L", L, 2)
    x = _array("x", x, 1)
    n, _ = L.shape
    _expect("L", L.shape, (n, n), "(n, n)")
    _expect("x", x.shape, (n,), "(n,)")
    return L, x, n


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
