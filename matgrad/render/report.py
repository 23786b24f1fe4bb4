"""A derivation as text, LaTeX and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from matgrad import expr as ex
from matgrad.definitions import Defined, definition_in, unknown_function
from matgrad.dims import Dim, DimVar, dim_atoms
from matgrad.errors import MatgradError
from matgrad.expr import Expr
from matgrad.render.markup import html, markdown
from matgrad.render.names import named, spoken
from matgrad.render.text import (
    MARK_END,
    MARK_START,
    TO_ASCII,
    name_text,
    render,
    render_all,
    shape_label,
    space_text,
)
from matgrad.rewrite import derived, step_reason
from matgrad.rules import TABLE as RULES
from matgrad.shapes import Typed, read
from matgrad.steps import Check, Line, Step
from matgrad.structure import by_vech

if TYPE_CHECKING:
    from matgrad.derive import Derivation, Part
    from matgrad.simplified import Simplification

REASON_COLUMN = 41


class Row(NamedTuple):
    """One line of a report: `label = text`, and the reason beside it. An empty row separates parts."""

    label: str
    text: str
    reason: str
    mark: str = ""


def taken_names(typed: Typed) -> set[str]:
    """The names that mean something in an expression, or were declared."""
    taken = {v.data[0] for v in typed.variables.values()} | set(typed.functions)
    taken |= {f.name for f in typed.definitions} | {name for name, *_ in typed.maps}
    return taken | set(typed.unused)


def free_name(e: Expr, taken: Collection[str]) -> str:
    """A name for an expression: y, or Y for a matrix."""
    names = "YFGHZ" if e.shape.kind == ex.MATRIX else "yfghz"
    return next((n for n in names if n not in taken), "value")


def value_name(d: Derivation) -> str:
    """A name for the expression that no variable has."""
    first = _history(d)[0]
    definitions = {f.name for f in first.typed.definitions}
    return free_name(first.expression, taken_names(d.typed) | definitions)


def names_for(
    d: Derivation, roots: list[Expr], change: Callable[[Expr], Expr] = lambda e: e
) -> dict[Expr, str]:
    """Names for long subexpressions of answers, and for y in them. `change` was done to the roots."""
    y = _history(d)[0].expression
    everything = [y, *(p.derivative for p in d.parts), *roots]
    taken = taken_names(d.typed) | names_of_sizes(*everything)
    return named(roots, taken, change(y), value_name(d))


def names_of_sizes(*roots: Expr) -> set[str]:
    """The names of the sizes and the indices of expressions."""
    nodes = ex.postorder(*roots)
    found = {str(a) for e in nodes for n in (e.shape.rows, e.shape.cols) for a in dim_atoms(n)}
    return found.union(*map(ex.index_names, roots))


def _history(d: Derivation) -> list[Derivation]:
    """The derivations of a derivative of higher order, the first one first."""
    found = [d]
    while found[0].inner is not None:
        found.insert(0, found[0].inner)
    return found


def _partial(style: str) -> str:
    return {"unicode": "∂", "latex": "\\partial "}.get(style, "d")


def _over(above: str, below: str, style: str) -> str:
    return f"\\frac{{{above}}}{{{below}}}" if style == "latex" else f"{above}/{below}"


def _raised(order: int, style: str) -> str:
    if order == 1:
        return ""
    if style == "unicode":
        return str(order).translate(str.maketrans("23456789", "²³⁴⁵⁶⁷⁸⁹"))
    return f"^{{{order}}}" if style == "latex" else f"^{order}"


def _transposed(text: str, style: str) -> str:
    return text + {"unicode": "ᵀ", "latex": "^\\top"}.get(style, "'")


def _vec(text: str, style: str, name: str = "vec") -> str:
    return f"\\operatorname{{{name}}}({text})" if style == "latex" else f"{name}({text})"


def subject_label(d: Derivation, style: str) -> str:
    """What is differentiated: `y`, `vec(Y)`, `∂y/∂x`."""
    before = _history(d)[:-1]
    name = derivative_label(before[-1], style) if before else value_name(d)
    if d.subject is d.expression:
        return name
    if d.expression.shape.kind == ex.MATRIX:
        return _vec(name, style)
    return _transposed(f"({name})" if before else name, style)


def derivative_label(d: Derivation, style: str, part: Part | None = None) -> str:
    """`∂y/∂X`, `∂²y/∂x²`, `∂vec(Y)/∂vec(X)ᵀ`; `dy/dX` in ASCII; a fraction in LaTeX."""
    if d.direction is not None and d.entry is None:
        v = name_text(d.direction.data[0], style)
        x = name_text(d.wrt.data[0], style)
        mark = _partial(style)
        second = _over(
            f"{mark}{_raised(2, style)}{value_name(d)}", f"{mark}{x}{_raised(2, style)}", style
        )
        return f"{second}[{v}]" if d.wrt.shape.kind == ex.MATRIX else f"({second}) {v}"
    wrt = (part or d.parts[0]).wrt
    history = _history(d)
    variables = [*(h.entry or h.wrt for h in history[:-1]), d.entry or wrt]
    mark, y = _partial(style), value_name(d)
    order = len(variables)
    names = [render(v, style) for v in variables]
    raised = _raised(order, style)
    by_number = variables[-1].is_scalar
    flat = d.expression.shape.kind in (ex.SCALAR, ex.VECTOR) or by_number
    if order > 1 and len(set(variables)) == 1:
        if by_number or (wrt.shape.kind == ex.VECTOR and order == 2 and flat):
            return _over(f"{mark}{raised}{y}", f"{mark}{names[0]}{raised}", style)
    if order == 2 and history[0].expression.is_scalar:
        halves = (d.by_vech_twice, by_vech(wrt, d.subject, d.options.structured))
        below = [
            _vec(n, style, "vech" if half else "vec") if v.shape.kind == ex.MATRIX else n
            for n, v, half in zip(names, variables, halves, strict=True)
        ]
        if not any(v.is_scalar for v in variables):
            below[1] = _transposed(below[1], style)
        return _over(
            f"{mark}{raised}{y}", f"{mark}{below[0]} {mark}{below[1]}".replace("  ", " "), style
        )
    x = names[-1]
    if variables[-1].shape.kind == ex.MATRIX and not d.subject.is_scalar:
        half = by_vech(wrt, d.subject, d.options.structured)
        x = _transposed(_vec(x, style, "vech" if half else "vec"), style)
    above = subject_label(d, style)
    if order > 1 and d.subject is d.expression:
        above = f"({above})"
    return _over(f"{mark}{above}", f"{mark}{x}", style)


def differential_label(d: Derivation, style: str) -> str:
    """`dy`, or `d(∂y/∂x)` where a derivative is differentiated."""
    inner = subject_label(d, style)
    mark = "\\mathrm{d}" if style == "latex" else "d"
    plain = d.order == 1 or (d.subject is not d.expression and d.expression.shape.kind == ex.MATRIX)
    return mark + (inner if plain else f"({inner})")


def where_text(typed: Typed, style: str) -> str:
    """`X ∈ ℝᵐˣⁿ, S ∈ ℝⁿˣⁿ symmetric`."""
    element = {"unicode": " ∈ ", "latex": " \\in "}.get(style, " in ")
    parts = []
    for name, variable in typed.variables.items():
        integer = {"unicode": "ℤ", "latex": "\\mathbb{Z}"}.get(style, "Z")
        whole = "integer" in variable.data[1]
        space = integer if whole else space_text(variable.shape, style)
        text = name_text(name, style) + element + space
        word = _property_word(variable)
        parts.append(f"{text} {word}" if word and style != "latex" else text)
    for name in typed.functions:
        real = {"unicode": "ℝ → ℝ", "latex": "\\mathbb{R} \\to \\mathbb{R}"}.get(style, "R -> R")
        words = "" if style == "latex" else ", entry by entry"
        parts.append(f"{name_text(name, style)}: {real}{words}")
    parts += [definition_text(f, 0, style) for f in typed.definitions]
    for name, *shapes in typed.maps:
        value, argument = (space_text(s, style) for s in shapes)
        to = {"unicode": " → ", "latex": " \\to "}.get(style, " -> ")
        parts.append(f"{name_text(name, style)}: {argument}{to}{value}")
    return ", ".join(parts)


def definition_text(f: Defined, order: int, style: str) -> str:
    """`f(t) = t² exp(-t)`, or a derivative of it as it was found."""
    found = derived(f, order) or derived(f, order, by_sympy=False)
    assert found is not None
    head = render(unknown_function(f.name, order, f.variable), style)
    return f"{head} = {render(found.body, style)}"


def _defined(text: str, step: Step, style: str) -> str:
    """The words beside a step that speak of f, for the function that is meant."""
    f = definition_in(step.left)
    if f is None:
        return text
    if step.left.data[2] == 0:
        return text.replace("definition of f", f"definition of {name_text(f.name, style)}")
    return text.replace("f'(t)", definition_text(f, step.left.data[2], style))


def _property_word(variable: Expr) -> str:
    properties = variable.data[1]
    order = [
        "identity",
        "spd",
        "diagonal",
        "symmetric",
        "skew",
        "orthogonal",
        "orthonormal",
        "lower",
        "upper",
        "invertible",
        "positive",
    ]
    found = next((p for p in order if p in properties), "")
    return {
        "spd": "symmetric positive definite",
        "orthonormal": "with orthonormal columns",
        "lower": "lower triangular",
        "upper": "upper triangular",
    }.get(found, found)


def read_off_text(d: Derivation, style: str, part: Part) -> str:
    """How the derivative is read off: `dy = tr(Dᵀ dX) gives D, m×n`."""
    x = name_text(part.wrt.data[0], style)
    y = subject_label(d, style)
    dy = differential_label(d, style)
    size = shape_label(part.mixed.shape, style)
    top = {"unicode": "ᵀ", "latex": "^\\top"}.get(style, "'")
    others = " + ..." if len(d.parts) > 1 else ""
    taken = {v.data[0] for v in d.typed.variables.values()}
    gradient = next(letter for letter in "DGMHEN" if letter not in taken | {y})
    jacobian = next(letter for letter in "JMHENG" if letter not in taken | {y})
    if d.subject.is_scalar:
        if part.wrt.is_scalar:
            return f"{dy} = {gradient} d{x}{others} gives {gradient}"
        form = {ex.MATRIX: f"tr({gradient}{top} d{x})", ex.ROW: f"d{x} {gradient}{top}"}.get(
            part.wrt.shape.kind, f"{gradient}{top} d{x}"
        )
        return f"{dy} = {form}{others} gives {gradient}, {size}"
    if part.wrt.is_scalar:
        return f"{dy} = {gradient} d{x}{others} gives {gradient}, {size} (mixed layout: as {y})"
    if by_vech(part.wrt, d.subject, d.options.structured):
        form = f"vech(d{x})"
        if d.by_vech_twice:
            half = _over(
                f"{_partial(style)}{value_name(d)}",
                f"{_partial(style)}{_vec(x, style, 'vech')}",
                style,
            )
            dy = ("\\mathrm{d}" if style == "latex" else "d") + f"({half})"
        return f"{dy} = {jacobian} {form}{others} gives the Jacobian {jacobian}, {size} (vech stacks the lower triangle by columns)"
    if part.wrt.shape.kind == ex.MATRIX or d.subject is not d.expression:
        form = f"vec(d{x})" if part.wrt.shape.kind == ex.MATRIX else f"d{x}"
        form = f"(d{x}){top}" if part.wrt.shape.kind == ex.ROW else form
        words = "" if "vec(" not in form + y else "; vec stacks columns"
        return f"{dy} = {jacobian} {form}{others} gives the Jacobian {jacobian}, {size} (mixed layout{words})"
    return (
        f"{dy} = {jacobian} d{x}{others} gives the Jacobian {jacobian}, {size}"
        f" (mixed layout: rows as {y}, columns as {x})"
    )


def layout_rows(d: Derivation, style: str, part: Part) -> list[Row]:
    """What another layout makes of the derivative."""
    if d.layout == "mixed" or (part.derivative is part.mixed and d.subject.is_scalar):
        return []
    size = shape_label(part.derivative.shape, style)
    if d.layout == "numerator" and not d.subject.is_scalar:
        return [Row("", "", "numerator layout: the same")]
    text = render(part.derivative, style, names=d.names)
    return [Row("", text, f"{d.layout} layout: its transpose, {size}")]


def rows(
    d: Derivation, style: str, steps: str, marks: list[bool | None] | None = None
) -> list[Row]:
    """The rows of a report. `marks` says of each line of a full derivation whether it was verified."""
    differential = differential_label(d, style)
    where = f"where {where_text(d.typed, style)}" if d.typed.variables else ""
    history = _history(d)
    out: list[Row] = []
    for given in history:
        label = derivative_label(given.inner, style) if given.inner else value_name(d)
        out.append(Row(label, render(given.expression, style, names=d.names), ""))
    out[0] = out[0]._replace(reason=where)
    above = set(ex.postorder(*(given.expression for given in history)))
    out += _definition_rows(d, style, [e for e in d.names if e in above])
    chains = d.chains(full=steps == "full") if steps != "none" else []
    symbols = ("✓", "✗", "") if style == "unicode" else ("ok", "WRONG", "")
    ticks = [symbols[2 if ok is None else not ok] for ok in marks or []]
    if steps != "none":
        out.append(Row("", "", ""))
    if chains and d.is_long and not any(chain.lines for chain in chains):
        out.append(Row("", "", "the steps of so long a derivation are not shown"))
    elif chains and not any(chain.lines for chain in chains):
        out.append(Row(differential, render(d.start, style, names=d.names), "definition"))
    used = 0
    for chain in chains:
        label = (
            differential if chain.of is d.subject else _differential_of(d.names[chain.of], style)
        )
        for i, line in enumerate(chain.lines):
            text, reason = _line_text(line, d, style), _reason(line, d, style, steps)
            tick = ticks[used] if used < len(ticks) else ""
            out.append(Row("" if i else label, text, reason, tick))
            used += 1
    for part in d.parts:
        if steps != "none":
            out.append(Row("", "", ""))
        last = d.lines_of_part(part, full=steps == "full") if steps != "none" else []
        out.extend(_part_rows(d, part, style, steps, last, ticks[used:]))
        used += len(last)
    out += _definition_rows(d, style, [e for e in d.names if e not in above])
    return out


def _definition_rows(d: Derivation, style: str, nodes: list[Expr]) -> list[Row]:
    """What names stand for, except y, which is on the screen already."""
    y = _history(d)[0].expression
    return definition_rows([e for e in nodes if e is not y], d.names, style)


def definition_rows(nodes: Sequence[Expr], names: Mapping[Expr, str], style: str) -> list[Row]:
    """`h₁ = tanh(W₁ x)`, one row each."""
    texts = render_all(nodes, style, names)
    return [Row(name_text(names[e], style), text, "") for e, text in texts.items()]


def _differential_of(name: str, style: str) -> str:
    """`dh₁`."""
    return ("\\mathrm{d}" if style == "latex" else "d") + name_text(name, style)


def _part_rows(
    d: Derivation, part: Part, style: str, steps: str, last: list[Line], ticks: list[str]
) -> list[Row]:
    """The rows of one derivative, read off and simplified."""
    out: list[Row] = []
    label = derivative_label(d, style, part)
    if d.moved is not None and steps != "none":
        x, v = name_text(part.wrt.data[0], style), render(d.moved, style)
        text = render(part.final, style, names=d.names)
        out.append(Row(label, text, f"the differential with {v} for d{x}"))
        label = ""
    for i, line in enumerate(last):
        tick = ticks[i] if i < len(ticks) else ""
        read_off = any(
            s.rule == "read-off"
            or (
                s.rule in ("read-off-symmetric", "read-off-skew")
                and by_vech(part.wrt, d.subject, d.options.structured)
            )
            for s in line.steps
        )
        reason = read_off_text(d, style, part) if read_off else _reason(line, d, style, steps)
        out.append(Row(label if i == 0 else "", _line_text(line, d, style, i > 0), reason, tick))
    if not last and d.direction is None and steps != "none" and ex.is_zero(part.mixed):
        out.append(Row(label, render(part.mixed, style), "the differential is zero"))
    elif not last and (d.direction is None or steps == "none"):
        out.append(
            Row(
                label,
                render(part.mixed, style, names=d.names),
                read_off_text(d, style, part) if d.direction is None else "",
            )
        )
    out.extend(layout_rows(d, style, part))
    return out


def _line_text(line: Line, d: Derivation, style: str, marked: bool = True) -> str:
    changed = {s.right for s in line.steps} if marked else ()
    return render(line.state, style, changed, d.names)


_DEFINITIONS = ("write-out", "derivative-by-sympy", "derivative-by-rules")


def _reason(line: Line, d: Derivation, style: str, steps: str) -> str:
    reasons = line.reasons
    if steps == "full":
        reasons = tuple(dict.fromkeys(step_reason(s)[0] for s in line.steps))
    about = [s for s in line.steps if s.rule in _DEFINITIONS]
    if about:
        reasons = tuple(dict.fromkeys(_defined(step_reason(s)[0], s, style) for s in about))
    moving = " and ".join("d" + name_text(v.data[0], style) for v in _moving(line, d))
    text = ", ".join(reasons).replace("{d}", moving)
    if "y(X + dX)" in text:
        x, y = name_text(d.wrt.data[0], style), subject_label(d, style)
        text = text.replace("dy = y(X + dX) - y(X)", f"d{y} = {y}({x} + d{x}) - {y}({x})")
    return to_ascii(text) if style == "ascii" else text


def _moving(line: Line, d: Derivation) -> list[Expr]:
    """The variables whose differentials the steps of a line speak of."""
    nodes = {e for s in line.steps for e in ex.postorder(s.left)}
    return [v for v in d.variables if ex.diff(v) in nodes] or list(d.variables)


_ASCII = {
    "ᵀ": "'",
    "⁻¹": "^-1",
    "⁻": "^-",
    "∘": ".*",
    "‖": "||",
    "²": "^2",
    "ᵏ": "^k",
    "ᵃ": "^a",
    "ᵇ": "^b",
    "⁺": "+",
    "√": "sqrt ",
    "×": " x ",
    "∂u": "jac_u",
    "∂U": "jac_U",
    "∂": "d",
    "∇": "grad_",
    "ˣ": "^x",
    "ʳ": "^r",
    "¹": "1",
    "½": "1/2",
    "⊗": "(x)",
    "⊘": "./",
    "é": "e",
    "…": "...",
    "Σ": "sum",
    "≥": ">=",
    "≤": "<=",
    "₁": "1",
    "₂": "2",
}


def to_ascii(text: str) -> str:
    """The words of a rule or a note in ASCII."""
    for letter, plain in (*_ASCII.items(), *TO_ASCII.items()):
        text = text.replace(letter, plain)
    return text.encode("ascii", "replace").decode()


def assumption_lines(d: Derivation | Simplification, style: str) -> list[str]:
    """`assuming X is invertible`."""
    out = []
    for name, e in d.assumptions:
        text = render(e, style, names=d.names)
        words = {"nonzero": "≠ 0" if style == "unicode" else "is not 0"}.get(name, f"is {name}")
        out.append(f"assuming {text} {words}")
    return out


def closing_lines(
    d: Derivation | Simplification, style: str, outcome: str = "agrees with finite differences"
) -> list[str]:
    """Assumptions, notes, and the outcome of the numeric check."""
    out = assumption_lines(d, style)
    out.extend(f"note: {to_ascii(n) if style == 'ascii' else n}" for n in d.notes)
    check = d.check
    if isinstance(check, Check):
        if check.points == 0:
            out.append(
                "not checked: no random point was found where the expression is defined"
                " and what is assumed holds"
            )
        else:
            tick = "✓" if style == "unicode" else "ok:"
            points = f"{check.points} random point{'s' if check.points > 1 else ''}"
            out.append(f"{tick} {outcome} at {points}, worst relative error {value_text(check)}")
    return out


def text_report(
    d: Derivation,
    style: str = "unicode",
    steps: str = "brief",
    width: int = 100,
    marks: list[bool | None] | None = None,
) -> str:
    """The report as aligned lines. What changed stands between MARK_START and MARK_END."""
    table = rows(d, style, steps, marks)
    return "\n".join([*laid_out(table, width), *closing_lines(d, style)])


def laid_out(table: list[Row], width: int) -> list[str]:
    """Rows as lines of at most `width`, the reasons below each other."""
    longest = max((len(plain(r.text)) + len(r.label) + 3 for r in table if r.reason), default=0)
    widest = max((len(r.reason) + 3 for r in table), default=0)
    column = min(max(REASON_COLUMN, longest + 3), max(REASON_COLUMN, width - widest))
    lines: list[str] = []
    indent = 0
    for row in table:
        if not (row.label or row.text or row.reason):
            if lines and lines[-1]:
                lines.append("")
            continue
        if row.label:
            indent = len(row.label)
        if not row.text:
            lines.append(" " * column + row.reason)
            continue
        head = row.label.ljust(indent) + " = "
        pieces = _wrapped(row.text, width - len(head))
        body = [head + pieces[0], *(" " * len(head) + p for p in pieces[1:])]
        reason = f"{row.mark} {row.reason}".strip() if row.mark else row.reason
        if reason and len(body) == 1 and len(plain(body[0])) + 2 <= column:
            body[0] += " " * (column - len(plain(body[0]))) + reason
        elif reason:
            body.append(" " * column + reason)
        lines.extend(body)
    return lines


def plain(text: str) -> str:
    """The text without marks."""
    return text.replace(MARK_START, "").replace(MARK_END, "")


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width`, broken before `+` and `-` where possible, else at spaces."""
    if len(plain(text)) <= width or width < 20:
        return [text]
    pieces = re.split(r"(?= [+-] )", text)
    lines: list[str] = []
    for piece in pieces:
        for word in [piece] if len(plain(piece)) <= width else re.split(r"(?= )", piece):
            if lines and len(plain(lines[-1] + word)) <= width:
                lines[-1] += word
            else:
                lines.append(word if not lines else "  " + word.lstrip())
    return lines


