"""Random well-typed expressions, made of every operation of the function table.

One `Composer` serves two sources of choices: Hypothesis (`expressions`, `problems`), which shrinks what fails, and a
seeded random number generator (`seeded`), for scripts. A new row of the table takes part without a change here.
"""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from hypothesis import strategies as st

from matgrad import expr as ex
from matgrad.derive import Derivation, Options, declarations, verify, verify_lines
from matgrad.dims import Dim, Poly, dim_add, dim_atoms, dim_mul, dim_substituted
from matgrad.errors import CheckFailed, MatgradError, ShapeProblem, Unsupported
from matgrad.expr import MATRIX, ROW, SCALAR, VECTOR, Expr, Shape
from matgrad.functions import TABLE, Function
from matgrad.render.text import render
from matgrad.rewrite import Recorder
from matgrad.shapes import (
    ARRAY,
    Declared,
    Typed,
    apply_function,
    declare,
    signature,
    unknown_function,
)
from matgrad.simplification import simplify

T = TypeVar("T")


class Pick(Protocol):
    """One of several things, at random."""

    def __call__(self, items: Sequence[T], /) -> T: ...


# Names of every form: letters that mean something elsewhere (T, d, e), digits, subscripts, Greek, whole words.
LET = (
    "a: scalar",
    "t: scalar",
    "e: scalar",
    "d: scalar",
    "β: scalar",
    "γ_1: scalar",
    "c2: positive",
    "x: vector(n)",
    "x_0: vector(n)",
    "δ: vector(n)",
    "w: positive(n)",
    "y: vector(m)",
    "v1: vector(m)",
    "z: vector(p)",
    "u: vector(3)",
    "step_size2: vector(n)",
    "r: row(n)",
    "A: matrix(m, n)",
    "W_in: matrix(m, n)",
    "B: matrix(n, m)",
    "C: matrix(n, p)",
    "X: matrix(n, n)",
    "T: matrix(n, n)",
    "Σ1: matrix(m, m)",
    "K: matrix(3, 3)",
    "S: symmetric(n)",
    "P: spd(n)",
    "Q: orthogonal(n)",
    "D: diagonal(n)",
    "L1: lower(n)",
    "U1: upper(n)",
    "N: skew(n)",
    "R: diagonal(m)",
    "f: elementwise",
    "g1: elementwise",
    "φ: elementwise",
    "g_v: scalar of vector(n)",
    "u_v: vector(m) of vector(n)",
    "F: matrix(m, p) of matrix(m, n)",
)
DECLARED: dict[str, Declared] = declarations(LET)
LET_OF = {declare(text).name: text for text in LET}
VARIABLES = [
    ex.var(d.name, d.shape, d.properties) for d in DECLARED.values() if d.role == "variable"
]
# What one differentiates by: a variable without structure.
FREE = [v for v in VARIABLES if v.shape.kind != ROW and v.data[1] <= {"positive", "nonzero"}]
UNKNOWN = [d.name for d in DECLARED.values() if d.role == "elementwise"]
MAPS = [d for d in DECLARED.values() if d.role == "map"]

# How a size comes apart, for stacks; the first four sizes have variables.
SIZES: list[Dim] = ["n", "m", "p", 3]
PARTS: dict[Dim, tuple[Dim, ...]] = {
    3: (1, 1, 1),
    dim_add("n", 1): ("n", 1),
    dim_add("m", "n"): ("m", "n"),
}
# How a size is a product, for Kronecker products.
PRODUCTS: dict[Dim, tuple[Dim, Dim]] = {
    dim_mul("m", "n"): ("m", "n"),
    dim_mul("n", "n"): ("n", "n"),
    dim_mul(2, "p"): (2, "p"),
}
SUM_INDICES = ("k", "l")  # names that no variable has
# Functions of a symmetric matrix, which mean nothing for another.
SYMMETRIC = ("chol", "eigmax", "eigmin", "eigvecmax", "eigvecmin")
# Functions whose value has a sign that is nobody's business: they stand as v v' z.
SIGNED = ("eigvecmax", "eigvecmin", "lsv", "rsv")
NUMBERS = ["2", "3", "-1", "1/2", "-2/3", "3/10", "1", "12", "0"]
POLYNOMIAL = ("transpose", "hadamard", "matpow", "tr", "sum", "diag", "diagonal", "power", "epow")
EXPONENTS = ["2", "3", "-1", "-2", "1/2", "-1/2", "3/2", "4", "0"]


