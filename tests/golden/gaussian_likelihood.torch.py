"""y = -(ln det(Σ))/2 - tr(Σ^-1 C)/2 and its derivative by Σ.

derivative: (Σ^-1 C Σ^-1 - Σ^-1)/2

Sigma: invertible spd symmetric matrix, shape (n, n)
C: symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import torch


def value(*, Sigma, C):
    """The value."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = torch.linalg.cholesky(Sigma)
    c1 = -0.5 * (2 * torch.sum(torch.log(torch.diagonal(factor1)))) - 0.5 * torch.sum(torch.diagonal(torch.cholesky_solve(C, factor1)))
    return c1


def derivative(*, Sigma, C):
    """The derivative by Σ."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = torch.linalg.cholesky(Sigma)
    M1 = torch.cholesky_inverse(factor1)
    return 0.5 * (M1 @ (C @ M1) - M1)


def value_and_derivative(*, Sigma, C):
    """Both, with shared work."""
    Sigma, C, _ = _arguments(Sigma, C)
    factor1 = torch.linalg.cholesky(Sigma)
    M1 = torch.cholesky_inverse(factor1)
    M2 = M1 @ C
    c1 = -0.5 * (2 * torch.sum(torch.log(torch.diagonal(factor1)))) - 0.5 * torch.sum(torch.diagonal(M2))
    return c1, 0.5 * (M1 @ M2.T - M1)


def _arguments(Sigma, C):
    """The arguments, checked, and the size n."""
    Sigma = _array("Sigma", Sigma, 2, None)
    C = _array("C", C, 2, Sigma)
    n, _ = Sigma.shape
    _expect("Sigma", Sigma.shape, (n, n), "(n, n)")
    _expect("C", C.shape, (n, n), "(n, n)")
    return Sigma, C, n


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
