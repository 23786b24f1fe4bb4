"""Every row of every table, evaluated: statements, proofs, procedures, differentials, examples.

All tests are parametrized over the tables, so a new row is tested without a change here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import matgrad
from matgrad import expr as ex
from matgrad.definitions import Defined
from matgrad.dims import Dim, dim_substituted
from matgrad.emit.numpy import compiled
from matgrad.errors import Unsupported
from matgrad.expr import Expr, Shape
from matgrad.functions import BY_NAME, Function
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.parse import parse, walk
from matgrad.render.rulebook import book_text, entry_text
from matgrad.rewrite import PROCEDURES, function_differential, instance
from matgrad.rulebook import entries, find
from matgrad.rules import TABLE as RULES
from matgrad.shapes import (
    ARRAY,
    Scope,
    build_definitions,
    build_nodes,
    declare,
    infer_definitions,
    pick,
    read,
    signature,
)
from matgrad.verify import sample, unknown_functions

BOOK = entries()
DIFFERENT: dict[str, Dim] = {"m": 3, "n": 4, "p": 2, "q": 5, "r": 6, "s": 7}
ALL_ONE: dict[str, Dim] = dict.fromkeys("mnpqrs", 1)
SIZES = pytest.mark.parametrize("sizes", [DIFFERENT, ALL_ONE], ids=["different", "one"])
ARRAYS = ("vector(n)", "row(n)", "matrix(m, n)", "scalar")
# The exponents of matrix powers are whole numbers, not names: a pair for each test of such a row.
WHOLE_ARGUMENTS = {("matpow", "k"), ("polygamma", "k")}
WHOLE_PLACES = {"matpow": 1, "polygamma": 0}
WHOLE = ((2, 3), (3, -1), (-2, 2), (4, 1))


# --- from text to numbers -------------------------------------------------------------------------------------------


def scope(where: str, sizes: dict[str, Dim], named_index: bool = False) -> Scope:
    """Each name of `where` as a variable of its shape and properties; indices as 2 (1 where that is the size)."""
    values: dict[str, Expr] = {}
    dims: dict[str, Dim] = dict(sizes)
    indices: dict[str, int | str | None] = {}
    functions: dict[str, str | Defined] = {}
    maps: dict[str, tuple[str, str, Shape]] = {}
    for d in (declare(part.strip()) for part in where.split(";")):
        rows, cols = (dim_substituted(n, sizes) for n in (d.shape.rows, d.shape.cols))
        if d.role == "elementwise":
            functions[d.name] = d.name
        elif d.role == "definition":
            functions |= build_definitions(infer_definitions({d.name: d}), {}, {})
        elif d.role == "map":
            maps[d.name] = (d.name, "", Shape(d.shape.kind, rows, cols))
        elif d.role == "index" and d.name.startswith("e_"):
            values[d.name] = ex.basis(int(d.name[2:]), rows)
        elif d.role == "index":
            indices[d.name] = d.name if named_index else 1 if rows == 1 else 2
            dims[f"e_{d.name}"] = rows
        else:
            values[d.name] = ex.var(d.name, Shape(d.shape.kind, rows, cols), d.properties)
    return Scope(values, dims, indices, functions, {}, maps)


def both(text: str, start: str, within: Scope) -> tuple[Expr, Expr]:
    """The sides of a rule or an equation."""
    parsed = parse(text, start, {*within.values, *within.functions, *within.indices, *within.maps})
    sums = [n for n in parsed.nodes if n.kind == "call" and n.args[0].kind == "binding"]
    ranges = {id(n.args[0]): tuple(int(a.value) for a in n.args[0].args) for n in sums}
    bound = {
        id(name): n.args[0]
        for n in sums
        for name in walk(n.args[1])
        if name.kind == "name" and name.value == n.args[0].value
    }
    within = within._replace(ranges=ranges, bound=bound)
    built = build_nodes(parsed, parsed.nodes, within)
    left, right = parsed.root.args
    return built[id(left)], built[id(right)]


def with_whole_numbers(left: Expr, right: Expr) -> list[tuple[Expr, Expr]]:
    """The sides with numbers for the names that stand for whole numbers; the sides themselves if there are none."""
    places = [e for e in ex.postorder(left, right) if e.kind == ex.CALL and e.op in WHOLE_PLACES]
    names = ex.variables(*(e.args[WHOLE_PLACES[e.op]] for e in places))
    if not names:
        return [(left, right)]
    numbers = WHOLE if len(names) == 2 else ((2,), (3,), (4,))
    chosen = [dict(zip(names, map(ex.num, n), strict=True)) for n in numbers]
    return [(ex.substitute(left, c), ex.substitute(right, c)) for c in chosen]


DOMAINS = {  # a new domain is a new line here
    "any": lambda rng, size: rng.normal(size=size),
    "positive": lambda rng, size: rng.uniform(0.3, 1.3, size=size),
    "nonzero": lambda rng, size: rng.uniform(0.3, 1.5, size=size) * rng.choice([-1, 1], size=size),
    "unit": lambda rng, size: rng.uniform(-0.8, 0.8, size=size),
    "above_one": lambda rng, size: rng.uniform(1.3, 2.5, size=size),
    "invertible": lambda rng, size: rng.normal(size=size) + 3 * np.eye(*size),
    "right_half_plane": lambda rng, size: 0.5 * rng.normal(size=size) + 3 * np.eye(*size),
    "spd": lambda rng, size: _spd(rng.normal(size=size)),
}


def _spd(value: np.ndarray) -> np.ndarray:
    return value @ value.T + np.eye(len(value))


def domain_value(domain: str, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """A random point of a domain."""
    sizes = {
        ex.SCALAR: (),
        ex.VECTOR: (shape.rows,),
        ex.ROW: (shape.cols,),
        ex.MATRIX: (shape.rows, shape.cols),
    }
    return np.asarray(DOMAINS[domain](rng, sizes[shape.kind]))


def slope(f: Callable[[float], np.ndarray]) -> np.ndarray:
    """The derivative of f at 0, by central differences, extrapolated twice (Richardson)."""
    a, b, c = ((f(h) - f(-h)) / (2 * h) for h in (1e-3, 5e-4, 2.5e-4))
    return (16 * (4 * c - b) - (4 * b - a)) / 45


def moved(inputs: list[Expr], values: list[np.ndarray], change: dict, h: float) -> list[np.ndarray]:
    return [x + h * change[v] if v in change else x for v, x in zip(inputs, values, strict=True)]


def constants(where: str) -> frozenset[str]:
    """The names declared constant: d(...) of them is zero."""
    return frozenset(re.findall(r"(\w+): constant", where))


def unrolled(e: Expr) -> Expr:
    """The sums over an index with a d(...) inside, written out: each d(...) is then one change."""

    def change(node: Expr) -> Expr:
        if node.kind != ex.SUM or all(n.kind != ex.DIFF for n in ex.postorder(node)):
            return node
        name, first, last = node.data
        index = ex.index_value(name)
        return ex.add(
            *(ex.substitute(node.args[0], {index: ex.num(i)}) for i in range(first, last + 1))
        )

    return ex.transform(e, change)


def a_change(v: Expr, value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random change of a value; of an orthogonal matrix one in its tangent space, where Q'dQ is skew."""
    free = rng.normal(size=np.shape(value))
    if not v.data[1] & {"orthogonal", "orthonormal"}:
        return free
    inner = value.T @ free
    return free - value @ (inner + inner.T) / 2


