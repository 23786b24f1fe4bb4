"""Dimensions: integers, names, sums and products, in one normal form."""

from __future__ import annotations

import pytest

from matgrad.dims import (
    Dim,
    DimVar,
    Poly,
    dim_add,
    dim_atoms,
    dim_mul,
    dim_text,
    dim_value,
    resolve,
)

SIZES = {"m": 3, "n": 5, "p": 2}


def settled(value: Dim) -> DimVar:
    cell = DimVar("k")
    cell.value = value
    return cell


@pytest.mark.parametrize(
    "a, b, total",
    [
        (2, 3, 5),
        (0, "n", "n"),
        ("n", 0, "n"),
        (dim_add("n", 1), -1, "n"),
        (dim_mul(-1, "n"), "n", 0),
    ],
)
def test_add(a: Dim, b: Dim, total: Dim) -> None:
    assert dim_add(a, b) == total


@pytest.mark.parametrize(
    "a, b, product", [(2, 3, 6), (1, "n", "n"), ("n", 1, "n"), (0, "n", 0), ("n", 0, 0)]
)
def test_multiply(a: Dim, b: Dim, product: Dim) -> None:
    assert dim_mul(a, b) == product


def test_equal_dimensions_compare_equal() -> None:
    assert dim_add("m", "n") == dim_add("n", "m")
    assert dim_mul("m", "n") == dim_mul("n", "m")
    assert hash(dim_mul("m", "n")) == hash(dim_mul("n", "m"))
    assert dim_add(dim_add("m", "n"), "p") == dim_add("m", dim_add("n", "p"))
    assert dim_mul(dim_mul("m", "n"), "p") == dim_mul("m", dim_mul("n", "p"))
    left = dim_mul("m", dim_add("n", 1))
    assert left == dim_add(dim_mul("m", "n"), "m")
    assert dim_add("n", "n") == dim_mul(2, "n")
    assert dim_add("m", "n") != dim_add("m", "p")
    assert dim_add("n", 1) != "n"


def test_simple_results_are_not_polynomials() -> None:
    assert isinstance(dim_add("m", "n"), Poly)
    back = dim_add(dim_add("m", "n"), dim_mul(-1, "m"))
    assert type(back) is str
    assert type(dim_add(dim_add("n", 2), dim_mul(-1, "n"))) is int


@pytest.mark.parametrize(
    "dim, text",
    [
        (3, "3"),
        ("n", "n"),
        (dim_mul("n", "m"), "m*n"),
        (dim_add(1, "n"), "n + 1"),
        (dim_add("n", dim_mul("m", "n")), "m*n + n"),
        (dim_mul(2, "n"), "2*n"),
        (DimVar("k"), "k"),
        (DimVar(), "?"),
        (settled("n"), "n"),
        (settled(dim_add("n", 1)), "n + 1"),
    ],
)
def test_text(dim: Dim, text: str) -> None:
    assert dim_text(dim) == text


@pytest.mark.parametrize(
    "dim, value",
    [
        (7, 7),
        ("n", 5),
        (dim_add("m", dim_mul(2, "n")), 13),
        (dim_mul(dim_add("m", 1), dim_add("n", "p")), 28),
        (settled("m"), 3),
        (dim_add(settled("m"), 1), 4),
    ],
)
def test_value(dim: Dim, value: int) -> None:
    assert dim_value(dim, SIZES) == value


def test_value_of_the_unknown() -> None:
    with pytest.raises(KeyError):
        dim_value("q", SIZES)
    with pytest.raises(KeyError):
        dim_value(DimVar("k"), SIZES)


def test_value_commutes_with_arithmetic() -> None:
    dims: list[Dim] = [1, 2, "m", "n", dim_add("m", "n"), dim_mul("m", "p"), dim_add("n", 3)]
    for a in dims:
        for b in dims:
            x, y = dim_value(a, SIZES), dim_value(b, SIZES)
            assert dim_value(dim_add(a, b), SIZES) == x + y
            assert dim_value(dim_mul(a, b), SIZES) == x * y


def test_resolve_follows_settled_variables() -> None:
    assert resolve(settled(settled("n"))) == "n"
    free = DimVar("k")
    assert resolve(free) is free
    cell = DimVar("r")
    later = dim_add(dim_mul(cell, "n"), cell)
    assert dim_atoms(later) == [cell, "n"] or set(dim_atoms(later)) == {cell, "n"}
    cell.value = 2
    assert resolve(later) == dim_add(dim_mul(2, "n"), 2)
    cell.value = dim_add("m", 1)
    assert resolve(later) == dim_mul(dim_add("m", 1), dim_add("n", 1))


def test_atoms() -> None:
    assert dim_atoms(3) == []
    assert dim_atoms("n") == ["n"]
    assert dim_atoms(settled("n")) == ["n"]
    assert dim_atoms(dim_add(dim_mul("m", "n"), "n")) == ["m", "n"]


def test_unsettled_variables_are_told_apart() -> None:
    a, b = DimVar("k"), DimVar("k")
    assert dim_add(a, 1) != dim_add(b, 1)
    assert dim_add(a, b) == dim_add(b, a)
    assert dim_mul(a, b) == dim_mul(b, a)
