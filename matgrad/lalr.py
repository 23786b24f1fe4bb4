"""A lexer and an LALR(1) parser that run the tables of `matgrad/grammar_tables.py`.

Lark makes the tables from `grammar/matgrad.lark` (`python docs/generate.py`); running them takes a page, and saves the
time to import Lark and to analyse the grammar at every start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from matgrad.grammar_tables import ENDS, IGNORED, RULES, STARTS, STATES, TERMINALS

END = "$END"  # the type of the token behind the last one

_match = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in TERMINALS)).match


class Token:
    """A piece of the text: its type (a terminal of the grammar), its `text`, and its characters `start:end`."""

    __slots__ = ("end", "start", "text", "type")

    def __init__(self, type: str, text: str, start: int, end: int) -> None:
        self.type = type
        self.text = text
        self.start = start
        self.end = end


class UnknownCharacter(Exception):
    """No token begins at the character `at`."""

    def __init__(self, at: int) -> None:
        self.at = at


class UnexpectedToken(Exception):
    """Token number `at` cannot stand where it does; `expected` are the types that can."""

    def __init__(self, at: int, expected: set[str]) -> None:
        self.at = at
        self.expected = expected


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order. Raises UnknownCharacter."""
    found = []
    at = 0
    while at < len(text):
        match = _match(text, at)
        if match is None:
            raise UnknownCharacter(at)
        kind = match.lastgroup
        assert kind is not None
        if kind not in IGNORED:
            found.append(Token(kind, match.group(), at, match.end()))
        at = match.end()
    return found


def parse_tokens(tokens: list[Token], start: str, build: Callable[[str, list[Any]], Any]) -> Any:
    """What `build(rule, parts)` makes of the outermost rule. Parts are tokens, and what it made of rules inside.

    Raises UnexpectedToken.
    """
    states = [STARTS[start]]
    values: list[Any] = []
    types = [t.type for t in tokens]
    for number, (kind, token) in enumerate(zip([*types, END], [*tokens, None], strict=True)):
        while True:
            row = STATES[states[-1]]
            action = row.get(kind)
            if action is None:
                if kind == END and states[-1] == ENDS[start]:
                    return values[-1]
                raise UnexpectedToken(number, {name for name in row if name.isupper()})
            if action >= 0:
                states.append(action)
                values.append(token)
                break
            origin, name, count = RULES[~action]
            if name:
                parts: list[Any] = []
                for part in values[len(values) - count :]:
                    parts.extend(part) if type(part) is list else parts.append(part)
                made = build(name, parts)
                del values[len(values) - count :]
                values.append(made)
            elif count > 1:  # a repetition: one more of its elements
                first, *others = values[len(values) - count :]
                first = first if type(first) is list else [first]
                first.extend(others)
                del values[len(values) - count + 1 :]
                values[-1] = first
            # A rule of one part without a name is that part.
            del states[len(states) - count :]
            states.append(STATES[states[-1]][origin])
    raise AssertionError("the end of the text was not reached")
