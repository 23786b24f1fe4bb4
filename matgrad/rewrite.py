"""Applies rules and records it; replays a record.

A rule is applied by giving its names values. Both sides are then built, the left side is found in the expression at
hand and the right side put in its place. So every recorded step is an instance of a rule by construction, and `replay`
can check that it still is.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

from matgrad import expr as ex
from matgrad import scalar_calculus
from matgrad.definitions import (
    Defined,
    applied_entrywise,
    definition_in,
    function_in,
    unknown_function,
)
from matgrad.dims import Dim, dim_add, dim_atoms, dim_mul, dim_scale
from matgrad.errors import InternalError, LimitProblem, MatgradError, Unsupported
from matgrad.expr import Expr, Shape
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.parse import Parsed, Syntax, parse, walk
from matgrad.properties import has_property, push_transposes
from matgrad.rules import TABLE as RULES
from matgrad.shapes import (
    Declared,
    Scope,
    build_nodes,
    declare,
    signature,
    size_values,
)
from matgrad.steps import DIFFERENTIAL, TRACE, Line, Step

Bindings = Mapping[
    str, object
]  # a name of the rule -> an Expr, an index, or the name of an unknown function


MAX_FACTORS = (
    500  # of one product that d() is applied to: the product rule writes them out once for each
)


# --- formulas ---------------------------------------------------------------------------------------------------------


class Template(NamedTuple):
    """A rule's statement, parsed, with the declarations of its names."""

    parsed: Parsed
    left: Syntax
    right: Syntax
    where: tuple[Declared, ...]


@functools.cache
def declarations(where: str) -> tuple[Declared, ...]:
    """The declarations of a rule's `where`."""
    return tuple(declare(part.strip()) for part in where.split(";"))


@functools.cache
def template(rule: str) -> Template:
    """The statement of a rule of the table, parsed when first needed."""
    record = RULES[rule]
    where = declarations(record.where)
    parsed = parse(record.statement, "rule", {d.name for d in where})
    left, right = parsed.root.args
    return Template(parsed, left, right, where)


def scope_of(where: tuple[Declared, ...], bindings: Bindings) -> Scope:
    """What the names of a formula mean under bindings: values, and the sizes that follow from them."""
    values: dict[str, Expr] = {}
    dims: dict[str, Dim] = {}
    indices: dict[str, int | str | None] = {}
    functions: dict[str, str | Defined] = {}
    maps: dict[str, tuple[str, str, Shape]] = {}
    sizes: list[tuple[str, Dim]] = []
    for name, role, shape in ((d.name, d.role, d.shape) for d in where):
        value = bindings[name]
        if role == "elementwise":
            functions[name] = value if isinstance(value, Defined) else str(value)
        elif role == "index":
            assert isinstance(value, (int, str))
            indices[name] = value
            sizes.append((name, shape.rows))
        else:
            assert isinstance(value, Expr)
            if role == "map":  # bound by what it makes of its argument
                maps[name] = (value.data[1], value.data[2], value.shape)
            else:
                values[name] = value
            for formal, actual in (
                (shape.rows, value.shape.rows),
                (shape.cols, value.shape.cols),
            ):
                if isinstance(formal, str):
                    dims.setdefault(formal, actual)
    for name, formal in sizes:
        dims[f"e_{name}"] = dims[formal] if isinstance(formal, str) else formal
    return Scope(values, dims, indices, functions, {}, maps)


def instance(rule: str, bindings: Bindings) -> tuple[Expr, Expr]:
    """Both sides of a rule for given values of its names."""
    t = template(rule)
    built = build_nodes(t.parsed, t.parsed.nodes, scope_of(t.where, bindings))
    return built[id(t.left)], built[id(t.right)]


class DifferentialTemplate(NamedTuple):
    """The differential of a function of the table: its terms, each with the arguments it differentiates."""

    parsed: Parsed
    terms: tuple[tuple[tuple[Syntax, ...], Syntax, frozenset[str]], ...]
    names: tuple[str, ...]
    dims: tuple[tuple[object, object], ...]


@functools.cache
def differential_template(op: str) -> DifferentialTemplate:
    """The differential of a function, parsed when first needed and split into its terms."""
    sig = signature(op)
    names = tuple(name for name, _ in sig.parameters)
    parsed = parse(FUNCTIONS[op].differential, "expression", set(names))
    roots: list[Syntax] = []
    todo = [parsed.root]
    while todo:
        node = todo.pop()
        if node.kind == "add" and not node.grouped:
            todo.extend(reversed(node.args))
        else:
            roots.append(node)
    terms = []
    for root in roots:
        below = set(map(id, walk(root)))
        nodes = tuple(n for n in parsed.nodes if id(n) in below)
        about = frozenset(
            str(leaf.value)
            for n in nodes
            if n.kind == "call" and n.value == "d"
            for leaf in walk(n)
            if leaf.kind == "name"
        )
        terms.append((nodes, root, about))
    return DifferentialTemplate(
        parsed, tuple(terms), names, tuple((s.rows, s.cols) for _, s in sig.parameters)
    )