def agree(
    left: Expr, right: Expr, domain: str = "any", constant: frozenset[str] = frozenset()
) -> bool:
    """Whether two expressions have the same shape and value, and the same change to first order in dX.

    Every variable below a d(...) moves, unless it is constant.
    """
    if left.shape != right.shape:
        return False
    left, right = unrolled(left), unrolled(right)
    nodes = ex.postorder(left, right)
    found = [e for e in nodes if e.kind == ex.DIFF]
    inputs = ex.variables(left, right)
    moving = [v for v in ex.variables(*found) if v.data[0] not in constant]
    functions = unknown_functions(left, right)
    rng = np.random.default_rng(3)
    for way in range(3):
        sizes = {"#i": way % 2 + 1, "#j": way % 2 + 1}
        values = [a_value(v, domain, way, rng) for v in inputs]
        change = {v: a_change(v, x, rng) for v, x in zip(inputs, values, strict=True)}
        change = {v: e for v, e in change.items() if v in moving}
        inside = compiled([d.args[0] for d in found], inputs)
        outside = compiled([left, right], [*inputs, *found])

        def at(h: float, *, values=values, change=change, inside=inside, sizes=sizes):
            return inside(moved(inputs, values, change, h), sizes, functions)

        slopes = [slope(lambda h, i=i, at=at: at(h)[i]) for i in range(len(found))]

        def along(h: float, *, values=values, slopes=slopes, outside=outside, sizes=sizes):
            return outside([*values, *(h * c for c in slopes)], sizes, functions)

        pairs = [along(0.0)]
        if found:
            pairs.append([slope(lambda h, k=k, along=along: along(h)[k]) for k in (0, 1)])
        for a, b in pairs:
            if not (np.all(np.isfinite(a)) and np.shape(a) == np.shape(b)):
                return False
            if np.max(np.abs(a - b), initial=0) > 1e-7 * (1 + np.max(np.abs(a), initial=0)):
                return False
    return True


