"""`matgrad simplify`: the shortest equal form that the rules lead to, step by step, numerically checked."""

from __future__ import annotations

import functools

from matgrad import expr as ex
from matgrad.differential import write_definitions
from matgrad.errors import CheckFailed, LimitProblem, UsageError
from matgrad.expr import Expr
from matgrad.properties import domain, taken_for_granted
from matgrad.render.names import written_length
from matgrad.rewrite import Recorder, lines
from matgrad.shapes import Typed, declare_all, read_with, unused_note
from matgrad.simplification import shortest
from matgrad.steps import DERIVATIVE, Check, Line, Step
from matgrad.verify import check_equal, check_lines

MAX_SIMPLIFIED = 1_000_000  # symbols of an expression that is simplified
MAX_SHOWN = 1500  # symbols of an expression whose simplification is shown line by line


class Simplification:
    """An expression and an equal one of at most its length, with the steps between them.

    `expression` is what was typed, `simplified` the result, `steps` each rule that was applied; `notes` and `assumptions`
    say what was assumed; `check` is the outcome of the numeric check.
    """

    def __init__(self, typed: Typed) -> None:
        if ex.cost(typed.expr) > MAX_SIMPLIFIED:
            raise LimitProblem(
                f"written out, the expression has {ex.cost(typed.expr):.3g} symbols",
                help=f"up to {MAX_SIMPLIFIED} symbols are simplified",
            )
        self.typed = typed
        self.expression = typed.expr
        self.notes: list[str] = list(typed.notes)
        recorder = Recorder(())
        recorder.enter(DERIVATIVE)
        self.steps: list[Step] = recorder.steps
        self.simplified = shortest(write_definitions(typed.expr, recorder), recorder)
        if not self._is_shorter():
            self.steps.clear()
            self.simplified = self.expression
        self.check: Check | None = None

    def _is_shorter(self) -> bool:
        """Whether the result is shorter, or as short and another; definitions that were written out may make it longer."""
        return ex.cost(self.simplified) <= ex.cost(self.expression)

    @functools.cached_property
    def names(self) -> dict[Expr, str]:
        """Names for long subexpressions of the result, by which it and the lines are written."""
        from matgrad.render.simplified import names_in

        return names_in(self, self.simplified)

    @property
    def assumptions(self) -> list[tuple[str, Expr]]:
        """What a function or a step assumed because it could not be proved, and what the expression needs to have a value
        and the result no longer shows."""
        found = [*taken_for_granted(self.expression), *(a for s in self.steps for a in s.assuming)]
        kept = domain(self.simplified)
        found += [a for a in domain(self.expression) if a not in kept]
        return list(dict.fromkeys(found))

    def lines(self, full: bool = False) -> list[Line]:
        """The displayed lines; none where they would be of over MAX_SHOWN symbols."""
        if written_length([self.expression], self.names) > MAX_SHOWN:
            return []
        return lines(self.expression, self.steps, full)

    def to(self, format: str) -> str:
        """The simplification as text, ascii, json or latex, or the result alone as matgrad or SymPy code."""
        from matgrad.render.simplified import FORMATS

        if format == "sympy":
            from matgrad.emit import sympy as emitter

            return emitter.source({"expression": self.simplified})
        if format not in FORMATS:
            raise UsageError(
                f"there is no format `{format}`",
                help=f"the formats are {', '.join([*FORMATS, 'sympy'])}",
            )
        return FORMATS[format](self)

    def _repr_latex_(self) -> str:
        return f"$${self.to('latex')}$$"

    def __repr__(self) -> str:
        return f"<matgrad.Simplification: {self}>"

    def __str__(self) -> str:
        return self.to("matgrad")


def simplify(
    text: str,
    let: str | list[str] | tuple[str, ...] = (),
    check: bool = True,
    seed: int = 0,
    background: str | list[str] | tuple[str, ...] = (),
) -> Simplification:
    """The shortest equal form that matgrad finds of an expression, step by step, numerically checked.

    `text` is an expression of the language, `let` declarations such as `"S: symmetric(n)"`, `background` more of them, which
    the expression need not use. The result has the shape of the expression and at most its number of symbols.

    Raises MatgradError: SyntaxProblem, NameProblem and ShapeProblem for the input, LimitProblem where it is too long,
    CheckFailed if the result is not equal to the expression at a random point.
    """
    here = [let] if isinstance(let, str) else list(let)
    more = [background] if isinstance(background, str) else list(background)
    typed = read_with(text, [*here, *more])
    unused = tuple(unused_note(n, typed) for n in typed.unused if n in declare_all(here))
    found = Simplification(typed._replace(notes=(*typed.notes, *unused)))
    if check:
        verify(found, seed)
    return found


def verify(found: Simplification, seed: int = 0) -> None:
    """Compare both ends at random points; raises CheckFailed if they differ."""
    found.check = check_equal(found.expression, found.simplified, seed, found.assumptions)
    if not found.check.ok:
        raise CheckFailed(
            f"the form found is off by {found.check.worst_relative_error:.1e} at a random point",
            help="this is a bug of matgrad; please report the command, with the version",
        )


def verify_lines(found: Simplification, seed: int = 0) -> list[bool | None]:
    """For each line of the full simplification, whether it is numerically equal to the line before; None: not tried."""
    states = [line.state for line in found.lines(full=True)]
    marks = check_lines([found.expression, *states], (), seed, found.assumptions)[1:]
    return list(marks) or [None] * len(states)
