"""Text to syntax tree, by the grammar in `grammar/matgrad.lark`.

A syntax tree is a list of `Syntax` nodes in which children come before their parents, so that later passes are
plain loops. Names are not resolved and shapes not known here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction
from typing import Any

from matgrad.errors import LimitProblem, Mark, NameProblem, SyntaxProblem
from matgrad.functions import FUNCTION_NAMES
from matgrad.lalr import Token, UnexpectedToken, UnknownCharacter, parse_tokens, tokens_of
from matgrad.slips import find, legible, meant, respelled

MAX_LENGTH = 200_000
MAX_NUMBER_DIGITS = 400
MAX_EXPONENT = 400  # of ten, in a number
MAX_UNKNOWN = 20  # characters that are not of the language are told at once

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "iota": "ι",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "upsilon": "υ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
}
_VARIANTS = {"ϵ": "ε", "ϑ": "θ", "ϕ": "φ", "pi": "π"}
_VULGAR = dict(
    zip("½⅓¼⅔¾⅕⅙⅛", ["1/2", "1/3", "1/4", "2/3", "3/4", "1/5", "1/6", "1/8"], strict=True)
)
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NAME_PARTS = re.compile(r"([A-Za-z]+|[α-ωΑ-Ωϵϑϕ])(.*)", re.DOTALL)


def canonical_name(text: str) -> str:
    """One spelling for each name: `alpha` is `α`, `x₁` is `x1`, `x_{in}` is `x_in`."""
    text = text.translate(_SUBSCRIPTS).replace("{", "").replace("}", "")
    parts = _NAME_PARTS.fullmatch(text)
    if parts is None:
        return text
    letters, rest = parts.groups()
    return str(_VARIANTS.get(letters) or GREEK.get(letters) or letters) + rest


def read_name(text: str) -> str:
    """The name that a user writes in an option, plain or as LaTeX: `\\Sigma` is `Σ`, `\\mathbf{x}` is `x`."""
    return canonical_name(plain_text(text).strip())


def plain_text(text: str, functions: Collection[str] = ()) -> str:
    """The text in matgrad's own spelling, if it is LaTeX."""
    if "\\" in text or "$" in text:
        from matgrad.latex_input import is_latex, translate

        if is_latex(text):
            return translate(text, functions)[0]
    return text


class Syntax:
    """A node of the syntax tree: `kind`, `args`, a `value` (name, number, ...), and its characters `start:end`."""

    __slots__ = ("args", "end", "grouped", "kind", "start", "value")

    def __init__(
        self, kind: str, args: list[Syntax], start: int, end: int, value: Any = None
    ) -> None:
        self.grouped = False  # in brackets of its own
        self.kind = kind
        self.args = args
        self.start = start
        self.end = end
        self.value = value


class Parsed:
    """A syntax tree: its `root`, every node in an order in which children come first, and what was assumed."""

    def __init__(self, text: str, root: Syntax, nodes: list[Syntax], notes: list[str]) -> None:
        self.text = text
        self.root = root
        self.nodes = nodes
        self.notes = notes


_OPERAND_END = frozenset(
    [
        "NUMBER",
        "NAME",
        "RPAR",
        "RSQB",
        "RBRACE",
        "TRANSPOSE",
        "INVERSE_TRANSPOSE",
        "SUPERSCRIPT",
        "BAR_CLOSE",
        "NORM_CLOSE",
    ]
)
_OPERAND_START = frozenset(
    ["NUMBER", "NAME", "CALLEE", "PREFIX", "LPAR", "LSQB", "BAR_OPEN", "NORM_OPEN"]
)
_OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE", "AT": "RSQB"}


