"""The pipeline: text -> typed expression -> differential -> trace form -> derivative -> simplified -> checked.

The file to read first.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import NamedTuple

from matgrad import expr as ex
from matgrad.chain_rule import Pieces, grouped, is_large
from matgrad.differential import (
    expand,
    expand_by_definition,
    function_name,
    write_definitions,
)
from matgrad.dims import dim_atoms
from matgrad.errors import (
    CheckFailed,
    LimitProblem,
    Mark,
    MatgradError,
    NameProblem,
    Unsupported,
    UsageError,
)
from matgrad.expr import Expr
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.properties import has_property, is_symmetric, taken_for_granted
from matgrad.render.names import written_length
from matgrad.render.text import render
from matgrad.rewrite import (
    Recorder,
    Replay,
    check_step,
    dependence,
    lines,
    split_term,
    step_reason,
    without_definitions,
)
from matgrad.shapes import Declared, Typed, declare_all, read, read_with, unused_note
from matgrad.simplification import multiplied_out, shortest, simplify, simplify_sum
from matgrad.steps import DERIVATIVE, DIFFERENTIAL, Check, Line, Step
from matgrad.structure import (
    MANIFOLDS,
    STRUCTURED,
    by_vech,
    convention_notes,
    gradient_by_vech,
    restricted,
    structure,
)
from matgrad.trace_form import (
    LAYOUTS,
    collect,
    derivative_shape,
    subject,
    trace_form,
    variable_of,
)

_ZERO_AT_EDGE = ("abs", "relu", "norm1", "norminf")  # 0 where they are not differentiable

MAX_SHOWN = (
    1500  # symbols of an expression, and of its trace form, whose derivation is shown line by line
)
MAX_SIMPLIFIED = 1_000_000  # symbols of a derivative that is simplified
MAX_WRITTEN = 200_000  # symbols of an answer that is written out


class Part:
    """The derivative by one variable: read off from its term of dy (`final`), then simplified, then laid out."""

    def __init__(self, number: int, wrt: Expr, final: Expr, mixed: Expr) -> None:
        self.number = number
        self.wrt = wrt
        self.final = final
        self.mixed = mixed
        self.derivative = mixed  # in the layout asked for
        self.check: Check | None = None


class Chain(NamedTuple):
    """Lines that are equal to each other: `start` is d(of), and the lines go on from there."""

    of: Expr
    start: Expr
    lines: list[Line]


class Derivation:
    """A derivative and how it was found.

    `expression` is what was differentiated (y, or a derivative of y, for which see `inner`); `subject` is y itself, or
    vec(y) for a matrix, the column for a row; `parts` the derivative by each variable; `steps` each rule that was
    applied; `notes` what was assumed. `direction` is v where the derivative is a product with a direction, H v; that by
    an `entry` X[i,j] is one with a direction too, e_i e_j'.
    """

    def __init__(
        self,
        typed: Typed,
        wrt: tuple[Expr, ...],
        options: Options,
        inner: Derivation | None = None,
        direction: Expr | None = None,
        entry: Expr | None = None,
    ) -> None:
        self.typed = typed
        self.inner = inner  # the derivation that found the expression, which is a derivative itself
        self.order: int = inner.order + 1 if inner else 1
        self.expression = typed.expr
        self.variables = wrt
        self.options = options
        self.entry = entry
        if entry is not None:
            direction = along_entry(entry, options.structured)
        self.direction = direction
        self.subject = typed.expr if direction is not None else subject(typed.expr, wrt)
        self.notes: list[str] = list(typed.notes)
        self.start = ex.diff(self.subject)
        self.recorder = Recorder(wrt, options.adjugate)
        self.steps: list[Step] = self.recorder.steps
        for v in wrt:
            _supported(v, self._is_derivative_by(v) and not self.tangent_twice, options)
        # Of a large expression: its named parts, their derivations, and the sums of what they give.
        self.named: Pieces | None = None
        self.pieces: list[Derivation] = []
        self.sums: list[tuple[Expr, list[Step], Expr]] = []
        self.differentiated = self.subject
        whole = options.whole or options.definition or direction is not None
        whole = whole or self.tangent_twice or self.by_vech_twice
        if not whole and is_large(self.subject, wrt):
            self.differentiated = self._with_powers()
        if not whole and is_large(self.differentiated, wrt):
            self.final = self.start
            self.parts = self._by_pieces()
        else:
            self.final = self._differential()  # the trace form of dy
            self.parts = [self._part(number, v) for number, v in enumerate(wrt)]
        self._limit_length()
        if any(s.rule == "matrix-power" and _is_symbolic(s) for s in self.steps):
            self.notes.append("the symbolic power is a whole number, 0 or more")
        self.notes += (
            convention_notes(
                wrt,
                options.structured,
                direction is None and not self.subject.is_scalar,
                self.by_vech_twice or self.tangent_twice,
            )
            + self._nonsmooth_notes()
        )

    def _is_derivative_by(self, v: Expr) -> bool:
        """Whether the expression is a derivative by v already."""
        inner = self.inner
        while inner is not None and inner.wrt is not v:
            inner = inner.inner
        return inner is not None

    @property
    def by_vech_twice(self) -> bool:
        """Whether this is the second derivative of a number by the independent entries of a symmetric matrix."""
        first = self.inner
        if first is None or self.direction is not None:
            return False
        return first.options.structured == "subspace" != self.options.structured

    @property
    def tangent_twice(self) -> bool:
        """Whether this is the Hessian of a number on the Stiefel manifold."""
        first = self.inner
        if first is None or first.inner is not None or self.direction is not None:
            return False
        v = self.variables[0]
        return first.expression.is_scalar and first.wrt is v and structure(v) in MANIFOLDS

    @property
    def checked(self) -> Expr:
        """What the derivative found is compared with differences of."""
        return gradient_by_vech(self.expression) if self.by_vech_twice else self.subject

    def shape_by(self, wrt: Expr) -> ex.Shape:
        """The shape of the derivative by a variable."""
        half = by_vech(wrt, self.subject, self.options.structured)
        return derivative_shape(self.checked, wrt, half)

    @property
    def layout(self) -> str:
        """The layout asked for."""
        return self.options.layout

    @property
    def wrt(self) -> Expr:
        """The variable (the first one, if there are several)."""
        return self.parts[0].wrt

    @property
    def derivative(self) -> Expr:
        """The derivative by the (first) variable, in the layout asked for."""
        return self.parts[0].derivative

    @property
    def mixed(self) -> Expr:
        """The derivative by the (first) variable in the mixed layout."""
        return self.parts[0].mixed

    @property
    def check(self) -> Check | None:
        """The outcome of the numeric check: the worst of all variables."""
        checks = [p.check for p in self.parts]
        if any(c is None for c in checks):
            return None
        return min(
            (c for c in checks if c), key=lambda c: (c.ok, c.points, -c.worst_relative_error)
        )

    @property
    def derivatives(self) -> dict[str, Expr]:
        """The derivative by each variable, by its name."""
        return {p.wrt.data[0]: p.derivative for p in self.parts}

    def steps_of(self, part: Part | None) -> list[Step]:
        """The steps that lead to the trace form (None), or from it to one derivative."""
        if part is None:
            return [s for s in self.steps if s.phase != DERIVATIVE]
        return [s for s in self.steps if s.phase == DERIVATIVE and s.part == part.number]

    @property
    def assumptions(self) -> list[tuple[str, Expr]]:
        """The properties that a function of the expression or a step assumed because they could not be proved."""
        found = [*taken_for_granted(self.expression), *(a for s in self.steps for a in s.assuming)]
        if self.named is not None:
            found = [(name, self.named.resolved(e)) for name, e in found]
        known = {e for name, e in found if name == "invertible"}
        implied = {("of constant rank", e) for e in known}
        return [a for a in dict.fromkeys(found) if a not in implied]

    @property
    def is_long(self) -> bool:
        """Whether the derivation is too long to be shown line by line."""
        if self.named is not None:
            return True
        return max(ex.cost(self.expression), ex.cost(self.final)) > MAX_SHOWN

    @functools.cached_property
    def names(self) -> dict[Expr, str]:
        """Names for long subexpressions of the answers, by which the answers and the lines are written."""
        from matgrad.render.report import names_for

        return names_for(self, [p.derivative for p in self.parts])

    def lines(self, full: bool = False) -> list[Line]:
        """The displayed lines, from dy to the derivatives; none where they would be of over MAX_SHOWN symbols."""
        found = [line for chain in self.chains(full) for line in chain.lines]
        for part in self.parts:
            found += self.lines_of_part(part, full)
        return found

    def chains(self, full: bool = False) -> list[Chain]:
        """The lines from dy to its trace form: one chain of equations, or where names are given, one for each of them."""
        if self.named is not None:
            return [Chain(self.subject, self.start, [])]
        steps = self.steps_of(None)
        below = set(ex.postorder(self.subject))
        moving = dependence(DIFFERENTIAL, self.variables)
        inner = [e for e in self.names if e in below - {self.subject} and moving(e)]
        if not inner or self.options.definition:
            found = [] if self.is_long else lines(self.start, steps, full)
            return [Chain(self.subject, self.start, found)]
        becomes = {s.before: s for s in steps if s.phase == DIFFERENTIAL}
        stops = set(map(ex.diff, inner))
        chains = []
        for e in (self.subject, *reversed(inner)):
            start = ex.diff(e)
            local = _local_steps(start, becomes, stops)
            chains.append(Chain(e, start, lines(start, local, full)))
        expanded = Replay(self.start)
        for step in becomes.values():
            expanded.add(step)
        traced = [s for s in steps if s.phase != DIFFERENTIAL]
        dy = expanded.settle()
        last = [] if self.is_long or not full else lines(dy, traced, full)
        if traced and not last:
            reasons = dict.fromkeys(words for words, minor in map(step_reason, traced) if not minor)
            last = [Line(traced[-1].phase, self.final, tuple(traced), tuple(reasons))]
        chains.append(Chain(self.subject, dy, last))
        return chains

    def lines_of_part(self, part: Part, full: bool = False) -> list[Line]:
        """The lines from the trace form to one derivative."""
        if self.is_long:
            return []
        return lines(part.final, self.steps_of(part), full)

    def replay(self) -> Expr:
        """Do every recorded step again, from y, and return the (first) derivative that comes out.

        Raises MatgradError (code 70) if a step is not an instance of its rule, speaks of something that is not there,
        or leads elsewhere.
        """
        if self.named is not None:
            return self._replay_pieces()
        if self._followed(self.start, self.steps_of(None)) is not self.final:
            raise CheckFailed("the steps do not lead to the trace form")
        for part in self.parts:
            if part.final is not self._final_of(part.wrt):
                raise CheckFailed("a derivative is not read off from the trace form")
            found = part.final
            if ex.is_zero(found):
                found = ex.zeros(part.mixed.shape)
            else:
                found = self._followed(found, self.steps_of(part))
            if found is not part.mixed:
                raise CheckFailed("the steps do not lead to the derivative")
        return self.mixed

    def _followed(self, state: Expr, steps: list[Step]) -> Expr:
        """Where steps lead, each checked to be an instance of its rule."""
        replay = Replay(state)
        for step in steps:
            if not check_step(step, dependence(step.phase, self.variables)):
                raise CheckFailed(f"a step is not an instance of {step.rule}")
            if not replay.follow(step):
                raise CheckFailed(f"a step of {step.rule} speaks of something that is not there")
        return replay.state

    def _differential(self) -> Expr:
        """The trace form of dy, one term a variable (dy itself, for a direction). Every change is recorded."""
        y, recorder = self.differentiated, self.recorder
        dy: Expr | None = None
        if self.options.definition:
            dy, why = expand_by_definition(y, recorder)
            if dy is None:
                self.notes.append(
                    f"the expression {why}; the derivation starts from named differentials instead"
                )
        if dy is None:
            dy = expand(y, recorder)
        by_entry = self.entry is not None and y.is_scalar
        if ex.is_zero(dy) or (self.direction is not None and not by_entry):
            return dy
        total = collect(dy, trace_form(dy, recorder), recorder)
        for term in _terms(total):
            factor, _, _ = split_term(term, recorder.depends)
            if factor.kind == ex.ADD and factor in ex.postorder(total):
                total = ex.substitute(total, {factor: simplify_sum(factor, recorder)})
        if not recorder.depends(total) and not ex.is_zero(total):
            total = recorder.run("zero", total, total)
        return restricted(total, recorder, self.options.structured)

    def _nonsmooth_notes(self) -> list[str]:
        """Where the expression is not differentiable, and what is taken there."""
        moving = dependence(DIFFERENTIAL, self.variables)
        found: dict[str, None] = {}
        nodes = ex.postorder(without_definitions(self.expression))
        # Where t is 0, √|t| has no derivative at all, whatever that of |t| is taken to be.
        under_roots = {e.args[0] for e in nodes if e.op == "sqrt" and e.args[0].op in _ZERO_AT_EDGE}
        for node in nodes:
            if node in under_roots:
                continue
            if node.kind == ex.CALL and node.op in FUNCTIONS and moving(node):
                function = FUNCTIONS[node.op]
                later = function.nonsmooth.startswith("not twice") and self.order == 1
                kink = "where an entry is 0" in function.nonsmooth
                smooth = kink and has_property(node.args[0], "positive")
                if function.nonsmooth and not function.assumes and not later and not smooth:
                    found[f"{function_name(node)} is {function.nonsmooth}"] = None
        return list(found)

    @property
    def by_number(self) -> bool:
        """Whether the derivative is by a number: a scalar, or an entry."""
        return self.entry is not None or self.wrt.is_scalar

    @property
    def moved(self) -> Expr | None:
        """What stands for dX in the differential along a direction."""
        if self.entry is not None and self.expression.is_scalar:
            return _unit(self.entry)  # the trace form is that of the structure
        return self.direction

    def _final_of(self, v: Expr) -> Expr:
        """The term of the trace form that belongs to a variable; for a direction, dy with v for dX."""
        if self.moved is not None:
            return ex.substitute(self.final, {ex.diff(v): self.moved})
        for term in _terms(self.final):
            if self.recorder.depends(term):
                leaf = split_term(term, self.recorder.depends)[1]
                if variable_of(leaf) is v:
                    return term
        return ex.zeros(self.subject.shape)

    def _read_off(self, rule: str, final: Expr) -> Expr:
        """The derivative that a term of the trace form gives."""
        found = self.recorder.run(rule, final, final)
        if ex.cost(found) > MAX_SIMPLIFIED:  # simplifying walks along every product of every term
            raise LimitProblem(
                f"written out, the derivative has {ex.cost(found):.3g} symbols before it is simplified",
                help=f"up to {MAX_SIMPLIFIED} symbols are simplified; give the innermost part a name of its own"
                " and apply the chain rule to the pieces",
            )
        self.recorder.next_line()
        return self._written(found)

    def _simplified(self, e: Expr, v: Expr) -> Expr:
        """The derivative read off, simplified; multiplied out where that shows the symmetry of a Hessian."""
        if not self._is_second(v):
            return shortest(e, self.recorder)
        start = len(self.steps)
        found = simplify(e, self.recorder)
        if is_symmetric(found):
            return found
        steps = self.steps[start:]
        del self.steps[start:]
        other = multiplied_out(e, self.recorder)
        if is_symmetric(other):
            return other
        self.steps[start:] = steps
        return found

    def _is_second(self, v: Expr) -> bool:
        """Whether this is the second derivative of a number by one variable, which is symmetric."""
        first = self.inner
        if first is None or first.inner is not None or self.direction is not None:
            return False
        return first.expression.is_scalar and first.wrt is v and not v.is_scalar

    def _part(self, number: int, v: Expr) -> Part:
        recorder = self.recorder
        recorder.part = number
        final = self._final_of(v)
        cookbook = self.options.structured == "cookbook"
        if self.direction is not None:
            recorder.enter(DERIVATIVE)
            mixed = shortest(self._written(final), recorder)
        elif ex.is_zero(final):
            mixed = ex.zeros(self.shape_by(v))
        else:
            recorder.enter(DERIVATIVE)
            kind = structure(v) if cookbook else ""
            rule = f"read-off-{kind}" if kind in ("symmetric", "skew") else "read-off"
            rule = "read-off-vech-twice" if self.by_vech_twice else rule
            rule = "read-off-tangent-twice" if self.tangent_twice else rule
            mixed = self._simplified(self._read_off(rule, final), v)
        part = Part(number, v, final, mixed)
        if self.direction is None:
            part.derivative = in_layout(mixed, self.subject, v, self.layout)
        return part

    def _limit_length(self) -> None:
        answers = [p.derivative for p in self.parts]
        if sum(map(ex.cost, answers)) <= MAX_WRITTEN:
            return
        length = written_length(answers, self.names)
        if length > MAX_WRITTEN:
            raise LimitProblem(
                f"written out, the derivative has {length:.3g} symbols",
                help=f"answers of up to {MAX_WRITTEN} symbols are written",
            )

    def _with_powers(self) -> Expr:
        """The subject with runs of equal factors as powers."""
        start = self.start
        for rule in ("repeated-factors", "repeated-factors-entrywise"):
            start = self.recorder.run(rule, start, start)
        return start.args[0]

    def _by_pieces(self) -> list[Part]:
        """The derivatives of a large expression, by the chain rule over named parts of it."""
        self.recorder.enter(DERIVATIVE)

        def derive(e: Expr, names: tuple[Expr, ...]) -> list[Expr]:
            chosen = self.options
            options = Options(
                "mixed", chosen.structured, False, chosen.adjugate, chosen.named, whole=True
            )
            piece = Derivation(self.typed._replace(expr=e, notes=()), names, options)
            self.pieces.append(piece)
            self.steps.extend(piece.steps)
            return [part.mixed for part in piece.parts]

        def add_up(e: Expr) -> Expr:
            start = len(self.steps)
            found = simplify(e, self.recorder)
            self.sums.append((e, self.steps[start:], found))
            return found

        self.named = Pieces(grouped(self.differentiated), self.variables)
        found = self.named.derivatives(derive, add_up)
        return [
            Part(i, v, e, e) for i, (v, e) in enumerate(zip(self.variables, found, strict=True))
        ]

    def _replay_pieces(self) -> Expr:
        """Replay the derivation of each piece, and put them together again."""
        joined = [s for s in self.steps[:2] if s.rule.startswith("repeated-factors")]
        if self._followed(self.start, joined) is not ex.diff(self.differentiated):
            raise CheckFailed("the steps do not join the powers")
        pieces, sums = iter(self.pieces), iter(self.sums)

        def derive(e: Expr, names: tuple[Expr, ...]) -> list[Expr]:
            piece = next(pieces)
            if (piece.expression, piece.variables) != (e, names):
                raise CheckFailed("a piece is not one of the expression")
            piece.replay()
            return [part.mixed for part in piece.parts]

        def add_up(e: Expr) -> Expr:
            start, steps, end = next(sums)
            if start is not e or self._followed(e, steps) is not end:
                raise CheckFailed("the steps do not lead to the sum of what the pieces give")
            return end

        named = Pieces(grouped(self.differentiated), self.variables)
        found = named.derivatives(derive, add_up)
        if found != [part.mixed for part in self.parts]:
            raise CheckFailed("the pieces do not lead to the derivative")
        return self.mixed

    def _written(self, e: Expr) -> Expr:
        """The derivative with definitions written out, unless it is to be differentiated again."""
        return e if self.options.named else write_definitions(e, self.recorder)

    def to(self, format: str) -> str:
        """The derivation as text, ascii, json or latex, or the answer alone as matgrad."""
        from matgrad.render.report import FORMATS

        if format == "sympy":
            from matgrad.emit import sympy as emitter

            parts = {p.wrt.data[0]: p.derivative for p in self.parts}
            if len(parts) == 1:
                return emitter.source({"derivative": self.derivative})
            return emitter.source(
                {f"derivative_{emitter.python_name(name)}": e for name, e in parts.items()}
            )
        if format in CODE:
            return emitted(self, format)
        if format not in FORMATS:
            raise UsageError(
                f"there is no format `{format}`",
                help=f"the formats are {', '.join([*FORMATS, 'sympy', *CODE])}",
            )
        return FORMATS[format](self)

    def _repr_latex_(self) -> str:
        from matgrad.render.report import derivation_latex

        return f"$${derivation_latex(self)}$$"

    def __repr__(self) -> str:
        return f"<matgrad.Derivation by {self.wrt.data[0]}: {self}>"

    def __str__(self) -> str:
        return self.to("matgrad")


CODE = ("numpy", "jax", "torch", "matlab")  # the languages that code is emitted in


def emitted(derivation: Derivation, language: str, name: str = "") -> str:
    """A module of code in one of the languages of CODE; `name` is that of its file, which MATLAB has to know."""
    if derivation.entry is not None:
        raise Unsupported(
            "code for the derivative by one entry is not written",
            help=f"write code for the derivative by `{derivation.wrt.data[0]}`, and take the entry of its value",
        )
    product = directed(derivation)
    if language == "matlab":
        from matgrad.emit import matlab

        return matlab.source(derivation, product, name or matlab.NAME)
    from matgrad.emit import python

    return python.source(derivation, language, product)


def directed(d: Derivation) -> Derivation | None:
    """A second derivative by one variable, times a direction: the derivation that code for `hvp` is made of."""
    if d.order != 2 or d.direction is not None or d.inner is None or d.inner.wrt is not d.wrt:
        return None
    if d.by_vech_twice:
        return None  # a direction would be one of vech(X)
    name = next(n for n in ("v", "u", "w", "h", "v_0", "v_1", "v_2") if n not in d.typed.variables)
    v = direction_like(d.wrt, name)
    typed = d.typed._replace(variables={**d.typed.variables, name: v})
    try:
        product = Derivation(typed, (d.wrt,), d.options, d.inner, v)
    except Unsupported:
        return None
    if d.check is not None:
        verify(product)
    return product


def _is_symbolic(step: Step) -> bool:
    """Whether a step is about a power whose exponent is not a number."""
    return ex.integer(step.left.args[0].args[1]) is None


def _terms(e: Expr) -> tuple[Expr, ...]:
    return e.args if e.kind == ex.ADD else (e,)


def _local_steps(start: Expr, becomes: Mapping[Expr, Step], stops: Collection[Expr]) -> list[Step]:
    """The steps from d(N) on that expand no differential of another name."""
    found: dict[Expr, Step] = {}
    todo = [start]
    while todo:
        node = todo.pop()
        if node in found or node not in becomes or (node in stops and node is not start):
            continue
        found[node] = becomes[node]
        todo += _differentials(becomes[node].right)
    return sorted(found.values(), key=lambda s: s.line)


def _differentials(e: Expr) -> list[Expr]:
    """The nodes d(N) of one step's right side, from the left."""
    return [n for n in ex.postorder(e) if n.kind == ex.DIFF]


