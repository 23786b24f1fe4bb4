"""A claimed derivative beside the true one: reads it, and compares the two at random points and by their normal forms.

`Ground` holds the true derivative and the points; a claim is any function from points to arrays (`Value`), so that an
expression and a user's code are compared in the same way.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from matgrad import expr as ex
from matgrad.definitions import definitions_in
from matgrad.derive import Derivation, declarations
from matgrad.dims import Dim, dim_atoms, dim_substituted, dim_text
from matgrad.edits import renamed
from matgrad.emit.numpy import compiled
from matgrad.errors import MatgradError, ShapeProblem
from matgrad.expr import Expr, Shape
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.parse import Parsed, Syntax, parse
from matgrad.properties import has_property, push_transposes
from matgrad.render.report import value_name
from matgrad.rewrite import Recorder, assumptions
from matgrad.shapes import Declared, interpret, parse_with
from matgrad.simplification import simplify
from matgrad.verify import (
    NUDGE,
    Guard,
    Point,
    choose_sizes,
    nudged,
    random_point,
    size_names,
    unknown_functions,
)

if TYPE_CHECKING:
    import numpy as np

MAX_COMPARED = 400  # symbols of two formulas that are multiplied out and compared
MAX_TERMS = 32  # of a formula that is multiplied out
TOLERANCE = 1e-9  # of a claim, relative to the largest entry of the derivative
NUDGES = 4
ATTEMPTS = 6  # at one pair of sizes and way of sampling
WAYS = 4
SIZES = 5
FAR = (10.0, 0.02, 300.0, 5000.0)  # what the variables are multiplied by at the points far away
FAR_PLACES = (0, 10, 1, 11)
FAR_TOLERANCE = 1e-6  # there, where cancellation is worse


class Precision(NamedTuple):
    """The numbers that a claim is computed with, and how it is compared: the tolerance relative to the largest entry of
    the derivative, and the relative change of the variables that shows how far rounding errors reach."""

    name: str
    tolerance: float
    nudge: float


DOUBLE = Precision("float64", TOLERANCE, NUDGE)

Value = Callable[[Point], Any]
"""The value of something at a point: a matrix, a vector as one column; None where it is not defined."""


# --- reading ------------------------------------------------------------------------------------------------------------


class Claim(NamedTuple):
    """A claim as it was read: `expr` is None where it does not type-check (`problem` says why)."""

    text: str
    parsed: Parsed
    declared: dict[str, Declared]
    expr: Expr | None
    problem: MatgradError | None
    unknown: tuple[str, ...]  # names that neither the expression has nor a declaration knows


def _first(d: Derivation) -> Derivation:
    """The derivation of the first derivative."""
    while d.inner is not None:
        d = d.inner
    return d


def scope(d: Derivation, let: Sequence[str]) -> dict[str, Declared]:
    """The names of a derivation, with the sizes that were found, as declarations; and the others that were declared."""
    first = _first(d)
    known = declarations(list(let))
    for name, variable in first.typed.variables.items():
        known[name] = Declared(name, variable.shape, tuple(variable.data[1]), "variable")
    return known


def read_claim(text: str, d: Derivation, let: Sequence[str] = ()) -> Claim:
    """Read a claimed derivative in the variables of the derivation.

    Raises SyntaxProblem and NameProblem. A claim of another shape is read; so is one whose shapes do not fit together.
    """
    declared = scope(d, let)
    parsed = _with_locals(parse_with(text, declared), d, declared)
    expected = d.derivative.shape
    problem: MatgradError | None = None
    found: Expr | None = None
    unknown: tuple[str, ...] = ()
    try:
        typed = interpret(parsed, declared)
        found, unknown = typed.expr, typed.assumed
    except ShapeProblem as why:
        problem = why
    if found is None or (found.shape != expected and not found.is_scalar):
        # `I`, `ones` and the like take their size from where they stand: beside the derivative.
        inside = interpreted_as(parsed, declared, expected)
        if inside is not None:
            found, problem = inside, None
            unknown = tuple(v.data[0] for v in ex.variables(inside) if v.data[0] not in declared)
    if found is None or found.shape != expected:
        given = declarations(list(let))
        other = _with_known_sizes(parsed, d, given, declared, found)
        if other is not None:
            parsed, found = other
            problem = None
    return Claim(text, parsed, declared, found, problem, unknown)


_WHERE = re.compile(r"\bwhere\b(.+)", re.DOTALL)


def _with_locals(parsed: Parsed, d: Derivation, declared: Mapping[str, Declared]) -> Parsed:
    """A claim that uses names which stand for formulas in the expression, as in `norm2(r)^2 where r = A*x - b`, or the
    name that reports give the expression: y in `y (1 - y)`."""
    expression = _first(d).typed.text
    found = _WHERE.search(expression)
    body = expression[: found.start()] if found else expression
    known = {n.value for n in parse_with(expression, declared).nodes if n.kind == "local_name"}
    spoken = {n.value for n in parsed.nodes if n.kind == "name"}
    y = value_name(d)
    of_value = y in spoken and y not in known and y not in declared
    formulas = [found[1]] if found and (of_value or spoken & known) else []
    formulas += [f" {y} = {body.strip()}"] if of_value else []
    if not formulas:
        return parsed
    own = _WHERE.search(parsed.text)
    if own:
        formulas.append(own[1])
    claim = parsed.text[: own.start()] if own else parsed.text
    return parse_with(f"{claim.rstrip()} where{','.join(formulas)}", declared)


def _with_known_sizes(
    parsed: Parsed,
    d: Derivation,
    given: Mapping[str, Declared],
    declared: Mapping[str, Declared],
    found: Expr | None,
) -> tuple[Parsed, Expr] | None:
    """A claim that calls a size by another name than the derivation, as in `ones(n)` where nothing said that x has n entries.

    The names that are tried are sizes elsewhere, and mean nothing in the expression; what they may be is a size that
    nobody named."""
    inside = [v.shape for v in d.typed.variables.values()]
    named = atoms(*(k.shape for k in given.values()))
    own = [n for n in atoms(d.derivative.shape, *inside) if n not in named]
    elsewhere = {*atoms(*(k.shape for k in declared.values()))}
    elsewhere |= {*atoms(found.shape)} if found is not None else set()
    spoken = [str(n.value) for n in parsed.nodes if n.kind == "name"]
    foreign = [n for n in dict.fromkeys(spoken) if n in elsewhere and n not in {*own, *declared}]
    if not foreign or len(foreign) > len(own):
        return None
    for names in itertools.islice(itertools.permutations(own, len(foreign)), 24):
        other = renamed(parsed, dict(zip(foreign, names, strict=True)))
        e = interpreted_as(other, declared, d.derivative.shape)
        if e is not None and all(v.data[0] in declared for v in ex.variables(e)):
            return other, e
    return None


def interpreted_as(parsed: Parsed, declared: Mapping[str, Declared], shape: Shape) -> Expr | None:
    """A syntax tree as an expression that is added to something of a shape; None if that does not fit."""
    if shape.kind == ex.SCALAR:
        try:
            found = interpret(parsed, declared).expr
        except MatgradError:
            return None
        return found if found.is_scalar else None
    sizes = {ex.VECTOR: (shape.rows,), ex.ROW: (shape.cols,)}.get(shape.kind, shape[1:])
    mark = "'" if shape.kind == ex.ROW else ""
    nothing = parse(f"zeros({', '.join(map(dim_text, sizes))}){mark}", declared=set(declared))
    root = Syntax("add", [nothing.root, parsed.root], 0, 0)
    nodes = [*nothing.nodes, *parsed.nodes, root]
    try:
        found = interpret(Parsed(parsed.text, root, nodes, []), declared).expr
    except MatgradError:
        return None
    return found if found.shape == shape else None


def merged(declared: Mapping[str, Declared], sizes: Mapping[Dim, Dim]) -> dict[str, Declared]:
    """Declarations in which some sizes are equal to others."""

    def shape(s: Shape) -> Shape:
        return Shape(s.kind, dim_substituted(s.rows, sizes), dim_substituted(s.cols, sizes))

    return {
        name: d._replace(
            shape=shape(d.shape), argument=None if d.argument is None else shape(d.argument)
        )
        for name, d in declared.items()
    }


# --- values -------------------------------------------------------------------------------------------------------------


def as_matrix(value: Any, kind: str) -> Any:
    """A value as a matrix: a vector as one column, a number as one entry."""
    import numpy as np

    array = np.asarray(value, dtype=float)
    if kind == ex.SCALAR:
        return array.reshape(1, 1)
    if array.ndim == 2:
        return array
    return array.reshape(1, -1) if kind == ex.ROW else array.reshape(-1, 1)


def difference(a: Any, b: Any) -> float:
    """The largest difference of two matrices; infinite for different shapes, NaN where one is undefined."""
    import numpy as np

    if a.shape != b.shape:
        return float("inf")
    return float(np.max(np.abs(a - b), initial=0))


def largest(*arrays: Any) -> float:
    """The largest absolute value in arrays."""
    import numpy as np

    return max((float(np.max(np.abs(a), initial=0)) for a in arrays), default=0.0)


class Sample(NamedTuple):
    """A point, the derivative there, and what an error is measured against."""

    point: Point
    expected: Any
    scale: float

    @property
    def telling(self) -> bool:
        """Whether the point says more than that of numbers: some size is not 1."""
        return not self.point.sizes or any(size > 1 for size in self.point.sizes.values())


class Ground:
    """The derivative, and points at which it has a value."""

    def __init__(self, d: Derivation, seed: int = 0, *claims: Expr) -> None:
        self.derivation = d
        self.derivative = d.derivative
        self.roots = (d.expression, d.derivative, d.wrt, *claims)
        self.variables = ex.variables(*self.roots)
        self.functions = unknown_functions(d.expression, d.derivative, *claims)
        self.seed = seed
        self._guard = Guard([d.expression, d.derivative], d.assumptions, self.variables)
        self.value_of = self.value(d.expression)
        self.expected_at = self.value(d.derivative)
        self.samples = list(self.draw())

    def far(self, factor: float) -> list[Sample]:
        """Points with much larger or much smaller numbers."""

        def times(point: Point, rng: np.random.Generator) -> Point:
            return self.multiplied(point, factor)

        return list(itertools.islice(self.draw(times, places=FAR_PLACES), 2))

    def value(self, e: Expr) -> Value:
        """The value of an expression at points."""
        import numpy as np

        program = compiled([e], self.variables)
        kind = e.shape.kind

        def at(point: Point) -> Any:
            try:
                with np.errstate(all="ignore"):
                    (found,) = program(point.values, point.sizes, point.functions)
            except (np.linalg.LinAlgError, IndexError, KeyError, ValueError):
                return None
            return as_matrix(found, kind)

        return at

    def sizes(self, number: int, rng: np.random.Generator, turned: bool) -> dict[str, int]:
        """Sizes for the point of a number."""
        return choose_sizes(number, rng, *self.roots, turned=turned)

    def draw(
        self,
        change: Callable[[Point, np.random.Generator], Point | None] | None = None,
        guarded: bool = True,
        places: Iterable[int] = range(SIZES * WAYS),
    ) -> Iterator[Sample]:
        """Points at which the derivative has a value, in every way of sampling at every choice of sizes.

        `change` makes another point of each: one at which a matrix is symmetric, for instance.
        """
        import numpy as np

        rng = np.random.default_rng(self.seed)
        with np.errstate(all="ignore"):
            for place in places:
                for attempt in range(ATTEMPTS):
                    sizes = self.sizes(place % SIZES, rng, attempt % 4 > 1)
                    way = (place // SIZES + attempt) % WAYS
                    point: Point | None = random_point(
                        self.variables, self.functions, sizes, way, rng
                    )
                    if change is not None and point is not None:
                        point = change(point, rng)
                    sample = self.sample(point, guarded) if point is not None else None
                    if sample is not None:
                        yield sample
                        break

    def sample(self, point: Point, guarded: bool = True) -> Sample | None:
        """The derivative at a point, if the point is fit for comparing."""
        import numpy as np

        if guarded and not self._guard.allows(point):
            return None
        base, expected = self.value_of(point), self.expected_at(point)
        if base is None or expected is None:
            return None
        if not (np.all(np.isfinite(base)) and np.all(np.isfinite(expected))):
            return None
        return Sample(point, expected, max(largest(expected), 1e-3 * largest(base), 1e-5))

    def nudged(self, point: Point, number: int = 0, size: float = NUDGE) -> Point:
        """A point as near as makes no difference but by rounding."""
        return nudged(point, self.variables, number, size)

    def multiplied(self, point: Point, factor: float) -> Point:
        """A point with every variable multiplied that may be."""
        values = [
            v if {"integer", "identity", "orthogonal"} & variable.data[1] else v * factor
            for v, variable in zip(point.values, self.variables, strict=True)
        ]
        return point._replace(values=values)


class Comparison(NamedTuple):
    """What the points say of a claim."""

    ok: bool
    points: int
    worst: float  # the largest relative error
    undefined: int  # points at which the claim has no value and the derivative has one
    enough: bool = True  # whether not all of the points are numbers
    other_shape: bool = False
    far: float = 1.0  # what the variables are multiplied by where it is wrong


def compare(ground: Ground, claim: Value, precision: Precision = DOUBLE) -> Comparison:
    """Compare a claim with the derivative at every point. What rounding errors can explain is not counted.

    A claim that agrees at all of them is tried far away, too: a formula in pieces may be right in the middle only. Where
    it has no value there, the numbers were too large."""
    found = _compared(ground, ground.samples, claim, precision)
    if found.ok and precision is DOUBLE:
        for factor in FAR:
            there = _compared(ground, ground.far(factor), claim, precision)
            if there.worst > FAR_TOLERANCE:
                return found._replace(ok=False, worst=there.worst, far=factor)
    return found


def _compared(
    ground: Ground, samples: Sequence[Sample], claim: Value, precision: Precision
) -> Comparison:
    import numpy as np

    worst, points, undefined, telling, ok = 0.0, 0, 0, 0, True
    at_zero = 0.0  # the worst error where the derivative is nearly zero beside the expression
    tolerance = precision.tolerance
    with np.errstate(all="ignore"):
        for sample in samples:
            value = claim(sample.point)
            if value is None or not np.all(np.isfinite(value)):
                undefined += 1
                continue
            if value.shape != sample.expected.shape:
                return Comparison(False, points, float("inf"), undefined, other_shape=True)
            error = difference(value, sample.expected)
            if error > tolerance * sample.scale and _is_rounding(
                ground, claim, sample, error, precision.nudge
            ):
                continue
            points += 1
            telling += sample.telling
            if largest(sample.expected) < sample.scale:
                at_zero = max(at_zero, error / sample.scale)
            else:
                worst = max(worst, error / sample.scale)
            ok = ok and error <= tolerance * sample.scale
    worst = worst if worst > tolerance else max(worst, at_zero)
    enough = bool(telling or not size_names(*ground.roots))
    return Comparison(
        ok and enough and points > 0 and not undefined, points, worst, undefined, enough
    )


def _is_rounding(ground: Ground, claim: Value, sample: Sample, error: float, nudge: float) -> bool:
    """Whether an error is what rounding makes of a badly conditioned formula."""
    here = claim(sample.point)
    moved = 0.0
    for number in range(NUDGES):
        near = ground.nudged(sample.point, number, nudge)
        value, expected = claim(near), ground.expected_at(near)
        if value is None or expected is None or value.shape != sample.expected.shape:
            return True
        moved = max(moved, difference(expected, sample.expected) + difference(value, here))
    return not error > 10 * moved


# --- normal forms -------------------------------------------------------------------------------------------------------


def normal_form(e: Expr, wrt: Sequence[Expr]) -> Expr:
    """An expression simplified, for comparing with another one."""
    return simplify(push_transposes(e), Recorder(tuple(wrt)))


def terms_of(e: Expr) -> list[Expr]:
    """An expression as a sum, with products multiplied out; [] if that is too long."""
    done: list[Expr] = []
    todo = [push_transposes(e)]
    while todo:
        term = todo.pop()
        if term.kind == ex.ADD:
            todo.extend(reversed(term.args))
        else:
            parts = _split(term)
            if parts is None:
                done.append(term)
            else:
                todo.extend(reversed(parts))
        if len(done) + len(todo) > MAX_TERMS:
            return []
    return done


_LINEAR = ("hadamard", "kron", "diag", "diagonal", "vec", "tr", "sum", "rowsum", "colsum")


def halves(term: Expr) -> list[Expr]:
    """The parts of a product of which one factor is a sum, for each such factor; the others stay as they are."""
    found: list[Expr] = []
    if term.kind == ex.MUL or term.op in _LINEAR:
        for i, factor in enumerate(term.args):
            if factor.kind == ex.ADD:
                found += [_replaced(term, i, part) for part in factor.args]
    return found


def _split(term: Expr) -> list[Expr] | None:
    """A product as a sum, one factor multiplied out; None if no factor is a sum."""
    if term.kind != ex.MUL and term.op not in _LINEAR:
        return None
    for i, factor in enumerate(term.args):
        if factor.kind in (ex.ADD, ex.MUL) or factor.op in _LINEAR:
            inner = factor.args if factor.kind == ex.ADD else _split(factor)
            if inner:
                return [_replaced(term, i, part) for part in inner]
    return None


def _replaced(term: Expr, at: int, part: Expr) -> Expr:
    args = (*term.args[:at], part, *term.args[at + 1 :])
    return ex.rebuild(term, args)


def symbolic_difference(d: Derivation, claim: Expr) -> Expr | None:
    """The derivative minus the claim, multiplied out and collected: zero where that decides that they are equal.

    None where they cannot be compared."""
    if claim.shape != d.derivative.shape or definitions_in(claim):
        return None
    if ex.cost(claim) + ex.cost(d.derivative) > MAX_COMPARED:
        return None
    zero = ex.zeros(claim.shape)
    try:
        left, right = normal_form(d.derivative, d.variables), normal_form(claim, d.variables)
        if left is right:
            return zero
        counts: dict[object, list[Any]] = {}
        for side, sign in ((left, 1), (right, -1)):
            for term in terms_of(side) or [side]:
                core = ex.mul(ex.num(1 / term.coefficient), term) if term.coefficient else term
                key = (frozenset(Counter(core.scalars).items()), core.chain)
                entry = counts.setdefault(key, [core, Fraction(0)])
                entry[1] += sign * term.coefficient
        rest = ex.add(*(ex.mul(ex.num(n), core) for core, n in counts.values() if n), zero)
        return zero if ex.is_zero(normal_form(rest, d.variables)) else rest
    except MatgradError:
        return None


def is_really_there(ground: Ground, rest: Expr) -> bool:
    """Whether what is left of a difference is more than the rounding errors of its own evaluation: it does not come about
    by cancellation, and does not change by a nudge."""
    value = ground.value(rest)
    sums = [
        (ground.value(e), [ground.value(a) for a in e.args])
        for e in with_values(rest)
        if e.kind == ex.ADD
    ]
    seen = 0
    for sample in ground.samples:
        here, near = value(sample.point), value(ground.nudged(sample.point))
        if here is None or near is None or not difference(here, near) < 1e-3 * largest(here):
            continue
        for whole, terms in sums:
            parts = [found for t in terms if (found := t(sample.point)) is not None]
            found = whole(sample.point)
            if found is None or not largest(found) > 1e-9 * largest(*parts):
                break
        else:
            seen += 1
    return seen >= 2


def further_assumptions(d: Derivation, claim: Expr) -> list[tuple[str, Expr]]:
    """What a claim takes for granted that the derivation does not: a matrix that it inverts is invertible."""
    known = set(d.assumptions)
    inverted = {_bare(e.args[0]) for e in ex.postorder(d.expression, d.derivative) if e.op == "inv"}
    found: dict[tuple[str, Expr], None] = {}
    for e in ex.postorder(claim):
        if e.kind != ex.CALL:
            continue
        wanted = list(assumptions(e)) if e.op in FUNCTIONS else []
        # A claim has a value where it is not differentiable: ‖x‖ at 0.
        wanted = [a for a in wanted if a[0] not in ("nonzero", "free of zeros", "of constant rank")]
        if e.op == "inv" and not has_property(e.args[0], "invertible"):
            wanted.append(("invertible", e.args[0]))
        for item in wanted:
            if item not in known and _bare(item[1]) not in inverted:
                found[item] = None
    return list(found)


def _bare(e: Expr) -> Expr:
    """A matrix without a transpose around it, which is invertible whenever the other is."""
    return e.args[0] if e.op == "transpose" else e


def with_values(root: Expr) -> list[Expr]:
    """The parts of an expression that have a value of their own: not those that speak of the index of a sum around them."""
    nodes = ex.postorder(root)
    bound = {e.data[0] for e in nodes if e.kind == ex.SUM}
    if not bound:
        return list(nodes)
    return [
        e
        for e in nodes
        if not (
            ex.index_names(e) & bound - {s.data[0] for s in ex.postorder(e) if s.kind == ex.SUM}
        )
    ]


def atoms(*shapes: Shape) -> list[str]:
    """The names of sizes in shapes."""
    return list(dict.fromkeys(str(a) for s in shapes for dim in s[1:] for a in dim_atoms(dim)))
