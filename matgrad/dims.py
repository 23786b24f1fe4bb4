"""Dimensions: positive integers, names, and sums and products of those.

A dimension is an `int`, a `str` (a name such as `n`), a `DimVar` (a dimension that inference has not settled yet)
or a `Poly`, a polynomial with integer coefficients in names and variables. Equal dimensions compare equal.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias


class DimVar:
    """A dimension still to be found: a cell of the union-find structure of one inference run."""

    __slots__ = ("hint", "number", "value")
    _numbers = itertools.count()

    def __init__(self, hint: str = "") -> None:
        self.value: Dim | None = None
        self.hint = hint
        self.number = next(self._numbers)  # the order of making, in which products are written


class Poly:
    """A sum of products of dimensions, at least one of them not a number: `terms` maps monomial to coefficient.

    Coefficients are whole numbers, or fractions where the whole is a whole number all the same: n(n + 1)/2.
    """

    __slots__ = ("_key", "terms")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._key = frozenset(terms.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return dim_text(self)


Coefficient: TypeAlias = int | Fraction
Terms: TypeAlias = dict[tuple["str | DimVar", ...], Coefficient]
Dim: TypeAlias = int | str | DimVar | Poly


def resolve(dim: Dim) -> Dim:
    """The dimension with every settled variable replaced by its value."""
    first = dim
    while isinstance(dim, DimVar) and dim.value is not None:
        dim = dim.value
    while isinstance(first, DimVar) and first.value is not None:  # a shorter way, the next time
        first.value, first = dim, first.value
    if isinstance(dim, Poly) and any(
        isinstance(a, DimVar) and a.value is not None for m in dim.terms for a in m
    ):
        total: Dim = 0
        for monomial, count in dim.terms.items():
            product: Dim = 1
            for atom in monomial:
                product = dim_mul(product, resolve(atom))
            total = dim_add(total, dim_scale(product, count))
        return total
    return dim


def _terms(dim: Dim) -> Terms:
    if isinstance(dim, Poly):
        return dim.terms
    if isinstance(dim, int):
        return {(): dim} if dim else {}
    return {(dim,): 1}


def _build(terms: Terms) -> Dim:
    terms = {m: int(c) if c == int(c) else c for m, c in terms.items() if c}
    if not terms:
        return 0
    if len(terms) == 1:
        ((monomial, count),) = terms.items()
        if not monomial:
            return count if isinstance(count, int) else Poly(terms)
        if len(monomial) == 1 and count == 1:
            return monomial[0]
    return Poly(terms)


def dim_add(a: Dim, b: Dim) -> Dim:
    """a + b."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    terms = dict(_terms(a))
    for monomial, count in _terms(b).items():
        terms[monomial] = terms.get(monomial, 0) + count
    return _build(terms)


def dim_mul(a: Dim, b: Dim) -> Dim:
    """a * b."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    terms: Terms = {}
    for m1, c1 in _terms(a).items():
        for m2, c2 in _terms(b).items():
            monomial = tuple(sorted(m1 + m2, key=_atom_order))
            terms[monomial] = terms.get(monomial, 0) + c1 * c2
    return _build(terms)


def dim_scale(a: Dim, k: Coefficient) -> Dim:
    """k a."""
    return _build({m: c * k for m, c in _terms(a).items()})


def dim_div(a: Dim, k: int) -> Dim:
    """a / k, for a number k that divides it."""
    return _build({m: Fraction(c) / k for m, c in _terms(a).items()})


def dim_difference(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    """(p, q) without a common part, common factors and minus signs, such that a = b just if p = q."""
    difference = _terms(dim_add(a, dim_scale(b, -1)))
    if len({c > 0 for c in difference.values()}) == 2:
        common = functools.reduce(operator.and_, map(Counter, difference))
        difference = {tuple((Counter(m) - common).elements()): c for m, c in difference.items()}
    return (
        _build({m: c for m, c in difference.items() if c > 0}),
        _build({m: -c for m, c in difference.items() if c < 0}),
    )


def dim_parts(a: Dim) -> list[tuple[tuple[str | DimVar, ...], Coefficient]]:
    """The terms of a sum, in the order in which they were added: the factors of each, and their coefficient."""
    return list(_terms(a).items())


def _atom_order(atom: str | DimVar) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, f"{atom.number:09}")


def dim_text(dim: Dim) -> str:
    """The dimension as a reader writes it: `n`, `3`, `m*n`, `n + 1`."""
    dim = resolve(dim)
    if isinstance(dim, DimVar):
        return dim.hint or "?"
    if isinstance(dim, Poly):
        below = math.lcm(*(Fraction(c).denominator for c in dim.terms.values()))
        if below > 1:
            return f"({dim_text(dim_mul(dim, below))})/{below}"
        parts: list[str] = []
        # What is taken away stands behind: `1 - i`, `n - 1`.
        for monomial, count in sorted(
            dim.terms.items(), key=lambda t: (t[1] < 0, -len(t[0]), [_atom_order(a) for a in t[0]])
        ):
            factors = [a if isinstance(a, str) else a.hint or "?" for a in monomial]
            if abs(count) != 1 or not factors:
                factors.insert(0, str(abs(count)))
            sign = " - " if count < 0 else " + " if parts else ""
            parts.append((sign if parts else sign.strip()) + "*".join(factors))
        return "".join(parts)
    return str(dim)


def dim_substituted(dim: Dim, sizes: Mapping[Dim, Dim]) -> Dim:
    """A dimension with other sizes in the places of some of its names."""
    if not isinstance(dim, Poly):
        return sizes.get(dim, dim)
    total: Dim = 0
    for monomial, count in dim.terms.items():
        term: Dim = 1
        for atom in monomial:
            term = dim_mul(term, sizes.get(atom, atom))
        total = dim_add(total, dim_scale(term, count))
    return total


def dim_atoms(dim: Dim) -> list[str | DimVar]:
    """The names and variables in a dimension, in order of appearance."""
    dim = resolve(dim)
    if isinstance(dim, Poly):
        return list(dict.fromkeys(a for m in dim.terms for a in m))
    return [] if isinstance(dim, int) else [dim]


def dim_value(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The number that a dimension stands for when its names have the given sizes."""
    if isinstance(dim, int):
        return dim
    if isinstance(dim, str):
        return sizes[dim]
    if isinstance(dim, Poly):
        total = Fraction(0)
        for monomial, count in dim.terms.items():
            for atom in monomial:
                count *= sizes[atom] if isinstance(atom, str) else dim_value(atom, sizes)
            total += count
        return int(total)
    if dim.value is None:
        raise KeyError(dim.hint)
    return dim_value(dim.value, sizes)
