"""A report as Markdown, with its formulas in LaTeX, and as HTML, with its formulas as Unicode text."""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Sequence

from matgrad.render.text import MARK_END, MARK_START

Rows = Sequence[tuple[str, str, str, str]]
"""Lines of a report: label, formula, reason, and the mark of a checked line; an empty one separates parts."""


def markdown(latex: str, closing: Sequence[str]) -> str:
    """An `aligned` environment as displayed mathematics, and below it what is to be said, a paragraph each."""
    return "\n\n".join([f"$$\n{latex}\n$$", *map(_in_markdown, closing)])


def _in_markdown(words: str) -> str:
    """Words with a backslash before what Markdown would read as a sign of its own; code between backticks stays."""
    parts = re.split(r"(`[^`]*`)", words)
    return "".join(
        part if i % 2 else re.sub(r"([\\*_<>$\[\]#|])", r"\\\1", part)
        for i, part in enumerate(parts)
    )


def html(rows: Rows, closing: Sequence[str]) -> str:
    """A table with a line of the report in each row, and a paragraph for each line below: a fragment for a page.

    What changed in a line is in <mark>; a part of the report is a <tbody>."""
    parts: list[list[str]] = [[]]
    for label, text, reason, mark in rows:
        if not (label or text or reason):
            parts.append([])
            continue
        cells = [
            f'<th scope="row">{_in_html(label)}</th>',
            f"<td>{'= ' + _in_html(text) if text else ''}</td>",
            f"<td>{_in_html(f'{mark} {reason}'.strip())}</td>",
        ]
        parts[-1].append(f"<tr>{''.join(cells)}</tr>")
    lines = ['<table class="matgrad">']
    for part in parts:
        if part:
            lines += ["<tbody>", *part, "</tbody>"]
    return "\n".join([*lines, "</table>", *(f"<p>{_in_html(c)}</p>" for c in closing)])


def _in_html(text: str) -> str:
    """Text with HTML's signs escaped, marks as <mark>, and code as <code>."""
    text = escaping.escape(text, quote=False)
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", text)
    return text.replace(MARK_START, "<mark>").replace(MARK_END, "</mark>")
