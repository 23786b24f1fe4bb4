"""y = norm2(kron(A, B) vec(X))^2 and its derivative by X.

derivative: 2 B' B X A' A

A: matrix, shape (p, n)
B: matrix, shape (q, m)
X: matrix, shape (m, n)

Written by matgrad 0.1.0.
"""

import torch


def value(*, A, B, X):
    """The value."""
    A, B, X, _, _, _, _ = _arguments(A, B, X)
    v1 = (A @ (B @ X).T).T.T.reshape(-1)
    return v1 @ v1


def derivative(*, A, B, X):
    """The derivative by X."""
    A, B, X, _, _, _, _ = _arguments(A, B, X)
    return 2 * (B.T @ (B @ (X @ (A.T @ A))))


def value_and_derivative(*, A, B, X):
    """Both, with shared work."""
    A, B, X, _, _, _, _ = _arguments(A, B, X)
    v1 = (A @ (B @ X).T).T.T.reshape(-1)
    return v1 @ v1, 2 * (B.T @ (B @ (X @ (A.T @ A))))


def _arguments(A, B, X):
    """The arguments, checked, and the sizes p, n, q, m."""
    A = _array("A", A, 2, None)
    B = _array("B", B, 2, A)
    X = _array("X", X, 2, A)
    p, n = A.shape
    q, m = B.shape
    _expect("X", X.shape, (m, n), "(m, n)")
    return A, B, X, p, n, q, m


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
