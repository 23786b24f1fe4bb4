"""The rule book: the identities of `matgrad.rules` and the differentials of `matgrad.functions` under one roof."""

from __future__ import annotations

from typing import NamedTuple

from matgrad.errors import NameProblem
from matgrad.functions import BY_NAME, Function
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.rules import TABLE as RULES


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
    parameters = f.signature.partition("->")[0].strip()
    where = (
        parameters.replace("), ", "); ")
        .replace("array", "vector(n)")
        .replace("scalar, ", "scalar; ")
    )
    where = where.replace("vector(n), ", "vector(n); ")
    if f.domain != "any":
        where = _with_domain(where, f.domain)
    left = f.plain
    for part in parameters.split(", "):
        name = part.partition(":")[0].strip()
        left = left.replace(f"<{name}>", name).replace(f"<{name}^>", name)
    left = left.replace("ln det(", "logdet(")
    return Entry(
        f"d:{f.op}",
        f"d({left}) -> {f.differential}",
        where,
        f.because,
        f.source,
        "differential",
        f.proof,
    )


def _with_domain(where: str, domain: str) -> str:
    """The declarations with the first name restricted to the function's domain."""
    first, *rest = where.split("; ")
    if domain in ("invertible", "spd"):
        first = first.replace("matrix(n, n)", f"{domain}(n)")
    elif domain == "positive":
        first = first.replace("vector(n)", "positive(n)").replace(": scalar", ": positive")
    return "; ".join([first, *rest])


def entries() -> dict[str, Entry]:
    """Every rule by name; the differential of a function is called `d:` and the function's name."""
    book = {f"d:{op}": _function_entry(f) for op, f in FUNCTIONS.items()}
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
    if name in BY_NAME:
        return book[f"d:{BY_NAME[name][0].op}"]
    import difflib

    close = difflib.get_close_matches(name, [*book, *BY_NAME], 1, 0.5)
    raise NameProblem(
        f"there is no rule `{name}`",
        help=f"did you mean `{close[0]}`?" if close else "`matgrad rules` lists them all",
    )