def a_value(variable: Expr, domain: str, way: int, rng: np.random.Generator) -> np.ndarray:
    """A random value: with the declared properties, or in the domain of the function that the row is about."""
    if domain == "any":
        return np.asarray(sample(variable, {}, 2 * way, rng))
    return domain_value(domain, variable.shape, rng)


def statements(
    text: str, start: str, where: str, sizes: dict[str, Dim]
) -> Iterator[tuple[Expr, Expr]]:
    """The sides of a formula for all ways to read it: entries by number and by name, several exponents."""
    for named in {False, "index(" in where and sizes is DIFFERENT}:
        yield from with_whole_numbers(*both(text, start, scope(where, sizes, named)))


def domain_of(name: str) -> str:
    """Where the row may be evaluated, beyond what its `where` declares."""
    return "any" if name in RULES else FUNCTIONS[name.removeprefix("d:")].domain


def wheres(name: str) -> list[str]:
    """The declarations of an entry; those of a function of arrays, for each kind of array."""
    if name in RULES or ARRAY not in FUNCTIONS[name.removeprefix("d:")].signature:
        return [BOOK[name].where]
    parameters = signature(name.removeprefix("d:")).parameters
    kinds = [[(n, k if s.kind == ARRAY else s) for n, s in parameters] for k in ARRAYS]
    return ["; ".join(f"{n}: {s}" for n, s in choice) for choice in kinds] + [BOOK[name].where]


def test_agreement_can_fail() -> None:
    where = "A: matrix(m, n); B: matrix(n, m)"
    assert agree(*both("d(A*B) -> d(A)*B + A*d(B)", "rule", scope(where, DIFFERENT)))
    assert agree(*both("tr(A*B) -> tr(B*A)", "rule", scope(where, DIFFERENT)))
    assert not agree(*both("tr(A*B) -> 1.0001*tr(B*A)", "rule", scope(where, DIFFERENT)))
    assert not agree(*both("d(A*B) -> d(A)*B", "rule", scope(where, DIFFERENT)))
    assert not agree(*both("A + d(A) -> B' + d(A)", "rule", scope(where, DIFFERENT)))
    x = "x: vector(n)"
    assert not agree(*both("d(x.*x) -> x.*d(x)", "rule", scope(x, ALL_ONE)))
    assert not agree(*both("x -> x'", "rule", scope(x, DIFFERENT)))


# --- statements and proofs --------------------------------------------------------------------------------------------


@SIZES
@pytest.mark.parametrize("name", BOOK)
def test_statement_holds(name: str, sizes: dict[str, Dim]) -> None:
    entry = BOOK[name]
    for where in wheres(name):
        for left, right in statements(entry.statement, "rule", where, sizes):
            assert agree(left, right, domain_of(name), constants(where)), (
                f"{entry.statement} where {where}"
            )


@pytest.mark.parametrize("name", RULES)
def test_statement_says_something(name: str) -> None:
    rule = RULES[name]
    for left, right in statements(rule.statement, "rule", rule.where, DIFFERENT):
        assert left is not right


PROOF_LINES = [(name, i) for name, e in BOOK.items() for i in range(len(e.proof))]


@SIZES
@pytest.mark.parametrize("name, number", PROOF_LINES)
def test_proof_line_holds(name: str, number: int, sizes: dict[str, Dim]) -> None:
    entry = BOOK[name]
    equation, bar, reason = entry.proof[number].partition(" | ")
    assert bar and reason.strip(), "a line of a proof is `equation | reason`"
    for where in wheres(name):
        for left, right in statements(equation, "equation", where, sizes):
            assert agree(left, right, domain_of(name), constants(where)), (
                f"{equation} where {where}"
            )


# --- procedures: identities for any number of operands ------------------------------------------------------------------

