"""`matgrad check`: is this derivative right? And if not, how is it wrong?

The derivative is derived and checked as `matgrad diff` does it; the claim is compared with it at random points, and by
normal forms; a wrong claim is diagnosed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matgrad import expr as ex
from matgrad.claims import (
    DOUBLE,
    TOLERANCE,
    Claim,
    Comparison,
    Ground,
    Value,
    compare,
    further_assumptions,
    is_really_there,
    read_claim,
    symbolic_difference,
)
from matgrad.derive import Derivation, diff
from matgrad.diagnose import (
    Case,
    Counterexample,
    Diagnosis,
    counterexample,
    diagnose,
    shape_words,
)
from matgrad.errors import MatgradError, Unsupported, UsageError
from matgrad.expr import Expr
from matgrad.statements import Statement

SMALL = 1e-3  # a claim that is wrong by less is compared as a formula, too
EQUAL, DIFFERENT, OPEN = "equal", "different", "open"


class Verdict(NamedTuple):
    """What `check` found. `bool(verdict)` says whether the claim is right.

    `symbolic` is what the normal forms say: equal, different or open. `diagnoses` are the ways in which a wrong claim may
    have gone wrong, the simplest first; `shape` says what is wrong with its shape, `failure` why it has no value.
    """

    ok: bool
    derivation: Derivation
    claim: str
    claim_expr: Expr | None
    points: int
    worst_relative_error: float
    symbolic: str
    assumptions: tuple[tuple[str, Expr], ...]
    diagnoses: tuple[Diagnosis, ...] = ()
    counterexample: Counterexample | None = None
    shape: str = ""
    failure: str = ""
    code: bool = False
    precision: str = ""  # of code that computes with few digits
    seed: int = 0
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.ok

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The simplest explanation of a wrong claim; None for a right one, or if nothing known explains it."""
        return self.diagnoses[0] if self.diagnoses else None

    def to(self, format: str) -> str:
        """The verdict as text, ascii or json."""
        from matgrad.render.verdicts import FORMATS

        if format not in FORMATS:
            raise UsageError(
                f"there is no format `{format}`", help=f"the formats are {', '.join(FORMATS)}"
            )
        return FORMATS[format](self)

    def __str__(self) -> str:
        return self.to("text")


def check(
    text: str,
    wrt: str | None = None,
    equals: str | None = None,
    let: str | list[str] | tuple[str, ...] = (),
    layout: str = "mixed",
    structured: str = "subspace",
    order: int = 1,
    then: str | None = None,
    code: str | Callable[..., Any] | None = None,
    arrays: str = "auto",
    seed: int = 0,
    background: str | list[str] | tuple[str, ...] = (),
) -> Verdict:
    """Whether a claimed derivative is right; if not, how it is wrong.

    The claim is `equals`, an expression of the language, or `code`: a function, or the name of one, `"module:function"`,
    which is imported. It is called with an array for each variable, by name, and returns an array of shape
    shape(Y) + shape(X). The other arguments are those of `diff`.

    Raises MatgradError for input that is not understood; a claim of the wrong shape is a wrong claim.
    """
    if (equals is None) == (code is None):
        raise (
            UsageError("there is nothing to compare with", help="give `equals` or `code`")
            if (code is None)
            else UsageError("`equals` and `code` are two claims", help="leave one of them out")
        )
    if isinstance(wrt, (list, tuple)):
        raise UsageError("a claim is about the derivative by one variable")
    function, name = code, ""
    if isinstance(code, str):
        from matgrad.usercode import load

        function, name = load(code), code
    d = diff(
        text,
        wrt,
        let,
        layout=layout,
        structured=structured,
        order=order,
        then=then,
        seed=seed,
        background=background,
    )
    if equals is not None:
        declared = [*_texts(let), *_texts(background)]
        return _formula(d, read_claim(equals, d, declared), seed)
    assert callable(function)
    return _function(d, function, name, arrays, seed)


def check_statement(
    statement: Statement, layout: str = "mixed", structured: str = "subspace", seed: int = 0
) -> Verdict:
    """The verdict on a statement of a file; what its block says comes before the options."""
    second = statement.order > 1 and not statement.then
    return check(
        statement.expression,
        statement.wrt,
        statement.claim,
        background=list(statement.let),
        order=2 if second else 1,
        then=statement.then or None,
        layout=statement.layout or layout,
        structured=statement.structured or structured,
        seed=seed,
    )


def _texts(let: str | list[str] | tuple[str, ...]) -> list[str]:
    return [let] if isinstance(let, str) else list(let)


