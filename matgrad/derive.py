"""The pipeline: text -> typed expression -> differential -> trace form -> derivative -> simplified -> checked.

The file to read first.
"""

from __future__ import annotations

import re

from matgrad import expr as ex
from matgrad.differential import expand, expand_by_definition
from matgrad.errors import (
    CheckFailed,
    LimitProblem,
    Mark,
    NameProblem,
    Unsupported,
    UsageError,
)
from matgrad.expr import Expr
from matgrad.rewrite import Recorder, Replay, check_step, dependence, lines, split_term
from matgrad.shapes import Declared, Typed, declare, read
from matgrad.simplify import simplify, simplify_sum
from matgrad.steps import DERIVATIVE, Check, Line, Step
from matgrad.trace_form import LAYOUTS, collect, derivative_shape, trace_form

MAX_SHOWN = (
    1500  # symbols of an expression, and of its trace form, whose derivation is shown line by line
)
MAX_SIMPLIFIED = 1_000_000  # symbols of a derivative that is simplified
MAX_WRITTEN = 200_000  # symbols of an answer that is written out


class Derivation:
    """A derivative and how it was found.

    `expression` is what was differentiated (y, or a derivative of y, for which see `inner`), `wrt` the variable, `derivative` the answer in `layout`, `steps` each rule that was applied,
    `check` the outcome of the numeric check (None if it was not asked for), `notes` what was assumed.
    """

    def __init__(
        self,
        typed: Typed,
        wrt: Expr,
        layout: str = "mixed",
        definition: bool = False,
        inner: Derivation | None = None,
    ) -> None:
        self.typed = typed
        self.inner = inner  # the derivation that found the expression, which is a derivative itself
        self.order: int = inner.order + 1 if inner else 1
        self.expression = typed.expr
        self.wrt = wrt
        self.layout = layout
        self.notes: list[str] = list(typed.notes)
        self.check: Check | None = None
        self.derivative: Expr
        self.recorder = Recorder((wrt,))
        self.start = ex.diff(typed.expr)
        self.steps: list[Step] = self.recorder.steps
        self.final, self.mixed = self._derive(definition)
        if ex.cost(self.mixed) > MAX_WRITTEN:
            raise LimitProblem(
                f"written out, the derivative has {ex.cost(self.mixed):.3g} symbols",
                help=f"answers of up to {MAX_WRITTEN} symbols are written",
            )
        self.derivative = in_layout(self.mixed, typed.expr, wrt, layout)

    @property
    def assumptions(self) -> list[tuple[str, Expr]]:
        """The properties that a step assumed because they could not be proved."""
        return list(dict.fromkeys(a for s in self.steps for a in s.assuming))

    def lines(self, full: bool = False) -> list[Line]:
        """The displayed lines, from dy to the derivative; none where they would be of over MAX_SHOWN symbols."""
        if max(ex.cost(self.expression), ex.cost(self.final)) > MAX_SHOWN:
            return []
        first = [s for s in self.steps if s.phase != DERIVATIVE]
        last = [s for s in self.steps if s.phase == DERIVATIVE]
        return lines(self.start, first, full) + lines(self.final, last, full)

    def replay(self) -> Expr:
        """Do every recorded step again, from y, and return the derivative that comes out.

        Raises MatgradError (code 70) if a step is not an instance of its rule, speaks of something that is not there,
        or leads elsewhere.
        """
        first = [s for s in self.steps if s.phase != DERIVATIVE]
        last = [s for s in self.steps if s.phase == DERIVATIVE]
        if self._followed(self.start, first) is not self.final:
            raise CheckFailed("the steps do not lead to the trace form")
        if ex.is_zero(self.final):
            found = ex.zeros(derivative_shape(self.expression, self.wrt))
        else:
            found = self._followed(self.final, last)
        if found is not self.mixed:
            raise CheckFailed("the steps do not lead to the derivative")
        return found

    def _followed(self, state: Expr, steps: list[Step]) -> Expr:
        """Where steps lead, each checked to be an instance of its rule."""
        replay = Replay(state)
        for step in steps:
            if not check_step(step, dependence(step.phase, (self.wrt,))):
                raise CheckFailed(f"a step is not an instance of {step.rule}")
            if not replay.follow(step):
                raise CheckFailed(f"a step of {step.rule} speaks of something that is not there")
        return replay.state

    def _derive(self, definition: bool) -> tuple[Expr, Expr]:
        """(The trace form of dy, the derivative in the mixed layout). Every change is recorded."""
        y, wrt, recorder = self.expression, self.wrt, self.recorder
        _supported(y, wrt)
        dy: Expr | None = None
        if definition:
            dy, why = expand_by_definition(y, recorder)
            if dy is None:
                self.notes.append(
                    f"the expression {why}; the derivation starts from named differentials instead"
                )
        if dy is None:
            dy = expand(y, recorder)
        if ex.is_zero(dy):
            return dy, ex.zeros(derivative_shape(y, wrt))
        total = collect(dy, trace_form(dy, recorder), recorder)
        if ex.is_zero(total):
            return total, ex.zeros(derivative_shape(y, wrt))
        factor, _, _ = split_term(total, recorder.depends)
        if factor.kind == ex.ADD and factor in ex.postorder(total):
            total = ex.substitute(total, {factor: simplify_sum(factor, recorder)})
            if not recorder.depends(total):
                total = recorder.run("zero", total, total)
        if ex.is_zero(total):
            return total, ex.zeros(derivative_shape(y, wrt))
        recorder.enter(DERIVATIVE)
        found = recorder.run("read-off", total, total)
        if ex.cost(found) > MAX_SIMPLIFIED:  # simplifying walks along every product of every term
            raise LimitProblem(
                f"written out, the derivative has {ex.cost(found):.3g} symbols before it is simplified",
                help=f"up to {MAX_SIMPLIFIED} symbols are simplified; give the innermost part a name of its own"
                " and apply the chain rule to the pieces",
            )
        recorder.next_line()
        return total, simplify(found, recorder)

    def to(self, format: str) -> str:
        """The derivation as text, ascii, json or latex, or the answer alone as matgrad."""
        from matgrad.render.report import FORMATS

        if format not in FORMATS:
            raise UsageError(
                f"there is no format `{format}`", help=f"the formats are {', '.join(FORMATS)}"
            )
        return FORMATS[format](self)

    def _repr_latex_(self) -> str:
        from matgrad.render.report import derivation_latex

        return f"$${derivation_latex(self)}$$"

    def __repr__(self) -> str:
        return f"<matgrad.Derivation by {self.wrt.data[0]}: {self}>"

    def __str__(self) -> str:
        return self.to("matgrad")


