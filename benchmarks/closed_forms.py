"""How long are matgrad's answers, beside the closed forms of the books?

    python benchmarks/closed_forms.py

For each statement of tests/cases/*.md: tokens of matgrad's answer (as `-q` prints it) divided by tokens of the book's
formula. A name, a number and a sign are a token each; a `*` between factors is none, since matgrad writes none; `eye(n)` is I,
`inv(X)` is X^-1, `A ⊗ B` is kron(A, B), `∂u` and `jac_u` are one name, on both sides. Names count with their definitions (`where y = ...`). Prints
the median, the 95th percentile, the worst, and the answers that are longer than the book's.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from statistics import median
from typing import Any

from matgrad.derive import diff
from matgrad.errors import MatgradError
from matgrad.statements import Statement, read_statements

CASES = Path(__file__).resolve().parent.parent / "tests" / "cases"
_TOKEN = re.compile(r"[∂∇]*[^\W\d]\w*|\d+(?:\.\d+)?|\.\*|\./|\.\^|\^-T|\^-1|\S")


# Two ways of writing one thing count alike.
_NOTATION = (
    (r"(?<!\.)\*", " "),
    (r"\beye\([\w*+ ]+\)", "I"),
    (r"\binv\((\w+)\)", r"\1^-1"),
    (r"⊗", " kron(,) "),
)


def tokens(text: str) -> int:
    """The number of tokens of a formula, products written without a sign."""
    for written, meant in _NOTATION:
        text = re.sub(written, meant, text)
    return len(_TOKEN.findall(text))


def answer(statement: Statement) -> str:
    """What matgrad prints for the expression of a statement."""
    options: dict[str, Any] = {"structured": statement.structured or "subspace"}
    if statement.then:
        options["then"] = statement.then
    elif statement.order > 1:
        options["order"] = statement.order
    let = list(statement.let)
    return str(diff(statement.expression, statement.wrt, let, check=False, **options))


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", type=int, default=1000, help="longer answers to list")
    options = parser.parse_args()
    ratios: list[tuple[float, Statement, str]] = []
    refused = 0
    for page in sorted(CASES.glob("*.md")):
        for statement in read_statements(page.read_text(encoding="utf-8"), page.name):
            if not isinstance(statement, Statement):
                continue
            try:
                found = answer(statement)
            except MatgradError:
                refused += 1
                continue
            ratios.append((tokens(found) / tokens(statement.claim), statement, found))
    ratios.sort(key=lambda r: r[0])
    values = [ratio for ratio, _, _ in ratios]
    print(
        f"{len(values)} answers: median {median(values):.2f}, 95th percentile"
        f" {values[int(0.95 * len(values))]:.2f}, worst {values[-1]:.2f}; {refused} refused"
    )
    longer = [r for r in reversed(ratios) if r[0] > 1]
    print(f"{len(longer)} are longer than the book's:")
    for ratio, statement, found in longer[: options.show]:
        print(
            f"{ratio:6.2f}  {statement.path}:{statement.line}  {statement.expression}: {found}  (book: {statement.claim})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
