"""`pytest --matgrad`: the statements of `.matgrad` files and of Markdown as tests, one for each.

Loaded by pytest in every run (an entry point of the package), so nothing else is imported until there is a file to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from matgrad.statements import Broken, Statement


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that switches it on."""
    group = parser.getgroup("matgrad")
    group.addoption(
        "--matgrad",
        action="store_true",
        help="check the statements of .matgrad files, and of blocks marked matgrad in Markdown",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Files with statements."""
    if not parent.config.getoption("--matgrad"):
        return None
    if file_path.suffix.lower() not in (".matgrad", ".md", ".markdown"):
        return None
    found: pytest.File = StatementFile.from_parent(parent, path=file_path)
    return found


class WrongClaim(Exception):
    """A statement that does not hold, or could not be checked; the text is the report."""


class StatementFile(pytest.File):
    """A file with statements."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each statement, and for each line that is none."""
        from matgrad.errors import MatgradError
        from matgrad.files import read_file

        try:
            items = read_file(str(self.path))
        except MatgradError as problem:
            raise self.CollectError(problem.message) from None
        for item in items:
            yield StatementItem.from_parent(self, name=f"{item.line}", statement=item)


class StatementItem(pytest.Item):
    """One statement."""

    def __init__(self, *, statement: Statement | Broken, **options: Any) -> None:
        super().__init__(**options)
        self.statement = statement

    def runtest(self) -> None:
        """Check it."""
        from matgrad.files import OK, settle

        outcome = settle(self.statement)
        if outcome.status != OK:
            raise WrongClaim(f"{self.statement.text}\n{outcome.report}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The report, without a traceback."""
        if isinstance(excinfo.value, WrongClaim):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the statement stands."""
        return self.path, self.statement.line - 1, f"{self.path.name}:{self.statement.line}"