def diff(
    text: str,
    wrt: str | None = None,
    let: str | list[str] | tuple[str, ...] = (),
    layout: str = "mixed",
    order: int = 1,
    check: bool = True,
    seed: int = 0,
    from_definition: bool = False,
) -> Derivation:
    """The derivative of an expression, step by step, numerically checked.

    `text` is an expression of the language, `wrt` the name of a variable (optional when there is only one), `let`
    declarations such as `"S: symmetric(n)"`. Raises MatgradError: SyntaxProblem, NameProblem and ShapeProblem for the
    input, Unsupported where there is no closed form yet, CheckFailed if the answer fails its own numeric check.
    """
    if layout not in LAYOUTS:
        raise UsageError(
            f"there is no layout `{layout}`", help=f"the layouts are {', '.join(LAYOUTS)}"
        )
    if not isinstance(order, int) or order < 1:
        raise UsageError("the order of a derivative is a whole number, 1 or more")
    if seed < 0:
        raise UsageError("a seed is 0 or more")
    declared = declarations(let)
    typed = read(text, declared)
    variable = find_variable(typed, wrt)
    inner: Derivation | None = None
    for _ in range(order - 1):
        inner = Derivation(typed, variable, "mixed", from_definition, inner)
        if check:
            verify(inner, seed)
        typed = typed._replace(expr=inner.derivative, notes=())
    derivation = Derivation(typed, variable, layout, from_definition, inner)
    if check:
        verify(derivation, seed)
    return derivation


def declarations(let: str | list[str] | tuple[str, ...]) -> dict[str, Declared]:
    """The declarations of several `--let` texts, by name."""
    declared: dict[str, Declared] = {}
    for text in [let] if isinstance(let, str) else let:
        d = declare(text)
        if d.name in declared:
            start = len(text) - len(text.lstrip())
            end = start + len(re.split(r"[\s:(]", text[start:], maxsplit=1)[0])
            raise NameProblem(
                f"`{d.name}` is declared twice",
                (Mark(start, end, "declared before"),),
                "keep one of the two declarations",
                text,
            )
        declared[d.name] = d
    return declared


