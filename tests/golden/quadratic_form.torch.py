"""y = x' A x and its derivative by x.

derivative: (A + A') x

x: vector, shape (n,)
A: matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import torch


def value(*, x, A):
    """The value."""
    x, A, _ = _arguments(x, A)
    return x @ (A @ x)


def derivative(*, x, A):
    """The derivative by x."""
    x, A, _ = _arguments(x, A)
    return A @ x + x @ A


def value_and_derivative(*, x, A):
    """Both, with shared work."""
    x, A, _ = _arguments(x, A)
    v1 = A @ x
    return x @ v1, v1 + x @ A


def _arguments(x, A):
    """The arguments, checked, and the size n."""
    x = _array("x", x, 1, None)
    A = _array("A", A, 2, x)
    n, = x.shape
    _expect("A", A.shape, (n, n), "(n, n)")
    return x, A, n


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
