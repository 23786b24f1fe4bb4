"""The rule book as text."""

from __future__ import annotations

from matgrad.rulebook import Entry

_STAGES = {
    "differential": "Differentials",
    "definition": "From the definition",
    "trace": "To trace form",
    "vector": "Vectors",
    "collect": "Collecting and reading off",
    "simplify": "Simplification",
}


def book_text(book: dict[str, Entry]) -> str:
    """Every rule with its statement, by stage."""
    width = max(len(name) for name in book) + 2
    parts = []
    for stage, title in _STAGES.items():
        rows = [f"  {e.name:{width}}{e.statement}" for e in book.values() if e.stage == stage]
        if rows:
            parts.append("\n".join([title, *rows]))
    return "\n\n".join(parts)


def entry_text(e: Entry) -> str:
    """One rule: statement, conditions, reason, proof, source."""
    left, _, right = e.statement.partition(" -> ")
    lines = [
        e.name,
        f"  {left} = {right}",
        "",
        f"  where   {e.where}",
        f"  reason  {e.because}",
        f"  source  {e.source}",
    ]
    if e.proof:
        lines += ["", "  proof"]
        formulas = [line.partition(" | ") for line in e.proof]
        width = min(max(len(f[0]) for f in formulas), 60)
        for formula, _, reason in formulas:
            lines.append(f"    {formula:{width}}   {reason}".rstrip())
    else:
        lines += ["", "  proof   none: it follows from the definitions"]
    return "\n".join(lines)