def find_variable(typed: Typed, wrt: str | None) -> Expr:
    """The variable to differentiate by."""
    from matgrad.parse import canonical_name

    names = list(typed.variables)
    if wrt is None:
        if len(names) == 1:
            return typed.variables[names[0]]
        if not names:
            raise UsageError(
                "there is no variable in the expression", help="every derivative of it is zero"
            )
        raise UsageError(
            f"which variable? The expression has {', '.join(names)}", help=f"add `--wrt {names[0]}`"
        )
    name = canonical_name(wrt.strip())
    if not name:
        raise NameProblem("`--wrt` names no variable", help="write `--wrt X`")
    if name not in typed.variables:
        known = f"it has {', '.join(names)}" if names else "it has no variables"
        alike = [n for n in names if n.lower() == name.lower() or n in re.split(r"\W+", wrt)]
        if alike:
            known += f"; write `--wrt {alike[0]}`"
        elif name in typed.functions:
            known += f"; `{name}` is a function"
        raise NameProblem(f"the variable `{wrt}` is not in the expression", help=known)
    return typed.variables[name]


_STRUCTURES = frozenset(
    ["symmetric", "diagonal", "skew", "orthogonal", "lower", "upper", "identity"]
)


def _supported(y: Expr, wrt: Expr) -> None:
    structure = _STRUCTURES & wrt.data[1]
    if structure:
        raise Unsupported(
            f"derivatives by a matrix that is {min(structure)} are not written yet",
            help=f"leave out the declaration of `{wrt.data[0]}` for the derivative by all of its entries",
        )
    if wrt.shape.kind == ex.ROW:
        raise Unsupported(
            "derivatives by a row are not written yet",
            help="declare a vector, and write its transpose where the row stands",
        )
    kinds = (y.shape.kind, wrt.shape.kind)
    words = f"a {kinds[0]} by a {kinds[1]}"
    allowed = y.is_scalar or wrt.is_scalar or kinds == (ex.VECTOR, ex.VECTOR)
    if not allowed:
        raise Unsupported(
            f"the derivative of {words} is not written yet",
            help="differentiate a scalar made of it, such as one entry `(...)[i,j]`"
            if kinds[0] == ex.MATRIX
            else "differentiate one entry of it, `(...)[i]`",
        )


def in_layout(mixed: Expr, y: Expr, wrt: Expr, layout: str) -> Expr:
    """The derivative in another layout: `denominator` transposes Jacobians, `numerator` transposes gradients."""
    from matgrad.properties import push_transposes

    gradient = y.is_scalar
    if (layout == "denominator" and not gradient) or (layout == "numerator" and gradient):
        return simplify(push_transposes(ex.transpose(mixed)), Recorder((wrt,)))
    return mixed


def verify_lines(derivation: Derivation, seed: int = 0) -> list[bool]:
    """For each line of the full derivation, whether it is numerically equal to the line before (to dy, for the first)."""
    from matgrad.verify import check_lines

    shown = derivation.lines(full=True)
    first = [line.state for line in shown if line.phase != DERIVATIVE]
    last = [line.state for line in shown if line.phase == DERIVATIVE]
    marks = check_lines([derivation.start, *first], derivation.wrt, seed, derivation.assumptions)
    marks = marks[1:]
    if last:
        # The derivative read off was compared with finite differences; the lines below it are compared with it.
        marks += check_lines(
            [derivation.mixed, *last], derivation.wrt, seed, derivation.assumptions
        )[1:]
    return marks


def verify(derivation: Derivation, seed: int = 0) -> None:
    """Check a derivation numerically; raises CheckFailed if the derivative is wrong."""
    from matgrad.verify import check_derivative

    check = check_derivative(
        derivation.expression, derivation.mixed, derivation.wrt, seed, derivation.assumptions
    )
    derivation.check = check
    if check.undefined and not check.points:
        raise Unsupported(
            "the formula found has no finite value where the expression has one",
            help="part of the expression is constant at a point where its derivative is infinite",
        )
    if not check.ok and check.points:
        raise CheckFailed(
            f"the derivative found is off by {check.worst_relative_error:.1e} at a random point",
            help="this is a bug of matgrad; please report the command, with the version",
        )