def value_text(check: Check) -> str:
    """The error as a person reads it: `3e-10`."""
    return (
        "0"
        if check.worst_relative_error == 0
        else f"{check.worst_relative_error:.0e}".replace("e-0", "e-")
    )


def value_text_of(error: float) -> str:
    """A relative error of any size: `1.5`, `0.0003`, `2e-09`."""
    return f"{error:.2g}"


# --- LaTeX ----------------------------------------------------------------------------------------------------------------


def derivation_latex(d: Derivation, steps: str = "brief") -> str:
    """The derivation as an `aligned` environment: formulas, reasons beside them, and below what was assumed."""
    return aligned(d, rows(d, "latex", steps), rows(d, "ascii", steps))


def aligned(d: Derivation | Simplification, table: list[Row], ascii_table: list[Row]) -> str:
    """Rows as an `aligned` environment; the reasons are those of the ASCII rows."""
    out = []
    words = [row.reason for row in ascii_table]
    words[0] = f"where ${where_text(d.typed, 'latex')}$" if d.typed.variables else ""
    for i, (row, reason) in enumerate(zip(table, words, strict=True)):
        if row.text:
            beside = f" && \\text{{{_latex_words(reason) if i else reason}}}" if reason else ""
            out.append(f"{row.label} &= {plain(row.text)}{beside}")
    for name, e in d.assumptions:
        word = "\\neq 0" if name == "nonzero" else f"\\text{{ is {name}}}"
        out.append(f"& \\text{{assuming }} {render(e, 'latex', names=d.names)} {word}")
    body = " \\\\\n".join(out)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def markdown_report(d: Derivation, style: str = "unicode", steps: str = "brief") -> str:
    """The derivation as displayed mathematics in Markdown; notes and the outcome of the check below it."""
    said = len(assumption_lines(d, style))  # in the formulas, too
    return markdown(derivation_latex(d, steps), closing_lines(d, style)[said:])


