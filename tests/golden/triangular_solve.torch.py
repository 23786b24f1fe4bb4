"""y = norm2(L^-1 x)^2 and its derivative by x.

derivative: 2 L^-T L^-1 x

L: lower matrix, shape (n, n)
x: vector, shape (n,)

Written by matgrad 0.1.0.
"""

import torch


def value(*, L, x):
    """The value."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = torch.linalg.solve_triangular(factor1, x[:, None], upper=False)[:, 0]
    return v1 @ v1


def derivative(*, L, x):
    """The derivative by x."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = torch.linalg.solve_triangular(factor1.T, torch.linalg.solve_triangular(factor1, x[:, None], upper=False)[:, 0][:, None], upper=True)[:, 0]
    return 2 * v1


def value_and_derivative(*, L, x):
    """Both, with shared work."""
    L, x, _ = _arguments(L, x)
    factor1 = L
    v1 = torch.linalg.solve_triangular(factor1, x[:, None], upper=False)[:, 0]
    return v1 @ v1, 2 * torch.linalg.solve_triangular(factor1.T, v1[:, None], upper=True)[:, 0]


def _arguments(L, x):
    """The arguments, checked, and the size n."""
    L = _array("L", L, 2, None)
    x = _array("x", x, 1, L)
    n, _ = L.shape
    _expect("L", L.shape, (n, n), "(n, n)")
    _expect("x", x.shape, (n,), "(n,)")
    return L, x, n


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
