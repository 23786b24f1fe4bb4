"""y = sum(log(1 + exp(X w)) - y .* (X w)) and its derivative by w.

derivative: X' diag(sigmoid(X w) .* (1 - sigmoid(X w))) X

X: matrix, shape (m, n)
w: vector, shape (n,)
y: vector, shape (m,)
v (of hvp): a direction, of the shape of w

Written by matgrad 0.1.0.
"""

import torch


def value(*, X, w, y):
    """The value."""
    X, w, y, _, _ = _arguments(X, w, y)
    v1 = X @ w
    return torch.sum(torch.logaddexp(v1, torch.zeros_like(v1)) - y * v1)


def derivative(*, X, w, y):
    """The derivative of order 2 by w."""
    X, w, _, _, _ = _arguments(X, w, y)
    v1 = torch.sigmoid(X @ w)
    M1 = torch.sqrt(v1 * (1 - v1))[:, None] * X
    return M1.T @ M1


def value_and_derivative(*, X, w, y):
    """Both, with shared work."""
    X, w, y, _, _ = _arguments(X, w, y)
    v1 = X @ w
    v2 = torch.sigmoid(v1)
    M1 = torch.sqrt(v2 * (1 - v2))[:, None] * X
    return torch.sum(torch.logaddexp(v1, torch.zeros_like(v1)) - y * v1), M1.T @ M1


def hvp(v, *, X, w, y):
    """The second derivative times a direction v of w's shape."""
    X, w, _, _, _ = _arguments(X, w, y)
    v = _direction(v, w)
    v1 = torch.sigmoid(X @ w)
    return v1 * (1 - v1) * (X @ v) @ X


def _arguments(X, w, y):
    """The arguments, checked, and the sizes m, n."""
    X = _array("X", X, 2, None)
    w = _array("w", w, 1, X)
    y = _array("y", y, 1, X)
    m, n = X.shape
    _expect("w", w.shape, (n,), "(n,)")
    _expect("y", y.shape, (m,), "(m,)")
    return X, w, y, m, n


def _direction(v, w):
    """The direction, checked: of the shape of w."""
    v = _array("v", v, 1, w)
    _expect("v", v.shape, w.shape, "(n,)")
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
