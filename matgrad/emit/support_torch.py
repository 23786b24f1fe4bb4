"""Helpers for emitted PyTorch code: what PyTorch has no single function for. Copied into modules, never imported by matgrad."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Array = Any


def sqrtm(X: Array) -> Array:
    """The principal square root, by the iteration of Denman and Beavers."""
    Y, Z = X, torch.eye(X.shape[0], dtype=X.dtype, device=X.device)
    for _ in range(24):
        Y, Z = (Y + torch.linalg.inv(Z)) / 2, (Z + torch.linalg.inv(Y)) / 2
    return Y


def logm(X: Array) -> Array:
    """The principal logarithm: eight square roots, then Padé's approximation of ln(1 + t)."""
    identity = torch.eye(X.shape[0], dtype=X.dtype, device=X.device)
    near = X
    for _ in range(8):
        near = sqrtm(near)
    places, weights = np.polynomial.legendre.leggauss(9)
    A = near - identity
    total = torch.zeros_like(A)
    for place, weight in zip(places, weights, strict=True):
        total += weight / 2 * torch.linalg.solve(identity + (place + 1) / 2 * A, A)
    return total * 256


def cosm(X: Array) -> Array:
    """The matrix cosine, by the exponential of [0, -X; X, 0]."""
    n = X.shape[0]
    Z = torch.zeros_like(X)
    return torch.linalg.matrix_exp(torch.cat([torch.cat([Z, -X], 1), torch.cat([X, Z], 1)]))[:n, :n]


def sinm(X: Array) -> Array:
    """The matrix sine, by the exponential of [0, -X; X, 0]."""
    n = X.shape[0]
    Z = torch.zeros_like(X)
    return torch.linalg.matrix_exp(torch.cat([torch.cat([Z, -X], 1), torch.cat([X, Z], 1)]))[n:, :n]


def frechet(function: Array, X: Array, E: Array) -> Array:
    """The derivative of a matrix function at X in the direction E."""
    n = X.shape[0]
    return function(torch.cat([torch.cat([X, E], 1), torch.cat([torch.zeros_like(X), X], 1)]))[
        :n, n:
    ]


def sylvester(A: Array, B: Array, C: Array) -> Array:
    """The Z with A Z + Z B = C."""
    m, n = C.shape
    system = torch.kron(A.contiguous(), torch.eye(n, dtype=A.dtype, device=A.device)) + torch.kron(
        torch.eye(m, dtype=A.dtype, device=A.device), B.T.contiguous()
    )
    return torch.linalg.solve(system, C.reshape(-1)).reshape(m, n)


def adj(X: Array) -> Array:
    """The adjugate, by the singular value decomposition: it exists for singular matrices too."""
    U, s, Vt = torch.linalg.svd(X)
    n = X.shape[0]
    others = torch.prod(
        torch.where(torch.eye(n, dtype=torch.bool, device=X.device), 1.0, s[None, :]), dim=1
    )
    return torch.linalg.det(U) * torch.linalg.det(Vt) * (Vt.T * others) @ U.T


def signed(v: Array) -> Array:
    """v or -v: the one whose largest entry by absolute value is positive."""
    largest = torch.gather(v, 0, torch.argmax(torch.abs(v), 0, keepdim=True))
    return v * torch.where(largest >= 0, 1.0, -1.0)


def eigvecmax(X: Array) -> Array:
    """The unit eigenvector of the largest eigenvalue of (X + X')/2."""
    return signed(torch.linalg.eigh((X + X.T) / 2)[1][:, -1])


def eigvecmin(X: Array) -> Array:
    """The unit eigenvector of the smallest eigenvalue of (X + X')/2."""
    return signed(torch.linalg.eigh((X + X.T) / 2)[1][:, 0])


def lsv(X: Array) -> Array:
    """The leading left singular vector."""
    return signed(torch.linalg.svd(X, full_matrices=False)[0][:, 0])


def rsv(X: Array) -> Array:
    """The leading right singular vector, with the sign that goes with `lsv`."""
    U, _, Vt = torch.linalg.svd(X, full_matrices=False)
    return Vt[0] * torch.sign(
        torch.gather(U[:, 0], 0, torch.argmax(torch.abs(U[:, 0]), 0, keepdim=True))
    )


def polar(X: Array) -> Array:
    """U V' of the singular value decomposition U S V', of its positive singular values."""
    U, s, Vt = torch.linalg.svd(X, full_matrices=False)
    return U * (s > 1000 * torch.finfo(s.dtype).eps * s[0]) @ Vt


def indmax(x: Array) -> Array:
    """1 at the largest entry, 0 elsewhere; several largest share it equally."""
    largest = (x == torch.max(x)).to(x.dtype)
    return largest / torch.sum(largest)


def indmax_along(X: Array, axis: int) -> Array:
    """1 at the largest entry of each line along an axis, 0 elsewhere; several largest share it equally."""
    largest = (torch.amax(X, dim=axis, keepdim=True) == X).to(X.dtype)
    return largest / torch.sum(largest, dim=axis, keepdim=True)


def commutation(m: int, n: int, like: Array) -> Array:
    """K with vec(X') = K vec(X) for X with m rows and n columns."""
    return torch.eye(m * n, dtype=like.dtype, device=like.device)[
        torch.as_tensor(np.arange(m * n).reshape(n, m).T.reshape(-1))
    ]


def duplication(n: int, like: Array) -> Array:
    """D with vec(S) = D vech(S) for symmetric S with n rows."""
    place = np.zeros((n, n), dtype=int)
    columns, rows = np.triu_indices(n)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return torch.eye(len(rows), dtype=like.dtype, device=like.device)[
        torch.as_tensor(place.T.reshape(-1))
    ]


def elimination(n: int, like: Array) -> Array:
    """L with vech(X) = L vec(X) for X with n rows and columns."""
    columns, rows = np.triu_indices(n)
    return torch.eye(n * n, dtype=like.dtype, device=like.device)[
        torch.as_tensor(columns * n + rows)
    ]
