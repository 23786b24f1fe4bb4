"""Program -> lines of source. A target (`matgrad.emit.targets`) says how each operation is written.

What is used once is written where it is used, if that stays readable; the rest gets a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from matgrad.dims import Dim, dim_text
from matgrad.emit.program import Value, needed, uses
from matgrad.errors import InternalError

MAX_INLINE = 72  # characters of code that is written inside other code
MAX_RETURNED = 88  # of code that is returned

# How tightly code binds: what may stand inside without brackets.
ATOM, POWER, MINUS, PRODUCT, SUM, ANY = range(6)


class Code(NamedTuple):
    """Source of an expression. In a template, `{x:3}` puts brackets around what binds less tightly than 3."""

    text: str
    level: int = ATOM

    def __format__(self, spec: str) -> str:
        return f"({self.text})" if self.level > int(spec or ANY) else self.text


class Target:
    """How a language writes the operations of a program; `matgrad.emit.targets` has one for each language."""

    name = ""
    comment = "#"
    # Operations whose code always stands on a line of its own.
    statements: frozenset[str] = frozenset(
        ["cholesky", "lu", "lower", "upper", "loop", "scatter", "add_diagonal", "apply", "map"]
    )

    def code(self, value: Value, args: list[Code], writer: Writer) -> Code:
        """The code of an operation, given that of its arguments."""
        raise NotImplementedError

    def size(self, text: str) -> str:
        """A polynomial in sizes, as matgrad writes it, in the language."""
        return text

    def loop(
        self, name: str, value: Value, body: list[str], summand: Code, writer: Writer
    ) -> list[str]:
        """The lines of a sum over an index."""
        raise NotImplementedError

    def fresh(self, value: Value, writer: Writer) -> str:
        """A new name for a value."""
        return writer.fresh(value)

    def assigned(self, name: str, value: Value, code: Code, writer: Writer) -> list[str]:
        """The lines that give a value its name."""
        return [f"{name} = {code.text}"]


class Writer:
    """Writes the values of one function body."""

    def __init__(
        self,
        target: Target,
        inputs: Mapping[str, str],
        sizes: Mapping[str, str],
        functions: Mapping[tuple[str, object], str],
        taken: set[str],
    ) -> None:
        self.target = target
        self.inputs = inputs  # what a variable is called in the code
        self.sizes = sizes
        self.functions = functions
        self.taken = set(taken)
        self.helpers: set[str] = set()
        self.lines: list[str] = []
        self.codes: dict[Value, Code] = {}
        self.named: set[Value] = set()
        self.held: set[Value] = (
            set()
        )  # matrices with a name of their own, which a target wrote lines for
        self.counts: dict[Value, int] = {}
        self.indices: dict[int, str] = {}
        self.index_names: dict[str, str] = {}
        self._counts = {"v": 0}

    def size(self, dim: Dim) -> str:
        """A dimension as code; brackets around more than a name."""
        text = dim_text(dim)
        known = {**self.sizes, **self.index_names}
        written = re.sub(r"[^\W\d]\w*", lambda m: known.get(m.group(), m.group()), text)
        written = self.target.size(written)
        return written if re.fullmatch(r"\w+", written) else f"({written})"

    def shape(self, dims: tuple[Dim, ...]) -> str:
        """A tuple of dimensions."""
        inner = ", ".join(
            re.sub(r"^\((.*)\)$", r"\1", self.size(d))
            if self.size(d).count("(") == 1
            else self.size(d)
            for d in dims
        )
        return f"({inner},)" if len(dims) == 1 else f"({inner})"

    def write(self, results: list[Value]) -> list[Code]:
        """Add the lines that compute values, and return their code."""
        counts = self.counts = uses(results)
        order = needed(results)
        users: dict[Value, Value] = {}
        for value in order:
            for a in value.args:
                users[a] = value
        self._region(-1, order, counts, users)
        return [self.codes[r] for r in results]

    def _region(
        self, region: int, order: list[Value], counts: dict[Value, int], users: dict[Value, Value]
    ) -> None:
        for value in order:
            if region_of(value) != region or value in self.codes:
                continue
            if value.op == "loop":
                self._loop(value, order, counts, users)
                continue
            args = [self.codes[a] for a in value.args]
            code = self.target.code(value, args, self)
            self.codes[value] = self._placed(value, code, counts, users)

    def _placed(
        self, value: Value, code: Code, counts: dict[Value, int], users: dict[Value, Value]
    ) -> Code:
        if value in self.held:
            return code
        simple = re.fullmatch(r"[\w.]+(\.T|\[[:\w, ]*\])?'?", code.text) is not None
        if value.op in ("input", "number", "size", "pi", "index", "free index"):
            return code
        if value.op in ("transpose", "expand") and simple:
            return code
        once = counts[value] == 1 and value.op not in self.target.statements
        user = users.get(value)
        if once and len(code.text) <= (MAX_RETURNED if user is None else MAX_INLINE):
            if user is None or (
                region_of(user) == region_of(value) and self._may_hold(user, value)
            ):
                return code
        name = self.target.fresh(value, self)
        self.lines += self.target.assigned(name, value, code, self)
        self.named.add(value)
        return Code(name)

    def _may_hold(self, user: Value, value: Value) -> bool:
        """Whether code may stand inside that of its user: not where it would be written twice."""
        return user.op != "scatter" and not (user.op == "call" and self.repeats(user, value))

    def repeats(self, user: Value, value: Value) -> bool:
        """Whether a function's template writes an argument more than once."""
        template = self.target.template(user) if isinstance(self.target, WithFunctions) else ""
        names = re.findall(r"\{(\w+)", template)
        return len(names) != len(set(names)) or value.op == "loop"

    def _loop(
        self, value: Value, order: list[Value], counts: dict[Value, int], users: dict[Value, Value]
    ) -> None:
        number, index = value.data[:2]
        before, self.lines = self.lines, []
        name = self.indices[number] = self.fresh_name(
            index if index not in self.inputs.values() else "i"
        )
        shadowed = self.index_names.get(index)
        self.index_names[index] = name
        self._region(number, order, counts, users)
        body, self.lines = self.lines, before
        result = self.fresh(value)
        self.lines += self.target.loop(result, value, body, self.codes[value.args[0]], self)
        if shadowed is None:
            del self.index_names[index]
        else:
            self.index_names[index] = shadowed
        self.codes[value] = Code(result)

    def fresh(self, value: Value) -> str:
        """A new name: capital for matrices."""
        letter = {0: "c", 1: "v"}.get(len(value.shape), "M")
        letter = {"cholesky": "factor", "lu": "factor", "lower": "factor", "upper": "factor"}.get(
            value.op, letter
        )
        return self.fresh_name(letter, numbered=True)

    def fresh_name(self, letter: str, numbered: bool = False) -> str:
        """A name that is not taken."""
        count = 1 if numbered else 0
        name = f"{letter}{count}" if numbered else letter
        while name in self.taken:
            count += 1
            name = f"{letter}{count}"
        self.taken.add(name)
        return name