READ_OFF_TWICE = ("read-off-vech-twice", "read-off-tangent-twice")
READ_OFF = ("read-off", "read-off-symmetric", "read-off-skew")
# What moves in the left side, where it is neither what stands in d(...) nor everything.
MOVING = {"commute": {"a"}, "index-sum-factor": {"X"}} | {rule: {"X"} for rule in READ_OFF}


def depends_on(moving: set[str]) -> Callable[[Expr], bool]:
    def depends(e: Expr) -> bool:
        return any(v.data[0] in moving for v in ex.variables(e))

    return depends


def moving_in(rule: str, *sides: Expr) -> Callable[[Expr], bool]:
    nodes = ex.postorder(*sides)
    inside = {e.args[0].data[0] for e in nodes if e.kind == ex.DIFF and e.args[0].kind == ex.VAR}
    everything = {e.data[0] for e in nodes if e.kind == ex.VAR}
    return depends_on(MOVING.get(rule) or ((inside or everything) - constants(RULES[rule].where)))


@pytest.mark.parametrize("rule", PROCEDURES)
def test_every_procedure_has_a_statement(rule: str) -> None:
    assert rule in RULES


@SIZES
@pytest.mark.parametrize("rule", PROCEDURES)
def test_procedure_does_what_the_statement_says(rule: str, sizes: dict[str, Dim]) -> None:
    record = RULES[rule]
    if "D(n)" in record.statement and sizes["n"] == 1:
        sizes = {**sizes, "n": 2}  # D(1) is not written
    within = scope(record.where, sizes)
    left, right = both(record.statement, "rule", within)
    if rule in READ_OFF_TWICE:  # from A vec(X), the matrix of a quadratic form
        A, X = within.values["A"], within.values["X"]
        x = ex.vec(X if rule == "read-off-vech-twice" else ex.diff(X))
        matrix = PROCEDURES[rule](ex.mul(A, x), depends_on({"X"}))
        if rule == "read-off-vech-twice":
            x = ex.mul(ex.elimination(X.shape.rows), x)
        found = ex.mul(ex.transpose(x), matrix, x)
    else:
        found = PROCEDURES[rule](left, moving_in(rule, left, right))
    if rule in READ_OFF:  # gives D of sum(D .* X)
        moving = within.values["X"]
        entries_of = moving if rule == "read-off" else ex.call("tril", (moving,), moving.shape)
        found = ex.call("sum", (ex.hadamard(found, entries_of),), ex.SCALAR_SHAPE)
    assert found is not left
    constant = constants(record.where)
    assert agree(found, right, constant=constant)
    assert agree(found, left, constant=constant)


def repeated(rule: str, join: Callable[..., Expr], wrap: Callable[[Expr], Expr], parts: list[Expr]):
    """The right side for many operands, by the statement for two, applied again and again."""
    front = join(*parts[:-1])
    left, right = instance(rule, {"A": front, "B": parts[-1]})
    assert left is wrap(join(*parts))
    if len(parts) == 2:
        return right
    return ex.substitute(right, {wrap(front): repeated(rule, join, wrap, parts[:-1])})


def function_of(op: str) -> Callable[[Expr], Expr]:
    return lambda e: ex.call(op, (e,), ex.SCALAR_SHAPE)


SAME = [ex.var(name, ex.matrix_shape(4, 4)) for name in "ABCD"]
CHAIN = [
    ex.var(f"{n}", ex.matrix_shape(*(DIFFERENT[c] for c in s)))
    for n, s in zip("ABCD", ("mn", "np", "pq", "qm"), strict=True)
]

MANY = {
    "sum-rule": (ex.add, ex.diff, SAME),
    "product-rule": (ex.mul, ex.diff, CHAIN),
    "hadamard-product-rule": (ex.hadamard, ex.diff, SAME),
    "transposes": (ex.mul, ex.transpose, CHAIN),
    "trace-sum": (ex.add, function_of("tr"), SAME),
    "sum-sum": (ex.add, function_of("sum"), SAME),
}


@pytest.mark.parametrize("rule", MANY)
@pytest.mark.parametrize("count", [3, 4])
def test_many_operands_agree_with_two_by_two(rule: str, count: int) -> None:
    join, wrap, parts = MANY[rule]
    left = wrap(join(*parts[:count]))
    found = PROCEDURES[rule](left, lambda e: True)
    assert agree(found, repeated(rule, join, wrap, parts[:count]))
    assert agree(found, left)