class Composer:
    """Builds an expression of a given shape; `pick` makes every choice, among functions of the table."""

    def __init__(self, pick: Pick, functions: Collection[str] = TABLE.keys()) -> None:
        self.pick = pick
        self.functions = [f for f in TABLE.values() if f.op in functions]
        self.everything = len(self.functions) == len(TABLE)
        self.unknowns = UNKNOWN if self.everything else []
        self.sums = 0  # sums over an index that are open

    def number(self) -> Expr:
        return ex.num(Fraction(self.pick(NUMBERS)))

    def shape(self) -> Shape:
        """A vector, row or matrix shape."""
        sizes = [*SIZES, *PARTS, *SIZES, *PARTS, *PRODUCTS]
        kind = self.pick([VECTOR, MATRIX, ROW, VECTOR, MATRIX])
        if kind == VECTOR:
            return ex.vector_shape(self.pick(sizes))
        if kind == ROW:
            return ex.row_shape(self.pick(sizes))
        n = self.pick(sizes)
        return ex.matrix_shape(n, self.pick([n, *sizes]))

    def inner(self) -> Dim:
        """The size over which a product sums."""
        return self.pick(SIZES)

    def make(self, shape: Shape, budget: int) -> Expr:
        """An expression of this shape, of about `budget` levels."""
        if budget <= 0:
            return self.leaf(shape)
        ways: list[Callable[[Shape, int], Expr]] = [
            self.leaf,
            self.sum,
            self.sum,
            self.scaled,
            self.product,
            self.product,
            self.unknown,
            self.function,
            self.function,
            self.function,
            self.function,
            self.block,
        ]
        if self.everything:
            ways += [self.index_sum, self.kron, self.mapped]
        if shape.kind == SCALAR:
            ways += [self.entry, self.reduced]
        else:
            ways += [self.broadcast, self.turned, self.slice]
        return self.pick(ways)(shape, budget - 1)

    # leaves

    def leaf(self, shape: Shape, budget: int = 0) -> Expr:
        found = [v for v in VARIABLES if v.shape == shape]
        found += [ex.transpose(v) for v in VARIABLES if v.shape == ex.transposed_shape(shape)]
        if shape.kind == SCALAR:
            x = self.pick([v for v in VARIABLES if v.shape.kind != SCALAR])
            entry = self.entry_of(x)
            sized = ex.mul(ex.size(x.shape.rows), entry)
            return self.pick([*found, *found, self.number(), ex.PI, entry, sized])
        if shape.kind == MATRIX and shape.rows == shape.cols:
            found.append(ex.eye(shape.rows))
        found.append(ex.ones(shape))
        if PARTS.keys() & {shape.rows, shape.cols}:
            found.append(self.block(shape, 0))
        if PRODUCTS.keys() & {shape.rows, shape.cols}:
            found += [self.kron(shape, 0)] * 3
        return self.pick(found)

    def entry_of(self, e: Expr, places: Sequence[int | str] = ()) -> Expr:
        """An entry of a vector, row or matrix."""
        if e.shape.kind == SCALAR:
            return e
        sizes = {VECTOR: [e.shape.rows], ROW: [e.shape.cols]}.get(e.shape.kind, e.shape[1:])
        return ex.index(e, *(self.pick(places) if places else self.place(n) for n in sizes))

    def place(self, size: Dim) -> int | str:
        places: list[int | str] = [1, 2, "i", "j"] if size in SIZES else [1, "i"]
        return self.pick(places)

    # operators

    def sum(self, shape: Shape, budget: int) -> Expr:
        a, b = self.make(shape, budget), self.make(shape, budget)
        return ex.add(a, b) if self.pick([True, False]) else ex.sub(a, b)

    def scaled(self, shape: Shape, budget: int) -> Expr:
        e = self.make(shape, budget)
        c = self.number() if self.pick([True, False]) else self.make(ex.SCALAR_SHAPE, budget)
        if self.pick([True, False]) or ex.is_zero(c):
            return ex.mul(c, e)
        return ex.mul(e, ex.power(c, ex.num(-1)))

    def product(self, shape: Shape, budget: int) -> Expr:
        n = self.inner()
        if shape.kind == SCALAR:
            if self.pick([True, False]):
                return ex.mul(self.make(shape, budget), self.make(shape, budget))
            left, right = ex.row_shape(n), ex.vector_shape(n)
        elif shape.kind == VECTOR:
            left, right = ex.matrix_shape(shape.rows, n), ex.vector_shape(n)
        elif shape.kind == ROW:
            left, right = ex.row_shape(n), ex.matrix_shape(n, shape.cols)
        elif self.pick([True, True, False]):
            left, right = ex.matrix_shape(shape.rows, n), ex.matrix_shape(n, shape.cols)
        else:
            left, right = ex.vector_shape(shape.rows), ex.row_shape(shape.cols)
        a = self.make(left, budget)
        if right.kind == VECTOR and self.pick([False, False, False, True]) and _has_size(a):
            return ex.mul(a, ex.basis(self.place(n), n))
        return ex.mul(a, self.make(right, budget))

    def turned(self, shape: Shape, budget: int) -> Expr:
        return ex.transpose(self.make(ex.transposed_shape(shape), budget))

    def broadcast(self, shape: Shape, budget: int) -> Expr:
        c, e = self.make(ex.SCALAR_SHAPE, budget), self.make(shape, budget)
        ways: list[Callable[[], Expr]] = [
            lambda: ex.add(ex.mul(c, ex.ones(shape)), e),
            lambda: ex.sub(e, ex.mul(c, ex.ones(shape))),
            lambda: ex.hadamard(c, e),
            lambda: ex.hadamard(c, ex.epower(e, ex.num(-1))),
        ]
        return self.pick(ways)()

    def entry(self, shape: Shape, budget: int) -> Expr:
        return self.entry_of(self.make(self.shape(), budget))

    def slice(self, shape: Shape, budget: int) -> Expr:
        """A column or a row of a matrix; other shapes have none."""
        n = self.inner()
        if shape.kind == VECTOR:
            return ex.index(self.make(ex.matrix_shape(shape.rows, n), budget), None, self.place(n))
        if shape.kind == ROW:
            return ex.index(self.make(ex.matrix_shape(n, shape.cols), budget), self.place(n), None)
        return self.product(shape, budget)

    def block(self, shape: Shape, budget: int) -> Expr:
        """A stack, where a size comes apart."""
        rows = PARTS.get(shape.rows, (shape.rows,))
        cols = PARTS.get(shape.cols, (shape.cols,))
        if len(rows) * len(cols) == 1:
            return self.make(shape, budget)
        blocks = tuple(self.make(_block_shape(r, c), budget) for r in rows for c in cols)
        return ex.stack(blocks, len(cols))

    def index_sum(self, shape: Shape, budget: int) -> Expr:
        """A sum over an index, which is the place of an entry, of a column, of a row, or an exponent."""
        if self.sums == len(SUM_INDICES):
            return self.make(shape, budget)
        name, n = SUM_INDICES[self.sums], self.inner()
        self.sums += 1
        if shape.kind == VECTOR:
            e = ex.index(self.make(ex.matrix_shape(shape.rows, n), budget), None, name)
        elif shape.kind == ROW:
            e = ex.index(self.make(ex.matrix_shape(n, shape.cols), budget), name, None)
        else:
            e = ex.index(self.make(ex.vector_shape(n), budget), name)
            if shape.kind == MATRIX:
                e = ex.mul(e, self.make(shape, budget))
            elif self.pick([True, False, False]):
                base = apply(TABLE["tanh"], (self.make(shape, budget),))
                e = ex.mul(e, ex.power(base, ex.index_value(name)))
        if self.pick([True, False, False]):
            e = ex.mul(ex.power(ex.index_value(name), ex.num(self.pick([1, -1]))), e)
        self.sums -= 1
        return ex.sum_over(name, 1, n, e)

    def kron(self, shape: Shape, budget: int) -> Expr:
        """A Kronecker product of any kinds: u v' is one."""
        first, last = [], []
        for dim in (shape.rows, shape.cols):
            parts = PRODUCTS.get(dim, (dim, 1))
            if self.pick([True, False]) and dim not in PRODUCTS:
                parts = (1, dim)
            first.append(parts[0])
            last.append(parts[1])
        a, b = _block_shape(first[0], first[1]), _block_shape(last[0], last[1])
        return ex.kron(self.make(a, budget), self.make(b, budget))

    def mapped(self, shape: Shape, budget: int) -> Expr:
        """An unknown function of a whole array, where one has this shape (seldom)."""
        fitting = [d for d in MAPS if d.shape == shape]
        if not fitting or self.pick([True, True, False]):
            return self.function(shape, budget)
        d = self.pick(fitting)
        assert d.argument is not None
        return ex.call("map", (self.make(d.argument, budget),), d.shape, d.name, "")

    # functions

    def unknown(self, shape: Shape, budget: int) -> Expr:
        e = self.make(shape, budget)
        return self.make_unknown(e) if self.unknowns else ex.neg(e)

    def make_unknown(self, e: Expr) -> Expr:
        """An unknown function of each entry, or a derivative of it."""
        return unknown_function(self.pick(self.unknowns), self.pick([0, 0, 1]), e)

    def function(self, shape: Shape, budget: int) -> Expr:
        """A function of the table whose value can have this shape."""
        fitting = [(f, d) for f in self.functions if (d := _sizes_for(f, shape)) is not None]
        function, sizes = self.pick(fitting)
        e = self.applied(function, sizes, shape, budget)
        if function.op in SIGNED:
            return ex.mul(e, ex.mul(ex.transpose(e), self.make(shape, budget)))
        return e

    def reduced(self, shape: Shape, budget: int) -> Expr:
        """A scalar made of a function whose value's size is computed (`vec`, `kron`), if the table has any."""
        odd = [f for f in self.functions if _has_computed_size(f) and f.op not in SIGNED]
        if not odd:
            return self.function(shape, budget)
        e = self.applied(self.pick(odd), {}, shape, budget)
        sums = [f for f in TABLE.values() if f.op in ("sum", "norm1", "norminf")]
        ways: list[Callable[[], Expr]] = [
            lambda: apply(self.pick(sums), (e,)),
            lambda: apply(TABLE["sum"], (self.make_unknown(e),)),
            lambda: self.entry_of(e, (1,)),
            lambda: apply(TABLE["sum"], (ex.hadamard(e, e),)),
        ]
        return self.pick(ways)()

    def applied(self, function: Function, sizes: dict[Dim, Dim], shape: Shape, budget: int) -> Expr:
        """A function of the table, on random arguments in its domain (most often)."""
        args: list[Expr] = []
        for name, wanted in signature(function.op).parameters:
            if function.op == "matpow" and name == "k":
                args.append(ex.num(self.pick([2, 3, -2, 4])))
            elif name == "k" and wanted.kind == SCALAR:
                args.append(ex.num(self.pick([1, 2, 0])))
            elif function.op in ("power", "epow") and name == "y":
                args.append(self.exponent(shape, budget))
            else:
                args.append(self.make(self.instance(wanted, function, shape, sizes), budget))
        if function.domain != "any" and not (args[1:] and ex.integer(args[1]) is not None):
            args[-1 if function.op == "polygamma" else 0] = self.within(
                function.domain, args[-1 if function.op == "polygamma" else 0]
            )
        if function.op == "power" and ex.is_zero(args[0]):
            return args[0]
        if function.op in SYMMETRIC and "symmetric" not in _properties(args[0]):
            turned = ex.transpose(args[0])
            args[0] = ex.add(args[0], turned)
            if function.op == "chol":
                args[0] = ex.add(ex.mul(turned, ex.transpose(turned)), ex.eye(turned.shape.rows))
        if function.op == "sylvester":
            args[1] = self.within(function.domain, args[1])
        given = [self.chosen(name, sizes) for name in signature(function.op).sizes]
        return apply(function, tuple(args), given)

    def instance(
        self, wanted: Shape, function: Function, shape: Shape, sizes: dict[Dim, Dim]
    ) -> Shape:
        """The shape of an argument; sizes that the value leaves open are chosen here."""
        if wanted.kind == ARRAY:
            return shape if signature(function.op).result.kind == ARRAY else self.shape()
        for dim in (wanted.rows, wanted.cols):
            for atom in dim_atoms(dim):
                self.chosen(atom, sizes)
        return Shape(
            wanted.kind, dim_substituted(wanted.rows, sizes), dim_substituted(wanted.cols, sizes)
        )

    def chosen(self, name: Dim, sizes: dict[Dim, Dim]) -> Dim:
        """A size of a signature, chosen now unless it is known."""
        if name not in sizes:
            sizes[name] = self.pick([*SIZES, *PARTS])
        return sizes[name]

    def exponent(self, shape: Shape, budget: int) -> Expr:
        way = self.pick(["number", "number", "number", "scalar", "same"])
        if way == "number":
            return ex.num(Fraction(self.pick(EXPONENTS)))
        return self.make(ex.SCALAR_SHAPE if way == "scalar" else shape, budget)

    def within(self, domain: str, e: Expr) -> Expr:
        """An expression near e in the domain of a function (and sometimes e itself)."""
        if self.pick([True, False, False]) or ex.is_zero(e):
            return e
        if domain == "positive":
            return self.pick(
                [
                    apply(TABLE["exp"], (e,)),
                    ex.add(ex.epower(e, ex.num(2)), ex.ones(e.shape)),
                ]
            )
        if domain in ("spd", "invertible", "right_half_plane") and e.shape.kind == MATRIX:
            return ex.add(ex.mul(e, ex.transpose(e)), ex.eye(e.shape.rows))
        if domain == "unit":
            return apply(TABLE["tanh"], (e,))
        if domain == "above_one":
            squares = ex.epower(e, ex.num(2))
            return ex.add(squares, ex.mul(ex.num(2), ex.ones(e.shape)))
        return e


