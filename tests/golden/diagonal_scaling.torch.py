"""y = tr(A' diag(d) A) and its derivative by d.

derivative: diag(A A')

A: matrix, shape (m, n)
d: vector, shape (m,)

Written by matgrad 0.1.0.
"""

import torch


def value(*, A, d):
    """The value."""
    A, d, _, _ = _arguments(A, d)
    return torch.sum(A * (d[:, None] * A))


def derivative(*, A, d):
    """The derivative by d."""
    A, _, _, _ = _arguments(A, d)
    return torch.sum(A * A, 1)


def value_and_derivative(*, A, d):
    """Both, with shared work."""
    A, d, _, _ = _arguments(A, d)
    return torch.sum(A * (d[:, None] * A)), torch.sum(A * A, 1)


def _arguments(A, d):
    """The arguments, checked, and the sizes m, n."""
    A = _array("A", A, 2, None)
    d = _array("d", d, 1, A)
    m, n = A.shape
    _expect("d", d.shape, (m,), "(m,)")
    return A, d, m, n


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
