"""y = norm2(A x - b)^2 + c norm2(x)^2 and its derivative by x.

derivative: 2 (A' A + c I)

A: matrix, shape (m, n)
x: vector, shape (n,)
b: vector, shape (m,)
c: nonzero positive number
v (of hvp): a direction, of the shape of x

Written by matgrad 0.1.0.
"""

import torch


def value(*, A, x, b, c):
    """The value."""
    A, x, b, c, _, _ = _arguments(A, x, b, c)
    v1 = A @ x - b
    return v1 @ v1 + c * (x @ x)


def derivative(*, A, x, b, c):
    """The derivative of order 2 by x."""
    A, _, _, c, _, n = _arguments(A, x, b, c)
    M1 = A.T @ A + c * torch.eye(n, dtype=A.dtype, device=A.device)
    return 2 * M1


def value_and_derivative(*, A, x, b, c):
    """Both, with shared work."""
    A, x, b, c, _, n = _arguments(A, x, b, c)
    v1 = A @ x - b
    M1 = A.T @ A + c * torch.eye(n, dtype=A.dtype, device=A.device)
    return v1 @ v1 + c * (x @ x), 2 * M1


def hvp(v, *, A, x, b, c):
    """The second derivative times a direction v of x's shape."""
    A, x, _, c, _, _ = _arguments(A, x, b, c)
    v = _direction(v, x)
    return 2 * (A @ v @ A + c * v)


def _arguments(A, x, b, c):
    """The arguments, checked, and the sizes m, n."""
    A = _array("A", A, 2, None)
    x = _array("x", x, 1, A)
    b = _array("b", b, 1, A)
    c = _array("c", c, 0, A)
    m, n = A.shape
    _expect("x", x.shape, (n,), "(n,)")
    _expect("b", b.shape, (m,), "(m,)")
    return A, x, b, c, m, n


def _direction(v, x):
    """The direction, checked: of the shape of x."""
    v = _array("v", v, 1, x)
    _expect("v", v.shape, x.shape, "(n,)")
    return v


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
