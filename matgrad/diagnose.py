"""How a claimed derivative is wrong: a search over the known ways, the simplest first, each tried numerically.

A way to go wrong (`Guess`) gives, at several points, what the claim says and what it would say if this was what happened.
It fits if the two agree at every point. Where they agree up to one factor, it is named if nothing simpler fits.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from matgrad import expr as ex
from matgrad.claims import (
    Claim,
    Ground,
    Sample,
    Value,
    atoms,
    difference,
    halves,
    interpreted_as,
    largest,
    merged,
    normal_form,
    scope,
    terms_of,
    with_values,
)
from matgrad.derive import Derivation, Options
from matgrad.dims import Dim, dim_substituted, dim_text, dim_value
from matgrad.edits import Edit, edits, exchanges, renamed
from matgrad.errors import MatgradError
from matgrad.expr import Expr
from matgrad.parse import Parsed
from matgrad.render.text import render, shape_label
from matgrad.render.verdicts import matrix_text
from matgrad.shapes import parse_with
from matgrad.structure import structure
from matgrad.verify import Point, random_point, sample

if TYPE_CHECKING:
    import numpy as np

SAME = 1e-7  # two values agree: relative to the larger one
FEW = 3  # points that an unlikely guess is tried at first
# The kinds of slips, as docs/check.md explains them.
KINDS = (
    "name", "sign", "row", "transposed", "layout", "structured", "factor",
    "term-missing", "term-twice", "sign-of-term", "coefficient", "term",
    "assumption", "square", "commuting", "elementwise", "diag", "transpose", "inverse", "order",
    "derivative", "variable", "domain",
)  # fmt: skip

MAX_SCALARS = 8  # scalars in the derivative that may be a factor too many
ZERO = 1e-12  # what is smaller, relative to the derivative, is zero but for rounding
TINY = 1e-9  # a relative error whose reason rounding errors hide, unless it is known as a formula
MAX_NAMED = 3  # ways that are named when several fit

Pairs = list[tuple[Any, Any, float]]
"""At each point: what the claim says, what it would say, and what rounding errors are measured against."""


class Diagnosis(NamedTuple):
    """One way in which a claim may have gone wrong."""

    kind: str
    message: str
    repaired: str = ""  # the claim without the slip, where it has a formula


class Guess(NamedTuple):
    """A diagnosis to try. `pairs` is told how many points are wanted (0: all)."""

    diagnosis: Diagnosis
    pairs: Callable[[int], Pairs | None]
    up_to_factor: bool = True  # whether agreement up to one factor means anything


class Case(NamedTuple):
    """A wrong claim."""

    ground: Ground
    value: Value  # of the claim
    claim: Claim | None  # the formula; None for code
    seed: int
    tolerance: float | None = None  # of code that computes with few digits
    worst: float = 1.0  # how far off the claim is
    rest: Expr | None = None  # the derivative minus the claim, where that is known as a formula
    far: float = 1.0  # what the variables are multiplied by where the claim is wrong

    @property
    def d(self) -> Derivation:
        """The true derivative."""
        return self.ground.derivation

    @property
    def same(self) -> float:
        """How well values agree that are the same."""
        return max(min(SAME, 1e-3 * self.worst), 1e-13, 5 * (self.tolerance or 0))


Group = Callable[[Case], Iterator[Guess]]


def diagnose(case: Case) -> list[Diagnosis]:
    """The ways in which the claim may have gone wrong, the simplest first; [] if no known one fits."""
    import numpy as np

    if case.far != 1:
        words = f"right only for numbers of moderate size: wrong where the variables are {case.far:g} times as large"
        return [Diagnosis("domain", words)]

    second: list[Diagnosis] = []
    tiny = case.rest is not None and case.worst < TINY
    with np.errstate(all="ignore"):
        for group in _GROUPS if not tiny else (_factor, _terms):
            found = _fitting(case, group, second)
            if found and group in _UNDER_ASSUMPTION:
                found += _fitting(case, _edited_claim, [])
            if found:
                return found[:MAX_NAMED]
    return second[:1]


def _fitting(case: Case, group: Group, second: list[Diagnosis]) -> list[Diagnosis]:
    """The diagnoses of a group that fit; those that fit up to a factor go to `second`."""
    found: list[Diagnosis] = []
    for guess in group(case):
        factor = _fits(case, guess)
        if factor is None:
            continue
        if abs(factor - 1) <= case.same:
            found.append(guess.diagnosis)
            if guess.diagnosis.repaired or group in (_structures, _by_rows):
                break  # the others would say the same in other words
        elif guess.up_to_factor:
            second.append(_with_factor(guess.diagnosis, factor, case.tolerance))
        if len(found) == MAX_NAMED:
            break
    return found


def _with_factor(known: Diagnosis, factor: float, precision: float | None) -> Diagnosis:
    if abs(factor + 1) <= SAME:
        return Diagnosis(known.kind, f"{known.message}; and the sign is wrong")
    return Diagnosis(
        known.kind, f"{known.message}; and there is a factor {number(factor, precision)} too many"
    )


def _fits(case: Case, guess: Guess) -> float | None:
    """The factor up to which a guess fits at every point; None if it does not."""
    for count in (FEW, 0):
        pairs = guess.pairs(count)
        factor = _ratio(pairs, 2 if count else 3, case.same) if pairs else None
        if factor is None:
            return None
    return factor


def _ratio(pairs: Pairs, least: int, same: float = SAME) -> float | None:
    """The one factor between claimed and guessed values, if there is one."""
    import numpy as np

    top = bottom = 0.0
    count = 0
    for claimed, guessed, scale in pairs:
        if claimed is None or guessed is None or claimed.shape != guessed.shape:
            return None
        if not (np.all(np.isfinite(claimed)) and np.all(np.isfinite(guessed))):
            return None
        size = largest(guessed)
        if size > ZERO * scale:
            count += 1
            top += float(np.sum(claimed * guessed)) / size**2
            bottom += float(np.sum(guessed * guessed)) / size**2
        elif largest(claimed) > ZERO * scale:
            return None
    if count < least or not bottom:
        return None
    factor = top / bottom
    for claimed, guessed, scale in pairs:
        if difference(claimed, factor * guessed) > max(
            same * largest(claimed, guessed), ZERO * scale
        ):
            return None
    return factor if factor else None


def number(value: float, precision: float | None = None) -> str:
    """A factor as a person would write it: a small fraction where it is one."""
    fine = 2e-15 if abs(abs(value) - 1) < 1e-8 else 1e-11  # so near 1 it is a slip of the pen
    fine = max(fine, precision or 0)
    near = Fraction(value).limit_denominator(64)
    if abs(float(near) - value) <= fine * max(1.0, abs(value)):
        return str(near)
    texts = (f"{value:.{digits}g}" for digits in range(3, 15))
    return next((t for t in texts if abs(float(t) - value) <= fine * abs(value)), f"{value:.15g}")


# --- guesses about the whole --------------------------------------------------------------------------------------------


def _samples(case: Case, count: int) -> list[Sample]:
    """Points of the ground; a few of them are such that say much."""
    if not count:
        return case.ground.samples
    telling = [s for s in case.ground.samples if s.telling] or case.ground.samples
    return telling[:count]


def _against(case: Case, guessed: Callable[[Sample], Any]) -> Callable[[int], Pairs | None]:
    """The claim against something else than the derivative."""
    return lambda count: [(case.value(s.point), guessed(s), s.scale) for s in _samples(case, count)]


def _by_value(case: Case, e: Expr) -> Callable[[int], Pairs | None]:
    value = case.ground.value(e)
    return _against(case, lambda s: value(s.point))


def _unknown_names(case: Case) -> Iterator[Guess]:
    """A name that the expression does not have, for one that it has."""
    claim = case.claim
    for name in _unknown(case):
        assert claim is not None
        for v in case.d.typed.variables.values():
            parsed = renamed(claim.parsed, {name: v.data[0]})
            e = interpreted_as(parsed, claim.declared, case.d.derivative.shape)
            if e is None or any(w not in case.ground.variables for w in ex.variables(e)):
                continue
            value = case.ground.value(e)

            def pairs(count: int, value: Value = value) -> Pairs | None:
                return [(value(s.point), s.expected, s.scale) for s in _samples(case, count)]

            words = f"`{name}` is not in the expression, and `{v.data[0]}` is meant"
            yield Guess(Diagnosis("name", f"{words}: `{render(e)}` is right", render(e)), pairs)


def _same_up_to_sign(case: Case) -> Iterator[Guess]:
    yield Guess(
        Diagnosis("sign", "the sign is wrong"), _against(case, lambda s: -s.expected), False
    )


def _turned(case: Case) -> Iterator[Guess]:
    d = case.d
    shape, subject = d.derivative.shape, d.subject
    other = {"mixed": "denominator", "denominator": "mixed", "numerator": "denominator"}[d.layout]
    if shape.kind in (ex.VECTOR, ex.ROW):
        words = {
            ex.VECTOR: "a row where a column is meant: this is the transpose",
            ex.ROW: "a column where a row is meant: this is the transpose",
        }[shape.kind]
        if subject.is_scalar:
            words += f" (the gradient in the {'mixed' if d.layout == 'numerator' else 'numerator'} layout)"
        diagnosis = Diagnosis("row", words)
    elif subject.is_scalar or d.wrt.is_scalar:
        note = "" if d.by_number else " (the gradient in the numerator layout)"
        if d.layout == "numerator" and note:
            note = " (the gradient in the mixed layout)"
        diagnosis = Diagnosis("transposed", "transposed" + note)
    else:
        diagnosis = Diagnosis(
            "layout", f"another layout: this is the derivative in the {other} layout, transposed"
        )
    if shape.kind != ex.SCALAR:
        yield Guess(diagnosis, _against(case, lambda s: s.expected.T))


def _factor(case: Case) -> Iterator[Guess]:
    """A constant factor; or one that is a power of a size or of a scalar variable."""
    pairs = _against(case, lambda s: s.expected)(0) or []
    factor = _ratio(pairs, 2, case.same)
    if case.rest is not None:
        rest = case.ground.value(case.rest)
        beyond = _ratio([(-rest(s.point), s.expected, 0.0) for s in case.ground.samples], 2)
        factor = 1 + beyond if beyond is not None else None
    if factor is not None:
        text = number(factor, case.tolerance)
        yield Guess(
            Diagnosis(
                "factor",
                f"off by the constant factor {text}: the claim is {text} times the derivative",
            ),
            _against(case, lambda s: factor * s.expected),
            False,
        )
        return
    for name, of, powers in _quantities(case):
        for power, words in powers:

            def guessed(s: Sample, of: Quantity = of, power: int = power) -> Any:
                return of(s.point) ** power * s.expected

            yield Guess(Diagnosis("factor", words.format(name)), _against(case, guessed))


Quantity = Callable[[Point], float]

_POWERS = (
    (1, "`{}` is a factor too many"),
    (-1, "a factor `{}` is missing"),
    (2, "`{}^2` is a factor too many"),
    (-2, "a factor `{}^2` is missing"),
)


Powers = tuple[tuple[int, str], ...]


def _quantities(case: Case) -> Iterator[tuple[str, Quantity, Powers]]:
    """Sizes, scalar variables and scalars in the derivative, which are often a factor that was forgotten."""
    for name in atoms(*(e.shape for e in ex.postorder(*case.ground.roots))):
        yield name, functools.partial(_size_at, name), _POWERS
    for i, variable in enumerate(case.ground.variables):
        if variable.is_scalar:
            yield variable.data[0], functools.partial(_number_at, i), _POWERS
    inner = [
        e
        for e in with_values(case.d.derivative)
        if e.is_scalar and e.kind in (ex.CALL, ex.MUL, ex.SUM) and e.coefficient == 1
        if not ex.is_divisor(e)  # what it divides by is there, too
    ]
    for e in inner[:MAX_SCALARS]:
        value = case.ground.value(e)
        yield render(e), functools.partial(_scalar_at, value), _POWERS[:2]


def _size_at(name: str, point: Point) -> float:
    return float(point.sizes.get(name, 1))


def _scalar_at(value: Value, point: Point) -> float:
    found = value(point)
    return float(found[0, 0]) if found is not None and found[0, 0] else float("nan")


def _number_at(place: int, point: Point) -> float:
    return float(point.values[place])


def _by_rows(case: Case) -> Iterator[Guess]:
    """A Jacobian whose vec takes a matrix by rows."""
    d = case.d
    y, x = d.expression.shape, d.wrt.shape
    if d.subject.is_scalar or d.by_number or d.layout != "mixed":
        return
    if ex.MATRIX not in (y.kind, x.kind):
        return

    def guessed(turn: bool) -> Callable[[Sample], Any]:
        def at(s: Sample) -> Any:
            found = s.expected
            if y.kind == ex.MATRIX:
                found = found[_row_order(y, s.point.sizes), :]
            if x.kind == ex.MATRIX:
                found = found[:, _row_order(x, s.point.sizes)]
            return found.T if turn else found

        return at

    for turn in (False, True):
        words = "another layout: vec takes the matrices row by row here, not column by column"
        words += ", and it is transposed" if turn else ""
        yield Guess(Diagnosis("layout", words), _against(case, guessed(turn)))


def _row_order(shape: ex.Shape, sizes: dict[str, int]) -> Any:
    """The places in vec of the entries of a matrix, taken by rows."""
    import numpy as np

    m, n = dim_value(shape.rows, sizes), dim_value(shape.cols, sizes)
    return np.arange(m * n).reshape(n, m).T.reshape(-1)


def _structures(case: Case) -> Iterator[Guess]:
    """Another convention for a structured variable."""
    d = case.d
    kind = structure(d.wrt)
    x = d.wrt.data[0]
    if not kind or d.entry is not None:
        return
    asked = d.options.structured
    others = [("free", f"{x} is taken for a matrix with free entries, and it is {kind}")]
    if kind in ("symmetric", "skew"):
        if asked == "subspace":
            words = f"the array of partial derivatives by the independent entries of the {kind} {x}"
            words += " (`--structured cookbook`) instead of the gradient in the subspace"
            others.insert(0, ("cookbook", words))
        else:
            words = f"the gradient among {kind} matrices (`--structured subspace`) instead of the array of partial derivatives"
            others.insert(0, ("subspace", words))
    for convention, words in others:
        e = _rederived(d, convention)
        if e is not None:
            yield Guess(Diagnosis("structured", words), _by_value(case, e))


def _rederived(d: Derivation, convention: str) -> Expr | None:
    """The derivative under another convention for structured variables; `free`: without their structure."""
    try:
        return _again(d, convention).derivative
    except MatgradError:
        return None


def _again(d: Derivation, convention: str) -> Derivation:
    inner = _again(d.inner, convention) if d.inner is not None else None
    o = d.options
    free = convention == "free"
    options = Options(
        o.layout, "subspace" if free else convention, o.definition, o.adjugate, o.named
    )
    typed, variables = d.typed, d.variables
    if inner is not None:
        typed = typed._replace(expr=inner.derivative)
    if free:
        loose = {v: ex.var(v.data[0], v.shape, v.data[1] & {"invertible"}) for v in variables}
        typed = typed._replace(expr=ex.substitute(typed.expr, loose))
        variables = tuple(loose.values())
    found = Derivation(typed, variables, options, inner)
    if free:
        back = {loose[v]: v for v in loose}
        for part in found.parts:
            part.derivative = ex.substitute(part.derivative, back)
    return found


# --- terms and factors --------------------------------------------------------------------------------------------------


def _terms(case: Case) -> Iterator[Guess]:
    """A term of the derivative that is missing, or counted wrongly."""
    whole = case.d.derivative
    exactly = case.ground.value(case.rest) if case.rest is not None else None
    rough = list(whole.args) if whole.kind == ex.ADD else []
    middle = [half for term in rough or [whole] for half in halves(term)]
    fine = terms_of(whole)
    for term in dict.fromkeys([*rough, *middle, *fine]):
        if len(rough) < 2 and len(middle) < 2 and len(fine) < 2:
            return
        value = case.ground.value(term)
        shown = normal_form(term, case.d.variables)
        name = render(shown)

        def rest(count: int, value: Value = value) -> Pairs | None:
            found = []
            if exactly is not None:
                return [(-exactly(s.point), value(s.point), 0.0) for s in _samples(case, count)]
            for s in _samples(case, count):
                claimed = case.value(s.point)
                if claimed is None or claimed.shape != s.expected.shape:
                    return None
                found.append((claimed - s.expected, value(s.point), s.scale))
            return found

        factor = _fits(case, Guess(Diagnosis("", ""), rest))
        if factor is None:
            continue
        if abs(factor + 1) <= case.same:
            diagnosis = Diagnosis("term-missing", f"the term `{name}` is missing")
        elif abs(factor - 1) <= case.same:
            diagnosis = Diagnosis("term-twice", f"the term `{name}` is counted twice")
        elif abs(factor + 2) <= case.same:
            diagnosis = Diagnosis("sign-of-term", f"the sign of the term `{name}` is wrong")
        else:
            own, rest_of = shown.coefficient, ex.mul(ex.num(1 / shown.coefficient), shown)
            words = f"the coefficient of `{render(rest_of)}` is {number(float(own) * (1 + factor), case.tolerance)} instead of {own}"
            diagnosis = Diagnosis("coefficient", words)

        def exact(count: int, rest: Any = rest, factor: float = factor) -> Pairs | None:
            return [(a, factor * b, scale) for a, b, scale in rest(count) or []]

        yield Guess(diagnosis, exact, False)


def _missing_factors(case: Case) -> Iterator[Guess]:
    """A factor of the derivative that the claim does not have."""
    whole = case.d.derivative
    seen: set[Expr] = set()
    nodes = [n for n in ex.postorder(whole)[::-1] if n.kind == ex.MUL or n.op == "hadamard"]
    for node in nodes[:20]:
        for i, factor in enumerate(node.args):
            args = node.args[:i] + node.args[i + 1 :]
            try:
                rest = (
                    ex.hadamard(*args)
                    if node.op == "hadamard"
                    else ex.mul(ex.num(node.coefficient), *args)
                )
                if rest.shape != node.shape and node is not whole:
                    continue
                e = ex.substitute(whole, {node: rest})
            except (MatgradError, AssertionError, IndexError):
                continue
            if e in seen:
                continue
            seen.add(e)
            words = f"the factor `{render(factor)}` of the derivative is missing"
            yield Guess(Diagnosis("factor", words), _by_value(case, e))
    for node in [n for n in ex.postorder(whole) if n.op in ("power", "epow", "matpow")][:10]:
        for more, words in ((-1, "small"), (1, "large")):
            base, exponent = node.args
            other = ex.add(exponent, ex.num(more))
            e = ex.substitute(
                whole, {node: (ex.epower if node.op == "epow" else ex.power)(base, other)}
            )
            words = f"the exponent of `{render(node)}` is too {words} by one"
            yield Guess(Diagnosis("factor", words), _by_value(case, e))


def _other_variables(case: Case) -> Iterator[Guess]:
    """The derivative by another variable."""
    d = case.d
    if d.inner is not None or len(d.parts) > 1:
        return
    for v in ex.variables(d.expression):
        if v is d.wrt or "integer" in v.data[1]:
            continue
        try:
            e = Derivation(d.typed, (v,), d.options).derivative
        except MatgradError:
            continue
        if e.shape.kind == d.derivative.shape.kind:
            words = f"this is the derivative by `{v.data[0]}`, not by `{d.wrt.data[0]}`"
            yield Guess(Diagnosis("variable", words), _by_value(case, e))


# --- right under an assumption ------------------------------------------------------------------------------------------

Change = Callable[[Point, "np.random.Generator"], "Point | None"]


def _under(case: Case, change: Change, guarded: bool = False) -> Callable[[int], Pairs | None]:
    """Claim and derivative where something more holds."""

    def pairs(count: int) -> Pairs | None:
        found = [
            (case.value(s.point), s.expected, s.scale)
            for s in case.ground.draw(change, guarded, range(count or 10))
            if s.telling or not count
        ]
        return found or None

    return pairs


def _setting(case: Case, of: dict[int, Callable[[Any, Any], Any]]) -> Change:
    def change(point: Point, rng: np.random.Generator) -> Point | None:
        values = list(point.values)
        for i, make in of.items():
            values[i] = make(values[i], rng)
        return point._replace(values=values)

    return change


def _squares(case: Case) -> list[tuple[int, Expr]]:
    """The square matrices that were not declared to have a structure."""
    return [
        (i, v)
        for i, v in enumerate(case.ground.variables)
        if v.shape.kind == ex.MATRIX
        and v.shape.rows == v.shape.cols
        and not structure(v)
        and v.data[0] not in _unknown(case)
    ]


def _unknown(case: Case) -> tuple[str, ...]:
    return case.claim.unknown if case.claim is not None else ()


def _half(a: Any, rng: Any) -> Any:
    return (a + a.T) / 2


def _symmetric(case: Case, variable: bool = False) -> Iterator[Guess]:
    for i, v in _squares(case):
        if (v is case.d.wrt) == variable:
            words = f"right only if {v.data[0]} is symmetric"
            yield Guess(Diagnosis("assumption", words), _under(case, _setting(case, {i: _half})))


def _symmetric_variable(case: Case) -> Iterator[Guess]:
    return _symmetric(case, True)


def _all_symmetric(case: Case) -> Iterator[Guess]:
    squares = _squares(case)
    if len(squares) > 1:
        names = " and ".join(v.data[0] for _, v in squares)
        words = f"right only if {names} are symmetric"
        change = _setting(case, dict.fromkeys([i for i, _ in squares], _half))
        yield Guess(Diagnosis("assumption", words), _under(case, change))


def _commuting(case: Case) -> Iterator[Guess]:
    squares = _squares(case)
    for (i, a), (j, b) in itertools.combinations(squares, 2):
        if a.shape != b.shape:
            continue
        # The variable is what X commutes with; the other one is made a polynomial in it.
        moving, fixed = (i, j) if b is case.d.wrt else (j, i)

        def change(
            point: Point, rng: np.random.Generator, moving: int = moving, fixed: int = fixed
        ) -> Point | None:
            import numpy as np

            base = point.values[fixed]
            values = list(point.values)
            c = rng.uniform(0.5, 1.5, size=3)
            values[moving] = c[0] * np.eye(len(base)) + c[1] * base + c[2] * base @ base
            return point._replace(values=values)

        first, second = (a, b) if b is case.d.wrt else (b, a)
        words = f"right only if {first.data[0]} commutes with {second.data[0]}"
        yield Guess(Diagnosis("commuting", words), _under(case, change))


def _special(case: Case) -> Iterator[Guess]:
    """Right only for orthogonal, diagonal, skew-symmetric or positive things, or unit vectors."""
    import numpy as np

    kinds: list[tuple[str, Callable[[Any, Any], Any]]] = [
        ("orthogonal", lambda a, rng: np.linalg.qr(a)[0]),
        ("diagonal", lambda a, rng: np.diag(np.diag(a))),
        ("skew-symmetric", lambda a, rng: (a - a.T) / 2),
    ]
    for word, make in kinds:
        for i, v in _squares(case):
            words = f"right only if {v.data[0]} is {word}"
            yield Guess(
                Diagnosis("assumption", words), _under(case, _setting(case, {i: make})), False
            )
    for i, v in enumerate(case.ground.variables):
        if v.data[0] in _unknown(case) or "integer" in v.data[1]:
            continue
        if v.shape.kind in (ex.VECTOR, ex.ROW):
            words = f"right only if {v.data[0]} has length 1"
            unit = _setting(case, {i: lambda a, rng: a / np.linalg.norm(a)})
            yield Guess(Diagnosis("assumption", words), _under(case, unit), False)
        if not structure(v) and "positive" not in v.data[1]:
            what = v.data[0] if v.is_scalar else f"every entry of {v.data[0]}"
            words = f"right only if {what} is positive"
            positive = _setting(case, {i: lambda a, rng: np.abs(a) + 0.1})
            yield Guess(Diagnosis("assumption", words), _under(case, positive, True), False)
            words = f"right only if {what} is negative"
            negative = _setting(case, {i: lambda a, rng: -np.abs(a) - 0.1})
            yield Guess(Diagnosis("assumption", words), _under(case, negative, True), False)


def _identity(case: Case) -> Iterator[Guess]:
    import numpy as np

    for i, v in _squares(case):
        words = f"right only if {v.data[0]} is the identity"
        change = _setting(case, {i: lambda a, rng: np.eye(len(a))})
        yield Guess(Diagnosis("assumption", words), _under(case, change), False)


def _size_one(case: Case) -> Iterator[Guess]:
    """Right only if a size is 1."""
    telling = [s for s in case.ground.samples if s.telling]
    if any(case.value(s.point) is None or _agrees(case, s) for s in telling):
        return  # right elsewhere, too, or not known
    for name in atoms(*(e.shape for e in ex.postorder(*case.ground.roots))):
        words = f"right only if {name} = 1"
        yield Guess(Diagnosis("square", words), _where_equal(case, {name: 1}, case.value), False)


def _agrees(case: Case, s: Sample) -> bool:
    """Whether the claim is right at a point."""
    claimed = case.value(s.point)
    return claimed is not None and difference(claimed, s.expected) <= case.same * s.scale


def _larger_size(case: Case) -> Iterator[Guess]:
    """Right only if m >= n: where m is smaller the claim has no value, or another one."""
    samples = case.ground.samples
    right = [_agrees(case, s) for s in samples]
    there = [s for s, agrees in zip(samples, right, strict=True) if agrees]
    if not any(s.telling for s in there):
        return

    def pairs(count: int) -> Pairs | None:
        return [(case.value(s.point), s.expected, s.scale) for s in there]

    names = atoms(*(e.shape for e in ex.postorder(*case.ground.roots)))
    for a, b in itertools.permutations(names, 2):
        if right == [s.point.sizes[a] >= s.point.sizes[b] for s in samples]:
            yield Guess(Diagnosis("square", f"right only if {a} ≥ {b}"), pairs, False)


def _equal_sizes(case: Case) -> Iterator[Guess]:
    """Right only if m = n: the claim is read with sizes that are equal."""
    d, claim = case.d, case.claim
    names = atoms(*(e.shape for e in ex.postorder(*case.ground.roots)))
    if claim is not None:
        spoken = {str(n.value) for n in claim.parsed.nodes if n.kind == "name"}
        declared = atoms(*(k.shape for k in claim.declared.values()))
        names += [n for n in declared if n in spoken and n not in names]
    ways = [{b: a} for a, b in itertools.combinations(names, 2)]
    if len(names) > 2:
        ways.append(dict.fromkeys(names[1:], names[0]))
    right = [s.point.sizes for s in case.ground.samples if _agrees(case, s)]
    for way in ways:
        if any(sizes[a] != sizes[b] for sizes in right for a, b in way.items()):
            continue  # right elsewhere, too
        kept = next(iter(way.values()))
        gone = list(way)
        words = f"right only if {' = '.join([kept, *gone])}"
        square = [
            v.data[0]
            for v in d.typed.variables.values()
            if v.shape.kind == ex.MATRIX
            and {str(v.shape.rows), str(v.shape.cols)} <= {kept, *gone}
            and v.shape.rows != v.shape.cols
        ]
        if square:
            words += f" ({', '.join(square)} square)"
        value = case.value
        if claim is not None:
            sizes: dict[Dim, Dim] = dict(way.items())
            with_sizes = merged(claim.declared, sizes)
            sizes_of = {size: kept for size in gone if size not in claim.declared}
            parsed = renamed(claim.parsed, sizes_of)
            # The variables of the claim have other shapes then, but the same names and values.
            wanted = d.derivative.shape
            wanted = ex.Shape(wanted.kind, *(dim_substituted(n, sizes) for n in wanted[1:]))
            e = interpreted_as(parsed, with_sizes, wanted)
            if e is None:
                continue
            e = _renamed(e, case.ground.variables)
            if e is None:
                continue
            value = case.ground.value(e)
        yield Guess(Diagnosis("square", words), _where_equal(case, way, value), True)


def _renamed(e: Expr, variables: list[Expr]) -> Expr | None:
    """An expression whose variables are those of these names, whatever their sizes are called."""
    by_name = {v.data[0]: v for v in variables}
    mapping = {}
    for v in ex.variables(e):
        other = by_name.get(v.data[0])
        if other is None or other.shape.kind != v.shape.kind:
            return None
        mapping[v] = other
    return _Substituted(e, mapping).expr


class _Substituted:
    """An expression with other leaves of other sizes. The nodes keep the shapes that they had: only code is made of it."""

    def __init__(self, e: Expr, mapping: dict[Expr, Expr]) -> None:
        done: dict[Expr, Expr] = {}
        for node in ex.postorder(e):
            if node in mapping:
                done[node] = mapping[node]
            elif node.args:
                done[node] = ex.make(
                    node.kind, node.data, tuple(done[a] for a in node.args), node.shape
                )
            else:
                done[node] = node
        self.expr = done[e]


def _where_equal(
    case: Case, way: Mapping[str, str | int], value: Value
) -> Callable[[int], Pairs | None]:
    """Claim and derivative at points where some sizes are equal to others, or to a number."""

    def pairs(count: int) -> Pairs | None:
        import numpy as np

        ground = case.ground
        rng = np.random.default_rng(case.seed)
        found: Pairs = []
        for number_ in range(4 * (count or 10)):
            sizes = ground.sizes(number_ % 5, rng, False)
            for gone, kept in way.items():
                sizes[gone] = sizes[kept] if isinstance(kept, str) else kept
            point = random_point(ground.variables, ground.functions, sizes, number_ % 4, rng)
            sample = ground.sample(point)
            if sample is not None and (sample.telling or 1 in way.values()):
                found.append((value(point), sample.expected, sample.scale))
            if len(found) == (count or 10):
                break
        return found or None

    return pairs


# --- slips in the formula -----------------------------------------------------------------------------------------------


def _edited_claim(case: Case) -> Iterator[Guess]:
    """The claim after one change."""
    return _repairs(case, edits)


def _exchanged_names(case: Case) -> Iterator[Guess]:
    """The claim with two names in each other's place."""
    return _repairs(case, exchanges)