def html_report(
    d: Derivation,
    style: str = "unicode",
    steps: str = "brief",
    marks: list[bool | None] | None = None,
) -> str:
    """The derivation as a table in HTML, and paragraphs below it."""
    return html(rows(d, style, steps, marks), closing_lines(d, style))


def _latex_words(reason: str) -> str:
    """An ASCII reason for `\\text{...}`."""
    return re.sub(r"([_&%#$])", r"\\\1", reason).replace("^", "\\^{}")


# --- JSON -----------------------------------------------------------------------------------------------------------------


def _statement(step: Step) -> str:
    if step.rule.startswith("d:"):
        from matgrad.rulebook import find

        return find(step.rule).statement
    return RULES[step.rule].statement


def json_object(d: Derivation) -> dict[str, Any]:
    """The derivation as one JSON object (see docs/json-schema.json)."""
    from matgrad import __version__

    differential = differential_label(d, "unicode")
    labelled: list[tuple[str, Line]] = []
    for chain in d.chains(full=True):
        inner = chain.of is not d.subject
        label = _differential_of(d.names[chain.of], "unicode") if inner else differential
        labelled += [(label, line) for line in chain.lines]
    label = derivative_label(d, "unicode")
    for part in d.parts:
        labelled += [(label, line) for line in d.lines_of_part(part, full=True)]
    return {
        "matgrad": __version__,
        "expression": d.typed.text or render(d.expression),
        "wrt": [p.wrt.data[0] for p in d.parts] if len(d.parts) > 1 else render(d.entry or d.wrt),
        "order": d.order,
        "layout": d.layout,
        "variables": json_variables(d.typed),
        "derivative": json_derivative(d, d.parts[0]),
        **(
            {"derivatives": [{"wrt": p.wrt.data[0], **json_derivative(d, p)} for p in d.parts]}
            if len(d.parts) > 1
            else {}
        ),
        "steps": [
            json_step(line, label, d.names, _reason(line, d, "unicode", "full"))
            for label, line in labelled
        ],
        **json_closing(d),
    }


