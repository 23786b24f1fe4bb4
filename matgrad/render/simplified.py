"""A simplification as text, LaTeX and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from matgrad import expr as ex
from matgrad.expr import Expr
from matgrad.render.markup import html, markdown
from matgrad.render.names import named
from matgrad.render.report import (
    Row,
    aligned,
    assumption_lines,
    closing_lines,
    definition_rows,
    free_name,
    json_closing,
    json_formula,
    json_step,
    json_variables,
    laid_out,
    measures,
    names_of_sizes,
    plain,
    taken_names,
    to_ascii,
    where_text,
    with_sizes_named,
    with_where,
)
from matgrad.render.text import render
from matgrad.rewrite import step_reason
from matgrad.steps import Line

if TYPE_CHECKING:
    from matgrad.simplified import Simplification


def names_in(s: Simplification, e: Expr) -> dict[Expr, str]:
    """Names for long subexpressions of a result."""
    taken = taken_names(s.typed) | names_of_sizes(s.expression, e)
    return named([e], taken, ex.ONE, free_name(s.expression, taken))


def _rows(
    s: Simplification, style: str, steps: str, marks: list[bool | None] | None = None
) -> list[Row]:
    """The expression, and what it is equal to, one line below the other."""
    where = f"where {where_text(s.typed, style)}" if s.typed.variables else ""
    label = free_name(s.expression, taken_names(s.typed))
    out = [Row(label, render(s.expression, style, names=s.names), where)]
    lines = s.lines(full=steps == "full") if steps != "none" else []
    for i, line in enumerate(lines):
        mark = {True: "✓", False: "✗", None: ""}[marks[i] if marks else None]
        words = _reason(line, steps == "full")
        text = render(line.state, style, {step.right for step in line.steps}, s.names)
        out.append(Row("", text, to_ascii(words) if style == "ascii" else words, mark))
    if not lines and s.simplified is not s.expression:
        out.append(Row("", render(s.simplified, style, names=s.names), ""))
    elif not lines:
        out.append(Row("", "", "nothing shorter was found"))
    return out + definition_rows(list(s.names), s.names, style)


def _reason(line: Line, full: bool) -> str:
    if full:
        return ", ".join(dict.fromkeys(step_reason(step)[0] for step in line.steps))
    return ", ".join(line.reasons)


def text_report(
    s: Simplification,
    style: str = "unicode",
    steps: str = "brief",
    width: int = 100,
    marks: list[bool | None] | None = None,
) -> str:
    """The report as aligned lines. What changed stands between MARK_START and MARK_END."""
    table = _rows(s, style, steps, marks)
    return "\n".join([*laid_out(table, width), *closing_lines(s, style, "equal")])


def latex_report(s: Simplification, steps: str = "brief") -> str:
    """The report as an `aligned` environment."""
    return aligned(s, _rows(s, "latex", steps), _rows(s, "ascii", steps))


def markdown_report(s: Simplification, style: str = "unicode", steps: str = "brief") -> str:
    """The report as displayed mathematics in Markdown; notes and the outcome of the check below it."""
    said = len(assumption_lines(s, style))
    return markdown(latex_report(s, steps), closing_lines(s, style, "equal")[said:])


def html_report(
    s: Simplification,
    style: str = "unicode",
    steps: str = "brief",
    marks: list[bool | None] | None = None,
) -> str:
    """The report as a table in HTML, and paragraphs below it."""
    return html(_rows(s, style, steps, marks), closing_lines(s, style, "equal"))


def answer_text(s: Simplification, style: str = "matgrad") -> str:
    """The result alone, as the language reads it back without the declarations of this run."""
    e = with_sizes_named(s.simplified, measures(s.typed))
    return with_where(e, names_in(s, e), style)


def json_object(s: Simplification) -> dict[str, Any]:
    """The simplification as one JSON object (see docs/json-schema.json)."""
    from matgrad import __version__

    label = free_name(s.expression, taken_names(s.typed))
    return {
        "matgrad": __version__,
        "expression": s.typed.text or render(s.expression),
        "variables": json_variables(s.typed),
        "simplified": json_formula(s.simplified, s.names),
        "steps": [json_step(line, label, s.names, _reason(line, True)) for line in s.lines(True)],
        **json_closing(s),
    }


def json_report(s: Simplification, ascii_only: bool = False) -> str:
    """`json_object` as text."""
    import json

    return json.dumps(json_object(s), ensure_ascii=ascii_only, indent=2)


FORMATS: dict[str, Callable[[Simplification], str]] = {
    "text": lambda s: plain(text_report(s)),
    "ascii": lambda s: plain(text_report(s, "ascii")),
    "latex": latex_report,
    "markdown": markdown_report,
    "html": html_report,
    "json": json_report,
    "matgrad": answer_text,
}
