"""Syntax tree to typed expression: names get kinds, dimensions are found by unification, mismatches are explained.

Two passes over the tree, both plain loops: `Inference` finds every shape, `build` makes the expression. The formulas
of the tables go through `build` alone, with the shapes of what their names are bound to.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from matgrad import expr as ex
from matgrad import maps
from matgrad.definitions import (
    Defined,
    applied_entrywise,
    broadcast,
    definitions_in,
    unknown_function,
)
from matgrad.dims import (
    Dim,
    DimVar,
    Poly,
    dim_add,
    dim_atoms,
    dim_difference,
    dim_div,
    dim_mul,
    dim_parts,
    dim_scale,
    dim_substituted,
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
    CONSTANTS,
    DIRECTIONS,
    FILLED,
    NEED_DIRECTION,
    OPERATOR_NAMES,
    SIZED_FUNCTIONS,
    SIZES,
    TABLE,
    Function,
)
from matgrad.parse import (
    GREEK,
    Parsed,
    Syntax,
    canonical_name,
    parse,
    plain_text,
    walk,
    without_unknown,
)
from matgrad.slips import CALLS, KEYWORDS, calls_meant, declarations_meant, find, other_name
from matgrad.slips import KINDS as KINDS_ELSEWHERE

ARRAY = "array"
IDENTITIES = ("I", "eye")  # without a size, too
FILLED_NAMES = ("ones", "zeros")  # without a size: as large as where they stand
MAX_POWER = 10_000
MAX_PRODUCT = 20_000
MAX_SUM = 20_000
MAX_KRONECKER = 30
MAX_NESTED_STACKS = 50
MAX_PROBLEMS = 20  # that are told at once
MAX_NESTED_POWERS = (
    30  # with exponents that are not numbers: such a tower's derivative grows as its square
)
MAX_SIZE = 1_000_000
MAX_NAME = 30  # letters of a name that is told whole
MAX_TOLD = 80  # characters of a text that is offered as a repair

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
# What a user may declare; the tables have some more, such as `array`.
KINDS = (
    "scalar",
    "vector",
    "row",
    "matrix",
    *_SQUARE_PROPERTIES,
    "positive",
    "nonzero",
    "integer",
    "elementwise",
)
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
    """A typed expression, its variables by name, what matgrad assumed to read it, and what declarations it has no use for."""

    expr: Expr
    variables: dict[str, Expr]
    functions: tuple[str, ...]
    assumed: tuple[str, ...]  # names whose kind was not declared
    notes: tuple[str, ...]
    text: str
    maps: tuple[tuple[str, Shape, Shape], ...] = ()
    """Unknown functions of whole values, and the shapes of their values and arguments."""
    definitions: tuple[Defined, ...] = ()
    """Defined functions that stand in the expression."""
    unused: tuple[str, ...] = ()
    """Declared names that the expression does not have."""
    declared: Mapping[str, Declared] = MappingProxyType({})
    """The declarations that it was read with."""


# --- declarations -----------------------------------------------------------------------------------------------------


def declare(text: str) -> Declared:
    """Read a declaration such as `X: matrix(m, n)` or `S: symmetric`. Its names, and a formula, may be LaTeX."""
    if "\\" in text or "$" in text:
        text = _plain_declaration(text)
    head = re.split(r"[:(=]", text, maxsplit=1)[0].strip()
    try:
        parsed = _parsed_declaration(text, canonical_name(head))
    except SyntaxProblem as problem:
        raise SyntaxProblem(
            "this is not a declaration",
            problem.marks,
            _declaration_meant(text)
            or "a declaration is a name, a colon and a kind, as in `x: vector(n)` or `f: elementwise`",
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
    try:
        return _declaration(root, text)
    except NameProblem as problem:
        problem.help = _declaration_meant(text) or problem.help
        raise


def _declaration_meant(text: str) -> str:
    """The declarations that may be meant by a text that is none, if they are declarations."""
    for meant in declarations_meant(text):
        if all(map(_is_declaration, meant)):
            return "write `" + " ".join(f"--let '{m}'" for m in meant) + "`"
    return ""


def _is_declaration(text: str) -> bool:
    try:
        parsed = parse(text, "declaration", {canonical_name(re.split(r"[:(=]", text)[0].strip())})
        return parsed.root.kind == "definition" or bool(_declaration(parsed.root, text))
    except MatgradError:
        return False


@functools.lru_cache(maxsize=1000)
def _parsed_declaration(text: str, name: str) -> Parsed:
    """The syntax tree of a declaration of a name: many expressions have the same ones."""
    return parse(text, "declaration", {name})


def declare_all(texts: Iterable[str]) -> dict[str, Declared]:
    """The declarations of a user, by name. Raises the first of what is wrong with them, with the others."""
    declared: dict[str, Declared] = {}
    written: dict[str, str] = {}
    problems: list[MatgradError] = []
    for text in texts:
        d = _declare_kind(text)
        if isinstance(d, Declared) and d.name in declared:
            start = len(text) - len(text.lstrip())
            end = start + len(re.split(r"[\s:(]", text[start:], maxsplit=1)[0])
            d = NameProblem(
                f"`{d.name}` is declared twice",
                (Mark(start, end, "declared before"),),
                "keep one of the two declarations",
                text,
            )
        if isinstance(d, Declared):
            declared[d.name], written[d.name] = d, text
        else:
            problems.append(d)
    if problems:
        problems[0].others = tuple(problems[1:MAX_PROBLEMS])
        raise problems[0]
    for d in declared.values():
        sizes = [n for s in (d.shape, d.argument) if s is not None for n in s[1:]]
        for name in (str(atom) for n in sizes for atom in dim_atoms(n)):
            if name in declared and "integer" not in declared[name].properties:
                raise NameProblem(
                    f"`{name}` is a size in `{written[d.name].strip()}`",
                    (Mark(0, len(written[name].rstrip())),),
                    text=written[name],
                    help=f"leave this declaration out, or write `{name}: integer`",
                )
    return declared


def _declare_kind(text: str) -> Declared | MatgradError:
    """The declaration of a user, whose kinds are those for users, or what is wrong with it."""
    try:
        d = declare(text)
    except MatgradError as problem:
        return problem
    words = re.findall(r"(?::|\bof\b)\s*([A-Za-z]+)", text) if d.role != "definition" else []
    for word in words:
        if word not in KINDS:
            return NameProblem(f"`{word}` is not a kind of value", text=text, help=_KINDS_HELP)
    return d


def read_with(text: str, declarations: Sequence[str]) -> Typed:
    """A typed expression with these declarations. Raises MatgradError: what is wrong with them and with the text."""
    try:
        declared = declare_all(declarations)
    except MatgradError as problem:
        problem.others += _wrong_beside(text, declarations)
        raise
    return read(text, declared)


def _wrong_beside(text: str, declarations: Sequence[str]) -> tuple[MatgradError, ...]:
    """What is wrong with an expression whatever the declarations mean that cannot be read."""
    declared: dict[str, Declared] = {}
    missing: set[str] = set()
    for line in declarations:
        d = _declare_kind(line)
        if isinstance(d, Declared):
            declared[d.name] = d
        else:
            missing.update(map(canonical_name, re.findall(r"[^\W\d]\w*", line)))
    try:
        interpret(parse_with(text, declared), declared)
    except (SyntaxProblem, NameProblem) as problem:
        found = (problem, *problem.others)
        return tuple(
            p
            for p in found
            if isinstance(p, SyntaxProblem | NameProblem)
            and not missing & {canonical_name(text[m.start : m.end]) for m in p.marks}
        )
    except MatgradError:
        pass
    return ()


_KINDS_HELP = (
    "the kinds are scalar, vector(n), matrix(m, n), symmetric(n),"
    " spd(n), diagonal(n), positive, integer, elementwise"
)


def _plain_declaration(text: str) -> str:
    """A declaration in matgrad's own spelling: the name, the variable of a definition and its formula are LaTeX."""
    found = re.fullmatch(r"([^:(=]*)(?:\(([^)=:]*)\))?(\s*[:=])(.*)", text, re.DOTALL)
    if found is None:
        return text
    name, variable, sign, rest = found.groups()
    inside = f"({plain_text(variable).strip()})" if variable is not None else ""
    return f"{plain_text(name).strip()}{inside}{sign}{plain_text(rest) if '=' in sign else rest}"


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

    if word == "elementwise" and dims:
        raise ShapeProblem(
            "`elementwise` takes no size",
            (Mark(kind.start, kind.end),),
            f"write `{name}: elementwise`: it is applied to each entry of a value of any size",
            text,
        )
    if word in ("scalar", "whole", "integer") or (
        word in ("positive", "nonzero", "constant") and not dims
    ):
        if dims:
            raise ShapeProblem(
                f"`{word}` takes no size",
                (Mark(kind.start, kind.end),),
                f"write `{name}: {word}`, or `{name}: vector({dim_text(dims[0])})` for several numbers",
                text,
            )
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
    elif word == "orthogonal" and len(dims) == 2 and dims[0] != dims[1]:
        m, n = dims
        if isinstance(m, int) and isinstance(n, int) and m < n:
            raise ShapeProblem(
                f"no matrix of {m} rows has {n} orthonormal columns",
                (Mark(kind.start, kind.end),),
                f"write `orthogonal({n}, {m})`",
                text,
            )
        shape = ex.matrix_shape(m, n)
        properties = ("orthonormal",)
    elif word in _SQUARE_PROPERTIES:
        dims = list(dict.fromkeys(dims)) if word == "orthogonal" else dims
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
        begun = [k for k in KINDS if len(word) > 2 and k.startswith(word.lower())]
        close = KINDS_ELSEWHERE.get(word.lower()) or (begun[0] if begun else _closest(word, KINDS))
        raise NameProblem(
            f"`{word}` is not a kind of value",
            (Mark(kind.start, kind.start + len(word), "unknown kind"),),
            f"did you mean `{close}`?" if close else _KINDS_HELP,
            text,
        )
    return Declared(name, shape, properties, role)


