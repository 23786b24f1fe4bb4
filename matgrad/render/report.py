"""A derivation as text, LaTeX and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from matgrad import expr as ex
from matgrad.expr import Expr
from matgrad.render.text import (
    MARK_END,
    MARK_START,
    TO_ASCII,
    name_text,
    render,
    shape_label,
    space_text,
)
from matgrad.rewrite import step_reason
from matgrad.rules import TABLE as RULES
from matgrad.steps import DERIVATIVE, Check, Line, Step

if TYPE_CHECKING:
    from matgrad.derive import Derivation

REASON_COLUMN = 41


class Row(NamedTuple):
    """One line of a report: `label = text`, and the reason beside it. An empty row separates parts."""

    label: str
    text: str
    reason: str
    mark: str = ""


def value_name(d: Derivation) -> str:
    """A name for the expression that no variable has: y, or Y for a matrix."""
    first = d
    while first.inner is not None:
        first = first.inner
    taken = {v.data[0] for v in d.typed.variables.values()} | set(d.typed.functions)
    names = "YFGHZ" if first.expression.shape.kind == ex.MATRIX else "yfghz"
    return next((n for n in names if n not in taken), "value")


def derivative_label(d: Derivation, style: str, order: int | None = None) -> str:
    """`∂y/∂X`, `∂²y/∂x²`; `dy/dX` in ASCII; a fraction in LaTeX; the value's name for order 0."""
    x = name_text(d.wrt.data[0], style)
    y = value_name(d)
    order = d.order if order is None else order
    if order == 0:
        return y
    raised = "" if order == 1 else str(order)
    if style == "latex":
        power = f"^{{{raised}}}" if raised else ""
        return f"\\frac{{\\partial{power} {y}}}{{\\partial {x}{power}}}"
    if style == "unicode":
        raised = raised.translate(str.maketrans("23456789", "²³⁴⁵⁶⁷⁸⁹"))
        return f"∂{raised}{y}/∂{x}{raised}"
    power = f"^{raised}" if raised else ""
    return f"d{power}{y}/d{x}{power}"


def differential_label(d: Derivation, style: str) -> str:
    """`dy`, or `d(∂y/∂x)` where a derivative is differentiated."""
    inner = derivative_label(d, style, d.order - 1)
    mark = "\\mathrm{d}" if style == "latex" else "d"
    return mark + (inner if d.order == 1 else f"({inner})")


def where_text(d: Derivation, style: str) -> str:
    """`X ∈ ℝᵐˣⁿ, S ∈ ℝⁿˣⁿ symmetric`."""
    element = {"unicode": " ∈ ", "latex": " \\in "}.get(style, " in ")
    parts = []
    for name, variable in d.typed.variables.items():
        text = name_text(name, style) + element + space_text(variable.shape, style)
        word = _property_word(variable)
        parts.append(f"{text} {word}" if word and style != "latex" else text)
    for name in d.typed.functions:
        real = {"unicode": "ℝ → ℝ", "latex": "\\mathbb{R} \\to \\mathbb{R}"}.get(style, "R -> R")
        words = "" if style == "latex" else ", entry by entry"
        parts.append(f"{name_text(name, style)}: {real}{words}")
    for name, shape in d.typed.maps:
        value = space_text(shape, style)
        text = "a function to " if style != "latex" else "\\text{ a function to } "
        parts.append(f"{name_text(name, style)}: {text}{value}")
    return ", ".join(parts)


def _property_word(variable: Expr) -> str:
    properties = variable.data[1]
    order = [
        "identity",
        "spd",
        "diagonal",
        "symmetric",
        "skew",
        "orthogonal",
        "lower",
        "upper",
        "invertible",
        "positive",
    ]
    found = next((p for p in order if p in properties), "")
    return {
        "spd": "symmetric positive definite",
        "lower": "lower triangular",
        "upper": "upper triangular",
    }.get(found, found)


def read_off_text(d: Derivation, style: str) -> str:
    """How the derivative is read off: `dy = tr(Dᵀ dX) gives D, m×n`."""
    x = name_text(d.wrt.data[0], style)
    y = value_name(d) if d.order == 1 else f"({derivative_label(d, style, d.order - 1)})"
    size = shape_label(d.mixed.shape, style)
    top = {"unicode": "ᵀ", "latex": "^\\top"}.get(style, "'")
    if d.expression.is_scalar:
        if d.wrt.is_scalar:
            return f"d{y} = D d{x} gives D"
        form = f"tr(D{top} d{x})" if d.wrt.shape.kind == ex.MATRIX else f"D{top} d{x}"
        return f"d{y} = {form} gives D, {size}"
    if d.wrt.is_scalar:
        return f"d{y} = D d{x} gives D, {size} (mixed layout: as {y})"
    return f"d{y} = J d{x} gives the Jacobian J, {size} (mixed layout: rows as {y}, columns as {x})"


