"""Families of expressions that grow: `FAMILIES[name](n)` is a text, the variable, and declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Family(NamedTuple):
    """A member of a family."""

    text: str
    wrt: str
    let: tuple[str, ...] = ()


def chain(n: int) -> Family:
    """tr(A1 X A2 X ... An X)."""
    return Family("tr(" + "*".join(f"A{i}*X" for i in range(1, n + 1)) + ")", "X")


def network(n: int, wrt: str) -> Family:
    """sum(tanh(Wn tanh(... tanh(W1 x))))."""
    text = "".join(f"tanh(W{i}*" for i in range(n, 0, -1)) + "x" + ")" * n
    return Family(f"sum({text})", wrt)


def quadratic_forms(n: int) -> Family:
    """x'A1 x + ... + x'An x."""
    return Family("+".join(f"x'*A{i}*x" for i in range(1, n + 1)), "x")


def nested_products(n: int) -> Family:
    """x'(A(A(... x)))."""
    return Family("x'*(" + "A*(" * n + "x" + ")" * n + ")", "x")


def power(n: int) -> Family:
    """tr(X X ... X)."""
    return Family("tr(" + "*".join(["X"] * n) + ")", "X")


def hadamard_products(n: int) -> Family:
    """sum((A1 x) .* (A2 x) .* ... .* (An x))."""
    return Family("sum(" + ".*".join(f"(A{i}*x)" for i in range(1, n + 1)) + ")", "x")


def divisions(n: int) -> Family:
    """sin(x'x / c1 / c2 / ... / cn)."""
    return Family("sin(x'*x" + "".join(f"/c{i}" for i in range(1, n + 1)) + ")", "x")


def continued_fraction(n: int) -> Family:
    """ln(1 + x'x/(1 + x'x/(1 + ...)))."""
    return Family("log(" + "(1 + x'*x/" * n + "2" + ")" * n + ")", "x")


def shared(n: int) -> Family:
    """h1 = tanh(A x + x), h2 = tanh(A h1 + h1), ...: 2^n paths through 3 n nodes."""
    names = [f"h{i}" for i in range(1, n + 1)]
    steps = ", ".join(
        f"{new} = tanh(A*{old} + {old})" for old, new in zip(["x", *names[:-1]], names, strict=True)
    )
    return Family(f"sum(h{n}) where {steps}", "x", ("A: matrix(n, n)", "x: vector(n)"))


FAMILIES: dict[str, Callable[[int], Family]] = {
    "tr(A1 X A2 X ... An X)": chain,
    "n layers of tanh, by W1": lambda n: network(n, "W1"),
    "n layers of tanh, by x": lambda n: network(n, "x"),
    "x'A1 x + ... + x'An x": quadratic_forms,
    "x'(A(A(... x)))": nested_products,
    "tr(X X ... X)": power,
    "n Hadamard factors": hadamard_products,
    "sin(x'x/c1/.../cn)": divisions,
    "ln of a continued fraction": continued_fraction,
    "shared: 2^n paths": shared,
}