def _repairs(case: Case, changed: Callable[[Parsed], Iterator[Edit]]) -> Iterator[Guess]:
    claim, d = case.claim, case.d
    if claim is None:
        return
    wanted = d.derivative.shape
    for edit in changed(claim.parsed):
        e = interpreted_as(edit.parsed, claim.declared, wanted)
        if e is None or any(v not in case.ground.variables for v in ex.variables(e)):
            continue
        value = case.ground.value(e)

        def pairs(count: int, value: Value = value) -> Pairs | None:
            return [(value(s.point), s.expected, s.scale) for s in _samples(case, count)]

        words = f"{edit.to_this}: `{render(e)}` is right"
        yield Guess(Diagnosis(edit.kind, words, render(e)), pairs)


def _edited_derivative(case: Case) -> Iterator[Guess]:
    """The derivative after one change, which the claim is equal to."""
    d = case.d
    known = scope(d, ())
    text = render(d.derivative)
    try:
        parsed = parse_with(text, known)
    except MatgradError:
        return
    for edit in edits(parsed):
        if edit.kind == "term":
            continue
        e = interpreted_as(edit.parsed, known, d.derivative.shape)
        if e is None or e is d.derivative:
            continue
        if any(v not in case.ground.variables for v in ex.variables(e)):
            continue
        words = f"{edit.from_this}: the claim is `{render(e)}`, and `{text}` is right"
        yield Guess(Diagnosis(edit.kind, words, text), _by_value(case, e))