def json_variables(typed: Typed) -> dict[str, Any]:
    """The variables of an expression for JSON."""
    variables = {}
    for name, variable in typed.variables.items():
        dims = {ex.SCALAR: [], ex.VECTOR: [variable.shape.rows]}.get(
            variable.shape.kind, [variable.shape.rows, variable.shape.cols]
        )
        variables[name] = {
            "kind": variable.shape.kind,
            "shape": [n if isinstance(n, int) else str(n) for n in dims],
            "properties": sorted(variable.data[1]),
            "declared": name not in typed.assumed,
        }
    return variables


def json_step(line: Line, label: str, names: Mapping[Expr, str], because: str) -> dict[str, str]:
    """One line for JSON."""
    return {
        "text": f"{label} = {render(line.state, 'unicode', names=names)}",
        "latex": render(line.state, "latex", names=names),
        "rule": [s.rule for s in line.steps][-1],
        "statement": _statement(line.steps[-1]),
        "because": because,
    }


def json_closing(d: Derivation | Simplification) -> dict[str, Any]:
    """The check, the assumptions and the notes for JSON."""
    members = ("ok", "points", "worst_relative_error", "seed")
    return {
        "check": {m: getattr(d.check, m) for m in members} if d.check is not None else None,
        "assumptions": [f"{render(e, 'unicode', names=d.names)} is {n}" for n, e in d.assumptions],
        "notes": d.notes,
    }


