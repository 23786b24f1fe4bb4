"""y = tr(B expm(A)) and its derivative by A.

derivative: dexpm(A, B)'

B: matrix, shape (n, n)
A: matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import torch


def value(*, B, A):
    """The value."""
    B, A, _ = _arguments(B, A)
    return torch.sum(B.T * torch.linalg.matrix_exp(A))


def derivative(*, B, A):
    """The derivative by A."""
    B, A, _ = _arguments(B, A)
    return _frechet(torch.linalg.matrix_exp, A, B).T.clone()


def value_and_derivative(*, B, A):
    """Both, with shared work."""
    B, A, _ = _arguments(B, A)
    return torch.sum(B.T * torch.linalg.matrix_exp(A)), _frechet(torch.linalg.matrix_exp, A, B).T.clone()


def _arguments(B, A):
    """The arguments, checked, and the size n."""
    B = _array("B", B, 2, None)
    A = _array("A", A, 2, B)
    n, _ = B.shape
    _expect("B", B.shape, (n, n), "(n, n)")
    _expect("A", A.shape, (n, n), "(n, n)")
    return B, A, n


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


def _frechet(function, X, E):
    """The derivative of a matrix function at X in the direction E."""
    n = X.shape[0]
    return function(torch.cat([torch.cat([X, E], 1), torch.cat([torch.zeros_like(X), X], 1)]))[:n, n:]