_GROUPS: tuple[Group, ...] = (
    _unknown_names,
    _same_up_to_sign,
    _turned,
    _structures,
    _factor,
    _by_rows,
    _terms,
    _symmetric,
    _larger_size,
    _equal_sizes,
    _commuting,
    _edited_claim,
    _symmetric_variable,
    _all_symmetric,
    _missing_factors,
    _edited_derivative,
    _other_variables,
    _exchanged_names,
    _special,
    _identity,
    _size_one,
)
# A claim that is right under an assumption may have a slip that is plain to see, too.
_UNDER_ASSUMPTION = (_symmetric, _equal_sizes, _commuting)


# --- shapes -------------------------------------------------------------------------------------------------------------


def shape_words(claim: Claim, d: Derivation) -> str:
    """What is wrong with the shape of a claim; "" if nothing is."""
    if claim.expr is None:
        assert claim.problem is not None
        help = f" ({claim.problem.help})" if claim.problem.help else ""
        return f"the shapes in the claim do not fit together: {claim.problem.message}{help}"
    found, wanted = claim.expr.shape, d.derivative.shape
    if found == wanted:
        return ""
    return f"the claim is {_shape_name(found)}, and the derivative is {_shape_name(wanted)}"


def _shape_name(shape: ex.Shape) -> str:
    names = {
        ex.SCALAR: "a number",
        ex.VECTOR: "a column of {} entries",
        ex.ROW: "a row of {} entries",
    }
    size = shape_label(shape, "unicode")
    if shape.kind == ex.MATRIX:
        return f"a {size} matrix"
    return names[shape.kind].format(dim_text(shape.cols if shape.kind == ex.ROW else shape.rows))


