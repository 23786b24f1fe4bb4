"""Statements about derivatives, read from files: the format of `matgrad check FILE...`.

    let S: symmetric(n)
    diff x'S x wrt x = 2 S x                 # a comment
    hessian x'S x wrt x = 2 S                # the second derivative
    diff x'A y wrt x then y = A              # the mixed second derivative, of the derivative by x, by y

A declaration holds to the end of its file, or until the next one of the same name. In Markdown the fenced blocks marked
`matgrad` are read, and no others. Words behind that say which derivative is meant in the block: `cookbook` (by a
structured matrix, the array of partial derivatives by its independent entries), `denominator` or `numerator` (the layout).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from matgrad.errors import MatgradError, NameProblem, SyntaxProblem

MARKDOWN = (".md", ".markdown")

_STATEMENT = re.compile(
    r"(?P<command>diff|hessian)\s+(?P<expression>.+?)\s+wrt\s+(?P<wrt>[^\s=]+)(?:\s+then\s+(?P<then>[^\s=]+))?"
    r"\s*=\s*(?P<claim>.+)"
)
_LET = re.compile(r"let\s+(?P<declaration>(?P<name>\w+)\s*(?::|\(\s*\w+\s*\)\s*=).+)")
_FENCE = re.compile(r"\s*(?P<fence>`{3,}|~{3,})\s*(?P<words>[^`]*)")
_WORDS = {
    "cookbook": ("structured", "cookbook"),
    "subspace": ("structured", "subspace"),
    "mixed": ("layout", "mixed"),
    "denominator": ("layout", "denominator"),
    "numerator": ("layout", "numerator"),
}


def request(text: str) -> tuple[str, tuple[str, ...]]:
    """The expression of a line `EXPR` or `EXPR wrt X, Y`, and what stands behind `wrt`: `X[i,j]` is one."""
    expression, _, named = text.partition(" wrt ")
    return expression.strip(), tuple(re.findall(r"(?:[^\s,\[]|\[[^\]]*\]?)+", named))


class Statement(NamedTuple):
    """One `diff EXPR wrt X = CLAIM`, with the declarations in force where it stands."""

    path: str
    line: int
    let: tuple[str, ...]
    expression: str
    wrt: str
    claim: str
    comment: str = ""
    order: int = 1
    then: str = ""  # the second variable of a mixed derivative
    structured: str = (
        ""  # what the block says of structured matrices: subspace, cookbook, or nothing
    )
    layout: str = ""  # what the block says of the layout

    @property
    def text(self) -> str:
        """The statement as it is written."""
        command = "hessian" if self.order == 2 and not self.then else "diff"
        then = f" then {self.then}" if self.then else ""
        return f"{command} {self.expression} wrt {self.wrt}{then} = {self.claim}"


class Broken(NamedTuple):
    """A line that is neither statement nor declaration, and why."""

    path: str
    line: int
    text: str
    problem: MatgradError


def is_markdown(path: str) -> bool:
    """Whether a file's name says that it is Markdown."""
    return path.lower().endswith(MARKDOWN)


Problem = Callable[[str], "MatgradError | None"]


def read_statements(
    text: str, path: str, markdown: bool | None = None, problem_of: Problem = lambda text: None
) -> Iterator[Statement | Broken]:
    """The statements of a text, and the lines that could not be read, in their order.

    `problem_of` says what is wrong with a declaration; a wrong one is a broken line, and declares nothing."""
    reader = _Reader(path, problem_of)
    fence = ""  # of the block that a line stands in
    marked = not (is_markdown(path) if markdown is None else markdown)
    in_markdown = not marked
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        found = _FENCE.fullmatch(line) if in_markdown else None
        if found is not None and not fence:
            fence, words = found["fence"], found["words"].split()
            marked = words[:1] == ["matgrad"]
            problem = reader.enter(words[1:]) if marked else None
            if problem is not None:
                marked = False
                yield Broken(path, number, line.strip(), problem)
        elif found is not None and not found["words"] and found["fence"].startswith(fence):
            fence, marked = "", False
        elif marked:
            item = reader.read(number, line)
            if item is not None:
                yield item


class _Reader:
    """What holds where a line stands: declarations, and the words of the block."""

    def __init__(self, path: str, problem_of: Problem) -> None:
        self.path = path
        self.problem_of = problem_of
        self.declared: dict[str, str] = {}
        self.options: dict[str, str] = {}

    def enter(self, words: list[str]) -> MatgradError | None:
        """Begin a block."""
        unknown = [w for w in words if w not in _WORDS]
        self.options = dict(_WORDS[w] for w in words if w in _WORDS)
        if not unknown:
            return None
        return NameProblem(
            f"`{unknown[0]}` behind `matgrad` means nothing: the block is not read",
            help=f"the words are {', '.join(_WORDS)}",
        )

    def read(self, number: int, line: str) -> Statement | Broken | None:
        """One line: a statement, something broken, or nothing to check."""
        text, _, comment = line.partition("#")
        text = text.strip()
        if not text:
            return None
        if found := _LET.fullmatch(text):
            declaration = found["declaration"].strip()
            problem = self.problem_of(declaration)
            if problem is not None:
                return Broken(self.path, number, text, problem)
            self.declared[found["name"]] = declaration
            return None
        found = _STATEMENT.fullmatch(text)
        if found is None or (found["command"] == "hessian" and found["then"]):
            return Broken(self.path, number, text, _not_a_statement(text))
        return Statement(
            self.path,
            number,
            tuple(self.declared.values()),
            found["expression"],
            found["wrt"],
            found["claim"],
            comment.strip(),
            2 if found["command"] == "hessian" or found["then"] else 1,
            found["then"] or "",
            **self.options,
        )


def _not_a_statement(text: str) -> MatgradError:
    word = text.split()[0]
    help = "write `diff EXPR wrt X = CLAIM`, `hessian EXPR wrt x = CLAIM` or `let NAME: KIND`"
    if word in ("diff", "hessian") and " wrt " not in text:
        help = f"say by which variable: `{word} EXPR wrt X = CLAIM`"
    elif word in ("diff", "hessian") and "=" not in text:
        help = f"say what it should be: `{text} = CLAIM`"
    elif word == "hessian":
        help = "a mixed second derivative is `diff EXPR wrt x then y = CLAIM`"
    return SyntaxProblem(
        "this is neither `let ...` nor `diff ... wrt ... = ...` nor `hessian ...`", help=help
    )