def layout_rows(d: Derivation, style: str) -> list[Row]:
    """What another layout makes of the derivative."""
    if d.layout == "mixed" or (d.derivative is d.mixed and d.expression.is_scalar):
        return []
    size = shape_label(d.derivative.shape, style)
    if d.layout == "numerator" and not d.expression.is_scalar:
        return [Row("", "", "numerator layout: the same")]
    return [Row("", render(d.derivative, style), f"{d.layout} layout: its transpose, {size}")]


def rows(d: Derivation, style: str, steps: str, marks: list[bool] | None = None) -> list[Row]:
    """The rows of a report. `marks` says of each line of a full derivation whether it was verified."""
    differential = differential_label(d, style)
    where = f"where {where_text(d, style)}" if d.typed.variables else ""
    out: list[Row] = []
    given = d
    while given.inner is not None:
        given = given.inner
        out.insert(
            0,
            Row(
                derivative_label(given, style, given.order - 1), render(given.expression, style), ""
            ),
        )
    out.append(Row(derivative_label(d, style, d.order - 1), render(d.expression, style), ""))
    out[0] = out[0]._replace(reason=where)
    shown = d.lines(full=steps == "full") if steps != "none" else []
    first = [line for line in shown if line.phase != DERIVATIVE]
    last = [line for line in shown if line.phase == DERIVATIVE]
    ticks = [
        ("✓" if ok else "✗") if style == "unicode" else ("ok" if ok else "WRONG")
        for ok in marks or []
    ]
    if steps != "none":
        out.append(Row("", "", ""))
    if steps != "none" and not shown and d.steps:
        out.append(Row("", "", "the steps of so long a derivation are not shown"))
    elif steps != "none" and not first:
        out.append(Row(differential, render(d.start, style), "definition"))
    for i, line in enumerate(first):
        tick = ticks[i] if i < len(ticks) else ""
        out.append(
            Row(
                differential if i == 0 else "",
                _line_text(line, style),
                _reason(line, d, style, steps),
                tick,
            )
        )
    if steps != "none":
        out.append(Row("", "", ""))
    label = derivative_label(d, style)
    if last:
        for i, line in enumerate(last):
            tick = ticks[len(first) + i] if len(first) + i < len(ticks) else ""
            read_off = any(s.rule == "read-off" for s in line.steps)
            reason = read_off_text(d, style) if read_off else _reason(line, d, style, steps)
            out.append(Row(label if i == 0 else "", _line_text(line, style, i > 0), reason, tick))
    elif steps != "none" and ex.is_zero(d.mixed):
        out.append(Row(label, render(d.mixed, style), "the differential is zero"))
    else:
        out.append(Row(label, render(d.mixed, style), read_off_text(d, style)))
    out.extend(layout_rows(d, style))
    return out


def _line_text(line: Line, style: str, marked: bool = True) -> str:
    changed = {s.right for s in line.steps} if marked else ()
    return render(line.state, style, changed)


def _reason(line: Line, d: Derivation, style: str, steps: str) -> str:
    reasons = line.reasons
    if steps == "full":
        reasons = tuple(dict.fromkeys(step_reason(s)[0] for s in line.steps))
    text = ", ".join(reasons).replace("{d}", "d" + name_text(d.wrt.data[0], style))
    if "y(X + dX)" in text:
        x, y = name_text(d.wrt.data[0], style), value_name(d)
        text = text.replace("dy = y(X + dX) - y(X)", f"d{y} = {y}({x} + d{x}) - {y}({x})")
    return to_ascii(text) if style == "ascii" else text


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
    "∂": "d",
    "ˣ": "^x",
    "¹": "1",
}


def to_ascii(text: str) -> str:
    """The words of a rule or a note in ASCII."""
    for letter, plain in (*_ASCII.items(), *TO_ASCII.items()):
        text = text.replace(letter, plain)
    return text.encode("ascii", "replace").decode()


def closing_lines(d: Derivation, style: str) -> list[str]:
    """Assumptions, notes, and the outcome of the numeric check."""
    out = []
    for name, e in d.assumptions:
        text = render(e, style)
        words = {"nonzero": "≠ 0" if style == "unicode" else "is not 0"}.get(name, f"is {name}")
        out.append(f"assuming {text} {words}")
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
            out.append(
                f"{tick} agrees with finite differences at {points},"
                f" worst relative error {value_text(check)}"
            )
    return out