class Options:
    """How a derivative is wanted."""

    def __init__(
        self,
        layout: str = "mixed",
        structured: str = "subspace",
        definition: bool = False,
        adjugate: bool = False,
        named: bool = False,
        whole: bool = False,
    ) -> None:
        if layout not in LAYOUTS:
            raise UsageError(
                f"there is no layout `{layout}`", help=f"the layouts are {', '.join(LAYOUTS)}"
            )
        if structured not in STRUCTURED:
            raise UsageError(
                f"there is no convention `{structured}`",
                help=f"the conventions for structured variables are {', '.join(STRUCTURED)}",
            )
        self.layout = layout
        self.structured = structured
        self.definition = definition
        self.adjugate = adjugate
        self.whole = whole  # not by pieces, however large the expression is
        self.named = (
            named  # defined functions keep their names: the derivative will be differentiated
        )


def diff(
    text: str,
    wrt: str | list[str] | tuple[str, ...] | None = None,
    let: str | list[str] | tuple[str, ...] = (),
    layout: str = "mixed",
    order: int = 1,
    check: bool = True,
    seed: int = 0,
    from_definition: bool = False,
    then: str | list[str] | tuple[str, ...] | None = None,
    hvp: str | None = None,
    structured: str = "subspace",
    adjugate: bool = False,
    background: str | list[str] | tuple[str, ...] = (),
) -> Derivation:
    """The derivative of an expression, step by step, numerically checked.

    `text` is an expression of the language, `wrt` the name of a variable or several (optional when there is only one),
    `let` declarations such as `"S: symmetric(n)"`, `background` more of them, which the expression need not use. `order` 2
    is the second derivative, `then` the variable of a mixed one, `hvp` the name of a direction v: the second derivative
    times v. `structured` says what the derivative by a symmetric (skew, ...) matrix is: the gradient in that `subspace`, or
    the `cookbook`'s array of partial derivatives by independent entries. `adjugate` writes d det(X) = tr(adj(X) dX), which
    holds for singular X too.

    Raises MatgradError: SyntaxProblem, NameProblem and ShapeProblem for the input, Unsupported where there is no closed
    form, CheckFailed if the answer fails its own numeric check.
    """
    options = Options(layout, structured, from_definition, adjugate)
    if not isinstance(order, int) or order < 1:
        raise UsageError("the order of a derivative is a whole number, 1 or more")
    if seed < 0:
        raise UsageError("a seed is 0 or more")
    if hvp is not None and order > 2:
        raise UsageError(
            "`--hvp` is a second derivative times a direction", help="leave out `--order`"
        )
    if hvp is not None:
        order = 1  # the gradient, whose differential is taken along the direction
    others = [then] if isinstance(then, str) else list(then or ())
    if others and (order > 1 or hvp is not None):
        raise UsageError(
            "`--then` is a second derivative already", help="leave out `--order` and `--hvp`"
        )
    typed = read_with(text, [*_texts(let), *_texts(background)])
    here = declarations(let)
    unused = tuple(unused_note(name, typed) for name in typed.unused if name in here)
    typed = typed._replace(notes=(*typed.notes, *unused))
    names = [wrt] if isinstance(wrt, str) or wrt is None else list(wrt)
    wanted = [find_wrt(typed, name) for name in names]
    variables = tuple(dict.fromkeys(v for v, _ in wanted))
    entries = [entry for _, entry in wanted if entry is not None]
    if entries and (len(wanted) > 1 or hvp is not None):
        raise UsageError(
            f"the derivative by an entry, `{render(entries[0])}`, stands alone",
            help="give one `--wrt`, and no `--hvp`",
        )
    if len(variables) > 1 and (order > 1 or others or hvp is not None):
        raise UsageError(
            "second derivatives are taken by one variable",
            help="mixed ones by `--wrt x --then y`",
        )
    ways = [(variables, entries[0] if entries else None)] * order
    for name in others:
        v, entry = find_wrt(typed, name)
        ways.append(((v,), entry))
    direction = _direction(typed, variables[0], hvp) if hvp is not None else None
    derivation: Derivation | None = None
    for number, (way, at) in enumerate(ways):
        last = number == len(ways) - 1 and direction is None
        chosen = options if last else _inner_options(options)
        twice = ways[:2] == [(way, None)] * 2
        if typed.expr.is_scalar and twice and structure(way[0]) == "symmetric":
            chosen.structured = "subspace"  # the second one by entries is made of this gradient
        derivation = Derivation(typed, way, chosen, derivation, None, at)
        if check:
            derivation = _verified(derivation, seed)
        typed = typed._replace(expr=derivation.derivative, notes=())
    if direction is not None:
        variables_with = {**typed.variables, direction.data[0]: direction}
        typed = typed._replace(variables=variables_with)
        derivation = Derivation(typed, variables, options, derivation, direction)
        if check:
            verify(derivation, seed)
    assert derivation is not None
    return derivation


