"""The expression DAG: equal means identical, the constructors' conventions, no recursion."""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable
from fractions import Fraction

import pytest

from matgrad import expr as ex
from matgrad.errors import InternalError, LimitProblem
from matgrad.expr import Expr
from matgrad.properties import push_transposes
from matgrad.render.text import render

a, b, c = (ex.var(name, ex.SCALAR_SHAPE) for name in "abc")
x, y, z = (ex.var(name, ex.vector_shape("n")) for name in "xyz")
w = ex.var("w", ex.vector_shape("m"))
A, B, C = (ex.var(name, ex.matrix_shape("n", "n")) for name in "ABC")
M = ex.var("M", ex.matrix_shape("m", "n"))
two, three = ex.num(2), ex.num(3)


def power(e: Expr, k: int | Fraction) -> Expr:
    return ex.power(e, ex.num(k))


# --- interning --------------------------------------------------------------------------------------------------------

BUILDERS: list[Callable[[], Expr]] = [
    lambda: ex.num(Fraction(3, 7)),
    lambda: ex.var("q", ex.vector_shape("n"), ["positive"]),
    lambda: ex.eye("n"),
    lambda: ex.ones(ex.vector_shape("n")),
    lambda: ex.zeros(ex.matrix_shape("m", 3)),
    lambda: ex.basis(2, "n"),
    lambda: ex.basis("i", "n"),
    lambda: ex.add(x, y),
    lambda: ex.mul(two, a, A, x),
    lambda: ex.call("tanh", (x,), x.shape),
    lambda: ex.call("apply", (x,), x.shape, "f", 1),
    lambda: ex.transpose(M),
    lambda: ex.inverse(A),
    lambda: power(A, 3),
    lambda: ex.power(a, b),
    lambda: ex.hadamard(x, y),
    lambda: ex.epower(x, b),
    lambda: ex.diff(A),
    lambda: ex.index(A, 1, "j"),
    lambda: ex.stack((A, B, M, M), 2),
]


@pytest.mark.parametrize("build", BUILDERS)
def test_equal_means_identical(build: Callable[[], Expr]) -> None:
    first = build()
    assert build() is first
    assert {first: 1}[build()] == 1
    assert ex.rebuild(first, first.args) is first
    assert ex.transform(first, lambda e: e) is first


def test_different_means_different() -> None:
    nodes = [build() for build in BUILDERS]
    assert all(p is not q for p, q in itertools.combinations(nodes, 2))


@pytest.mark.parametrize(
    "p, q",
    [
        (ex.var("x", ex.vector_shape("n")), ex.var("x", ex.vector_shape("m"))),
        (ex.var("x", ex.vector_shape("n")), ex.var("x", ex.row_shape("n"))),
        (A, ex.var("A", ex.matrix_shape("n", "n"), ["symmetric"])),
        (ex.add(x, y), ex.add(y, x)),
        (ex.mul(A, B), ex.mul(B, A)),
        (ex.basis(1, "n"), ex.basis("i", "n")),
        (ex.stack((x, y), 1), ex.stack((x, y), 2)),
        (ex.call("apply", (x,), x.shape, "f", 0), ex.call("apply", (x,), x.shape, "f", 1)),
        (ex.num(1), ex.ones(ex.vector_shape(1))),
    ],
)
def test_told_apart(p: Expr, q: Expr) -> None:
    assert p is not q
    assert p != q


def test_unused_nodes_are_forgotten() -> None:
    while gc.collect():  # a node and its normal form hold each other, and so does what holds those
        pass
    before = len(ex._interned)
    kept = ex.add(*(ex.var(f"unused{i}", ex.SCALAR_SHAPE) for i in range(100)))
    assert len(ex._interned) == before + 101
    del kept
    gc.collect()
    assert len(ex._interned) == before


def test_nodes_are_immutable() -> None:
    node = ex.var("immutable", ex.vector_shape("n"))
    assert isinstance(node.args, tuple)
    assert isinstance(node.data[1], frozenset)
    with pytest.raises(AttributeError):
        node.other = 1
    for field in ("kind", "data", "args", "shape"):
        value = getattr(node, field)
        try:
            with pytest.raises(AttributeError):
                setattr(node, field, value)
        finally:
            assert getattr(node, field) is value


# --- conventions ------------------------------------------------------------------------------------------------------


def test_sums_are_flat() -> None:
    total = ex.add(ex.add(x, y), z)
    assert total.args == (x, y, z)
    assert total is ex.add(x, ex.add(y, z))


