"""y = ln det(X' A X) and its derivative by X.

derivative: 2 A X (X' A X)^-1

X: matrix, shape (m, n)
A: invertible spd symmetric matrix, shape (m, m)

Written by matgrad 0.1.0.
"""

import torch


def value(*, X, A):
    """The value."""
    X, A, _, _ = _arguments(X, A)
    factor1 = torch.linalg.cholesky(X.T @ (A @ X))
    return 2 * torch.sum(torch.log(torch.diagonal(factor1)))


def derivative(*, X, A):
    """The derivative by X."""
    X, A, _, _ = _arguments(X, A)
    M1 = A @ X
    factor1 = torch.linalg.cholesky(X.T @ M1)
    return 2 * torch.cholesky_solve(M1.T, factor1).T


def value_and_derivative(*, X, A):
    """Both, with shared work."""
    X, A, _, _ = _arguments(X, A)
    M1 = A @ X
    factor1 = torch.linalg.cholesky(X.T @ M1)
    return 2 * torch.sum(torch.log(torch.diagonal(factor1))), 2 * torch.cholesky_solve(M1.T, factor1).T


def _arguments(X, A):
    """The arguments, checked, and the sizes m, n."""
    X = _array("X", X, 2, None)
    A = _array("A", A, 2, X)
    m, n = X.shape
    _expect("A", A.shape, (m, m), "(m, m)")
    return X, A, m, n


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