def _inner_options(options: Options) -> Options:
    return Options("mixed", options.structured, options.definition, options.adjugate, named=True)


def _verified(derivation: Derivation, seed: int) -> Derivation:
    """The derivation, checked. Where a determinant turns out to be that of a singular matrix, it is written with the
    adjugate instead."""
    verify(derivation, seed)
    check, options = derivation.check, derivation.options
    unsure = check is not None and not check.points and not options.adjugate
    if unsure and any(s.rule == "d:det" for s in derivation.steps):
        again = Options(options.layout, options.structured, options.definition, True, options.named)
        other = Derivation(derivation.typed, derivation.variables, again, derivation.inner)
        try:
            verify(other, seed)
        except MatgradError:
            return derivation
        if other.check is not None and other.check.points:
            return other
    return derivation


def _direction(typed: Typed, wrt: Expr, name: str) -> Expr:
    """A variable of wrt's shape for the direction of a Hessian-vector product."""
    from matgrad.parse import read_name

    found = read_name(name)
    if not found:
        raise NameProblem("`--hvp` names no direction", help="write `--hvp v`")
    if found in typed.variables:
        raise NameProblem(
            f"`{name}` is a variable of the expression",
            help="a direction has a name of its own, such as `v`",
        )
    return direction_like(wrt, found)


