"""y = norm(T - U V')^2 and its derivative by U.

derivative: 2 kron(V' V, eye(m))

T: matrix, shape (m, n)
U: matrix, shape (m, p)
V: matrix, shape (n, p)
v (of hvp): a direction, of the shape of U

Written by matgrad 0.1.0.
"""

import torch


def value(*, T, U, V):
    """The value."""
    T, U, V, _, _, _ = _arguments(T, U, V)
    M1 = U @ V.T - T
    return torch.sum(M1 * M1)


def derivative(*, T, U, V):
    """The derivative of order 2 by U."""
    T, _, V, m, _, p = _arguments(T, U, V)
    M1 = (2 * (V.T @ V))[None, :, :]
    M2 = (M1[:, :, None, :] * torch.eye(m, dtype=T.dtype, device=T.device)[:, None, :, None]).expand((m, p, m, p))
    return M2


def value_and_derivative(*, T, U, V):
    """Both, with shared work."""
    T, U, V, m, _, p = _arguments(T, U, V)
    M1 = U @ V.T - T
    M2 = (2 * (V.T @ V))[None, :, :]
    M3 = (M2[:, :, None, :] * torch.eye(m, dtype=T.dtype, device=T.device)[:, None, :, None]).expand((m, p, m, p))
    return torch.sum(M1 * M1), M3


def hvp(v, *, T, U, V):
    """The second derivative times a direction v of U's shape."""
    T, U, V, _, _, _ = _arguments(T, U, V)
    v = _direction(v, U)
    return 2 * (v @ (V.T @ V))


def compressed(*, T, U, V):
    """The part of the derivative that is not zero, without repetition.

    With C for what is returned, the derivative has the entries

        (i == k)*C[j, l]
    """
    T, _, V, _, _, _ = _arguments(T, U, V)
    return 2 * (V.T @ V)


def _arguments(T, U, V):
    """The arguments, checked, and the sizes m, n, p."""
    T = _array("T", T, 2, None)
    U = _array("U", U, 2, T)
    V = _array("V", V, 2, T)
    m, n = T.shape
    _, p = U.shape
    _expect("U", U.shape, (m, p), "(m, p)")
    _expect("V", V.shape, (n, p), "(n, p)")
    return T, U, V, m, n, p


def _direction(v, U):
    """The direction, checked: of the shape of U."""
    v = _array("v", v, 2, U)
    _expect("v", v.shape, U.shape, "(m, p)")
    return v


def _array(name, value, axes, like):
    """The value as a tensor of floats with this number of axes."""
    if not isinstance(value, torch.Tensor):
        if isinstance(like, torch.Tensor) and like.is_floating_point():
            value = torch.as_tensor(value, dtype=like.dtype, device=like.device)
        else:
            value = torch.as_tensor(value, dtype=torch.float64)
    if value.is_complex():
        raise ValueError(f"{name} should be real, not complex")
    if not value.is_floating_point():
        value = value.to(torch.float64)
    if value.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not a tensor of shape {tuple(value.shape)}")
    return value


def _expect(name, found, expected, meaning):
    """Raise ValueError for an array of another shape."""
    if tuple(found) != tuple(expected):
        raise ValueError(
            f"{name} should have the shape {meaning} = {tuple(expected)}, not {tuple(found)}"
        )
