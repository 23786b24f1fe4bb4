"""y = y' (K + s I)^-1 y/2 + (ln det(K + s I))/2 and its derivative by K.

derivative: (K + s I)^-1 (I - y y' (K + s I)^-1)/2

y: vector, shape (n,)
K: invertible spd symmetric matrix, shape (n, n)
s: nonzero positive number

Written by matgrad 0.1.0.
"""

import torch


def value(*, y, K, s):
    """The value."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K + s * torch.eye(n, dtype=y.dtype, device=y.device)
    factor1 = torch.linalg.cholesky(M1)
    c1 = 0.5 * (y @ torch.cholesky_solve(y[:, None], factor1)[:, 0]) + 0.5 * (2 * torch.sum(torch.log(torch.diagonal(factor1))))
    return c1


def derivative(*, y, K, s):
    """The derivative by K."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K + s * torch.eye(n, dtype=y.dtype, device=y.device)
    factor1 = torch.linalg.cholesky(M1)
    v1 = torch.cholesky_solve(y[:, None], factor1)[:, 0]
    return 0.5 * (torch.cholesky_inverse(factor1) - torch.outer(v1, v1))


def value_and_derivative(*, y, K, s):
    """Both, with shared work."""
    y, K, s, n = _arguments(y, K, s)
    M1 = K + s * torch.eye(n, dtype=y.dtype, device=y.device)
    factor1 = torch.linalg.cholesky(M1)
    v1 = torch.cholesky_solve(y[:, None], factor1)[:, 0]
    return 0.5 * (y @ v1) + 0.5 * (2 * torch.sum(torch.log(torch.diagonal(factor1)))), 0.5 * (torch.cholesky_inverse(factor1) - torch.outer(v1, v1))


def _arguments(y, K, s):
    """The arguments, checked, and the size n."""
    y = _array("y", y, 1, None)
    K = _array("K", K, 2, y)
    s = _array("s", s, 0, y)
    n, = y.shape
    _expect("K", K.shape, (n, n), "(n, n)")
    return y, K, s, n


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