# Left sides of more than two operands: rule, text, declarations, what moves ("" for everything).
MATRICES = "A: matrix(m, n); B: matrix(p, n); C: matrix(q, n)"
LONGER = [
    ("sum-rule", "d(A + 2*B - C)", "A: matrix(m, n); B: matrix(m, n); C: matrix(m, n)", ""),
    ("sum-rule", "d(A + B + C)", "A: matrix(m, n); B: matrix(m, n); C: matrix(m, n)", "AB"),
    ("product-rule", "d(3*s*t*(x'*y)*A*B)", "s: scalar; t: scalar; x: vector(p); y: vector(p);"
     "A: matrix(m, n); B: matrix(n, q)", ""),
    ("product-rule", "d(-2/3*s*y'*A*x)", "s: scalar; y: vector(m); A: matrix(m, n); x: vector(n)",
     "yx"),
    ("product-rule", "d(A*B*A)", "A: matrix(m, n); B: matrix(n, m)", ""),
    ("constant-factor", "d(2*c*A*X*B)", "c: scalar; A: matrix(m, n); X: matrix(n, p);"
     "B: matrix(p, q)", "X"),
    ("constant-factor", "d(c*A*x)", "c: scalar; A: matrix(m, n); x: vector(n)", "c"),
    ("hadamard-product-rule", "d(x.*y.*z.*x)", "x: vector(n); y: vector(n); z: vector(n)", "xz"),
    ("stack-rule", "d([A; B; C])", MATRICES, "AC"),
    ("stack-rule", "d([A, x; y', s])", "A: matrix(m, n); x: vector(m); y: vector(n); s: scalar",
     "xs"),
    ("stack-rule", "d([s, t; t, s])", "s: scalar; t: scalar", "s"),
    ("entry-rule", "d(X[:,j])", "X: matrix(m, n); j: index(n)", ""),
    ("entry-rule", "d(x[i])", "x: vector(n); i: index(n)", ""),
    ("unknown-derivative", "d(f''(X))", "X: matrix(m, n); f: elementwise", ""),
    ("transposes", "(2*s*(A*B + C')'*inv(D)')'", "s: scalar; A: matrix(n, m); B: matrix(m, p);"
     "C: matrix(p, n); D: invertible(n)", ""),
    ("transposes", "[A, B; C, D]'", "A: matrix(m, n); B: matrix(m, p); C: matrix(q, n);"
     "D: matrix(q, p)", ""),
    ("transposes", "[x, y; s, t]'", "x: vector(n); y: vector(n); s: scalar; t: scalar", ""),
    ("transposes", "(A.*B' + exp(B'))'", "A: matrix(m, n); B: matrix(n, m)", ""),
    ("transposes", "tanh(x')*A + (A'*exp(x))'", "x: vector(m); A: matrix(m, n)", ""),
    ("transposes", "(S*A*diag(x))'", "S: symmetric(m); A: matrix(m, n); x: vector(n)", ""),
    ("transposes", "(X^3*X'*inv(X'))'", "X: invertible(n)", ""),
    ("distribute", "2*s*A*(B + C - D)*x", "s: scalar; A: matrix(m, n); B: matrix(n, p);"
     "C: matrix(n, p); D: matrix(n, p); x: vector(p)", "BCD"),
    ("distribute", "(s + t + 1)*A", "s: scalar; t: scalar; A: matrix(m, n)", "st"),
    ("distribute", "diag(x + 2*y - z)", "x: vector(n); y: vector(n); z: vector(n)", ""),
    ("distribute", "a.*(x + y + z)", "a: vector(n); x: vector(n); y: vector(n); z: vector(n)",
     "xyz"),
    ("trace-sum", "tr(A - 3*B + C)", "A: matrix(n, n); B: matrix(n, n); C: matrix(n, n)", ""),
    ("sum-sum", "sum(x - y + z)", "x: vector(n); y: vector(n); z: vector(n)", ""),
    ("blocks", "[A; B; C]", MATRICES, ""),
    ("blocks", "[A, x; y', s]", "A: matrix(m, n); x: vector(m); y: vector(n); s: scalar", ""),
    ("blocks", "[s, t; s*t, 2*s]", "s: scalar; t: scalar", ""),
    ("blocks", "[x; s; t]", "x: vector(n); s: scalar; t: scalar", ""),
    ("blocks", "[x', s]", "x: vector(n); s: scalar", ""),
    ("blocks", "[x, y, z]", "x: vector(n); y: vector(n); z: vector(n)", ""),
    ("linear-scalar", "diag(-2*s*t*A)", "s: scalar; t: scalar; A: matrix(n, n)", ""),
    ("commute", "a.*b.*c.*a", "a: vector(n); b: vector(n); c: vector(n)", "b"),
    ("collect", "tr(A*X) - 2*tr(B*X) + s*tr(X)", "A: matrix(n, n); B: matrix(n, n); s: scalar;"
     "X: matrix(n, n)", "X"),
    ("collect", "A*x - 3*x + s*B*x", "A: matrix(n, n); B: matrix(n, n); s: scalar; x: vector(n)",
     "x"),
    ("collect", "A*t - 3*s*B*t + B*t", "A: matrix(m, n); B: matrix(m, n); s: scalar; t: scalar",
     "t"),
    ("stack-factor", "[A*x; 2*x; s*B*x]", "A: matrix(m, n); B: matrix(p, n); s: scalar;"
     "x: vector(n)", "x"),
    ("stack-factor", "[y'*x; zeros(m); B*x]", "y: vector(n); A: matrix(m, n); B: matrix(p, n);"
     "x: vector(n)", "x"),
    ("one-transpose", "C'*B'*A'", "A: matrix(m, n); B: matrix(n, p); C: matrix(p, q)", ""),
    ("factor-scalar", "s*A - 2*s*B + s*t*C", "s: scalar; t: scalar; A: matrix(m, n);"
     "B: matrix(m, n); C: matrix(m, n)", ""),
    ("factor-scalar", "-3*A + 3*B - 3*C", "A: matrix(m, n); B: matrix(m, n); C: matrix(m, n)", ""),
    ("definition", "d(x'*A*x + y'*x)", "A: matrix(n, n); x: vector(n); y: vector(n)", "x"),
    ("multiply-out", "tr((A + d(A))'*B*(A + d(A)))", "A: matrix(m, n); B: matrix(m, m)", "A"),
    ("multiply-out", "(s + d(s))^3*(A + d(A))", "s: scalar; A: matrix(m, n)", "sA"),
]  # fmt: skip
LONGER_IDS = [f"{rule}: {text}" for rule, text, _, _ in LONGER]


