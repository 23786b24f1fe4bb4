"""y = sum(logsumexp(X W, 2)) - tr(Y' X W) and its derivative by W.

derivative: X' (softmax(X W, 2) - Y)

X: matrix, shape (m, n)
W: matrix, shape (n, p)
Y: matrix, shape (m, p)

Written by matgrad 0.1.0.
"""

import torch


def value(*, X, W, Y):
    """The value."""
    X, W, Y, _, _, _ = _arguments(X, W, Y)
    M1 = X @ W
    v1 = torch.amax(M1, 1)
    return torch.sum(torch.log(torch.sum(torch.exp(M1 - v1[:, None]), 1)) + v1) - torch.sum(Y * M1)


def derivative(*, X, W, Y):
    """The derivative by W."""
    X, W, Y, _, _, _ = _arguments(X, W, Y)
    M1 = X @ W
    M2 = torch.exp(M1 - torch.amax(M1, 1)[:, None])
    return X.T @ (M2 / torch.sum(M2, 1)[:, None] - Y)


def value_and_derivative(*, X, W, Y):
    """Both, with shared work."""
    X, W, Y, _, _, _ = _arguments(X, W, Y)
    M1 = X @ W
    v1 = torch.amax(M1, 1)
    M2 = torch.exp(M1 - v1[:, None])
    v2 = torch.sum(M2, 1)
    return torch.sum(torch.log(v2) + v1) - torch.sum(Y * M1), X.T @ (M2 / v2[:, None] - Y)


def _arguments(X, W, Y):
    """The arguments, checked, and the sizes m, n, p."""
    X = _array("X", X, 2, None)
    W = _array("W", W, 2, X)
    Y = _array("Y", Y, 2, X)
    m, n = X.shape
    _, p = W.shape
    _expect("W", W.shape, (n, p), "(n, p)")
    _expect("Y", Y.shape, (m, p), "(m, p)")
    return X, W, Y, m, n, p


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
