"""The chain rule over named subexpressions: the derivative of a large expression, a piece at a time.

A large expression is cut into pieces of a dozen nodes. Each piece is a formula in names: variables that stand for the
pieces inside it. The derivative of y by a piece P is a gradient G (a Jacobian, where y is an array), which has a name too,
and tr(G' dP) is differentiated by the names in P as any small expression is. What a name is given by everything that uses it
is added up before it is passed on: that is reverse accumulation, and what makes it linear in the number of nodes.

Products and sums are flat, and a flat product in a flat product would be written out once more at every piece. So long
ones are kept together as groups (`group`), which have names where they are printed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from matgrad import expr as ex
from matgrad.expr import Expr
from matgrad.properties import properties
from matgrad.rewrite import dependence
from matgrad.steps import DIFFERENTIAL
from matgrad.trace_form import derivative_shape

MOST = 15  # operands of one product, and terms of one sum that have one derivative
PIECE = 12  # nodes of a formula that is not cut
CONSTANT = 6  # symbols of a constant that has no name

# From a number or a vector, and the variables in it, to its derivatives by them.
Derive = Callable[[Expr, tuple[Expr, ...]], list[Expr]]


class Piece(NamedTuple):
    """A named subexpression: the variable that stands for it, and its formula in such variables."""

    name: Expr
    formula: Expr
    terms: tuple[Expr, ...]  # of a long sum, which are pieces without names of their own


def is_large(y: Expr, wrt: tuple[Expr, ...]) -> bool:
    """Whether an expression is differentiated by pieces: it is long, or a product in it has many factors that move."""
    if not y.is_scalar and any(v.is_scalar for v in wrt):
        return False
    if ex.cost(y) > ex.LARGE:
        return True
    moves = dependence(DIFFERENTIAL, wrt)
    products = (e for e in ex.postorder(y) if len(e.args) > MOST and e.op in (ex.MUL, "hadamard"))
    return any(sum(map(moves, e.args)) > MOST for e in products)


def grouped(y: Expr) -> Expr:
    """The expression with products of more than MOST factors as products of products."""
    return ex.transform(y, _grouped)


def _grouped(e: Expr) -> Expr:
    if e.kind == ex.MUL and len(e.args) > MOST:
        scalars = _in_groups(list(e.scalars), ex.mul)
        links = _in_groups(list(e.chain), ex.mul)
        return ex.mul(ex.num(e.coefficient), *scalars, *([ex.mul(*links)] if links else []))
    if e.kind == ex.CALL and e.op == "hadamard" and len(e.args) > MOST:
        return ex.hadamard(*_in_groups(list(e.args), ex.hadamard))
    return e


def _in_groups(factors: list[Expr], product: Callable[..., Expr]) -> list[Expr]:
    """The factors in groups of groups, so that there are at most MOST of them."""
    while len(factors) > MOST:
        parts = _evenly(factors, len(factors) // ex.SHORTEST_GROUP)
        factors = [ex.group(product(*part)) for part in parts]
    return factors


def _evenly(items: list[Expr], count: int) -> Iterator[list[Expr]]:
    """The items in order, in `count` parts of nearly one length."""
    ends = [round(len(items) * i / count) for i in range(count + 1)]
    return (items[a:b] for a, b in itertools.pairwise(ends))


class Pieces:
    """A number or a vector y, cut into pieces. `values` is what each name stands for: pieces, long constants, gradients."""

    def __init__(self, y: Expr, wrt: tuple[Expr, ...]) -> None:
        self.y = y
        self.wrt = wrt
        self.depends = dependence(DIFFERENTIAL, wrt)
        self.values: dict[Expr, Expr] = {}
        self.pieces: list[Piece] = []
        self._constants: dict[Expr, Expr] = {}
        self._formulas: dict[Expr, Expr] = {}
        self._weights: dict[Expr, int] = {}
        order = self._order(y)
        uses: dict[Expr, int] = {y: 1}
        for node in order:
            for a in node.args:
                uses[a] = uses.get(a, 0) + 1
        for node in order:
            self._cut(node, uses[node] > 1, node is y)

    def _order(self, y: Expr) -> list[Expr]:
        """The nodes that depend on the variables, arguments first; a sum over an index is not opened."""
        order: list[Expr] = []
        seen: set[Expr] = set()
        todo = [(y, False)]
        while todo:
            node, ready = todo.pop()
            if ready:
                order.append(node)
            elif node not in seen and self.depends(node):
                seen.add(node)
                todo.append((node, True))
                if node.kind != ex.SUM:
                    todo.extend((a, False) for a in reversed(node.args))
        return order

    def _cut(self, node: Expr, shared: bool, last: bool) -> None:
        if node.kind == ex.VAR or node.kind == ex.SUM:
            formula, weight = node, 1
        else:
            args = tuple(map(self._formula, node.args))
            weight = 1 + sum(self._weights.get(a, 0) for a in node.args)
            formula = args[0] if node.op == "group" else ex.rebuild(node, args)
        long_sum = node.kind == ex.ADD and len(node.args) > MOST
        kept = long_sum or node.op == "group" or last
        if kept or weight > PIECE or (shared and weight > 2):
            terms = tuple(map(self._formula, node.args)) if long_sum else ()
            formula, weight = self._named(node, formula, terms), 1
        self._formulas[node], self._weights[node] = formula, weight

    def _named(self, node: Expr, formula: Expr, terms: tuple[Expr, ...]) -> Expr:
        name = ex.var(f"_{len(self.values)}", node.shape)
        self.values[name] = node
        self.pieces.append(Piece(name, formula, terms))
        return name

    def _formula(self, node: Expr) -> Expr:
        known = self._formulas.get(node)
        if known is not None:
            return known
        if ex.cost(node) <= CONSTANT or node.kind == ex.VAR:
            return node
        if node not in self._constants:
            name = ex.var(f"_{len(self.values)}", node.shape, properties(node))
            self.values[name] = node
            self._constants[node] = name
        return self._constants[node]

    def derivatives(self, derive: Derive, simplify: Callable[[Expr], Expr]) -> list[Expr]:
        """The derivatives by each variable, in the mixed layout.

        `derive` differentiates a small expression, `simplify` adds up what a name is given by several pieces.
        """
        given: dict[Expr, list[Expr]] = {v: [] for v in self.wrt}
        root = self.pieces[-1]
        for number, piece in enumerate(reversed(self.pieces)):
            gradient: Expr | None = None
            if piece is not root:
                if piece.name not in given:
                    continue
                gradient = _added(given.pop(piece.name), simplify)
                if ex.is_zero(gradient):
                    continue
                if (
                    any(self.moves(v) for v in ex.variables(gradient))
                    or ex.cost(gradient) > CONSTANT
                ):
                    name = ex.var(f"_g{number}", gradient.shape)
                    self.values[name] = self.resolved(gradient)
                    gradient = name
            for part in piece.terms or (piece.formula,):
                inputs = tuple(v for v in ex.variables(part) if self.moves(v))
                if inputs:
                    found = derive(_weighted(part, gradient, self.y.is_scalar), inputs)
                    for v, by_v in zip(inputs, found, strict=True):
                        given.setdefault(v, []).append(by_v)
        found = [self.resolved(_added(given[v] or [self._zero(v)], simplify)) for v in self.wrt]
        return [ex.ungrouped(e) if ex.cost(e) <= ex.LARGE else e for e in found]

    def moves(self, v: Expr) -> bool:
        """Whether a variable of a formula is one of differentiation, or stands for something that depends on one."""
        return v in self.wrt or (v in self.values and self.depends(self.values[v]))

    def resolved(self, e: Expr) -> Expr:
        """What a formula in names is."""
        names = {v: self.values[v] for v in ex.variables(e) if v in self.values}
        return ex.substitute(e, {v: ex.group(value) for v, value in names.items()})

    def _zero(self, v: Expr) -> Expr:
        return ex.zeros(derivative_shape(self.y, v))


def _weighted(part: Expr, gradient: Expr | None, scalar: bool) -> Expr:
    """tr(G' P) of a piece of a number, J vec(P) of a piece of a vector."""
    if gradient is None:
        return part
    kind = part.shape.kind
    if not scalar:
        if kind == ex.SCALAR:
            return ex.mul(part, gradient)
        return ex.mul(gradient, ex.vec(part) if kind == ex.MATRIX else _column(part))
    if kind == ex.SCALAR:
        return ex.mul(gradient, part)
    if kind == ex.ROW:
        return ex.mul(part, ex.transpose(gradient))
    product = ex.mul(ex.transpose(gradient), part)
    return product if kind == ex.VECTOR else ex.call("tr", (product,), ex.SCALAR_SHAPE)


def _column(e: Expr) -> Expr:
    return ex.transpose(e) if e.shape.kind == ex.ROW else e


def _added(found: Iterable[Expr], simplify: Callable[[Expr], Expr]) -> Expr:
    """The sum, simplified MOST terms at a time."""
    found = list(found)
    while len(found) > 1:
        found = [simplify(ex.add(*found[i : i + MOST])) for i in range(0, len(found), MOST)]
    return found[0]