def function_differential(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """d(e) for a function of the table, without the terms of constant arguments."""
    t = differential_template(e.op)
    values = dict(zip(t.names, e.args, strict=True))
    dims: dict[str, Dim] = {}
    for argument, formal in zip(e.args, t.dims, strict=True):
        actual = (argument.shape.rows, argument.shape.cols)
        dims.update((n, a) for n, a in zip(formal, actual, strict=True) if isinstance(n, str))
    dims.update(size_values(e))
    scope = Scope(values, dims, {}, {}, {})
    moving = {name for name, value in values.items() if depends(value)}
    kept = []
    for nodes, root, about in t.terms:
        if about & moving:
            kept.append(build_nodes(t.parsed, nodes, scope)[id(root)])
    if not kept:
        raise Unsupported(f"`{e.op}` has no derivative by this argument")
    return ex.add(*kept)


# --- definitions --------------------------------------------------------------------------------------------------------


def derived(f: Defined, order: int, by_sympy: bool = True) -> Defined | None:
    """The derivative of a definition, by SymPy or by matgrad's own rules; None if SymPy cannot be used."""
    if order == 0:
        return f
    if by_sympy:
        found = scalar_calculus.derivative(without_definitions(f.body), f.variable, order)
        return None if found is None else f._replace(body=found)
    body = f.body
    for _ in range(order):
        body = _scalar_derivative(body, f.variable)
    return f._replace(body=body)


def written_out(e: Expr) -> Expr:
    """A function that has a definition, or a derivative of it, applied to its argument: written out."""
    f, order = definition_in(e), e.data[2]
    assert f is not None
    found = derived(f, order) or derived(f, order, by_sympy=False)
    assert found is not None
    return applied_entrywise(found, e.args[0])


def without_definitions(e: Expr) -> Expr:
    """The expression with defined functions and their derivatives written out, those inside them too."""
    while True:
        those = [n for n in ex.postorder(e) if definition_in(n) is not None]
        if not those:
            return e
        e = ex.substitute(e, {those[-1]: written_out(those[-1])})


def _scalar_derivative(body: Expr, t: Expr) -> Expr:
    """The derivative of a scalar by t, each function by its own differential with dt = 1."""
    done: dict[Expr, Expr] = {t: ex.ONE}
    moves = dependence(DIFFERENTIAL, (t,))
    for node in ex.postorder(body):
        if node in done:
            continue
        if not moves(node):
            done[node] = ex.ZERO
            continue
        d = ex.diff(node)
        if node.kind == ex.ADD:
            d = _sum_rule(d, moves)
        elif node.kind == ex.MUL:
            d = _product_rule(d, moves)
        elif node.op == "apply":
            d = _unknown_derivative(d, moves)
        else:
            d = function_differential(node, moves)
        done[node] = ex.substitute(d, {ex.diff(a): done[a] for a in node.args})
    return done[body]


def _write_out(order: int, by_sympy: bool, e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """f(x), or one of its derivatives, by what f is defined to be."""
    f = definition_in(e)
    if f is None or bool(e.data[2]) != bool(order):
        return e
    found = derived(f, e.data[2], by_sympy)
    return e if found is None else applied_entrywise(found, e.args[0])


# --- identities for any number of operands ----------------------------------------------------------------------------


def _sum_rule(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    return ex.add(*(ex.diff(t) for t in e.args[0].args if depends(t)))


def _product_rule(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    inner = e.args[0]
    if len(inner.args) > MAX_FACTORS:
        raise LimitProblem(
            f"a product of {len(inner.args)} factors is too long to differentiate",
            help=f"products of up to {MAX_FACTORS} factors are",
        )
    count = inner.data[1]
    front = ex.num(inner.coefficient)
    # The chain of a scalar product (x'A y) is one of its factors like any other.
    terms = []
    for i, factor in enumerate(inner.args):
        if depends(factor):
            changed = (*inner.args[:i], ex.diff(factor), *inner.args[i + 1 :])
            scalars, chain = changed[:count], changed[count:]
            terms.append(
                ex.mul(front, *scalars, ex.mul(*chain)) if chain else ex.mul(front, *scalars)
            )
    return ex.add(*terms)


def _constant_factor(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The product rule where one factor moves."""
    return _product_rule(e, depends) if sum(map(depends, e.args[0].args)) == 1 else e


def _hadamard_product_rule(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    args = e.args[0].args
    return ex.add(
        *(
            ex.hadamard(*args[:i], ex.diff(a), *args[i + 1 :])
            for i, a in enumerate(args)
            if depends(a)
        )
    )


def _stack_rule(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    inner = e.args[0]
    return ex.stack(
        tuple(ex.diff(a) if depends(a) else ex.zeros(a.shape) for a in inner.args), inner.data
    )


def _unknown_derivative(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    inner = e.args[0]
    order = inner.data[2]
    argument = inner.args[0]
    return ex.hadamard(unknown_function(function_in(inner), order + 1, argument), ex.diff(argument))


def _constant(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    return e if depends(e.args[0]) else ex.zeros(e.shape)


def _entry_rule(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    return ex.index(ex.diff(e.args[0].args[0]), *e.args[0].data)


def _transposes(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    return push_transposes(e)


def _zero(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """Linear functions of zeros, at any depth, as zeros."""

    def fold(node: Expr) -> Expr:
        linear = node.kind in (ex.INDEX, ex.STACK, ex.SUM)
        if linear and all(map(ex.is_zero, node.args)):
            return ex.zeros(node.shape)
        if node.kind == ex.CALL and any(ex.is_zero(node.args[i]) for i in linear_in(node.op)):
            return ex.zeros(node.shape)
        return node

    return ex.transform(e, fold)


def parameter_names(op: str) -> list[str]:
    """The names of a function's arguments, as its signature and its differential call them."""
    return re.findall(r"(\w+):", FUNCTIONS[op].signature.partition("->")[0])


@functools.cache
def linear_in(op: str) -> tuple[int, ...]:
    """Which arguments of a function it is linear in: d(f(..., X, ...)) has d(X) once, as in f(..., d(X), ...)."""
    if op not in FUNCTIONS:
        return ()
    function = FUNCTIONS[op]
    names = parameter_names(op)
    found = []
    for i, name in enumerate(names):
        changed = ", ".join(f"d({n})" if n == name else n for n in names)
        calls = [f"{n}({changed})" for n in (*function.names, op.partition(":")[0])]
        if op == "transpose":
            calls = [f"d({name})'"]
        linear = any(
            c in function.differential.replace(", 1)", ")").replace(", 2)", ")") for c in calls
        )
        if linear and function.differential.count(f"d({name})") == 1:
            found.append(i)
    return tuple(found)


def _distribute(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """Write a product, or a linear function, of one moving sum as a sum."""
    if e.kind == ex.MUL:
        for i, a in enumerate(e.args):
            if a.kind == ex.ADD and depends(a):
                count = e.data[1]
                terms = []
                for t in a.args:
                    args = (*e.args[:i], t, *e.args[i + 1 :])
                    scalars, chain = args[:count], args[count:]
                    inside = (ex.mul(*chain),) if chain else ()
                    terms.append(ex.mul(ex.num(e.coefficient), *scalars, *inside))
                return ex.add(*terms)
    return e if e.op in ("tr", "sum", "diff") else _linear_in_sum(e, depends)


def _expand(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """A (B + C) D -> A B D + A C D, for the first sum in a product of matrices."""
    for i, a in enumerate(e.chain):
        if a.kind == ex.ADD:
            before, behind = e.chain[:i], e.chain[i + 1 :]
            front = ex.mul(ex.num(e.coefficient), *e.scalars)
            return ex.add(*(ex.mul(front, ex.mul(*before, t, *behind)) for t in a.args))
    return e


def _linear_in_sum(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """A function of a moving sum, linear in it, as a sum."""
    for i, a in enumerate(e.args):
        if a.kind == ex.ADD and depends(a):
            return ex.add(*(ex.rebuild(e, (*e.args[:i], t, *e.args[i + 1 :])) for t in a.args))
    return e


def _distribute_over(op: str, e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    return _linear_in_sum(e, depends) if e.op == op else e


def _blocks(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """A stack as the sum of its moving blocks, each put in its place by a matrix of zeros and ones."""
    columns = e.data
    grid = [e.args[i : i + columns] for i in range(0, len(e.args), columns)]
    all_scalar = all(a.is_scalar for a in e.args)
    terms = []
    for i, row in enumerate(grid):
        for j, block in enumerate(row):
            if not depends(block):
                continue
            term = block
            if len(grid) > 1:
                if all_scalar:
                    term = ex.mul(ex.basis(i + 1, len(grid)), term)
                else:
                    left = tuple(
                        _place(
                            r[0].shape.rows,
                            block.shape.rows,
                            k == i,
                            block.shape.kind in (ex.SCALAR, ex.ROW),
                        )
                        for k, r in enumerate(grid)
                    )
                    term = ex.mul(ex.stack(left, 1), term)
            if columns > 1:
                if all_scalar:
                    term = ex.mul(term, ex.transpose(ex.basis(j + 1, columns)))
                else:
                    right = tuple(
                        ex.transpose(
                            _place(
                                c.shape.cols,
                                block.shape.cols,
                                k == j,
                                block.shape.kind in (ex.SCALAR, ex.VECTOR),
                            )
                        )
                        for k, c in enumerate(grid[0])
                    )
                    term = ex.mul(term, ex.stack(right, len(right)))
            if e.shape.kind == ex.MATRIX and term.shape.kind == ex.ROW:
                term = ex.mul(ex.ones(ex.vector_shape(1)), term)  # a matrix with one row
            elif e.shape.kind == ex.MATRIX and term.shape.kind == ex.VECTOR:
                term = ex.mul(term, ex.ones(ex.row_shape(1)))
            terms.append(term)
    return ex.add(*terms)


def _place(rows: Dim, cols: Dim, here: bool, column: bool) -> Expr:
    if column:
        if rows == 1:
            return ex.ONE if here else ex.ZERO
        return ex.zeros(ex.vector_shape(rows))
    return ex.eye(rows) if here else ex.zeros(ex.matrix_shape(rows, cols))


def _linear_scalar(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """f(c X) -> c f(X) for a function f, linear in the argument that moves."""
    for i, a in enumerate(e.args):
        if depends(a) and a.kind == ex.MUL and (a.data[1] or a.coefficient != 1):
            outside = (ex.num(a.coefficient), *a.scalars)
            core = ex.mul(*a.chain)
            return ex.mul(*outside, ex.rebuild(e, (*e.args[:i], core, *e.args[i + 1 :])))
    return e


def _index_sum_rule(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    name, first, last = e.args[0].data
    return ex.sum_over(name, first, last, ex.diff(e.args[0].args[0]))


def _repeated_factors(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """A run of equal factors as a power, in every product; equal numbers wherever they stand."""

    def change(node: Expr) -> Expr:
        if node.kind != ex.MUL:
            return node
        chain, numbers = node.chain, Counter(node.scalars)
        runs = [(link, len(list(run))) for link, run in itertools.groupby(chain)]
        if len(runs) == len(chain) and len(numbers) == len(node.scalars):
            return node
        links = (ex.power(link, ex.num(count)) for link, count in runs)
        scalars = (ex.power(s, ex.num(count)) for s, count in numbers.items())
        return ex.mul(ex.num(node.coefficient), *scalars, ex.mul(*links))

    return ex.transform(e, change)


def _repeated_factors_entrywise(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """Equal factors of elementwise products as powers."""

    def change(node: Expr) -> Expr:
        counts = Counter(node.args)
        if node.op != "hadamard" or len(counts) == len(node.args):
            return node
        return ex.hadamard(*(ex.epower(a, ex.num(count)) for a, count in counts.items()))

    return ex.transform(e, change)


def _matrix_power(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """d(X^k) -> sum(r=0:k-1, X^r d(X) X^(k-1-r))."""
    base, exponent = e.args[0].args
    last = _as_size(ex.sub(exponent, ex.ONE))
    taken = ex.index_names(e) | {str(a) for a in dim_atoms(last)}
    name = next(n for n in "rsijpq" if n not in taken)
    r = ex.index_value(name)
    rest = ex.add(exponent, ex.num(-1), ex.neg(r))
    return ex.sum_over(
        name, 0, last, ex.mul(ex.power(base, r), ex.diff(base), ex.power(base, rest))
    )


def _as_size(e: Expr) -> Dim:
    """The dimension that a whole-number expression of names of sizes and integers is."""
    done: dict[Expr, Dim] = {}
    for node in ex.postorder(e):
        parts = [done[a] for a in node.args]
        if node.kind == ex.NUM and node.data.denominator == 1:
            done[node] = int(node.data)
        elif node.kind == ex.CONST and node.op in ("size", "index"):
            done[node] = node.data[1]
        elif node.kind == ex.ADD:
            done[node] = functools.reduce(dim_add, parts)
        elif node.kind == ex.MUL:
            done[node] = dim_scale(functools.reduce(dim_mul, parts), node.coefficient)
        else:
            raise Unsupported(
                "an exponent of a matrix is made of integers with `+`, `-` and `*` here"
            )
    return done[e]


def _index_sum_out(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """f(sum(i, X_i)) -> sum(i, f(X_i)), for the moving sum inside a term that is linear in it."""
    inner = next((n for n in reversed(ex.postorder(e)) if n.kind == ex.SUM and depends(n)), e)
    if inner is e:
        return e
    name, first, last = inner.data
    summand = inner.args[0]
    taken = ex.index_names(ex.substitute(e, {inner: ex.var("_", inner.shape)}))
    if name in taken:
        used = taken | ex.index_names(summand)
        fresh = next(n for n in _INDEX_LETTERS if n not in used)
        summand, name = ex.rename_index(summand, name, fresh), fresh
    return ex.sum_over(name, first, last, ex.substitute(e, {inner: summand}))


def _constant_sum(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """sum(i=a:b, X) -> (b - a + 1) X for an X without i."""
    name, first, last = e.data
    if name in ex.index_names(e.args[0]):
        return e
    count = dim_add(last, dim_add(1, dim_scale(first, -1)))
    return ex.mul(ex.size(count), e.args[0])


def _index_sum_constant(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """sum(i, c A X_i B) -> c A sum(i, X_i) B for what does not depend on i."""
    name, first, last = e.data
    summand = e.args[0]
    if summand.kind != ex.MUL:
        return e

    def fixed(a: Expr) -> bool:
        return name not in ex.index_names(a)

    outside = [ex.num(summand.coefficient), *filter(fixed, summand.scalars)]
    inside = [s for s in summand.scalars if not fixed(s)]
    chain = list(summand.chain)
    front: list[Expr] = []
    back: list[Expr] = []
    while chain and fixed(chain[0]):
        front.append(chain.pop(0))
    while chain and fixed(chain[-1]):
        back.insert(0, chain.pop())
    if not front and not back and len(outside) == 1 and summand.coefficient == 1:
        return e
    middle = ex.mul(*inside, *([ex.mul(*chain)] if chain else []))
    return ex.mul(*outside, *front, ex.sum_over(name, first, last, middle), *back)


# For a new index: letters that no size is given by inference (n, m, p, k, r, s, l, u, v, w).
_INDEX_LETTERS = "ijhtqabcdfgoxyz"


def _index_sum_reverse(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """sum(i=a:b, f(i)) -> sum(i=a:b, f(a + b - i)), where i is a number and no index of entries."""
    name, first, last = e.data
    nodes = ex.postorder(e.args[0])
    if any(n.kind == ex.INDEX and name in n.data for n in nodes):
        return e
    if any(n.kind == ex.CONST and n.data == ("basis", name) for n in nodes):
        return e
    here = ex.index_value(name)
    back = ex.add(ex.size(last), ex.size(first), ex.neg(here))

    def change(node: Expr) -> Expr:
        if node is here:
            return back
        return _like_added(node) if node.kind == ex.ADD and node.is_scalar else node

    return ex.sum_over(name, first, last, ex.transform(e.args[0], change))


def _like_added(e: Expr) -> Expr:
    """A sum with its like terms added, each where it stood first."""
    counts: dict[Expr, Fraction] = {}
    for term in _sum_terms(multiplied_terms(e)):
        part = term.args if term.kind == ex.MUL else (() if term.kind == ex.NUM else (term,))
        core = ex.mul(*part) if part else ex.ONE
        counts[core] = counts.get(core, Fraction(0)) + number_of(term).data
    return ex.add(*(ex.mul(ex.num(count), core) for core, count in counts.items()))


def _index_sum_join(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """Two sums over one range, with the numbers before them, as one."""
    for s, t in itertools.combinations(e.args, 2):
        joined = joined_sums(s, t)
        if joined is not None:
            return ex.add(*(joined if u is s else u for u in e.args if u is not t))
    return e


def joined_sums(s: Expr, t: Expr) -> Expr | None:
    """sum(i, X) + sum(i, Y) as sum(i, X + Y), if both are sums over one range; what stands before them goes inside."""
    found = []
    for term in (s, t):
        inner = term.args[-1] if term.kind == ex.MUL and len(term.args) else term
        if inner.kind != ex.SUM:
            return None
        outside = [ex.num(term.coefficient), *term.args[:-1]] if term.kind == ex.MUL else []
        found.append((inner, outside))
    (a, before_a), (b, before_b) = found
    if a.data[1:] != b.data[1:]:
        return None
    name, first, last = a.data
    other = b.args[0]
    if b.data[0] != name:
        if any(name in ex.index_names(x) for x in (other, *before_b)):
            return None
        other = ex.rename_index(other, b.data[0], name)
    if any(name in ex.index_names(x) for x in (*before_a, *before_b)):
        return None
    return ex.sum_over(
        name, first, last, ex.add(ex.mul(*before_a, a.args[0]), ex.mul(*before_b, other))
    )


def multiplied_terms(e: Expr) -> Expr:
    """A sum, or a product, in which the products of sums are multiplied out."""
    return ex.add(ex.zeros(e.shape), *map(_multiplied, e.args if e.kind == ex.ADD else (e,)))


def _multiplied(term: Expr) -> Expr:
    """One term as a sum of products; small whole powers of scalar sums are products."""
    if term.kind == ex.CALL and term.op == "power":
        factors: list[tuple[Expr, ...]] = [_power_terms(term)]
        coefficient, count = ex.ONE, 1
    elif term.kind == ex.MUL:
        coefficient, count = ex.num(term.coefficient), term.data[1]
        factors = [_power_terms(a) if a.is_scalar else _sum_terms(a) for a in term.args]
    else:
        return term
    if math.prod(map(len, factors)) > MAX_PRODUCTS:
        return term
    found = []
    for choice in itertools.product(*factors):
        scalars, chain = choice[:count], choice[count:]
        found.append(ex.mul(coefficient, *scalars, *((ex.mul(*chain),) if chain else ())))
    return ex.add(*found)


MAX_PRODUCTS = 24  # terms that one product of sums is multiplied out to


def _sum_terms(a: Expr) -> tuple[Expr, ...]:
    """The terms of a sum, or of a transposed one."""
    if a.op == "transpose" and a.args[0].kind == ex.ADD:
        return tuple(push_transposes(ex.transpose(t)) for t in a.args[0].args)
    return a.args if a.kind == ex.ADD else (a,)


def _power_terms(a: Expr) -> tuple[Expr, ...]:
    """The terms of a scalar sum, or of a sum to a whole power."""
    if a.kind == ex.CALL and a.op == "power" and a.args[0].kind == ex.ADD:
        k = ex.integer(a.args[1])
        if k is not None and 1 < k < 5 and len(a.args[0].args) ** k <= MAX_PRODUCTS:
            choices = itertools.product(a.args[0].args, repeat=k)
            return tuple(ex.mul(*choice) for choice in choices)
    return _sum_terms(a)


def _entries_of_product(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """[a A[1,1] x[1] + a A[1,2] x[2]; ...] -> a A x, and the same with A' beside it."""
    rows = [_sum_terms(multiplied_terms(a) if a.kind == ex.ADD else _multiplied(a)) for a in e.args]
    terms = [[(t, _product_of_entries(t)) for t in row] for row in rows]
    pairs = dict.fromkeys((f[1], f[2]) for row in terms for _, f in row if f is not None)
    for matrix, vector in pairs:
        found = _coefficients(terms, matrix, vector)
        if found is not None:
            a, b = found
            rest = [[t for t, f in row if f is None or f[1:3] != (matrix, vector)] for row in terms]
            left = tuple(ex.add(ex.ZERO, *row) for row in rest)
            products = [
                ex.mul(ex.num(a), matrix, vector) if a else ex.zeros(e.shape),
                ex.mul(ex.num(b), ex.transpose(matrix), vector) if b else ex.zeros(e.shape),
            ]
            others = ex.zeros(e.shape) if all(map(ex.is_zero, left)) else ex.stack(left, 1)
            return ex.add(*products, others)
    return e


_Entries = tuple[Fraction, Expr, Expr, tuple[int, int], int]


def _product_of_entries(t: Expr) -> _Entries | None:
    """(c, A, x, (i, j), k) of a term c A[i,j] x[k] with numbers for i, j and k."""
    entries = t.args if t.kind == ex.MUL and len(t.args) == 2 else ()
    if len(entries) == 2 and all(a.kind == ex.INDEX for a in entries):
        a, x = sorted(entries, key=lambda n: -len(n.data))
        whole = all(isinstance(i, int) for i in (*a.data, *x.data))
        if whole and (len(a.data), len(x.data)) == (2, 1):
            return t.coefficient, a.args[0], x.args[0], a.data, x.data[0]
    return None


def _coefficients(
    terms: list[list[tuple[Expr, _Entries | None]]], matrix: Expr, vector: Expr
) -> tuple[Fraction, Fraction] | None:
    """(a, b) if the terms with entries of A and x are those of a A x + b A' x."""
    given: Counter[tuple[int, int, int, int]] = Counter()
    for r, row in enumerate(terms, 1):
        for _, f in row:
            if f is not None and f[1:3] == (matrix, vector):
                given[(r, f[3][0], f[3][1], f[4])] += f[0]  # type: ignore[assignment]
    rows, columns = len(terms), vector.shape.rows
    if not isinstance(columns, int):
        return None
    straight = matrix.shape[1:] == (rows, columns)
    turned = matrix.shape[1:] == (columns, rows)
    a = given.get((1, 1, columns, columns), 0) if straight else 0
    b = given.get((1, columns, 1, columns), 0) if turned else 0
    if straight and turned and columns == 1:
        b = 0
    wanted: Counter[tuple[int, int, int, int]] = Counter()
    for r in range(1, rows + 1):
        for c in range(1, columns + 1):
            wanted[(r, r, c, c)] += a
            wanted[(r, c, r, c)] += b
    same = {k: v for k, v in wanted.items() if v} == {k: v for k, v in given.items() if v}
    return (Fraction(a), Fraction(b)) if same and (a or b) else None


def _index_sum_factor(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """sum(i, tr(M_i E)) -> tr(sum(i, M_i) E), and the same for M_i E."""
    name, first, last = e.data
    factor, moving, trace = split_term(e.args[0], depends)
    if name in ex.free_indices(moving):
        return e
    product = ex.mul(ex.sum_over(name, first, last, factor), moving)
    return ex.call("tr", (product,), ex.SCALAR_SHAPE) if trace else product


def _commute(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """An elementwise product with what moves behind the constant factors."""
    return ex.hadamard(*(a for a in e.args if not depends(a)), *(a for a in e.args if depends(a)))


def _collect(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The sum of terms c tr(M E), c m E or c dt with one term for each E that moves."""
    groups: dict[tuple[Expr, bool], list[Expr]] = {}
    terms = e.args if e.kind == ex.ADD else (e,)
    for term in terms:
        factor, moving, trace = split_term(term, depends)
        groups.setdefault((moving, trace), []).append(factor)
    if len(groups) == len(terms):
        return e
    total = []
    for (moving, trace), factors in groups.items():
        product = ex.mul(ex.add(*factors), moving)
        if trace and not ex.is_zero(product):
            product = ex.call("tr", (product,), ex.SCALAR_SHAPE)
        total.append(ex.zeros(e.shape) if ex.is_zero(product) else product)
    return ex.add(*total)


def _stack_factor(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """[A dx; B dx] -> [A; B] dx, with zeros for the blocks that do not move."""
    parts = [split_term(block, depends) if depends(block) else None for block in e.args]
    leaf = next(p[1] for p in parts if p is not None)
    blocks = []
    for block, part in zip(e.args, parts, strict=True):
        if part is not None:
            blocks.append(part[0])
        elif leaf.is_scalar:
            blocks.append(ex.zeros(block.shape))
        elif block.is_scalar:
            blocks.append(ex.zeros(ex.row_shape(leaf.shape.rows)))
        else:
            blocks.append(ex.zeros(ex.matrix_shape(block.shape.rows, leaf.shape.rows)))
    return ex.mul(ex.stack(tuple(blocks), e.data), leaf)


def _frechet_of_commuting(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The Fréchet derivative f'(X) E of a matrix function in a direction that commutes with X."""
    if e.op == "sylvester":
        a, b, c = e.args
        if a is not b or not commutes(a, c):
            return e
        return ex.mul(ex.num(Fraction(1, 2)), c, ex.inverse(a))
    x, direction = e.args
    if not commutes(x, direction):
        return e
    of = functools.partial(ex.call, args=(x,), shape=x.shape)
    first = {
        "dexpm": lambda: of("expm"),
        "dlogm": lambda: ex.inverse(x),
        "dsinm": lambda: of("cosm"),
        "dcosm": lambda: ex.neg(of("sinm")),
    }[e.op]()
    return ex.mul(first, direction)


_FUNCTIONS_OF_A_MATRIX = frozenset(
    ["inv", "matpow", "expm", "logm", "sqrtm", "sinm", "cosm", "adj", "pinv"]
)


def commutes(x: Expr, e: Expr) -> bool:
    """Whether e is made of x, the identity and scalars by sums, products and functions of a matrix, and so commutes with x."""
    core = _commuting_core(x)
    made: dict[Expr, bool] = {}
    for node in ex.postorder(e):
        if node.is_scalar or node is core or node is x:
            made[node] = True
        elif node.kind == ex.CONST:
            made[node] = node.op in ("eye", "zeros")
        elif node.kind in (ex.ADD, ex.MUL):
            made[node] = all(made[a] for a in node.args)
        else:
            functions = node.kind == ex.CALL and node.op in _FUNCTIONS_OF_A_MATRIX
            made[node] = functions and all(made[a] for a in node.args)
    return made[e]


def _commuting_core(x: Expr) -> Expr:
    """X for X, c X, and functions of X: what commutes with X commutes with those too."""
    while True:
        if x.kind == ex.MUL and len(x.chain) == 1:
            x = x.chain[0]
        elif x.kind == ex.CALL and x.op in _FUNCTIONS_OF_A_MATRIX:
            x = x.args[0]
        else:
            return x


def _block_product(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """[A, B] [x; y] -> A x + B y, and [A, B] 1 -> A 1 + B 1."""
    row, column = e.chain[0], ex.mul(*e.chain[1:])
    if column.kind == ex.STACK:
        parts = list(column.args)
    else:
        parts = [ex.ones(ex.vector_shape(a.shape.cols)) for a in row.args]
    front = ex.mul(ex.num(e.coefficient), *e.scalars)
    return ex.mul(front, ex.add(*(ex.mul(a, x) for a, x in zip(row.args, parts, strict=True))))


def _logistic(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """(1 + exp(x))^-k -> sigmoid(-x)^k, in either order of the sum."""
    base, exponent = e.args
    x = next(a for a in base.args if a.kind == ex.CALL and a.op == "exp").args[0]
    mirrored = ex.call("sigmoid", (ex.neg(x),), x.shape)
    raised = ex.power if e.is_scalar else ex.epower
    return raised(mirrored, ex.neg(exponent))


def _power_scalar(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """(c X)^k -> c^k X^k."""
    base, exponent = e.args
    outside = ex.power(ex.mul(ex.num(base.coefficient), *base.scalars), exponent)
    return ex.mul(outside, ex.power(ex.mul(*base.chain), exponent))


def _cancel_transposed(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """A' inv(A B)' -> inv(B)' and inv(A B)' B' -> inv(A)', for square A and B, in a product."""
    chain = e.chain
    for i, link in enumerate(chain):
        inner = link.args[0] if link.op == "transpose" else link
        if inner.op != "inv" or inner is link or inner.args[0].kind != ex.MUL:
            continue
        run = inner.args[0].chain
        for count in range(1, len(run)):
            first, last = ex.mul(*run[:count]), ex.mul(*run[count:])
            if first.shape.rows != first.shape.cols:
                continue
            before = push_transposes(ex.transpose(first)).chain
            behind = push_transposes(ex.transpose(last)).chain
            start, stop, rest = i, i + 1, last
            if chain[max(i - len(before), 0) : i] == before:
                start -= len(before)
            elif chain[i + 1 : i + 1 + len(behind)] == behind:
                stop += len(behind)
                rest = first
            else:
                continue
            found = ex.transpose(ex.inverse(rest))
            middle = ex.mul(*chain[:start], found, *chain[stop:])
            return ex.mul(ex.num(e.coefficient), *e.scalars, middle)
    return e


def _one_transpose(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """P' Q' -> (Q P)'."""
    return ex.transpose(push_transposes(ex.transpose(e)))


def _basis_entry(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """1 for e_i[i], 0 for e_1[2]; any other e_i[j] as an entry of the identity, which says how large it is."""
    (at,), here = e.data, e.args[0].data[1]
    if at == here:
        return ex.ONE
    if isinstance(at, int) and isinstance(here, int):
        return ex.ZERO
    return ex.index(ex.eye(e.args[0].shape.rows), at, here)


def _basis_stack(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """a e_1 + b e_2 -> [a; b] (or rows, [a, b]), zeros where no term stands."""
    row = e.shape.kind == ex.ROW
    n = e.shape.cols if row else e.shape.rows
    assert isinstance(n, int)
    entries = [ex.ZERO] * n
    for t in e.args if e.kind == ex.ADD else (e,):
        (vector,) = t.chain
        i = (vector.args[0] if row else vector).data[1] - 1
        entries[i] = ex.add(
            entries[i], ex.mul(ex.num(t.coefficient), *t.scalars) if t.kind == ex.MUL else ex.ONE
        )
    return ex.stack(tuple(entries), n if row else 1)


def _factor_scalar(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """c A + c B -> c (A + B) for the number, or else the first scalar, that every term has."""
    sizes = {abs(number_of(t).data) for t in e.args}
    factor: Expr | None = None
    if len(sizes) == 1 and sizes != {1}:
        factor = ex.num(sizes.pop())
    elif all(number_of(t).data < 0 for t in e.args):
        factor = ex.num(-1)
    else:
        first, *others = e.args
        for s in first.scalars:
            if s.kind != ex.NUM and all(s in t.scalars for t in others):
                factor = s
                break
        else:
            factor = _common_power(e)
    if factor is None:
        return e
    return ex.mul(factor, ex.add(*(_divide(t, factor) for t in e.args)))


def _definition(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """d(y) -> y(X + dX) - y(X)."""
    y = e.args[0]
    moved: dict[Expr, Expr] = {v: ex.add(v, ex.diff(v)) for v in ex.variables(y) if depends(v)}
    return ex.sub(ex.substitute(y, moved), y)


# Operations in which a polynomial stays one.
_POLYNOMIAL = frozenset(
    {"transpose", "tr", "sum", "diag", "diagonal", "hadamard", "power", "epow", "matpow", "vec"}
)
_MAX_TERMS = 400


def not_polynomial(y: Expr, depends: Callable[[Expr], bool]) -> Expr | None:
    """A node because of which y is not written as a polynomial in what moves, or None."""
    for node in ex.postorder(y):
        if not depends(node) or node.kind in (ex.VAR, ex.ADD, ex.MUL, ex.INDEX, ex.STACK):
            continue
        if node.kind != ex.CALL or node.op not in _POLYNOMIAL:
            return node
        if node.op in ("power", "epow", "matpow"):
            k = ex.integer(node.args[1])
            if k is None or not 0 < k <= 8 or depends(node.args[1]):
                return node
    return None


def terms_by_degree(root: Expr) -> list[tuple[int, Expr]] | None:
    """The terms of a polynomial in dX, multiplied out, each with its degree in dX; None if they are too many."""
    Terms = list[tuple[int, Expr]]
    done: dict[Expr, Terms] = {}

    def product(parts: list[Terms], join: Callable[..., Expr]) -> Terms:
        rows: list[tuple[int, list[Expr]]] = [(0, [])]
        for part in parts:
            rows = [(d + k, [*row, t]) for d, row in rows for k, t in part]
            if len(rows) > _MAX_TERMS:
                raise OverflowError
        return [(d, join(*row)) for d, row in rows]

    try:
        for node in ex.postorder(root):
            parts = [done[a] for a in node.args]
            op = node.op if node.kind == ex.CALL else ""
            if node.kind == ex.DIFF:
                done[node] = [(1, node)]
            elif all(k == 0 and len(part) == 1 for part in parts for k, _ in part):
                done[node] = [(0, node)]
            elif node.kind == ex.ADD:
                done[node] = [t for part in parts for t in part]
            elif node.kind == ex.MUL:
                front = ex.num(node.coefficient)
                count = node.data[1]
                groups = product(parts[:count], functools.partial(ex.mul, front))
                if parts[count:]:
                    links = product(parts[count:], ex.mul)
                    groups = product([groups, links], ex.mul)
                done[node] = groups
            elif op in ("power", "epow", "matpow"):
                join = {"epow": _joined_hadamard, "power": _joined}.get(op, ex.mul)
                done[node] = product([parts[0]] * int(node.args[1].data), join)
            elif op == "hadamard":
                done[node] = product(parts, ex.hadamard)
            elif node.kind == ex.STACK:
                done[node] = _stack_by_degree(node, parts)
            else:
                done[node] = [
                    (k, push_transposes(ex.rebuild(node, (t, *node.args[1:])))) for k, t in parts[0]
                ]
            if len(done[node]) > _MAX_TERMS:
                return None
    except OverflowError:
        return None
    return done[root]


def _stack_by_degree(e: Expr, parts: list[list[tuple[int, Expr]]]) -> list[tuple[int, Expr]]:
    """A stack as a sum of stacks, one for each degree in dX."""
    blank = [ex.zeros(a.shape) for a in e.args]
    terms = []
    for degree in sorted({d for part in parts for d, _ in part}):
        blocks = [
            ex.add(zero, *(t for d, t in part if d == degree))
            for zero, part in zip(blank, parts, strict=True)
        ]
        terms.append((degree, ex.stack(tuple(blocks), e.data)))
    return terms


def _multiply_out(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """Every product and linear function of sums that contain dX, as a sum of terms."""
    terms = terms_by_degree(e)
    if terms is None:
        return e
    given = [t for degree, t in terms if degree == 0]
    # y stays written out, so that it is seen to cancel against -y.
    first = [t for t in given if t.kind != ex.MUL or t.coefficient > 0]
    last = [t for t in given if t not in first]
    return ex.add(*first, _counted([t for degree, t in terms if degree], e.shape), *last)


def _first_order(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The terms of first order in dX; those without dX are y - y, which is zero."""
    terms = terms_by_degree(e)
    assert terms is not None
    return _counted([t for degree, t in terms if degree == 1], e.shape)


def _joined(*factors: Expr) -> Expr:
    """A product of scalars with equal factors written as powers, differentials last."""
    counts = Counter(sorted(factors, key=lambda f: f.kind == ex.DIFF))
    return ex.mul(*(ex.power(f, ex.num(k)) for f, k in counts.items()))


def _joined_hadamard(*factors: Expr) -> Expr:
    counts = Counter(factors)
    return ex.hadamard(*(ex.epower(f, ex.num(k)) for f, k in counts.items()))


def _counted(terms: list[Expr], shape: ex.Shape) -> Expr:
    """A sum of terms of a shape in which terms that differ in their number only are written once."""
    counts: dict[Expr, Fraction] = {}
    for t in terms:
        core = ex.mul(*t.args) if t.kind == ex.MUL else t
        counts[core] = counts.get(core, Fraction(0)) + t.coefficient
    return ex.add(ex.zeros(shape), *(ex.mul(ex.num(k), t) for t, k in counts.items()))


def _add_numbers(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The numbers of a sum as one, where the first of them stands."""
    total = ex.add(*(t for t in e.args if t.kind == ex.NUM))
    first = next(i for i, t in enumerate(e.args) if t.kind == ex.NUM)
    others = [t for t in e.args if t.kind != ex.NUM]
    return ex.add(*others[:first], total, *others[first:])


def number_of(term: Expr) -> Expr:
    """The number in front of a term."""
    return term if term.kind == ex.NUM else ex.num(term.coefficient)


def _divide(term: Expr, factor: Expr) -> Expr:
    """A term without a scalar factor that it has."""
    if factor.kind == ex.NUM:
        return ex.mul(ex.num(1 / factor.data), term)
    if term is factor:
        return ex.ONE
    scalars = list(term.scalars)
    if factor in scalars:
        scalars.remove(factor)
    else:  # another power of the same base
        base, power = factor.args
        at = next(i for i, s in enumerate(scalars) if s.op == "power" and s.args[0] is base)
        scalars[at] = ex.power(base, ex.num(scalars[at].args[1].data - power.data))
    links = (ex.mul(*term.chain),) if term.chain else ()
    return ex.mul(ex.num(term.coefficient), *scalars, *links)


def _common_power(e: Expr) -> Expr | None:
    """The divisor x^-k that every term of a sum has, in this power or a higher one, where taking it out is not longer."""
    powers: list[dict[Expr, int]] = []
    for t in e.args:
        found = {}
        for s in t.scalars:
            k = ex.integer(s.args[1]) if s.kind == ex.CALL and s.op == "power" else None
            if k is not None and k < 0:
                found[s.args[0]] = k
        powers.append(found)
    for base in powers[0]:
        if all(base in found for found in powers):
            factor = ex.power(base, ex.num(max(found[base] for found in powers)))
            after = ex.mul(factor, ex.add(*(_divide(t, factor) for t in e.args)))
            if ex.cost(after) <= ex.cost(e):
                return factor
    return None


def split_term(term: Expr, depends: Callable[[Expr], bool]) -> tuple[Expr, Expr, bool]:
    """(M, E, is there a trace) for a term `c tr(M E)`, `m E`, or `c E` with a scalar E; E is the only moving part."""
    outer = ex.ONE
    trace = False
    if term.kind == ex.MUL:
        for i, s in enumerate(term.scalars):
            if depends(s):
                rest = (*term.scalars[:i], *term.scalars[i + 1 :])
                links = (ex.mul(*term.chain),) if term.chain else ()
                outer = ex.mul(ex.num(term.coefficient), *rest, *links)
                term = s
                break
    if term.kind == ex.CALL and term.op == "tr":
        term, trace = term.args[0], True
    if term.kind == ex.MUL:
        moving = term.chain[-1]
        front = term.chain[:-1]
        if not front and (trace or not term.is_scalar):
            front = (ex.eye(moving.shape.rows),)
        return ex.mul(outer, ex.num(term.coefficient), *term.scalars, *front), moving, trace
    if trace:
        return ex.mul(outer, ex.eye(term.shape.rows)), term, True
    return outer if term.is_scalar else ex.mul(outer, ex.eye(term.shape.rows)), term, False


def read_off(total: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """D of dy = tr(D' dX), dy = D' dx, dy = D dt; J of a vector dy = J dx; dY/dt of dY = (dY/dt) dt."""
    factor, leaf, _ = split_term(total, depends)
    if total.is_scalar and not leaf.is_scalar and leaf.op != "transpose":
        return push_transposes(ex.transpose(factor))
    return factor


def _read_off_symmetric(total: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The partial derivatives by the entries on and below the diagonal; their column for each, of a vector."""
    found = read_off(total, depends)
    if not total.is_scalar:
        n = split_term(total, depends)[1].args[0].shape.rows
        return ex.mul(found, ex.duplication(n))
    turned = push_transposes(ex.transpose(found))
    eye = ex.eye(found.shape.rows)
    return ex.add(found, turned, ex.neg(ex.hadamard(eye, found)))


def _read_off_vech_twice(total: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The Hessian by the entries on and below the diagonal."""
    found = read_off(total, depends)
    duplication = ex.duplication(split_term(total, depends)[1].args[0].shape.rows)
    return ex.mul(ex.transpose(duplication), found, duplication)


def _read_off_tangent_twice(total: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The Hessian on the Stiefel manifold: the rows of the Jacobian of the gradient, projected on the tangent space."""
    found = read_off(total, depends)
    X = split_term(total, depends)[1].args[0].args[0]
    eye, swap = ex.eye(found.shape.rows), ex.commutation(X.shape.cols, X.shape.cols)
    if "orthogonal" in X.data[1]:
        outside = ex.mul(ex.kron(ex.transpose(X), X), swap)
        return ex.mul(ex.num(Fraction(1, 2)), ex.sub(eye, outside), found)
    left = ex.kron(ex.eye(X.shape.cols), X)
    symmetric = ex.add(ex.eye(swap.shape.rows), swap)
    outside = ex.mul(ex.num(Fraction(1, 2)), left, symmetric, ex.transpose(left))
    return ex.mul(ex.sub(eye, outside), found)


def _read_off_skew(total: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """The partial derivatives by the entries below the diagonal, and those by their negatives above it."""
    found = read_off(total, depends)
    if not total.is_scalar:
        n = split_term(total, depends)[1].args[0].shape.rows
        return ex.sub(found, ex.mul(found, ex.commutation(n, n)))
    return ex.sub(found, push_transposes(ex.transpose(found)))


def _scalar_differential(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """What is linear in numbers dt, as a sum of multiples of them."""
    moving = [n for n in ex.postorder(e) if n.kind == ex.DIFF and depends(n)]
    if not moving or not all(n.is_scalar for n in moving):
        return e
    parts = []
    for n in moving:
        values = {other: ex.ONE if other is n else ex.ZERO for other in moving}
        parts.append(ex.mul(ex.substitute(e, values), n))
    return ex.add(*parts)


def _duplication_kron(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """D' (A ⊗ B + B ⊗ A + C) D as D' (2 (A ⊗ B) + C) D; A ⊗ B is the one whose transpose is in C, if there is one."""
    chain = e.chain
    for i in range(len(chain) - 2):
        left, middle, right = chain[i : i + 3]
        if left is not ex.transpose(right) or right.op != "duplication" or middle.kind != ex.ADD:
            continue
        seen: dict[Expr, Expr] = {}
        for term in middle.args:
            if len(term.chain) != 1 or term.chain[0].op != "kron":
                continue
            number = ex.mul(ex.num(term.coefficient), *term.scalars)
            a, b = term.chain[0].args
            twin = seen.get(ex.mul(number, ex.kron(b, a)))
            if twin is not None:
                others = [t for t in middle.args if t is not term and t is not twin]
                kept = term if push_transposes(ex.transpose(term)) in others else twin
                middle = ex.add(
                    *(
                        ex.mul(ex.num(2), kept) if t is twin else t
                        for t in middle.args
                        if t is not term
                    )
                )
                number = ex.mul(ex.num(e.coefficient), *e.scalars)
                return ex.mul(number, *chain[: i + 1], middle, *chain[i + 2 :])
            seen[term] = term
    return e


def _duplication_commutation(e: Expr, depends: Callable[[Expr], bool]) -> Expr:
    """D' (K A + B) as D' (A + B), and (A K + B) D as (A + B) D."""

    def without(term: Expr, end: int) -> Expr:
        if not term.chain or term.chain[end].op != "commutation":
            return term
        rest = term.chain[1:] if end == 0 else term.chain[:-1]
        number = ex.mul(ex.num(term.coefficient), *term.scalars)
        return ex.mul(number, *rest) if rest else ex.mul(number, ex.eye(term.shape.rows))

    for i, link in enumerate(e.chain):
        turned = link.op == "transpose" and link.args[0].op == "duplication"
        beside = i + 1 if turned else i - 1
        if not (turned or link.op == "duplication") or not 0 <= beside < len(e.chain):
            continue
        inner = e.chain[beside]
        terms = inner.args if inner.kind == ex.ADD else (inner,)
        after = ex.add(*(without(t, 0 if turned else -1) for t in terms))
        if after is not inner:
            number = ex.mul(ex.num(e.coefficient), *e.scalars)
            return ex.mul(number, *e.chain[:beside], after, *e.chain[beside + 1 :])
    return e


Procedure = Callable[[Expr, Callable[[Expr], bool]], Expr]

PROCEDURES: dict[str, Procedure] = {
    "constant": _constant,
    "sum-rule": _sum_rule,
    "product-rule": _product_rule,
    "constant-factor": _constant_factor,
    "hadamard-product-rule": _hadamard_product_rule,
    "stack-rule": _stack_rule,
    "entry-rule": _entry_rule,
    "unknown-derivative": _unknown_derivative,
    "transposes": _transposes,
    "zero": _zero,
    "distribute": _distribute,
    "expand": _expand,
    "trace-sum": functools.partial(_distribute_over, "tr"),
    "sum-sum": functools.partial(_distribute_over, "sum"),
    "blocks": _blocks,
    "linear-scalar": _linear_scalar,
    "repeated-factors": _repeated_factors,
    "repeated-factors-entrywise": _repeated_factors_entrywise,
    "scalar-differential": _scalar_differential,
    "matrix-power": _matrix_power,
    "index-sum-rule": _index_sum_rule,
    "index-sum-out": _index_sum_out,
    "index-sum-factor": _index_sum_factor,
    "constant-sum": _constant_sum,
    "index-sum-constant": _index_sum_constant,
    "index-sum-reverse": _index_sum_reverse,
    "index-sum-join": _index_sum_join,
    "multiply-out-terms": lambda e, depends: multiplied_terms(e),
    "entries-of-product": _entries_of_product,
    "commute": _commute,
    "collect": _collect,
    "read-off": read_off,
    "read-off-symmetric": _read_off_symmetric,
    "read-off-skew": _read_off_skew,
    "read-off-vech-twice": _read_off_vech_twice,
    "read-off-tangent-twice": _read_off_tangent_twice,
    "duplication-kron": _duplication_kron,
    "duplication-commutation": _duplication_commutation,
    "stack-factor": _stack_factor,
    "one-transpose": _one_transpose,
    "scalar-out": lambda e, depends: _linear_scalar(e, lambda a: True),
    "dg-of-pair": lambda e, depends: ex.mul(ex.num(2), ex.rebuild(e, e.args[0].args[:1])),
    "identity-entrywise": lambda e, depends: e.args[0],
    "power-scalar": _power_scalar,
    "logistic-scalar": _logistic,
    "logistic-entrywise": _logistic,
    "cancel-transposed": _cancel_transposed,
    **dict.fromkeys(
        ("dexpm-commuting", "dlogm-commuting", "dsinm-commuting", "dcosm-commuting"),
        _frechet_of_commuting,
    ),
    "sylvester-commuting": _frechet_of_commuting,
    "block-product": _block_product,
    "block-sum": _block_product,
    "basis-entry": _basis_entry,
    "basis-stack": _basis_stack,
    "factor-scalar": _factor_scalar,
    "add-numbers": _add_numbers,
    "definition": _definition,
    "multiply-out": _multiply_out,
    "write-out": functools.partial(_write_out, 0, False),
    "derivative-by-sympy": functools.partial(_write_out, 1, True),
    "derivative-by-rules": functools.partial(_write_out, 1, False),
    "first-order": _first_order,
}


# --- putting a right side in the place of a left side ---------------------------------------------------------------


def place(e: Expr, left: Expr, right: Expr) -> Expr:
    """e with `left` replaced by `right`: e itself, part of a sum or product, or either below. e if absent."""
    if e is left:
        return right
    changed = _replaced_part(e, left, right)
    if changed is not None:
        return changed
    nodes = ex.postorder(e)
    if left in nodes:
        return ex.substitute(e, {left: right})
    for node in reversed(nodes):
        changed = _replaced_part(node, left, right)
        if changed is not None:
            return ex.substitute(e, {node: changed})
    return e


def _replaced_part(e: Expr, left: Expr, right: Expr) -> Expr | None:
    """e with some of its terms or factors, those of `left`, replaced by `right`; None if it does not have them."""
    if e.kind != left.kind:
        return None
    if e.kind == ex.ADD:
        found = _without_terms(e, left)
        if found is None:
            return None
        position, rest = found
        return ex.add(*rest[:position], right, *rest[position:])
    if e.kind == ex.MUL:
        return _replaced_factors(e, left, right)
    if e.op == left.op == "hadamard":
        rest = list(e.args)
        for a in left.args:
            if a not in rest:
                return None
            rest.remove(a)
        return ex.hadamard(right, *rest)
    return None


def _without_terms(e: Expr, left: Expr) -> tuple[int, list[Expr]] | None:
    """Where the terms of `left` begin in the sum e, and the other terms. The order of scalar factors does not matter."""
    rest = list(e.args)
    keys = [_term_key(t) for t in rest]
    position = len(rest)
    for term in left.args:
        key = _term_key(term)
        if key not in keys:
            return None
        at = keys.index(key)
        position = min(position, at)
        del rest[at], keys[at]
    return position, rest


def _term_key(term: Expr) -> object:
    chain: object = term.chain
    if len(term.chain) == 1 and term.chain[0].op == "hadamard":
        chain = frozenset(Counter(term.chain[0].args).items())
    elif term.kind != ex.MUL or term.data[1] < 2:
        return term
    scalars = term.scalars if term.kind == ex.MUL else ()
    return term.coefficient, frozenset(Counter(scalars).items()), chain


def _replaced_factors(e: Expr, left: Expr, right: Expr) -> Expr | None:
    """`right` for the factors of `left` in the product e, where the chain of `left` is a run of e's chain."""
    scalars = list(e.scalars)
    for s in left.scalars:
        if s not in scalars:
            return None
        scalars.remove(s)
    front = ex.num(e.coefficient / left.coefficient)
    run, chain = left.chain, e.chain
    if not run:
        return ex.mul(front, right, *scalars, *([ex.mul(*chain)] if chain else []))
    for i in range(len(chain) - len(run) + 1):
        if chain[i : i + len(run)] == run:
            # A run that is a scalar by itself is a factor of its own; the rest stays a product around it.
            middle = ex.mul(*chain[:i], right, *chain[i + len(run) :])
            return ex.mul(front, *scalars, middle)
    # The chain of `left` may be one of e's scalar factors.
    whole = ex.mul(*run)
    if whole in scalars:
        scalars.remove(whole)
        return ex.mul(front, right, *scalars, *([ex.mul(*chain)] if chain else []))
    return None


# --- recording ----------------------------------------------------------------------------------------------------------


def dependence(phase: str, wrt: tuple[Expr, ...]) -> Callable[[Expr], bool]:
    """The test whether an expression contains what moves in a phase."""
    moving = frozenset(wrt if phase == DIFFERENTIAL else map(ex.diff, wrt))
    memo: dict[Expr, bool] = {}

    def depends(e: Expr) -> bool:
        known = memo.get(e)
        if known is not None:
            return known
        todo = [e]
        while todo:  # not postorder: what is below a known node is not walked again
            node = todo[-1]
            missing = [a for a in node.args if a not in memo]
            if missing:
                todo.extend(missing)
                continue
            memo[node] = node in moving or any(memo[a] for a in node.args)
            todo.pop()
        return memo[e]

    return depends


class Recorder:
    """Applies rules and writes down what it did. The only maker of steps."""

    def __init__(self, wrt: tuple[Expr, ...], adjugate: bool = False) -> None:
        self.wrt = wrt
        self.adjugate = adjugate  # whether d det(X) is written with adj(X)
        self.trials = 0  # how many recorders this one is tried out for, each within the other
        self.trying = False  # whether it is found out where multiplying out leads, which is not asked again within
        self.keeps_symmetry = False  # whether factors stay in the terms of a sum on both sides
        self.steps: list[Step] = []
        self.focus: Expr | None = None  # the term inside which rules are applied to a part
        self.line = 0
        self.part = 0
        self.enter(DIFFERENTIAL)

    def enter(self, phase: str) -> None:
        """Begin a phase. What moves is X while d(...) is expanded, and dX from then on."""
        self.phase = phase
        self.depends = dependence(phase, self.wrt)
        if phase != TRACE:
            self._becomes: dict[Expr, Expr] = {}
        self.next_line()

    def scratch(self) -> Recorder:
        """A recorder of the same kind for trying something out."""
        other = Recorder(self.wrt, self.adjugate)
        other.enter(self.phase)
        other.keeps_symmetry, other.trying = self.keeps_symmetry, self.trying
        other.trials = self.trials + 1
        return other

    def mark(self) -> tuple[int, dict[Expr, Expr]]:
        """What `back_to` needs to undo the steps from here on."""
        return len(self.steps), dict(self._becomes)

    def back_to(self, mark: tuple[int, dict[Expr, Expr]]) -> None:
        """Undo steps."""
        count, self._becomes = mark
        del self.steps[count:]

    def forget(self) -> None:
        """Let what was rewritten be rewritten in another way from now on, within this phase."""
        self.enter(self.phase)

    def next_line(self) -> None:
        """What follows is shown on a line of its own."""
        self.line += 1

    def apply(self, rule: str, before: Expr, **bindings: object) -> Expr:
        """Apply a rule of the table inside `before`, with these values of its names; returns what `before` becomes."""
        left, right = instance(rule, bindings)
        return self._record(rule, before, left, right, tuple(bindings.items()))

    def run(self, rule: str, before: Expr, left: Expr) -> Expr:
        """Apply a rule for any number of operands to `left` inside `before`."""
        right = PROCEDURES[rule](left, self.depends)
        if right is left:
            return before
        return self._record(rule, before, left, right, ())

    def differential(self, before: Expr) -> Expr:
        """Apply the differential of the function inside d(...) = before."""
        inner = before.args[0]
        right = function_differential(inner, self.depends)
        return self._record(f"d:{inner.op}", before, before, right, (), assumptions(inner))

    def _record(
        self,
        rule: str,
        before: Expr,
        left: Expr,
        right: Expr,
        bindings: tuple[tuple[str, object], ...],
        assuming: tuple[tuple[str, Expr], ...] = (),
    ) -> Expr:
        if self.focus is not None:
            before = self.focus
        known = self._becomes.get(before)
        if known is not None:  # a term that was met before goes the same way
            self.focus = known if self.focus is not None else None
            return known
        after = place(before, left, right)
        self._becomes[before] = after
        if after is before:
            if left is right:
                return before
            raise InternalError(f"rule {rule} does not apply to {before!r}: {left!r}")
        self.steps.append(
            Step(
                rule,
                before,
                after,
                left,
                right,
                bindings,
                self.phase,
                self.line,
                assuming,
                self.part,
            )
        )
        self.focus = after if self.focus is not None else None
        return after


# --- replaying ----------------------------------------------------------------------------------------------------------


class Replay:
    """Carries a quantity through recorded steps.

    A step replaces a node wherever it stands, then and later, except in the phase TRACE: there the quantity is a sum of
    terms, each of which goes its own way, and a step replaces terms (what they have in common is left alone).
    """

    def __init__(self, start: Expr) -> None:
        self.state = start
        self._start = start
        self._traced: Expr | None = None  # the state at the beginning of TRACE
        self._nodes: dict[Expr, Expr] = {}
        self._terms: dict[Expr, Expr] = {}

    def add(self, step: Step) -> None:
        """Take a step into account at the next `settle`."""
        if step.phase == TRACE:
            if self._traced is None:
                self._traced = self.settle()
                self._nodes = {}
            if not self._nodes and self._has_terms(step.before):
                self._terms[step.before] = step.after
                return
        self._nodes[step.before] = step.after

    def follow(self, step: Step) -> bool:
        """Take one step; False if what it speaks of is not there."""
        self.add(step)
        old = self.state
        return self.settle() is not old

    def settle(self) -> Expr:
        """The state after every step so far."""
        state = self._start
        if self._traced is not None:
            state = _terms_settled(self._traced, self._terms)
        self.state = _nodes_settled(state, self._nodes)
        return self.state

    def _has_terms(self, before: Expr) -> bool:
        state = self.state
        if state is before:
            return True
        terms = state.args if state.kind == ex.ADD else (state,)
        return before in terms


def _terms_settled(state: Expr, becomes: Mapping[Expr, Expr]) -> Expr:
    """A sum whose terms, and which as a whole, have become something else."""
    for _ in range(1000):
        if state in becomes:
            state = becomes[state]
            continue
        terms = state.args if state.kind == ex.ADD else (state,)
        if not any(t in becomes for t in terms):
            return state
        state = ex.add(ex.zeros(state.shape), *(becomes.get(t, t) for t in terms))
    raise InternalError("the steps of a derivation go round in a circle")


def _nodes_settled(state: Expr, becomes: Mapping[Expr, Expr]) -> Expr:
    """An expression in which nodes, at any depth, have become something else."""
    done: dict[Expr, Expr] = {}
    waiting: set[Expr] = set()  # those that are not done wait for what they become
    todo = [state]

    def wait(node: Expr, *others: Expr) -> None:
        waiting.add(node)
        if not waiting.isdisjoint(others):
            raise InternalError("the steps of a derivation go round in a circle")
        todo.extend(others)

    while todo:
        node = todo[-1]
        if node in done:
            todo.pop()
            continue
        target = becomes.get(node)
        if target is None:
            missing = [a for a in node.args if a not in done]
            if missing:
                wait(node, *missing)
                continue
            target = ex.rebuild(node, tuple(done[a] for a in node.args)) if node.args else node
        if target is node:
            done[node] = node
        elif target in done:
            done[node] = done[target]
        else:
            wait(node, target)
    return done[state]


def check_step(step: Step, depends: Callable[[Expr], bool]) -> bool:
    """Whether a step is what its rule says: made again from its name and bindings, it comes out the same.

    A step that cannot even be made again (its rule does not know such operands) is not.
    """
    assumed: tuple[tuple[str, Expr], ...] = ()
    try:
        if step.bindings:
            sides = instance(step.rule, dict(step.bindings))
        elif step.rule in PROCEDURES:
            sides = (step.left, PROCEDURES[step.rule](step.left, depends))
        elif step.rule.startswith("d:"):
            inner = step.left.args[0]
            if step.left.kind != ex.DIFF or step.rule != f"d:{inner.op}":
                return False
            sides = (step.left, function_differential(inner, depends))
            assumed = assumptions(inner)
        else:
            return False
        placed = place(step.before, *sides)
    except (MatgradError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        return False
    return sides == (step.left, step.right) and placed is step.after and step.assuming == assumed


def assumptions(e: Expr) -> tuple[tuple[str, Expr], ...]:
    """What the differential of a function of the table assumes of its argument, as far as it is not proved."""
    name = FUNCTIONS[e.op].assumes
    wanted = "nonzero" if name == "free of zeros" else name  # properties are those of every entry
    return ((name, e.args[0]),) if name and not has_property(e.args[0], wanted) else ()


def reason_of(rule: str) -> tuple[str, bool]:
    """The words beside a step, and whether it is too small for a line of its own."""
    if rule.startswith("d:"):
        function = FUNCTIONS[rule[2:]]
        return function.because, function.op in LINEAR
    record = RULES[rule]
    return record.because, record.minor


def step_reason(step: Step) -> tuple[str, bool]:
    """`reason_of` a step's rule; a power says which of its arguments moves."""
    because, minor = reason_of(step.rule)
    if step.rule in ("d:power", "d:epow"):
        base, exponent = step.left.args[0].args
        moved = ex.postorder(step.right)
        entry = ", entry by entry" if step.rule == "d:epow" else ""
        if ex.diff(exponent) in moved:
            both = ex.diff(base) in moved
            because = "d(sᵗ) = t sᵗ⁻¹ ds + sᵗ ln(s) dt" if both else "d(cᵗ) = cᵗ ln(c) dt"
            because += entry
    return because, minor


# Functions that d passes through: their differential is themselves of the differential.
LINEAR = frozenset(op for op in FUNCTIONS if linear_in(op) and len(parameter_names(op)) == 1)


def lines(start: Expr, steps: list[Step], full: bool = False) -> list[Line]:
    """The states that the steps lead through from `start`, one for each line (each step, if `full`)."""
    replay = Replay(start)
    result: list[Line] = []
    carried: tuple[Step, ...] = ()
    i = 0
    while i < len(steps):
        j = i + 1
        if not full:
            while (
                j < len(steps)
                and steps[j].line == steps[i].line
                and steps[j].phase == steps[i].phase
            ):
                j += 1
        old = replay.state
        for step in steps[i:j]:
            replay.follow(step)
        taken = tuple(steps[i:j])
        small = all(step_reason(s)[1] for s in taken)
        if (
            small
            and not full
            and not result
            and j < len(steps)
            and steps[j].phase == taken[0].phase
        ):
            carried = (*carried, *taken)  # nothing but small things yet: shown with the first line
        elif replay.state is not old:
            taken = (*carried, *taken)
            carried = ()
            found = dict.fromkeys((s.rule, *step_reason(s)) for s in taken)
            major = [(rule, text) for rule, text, minor in found if not minor]
            if not major and not full and result and result[-1].phase == taken[0].phase:
                # Only small things: the line before is shown with them done.
                result[-1] = result[-1]._replace(state=replay.state, steps=result[-1].steps + taken)
            else:
                kept = major or [(rule, text) for rule, text, _ in found]
                if any(rule == "collect" for rule, _ in kept):
                    kept = [k for k in kept if k[0] == "collect"]
                reasons = tuple(dict.fromkeys(text for _, text in kept))
                line = Line(taken[0].phase, replay.state, taken, reasons)
                last = result[-1] if result else None
                if last is not None and not full and last.phase == line.phase == TRACE:
                    if last.reasons == reasons:  # the same, for the next term
                        line = line._replace(steps=last.steps + taken)
                        result.pop()
                result.append(line)
        i = j
    return result