def text_report(
    d: Derivation,
    style: str = "unicode",
    steps: str = "brief",
    width: int = 100,
    marks: list[bool] | None = None,
) -> str:
    """The report as aligned lines. What changed stands between MARK_START and MARK_END."""
    table = rows(d, style, steps, marks)
    longest = max((len(_plain(r.text)) + len(r.label) + 3 for r in table if r.reason), default=0)
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
        if reason and len(body) == 1 and len(_plain(body[0])) + 2 <= column:
            body[0] += " " * (column - len(_plain(body[0]))) + reason
        elif reason:
            body.append(" " * column + reason)
        lines.extend(body)
    lines.extend(closing_lines(d, style))
    return "\n".join(lines)


def _plain(text: str) -> str:
    return text.replace(MARK_START, "").replace(MARK_END, "")


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width`, broken before `+` and `-` where possible, else at spaces."""
    if len(_plain(text)) <= width or width < 20:
        return [text]
    pieces = re.split(r"(?= [+-] )", text)
    lines: list[str] = []
    for piece in pieces:
        for word in [piece] if len(_plain(piece)) <= width else re.split(r"(?= )", piece):
            if lines and len(_plain(lines[-1] + word)) <= width:
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


# --- LaTeX ----------------------------------------------------------------------------------------------------------------


def derivation_latex(d: Derivation, steps: str = "brief") -> str:
    """The derivation as an `aligned` environment: formulas, reasons beside them, and below what was assumed."""
    out = []
    words = [row.reason for row in rows(d, "ascii", steps)]
    words[0] = f"where ${where_text(d, 'latex')}$" if d.typed.variables else ""
    for i, (row, reason) in enumerate(zip(rows(d, "latex", steps), words, strict=True)):
        if row.text:
            beside = f" && \\text{{{_latex_words(reason) if i else reason}}}" if reason else ""
            out.append(f"{row.label} &= {_plain(row.text)}{beside}")
    for name, e in d.assumptions:
        word = "\\neq 0" if name == "nonzero" else f"\\text{{ is {name}}}"
        out.append(f"& \\text{{assuming }} {render(e, 'latex')} {word}")
    body = " \\\\\n".join(out)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


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

    variables = {}
    for name, variable in d.typed.variables.items():
        dims = {ex.SCALAR: [], ex.VECTOR: [variable.shape.rows]}.get(
            variable.shape.kind, [variable.shape.rows, variable.shape.cols]
        )
        variables[name] = {
            "kind": variable.shape.kind,
            "shape": [n if isinstance(n, int) else str(n) for n in dims],
            "properties": sorted(variable.data[1]),
            "declared": name not in d.typed.assumed,
        }
    check = d.check
    label = derivative_label(d, "unicode")
    differential = differential_label(d, "unicode")
    shape = d.derivative.shape
    return {
        "matgrad": __version__,
        "expression": d.typed.text or render(d.expression),
        "wrt": d.wrt.data[0],
        "order": d.order,
        "layout": d.layout,
        "variables": variables,
        "derivative": {
            "text": render(d.derivative, "unicode"),
            "matgrad": render(d.derivative),
            "latex": render(d.derivative, "latex"),
            "shape": shape_label(shape, "unicode"),
        },
        "steps": [
            {
                "text": f"{label if line.phase == DERIVATIVE else differential} = {render(line.state, 'unicode')}",
                "latex": render(line.state, "latex"),
                "rule": [s.rule for s in line.steps][-1],
                "statement": _statement(line.steps[-1]),
                "because": _reason(line, d, "unicode", "full"),
            }
            for line in d.lines(full=True)
        ],
        "check": {
            "ok": check.ok,
            "points": check.points,
            "worst_relative_error": check.worst_relative_error,
            "seed": check.seed,
        }
        if isinstance(check, Check)
        else None,
        "assumptions": [f"{render(e, 'unicode')} is {name}" for name, e in d.assumptions],
        "notes": d.notes,
    }


def json_report(d: Derivation, ascii_only: bool = False) -> str:
    """`json_object` as text."""
    import json

    return json.dumps(json_object(d), ensure_ascii=ascii_only, indent=2)


FORMATS: dict[str, Callable[[Derivation], str]] = {
    "text": lambda d: _plain(text_report(d)),
    "ascii": lambda d: _plain(text_report(d, "ascii")),
    "latex": derivation_latex,
    "json": json_report,
    "matgrad": lambda d: render(d.derivative),
}
