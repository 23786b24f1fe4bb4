"""Expression DAG -> program: the passes that make code what an expert would have written.

| pass | what it does |
| --- | --- |
| `Program.make` | common subexpressions once; a value and its derivative share work |
| `associate` | products in the cheapest order, by dynamic programming over dimensions |
| `factored` | inverses as solves; one factorization a matrix, Cholesky where it is positive definite |
| `formed_inverses` | products with an inverse that is needed as an array, too, are no solves |
| `joined` | u v' + u w' as one outer product |
| `traced` | tr(A B) as an elementwise sum, tr(A^-1 B) by a solve |
| `distributed` | (A + B) x as A x + B x where that is cheaper |
| `scaled` | scalars are multiplied into the smallest part of a product |
| `spread` | diag(d) A as scaled rows; ones, diagonals and the identity are not formed |
| `mirrored` | A'D A as W'W; a product that is the transpose of a known one is not computed |
| `matgrad.emit.stable` | softplus, sigmoid, logsumexp, log1p, expm1 |
| `matgrad.emit.arrays` | Kronecker products and commutation matrices by their action or as arrays, never formed |

Vectors and rows are both one-dimensional here; what they are is said by the expression.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad import expr as ex
from matgrad.definitions import definition_in
from matgrad.dims import Dim, dim_mul
from matgrad.emit.program import Program, Size, Value, entries, number_of
from matgrad.errors import InternalError, LimitProblem
from matgrad.expr import Expr
from matgrad.functions import TABLE
from matgrad.properties import has_property, is_symmetric, push_transposes
from matgrad.rewrite import written_out
from matgrad.shapes import signature, size_values

MEMORY = 4  # operations in the time of an entry that is written
MAX_LINKS = 40  # of a chain whose order is looked for; longer ones are taken in groups

# What a link of a chain is, before something is multiplied by it.
DENSE, INVERSE, DIAGONAL, ONES, KRON, COMMUTATION = (
    "dense",
    "inverse",
    "diagonal",
    "ones",
    "kron",
    "K",
)


_PAIRS = frozenset(["max:pair", "min:pair"])
_WHOLE = frozenset(["indmax"])  # of an array of any kind to one, but not entry by entry


class Link(NamedTuple):
    """A factor of a product: an array, or something known only by what it does to one."""

    how: str
    kind: str  # of the expression: vector, row, matrix, scalar
    rows: Dim
    cols: Dim
    value: Value | None = None  # of DENSE: itself; of DIAGONAL: the diagonal
    matrix: Expr | None = None  # of INVERSE: what is inverted; of KRON and COMMUTATION: themselves
    turned: bool = False  # of INVERSE: the transpose of it


class Plan(NamedTuple):
    """An order of multiplication: of the links i..j, what it costs, and where the last product stands."""

    cost: float
    split: int


def shape_of(e: Expr) -> Size:
    """The shape of an expression as an array."""
    if e.shape.kind == ex.SCALAR:
        return ()
    if e.shape.kind == ex.VECTOR:
        return (e.shape.rows,)
    if e.shape.kind == ex.ROW:
        return (e.shape.cols,)
    return (e.shape.rows, e.shape.cols)


class Lowering:
    """Makes values of a program from expressions."""

    def __init__(self, program: Program, indices: dict[str, int] | None = None) -> None:
        self.program = program
        self.values: dict[Expr, Value] = {}
        self.products: dict[Expr, Value] = {}  # products of links, by their normal form
        self.indices = indices or {}  # the loops around, by the name of their index
        self.inverted: set[Expr] = set()  # inverses that are needed as arrays in any case

    # --- operations -------------------------------------------------------------------------------------------------

    def make(self, op: str, args: Sequence[Value], shape: Size, *data: object) -> Value:
        """A value of the program."""
        return self.program.make(op, tuple(args), shape, *data)

    def number(self, value: Fraction | int) -> Value:
        """An exact number."""
        return self.make("number", (), (), Fraction(value))

    def add(self, a: Value, b: Value) -> Value:
        """a + b, with broadcasting; a - b where b is a negative."""
        if b.op == "neg":
            return self._entrywise("sub", a, b.args[0])
        if a.op == "neg":
            return self._entrywise("sub", b, a.args[0])
        if b.op == "number" and b.data[0] < 0:
            return self._entrywise("sub", a, self.number(-b.data[0]))
        if b.op == "mul" and b.args[0].op == "number" and b.args[0].data[0] < 0:
            return self._entrywise("sub", a, self.times(self.negative(b.args[0]), b.args[1]))
        return self._entrywise("add", a, b)

    def times(self, a: Value, b: Value) -> Value:
        """a*b, with broadcasting."""
        if a.op == "number" and b.op == "number":
            return self.number(a.data[0] * b.data[0])
        for one, other in ((a, b), (b, a)):
            if one.op == "number" and one.data[0] == 1:
                return other
            if one.op == "number" and one.data[0] == -1:
                return self.negative(other)
        if a.op == "neg" or b.op == "neg":
            first = a.args[0] if a.op == "neg" else a
            second = b.args[0] if b.op == "neg" else b
            product = self.times(first, second)
            return product if a.op == b.op == "neg" else self.negative(product)
        return self._entrywise("mul", a, b)

    def over(self, a: Value, b: Value) -> Value:
        """a/b, with broadcasting."""
        if a.op == "neg":
            return self.negative(self.over(a.args[0], b))
        return self._entrywise("div", a, b)

    def negative(self, a: Value) -> Value:
        """-a."""
        if a.op == "neg":
            return a.args[0]
        if a.op == "number":
            return self.number(-a.data[0])
        if a.op == "sub":
            return self.make("sub", (a.args[1], a.args[0]), a.shape)
        if a.op == "mul" and a.args[0].op == "number":
            return self.times(self.negative(a.args[0]), a.args[1])
        if a.op == "mul" and not a.args[0].shape and a.args[1].op == "sub":
            return self.times(a.args[0], self.negative(a.args[1]))
        return self.make("neg", (a,), a.shape)

    def _entrywise(self, op: str, a: Value, b: Value) -> Value:
        return self.make(op, (a, b), broadcast_shape(a.shape, b.shape))

    def transposed(self, a: Value) -> Value:
        """a' of a matrix; vectors and numbers are their own."""
        if len(a.shape) != 2:
            return a
        if a.op == "transpose":
            return a.args[0]
        if a.op == "expand":
            (axis,) = a.data[0]
            return self.expand(a.args[0], (1 - axis,), 2)
        return self.make("transpose", (a,), (a.shape[1], a.shape[0]))

    def expand(self, a: Value, axes: tuple[int, ...], ndim: int) -> Value:
        """a with its axes at these places of an array that is of size 1 elsewhere."""
        if axes == tuple(range(ndim)) or not a.shape:
            return a
        shape: list[Dim] = [1] * ndim
        for axis, dim in zip(axes, a.shape, strict=True):
            shape[axis] = dim
        return self.make("expand", (a,), tuple(shape), axes, ndim)

    def matmul(self, a: Value, b: Value) -> Value:
        """The product of two matrices; transposes are flags of the operation, and signs stand before it."""
        if a.op == "neg" or b.op == "neg":
            plain = [v.args[0] if v.op == "neg" else v for v in (a, b)]
            product = self.matmul(*plain)
            return product if a.op == b.op else self.negative(product)
        m, n = a.shape[0], b.shape[1]
        ta, tb = a.op == "transpose", b.op == "transpose"
        args = (a.args[0] if ta else a, b.args[0] if tb else b)
        return self.make("matmul", args, (m, n), ta, tb)

    def matvec(self, a: Value, x: Value) -> Value:
        """A x, or A'x."""
        if a.op == "neg" or x.op == "neg":
            plain = [v.args[0] if v.op == "neg" else v for v in (a, x)]
            product = self.matvec(*plain)
            return product if a.op == x.op else self.negative(product)
        turned = a.op == "transpose"
        return self.make("matvec", (a.args[0] if turned else a, x), (a.shape[0],), turned)

    def dot(self, x: Value, y: Value) -> Value:
        """The sum of the products of the entries of two arrays of one shape."""
        for op in ("neg", "transpose"):
            if x.op == y.op == op:
                x, y = x.args[0], y.args[0]
        return self.make("dot", (x, y), ())

    def total(self, a: Value, axis: int | None = None) -> Value:
        """The sum of all entries, or along an axis."""
        if not a.shape:
            return a
        if axis is None:
            if a.op == "transpose":
                a = a.args[0]
            return self.make("sum", (a,), (), None)
        if a.op == "transpose":
            return self.total(a.args[0], 1 - axis)
        return self.make("sum", (a,), tuple(d for i, d in enumerate(a.shape) if i != axis), axis)

    def filled(self, number: Value, shape: Size) -> Value:
        """An array whose entries are all one number (broadcast from a smaller array)."""
        if number.shape == shape:
            return number
        return self.make("full", (number,), shape, shape)

    # --- expressions ------------------------------------------------------------------------------------------------

    def lower(self, e: Expr) -> Value:
        """The value of an expression, of its full shape. Functions inside are made first, so that a deep expression is
        no deep recursion."""
        try:
            for node in _functions_below(e):
                self.value(node)
            return self.value(e)
        except RecursionError:
            raise LimitProblem(
                "the expression is nested too deeply for code",
                help="give inner parts a name, and emit code for each",
            ) from None

    def value(self, e: Expr) -> Value:
        """The value of an expression, of its full shape."""
        found = self.values.get(e)
        if found is None:
            found = self.filled(self.spread(e), shape_of(e))
            self.values[e] = found
        return found

    def spread(self, e: Expr) -> Value:
        """A value that broadcasts to the expression's shape: c ones is c, and d ones' is a column."""
        found = self.values.get(e)
        if found is not None:
            return found
        kind = e.kind
        if kind == ex.CONST and e.op in ("ones", "zeros"):
            return self.number(1 if e.op == "ones" else 0)
        if kind == ex.MUL:
            chain = e.chain
            if len(chain) == 1 and chain[0].kind == ex.CONST and chain[0].op == "ones":
                return self.scalar_part(e)
            if len(chain) == 2 and e.shape.kind == ex.MATRIX:
                ones = [c.kind == ex.CONST and c.op == "ones" for c in chain]
                if any(ones) and chain[0].shape.kind == ex.VECTOR:
                    axis = 1 if ones[0] else 0
                    inner = self.times(self.scalar_part(e), self.spread(chain[0 if ones[1] else 1]))
                    return self.expand(inner, (axis,), 2) if inner.shape else inner
        elif kind == ex.ADD:
            return self.summed(e.args)
        elif kind == ex.CALL and e.op == "hadamard":
            return self.multiplied(e.args)
        elif kind == ex.CALL and e.op == "transpose":
            inside = self.spread(e.args[0])
            return self.transposed(inside)
        found = self.values[e] = self.filled(self._own(e), shape_of(e))
        return found

    def _own(self, e: Expr) -> Value:
        kind = e.kind
        if kind == ex.NUM:
            return self.number(e.data)
        if kind == ex.VAR:
            return self.make("input", (), shape_of(e), e.data[0])
        if kind == ex.CONST:
            return self._constant(e)
        if kind == ex.MUL:
            return self.product(e)
        if kind == ex.STACK:
            return self._stack(e)
        if kind == ex.INDEX:
            return self._entry(e)
        if kind == ex.SUM:
            return self._loop(e)
        if kind == ex.CALL:
            return self._call(e)
        raise InternalError(f"no code for {kind}")

    def _constant(self, e: Expr) -> Value:
        shape = shape_of(e)
        if e.op == "pi":
            return self.make("pi", (), ())
        if e.op == "size":
            return self.make("size", (), (), e.data[1])
        if e.op == "index":
            return self._index(e.data[1])
        if e.op == "basis":
            return self.make(
                "basis", self._place_args((e.data[1],)), shape, *shape, self._place(e.data[1])
            )
        if e.op == "eye":
            return self.make("eye", (), shape, shape[0])
        return self.make(e.op, (), shape, *e.data[1:])

    def _index(self, name: str) -> Value:
        if name in self.indices:
            return self.make("index", (), (), self.indices[name], name)
        return self.make("free index", (), (), name)

    def _place(self, at: int | str | None) -> int | str | None:
        return at

    def _place_args(self, places: tuple[int | str | None, ...]) -> list[Value]:
        return [self._index(at) for at in places if isinstance(at, str)]

    def _entry(self, e: Expr) -> Value:
        base, places = e.args[0], e.data
        if (
            base.kind == ex.MUL
            and len(base.chain) > 1
            and len(places) == 2
            and base.shape.kind == ex.MATRIX
        ):
            # A row of a product is the product of a row.
            links = list(base.chain)
            i, j = places
            if i is not None and links[0].shape.kind == ex.MATRIX:
                links[0] = ex.index(links[0], i, None)
            elif i is not None:
                links[0] = ex.index(links[0], i)
            if j is not None and links[-1].shape.kind == ex.MATRIX:
                links[-1] = ex.index(links[-1], None, j)
            elif j is not None:
                links[-1] = ex.index(links[-1], j)
            return self.value(ex.mul(ex.num(base.coefficient), *base.scalars, *links))
        return self.make(
            "entry", (self.value(base), *self._place_args(places)), shape_of(e), places
        )

    def _stack(self, e: Expr) -> Value:
        blocks = [self.value(a) for a in e.args]
        kinds = tuple(a.shape.kind for a in e.args)
        if e.shape.kind != ex.MATRIX:
            return self.make("concatenate", blocks, shape_of(e))
        # In a matrix, a vector is a column and a row is a row.
        full = []
        for block, kind in zip(blocks, kinds, strict=True):
            if kind == ex.SCALAR:
                full.append(self.make("reshape", (block,), (1, 1), (1, 1)))
            elif kind in (ex.VECTOR, ex.ROW):
                full.append(self.expand(block, (0 if kind == ex.VECTOR else 1,), 2))
            else:
                full.append(block)
        return self.make("block", full, shape_of(e), e.data)

    def _loop(self, e: Expr) -> Value:
        name, first, last = e.data
        number = self.program.new_loop()
        inner = Lowering(self.program, {**self.indices, name: number})
        inner.values = {n: v for n, v in self.values.items() if name not in ex.index_names(n)}
        inner.inverted = self.inverted
        inner.products = {n: v for n, v in self.products.items() if name not in ex.index_names(n)}
        index = inner._index(name)
        summand = inner.lower(e.args[0])
        around = tuple(self._index(i) for i in sorted(self.indices))
        return self.make("loop", (summand, index, *around), shape_of(e), number, name, first, last)

    # --- functions --------------------------------------------------------------------------------------------------

    def _call(self, e: Expr) -> Value:
        op, args, shape = e.op, e.args, shape_of(e)
        if definition_in(e) is not None:
            return self.value(written_out(e))
        special = getattr(self, f"_call_{op.partition(':')[0]}", None) if op not in _PAIRS else None
        if special is not None:
            found: Value | None = special(e)
            if found is not None:
                return found
        if op == "group":
            return self.value(args[0])
        if op == "apply":
            return self.make("apply", (self.value(args[0]),), shape, e.data[1], e.data[2])
        if op == "map":
            return self.make("map", (self.value(args[0]),), shape, e.data[1], e.data[2])
        return self._table(e)

    def _table(self, e: Expr) -> Value:
        """A function of the table, by its template."""
        op = e.op
        elementwise = (
            op not in _WHOLE
            and signature(op).result.kind == "array"
            and all(p.kind == "array" for _, p in signature(op).parameters)
        )
        values = [self.spread(a) if elementwise else self.value(a) for a in e.args]
        shape = shape_of(e)
        if elementwise:
            shape = ()
            for v in values:
                shape = broadcast_shape(shape, v.shape)
        sizes = tuple(size_values(e).items())
        return self.make("call", values, shape, op, sizes)

    def _call_power(self, e: Expr) -> Value | None:
        base, exponent = e.args
        if base.kind == ex.CALL and base.op in ("norm2", "normF"):
            k = ex.integer(exponent)
            if k is not None and k % 2 == 0:
                inside = self.value(base.args[0])
                return self._raised(self.dot(inside, inside), Fraction(k // 2), None)
        return self._raised(
            self.value(base), exponent.data if exponent.kind == ex.NUM else None, exponent
        )

    def _call_epow(self, e: Expr) -> Value | None:
        base, exponent = e.args
        return self._raised(
            self.spread(base), exponent.data if exponent.kind == ex.NUM else None, exponent
        )

    def _raised(self, base: Value, k: Fraction | None, exponent: Expr | None) -> Value:
        if k == 1:
            return base
        if k is not None and k < 0:
            return self.over(self.number(1), self._raised(base, -k, None))
        if k == Fraction(1, 2):
            return self.make("call", (base,), base.shape, "sqrt", ())
        if k == 2:
            return self.make("square", (base,), base.shape)
        power = (
            self.number(k)
            if k is not None
            else self.spread(exponent)
            if exponent
            else self.number(1)
        )
        return self._entrywise("pow", base, power)

    def _call_hadamard(self, e: Expr) -> Value:
        return self.multiplied(e.args)

    def multiplied(self, factors: Sequence[Expr]) -> Value:
        """The elementwise product; what stands below a fraction line is divided by."""
        above: list[Value] = []
        below: list[Value] = []
        for f in factors:
            if ex.is_divisor(f):
                below.append(self._raised(self.spread(f.args[0]), -f.args[1].data, None))
            else:
                above.append(self.spread(f))
        above.sort(key=lambda v: entries(v.shape))
        product = above[0] if above else self.number(1)
        for v in above[1:]:
            product = self.times(product, v)
        for v in below:
            product = self.over(product, v)
        return product

    def _call_vec(self, e: Expr) -> Value:
        return self.make("vec", (self.value(e.args[0]),), shape_of(e))

    def _call_unvec(self, e: Expr) -> Value:
        return self.make("unvec", (self.value(e.args[0]),), shape_of(e))

    def _call_diag(self, e: Expr) -> Value:
        return self.make("diag", (self.value(e.args[0]),), shape_of(e))

    def _call_dg(self, e: Expr) -> Value:
        return self.make("diag", (self.diagonal_of(e.args[0]),), shape_of(e))

    def _call_diagonal(self, e: Expr) -> Value:
        return self.diagonal_of(e.args[0])

    def _call_matpow(self, e: Expr) -> Value | None:
        k = ex.integer(e.args[1])
        return (
            self.product(ex.make(ex.MUL, (Fraction(1), 0), (e.args[0],) * k, e.shape))
            if k in (2, 3)
            else None
        )

    def _call_rowsum(self, e: Expr) -> Value:
        return self.total(self.value(e.args[0]), 1)

    def _call_colsum(self, e: Expr) -> Value:
        return self.total(self.value(e.args[0]), 0)

    def _call_norm2(self, e: Expr) -> Value:
        x = self.value(e.args[0])
        return self.make("norm", (x,), ())

    _call_normF = _call_norm2  # noqa: N815 - the name of the operation

    def _call_inv(self, e: Expr) -> Value:
        link = self.link(e)
        return self.formed(link)

    def _call_logsumexp(self, e: Expr) -> Value:
        """The logarithm of the sum of exp(x - max(x)), plus max(x); `softmax` shares the exponentials."""
        top, _, total, _ = self._exponentials(e)
        return self.add(self.make("call", (total,), total.shape, "log", ()), top)

    def _call_softmax(self, e: Expr) -> Value:
        _, grown, total, axis = self._exponentials(e)
        return self.over(grown, total if axis is None else self.expand(total, (1 - axis,), 2))

    def _call_logsoftmax(self, e: Expr) -> Value:
        top, _, total, axis = self._exponentials(e)
        lse = self.add(self.make("call", (total,), total.shape, "log", ()), top)
        x = self.value(e.args[0])
        return self._entrywise("sub", x, lse if axis is None else self.expand(lse, (1 - axis,), 2))

    def _exponentials(self, e: Expr) -> tuple[Value, Value, Value, int | None]:
        """The largest entry along an axis, exp of what is below it, the sum of those, and the axis."""
        x = self.value(e.args[0])
        way = e.op.partition(":")[2]
        axis = int(way) - 1 if way else None
        shape = () if axis is None else (x.shape[1 - axis],)
        top = self.make("call", (x,), shape, f"max:{way}" if way else "max", ())
        below = self._entrywise("sub", x, top if axis is None else self.expand(top, (1 - axis,), 2))
        grown = self.make("call", (below,), below.shape, "exp", ())
        return top, grown, self.total(grown, axis), axis

    def _call_kron(self, e: Expr) -> Value:
        a, b = e.args
        x, y = self.value(a), self.value(b)
        if len({a.shape.kind, b.shape.kind}) > 1:
            x, y = (
                self.expand(v, (0 if f.shape.kind == ex.VECTOR else 1,), 2)
                if len(v.shape) == 1
                else v
                for v, f in ((x, a), (y, b))
            )
        return self.make("kron", (x, y), shape_of(e))

    # --- factorizations ---------------------------------------------------------------------------------------------

    def factored(self, matrix: Expr, definite: bool = False) -> Value:
        """The factorization of a matrix that is known to be invertible (positive definite, if so `definite`); for
        triangular ones themselves."""
        a = self.value(matrix)
        shape = shape_of(matrix)
        if has_property(matrix, "lower"):
            return self.make("lower", (a,), shape)
        if has_property(matrix, "upper"):
            return self.make("upper", (a,), shape)
        if is_symmetric(matrix) and (definite or has_property(matrix, "psd")):
            return self.make("cholesky", (a,), shape)
        return self.make("lu", (a,), shape)

    def _call_logdet(self, e: Expr) -> Value:
        inside = e.args[0]
        if has_property(inside, "diagonal"):
            d = self.diagonal_of(inside)
            logs = self.make(
                "call", (self.make("call", (d,), d.shape, "abs", ()),), d.shape, "log", ()
            )
            return self.total(logs)
        return self.make("logdet", (self.factored(inside),), ())

    def _call_det(self, e: Expr) -> Value:
        inside = e.args[0]
        if has_property(inside, "diagonal"):
            d = self.diagonal_of(inside)
            return self.make("call", (d,), (), "prod", ())
        if any(has_property(inside, p) for p in ("lower", "upper")):
            d = self.make("diagonal", (self.value(inside),), (shape_of(inside)[0],))
            return self.make("call", (d,), (), "prod", ())
        return self.make("det", (self.make("lu", (self.value(inside),), shape_of(inside)),), ())

    def formed(self, link: Link) -> Value:
        """A link as an array."""
        if link.how == DIAGONAL:
            assert link.value is not None
            return self.make("diag", (link.value,), (link.rows, link.cols))
        if link.how == INVERSE:
            assert link.matrix is not None
            inverse = self.make("inverse", (self.factored(link.matrix),), shape_of(link.matrix))
            return self.transposed(inverse) if link.turned else inverse
        if link.how in (KRON, COMMUTATION):
            assert link.matrix is not None
            return self.value(link.matrix)
        if link.how == ONES:
            return self.filled(
                self.number(1), (link.rows if link.kind == ex.VECTOR else link.cols,)
            )
        assert link.value is not None
        return link.value

    # --- products ---------------------------------------------------------------------------------------------------

    def link(self, e: Expr) -> Link:
        """What a factor of a product is."""
        kind, rows, cols = e.shape
        found = self.values.get(e)
        inside, turned = e, False
        if e.kind == ex.CALL and e.op == "transpose":
            inside, turned = e.args[0], True
        if kind != ex.MATRIX:
            if e.kind == ex.CONST and e.op == "ones":
                return Link(ONES, kind, rows, cols)
            return Link(DENSE, kind, rows, cols, self.value(e))
        if inside.kind == ex.CALL and inside.op == "diag":
            return Link(DIAGONAL, kind, rows, cols, self.value(inside.args[0]))
        if inside.kind == ex.CALL and inside.op == "kron" and found is None:
            return Link(KRON, kind, rows, cols, None, e)
        if e.kind == ex.CONST and e.op == "commutation":
            return Link(COMMUTATION, kind, rows, cols, None, e)
        if inside.kind == ex.CALL and inside.op == "inv":
            matrix = inside.args[0]
            if has_property(matrix, "diagonal"):
                return Link(
                    DIAGONAL, kind, rows, cols, self.over(self.number(1), self.diagonal_of(matrix))
                )
            if matrix.kind == ex.CALL and matrix.op == "transpose":
                matrix, turned = matrix.args[0], not turned
            if turned and is_symmetric(matrix):
                turned = False
            return Link(INVERSE, kind, rows, cols, None, matrix, turned)
        if has_property(inside, "diagonal") and (
            inside.kind == ex.VAR or inside.op in ("dg", "inv")
        ):
            return Link(DIAGONAL, kind, rows, cols, self.diagonal_of(inside))
        return Link(DENSE, kind, rows, cols, self.value(e))

    def scalar_part(self, e: Expr) -> Value:
        """The number and the scalars in front of a product."""
        scalars = [s for s in e.scalars if not ex.is_divisor(s)]
        below = [s for s in e.scalars if ex.is_divisor(s)]
        product = self.number(e.coefficient)
        for s in scalars:
            product = self.times(product, self.value(s))
        for s in below:
            product = self.over(product, self._raised_divisor(s))
        return product

    def _raised_divisor(self, s: Expr) -> Value:
        k = -s.args[1].data
        return self.value(ex.power(s.args[0], ex.num(k)))

    def product(self, e: Expr) -> Value:
        """The value of `coefficient * scalars * chain`."""
        scale = self.scalar_part(e)
        if not e.chain:
            return scale
        return self.chain(e.chain, scale)

    def chain(self, links: tuple[Expr, ...], scale: Value) -> Value:
        """scale times the product of links."""
        if len(links) == 1:
            only = self.spread(links[0])
            return self.times(scale, only)
        while len(links) > MAX_LINKS:
            head = ex.mul(*links[:MAX_LINKS])
            self.value(head)
            links = (head, *links[MAX_LINKS:])
        known = self._known(links)
        if known is not None:
            return self.times(scale, known)
        for e in links:  # what is computed for a factorization may be part of this product
            if _form(e) == INVERSE:
                inverse = self.link(e)
                assert inverse.matrix is not None
                self.factored(inverse.matrix)
        apart = self.distributed(links)
        if apart is not None:
            return self.times(scale, self.value(apart))
        plans = self.associate(links)
        return self._built(links, plans, 0, len(links) - 1, scale)

    def _known(self, links: tuple[Expr, ...]) -> Value | None:
        """The product, if it or its transpose has been computed."""
        if len(links) == 1:
            return None
        e = ex.mul(*links)
        found = self.products.get(push_transposes(e))
        if found is None and e.shape.kind != ex.SCALAR:
            turned = self.products.get(push_transposes(ex.transpose(e)))
            found = self.transposed(turned) if turned is not None else None
        return found

    def associate(self, links: tuple[Expr, ...]) -> dict[tuple[int, int], Plan]:
        """The cheapest order of multiplication, for all parts of a chain."""
        count = len(links)
        forms = [_form(e) for e in links]
        plans: dict[tuple[int, int], Plan] = {(i, i): Plan(0.0, i) for i in range(count)}
        for length in range(2, count + 1):
            for i in range(count - length + 1):
                j = i + length - 1
                if length < count and self._known(links[i : j + 1]) is not None:
                    plans[i, j] = Plan(0.0, -1)
                    continue
                best: Plan | None = None
                for k in range(i, j):
                    left = forms[i] if k == i else DENSE
                    right = forms[j] if k + 1 == j else DENSE
                    cost = (
                        plans[i, k].cost
                        + plans[k + 1, j].cost
                        + _pair_cost(
                            left,
                            right,
                            number_of(links[i].shape.rows),
                            number_of(links[k].shape.cols),
                            number_of(links[j].shape.cols),
                        )
                    )
                    if best is None or cost < best.cost * (1 - 1e-9):
                        best = Plan(cost, k)
                assert best is not None
                plans[i, j] = best
        return plans

    def _built(
        self,
        links: tuple[Expr, ...],
        plans: dict[tuple[int, int], Plan],
        first: int,
        last: int,
        scale: Value,
    ) -> Value:
        """The product in the planned order, with the scale in its smallest part."""
        place = self.scaled(links, plans, first, last, scale)

        def build(i: int, j: int) -> Link:
            if i == j:
                link = self.link(links[i])
            else:
                kind, rows, cols = _shape_between(links[i], links[j])
                split = plans[i, j].split
                at_once = self._known(links[i : j + 1])
                if at_once is None:
                    at_once = self.mirrored(links, i, j)
                if at_once is None:
                    left, right = build(i, split), build(split + 1, j)
                    link = self.pair(left, right, (kind, rows, cols))
                else:
                    if place in _inside(i, j, plans):  # what was to be scaled is not made
                        at_once = self.times(scale, at_once)
                    link = Link(DENSE, kind, rows, cols, at_once)
                if (
                    link.how == DENSE
                    and link.value is not None
                    and place not in _inside(i, j, plans)
                ):
                    self.products[push_transposes(ex.mul(*links[i : j + 1]))] = link.value
            if (i, j) == place:
                if link.how not in (DENSE, DIAGONAL):
                    link = Link(DENSE, link.kind, link.rows, link.cols, self.formed(link))
                assert link.value is not None
                link = link._replace(value=self.times(scale, link.value))
            return link

        return self.formed(build(first, last))

    def scaled(
        self,
        links: tuple[Expr, ...],
        plans: dict[tuple[int, int], Plan],
        first: int,
        last: int,
        scale: Value,
    ) -> tuple[int, int]:
        """The part of a planned product that the scale is multiplied into: the whole, or one of a lower order."""
        root = (first, last)
        if scale.op == "number" and abs(scale.data[0]) == 1:
            return root
        best, size = root, _entries_between(links[first], links[last])
        todo = [root]
        while todo:
            i, j = todo.pop()
            if (i, j) != root:
                form = _form(links[i]) if i == j else DENSE
                if form in (DENSE, DIAGONAL):
                    here = _entries_between(links[i], links[j])
                    if form == DIAGONAL:
                        here = number_of(links[i].shape.rows)
                    if here < size:
                        best, size = (i, j), here
            if i < j and plans[i, j].split >= 0:
                k = plans[i, j].split
                todo += [(i, k), (k + 1, j)]
        return best

    def mirrored(self, links: tuple[Expr, ...], i: int, j: int) -> Value | None:
        """A'D A with a diagonal D that is nowhere negative, as W'W: BLAS computes half of it."""
        if j - i != 2 or links[i].shape.kind != ex.MATRIX or links[j].shape.kind != ex.MATRIX:
            return None
        middle = links[i + 1]
        if middle.kind != ex.CALL or middle.op != "diag" or not _nonnegative(middle.args[0]):
            return None
        if push_transposes(ex.transpose(links[i])) is not push_transposes(links[j]):
            return None
        d = self.value(middle.args[0])
        root = self.make("call", (d,), d.shape, "sqrt", ())
        half = self.times(self.expand(root, (0,), 2), self.value(links[j]))
        return self.matmul(self.transposed(half), half)

    def pair(self, a: Link, b: Link, shape: tuple[str, Dim, Dim]) -> Link:
        """The product of two links."""
        kind, rows, cols = shape

        def dense(value: Value) -> Link:
            return Link(DENSE, kind, rows, cols, value)

        if a.how == DIAGONAL and b.how == DIAGONAL:
            assert a.value is not None
            assert b.value is not None
            return Link(DIAGONAL, kind, rows, cols, self.times(a.value, b.value))
        if a.how == ONES and b.how == ONES:
            if kind == ex.SCALAR:
                return dense(self.make("size", (), (), a.cols))
            return dense(self.filled(self.number(1), (rows, cols)))
        if a.how == INVERSE and a.matrix in self.inverted and b.kind == ex.MATRIX:
            a = a._replace(how=DENSE, value=self.formed(a))
        if b.how == INVERSE and b.matrix in self.inverted and a.kind == ex.MATRIX:
            b = b._replace(how=DENSE, value=self.formed(b))
        if a.how == INVERSE and b.how == INVERSE:
            return self.pair(a, b._replace(how=DENSE, value=self.formed(b)), shape)
        if a.how == INVERSE:
            return dense(self.solved(a, self.formed(b)))
        if b.how == INVERSE:
            turned = b._replace(turned=not b.turned)
            return dense(self.transposed(self.solved(turned, self.transposed(self.formed(a)))))
        if a.how == DIAGONAL:
            assert a.value is not None
            value = self.formed(b)
            front = a.value if b.kind == ex.VECTOR else self.expand(a.value, (0,), 2)
            return dense(self.times(front, value))
        if b.how == DIAGONAL:
            assert b.value is not None
            value = self.formed(a)
            front = b.value if a.kind == ex.ROW else self.expand(b.value, (1,), 2)
            return dense(self.times(value, front))
        if a.how == ONES and a.kind == ex.ROW:
            return dense(self.total(self.formed(b), 0 if b.kind == ex.MATRIX else None))
        if b.how == ONES and b.kind == ex.VECTOR:
            return dense(self.total(self.formed(a), 1 if a.kind == ex.MATRIX else None))
        if a.how in (KRON, COMMUTATION) and b.kind == ex.VECTOR:
            return dense(self.acted(a, self.formed(b), False))
        if b.how in (KRON, COMMUTATION) and a.kind == ex.ROW:
            return dense(self.acted(b, self.formed(a), True))
        return dense(self._dense_pair(a, b, kind))

    def _dense_pair(self, a: Link, b: Link, kind: str) -> Value:
        x, y = self.formed(a), self.formed(b)
        if ex.SCALAR in (a.kind, b.kind):
            return self.times(x, y)
        if a.kind == ex.ROW and b.kind == ex.VECTOR:
            return self.dot(x, y)
        if a.kind == ex.VECTOR and b.kind == ex.ROW:
            return self.make("outer", (x, y), (x.shape[0], y.shape[0]))
        if a.kind == ex.ROW:
            return self.matvec(self.transposed(y), x)
        if b.kind == ex.VECTOR:
            return self.matvec(x, y)
        if a.kind == ex.VECTOR:
            x = self.expand(x, (0,), 2)
        if b.kind == ex.ROW:
            y = self.expand(y, (1,), 2)
        return self.matmul(x, y)

    def acted(self, link: Link, x: Value, turned: bool) -> Value:
        """What a Kronecker product or a commutation matrix (its transpose, if `turned`) makes of a vector."""
        matrix = link.matrix
        assert matrix is not None
        if matrix.kind == ex.CALL and matrix.op == "transpose":
            matrix, turned = matrix.args[0], not turned
        if matrix.kind == ex.CONST:
            m, n = matrix.data[1:]
            if turned:
                m, n = n, m
            X = self.make("unvec", (x,), (m, n))
            return self.make("vec", (self.transposed(X),), (dim_mul(m, n),))
        a, b = matrix.args
        if turned:
            a, b = push_transposes(ex.transpose(a)), push_transposes(ex.transpose(b))
        if x.op == "vec" and x.args[0].shape == (b.shape.cols, a.shape.cols):
            X = x.args[0]
        else:
            X = self.make("unvec", (x,), (b.shape.cols, a.shape.cols))
        left = X if _is_eye(b) else self._times_matrix(b, X)
        whole = (
            left if _is_eye(a) else self.transposed(self._times_matrix(a, self.transposed(left)))
        )
        return self.make("vec", (whole,), (dim_mul(b.shape.rows, a.shape.rows),))

    def _times_matrix(self, a: Expr, X: Value) -> Value:
        """A X for an expression A of any kind and a matrix X."""
        shape = (ex.MATRIX, a.shape.rows, X.shape[1])
        return self.formed(
            self.pair(self.link(a), Link(DENSE, ex.MATRIX, X.shape[0], X.shape[1], X), shape)
        )

    def solved(self, inverse: Link, b: Value) -> Value:
        """A^-1 b (A^-T b, if the link is turned)."""
        assert inverse.matrix is not None
        factor = self.factored(inverse.matrix)
        if factor.op == "cholesky":
            return self.make("solve", (factor, b), b.shape, False)
        return self.make("solve", (factor, b), b.shape, inverse.turned)

    def distributed(self, links: tuple[Expr, ...]) -> Expr | None:
        """The product written out over a sum in it, where that is cheaper than forming the sum."""
        for at, link in enumerate(links):
            if link.kind != ex.ADD or link.shape.kind != ex.MATRIX or link in self.values:
                continue
            parts = [ex.mul(*links[:at], t, *links[at + 1 :]) for t in link.args]
            together = self.cost(link) + self._chain_cost(links)
            apart = self.cost(ex.add(*parts))
            # A diagonal is multiplied apart also where that is no cheaper in the highest order: no copy is made for it.
            slack = 1.01 if any(map(_is_diagonal_term, link.args)) else 1 - 1e-9
            if apart < together * slack:
                return ex.add(*parts)
        return None

    def _chain_cost(self, links: tuple[Expr, ...]) -> float:
        return self.associate(links)[0, len(links) - 1].cost if len(links) > 1 else 0.0

    def cost(self, e: Expr) -> float:
        """About how many operations computing e takes, what is known already apart."""
        seen: set[Expr] = set()
        total = 0.0
        todo = [e]
        while todo:
            node = todo.pop()
            if node in seen or node in self.values or node.kind in (ex.VAR, ex.NUM):
                continue
            seen.add(node)
            size = entries(shape_of(node))
            if node.kind == ex.MUL:
                known = self._known(node.chain) if len(node.chain) > 1 else None
                if known is not None:
                    continue
                total += self._chain_cost(node.chain)
                links = [
                    n for n in node.chain if n.kind == ex.CALL and n.op in ("inv", "diag", "kron")
                ]
                links += [n for n in node.chain if n.kind == ex.CONST]
                if len(node.chain) == 1:
                    links = []
                todo += [a for a in node.args if a not in links]
                for n in links:  # not formed in a product
                    seen.add(n)
                    todo += n.args
                continue
            if node.kind == ex.CALL and node.op == "inv":
                total += 1.4 * size**1.5
            elif node.kind == ex.CALL and node.op == "transpose":
                pass
            elif node.kind == ex.ADD:
                total += MEMORY * size * (len(node.args) - 1)
                for (
                    term
                ) in node.args:  # a column beside ones is broadcast, and the identity is not formed
                    if term.kind == ex.MUL and any(c.op == "ones" for c in term.chain):
                        seen.add(term)
                        todo += term.args
                    elif term.op == "eye":
                        seen.add(term)
            else:
                total += size
            todo.extend(node.args)
        return total

    # --- sums, traces, diagonals ------------------------------------------------------------------------------------

    def summed(self, terms: Sequence[Expr]) -> Value:
        """The sum of terms; multiples of the identity and diagonal matrices go to the diagonal only."""
        parts: list[Value] = []
        diagonal: Value | None = None
        shape = shape_of(terms[0])
        signed = sorted(
            terms, key=lambda t: t.coefficient < 0
        )  # what is added stands before what is taken away
        for t in signed:
            d = self._on_diagonal(t)
            if d is not None:
                diagonal = d if diagonal is None else self.add(diagonal, d)
                continue
            parts.append(self.spread(t))
        total = self.added(self.joined(parts), shape)
        if diagonal is None:
            assert total is not None
            return total
        if total is None:
            full = self.filled(diagonal, (shape[0],))
            return self.make("diag", (full,), shape)
        return self.make("add_diagonal", (self.filled(total, shape), diagonal), shape)

    def added(self, parts: list[Value], shape: Size) -> Value | None:
        """The sum of values. A matrix that is newly made stands before arguments and what is broadcast: it is then
        written over, and the sign of the whole is changed if it had to be subtracted."""
        turned = False
        made = [p for p in parts if p.shape == shape and _without_number(p).op in _PRODUCTS]
        if (
            len(shape) == 2
            and made
            and _without_number(parts[0]).op in ("input", "transpose", "expand")
        ):
            turned = made[0].op == "neg" or (made[0].op == "mul" and made[0].args[0].data[0] < 0)
            rest = list(parts)
            rest.remove(made[0])
            parts = [made[0], *rest]
            if turned:
                parts = [self.negative(p) for p in parts]
        total: Value | None = None
        for v in parts:
            total = v if total is None else self.add(total, v)
        return self.make("neg", (total,), shape) if turned and total is not None else total

    def joined(self, parts: list[Value]) -> list[Value]:
        """Terms of a sum, with u v' + u w' as u (v + w)', and u w' + v w' as (u + v) w'."""
        done = list(parts)
        for side in (0, 1):
            where: dict[Value, int] = {}
            kept: list[Value] = []
            for part in done:
                inner = part.args[0] if part.op == "neg" else part
                at = where.get(inner.args[side]) if inner.op == "outer" else None
                if inner.op == "outer" and at is None:
                    where[inner.args[side]] = len(kept)
                if at is None:
                    kept.append(part)
                    continue
                other = kept[at]
                vectors = [
                    self.negative(o.args[0].args[1 - side]) if o.op == "neg" else o.args[1 - side]
                    for o in (other, part)
                ]
                both = [inner.args[side]] * 2
                both[1 - side] = self.add(vectors[0], vectors[1])
                kept[at] = self.make("outer", both, inner.shape)
            done = kept
        return done

    def _on_diagonal(self, t: Expr) -> Value | None:
        """The diagonal of a term c I or c diag(d), as a number or a vector."""
        chain = t.chain
        if t.shape.kind != ex.MATRIX or len(chain) != 1 or t in self.values:
            return None
        only = chain[0]
        if only.kind == ex.CONST and only.op == "eye":
            return self.scalar_part(t) if t is not only else self.number(1)
        if only.kind == ex.CALL and only.op == "diag":
            scale = self.scalar_part(t) if t is not only else self.number(1)
            return self.times(scale, self.value(only.args[0]))
        return None

    def _call_tr(self, e: Expr) -> Value:
        return self.traced(e.args[0])

    def traced(self, e: Expr) -> Value:
        """tr(e)."""
        if e.kind == ex.ADD and e not in self.values:
            total: Value | None = None
            for t in e.args:
                part = self.traced(t)
                total = part if total is None else self.add(total, part)
            assert total is not None
            return total
        if e.kind == ex.CALL and e.op == "transpose":
            return self.traced(e.args[0])
        if e.kind == ex.MUL:
            scale = self.scalar_part(e)
            if len(e.chain) == 1:
                return self.times(scale, self.traced(e.chain[0]))
            return self.times(scale, self._traced_chain(e.chain))
        if e.kind == ex.CONST and e.op == "eye":
            return self.make("size", (), (), e.shape.rows)
        if e.kind == ex.CALL and e.op == "matpow":
            k = ex.integer(e.args[1])
            if k is not None and 2 <= k <= 6:
                return self._traced_chain((e.args[0],) * k)
        return self.total(self.diagonal_of(e))

    def _traced_chain(self, links: tuple[Expr, ...]) -> Value:
        """tr of a product, as the sum of the elementwise product of two parts of it, in the cheapest way."""
        count = len(links)
        if links[0].shape.kind == ex.VECTOR and links[-1].shape.kind == ex.ROW:
            return self.value(ex.mul(links[-1], *links[:-1]))
        whole = self._part_cost(links) + number_of(links[0].shape.rows)
        best: tuple[float, tuple[Expr, ...], tuple[Expr, ...]] = (whole, links, ())
        for start in range(count if count <= 12 else 1):
            turned = links[start:] + links[:start]
            if turned[0].shape.kind == ex.ROW and turned[-1].shape.kind == ex.VECTOR:
                return self.value(ex.mul(*turned))
            if any(
                a.shape.cols != b.shape.rows
                or ex.VECTOR in (b.shape.kind,)
                or a.shape.kind == ex.ROW
                for a, b in itertools.pairwise(turned)
            ):
                continue
            for cut in range(1, count):
                p, q = turned[:cut], turned[cut:]
                size = number_of(p[0].shape.rows) * number_of(p[-1].shape.cols)
                cost = size + self._part_cost(p) + self._part_cost(q)
                if cost < best[0] * (1 - 1e-9) or (not best[2] and cost <= best[0]):
                    best = (cost, p, q)
        _, p, q = best
        if not q:
            product = self.chain(p, self.number(1))
            return self.total(self.make("diagonal", (product,), (p[0].shape.rows,)))
        return self._sum_of_products(p, q)

    def _part_cost(self, part: tuple[Expr, ...]) -> float:
        if len(part) > 1:
            return 0.0 if self._known(part) is not None else self._chain_cost(part)
        form = _form(part[0])
        if form == INVERSE:  # to solve for the other part takes 2
            return 2.5 * number_of(part[0].shape.rows) ** 3
        return 0.0

    def _sum_of_products(self, p: tuple[Expr, ...], q: tuple[Expr, ...]) -> Value:
        one = self.number(1)
        for a, b in ((p, q), (q, p)):
            if len(a) == 1 and _form(a[0]) == DIAGONAL:
                d = self.link(a[0]).value
                assert d is not None
                return self.dot(d, self.diagonal_of(ex.mul(*b)))
        P = self.value(p[0]) if len(p) == 1 else self.chain(p, one)
        Q = self.value(q[0]) if len(q) == 1 else self.chain(q, one)
        if len(P.shape) == 1 or len(Q.shape) == 1:
            return self.dot(
                *(
                    self.make("reshape", (v,), (dim_mul(*v.shape),), (dim_mul(*v.shape),))
                    if len(v.shape) == 2
                    else v
                    for v in (P, Q)
                )
            )
        return self.dot(self.transposed(P), Q)

    def diagonal_of(self, e: Expr) -> Value:
        """The diagonal of a square matrix, without the rest of it where it is a product."""
        shape = (e.shape.rows,)
        if e in self.values:
            return self.make("diagonal", (self.values[e],), shape)
        if e.kind == ex.CALL and e.op in ("transpose", "dg"):
            return self.diagonal_of(e.args[0])
        if e.kind == ex.CALL and e.op == "diag":
            return self.value(e.args[0])
        if e.kind == ex.CALL and e.op == "hadamard":
            parts = [self.diagonal_of(a) for a in e.args]
            product = parts[0]
            for v in parts[1:]:
                product = self.times(product, v)
            return product
        if e.kind == ex.CALL and e.op == "inv" and has_property(e.args[0], "diagonal"):
            return self.over(self.number(1), self.diagonal_of(e.args[0]))
        if e.kind == ex.CONST and e.op == "eye":
            return self.filled(self.number(1), shape)
        if e.kind == ex.ADD:
            total: Value | None = None
            for t in e.args:
                part = self.diagonal_of(t)
                total = part if total is None else self.add(total, part)
            assert total is not None
            return total
        if e.kind == ex.MUL:
            scale = self.scalar_part(e)
            chain = e.chain
            if len(chain) == 1:
                return self.times(scale, self.diagonal_of(chain[0]))
            if self._known(chain) is None:
                return self.times(scale, self._diagonal_of_chain(chain, shape))
        return self.make("diagonal", (self.value(e),), shape)

    def _diagonal_of_chain(self, links: tuple[Expr, ...], shape: Size) -> Value:
        best: tuple[float, int] | None = None
        for cut in range(1, len(links)):
            p, q = links[:cut], links[cut:]
            size = number_of(p[0].shape.rows) * number_of(p[-1].shape.cols)
            cost = size + self._part_cost(p) + self._part_cost(q)
            if best is None or cost < best[0] * (1 - 1e-9):
                best = (cost, cut)
        assert best is not None
        p, q = links[: best[1]], links[best[1] :]
        for a, b in ((p, q), (q, p)):
            if len(a) == 1 and _form(a[0]) == DIAGONAL:
                d = self.link(a[0]).value
                assert d is not None
                return self.times(d, self.diagonal_of(ex.mul(*b)))
        one = self.number(1)
        P = self.value(p[0]) if len(p) == 1 else self.chain(p, one)
        Q = self.value(q[0]) if len(q) == 1 else self.chain(q, one)
        if len(P.shape) == 1 and len(Q.shape) == 1:
            return self.times(P, Q)
        P = self.expand(P, (0,), 2) if len(P.shape) == 1 else P
        Q = self.expand(Q, (1,), 2) if len(Q.shape) == 1 else Q
        return self.make("row_dots", (P, self.transposed(Q)), shape)

    def _call_sum(self, e: Expr) -> Value:
        """The sum of all entries: of an elementwise product a dot product, of a product its factors' sums."""
        x = e.args[0]
        if x in self.values:
            return self.total(self.values[x])
        if x.kind == ex.MUL and x.shape.kind != ex.SCALAR:
            scale = self.scalar_part(x)
            chain = x.chain
            if len(chain) == 1:
                return self.times(scale, self.value(ex.call("sum", chain, ex.SCALAR_SHAPE)))
            front = () if chain[0].shape.kind == ex.ROW else (ex.ones(ex.row_shape(x.shape.rows)),)
            back = (
                ()
                if chain[-1].shape.kind == ex.VECTOR
                else (ex.ones(ex.vector_shape(x.shape.cols)),)
            )
            if front and back and x.shape.kind == ex.MATRIX:
                return self.times(scale, self.chain((*front, *chain, *back), self.number(1)))
            return self.times(scale, self.total(self.chain(chain, self.number(1))))
        if x.kind == ex.CALL and x.op == "hadamard":
            factors = x.args
            if not any(map(ex.is_divisor, factors)):
                half = self.multiplied(factors[:-1])
                other = self.spread(factors[-1])
                if half.shape == other.shape == shape_of(x):
                    return self.dot(half, other)
        if x.kind == ex.CALL and x.op == "epow" and ex.integer(x.args[1]) == 2:
            inside = self.value(x.args[0])
            return self.dot(inside, inside)
        return self.total(self.value(x))


def formed_inverses(*roots: Expr) -> set[Expr]:
    """The matrices whose inverses are needed as arrays: products with those are products then, not solves."""
    found: set[Expr] = set()
    seen: set[tuple[Expr, bool]] = set()
    todo: list[tuple[Expr, bool]] = [(r, True) for r in roots]
    while todo:
        node, whole = todo.pop()
        if (node, whole) in seen:
            continue
        seen.add((node, whole))
        if node.kind == ex.MUL:
            alone = len(node.chain) == 1
            todo += [(a, whole and alone) for a in node.chain]
            todo += [(a, True) for a in node.scalars]
        elif node.kind == ex.ADD or (node.kind == ex.CALL and node.op == "transpose"):
            todo += [(a, whole) for a in node.args]
        elif node.kind == ex.CALL and node.op == "inv":
            inside = node.args[0]
            if whole and not has_property(inside, "diagonal"):
                found.add(
                    inside.args[0]
                    if inside.kind == ex.CALL and inside.op == "transpose"
                    else inside
                )
            todo.append((inside, True))
        else:
            todo += [(a, True) for a in node.args]
    return found


_PRODUCTS = frozenset(["matmul", "outer", "solve"])


def _without_number(a: Value) -> Value:
    """A of -A and of 2 A."""
    if a.op == "neg":
        return _without_number(a.args[0])
    return a.args[1] if a.op == "mul" and a.args[0].op == "number" else a


def broadcast_shape(a: Size, b: Size) -> Size:
    """The shape of an elementwise operation."""
    if not a or a == b:
        return b
    if not b:
        return a
    if len(a) != len(b):
        raise InternalError(f"shapes {a} and {b} in one operation")
    return tuple(q if p == 1 else p for p, q in zip(a, b, strict=True))


DEEP = 16  # operations that may stand in each other and be made by recursion


def _functions_below(e: Expr) -> list[Expr]:
    """The functions in an expression that no pass takes apart, arguments first; not those inside a sum over an index.

    Where those are far apart, so are some of the others: none stands deeper than DEEP below the next.
    """
    absorbed = {
        "transpose",
        "inv",
        "diag",
        "kron",
        "hadamard",
        "tr",
        "sum",
        "vec",
        "diagonal",
        "dg",
        "epow",
        "power",
    }
    absorbed |= {"matpow", "norm2", "normF"}
    seen: set[Expr] = set()
    order: list[Expr] = []
    depth: dict[Expr, int] = {}
    todo: list[tuple[Expr, bool]] = [(e, False)]
    while todo:
        node, ready = todo.pop()
        if ready:
            depth[node] = 1 + max((depth.get(a, 0) for a in node.args), default=0)
            is_function = node.kind == ex.CALL and node.op not in absorbed
            if is_function or (depth[node] >= DEEP and node.kind in (ex.CALL, ex.ADD)):
                order.append(node)
                depth[node] = 0
        elif node not in seen:
            seen.add(node)
            todo.append((node, True))
            if node.kind != ex.SUM:
                todo.extend((a, False) for a in reversed(node.args))
    return order


def _is_eye(e: Expr) -> bool:
    return e.kind == ex.CONST and e.op == "eye"


def _is_diagonal_term(e: Expr) -> bool:
    return len(e.chain) == 1 and (e.chain[0].op == "diag" or _is_eye(e.chain[0]))


def _form(e: Expr) -> str:
    """What a link will be, without making anything."""
    inside = e.args[0] if e.kind == ex.CALL and e.op == "transpose" else e
    if e.shape.kind != ex.MATRIX:
        return ONES if e.kind == ex.CONST and e.op == "ones" else DENSE
    if inside.kind == ex.CALL and inside.op == "diag":
        return DIAGONAL
    if inside.kind == ex.CALL and inside.op == "inv":
        return DIAGONAL if has_property(inside.args[0], "diagonal") else INVERSE
    if has_property(inside, "diagonal") and (inside.kind == ex.VAR or inside.op == "dg"):
        return DIAGONAL
    if inside.kind == ex.CALL and inside.op == "kron":
        return KRON
    return COMMUTATION if e.kind == ex.CONST and e.op == "commutation" else DENSE


def _pair_cost(left: str, right: str, rows: float, inner: float, cols: float) -> float:
    """About how many operations a product takes; a factorization is made once and not counted."""
    if DIAGONAL in (left, right) or ONES in (left, right) or COMMUTATION in (left, right):
        if left == right == DIAGONAL:
            return rows
        return rows * inner * cols / min(inner, max(rows, cols) if inner == 1 else inner)
    if left == right == INVERSE:
        return 3.4 * rows * inner * cols
    if KRON in (left, right) and 1 in (rows, cols):
        return float(2 * rows**0.5 * max(rows, inner, cols))
    return (1 if inner == 1 else 2) * rows * inner * cols


def _shape_between(first: Expr, last: Expr) -> tuple[str, Dim, Dim]:
    """The shape of the product of a chain from `first` to `last`."""
    row, column = first.shape.kind == ex.ROW, last.shape.kind == ex.VECTOR
    if row and column:
        return ex.SCALAR, 1, 1
    if row:
        return ex.ROW, 1, last.shape.cols
    if column:
        return ex.VECTOR, first.shape.rows, 1
    return ex.MATRIX, first.shape.rows, last.shape.cols


def _entries_between(first: Expr, last: Expr) -> float:
    return number_of(first.shape.rows) * number_of(last.shape.cols)


def _inside(i: int, j: int, plans: dict[tuple[int, int], Plan]) -> set[tuple[int, int]]:
    """The parts of a planned product, without itself."""
    found: set[tuple[int, int]] = set()
    todo = [(i, j)]
    while todo:
        a, b = todo.pop()
        if a < b and plans[a, b].split >= 0:
            k = plans[a, b].split
            for part in ((a, k), (k + 1, b)):
                found.add(part)
                todo.append(part)
    return found


def _nonnegative(e: Expr) -> bool:
    """Whether no entry is negative, as far as the form shows."""
    if has_property(e, "positive"):
        return True
    if e.kind == ex.NUM:
        return bool(e.data >= 0)
    if e.kind == ex.CALL and e.op == "hadamard":
        return all(map(_nonnegative, e.args))
    if e.kind == ex.CALL and e.op in ("epow", "power"):
        k = ex.integer(e.args[1])
        return (k is not None and k % 2 == 0) or _nonnegative(e.args[0])
    if e.kind == ex.CALL and e.op in ("abs", "relu", "square"):
        return True
    if e.kind == ex.MUL:
        return e.coefficient >= 0 and all(map(_nonnegative, e.args))
    if e.kind == ex.ADD:
        if all(map(_nonnegative, e.args)):
            return True
        if len(e.args) == 2:  # 1 - sigmoid(x), 1 - tanh(x)^2
            one = [t for t in e.args if t is ex.ONE or t.op == "ones"]
            rest = [ex.neg(t) for t in e.args if t not in one]
            return len(one) == 1 and _at_most_one(rest[0])
    return False


def _at_most_one(e: Expr) -> bool:
    if (e.kind == ex.CALL and e.op in ("sigmoid", "tanh", "sin", "cos", "erf")) or e.op.startswith(
        "softmax"
    ):
        return True
    if e.kind == ex.CALL and e.op in ("epow", "power"):
        k = ex.integer(e.args[1])
        inner = e.args[0]
        return (
            k is not None
            and k > 0
            and inner.kind == ex.CALL
            and inner.op in ("sigmoid", "tanh", "sin", "cos", "erf")
        )
    return False


assert "hadamard" in TABLE
