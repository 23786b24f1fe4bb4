"""y = sum(exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X'))) and its derivative by X.

derivative: 4 g (exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) - diag(exp(-g
    (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) ones(n))) X

g: nonzero positive number
X: matrix, shape (n, d)

Written by matgrad 0.1.0.
"""

import torch


def value(*, g, X):
    """The value."""
    g, X, _, _ = _arguments(g, X)
    v1 = torch.sum(X * X, 1)
    return torch.sum(torch.exp(g * (2 * (X @ X.T) - v1[:, None] - v1[None, :])))


def derivative(*, g, X):
    """The derivative by X."""
    g, X, _, _ = _arguments(g, X)
    v1 = torch.sum(X * X, 1)
    M1 = torch.exp(g * (2 * (X @ X.T) - v1[:, None] - v1[None, :]))
    return 4 * g * (M1 @ X - torch.sum(M1, 1)[:, None] * X)


def value_and_derivative(*, g, X):
    """Both, with shared work."""
    g, X, _, _ = _arguments(g, X)
    v1 = torch.sum(X * X, 1)
    M1 = torch.exp(g * (2 * (X @ X.T) - v1[:, None] - v1[None, :]))
    return torch.sum(M1), 4 * g * (M1 @ X - torch.sum(M1, 1)[:, None] * X)


def _arguments(g, X):
    """The arguments, checked, and the sizes n, d."""
    g = _array("g", g, 0, X)
    X = _array("X", X, 2, None)
    n, d = X.shape
    return g, X, n, d


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