def direction_like(wrt: Expr, name: str) -> Expr:
    """A variable for a direction in which `wrt` may move."""
    kept = wrt.data[1] & {"symmetric", "skew", "diagonal", "lower", "upper"}
    return ex.var(name, wrt.shape, kept)


def _texts(let: str | list[str] | tuple[str, ...]) -> list[str]:
    return [let] if isinstance(let, str) else list(let)


def declarations(let: str | list[str] | tuple[str, ...]) -> dict[str, Declared]:
    """The declarations of several `--let` texts, by name."""
    return declare_all(_texts(let))


def find_wrt(typed: Typed, wrt: str | None) -> tuple[Expr, Expr | None]:
    """The variable to differentiate by, and the entry of it that is wanted alone: X[i,j]."""
    name, bracket, _ = (wrt or "").partition("[")
    if wrt is None or not bracket:
        return find_variable(typed, wrt), None
    v = find_variable(typed, name)
    entry = read(wrt, {v.data[0]: Declared(v.data[0], v.shape, tuple(v.data[1]), "variable")}).expr
    if entry.kind != ex.INDEX or entry.args[0] is not v or not entry.is_scalar:
        raise UsageError(
            "`--wrt` takes a variable or an entry of one",
            help=f"write `--wrt {name}` or, for example, `--wrt '{name}[{'1' if v.shape.kind != ex.MATRIX else '1,2'}]'`",
        )
    return v, entry


