"""y = tr(B expm(A)) and its derivative by A.

derivative: dexpm(A, B)'

B: matrix, shape (n, n)
A: matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import numpy as np
import scipy.linalg

_FLOAT64 = np.dtype(np.float64)


def value(*, B, A):
    """The value."""
    B, A, _ = _arguments(B, A)
    return np.einsum('ij,ji->', B, _expm(A))


def derivative(*, B, A):
    """The derivative by A."""
    B, A, _ = _arguments(B, A)
    return _dexpm(A, B).T.copy()


def value_and_derivative(*, B, A):
    """Both, with shared work."""
    B, A, _ = _arguments(B, A)
    return np.einsum('ij,ji->', B, _expm(A)), _dexpm(A, B).T.copy()


def _arguments(B, A):
    """The arguments, checked, and the size n."""
    try:
        n, _ = B.shape
        if B.shape == (n, n) and A.shape == (n, n) and B.dtype is A.dtype is _FLOAT64:
            return B, A, n
    except (AttributeError, ValueError):
        pass
    B = _array("B", B, 2)
    A = _array("A", A, 2)
    n, _ = B.shape
    _expect("B", B.shape, (n, n), "(n, n)")
    _expect("A", A.shape, (n, n), "(n, n)")
    return B, A, n


def _array(name, value, axes):
    """The value as an array of floats with this number of axes."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} should be real, not complex")
    if array.dtype.kind != "f":
        array = array.astype(float)
    if array.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not an array of shape {array.shape}")
    return array if axes else array[()]


def _expect(name, found, expected, meaning):
    """Raise ValueError for an array of another shape."""
    if tuple(found) != tuple(expected):
        raise ValueError(
            f"{name} should have the shape {meaning} = {tuple(expected)}, not {tuple(found)}"
        )


def _finite(*arrays):
    for a in arrays:
        if not np.all(np.isfinite(a)):
            raise np.linalg.LinAlgError('an argument is not finite')


def _expm(X):
    """The matrix exponential."""
    _finite(X)
    return scipy.linalg.expm(X)


def _frechet(function, X, E):
    """The derivative of a matrix function at X in the direction E: the block above the diagonal of f([X, E; 0, X])."""
    n = len(X)
    scale = float(np.max(np.abs(E), initial=0))
    if scale == 0 or not np.isfinite(scale):
        return 0 * (X + E)
    return function(np.block([[X, E / scale], [np.zeros((n, n)), X]]))[:n, n:] * scale


def _dexpm(X, E):
    """The Fréchet derivative of `expm` at X in the direction E."""
    return _frechet(_expm, X, E)
