"""A small linear program of typed operations: what emitted code is made of, for every target.

A `Value` is the result of one operation, with a shape: `()` for a number, `(n,)` for vectors and rows, `(m, n)` for
matrices, longer ones for derivatives of matrices. Dimensions are those of `matgrad.dims`. Values of one `Program` are
interned, so that nothing is computed twice: that is the pass for common subexpressions, and it is how a value and its
derivative share work. What no result needs is not written.
"""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

from matgrad.dims import Dim, Poly

Size: TypeAlias = tuple[Dim, ...]

LARGE = 1000  # what a named dimension is taken for when operations are counted


class Value:
    """The result of one operation; `loops` are the loops in whose body it must stand."""

    __slots__ = ("args", "data", "loops", "op", "shape")

    def __init__(
        self,
        op: str,
        args: tuple[Value, ...],
        data: tuple[Any, ...],
        shape: Size,
        loops: frozenset[int],
    ) -> None:
        self.op = op
        self.args = args
        self.data = data
        self.shape = shape
        self.loops = loops

    def __repr__(self) -> str:
        return f"{self.op}{list(self.data)}({', '.join(a.op for a in self.args)}): {self.shape}"


class Program:
    """Values, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Value] = {}
        self._loops = itertools.count()

    def make(self, op: str, args: tuple[Value, ...], shape: Size, *data: Any) -> Value:
        """The value of an operation, a new one only if there is none yet."""
        key = (op, args, data, shape)
        found = self._made.get(key)
        if found is None:
            loops = frozenset[int]().union(*(a.loops for a in args))
            if op == "index":
                loops = frozenset([data[0]])
            elif op == "loop":
                loops = loops - {data[0]}
            found = self._made[key] = Value(op, args, data, shape, loops)
        return found

    def new_loop(self) -> int:
        """The number of another loop."""
        return next(self._loops)


def number_of(dim: Dim) -> float:
    """A dimension as a number of operations are counted with: a name is assumed to be large."""
    if isinstance(dim, int):
        return dim
    if isinstance(dim, Poly):
        total = 0.0
        for monomial, count in dim.terms.items():
            term = float(count)
            for atom in monomial:
                term *= number_of(atom)
            total += term
        return max(total, 1.0)
    return LARGE


def entries(shape: Size) -> float:
    """The number of entries of an array, for counting."""
    product = 1.0
    for dim in shape:
        product *= number_of(dim)
    return product


def needed(results: list[Value]) -> list[Value]:
    """Every value that the results need, arguments first."""
    seen: set[Value] = set()
    order: list[Value] = []
    todo: list[tuple[Value, bool]] = [(r, False) for r in reversed(results)]
    while todo:
        value, ready = todo.pop()
        if ready:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            todo.append((value, True))
            todo.extend((a, False) for a in reversed(value.args))
    return order


def uses(results: list[Value]) -> dict[Value, int]:
    """How often each value is an argument or a result."""
    found = dict.fromkeys(needed(results), 0)
    for value in found:
        for a in value.args:
            found[a] += 1
    for r in results:
        found[r] += 1
    return found