def _dimension(
    node: Syntax, text: str, what: str = "size", known: Mapping[int, Dim] | None = None
) -> Dim:
    """A size, or a bound of an index, written as an expression: numbers, names, sums, differences and products.

    `known` has what `len(x)`, `rows(X)` and `cols(X)` in it are.
    """
    values: dict[int, Dim] = {}
    for item in reversed(_size_nodes(node)):
        if known is not None and id(item) in known and item.kind == "call":
            values[id(item)] = resolve(known[id(item)])
            continue
        if item.kind == "call":
            raise _not_a_dimension(item, text, what)
        parts = [values[id(a)] for a in item.args]
        if item.kind == "number" and item.value.denominator == 1:
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
        elif item.kind == "sub":
            values[id(item)] = dim_add(parts[0], dim_mul(-1, parts[1]))
        elif item.kind == "neg" and what != "size":
            values[id(item)] = dim_mul(-1, parts[0])
        elif item.kind in ("mul", "juxtapose"):
            values[id(item)] = dim_mul(*parts)
        elif item.kind == "div" and isinstance(parts[1], int) and _divisible(parts[0], parts[1]):
            values[id(item)] = dim_div(parts[0], parts[1])
        else:
            raise _not_a_dimension(item, text, what)
    value = values[id(node)]
    if what == "size" and isinstance(value, int) and value < 1:
        raise _not_a_dimension(node, text, what)
    return value


def _not_a_dimension(node: Syntax, text: str, what: str) -> ShapeProblem:
    if what == "size":
        return ShapeProblem(
            "a size is a positive whole number or a name",
            (Mark(node.start, node.end, "not a size"),),
            "write, for example, `vector(3)` or `matrix(m, n)`",
            text,
        )
    return ShapeProblem(
        f"a {what} of an index is made of whole numbers and names",
        (Mark(node.start, node.end),),
        "write, for example, `sum(i=1:n, ...)` or `sum(i=0:k-1, ...)`",
        text,
    )


def _size_nodes(node: Syntax) -> list[Syntax]:
    """The nodes of a size, parents first; `rows(X)` is one of them, and X is none."""
    found = []
    todo = [node]
    while todo:
        item = todo.pop()
        found.append(item)
        if item.kind != "call":
            todo.extend(reversed(item.args))
    return found


def _size_arguments(node: Syntax) -> list[Syntax]:
    """The arguments of a call that are sizes: `m, n` in `unvec(a, m, n)`."""
    if node.kind != "call":
        return []
    if node.value in CONSTANTS:
        return node.args
    return node.args[SIZED_FUNCTIONS[node.value] :] if node.value in SIZED_FUNCTIONS else []


def _divisible(dim: Dim, k: int) -> bool:
    """Whether a size divided by a number can be a size: n(n + 1)/2 can, 1/2 and n/2 cannot be known to."""
    if isinstance(dim, int):
        return dim % k == 0
    return isinstance(dim, Poly)


class Signature(NamedTuple):
    """The parameters of a function, the shape of its value, the property that each parameter should have, or "", and the
    names of sizes given as arguments."""

    parameters: tuple[tuple[str, Shape], ...]
    result: Shape
    properties: tuple[str, ...]
    sizes: tuple[str, ...]


@functools.cache
def signature(op: str) -> Signature:
    """The signature of a function of the table, read from its text."""
    return _read_signature(TABLE[op].signature)


@functools.cache
def _constant_signatures(name: str) -> tuple[Signature, ...]:
    """The signatures of a sized constant, one for each number of sizes."""
    return tuple(map(_read_signature, CONSTANTS[name].signatures))


def _read_signature(text: str) -> Signature:
    root = parse(text, "signature").root
    arguments = root.args[0].args
    parameters = [_declaration(d, text) for d in arguments if d.args[0].value != "size"]
    sizes = [str(d.value) for d in arguments if d.args[0].value == "size"]
    result = _declaration(Syntax("declaration", [root.args[1]], 0, 0, "value"), text)
    return Signature(
        tuple((p.name, p.shape) for p in parameters),
        result.shape,
        tuple(p.properties[0] if p.properties else "" for p in parameters),
        tuple(sizes),
    )


def size_values(e: Expr) -> dict[str, Dim]:
    """The sizes that a call was given as arguments, by their names in the signature."""
    sig = signature(e.op)
    found = {sig.result.rows: e.shape.rows, sig.result.cols: e.shape.cols}
    return {name: found[name] for name in sig.sizes}


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