def _properties(e: Expr) -> Collection[str]:
    return e.data[1] if e.kind == ex.VAR else ()


def _block_shape(rows: Dim, cols: Dim) -> Shape:
    if cols == 1:
        return ex.SCALAR_SHAPE if rows == 1 else ex.vector_shape(rows)
    return ex.row_shape(cols) if rows == 1 else ex.matrix_shape(rows, cols)


def _has_size(e: Expr) -> bool:
    """Whether the text of e says how large it is."""
    return bool(ex.variables(e))


def _sizes_for(function: Function, shape: Shape) -> dict[Dim, Dim] | None:
    """The sizes in a function's signature that give its value this shape, or None."""
    sig = signature(function.op)
    if sig.result.kind == ARRAY:
        return {}
    if sig.result.kind != shape.kind:
        return None
    sizes: dict[Dim, Dim] = {}
    for dim, actual in ((sig.result.rows, shape.rows), (sig.result.cols, shape.cols)):
        if isinstance(dim, str):
            if sizes.setdefault(dim, actual) != actual:
                return None
        elif dim != actual:
            return None
    return sizes


def _has_computed_size(function: Function) -> bool:
    """Whether the value's size is a product or a sum of the arguments' sizes."""
    return any(isinstance(dim, Poly) for dim in signature(function.op).result[1:])


