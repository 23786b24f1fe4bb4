"""Syntax tree to typed expression: names get kinds, dimensions are found by unification, mismatches are explained.

Two passes over the tree, both plain loops: `Inference` finds every shape, `build` makes the expression. The formulas
of the tables go through `build` alone, with the shapes of what their names are bound to.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from matgrad import expr as ex
from matgrad.dims import (
    Dim,
    DimVar,
    Poly,
    dim_add,
    dim_atoms,
    dim_div,
    dim_mul,
    dim_scale,
    dim_text,
    resolve,
)
from matgrad.errors import (
    InternalError,
    LimitProblem,
    Mark,
    MatgradError,
    NameProblem,
    ShapeProblem,
    SyntaxProblem,
)
from matgrad.expr import MATRIX, ROW, SCALAR, VECTOR, Expr, Shape
from matgrad.functions import (
    BY_NAME,
    DIRECTIONS,
    FILLED,
    NEED_DIRECTION,
    OPERATOR_NAMES,
    SIZED_CONSTANTS,
    SIZES,
    TABLE,
    Function,
)
from matgrad.parse import Parsed, Syntax, canonical_name, parse, walk
from matgrad.slips import CALLS, KEYWORDS, KINDS, declaration, find, other_name

ARRAY = "array"
MAX_POWER = 64
MAX_PRODUCT = 2000
MAX_SUM = 10_000
MAX_KRONECKER = 30
MAX_NESTED_STACKS = 50
MAX_PROBLEMS = 20  # that are told at once
MAX_NESTED_POWERS = (
    30  # with exponents that are not numbers: such a tower's derivative grows as its square
)
MAX_SIZE = 1_000_000

# Kinds that a declaration may name: the shape that they imply, and the property that they state.
_PLAIN_KINDS = {"scalar": SCALAR, "vector": VECTOR, "row": ROW, "matrix": MATRIX, "array": ARRAY}
_SQUARE_PROPERTIES = [
    "symmetric",
    "spd",
    "diagonal",
    "skew",
    "orthogonal",
    "lower",
    "upper",
    "invertible",
    "identity",
]
_IMPLIED = {
    "spd": ("symmetric", "invertible"),
    "diagonal": ("symmetric", "lower", "upper"),
    "orthogonal": ("invertible",),
    "identity": ("symmetric", "diagonal", "orthogonal", "spd", "invertible"),
    "positive": ("nonzero",),
}


class Declared(NamedTuple):
    """What a declaration says of a name.

    `role` is variable, elementwise (an unknown function R -> R), definition (a known one), map (an unknown function of
    a whole value, whose shape is `argument`) or index.
    """

    name: str
    shape: Shape
    properties: tuple[str, ...]
    role: str
    argument: Shape | None = None
    definition: tuple[str, Parsed] | None = None


class Typed(NamedTuple):
    """A typed expression, its variables by name, and what matgrad assumed to read it."""

    expr: Expr
    variables: dict[str, Expr]
    functions: tuple[str, ...]
    assumed: tuple[str, ...]  # names whose kind was not declared
    notes: tuple[str, ...]
    text: str
    maps: tuple[
        tuple[str, Shape], ...
    ] = ()  # declared functions of whole values, and the shapes of their values


# --- declarations -----------------------------------------------------------------------------------------------------


def declare(text: str) -> Declared:
    """Read a declaration such as `X: matrix(m, n)` or `S: symmetric`."""
    head = re.split(r"[:(=]", text, maxsplit=1)[0].strip()
    try:
        parsed = parse(text, "declaration", {canonical_name(head)})
    except SyntaxProblem as problem:
        meant = declaration(text)
        raise SyntaxProblem(
            "this is not a declaration",
            problem.marks,
            f"write `--let '{meant}'`"
            if meant
            else "a declaration is a name, a colon and a kind, as in `x: vector(n)` or `f: elementwise`",
            text,
        ) from None
    root = parsed.root
    if root.kind == "map_declaration":
        name, value, argument = str(root.value), *root.args
        inner = [
            _declaration(Syntax("declaration", [k], 0, 0, name), text) for k in (value, argument)
        ]
        return inner[0]._replace(role="map", argument=inner[1].shape, properties=())
    if root.kind == "definition":
        name, variable = root.value
        nodes = [n for n in parsed.nodes if n is not root]
        body = Parsed(text, root.args[0], nodes, [])
        return Declared(
            name, ex.SCALAR_SHAPE, (), "definition", None, (canonical_name(variable), body)
        )
    return _declaration(root, text)


def _declaration(node: Syntax, text: str) -> Declared:
    name, kind = str(node.value), node.args[0]
    word = str(kind.value)
    dims = [_dimension(a, text) for a in kind.args]
    properties: tuple[str, ...] = ()
    role = "variable"

    def sizes(count: int) -> list[Dim]:
        if not dims:
            return [DimVar() for _ in range(count)]
        if len(dims) != count:
            expected = ["no size", "one size", f"{count} sizes"][min(count, 2)]
            raise ShapeProblem(
                f"`{word}` takes {expected}, not {len(dims)}",
                (Mark(kind.start, kind.end),),
                f"write `{word}{['', '(n)', '(m, n)'][min(count, 2)]}`",
                text,
            )
        return dims

    if word in ("scalar", "whole") or (word in ("positive", "nonzero", "constant") and not dims):
        sizes(0) if dims else None
        shape = ex.SCALAR_SHAPE
        properties = (word, *_IMPLIED.get(word, ())) if word != "scalar" else ()
    elif word == "vector" or (word == "positive" and len(dims) == 1):
        shape = ex.vector_shape(sizes(1)[0])
        properties = ("positive",) if word == "positive" else ()
    elif word == "row":
        shape = ex.row_shape(sizes(1)[0])
    elif word == "matrix" or word == "constant":
        m, n = sizes(2)
        shape = ex.matrix_shape(m, n)
    elif word in _SQUARE_PROPERTIES:
        n = sizes(1)[0]
        shape = ex.matrix_shape(n, n)
        properties = (word, *_IMPLIED.get(word, ()))
    elif word == "array":
        shape = Shape(ARRAY, 1, 1)
    elif word == "elementwise":
        shape, role = ex.SCALAR_SHAPE, "elementwise"
    elif word in ("index", "basis"):
        shape, role = Shape(SCALAR, sizes(1)[0], 1), "index"
    else:
        known = [*_PLAIN_KINDS, *_SQUARE_PROPERTIES, "positive", "elementwise"]
        close = KINDS.get(word.lower()) or _closest(word, known)
        raise NameProblem(
            f"`{word}` is not a kind of value",
            (Mark(kind.start, kind.start + len(word), "unknown kind"),),
            f"did you mean `{close}`?"
            if close
            else "the kinds are scalar, vector(n), matrix(m, n), symmetric(n),"
            " spd(n), diagonal(n), positive, elementwise",
            text,
        )
    return Declared(name, shape, properties, role)


def _dimension(node: Syntax, text: str) -> Dim:
    """A dimension written as an expression: numbers, names, sums and products."""
    values: dict[int, Dim] = {}
    for item in reversed(list(walk(node))):
        parts = [values[id(a)] for a in item.args]
        if item.kind == "number" and item.value.denominator == 1 and item.value >= 1:
            if item.value > MAX_SIZE:
                raise LimitProblem(
                    f"a size of {int(item.value):,} is too large",
                    (Mark(item.start, item.end),),
                    f"sizes up to {MAX_SIZE:,} are read; a name such as `n` stands for any size",
                    text,
                )
            values[id(item)] = int(item.value)
        elif item.kind == "name":
            values[id(item)] = str(item.value)
        elif item.kind == "add":
            values[id(item)] = dim_add(*parts)
        elif item.kind in ("mul", "juxtapose"):
            values[id(item)] = dim_mul(*parts)
        elif item.kind == "div" and isinstance(parts[1], int) and _divisible(parts[0], parts[1]):
            values[id(item)] = dim_div(parts[0], parts[1])
        else:
            raise ShapeProblem(
                "a size is a positive whole number or a name",
                (Mark(item.start, item.end, "not a size"),),
                "write, for example, `vector(3)` or `matrix(m, n)`",
                text,
            )
    return values[id(node)]


def _divisible(dim: Dim, k: int) -> bool:
    """Whether a size divided by a number can be a size: n(n + 1)/2 can, 1/2 and n/2 cannot be known to."""
    if isinstance(dim, int):
        return dim % k == 0
    return isinstance(dim, Poly)


class Signature(NamedTuple):
    """The parameters of a function, and the shape of its value."""

    parameters: tuple[tuple[str, Shape], ...]
    result: Shape


@functools.cache
def signature(op: str) -> Signature:
    """The signature of a function of the table, read from its text."""
    text = TABLE[op].signature
    root = parse(text, "signature").root
    parameters = [_declaration(d, text) for d in root.args[0].args]
    result = _declaration(Syntax("declaration", [root.args[1]], 0, 0, "value"), text)
    return Signature(tuple((p.name, p.shape) for p in parameters), result.shape)


def _closest(word: str, known: list[str] | tuple[str, ...]) -> str | None:
    """The known word that is most like a misspelt one: the same letters in another order come first."""
    import difflib

    lower = word.lower()
    same = [k for k in known if sorted(k.lower()) == sorted(lower)]
    found = same or difflib.get_close_matches(lower, known, 1, 0.7)
    return found[0] if found else None


# --- inference --------------------------------------------------------------------------------------------------------


class _Flip(Exception):
    """An undeclared scalar stands where a vector is meant."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


_BASIS = re.compile(r"e_([0-9]+|[a-z])")


