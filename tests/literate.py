"""Reads statements about derivatives from Markdown: fenced blocks marked `matgrad`, in the format of `matgrad check`.

    let S: symmetric(n)
    diff x'S x wrt x = 2 S x                 # a comment
    hessian x'S x wrt x = 2 S                # the second derivative
    diff x'A y wrt x then y = A              # the mixed second derivative, of the derivative by x, by y

A declaration holds to the end of its page, or until the next one of the same name. In a block marked `matgrad cookbook`
the derivative by a structured matrix is the array of partial derivatives by its independent entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CASES = Path(__file__).resolve().parent / "cases"

_STATEMENT = re.compile(
    r"(?P<command>diff|hessian)\s+(?P<expression>.+?)\s+wrt\s+(?P<wrt>\S+)(?:\s+then\s+(?P<then>\S+))?"
    r"\s+=\s+(?P<claim>.+)"
)
_LET = re.compile(r"let\s+(?P<declaration>(?P<name>\w+)\s*:.+)")


_BLOCKS = {"```matgrad": "subspace", "```matgrad cookbook": "cookbook"}


class Statement(NamedTuple):
    """One `diff EXPR wrt X = CLAIM`, with the declarations in force where it stands."""

    path: Path
    line: int
    let: tuple[str, ...]
    expression: str
    wrt: str
    claim: str
    comment: str
    order: int = 1
    then: str = ""  # the second variable of a mixed derivative
    structured: str = "subspace"  # what the derivative by a structured matrix is: or "cookbook"

    @property
    def name(self) -> str:
        """`03-vectors:17`, for test reports."""
        return f"{self.path.stem}:{self.line}"


def statements(path: Path) -> Iterator[Statement]:
    """The statements of a page. Raises ValueError, with the line, for what is neither statement nor declaration."""
    declared: dict[str, str] = {}
    structured: str | None = None  # None outside the blocks
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            structured = _BLOCKS.get(line.strip())
            continue
        text, _, comment = line.partition("#")
        if structured is None or not text.strip():
            continue
        if found := _LET.fullmatch(text.strip()):
            declared[found["name"]] = found["declaration"].strip()
        elif (found := _STATEMENT.fullmatch(text.strip())) and not (
            found["command"] == "hessian" and found["then"]
        ):
            yield Statement(
                path,
                number,
                tuple(declared.values()),
                found["expression"],
                found["wrt"],
                found["claim"],
                comment.strip(),
                2 if found["command"] == "hessian" or found["then"] else 1,
                found["then"] or "",
                structured,
            )
        else:
            raise ValueError(
                f"{path.name}:{number}: neither `let ...` nor `diff ... wrt ... = ...` nor `hessian ...`"
            )


def pages() -> list[Path]:
    """The pages of worked examples."""
    return sorted(CASES.glob("*.md"))