# --- a counterexample ---------------------------------------------------------------------------------------------------


class Counterexample(NamedTuple):
    """Numbers for which claim and derivative differ. `claimed` is None where the claim has no value."""

    values: dict[str, Any]
    sizes: dict[str, int]
    expected: Any
    claimed: Any
    why: str = ""  # why the claim has no value


def counterexample(case: Case, worst: float = 1.0) -> Counterexample | None:
    """Small numbers, whole where possible, for which the claim is wrong; `worst` is how wrong it is elsewhere."""
    import numpy as np

    ground = case.ground
    rng = np.random.default_rng(case.seed + 1)
    if worst < 1e-12:
        return None  # no number of digits that a person reads would show it
    least = max(min(1e-3, 1e-2 * worst), 5 * (case.tolerance or 0))
    shown = [v for v in ground.variables if v in ex.variables(*ground.roots)]
    with np.errstate(all="ignore"):
        other_shape = case.claim is not None and bool(shape_words(case.claim, case.d))
        for sizes in _small_sizes(ground, rng, other_shape):
            best: tuple[float, Counterexample] | None = None
            for attempt in range(25):
                whole = attempt < 20
                values = [_small(v, sizes, rng, whole, attempt % 3) for v in ground.variables]
                point = ground.multiplied(Point(values, sizes, ground.functions), case.far)
                sample = ground.sample(point)
                if sample is None:
                    continue
                claimed = case.value(point)
                if claimed is not None and claimed.shape == sample.expected.shape:
                    if not np.all(np.isfinite(claimed)):
                        claimed = None
                    elif difference(claimed, sample.expected) <= least * sample.scale:
                        continue
                found = Counterexample(
                    {
                        v.data[0]: v_value
                        for v, v_value in zip(ground.variables, point.values, strict=True)
                        if v in shown
                    },
                    {n: k for n, k in sizes.items() if not n.startswith("#")},
                    sample.expected,
                    claimed,
                )
                length = len(matrix_text(sample.expected, 9)) + (
                    len(matrix_text(claimed, 9)) if claimed is not None else 0
                )
                if best is None or length < best[0]:
                    best = (length, found)
            if best is not None:
                return best[1]
    return None