def default_kinds(name: str) -> tuple[str, ...]:
    """The kinds of an undeclared name, the likeliest first, by its first letter."""
    first = name[0]
    if first in "abcdefg" or "α" <= first <= "ω":
        return (SCALAR, VECTOR)
    return (MATRIX,) if first.isupper() else (VECTOR, SCALAR)


class Inference:
    """One attempt to give each node of a syntax tree a shape, under given kinds of undeclared names."""

    def __init__(
        self, parsed: Parsed, declared: Mapping[str, Declared], kinds: Mapping[str, str]
    ) -> None:
        self.parsed = parsed
        self.text = parsed.text
        self.declared = declared
        self.kinds = kinds
        self.shapes: dict[int, Shape] = {}
        self.names: dict[str, Shape] = {}
        self.constants: dict[int, Dim] = {}
        self.notes: list[str] = []
        self.krons: dict[int, int] = {}  # how many factors a Kronecker product has
        self.towers: dict[int, int] = {}  # how deep powers stand in each other
        self.counts: dict[int, int] = {}  # factors of a product, terms of a sum, depth of a stack
        self.ranges: dict[int, tuple[Dim, Dim]] = {}
        self.bound: dict[
            int, tuple[Dim, Dim] | None
        ] = {}  # names that are an index of summation there
        self.size_names = {
            a
            for d in declared.values()
            for shape in (d.shape, d.argument)
            if shape is not None
            for dim in (shape.rows, shape.cols)
            for a in dim_atoms(dim)
            if isinstance(a, str) and a not in declared
        }
        for node in parsed.nodes:
            if node.kind == "call" and node.value in SIZED_CONSTANTS:
                self.size_names |= {n for a in node.args for n in _names_below(a)} - declared.keys()
            if node.kind == "binding":
                self.read_range(node)
            if node.kind == "index":
                for item in node.args[1:]:
                    if item.kind == "name":
                        self.bound[id(item)] = None  # an index that stays open
        for node in parsed.nodes:
            if node.kind == "call" and len(node.args) == 2 and node.args[0].kind == "binding":
                index, limits = node.args[0].value, self.ranges[id(node.args[0])]
                for item in walk(node.args[1]):
                    if item.kind == "name" and item.value == index:
                        self.bound[id(item)] = limits
        # What is transposed is a vector: a scalar is never transposed on paper.
        self.transposed = {
            str(a.value)
            for node in parsed.nodes
            for a in node.args[:1]
            if node.kind == "transpose" and a.kind == "name"
        }
        self.vector_first = self.transposed | {
            str(node.args[0].value)
            for node in parsed.nodes
            if node.kind == "index" and node.args[0].kind == "name"
        }
        self.vector_first |= {
            str(n.args[1].value)
            for n in parsed.nodes
            if n.kind == "solve" and n.args[1].kind == "name"
        }
        self.scalar_first = {
            str(a.value)
            for n in parsed.nodes
            for a in (n.args if n.kind in ("power", "superscript") else n.args[1:])
            if n.kind in ("power", "superscript", "div") and a.kind == "name"
        }

    def run(self) -> None:
        """Find every shape, or raise what is wrong: the first problem, with the `others`.

        A node with a problem has no shape, and what is made of it is passed over, so that one slip is told once.
        """
        problems: list[MatgradError] = []
        for node in self.parsed.nodes:
            if any(id(a) not in self.shapes for a in node.args):
                continue
            try:
                self.limit_towers(node)
                self.shapes[id(node)] = getattr(self, node.kind)(node)
            except MatgradError as problem:
                told = [(p.message, p.marks) for p in problems]
                if (problem.message, problem.marks) not in told:
                    problems.append(problem)
                if len(problems) == MAX_PROBLEMS:
                    break
        if problems:
            # A wrong name or an unclear argument stays wrong whatever kinds the names have: it comes first.
            problems.sort(key=lambda p: isinstance(p, ShapeProblem))
            problems[0].others = tuple(problems[1:])
            raise problems[0]

    # helpers

    def read_range(self, node: Syntax) -> None:
        """The limits of `i = 1:n`."""
        limits = node.args[0]
        if limits.kind != "frobenius":
            slip = find(self.text, node.start)  # `axis=1`
            if slip is not None:
                mark = Mark(slip.start, slip.end)
                raise SyntaxProblem(slip.message, (mark,), slip.help, self.text)
            raise SyntaxProblem(
                "a range has the form `1:n`",
                (Mark(limits.start, limits.end),),
                "write `sum(i=1:n, ...)`",
                self.text,
            )
        first, last = (_dimension(a, self.text) for a in limits.args)
        self.ranges[id(node)] = self.ranges[id(limits)] = (first, last)
        for item in walk(limits):
            if item.kind == "name":
                self.size_names.add(str(item.value))

    def shape(self, node: Syntax) -> Shape:
        """A node's shape with everything known so far."""
        shape = self.shapes[id(node)]
        return Shape(shape.kind, resolve(shape.rows), resolve(shape.cols))

    def unify(self, a: Dim, b: Dim) -> bool:
        """Make two dimensions equal, if they can be."""
        a, b = resolve(a), resolve(b)
        if a == b:
            return True
        if isinstance(b, DimVar) and not isinstance(a, DimVar):
            a, b = b, a
        if isinstance(a, DimVar):
            if a in dim_atoms(b):
                return False
            a.value = b
            return True
        for one, other in ((a, b), (b, a)):
            if isinstance(one, Poly):
                free = [
                    m[0] for m, c in one.terms.items() if len(m) == 1 and c == 1 and _free(m[0])
                ]
                if len(free) == 1:
                    rest = dim_add(one, dim_mul(-1, free[0]))
                    if not any(isinstance(x, DimVar) for x in dim_atoms(rest)):
                        value = dim_add(other, dim_mul(-1, rest))
                        if isinstance(value, Poly) and any(c < 0 for c in value.terms.values()):
                            return False
                        if isinstance(value, int) and value < 1:
                            return False
                        cell = free[0]
                        assert isinstance(cell, DimVar)
                        cell.value = value
                        return True
        return False

    def source(self, node: Syntax) -> str:
        """The text of a node, without brackets around it."""
        text = self.text[node.start : node.end].strip()
        if node.grouped and text.startswith("(") and text.endswith(")"):
            text = text[1:-1].strip()
        return " ".join(text.split())

    def operand(self, node: Syntax) -> str:
        """The text of a node with the brackets around it, to stand in a longer expression."""
        text = " ".join(self.text[node.start : node.end].split())
        if (
            node.kind == "juxtapose" and text.isalnum()
        ):  # `AX`, of which a transpose would turn X alone
            return f"({'*'.join(map(self.operand, node.args))})"
        return text

    def open_names(self, *nodes: Syntax) -> tuple[str, ...]:
        """The undeclared names below nodes that have a second kind."""
        found: dict[str, None] = {}
        for node in nodes:
            for item in walk(node):
                if item.kind == "name" and item.value in self.names.keys() - self.transposed:
                    if item.value not in self.declared and len(default_kinds(item.value)) > 1:
                        found[str(item.value)] = None
        return tuple(found)

    def problem(self, message: str, *nodes: Syntax, help: str = "") -> ShapeProblem:
        """A shape error that underlines the nodes, each with its shape."""
        marks = tuple(Mark(n.start, n.end, shape_text(self.shape(n))) for n in nodes)
        return ShapeProblem(message, marks, help, self.text, self.open_names(*nodes))

    def prefer_vector(self, node: Syntax) -> None:
        """Read an undeclared scalar name as a vector first, because of where it stands."""
        if node.kind == "name" and node.value in self.names and not node.grouped:
            name = str(node.value)
            if name not in self.declared and name not in self.kinds:
                if self.names[name].kind == SCALAR:
                    raise _Flip(name)

    # names and numbers

    def name(self, node: Syntax) -> Shape:
        name = str(node.value)
        if id(node) in self.bound:
            return ex.SCALAR_SHAPE
        known = self.declared.get(name)
        if known is not None:
            if known.role != "variable":
                raise NameProblem(
                    f"`{name}` is a function; it stands here without its argument",
                    (Mark(node.start, node.end),),
                    f"write `{name}(x)`",
                    self.text,
                )
            self.names.setdefault(name, known.shape)
            return known.shape
        if name in self.names:
            return self.names[name]
        if name in self.size_names:
            return ex.SCALAR_SHAPE
        if name in ("ones", "zeros"):
            size = DimVar("n")
            self.constants[id(node)] = size
            return ex.vector_shape(size)
        if name == "I":
            size = DimVar("n")
            self.constants[id(node)] = size
            return ex.matrix_shape(size, size)
        if name == "π":
            return ex.SCALAR_SHAPE
        if _BASIS.fullmatch(name):
            size = DimVar("n")
            self.constants[id(node)] = size
            return ex.vector_shape(size)
        stem = re.sub(r"(_.*|\d+)$", "", name)
        if len(stem) > 1:
            raise self.unknown_name(node, name)
        kind = self.kinds.get(name)
        if kind is None:
            kinds = default_kinds(name)
            kind = kinds[0]
            if len(kinds) > 1 and name in self.vector_first:
                kind = VECTOR
            elif len(kinds) > 1 and name in self.scalar_first:
                kind = SCALAR
        if kind == SCALAR:
            shape = ex.SCALAR_SHAPE
        elif kind == VECTOR:
            shape = ex.vector_shape(DimVar())
        else:
            shape = ex.matrix_shape(DimVar(), DimVar())
        self.names[name] = shape
        return shape

    def unknown_name(self, node: Syntax, name: str) -> NameProblem:
        slip = find(self.text, node.start)
        if slip is not None:
            return NameProblem(slip.message, (Mark(slip.start, slip.end),), slip.help, self.text)
        mark = Mark(node.start, node.end, "unknown name")
        close = _closest(name, tuple(BY_NAME)) if len(name) > 2 else None
        product = "*".join(name) if name.isalpha() else name
        kind = "matrix" if name[0].isupper() else "vector"
        help = f"write `{product}` for a product, or declare it: `--let '{name}: {kind}'`"
        if product == name:
            help = f"declare it: `--let '{name}: {kind}'`"
        if close and close != name:
            help = f"did you mean the function `{close}`? Otherwise {help}"
        elif name in BY_NAME:
            help = (
                f"`{name}` is a function: write `{name}(...)`, or declare a variable of that name"
            )
        elif name in KEYWORDS:
            help = "give the mathematical expression alone; a sum over an index is `sum(i=1:n, x[i]^2)`"
        return NameProblem(f"`{name}` is not a known name", (mark,), help, self.text)

    def number(self, node: Syntax) -> Shape:
        return ex.SCALAR_SHAPE

    def limit_towers(self, node: Syntax) -> None:
        """Count how deep powers stand in each other."""
        height = max((self.towers.get(id(a), 0) for a in node.args), default=0)
        if node.kind in ("power", "epow") and node.args[1].kind != "number":
            height += 1
        if height > MAX_NESTED_POWERS:
            raise LimitProblem(
                f"powers stand at most {MAX_NESTED_POWERS} deep in each other",
                (Mark(node.start, node.end),),
                "give the innermost ones a name of their own",
                self.text,
            )
        if height:
            self.towers[id(node)] = height

    def limit_parts(self, node: Syntax, what: str, parts: str, limit: int) -> None:
        """Count the operands of a product or a sum, brackets and all."""
        counts = self.counts
        kinds = ("add", "sub") if parts == "terms" else ("mul", "juxtapose", "hadamard")
        counts[id(node)] = sum(counts.get(id(a), 1) if a.kind in kinds else 1 for a in node.args)
        if counts[id(node)] > limit:
            last = node.args[1]
            raise LimitProblem(
                f"{what} has at most {limit:,} {parts}",
                (Mark(last.start, last.end, "one too many"),),
                "give parts of it names of their own",
                self.text,
            )

    # sums

    def add(self, node: Syntax) -> Shape:
        a, b = node.args
        self.limit_parts(node, "a sum", "terms", MAX_SUM)
        self.avoid_vector_slip(a, b)
        return self.same_shape(node, "a sum" if node.kind == "add" else "a difference")

    sub = add

    def avoid_vector_slip(self, a: Syntax, b: Syntax) -> None:
        for one, other in ((a, b), (b, a)):
            inner = other.args[0] if other.kind == "neg" else other
            if self.shape(one).kind == VECTOR:
                self.prefer_vector(inner)

    def same_shape(self, node: Syntax, what: str) -> Shape:
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        if s.kind == SCALAR or t.kind == SCALAR:
            if s.kind != t.kind and node.kind in ("add", "sub"):
                scalar, other = (a, b) if s.kind == SCALAR else (b, a)
                if self.shape(other).kind == MATRIX:
                    self.refuse_forced_scalar(scalar, other)
                    square = self.shape(other).rows == self.shape(other).cols
                    perhaps = f"; for a multiple of I write `{self.source(scalar)}*I`"
                    self.notes.append(
                        f"`{self.source(scalar)}` is added to every entry of "
                        f"`{self.source(other)}`{perhaps if square else ''}"
                    )
            return t if s.kind == SCALAR else s
        if s.kind != t.kind:
            raise self.problem(
                f"shapes do not agree in {what}",
                a,
                b,
                help=f"`{self.source(a)}` is a {shape_text(s)} and `{self.source(b)}` is a {shape_text(t)}"
                + self.transpose_hint(a, b, s, t),
            )
        if not (self.unify(s.rows, t.rows) and self.unify(s.cols, t.cols)):
            raise self.problem(
                f"shapes do not agree in {what}",
                a,
                b,
                help=f"`{self.source(a)}` is a {shape_text(s)} and `{self.source(b)}` is a {shape_text(t)}"
                + self.transpose_hint(a, b, s, t),
            )
        return s

    def refuse_forced_scalar(self, scalar: Syntax, other: Syntax) -> None:
        """`A + x` is a slip, and not a reason to read the undeclared x as a scalar."""
        name = scalar.value if scalar.kind == "name" else None
        if self.kinds.get(str(name)) == SCALAR and default_kinds(str(name))[0] == VECTOR:
            x, y = self.source(scalar), self.source(other)
            raise ShapeProblem(
                "a vector is added to a matrix",
                (
                    Mark(scalar.start, scalar.end, "vector"),
                    Mark(other.start, other.end, str(self.shape(other))),
                ),
                f"if `{x}` is a number, declare it: `--let '{x}: scalar'`;"
                f" to add it to each column write `{y} + {x}*ones(n)'`",
                self.text,
            )

    def transpose_hint(self, a: Syntax, b: Syntax, s: Shape, t: Shape) -> str:
        if {s.kind, t.kind} == {VECTOR, ROW}:
            row = a if s.kind == ROW else b
            text = self.source(row)
            return f"; did you mean `{_turned(text)}` instead of `{text}`?"
        if s.kind == t.kind == MATRIX and self.could(s.rows, t.cols) and self.could(s.cols, t.rows):
            text = self.source(b)
            return f"; did you mean `{_turned(text)}` instead of `{text}`?"
        if {s.kind, t.kind} == {MATRIX, VECTOR}:
            vector = a if s.kind == VECTOR else b
            x = self.source(vector)
            number = f"; if `{x}` is a number, declare it: `--let '{x}: scalar'`"
            return f"; for the same in each column write `{_tight(x)}*ones(n)'` for `{x}`" + (
                number if vector.kind == "name" and x not in self.declared else ""
            )
        return ""

    @staticmethod
    def could(a: Dim, b: Dim) -> bool:
        return a == b or isinstance(a, DimVar) or isinstance(b, DimVar)

    def hadamard(self, node: Syntax) -> Shape:
        self.limit_parts(node, "a product", "factors", MAX_PRODUCT)
        self.avoid_vector_slip(*node.args)
        return self.same_shape(node, "an elementwise product")

    def edivide(self, node: Syntax) -> Shape:
        self.avoid_vector_slip(*node.args)
        return self.same_shape(node, "an elementwise quotient")

    def neg(self, node: Syntax) -> Shape:
        return self.shape(node.args[0])

    pos = neg

    # products

    def mul(self, node: Syntax) -> Shape:
        a, b = node.args
        for side in (a, b):
            self.refuse_bare_call(node, side)
        self.limit_parts(node, "a product", "factors", MAX_PRODUCT)
        s, t = self.shape(a), self.shape(b)
        if s.kind in (MATRIX, ROW) and t.kind == SCALAR:
            self.prefer_vector(b)
        if s.kind == SCALAR or t.kind == SCALAR:
            return t if s.kind == SCALAR else s
        return self.product(a, b, s, t)

    juxtapose = mul

    def refuse_bare_call(self, node: Syntax, side: Syntax) -> None:
        """`tr A B` could mean two things; ask for brackets."""
        left = side is node.args[0]
        inner = side
        while inner.kind in ("neg", "pos") and not inner.grouped:
            inner = inner.args[0]
        if inner.kind != "prefix" or inner.grouped or not left:
            return
        other = node.args[1]
        if other.kind in ("prefix", "call"):
            return
        name, argument = str(inner.value), self.source(inner.args[0])
        after = self.source(other)
        sign = {"juxtapose": " ", "div": "/"}.get(node.kind, "*")
        both = f"{argument}{sign}{after}"
        sign = sign.replace(" ", "*")
        raise SyntaxProblem(
            f"it is not clear where the argument of `{name}` ends",
            (Mark(inner.start, node.end),),
            f"write `{name}({both})` or `{name}({argument}){sign}{after}`",
            self.text,
        )

    def product(self, a: Syntax, b: Syntax, s: Shape, t: Shape) -> Shape:
        x, y = self.operand(a), self.operand(b)
        if s.kind == t.kind == VECTOR:
            problem = self.problem(
                "two column vectors cannot be multiplied",
                a,
                b,
                help=f"write `{_tight(x)}'*{y}` (dot product), `{x}*{_tight(y)}'` (outer product)"
                f" or `{x}.*{y}` (entry by entry)",
            )
            if a.kind == b.kind == "name" and problem.names:
                # Two bare names: more likely a slip than two numbers.
                problem.help += f"; for numbers declare `--let '{problem.names[0]}: scalar'`"
                problem.names = ()
            raise problem
        if s.kind == t.kind == ROW:
            raise self.problem(
                "two row vectors cannot be multiplied",
                a,
                b,
                help=f"write `{x}*{_turned(y)}` (dot product) or `{x}.*{y}` (entry by entry)",
            )
        one_row = s.kind == VECTOR and t.kind == MATRIX
        one_col = s.kind == MATRIX and t.kind == ROW
        if (one_row and resolve(t.rows) != 1) or (one_col and resolve(s.cols) != 1):
            which = "a column vector and a matrix" if one_row else "a matrix and a row vector"
            raise self.problem(
                f"{which} cannot be multiplied in this order",
                a,
                b,
                help=f"did you mean `{_tight(x)}'*{y}`?"
                if one_row
                else f"did you mean `{x}*{_turned(y)}`?",
            )
        if not self.unify(s.cols, t.rows):
            p, q = dim_text(s.cols), dim_text(t.rows)
            columns = f"`{x}` has {p} column{'' if p == '1' else 's'}"
            rows = f"`{y}` has {q} row{'' if q == '1' else 's'}"
            hints = []
            if s.kind == MATRIX and self.could(s.rows, t.rows):
                hints.append(f"`{_turned(x)}*{y}`")
            if t.kind == MATRIX and self.could(s.cols, t.cols):
                hints.append(f"`{x}*{_turned(y)}`")
            hint = f"; did you mean {' or '.join(hints)}?" if hints else ""
            raise self.problem(
                "the sizes do not agree in a product", a, b, help=f"{columns} and {rows}{hint}"
            )
        rows_, cols_ = s.rows, t.cols
        if s.kind == ROW:
            return ex.SCALAR_SHAPE if t.kind == VECTOR else ex.row_shape(cols_)
        return ex.vector_shape(rows_) if t.kind == VECTOR else ex.matrix_shape(rows_, cols_)

    def div(self, node: Syntax) -> Shape:
        a, b = node.args
        if _whole(b) == 0:
            raise ShapeProblem(
                "division by zero",
                (Mark(b.start, b.end, "is zero"),),
                "write what it is divided by",
                self.text,
            )
        self.refuse_bare_call(node, a)
        t = self.shape(b)
        if t.kind != SCALAR:
            x, y = self.operand(a), self.operand(b)
            same = self.shape(a).kind == t.kind
            entry = f" or `{x}./{y}` (entry by entry)" if same or t.kind != MATRIX else ""
            before = "" if x == "1" else f"{x}*"
            help = (
                f"write `{before}inv({self.source(b)})`{entry}"
                if t.kind == MATRIX
                else f"write `{x}./{y}` (entry by entry)"
                if same or self.shape(a).kind == SCALAR
                else f"divide by a number, such as `norm({self.source(b)})`"
            )
            if b.kind == "name" and b.value not in self.declared and t.kind == MATRIX:
                help += f"; if `{y}` is a number, declare it: `--let '{y}: scalar'`"
            raise self.problem(
                f"`/` divides by a scalar, and `{self.source(b)}` is a {shape_text(t)}",
                b,
                help=help,
            )
        return self.shape(a)

    def solve(self, node: Syntax) -> Shape:
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        if s.kind == SCALAR:
            return t
        self.need_square(a, "`\\` solves with a square matrix")
        if t.kind == SCALAR:
            raise self.problem("`\\` solves for a vector or a matrix", b)
        return self.product(a, b, self.shape(a), t)

    # postfix operators

    def transpose(self, node: Syntax) -> Shape:
        return ex.transposed_shape(self.shape(node.args[0]))

    def inverse_transpose(self, node: Syntax) -> Shape:
        return self.need_square(node.args[0], "only a square matrix has an inverse")

    def need_square(self, node: Syntax, message: str) -> Shape:
        s = self.shape(node)
        if s.kind == SCALAR:
            return s
        if s.kind != MATRIX or not self.unify(s.rows, s.cols):
            raise self.problem(message, node, help=f"`{self.source(node)}` is a {shape_text(s)}")
        return self.shape(node)

    def superscript(self, node: Syntax) -> Shape:
        return self.raised(node, node.args[0], f"^{node.value}")

    def power(self, node: Syntax) -> Shape:
        base, exponent = node.args
        e = self.shape(exponent)
        if e.kind != SCALAR and base.value == "e" and "e" not in self.declared:
            raise self.problem(
                "an exponent is a scalar, and `e` is a name like any other",
                exponent,
                help=f"write `exp({self.source(exponent)})` for e to the power of each entry"
                + (f", `expm({self.source(exponent)})` for the series" if e.kind == MATRIX else ""),
            )
        if e.kind != SCALAR:
            raise self.problem(
                "an exponent is a scalar",
                exponent,
                help=f"`{self.source(exponent)}` is a {shape_text(e)}; for entry-by-entry powers write `.^`",
            )
        if self.shape(base).kind == MATRIX and _whole(exponent) is None:
            self.need_square(base, "only a square matrix has powers")
            raise self.problem(
                "the power of a matrix is a whole number",
                exponent,
                help="write a whole number, or `.^` for powers of the entries",
            )
        return self.raised(node, base, self.text[base.end : node.end].strip())

    def raised(self, node: Syntax, base: Syntax, how: str) -> Shape:
        s = self.shape(base)
        x, y = self.source(base), self.operand(base)
        if s.kind == SCALAR:
            return s
        if s.kind == MATRIX:
            k = node.value if node.kind == "superscript" else _whole(node.args[1])
            if k is not None and abs(k) > MAX_POWER:
                raise LimitProblem(
                    f"a matrix power of {k} is too large",
                    (Mark(node.start, node.end),),
                    f"matrix powers up to {MAX_POWER} are expanded",
                    self.text,
                )
            inverse = k is not None and k < 0
            return self.need_square(
                base, f"only a square matrix has {'an inverse' if inverse else 'powers'}"
            )
        dotted = how.replace("^", ".^") if "^" in how else f".^{how}"
        raise self.problem(
            f"`{x}` is a {shape_text(s)}, and a vector has no power",
            base,
            help=f"write `{y}{dotted}` (entry by entry), `{_tight(y)}'*{y}` (squared length)"
            if s.kind == VECTOR
            else f"write `{y}{dotted}` (entry by entry)",
        )

    def epow(self, node: Syntax) -> Shape:
        return self.same_shape(node, "an elementwise power")

    def index(self, node: Syntax) -> Shape:
        base, *at = node.args
        s = self.shape(base)
        count = 1 if s.kind in (VECTOR, ROW) else 2 if s.kind == MATRIX else 0
        if count == 0:
            raise self.problem(
                "a scalar has no entries",
                base,
                help=f"write `{self.source(base)}` alone, or declare it as a vector",
            )
        if len(at) != count:
            raise self.problem(
                f"a {s.kind} takes {count} {'index' if count == 1 else 'indices'}, not {len(at)}",
                base,
                help=f"write `{self.source(base)}[i]`"
                if count == 1
                else f"write `{self.source(base)}[i,j]`, `{self.source(base)}[:,j]` or `{self.source(base)}[i,:]`",
            )
        sizes = [s.rows, s.cols] if s.kind == MATRIX else [s.rows if s.kind == VECTOR else s.cols]
        kept: list[Dim] = []
        for item, size in zip(at, sizes, strict=True):
            if item.kind == "all":
                kept.append(size)
                continue
            if item.kind == "name":
                limits = self.bound.get(id(item))
                if limits is not None and isinstance(resolve(size), DimVar):
                    self.unify(size, limits[1])
                continue
            k = _whole(item)
            if k is None or k < 1:
                raise ShapeProblem(
                    "an index is a whole number from 1, or a name",
                    (Mark(item.start, item.end),),
                    f"the first entry is `{self.source(base)}[{','.join('1' * count)}]`",
                    self.text,
                )
            size = resolve(size)
            if isinstance(size, int) and k > size:
                raise ShapeProblem(
                    f"there is no entry {k}",
                    (
                        Mark(item.start, item.end, f"over {size}"),
                        Mark(base.start, base.end, str(s)),
                    ),
                    f"indices go from 1 to {size}",
                    self.text,
                )
        if not kept:
            return ex.SCALAR_SHAPE
        if len(kept) == 2 or count == 1:
            return s
        return ex.vector_shape(kept[0]) if at[0].kind == "all" else ex.row_shape(kept[0])

    def all(self, node: Syntax) -> Shape:
        return ex.SCALAR_SHAPE

    # brackets

    def stack(self, node: Syntax) -> Shape:
        counts: list[int] = node.value
        if len(set(counts)) > 1:
            raise ShapeProblem(
                "the rows of a stack have different numbers of entries",
                (Mark(node.start, node.end),),
                f"they have {', '.join(map(str, counts))}",
                self.text,
            )
        depth = 1 + max((self.counts[id(a)] for a in node.args if a.kind == "stack"), default=0)
        self.counts[id(node)] = depth
        if depth > MAX_NESTED_STACKS:
            raise LimitProblem(
                f"stacks stand at most {MAX_NESTED_STACKS} deep in each other",
                (Mark(node.start, node.end),),
                "write the entries one after the other, as in `[a; b; c]`",
                self.text,
            )
        columns = counts[0]
        grid = [node.args[i : i + columns] for i in range(0, len(node.args), columns)]
        for row in grid:
            for entry in row[1:]:
                if not self.unify(self.shape(row[0]).rows, self.shape(entry).rows):
                    raise self.problem(
                        "blocks beside each other have the same number of rows",
                        row[0],
                        entry,
                        help="a `;` puts a block below, a `,` beside",
                    )
        for column in zip(*grid, strict=True):
            for entry in column[1:]:
                if not self.unify(self.shape(column[0]).cols, self.shape(entry).cols):
                    raise self.problem(
                        "blocks below each other have the same number of columns",
                        column[0],
                        entry,
                        help="a `;` puts a block below, a `,` beside",
                    )
        rows: Dim = 0
        for row in grid:
            rows = dim_add(rows, self.shape(row[0]).rows)
        cols: Dim = 0
        for entry in grid[0]:
            cols = dim_add(cols, self.shape(entry).cols)
        kinds = {self.shape(a).kind for a in node.args}
        if len(node.args) == 1:
            return self.shape(node.args[0])
        if columns == 1 and kinds <= {SCALAR, VECTOR}:
            return ex.vector_shape(rows)
        if len(grid) == 1 and kinds <= {SCALAR, ROW}:
            return ex.row_shape(cols)
        return ex.matrix_shape(rows, cols)

    def bars(self, node: Syntax) -> Shape:
        inner = node.args[0]
        s = self.shape(inner)
        if s.kind in (VECTOR, ROW):
            raise self.problem(
                "bars are the absolute value of a scalar or the determinant of a matrix",
                inner,
                help=f"write `‖{self.source(inner)}‖` for the length or `abs({self.source(inner)})`"
                " entry by entry",
            )
        if s.kind == MATRIX:
            self.need_square(inner, "only a square matrix has a determinant")
        return ex.SCALAR_SHAPE

    def norm(self, node: Syntax) -> Shape:
        name = norm_name(str(node.value or ""), self.shape(node.args[0]).kind)
        if pick(name, [self.shape(node.args[0]).kind], None) is None:
            raise self.problem(
                f"a {self.shape(node.args[0]).kind} has no norm of this kind",
                node.args[0],
                help="the subscripts are 1, 2, F, ∞ and, for a matrix, * (nuclear)",
            )
        return ex.SCALAR_SHAPE

    # functions

    def prefix(self, node: Syntax) -> Shape:
        argument = node.args[0]
        if argument.kind in ("power", "superscript", "epow") and not argument.grouped:
            base = argument.args[0]
            if base.kind in ("call", "prefix", "bars", "norm") or base.grouped:
                raised = self.text[base.end : argument.end].strip()
                inner = self.source(base) if not base.grouped else f"({self.source(base)})"
                raise SyntaxProblem(
                    f"it is not clear what the power in `{self.source(node)}` belongs to",
                    (Mark(node.start, node.end),),
                    f"write `({node.value} {inner}){raised}` or `{node.value}({inner}{raised})`",
                    self.text,
                )
        return self.call(node)

    def call(self, node: Syntax) -> Shape:
        name = str(node.value)
        stem = name.rstrip("'")
        known = self.declared.get(stem)
        if known is not None and known.role in ("elementwise", "definition"):
            self.count_arguments(node, stem, 1)
            if known.role == "definition" and name != stem:
                raise NameProblem(
                    f"`{stem}` is defined by a formula, and has no name for its derivative",
                    (Mark(node.start, node.end),),
                    "define the derivative as a function of its own, `--let 'g(t) = ...'`",
                    self.text,
                )
            return self.shape(node.args[0])
        if known is not None and known.argument is not None:
            return self.unknown_map(node, known)
        if node.args and node.args[0].kind == "binding":
            return self.index_sum(node)
        if known is None and name in SIZED_CONSTANTS:
            dims = [_dimension(a, self.text) for a in node.args]
            return _sized_shape(name, dims, node, self.text)
        if known is None and name in SIZES:
            return self.size_of(node, name)
        if known is None and name in FILLED:
            return self.filled(node, name)
        if known is None and name in OPERATOR_NAMES:
            count = 1 if name == "square" else 2
            self.count_arguments(node, name, count)
            return getattr(self, OPERATOR_NAMES[name])(node)  # type: ignore[no-any-return]
        if known is not None or name not in BY_NAME:
            raise self.not_a_function(node, name)
        return self.named_function(node, name)

    def named_function(self, node: Syntax, name: str) -> Shape:
        kinds = [self.shape(a).kind for a in node.args]
        function = pick(name, kinds, direction(node))
        if function is None:
            raise self.wrong_arguments(node, name)
        turned = function == "transposed"
        if turned:
            function = pick(name, [VECTOR])
        if isinstance(function, str):
            return ex.SCALAR_SHAPE
        assert function is not None
        sig = signature(function.op)
        if (
            len(kinds) == 2
            and sig.result.kind == ARRAY
            and SCALAR
            not in (
                sig.parameters[0][1].kind,
                sig.parameters[1][1].kind,
            )
        ):
            self.avoid_vector_slip(*node.args)
            return self.same_shape(node, f"`{name}`")
        fresh: dict[Dim, Dim] = {}

        def instance(dim: Dim) -> Dim:
            if isinstance(dim, str):
                return fresh.setdefault(dim, DimVar(dim))
            if isinstance(dim, Poly):
                return _substituted(dim, fresh)
            return dim

        value: Shape | None = None
        for argument, (_, wanted) in zip(node.args, sig.parameters, strict=False):
            actual = self.shape(argument)
            if turned:
                actual = ex.transposed_shape(actual)
            if wanted.kind == ARRAY:
                value = actual
                continue
            if wanted.kind == SCALAR:
                continue
            rows, cols = instance(wanted.rows), instance(wanted.cols)
            if not (self.unify(rows, actual.rows) and self.unify(cols, actual.cols)):
                square = wanted.rows == wanted.cols
                raise self.problem(
                    f"`{name}` takes {'a square matrix' if square else f'a {wanted}'}",
                    argument,
                    help=f"`{self.source(argument)}` is a {shape_text(actual)}"
                    + ("; a square one has as many rows as columns" if square else ""),
                )
        result = sig.result
        if result.kind == ARRAY:
            assert value is not None
            return value
        return Shape(result.kind, instance(result.rows), instance(result.cols))

    def wrong_arguments(self, node: Syntax, name: str) -> ShapeProblem:
        """Why no function of this name takes these arguments."""
        candidates = BY_NAME[name]
        if len(node.args) == 2 and name in DIRECTIONS:
            return ShapeProblem(
                "a direction is 1 or 2",
                (Mark(node.args[1].start, node.args[1].end),),
                f"write `{name}(X, 1)` down the columns or `{name}(X, 2)` along the rows",
                self.text,
            )
        self.count_arguments(node, name, len(signature(candidates[0].op).parameters))
        argument = node.args[0]
        x, actual = self.source(argument), shape_text(self.shape(argument))
        if name in NEED_DIRECTION and self.shape(argument).kind == MATRIX:
            return self.problem(
                f"`{name}` of a matrix needs a direction",
                argument,
                help=f"write `{name}({x}, 1)` down the columns or `{name}({x}, 2)` along the rows",
            )
        wanted = " or ".join(
            dict.fromkeys(
                "a square matrix" if s.kind == MATRIX and s.rows == s.cols else f"a {s.kind}"
                for f in candidates
                for s in [signature(f.op).parameters[0][1]]
            )
        )
        return self.problem(f"`{name}` takes {wanted}", argument, help=f"`{x}` is a {actual}")

    def unknown_map(self, node: Syntax, known: Declared) -> Shape:
        """u(x) for a declared function of a whole vector or matrix."""
        self.count_arguments(node, known.name, 1)
        wanted = known.argument
        assert wanted is not None
        actual = self.shape(node.args[0])
        fits = wanted.kind == actual.kind and self.unify(wanted.rows, actual.rows)
        if not (fits and self.unify(wanted.cols, actual.cols)):
            raise self.problem(
                f"`{known.name}` is a function of a {wanted}",
                node.args[0],
                help=f"`{self.source(node.args[0])}` is a {shape_text(actual)}",
            )
        return known.shape

    def size_of(self, node: Syntax, name: str) -> Shape:
        """len(x), rows(X), cols(X)."""
        self.count_arguments(node, name, 1)
        s = self.shape(node.args[0])
        if name == "len" and s.kind not in (VECTOR, ROW):
            raise self.problem(
                "`len` takes a vector",
                node.args[0],
                help="write `rows(X)` or `cols(X)` of a matrix",
            )
        by_row = name == "rows" or (name == "len" and s.kind == VECTOR)
        self.constants[id(node)] = s.rows if by_row else s.cols
        return ex.SCALAR_SHAPE

    def filled(self, node: Syntax, name: str) -> Shape:
        """vector(c), matrix(c): every entry c, of the size that fits."""
        self.count_arguments(node, name, 1)
        if self.shape(node.args[0]).kind != SCALAR:
            raise self.problem(f"`{name}(c)` takes a scalar", node.args[0])
        rows, cols = DimVar("m"), DimVar("n")
        if name == "vector":
            self.constants[id(node)] = rows
            return ex.vector_shape(rows)
        self.constants[id(node)] = dim_add(rows, cols)
        return ex.matrix_shape(rows, cols)

    def binding(self, node: Syntax) -> Shape:
        return ex.SCALAR_SHAPE

    def index_sum(self, node: Syntax) -> Shape:
        """sum(i=1:n, ...)."""
        if str(node.value) not in ("sum", "Σ") or len(node.args) != 2:
            raise SyntaxProblem(
                "a range stands in a sum only",
                (Mark(node.start, node.end),),
                "write `sum(i=1:n, x[i]^2)`",
                self.text,
            )
        return self.shape(node.args[1])

    # operators that have a name as well

    def dot(self, node: Syntax) -> Shape:
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        if {s.kind, t.kind} <= {VECTOR, ROW}:
            n = s.rows if s.kind == VECTOR else s.cols
            k = t.rows if t.kind == VECTOR else t.cols
            if not self.unify(n, k):
                raise self.problem("a dot product takes vectors of one size", a, b)
            return ex.SCALAR_SHAPE
        if SCALAR in (s.kind, t.kind):
            return t if s.kind == SCALAR else s
        return self.product(a, b, s, t)

    def outer(self, node: Syntax) -> Shape:
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        if s.kind != VECTOR or t.kind != VECTOR:
            raise self.problem("`outer` takes two vectors", a, b)
        return ex.matrix_shape(s.rows, t.rows)

    def square(self, node: Syntax) -> Shape:
        return self.shape(node.args[0])

    def frobenius(self, node: Syntax) -> Shape:
        if id(node) in self.ranges:
            return ex.SCALAR_SHAPE
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        same = s.kind == t.kind and self.unify(s.rows, t.rows) and self.unify(s.cols, t.cols)
        if not same:
            raise self.problem(
                "`:` is the Frobenius product of two matrices of one shape",
                a,
                b,
                help="a range such as `1:n` stands in `sum(i=1:n, ...)` only",
            )
        return ex.SCALAR_SHAPE

    def kronecker(self, node: Syntax) -> Shape:
        # A size of the product is the product of as many sizes.
        self.krons[id(node)] = count = sum(self.krons.get(id(a), 1) for a in node.args)
        if count > MAX_KRONECKER:
            raise LimitProblem(
                f"a Kronecker product has at most {MAX_KRONECKER} factors",
                (Mark(node.start, node.end),),
                "give parts of it names of their own",
                self.text,
            )
        s, t = (self.shape(a) for a in node.args)
        if SCALAR in (s.kind, t.kind):
            return t if s.kind == SCALAR else s
        rows, cols = dim_mul(s.rows, t.rows), dim_mul(s.cols, t.cols)
        kind = s.kind if s.kind == t.kind else MATRIX
        return Shape(kind, rows, cols)

    def count_arguments(self, node: Syntax, name: str, count: int) -> None:
        if len(node.args) != count:
            arguments = ", ".join("xyz"[:count])
            if name in BY_NAME:
                arguments = ", ".join(n for n, _ in signature(BY_NAME[name][0].op).parameters)
            help = CALLS.get((name, len(node.args)), f"write `{name}({arguments})`")
            if name == "sum" and any(a.kind == "binding" for a in node.args):
                help = "the range comes first: write `sum(i=1:n, x[i])`"
            raise ShapeProblem(
                f"`{name}` takes {count} argument{'s' if count != 1 else ''}, not {len(node.args)}",
                (Mark(node.start, node.end),),
                help,
                self.text,
            )

    def not_a_function(self, node: Syntax, name: str) -> NameProblem:
        head = re.match(r"\w*", self.text[node.start : node.end]).group()  # type: ignore[union-attr]
        here = Mark(node.start, node.start + len(head), "not a function")
        other = other_name(head)
        if other and name not in self.declared:
            return NameProblem(f"there is no function `{head}`", (here,), other, self.text)
        if node.args and len(node.args) <= 2 and all(_whole(a) is not None for a in node.args):
            entry = f"{head}[{','.join(self.source(a) for a in node.args)}]"
            return NameProblem(
                f"`{head}` is not a function",
                (here,),
                f"for an entry write `{entry}`; for an unknown function declare it:"
                f" `--let '{head}: elementwise'`",
                self.text,
            )
        mark = Mark(node.start, node.start + len(name), "not a function")
        inside = self.text[node.start + len(name) : node.end]
        if name in self.declared or len(re.sub(r"(_.*|\d+)$", "", name)) == 1:
            return NameProblem(
                f"`{name}` is not a function",
                (mark,),
                f"for a product write `{name}*{inside}`; for an unknown function declare it:"
                f" `--let '{name}: elementwise'`",
                self.text,
            )
        close = _closest(name, tuple(BY_NAME))
        help = (
            f"did you mean `{close}`?"
            if close
            else f"declare it, if it is an unknown function: `--let '{name}: elementwise'`"
        )
        return NameProblem(f"there is no function `{name}`", (mark,), help, self.text)