@pytest.mark.parametrize(
    "product, coefficient, scalars, chain",
    [
        (ex.mul(A, two, a, B, three, x), 6, (a,), (A, B, x)),
        (ex.mul(ex.mul(A, a), ex.mul(two, B)), 2, (a,), (A, B)),
        (ex.mul(power(a, -1), b, A), 1, (b, power(a, -1)), (A,)),
        (ex.mul(ex.num(Fraction(1, 2)), a, power(b, -2), c), Fraction(1, 2), (a, c, power(b, -2)), ()),
        (ex.mul(ex.transpose(x), A, y, B), 1, (ex.mul(ex.transpose(x), A, y),), (B,)),
        (ex.mul(ex.transpose(x), y, ex.transpose(y), z), 1, (ex.mul(ex.transpose(x), y),),
         (ex.transpose(y), z)),
        (ex.mul(x, ex.transpose(y), z), 1, (), (x, ex.transpose(y), z)),
        (ex.mul(a, ex.transpose(x), y), 1, (a,), (ex.transpose(x), y)),
    ],
)  # fmt: skip
def test_products(product: Expr, coefficient: int, scalars: tuple, chain: tuple) -> None:
    assert product.kind == ex.MUL
    assert product.coefficient == coefficient
    assert product.scalars == scalars
    assert product.chain == chain


def test_shapes_of_products() -> None:
    assert ex.mul(M, x).shape == ex.vector_shape("m")
    assert ex.mul(ex.transpose(w), M).shape == ex.row_shape("n")
    assert ex.mul(ex.transpose(w), M, x).shape == ex.SCALAR_SHAPE
    assert ex.mul(w, ex.transpose(x)).shape == ex.matrix_shape("m", "n")
    assert ex.mul(M, A).shape == ex.matrix_shape("m", "n")
    assert ex.mul(a, x).shape == x.shape


@pytest.mark.parametrize(
    "found, expected",
    [
        (ex.mul(ex.ONE, x), x),
        (ex.mul(x), x),
        (ex.mul(ex.ZERO, x), ex.zeros(x.shape)),
        (ex.mul(ex.ZERO, a), ex.ZERO),
        (ex.mul(ex.zeros(M.shape), x), ex.zeros(w.shape)),
        (ex.mul(ex.eye("n"), A), A),
        (ex.mul(A, ex.eye("n")), A),
        (ex.mul(A, ex.eye("n"), x), ex.mul(A, x)),
        (ex.mul(ex.eye("n"), ex.eye("n")), ex.eye("n")),
        (ex.mul(two, three), ex.num(6)),
        (ex.mul(), ex.ONE),
        (ex.add(x, ex.zeros(x.shape)), x),
        (ex.add(a, ex.ZERO), a),
        (ex.add(ex.zeros(x.shape), ex.zeros(x.shape)), ex.zeros(x.shape)),
        (ex.add(two, three), ex.num(5)),
        (ex.add(x), x),
        (ex.neg(ex.neg(x)), x),
        (ex.neg(two), ex.num(-2)),
        (ex.sub(x, y), ex.add(x, ex.mul(ex.num(-1), y))),
        (ex.transpose(ex.transpose(M)), M),
        (ex.transpose(a), a),
        (ex.transpose(ex.eye("n")), ex.eye("n")),
        (ex.transpose(ex.ones(w.shape)), ex.ones(ex.row_shape("m"))),
        (ex.transpose(ex.zeros(M.shape)), ex.zeros(ex.matrix_shape("n", "m"))),
        (power(A, 1), A),
        (power(A, 0), ex.eye("n")),
        (power(A, -1), ex.inverse(A)),
        (power(A, -3), ex.inverse(power(A, 3))),
        (ex.inverse(ex.inverse(A)), A),
        (power(ex.inverse(A), -1), A),
        (power(ex.inverse(A), 2), ex.inverse(power(A, 2))),
        (power(power(A, 2), 3), power(A, 6)),
        (power(ex.eye("n"), 5), ex.eye("n")),
        (ex.inverse(ex.eye("n")), ex.eye("n")),
        (ex.inverse(a), power(a, -1)),
        (power(a, 0), ex.ONE),
        (power(two, 10), ex.num(1024)),
        (power(two, -2), ex.num(Fraction(1, 4))),
        (power(ex.num(-1), 3), ex.num(-1)),
        (power(power(a, 2), 3), power(a, 6)),
        (power(ex.mul(two, a, b), 2), ex.mul(ex.num(4), power(a, 2), power(b, 2))),
        (ex.hadamard(x, ex.ones(x.shape)), x),
        (ex.hadamard(x, ex.zeros(x.shape)), ex.zeros(x.shape)),
        (ex.hadamard(a, x, b), ex.mul(a, b, x)),
        (ex.hadamard(ex.mul(two, x), y), ex.mul(two, ex.hadamard(x, y))),
        (ex.hadamard(ex.hadamard(x, y), z), ex.hadamard(x, y, z)),
        (ex.hadamard(ex.epower(x, ex.num(-1)), y), ex.hadamard(y, ex.epower(x, ex.num(-1)))),
        (ex.epower(x, ex.ONE), x),
        (ex.epower(x, ex.ZERO), ex.ones(x.shape)),
        (ex.epower(ex.mul(two, x), three), ex.mul(ex.num(8), ex.epower(x, three))),
        (ex.epower(a, two), power(a, 2)),
        (ex.stack((A,), 1), A),
        (ex.index(A, None, None), A),
    ],
)  # fmt: skip
def test_not_written(found: Expr, expected: Expr) -> None:
    assert found is expected