def json_derivative(d: Derivation, part: Part) -> dict[str, Any]:
    """One derivative for JSON."""
    return json_formula(part.derivative, d.names)


def json_formula(e: Expr, names: Mapping[Expr, str]) -> dict[str, Any]:
    """An expression for JSON, with what its names stand for."""
    styles = {"text": "unicode", "matgrad": "matgrad", "latex": "latex"}
    definitions = [
        {"name": names[n], **{k: render(n, v, names=names) for k, v in styles.items()}}
        for n in spoken(e, names)
    ]
    return {
        **{key: with_where(e, names, style) for key, style in styles.items()},
        "shape": shape_label(e.shape, "unicode"),
        **({"where": definitions} if definitions else {}),
    }


def with_where(e: Expr, names: Mapping[Expr, str], style: str) -> str:
    """`W' (1 - h.^2) x' where h = tanh(W x)`."""
    called = spoken(e, names)
    texts = render_all((e, *called), style, names)
    definitions = [f"{name_text(names[n], style)} = {texts[n]}" for n in called]
    word = " \\text{ where } " if style == "latex" else " where "
    return texts[e] + (word + ", ".join(definitions) if definitions else "")


def json_report(d: Derivation, ascii_only: bool = False) -> str:
    """`json_object` as text."""
    import json

    return json.dumps(json_object(d), ensure_ascii=ascii_only, indent=2)