def _unit(entry: Expr) -> Expr:
    """1 in the place of an entry, 0 elsewhere: e_i, e_i', or e_i e_j'."""
    v = entry.args[0]
    first, last = entry.data[0], entry.data[-1]
    if v.shape.kind == ex.VECTOR:
        return ex.basis(first, v.shape.rows)
    if v.shape.kind == ex.ROW:
        return ex.transpose(ex.basis(last, v.shape.cols))
    return ex.mul(ex.basis(first, v.shape.rows), ex.transpose(ex.basis(last, v.shape.cols)))


def along_entry(entry: Expr, structured: str) -> Expr:
    """The direction in which a variable moves with an entry of it, in its structure. Raises Unsupported."""
    v = entry.args[0]
    kind = structure(v)
    direction = _unit(entry)
    if kind in ("symmetric", "skew") and structured == "subspace":
        turned = ex.transpose(direction)
        sign = ex.num(1 if kind == "symmetric" else -1)
        return ex.mul(ex.num(Fraction(1, 2)), ex.add(direction, ex.mul(sign, turned)))
    if kind:
        raise Unsupported(
            f"the derivative by one entry of a matrix that is {kind} is not written",
            help=f"give the derivative by `{v.data[0]}`, and take its entry",
        )
    return direction


def find_variable(typed: Typed, wrt: str | None) -> Expr:
    """The variable to differentiate by."""
    from matgrad.parse import read_name

    names = [n for n, v in typed.variables.items() if "integer" not in v.data[1]]
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
    name = read_name(wrt)
    if not name:
        raise NameProblem("`--wrt` names no variable", help="write `--wrt X`")
    if name in typed.variables and name not in names:
        raise Unsupported(
            f"`{name}` is an integer: there is no derivative by it",
            help="give the derivative by another variable; a real power of a matrix is `expm(c*logm(X))`",
        )
    if name not in names:
        known = f"it has {', '.join(names)}" if names else "it has no variables"
        alike = [n for n in names if n.lower() == name.lower() or n in re.split(r"\W+", wrt)]
        if alike:
            known += f"; write `--wrt {alike[0]}`"
        elif name in typed.functions:
            known += f"; `{name}` is a function"
        marks = _as_no_variable(typed, name)
        raise NameProblem(
            f"the variable `{wrt}` is not in the expression", marks, known, typed.text
        )
    return typed.variables[name]


