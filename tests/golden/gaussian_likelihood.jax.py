"""y = -(ln det(Σ))/2 - tr(Σ^-1 C)/2 and its derivative by Σ.

derivative: (Σ^-1 C Σ^-1 - Σ^-1)/2

Sigma: invertible spd symmetric matrix, shape (n, n)
C: symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg


def value(*, Sigma, C):
    """The value."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = jnp.linalg.cholesky(Sigma)
    c1 = -0.5 * (2 * jnp.log(factor1.diagonal()).sum()) - 0.5 * jax.scipy.linalg.cho_solve((factor1, True), C).diagonal().sum()
    return c1


def derivative(*, Sigma, C):
    """The derivative by Σ."""
    Sigma, C, n = _arguments(Sigma, C)
    factor1 = jnp.linalg.cholesky(Sigma)
    M1 = jax.scipy.linalg.cho_solve((factor1, True), jnp.eye(n, dtype=Sigma.dtype))
    return 0.5 * (M1 @ (C @ M1) - M1)


def value_and_derivative(*, Sigma, C):
    """Both, with shared work."""
    Sigma, C, n = _arguments(Sigma, C)
    factor1 = jnp.linalg.cholesky(Sigma)
    M1 = jax.scipy.linalg.cho_solve((factor1, True), jnp.eye(n, dtype=Sigma.dtype))
    M2 = M1 @ C
    return -0.5 * (2 * jnp.log(factor1.diagonal()).sum()) - 0.5 * M2.diagonal().sum(), 0.5 * (M1 @ M2.T - M1)


def _arguments(Sigma, C):
    """The arguments, checked, and the size n."""
    Sigma = _array("Sigma", Sigma, 2)
    C = _array("C", C, 2)
    n, _ = Sigma.shape
    _expect("Sigma", Sigma.shape, (n, n), "(n, n)")
    _expect("C", C.shape, (n, n), "(n, n)")
    return Sigma, C, n


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