def _tokens(text: str, declared: Collection[str], notes: list[str]) -> list[Token]:
    """The tokens of the text, each kind settled by its neighbours (see the head of the grammar file)."""
    try:
        raw = tokens_of(text)
    except UnknownCharacter as problem:
        raise _bad_characters(text, problem.at) from None

    def renamed(token: Token, kind: str, value: str | None = None, end: int | None = None) -> Token:
        return Token(
            kind,
            value if value is not None else token.text,
            token.start,
            end if end is not None else token.end,
        )

    declared = {*declared, *_local_names(raw)}
    if [t.type for t in raw[:3]] == ["NAME", "NAME", "COLON"] and raw[0].text == "lambda":
        slip = _slip(text, raw[0].start) if "λ" not in declared else None
        if slip:  # of Python
            raise slip
    out: list[Token] = []
    bars: list[str] = []  # what is open, innermost last: closing kinds and bars
    binding = -1  # how much was open at an `=` whose range has not had its `:` yet
    begins: list[Token] = []  # what begins an expression of its own, in a line of its own
    i = 0
    while i < len(raw):
        token = raw[i]
        kind = token.type
        previous = out[-1] if out else None
        if previous is not None and not bars and _begins_anew(text, previous, token):
            begins.append(token)
        touching = previous is not None and previous.end == token.start
        derivative = _map_derivative(raw, i, declared, text)
        if derivative is not None:
            callee, i = derivative
            out.append(callee)
            continue
        if (
            kind == "NAME"
            and token.text == "where"
            and "where" not in declared
            and out
            and not bars
        ):
            out.append(renamed(token, "WHERE"))
            i += 1
            continue
        if kind == "NAME":
            name = canonical_name(token.text)
            j = i + 1
            while j < len(raw) and raw[j].type == "TRANSPOSE" and raw[j].text in "'’":
                j += 1
            primed = (
                j > i + 1
                and name in declared
                and j < len(raw)
                and raw[j].type == "LPAR"
                and raw[j].start == raw[j - 1].end
            )
            following = raw[i + 1] if i + 1 < len(raw) else None
            if primed:
                end = raw[j - 1].end
                out.append(renamed(token, "CALLEE", name + "'" * (j - i - 1), end))
                i = j
                continue
            if following is not None and following.type == "LPAR":
                if following.start == token.end:
                    known = token.text in FUNCTION_NAMES and name not in declared
                    out.append(renamed(token, "CALLEE", token.text if known else name))
                    i += 1
                    continue
            if token.text in FUNCTION_NAMES and name not in declared:
                if token.text not in GREEK:
                    out.append(renamed(token, "PREFIX", token.text))
                    i += 1
                    continue
                if following is not None and following.type in ("NAME", "NUMBER", "LPAR"):
                    notes.append(
                        f"`{token.text}` is read as the letter {name}; the function is `{token.text}(...)`"
                    )
            if following is not None and following.type == "LSQB" and token.text[0].isupper():
                # Tr[X], as in Mathematica, is not T*r[X].
                slip = _slip(text, token.start)
                if token.text.lower() in FUNCTION_NAMES and name not in declared and slip:
                    raise slip
            letters = _letters(token.text, name, declared)
            if letters is not None:
                notes.append(f"{token.text} is read as {'*'.join(letters)}")
                for offset, letter in enumerate(letters):
                    at = (token.start) + offset
                    out.append(Token("NAME", letter, at, at + 1))
                if following is not None and following.type == "LPAR":
                    pass
                i += 1
                continue
            out.append(renamed(token, "NAME", name))
        elif kind == "POWER" and (bracketed := _bracketed_exponent(raw, i, declared, text)):
            exponent, i = bracketed
            out.append(exponent)
            continue
        elif kind == "LSQB":
            is_index = (
                touching
                and previous is not None
                and previous.type in _OPERAND_END
                and not _has_rows(raw, i)
            )
            out.append(renamed(token, "AT" if is_index else "LSQB"))
            bars.append("RSQB")
        elif kind in _OPENERS:
            out.append(token)
            bars.append(_OPENERS[kind])
        elif kind in ("RPAR", "RSQB", "RBRACE"):
            while bars and bars[-1] in ("BAR", "NORM"):
                bars.pop()
            if bars:
                bars.pop()
            out.append(token)
        elif kind == "NORM" and token.text == "||" and touching and bars and bars[-1] == "BAR":
            # Two single bars: `|A||B|`, or `|a - |b||`.
            start = token.start
            bars.pop()
            out.append(Token("BAR_CLOSE", "|", start, start + 1))
            if bars and bars[-1] == "BAR":
                bars.pop()
                out.append(Token("BAR_CLOSE", "|", start + 1, start + 2))
            else:
                bars.append("BAR")
                out.append(Token("BAR_OPEN", "|", start + 1, start + 2))
        elif kind in ("BAR", "NORM"):
            is_open = bool(bars) and bars[-1] == kind
            after_operand = previous is not None and previous.type in _OPERAND_END
            if is_open and after_operand:
                bars.pop()
                out.append(renamed(token, kind + "_CLOSE"))
            else:
                bars.append(kind)
                out.append(renamed(token, kind + "_OPEN"))
        elif kind == "EQUALS" and bars:
            binding = len(bars)
            out.append(token)
        elif kind in ("COLON", "COMMA") and binding == len(bars):
            binding = -1
            out.append(renamed(token, "RANGE") if kind == "COLON" else token)
        elif kind == "SQRT":
            out.append(renamed(token, "PREFIX", "sqrt"))
        elif kind == "VULGAR":
            out.append(renamed(token, "NUMBER", _VULGAR[token.text]))
        else:
            out.append(token)
        i += 1
    if begins:
        first = text[: begins[0].start].strip()
        raise SyntaxProblem(
            f"there are {len(begins) + 1} expressions here, each in its own line",
            tuple(
                Mark(t.start, t.end, "the second begins here" if t is begins[0] else "")
                for t in begins
            ),
            f"give one of them{f', such as `{first}`' if _is_short(first) else ''};"
            " an expression goes on in the next line behind an operator or in brackets",
            text,
        )
    return out


def _begins_anew(text: str, before: Token, token: Token) -> bool:
    """Whether a token begins an operand in a new line, though an operand ends before it."""
    starts = token.type in _OPERAND_START or token.type in ("BAR", "NORM", "SQRT", "VULGAR")
    if not starts or before.type not in _OPERAND_END or token.text == "where":
        return False
    return "\n" in text[before.end : token.start]


