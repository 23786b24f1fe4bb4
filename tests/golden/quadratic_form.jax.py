"""y = x' A x and its derivative by x.

derivative: (A + A') x

x: vector, shape (n,)
A: matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import jax.numpy as jnp


def value(*, x, A):
    """The value."""
    x, A, _ = _arguments(x, A)
    return x @ (A @ x)


def derivative(*, x, A):
    """The derivative by x."""
    x, A, _ = _arguments(x, A)
    return A @ x + x @ A


def value_and_derivative(*, x, A):
    """Both, with shared work."""
    x, A, _ = _arguments(x, A)
    v1 = A @ x
    return x @ v1, v1 + x @ A


def _arguments(x, A):
    """The arguments, checked, and the size n."""
    x = _array("x", x, 1)
    A = _array("A", A, 2)
    n, = x.shape
    _expect("A", A.shape, (n, n), "(n, n)")
    return x, A, n


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