def apply(function: Function, args: tuple[Expr, ...], sizes: Sequence[Dim] = ()) -> Expr:
    """A function of the table, applied as the language applies it."""
    operators: dict[str, Callable[..., Expr]] = {
        "transpose": ex.transpose,
        "inv": ex.inverse,
        "matpow": ex.power,
        "power": ex.power,
        "epow": ex.epower,
        "hadamard": ex.hadamard,
    }
    if function.op in operators:
        return operators[function.op](*args)
    if function.op == "kron":
        return ex.kron(*args)
    name, _, direction = function.op.partition(":")
    if direction.isdigit():
        return apply_function(name, (*args, ex.num(int(direction))), int(direction))
    return apply_function(function.names[0] if function.names else name, args, None, sizes)


# --- sources ----------------------------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """An expression, and the variable to differentiate it by."""

    expr: Expr
    wrt: Expr

    def __repr__(self) -> str:
        return f"{command(self.expr, self.wrt)} --wrt {self.wrt.data[0]}"


def any_shape(pick: Pick) -> Shape:
    """A shape, most often a scalar's."""
    return ex.SCALAR_SHAPE if pick([True, True, False]) else Composer(pick).shape()


def expression(pick: Pick, budget: int) -> Expr:
    """An expression of any shape."""
    return Composer(pick).make(any_shape(pick), budget)