def _as_no_variable(typed: Typed, name: str) -> tuple[Mark, ...]:
    """Where a name that is no variable of an expression stands in it as a function or a size, or else the whole of it."""
    text = typed.text
    sizes = {a for e in ex.postorder(typed.expr) for n in e.shape[1:] for a in dim_atoms(n)}
    what = "a function" if name in typed.functions else "a size" if name in sizes else ""
    places = list(re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)) if what else []
    if not places:
        return (Mark(0, len(text.rstrip()), f"no `{name}` in it"),)
    return tuple(
        Mark(m.start(), m.end(), what if number == 0 else "") for number, m in enumerate(places)
    )


def _supported(v: Expr, again: bool, options: Options) -> None:
    """Raises Unsupported for a variable by which there is no derivative (`again`: of one by it)."""
    kind = structure(v)
    if kind == "identity":
        raise Unsupported(
            f"`{v.data[0]}` is the identity matrix, a constant",
            help="leave out its declaration for the derivative by all of its entries",
        )
    if again and kind in MANIFOLDS:
        raise Unsupported(
            f"on the orthogonal matrices, the Hessian of a number by `{v.data[0]}` is written and no other second derivative",
            help=f"leave out the declaration of `{v.data[0]}` for those by all of its entries",
        )
    if options.structured == "cookbook" and kind in MANIFOLDS:
        raise Unsupported(
            "the entries of an orthogonal matrix are not independent of one another",
            help="leave out `--structured cookbook` for the Riemannian gradient",
        )