def test_shapes_of_entries_and_stacks() -> None:
    assert ex.index(M, 1, "j").shape == ex.SCALAR_SHAPE
    assert ex.index(M, None, 2).shape == ex.vector_shape("m")
    assert ex.index(M, 1, None).shape == ex.row_shape("n")
    assert ex.index(x, 3).shape == ex.SCALAR_SHAPE
    assert ex.stack((a, b), 1).shape == ex.vector_shape(2)
    assert ex.stack((a, b), 2).shape == ex.row_shape(2)
    assert ex.stack((a, b, c, a), 2).shape == ex.matrix_shape(2, 2)
    assert (
        str(ex.stack((x, w), 1).shape) == "vector(m + n)"
        or str(ex.stack((x, w), 1).shape) == "vector(n + m)"
    )
    assert ex.stack((x, y), 2).shape == ex.matrix_shape("n", 2)
    assert ex.stack((M, ex.transpose(x)), 1).shape.cols == "n"


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InternalError):
        ex.add(x, w)
    with pytest.raises(InternalError):
        ex.add(x, ex.transpose(x))
    with pytest.raises(InternalError):
        ex.mul(x, y)
    with pytest.raises(InternalError):
        ex.mul(M, w)
    with pytest.raises(InternalError):
        ex.hadamard(x, w)


def test_numbers_have_a_limit() -> None:
    with pytest.raises(LimitProblem):
        ex.num(2**5000)
    with pytest.raises(LimitProblem):
        power(two, 5000)
    with pytest.raises(LimitProblem):
        ex.mul(*[ex.num(2**2000)] * 3)


def test_substitute_replaces_the_top_most() -> None:
    inner = ex.add(x, y)
    outer = ex.mul(A, inner)
    assert ex.substitute(outer, {outer: z, x: y}) is z
    assert ex.substitute(outer, {inner: z, x: y}) is ex.mul(A, z)
    assert ex.substitute(outer, {x: z}) is ex.mul(A, ex.add(z, y))
    assert ex.substitute(outer, {w: w}) is outer


def test_walks() -> None:
    e = ex.add(ex.mul(A, x), x)
    order = ex.postorder(e)
    assert order == [A, x, ex.mul(A, x), e]
    assert ex.variables(e, y) == [A, x, y]
    assert ex.postorder(e, e, x) == order


@pytest.mark.parametrize(
    "e, symbols",
    [
        (x, 1),
        (two, 1),
        (ex.mul(A, x), 2),
        (ex.mul(two, A, x), 3),
        (ex.add(x, y, z), 5),
        (ex.mul(A, ex.add(x, y)), 5),
        (ex.transpose(A), 2),
        (ex.transpose(ex.mul(A, B)), 4),
        (ex.inverse(ex.add(A, B)), 5),
        (ex.hadamard(x, y), 3),
    ],
)
def test_cost(e: Expr, symbols: int) -> None:
    assert ex.cost(e) == symbols


# --- depth ------------------------------------------------------------------------------------------------------------

DEPTH = 20_000


def tower(depth: int) -> Expr:
    """(... ((A + B)' A + B)' ...)': transposes, sums and products, one above the other."""
    e = A
    for _ in range(depth // 4):
        e = ex.add(ex.inverse(ex.mul(ex.transpose(e), A)), B)
    return e


@pytest.fixture(scope="module")
def deep() -> Expr:
    return tower(DEPTH)


@pytest.fixture
def shallow_stack():
    """A recursion limit far below the depth of what is walked."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("shallow_stack")
class TestDepth:
    def test_postorder(self, deep: Expr) -> None:
        assert len(ex.postorder(deep)) == DEPTH + 2  # and A and B
        assert ex.variables(deep) == [A, B]

    def test_transform(self, deep: Expr) -> None:
        assert ex.transform(deep, lambda e: e) is deep
        swapped = ex.transform(deep, lambda e: {A: B, B: A}.get(e, e))
        assert ex.variables(swapped) == [B, A]

    def test_substitute(self, deep: Expr) -> None:
        there = ex.substitute(deep, {A: C})
        assert ex.variables(there) == [C, B]
        assert ex.substitute(there, {C: A}) is deep

    def test_cost(self, deep: Expr) -> None:
        # A', A'A, (A'A)^-1 and + B are 7 symbols; each further storey adds a pair of brackets and 6.
        assert ex.cost(deep) == 7 + (DEPTH // 4 - 1) * 7

    def test_push_transposes(self, deep: Expr) -> None:
        pushed = push_transposes(ex.transpose(deep))
        assert push_transposes(pushed) is pushed
        assert push_transposes(ex.transpose(pushed)) is push_transposes(deep)

    def test_render(self) -> None:
        # Each storey adds its symbols; 2,000 storeys keep the text, quadratic in all its parts, small.
        text = render(tower(8000))
        assert text.count("A") == 2001
        assert text.count("B") == 2000

    def test_repr(self, deep: Expr) -> None:
        assert repr(deep).startswith("add(")

    def test_thrown_away(self) -> None:
        e = ex.var("deep_and_gone", A.shape)
        for _ in range(DEPTH):
            e = ex.transpose(ex.add(e, B))
        del e
        gc.collect()