def _free(atom: str | DimVar) -> bool:
    return isinstance(atom, DimVar)


def _tight(text: str) -> str:
    """Text that can take a postfix operator."""
    return text if re.fullmatch(r"\w+|\w*\([^()]*\)", text) else f"({text})"


def _turned(text: str) -> str:
    """The text of a transpose."""
    plain = re.sub(r"('|’|ᵀ|\.T|\^(T|⊤|\{(T|⊤)\}))$", "", text)
    return plain if plain != text else _tight(text) + "'"


def _whole(node: Syntax) -> int | None:
    """The value of a literal whole number, with its sign."""
    sign = 1
    while node.kind in ("neg", "pos"):
        sign = -sign if node.kind == "neg" else sign
        node = node.args[0]
    if node.kind == "number" and node.value.denominator == 1:
        return sign * int(node.value)
    return None


def _sized_shape(name: str, dims: list[Dim], node: Syntax, text: str) -> Shape:
    if name == "eye" and len(dims) == 1:
        return ex.matrix_shape(dims[0], dims[0])
    if name != "eye" and len(dims) == 1:
        return ex.vector_shape(dims[0])
    if name != "eye" and len(dims) == 2:
        return ex.matrix_shape(dims[0], dims[1])
    wanted = "one size" if name == "eye" else "one or two sizes"
    size = dim_text(dims[0]) if dims else "n"
    raise ShapeProblem(
        f"`{name}` takes {wanted}, not {len(dims)}",
        (Mark(node.start, node.end),),
        f"write `{name}({size})`",
        text,
    )


