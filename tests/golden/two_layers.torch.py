"""y = norm2(W tanh(V x) - y)^2 and its derivative by V.

derivative: 2 ((W' (W tanh(V x) - y)) .* (1 - tanh(V x).^2)) x'

W: matrix, shape (m, n)
V: matrix, shape (n, p)
x: vector, shape (p,)
y: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import torch


def value(*, W, V, x, y):
    """The value."""
    W, V, x, y, _, _, _ = _arguments(W, V, x, y)
    v1 = W @ torch.tanh(V @ x) - y
    return v1 @ v1


def derivative(*, W, V, x, y):
    """The derivative by V."""
    W, V, x, y, _, _, _ = _arguments(W, V, x, y)
    v1 = torch.tanh(V @ x)
    return torch.outer((W @ v1 - y) @ W * (1 - v1 ** 2), 2 * x)


def value_and_derivative(*, W, V, x, y):
    """Both, with shared work."""
    W, V, x, y, _, _, _ = _arguments(W, V, x, y)
    v1 = torch.tanh(V @ x)
    v2 = W @ v1 - y
    return v2 @ v2, torch.outer(v2 @ W * (1 - v1 ** 2), 2 * x)


def _arguments(W, V, x, y):
    """The arguments, checked, and the sizes m, n, p."""
    W = _array("W", W, 2, None)
    V = _array("V", V, 2, W)
    x = _array("x", x, 1, W)
    y = _array("y", y, 1, W)
    m, n = W.shape
    _, p = V.shape
    _expect("V", V.shape, (n, p), "(n, p)")
    _expect("x", x.shape, (p,), "(p,)")
    _expect("y", y.shape, (m,), "(m,)")
    return W, V, x, y, m, n, p


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