def _bracketed_exponent(
    tokens: list[Token], at: int, declared: Collection[str], text: str
) -> tuple[Token, int] | None:
    """`^(-T)` and `^(T)` as one token, and where to go on; None for anything else. Raises SyntaxProblem for `^{(1)}`."""
    power, *inside = tokens[at : at + 6]
    types = [t.type for t in inside]
    if types[:5] in (
        ["LBRACE", "LPAR", kind, "RPAR", "RBRACE"] for kind in ("NAME", "CALLEE", "NUMBER")
    ):
        raise SyntaxProblem(
            "an exponent in brackets may be an index or a power",
            (Mark(power.start, inside[4].end),),
            "write an index below, as in `x_1`, and a power without brackets, as in `x^2`",
            text,
        )
    for kinds, kind in (
        (["LPAR", "NAME", "RPAR"], "TRANSPOSE"),
        (["LPAR", "MINUS", "NAME", "RPAR"], "INVERSE_TRANSPOSE"),
    ):
        count = len(kinds)
        if types[:count] == kinds and inside[count - 2].text == "T" and "T" not in declared:
            end = inside[count - 1].end
            return Token(kind, text[power.start : end], power.start, end), at + count + 1
    return None


def _local_names(tokens: list[Token]) -> set[str]:
    """The names that stand behind `where`, each with an `=` behind it."""
    start = next(
        (i for i, t in enumerate(tokens) if t.type == "NAME" and t.text == "where"), len(tokens)
    )
    pairs = itertools.pairwise(tokens[start + 1 :])
    return {
        canonical_name(t.text) for t, after in pairs if (t.type, after.type) == ("NAME", "EQUALS")
    }


_MAP_WORDS = re.compile(r"((?:grad_|jac_)+)(.+)")


def _map_derivative(
    tokens: list[Token], at: int, declared: Collection[str], text: str
) -> tuple[Token, int] | None:
    """`∂∇g(`, or `jac_grad_g(`, of a declared function g as one name, and where to go on; None for anything else."""
    first = tokens[at]
    marks = ""
    end = at
    while end < len(tokens) and tokens[end].type == "MAP_MARK":
        marks += tokens[end].text
        end += 1
    name = tokens[end].text if end < len(tokens) and tokens[end].type == "NAME" else ""
    words = _MAP_WORDS.fullmatch(name)
    if words is not None and canonical_name(name) not in declared:
        name = words[2]
        marks += words[1].replace("grad_", "∇").replace("jac_", "∂")
    if not marks:
        return None
    opened = end + 1 < len(tokens) and tokens[end + 1].type == "LPAR"
    if canonical_name(name) in declared and opened:
        if tokens[end].end == tokens[end + 1].start:
            value = marks + canonical_name(name)
            return Token("CALLEE", value, first.start, tokens[end].end), end + 1
    if first.type == "NAME":
        return None
    mark = Mark(first.start, first.end, "no such function behind it")
    help = "for the derivative of an expression give it alone, with `--wrt x`"
    if opened and re.fullmatch(r"[^\W\d]\w*", name) and name not in FUNCTION_NAMES:
        kind = "scalar of vector(n)" if first.text == "∇" else "vector(m) of vector(n)"
        help += f"; an unknown function is declared, `--let '{canonical_name(name)}: {kind}'`"
    raise SyntaxProblem(
        f"`{first.text}` stands before a declared function and its argument only",
        (mark,),
        help,
        text,
    )


def _has_rows(tokens: list[Token], at: int) -> bool:
    """Whether the bracket that opens at a token has a `;` of its own: a stack, not an index."""
    depth = 0
    for token in tokens[at:]:
        if token.type in ("LSQB", "LPAR"):
            depth += 1
        elif token.type in ("RSQB", "RPAR"):
            depth -= 1
            if depth == 0:
                return False
        elif token.type == "SEMICOLON" and depth == 1:
            return True
    return False


def _as_keyword(token: Token) -> Token:
    """The word `of` of a declaration."""
    if token.type == "NAME" and token.text == "of":
        token.type = "OF"
    return token


def _letters(text: str, name: str, declared: Collection[str]) -> list[str] | None:
    """The letters of a run such as `Ax` or `XBX` that is read as a product, or None."""
    if name in declared or name != text or not text.isalpha() or not text.isascii():
        return None
    if len(text) in (2, 3) and any(c.isupper() for c in text):
        return list(text)
    return None


def _slip(text: str, at: int) -> SyntaxProblem | None:
    """The error for a habit of another system at the character `at`, if it is one."""
    slip = find(text, at)
    if slip is None:
        return None
    problem = SyntaxProblem(slip.message, (Mark(slip.start, slip.end),), slip.help, text)
    problem.repairs = (slip.repairs,)
    return problem