# What a function of a matrix or a vector means for a scalar (a 1x1 matrix): an elementwise name, or "itself".
_OF_SCALAR = {
    "tr": "itself",
    "det": "itself",
    "sum": "itself",
    "transpose": "itself",
    "logdet": "log",
    "norm2": "abs",
    "norm1": "abs",
    "norminf": "abs",
    "mean": "itself",
    "max": "itself",
    "min": "itself",
    "inv": "inverse",
}


def direction(node: Syntax) -> int | None:
    """The literal 1 or 2 that is the second argument of a call."""
    if len(node.args) == 2:
        k = _whole(node.args[1])
        return k if k in (1, 2) else None
    return None


def norm_name(subscript: str, kind: str) -> str:
    """The function that `‖·‖` with a subscript means."""
    names = {
        "": "norm2",
        "F": "norm2",
        "1": "norm1",
        "∞": "norminf",
        "inf": "norminf",
        "*": "nucnorm",
    }
    if subscript == "2":
        return "specnorm" if kind == MATRIX else "norm2"
    return names[subscript]


def pick(name: str, kinds: list[str], along: int | None = None) -> Function | str | None:
    """The function that a name means for arguments of these kinds; a string says what it means for a scalar.

    `along` is the direction, 1 or 2, if the second argument is one.
    """
    if len(kinds) == 2:
        if along is not None and name in DIRECTIONS and kinds[0] == MATRIX:
            return TABLE[f"{name}:{along}"]
        if name in ("max", "min"):
            return TABLE[f"{name}:pair"]
    if kinds == [SCALAR]:
        for function in BY_NAME[name]:
            if function.op in _OF_SCALAR:
                return _OF_SCALAR[function.op]
    for function in BY_NAME[name]:
        parameters = signature(function.op).parameters
        if len(parameters) == len(kinds) and all(
            p.kind in (kind, ARRAY) for (_, p), kind in zip(parameters, kinds, strict=True)
        ):
            return function
    if kinds == [ROW]:
        column = pick(name, [VECTOR])
        if isinstance(column, Function) and signature(column.op).result.kind in (SCALAR, MATRIX):
            return "transposed"
    return None


