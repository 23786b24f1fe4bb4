"""y = eigmax(S) and its derivative by S.

derivative: eigvecmax(S) eigvecmax(S)'

S: symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import jax.numpy as jnp


def value(*, S):
    """The value."""
    S, _ = _arguments(S)
    return jnp.linalg.eigvalsh(S)[-1]


def derivative(*, S):
    """The derivative by S."""
    S, _ = _arguments(S)
    v1 = _eigvecmax(S)
    return jnp.outer(v1, v1)


def value_and_derivative(*, S):
    """Both, with shared work."""
    S, _ = _arguments(S)
    v1 = _eigvecmax(S)
    return jnp.linalg.eigvalsh(S)[-1], jnp.outer(v1, v1)


def _arguments(S):
    """The arguments, checked, and the size n."""
    S = _array("S", S, 2)
    n, _ = S.shape
    _expect("S", S.shape, (n, n), "(n, n)")
    return S, n


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


def _signed(v):
    """v or -v: the one whose largest entry by absolute value is positive."""
    return v * jnp.where(v[jnp.argmax(jnp.abs(v))] >= 0, 1.0, -1.0)


def _eigvecmax(X):
    """The unit eigenvector of the largest eigenvalue of (X + X')/2."""
    return _signed(jnp.linalg.eigh((X + X.T) / 2)[1][:, -1])
