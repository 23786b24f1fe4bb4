"""y = norm2(A x - b)^2 and its derivative by x.

derivative: 2 A' (A x - b)

A: matrix, shape (m, n)
x: vector, shape (n,)
b: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import torch


def value(*, A, x, b):
    """The value."""
    A, x, b, _, _ = _arguments(A, x, b)
    v1 = A @ x - b
    return v1 @ v1


def derivative(*, A, x, b):
    """The derivative by x."""
    A, x, b, _, _ = _arguments(A, x, b)
    return 2 * ((A @ x - b) @ A)


def value_and_derivative(*, A, x, b):
    """Both, with shared work."""
    A, x, b, _, _ = _arguments(A, x, b)
    v1 = A @ x - b
    return v1 @ v1, 2 * (v1 @ A)


def _arguments(A, x, b):
    """The arguments, checked, and the sizes m, n."""
    A = _array("A", A, 2, None)
    x = _array("x", x, 1, A)
    b = _array("b", b, 1, A)
    m, n = A.shape
    _expect("x", x.shape, (n,), "(n,)")
    _expect("b", b.shape, (m,), "(m,)")
    return A, x, b, m, n


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