def apply_function(name: str, args: tuple[Expr, ...], along: int | None = None) -> Expr:
    """The value of a named function on expressions whose shapes fit."""
    if name in ("log", "ln") and args[0].kind == ex.CALL and args[0].op == "det":
        return ex.call("logdet", args[0].args, ex.SCALAR_SHAPE)
    function = pick(name, [a.shape.kind for a in args], along)
    if isinstance(function, str):
        if function == "itself":
            return args[0]
        if function == "inverse":
            return ex.inverse(args[0])
        if function == "transposed":
            return apply_function(name, (ex.transpose(args[0]),))
        return apply_function(function, args)
    if function is None:
        raise InternalError(f"{name} of {', '.join(str(a.shape) for a in args)}")
    if function.op == "inv":
        return ex.inverse(args[0])
    if function.op == "transpose":
        return ex.transpose(args[0])
    sig = signature(function.op)
    if len(sig.parameters) < len(args):
        args = args[: len(sig.parameters)]  # the direction is part of the operation's name
    if sig.result.kind == ARRAY:
        if len(args) == 2 and sig.parameters[0][1].kind == ARRAY:
            args = _broadcast(*args)
        return ex.call(function.op, args, args[-1].shape)
    dims: dict[Dim, Dim] = {}
    for argument, (_, shape) in zip(args, sig.parameters, strict=True):
        dims[shape.rows], dims[shape.cols] = argument.shape.rows, argument.shape.cols
    r = sig.result
    if r.kind == SCALAR:
        return ex.call(function.op, args, ex.SCALAR_SHAPE)
    rows, cols = (_substituted(d, dims) for d in (r.rows, r.cols))
    return ex.call(function.op, args, Shape(r.kind, rows, cols))


