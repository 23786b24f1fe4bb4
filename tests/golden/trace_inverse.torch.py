"""y = tr(A X^-1 B) and its derivative by X.

derivative: -(X^-1 B A X^-1)'

A: matrix, shape (m, n)
X: matrix, shape (n, n)
B: matrix, shape (n, m)

Written by matgrad 0.1.0.
"""

import torch


def value(*, A, X, B):
    """The value."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = torch.linalg.lu_factor(X)
    return torch.sum(A.T * torch.linalg.lu_solve(*factor1, B))


def derivative(*, A, X, B):
    """The derivative by X."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = torch.linalg.lu_factor(X)
    M1 = torch.linalg.lu_solve(*factor1, B @ torch.linalg.lu_solve(*factor1, A.T, adjoint=True).T)
    return -M1.T


def value_and_derivative(*, A, X, B):
    """Both, with shared work."""
    A, X, B, _, _ = _arguments(A, X, B)
    factor1 = torch.linalg.lu_factor(X)
    M1 = torch.linalg.lu_solve(*factor1, B)
    return torch.sum(A.T * M1), -(M1 @ torch.linalg.lu_solve(*factor1, A.T, adjoint=True).T).T


def _arguments(A, X, B):
    """The arguments, checked, and the sizes m, n."""
    A = _array("A", A, 2, None)
    X = _array("X", X, 2, A)
    B = _array("B", B, 2, A)
    m, n = A.shape
    _expect("X", X.shape, (n, n), "(n, n)")
    _expect("B", B.shape, (n, m), "(n, m)")
    return A, X, B, m, n


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