def unknown_characters(text: str, at: int = 0) -> list[int]:
    """Where characters stand from `at` on that are not of the language."""
    found: list[int] = []
    while len(found) < MAX_UNKNOWN:
        try:
            tokens_of(text[at:])
            break
        except UnknownCharacter as problem:
            at += problem.at
            found.append(at)
            at += 1
    return found


def without_unknown(text: str) -> str:
    """The text with something of the language in the place of each character that is not, at the same offsets."""
    return legible(text, {text[i] for i in unknown_characters(text)})


def _bad_characters(text: str, at: int) -> SyntaxProblem:
    """The error for characters that are not of the language: one for each kind, the first with the others."""
    import unicodedata

    at_fault = unknown_characters(text, at)
    accents = {i for i in at_fault if unicodedata.combining(text[i])}
    characters = {text[i] for i in at_fault}
    found: dict[str, SyntaxProblem] = {}
    covered = 0
    for i in at_fault:
        if i < covered or {i - 1, i} <= accents:
            continue
        slip = _slip(text, i)
        if slip is not None:
            covered = slip.marks[0].end
        problem = slip or _bad_character(text, i, characters)
        first = found.setdefault(problem.message, problem)
        if first is not problem:
            first.marks += tuple(m._replace(label="") for m in problem.marks)
    problem, *others = found.values()
    problem.others = tuple(others)
    return problem


def _bad_character(text: str, at: int, characters: Collection[str]) -> SyntaxProblem:
    """The error for one character, of those that are not of the language."""
    import unicodedata

    character = text[at]
    code = f"U+{ord(character):04X}"
    combining = bool(unicodedata.combining(character))
    visible = character.isprintable() and not combining and unicodedata.category(character) != "Cf"
    message = f"`{character if visible else code}` is not a character of the language"
    start = at - 1 if combining and at else at  # an accent is marked with its letter
    if combining:
        message = f"`{text[start : at + 1]}`, with an accent, is not of the language"
    hints = {
        "$": "leave out the dollar signs",
        "#": "leave it out",
        "%": "a comment is allowed in files only; five percent is `5/100`",
        ".": "leave it out, or write `*` for a product",
        "&": "separate the entries of a row with a comma, as in `[a, b; c, d]`",
        '"': "write a transpose as `'`, and put no quotes inside the expression",
        "!": "matgrad has no factorial; `gamma(n + 1)` is one",
        "~": "leave it out, or write `*` for a product",
        "?": "leave it out",
        "_": "a subscript is one word of letters and digits, as in `x_in`; an entry is `x[i]` or `X[i,j]`",
    }
    if character == "#":
        message = "a comment is allowed in files only"
    help = hints.get(character, "")
    likely = meant(character)
    repairs: tuple[tuple[str, ...], ...] = ((text[:at].strip(),),) if character in "#%" else ()
    if not help and (likely or combining):
        repairs = ((" ".join(respelled(text, characters).split()),),)
        if likely and len(unicodedata.normalize("NFD", character)) == 1:
            name = unicodedata.name(character, code).title()
            message = f"`{character}` ({name}) is not a character of the language"
        help = f"write `{likely}`" if likely else "write the letter without the accent"
    elif not help:
        help = (
            "names are Latin or Greek letters with digits or a subscript; leave this character out"
        )
    problem = SyntaxProblem(message, (Mark(start, at + 1, "not understood"),), help, text)
    problem.repairs = repairs
    return problem


_WORDS = {
    "PLUS": "`+`",
    "MINUS": "`-`",
    "TIMES": "`*`",
    "SLASH": "`/`",
    "BACKSLASH": "`\\`",
    "DOT_TIMES": "`.*`",
    "DOT_SLASH": "`./`",
    "NUMBER": "a number",
    "NAME": "a name",
    "CALLEE": "a function",
    "PREFIX": "a function",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "TRANSPOSE": "`'`",
    "POWER": "`^`",
    "DOT_POWER": "`.^`",
    "COMMA": "`,`",
    "SEMICOLON": "`;`",
    "COLON": "`:`",
    "RANGE": "`:`",
    "DOT": "`·`",
    "KRON": "`⊗`",
    "NORM_INDEX": "a subscript of the norm",
    "OF": "`of`",
    "BAR_OPEN": "`|`",
    "BAR_CLOSE": "`|`",
    "NORM_OPEN": "`‖`",
    "NORM_CLOSE": "`‖`",
    "ARROW": "`->`",
    "EQUALS": "`=`",
    "$END": "the end",
}
_OPERATORS = frozenset(
    [
        "PLUS",
        "MINUS",
        "TIMES",
        "SLASH",
        "BACKSLASH",
        "DOT_TIMES",
        "DOT_SLASH",
        "POWER",
        "DOT_POWER",
        "COMMA",
        "SEMICOLON",
        "RANGE",
        "DOT",
        "KRON",
    ]
)
_AFTER_OPERAND = frozenset(
    ["RPAR", "RSQB", "RBRACE", "TRANSPOSE", "INVERSE_TRANSPOSE", "SUPERSCRIPT"]
)