def _substituted(dim: Dim, dims: Mapping[Dim, Dim]) -> Dim:
    """A dimension of a signature with the sizes of actual arguments."""
    if isinstance(dim, Poly):
        total: Dim = 0
        for monomial, count in dim.terms.items():
            product: Dim = 1
            for atom in monomial:
                product = dim_mul(product, dims.get(atom, atom))
            total = dim_add(total, dim_scale(product, count))
        return total
    return dims.get(dim, dim)


def kronecker(a: Expr, b: Expr) -> Expr:
    """The Kronecker product of any two shapes."""
    if a.is_scalar or b.is_scalar:
        return ex.mul(a, b)
    kind = a.shape.kind if a.shape.kind == b.shape.kind else MATRIX
    shape = Shape(kind, dim_mul(a.shape.rows, b.shape.rows), dim_mul(a.shape.cols, b.shape.cols))
    return ex.call("kron", (a, b), shape)


def dot_product(a: Expr, b: Expr) -> Expr:
    """x·y: the dot product of two vectors or rows, the product of anything else."""
    if a.shape.kind in (VECTOR, ROW) and b.shape.kind in (VECTOR, ROW):
        row = a if a.shape.kind == ROW else ex.transpose(a)
        return ex.mul(row, b if b.shape.kind == VECTOR else ex.transpose(b))
    return ex.mul(a, b)


