"""y = sum(k=1:n, x[k]^k) and its derivative by x.

derivative: sum(k=1:n, k x[k]^(k - 1) e_k)

x: vector, shape (n,)

Written by matgrad 0.1.0.
"""

import torch


def value(*, x):
    """The value."""
    x, n = _arguments(x)
    c2 = 0.0
    for k in range(1, n + 1):
        c1 = x[k - 1] ** k
        c2 = c2 + c1
    return c2


def derivative(*, x):
    """The derivative by x."""
    x, n = _arguments(x)
    v2 = torch.zeros((n,), dtype=x.dtype, device=x.device)
    for k in range(1, n + 1):
        v1 = k * x[k - 1] ** (k - 1) * torch.eye(n, dtype=x.dtype, device=x.device)[k - 1]
        v2 = v2 + v1
    return v2


def value_and_derivative(*, x):
    """Both, with shared work."""
    x, n = _arguments(x)
    c2 = 0.0
    for k in range(1, n + 1):
        c1 = x[k - 1] ** k
        c2 = c2 + c1
    v2 = torch.zeros((n,), dtype=x.dtype, device=x.device)
    for k1 in range(1, n + 1):
        v1 = k1 * x[k1 - 1] ** (k1 - 1) * torch.eye(n, dtype=x.dtype, device=x.device)[k1 - 1]
        v2 = v2 + v1
    return c2, v2


def _arguments(x):
    """The arguments, checked, and the size n."""
    x = _array("x", x, 1, None)
    n, = x.shape
    return x, n


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