def _unexpected(text: str, tokens: list[Token], at: int, expected: set[str]) -> SyntaxProblem:
    """The error for token number `at` (the end of the text if there is none)."""
    token = tokens[at] if at < len(tokens) else None
    previous = tokens[at - 1] if at else None
    operand_expected = "NAME" in expected
    opened = _unclosed(tokens[:at])
    if token is None:
        if previous is None:
            marks = (Mark(0, len(text), "nothing that is read"),) if text.strip() else ()
            return SyntaxProblem("there is no expression", marks, 'write one, as in "x\'A x"', text)
        mark = Mark(len(text.rstrip()), len(text.rstrip()) + 1, "it ends here")
        if operand_expected and previous.type in _OPERATORS | {"PREFIX"}:
            here = Mark(previous.start, previous.end, "nothing stands after this")
            if previous.type == "PREFIX":
                return _no_argument(text, tokens, at - 1)
            rest = text[: previous.start].rstrip()
            alone = f": `{rest}`" if _is_short(rest) else ""
            ended = len(tokens) > 1 and tokens[-2].type in _OPERAND_END and opened is None
            return SyntaxProblem(
                f"the expression stops after `{_shown(text, previous)}`",
                (here,),
                f"write what comes after it, or leave it out{alone if ended else ''}",
                text,
            )
        if previous is not None and previous.type in ("BAR_OPEN", "NORM_OPEN"):
            return _odd_bar(text, tokens[: at - 1], previous)
        if opened is not None:
            closing = {"LPAR": ")", "LSQB": "]", "AT": "]", "LBRACE": "}"}.get(opened.type)
            closing = closing or _shown(text, opened)
            opening = Mark(opened.start, opened.end, f"`{_shown(text, opened)}` opens here")
            whole = text.strip() + closing
            only = _unclosed(tokens[:at], 1) is None
            problem = SyntaxProblem(
                f"a closing `{closing}` is missing",
                (opening, mark),
                f"add `{closing}`",
                text,
            )
            apart = text.replace("||", "| |", 1)  # `||x| - |y||`
            if only:
                bars = opened.type == "NORM_OPEN" and "|" in text.replace("||", "")
                problem.repairs = ((apart, whole) if bars else (whole,),)
            return problem
        return SyntaxProblem("the expression is not complete", (mark,), "", text)
    shown = _shown(text, token)
    mark = Mark(token.start, token.end, "")
    slip = _slip(text, mark.start)
    if slip is not None:
        return slip
    if token.type in ("RPAR", "RSQB", "RBRACE"):
        if opened is None:
            return _unmatched(text, tokens, token)
        if _OPENERS.get(opened.type) != token.type:
            opening = Mark(opened.start, opened.end, "opened here")
            first = _shown(text, opened)
            problem = SyntaxProblem(
                f"`{shown}` does not close `{first}`",
                (opening, mark._replace(label="closed here")),
                "brackets close in the order in which they were opened",
                text,
            )
            if shown in _OTHER_BRACKET and first in _OTHER_BRACKET:
                problem.repairs = (
                    (text[: mark.start] + _OTHER_BRACKET[first] + text[mark.end :],),
                    (text[: opened.start] + _OTHER_BRACKET[shown] + text[opened.end :],),
                )
            return problem
    if operand_expected and previous is not None and token.type in _OPERATORS | _AFTER_OPERAND:
        before = _shown(text, previous)
        if previous.type == "PREFIX":
            return _no_argument(text, tokens, at - 1)
        if previous.type in ("BAR_OPEN", "NORM_OPEN"):
            return _odd_bar(text, tokens[: at - 1], previous)
        help = f"write what stands before `{shown}`, or leave one of the two out"
        if previous.type == "LPAR" and token.type == "RPAR":
            return SyntaxProblem(
                "there is nothing between the brackets",
                (Mark(previous.start, token.end),),
                "write an expression between them, or leave them out",
                text,
            )
        if previous.type == "AT" and token.type == "RSQB":
            help = "write an index, as in `x[1]`, `X[1,2]` or `X[:,1]`"
        elif opened is not None and opened.type == "AT" and token.type in ("RSQB", "COMMA"):
            whole = f"{text[: mark.start]}:{text[mark.start :]}".strip()
            help = "write `:` for a whole row or column" + (
                f": `{whole}`" if _is_short(whole) else ""
            )
        elif previous.type == "COMMA" and token.type in _AFTER_OPERAND:
            help = "leave out the comma, or write what comes after it"
        return SyntaxProblem(
            f"something is missing between `{before}` and `{shown}`",
            (mark._replace(label="a name, a number or a bracket was expected here"),),
            help,
            text,
        )
    if token.type == "EQUALS":
        right = re.sub(r"^&|\\end\s*\{[^{}]*\}$", "", text[mark.end :].strip(" =")).strip()
        left = re.sub(r"^\\begin\s*\{[^{}]*\}", "", text[: mark.start].strip())
        named = re.fullmatch(r"\s*[\\\w{}]+\s*(\([\\\w\s,]*\))?[\s&:]*", left)
        problem = SyntaxProblem(
            "an equation stands where an expression was expected",
            (mark,),
            "give the side that is to be differentiated",
            text,
        )
        compared = text[mark.end : mark.end + 1] == "="
        problem.repairs = ((right,),) if named and not compared and "=" not in right else ()
        return problem
    if (
        token.type == "COMMA"
        and previous is not None
        and previous.type == "NUMBER"
        and at + 1 < len(tokens)
        and tokens[at + 1].type == "NUMBER"
    ):
        return SyntaxProblem(
            "a decimal fraction has a point, not a comma",
            (mark,),
            f"write `{_shown(text, previous)}.{_shown(text, tokens[at + 1])}`",
            text,
        )
    if operand_expected and token.type == "BACKSLASH":
        command = re.match(r"\\[A-Za-z]*", text[token.start :])
        word = command.group() if command else shown
        return SyntaxProblem(
            f"`{word}` is not a LaTeX command that matgrad knows",
            (mark._replace(end=mark.start + len(word), label="unknown command"),),
            "`\\operatorname{name}(...)` calls a function, and `A\\b` solves with the matrix A",
            text,
        )
    if operand_expected and previous is None:
        return SyntaxProblem(
            f"an expression cannot begin with `{shown}`",
            (mark._replace(label="nothing stands before this"),),
            "write what comes before it, or leave it out",
            text,
        )
    if token.type in ("COMMA", "SEMICOLON") and at == len(tokens) - 1:
        rest = text[: mark.start].strip()
        return SyntaxProblem(
            f"nothing comes after `{shown}`",
            (mark._replace(label="the expression ends before this"),),
            f"leave it out{f': `{rest}`' if _is_short(rest) and opened is None else ''}",
            text,
        )
    if token.type in ("COMMA", "SEMICOLON") and opened is None:
        return SyntaxProblem(
            "there are several expressions here",
            (mark._replace(label="the second begins after this"),),
            f"give one of them; a stack of them is `[{' '.join(text.replace(',', ';').split())}]`",
            text,
        )
    # The parser looks one token ahead: of what may stand here it knows the operators, not what they would end.
    words = sorted({_WORDS.get(e, e.lower()) for e in expected})
    known = len(words) <= 4 and "PLUS" not in expected
    return SyntaxProblem(
        f"`{shown}` cannot stand here",
        (mark._replace(label="unexpected"),),
        f"expected {' or '.join(words)}"
        if known
        else "expected an operator such as `*`, or the end of what was begun before it",
        text,
    )