@SIZES
@pytest.mark.parametrize("rule, text, where, moving", LONGER, ids=LONGER_IDS)
def test_procedure_keeps_the_value(
    rule: str, text: str, where: str, moving: str, sizes: dict[str, Dim]
) -> None:
    within = scope(where, sizes)
    left, _ = both(f"{text} -> 0", "rule", within)
    moves = set(moving or within.values)
    found = PROCEDURES[rule](left, depends_on(moves))
    assert found is not left
    if left.kind == ex.DIFF:
        # What does not move is constant: other values of it, without a differential, make no difference.
        still = {v: ex.ones(v.shape) for n, v in within.values.items() if n not in moves}
        assert not any(e.kind == ex.DIFF and e.args[0] in still for e in ex.postorder(found))
        found, left = ex.substitute(found, still), ex.substitute(left, still)
    assert agree(found, left)


def test_basis_stack_of_many() -> None:
    s, t = ex.var("s", ex.SCALAR_SHAPE), ex.var("t", ex.SCALAR_SHAPE)
    e = [ex.basis(i, 4) for i in (1, 2, 4)]
    left = ex.add(ex.mul(s, e[2]), ex.mul(ex.num(3), t, e[0]), e[1], ex.mul(t, e[2]))
    found = PROCEDURES["basis-stack"](left, lambda e: True)
    assert found.kind == ex.STACK
    assert len(found.args) == 4
    assert agree(found, left)


# --- functions against finite differences -----------------------------------------------------------------------------


# Sizes of the arguments of a function: all different, of other proportions, all 1.
ARGUMENT_SIZES: tuple[dict[str, Dim], ...] = (
    {"m": 2, "n": 4, "p": 3, "q": 5},
    {"m": 5, "n": 3, "p": 2, "q": 2},
    dict.fromkeys("mnpq", 1),
)


