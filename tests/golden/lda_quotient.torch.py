"""y = w' A w/(w' B w) and its derivative by w.

derivative: 2 (A - (w' A w) B/(w' B w)) w/(w' B w)

w: vector, shape (n,)
A: symmetric matrix, shape (n, n)
B: invertible spd symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import torch


def value(*, w, A, B):
    """The value."""
    w, A, B, _ = _arguments(w, A, B)
    return 1 / (w @ (B @ w)) * (w @ (A @ w))


def derivative(*, w, A, B):
    """The derivative by w."""
    w, A, B, _ = _arguments(w, A, B)
    v1 = B @ w
    c1 = w @ v1
    v2 = A @ w
    return 2 / c1 * (v2 - w @ v2 / c1 * v1)


def value_and_derivative(*, w, A, B):
    """Both, with shared work."""
    w, A, B, _ = _arguments(w, A, B)
    v1 = B @ w
    c1 = w @ v1
    v2 = A @ w
    c2 = w @ v2
    return 1 / c1 * c2, 2 / c1 * (v2 - c2 / c1 * v1)


def _arguments(w, A, B):
    """The arguments, checked, and the size n."""
    w = _array("w", w, 1, None)
    A = _array("A", A, 2, w)
    B = _array("B", B, 2, w)
    n, = w.shape
    _expect("A", A.shape, (n, n), "(n, n)")
    _expect("B", B.shape, (n, n), "(n, n)")
    return w, A, B, n


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