_OTHER_BRACKET = {"(": ")", "[": "]", "{": "}", ")": "(", "]": "[", "}": "{"}


def _unmatched(text: str, tokens: list[Token], first: Token) -> SyntaxProblem:
    """The error for brackets that close nothing, with those that are never closed."""
    opened: list[Token] = []
    closing: list[Token] = []
    for token in tokens:
        if token.type in _OPENERS:
            opened.append(token)
        elif token.type in _OPENERS.values():
            opened.pop() if opened else closing.append(token)
    shown = _shown(text, first)
    without = text
    for token in reversed(closing):
        without = without[: token.start] + without[token.end :]
    those = [t for t in closing if _shown(text, t) == shown]
    it = "it" if len(those) == 1 else "them"
    problem = SyntaxProblem(
        f"`{shown}` closes nothing",
        tuple(Mark(t.start, t.end) for t in those),
        f"leave {it} out, or open the bracket{'s' if it == 'them' else ''} before {it}",
        text,
    )
    problem.repairs = ((without.strip(),), (_OTHER_BRACKET[shown] * len(those) + text.strip(),))
    if opened:
        never = SyntaxProblem(
            f"`{_shown(text, opened[0])}` is not closed",
            tuple(Mark(t.start, t.end) for t in opened),
            "close it, or leave it out",
            text,
        )
        problem.others = (never,)
    return problem


def _no_argument(text: str, tokens: list[Token], at: int) -> SyntaxProblem:
    """The error for the function that is token number `at`; `exp -x` is offered as `exp(-x)`."""
    function = tokens[at]
    name = _shown(text, function)
    problem = SyntaxProblem(
        f"`{name}` stands here without an argument",
        (Mark(function.start, function.end, "of what?"),),
        f"write `{name}(x)`",
        text,
    )
    following = tokens[at + 1 : at + 3]
    if (
        len(following) == 2
        and following[0].type == "MINUS"
        and following[0].end == following[1].start
    ):
        end, depth = at + 2, 0
        while end < len(tokens):
            kind = tokens[end].type
            depth += (kind in _OPENERS) - (kind in _OPENERS.values())
            if depth < 0 or (depth == 0 and kind in ("PLUS", "MINUS", "COMMA", "SEMICOLON")):
                break
            end += 1
        a, b = tokens[at + 1].start, tokens[end - 1].end
        problem.repairs = ((f"{text[: function.end]}({text[a:b]}){text[b:]}",),)
    return problem


