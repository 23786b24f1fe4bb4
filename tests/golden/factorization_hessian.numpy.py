"""y = norm(T - U V')^2 and its derivative by U.

derivative: 2 kron(V' V, eye(m))

T: matrix, shape (m, n)
U: matrix, shape (m, p)
V: matrix, shape (n, p)
v (of hvp): a direction, of the shape of U

Written by matgrad 0.1.0.
"""

import numpy as np

_FLOAT64 = np.dtype(np.float64)


def value(*, T, U, V):
    """The value."""
    T, U, V, _, _, _ = _arguments(T, U, V)
    M1 = U.dot(V.T) - T
    return np.vdot(M1, M1)


def derivative(*, T, U, V):
    """The derivative of order 2 by U."""
    T, _, V, m, _, p = _arguments(T, U, V)
    M1 = (2 * V.T.dot(V))[None, :, :]
    M2 = np.zeros((m, p, m, p))
    np.einsum('ijik->ijk', M2)[...] = M1
    return M2


def value_and_derivative(*, T, U, V):
    """Both, with shared work."""
    T, U, V, m, _, p = _arguments(T, U, V)
    M1 = U.dot(V.T) - T
    M2 = (2 * V.T.dot(V))[None, :, :]
    M3 = np.zeros((m, p, m, p))
    np.einsum('ijik->ijk', M3)[...] = M2
    return np.vdot(M1, M1), M3


def hvp(v, *, T, U, V):
    """The second derivative times a direction v of U's shape."""
    T, U, V, _, _, _ = _arguments(T, U, V)
    v = _direction(v, U)
    return 2 * v.dot(V.T.dot(V))


def compressed(*, T, U, V):
    """The part of the derivative that is not zero, without repetition.

    With C for what is returned, the derivative has the entries

        (i == k)*C[j, l]
    """
    T, _, V, _, _, _ = _arguments(T, U, V)
    return 2 * V.T.dot(V)


def _arguments(T, U, V):
    """The arguments, checked, and the sizes m, n, p."""
    try:
        m, n = T.shape
        _, p = U.shape
        if (
            U.shape == (m, p)
            and V.shape == (n, p)
            and T.dtype is U.dtype is V.dtype is _FLOAT64
        ):
            return T, U, V, m, n, p
    except (AttributeError, ValueError):
        pass
    T = _array("T", T, 2)
    U = _array("U", U, 2)
    V = _array("V", V, 2)
    m, n = T.shape
    _, p = U.shape
    _expect("U", U.shape, (m, p), "(m, p)")
    _expect("V", V.shape, (n, p), "(n, p)")
    return T, U, V, m, n, p


def _direction(v, U):
    """The direction, checked: of the shape of U."""
    try:
        if v.dtype is _FLOAT64 and v.shape == U.shape:
            return v
    except AttributeError:
        pass
    v = _array("v", v, 2)
    _expect("v", v.shape, U.shape, "(m, p)")
    return v


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
