"""The judge is judged: `matgrad check` on wrong claims whose slip is known, and on rewritings of right ones.

python tests/judging.py        print both figures, and what went wrong
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent / "judge"
sys.path.insert(0, str(HERE.parent.parent))

from matgrad.statements import Broken, Statement, read_statements  # noqa: E402
from matgrad.verdict import Verdict, check_statement  # noqa: E402


class Judged(NamedTuple):
    """A statement, and the verdict on it."""

    statement: Statement
    verdict: Verdict

    @property
    def named(self) -> bool:
        """Whether the slip that was made is named first."""
        found = self.verdict.diagnosis
        return found is not None and found.kind in self.statement.comment.split("|")


def table(name: str) -> list[Statement]:
    """The statements of a page."""
    page = HERE / f"{name}.md"
    items = list(read_statements(page.read_text(encoding="utf-8"), page.name))
    broken = [item for item in items if isinstance(item, Broken)]
    assert broken == []
    return [item for item in items if isinstance(item, Statement)]


def judged(name: str) -> list[Judged]:
    """The verdicts on a page."""
    return [Judged(s, check_statement(s)) for s in table(name)]


def main() -> int:
    """Print both figures."""
    wrong, right = judged("wrong"), judged("right")
    passed = [j for j in wrong if j.verdict.ok]
    unnamed = [j for j in wrong if not j.verdict.ok and not j.named]
    refused = [j for j in right if not j.verdict.ok]
    for words, found in (("passed", passed), ("not named", unnamed), ("refused", refused)):
        for j in found:
            said = j.verdict.diagnosis
            kind = f"{said.kind}: {said.message}" if said else "nothing"
            print(f"{words}: {j.statement.line}: {j.statement.text} [{j.statement.comment}] {kind}")
    named = sum(j.named for j in wrong)
    print(
        f"{len(wrong)} wrong claims: {len(wrong) - len(passed)} rejected, the slip named first in {named} ({named / len(wrong):.1%})"
    )
    print(f"{len(right)} rewritings of right claims: {len(right) - len(refused)} accepted")
    return 1 if passed or refused else 0


if __name__ == "__main__":
    sys.exit(main())