def problem(pick: Pick, budget: int, functions: Collection[str] = TABLE.keys()) -> Problem:
    """A derivative of the kinds that are written: by a scalar; of a scalar; of a vector by a vector."""
    scalars = [v for v in FREE if v.shape.kind == SCALAR]
    vectors = [v for v in FREE if v.shape.kind == VECTOR]
    way = pick(["scalar", "scalar", "vector", "by scalar"])
    compose = Composer(pick, functions)
    if way == "scalar":
        e, allowed = compose.make(ex.SCALAR_SHAPE, budget), FREE
    elif way == "vector":
        e, allowed = compose.make(ex.vector_shape(pick([*SIZES, *PARTS])), budget), vectors
    else:
        e, allowed = compose.make(compose.shape(), budget), scalars
    present = [v for v in ex.variables(e) if v in allowed]
    wrt = pick(present or allowed)
    if not present and pick([True] * 9 + [False]):
        e = ex.mul(e, wrt if wrt.is_scalar else compose.entry_of(wrt))
    return Problem(e, wrt)


# Declared properties that leave every entry of a variable free.
PLAIN = {"positive", "nonzero", "invertible"}


def _made(compose: Composer, shape: Shape, budget: int) -> Expr:
    """An expression of a shape, in which nothing is divided by a zero that can be seen."""
    for _ in range(20):
        try:
            return compose.make(shape, budget)
        except MatgradError:  # noqa: PERF203
            continue
    return compose.make(shape, 0)