_PRODUCTS = (
    "mul", "juxtapose", "div", "solve", "hadamard", "edivide", "dot", "frobenius", "kronecker",
)  # fmt: skip


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
        self.beside_numbers: set[int] = set()  # what a scalar is added to
        self.current: Syntax | None = None  # the node that is given a shape now
        self.products: list[
            tuple[Dim, ...]
        ] = []  # sizes m*n that functions made, each with m and n
        self.integers: dict[str, None] = {}  # undeclared names that are exponents of matrices
        self.bounds: dict[str, None] = {}  # undeclared names that are bounds of an index
        self.parameters: Mapping[str, tuple[str, ...]] = {}  # of definitions
        self.bound_names: tuple[str, ...] = ()  # the variable of a definition
        self.krons: dict[int, int] = {}  # how many factors a Kronecker product has
        self.towers: dict[int, int] = {}  # how deep powers stand in each other
        self.counts: dict[int, int] = {}  # factors of a product, terms of a sum, depth of a stack
        self.ranges: dict[int, tuple[Dim, Dim]] = {}
        self.limits: dict[
            int, tuple[Dim, Dim]
        ] = {}  # the smallest and the largest value of an index
        # Names that are an index there: their binding, or None for one that stays open.
        self.bound: dict[int, Syntax | None] = {}
        self.spread: set[int] = set()  # sums in which a scalar was spread over a vector
        self.index_items: set[int] = set()  # what stands between `[` and `]` behind a value
        self.bound_basis: dict[int, Syntax] = {}  # e_i within a sum over i, and its binding
        ranging: dict[int, set[str]] = {}  # the indices of the sums around a name
        for node in parsed.nodes:
            if node.kind == "call" and len(node.args) == 2 and node.args[0].kind == "binding":
                index = node.args[0].value
                for item in walk(node.args[1]):
                    if item.kind == "name" and "_" in item.value and item.value not in declared:
                        ranging.setdefault(id(item), set()).add(str(index))
                    if item.kind == "name" and item.value == index:
                        self.bound.setdefault(id(item), node.args[0])
                    elif item.kind == "name" and item.value == f"e_{index}":
                        self.bound_basis.setdefault(id(item), node.args[0])
        for node in parsed.nodes:
            self.refuse_subscript(node, ranging.get(id(node), set()))
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
            self.size_names |= _size_names(node) - declared.keys()
            if node.kind == "binding":
                names = [i for a in node.args for i in _size_nodes(a) if i.kind == "name"]
                free = [
                    str(i.value)
                    for i in names
                    if i.value not in declared and id(i) not in self.bound
                ]
                self.size_names.update(free)
                self.bounds.update(dict.fromkeys(free))
            if node.kind == "index":
                for item in node.args[1:]:
                    self.index_items.add(id(item))
                    if item.kind == "name":
                        self.bound.setdefault(id(item), None)
        # What is transposed is a vector: a scalar is never transposed on paper.
        self.transposed = {
            str(a.value)
            for node in parsed.nodes
            for a in node.args[:1]
            if (node.kind == "transpose" or (node.kind == "call" and node.value == "transpose"))
            and a.kind == "name"
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
            name
            for n in parsed.nodes
            for a in (n.args if n.kind in ("power", "superscript") else n.args[1:])
            if n.kind in ("power", "superscript", "div")
            for name in _arithmetic_names(a, n.kind == "power" and a is not n.args[0])
        }

    def run(self) -> None:
        """Find every shape, or raise what is wrong: the first problem, with the `others`.

        A node with a problem has no shape, and what is made of it is passed over, so that one slip is told once.
        """
        problems: list[MatgradError] = []
        for node in self.parsed.nodes:
            if any(id(a) not in self.shapes for a in node.args):
                continue
            self.current = node
            try:
                if node.kind in _PRODUCTS:
                    self.refuse_bare_call(node)
                self.limit_towers(node)
                self.shapes[id(node)] = getattr(self, node.kind)(node)
            except MatgradError as problem:
                same = [p for p in problems if p.message == problem.message]
                if isinstance(problem, NameProblem) and same:
                    same[0].marks += tuple(m._replace(label="") for m in problem.marks)
                elif problem.marks not in [p.marks for p in same]:
                    problems.append(problem)
                if len(problems) + sum(len(p.marks) for p in same[:1]) >= MAX_PROBLEMS:
                    break
        if problems:
            # A wrong name or an unclear argument stays wrong whatever kinds the names have: it comes first.
            problems.sort(key=lambda p: isinstance(p, ShapeProblem))
            problems[0].others = tuple(problems[1:])
            raise problems[0]

    # helpers

    def binding(self, node: Syntax) -> Shape:
        """The range of `i = 1:n`."""
        if len(node.args) != 2:
            slip = find(self.text, node.start)  # `axis=1`
            if slip is not None:
                mark = Mark(slip.start, slip.end)
                problem = SyntaxProblem(slip.message, (mark,), slip.help, self.text)
                problem.repairs = (slip.repairs,)
                raise problem
            raise SyntaxProblem(
                "a range has the form `1:n`",
                (Mark(node.args[0].start, node.args[0].end),),
                "write `sum(i=1:n, ...)`",
                self.text,
            )
        for a in node.args:
            self.need_sizes(a)
        first, last = (_dimension(a, self.text, "bound", self.constants) for a in node.args)
        if isinstance(first, int) and isinstance(last, int) and first > last:
            raise ShapeProblem(
                f"there is no number from {first} up to {last}",
                (Mark(node.args[0].start, node.args[1].end, "an empty range"),),
                f"write the smaller number first: `{node.value}={last}:{first}`",
                self.text,
            )
        self.ranges[id(node)] = (first, last)
        self.limits[id(node)] = (self.extreme(node, first, 0), self.extreme(node, last, 1))
        return ex.SCALAR_SHAPE

    def need_sizes(self, node: Syntax) -> None:
        """That no declared name in a size or a bound is something else than an integer."""
        for item in _size_nodes(node):
            known = self.declared.get(str(item.value)) if item.kind == "name" else None
            if known is not None and not {"integer", "whole"} & set(known.properties):
                raise ShapeProblem(
                    f"`{item.value}` is not an integer",
                    (Mark(item.start, item.end, shape_text(known.shape)),),
                    f"declare it: `--let '{item.value}: integer'`",
                    self.text,
                )

    def extreme(self, node: Syntax, bound: Dim, side: int) -> Dim:
        """The smallest (`side` 0) or largest (1) value of a bound, which may speak of an index around it."""
        outer = {
            str(item.value): limits
            for a in node.args
            for item in _size_nodes(a)
            if (limits := self.limits.get(id(self.bound.get(id(item))))) is not None
        }
        if not outer or isinstance(bound, int):
            return bound
        total: Dim = 0
        for monomial, count in bound.terms.items() if isinstance(bound, Poly) else [((bound,), 1)]:
            product: Dim = 1
            for atom in monomial:
                least_and_most = outer.get(str(atom), (atom, atom))
                product = dim_mul(product, least_and_most[side if count > 0 else 1 - side])
            total = dim_add(total, dim_scale(product, count))
        return total

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
        left, right = dim_difference(a, b)
        for one, other in ((left, right), (right, left)):
            if isinstance(one, DimVar):
                return other != 0 and self.unify(one, other)
            if isinstance(one, Poly) and isinstance(other, int) and len(one.terms) == 1:
                ((factors, count),) = one.terms.items()
                if len(factors) == 1 and other and other % count == 0:
                    return self.unify(factors[0], int(other / count))  # 2n = 6
        return self.unify_parts(left, right)

    def unify_parts(self, a: Dim, b: Dim) -> bool:
        """Make two sums or products equal part by part: m + n = p + q is read as m = p, n = q.

        Other solutions exist, and this is the one that block matrices and `vec(X)'*vec(A)` mean. It is noted.
        """
        pairs: list[tuple[Dim, Dim]] = []
        one, other = dim_parts(a), dim_parts(b)
        if len(one) != len(other) or not any(
            isinstance(x, DimVar) for x in dim_atoms(a) + dim_atoms(b)
        ):
            return False
        for (factors, count), (others, also) in zip(one, other, strict=True):
            if count != also or len(factors) != len(others):
                return False
            pairs.extend(zip(self.in_order(factors), self.in_order(others), strict=True))
        powers = len(one) == 1 and len(set(one[0][0])) == len(set(other[0][0])) == 1
        if self.current is not None and not powers:  # n n = d d leaves no other way
            self.notes.append(
                f"the sizes in `{self.source(self.current)}` are taken to agree part by part"
            )
        return all(self.unify(x, y) for x, y in pairs)

    def in_order(self, factors: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """The factors of a size m*n with the one that counts slower first, as `vec` and `kron` made it."""
        product: Dim = 1
        for factor in factors:
            product = dim_mul(product, factor)
        for made, *parts in self.products:
            if resolve(made) == product and len(parts) == len(factors):
                return tuple(parts)
        return factors

    def source(self, node: Syntax) -> str:
        """The text of a node, without brackets around it."""
        text = self.text[node.start : node.end].strip()
        if node.grouped and text.startswith("(") and text.endswith(")"):
            text = text[1:-1].strip()
        return " ".join(text.split())

    def replaced(self, node: Syntax, text: str) -> str:
        """The whole text with another one for a node."""
        return self.text[: node.start] + text + self.text[node.end :]

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
        if name in FILLED_NAMES:
            size = DimVar("n")
            self.constants[id(node)] = size
            return ex.vector_shape(size)
        if name in IDENTITIES:
            size = DimVar("n")
            self.constants[id(node)] = size
            return ex.matrix_shape(size, size)
        if name == "π":
            return ex.SCALAR_SHAPE
        found = _BASIS.fullmatch(name)
        if found is not None and found.group(1).strip("0") == "":
            raise ShapeProblem(
                f"there is no entry {found.group(1)}",
                (Mark(node.start, node.end, "under 1"),),
                "indices go from 1: the first basis vector is `e_1`",
                self.text,
            )
        if found is not None:
            size = DimVar("n")
            self.constants[id(node)] = size
            limits = self.limits.get(id(self.bound_basis.get(id(node))))
            if limits is not None:
                self.unify(size, limits[1])
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

    def local_name(self, node: Syntax) -> Shape:
        """A name that stands for a formula behind `where`."""
        return self.shapes[id(node.args[0])]

    def unknown_name(self, node: Syntax, name: str) -> NameProblem:
        slip = find(self.text, node.start)
        if slip is not None:
            mark = Mark(slip.start, slip.end)
            problem = NameProblem(slip.message, (mark,), slip.help, self.text)
            problem.repairs = (slip.repairs,)
            return problem
        mark = Mark(node.start, node.end, "unknown name")
        known = (*BY_NAME, *GREEK, *(d for d in self.declared if len(d) > 2))
        close = _closest(name, known) if 2 < len(name) <= MAX_NAME else None
        product = "*".join(name) if name.isalpha() and len(name) <= MAX_NAME else name
        kind = "matrix" if name[0].isupper() else "vector"
        shown = _cut(name)
        help = f"write `{product}` for a product, or declare it: `--let '{name}: {kind}'`"
        if product == name:
            help = (
                f"declare it: `--let '{name}: {kind}'`"
                if shown == name
                else "declare it, or write `*` between the factors"
            )
        if close and close != name:
            what = "the function " if close in BY_NAME and close not in self.declared else ""
            help = f"did you mean {what}`{close}`? Otherwise {help}"
        elif name in BY_NAME:
            help = (
                f"`{name}` is a function: write `{name}(...)`, or declare a variable of that name"
            )
        elif name in KEYWORDS:
            help = "give the mathematical expression alone; a sum over an index is `sum(i=1:n, x[i]^2)`"
        problem = NameProblem(f"`{shown}` is not a known name", (mark,), help, self.text)
        if "T" in name[1:-1] and len(name) <= MAX_NAME:  # `xTAx`
            parts = [" ".join(part) for part in name.split("T")]
            if all(parts):
                turned = "'".join(parts)
                problem.repairs = ((self.replaced(node, turned),),)
        return problem

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

    def refuse_subscript(self, node: Syntax, indices: set[str]) -> None:
        """`x_i` in a sum over i is a variable of its own, and entry i of x is what is meant."""
        if not indices:
            return
        stem, _, subscript = str(node.value).partition("_")
        if stem != "e" and set(subscript) <= indices and len(subscript) <= 2:
            entry = f"{stem}[{','.join(subscript)}]"
            raise NameProblem(
                f"`{node.value}` in a sum over `{subscript[0]}` is no entry of `{stem}`",
                (Mark(node.start, node.end, "a variable of its own"),),
                f"write `{entry}` for the entry; declare `{node.value}`, if it is a variable",
                self.text,
            )

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
        for one, other in ((a, b), (b, a)):
            # `ones` and `zeros` alone are of any shape: that of their neighbour.
            if one.kind == "name" and one.value in FILLED_NAMES and id(one) in self.constants:
                if self.shape(other).kind in (MATRIX, ROW):
                    shape = self.shapes[id(one)] = self.shape(other)
                    self.constants[id(one)] = dim_add(shape.rows, shape.cols)
        s, t = self.shape(a), self.shape(b)
        if s.kind == SCALAR or t.kind == SCALAR:
            if s.kind != t.kind and node.kind in ("add", "sub"):
                scalar, other = (a, b) if s.kind == SCALAR else (b, a)
                self.beside_numbers.add(id(other))
                if self.shape(other).kind == MATRIX:
                    self.refuse_forced_scalar(scalar, other)
                    square = self.shape(other).rows == self.shape(other).cols
                    perhaps = f"; for a multiple of I write `{self.source(scalar)}*I`"
                    self.notes.append(
                        f"`{self.source(scalar)}` is added to every entry of "
                        f"`{self.source(other)}`{perhaps if square else ''}"
                    )
                elif scalar.kind not in ("number", "name") and id(other) not in self.spread:
                    verb = "subtracted from" if (node.kind, scalar) == ("sub", b) else "added to"
                    self.notes.append(
                        f"`{self.source(scalar)}` is {verb} every entry of "
                        f"`{self.source(other)}`{self.lone_vector_hint(other, scalar)}"
                    )
                    self.spread.add(id(node))
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

    def number_hint(self, node: Syntax, kind: str) -> str:
        """That an undeclared name could be declared a number."""
        if node.kind != "name" or node.value in self.declared:
            return ""
        return f"; if `{node.value}` is a number, declare it: `--let '{node.value}: {kind}'`"

    def lone_vector_hint(self, node: Syntax, scalar: Syntax) -> str:
        """That the one undeclared name which makes a node a vector may be a number: n in `n/2*log(2*pi)`."""
        known = {n.value for n in walk(scalar) if n.kind == "name"}
        names = [n for n in walk(node) if n.kind == "name" and self.shape(n).kind != SCALAR]
        hints = {self.number_hint(n, "scalar") if n.value not in known else "" for n in names}
        return hints.pop() if len(hints) == 1 else ""

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
        self.limit_parts(node, "a product", "factors", MAX_PRODUCT)
        s, t = self.shape(a), self.shape(b)
        if s.kind in (MATRIX, ROW) and t.kind == SCALAR:
            self.prefer_vector(b)
        if s.kind == SCALAR or t.kind == SCALAR:
            return t if s.kind == SCALAR else s
        return self.product(a, b, s, t)

    def juxtapose(self, node: Syntax) -> Shape:
        a, b = node.args
        if b.kind == "number" and not b.grouped:
            x, y = self.source(a), self.source(b)
            raise SyntaxProblem(
                "a number stands behind a factor",
                (Mark(node.start, node.end),),
                f"write `{x}*{y}` for a product"
                + (f", or `[{x}, {y}]` for two entries" if "[" in self.text else ""),
                self.text,
            )
        if b.kind == "stack" and len(b.args) == 1 and b.args[0].kind in ("number", "name"):
            x, y = self.source(a), self.source(b)
            raise SyntaxProblem(
                f"a blank stands between `{x}` and `{y}`",
                (Mark(node.start, node.end),),
                f"write `{_tight(x)}{y}` for an entry, or `{x}*{y[1:-1].strip()}` for a product",
                self.text,
            )
        if a.kind == "transpose" and a.args[0].value in tuple("fghφψσ") and b.kind == "name":
            name = a.args[0].value
            if b.grouped and name not in self.declared:
                self.notes.append(
                    f"`{self.source(node)}` is read as a product; for the derivative of an unknown function"
                    f" declare it: `--let '{name}: elementwise'`"
                )
        return self.mul(node)

    def refuse_bare_call(self, node: Syntax) -> None:
        """`tr A B` could mean two things, in `2 tr A B` too; ask for brackets."""
        inner, other = node.args
        while inner.kind in (*_PRODUCTS, "neg", "pos") and not inner.grouped:
            inner = inner.args[-1]
        if inner.kind != "prefix" or inner.grouped:
            return
        if other.kind in ("prefix", "call"):
            return
        names = [str(inner.value)]
        while inner.args[0].kind == "prefix" and not inner.args[0].grouped:
            inner = inner.args[0]
            names.append(str(inner.value))
        argument, after = self.source(inner.args[0]), self.source(other)
        sign = (
            " " if node.kind == "juxtapose" else self.text[node.args[0].end : other.start].strip()
        )
        both = f"{' '.join(names)}({argument}{sign}{after})"
        sign = sign.replace(" ", "*")
        alone = f"{' '.join(names)}({argument})"
        alone = f"({alone})" if len(names) > 1 else alone
        raise SyntaxProblem(
            f"it is not clear where the argument of `{names[-1]}` ends",
            (Mark(inner.start, node.end),),
            f"write `{both}` or `{alone}{sign}{after}`",
            self.text,
        )

    def product(self, a: Syntax, b: Syntax, s: Shape, t: Shape, sign: str = "*") -> Shape:
        x, y = self.operand(a), self.operand(b)
        if s.kind == t.kind == VECTOR:
            problem = self.problem(
                "two column vectors cannot be multiplied",
                a,
                b,
                help=f"write `{_tight(x)}'*{y}` (dot product), `{x}*{_tight(y)}'` (outer product)"
                f" or `{x}.*{y}` (entry by entry)",
            )
            if _is_combination(a) and _is_combination(b) and problem.names:
                # Two bare names, or multiples of them: more likely a slip than two numbers.
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
                help=f"did you mean `{_tight(x)}'{sign}{y}`?"
                if one_row
                else f"did you mean `{x}{sign}{_turned(y)}`?",
            )
        if not self.unify(s.cols, t.rows):
            p, q = dim_text(s.cols), dim_text(t.rows)
            columns = f"`{x}` has {p} column{'' if p == '1' else 's'}"
            rows = f"`{y}` has {q} row{'' if q == '1' else 's'}"
            hints = []
            if s.kind == MATRIX and self.could(s.rows, t.rows):
                hints.append(f"`{_turned(x)}{sign}{y}`")
            if t.kind == MATRIX and self.could(s.cols, t.cols):
                hints.append(f"`{x}{sign}{_turned(y)}`")
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
            problem = self.problem(
                f"`/` divides by a scalar, and `{self.source(b)}` is a {shape_text(t)}",
                b,
                help=help,
            )
            end = self.chain_end(node)
            if t.kind == ROW and end > node.end:  # `1/x'x`: what stands behind it belongs to it
                below = self.text[b.start : end]
                problem.repairs = ((f"{self.text[: b.start]}({below}){self.text[end:]}",),)
            raise problem
        return self.shape(a)

    def chain_end(self, node: Syntax) -> int:
        """Where the product ends that goes on behind a node."""
        for other in self.parsed.nodes:  # parents come after their children
            if other.kind in ("juxtapose", "mul") and other.args[0] is node and not node.grouped:
                node = other
        return node.end

    def solve(self, node: Syntax) -> Shape:
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        if s.kind == SCALAR:
            return t
        if s.kind == ROW and a.kind in ("juxtapose", "mul") and not a.grouped:
            front, last = a.args  # (x' A)\b for x' (A\b)
            problem = self.problem(
                f"`\\` solves with a square matrix, and `{self.source(a)}` is a {shape_text(s)}",
                a,
                help=f"write brackets around the `\\`: `({self.source(last)}\\{self.source(b)})`",
            )
            sign = "*" if a.kind == "juxtapose" else ""
            inner = self.text[last.start : node.end]
            before = self.text[: front.end] + self.text[front.end : last.start].rstrip()
            problem.repairs = ((f"{before}{sign}({inner}){self.text[node.end :]}",),)
            raise problem
        self.need_square(a, "`\\` solves with a square matrix")
        if t.kind == SCALAR:
            raise self.problem("`\\` solves for a vector or a matrix", b)
        return self.product(a, b, self.shape(a), t, "\\")

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
        if base.kind == "power" and not base.grouped:
            inner = self.source(base)
            self.notes.append(
                f"`{self.source(node)}` is read as `({inner}){self.text[base.end : node.end]}`"
            )
        if exponent.value == "t" and "t" not in self.declared and base.kind == "name":
            turned = f"{self.source(base)}'"
            self.notes.append(f"`{self.source(node)}` is a power; the transpose is `{turned}`")
        e = self.shape(exponent)
        if e.kind != SCALAR and base.value == "e" and "e" not in self.declared:
            raise self.problem(
                "an exponent is a scalar, and `e` is a name like any other",
                exponent,
                help=f"write `exp({self.source(exponent)})` for e to the power of each entry"
                + (f", `expm({self.source(exponent)})` for the series" if e.kind == MATRIX else ""),
            )
        if e.kind != SCALAR:
            problem = self.problem(
                "an exponent is a scalar",
                exponent,
                help=f"`{self.source(exponent)}` is a {shape_text(e)}; for entry-by-entry powers write `.^`"
                + self.number_hint(
                    exponent, "integer" if self.shape(base).kind == MATRIX else "scalar"
                ),
            )
            if exponent.value in ("T", "H"):  # everything is real
                problem.repairs = ((self.replaced(node, f"{_tight(self.operand(base))}'"),),)
            raise problem
        if self.shape(base).kind == MATRIX and _whole(exponent) is None:
            self.need_square(base, "only a square matrix has powers")
            self.need_integer(node, exponent)
        return self.raised(node, base, self.text[base.end : node.end].strip())

    def need_integer(self, power: Syntax, exponent: Syntax) -> None:
        """The exponent of a matrix: whole numbers and integer names, and what `+`, `-` and `*` make of them."""
        todo = [exponent]
        while todo:
            item = todo.pop()
            name = str(item.value)
            known = self.declared.get(name) if item.kind == "name" else None
            if item.kind in ("add", "sub", "neg", "pos", "mul", "juxtapose"):
                todo.extend(reversed(item.args))
            elif item.kind == "name" and (
                id(item) in self.bound or name in self.size_names or name in self.names
            ):
                if name in self.names and known is None:
                    self.integers[name] = None
                elif known is not None and not {"integer", "whole"} & set(known.properties):
                    raise self.not_whole(item, f"declare it: `--let '{name}: integer'`")
            elif not (
                (item.kind == "number" and item.value.denominator == 1)
                or (item.kind == "call" and name in SIZES and name not in self.declared)
            ):
                problem = self.not_whole(item, "write a whole number")
                root = _ROOTS.get(_rational(power.args[1]) or Fraction(0))
                if root is not None:
                    whole = root.format(self.source(power.args[0]))
                    problem.repairs = ((self.replaced(power, whole),),)
                raise problem

    def not_whole(self, item: Syntax, instead: str) -> ShapeProblem:
        return self.problem(
            "the power of a matrix is a whole number",
            item,
            help=f"{instead}, or `.^` for powers of the entries",
        )

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
                    f"powers up to {MAX_POWER:,} are read; a name such as `k` stands for any power",
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
            if s.kind == VECTOR and re.fullmatch(r"\^\s*\{?2\}?", how)
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
            problem = self.problem(
                f"a {s.kind} takes {count} {'index' if count == 1 else 'indices'}, not {len(at)}",
                base,
                help=f"write `{self.source(base)}[i]`"
                if count == 1
                else f"write `{self.source(base)}[i,j]`, `{self.source(base)}[:,j]` or `{self.source(base)}[i,:]`",
            )
            if count == 2 and at[0].kind == "all":
                problem.repairs = ((self.replaced(node, f"vec({self.source(base)})"),),)
            elif count == 2:  # `X[1][2]`
                behind = re.sub(r"\A\s*\[", ",", self.text[node.end :])
                problem.repairs = ((self.text[: node.end - 1] + behind,),)
            raise problem
        sizes = [s.rows, s.cols] if s.kind == MATRIX else [s.rows if s.kind == VECTOR else s.cols]
        kept: list[Dim] = []
        for item, size in zip(at, sizes, strict=True):
            if item.kind == "all":
                kept.append(size)
                continue
            if item.kind == "name" and len(re.sub(r"(_.*|\d+)$", "", str(item.value))) == 1:
                binding = self.bound.get(id(item))
                limits = self.limits.get(id(binding))
                if limits is not None and isinstance(resolve(size), DimVar):
                    self.unify(size, limits[1])
                continue
            k = _whole(item)
            if k is None or k < 1:
                raise ShapeProblem(
                    "an index is a whole number from 1, or a name",
                    (Mark(item.start, item.end),),
                    "the last entry is `x[n]` with `--let 'x: vector(n)'`"
                    if item.value == "end"
                    else f"the first entry is `{self.source(base)}[{','.join('1' * count)}]`",
                    self.text,
                )
        if not kept:
            return ex.SCALAR_SHAPE
        if len(kept) == 2 or count == 1:
            return s
        return ex.vector_shape(kept[0]) if at[0].kind == "all" else ex.row_shape(kept[0])

    def check_entries(self, node: Syntax) -> None:
        """That the entries which `x[4]` or `x[i]` speaks of are there, as far as the sizes are known."""
        base, *at = node.args
        s = self.shape(base)
        sizes = [s.rows, s.cols] if s.kind == MATRIX else [s.rows if s.kind == VECTOR else s.cols]
        for item, size in zip(at, sizes, strict=True):
            k = _whole(item)
            binding = self.bound.get(id(item))
            first, last = self.limits[id(binding)] if binding is not None else (k, k)
            if last is None or first is None:
                continue
            over = dim_add(resolve(last), dim_mul(-1, size))
            wrong = (
                last
                if isinstance(over, int) and over > 0
                else first
                if isinstance(first, int) and first < 1
                else None
            )
            if wrong is not None:
                known = dim_text(size)
                label = f"over {known}" if wrong is last else "under 1"
                marks = [Mark(item.start, item.end, label if k is not None else "")]
                if binding is not None:
                    marks.insert(0, Mark(binding.start, binding.end, label))
                else:
                    marks.append(Mark(base.start, base.end, str(s)))
                raise ShapeProblem(
                    f"there is no entry {dim_text(wrong)}",
                    tuple(marks),
                    f"indices go from 1 to {known}" if known != "?" else "indices go from 1",
                    self.text,
                )

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
        for entry in node.args:
            if entry.kind == "juxtapose" and not entry.grouped and len(node.args) == 1:
                x, y = map(self.source, entry.args)
                self.notes.append(
                    f"`{self.source(node)}` is a product; blocks beside each other are `[{x}, {y}]`"
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
        stem, marks = maps.split(name)
        known = self.declared.get(stem)
        if known is not None and known.argument is not None:
            return self.unknown_map(node, known, marks)
        if marks.strip(maps.PRIME):
            raise self.not_a_map(node, stem, marks)
        if known is not None and known.role in ("elementwise", "definition"):
            self.count_arguments(node, stem, 1)
            if self.parameters.get(stem):
                self.use_parameters(node, stem, bool(marks))
            return self.shape(node.args[0])
        if node.args and node.args[0].kind == "binding":
            return self.index_sum(node)
        ranges = [a for a in node.args if a.kind == "binding"]
        if ranges:
            others = [a for a in node.args if a is not ranges[0]]
            raise SyntaxProblem(
                "the range of a sum comes first",
                (Mark(ranges[0].start, ranges[0].end),),
                f"write `{name}({', '.join(map(self.source, [ranges[0], *others]))})`",
                self.text,
            )
        if self.is_sized_constant(node):
            for a in node.args:
                self.need_sizes(a)
            dims = [_dimension(a, self.text, "size", self.constants) for a in node.args]
            return _sized_shape(name, dims, node, self.text)
        if known is None and name in SIZES:
            return self.size_of(node, name)
        if known is None and name in FILLED:
            return self.filled(node, name)
        if known is None and name in OPERATOR_NAMES:
            count = 1 if name in ("square", "transpose") else 2
            self.count_arguments(node, name, count)
            return getattr(self, OPERATOR_NAMES[name])(node)  # type: ignore[no-any-return]
        if known is not None or name not in BY_NAME:
            raise self.not_a_function(node, name)
        return self.named_function(node, name)

    def is_sized_constant(self, node: Syntax) -> bool:
        """Whether a call is eye(n), K(m, n), ... A variable K may stand beside the constant, and K(x) for a vector x,
        or K(x + y) with one argument, is a product that lacks its sign."""
        name = str(node.value)
        known = self.declared.get(name)
        if name not in CONSTANTS or (known is not None and known.role != "variable"):
            return False
        if len(name) > 1:
            return known is None
        counts = {len(s.sizes) for s in _constant_signatures(name)}
        sizes = all(
            n.kind in ("number", "name", "add", "mul", "juxtapose", "div", "call")
            and n.value not in self.declared
            and (n.kind != "call" or n.value in SIZES)
            for a in node.args
            for n in _size_nodes(a)
        )
        return sizes and len(node.args) in counts and not self.repeats_a_value(node)

    def repeats_a_value(self, node: Syntax) -> bool:
        """Whether what stands in `D(X b + c)` stands outside as a value too, as it does in a quadratic form."""
        inside = {id(i) for n in self.parsed.nodes for a in _size_arguments(n) for i in walk(a)}
        outside = [n for n in self.parsed.nodes if id(n) not in inside]
        matrices = {n.value for n in outside if n.kind == "name" and str(n.value)[:1].isupper()}
        texts = {self.source(n) for n in outside if n.kind in ("add", "mul", "juxtapose")}
        return any(
            i.value in matrices or self.source(a) in texts
            for a in node.args
            for i in _size_nodes(a)
        )

    def named_function(self, node: Syntax, name: str) -> Shape:
        arguments, sizes = node.args, _size_arguments(node)
        if sizes or name in SIZED_FUNCTIONS:
            sig = signature(BY_NAME[name][0].op)
            self.count_arguments(node, name, len(sig.parameters) + len(sig.sizes))
            arguments = node.args[: len(sig.parameters)]
        kinds = [self.shape(a).kind for a in arguments]
        function = pick(name, kinds, direction(node))
        if function is None:
            raise self.wrong_arguments(node, name)
        turned = function == "transposed"
        if turned:
            function = pick(name, [VECTOR])
        if function == "column":
            actual = self.shape(arguments[0])
            return actual if actual.kind == VECTOR else ex.transposed_shape(actual)
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
        for a in sizes:
            self.need_sizes(a)
        given = (_dimension(a, self.text, "size", self.constants) for a in sizes)
        fresh: dict[Dim, Dim] = dict(zip(sig.sizes, given, strict=True))

        def instance(dim: Dim) -> Dim:
            if isinstance(dim, str):
                return fresh.setdefault(dim, DimVar(dim))
            if isinstance(dim, Poly):
                return dim_substituted(dim, fresh)
            return dim

        for argument, asked in zip(node.args, sig.properties, strict=False):
            order = _whole(argument)
            if asked == "whole" and (order is None or order < 0):
                raise self.not_an_order(node, name, argument)
        value: Shape | None = None
        for argument, (_, wanted) in zip(arguments, sig.parameters, strict=False):
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
        if isinstance(result.rows, Poly):
            wanted = sig.parameters[0][1]
            self.products.append(
                (instance(result.rows), instance(wanted.cols), instance(wanted.rows))
            )
        return Shape(result.kind, instance(result.rows), instance(result.cols))

    def not_an_order(self, node: Syntax, name: str, argument: Syntax) -> ShapeProblem:
        """polygamma(x, 1)."""
        if argument.kind == "name" and _whole(node.args[-1]) is None:
            return self.problem(
                f"the first argument of `{name}` is a number, not a name",
                argument,
                help=f"write, for example, `{name}(1, {self.source(node.args[-1])})`",
            )
        others = [a for a in node.args if a is not argument]
        swapped = len(others) == 1 and _whole(others[0]) is not None
        first = self.source(others[0]) if swapped else "1"
        second = self.source(argument) if swapped else self.source(others[0])
        return self.problem(
            f"the first argument of `{name}` is a whole number",
            argument,
            help=f"{'did you mean' if swapped else 'write, for example,'} `{name}({first}, {second})`"
            + ("?" if swapped else ""),
        )

    def wrong_arguments(self, node: Syntax, name: str) -> ShapeProblem:
        """Why no function of this name takes these arguments."""
        candidates = BY_NAME[name]
        if direction(node) is not None and name in DIRECTIONS:
            return self.problem(
                f"only a matrix has directions, and this is a {self.shape(node.args[0]).kind}",
                node.args[0],
                help=f"write `{name}({self.source(node.args[0])})`",
            )
        if len(node.args) == 2 and name in DIRECTIONS:
            return ShapeProblem(
                "a direction is 1 or 2",
                (Mark(node.args[1].start, node.args[1].end),),
                f"write `{name}(X, 1)` down the columns or `{name}(X, 2)` along the rows",
                self.text,
            )
        sig = signature(candidates[0].op)
        self.count_arguments(node, name, len(sig.parameters) + len(sig.sizes))
        argument = node.args[0]
        if "whole" in signature(candidates[0].op).properties:
            return self.not_an_order(node, name, argument)
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

    def use_parameters(self, node: Syntax, name: str, primed: bool) -> None:
        """A call of a definition that speaks of other names: they are variables here, scalars."""
        those = self.parameters[name]
        if primed:
            raise NameProblem(
                f"`{name}` depends on {', '.join(f'`{p}`' for p in those)} too, and has no name for its derivative",
                (Mark(node.start, node.end),),
                "define the derivative as a function of its own, `--let 'g(t) = ...'`",
                self.text,
            )
        for p in those:
            if p in self.declared:
                self.names.setdefault(p, self.declared[p].shape)
            elif self.names.setdefault(p, ex.SCALAR_SHAPE).kind != SCALAR:
                raise ShapeProblem(
                    f"`{p}` stands in the definition of `{name}`, and would be a {self.names[p].kind} here",
                    (Mark(node.start, node.end, f"`{p}` is a scalar in it"),),
                    f"declare it, `--let '{p}: scalar'`, or use another name",
                    self.text,
                    (p,) if len(default_kinds(p)) > 1 and p not in self.transposed else (),
                )

    def unknown_map(self, node: Syntax, known: Declared, marks: str) -> Shape:
        """u(x), or a derivative of u at x, for a declared function of a whole value."""
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
        value, right = known.shape, ""
        for mark in reversed(marks):
            right = maps.operator(value, wanted) + right
            if mark != right[0]:
                front = marks[: len(marks) - len(right)]
                raise self.wrong_derivative(node, known, front.strip(maps.PRIME) + right)
            value = maps.derivative_shape(value, wanted)
        return value

    def wrong_derivative(self, node: Syntax, known: Declared, right: str) -> NameProblem:
        """Another operator than the one that differentiates such a function: `right` is the word that does."""
        argument = self.source(node.args[0])
        what = {
            maps.GRADIENT: "a scalar function of an array has a gradient",
            maps.JACOBIAN: "a function to vectors or matrices has a Jacobian",
            maps.PRIME: "a scalar function of a scalar has a derivative",
        }[right[0]]
        shown = maps.spelled(known.name, right)
        primed = str(node.value).endswith(maps.PRIME)
        return NameProblem(
            f"{what}, `{shown}({argument})`",
            (Mark(node.start, node.end, f"`{known.name}`: {known.shape} of {known.argument}"),),
            f"write `{shown}({argument})`"
            + (f", or `{known.name}({argument})'` for the transpose" if primed else ""),
            self.text,
        )

    def not_a_map(self, node: Syntax, name: str, marks: str) -> NameProblem:
        """`∇f(x)` of something else than a function of a whole value."""
        word = marks.strip(maps.PRIME)
        known = self.declared.get(name)
        help = f"declare it: `--let '{name}: scalar of vector(n)'`"
        if known is not None and known.role != "variable":
            help = f"the derivative of a function of one number is `{name}'(x)`"
        return NameProblem(
            f"`{word}` stands before an unknown function of a whole vector or matrix only",
            (Mark(node.start, node.start + len(word), "not before this function"),),
            help,
            self.text,
        )

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

    def inner(self, node: Syntax) -> Shape:
        """`dot(x, y)`: of two matrices tr(A'B), never the product of matrices."""
        matrices = MATRIX in [self.shape(a).kind for a in node.args]
        return self.frobenius(node) if matrices else self.dot(node)

    def outer(self, node: Syntax) -> Shape:
        a, b = node.args
        s, t = self.shape(a), self.shape(b)
        if s.kind != VECTOR or t.kind != VECTOR:
            raise self.problem("`outer` takes two vectors", a, b)
        return ex.matrix_shape(s.rows, t.rows)

    def square(self, node: Syntax) -> Shape:
        return self.shape(node.args[0])

    def frobenius(self, node: Syntax) -> Shape:
        a, b = node.args
        if "number" in (a.kind, b.kind):
            raise SyntaxProblem(
                "a range stands in a sum only",
                (Mark(node.start, node.end),),
                "take the entries one by one, as in `[x[1]; x[2]]`"
                if id(node) in self.index_items
                else "write `sum(i=1:n, x[i]^2)`",
                self.text,
            )
        s, t = self.shape(a), self.shape(b)
        same = s.kind == t.kind and self.unify(s.rows, t.rows) and self.unify(s.cols, t.cols)
        if not same:
            raise self.problem(
                "`:` is the Frobenius product of two matrices of one shape",
                a,
                b,
                help=f"`{self.source(a)}` is a {shape_text(s)} and `{self.source(b)}` is a {shape_text(t)}"
                + self.transpose_hint(a, b, s, t),
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
        self.products += [(rows, s.rows, t.rows), (cols, s.cols, t.cols)]
        kind = s.kind if s.kind == t.kind else MATRIX
        return Shape(kind, rows, cols)

    def count_arguments(self, node: Syntax, name: str, count: int) -> None:
        if len(node.args) != count:
            arguments = ", ".join("xyz"[:count])
            if name in BY_NAME:
                sig = signature(BY_NAME[name][0].op)
                arguments = ", ".join([*(p for p, _ in sig.parameters), *sig.sizes])
            help = CALLS.get((name, len(node.args)), f"write `{name}({arguments})`")
            if name == "sum" and len(node.args) == 2 and direction(node) is not None:
                x = self.source(node.args[0])
                help = f"write `sum({x})`, `colsum({x})` down the columns or `rowsum({x})`"
            problem = ShapeProblem(
                f"`{name}` takes {count} argument{'s' if count != 1 else ''}, not {len(node.args)}",
                (Mark(node.start, node.end),),
                help,
                self.text,
            )
            if name == "norm" and direction(node) is not None:
                kind = norm_name(str(_whole(node.args[1])), self.shape(node.args[0]).kind)
                if (
                    kind != "norm1" or self.shape(node.args[0]).kind != MATRIX
                ):  # not entrywise there
                    call = self.replaced(node, f"{kind}({self.source(node.args[0])})")
                    problem.repairs = ((call,),)
            raise problem

    def not_a_function(self, node: Syntax, name: str) -> NameProblem:
        written = re.match(r"\\?[^\W_]+(_\w+|_?\{\w+\})?", self.text[node.start :])
        as_typed = written.group() if written else name
        mark = Mark(node.start, node.start + len(as_typed), "not a function")
        inside = f"({', '.join(map(self.source, node.args))})"
        known = self.declared.get(name)
        if known is not None and name in BY_NAME:
            return NameProblem(
                f"`{name}` is declared, which hides the function of this name",
                (mark._replace(label=shape_text(known.shape)),),
                f"leave the declaration of `{name}` out, or declare another name",
                self.text,
            )
        other = other_name(as_typed)
        if other and name not in self.declared:
            shown = _cut(as_typed)
            problem = NameProblem(f"there is no function `{shown}`", (mark,), other, self.text)
            meant = calls_meant(as_typed, list(map(self.source, node.args)))
            before, after = self.text[: node.start].rstrip(), self.text[node.end :].lstrip()
            alone = before[-1:] in ("", "(", "[", ",") and after[:1] in ("", ")", "]", ",")
            problem.repairs = (
                tuple(
                    self.replaced(node, call[1:-1] if alone and call[0] == "(" else call)
                    for call in meant
                ),
            )
            return problem
        if node.args and len(node.args) <= 2 and all(_whole(a) is not None for a in node.args):
            entry = f"{as_typed}[{','.join(self.source(a) for a in node.args)}]"
            return NameProblem(
                f"`{as_typed}` is not a function",
                (mark,),
                f"for an entry write `{entry}`; for an unknown function declare it:"
                f" `--let '{as_typed}: elementwise'`",
                self.text,
            )
        if name in self.declared or len(re.sub(r"(_.*|\d+)$", "", name)) == 1:
            times = " \\cdot " if "\\" in as_typed else "*"
            usual = _USUAL_MEANING.get(name)
            if name == "Σ":
                usual_help = "for the sum of all entries write `sum(...)`; "
            else:
                usual_help = (
                    f"if it is `{usual}`, declare `--let '{name}(t) = {usual}(t)'`; "
                    if usual
                    else ""
                )
            return NameProblem(
                f"`{name}` is not a function",
                (mark,),
                usual_help
                + f"for a product write `{as_typed}{times}{inside}`; for an unknown function declare it:"
                f" `--let '{name}: elementwise'`",
                self.text,
            )
        close = _closest(name, tuple(BY_NAME))
        stem = name.rstrip("0123456789")
        order = name[len(stem) :]
        family = [k for k in BY_NAME if k.startswith(stem) and k[len(stem) :].isdigit()]
        raised = stem in BY_NAME and order and not family and len(node.args) == 1
        help = (
            f"did you mean `{stem}{inside}^{order}` or `{stem}({_tight(inside[1:-1])}^{order})`?"
            if raised
            else f"did you mean `{close}`?"
            if close
            else f"declare it, if it is an unknown function: `--let '{name}: elementwise'`"
            if len(name) <= MAX_NAME
            else "declare it, if it is an unknown function"
        )
        problem = NameProblem(f"there is no function `{_cut(name)}`", (mark,), help, self.text)
        if close and not name[-1].isdigit():
            name_end = node.start + len(as_typed)
            problem.repairs = ((self.text[: node.start] + close + self.text[name_end:],),)
        return problem


# Powers of a matrix that are functions.
_ROOTS = {Fraction(1, 2): "sqrtm({})", Fraction(-1, 2): "inv(sqrtm({}))"}
_USUAL_MEANING = {"σ": "sigmoid", "ψ": "digamma", "Γ": "gamma"}  # of a letter that is a function


def _cut(name: str) -> str:
    """A name as a message tells it."""
    return name if len(name) <= MAX_NAME else name[:MAX_NAME] + "…"


def _tight(text: str) -> str:
    """Text that can take a postfix operator."""
    return text if re.fullmatch(r"\w+|\w*\([^()]*\)", text) else f"({text})"


def _is_combination(node: Syntax) -> bool:
    """Whether a node is a sum of multiples of names: x, -x, 2 x, x + y."""
    todo = [node]
    while todo:
        item = todo.pop()
        scaled = item.kind in ("mul", "juxtapose", "div") and "number" in [
            a.kind for a in item.args
        ]
        if item.kind in ("neg", "pos", "add", "sub") or scaled:
            todo.extend(a for a in item.args if not (scaled and a.kind == "number"))
        elif item.kind != "name":
            return False
    return True


def _turned(text: str) -> str:
    """The text of a transpose."""
    plain = re.sub(r"('|’|ᵀ|\.T|\^(T|⊤|\{(T|⊤)\}))$", "", text)
    return plain if plain != text else _tight(text) + "'"


def _arithmetic_names(node: Syntax, below: bool) -> list[str]:
    """The name that a node is, or (`below`) the names that it is made of by arithmetic alone."""
    if not below:
        return [str(node.value)] if node.kind == "name" else []
    items = list(walk(node))
    kinds = {"name", "number", "add", "sub", "neg", "pos", "mul", "juxtapose", "div"}
    if not kinds.issuperset(item.kind for item in items):
        return []
    return [str(item.value) for item in items if item.kind == "name"]


def _whole(node: Syntax) -> int | None:
    """The value of a literal whole number, with its sign."""
    sign = 1
    while node.kind in ("neg", "pos"):
        sign = -sign if node.kind == "neg" else sign
        node = node.args[0]
    if node.kind == "number" and node.value.denominator == 1:
        return sign * int(node.value)
    return None


def _rational(node: Syntax) -> Fraction | None:
    """The value of a literal number or quotient of two, with its sign."""
    if node.kind in ("neg", "pos"):
        value = _rational(node.args[0])
        return -value if value is not None and node.kind == "neg" else value
    if node.kind == "div":
        above, below = map(_rational, node.args)
        return above / below if above is not None and below else None
    return node.value if node.kind == "number" else None


def _sized_shape(name: str, dims: list[Dim], node: Syntax, text: str) -> Shape:
    """The shape of a sized constant."""
    signatures = _constant_signatures(name)
    for sig in signatures:
        if len(sig.sizes) == len(dims):
            given: dict[Dim, Dim] = dict(zip(sig.sizes, dims, strict=True))
            rows, cols = (dim_substituted(d, given) for d in (sig.result.rows, sig.result.cols))
            return Shape(sig.result.kind, rows, cols)
    words = " or ".join("one" if len(s.sizes) == 1 else "two" for s in signatures)
    wanted = signatures[0].sizes
    raise ShapeProblem(
        f"`{name}` takes {words} size{'s' if words != 'one' else ''}, not {len(dims)}",
        (Mark(node.start, node.end),),
        f"write `{name}({', '.join([*map(dim_text, dims[: len(wanted)]), *wanted[len(dims) :]])})`",
        text,
    )


# What a function of a matrix or a vector means for a scalar (a 1x1 matrix): an elementwise name, or "itself".
_OF_SCALAR = {
    "tr": "itself",
    "det": "itself",
    "sum": "itself",
    "transpose": "itself",
    "vec": "itself",
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
    if name == "vec" and kinds in ([VECTOR], [ROW]):
        return "column"
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


def apply_function(
    name: str, args: tuple[Expr, ...], along: int | None = None, sizes: Sequence[Dim] = ()
) -> Expr:
    """The value of a named function on expressions whose shapes fit; `sizes` are the arguments that are sizes."""
    if name in ("log", "ln") and args[0].kind == ex.CALL and args[0].op == "det":
        return ex.call("logdet", args[0].args, ex.SCALAR_SHAPE)
    function = pick(name, [a.shape.kind for a in args], along)
    if isinstance(function, str):
        if function == "itself":
            return args[0]
        if function == "column":
            return ex.vec(args[0])
        if function == "inverse":
            return ex.inverse(args[0])
        if function == "transposed":
            return apply_function(name, (ex.transpose(args[0]),))
        return apply_function(function, args)
    if function is None:
        raise InternalError(f"{name} of {', '.join(str(a.shape) for a in args)}")
    if function.op in ex.CONSTRUCTORS:
        return ex.CONSTRUCTORS[function.op](*args)
    sig = signature(function.op)
    if len(sig.parameters) < len(args):
        args = args[: len(sig.parameters)]  # the direction is part of the operation's name
    if sig.result.kind == ARRAY:
        if len(args) == 2 and sig.parameters[0][1].kind == ARRAY:
            args = broadcast(*args)
        return ex.call(function.op, args, args[-1].shape)
    dims: dict[Dim, Dim] = dict(zip(sig.sizes, sizes, strict=True))
    for argument, (_, shape) in zip(args, sig.parameters, strict=True):
        dims[shape.rows], dims[shape.cols] = argument.shape.rows, argument.shape.cols
    r = sig.result
    if r.kind == SCALAR:
        return ex.call(function.op, args, ex.SCALAR_SHAPE)
    rows, cols = (dim_substituted(d, dims) for d in (r.rows, r.cols))
    return ex.call(function.op, args, Shape(r.kind, rows, cols))


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


def _takes_an_array(node: Syntax) -> bool:
    """Whether a call is of a function of a whole vector or matrix, such as tr, which means something else for a number."""
    if node.kind not in ("call", "prefix") or str(node.value) not in BY_NAME:
        return False
    name, count = str(node.value), len(node.args)
    if name in ("max", "min") and count == 2:
        return False
    return all(signature(f.op).result.kind != ARRAY for f in BY_NAME[name])


def infer_definitions(declared: Mapping[str, Declared]) -> dict[str, Inference]:
    """The shapes inside each definition `f(t) = ...`, all of them scalars. Its names are t and its parameters.

    Raises MatgradError with the characters at fault.
    """
    found: dict[str, Inference] = {}
    for d in declared.values():
        if d.definition is None:
            continue
        variable, body = d.definition
        within = {**declared, variable: Declared(variable, ex.SCALAR_SHAPE, (), "variable")}
        names = {str(n.value) for n in body.nodes if n.kind == "name"} - within.keys()
        inference = Inference(body, within, dict.fromkeys(names, SCALAR))
        inference.bound_names = (variable,)
        inference.run()
        for name, shape in inference.names.items():
            if shape.kind != SCALAR:
                raise NameProblem(
                    f"`{name}` stands in the definition of `{d.name}`, and is not a scalar",
                    tuple(Mark(n.start, n.end) for n in body.nodes if n.value == name),
                    f"a definition is made of numbers, `{variable}` and scalars",
                    body.text,
                )
        for node in body.nodes:
            callee = declared.get(maps.split(str(node.value))[0]) if node.kind == "call" else None
            whole = callee is not None and callee.role == "map"
            if (
                node.kind not in _IN_DEFINITIONS
                or node.value in (*FILLED, *CONSTANTS, "Σ")
                or whole
                or _takes_an_array(node)
            ):
                raise SyntaxProblem(
                    "a definition is made of numbers, its variable and elementwise functions",
                    (Mark(node.start, node.end, "not elementwise"),),
                    "as in `f(t) = t^2*exp(-t)`",
                    body.text,
                )
        found[d.name] = inference
    return found


def _in_order(definitions: Mapping[str, Inference]) -> dict[str, set[str]]:
    """The definitions that each definition calls, in an order in which those come first. Raises NameProblem."""
    calls = {
        name: {maps.split(str(n.value))[0] for n in i.parsed.nodes if n.kind == "call"}
        & definitions.keys()
        for name, i in definitions.items()
    }
    order: dict[str, set[str]] = {}
    while len(order) < len(calls):
        ready = [n for n, below in calls.items() if n not in order and below <= order.keys()]
        if not ready:
            name = next(n for n in calls if n not in order)
            body = definitions[name].parsed
            raise NameProblem(
                f"the definition of `{name}` leads back to `{name}`",
                (Mark(body.root.start, body.root.end),),
                "define it by functions that are known without it",
                body.text,
            )
        order.update((n, calls[n]) for n in ready)
    return order


def parameters(definitions: Mapping[str, Inference]) -> dict[str, tuple[str, ...]]:
    """The names other than its variable that a definition depends on, also by way of another one."""
    found: dict[str, tuple[str, ...]] = {}
    for name, below in _in_order(definitions).items():
        inference = definitions[name]
        own = [n for n in inference.names if n not in inference.bound_names]
        found[name] = tuple(dict.fromkeys([*own, *(p for b in sorted(below) for p in found[b])]))
    return found


def build_definitions(
    definitions: Mapping[str, Inference], values: Mapping[str, Expr], functions: Mapping[str, str]
) -> dict[str, Defined]:
    """The functions that definitions make, given the values of their parameters."""
    found: dict[str, Defined] = {}
    for name in _in_order(definitions):
        inference = definitions[name]
        (t,) = inference.bound_names
        variable = ex.var(t, ex.SCALAR_SHAPE)
        scope = Scope(
            {**values, t: variable},
            {},
            {},
            functions,
            inference.constants,
            sizes=inference.size_names,
            definitions=found,
        )
        found[name] = Defined(name, variable, build(inference.parsed, scope))
    return found


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
    functions: Mapping[str, str | Defined]
    constants: Mapping[int, Dim]
    maps: Mapping[str, tuple[str, str, Shape]] = {}  # name, marks and the shape of the value
    ranges: Mapping[int, tuple[Dim, Dim]] = {}
    bound: Mapping[int, Syntax | None] = {}
    sizes: Collection[str] = ()
    filled: Mapping[int, Shape] = {}
    definitions: Mapping[str, Defined] = {}


def build(parsed: Parsed, scope: Scope) -> Expr:
    """The expression of a syntax tree whose shapes are known to fit."""
    return build_nodes(parsed, parsed.nodes, scope)[id(parsed.root)]


def build_nodes(parsed: Parsed, nodes: Iterable[Syntax], scope: Scope) -> dict[int, Expr]:
    """The expressions of nodes of a syntax tree, given in an order in which children come first."""
    done: dict[int, Expr] = {}
    products: dict[int, _Product] = {}
    nodes = list(nodes)
    # `a + b + c` is one sum, made at its last sign: the sums on the way there are not worth their memory.
    inner = {id(n.args[0]) for n in nodes if n.kind in _SUMS and n.args[0].kind in _SUMS}

    def value(node: Syntax) -> Expr:
        product = products.pop(id(node), None)
        if product is not None:
            done[id(node)] = product.value()
        return done.get(id(node), ex.ZERO)

    for node in nodes:
        if node.kind in _MADE_BY:
            left, right = node.args
            product = products.pop(id(left), None)
            if product is None or product.make is not _MADE_BY[node.kind]:
                first = done[id(left)] if product is None else product.value()
                product = _Product(_MADE_BY[node.kind], first)
            behind = products.pop(id(right), None)
            if behind is not None and node.kind != "div" and behind.begins_with(product):
                product = behind
            else:
                last = done[id(right)] if behind is None else behind.value()
                product.append(ex.power(last, ex.num(-1)) if node.kind == "div" else last)
            products[id(node)] = product
            continue
        for a in node.args:
            value(a)
        if id(node) in inner or node.kind in ("all", "rule", "equation", "binding"):
            continue
        if node.kind in _SUMS:
            done[id(node)] = _sum(node, done)
            continue
        if node.kind == "call" and node.value in CONSTANTS and not _is_function(node, scope):
            done[id(node)] = _sized_constant(node, parsed.text, scope)
            continue
        if node.kind == "call" and node.value in SIZED_FUNCTIONS and not _is_function(node, scope):
            sizes = [_size_in(a, parsed.text, scope) for a in _size_arguments(node)]
            args = tuple(done[id(a)] for a in node.args[: SIZED_FUNCTIONS[node.value]])
            done[id(node)] = apply_function(node.value, args, None, sizes)
            continue
        done[id(node)] = _build_node(node, [done.get(id(a), ex.ZERO) for a in node.args], scope)
    for node in nodes:
        value(node)
    return done


def _is_function(node: Syntax, scope: Scope) -> bool:
    """Whether a call is one of a function that the user declared."""
    return any(node.value in names for names in (scope.functions, scope.definitions, scope.maps))


_CONSTRUCTORS: dict[str, Callable[..., Expr]] = {
    "eye": ex.eye,
    "commutation": ex.commutation,
    "duplication": ex.duplication,
    "elimination": ex.elimination,
}


_SUMS = ("add", "sub")
_MADE_BY: dict[str, Callable[..., Expr]] = {
    "mul": ex.mul,
    "juxtapose": ex.mul,
    "div": ex.mul,
    "hadamard": ex.hadamard,
}


class _Product:
    """The factors of a product that may be part of a longer one. It is made in one go at its last factor: the products on
    the way there are as long as it, together."""

    def __init__(self, make: Callable[..., Expr], first: Expr) -> None:
        self.make = make
        self.factors = deque([first])
        self.is_plain = True  # whether all factors but the last are matrices and numbers

    def value(self) -> Expr:
        return self.make(*self.factors)

    def append(self, factor: Expr) -> None:
        """One more factor at the end."""
        self.is_plain = self.is_plain and self.factors[-1].shape.kind in (SCALAR, MATRIX)
        self.factors.append(factor)

    def begins_with(self, front: _Product) -> bool:
        """Take a factor in front, as in `A*(B*x)`, if that is the same product; else False."""
        first = front.factors[0]
        same = self.is_plain and self.make is front.make is ex.mul
        if not same or len(front.factors) > 1 or first.shape.kind == VECTOR:
            return False
        self.factors.appendleft(first)
        self.is_plain = first.shape.kind in (SCALAR, MATRIX)
        return True


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
        terms[0], value = broadcast(terms[0], value)
        terms.append(ex.neg(value) if kind == "sub" else value)
        if all(t.kind == ex.NUM for t in terms):
            terms = [ex.add(*terms)]
    return ex.add(*terms)


def _sized_constant(node: Syntax, text: str, scope: Scope) -> Expr:
    dims = [_size_in(a, text, scope) for a in node.args]
    op = CONSTANTS[str(node.value)].op
    if op in _CONSTRUCTORS:
        return _CONSTRUCTORS[op](*dims)
    shape = _sized_shape(str(node.value), dims, node, text)
    return ex.ones(shape) if op == "ones" else ex.zeros(shape)


def _size_in(node: Syntax, text: str, scope: Scope) -> Dim:
    """The size that an argument stands for."""
    return _dim_in(_dimension(node, text, "size", scope.constants), scope)


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
    if kind == "neg":
        return ex.neg(args[0])
    if kind == "local_name":
        return ex.group(args[0])
    if kind == "pos":
        return args[0]
    if kind == "solve":
        return ex.mul(ex.inverse(args[0]), args[1])
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
        return ex.kron(*args)
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
    stem, marks = maps.split(name)
    if stem in scope.definitions:
        f = scope.definitions[stem]
        if not f.is_closed:
            return applied_entrywise(f, args[0])
        return unknown_function(f, len(marks), args[0])
    if stem in scope.functions:
        return unknown_function(scope.functions[stem], len(marks), args[0])
    if stem in scope.maps:
        result = maps.applied(*scope.maps[stem], args[0])
        for _ in marks:
            result = maps.differentiated(result)
        return result
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
    if operator == "inner":
        matrices = args[0].shape.kind == MATRIX
        return frobenius_product(*args) if matrices else dot_product(*args)
    if operator == "kronecker":
        return ex.kron(*args)
    if operator == "outer":
        return ex.mul(args[0], ex.transpose(args[1]))
    if operator == "transpose":
        return ex.transpose(args[0])
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
        if value.kind == ex.VAR and "identity" in value.data[1]:
            return ex.eye(value.shape.rows)
        # An integer is a number as sizes are: in exponents, bounds and sums it is one and the same.
        return ex.size(name) if value.kind == ex.VAR and "integer" in value.data[1] else value
    if name == "π":
        return ex.PI
    if name in scope.sizes:
        return ex.size(name)
    size = scope.constants.get(id(node))
    if name in FILLED_NAMES and id(node) in scope.filled:
        shape = scope.filled[id(node)]
        return ex.ones(shape) if name == "ones" else ex.zeros(shape)
    if name in IDENTITIES and size is not None:
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
    return interpret(parse_with(text, declared), declared)


def parse_with(text: str, declared: Mapping[str, Declared]) -> Parsed:
    """The syntax tree of an expression whose names are (partly) declared. Raises SyntaxProblem and LimitProblem."""
    try:
        return _parse_with(text, declared)
    except MatgradError as problem:
        marks = [m for p in (problem, *problem.others) for m in p.marks]
        problem.others += tuple(
            p
            for p in _names_beside(text, declared)
            if not any(m.start < n.end and n.start < m.end for m in marks for n in p.marks)
        )
        _tell_repairs(problem, declared)
        raise


def _parse_with(text: str, declared: Mapping[str, Declared]) -> Parsed:
    functions = {d.name for d in declared.values() if d.role != "variable"}
    return parse(text, "expression", set(declared), functions)


def interpret(parsed: Parsed, declared: Mapping[str, Declared]) -> Typed:
    """The typed expression of a syntax tree. Raises MatgradError with the characters at fault."""
    definitions = infer_definitions(declared)
    try:
        inference = _find_kinds(parsed, declared, parameters(definitions))
    except MatgradError as problem:
        _tell_repairs(problem, declared)
        raise
    return _finish(parsed, inference, declared, definitions)


def _names_beside(text: str, declared: Mapping[str, Declared]) -> tuple[MatgradError, ...]:
    """The names that are wrong in a text which has characters that the language does not have."""
    legible = without_unknown(text) if len(text) <= MAX_TOLD else text
    if legible == text:
        return ()
    found = problem_in(legible, declared)
    wrong = [p for p in (found, *found.others) if isinstance(p, NameProblem)] if found else []
    for p in wrong:
        p.text = text
    return tuple(
        p for p in wrong if all(legible[m.start : m.end] == text[m.start : m.end] for m in p.marks)
    )


def problem_in(text: str, declared: Mapping[str, Declared]) -> MatgradError | None:
    """What is wrong with an expression, with no repairs; None if it can be read."""
    try:
        _find_kinds(_parse_with(text, declared), declared, parameters(infer_definitions(declared)))
    except MatgradError as problem:
        return problem
    return None


def _tell_repairs(problem: MatgradError, declared: Mapping[str, Declared]) -> None:
    """Offer what may be meant, as far as it can be read: of each group of repairs the first that leaves nothing wrong, or
    else, where nothing was read behind the problem, the first that lets the rest be read."""
    for p in (problem, *problem.others):
        mending: list[str] = []
        changing: list[str] = []
        for group in p.repairs:
            for text in dict.fromkeys(" ".join(t.split()) for t in group):
                if not 0 < len(text) <= MAX_TOLD or text == p.text:
                    continue
                left = problem_in(text, declared)
                if left is None:
                    mending.append(text)
                    break
                further = isinstance(left, NameProblem | ShapeProblem)
                if isinstance(p, SyntaxProblem) and further and left.message != p.message:
                    changing.append(text)
        told = mending or changing[:1]
        if told:
            p.help = f"write {' or '.join(f'`{t}`' for t in told)}"


def _find_kinds(
    parsed: Parsed, declared: Mapping[str, Declared], names: Mapping[str, tuple[str, ...]]
) -> Inference:
    attempts: list[dict[str, str]] = [{}]
    tried = 0
    first: MatgradError | None = None
    while attempts and tried < 200:
        kinds = attempts.pop()
        tried += 1
        for d in declared.values():
            for dim in (*d.shape[1:], *(d.argument[1:] if d.argument else ())):
                if isinstance(dim, DimVar):
                    dim.value = None
        inference = Inference(parsed, declared, kinds)
        inference.parameters = names
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
    one_declared = any(
        1 in sizes
        for d in declared.values()
        for s in (d.shape, d.argument)
        if s is not None
        for sizes in [{VECTOR: s[1:2], ROW: s[2:], MATRIX: s[1:]}.get(s.kind, ())]
    )
    for name, shape in inference.names.items():
        if name not in declared and shape.kind != SCALAR and not one_declared:
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
    named |= {d for d in map(resolve, whole[1:]) if isinstance(d, DimVar)}  # the result shows it
    for node in inference.parsed.nodes:
        if node.kind == "index":
            inference.check_entries(node)
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
                help = (
                    "write `eye(n)`; a number beside it does not say"
                    if id(node) in inference.beside_numbers
                    else "write `eye(n)`"
                    if word in IDENTITIES
                    else f"declare `{word}` or what it meets"
                )
                raise ShapeProblem(
                    f"nothing here says how large `{word}` is",
                    (Mark(node.start, node.end),),
                    help,
                    inference.text,
                )


def _finish(
    parsed: Parsed,
    inference: Inference,
    declared: Mapping[str, Declared],
    definitions: Mapping[str, Inference],
) -> Typed:
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
        | {str(n.value) for n in parsed.nodes if inference.bound.get(id(n), n) is None}
    )
    for node in parsed.nodes:
        taken |= _size_names(node)
    order = sorted(
        inference.names.values(),
        key=lambda s: s.kind != MATRIX or resolve(s.rows) == resolve(s.cols),
    )
    more = (f"n{number}" for number in itertools.count(1))
    for shape in order:
        free = [d for d in (resolve(shape.rows), resolve(shape.cols)) if isinstance(d, DimVar)]
        if len(free) == 2 and free[0] is not free[1]:
            _name_size(free[0], ("m", *_POOL), taken, more)
            _name_size(free[1], _POOL, taken, more)
        else:
            for cell in free[:1]:
                _name_size(cell, _POOL, taken, more)
    for shape in [*inference.shapes.values()]:
        for dim in (shape.rows, shape.cols):
            for atom in dim_atoms(dim):
                if isinstance(atom, DimVar) and atom.value is None:
                    _name_size(atom, _POOL, taken, more)
    values: dict[str, Expr] = {}
    for name, shape in inference.names.items():
        final = _final(shape)
        known = declared.get(name)
        assumed_integer = ("integer",) if name in inference.integers else ()
        values[name] = ex.var(name, final, known.properties if known else assumed_integer)
    # A bound of an index that is not the size of anything is a variable of its own.
    sizes = {
        str(atom)
        for shape in (
            *(v.shape for v in values.values()),
            *(s for d in declared.values() for s in (d.shape, d.argument) if s is not None),
            *map(_final, inference.shapes.values()),
        )
        for dim in (shape.rows, shape.cols)
        for atom in dim_atoms(dim)
    }
    for name in inference.bounds:
        if name not in sizes:
            values[name] = ex.var(name, ex.SCALAR_SHAPE, ("integer",))
    functions = {d.name: d.name for d in declared.values() if d.role == "elementwise"}
    defined = build_definitions(definitions, values, functions)
    called = {maps.split(str(n.value))[0] for n in parsed.nodes if n.kind == "call"}
    used = [d for d in declared.values() if d.argument is not None and d.name in called]
    filled = {
        id(n): _final(inference.shapes[id(n)])
        for n in parsed.nodes
        if (n.kind == "call" and n.value in FILLED)
        or (n.kind == "name" and n.value in FILLED_NAMES)
    }
    scope = Scope(
        values,
        {},
        {},
        functions,
        inference.constants,
        {d.name: (d.name, "", _final(d.shape)) for d in used},
        inference.ranges,
        inference.bound,
        inference.size_names,
        filled,
        defined,
    )
    result = build(parsed, scope)
    if ex.cost(result) <= ex.LARGE:
        result = ex.ungrouped(result)
    assumed = tuple(name for name in values if name not in declared)
    notes = tuple(
        dict.fromkeys(
            [
                *parsed.notes,
                *inference.notes,
                *_entrywise_notes(parsed, inference),
                *_letter_notes(parsed, inference),
            ]
        )
    )
    unknown = tuple((d.name, _final(d.shape), _final(d.argument)) for d in used if d.argument)
    spoken = _spoken(parsed, definitions)
    return Typed(
        result,
        values,
        tuple(functions),
        assumed,
        notes,
        parsed.text,
        unknown,
        definitions_in(result),
        tuple(n for n in declared if n not in spoken and n not in sizes),
        declared,
    )


def _spoken(parsed: Parsed, definitions: Mapping[str, Inference]) -> set[str]:
    """The names that an expression speaks of, also by way of the definitions that it calls."""
    spoken: set[str] = set()
    todo = [parsed]
    while todo:
        nodes = todo.pop().nodes
        names = {maps.split(str(n.value))[0] for n in nodes if n.kind in ("name", "call", "prefix")}
        todo.extend(definitions[n].parsed for n in names - spoken if n in definitions)
        spoken |= names
    return spoken


def unused_note(name: str, typed: Typed) -> str:
    """That a declaration speaks of no name of the expression, and which name may have been meant."""

    def loose(text: str) -> str:
        return text.lower().replace("_", "")

    near = [n for n in typed.assumed if loose(n) == loose(name)]
    near = near or [n for n in [_closest(name, typed.assumed)] if n and len(name) > 2]
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"`{name}` is declared, and the expression has no `{name}`{hint}"


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


def _letter_notes(parsed: Parsed, inference: Inference) -> list[str]:
    """That `e^x` is a power of a variable: on paper it is the exponential function."""
    if any(
        n.kind == "power" and n.args[0].kind == "name" and n.args[0].value == "e"
        for n in parsed.nodes
    ):
        if "e" in inference.names.keys() - inference.declared.keys():
            return ["`e` is read as a variable; the exponential function is `exp(...)`"]
    return []


def _final(shape: Shape) -> Shape:
    return Shape(shape.kind, resolve(shape.rows), resolve(shape.cols))


def _size_names(node: Syntax) -> set[str]:
    """The names that stand for sizes in a call."""
    below = (n for a in _size_arguments(node) for n in _size_nodes(a))
    return {str(n.value) for n in below if n.kind == "name"}


def _name_size(cell: DimVar, pool: tuple[str, ...], taken: set[str], more: Iterator[str]) -> None:
    """A name for an unknown size, of the pool or `more`, that nothing else has."""
    for name in pool:
        if name not in taken:
            break
    else:
        name = next(name for name in more if name not in taken)
    taken.add(name)
    cell.value = name