def frobenius_product(a: Expr, b: Expr) -> Expr:
    """A:B = tr(A'B); the dot product of two vectors, the product of two scalars."""
    if a.shape.kind == MATRIX:
        return ex.call("tr", (ex.mul(ex.transpose(a), b),), ex.SCALAR_SHAPE)
    return dot_product(a, b)


_IN_DEFINITIONS = frozenset(
    [
        "number",
        "name",
        "add",
        "sub",
        "neg",
        "pos",
        "mul",
        "juxtapose",
        "div",
        "hadamard",
        "edivide",
        "dot",
        "power",
        "superscript",
        "epow",
        "bars",
        "norm",
        "call",
        "prefix",
    ]
)


def _read_definition(name: str, body: Parsed) -> tuple[Expr, Expr]:
    """The variable and the value of `f(t) = ...`, both scalars. The value speaks of t alone."""
    t = Declared(name, ex.SCALAR_SHAPE, (), "variable")
    inference = Inference(body, {name: t}, {})
    inference.run()
    for other in inference.names.keys() - {name}:
        raise NameProblem(
            f"`{other}` stands in a definition that is a function of `{name}` alone",
            tuple(Mark(n.start, n.end) for n in body.nodes if n.value == other),
            f"write numbers and `{name}` only",
            body.text,
        )
    for node in body.nodes:
        if node.kind not in _IN_DEFINITIONS or node.value in (*FILLED, *SIZED_CONSTANTS, "Σ"):
            raise SyntaxProblem(
                "a definition is made of numbers, its variable and elementwise functions",
                (Mark(node.start, node.end, "not elementwise"),),
                "as in `f(t) = t^2*exp(-t)`",
                body.text,
            )
    variable = ex.var(name, ex.SCALAR_SHAPE)
    return variable, build(body, Scope({name: variable}, {}, {}, {}, inference.constants))


def applied_entrywise(variable: Expr, body: Expr, argument: Expr) -> Expr:
    """A scalar expression in a scalar variable, for each entry of an argument of any shape."""
    if argument.is_scalar:
        return ex.substitute(body, {variable: argument})
    done: dict[Expr, Expr] = {variable: argument}
    for node in ex.postorder(body):
        args = tuple(done.get(a, a) for a in node.args)
        if node in done or all(a.is_scalar for a in args):
            done.setdefault(node, node)
        elif node.kind == ex.ADD:
            ones = ex.ones(argument.shape)
            done[node] = ex.add(*(ex.mul(a, ones) if a.is_scalar else a for a in args))
        elif node.kind == ex.MUL:
            done[node] = ex.hadamard(ex.num(node.coefficient), *args)
        elif node.op == "power":
            done[node] = ex.epower(*args)
        else:
            both = _broadcast(*args) if len(args) == 2 and node.op != "polygamma" else args
            done[node] = ex.call(node.op, both, argument.shape, *node.data[1:])
    value = done[body]
    return ex.mul(value, ex.ones(argument.shape)) if value.is_scalar else value


def unknown_function(name: str, order: int, argument: Expr) -> Expr:
    """f, f', f'', ... applied to each entry."""
    return ex.call("apply", (argument,), argument.shape, name, order)


def shape_text(shape: Shape) -> str:
    """A shape as a message names it: without sizes that are not known."""
    text = str(shape)
    return shape.kind if "?" in text else text


# --- building ---------------------------------------------------------------------------------------------------------


class Scope(NamedTuple):
    """What names mean while an expression is built. What has a default occurs in formulas that a user typed only."""

    values: Mapping[str, Expr]
    dims: Mapping[str, Dim]
    indices: Mapping[str, int | str | None]
    functions: Mapping[str, str]
    constants: Mapping[int, Dim]
    maps: Mapping[str, Shape] = {}
    ranges: Mapping[int, tuple[Dim, Dim]] = {}
    bound: Mapping[int, tuple[Dim, Dim] | None] = {}
    sizes: Collection[str] = ()
    filled: Mapping[int, Shape] = {}
    definitions: Mapping[str, tuple[Expr, Expr]] = {}


