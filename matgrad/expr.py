"""The expression DAG: ten kinds of immutable, interned nodes, with a shape each.

Equal means identical: the constructors below return the node that exists already, so `is` compares expressions and
a dictionary keyed by node is a memo. Build nodes with the constructors only; they keep these notational
conventions, which are not worth a step in a derivation:

- sums and products are flat: `(a + b) + c` is one node with three terms;
- a product is `coefficient * scalars * chain`: one number, the scalar factors (divisors last), then the vectors,
  rows and matrices in order. A row times a vector that is followed by more becomes one scalar factor;
- `1 x`, `0 x`, `I X`, `X + 0`, `X''`, `c'` for a scalar, `X^1` and `(X^-1)^-1` are not written, and K(m, n)' and
  K(m, n)^-1 are K(n, m);
- a scalar that is added to a vector or a matrix stands there times `ones`.

No function here recurses on the depth of an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from matgrad.dims import Dim, Poly, dim_add, dim_atoms, dim_div, dim_mul, dim_substituted, dim_text
from matgrad.errors import InternalError, LimitProblem, ShapeProblem

SCALAR, VECTOR, ROW, MATRIX = "scalar", "vector", "row", "matrix"

# Node kinds. `data` is what a node holds beside its arguments.
NUM = "num"  # data: a Fraction
VAR = "var"  # data: (name, properties)
# CONST data: ("eye",) | ("ones",) | ("zeros",) | ("basis", index) | ("pi",) | ("size", n) | ("index", i) |
# ("commutation", m, n) | ("duplication", n) | ("elimination", n)
CONST = "const"
ADD = "add"  # args: the terms
MUL = "mul"  # data: (coefficient, number of scalars); args: scalars, then the chain
CALL = "call"  # data: (operation, *parameters): a function of matgrad.functions.TABLE
STACK = "stack"  # data: number of columns of blocks; args: the blocks, row by row
INDEX = "index"  # data: one or two of int | str | None (None is `:`)
SUM = "sum_over"  # data: (index name, first, last); args: (the summand,)
DIFF = "diff"  # args: (N,): the differential d(N)

MAX_NUMBER_BITS = 1000  # what a float can hold


class Shape(NamedTuple):
    """A kind and its numbers of rows and columns (1 where the kind says so)."""

    kind: str
    rows: Dim
    cols: Dim

    def __str__(self) -> str:
        if self.kind == SCALAR:
            return SCALAR
        if self.kind == VECTOR:
            return f"vector({dim_text(self.rows)})"
        if self.kind == ROW:
            return f"row({dim_text(self.cols)})"
        return f"matrix({dim_text(self.rows)}, {dim_text(self.cols)})"


SCALAR_SHAPE = Shape(SCALAR, 1, 1)


def vector_shape(n: Dim) -> Shape:
    """The shape of a column of n entries."""
    return Shape(VECTOR, n, 1)


def row_shape(n: Dim) -> Shape:
    """The shape of a row of n entries."""
    return Shape(ROW, 1, n)


def matrix_shape(m: Dim, n: Dim) -> Shape:
    """The shape of a matrix of m rows and n columns."""
    return Shape(MATRIX, m, n)


class Expr:
    """One node. Compare with `is`; build with the constructors of this module."""

    __slots__ = ("__weakref__", "args", "data", "kind", "pushed", "shape", "turned")

    kind: str
    data: Any
    args: tuple[Expr, ...]
    shape: Shape
    pushed: Expr | None  # what `properties.push_transposes` found for e, and for e'
    turned: Expr | None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an expression cannot be changed")

    def __repr__(self) -> str:
        texts: dict[Expr, str] = {}
        for node in postorder(self):
            inner = ", ".join(texts[a] for a in node.args)
            texts[node] = f"{node.kind}({node.data!r}{', ' if inner else ''}{inner})"
        return texts[self]

    @property
    def is_scalar(self) -> bool:
        """Whether the shape is a scalar."""
        return self.shape.kind == SCALAR

    @property
    def coefficient(self) -> Fraction:
        """The number in front of a product (1 for everything else)."""
        if self.kind == MUL:
            coefficient: Fraction = self.data[0]
            return coefficient
        return ONE_F

    @property
    def scalars(self) -> tuple[Expr, ...]:
        """The scalar factors of a product."""
        return self.args[: self.data[1]] if self.kind == MUL else (self,) if self.is_scalar else ()

    @property
    def chain(self) -> tuple[Expr, ...]:
        """The vectors, rows and matrices of a product, in order."""
        return self.args[self.data[1] :] if self.kind == MUL else () if self.is_scalar else (self,)

    @property
    def op(self) -> str:
        """The operation of a CALL, the name of a CONST, and the kind of everything else."""
        if self.kind == CALL or self.kind == CONST:
            name: str = self.data[0]
            return name
        return self.kind


_set_kind, _set_data, _set_args, _set_shape, set_pushed, set_turned = (
    getattr(Expr, name).__set__ for name in ("kind", "data", "args", "shape", "pushed", "turned")
)
_interned: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()


def make(kind: str, data: Any, args: tuple[Expr, ...], shape: Shape) -> Expr:
    """The one node of these parts. Only constructors call this."""
    key = (kind, data, args, shape)
    node = _interned.get(key)
    if node is None:
        node = Expr()
        _set_kind(node, kind)
        _set_data(node, data)
        _set_args(node, args)
        _set_shape(node, shape)
        set_pushed(node, None)
        set_turned(node, None)
        _interned[key] = node
    return node


ONE_F = Fraction(1)


def _too_large() -> LimitProblem:
    return LimitProblem(
        f"a number is larger than 2^{MAX_NUMBER_BITS}",
        help="write it as a named scalar, such as `c`, and give it a value later",
    )


def num(value: int | Fraction) -> Expr:
    """A number, exact."""
    if value is ONE_F:
        return ONE
    value = Fraction(value)
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_NUMBER_BITS:
        raise _too_large()
    return make(NUM, value, (), SCALAR_SHAPE)


ZERO, ONE = num(0), make(NUM, ONE_F, (), SCALAR_SHAPE)


def var(name: str, shape: Shape, properties: Iterable[str] = ()) -> Expr:
    """A variable, with its declared properties."""
    return make(VAR, (name, frozenset(properties)), (), shape)


def eye(n: Dim) -> Expr:
    """The identity matrix, n x n."""
    return make(CONST, ("eye",), (), matrix_shape(n, n))


def ones(shape: Shape) -> Expr:
    """The array of ones of a shape."""
    return ONE if shape.kind == SCALAR else make(CONST, ("ones",), (), shape)


def zeros(shape: Shape) -> Expr:
    """The array of zeros of a shape."""
    return ZERO if shape.kind == SCALAR else make(CONST, ("zeros",), (), shape)


def basis(index: int | str, n: Dim) -> Expr:
    """The basis vector e_index of n entries."""
    return make(CONST, ("basis", index), (), vector_shape(n))


def commutation(m: Dim, n: Dim) -> Expr:
    """K(m, n), which turns vec(X) into vec(X') for an m x n matrix X."""
    size = dim_mul(m, n)
    return (
        eye(size)
        if m == 1 or n == 1
        else make(CONST, ("commutation", m, n), (), matrix_shape(size, size))
    )


def _half_size(n: Dim) -> Dim:
    """n(n + 1)/2, the number of entries of vech."""
    return dim_div(dim_mul(n, dim_add(n, 1)), 2)


def duplication(n: Dim) -> Expr:
    """D(n), which turns vech(S) into vec(S) for a symmetric n x n matrix S."""
    if n == 1:
        return eye(1)
    return make(CONST, ("duplication", n), (), matrix_shape(dim_mul(n, n), _half_size(n)))


def elimination(n: Dim) -> Expr:
    """L(n), which turns vec(X) into vech(X) for an n x n matrix X."""
    if n == 1:
        return eye(1)
    return make(CONST, ("elimination", n), (), matrix_shape(_half_size(n), dim_mul(n, n)))


PI = make(CONST, ("pi",), (), SCALAR_SHAPE)


def size(n: Dim) -> Expr:
    """A dimension as a number: sums and products of names are written out."""
    if isinstance(n, int):
        return num(n)
    if isinstance(n, Poly):
        return add(
            *(mul(num(count), *(size(a) for a in monomial)) for monomial, count in n.terms.items())
        )
    return make(CONST, ("size", n), (), SCALAR_SHAPE)


def index_value(name: str) -> Expr:
    """The value of an index of summation."""
    return make(CONST, ("index", name), (), SCALAR_SHAPE)


def sum_over(name: str, first: Dim, last: Dim, summand: Expr) -> Expr:
    """The sum of the summand for index `name` from `first` to `last`.

    A size of that name in it, the number of terms of a sum up to the index, is the value of the index.
    """
    count = size(name)
    if count in postorder(summand):
        summand = substitute(summand, {count: index_value(name)})
    return make(SUM, (name, first, last), (summand,), summand.shape)


def index_names(e: Expr) -> frozenset[str]:
    """The names of indices that an expression speaks of, those of bounds of its sums included (sizes among them)."""
    names: set[str] = set()
    for node in postorder(e):
        if node.kind == INDEX:
            names.update(i for i in node.data if isinstance(i, str))
        elif node.kind == SUM:
            names.add(node.data[0])
            names.update(str(a) for bound in node.data[1:] for a in dim_atoms(bound))
        elif node.kind == CONST and node.data[0] == "size":
            names.update(map(str, dim_atoms(node.data[1])))
        elif node.kind == CONST and node.data[0] in ("basis", "index"):
            if isinstance(node.data[1], str):
                names.add(node.data[1])
    return frozenset(names)


def free_indices(*roots: Expr) -> frozenset[str]:
    """The names of indices that no sum around them gives a range."""
    free = open_indices(postorder(*roots))
    return frozenset[str]().union(*(free[r] for r in roots))


def open_indices(order: Iterable[Expr]) -> dict[Expr, frozenset[str]]:
    """For each node, arguments before what uses them, the names of indices that no sum in it gives a range."""
    free: dict[Expr, frozenset[str]] = {}
    for node in order:
        names = frozenset[str]().union(*(free[a] for a in node.args))
        if node.kind == SUM:
            names = names - {node.data[0]}
        elif node.kind == INDEX:
            names = names.union(i for i in node.data if isinstance(i, str))
        elif node.kind == CONST and node.data[0] in ("basis", "index"):
            if isinstance(node.data[1], str):
                names = names | {node.data[1]}
        free[node] = names
    return free


def rename_index(e: Expr, old: str, new: str) -> Expr:
    """The expression with another name for an index."""

    def change(node: Expr) -> Expr:
        if node.kind == INDEX:
            return index(node.args[0], *(new if i == old else i for i in node.data))
        if node.kind == CONST and node.data == ("basis", old):
            return make(CONST, ("basis", new), (), node.shape)
        if node.kind == CONST and node.data == ("index", old):
            return index_value(new)
        if node.kind == SUM:
            name, first, last = node.data
            first, last = (dim_substituted(bound, {old: new}) for bound in (first, last))
            return sum_over(new if name == old else name, first, last, node.args[0])
        return node

    return transform(e, change)


def at_index(root: Expr, name: str, value: int) -> Expr:
    """The expression for one value of an index. A sum over an index of the same name has its own."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        args = tuple(done[a] for a in node.args)
        if node.kind == INDEX:
            done[node] = index(args[0], *(value if i == name else i for i in node.data))
        elif node.kind == CONST and node.data == ("basis", name):
            done[node] = basis(value, node.shape.rows)
        elif node.kind == CONST and node.data == ("index", name):
            done[node] = num(value)
        elif node.kind == SUM:
            own, first, last = node.data
            first, last = (dim_substituted(bound, {name: value}) for bound in (first, last))
            done[node] = sum_over(own, first, last, node.args[0] if own == name else args[0])
        else:
            done[node] = rebuild(node, args) if args else node
    return done[root]


def is_zero(e: Expr) -> bool:
    """Whether e is the constant zero. A false answer means "not written as zero"."""
    return e is ZERO or (e.kind == CONST and e.data[0] == "zeros")


def add(*terms: Expr) -> Expr:
    """The sum of terms of one shape, flattened, without zeros."""
    flat: list[Expr] = []
    for t in terms:
        if t.kind == ADD:
            flat.extend(t.args)
        elif not is_zero(t):
            flat.append(t)
    if not flat:
        return zeros(terms[0].shape)
    if len(flat) == 1:
        return flat[0]
    shape = flat[0].shape
    if shape.kind == SCALAR and all(t.kind == NUM for t in flat):
        return num(sum((t.data for t in flat), Fraction(0)))
    for t in flat:
        if t.shape != shape:
            raise InternalError(f"a sum of {shape} and {t.shape}")
    return make(ADD, None, tuple(flat), shape)


def _product_shape(first: Expr, last: Expr) -> Shape:
    if first.shape.kind == ROW:
        return SCALAR_SHAPE if last.shape.kind == VECTOR else Shape(ROW, 1, last.shape.cols)
    if last.shape.kind == VECTOR:
        return Shape(VECTOR, first.shape.rows, 1)
    if first is last:
        return first.shape
    return Shape(MATRIX, first.shape.rows, last.shape.cols)


def mul(*factors: Expr) -> Expr:
    """The product, in the form `coefficient * scalars * chain` that the module describes."""
    coefficient = ONE_F
    scalars: list[Expr] = []
    chain: list[Expr] = []
    zero = False
    ordered = True  # the scalars of a product are in order already

    def closed() -> bool:
        return bool(chain) and chain[0].shape.kind == ROW and chain[-1].shape.kind == VECTOR

    def close() -> None:
        nonlocal ordered
        ordered = False
        scalars.append(make(MUL, (ONE_F, 0), tuple(chain), SCALAR_SHAPE))
        chain.clear()

    for f in factors:
        if f.kind == NUM:
            if f is not ONE:
                coefficient *= f.data
            continue
        if f.kind == MUL:
            if f.data[0] is not ONE_F:
                coefficient *= f.data[0]
            count = f.data[1]
            if count:
                ordered = ordered and _follows(scalars, f.args[0])
                scalars.extend(f.args[:count])
            links = f.args[count:]
            if f.shape.kind == SCALAR and links:
                if closed():
                    close()
                if chain:
                    scalars.append(make(MUL, (ONE_F, 0), links, SCALAR_SHAPE))
                    ordered = False
                else:
                    chain.extend(links)
                continue
        elif f.shape.kind == SCALAR:
            ordered = ordered and _follows(scalars, f)
            scalars.append(f)
            continue
        else:
            links = (f,)
        for link in links:
            if closed():
                close()
            if chain and chain[-1].shape.cols != link.shape.rows:
                raise InternalError(f"a product of {chain[-1].shape} and {link.shape}")
            if link.kind == CONST:
                if link.data[0] == "zeros":
                    zero = True
                elif link.data[0] == "eye" and chain:
                    continue
            if chain and chain[-1].kind == CONST and chain[-1].data[0] == "eye":
                chain.pop()
            chain.append(link)
    shape = _product_shape(chain[0], chain[-1]) if chain else SCALAR_SHAPE
    if zero:
        return zeros(shape)
    if coefficient is not ONE_F:
        if coefficient == 0:
            return zeros(shape)
        parts = coefficient.numerator, coefficient.denominator
        if sum(map(int.bit_length, parts)) > MAX_NUMBER_BITS:
            raise _too_large()
        if parts == (1, 1):
            coefficient = ONE_F
    if not scalars and not chain:
        return num(coefficient)
    if coefficient is ONE_F and len(scalars) + len(chain) == 1:
        return scalars[0] if scalars else chain[0]
    if not ordered:
        scalars.sort(key=_scalar_order)
    return make(MUL, (coefficient, len(scalars)), tuple(scalars + chain), shape)


def _follows(scalars: list[Expr], e: Expr) -> bool:
    return not scalars or _scalar_order(scalars[-1]) <= _scalar_order(e)


def _scalar_order(e: Expr) -> int:
    """Scalar factors first, then dot products such as (x'y), then divisors."""
    return 2 if _is_divisor(e) else int(e.kind == MUL)


def _is_divisor(e: Expr) -> bool:
    return (
        e.kind == CALL
        and e.data[0] in ("power", "epow")
        and e.args[1].kind == NUM
        and e.args[1].data < 0
    )


is_divisor = _is_divisor


def neg(e: Expr) -> Expr:
    """-e."""
    return mul(num(-1), e)


def sub(a: Expr, b: Expr) -> Expr:
    """a - b."""
    return add(a, neg(b))


def call(op: str, args: tuple[Expr, ...], shape: Shape, *parameters: Any) -> Expr:
    """A function or operator of the table, applied. Shapes are the caller's business (matgrad.shapes)."""
    return make(CALL, (op, *parameters), args, shape)


def transposed_shape(shape: Shape) -> Shape:
    """The shape of the transpose."""
    kind = {VECTOR: ROW, ROW: VECTOR}.get(shape.kind, shape.kind)
    return Shape(kind, shape.cols, shape.rows)


def transpose(e: Expr) -> Expr:
    """e', as it is written: a product stays a product under one transpose."""
    if e.shape.kind == SCALAR:
        return e
    if e.kind == CALL and e.data[0] == "transpose":
        return e.args[0]
    if e.kind == CONST:
        if e.data[0] == "eye":
            return e
        if e.data[0] in ("ones", "zeros"):
            return make(CONST, e.data, (), transposed_shape(e.shape))
        if e.data[0] == "commutation":
            return commutation(e.data[2], e.data[1])
    return make(CALL, ("transpose",), (e,), transposed_shape(e.shape))


def integer(e: Expr) -> int | None:
    """The value of a whole number, or None."""
    if e.kind == NUM and e.data.denominator == 1:
        return int(e.data)
    return None


def power(base: Expr, exponent: Expr) -> Expr:
    """A scalar to a scalar power, or a square matrix to an integer power; whole powers multiply out of products.

    A power with a minus in front of its exponent is the inverse of the power: `X^-2`, and `X^-k` too.
    """
    k = integer(exponent)
    if k == 1:
        return base
    if not base.is_scalar:
        if k == 0:
            return eye(base.shape.rows)
        if (k is not None and k < 0) or exponent.coefficient < 0:
            return inverse(power(base, neg(exponent)))
        if base.kind == CALL and base.data[0] == "inv":
            return inverse(power(base.args[0], exponent))
        if base.kind == CALL and base.data[0] == "matpow":
            return power(base.args[0], mul(base.args[1], exponent))
        if base.kind == CONST and base.data[0] == "eye":
            return base
        return make(CALL, ("matpow",), (base, exponent), base.shape)
    if k == 0:
        return ONE
    if k is not None:
        if base is ZERO and k < 0:
            raise ShapeProblem("division by zero", help="zero stands below a fraction line")
        if base.kind == NUM:
            bits = max(base.data.numerator.bit_length(), base.data.denominator.bit_length())
            if base.data not in (0, 1, -1) and (bits - 1) * abs(k) > MAX_NUMBER_BITS:
                raise _too_large()
            return num(base.data**k if abs(base.data) != 1 else base.data ** (abs(k) % 2 or 2))
        if base.kind == MUL and (base.data[0] != 1 or len(base.scalars) + bool(base.chain) > 1):
            parts = [power(num(base.data[0]), exponent)]
            parts += [power(s, exponent) for s in base.scalars]
            if base.chain:
                parts.append(power(mul(*base.chain), exponent))
            return mul(*parts)
        if base.kind == CALL and base.data[0] == "power" and base.args[1].kind == NUM:
            return power(base.args[0], num(base.args[1].data * k))
    return make(CALL, ("power",), (base, exponent), SCALAR_SHAPE)


def inverse(e: Expr) -> Expr:
    """e^-1 of a square matrix, or 1/e of a scalar."""
    if e.is_scalar:
        return power(e, num(-1))
    if e.kind == CALL and e.data[0] == "inv":
        return e.args[0]
    if e.kind == CONST and e.data[0] == "eye":
        return e
    if e.kind == CONST and e.data[0] == "commutation":
        return transpose(e)
    return make(CALL, ("inv",), (e,), e.shape)


def hadamard(*factors: Expr) -> Expr:
    """The entry-by-entry product; scalars move in front, powers with a negative exponent to the end."""
    outer: list[Expr] = []
    arrays: list[Expr] = []
    shape = SCALAR_SHAPE
    for f in factors:
        if f.is_scalar:
            outer.append(f)
            continue
        shape = f.shape
        if f.kind == MUL and (f.data[0] != 1 or f.data[1]):
            outer.append(num(f.data[0]))
            outer.extend(f.scalars)
            f = mul(*f.chain)
        if f.kind == CALL and f.data[0] == "hadamard":
            arrays.extend(f.args)
        elif is_zero(f):
            return zeros(f.shape)
        elif not (f.kind == CONST and f.data[0] == "ones"):
            arrays.append(f)
    if len(arrays) > 1:
        if any(a.shape != shape for a in arrays):
            raise InternalError("an elementwise product of different shapes")
        arrays.sort(key=_is_divisor)
        inner = make(CALL, ("hadamard",), tuple(arrays), shape)
    else:
        inner = arrays[0] if arrays else ones(shape)
    return mul(*outer, inner) if outer else inner


def epower(base: Expr, exponent: Expr) -> Expr:
    """The entry-by-entry power; a scalar on either side is used for every entry."""
    if base.is_scalar:
        if exponent.is_scalar:
            return power(base, exponent)
        return make(CALL, ("epow",), (base, exponent), exponent.shape)
    k = integer(exponent)
    if k == 1:
        return base
    if k == 0:
        return ones(base.shape)
    if k is not None:
        if base.kind == MUL and (base.data[0] != 1 or base.data[1]):
            outer = [power(num(base.data[0]), exponent)]
            outer += [power(s, exponent) for s in base.scalars]
            return mul(*outer, epower(mul(*base.chain), exponent))
        if base.kind == CALL and base.data[0] == "hadamard":
            return hadamard(*(epower(a, exponent) for a in base.args))
        if base.kind == CALL and base.data[0] == "epow" and base.args[1].kind == NUM:
            return epower(base.args[0], num(base.args[1].data * k))
        if base.kind == CONST and base.data[0] == "ones":
            return base
    return make(CALL, ("epow",), (base, exponent), base.shape)


LARGE = 200  # symbols of an expression that is differentiated by pieces
SHORTEST_GROUP = 4  # operands of a product or a sum that may be kept together


def group(e: Expr) -> Expr:
    """A long product or sum kept together, as in brackets, where it would become part of a longer one."""
    if e.kind == CALL and e.data[0] == "transpose":
        return transpose(group(e.args[0]))
    flat = e.kind in (ADD, MUL) or (e.kind == CALL and e.data[0] == "hadamard")
    if not flat or len(e.args) < SHORTEST_GROUP:
        return e
    return make(CALL, ("group",), (e,), e.shape)


def ungrouped(e: Expr) -> Expr:
    """The expression with the operands of its groups among those around them."""
    return transform(e, lambda node: node.args[0] if node.op == "group" else node)


def vec(e: Expr) -> Expr:
    """The columns of e, one below the other; a vector is its own vec."""
    if e.shape.kind in (SCALAR, VECTOR):
        return e
    if e.shape.kind == ROW:
        return transpose(e)
    if e.kind == CALL and e.data[0] == "unvec":
        return e.args[0]
    shape = vector_shape(dim_mul(e.shape.rows, e.shape.cols))
    if e.kind == CONST and e.data[0] in ("ones", "zeros"):
        return make(CONST, e.data, (), shape)
    return make(CALL, ("vec",), (e,), shape)


def kron(a: Expr, b: Expr) -> Expr:
    """The Kronecker product: block (i, j) is a_ij b. Numbers and scalars come out, and I ⊗ I is I."""
    if a.is_scalar or b.is_scalar:
        return mul(a, b)
    rows, cols = dim_mul(a.shape.rows, b.shape.rows), dim_mul(a.shape.cols, b.shape.cols)
    kinds = {a.shape.kind, b.shape.kind}
    shape = Shape(kinds.pop(), rows, cols) if len(kinds) == 1 else matrix_shape(rows, cols)
    if is_zero(a) or is_zero(b):
        return zeros(shape)
    outer = [part for e in (a, b) if e.kind == MUL for part in (num(e.data[0]), *e.scalars)]
    if any(part is not ONE for part in outer):
        return mul(*outer, kron(mul(*a.chain), mul(*b.chain)))
    if a.kind == CONST and b.kind == CONST and a.data[0] == b.data[0]:
        if a.data[0] == "eye":
            return eye(rows)
        if a.data[0] == "ones":
            return ones(shape)
    for one, other in ((a, b), (b, a)):
        if one.kind == CONST and one.data[0] == "eye" and one.shape.rows == 1:
            if other.shape.kind == MATRIX:
                return other
    return make(CALL, ("kron",), (a, b), shape)


def diff(e: Expr) -> Expr:
    """The differential d(e), of e's shape. Sums of differentials are written out by the rules, not here."""
    return make(DIFF, None, (e,), e.shape)


def index(e: Expr, *at: int | str | None) -> Expr:
    """An entry, a column `X[:,j]` or a row `X[i,:]`; indices count from 1, None is `:`."""
    if at == (None,):
        return e
    if len(at) == 1 or (at[0] is not None and at[1] is not None):
        shape = SCALAR_SHAPE
    elif at[0] is None and at[1] is None:
        return e
    elif at[0] is None:
        shape = vector_shape(e.shape.rows)
    else:
        shape = row_shape(e.shape.cols)
    return make(INDEX, at, (e,), shape)


def stack(blocks: tuple[Expr, ...], columns: int) -> Expr:
    """Blocks in rows of `columns` each, as `[A, B; C, D]`."""
    if len(blocks) == 1:
        return blocks[0]
    rows: Dim = 0
    for b in blocks[::columns]:
        rows = dim_add(rows, b.shape.rows)
    cols: Dim = 0
    for b in blocks[:columns]:
        cols = dim_add(cols, b.shape.cols)
    if columns == 1 and all(b.shape.kind in (SCALAR, VECTOR) for b in blocks):
        shape = vector_shape(rows)
    elif columns == len(blocks) and all(b.shape.kind in (SCALAR, ROW) for b in blocks):
        shape = row_shape(cols)
    else:
        shape = matrix_shape(rows, cols)
    return make(STACK, columns, blocks, shape)


def rebuild(e: Expr, args: tuple[Expr, ...]) -> Expr:
    """The node of e's kind with other arguments of the same shapes, by the constructors."""
    if args == e.args:
        return e
    kind = e.kind
    if kind == ADD:
        return add(*args)
    if kind == MUL:
        return mul(*args) if e.data[0] is ONE_F else mul(num(e.data[0]), *args)
    if kind == STACK:
        return stack(args, e.data)
    if kind == INDEX:
        return index(args[0], *e.data)
    if kind == DIFF:
        return diff(args[0])
    if kind == SUM:
        name, first, last = e.data
        return sum_over(name, first, last, args[0])
    op = e.data[0]
    constructor = CONSTRUCTORS.get(op)
    if constructor is not None:
        return constructor(*args)
    return make(CALL, e.data, args, e.shape)


CONSTRUCTORS: dict[str, Callable[..., Expr]] = {
    "group": group,
    "transpose": transpose,
    "inv": inverse,
    "power": power,
    "matpow": power,
    "hadamard": hadamard,
    "epow": epower,
    "kron": kron,
    "vec": vec,
}


def postorder(*roots: Expr, known: Iterable[Expr] = ()) -> list[Expr]:
    """Every node below the roots once, arguments before what uses them; nothing at and below `known` nodes."""
    seen: set[Expr] = set(known)
    order: list[Expr] = []
    stack_: list[tuple[Expr, Iterator[Expr]]] = []
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack_.append((root, iter(root.args)))
        while stack_:
            node, rest = stack_[-1]
            for child in rest:
                if child not in seen:
                    seen.add(child)
                    stack_.append((child, iter(child.args)))
                    break
            else:
                order.append(node)
                stack_.pop()
    return order


def transform(root: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with `change` applied to every node, arguments first. Shapes must stay."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        done[node] = change(rebuild(node, tuple(done[a] for a in node.args)) if node.args else node)
    return done[root]


def substitute(root: Expr, mapping: dict[Expr, Expr]) -> Expr:
    """The expression with nodes replaced, top-most first, by nodes of the same shape."""
    done: dict[Expr, Expr] = dict(mapping)
    stack_ = [root]
    while stack_:
        node = stack_[-1]
        if node in done:
            stack_.pop()
            continue
        missing = [a for a in node.args if a not in done]
        if missing:
            stack_.extend(missing)
            continue
        done[node] = rebuild(node, tuple(done[a] for a in node.args)) if node.args else node
        stack_.pop()
    return done[root]


def resized(root: Expr, sizes: Mapping[Dim, Dim]) -> Expr:
    """The expression with other sizes in the places of some names of sizes, in shapes and in formulas."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        args = tuple(done[a] for a in node.args)
        data = node.data
        if node.kind == SUM or (node.kind == CONST and node.op in _SIZED):
            data = (data[0], *(dim_substituted(d, sizes) for d in data[1:]))
        shape = Shape(node.shape.kind, *(dim_substituted(d, sizes) for d in node.shape[1:]))
        done[node] = make(node.kind, data, args, shape)
    return done[root]


_SIZED = frozenset(["size", "commutation", "duplication", "elimination"])


def variables(*roots: Expr) -> list[Expr]:
    """The variables of the expressions, in order of first appearance from the left."""
    return [e for e in postorder(*roots) if e.kind == VAR]


_costs: WeakKeyDictionary[Expr, int] = WeakKeyDictionary()


def cost(e: Expr) -> int:
    """The number of symbols of e written out: names, numbers, operators, and one for each pair of brackets."""
    known = _costs.get(e)
    if known is not None:
        return known
    todo = [e]
    while todo:  # not postorder: what is below a node of known cost is not walked again
        node = todo[-1]
        missing = [a for a in node.args if a not in _costs]
        if missing:
            todo.extend(missing)
            continue
        _costs[node] = own_cost(node, _costs)
        todo.pop()
    return _costs[e]


def own_cost(e: Expr, costs: Mapping[Expr, int]) -> int:
    """The cost of e, given those of its arguments."""
    below = sum(costs[a] for a in e.args)
    if e.kind == ADD:
        # A scalar times ones is written as the scalar alone.
        plain = sum(a.kind == MUL and len(a.chain) == 1 and a.chain[0].op == "ones" for a in e.args)
        # A minus sign that takes the place of a plus costs nothing.
        minus = sum(a.kind == MUL and a.coefficient == -1 for a in e.args[1:])
        return below + len(e.args) - 1 - plain - minus
    if e.kind == MUL:
        brackets = sum(a.kind == ADD for a in e.args)
        return below + (e.coefficient != 1) + brackets
    if e.kind == CALL:
        if e.op == "hadamard":
            return below + len(e.args) - 1 + sum(a.kind in (ADD, MUL) for a in e.args)
        brackets = e.args[0].kind in (ADD, MUL)
        if e.op in ("power", "matpow", "epow"):
            k = integer(e.args[1])
            short = k is not None and (k > 0 or k == -1)  # `x^2` is no longer than `x x`
            return below + brackets + (not short)
        return below + 1 + (brackets and e.op in ("transpose", "inv", "power", "matpow", "epow"))
    return below + 1