def argument_shapes(op: str) -> list[tuple[dict[str, Dim], tuple[Shape, ...]]]:
    """Shapes for the arguments of a function, and what its sizes are: each kind of array, different sizes and 1."""
    parameters = signature(op).parameters
    arrays = [
        ex.vector_shape(4), ex.vector_shape(1), ex.row_shape(3), ex.row_shape(1),
        ex.matrix_shape(2, 3), ex.matrix_shape(4, 2), ex.matrix_shape(1, 1), ex.SCALAR_SHAPE,
    ]  # fmt: skip
    found: dict[tuple[Shape, ...], dict[str, Dim]] = {}
    for dims in ARGUMENT_SIZES:
        for array in arrays:
            shapes = [
                array
                if s.kind == ARRAY
                else Shape(s.kind, dim_substituted(s.rows, dims), dim_substituted(s.cols, dims))
                for _, s in parameters
            ]
            found.setdefault(tuple(shapes), dims)
            if len(shapes) == 2 and parameters[0][1].kind == parameters[1][1].kind == ARRAY:
                found.setdefault((array, ex.SCALAR_SHAPE), dims)
                found.setdefault((ex.SCALAR_SHAPE, array), dims)
    return [(dims, shapes) for shapes, dims in found.items()]


def call_of(op: str, args: tuple[Expr, ...], sizes: dict[str, Dim]) -> Expr:
    """The function applied, by the way in which a user would write it."""
    names = [name for name, _ in signature(op).parameters]
    text = FUNCTIONS[op].plain.replace("ln det(", "logdet(")
    for name in names:
        text = text.replace(f"<{name}>", name).replace(f"<{name}^>", name)
    for name in signature(op).sizes:
        text = text.replace(f"<{name}>", name)
    within = Scope(dict(zip(names, args, strict=True)), sizes, {}, {}, {})
    return both(f"{text} -> 0", "rule", within)[0]


def first_order(e: Expr, inputs: list[Expr], values: list[np.ndarray], change: dict) -> np.ndarray:
    """The value of an expression linear in differentials, each the slope of its argument's code."""
    found = [d for d in ex.postorder(e) if d.kind == ex.DIFF]
    inside = compiled([d.args[0] for d in found], inputs)
    slopes = [
        slope(lambda h, i=i: inside(moved(inputs, values, change, h), {}, {})[i])
        for i in range(len(found))
    ]
    (value,) = compiled([e], [*inputs, *found])([*values, *slopes], {}, {})
    return np.asarray(value)


@pytest.mark.parametrize("op", FUNCTIONS)
def test_differential_is_the_slope_of_the_code(op: str) -> None:
    rng = np.random.default_rng(1)
    function = FUNCTIONS[op]
    tested = 0
    for sizes, shapes in argument_shapes(op):
        names = [name for name, _ in signature(op).parameters]
        args = [ex.var(name, s) for name, s in zip(names, shapes, strict=True)]
        inputs = [
            a for a, name in zip(args, names, strict=True) if (op, name) not in WHOLE_ARGUMENTS
        ]
        args = [a if a in inputs else ex.num(int(rng.integers(1, 4))) for a in args]
        values = [domain_value(function.domain, v.shape, rng) for v in inputs]
        node = call_of(op, tuple(args), sizes)
        if node.kind != ex.CALL or node.op != op:
            # Elementwise operators between scalars, or with a scalar, are products and powers.
            assert any(s.kind == ex.SCALAR for s in shapes)
            continue
        tested += 1
        code = compiled([node], inputs)
        for part in [inputs, *([v] for v in inputs)]:
            dy = function_differential(node, depends_on({v.data[0] for v in part}))
            change = {
                v: rng.normal(size=v_.shape)
                for v, v_ in zip(inputs, values, strict=True)
                if v in part
            }
            expected = slope(lambda h: code(moved(inputs, values, change, h), {}, {})[0])  # noqa: B023
            got = first_order(dy, inputs, values, change)
            assert dy.shape == node.shape
            assert got.shape == np.shape(expected)
            np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7)
    assert tested


@pytest.mark.parametrize("op", FUNCTIONS)
def test_book_and_engine_have_the_same_differential(op: str) -> None:
    left, right = both(BOOK[f"d:{op}"].statement, "rule", scope(BOOK[f"d:{op}"].where, DIFFERENT))
    assert left.args[0].op == op
    assert function_differential(left.args[0], lambda e: True) is right


@pytest.mark.parametrize("op", FUNCTIONS)
def test_example_reads(op: str) -> None:
    root = read(FUNCTIONS[op].example).expr
    assert any(e.kind == ex.CALL and e.op == op for e in ex.postorder(root))