def answer_text(d: Derivation, style: str = "matgrad") -> str:
    """The answers alone, one a line, as the language reads them back without the declarations of this run.

    A size that was only inferred is a number that no one has named yet: n is written `len(x)`, m n `rows(X) cols(X)`.
    """
    sizes = measures(d.typed)
    found = _texts(d, style, lambda e: with_sizes_named(e, sizes))
    nodes = ex.postorder(*(p.derivative for p in d.parts))
    if sizes and any(node.kind == ex.CONST and node.op != "size" for node in nodes):
        # `eye(n)` does as long as only one n fits where it stands; beside a Kronecker product it can be `eye(cols(X))`
        # that is needed.
        longer = _texts(d, style, lambda e: ex.resized(e, sizes))
        if not _read_back(found, d) and _read_back(longer, d):
            found = longer
    return "\n".join(found)


def _texts(d: Derivation, style: str, change: Callable[[Expr], Expr]) -> list[str]:
    answers = [change(p.derivative) for p in d.parts]
    names = names_for(d, answers, change)
    return [with_where(e, names, style) for e in answers]


def _read_back(texts: list[str], d: Derivation) -> bool:
    """Whether each answer is what its text is read as, with sizes of any names."""
    return all(_is_meant(text, p.derivative, d) for text, p in zip(texts, d.parts, strict=True))