def any_problem(pick: Pick, budget: int, structured: bool = False) -> Problem:
    """A derivative of a value of any shape by a variable of any shape; with declared structure, if asked for."""
    compose = Composer(pick)
    shape = ex.SCALAR_SHAPE if pick([True, True, False, False, False]) else compose.shape()
    e = _made(compose, shape, budget)
    allowed = [
        v for v in VARIABLES if (not v.data[1] <= PLAIN if structured else v.data[1] <= PLAIN)
    ]
    present = [v for v in ex.variables(e) if v in allowed]
    if present:
        return Problem(e, pick(present))
    wrt = pick(allowed)
    e = ex.mul(e, compose.entry_of(wrt))
    return Problem(e if wrt in ex.variables(e) else wrt, wrt)


def _drawing(draw: Any) -> Pick:
    def pick(items: Sequence[T], /) -> T:
        found: T = items[draw(st.integers(0, len(items) - 1))]
        return found

    return pick


@st.composite
def expressions(draw: Any, budget: int = 3) -> Expr:
    """Hypothesis: expressions of any shape."""
    return expression(_drawing(draw), draw(st.integers(0, budget)))


@st.composite
def problems(draw: Any, budget: int = 3, functions: Collection[str] = TABLE.keys()) -> Problem:
    """Hypothesis: an expression and the variable to differentiate it by."""
    return problem(_drawing(draw), draw(st.integers(0, budget)), functions)


