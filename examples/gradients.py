"""Gradients written by hand, for `matgrad check EXPR --code examples/gradients.py:NAME`."""

import numpy as np


def ridge(X, w, t, c):
    """The gradient of 1/2*norm2(X*w - t)^2 + c/2*norm2(w)^2 by w."""
    return X.T @ (X @ w - t) + c * w


def ridge_without_half(X, w, t, c):
    """The same, with a slip: the term of the penalty is twice as large."""
    return X.T @ (X @ w - t) + 2 * c * w


def network(W, x, b):
    """The gradient of sum(tanh(W*x + b)) by W."""
    return np.outer(1 - np.tanh(W @ x + b) ** 2, x)


def jacobian(W, x):
    """The Jacobian of tanh(W*x) by x, transposed by mistake."""
    return (np.diag(1 - np.tanh(W @ x) ** 2) @ W).T
