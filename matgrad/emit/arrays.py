"""The derivative of a matrix as an array: ∂vec(Y)/∂vec(X)' entry by entry, with Kronecker products never formed.

A term of the Jacobian is read as a product of small factors with named axes. kron(A, B) is A[j, l] B[i, k]: it takes
the axes (i, j) of the rows to the axes (k, l) of the columns. The identity says that two axes are one, K(m, n) that they
change places, diag(vec(F)) that they are one and that there is a factor F[i, j]. What is summed over is contracted, and
what is left are the factors of the array, which `compressed` returns.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from matgrad import expr as ex
from matgrad.dims import Dim
from matgrad.emit.lower import Lowering, shape_of
from matgrad.emit.program import Size, Value, entries
from matgrad.expr import Expr
from matgrad.properties import push_transposes

MAX_TERMS = 60  # of a Jacobian that is written out; a longer one is formed as a matrix


class Factor(NamedTuple):
    """An array with the name of each axis."""

    value: Value
    axes: tuple[int, ...]


class Term(NamedTuple):
    """A product of factors; `axes` are the axes of the whole, where a name stands twice only the diagonal is not zero."""

    factors: tuple[Factor, ...]
    axes: tuple[int, ...]
    dims: dict[int, Dim]


class Unstructured(Exception):
    """A term whose axes do not fit together; it is formed as a matrix."""


def derivative_array(lowering: Lowering, jacobian: Expr, rows: Size, cols: Size) -> Value:
    """A Jacobian matrix as an array with the axes `rows` and `cols`."""
    shape = (*rows, *cols)
    if len(rows) <= 1 and len(cols) <= 1:
        return lowering.value(jacobian)
    total: Value | None = None
    for term in _expanded(jacobian):
        part = term_value(lowering, term, rows, cols)
        total = part if total is None else lowering.add(total, part)
    assert total is not None
    return lowering.filled(total, shape)


def term_value(lowering: Lowering, term: Expr, rows: Size, cols: Size) -> Value:
    """One term of a Jacobian as an array."""
    try:
        found = terms_of(lowering, term, rows, cols)
    except Unstructured:
        formed = lowering.value(term)
        return lowering.make("split", (formed,), (*rows, *cols), rows, cols)
    return assembled(lowering, found)


def assembled(lowering: Lowering, term: Term) -> Value:
    """The array of a term."""
    distinct = tuple(dict.fromkeys(term.axes))
    shape = tuple(term.dims[a] for a in term.axes)
    product = lowering.number(1)
    for value, axes in sorted(term.factors, key=lambda f: entries(f.value.shape)):
        product = lowering.times(product, _aligned(lowering, value, axes, distinct))
    if distinct == term.axes:
        return lowering.filled(product, shape)
    names = {a: i for i, a in enumerate(distinct)}
    inner = tuple(term.dims[a] for a in distinct)
    if len(distinct) == 1 and len(term.axes) == 2:
        return lowering.make("diag", (lowering.filled(product, inner),), shape)
    return lowering.make("scatter", (product,), shape, tuple(names[a] for a in term.axes))


def _aligned(
    lowering: Lowering, value: Value, axes: tuple[int, ...], among: tuple[int, ...]
) -> Value:
    """A factor with its axes where they stand among others, of size 1 elsewhere."""
    order = sorted(range(len(axes)), key=lambda i: among.index(axes[i]))
    if order != list(range(len(axes))):
        if len(order) == 2:
            value = lowering.transposed(value)
        else:
            value = lowering.make(
                "permute", (value,), tuple(value.shape[i] for i in order), tuple(order)
            )
    places = tuple(among.index(axes[i]) for i in order)
    return lowering.expand(value, places, len(among))


def _expanded(jacobian: Expr) -> list[Expr]:
    """The terms, multiplied out where a factor is a sum with an identity, K or a Kronecker product in it."""
    found: list[Expr] = []
    todo = [jacobian]
    while todo:
        e = todo.pop()
        if e.kind == ex.ADD:
            todo.extend(reversed(e.args))
            continue
        if e.kind == ex.CALL and e.op == "transpose" and e.args[0].kind in (ex.MUL, ex.ADD):
            todo.append(push_transposes(e))
            continue
        chain = e.chain
        at = next(
            (i for i, c in enumerate(chain) if c.kind == ex.ADD and any(map(_structured, c.args))),
            None,
        )
        if at is None or len(found) + len(todo) > MAX_TERMS:
            found.append(e)
            continue
        front = (ex.num(e.coefficient), *(e.scalars if e.kind == ex.MUL else ()))
        parts = [ex.mul(*front, *chain[:at], t, *chain[at + 1 :]) for t in chain[at].args]
        if len(parts) == 1 or e in parts:
            found.append(e)
        else:
            todo.extend(reversed(parts))
    return found


def _structured(e: Expr) -> bool:
    return any(
        c.op in ("kron", "eye", "commutation", "diag")
        or (c.op == "transpose" and c.args[0].op == "kron")
        for c in e.chain
    )


class _Axes:
    """Names of axes, of which some turn out to be the same."""

    def __init__(self) -> None:
        self.dims: list[Dim] = []
        self.parent: list[int] = []

    def new(self, dim: Dim) -> int:
        self.dims.append(dim)
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def find(self, a: int) -> int:
        while self.parent[a] != a:
            a = self.parent[a]
        return a

    def same(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        if self.dims[a] != self.dims[b]:
            raise Unstructured
        self.parent[max(a, b)] = min(a, b)


def terms_of(lowering: Lowering, term: Expr, rows: Size, cols: Size) -> Term:
    """The factors of a term of a Jacobian. Raises Unstructured."""
    axes = _Axes()
    links = list(term.chain)
    scale = lowering.scalar_part(term) if term.kind == ex.MUL else lowering.number(1)
    sides: list[tuple[int, ...]] = [tuple(axes.new(d) for d in rows)]
    for left, right in itertools.pairwise(links):
        between = _sides(left)[1] or _sides(right)[0] or (left.shape.cols,)
        if left.shape.kind == ex.VECTOR:
            between = ()
        sides.append(tuple(axes.new(d) for d in between))
    sides.append(tuple(axes.new(d) for d in cols))
    factors: list[Factor] = []
    for e, above, below in zip(links, sides[:-1], sides[1:], strict=True):
        factors += _factors(lowering, axes, e, above, below)
    outer = (*sides[0], *sides[-1])
    named = [Factor(v, tuple(axes.find(a) for a in names)) for v, names in factors]
    kept = tuple(axes.find(a) for a in outer)
    inner = {axes.find(a) for side in sides[1:-1] for a in side} - set(kept)
    for value, names in named:
        if len(set(names)) < len(names):
            raise Unstructured
        if any(d != axes.dims[a] and d != 1 for d, a in zip(value.shape, names, strict=True)):
            raise Unstructured
    for a in sorted(inner):
        named = _contracted(lowering, named, a, axes.dims[a])
    dims = {a: axes.dims[a] for a in kept}
    if not (scale.op == "number" and scale.data[0] == 1):
        named.sort(key=lambda f: entries(f.value.shape))
        if named:
            named[0] = Factor(lowering.times(scale, named[0].value), named[0].axes)
        else:
            named = [Factor(scale, ())]
    return Term(tuple(named), kept, dims)


def _sides(e: Expr) -> tuple[Size | None, Size | None]:
    """How the rows and the columns of a factor are made of two axes, if they are."""
    if e.kind == ex.CALL and e.op == "transpose":
        above, below = _sides(e.args[0])
        return below, above
    if e.kind == ex.CALL and e.op == "kron":
        a, b = e.args
        rows = (b.shape.rows, a.shape.rows) if ex.ROW not in (a.shape.kind, b.shape.kind) else None
        cols = (
            (b.shape.cols, a.shape.cols) if ex.VECTOR not in (a.shape.kind, b.shape.kind) else None
        )
        return rows, cols
    if e.kind == ex.CONST and e.op == "commutation":
        m, n = e.data[1:]
        return (n, m), (m, n)
    if e.kind == ex.CALL and e.op == "diag":
        inside = _sides(e.args[0])[0]
        return inside, inside
    if e.kind == ex.CALL and e.op == "vec":
        inner = e.args[0].shape
        return (inner.rows, inner.cols), None
    return None, None


def _factors(
    lowering: Lowering, axes: _Axes, e: Expr, above: tuple[int, ...], below: tuple[int, ...]
) -> list[Factor]:
    """The factors that a link stands for, between the axes above and below it."""
    if e.kind == ex.CALL and e.op == "transpose":
        return _factors(lowering, axes, e.args[0], below, above)
    if e.kind == ex.CONST and e.op == "eye":
        _joined(axes, above, below)
        return []
    if e.kind == ex.CONST and e.op == "ones":
        return []
    if e.kind == ex.CONST and e.op == "commutation":
        if len(above) != 2 or len(below) != 2:
            raise Unstructured
        _joined(axes, above, below[::-1])
        return []
    if e.kind == ex.CALL and e.op == "diag":
        _joined(axes, above, below)
        return _of_column(lowering, axes, e.args[0], above)
    if e.kind == ex.CALL and e.op == "kron" and e.shape.kind == ex.MATRIX:
        return _of_kron(lowering, axes, e, above, below)
    if e.shape.kind in (ex.VECTOR, ex.ROW):
        return _of_column(lowering, axes, e, above if e.shape.kind == ex.VECTOR else below)
    value = lowering.value(e)
    sizes = tuple(tuple(axes.dims[a] for a in side) for side in (above, below))
    if len(above) == 1 and len(below) == 1:
        return [Factor(value, (*above, *below))]
    if not above or not below:
        raise Unstructured
    return [
        Factor(lowering.make("split", (value,), (*sizes[0], *sizes[1]), *sizes), (*above, *below))
    ]


def _joined(axes: _Axes, above: tuple[int, ...], below: tuple[int, ...]) -> None:
    if len(above) != len(below):
        raise Unstructured
    for a, b in zip(above, below, strict=True):
        axes.same(a, b)


def _of_column(lowering: Lowering, axes: _Axes, e: Expr, side: tuple[int, ...]) -> list[Factor]:
    """A vector along one axis, or the matrix that it is made of along two."""
    if e.kind == ex.CONST and e.op == "ones":
        return []
    if e.kind == ex.CALL and e.op == "vec" and e.args[0].kind == ex.CONST and e.args[0].op == "eye":
        if len(side) == 2:
            axes.same(*side)
            return []
    if len(side) == 1:
        return [Factor(lowering.value(e), side)]
    if len(side) != 2:
        raise Unstructured
    shape = tuple(axes.dims[a] for a in side)
    if e.kind == ex.MUL:
        inner = _of_column(lowering, axes, e.chain[0], side) if len(e.chain) == 1 else []
        if inner:
            scale = lowering.scalar_part(e)
            return [Factor(lowering.times(scale, inner[0].value), inner[0].axes), *inner[1:]]
    if e.kind == ex.CALL and e.op == "vec" and shape_of(e.args[0]) == shape:
        inside = lowering.spread(e.args[0])
        return [Factor(inside, side)] if len(inside.shape) == 2 else [Factor(inside, ())]
    value = lowering.value(e)
    inside = value.args[0] if value.op == "vec" else lowering.make("unvec", (value,), shape)
    if inside.shape != shape:
        inside = lowering.make("unvec", (value,), shape)
    return [Factor(inside, side)]


def _of_kron(
    lowering: Lowering, axes: _Axes, e: Expr, above: tuple[int, ...], below: tuple[int, ...]
) -> list[Factor]:
    a, b = e.args
    kinds = (a.shape.kind, b.shape.kind)
    # A row has no axis above, a column none below.
    has_above = [k != ex.ROW for k in kinds]
    has_below = [k != ex.VECTOR for k in kinds]
    if len(above) != sum(has_above) or len(below) != sum(has_below):
        raise Unstructured
    up = list(above)
    down = list(below)
    found: list[Factor] = []
    # The second factor runs fastest: its axes come first.
    for part, rows, cols in ((b, has_above[1], has_below[1]), (a, has_above[0], has_below[0])):
        mine_up = (up.pop(0),) if rows else ()
        mine_down = (down.pop(0),) if cols else ()
        if part.kind == ex.CALL and part.op == "kron":
            raise Unstructured
        if part.shape.kind == ex.MATRIX:
            found += _factors(lowering, axes, part, mine_up, mine_down)
        else:
            found += _of_column(lowering, axes, part, mine_up or mine_down)
    return found


def _contracted(lowering: Lowering, factors: list[Factor], axis: int, dim: Dim) -> list[Factor]:
    """The factors after the sum over an axis."""
    with_axis = [f for f in factors if axis in f.axes]
    rest = [f for f in factors if axis not in f.axes]
    if not with_axis:
        return [*rest, Factor(lowering.make("size", (), (), dim), ())]
    if len(with_axis) == 2:
        p, q = (f.axes for f in with_axis)
        shared = set(p) & set(q)
        whole = all(f.value.shape[f.axes.index(axis)] == dim for f in with_axis)
        if whole and shared == {axis} and len(p) <= 2 and len(q) <= 2:
            return [*rest, _multiplied(lowering, with_axis[0], with_axis[1], axis)]
    names = tuple(dict.fromkeys(a for f in with_axis for a in f.axes))
    product = lowering.number(1)
    for value, axes in with_axis:
        product = lowering.times(product, _aligned(lowering, value, axes, names))
    at = names.index(axis)
    if product.shape[at] != dim:
        raise Unstructured
    summed = lowering.total(product, at) if len(names) > 1 else lowering.total(product)
    return [*rest, Factor(summed, tuple(a for a in names if a != axis))]


def _multiplied(lowering: Lowering, f: Factor, g: Factor, axis: int) -> Factor:
    """The product of two arrays of at most two axes, summed over the one they share."""
    x = f.value if f.axes[-1] == axis else lowering.transposed(f.value)
    y = g.value if g.axes[0] == axis else lowering.transposed(g.value)
    axes = (*(a for a in f.axes if a != axis), *(a for a in g.axes if a != axis))
    if len(f.axes) == len(g.axes) == 1:
        return Factor(lowering.dot(x, y), axes)
    if len(g.axes) == 1:
        return Factor(lowering.matvec(x, y), axes)
    if len(f.axes) == 1:
        return Factor(lowering.matvec(lowering.transposed(y), x), axes)
    return Factor(lowering.matmul(x, y), axes)


def compressed_terms(
    lowering: Lowering, jacobian: Expr, rows: Size, cols: Size
) -> list[Term] | None:
    """The factors of each term, if they are together of a lower order than the array itself."""
    try:
        found = [terms_of(lowering, t, rows, cols) for t in _expanded(jacobian)]
    except Unstructured:
        return None
    factors = {f.value for t in found for f in t.factors}
    if not factors or sum(entries(v.shape) for v in factors) > 0.5 * entries((*rows, *cols)):
        return None
    return found


def term_formula(
    term: Term, names: dict[Value, str], brackets: str = "[]", first: str = "0"
) -> str:
    """How to read a term: `(i == k)*C[j, l]`; `first` is the place of the first entry."""
    letters: dict[int, str] = {}
    alphabet = iter("ijklpqrstu")
    outer = []
    same: list[str] = []
    for a in term.axes:
        letter = next(alphabet)
        outer.append(letter)
        if a in letters:
            same.append(f"({letters[a]} == {letter})")
        else:
            letters[a] = letter
    parts = [*same]
    for value, axes in term.factors:
        at = ", ".join(
            letters[a] if d != 1 or term.dims[a] == 1 else first
            for d, a in zip(value.shape, axes, strict=True)
        )
        parts.append(f"{names[value]}{brackets[0]}{at}{brackets[1]}" if at else names[value])
    return "*".join(parts)
