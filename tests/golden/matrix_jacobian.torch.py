"""y = A X B and its derivative by X.

derivative: kron(B', A)

A: matrix, shape (m, n)
X: matrix, shape (n, p)
B: matrix, shape (p, k)

Written by matgrad 0.1.0.
"""

import torch


def value(*, A, X, B):
    """The value."""
    A, X, B, _, _, _, _ = _arguments(A, X, B)
    return A @ (X @ B)


def derivative(*, A, X, B):
    """The derivative by X."""
    A, _, B, _, _, _, _ = _arguments(A, X, B)
    return A[:, None, :, None] * B.T[None, :, None, :]


def value_and_derivative(*, A, X, B):
    """Both, with shared work."""
    A, X, B, _, _, _, _ = _arguments(A, X, B)
    return A @ (X @ B), A[:, None, :, None] * B.T[None, :, None, :]


def _arguments(A, X, B):
    """The arguments, checked, and the sizes m, n, p, k."""
    A = _array("A", A, 2, None)
    X = _array("X", X, 2, A)
    B = _array("B", B, 2, A)
    m, n = A.shape
    _, p = X.shape
    _, k = B.shape
    _expect("X", X.shape, (n, p), "(n, p)")
    _expect("B", B.shape, (p, k), "(p, k)")
    return A, X, B, m, n, p, k


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