def in_layout(mixed: Expr, y: Expr, wrt: Expr, layout: str) -> Expr:
    """The derivative in another layout: `denominator` transposes Jacobians, `numerator` transposes gradients."""
    from matgrad.properties import push_transposes

    gradient = y.is_scalar
    if (layout == "denominator" and not gradient) or (layout == "numerator" and gradient):
        return simplify(push_transposes(ex.transpose(mixed)), Recorder((wrt,)))
    return mixed


def verify_lines(derivation: Derivation, seed: int = 0) -> list[bool | None]:
    """For each line of the full derivation, whether it is numerically equal to the line before (to dy, for the first).

    None where that could not be tried.
    """
    from matgrad.verify import check_lines

    d = derivation
    marks: list[bool | None] = []
    # The derivative read off was compared with finite differences; the lines below it are compared with it.
    runs = [(chain.start, chain.lines) for chain in d.chains(full=True)]
    runs += [(part.mixed, d.lines_of_part(part, full=True)) for part in d.parts]
    for start, those in runs:
        states = [start, *(line.state for line in those)]
        found = check_lines(states, d.variables, seed, d.assumptions)[1:] if those else []
        marks += found or [None] * len(those)
    return marks


def verify(derivation: Derivation, seed: int = 0) -> None:
    """Check a derivation numerically; raises CheckFailed if a derivative is wrong."""
    from matgrad.verify import check_derivative, check_direction

    d = derivation
    for part in d.parts:
        if d.direction is not None:
            check = check_direction(
                d.expression, part.mixed, part.wrt, d.direction, seed, d.assumptions
            )
        else:
            check = check_derivative(
                d.checked,
                part.mixed,
                part.wrt,
                seed,
                d.assumptions,
                d.options.structured,
                tangent=d.tangent_twice,
            )
        part.check = check
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