def _small_sizes(
    ground: Ground, rng: np.random.Generator, different: bool
) -> Iterator[dict[str, int]]:
    """Choices of sizes, the small ones first; `different` ones, where the shape of the claim is wrong."""
    least = ground.sizes(2, rng, False)  # every size 1, or as large as it must be
    names = [n for n in least if not n.startswith("#")]
    choices = sorted(
        itertools.islice(itertools.product((2, 3, 1), repeat=len(names)), 3**6),
        key=lambda c: (different and len(set(c)) < min(len(c), 3), 1 in c, sum(c)),
    )
    seen = []
    for choice in choices[:60]:
        sizes = {**least, **{n: max(k, least[n]) for n, k in zip(names, choice, strict=True)}}
        if sizes not in seen:
            seen.append(sizes)
            yield sizes


def _small(
    variable: Expr, sizes: dict[str, int], rng: np.random.Generator, whole: bool, way: int
) -> Any:
    """A value of whole numbers with the declared properties, if that can be."""
    import numpy as np

    properties = variable.data[1]
    if not whole or "identity" in properties:
        return sample(variable, sizes, 1 if way else 0, rng)
    m, n = (dim_value(k, sizes) for k in variable.shape[1:])
    low = 1 if way == 2 or "positive" in properties else -2
    value = rng.integers(low, 4, size=(m, n)).astype(float)
    if variable.shape.kind != ex.MATRIX:
        value[value == 0] = 1.0
        return np.float64(value[0, 0]) if variable.is_scalar else value.reshape(-1)
    if properties & {"orthogonal", "orthonormal"}:
        return np.eye(m)[rng.permutation(m), :n] * rng.choice([-1.0, 1.0], size=n)
    if "spd" in properties:
        value = value @ value.T + np.eye(n)
        return np.diag(np.diag(value)) if "diagonal" in properties else value
    if "diagonal" in properties:
        value = np.diag(np.diag(value))
        return value + np.diag((np.diag(value) == 0).astype(float))
    if "symmetric" in properties:
        return np.tril(value) + np.tril(value, -1).T
    if "skew" in properties:
        return np.tril(value, -1) - np.tril(value, -1).T
    if "lower" in properties:
        value = np.tril(value)
    elif "upper" in properties:
        value = np.triu(value)
    return value
