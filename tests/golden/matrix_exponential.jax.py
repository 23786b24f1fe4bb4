"""y = tr(B expm(A)) and its derivative by A.

derivative: dexpm(A, B)'

B: matrix, shape (n, n)
A: matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg


def value(*, B, A):
    """The value."""
    B, A, _ = _arguments(B, A)
    return jnp.vdot(B.T, jax.scipy.linalg.expm(A))


def derivative(*, B, A):
    """The derivative by A."""
    B, A, _ = _arguments(B, A)
    return _frechet(jax.scipy.linalg.expm, A, B).T


def value_and_derivative(*, B, A):
    """Both, with shared work."""
    B, A, _ = _arguments(B, A)
    return jnp.vdot(B.T, jax.scipy.linalg.expm(A)), _frechet(jax.scipy.linalg.expm, A, B).T


def _arguments(B, A):
    """The arguments, checked, and the size n."""
    B = _array("B", B, 2)
    A = _array("A", A, 2)
    n, _ = B.shape
    _expect("B", B.shape, (n, n), "(n, n)")
    _expect("A", A.shape, (n, n), "(n, n)")
    return B, A, n


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


def _frechet(function, X, E):
    """The derivative of a matrix function at X in the direction E."""
    n = X.shape[0]
    return function(jnp.block([[X, E], [jnp.zeros_like(X), X]]))[:n, n:]
