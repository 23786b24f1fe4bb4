"""y = ln det(X' A X) and its derivative by X.

derivative: 2 A X (X' A X)^-1

X: matrix, shape (m, n)
A: invertible spd symmetric matrix, shape (m, m)

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg


def value(*, X, A):
    """The value."""
    X, A, _, _ = _arguments(X, A)
    factor1 = jnp.linalg.cholesky(X.T @ (A @ X))
    return 2 * jnp.log(factor1.diagonal()).sum()


def derivative(*, X, A):
    """The derivative by X."""
    X, A, _, _ = _arguments(X, A)
    M1 = A @ X
    factor1 = jnp.linalg.cholesky(X.T @ M1)
    return 2 * jax.scipy.linalg.cho_solve((factor1, True), M1.T).T


def value_and_derivative(*, X, A):
    """Both, with shared work."""
    X, A, _, _ = _arguments(X, A)
    M1 = A @ X
    factor1 = jnp.linalg.cholesky(X.T @ M1)
    return 2 * jnp.log(factor1.diagonal()).sum(), 2 * jax.scipy.linalg.cho_solve((factor1, True), M1.T).T


def _arguments(X, A):
    """The arguments, checked, and the sizes m, n."""
    X = _array("X", X, 2)
    A = _array("A", A, 2)
    m, n = X.shape
    _expect("A", A.shape, (m, m), "(m, m)")
    return X, A, m, n


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
