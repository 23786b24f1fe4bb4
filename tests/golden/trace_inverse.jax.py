"""y = tr(A X^-1 B) and its derivative by X.

derivative: -(X^-1 B A X^-1)'

A: matrix, shape (m, n)
X: matrix, shape (n, n)
B: matrix, shape (n, m)

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg


def value(*, A, X, B):
    """The value."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = jax.scipy.linalg.lu_factor(X)
    return jnp.vdot(A.T, jax.scipy.linalg.lu_solve(factor1, B))


def derivative(*, A, X, B):
    """The derivative by X."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = jax.scipy.linalg.lu_factor(X)
    M1 = jax.scipy.linalg.lu_solve(factor1, B @ jax.scipy.linalg.lu_solve(factor1, A.T, trans=1).T)
    return -M1.T


def value_and_derivative(*, A, X, B):
    """Both, with shared work."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = jax.scipy.linalg.lu_factor(X)
    M1 = jax.scipy.linalg.lu_solve(factor1, B)
    return jnp.vdot(A.T, M1), -(M1 @ jax.scipy.linalg.lu_solve(factor1, A.T, trans=1).T).T


def _arguments(A, X, B):
    """The arguments, checked, and the sizes m, n."""
    A = _array("A", A, 2)
    X = _array("X", X, 2)
    B = _array("B", B, 2)
    m, n = A.shape
    _expect("X", X.shape, (n, n), "(n, n)")
    _expect("B", B.shape, (n, m), "(n, m)")
    return A, X, B, m, n


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
