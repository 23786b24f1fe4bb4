"""Errors as text: the message, the characters underlined, what would settle it."""

from __future__ import annotations

import unicodedata
from typing import Any

from matgrad.errors import Mark, MatgradError

TAB = 4
WIDEST = 120  # longer lines are cut around the marks
MOST_LINES = 8  # between lines that are marked; of more, only those that are


def clean(text: str) -> str:
    """Text without characters that would act on a terminal; every kind of blank is one."""
    return "".join(
        " "
        if unicodedata.category(c) == "Zs" or c == "\r"
        else c
        if c.isprintable() and unicodedata.category(c) not in ("Cf", "Co")
        else "\ufffd"
        for c in text
    )


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def problem_text(problem: MatgradError, unicode: bool = True) -> str:
    """The screen of an error and of the others with it, without a line break at its end."""
    return "\n\n".join(_one(p, unicode) for p in (problem, *problem.others))


def _one(problem: MatgradError, unicode: bool) -> str:
    out = [f"error: {clean(problem.message)}"]
    bar = "│" if unicode else "|"
    if problem.marks and problem.text:
        lines = _lines(problem.text)
        marks = [
            [
                Mark(max(m.start - start, 0), min(m.end - start, len(line) + 1), m.label)
                for m in sorted(problem.marks)
                if start <= m.start <= start + len(line)
            ]
            for start, line in lines
        ]
        marked = [number for number, here in enumerate(marks) if here]
        first = 0 if len(problem.text) < WIDEST else min(marked, default=0)
        for number in range(first, max(marked, default=0) + 1):
            between = max(marked) - first > MOST_LINES and not marks[number]
            if between and marks[number - 1]:
                out.append(f"  {bar} {'⋮' if unicode else '...'}")
            if not between:
                rows = _underlined(lines[number][1], marks[number], unicode)
                out.extend(f"  {bar} {row}".rstrip() for row in rows)
    if problem.help:
        out.append(f"  = {clean(problem.help)}")
    return "\n".join(out)


def _with_letter(line: str, m: Mark) -> Mark:
    """A mark on an accent marks its letter too."""
    start = m.start
    while 0 < start < len(line) and unicodedata.combining(line[start]):
        start -= 1
    return m._replace(start=start)


def _lines(text: str) -> list[tuple[int, str]]:
    result, start = [], 0
    for line in text.split("\n"):
        result.append((start, line))
        start += len(line) + 1
    return result


def _underlined(line: str, marks: list[Mark], unicode: bool) -> list[str]:
    """A line of input, the strokes under it, and the words under those."""
    if len(line) > WIDEST and marks:
        first = max(0, marks[0].start - WIDEST // 3)
        shift = 1 if first else 0
        line = ("…" if first else "") + line[first : first + WIDEST] + "…"
        marks = [
            Mark(m.start - first + shift, min(m.end - first + shift, len(line)), m.label)
            for m in marks
            if m.start - first < WIDEST
        ]
    columns = [0]
    shown = []
    for c in line:
        if c == "\t":
            shown.append(" " * TAB)
            columns.append(columns[-1] + TAB)
        else:
            shown.append(clean(c))
            columns.append(columns[-1] + _width(shown[-1]))
    columns.append(columns[-1] + 1)
    rows = ["".join(shown)]
    if not marks:
        return rows
    stroke = [" "] * (columns[-1] + 2)
    labels: list[tuple[int, str]] = []
    for m in marks:
        m = _with_letter(line, m)
        a, b = columns[min(m.start, len(columns) - 1)], columns[min(m.end, len(columns) - 1)]
        b = max(b, a + 1)
        for i in range(a, b):
            stroke[i] = "─" if unicode else "^"
        if m.label:
            middle = (a + b - 1) // 2
            if unicode:
                stroke[middle] = "┬"
            labels.append((a, clean(m.label)))
    rows.append("".join(stroke).rstrip())
    while labels:
        row, later, end = "", [], -1
        for at, label in labels:
            if at > end:
                row = row.ljust(at) + label
                end = len(row) + 1
            else:
                later.append((at, label))
        rows.append(row)
        labels = later
    return rows


def error_object(problem: MatgradError) -> dict[str, Any]:
    """One error for JSON."""
    marks = problem.marks[:1]
    span = {"start": marks[0].start, "end": marks[0].end} if marks else None
    message, help = clean(problem.message), clean(problem.help)
    return {"code": problem.kind, "message": message, "span": span, "help": help}