def _formula(d: Derivation, claim: Claim, seed: int) -> Verdict:
    """The verdict on a formula."""
    e = claim.expr
    ground = Ground(d, seed, *([e] if e is not None else []))
    shape = shape_words(claim, d)
    if e is not None and not shape:
        value: Value = ground.value(e)
        found = compare(ground, value)
        symbolic, found, rest = _decided(d, ground, e, found)
        if found.ok:
            more = tuple(further_assumptions(d, e))
            return Verdict(
                True, d, claim.text, e, found.points, found.worst, symbolic,
                (*d.assumptions, *more), seed=seed, notes=tuple(d.notes),
            )  # fmt: skip
    else:
        value = ground.value(e) if e is not None else lambda point: None
        found = Comparison(False, len(ground.samples), float("inf"), 0, other_shape=True)
        symbolic, rest = DIFFERENT if e is not None else OPEN, None
    _need_points(ground)
    failure = ""
    if found.undefined and not shape:
        whole = found.undefined == len(ground.samples)
        failure = "the claim has no value at " + (
            "any point" if whole else f"{found.undefined} of {len(ground.samples)} points"
        )
    elif not found.points and not shape:
        failure = "rounding errors of the claim are larger than its value at every point"
    case = Case(ground, value, claim, seed, worst=_part(found), rest=rest, far=found.far)
    return _wrong(case, found, symbolic, shape, failure)


def _part(found: Comparison) -> float:
    """How far off a claim is, 1 at most."""
    return found.worst if 0 < found.worst < 1 else 1.0


def _need_points(ground: Ground) -> None:
    if not ground.samples:
        raise Unsupported(
            "no random point was found where the expression is defined and what is assumed holds",
            help="declare more of the variables: `positive`, `spd`, `invertible`",
        )


def _decided(
    d: Derivation, ground: Ground, claim: Expr, found: Comparison
) -> tuple[str, Comparison, Expr | None]:
    """What the normal forms say, the outcome with that, and what a claim that is wrong by little is wrong by."""
    if found.points and found.worst > SMALL:
        return DIFFERENT, found, None
    rest = symbolic_difference(d, claim)
    if rest is None:
        return OPEN, found, None
    if ex.is_zero(rest):
        return EQUAL, found._replace(ok=found.ok or not ground.samples), None
    if is_really_there(ground, rest):
        return DIFFERENT, found._replace(ok=False), rest
    return OPEN, found, None


def _function(
    d: Derivation, function: Callable[..., Any], name: str, arrays: str, seed: int
) -> Verdict:
    """The verdict on code."""
    from matgrad.usercode import Code

    code = Code(function, d, name, arrays)
    ground = Ground(d, seed)
    _need_points(ground)

    def value(point: Any) -> Any:
        return code(point, ground.variables)

    value(ground.samples[0].point)  # shows how precise the results are
    precision = code.precision
    found = compare(ground, value, precision)
    exact = precision is DOUBLE
    notes = list(d.notes)
    if not exact:
        notes.append(
            f"the code computes with {precision.name}: compared to a relative {precision.tolerance:g}"
        )
    if found.ok:
        if code.shapes is not None:
            notes.append(_shapes_differ(*code.shapes))
        return Verdict(
            True, d, code.name, None, found.points, found.worst, OPEN, tuple(d.assumptions),
            code=True, precision="" if exact else precision.name, seed=seed, notes=tuple(notes),
        )  # fmt: skip
    if exact and 0 < found.worst < 1e-5 and not found.undefined:
        notes.append("that is as little as single precision makes: does the code use it inside?")
    shape = ""
    if found.other_shape and code.shapes is not None:
        shape = _shapes_differ(*code.shapes)
    verdict = _wrong(
        Case(
            ground,
            value,
            None,
            seed,
            None if exact else precision.tolerance,
            _part(found),
            far=found.far,
        ),
        found,
        OPEN,
        shape,
        code.failure,
    )
    return verdict._replace(claim=code.name, code=True, notes=tuple(notes))


def _shapes_differ(returned: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return (
        f"the function returned an array of shape {returned}, and the derivative has shape {wanted}"
    )


def _wrong(case: Case, found: Comparison, symbolic: str, shape: str, failure: str) -> Verdict:
    d = case.d
    nowhere = found.undefined == len(case.ground.samples) and case.claim is None
    diagnoses = [] if nowhere else diagnose(case)
    if failure and not diagnoses and found.points and found.enough and found.worst <= TOLERANCE:
        diagnoses = [Diagnosis("domain", "right where it has a value, but that is not everywhere")]
    try:
        example = counterexample(case, found.worst)
    except MatgradError:
        example = None
    claim = case.claim
    return Verdict(
        False,
        d,
        claim.text if claim is not None else "",
        claim.expr if claim is not None else None,
        len(case.ground.samples),
        found.worst,
        symbolic,
        tuple(d.assumptions),
        tuple(diagnoses),
        example,
        shape,
        failure,
        seed=case.seed,
        notes=tuple(d.notes),
    )
