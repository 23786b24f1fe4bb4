"""Reads statements about derivatives from Markdown: fenced blocks marked `matgrad`, in the format of `matgrad check`.

    let S: symmetric(n)
    diff x'S x wrt x = 2 S x      # a comment

A declaration holds to the end of its page, or until the next one of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CASES = Path(__file__).resolve().parent / "cases"

_STATEMENT = re.compile(r"diff\s+(?P<expression>.+?)\s+wrt\s+(?P<wrt>\S+)\s+=\s+(?P<claim>.+)")
_LET = re.compile(r"let\s+(?P<declaration>(?P<name>\w+)\s*:.+)")


class Statement(NamedTuple):
    """One `diff EXPR wrt X = CLAIM`, with the declarations in force where it stands."""

    path: Path
    line: int
    let: tuple[str, ...]
    expression: str
    wrt: str
    claim: str
    comment: str

    @property
    def name(self) -> str:
        """`03-vectors:17`, for test reports."""
        return f"{self.path.stem}:{self.line}"


def statements(path: Path) -> Iterator[Statement]:
    """The statements of a page. Raises ValueError, with the line, for what is neither statement nor declaration."""
    declared: dict[str, str] = {}
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```matgrad"
            continue
        text, _, comment = line.partition("#")
        if not inside or not text.strip():
            continue
        if found := _LET.fullmatch(text.strip()):
            declared[found["name"]] = found["declaration"].strip()
        elif found := _STATEMENT.fullmatch(text.strip()):
            yield Statement(
                path, number, tuple(declared.values()), **found.groupdict(), comment=comment.strip()
            )
        else:
            raise ValueError(
                f"{path.name}:{number}: neither `let ...` nor `diff ... wrt ... = ...`"
            )


def pages() -> list[Path]:
    """The pages of worked examples."""
    return sorted(CASES.glob("*.md"))