def seeded(seed: int) -> Pick:
    """The choices of a random number generator."""
    generator = random.Random(seed)

    def pick(items: Sequence[T], /) -> T:
        return items[generator.randrange(len(items))]

    return pick


# --- what is expected of a derivative ---------------------------------------------------------------------------------


def lets(*roots: Expr) -> list[str]:
    """The declarations of what stands in expressions."""
    names = [v.data[0] for v in ex.variables(*roots)]
    called = (e for e in ex.postorder(*roots) if e.kind == ex.CALL)
    names += [e.data[1] for e in called if e.op in ("apply", "map")]
    return [LET_OF[name] for name in dict.fromkeys(names)]


def command(*roots: Expr) -> str:
    """The first expression as one types it, with the declarations of what stands in all of them."""
    return " ".join([f'"{render(roots[0])}"', *(f'--let "{text}"' for text in lets(*roots))])


def typed(e: Expr, wrt: Expr) -> Typed:
    """What reading the text of e would give."""
    values = {v.data[0]: v for v in ex.variables(e, wrt)}
    return Typed(e, values, (), (), (), render(e))


class Outcome(NamedTuple):
    """`kind` is ok, unsupported, unchecked, wrong or crash; `reason` says more."""

    kind: str
    reason: str


def examine(found: Problem, definition: bool = False) -> Outcome:
    """Differentiate and hold the result against everything that is promised of it."""
    try:
        derivation = Derivation(
            typed(found.expr, found.wrt), (found.wrt,), Options(definition=definition)
        )
        verify(derivation)
    except Unsupported as refusal:
        return Outcome("unsupported", refusal.message)
    except ShapeProblem as problem:
        if problem.message != "division by zero":
            return Outcome("crash", _summary(problem))
        return Outcome("unsupported", "a divisor is found to be zero")
    except CheckFailed as wrong:
        return Outcome("wrong", "check: " + re.sub(r"by \S+ at", "by far at", wrong.message))
    except Exception as crash:  # whatever it is, it is a finding
        return Outcome("crash", _summary(crash))
    try:
        return _promises(derivation)
    except MatgradError as wrong:
        return Outcome("wrong", f"replay: {wrong.message}")
    except Exception as crash:
        return Outcome("crash", f"afterwards: {_summary(crash)}")


def _summary(crash: Exception) -> str:
    frame = traceback.extract_tb(crash.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.name}"
    return f"{type(crash).__name__} in {where}: {str(crash)[:60]}"


def _promises(derivation: Derivation) -> Outcome:
    answer = derivation.mixed
    if derivation.replay() is not answer:
        return Outcome("wrong", "replay: another derivative comes out")
    first = [s for s in derivation.steps if s.rule == "read-off"]
    if first and ex.cost(answer) > ex.cost(first[-1].after):
        return Outcome("wrong", "simplify: the derivative read off was shorter")
    again = simplify(answer, Recorder((derivation.wrt,)))
    if ex.cost(again) < ex.cost(answer):
        return Outcome("wrong", "simplify: a second run makes it shorter")
    assert derivation.check is not None
    if not derivation.check.points:
        return Outcome("unchecked", "no random point could be used")
    if False in verify_lines(derivation):
        return Outcome("wrong", "lines: one is not equal to the line above it")
    return Outcome("ok", "")
