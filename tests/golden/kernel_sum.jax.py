"""y = sum(exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X'))) and its derivative by X.

derivative: 4 g (exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) - diag(exp(-g
    (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) ones(n))) X

g: nonzero positive number
X: matrix, shape (n, d)

Written by matgrad 0.1.0.
"""

import jax.numpy as jnp


def value(*, g, X):
    """The value."""
    g, X, _, _ = _arguments(g, X)
    v1 = jnp.einsum('ij,ij->i', X, X)
    return jnp.exp(g * (2 * (X @ X.T) - v1[:, None] - v1[None, :])).sum()


def derivative(*, g, X):
    """The derivative by X."""
    g, X, _, _ = _arguments(g, X)
    v1 = jnp.einsum('ij,ij->i', X, X)
    M1 = jnp.exp(g * (2 * (X @ X.T) - v1[:, None] - v1[None, :]))
    return 4 * g * (M1 @ X - M1.sum(axis=1)[:, None] * X)


def value_and_derivative(*, g, X):
    """Both, with shared work."""
    g, X, _, _ = _arguments(g, X)
    v1 = jnp.einsum('ij,ij->i', X, X)
    M1 = jnp.exp(g * (2 * (X @ X.T) - v1[:, None] - v1[None, :]))
    return M1.sum(), 4 * g * (M1 @ X - M1.sum(axis=1)[:, None] * X)


def _arguments(g, X):
    """The arguments, checked, and the sizes n, d."""
    g = _array("g", g, 0)
    X = _array("X", X, 2)
    n, d = X.shape
    return g, X, n, d


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