def _is_meant(text: str, meant: Expr, d: Derivation) -> bool:
    try:
        found = read(text, d.typed.declared)
    except MatgradError:
        return False
    if any("part by part" in note for note in found.notes):
        return False
    sizes: dict[Dim, Dim] = {}
    for v in ex.variables(meant):
        other = found.variables.get(v.data[0], v)
        for ours, theirs in zip(v.shape[1:], other.shape[1:], strict=True):
            if isinstance(ours, str) and sizes.setdefault(ours, theirs) != theirs:
                return False
    for name in {
        a for node in ex.postorder(meant) for dim in node.shape[1:] for a in dim_atoms(dim)
    }:
        sizes.setdefault(name, name)
    return len(set(sizes.values())) == len(sizes) and ex.resized(meant, sizes) is found.expr


def measures(typed: Typed) -> dict[Dim, Dim]:
    """What measures each size that no declaration names: n is `len(x)`."""
    known = {
        a
        for declared in typed.declared.values()
        for shape in (declared.shape, declared.argument)
        if shape is not None
        for dim in shape[1:]
        if not isinstance(dim, DimVar)
        for a in dim_atoms(dim)
    }
    names: dict[Dim, Dim] = {}
    for name, v in typed.variables.items():
        words = {ex.VECTOR: ("len", ""), ex.ROW: ("", "len"), ex.MATRIX: ("rows", "cols")}
        for word, dim in zip(
            words.get(v.shape.kind, ()), (v.shape.rows, v.shape.cols), strict=False
        ):
            if word and isinstance(dim, str) and dim not in known:
                names.setdefault(dim, f"{word}({name})")
    return names


def with_sizes_named(e: Expr, names: Mapping[Dim, Dim]) -> Expr:
    """The expression with the sizes that it counts with named."""

    def change(node: Expr) -> Expr:
        if node.kind == ex.CONST and node.op == "size" and node.data[1] in names:
            return ex.size(names[node.data[1]])
        return node

    return ex.transform(e, change)


FORMATS: dict[str, Callable[[Derivation], str]] = {
    "text": lambda d: plain(text_report(d)),
    "ascii": lambda d: plain(text_report(d, "ascii")),
    "latex": derivation_latex,
    "markdown": markdown_report,
    "html": html_report,
    "json": json_report,
    "matgrad": lambda d: answer_text(d),
}