class WithFunctions(Target):
    """A target that writes the functions of the table by templates."""

    def template(self, value: Value) -> str:
        """The template of a call."""
        raise NotImplementedError


def region_of(value: Value) -> int:
    """The innermost loop that a value stands in, or -1."""
    return max(value.loops, default=-1)


@lru_cache(maxsize=1000)
def levelled(template: str) -> tuple[str, int]:
    """A template of the function table with `{x:5}` where x is between brackets or commas and `{x:0}` elsewhere; and
    how tightly the whole binds."""

    def mark(found: re.Match[str]) -> str:
        before, after = template[: found.start()].rstrip(), template[found.end() :].lstrip()
        alone = before[-1:] in ("(", ",", "") and after[:1] in (")", ",", "")
        return f"{{{found.group(1)}:{ANY if alone and (before or after) else ATOM}}}"

    marked = re.sub(r"\{(\w+)\}", mark, template)
    if template.startswith("{") and template.count("{") == 1 and template.endswith("}"):
        marked = template.replace("}", f":{ATOM}}}")
    depth = 0
    level = ATOM
    for i, c in enumerate(template):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif depth == 0 and c in "+-*/' ":
            level = SUM if i or c == "-" else level
    return marked, level


def number_code(value: Fraction) -> Code:
    """A number: whole, or as a decimal where that is exact, or as a quotient."""
    if value.denominator == 1:
        whole = int(value)
        text = str(whole) if abs(whole) < 10**15 else repr(float(whole))
        return Code(text, ATOM if whole >= 0 else MINUS)
    if Fraction(repr(float(value))) == value:
        return Code(repr(float(value)), ATOM if value > 0 else MINUS)
    return Code(f"{value.numerator} / {value.denominator}", PRODUCT)


Handler = Callable[[Value, list[Code], Writer], Code]

__all__ = [
    "ANY",
    "ATOM",
    "MINUS",
    "POWER",
    "PRODUCT",
    "SUM",
    "Code",
    "Handler",
    "InternalError",
    "Target",
    "Writer",
]