def _broadcast(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    if a.is_scalar and not b.is_scalar:
        return ex.mul(a, ex.ones(b.shape)), b
    if b.is_scalar and not a.is_scalar:
        return a, ex.mul(b, ex.ones(a.shape))
    return a, b


def build(parsed: Parsed, scope: Scope) -> Expr:
    """The expression of a syntax tree whose shapes are known to fit."""
    return build_nodes(parsed, parsed.nodes, scope)[id(parsed.root)]


def build_nodes(parsed: Parsed, nodes: Iterable[Syntax], scope: Scope) -> dict[int, Expr]:
    """The expressions of nodes of a syntax tree, given in an order in which children come first."""
    done: dict[int, Expr] = {}
    nodes = list(nodes)
    # `a + b + c` is one sum, made at its last sign: the sums on the way there are not worth their memory.
    inner = {id(n.args[0]) for n in nodes if n.kind in _SUMS and n.args[0].kind in _SUMS}
    for node in nodes:
        if node.kind in ("all", "rule", "equation", "binding") or id(node) in scope.ranges:
            continue
        if id(node) in inner:
            continue
        if node.kind in _SUMS:
            done[id(node)] = _sum(node, done)
            continue
        if node.kind == "call" and node.value in SIZED_CONSTANTS:
            done[id(node)] = _sized_constant(node, parsed.text, scope)
            continue
        done[id(node)] = _build_node(node, [done.get(id(a), ex.ZERO) for a in node.args], scope)
    return done


_SUMS = ("add", "sub")


def _sum(node: Syntax, done: Mapping[int, Expr]) -> Expr:
    """A sum or difference of any number of terms."""
    later: list[tuple[str, Expr]] = []
    while node.kind in _SUMS and id(node) not in done:
        later.append((node.kind, done[id(node.args[1])]))
        node = node.args[0]
    terms = [done[id(node)]]
    for kind, value in reversed(later):
        if terms[0].is_scalar and not value.is_scalar:
            terms = [ex.add(*terms)]
        terms[0], value = _broadcast(terms[0], value)
        terms.append(ex.neg(value) if kind == "sub" else value)
        if all(t.kind == ex.NUM for t in terms):
            terms = [ex.add(*terms)]
    return ex.add(*terms)


def _sized_constant(node: Syntax, text: str, scope: Scope) -> Expr:
    dims = [_dim_in(_dimension(a, text), scope) for a in node.args]
    shape = _sized_shape(str(node.value), dims, node, text)
    return {"eye": lambda s: ex.eye(s.rows), "ones": ex.ones, "zeros": ex.zeros}[str(node.value)](
        shape
    )


def _dim_in(dim: Dim, scope: Scope) -> Dim:
    if isinstance(dim, str):
        return scope.dims.get(dim, dim)
    if isinstance(dim, Poly):
        total: Dim = 0
        for monomial, count in dim.terms.items():
            product: Dim = 1
            for atom in monomial:
                product = dim_mul(product, _dim_in(atom, scope))
            total = dim_add(total, dim_scale(product, count))
        return total
    return dim


def _build_node(node: Syntax, args: list[Expr], scope: Scope) -> Expr:
    kind = node.kind
    if kind == "number":
        return ex.num(node.value)
    if kind == "name":
        return _build_name(node, scope)
    if kind in ("mul", "juxtapose"):
        return ex.mul(*args)
    if kind == "neg":
        return ex.neg(args[0])
    if kind == "pos":
        return args[0]
    if kind == "div":
        return ex.mul(args[0], ex.power(args[1], ex.num(-1)))
    if kind == "solve":
        return ex.mul(ex.inverse(args[0]), args[1])
    if kind == "hadamard":
        return ex.hadamard(*args)
    if kind == "edivide":
        return ex.hadamard(args[0], ex.epower(args[1], ex.num(-1)))
    if kind == "transpose":
        return ex.transpose(args[0])
    if kind == "inverse_transpose":
        return ex.transpose(ex.inverse(args[0]))
    if kind == "superscript":
        return ex.power(args[0], ex.num(node.value))
    if kind == "power":
        return ex.power(*args)
    if kind == "epow":
        return ex.epower(*args)
    if kind == "dot":
        return dot_product(*args)
    if kind == "frobenius":
        return frobenius_product(*args)
    if kind == "kronecker":
        return kronecker(*args)
    if kind == "bars":
        return apply_function("abs" if args[0].is_scalar else "det", (args[0],))
    if kind == "norm":
        return apply_function(norm_name(str(node.value or ""), args[0].shape.kind), (args[0],))
    if kind == "stack":
        return ex.stack(tuple(args), node.value[0])
    if kind == "index":
        return ex.index(args[0], *(_index_value(a, scope) for a in node.args[1:]))
    return _build_call(node, args, scope)


def _build_call(node: Syntax, args: list[Expr], scope: Scope) -> Expr:
    name = str(node.value)
    stem = name.rstrip("'")
    if stem in scope.definitions:
        return applied_entrywise(*scope.definitions[stem], args[0])
    if stem in scope.functions:
        return unknown_function(scope.functions[stem], len(name) - len(stem), args[0])
    if name in scope.maps:
        return ex.call("map", (args[0],), scope.maps[name], name)
    if node.args[0].kind == "binding":
        first, last = scope.ranges[id(node.args[0])]
        return ex.sum_over(str(node.args[0].value), resolve(first), resolve(last), args[1])
    if name in SIZES:
        shape = args[0].shape
        by_row = name == "rows" or (name == "len" and shape.kind == VECTOR)
        return ex.size(shape.rows if by_row else shape.cols)
    if name in FILLED:
        return ex.mul(args[0], ex.ones(scope.filled[id(node)]))
    if name == "d":
        return ex.diff(args[0])
    operator = OPERATOR_NAMES.get(name)
    if operator == "solve":
        return ex.mul(ex.inverse(args[0]), args[1])
    if operator == "dot":
        return dot_product(*args)
    if operator == "kronecker":
        return kronecker(*args)
    if operator == "outer":
        return ex.mul(args[0], ex.transpose(args[1]))
    if operator == "square":
        return ex.epower(args[0], ex.num(2))
    return apply_function(name, tuple(args), direction(node))


def _index_value(node: Syntax, scope: Scope) -> int | str | None:
    if node.kind == "all":
        return None
    if node.kind == "name":
        return scope.indices.get(str(node.value), str(node.value))
    value = _whole(node)
    assert value is not None
    return value


def _build_name(node: Syntax, scope: Scope) -> Expr:
    name = str(node.value)
    if id(node) in scope.bound:
        return ex.index_value(name)
    value = scope.values.get(name)
    if value is not None:
        return value
    if name == "π":
        return ex.PI
    if name in scope.sizes:
        return ex.size(name)
    size = scope.constants.get(id(node))
    if name in ("ones", "zeros") and size is not None:
        shape = ex.vector_shape(resolve(size))
        return ex.ones(shape) if name == "ones" else ex.zeros(shape)
    if name == "I" and size is not None:
        return ex.eye(resolve(size))
    found = _BASIS.fullmatch(name)
    if found is not None and size is not None:
        at = found.group(1)
        return ex.basis(int(at) if at.isdigit() else at, resolve(size))
    if name in scope.indices:
        return ex.ZERO  # used by its value in an index only
    if found is not None and found.group(1) in scope.indices:
        size_ = scope.dims["e_" + found.group(1)]
        at_ = scope.indices[found.group(1)]
        assert at_ is not None
        return ex.basis(at_, size_)
    if size is None and len(name) <= 2:
        return ex.ZERO  # an index or a size: read by the node above
    raise InternalError(f"the name {name} has no meaning here")


# --- the whole way ----------------------------------------------------------------------------------------------------

_POOL = ("n", "m", "p", "k", "r", "s", "l", "u", "v", "w")


def read(text: str, declared: Mapping[str, Declared] | None = None) -> Typed:
    """Parse an expression and find its shapes. Raises MatgradError with the characters at fault."""
    declared = declared or {}
    functions = {d.name for d in declared.values() if d.role != "variable"}
    parsed = parse(text, "expression", set(declared), functions)
    inference = _find_kinds(parsed, declared)
    return _finish(parsed, inference, declared)


def _find_kinds(parsed: Parsed, declared: Mapping[str, Declared]) -> Inference:
    attempts: list[dict[str, str]] = [{}]
    tried = 0
    first: MatgradError | None = None
    while attempts and tried < 200:
        kinds = attempts.pop()
        tried += 1
        for d in declared.values():
            for dim in (d.shape.rows, d.shape.cols):
                if isinstance(dim, DimVar):
                    dim.value = None
        inference = Inference(parsed, declared, kinds)
        try:
            inference.run()
            _check_sizes(inference, declared)
            return inference
        except _Flip as flip:
            attempts.append({**kinds, flip.name: SCALAR})
            attempts.append({**kinds, flip.name: VECTOR})
        except ShapeProblem as problem:
            first = first or problem
            for name in reversed(problem.names):
                if name not in kinds:
                    other = SCALAR if inference.names[name].kind == VECTOR else VECTOR
                    attempts.append({**kinds, name: other})
    assert first is not None
    raise first


def _check_sizes(inference: Inference, declared: Mapping[str, Declared]) -> None:
    """A size of 1 that only came about by unification speaks against the reading; an open size needs a word."""
    for name, shape in inference.names.items():
        if name not in declared and shape.kind != SCALAR:
            if shape.kind == MATRIX and 1 in (resolve(shape.rows), resolve(shape.cols)):
                here = next(n for n in inference.parsed.nodes if n.value == name)
                raise ShapeProblem(
                    f"`{name}` would have to be a matrix with one row or column",
                    (Mark(here.start, here.end, "matrix"),),
                    f"declare it: `--let '{name}: matrix(1, n)'`",
                    inference.text,
                    inference.open_names(inference.parsed.root),
                )
    named = {
        a
        for shape in inference.names.values()
        for d in (shape.rows, shape.cols)
        for a in dim_atoms(d)
    }
    whole = inference.shapes[id(inference.parsed.root)]
    named |= {a for d in (whole.rows, whole.cols) for a in dim_atoms(d)}
    for node in inference.parsed.nodes:
        size = inference.constants.get(id(node))
        basis_name = _BASIS.fullmatch(str(node.value)) if node.kind == "name" else None
        if size is not None and basis_name is not None:
            known, at = resolve(size), basis_name.group(1)
            if isinstance(known, int) and at.isdigit() and not 1 <= int(at) <= known:
                raise ShapeProblem(
                    f"there is no entry {at}",
                    (Mark(node.start, node.end, f"over {known}"),),
                    f"indices go from 1 to {known}",
                    inference.text,
                )
        if size is not None:
            loose = [a for a in dim_atoms(size) if isinstance(a, DimVar) and a not in named]
            if loose:
                word = str(node.value)
                help = "write `eye(n)`" if word == "I" else f"declare `{word}` or what it meets"
                raise ShapeProblem(
                    f"nothing here says how large `{word}` is",
                    (Mark(node.start, node.end),),
                    help,
                    inference.text,
                )


def _finish(parsed: Parsed, inference: Inference, declared: Mapping[str, Declared]) -> Typed:
    taken = (
        {
            atom
            for d in declared.values()
            for dim in (d.shape.rows, d.shape.cols)
            for atom in dim_atoms(dim)
            if isinstance(atom, str)
        }
        | set(inference.names)
        | inference.size_names
    )
    for node in parsed.nodes:
        if node.kind == "call" and node.value in SIZED_CONSTANTS:
            taken |= {a for arg in node.args for a in _names_below(arg)}
    order = sorted(
        inference.names.values(),
        key=lambda s: s.kind != MATRIX or resolve(s.rows) == resolve(s.cols),
    )
    for shape in order:
        free = [d for d in (resolve(shape.rows), resolve(shape.cols)) if isinstance(d, DimVar)]
        if len(free) == 2 and free[0] is not free[1]:
            _name_size(free[0], ("m", *_POOL), taken)
            _name_size(free[1], _POOL, taken)
        else:
            for cell in free[:1]:
                _name_size(cell, _POOL, taken)
    for shape in [*inference.shapes.values()]:
        for dim in (shape.rows, shape.cols):
            for atom in dim_atoms(dim):
                if isinstance(atom, DimVar) and atom.value is None:
                    _name_size(atom, _POOL, taken)
    values: dict[str, Expr] = {}
    for name, shape in inference.names.items():
        final = _final(shape)
        known = declared.get(name)
        values[name] = ex.var(name, final, known.properties if known else ())
    functions = {d.name: d.name for d in declared.values() if d.role == "elementwise"}
    definitions = {
        d.name: _read_definition(*d.definition) for d in declared.values() if d.definition
    }
    maps = {d.name: _final(d.shape) for d in declared.values() if d.role == "map"}
    filled = {
        id(n): _final(inference.shapes[id(n)])
        for n in parsed.nodes
        if n.kind == "call" and n.value in FILLED
    }
    scope = Scope(
        values,
        {},
        {},
        functions,
        inference.constants,
        maps,
        inference.ranges,
        inference.bound,
        inference.size_names,
        filled,
        definitions,
    )
    result = build(parsed, scope)
    assumed = tuple(name for name in values if name not in declared)
    notes = tuple(
        dict.fromkeys([*parsed.notes, *inference.notes, *_entrywise_notes(parsed, inference)])
    )
    return Typed(result, values, tuple(functions), assumed, notes, parsed.text, tuple(maps.items()))


_OF_MATRICES = {
    "exp": "expm",
    "log": "logm",
    "ln": "logm",
    "sqrt": "sqrtm",
    "sin": "sinm",
    "cos": "cosm",
}


def _entrywise_notes(parsed: Parsed, inference: Inference) -> list[str]:
    """That `exp(X)` works entry by entry, where X is square and the function has a matrix namesake."""
    notes = []
    for node in parsed.nodes:
        if node.kind in ("call", "prefix") and node.value in _OF_MATRICES:
            shape = _final(inference.shapes[id(node)])
            if shape.kind == MATRIX and shape.rows == shape.cols:
                other = _OF_MATRICES[str(node.value)]
                notes.append(
                    f"`{node.value}` works entry by entry; the matrix function is `{other}`"
                )
    return notes


def _final(shape: Shape) -> Shape:
    return Shape(shape.kind, resolve(shape.rows), resolve(shape.cols))


def _names_below(node: Syntax) -> list[str]:
    return [str(n.value) for n in walk(node) if n.kind == "name"]


def _name_size(cell: DimVar, pool: tuple[str, ...], taken: set[str]) -> None:
    for name in pool:
        if name not in taken:
            break
    else:
        number = 1
        while f"n{number}" in taken:
            number += 1
        name = f"n{number}"
    taken.add(name)
    cell.value = name
