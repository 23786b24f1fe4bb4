"""The rule book: the identities of `matgrad.rules` and the differentials of `matgrad.functions` under one roof."""

from __future__ import annotations

from typing import NamedTuple

from matgrad.errors import NameProblem
from matgrad.functions import BY_NAME, Function
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.rules import TABLE as RULES
from matgrad.shapes import ARRAY, signature


class Entry(NamedTuple):
    """One rule as it is shown: `statement` holds under the declarations `where`."""

    name: str
    statement: str
    where: str
    because: str
    source: str
    stage: str
    proof: tuple[str, ...]


def _function_entry(f: Function) -> Entry:
    parameters = signature(f.op).parameters
    where = [f"{name}: {'vector(n)' if s.kind == ARRAY else s}" for name, s in parameters]
    where[0] = _in_domain(where[0], f.domain)
    left = f.plain.replace("ln det(", "logdet(")
    for name, _ in parameters:
        left = left.replace(f"<{name}>", name).replace(f"<{name}^>", name)
    for name in signature(f.op).sizes:
        left = left.replace(f"<{name}>", name)
    return Entry(
        f"d:{f.op}",
        f"d({left}) -> {f.differential}",
        "; ".join(where),
        f.because,
        f.source,
        "differential",
        f.proof,
    )


def _in_domain(declaration: str, domain: str) -> str:
    """A declaration restricted to the domain of a function."""
    if domain in ("invertible", "right_half_plane", "spd"):
        return declaration.replace("matrix(n, n)", "invertible(n)")
    if domain == "positive":
        return declaration.replace("vector(n)", "positive(n)").replace(": scalar", ": positive")
    return declaration


def entries() -> dict[str, Entry]:
    """Every rule by name; the differential of a function is called `d:` and the function's name."""
    book = {f"d:{op}": _function_entry(f) for op, f in FUNCTIONS.items() if f.differential}
    for rule in RULES.values():
        book[rule.name] = Entry(
            rule.name,
            rule.statement,
            rule.where,
            rule.because.replace("{d}", "dX"),
            rule.source,
            rule.stage,
            rule.proof,
        )
    return book


def find(name: str) -> Entry:
    """The rule of a name: a rule's own name, or that of a function (`inverse`, `logdet`)."""
    book = entries()
    for key in (name, f"d:{name}"):
        if key in book:
            return book[key]
    for function in BY_NAME.get(name, ()):
        if function.differential:
            return book[f"d:{function.op}"]
    import difflib

    close = difflib.get_close_matches(name, [*book, *BY_NAME], 1, 0.5)
    raise NameProblem(
        f"there is no rule `{name}`",
        help=f"did you mean `{close[0]}`?" if close else "`matgrad rules` lists them all",
    )