def _odd_bar(text: str, before: list[Token], bar: Token) -> SyntaxProblem:
    """The error for a bar at the end that closes nothing, or what another kind of bar opened."""
    shown = _shown(text, bar)
    here = Mark(bar.start, bar.end, "closes nothing")
    opened = _unclosed(before)
    if opened is None or not opened.type.endswith("_OPEN"):
        return SyntaxProblem(
            f"`{shown}` closes nothing",
            (here,),
            f"write a `{shown}` on both sides of the expression that it is about, or leave it out",
            text,
        )
    first = _shown(text, opened)
    inside = text[opened.end : bar.start].strip()
    return SyntaxProblem(
        f"`{shown}` does not close `{first}`",
        (
            Mark(opened.start, opened.end, "opened here"),
            here._replace(label="closed here"),
        ),
        f"write `|{inside}|` for an absolute value or a determinant, `||{inside}||` for a norm",
        text,
    )


def _shown(text: str, token: Token) -> str:
    return text[token.start : token.end]


def _is_short(text: str) -> bool:
    """Whether a text may be quoted whole in a message."""
    return 0 < len(text) <= 80 and text.isprintable()


def _unclosed(tokens: Iterable[Token], outer: int = 0) -> Token | None:
    """The innermost bracket that is not closed, or one further out."""
    opened: list[Token] = []
    for token in tokens:
        if token.type in _OPENERS or token.type.endswith("_OPEN"):
            opened.append(token)
        elif (token.type in _OPENERS.values() or token.type.endswith("_CLOSE")) and opened:
            opened.pop()
    return opened[-1 - outer] if len(opened) > outer else None


def parse(
    text: str,
    start: str = "expression",
    declared: Collection[str] = (),
    functions: Collection[str] = (),
) -> Parsed:
    """Parse `text`, plain or LaTeX, from one of the grammar's start symbols.

    `declared` are the names that declarations speak of; they are never split into letters or taken for functions.
    `functions` are those among them that are functions, for which LaTeX needs to know that `U(X)` is a call. Raises SyntaxProblem and LimitProblem, with the characters concerned.
    """
    if len(text) > MAX_LENGTH:
        raise LimitProblem(
            f"the input is {len(text):,} characters long",
            (),
            f"matgrad reads expressions of up to {MAX_LENGTH:,} characters",
        )
    notes: list[str] = []
    tokens = _latex_tokens(text, declared, functions, notes)
    if tokens is None:
        tokens = _tokens(text, declared, notes)
    if start == "declaration":
        tokens = [_as_keyword(t) for t in tokens]
        for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if before.type in ("COLON", "OF") and (token.type, after.type) == ("NAME", "LPAR"):
                token.type = "CALLEE"  # `matrix (m, n)`
    builder = _Builder(text)
    try:
        root = parse_tokens(tokens, start, builder.node)
    except UnexpectedToken as problem:
        raise _unexpected(text, tokens, problem.at, problem.expected) from None
    if root.kind == "where":
        return _with_locals(text, root, builder.nodes, declared, notes)
    return Parsed(text, root, builder.nodes, notes)


def _with_locals(
    text: str, root: Syntax, nodes: list[Syntax], declared: Collection[str], notes: list[str]
) -> Parsed:
    """`BODY where a = A, b = B`: a name stands for its formula, which is one node however often it is named.

    A formula may use the names that stand before it.
    """
    body, *locals_ = root.args
    ends = {id(part): i for i, part in enumerate(root.args)}
    segments: list[list[Syntax]] = [[] for _ in root.args]
    current: list[Syntax] = []
    for node in nodes:
        current.append(node)
        if id(node) in ends:
            segments[ends[id(node)]] = current
            current = []
    names = [canonical_name(part.value) for part in locals_]
    known: dict[str, Syntax] = {}
    ordered: list[Syntax] = []
    for number, (name, part) in enumerate(zip(names, locals_, strict=True)):
        mark = Mark(part.start, part.start + len(part.value))
        if name in declared or name in known:
            why = "declared" if name in declared else "given a formula twice"
            raise NameProblem(
                f"`{name}` is {why}", (mark,), "use another name behind `where`", text
            )
        _use_locals(segments[number + 1], known, names[number:], text)
        ordered += [n for n in segments[number + 1] if n is not part]
        known[name] = part.args[0]
    _use_locals(segments[0], known, (), text)
    used = {n.value for segment in segments for n in segment if n.kind == "local_name"}
    notes += [f"nothing uses `{name}`" for name in names if name not in used]
    return Parsed(text, body, [*ordered, *segments[0]], notes)


def _use_locals(
    nodes: list[Syntax], known: dict[str, Syntax], later: Collection[str], text: str
) -> None:
    """Names that have a formula refer to it from now on."""
    for node in nodes:
        if node.kind != "name":
            continue
        if node.value in later:
            raise NameProblem(
                f"`{node.value}` is used before it has a formula",
                (Mark(node.start, node.end),),
                "behind `where`, a formula may use the names that stand before it",
                text,
            )
        if node.value in known:
            node.kind, node.args = "local_name", [known[node.value]]


