"""A user's code as a claim: what it may return, how it may fail, and the libraries that it may be written in."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad.errors import LimitProblem, UsageError
from matgrad.timer import Timer

QUADRATIC = ("x'A x", "x")


def verdict_on(function: Any, *what: str, **options: Any) -> matgrad.Verdict:
    return matgrad.check(*(what or QUADRATIC), code=function, **options)


def gradient(A: Any, x: Any) -> Any:
    return (A + A.T) @ x


# --- what it returns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: (g,), "returned a tuple: one array of real numbers is wanted"),
        (lambda g: (1.0, g), "returned a tuple"),
        (lambda g: None, "returned nothing (None)"),
        (lambda g: g * (1 + 0j), "returned complex numbers"),
        (lambda g: "2 x", "returned a str"),
        (lambda g: np.array([object() for _ in g]), "returned an array of type object"),
        (lambda g: g * np.nan, "returned numbers that are infinite or NaN"),
        (lambda g: g * np.inf, "returned numbers that are infinite or NaN"),
        (lambda g: [[1.0], [1.0, 2.0]], "returned a list"),
        (lambda g: iter(g), "returned a "),
    ],
)
def test_what_is_no_array_of_numbers(change: Any, words: str) -> None:
    verdict = verdict_on(lambda A, x: change(gradient(A, x)))
    assert not verdict
    assert words in verdict.failure
    assert words in str(verdict).splitlines()[0]


@pytest.mark.parametrize("change", [list, tuple, lambda g: g.astype(object), lambda g: g.tolist()])
def test_what_is_one(change: Any) -> None:
    assert verdict_on(lambda A, x: change(gradient(A, x)))
    assert not verdict_on(lambda A, x: change(1.0001 * gradient(A, x)))


def test_nan_in_places() -> None:
    verdict = verdict_on(lambda A, x: np.where(x > 0, gradient(A, x), np.nan))
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == "right only if every entry of x is positive"
    assert "infinite or NaN" in verdict.failure


def test_another_shape_is_said() -> None:
    column = verdict_on(lambda A, x: gradient(A, x)[:, None])
    assert column
    assert "returned an array of shape (3, 1), and the derivative has shape (3,)" in str(column)
    short = verdict_on(lambda A, x: gradient(A, x)[:-1])
    assert not short
    assert "shape (2,), and the derivative has shape (3,)" in str(short).splitlines()[0]


def test_layouts_of_arrays_of_many_dimensions() -> None:
    def mixed(X: Any, B: Any) -> Any:
        return np.einsum("ik,lj->ijkl", np.eye(len(X)), B)

    def denominator(X: Any, B: Any) -> Any:
        return np.einsum("ik,lj->klij", np.eye(len(X)), B)

    for layout, right, wrong in (
        ("mixed", mixed, denominator),
        ("denominator", denominator, mixed),
    ):
        assert verdict_on(right, "X*B", "X", layout=layout)
        verdict = verdict_on(wrong, "X*B", "X", layout=layout)
        assert not verdict
        assert verdict.diagnosis is not None
        assert verdict.diagnosis.kind == "layout"


def test_few_digits() -> None:
    for kind, near in (("float32", 1.0001), ("float16", 1.2)):
        assert verdict_on(lambda A, x, kind=kind: gradient(A, x).astype(kind))
        assert not verdict_on(
            lambda A, x, kind=kind, near=near: (near * gradient(A, x)).astype(kind)
        )
    badly = "ln det(X'*X)"  # its gradient loses digits where X is nearly singular
    assert verdict_on(
        lambda X: (2 * np.linalg.pinv(X.astype("float32")).T).astype("float32"), badly, "X"
    )


def test_single_precision_inside_is_said() -> None:
    verdict = verdict_on(lambda A, x: gradient(A, x).astype("float32").astype(float))
    assert not verdict
    assert verdict.diagnosis is None
    assert "as little as single precision makes" in str(verdict)
    assert "single precision" not in str(verdict_on(lambda A, x: 2 * A @ x))


# --- how it is called, and how it fails ---------------------------------------------------------------------------------


def test_arguments() -> None:
    def placed(A: Any, x: Any, /) -> Any:
        return gradient(A, x)

    def scaled(A: Any, scale: float = 1.0, x: Any = None) -> Any:
        return scale * gradient(A, x)

    @functools.wraps(gradient)
    def wrapper(*args: Any, **options: Any) -> Any:
        assert len(args) == 2  # as jax.grad has it
        return gradient(*args, **options)

    @functools.wraps(scaled)
    def gap(*args: Any, **options: Any) -> Any:
        return scaled(*args, **options)

    for function in (
        placed,
        scaled,
        wrapper,
        gap,
        lambda **known: gradient(known["A"], known["x"]),
    ):
        assert verdict_on(function)
    assert verdict_on(lambda x, n: np.ones(n) / n, "mean(x)", "x", let="x: vector(n)")
    assert verdict_on(lambda lambda_, x: 2 * lambda_ * x, "lambda*x'x", "x")
    with pytest.raises(UsageError, match="parameter `y`"):
        verdict_on(lambda A, x, y: x)


def test_arguments_are_its_own() -> None:
    def destroys(A: Any, x: Any) -> Any:
        found = gradient(A, x)
        A *= 0
        x += 1
        return found

    assert verdict_on(destroys)


def test_only_the_first_line_of_an_exception_is_shown() -> None:
    def fails(A: Any, x: Any) -> Any:
        raise RuntimeError("no luck\nsecond line")

    assert "raised RuntimeError: no luck (in test_usercode.py" in str(verdict_on(fails))
    assert "second line" not in str(verdict_on(fails))


def test_an_exception_at_some_sizes() -> None:
    def fails(A: Any, x: Any) -> Any:
        if len(x) == 3:
            raise ValueError("three")
        return gradient(A, x)

    verdict = verdict_on(fails)
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.kind == "domain"
    assert "raised ValueError: three" in str(verdict)
    verdict = verdict_on(lambda X, b: 2 * X @ (X @ b), "norm2(X*b)^2", "b")
    assert verdict.diagnosis is None
    assert "raised ValueError" in str(verdict).splitlines()[0]


def test_code_out_of_time() -> None:
    def slow(A: Any, x: Any) -> Any:
        time.sleep(30)

    started = time.monotonic()
    with pytest.raises(LimitProblem), Timer(0.5):
        verdict_on(slow)
    assert time.monotonic() - started < 10


# --- JAX and PyTorch: CI installs them ----------------------------------------------------------------------------------


def test_jax_arrays() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def value(A: Any, x: Any) -> Any:
        return x @ A @ x

    options = {"arrays": "jax"}
    before = jnp.asarray(np.ones(1)).dtype
    for function in (
        gradient,
        jax.jit(gradient),
        jax.grad(value, argnums=1),
        jax.jit(jax.grad(value, argnums=1)),
        lambda A, x: gradient(A, x).astype(jnp.float32),
    ):
        assert verdict_on(function, **options)
    assert jnp.asarray(np.ones(1)).dtype == before
    assert not verdict_on(lambda A, x: 1.0000001 * gradient(A, x), **options)
    assert "returned a tuple" in str(verdict_on(jax.grad(value, argnums=(1,)), **options))
    assert verdict_on(jax.jit(lambda A, x: A + A.T), *QUADRATIC, order=2, **options)
    verdict = verdict_on(jax.grad(lambda A, x: jnp.sum(A * x), argnums=1), **options)
    assert not verdict

    def jacobian(W: Any, x: Any) -> Any:
        return jax.jacobian(lambda x: jnp.tanh(W @ x))(x)

    assert verdict_on(jacobian, "tanh(W*x)", "x", **options)


def test_torch_arrays() -> None:
    torch = pytest.importorskip("torch")

    def backward(A: Any, x: Any) -> Any:
        x.requires_grad_(True)
        (x @ A @ x).backward()
        return x.grad

    def attached(A: Any, x: Any) -> Any:
        return gradient(A, x.requires_grad_(True))

    options = {"arrays": "torch"}
    assert verdict_on(gradient, **options)
    for function in (backward, attached):
        assert verdict_on(function, **options)
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        verdict = verdict_on(lambda A, x, kind=kind: gradient(A, x).to(kind), **options)
        assert verdict
        assert str(kind).removeprefix("torch.") in str(verdict)
    assert not verdict_on(lambda A, x: 1.0001 * gradient(A, x).float(), **options)
    wrong = verdict_on(lambda A, x: 2 * A @ x, **options)
    assert wrong.diagnosis is not None
    assert wrong.diagnosis.message == "right only if A is symmetric"
    for function, words in (
        (lambda A, x: torch.autograd.grad((y := x.requires_grad_(True)) @ A @ y, y), "a tuple"),
        (lambda A, x: gradient(A, x).to(torch.complex128), "complex numbers"),
        (lambda A, x: gradient(A, x).to_sparse(), "torch.float64"),
        (lambda A, x: A.float() @ x, "raised RuntimeError"),
    ):
        assert words in str(verdict_on(function, **options)).splitlines()[0]

    def jacobian(W: Any, x: Any) -> Any:
        return torch.autograd.functional.jacobian(lambda x: torch.tanh(W @ x), x)

    assert verdict_on(jacobian, "tanh(W*x)", "x", **options)
    turned = verdict_on(lambda W, x: jacobian(W, x).T, "tanh(W*x)", "x", **options)
    assert turned.diagnosis is not None
    assert turned.diagnosis.kind == "layout"