@pytest.mark.parametrize("op", FUNCTIONS)
def test_example_has_a_checked_derivative(op: str) -> None:
    for name in read(FUNCTIONS[op].example).variables:
        try:
            check = matgrad.diff(FUNCTIONS[op].example, wrt=name).check
        except Unsupported as problem:
            assert problem.code == 3
            continue
        assert check is not None
        assert check.ok
        assert check.points >= 3


@pytest.mark.parametrize("op", FUNCTIONS)
def test_code_has_the_shape_of_the_signature(op: str) -> None:
    rng = np.random.default_rng(2)
    for sizes, shapes in argument_shapes(op):
        names = [name for name, _ in signature(op).parameters]
        args = [ex.var(name, s) for name, s in zip(names, shapes, strict=True)]
        values = [domain_value(FUNCTIONS[op].domain, s, rng) for s in shapes]
        for i, name in enumerate(names):
            if (op, name) in WHOLE_ARGUMENTS:
                args[i], values[i] = ex.num(3), np.float64(3)
        node = call_of(op, tuple(args), sizes)
        value = compiled([node], args)(values, {}, {})[0]
        kinds = {ex.SCALAR: (), ex.VECTOR: (node.shape.rows,), ex.ROW: (node.shape.cols,)}
        assert np.shape(value) == kinds.get(node.shape.kind, (node.shape.rows, node.shape.cols))
        assert np.all(np.isfinite(value))


@pytest.mark.parametrize("op", FUNCTIONS)
def test_names_resolve(op: str) -> None:
    function = FUNCTIONS[op]
    kinds = [ex.VECTOR if s.kind == ARRAY else s.kind for _, s in signature(op).parameters]
    for name in function.names:
        assert pick(name, kinds) is function
        assert function in BY_NAME[name]
        assert find(name).name in {f"d:{f.op}" for f in BY_NAME[name]}
    assert find(op).name == f"d:{op}"
    assert find(f"d:{op}").because == function.because


MAY_BE_EMPTY = {"names", "assumes", "nonsmooth"}
FILLED_IN = [f for f in Function._fields if f not in MAY_BE_EMPTY]


@pytest.mark.parametrize("op", FUNCTIONS)
def test_function_fields(op: str) -> None:
    function = FUNCTIONS[op]
    assert function.op == op
    assert [f for f in FILLED_IN if not getattr(function, f)] == []
    assert function.domain in DOMAINS
    assert function.level in ("atom", "postfix", "product")
    assert function.about.endswith(".")
    assert not Function._field_defaults
    assert not function.nonsmooth.endswith(".")
    for name, _ in signature(op).parameters:
        for form in (function.plain, function.unicode, function.latex):
            assert f"<{name}>" in form or f"<{name}^>" in form
        assert f"{{{name}}}" in function.numpy
        if (op, name) not in WHOLE_ARGUMENTS:
            assert f"d({name}" in function.differential
    for name in signature(op).sizes:
        for form in (function.plain, function.unicode, function.latex):
            assert f"<{name}>" in form
        assert f"{{{name}}}" in function.numpy


AXIOMS = ("distributive law", "commutative law", "associative law")


@pytest.mark.parametrize("name", RULES)
def test_rule_fields(name: str) -> None:
    rule = RULES[name]
    assert rule.name == name
    assert isinstance(rule.minor, bool)
    required = ("statement", "where", "because", "source", "stage")
    assert [f for f in required if not getattr(rule, f)] == []
    assert name not in FUNCTIONS
    names = [declare(part.strip()).name for part in rule.where.split(";")]
    assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("name", RULES)
def test_rule_has_a_proof_or_is_a_definition(name: str) -> None:
    rule = RULES[name]
    assert rule.proof or rule.source.startswith("definition") or rule.source in AXIOMS


@pytest.mark.parametrize("name", BOOK)
def test_rule_is_shown(name: str) -> None:
    entry = BOOK[name]
    assert f" {entry.statement}\n" in book_text(BOOK) + "\n"
    text = entry_text(entry)
    for part in (entry.where, entry.because, entry.source):
        assert part in text
    for line in entry.proof:
        equation, _, reason = line.partition(" | ")
        assert equation in text
        assert reason in text


@pytest.mark.parametrize("name", BOOK)
def test_rule_names_what_it_uses(name: str) -> None:
    """Every name of `where` stands in the statement or in the proof."""
    entry = BOOK[name]
    text = " ".join([entry.statement, *(p.partition(" | ")[0] for p in entry.proof)])
    for d in (declare(part.strip()) for part in entry.where.split(";")):
        assert d.name in text
