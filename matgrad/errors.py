"""What can go wrong, as data: a kind, a message, the characters concerned, and a repair.

Imports nothing, so that every module can raise these. How an error looks on a screen is decided in
`matgrad.render.problems`, and its exit code by the class.
"""

from __future__ import annotations

from typing import NamedTuple


class Mark(NamedTuple):
    """Characters `start:end` of the input text that a message is about, with a word on each."""

    start: int
    end: int
    label: str = ""


class MatgradError(Exception):
    """Base of every error that a user can cause or see.

    `code` is the process's exit code, `kind` the word before the message (`syntax`, `name`, `shape`, ...).
    """

    code = 2
    kind = "input"

    def __init__(
        self, message: str, marks: tuple[Mark, ...] = (), help: str = "", text: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.marks = marks
        self.help = help
        self.text = text
        self.others: tuple[MatgradError, ...] = ()  # what else is wrong with the same input
        # Texts that may be meant: of each group the first that can be read is told.
        self.repairs: tuple[tuple[str, ...], ...] = ()


class UsageError(MatgradError):
    """An option or an argument that does not fit."""

    kind = "usage"


class SyntaxProblem(MatgradError):
    """The text is not in the language."""

    kind = "syntax"


class NameProblem(MatgradError):
    """A name that means nothing here."""

    kind = "name"


class ShapeProblem(MatgradError):
    """Shapes that do not fit together. `names` are the undeclared names that could be read otherwise."""

    kind = "shape"

    def __init__(
        self,
        message: str,
        marks: tuple[Mark, ...] = (),
        help: str = "",
        text: str = "",
        names: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, marks, help, text)
        self.names = names


class DataProblem(MatgradError):
    """A file that is not data, or data that does not fit the expression."""

    kind = "data"


class Unsupported(MatgradError):
    """Valid input for which matgrad has no derivative."""

    code = 3
    kind = "unsupported"


class LimitProblem(MatgradError):
    """Input over a stated limit, or out of time."""

    code = 4
    kind = "limit"


class CheckFailed(MatgradError):
    """matgrad's own answer failed its numeric check: a bug of matgrad, never shown as an answer."""

    code = 70
    kind = "bug"


class InternalError(MatgradError):
    """A broken invariant of matgrad's own: a bug."""

    code = 70
    kind = "bug"