# Rules whose first token is the value of their node.
_NAMED = frozenset(
    [
        "name",
        "bare_kind",
        "prefix",
        "call",
        "sized_kind",
        "declaration",
        "map_declaration",
        "binding",
        "local",
    ]
)


def _latex_tokens(
    text: str, declared: Collection[str], functions: Collection[str], notes: list[str]
) -> list[Token] | None:
    """The tokens of LaTeX, at the characters that they came from; None for text that is not LaTeX."""
    if "\\" not in text and "$" not in text:
        return None
    from matgrad.latex_input import is_latex, original_span, translate

    if not is_latex(text):
        return None
    plain, origins = translate(text, functions)
    notes.append(f"the LaTeX is read as `{plain.strip()}`")
    try:
        tokens = _tokens(plain, declared, notes)
    except SyntaxProblem as problem:
        marks = (original_span(text, origins, m.start, m.end) for m in problem.marks)
        found = tuple(Mark(a, b, m.label) for (a, b), m in zip(marks, problem.marks, strict=True))
        raise SyntaxProblem(problem.message, found, problem.help, text) from None
    for token in tokens:
        token.start, token.end = original_span(text, origins, token.start, token.end)
    return tokens


class _Builder:
    """What the parser finds to `Syntax` nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes: list[Syntax] = []

    def node(self, rule: str, parts: list[Any]) -> Syntax:
        start = parts[0].start if parts else 0
        end = parts[-1].end if parts else 0
        args = [p for p in parts if isinstance(p, Syntax)]
        if rule == "group":
            # Brackets leave no node, but the characters of the group are those of its inside plus the brackets.
            inner = args[0]
            inner.start, inner.end = start, end
            inner.grouped = True
            return inner
        value: Any = None
        tokens = [p for p in parts if not isinstance(p, Syntax)]
        if rule == "number":
            value = self.number(tokens[0])
        elif rule in _NAMED:
            value = tokens[0].text
        elif rule == "definition":
            value = (tokens[0].text, tokens[2].text)
        elif rule == "norm":
            value = tokens[2].text.strip("_{}").translate(_SUBSCRIPTS) if len(tokens) > 2 else ""
        elif rule == "superscript":
            value = Fraction(int(tokens[0].text.translate(_SUPERSCRIPTS)))
        elif rule == "stack":
            rows = args[0].args
            value = [len(row.args) for row in rows]
            args = [entry for row in rows for entry in row.args]
        node = Syntax(rule, args, start, end, value)
        if rule in ("call", "sized_kind") and args[:1]:
            node.args = args[0].args
            if len(node.args) == 1 and node.args[0].kind == "binding":
                self.refuse_range_alone(node.args[0])
        elif rule == "index":
            node.args = [args[0], *args[1].args]
        if rule not in ("arguments", "rows", "row", "subscripts"):
            self.nodes.append(node)
        return node

    def refuse_range_alone(self, binding: Syntax) -> None:
        """`sum(i=1:n x[i])`, without its comma, and `sum(i=1:n)`."""
        if len(binding.args) != 2:
            return
        first = last = binding.args[1]
        while first.kind in ("juxtapose", "mul", "add", "sub", "div") and not first.grouped:
            first = first.args[0]
        problem = SyntaxProblem(
            "a range stands here without what is summed",
            (Mark(binding.start, binding.end),),
            "write it behind the range and a comma, as in `sum(i=1:n, x[i]^2)`",
            self.text,
        )
        if first is not last:
            rest = self.text[first.end :].lstrip(" *")
            problem.repairs = ((f"{self.text[: first.end]}, {rest}",),)
        raise problem

    def number(self, token: Token) -> Fraction:
        digits = token.text
        mantissa, _, exponent = digits.lower().partition("e")
        if len(mantissa) > MAX_NUMBER_DIGITS:
            raise LimitProblem(
                "a number is too long",
                (Mark(token.start, token.end, "too long"),),
                f"up to {MAX_NUMBER_DIGITS} digits are read",
                self.text,
            )
        if len(exponent) > 4 or abs(int(exponent or 0)) > MAX_EXPONENT:
            size = "small" if exponent.startswith("-") else "large"
            raise LimitProblem(
                f"a number is too {size}",
                (Mark(token.start, token.end),),
                f"exponents from -{MAX_EXPONENT} to {MAX_EXPONENT} are read",
                self.text,
            )
        return Fraction(digits)


def walk(node: Syntax) -> Iterator[Syntax]:
    """Every node below (and with) a node once, parents first."""
    order: list[Syntax] = []
    seen: set[int] = set()
    todo = [(node, False)]
    while todo:
        item, below_done = todo.pop()
        if below_done:
            order.append(item)
        elif id(item) not in seen:
            seen.add(id(item))
            todo.append((item, True))
            todo.extend((a, False) for a in item.args)
    return reversed(order)
