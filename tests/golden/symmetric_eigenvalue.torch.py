"""y = eigmax(S) and its derivative by S.

derivative: eigvecmax(S) eigvecmax(S)'

S: symmetric matrix, shape (n, n)

Written by matgrad 0.1.0.
"""

import torch


def value(*, S):
    """The value."""
    S, _ = _arguments(S)
    return torch.linalg.eigvalsh((S + S.T) / 2)[-1]


def derivative(*, S):
    """The derivative by S."""
    S, _ = _arguments(S)
    v1 = _eigvecmax(S)
    return torch.outer(v1, v1)


def value_and_derivative(*, S):
    """Both, with shared work."""
    S, _ = _arguments(S)
    v1 = _eigvecmax(S)
    return torch.linalg.eigvalsh((S + S.T) / 2)[-1], torch.outer(v1, v1)


def _arguments(S):
    """The arguments, checked, and the size n."""
    S = _array("S", S, 2, None)
    n, _ = S.shape
    _expect("S", S.shape, (n, n), "(n, n)")
    return S, n


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


def _signed(v):
    """v or -v: the one whose largest entry by absolute value is positive."""
    largest = torch.gather(v, 0, torch.argmax(torch.abs(v), 0, keepdim=True))
    return v * torch.where(largest >= 0, 1.0, -1.0)


def _eigvecmax(X):
    """The unit eigenvector of the largest eigenvalue of (X + X')/2."""
    return _signed(torch.linalg.eigh((X + X.T) / 2)[1][:, -1])
